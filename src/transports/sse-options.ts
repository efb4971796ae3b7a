/** The options of the legacy HTTP+SSE transport: their defaults, and their check at the door. */
import { type Random, realRandom } from '#runtime/random'
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

/** What the endpoints of HTTP+SSE have wherever they are: on a port of their own, or on that of HTTP. */
export interface SseEndpointOptions extends ConnectionLimits {
  /** Where a GET opens a stream. Default '/sse'. */
  readonly path?: string
  /** Where messages are posted; the stream's first event says so. Default '/messages'. */
  readonly messagesPath?: string
  /** The longest message taken, in bytes. Default 32 MiB. */
  readonly maxMessageBytes?: number
  /** Bytes of unfinished messages held at once, all requests together; beyond it a request gets 503. Default 512 MiB. */
  readonly maxBufferedBodyBytes?: number
  /** Unread bytes on a stream at which it is closed; one message more may be held. Default 16 MiB: it cannot be resumed. */
  readonly maxStreamBufferBytes?: number
  /** A stream that was quiet for this long gets a comment, in milliseconds; silence lasts at most twice this. Default 15 000. */
  readonly keepAliveMs?: number
  /** A stream without a message either way for this long is closed, in milliseconds. Default 0: never. */
  readonly idleTimeoutMs?: number
}

export interface SseTransportOptions extends SseEndpointOptions, HttpServerOptions {
  /** How long a client may take to send a whole message, in milliseconds. Default 120 000. */
  readonly requestTimeoutMs?: number
  /** Source of the ids that streams are known by. */
  readonly random?: Random
}

export type SseEndpointSettings = Required<SseEndpointOptions>

export interface SseSettings extends SseEndpointSettings, HttpServerSettings {
  readonly requestTimeoutMs: number
  readonly random: Random
}

/** The options of the endpoints with their defaults. Throws `TransportError` `invalid_option`. */
export function sseEndpointSettings(options: SseEndpointOptions): SseEndpointSettings {
  const settings: SseEndpointSettings = {
    ...limitSettings('sse', options),
    path: options.path ?? '/sse',
    messagesPath: options.messagesPath ?? '/messages',
    maxMessageBytes: options.maxMessageBytes ?? 32 * 1024 * 1024,
    maxBufferedBodyBytes: options.maxBufferedBodyBytes ?? 512 * 1024 * 1024,
    maxStreamBufferBytes: options.maxStreamBufferBytes ?? 16 * 1024 * 1024,
    keepAliveMs: options.keepAliveMs ?? 15_000,
    idleTimeoutMs: options.idleTimeoutMs ?? 0,
  }
  checkPath('sse', 'path', settings.path)
  checkPath('sse', 'messagesPath', settings.messagesPath)
  if (settings.path === settings.messagesPath) {
    throw invalidOption('sse', `path and messagesPath must differ, got ${JSON.stringify(settings.path)} for both`)
  }
  checkIntegers('sse', settings, ['maxMessageBytes', 'maxBufferedBodyBytes', 'maxStreamBufferBytes', 'keepAliveMs'])
  checkIntegers('sse', settings, ['idleTimeoutMs'], 0)
  return settings
}

/** The options with their defaults. Throws `TransportError` `invalid_option`. */
export function sseSettings(options: SseTransportOptions): SseSettings {
  const settings: SseSettings = {
    ...httpServerSettings('sse', options, 3_003),
    ...sseEndpointSettings(options),
    requestTimeoutMs: options.requestTimeoutMs ?? 120_000,
    random: options.random ?? realRandom,
  }
  checkIntegers('sse', settings, ['requestTimeoutMs'])
  return settings
}
