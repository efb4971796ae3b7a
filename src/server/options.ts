/** The options of `serve` and `application`: their defaults, and their check at the door. */
import type { Limits } from '#actors/services'
import { checkTaskLimits, type TaskLimits } from '#actors/task-record'
import type { Authenticator } from '#auth/authenticator'
import type { Logger } from '#observability/logger'
import type { Report } from '#observability/report'
import { allRevisions, type CacheHints, describeValue, type Revision } from '#protocol'
import type { Clock, Random, System } from '#runtime'
import type { Store } from '#storage/port'
import { type HttpTransportOptions, httpTransport } from '#transports/http'
import type { Transport } from '#transports/port'
import { type SseTransportOptions, sseTransport } from '#transports/sse'
import { type StdioTransportOptions, stdioTransport } from '#transports/stdio'
import { type TcpTransportOptions, tcpTransport } from '#transports/tcp'
import { lazyWebSocketTransport, type WebSocketTransportOptions } from '#transports/ws-options'
import type { CachingOptions } from './caching-options.ts'
import type { ObserveOptions } from './observe-options.ts'
import type { OverloadOptions } from './overload-options.ts'
import type { ProcessesOptions } from './processes/options.ts'

export interface ApplicationOptions extends OverloadOptions, CachingOptions {
  /** Serve Streamable HTTP; `true` for all defaults (127.0.0.1:3000, path /mcp). */
  readonly http?: boolean | HttpTransportOptions
  /** Serve standard input and output; the program ends when its input does, if this is the only transport. */
  readonly stdio?: boolean | StdioTransportOptions
  /** Serve WebSocket on a port of its own; `true` for all defaults (127.0.0.1:3002, path /mcp). See also `http.webSocket`. */
  readonly ws?: boolean | WebSocketTransportOptions
  /** Serve lines of JSON over TCP; `true` for all defaults (127.0.0.1:3001). */
  readonly tcp?: boolean | TcpTransportOptions
  /** Serve the legacy HTTP+SSE on a port of its own; `true` for all defaults (127.0.0.1:3003, path /sse). See also `http.sse`. */
  readonly sse?: boolean | SseTransportOptions
  /** Further transports, such as `memoryTransport().transport`. */
  readonly transports?: readonly Transport[]
  /** Host names beside the bound address that requests may name; see `HttpTransportOptions`. */
  readonly allowedHosts?: readonly string[]
  readonly allowedOrigins?: readonly string[]
  readonly sessions?: {
    /** Sessions open at once; default 20 000. One more is refused with 503. */
    readonly max?: number
    /** Milliseconds without a request or an open stream after which a session ends; default 1 800 000 (30 minutes). */
    readonly idleMs?: number
    /** Requests of one session in flight at once; default 256. */
    readonly maxRequests?: number
  }
  /** Requests without a session (revision 2026-07-28) in flight at once; default 10 000. One more is refused with 503. */
  readonly maxCalls?: number
  readonly subscriptions?: {
    /**
     * Milliseconds within which changes of one resource, or of one list, are announced once; default 10. The first is announced
     * at once. 0 announces every change by itself.
     */
    readonly coalesceMs?: number
  }
  /** Limits of tasks that differ from the defaults: how many, how long they are kept, what they may take. */
  readonly tasks?: Partial<TaskLimits>
  /** Items on one page of a list; default 1 000. */
  readonly pageSize?: number
  /** Milliseconds that reads, prompts and completions may take; default 60 000. A tool has its own `timeout`. */
  readonly requestTimeoutMs?: number
  /** Milliseconds that a client may take to answer sampling, elicitation, roots; default 300 000. */
  readonly askTimeoutMs?: number
  /** Milliseconds that requests in flight are given on shutdown; default 10 000. */
  readonly drainMs?: number
  /**
   * Where sessions, their streams, tasks and keys are kept: 'memory' (default), 'sqlite:<file>', which survives the program,
   * or a store of your own.
   */
  readonly store?: 'memory' | `sqlite:${string}` | Store
  /** Finds who calls over HTTP, such as `staticTokens` or `jwtBearer` of `bough/auth`; by default anybody may. */
  readonly auth?: Authenticator
  /**
   * How long clients may keep the lists and the answer to server/discover; default { ttlMs: 0, cacheScope: 'private' }, which is
   * not at all. A resource has its own. Spec: MCP 2026-07-28, server/utilities/caching.
   */
  readonly cache?: CacheHints
  /** The revisions to serve; default all: 2024-11-05, 2025-03-26, 2025-06-18, 2025-11-25, 2026-07-28. */
  readonly revisions?: readonly string[]
  /** Gets every event of the server and, under `serve`, of its system. */
  readonly events?: Report
  /** What is shown to whoever runs the server: health, metrics. `false` also ends counting, timing and tracing requests. */
  readonly observe?: false | ObserveOptions
  /** A pino logger or one like it; false for none; default pino on standard error from level 'info'. */
  readonly logger?: Logger | false
}

export interface ServeOptions extends ApplicationOptions {
  /**
   * How many processes of this machine serve, 1 to 64, or 'auto' for as many as it runs at once; default 1, which is this one.
   * With more, this program is started again that many times, and every copy runs to its own `serve`; see docs/processes.md.
   */
  readonly processes?: number | 'auto' | ProcessesOptions
  /** A system to start in; by default one of its own, which `stop` ends. */
  readonly system?: System
  readonly clock?: Clock
  readonly random?: Random
  /**
   * Whether SIGTERM and SIGINT drain the server and end the program with status 0, the second one at once with 1; default
   * true.
   */
  readonly signals?: boolean
  /**
   * Whether faults that stray from a tool (rejections nobody handles, throws from timers) are laid at its door and survived,
   * instead of ending the program as Node does by default; default true.
   */
  readonly guard?: boolean
}

/** The limits with their defaults. Throws a `TypeError` that names the option. */
export function limitsOf(options: ApplicationOptions): Limits {
  const limits: Limits = {
    sessionsMax: options.sessions?.max ?? 20_000,
    sessionIdleMs: options.sessions?.idleMs ?? 1_800_000,
    requestsMax: options.sessions?.maxRequests ?? 256,
    callsMax: options.maxCalls ?? 10_000,
    pageSize: options.pageSize ?? 1_000,
    requestTimeoutMs: options.requestTimeoutMs ?? 60_000,
    askTimeoutMs: options.askTimeoutMs ?? 300_000,
    drainMs: options.drainMs ?? 10_000,
    coalesceMs: options.subscriptions?.coalesceMs ?? 10,
    ...(options.tasks !== undefined && { tasks: checkTaskLimits(options.tasks) }),
  }
  const names = {
    sessionsMax: 'sessions.max',
    sessionIdleMs: 'sessions.idleMs',
    requestsMax: 'sessions.maxRequests',
    callsMax: 'maxCalls',
    pageSize: 'pageSize',
    requestTimeoutMs: 'requestTimeoutMs',
    askTimeoutMs: 'askTimeoutMs',
    drainMs: 'drainMs',
    coalesceMs: 'subscriptions.coalesceMs',
  } as const
  for (const [key, name] of Object.entries(names)) {
    const value: unknown = limits[key as keyof Limits]
    const low = key === 'drainMs' || key === 'coalesceMs' ? 0 : 1
    if (!Number.isInteger(value) || (value as number) < low) {
      throw new TypeError(`serve: ${name} must be a whole number of at least ${low}, got ${describeValue(value)}.`)
    }
  }
  return limits
}

/** The transports that the options name. Throws a `TypeError` when there is none, and what the transports throw. */
export function transportsOf(options: ApplicationOptions, outside?: HttpTransportOptions['otherPaths']): Transport[] {
  const { http, ws, tcp, sse, stdio } = options
  const transports: Transport[] = [...(options.transports ?? [])]
  const names = {
    ...(options.allowedHosts !== undefined && { allowedHosts: options.allowedHosts }),
    ...(options.allowedOrigins !== undefined && { allowedOrigins: options.allowedOrigins }),
  }
  if (isWanted(http)) {
    const own = http === true ? {} : http
    const metadata = metadataOf(options.auth, own, own.path ?? '/mcp', own.webSocket, own.sse)
    transports.push(httpTransport({ ...names, ...own, otherPaths: firstOf([own.otherPaths, ...metadata, outside]) }))
  }
  if (isWanted(sse)) {
    const own = sse === true ? {} : sse
    const metadata = metadataOf(options.auth, own, own.path ?? '/sse')
    transports.push(sseTransport({ ...names, ...own, otherPaths: firstOf([own.otherPaths, ...metadata]) }))
  }
  if (isWanted(ws)) {
    const own = ws === true ? {} : ws
    const metadata = metadataOf(options.auth, own, own.path ?? '/mcp')
    transports.push(lazyWebSocketTransport({ ...names, ...own, otherPaths: firstOf([own.otherPaths, ...metadata]) }))
  }
  if (isWanted(tcp)) transports.push(tcpTransport(tcp === true ? {} : tcp))
  if (isWanted(stdio)) transports.push(stdioTransport(stdio === true ? {} : stdio))
  if (transports.length === 0) {
    throw new TypeError('serve: no transport was named. Say { http: { port: 3000 } }, { stdio: true }, or both.')
  }
  return transports
}

function isWanted<T extends object>(option: boolean | T | undefined): option is true | T {
  return option !== undefined && option !== false
}

/** The revisions that the options name, oldest first. Throws a `TypeError` for one that does not exist. */
export function revisionsOf(options: ApplicationOptions): readonly Revision[] {
  if (options.revisions === undefined) return allRevisions
  const wanted = new Set(options.revisions)
  const found = allRevisions.filter((revision) => wanted.delete(revision.version))
  if (wanted.size > 0 || found.length === 0) {
    const known = allRevisions.map((revision) => revision.version).join(', ')
    throw new TypeError(`serve: revisions may hold ${known}, got ${JSON.stringify(options.revisions)}.`)
  }
  return found
}

/** The cache hints of lists. Throws a `TypeError` for wrong ones. */
export function cacheOf({ cache }: ApplicationOptions): CacheHints {
  if (cache === undefined) return { ttlMs: 0, cacheScope: 'private' }
  const { ttlMs, cacheScope } = cache
  if (!Number.isInteger(ttlMs) || ttlMs < 0)
    throw new TypeError(`serve: cache.ttlMs must be a whole number of at least 0, got ${describeValue(ttlMs)}.`)
  if (cacheScope !== 'public' && cacheScope !== 'private')
    throw new TypeError(`serve: cache.cacheScope must be 'public' or 'private', got ${describeValue(cacheScope)}.`)
  return { ttlMs, cacheScope }
}

/** Answers with the first of them that knows the path. */
function firstOf(all: readonly HttpTransportOptions['otherPaths'][]): NonNullable<HttpTransportOptions['otherPaths']> {
  return (request, response) => all.some((answer) => answer?.(request, response) === true)
}

type OtherPaths = NonNullable<HttpTransportOptions['otherPaths']>

/** What answers the metadata of each endpoint on one port: that at `path`, and those that share the port. */
function metadataOf(
  auth: Authenticator | undefined,
  { tls }: { readonly tls?: HttpTransportOptions['tls'] },
  path: string,
  webSocket?: HttpTransportOptions['webSocket'],
  sse?: HttpTransportOptions['sse'],
): OtherPaths[] {
  if (auth === undefined) return []
  const paths = new Set([path])
  if (isWanted(webSocket)) paths.add((webSocket === true ? undefined : webSocket.path) ?? path)
  if (isWanted(sse)) paths.add((sse === true ? undefined : sse.path) ?? '/sse')
  return [...paths].map((one) => metadataAt(auth, one, tls === undefined ? 'http' : 'https'))
}

/** Answers the well-known paths of the protected-resource metadata. Spec: RFC 9728, section 3. */
function metadataAt(auth: Authenticator, path: string, scheme: 'http' | 'https'): OtherPaths {
  return (request, response) => {
    const metadata = auth.metadata(`${scheme}://${request.headers.host ?? ''}${path}`)
    const asked = (request.url ?? '').split('?', 1)[0] ?? ''
    if (metadata === undefined || !metadata.paths.includes(asked)) return false
    const isRead = request.method === 'GET' || request.method === 'HEAD'
    const headers = { 'content-type': 'application/json', 'access-control-allow-origin': '*', allow: 'GET, HEAD' }
    response.writeHead(isRead ? 200 : 405, headers)
    response.end(request.method === 'GET' ? JSON.stringify(metadata.document) : undefined)
    return true
  }
}
