/**
 * What the processes of one client share: its settings, its handlers, and the tables that outlive a restart of the process that
 * writes them. The processes find each other by name.
 */
import type { ConnectionPhase } from '#lifecycles/connection'
import type { ClientTelemetry } from '#observability/client-telemetry'
import type {
  ClientCapabilities,
  ElicitRequest,
  ElicitResult,
  Implementation,
  JsonObject,
  LogLevel,
  Revision,
  Root,
  SampleRequest,
  SampleResult,
  ServerCapabilities,
} from '#protocol'
import type { NameTable, System } from '#runtime'
import type { ClientTransport } from '#transports/client-port'

export type Era = 'legacy' | 'modern'

/** What a handler is told beside the request's params. */
export interface HandlerContext {
  /** Aborted when the answer is not wanted any more: the server took its question back, the time is over, the client closes. */
  readonly signal: AbortSignal
}

type Handler<P, R> = (params: P, context: HandlerContext) => R | Promise<R>

/** Answers to what a server asks. Each returns the MCP result object; a thrown `ProtocolError` is answered with its own code. */
export interface ClientHandlers {
  readonly sampling?: Handler<SampleRequest, SampleResult>
  /** Fields that an accepted form leaves out get the defaults of the form. */
  readonly elicitation?: Handler<ElicitRequest, ElicitResult>
  readonly roots?: Handler<JsonObject, { readonly roots: readonly Root[] }>
}

/** What the server said of itself. */
export interface ServerDescription {
  /** Self-reported: for people, never to decide by. */
  readonly info: Implementation | undefined
  readonly capabilities: ServerCapabilities
  readonly instructions: string | undefined
  readonly protocolVersion: string
  readonly era: Era
}

export interface ReconnectSettings {
  /** Tries in a row before the connection is given up until the next request; 0 for none. */
  readonly attempts: number
  /** Milliseconds before the first try. */
  readonly minMs: number
  /** Milliseconds before a try at most. */
  readonly maxMs: number
}

export interface ClientSettings {
  readonly info: Implementation
  readonly capabilities: ClientCapabilities
  readonly handlers: ClientHandlers
  readonly era: 'auto' | Era
  /** Those this client speaks, oldest first. */
  readonly revisions: readonly Revision[]
  /** Milliseconds that a transport may take to open, and a server to answer its first request. */
  readonly connectTimeoutMs: number
  /** Milliseconds after which a server on a connection that does not answer the probe is taken for legacy. */
  readonly probeTimeoutMs: number
  /** Milliseconds that a handler may take. */
  readonly handlerTimeoutMs: number
  /** Milliseconds that requests of the client's own (subscriptions) may take. */
  readonly timeoutMs: number
  /** Requests in flight or waiting at once. */
  readonly callsMax: number
  readonly reconnect: ReconnectSettings
}

/** What is learnt of the server and outlives the process that learnt it. */
export interface Known {
  server: ServerDescription | undefined
  /** The era to begin with, once one is known. */
  era: Era | undefined
  /** Which of the transports the server is spoken to over. */
  transport: number
  phase: ConnectionPhase
  logLevel: LogLevel | undefined
  /** How often the connection came up. */
  operated: number
  lastId: number
  lastKey: number
}

export type ListKind = 'tools' | 'prompts' | 'resources'

/** What the client wants to be told. Written by the facade, kept up by the subscriptions process. */
export interface Wanted {
  /** How many listeners each resource has. */
  readonly uris: Map<string, number>
  readonly lists: Map<ListKind, number>
  readonly tasks: Map<string, number>
}

/** What the processes tell the facade. None of these functions throws. */
export interface ClientNews {
  /** A notification of the server. */
  notified(method: string, params: JsonObject): void
  /** What is subscribed to is told again after an interruption: changes in between may have been missed. */
  resumed(): void
  phase(phase: ConnectionPhase): void
  warn(message: string): void
}

export interface ClientServices {
  readonly system: System
  readonly names: NameTable
  readonly settings: ClientSettings
  /** The transport, and those to fall back to. */
  readonly transports: readonly ClientTransport[]
  readonly known: Known
  readonly wanted: Wanted
  readonly news: ClientNews
  /** Counts, times and traces what is asked either way. */
  readonly telemetry: ClientTelemetry
}

/** Why a request has no answer. JSON-RPC errors of the server have a number. */
export type FailureCode =
  | 'timeout'
  | 'cancelled'
  | 'closed'
  | 'lost'
  | 'refused'
  | 'status'
  | 'unauthorized'
  | 'invalid'
  | 'overload'
  | 'unsupported_version'
  | 'not_supported'
  | 'handler_failed'
  | 'too_many_rounds'
  | 'circuit_open'

export interface Failure {
  readonly code: number | FailureCode
  readonly message: string
  readonly data?: unknown
  /** Whether the server may have acted on the request. */
  readonly mayHaveRun: boolean
  readonly cause?: unknown
}

export type Outcome = { readonly result: JsonObject } | { readonly failure: Failure }

/** Names of the processes. */
export const CONNECTION = 'client-connection'
export const QUESTIONS = 'client-questions'
export const SUBSCRIPTIONS = 'client-subscriptions'
