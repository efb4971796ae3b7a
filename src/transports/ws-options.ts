/** The options of the WebSocket transport: their defaults, and their check at the door. Nothing here loads the package `ws`. */
import {
  type ConnectionLimits,
  checkIntegers,
  checkPath,
  type HttpServerOptions,
  type HttpServerSettings,
  httpServerSettings,
  invalidOption,
  limitSettings,
} from './network.ts'
import type { Acceptor, Transport } from './port.ts'

/** What a WebSocket endpoint has wherever it is: on a port of its own, or on that of HTTP. */
export interface WebSocketEndpointOptions extends ConnectionLimits {
  /** The one path that is served. Default '/mcp'. */
  readonly path?: string
  /** The longest message taken, in bytes, after decompression; a longer one is closed with 1009. Default 32 MiB. */
  readonly maxMessageBytes?: number
  /** Unread output at which a connection is closed, in bytes; one message more may be held. Default 16 MiB. */
  readonly maxBufferedBytes?: number
  /** A peer that was silent for this long is pinged, and cut when it is silent as long again. Milliseconds; default 30 000. */
  readonly heartbeatMs?: number
  /** A connection without a message either way for this long is closed, in milliseconds. Default 0: never. */
  readonly idleTimeoutMs?: number
  /**
   * Whether clients may have messages compressed (permessage-deflate), and from how many bytes on they are. Default false; true
   * means from 1 024 bytes. It costs some tens of KB of memory a connection, and time.
   */
  readonly compression?: boolean | { readonly minBytes?: number }
}

export interface WebSocketTransportOptions extends WebSocketEndpointOptions, HttpServerOptions {}

export interface WebSocketEndpointSettings extends Required<Omit<WebSocketEndpointOptions, 'compression'>> {
  /** Bytes from which messages are compressed; undefined for never. */
  readonly compressFromBytes: number | undefined
}

export type WebSocketSettings = WebSocketEndpointSettings & HttpServerSettings

/** Bytes below which compression does not pay. */
const COMPRESS_FROM_BYTES = 1_024

/** The options of an endpoint with their defaults. Throws `TransportError` `invalid_option`. */
export function webSocketEndpointSettings(options: WebSocketEndpointOptions): WebSocketEndpointSettings {
  const { compression = false } = options
  const settings: WebSocketEndpointSettings = {
    ...limitSettings('ws', options),
    path: options.path ?? '/mcp',
    maxMessageBytes: options.maxMessageBytes ?? 32 * 1024 * 1024,
    maxBufferedBytes: options.maxBufferedBytes ?? 16 * 1024 * 1024,
    heartbeatMs: options.heartbeatMs ?? 30_000,
    idleTimeoutMs: options.idleTimeoutMs ?? 0,
    compressFromBytes:
      compression === false
        ? undefined
        : ((compression === true ? undefined : compression.minBytes) ?? COMPRESS_FROM_BYTES),
  }
  checkPath('ws', 'path', settings.path)
  checkIntegers('ws', settings, ['maxMessageBytes', 'maxBufferedBytes', 'heartbeatMs'])
  checkIntegers('ws', settings, ['idleTimeoutMs'], 0)
  const { compressFromBytes } = settings
  if (compressFromBytes !== undefined && !(Number.isInteger(compressFromBytes) && compressFromBytes >= 0)) {
    throw invalidOption('ws', `compression.minBytes must be an integer of at least 0, got ${compressFromBytes}`)
  }
  return settings
}

/** The options with their defaults. Throws `TransportError` `invalid_option`. */
export function webSocketSettings(options: WebSocketTransportOptions): WebSocketSettings {
  return { ...httpServerSettings('ws', options, 3_002), ...webSocketEndpointSettings(options) }
}

/** The WebSocket transport, which loads the package `ws` when it first listens. Throws as `webSocketTransport` does. */
export function lazyWebSocketTransport(options: WebSocketTransportOptions): Transport {
  webSocketSettings(options)
  let transport: Transport | undefined
  return {
    name: 'ws',
    listen: async (acceptor: Acceptor) => {
      transport ??= (await import('./ws.ts')).webSocketTransport(options)
      return transport.listen(acceptor)
    },
  }
}
