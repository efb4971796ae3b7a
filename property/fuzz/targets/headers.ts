/** Targets: what a request says of itself in headers. */
import fc from 'fast-check'
import {
  decode,
  decodeHeaderValue,
  encodeHeaderValue,
  headerFault,
  isModern,
  parameterHeaderFault,
  parameterHeaders,
  parameterHeadersOf,
  type RequestHeaders,
  standardHeaders,
} from '#protocol'
import { HttpGuard, isJsonContentType, isLoopback } from '#transports/http-guard'
import { joined, messageText, oddText } from '../seeds.ts'
import { must, partsOf, type Target } from '../target.ts'

const mirrored = parameterHeaders({
  type: 'object',
  properties: {
    region: { type: 'string', 'x-mcp-header': 'Region' },
    inner: { type: 'object', properties: { n: { type: 'integer', 'x-mcp-header': 'N' } } },
    flag: { type: 'boolean', 'x-mcp-header': 'Flag' },
  },
})

const names = ['MCP-Protocol-Version', 'Mcp-Method', 'Mcp-Name', 'Mcp-Session-Id', 'Mcp-Param-Region', 'Mcp-Param-N']
const line = fc
  .tuple(
    fc.constantFrom(...names, 'Mcp-Param-Flag'),
    fc.oneof(
      oddText,
      fc.constantFrom('2026-07-28', '2025-11-25', 'tools/call', 'true', '42.0', '=?base64?', '=?base64?w6k=?='),
      fc.string().map(encodeHeaderValue),
    ),
  )
  .map(([name, value]) => `${name}: ${value}`)

/** Headers as Node gives them: lower-cased names, each value in latin1, doubles joined. */
function headersOf(head: Buffer): RequestHeaders {
  const headers: Record<string, string> = {}
  for (const one of head.toString('latin1').split('\n')) {
    const colon = one.indexOf(':')
    if (colon <= 0) continue
    const name = one.slice(0, colon).trim().toLowerCase()
    const value = one.slice(colon + 1).trim()
    if (name === '__proto__') continue
    headers[name] = headers[name] === undefined ? value : `${headers[name]}, ${value}`
  }
  return headers
}

export const modernHeaders: Target = {
  name: 'modern-headers',
  law: 'headers are held against the body without a throw, a fault is -32020, and those that a client of ours writes are right',
  weight: 6,
  seeds: joined(
    fc.array(line, { maxLength: 6 }).map((lines) => lines.join('\n')),
    messageText,
  ),
  open: () => ({
    run: (input) => {
      const [head = Buffer.alloc(0), body = Buffer.alloc(0)] = partsOf(input, 2)
      const headers = headersOf(head)
      for (const value of Object.values(headers)) {
        if (typeof value !== 'string') continue
        const decoded = decodeHeaderValue(value)
        if (decoded === undefined) continue
        must(decodeHeaderValue(encodeHeaderValue(decoded)) === decoded, 'a value is not read back', value, decoded)
      }
      const message = decode(body.toString('utf8'))
      if (Array.isArray(message)) return 'batch'
      const way = [`${message.kind} ${isModern(message, headers)}`]
      const fault = headerFault(headers, message)
      must(fault === undefined || fault.code === -32020, 'a fault of headers has another code', fault)
      way.push(String(fault?.message.slice(0, 50)))
      if (message.kind !== 'request') return way.join()
      const { params, method } = message
      const args = params?.['arguments']
      const mismatch = parameterHeaderFault(headers, mirrored, args)
      must(mismatch === undefined || mismatch.code === -32020, 'a fault of parameters has another code', mismatch)
      way.push(String(mismatch?.message.slice(0, 40)))
      const own = { ...standardHeaders('2026-07-28', method, params), ...parameterHeadersOf(mirrored, args) }
      for (const value of Object.values(own)) {
        // The method stands as it is: what no header can carry is no method.
        if (value !== method) must(/^[\x20-\x7e]*$/.test(value), 'a header of ours is none', value)
      }
      return way.join()
    },
  }),
}

const allowed = ['127.0.0.1', 'localhost', '[::1]', 'mcp.example']

export const guard: Target = {
  name: 'guard',
  law: 'no name but an allowed one passes as host; nothing throws, whatever Host, Origin, Accept and Content-Type hold',
  weight: 24,
  bytesMax: 16_384,
  seeds: joined(
    fc.oneof(
      fc.constantFrom(...allowed, 'localhost:80', '[::1]:1', 'evil.example', 'localhost@evil', '127.0.0.1.'),
      oddText,
    ),
    fc.oneof(
      fc.webUrl(),
      fc.constantFrom('null', 'http://localhost', 'https://127.0.0.1:8', 'http://a@localhost'),
      oddText,
    ),
    fc.oneof(fc.constantFrom('*/*', 'application/json, text/event-stream;q=0', 'text/*;q=0.5'), oddText),
    fc.oneof(fc.constantFrom('application/json; charset=utf-8', 'application/json;charset="x"'), oddText),
  ),
  open: () => {
    const options = { host: '127.0.0.1', allowedHosts: ['mcp.example'], allowedOrigins: ['https://app.example'] }
    const long = new HttpGuard(options)
    return {
      run: (input) => {
        const [host = '', origin = '', accept = '', type = ''] = partsOf(input, 4).map((one) => one.toString('latin1'))
        const fresh = new HttpGuard(options)
        const isAllowed = long.allowsHost(host)
        must(isAllowed === fresh.allowsHost(host), 'a host is decided otherwise the second time', host)
        if (isAllowed) {
          must(allowed.includes(host.toLowerCase().replace(/:\d+$/, '')), 'a foreign host passes', host)
          const isWelcome = long.allowsOrigin(origin, host)
          must(isWelcome === fresh.allowsOrigin(origin, host), 'an origin is decided otherwise the second time', origin)
          if (isWelcome) checkOrigin(origin, host)
        }
        const way = [isAllowed, long.acceptsBoth(accept), long.acceptsEvents(accept), isJsonContentType(type)]
        must(
          way[1] === fresh.acceptsBoth(accept) && way[2] === fresh.acceptsEvents(accept),
          'Accept is read twice',
          accept,
        )
        if (way[3]) must(/^\s*application\/json\s*(;|$)/i.test(type), 'a type that is no JSON passes', type)
        return way.join()
      },
    }
  },
}

/** Read by the URL standard's parser, which shares nothing with the guard's. */
function checkOrigin(origin: string, host: string): void {
  const { hostname } = new URL(origin)
  const own = new URL(`http://${host}`).hostname
  const isKnown = isLoopback(hostname) || hostname === own || origin.toLowerCase() === 'https://app.example'
  must(isKnown, 'a foreign origin passes', origin, host)
}
