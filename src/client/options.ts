/** The options of `connect`: their defaults, and their check at the door. */
import type { ClientHandlers, ClientSettings, Era } from '#actors/client-services'
import { allRevisions, describeValue, type Implementation, type LogLevel, type Revision } from '#protocol'
import type { Clock, EventSink, Random, System } from '#runtime'
import type { HttpClientOptions } from '#transports/client-http'
import type { ClientTransport, RequestAuthorizer } from '#transports/client-port'
import type { StdioClientOptions } from '#transports/client-stdio'
import type { TcpClientOptions } from '#transports/client-tcp'
import type { WsClientOptions } from '#transports/client-ws'
import { type CapabilityOption, capabilitiesOf } from './capabilities.ts'

/**
 * A server: the URL of its endpoint (`http:` or `https:`, where a path that ends in `/sse` is spoken to as the HTTP+SSE transport
 * of 2024-11-05; `ws:` or `wss:`; `tcp://host:port` or `tls://host:port`), a command to start, a transport, or 'auto', which looks
 * into the environment.
 */
export type Target =
  | string
  | URL
  | CommandTarget
  | { readonly transport: ClientTransport; readonly fallback?: ClientTransport }

/** A program that speaks MCP on its standard input and output. */
export type CommandTarget = Omit<StdioClientOptions, 'clock'>

export interface ReconnectOptions {
  /** Tries in a row, after which the connection waits for the next request; default 10, 0 for none. */
  readonly attempts?: number
  /** Milliseconds before the second try in a row, then twice as long each time; default 100. */
  readonly minMs?: number
  /** Milliseconds before a try at most; default 10 000. */
  readonly maxMs?: number
}

export interface ConnectOptions {
  /** Who the client is; defaults 'bough' and its version. */
  readonly name?: string
  readonly version?: string
  readonly title?: string
  readonly websiteUrl?: string
  /** Answers to what the server asks; each announces its capability. */
  readonly handlers?: ClientHandlers
  /** More, or less, than the handlers announce. */
  readonly capabilities?: CapabilityOption
  /** Which eras of the protocol to try; default 'auto': modern first, then legacy. */
  readonly era?: 'auto' | Era
  /** The revisions to speak; default all. */
  readonly revisions?: readonly string[]
  /** Milliseconds that a request may take without progress; default 60 000. */
  readonly timeout?: number
  /** Milliseconds that a request may take in all; default 600 000, and never less than `timeout`. */
  readonly maxTimeout?: number
  /** Milliseconds that opening, and each request of the handshake, may take; default 30 000, with `auth` 330 000. */
  readonly connectTimeout?: number
  /** Milliseconds after which a server on a connection (stdio, WebSocket, TCP) that ignores the probe is taken for legacy; default 5 000. */
  readonly probeTimeout?: number
  /** Milliseconds that a handler may take; default 300 000. */
  readonly handlerTimeout?: number
  /** Requests in flight or waiting at once; default 10 000. */
  readonly maxRequests?: number
  /**
   * Requests in flight at once; those beyond wait for their turn, within their time, and count towards `maxRequests`. Default as
   * many as `maxRequests`.
   */
  readonly maxInFlight?: number
  /** How a lost connection is made again; `false` for not at all. */
  readonly reconnect?: ReconnectOptions | false
  /** Log messages of the server from this level on; `client.setLogLevel` changes it. */
  readonly logLevel?: LogLevel
  /** Whether results are checked against the tool's output schema, once the tools were listed; default true. */
  readonly validateOutput?: boolean
  /** Whether lists and reads are kept for as long as the server allows; default true. */
  readonly cache?: boolean
  /** HTTP: headers of every request. WebSocket: of the request that opens the connection. TCP: Authorization, and no other. */
  readonly headers?: Readonly<Record<string, string>>
  /** HTTP, and for each connection WebSocket and TCP: what authorizes requests, such as an OAuth client of `bough/auth`. */
  readonly auth?: RequestAuthorizer
  /** HTTP: everything else. */
  readonly http?: Omit<HttpClientOptions, 'url' | 'headers' | 'authorizer' | 'clock' | 'random'>
  /** WebSocket: everything else. */
  readonly ws?: Omit<WsClientOptions, 'url' | 'headers' | 'authorizer' | 'clock'>
  /** TCP: everything else. */
  readonly tcp?: Omit<TcpClientOptions, 'host' | 'port' | 'authorization' | 'authorizer' | 'clock'>
  /** Ends the attempt to connect. */
  readonly signal?: AbortSignal
  /** A system to live in; by default one of its own, which `close` ends. */
  readonly system?: System
  readonly clock?: Clock
  readonly random?: Random
  /** Gets every event of the client's own system. */
  readonly events?: EventSink
  /** Gets warnings in words: invalid tools, messages that make no sense. Default none. */
  readonly onWarning?: (message: string) => void
}

/** Timings of one request, with defaults. */
export interface Timings {
  readonly timeoutMs: number
  readonly timeoutMaxMs: number
}

const VERSION = '0.1.0'
const CONNECT_MS = 30_000
/** Somebody may have to sign in before the server answers: five minutes more. */
const SIGN_IN_MS = 300_000

/** The settings of a client's processes. Throws a `TypeError` that names the option. */
export function settingsOf(options: ConnectOptions): ClientSettings {
  const { name = 'bough', version = VERSION, title, websiteUrl, handlers = {}, era = 'auto' } = options
  if (era !== 'auto' && era !== 'modern' && era !== 'legacy') {
    throw new TypeError(`connect: era must be 'auto', 'modern' or 'legacy', got ${describeValue(era)}.`)
  }
  for (const key of ['sampling', 'elicitation', 'roots'] as const) {
    const handler: unknown = handlers[key]
    if (handler !== undefined && typeof handler !== 'function') {
      throw new TypeError(`connect: handlers.${key} must be a function, got ${describeValue(handler)}.`)
    }
  }
  const info: Implementation = {
    name,
    version,
    ...(title !== undefined && { title }),
    ...(websiteUrl !== undefined && { websiteUrl }),
  }
  const {
    attempts = 10,
    minMs = 100,
    maxMs = 10_000,
  } = options.reconnect === false ? { attempts: 0 } : (options.reconnect ?? {})
  const connectMs = options.auth === undefined ? CONNECT_MS : CONNECT_MS + SIGN_IN_MS
  return {
    info,
    handlers,
    capabilities: capabilitiesOf(handlers, options.capabilities),
    era,
    revisions: revisionsOf(options),
    timeoutMs: milliseconds('timeout', options.timeout, 60_000),
    connectTimeoutMs: milliseconds('connectTimeout', options.connectTimeout, connectMs),
    probeTimeoutMs: milliseconds('probeTimeout', options.probeTimeout, 5_000),
    handlerTimeoutMs: milliseconds('handlerTimeout', options.handlerTimeout, 300_000),
    callsMax: milliseconds('maxRequests', options.maxRequests, 10_000),
    reconnect: {
      attempts: milliseconds('reconnect.attempts', attempts, 0, 0),
      minMs: milliseconds('reconnect.minMs', minMs, 0),
      maxMs: milliseconds('reconnect.maxMs', maxMs, 0),
    },
  }
}

/** The timings of a request. Throws a `TypeError` that names the option. */
export function timingsOf(
  defaults: Timings,
  { timeout, maxTimeout }: { readonly timeout?: number | undefined; readonly maxTimeout?: number | undefined },
): Timings {
  const timeoutMs = milliseconds('timeout', timeout, defaults.timeoutMs)
  const timeoutMaxMs = milliseconds('maxTimeout', maxTimeout, defaults.timeoutMaxMs)
  return { timeoutMs, timeoutMaxMs: Math.max(timeoutMs, timeoutMaxMs) }
}

function revisionsOf({ revisions, era = 'auto' }: ConnectOptions): readonly Revision[] {
  const wanted = new Set(revisions)
  const found = revisions === undefined ? allRevisions : allRevisions.filter(({ version }) => wanted.delete(version))
  const fitting = found.filter((revision) => era === 'auto' || revision.era === era)
  if (wanted.size > 0 || fitting.length === 0) {
    const known = allRevisions.map(({ version }) => version).join(', ')
    throw new TypeError(`connect: revisions may hold ${known} (era '${era}'), got ${JSON.stringify(revisions)}.`)
  }
  return found
}

export function milliseconds(name: string, value: unknown, usual: number, low = 1): number {
  if (value === undefined) return usual
  if (!Number.isFinite(value) || (value as number) < low) {
    throw new TypeError(`connect: ${name} must be a number of at least ${low}, got ${describeValue(value)}.`)
  }
  return value as number
}
