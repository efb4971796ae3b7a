/**
 * Target: a running server on a real socket, which is sent the bytes of a request, damaged or not. Whatever comes back is a
 * whole answer of status 2xx or 4xx with messages of the protocol in it, or the end of the connection.
 */
import { connect } from 'node:net'
import fc from 'fast-check'
import { Answers } from '../answers.ts'
import { LiveServer } from '../live-server.ts'
import { messageText, oddText } from '../seeds.ts'
import { must, type Target } from '../target.ts'

/** Milliseconds of silence after which no answer is expected any more: the request is unfinished. */
const PATIENCE_MS = 40
/** Milliseconds after which a connection that is neither answered nor closed hangs. */
const HANG_MS = 5_000
/** Stands in recordings for the id of the session. */
export const SESSION = 'SESSION-SESSION-SESSION'

const opening = {
  jsonrpc: '2.0',
  id: 0,
  method: 'initialize',
  params: {
    protocolVersion: '2025-11-25',
    capabilities: { elicitation: {} },
    clientInfo: { name: 'fuzz', version: '1' },
  },
}

/** A request as bytes. */
export function requestText(method: string, headers: readonly string[], body: string): string {
  const length = body === '' ? [] : [`Content-Length: ${Buffer.byteLength(body)}`]
  const head = [`${method} /mcp HTTP/1.1`, 'Host: 127.0.0.1', ...headers, ...length]
  return `${head.join('\r\n')}\r\n\r\n${body}`
}

const header = fc.oneof(
  fc.constantFrom('Content-Type: application/json', 'Accept: application/json, text/event-stream', 'Connection: close'),
  fc.constantFrom(`Mcp-Session-Id: ${SESSION}`, 'MCP-Protocol-Version: 2025-11-25', 'MCP-Protocol-Version: 2026-07-28'),
  fc.constantFrom('Mcp-Method: tools/call', 'Mcp-Name: echo', 'Last-Event-ID: g_1', 'Origin: http://localhost'),
  fc.constantFrom('Transfer-Encoding: chunked', 'Expect: 100-continue', 'Upgrade: websocket', 'Mcp-Param-Region: eu'),
  fc.tuple(fc.constantFrom('X-A', 'Mcp-Name', 'Last-Event-ID'), oddText).map(([name, value]) => {
    return `${name}: ${value.replace(/[^\x20-\x7e]/g, '')}`
  }),
)
const request = fc
  .tuple(
    fc.constantFrom('POST', 'POST', 'POST', 'GET', 'DELETE', 'OPTIONS', 'PUT'),
    fc.array(header, { minLength: 2, maxLength: 8 }),
    messageText,
  )
  .map(([method, headers, body]) => requestText(method, headers, method === 'POST' ? body : ''))

/** What is told of one request: its status line and headers in lower case, and the body without its chunks. */
interface Answer {
  readonly status: number
  readonly type: string
  readonly body: string
  readonly isWhole: boolean
}

/** Reads the answers in the bytes so far; the last may be unfinished. Shares nothing with the server. */
function answersIn(bytes: string): Answer[] {
  const found: Answer[] = []
  for (let at = 0; at < bytes.length; ) {
    const end = bytes.indexOf('\r\n\r\n', at)
    if (end < 0) break
    const [line = '', ...fields] = bytes.slice(at, end).split('\r\n')
    const status = Number(/^HTTP\/1\.1 (\d{3}) /.exec(line)?.[1])
    must(Number.isInteger(status), 'an answer does not begin with its status', line)
    const headers = new Map(
      fields.map((one) => [one.slice(0, one.indexOf(':')).toLowerCase(), one.slice(one.indexOf(':') + 2)]),
    )
    const type = headers.get('content-type') ?? ''
    let [body, next, isWhole] = ['', end + 4, true]
    const length = headers.get('content-length')
    if (status === 100) {
      at = next
      continue
    }
    if (length !== undefined) {
      body = bytes.slice(next, next + Number(length))
      isWhole = body.length === Number(length)
      next += Number(length)
    } else if (headers.get('transfer-encoding') === 'chunked') {
      ;[body, next, isWhole] = dechunked(bytes, next)
    } else if (status !== 204) {
      body = bytes.slice(next)
      next = bytes.length
    }
    found.push({ status, type, body: Buffer.from(body, 'latin1').toString('utf8'), isWhole })
    at = next
  }
  return found
}

function dechunked(bytes: string, start: number): [string, number, boolean] {
  let body = ''
  for (let at = start; ; ) {
    const end = bytes.indexOf('\r\n', at)
    if (end < 0) return [body, bytes.length, false]
    const size = Number.parseInt(bytes.slice(at, end), 16)
    must(Number.isInteger(size), 'a chunk has no size', bytes.slice(at, end))
    if (size === 0) return [body, end + 4, true]
    body += bytes.slice(end + 2, end + 2 + size)
    at = end + 2 + size + 2
  }
}

/** Sends bytes on a connection of their own; resolves to what came until the server was done with them. */
function exchange(port: number, bytes: Buffer): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1')
    let came = ''
    let patience: NodeJS.Timeout | undefined
    const hang = setTimeout(() => {
      socket.destroy()
      reject(new Error(`the connection is neither answered nor closed | ${came.slice(0, 200)}`))
    }, HANG_MS)
    const isOver = (): boolean => {
      const answers = answersIn(came)
      // An event stream may last: what is on it so far is enough.
      return answers.length > 0 && answers.every((one) => one.isWhole || one.type === 'text/event-stream')
    }
    const look = (): void => {
      try {
        // Several requests may have become of one: wait for the others too, as long as they come.
        if (isOver()) socket.destroy()
        else socket.end()
      } catch (error) {
        socket.destroy()
        reject(error)
      }
    }
    const wait = (ms: number): void => {
      clearTimeout(patience)
      patience = setTimeout(look, ms)
    }
    socket.on('connect', () => {
      socket.write(bytes)
      wait(PATIENCE_MS)
    })
    socket.on('data', (chunk: Buffer) => {
      came += chunk.toString('latin1')
      wait(0)
    })
    socket.on('error', () => undefined)
    socket.on('close', () => {
      clearTimeout(patience)
      clearTimeout(hang)
      resolve(came)
    })
  })
}

export const liveHttp: Target = {
  name: 'live-http',
  law: 'bytes on a socket are answered with 2xx or 4xx and messages of the protocol, or the connection ends; nothing crashes or is left',
  weight: 0.2,
  lanes: 16,
  patienceMs: 2 * PATIENCE_MS,
  bytesMax: 32_768,
  seeds: request,
  recordings: ['http request'],
  open: async () => {
    const server = await LiveServer.open({ http: { port: 0, maxMessageBytes: 16_384, closeGraceMs: 50 } })
    const port = Number(new URL(server.app.url).port)
    let session = ''
    let isOpening: Promise<void> | undefined
    const openSession = async (): Promise<void> => {
      const headers = ['Content-Type: application/json', 'Accept: application/json, text/event-stream']
      const answer = await exchange(port, Buffer.from(requestText('POST', headers, JSON.stringify(opening))))
      session = /mcp-session-id: (\S+)/i.exec(answer)?.[1] ?? ''
      const initialized = '{"jsonrpc":"2.0","method":"notifications/initialized"}'
      await exchange(port, Buffer.from(requestText('POST', [...headers, `Mcp-Session-Id: ${session}`], initialized)))
    }
    return {
      run: async (input) => {
        if (session === '') await (isOpening ??= openSession().finally(() => (isOpening = undefined)))
        const text = input.toString('latin1').replaceAll(SESSION, session)
        const came = await exchange(port, Buffer.from(text, 'latin1'))
        server.check()
        const answers = answersIn(came)
        // Somebody deleted it, or it was idle for too long.
        if (text.includes(session) && answers.some(({ status }) => status === 404)) session = ''
        for (const { status, type, body, isWhole } of answers) {
          must((status >= 200 && status < 300) || (status >= 400 && status < 500), 'a status of its own', status, body)
          if (isWhole) checkBody(text, type, body)
        }
        return answers.map(({ status, type }) => `${status} ${type}`).join()
      },
      close: () => server.close(),
    }
  },
}

function checkBody(request: string, type: string, body: string): void {
  const answers = new Answers('2025-11-25')
  // As far as the request is still to be understood: it says what its answers may be.
  const bodies = request.split('\r\n\r\n').slice(1)
  for (const one of bodies) answers.sending(Buffer.from(one, 'latin1').toString('utf8'))
  const isUnderstood = bodies.length === 1
  const texts = type === 'text/event-stream' ? dataIn(body) : type === 'application/json' ? [body] : []
  for (const text of texts) {
    if (isUnderstood) answers.came(text)
    else JSON.parse(text)
  }
}

function dataIn(stream: string): string[] {
  return stream.split('\n').flatMap((line) => (/^data: \S/.test(line) ? [line.slice('data: '.length)] : []))
}
