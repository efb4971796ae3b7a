/**
 * The client's side of WebSocket: one connection, one text frame a message, the subprotocol `mcp`.
 *
 * It promises that a server which is gone is noticed within three heartbeats though nobody sends, that what waits to be read by
 * the server is bounded, that a frame which is binary or too long ends the link with a sentence that says so, and that the code
 * with which a server closes becomes words. `close` says goodbye and waits for the server's, but not for long. The package `ws`
 * is loaded when the first link is opened.
 *
 *     const link = await wsClientTransport({ url: 'wss://mcp.example.com/mcp' }).open(receiver)
 *
 * MCP names no WebSocket transport; this is a custom one that keeps its messages and its lifecycle. Sources: RFC 6455; MCP
 * 2025-11-25, basic/transports, custom transports.
 */
import { type Clock, realClock } from '#runtime/clock'
import type { ClientTlsOptions } from './client-http-options.ts'
import type { ClientTransport, RequestAuthorizer } from './client-port.ts'
import { openWs } from './client-ws-handshake.ts'
import { TransportError } from './port.ts'

export interface WsClientOptions {
  /** The server's endpoint, 'ws:' or 'wss:'. Without credentials: those go into `headers` or come from `authorizer`. */
  readonly url: string | URL
  /** Headers of the request that opens the connection. */
  readonly headers?: Readonly<Record<string, string>>
  /** Supplies the headers that authorize that request and answers 401 and 403; see `bough/auth`. */
  readonly authorizer?: RequestAuthorizer
  /** The certificate to show (`cert`, `key`, mutual TLS) and the authorities to trust (`ca`), as Node takes them. */
  readonly tls?: ClientTlsOptions
  /** Offers permessage-deflate, for messages of `minBytes` (default 1 024) and more. Default false: it costs CPU and memory. */
  readonly compression?: boolean | { readonly minBytes?: number }
  /** The longest message taken, in bytes, unpacked. Default 32 MiB. */
  readonly maxMessageBytes?: number
  /** What may wait to be read by the server, in bytes (near enough); one message more may. Default 64 MiB. */
  readonly maxBufferedBytes?: number
  /** How long connecting, TLS and the upgrade may take together, in milliseconds. Default 10 000. */
  readonly connectTimeoutMs?: number
  /** A ping is sent this often, in milliseconds; a server that lets two go by in silence is gone. Default 15 000. */
  readonly heartbeatMs?: number
  /** How long `close` waits for the server's goodbye, in milliseconds. Default 2 000. */
  readonly closeTimeoutMs?: number
  readonly clock?: Clock
}

export interface WsClientSettings
  extends Required<Omit<WsClientOptions, 'url' | 'authorizer' | 'tls' | 'compression'>> {
  readonly url: URL
  /** The address for people: without the query, which may hold a token. */
  readonly target: string
  readonly authorizer: RequestAuthorizer | undefined
  readonly tls: ClientTlsOptions | undefined
  /** Bytes from which on messages are packed; undefined for never. */
  readonly compressedFromBytes: number | undefined
}

/** Messages that are shorter are not worth packing, in bytes. */
const COMPRESSED_BYTES_MIN = 1_024
/** Headers that the upgrade is made of. Source: RFC 6455, 4.1. */
const RESERVED_HEADERS = /^(connection|content-.*|host|sec-websocket-.*|transfer-encoding|upgrade)$/

/** A transport to a WebSocket endpoint. Throws `TransportError` `invalid_option`. */
export function wsClientTransport(options: WsClientOptions): ClientTransport {
  const settings = wsClientSettings(options)
  return {
    name: 'ws',
    target: settings.target,
    open: (receiver) => openWs(settings, receiver),
  }
}

function wsClientSettings(options: WsClientOptions): WsClientSettings {
  const url = checkedUrl(options.url)
  const settings: WsClientSettings = {
    url,
    target: `${url.protocol}//${url.host}${url.pathname}`,
    headers: options.headers ?? {},
    authorizer: options.authorizer,
    tls: options.tls,
    compressedFromBytes: compressedFrom(options.compression),
    maxMessageBytes: options.maxMessageBytes ?? 32 * 1024 * 1024,
    maxBufferedBytes: options.maxBufferedBytes ?? 64 * 1024 * 1024,
    connectTimeoutMs: options.connectTimeoutMs ?? 10_000,
    heartbeatMs: options.heartbeatMs ?? 15_000,
    closeTimeoutMs: options.closeTimeoutMs ?? 2_000,
    clock: options.clock ?? realClock,
  }
  for (const name of positiveOptions) {
    if (!Number.isInteger(settings[name]) || settings[name] <= 0) {
      throw invalid(`${name} must be a positive integer, got ${settings[name]}`)
    }
  }
  const { compressedFromBytes: minBytes = 0 } = settings
  if (!Number.isInteger(minBytes) || minBytes < 0) {
    throw invalid(`compression.minBytes must be a number of bytes, got ${minBytes}`)
  }
  if (settings.tls !== undefined && url.protocol === 'ws:') throw invalid('tls needs a url that begins with wss:')
  for (const name of Object.keys(settings.headers)) {
    if (RESERVED_HEADERS.test(name.toLowerCase())) {
      throw invalid(`the header ${JSON.stringify(name)} is set by the transport itself; leave it out of headers`)
    }
  }
  return settings
}

const positiveOptions = [
  'maxMessageBytes',
  'maxBufferedBytes',
  'connectTimeoutMs',
  'heartbeatMs',
  'closeTimeoutMs',
] as const

function compressedFrom(compression: WsClientOptions['compression'] = false): number | undefined {
  if (compression === false) return undefined
  return (compression === true ? undefined : compression.minBytes) ?? COMPRESSED_BYTES_MIN
}

function checkedUrl(value: string | URL): URL {
  if (!URL.canParse(String(value))) {
    throw invalid(`url must be absolute, such as "wss://mcp.example.com/mcp", got ${JSON.stringify(value)}`)
  }
  const url = new URL(value)
  if (url.protocol !== 'ws:' && url.protocol !== 'wss:') {
    throw invalid(`url must begin with ws: or wss:, got ${JSON.stringify(url.protocol)}`)
  }
  // The value is not repeated here: it holds a password.
  if (url.username !== '' || url.password !== '') {
    throw invalid('url must not hold a user name or password; put them into an Authorization header')
  }
  url.hash = ''
  return url
}

function invalid(message: string): TransportError {
  return new TransportError('invalid_option', `ws client: ${message}.`)
}
