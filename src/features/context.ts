/**
 * What a handler is given beside its arguments: a signal, ways to report, ways to ask the client, and where it runs. A context
 * belongs to one request; after the request ended its reports go nowhere and its questions reject.
 */
import type {
  ClientCapabilities,
  ElicitRequest,
  ElicitResult,
  Implementation,
  LogLevel,
  RequestId,
  Root,
  SampleRequest,
  SampleResult,
} from '#protocol'
import type { Self, System } from '#runtime'

/** What a handler may know of the session that it serves. */
export interface SessionInfo {
  readonly id: string
  readonly protocolVersion: string
  readonly clientInfo: Implementation
  readonly clientCapabilities: ClientCapabilities
}

export interface ToolContext {
  /** Aborts when the client cancels, the call times out, or the session or server stops. */
  readonly signal: AbortSignal
  /** The JSON-RPC id of the request. */
  readonly requestId: RequestId
  /** Absent for requests outside a session. */
  readonly session: SessionInfo | undefined
  /** Who the caller is, as the transport's authorization found; undefined without authorization. */
  readonly auth: unknown
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
  sample(request: SampleRequest): Promise<SampleResult>
  /** Asks the user. Rejects when the client has no elicitation of that mode; a user's refusal is a result. */
  elicit(request: ElicitRequest): Promise<ElicitResult>
  /** The client's roots. Rejects when the client has none to offer. */
  roots(): Promise<readonly Root[]>
  /** Resolves when the client answered a ping. Spec: MCP 2025-11-25, basic/utilities/ping. */
  ping(): Promise<void>
  /**
   * Asks the transport to close the answer's SSE stream early, so that the client polls for the rest after `retryMs`. Does
   * nothing on other transports. Spec: MCP 2025-11-25, basic/transports, sending messages to the server.
   */
  closeStream(retryMs?: number): void
}
