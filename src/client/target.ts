/**
 * From a target to the transports that lead there: the first one is tried, the next ones are what to fall back to.
 *
 * Spec: MCP 2026-07-28, basic/transports/streamable-http, backward compatibility.
 */
import { describeValue } from '#protocol'
import type { System } from '#runtime'
import { type HttpClientOptions, httpClientTransport } from '#transports/client-http'
import type { ClientTransport } from '#transports/client-port'
import { sseClientTransport } from '#transports/client-sse'
import { stdioClientTransport } from '#transports/client-stdio'
import { tcpClientTransport } from '#transports/client-tcp'
import { wsClientTransport } from '#transports/client-ws'
import { findServer } from './find-server.ts'
import type { ConnectOptions, Target } from './options.ts'

export interface Reached {
  readonly transports: readonly ClientTransport[]
  /** Whether the address itself says that the server is of the legacy era. */
  readonly isLegacy: boolean
}

/** The transports for a target. Throws a `TypeError` that says what a target may be. */
export function reach(target: Target | 'auto', options: ConnectOptions, system: System): Reached {
  if (target === 'auto') {
    const found = findServer()
    return typeof found === 'string' ? reachUrl(found, options, system) : { transports: [found], isLegacy: false }
  }
  if (typeof target === 'string' || target instanceof URL) return reachUrl(String(target), options, system)
  if (typeof target === 'object' && target !== null && 'transport' in target) {
    const { transport, fallback } = target
    return { transports: fallback === undefined ? [transport] : [transport, fallback], isLegacy: false }
  }
  if (typeof target === 'object' && target !== null && 'command' in target) {
    return { transports: [stdioClientTransport({ ...target, clock: system.clock })], isLegacy: false }
  }
  throw new TypeError(
    `connect: the target must be a URL, { command }, { transport } or 'auto', got ${describeValue(target)}.`,
  )
}

function reachUrl(text: string, options: ConnectOptions, system: System): Reached {
  const url = URL.canParse(text) ? new URL(text) : undefined
  switch (url?.protocol) {
    case 'http:':
    case 'https:':
      return reachHttp(url, options, system)
    case 'ws:':
    case 'wss:': {
      const { ws } = options
      const settings = { ...ws, url, clock: system.clock, ...authorizing(options) }
      return { transports: [wsClientTransport(settings)], isLegacy: false }
    }
    case 'tcp:':
    case 'tls:':
      return { transports: [reachTcp(url, options, system)], isLegacy: false }
    case undefined:
      throw new TypeError(
        `connect: ${JSON.stringify(text)} is no URL. Say 'http://host:port/mcp', or { command } for a program.`,
      )
    default:
      throw new TypeError(
        `connect: there is no transport for ${url?.protocol}//, got ${JSON.stringify(text)}. Use http:, https:, ws:, wss:, ` +
          'tcp:, tls: or { command }.',
      )
  }
}

function reachHttp(url: URL, options: ConnectOptions, system: System): Reached {
  const { http } = options
  const settings = { ...http, url, clock: system.clock, random: system.random, ...authorizing(options) }
  const sse = sseClientTransport(settings)
  if (/\/sse\/?$/.test(url.pathname)) return { transports: [sse], isLegacy: true }
  return { transports: [httpClientTransport(settings), sse], isLegacy: false }
}

function reachTcp(url: URL, options: ConnectOptions, system: System): ClientTransport {
  const { protocol, hostname, port, pathname, search, hash, username, password } = url
  if (hostname === '' || port === '' || /[^/]/.test(pathname + search + hash + username + password)) {
    throw new TypeError(`connect: a TCP address is ${protocol}//host:port and nothing else, got one ${fault(url)}.`)
  }
  const { tcp = {}, auth, onWarning } = options
  const { authorization, ...others } = lowerCased(options.headers)
  const useless = Object.keys(others)
  if (useless.length > 0) {
    onWarning?.(`${protocol}//${hostname}:${port} gets no header but Authorization, so not ${useless.join(', ')}.`)
  }
  return tcpClientTransport({
    ...tcp,
    tls: protocol === 'tls:' ? tcp.tls || true : (tcp.tls ?? false),
    ...(authorization !== undefined && { authorization }),
    ...(auth !== undefined && { authorizer: auth }),
    host: hostname.replace(/^\[|\]$/g, ''),
    port: Number(port),
    clock: system.clock,
  })
}

/** What of an address is wrong, in words that repeat no password. */
function fault({ hostname, port, username, password }: URL): string {
  if (hostname === '') return 'without a host'
  if (port === '') return 'without a port'
  return username + password === '' ? 'with a path or a query' : 'with a user name or password'
}

function authorizing({ headers, auth }: ConnectOptions): Pick<HttpClientOptions, 'headers' | 'authorizer'> {
  return { ...(headers !== undefined && { headers }), ...(auth !== undefined && { authorizer: auth }) }
}

function lowerCased(headers: ConnectOptions['headers'] = {}): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]))
}
