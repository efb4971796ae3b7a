/** The options of the HTTP transport: their defaults, and their check at the door. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { ServerOptions } from 'node:https'
import { type Clock, realClock } from '#runtime/clock'
import { type Random, realRandom } from '#runtime/random'
import { TransportError } from './port.ts'
import { type SseEndpointOptions, type SseEndpointSettings, sseEndpointSettings } from './sse-options.ts'
import {
  type WebSocketEndpointOptions,
  type WebSocketEndpointSettings,
  webSocketEndpointSettings,
} from './ws-options.ts'

export interface HttpTransportOptions {
  /** The address to bind. Default '127.0.0.1'. */
  readonly host?: string
  /** 0 takes any free port. Default 3000. */
  readonly port?: number
  /** The one path that is served. Default '/mcp'. */
  readonly path?: string
  /**
   * Host names ('mcp.example.com', any port) or hosts with a port ('mcp.example.com:8443') that requests may name
   * beside those of the bound address. A loopback or wildcard bind takes the loopback names, any other bind its own
   * address: a server on 0.0.0.0 or a public address must list the names it is reached by.
   */
  readonly allowedHosts?: readonly string[]
  /**
   * Origins ('https://app.example.com') that browsers may call from, beside the server's own and, on a loopback bind,
   * loopback origins.
   */
  readonly allowedOrigins?: readonly string[]
  /** The longest body taken, in bytes. Default 32 MiB. */
  readonly maxMessageBytes?: number
  /** Bytes of unfinished bodies held at once, all requests together; beyond it a request gets 503. Default 512 MiB. */
  readonly maxBufferedBodyBytes?: number
  /**
   * Unread bytes on an SSE stream at which it is closed; the client may resume. One message more may be held. Default
   * 1 MiB.
   */
  readonly maxStreamBufferBytes?: number
  /**
   * A stream that was quiet for this long gets a comment, in milliseconds; silence lasts at most twice this. Default
   * 15 000.
   */
  readonly keepAliveMs?: number
  /** How long a client may take to send its headers. Default 30 000. */
  readonly headersTimeoutMs?: number
  /** How long a client may take to send a whole request; answers may take as long as they like. Default 120 000. */
  readonly requestTimeoutMs?: number
  /**
   * How long an idle connection is kept for the next request. Default 65 000, longer than common proxies keep theirs.
   */
  readonly idleTimeoutMs?: number
  /** How long `close` lets answers that were just given leave, in milliseconds. Default 1 000. */
  readonly closeGraceMs?: number
  /**
   * Serves HTTPS: `key` and `cert` as Node takes them. With `ca` and `requestCert: true` clients may show a certificate, and with
   * `rejectUnauthorized: true` (Node's default) must show one of that authority. Default: plain HTTP.
   */
  readonly tls?: TlsOptions
  /** Connections the system may hold before they are accepted. Default 4 096; the system may cap it. */
  readonly backlog?: number
  readonly clock?: Clock
  /**
   * Answers requests to other paths (metadata documents, health) after the host and origin checks. Returns false, and
   * leaves the response alone, for a path it does not know. Default: every other path is 404.
   */
  readonly otherPaths?: (request: IncomingMessage, response: ServerResponse) => boolean
  /** Serves WebSocket on this port too, at the same path unless another is given. Default false. */
  readonly webSocket?: boolean | WebSocketEndpointOptions
  /** Serves the legacy HTTP+SSE transport on this port too, at /sse and /messages unless others are given. Default false. */
  readonly sse?: boolean | SseEndpointOptions
  /** Source of the ids that legacy streams are known by. */
  readonly random?: Random
}

/** The TLS options of the listener that are passed on to Node. Source: node:tls, createServer and createSecureContext. */
export type TlsOptions = Pick<
  ServerOptions,
  'key' | 'cert' | 'ca' | 'pfx' | 'passphrase' | 'requestCert' | 'rejectUnauthorized' | 'minVersion' | 'ciphers'
>

export type HttpSettings = Required<Omit<HttpTransportOptions, 'tls' | 'webSocket' | 'sse'>> & {
  readonly tls: TlsOptions | undefined
  readonly webSocket: WebSocketEndpointSettings | undefined
  readonly sse: SseEndpointSettings | undefined
}

/** The options with their defaults. Throws `TransportError` `invalid_option`. */
export function httpSettings(options: HttpTransportOptions): HttpSettings {
  const { webSocket = false, sse = false, path: endpointPath = '/mcp' } = options
  const settings: HttpSettings = {
    host: options.host ?? '127.0.0.1',
    port: options.port ?? 3_000,
    path: endpointPath,
    allowedHosts: options.allowedHosts ?? [],
    allowedOrigins: options.allowedOrigins ?? [],
    maxMessageBytes: options.maxMessageBytes ?? 32 * 1024 * 1024,
    maxBufferedBodyBytes: options.maxBufferedBodyBytes ?? 512 * 1024 * 1024,
    maxStreamBufferBytes: options.maxStreamBufferBytes ?? 1024 * 1024,
    keepAliveMs: options.keepAliveMs ?? 15_000,
    headersTimeoutMs: options.headersTimeoutMs ?? 30_000,
    requestTimeoutMs: options.requestTimeoutMs ?? 120_000,
    idleTimeoutMs: options.idleTimeoutMs ?? 65_000,
    closeGraceMs: options.closeGraceMs ?? 1_000,
    backlog: options.backlog ?? 4_096,
    tls: options.tls,
    clock: options.clock ?? realClock,
    otherPaths: options.otherPaths ?? (() => false),
    random: options.random ?? realRandom,
    webSocket:
      webSocket === false
        ? undefined
        : webSocketEndpointSettings({ path: endpointPath, ...(webSocket === true ? {} : webSocket) }),
    sse: sse === false ? undefined : sseEndpointSettings(sse === true ? {} : sse),
  }
  const { port, path, host } = settings
  if (!Number.isInteger(port) || port < 0 || port > 65_535) {
    throw invalid(`port must be an integer from 0 to 65535, got ${port}`)
  }
  if (!/^\/[^?#\s]*$/.test(path)) {
    throw invalid(`path must start with "/" and hold no "?", "#" or space, got ${JSON.stringify(path)}`)
  }
  const { tls } = settings
  if (tls !== undefined && tls.pfx === undefined && (tls.key === undefined || tls.cert === undefined)) {
    throw invalid('tls needs key and cert, or pfx')
  }
  if (settings.sse !== undefined && [settings.sse.path, settings.sse.messagesPath].includes(path)) {
    throw invalid(`sse must have paths other than ${JSON.stringify(path)}, which is the endpoint's own`)
  }
  if (host === '') throw invalid('host must not be empty. Use "0.0.0.0" or "::" for every address')
  for (const name of positiveOptions) {
    if (!Number.isInteger(settings[name]) || settings[name] <= 0) {
      throw invalid(`${name} must be a positive integer, got ${settings[name]}`)
    }
  }
  for (const origin of settings.allowedOrigins) {
    if (!/^[a-z][a-z0-9+.-]*:\/\/[^/\s]+$/i.test(origin)) {
      throw invalid(`allowedOrigins must hold origins such as "https://app.example.com", got ${JSON.stringify(origin)}`)
    }
  }
  return settings
}

const positiveOptions = [
  'maxMessageBytes',
  'maxBufferedBodyBytes',
  'maxStreamBufferBytes',
  'keepAliveMs',
  'headersTimeoutMs',
  'requestTimeoutMs',
  'idleTimeoutMs',
  'closeGraceMs',
  'backlog',
] as const

function invalid(message: string): TransportError {
  return new TransportError('invalid_option', `http: ${message}.`)
}
