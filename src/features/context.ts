/**
 * What a handler is given beside its arguments: a signal, ways to report, ways to ask the client, and where it runs. A context
 * belongs to one request; after the request ended its reports go nowhere and its questions reject.
 */
import type {
  ClientCapabilities,
  ElicitRequest,
  ElicitResult,
  Implementation,
  JsonObject,
  LogLevel,
  RequestId,
  Root,
  SampleRequest,
  SampleResult,
} from '#protocol'
import type { Self, System } from '#runtime'

/** What a handler may know of the client that it serves, in either era. */
export interface ClientInfo {
  readonly protocolVersion: string
  readonly clientInfo: Implementation
  readonly clientCapabilities: ClientCapabilities
}

/** What a handler may know of the session that it serves. */
export interface SessionInfo extends ClientInfo {
  readonly id: string
}

/** Who calls, as the authorization of the transport found. */
export interface Principal {
  /** Unique among callers; what sessions, tasks and request state are bound to. */
  readonly id: string
  readonly clientId?: string
  readonly scopes: readonly string[]
  /** What the token says of its bearer; never the token itself. */
  readonly claims: JsonObject
}

/** How a question is put to the client. */
export interface AskOptions {
  /**
   * Names the question among those of this call; default its kind and number ('elicit-1'). Under revision 2026-07-28 a
   * handler runs again for each round, and a question is known by its key.
   */
  readonly key?: string
  /** Milliseconds that the client has for its answer; default `askTimeoutMs` of the server. */
  readonly expiresInMs?: number
  /** Whether the answer may be used once only, however often the client sends it. Default false. */
  readonly once?: boolean
}

/** The task that a tool runs as. */
export interface TaskInfo {
  readonly id: string
  /** True when the server was restarted meanwhile and the tool runs anew. */
  readonly isResumed: boolean
}

export interface ToolContext {
  /** Aborts when the client cancels, the call times out, or the session or server stops. */
  readonly signal: AbortSignal
  /** The JSON-RPC id of the request. */
  readonly requestId: RequestId
  /** Absent for requests outside a session: those of revision 2026-07-28, and tasks. */
  readonly session: SessionInfo | undefined
  readonly client: ClientInfo
  /** Who the caller is; undefined without authorization. */
  readonly auth: Principal | undefined
  /** The `_meta` of the request; trace context is in `traceparent`, `tracestate` and `baggage`. */
  readonly meta: JsonObject
  /** Present when the tool runs as a task. */
  readonly task: TaskInfo | undefined
  readonly system: System
  /** The process of this request. */
  readonly self: Self
  /**
   * Reports progress to a client that asked for it. `done` must rise from call to call; one that does not is dropped.
   * Spec: MCP 2025-11-25, basic/utilities/progress.
   */
  progress(done: number, total?: number, message?: string): void
  /** Sends a log message to a client that wants that level. `data` is any JSON value. */
  log(level: LogLevel, data: unknown, logger?: string): void
  /** Asks the client's model. Rejects when the client has no sampling or the user refuses. */
  sample(request: SampleRequest, options?: AskOptions): Promise<SampleResult>
  /** Asks the user. Rejects when the client has no elicitation of that mode; a user's refusal is a result. */
  elicit(request: ElicitRequest, options?: AskOptions): Promise<ElicitResult>
  /** The client's roots. Rejects when the client has none to offer. */
  roots(options?: AskOptions): Promise<readonly Root[]>
  /** What the last `checkpoint` of this task saved, before the server was restarted; undefined on a first run. */
  readonly restored: unknown
  /**
   * Saves how far a task has come, as plain data; resolves when it is durable. A task of a tool that is `resumable` runs
   * again after a restart of the server and finds it in `restored`. Outside a task it does nothing.
   */
  checkpoint(state: unknown): Promise<void>
  /** Resolves when the client answered a ping. Spec: MCP 2025-11-25, basic/utilities/ping. */
  ping(): Promise<void>
  /**
   * Asks the transport to close the answer's SSE stream early, so that the client polls for the rest after `retryMs`. Does
   * nothing on other transports. Spec: MCP 2025-11-25, basic/transports, sending messages to the server.
   */
  closeStream(retryMs?: number): void
}
