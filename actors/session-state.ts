/**
 * What a session knows: the shape of its state, and the small things that are done to it. What must outlive a crash is written
 * down in a record and taken up from it.
 */
import type { SessionInfo } from '#features/context'
import { nextPhase, type Phase } from '#lifecycles'
import type { Watch } from '#observability/telemetry'
import {
  type ClientCapabilities,
  ErrorCode,
  encodeBatch,
  encodeError,
  type Implementation,
  type JsonObject,
  type LogLevel,
  latestRevision,
  type RequestId,
  type Revision,
  revisionOf,
  type ServerCapabilities,
} from '#protocol'
import type { ChildSpec, From, Ref, Self, System, Timer } from '#runtime'
import type { SessionRecord } from '#storage/port'
import { IdTable } from '#structures/id-table'
import type { Sink } from '#transports/port'
import { profileOf } from './client-profile.ts'
import type { Request, RequestJob } from './request.ts'
import type { Services } from './services.ts'
import type { SessionAsks } from './session-asks.ts'
import type { ReplyStream, SessionStreams } from './session-streams.ts'
import { awaitElicitation, subscribe } from './subscriptions.ts'

/** What a session is started with. */
export interface SessionArg {
  readonly services: Services
  readonly system: System
  readonly id: string
  readonly transport: string
  /** The sink of a connection; null over HTTP, where every exchange brings its own. */
  readonly connection: Sink | null
  /** Whom it is bound to: nobody else may use it. Undefined without authorization. */
  readonly principal: string | undefined
  readonly debts: Debts
}

/**
 * What is kept beside a session, over its incarnations. Above all what it owes its client: a process that is killed has no last
 * words, so the next incarnation, or the session manager when there is none, answers in its place.
 */
export class Debts {
  /** The client has left its connection: what is in flight may end, then so does the session. */
  hasLeft = false
  /** The client has ended the session. */
  isOver = false
  /** The record of a session that ends with its connection: nothing to be kept for longer. */
  record: SessionRecord | undefined
  /** The supervisor of the session's subtree, from when the session is open. */
  tree: Ref | undefined
  /** The supervisor of the session's requests, which is started with the first of them. */
  requests: ChildSpec | undefined
  private debtor: State | undefined

  owe(state: State): void {
    this.debtor = state
  }

  /** The last incarnation left in order. */
  clear(): void {
    this.debtor = undefined
  }

  /** Answers in place of an incarnation that has ended. */
  settle(why: string): void {
    const state = this.debtor
    this.debtor = undefined
    state?.leave(state, why)
  }
}

export interface InFlight {
  readonly id: RequestId
  readonly method: string
  readonly subject: string
  readonly stream: ReplyStream
  readonly startedAt: number
  readonly timeoutMs: number
  readonly watch: Watch
  /** Its time-out: the system's, not the process's, and cancelled by whoever takes the request out of flight. */
  timer: Timer | undefined
  /** The request's process and its monitor, once it has made itself known. */
  ref: Ref<typeof Request> | null
  monitor: number
  /** How it stands with the gate: it waits there, begins, waits for something else, or is over. */
  gate: 'waiting' | 'starting' | 'running' | 'left'
}

export interface State {
  readonly arg: SessionArg
  phase: Phase
  revision: Revision
  client: Implementation
  capabilities: ClientCapabilities
  /** What requests are told of it; made when it is first asked for, and anew when it has changed. */
  info: SessionInfo | undefined
  /** As the client sent them, for the record. */
  sentCapabilities: JsonObject
  offered: ServerCapabilities
  logLevel: LogLevel | undefined
  /** Made when they are first needed, as most sessions never do; shared and empty until then. */
  subscriptions: Set<string>
  elicitations: Set<string>
  inFlight: IdTable<InFlight>
  asks: SessionAsks | null
  readonly streams: SessionStreams
  /** The supervisor of its requests: null until the first of them, and while it is being started. */
  requests: Ref | null
  /** Requests that wait for it. */
  waiting: RequestJob[] | null
  /** Its own, not the process's: what few bytes an idle session holds are counted. Cancelled by whoever ends it. */
  idleTimer: Timer | undefined
  /** Answers what is in flight and closes the streams, when the incarnation can no longer do so. */
  readonly leave: (state: State, why: string) => void
  lastActiveAt: number
  /** When the record was last written; for what is kept coarsely. */
  rememberedAt: number
  /** The client's connection is gone: what is in flight may end, then so does the session. */
  isLeaving: boolean
  isSweeping: boolean
  quiescent: From[] | null
}

/** Starts a request's time anew. */
export function startTimer(entry: InFlight, { ref, system }: Pick<Self, 'ref' | 'system'>): void {
  entry.timer = system.timers.start(entry.timeoutMs, isLate, { ref, id: entry.id })
}

/** Stops a request's time. */
export function stopTimer({ timer }: InFlight, { timers }: System): void {
  if (timer !== undefined) timers.cancel(timer)
}

function isLate({ ref, id }: { readonly ref: Ref; readonly id: RequestId }): void {
  ref.send({ type: 'timeout', id })
}

/** Moves the lifecycle on; false when the event means nothing in this phase. */
export function advance(state: State, event: Parameters<typeof nextPhase>[1]): boolean {
  const next = nextPhase(state.phase, event)
  if (next === undefined || next === state.phase) return false
  state.phase = next
  return true
}

export function infoOf(state: State): SessionInfo {
  const { info, client, capabilities } = state
  const protocolVersion = state.revision.version
  const isCurrent =
    info?.protocolVersion === protocolVersion && info.clientInfo === client && info.clientCapabilities === capabilities
  if (isCurrent) return info
  state.info = { id: state.arg.id, protocolVersion, clientInfo: client, clientCapabilities: capabilities }
  return state.info
}

/** Stand for what a session does not have; nobody adds to them. */
export const noUris: Set<string> = new Set()
export const noRequests: IdTable<InFlight> = new IdTable()
const nothing: readonly string[] = []

/** Writes down what the next incarnation needs. False when the store has no room for one more session. */
export function remember(state: State, self: Pick<Self, 'system' | 'now'>): boolean {
  const { services, id, connection, debts, principal } = state.arg
  // What is over stays forgotten, whatever is still answered.
  if (debts.isOver) return true
  const { subscriptions, elicitations, streams } = state
  const { openStreams, deliveredId } = streams
  const record: SessionRecord = {
    id,
    protocolVersion: state.revision.version,
    clientInfo: state.client as unknown as JsonObject,
    clientCapabilities: state.sentCapabilities,
    logLevel: state.logLevel,
    subscriptions: subscriptions.size === 0 ? nothing : [...subscriptions],
    initialized: state.phase === 'operating',
    lastActiveAt: self.system.clock.wallNow(),
    ...(principal !== undefined && { principal }),
    ...(openStreams.length > 0 && { streams: openStreams }),
    ...(deliveredId !== undefined && { deliveredId }),
    ...(elicitations.size > 0 && { elicitations: [...elicitations] }),
  }
  state.rememberedAt = self.now()
  if (connection === null) return services.records.put(record)
  debts.record = record
  return true
}

/** Takes up what an earlier incarnation, or an earlier run of the server, wrote down. */
export function restore(state: State, self: Self<State>): void {
  const { services, id, connection, debts } = state.arg
  const record = connection === null ? services.records.get(id) : debts.record
  if (record === undefined) return
  state.phase = record.initialized ? 'operating' : 'awaiting_initialized'
  state.revision = revisionOf(record.protocolVersion) ?? latestRevision
  Object.assign(state, profileOf(services, record.clientInfo, record.clientCapabilities))
  state.logLevel = record.logLevel as LogLevel | undefined
  state.streams.restore(record.deliveredId)
  if (record.subscriptions.length > 0) state.subscriptions = new Set(record.subscriptions)
  if (record.elicitations !== undefined) state.elicitations = new Set(record.elicitations)
  if (record.streams !== undefined && record.streams.length > 0) endStreams(state, record, self)
  follow(state, self)
}

/** Over HTTP a session is known by its id, and what it is to be told is logged while it has no process. */
export function sessionIdOf({ arg: { connection, id } }: State): string | undefined {
  return connection === null ? id : undefined
}

/** Asks to be told of what this session subscribed to. */
export function follow(state: State, self: Self<State>): void {
  const { services } = state.arg
  const sessionId = sessionIdOf(state)
  for (const uri of state.subscriptions) subscribe(services, self.ref, uri, sessionId)
  for (const one of state.elicitations) awaitElicitation(services, self.ref, one, sessionId)
}

/** The requests of these streams went with the server that ran them. */
function endStreams(state: State, record: SessionRecord, self: Self<State>): void {
  const log = state.arg.services.events.open(record.id)
  const error = {
    code: ErrorCode.InternalError,
    message: 'The server was restarted before it answered this request. Send it again.',
  }
  for (const { id, requests, isBatch } of record.streams ?? []) {
    const texts = requests.map((request) => encodeError(request, error))
    log.append(id, isBatch ? encodeBatch(texts) : (texts[0] ?? ''))
  }
  remember(state, self)
}
