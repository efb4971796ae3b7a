/**
 * What a session knows: the shape of its state, and the small things that are done to it. What must outlive a crash is written
 * down in a record and taken up from it.
 */
import type { SessionInfo } from '#features/context'
import { nextPhase, type Phase } from '#lifecycles'
import {
  type ClientCapabilities,
  type Implementation,
  type JsonObject,
  type LogLevel,
  latestRevision,
  type RequestId,
  type Revision,
  readClientCapabilities,
  revisionOf,
  type ServerCapabilities,
} from '#protocol'
import type { From, NameTable, Ref, Self, Timer } from '#runtime'
import type { Sink } from '#transports/port'
import type { Request } from './request.ts'
import type { Services } from './services.ts'
import type { Session } from './session.ts'
import type { SessionAsks } from './session-asks.ts'
import type { ReplyStream, SessionStreams } from './session-streams.ts'
import { subscribe } from './subscriptions.ts'

/** What a session is started with. */
export interface SessionArg {
  readonly services: Services
  readonly id: string
  readonly transport: string
  /** The sink of a connection; null over HTTP, where every exchange brings its own. */
  readonly connection: Sink | null
  /** Names of this session's own subtree: 'requests'. */
  readonly names: NameTable
  readonly debts: Debts
}

/**
 * What an incarnation of a session owes its client, kept beside it: a process that is killed has no last words, so the next
 * incarnation, or the session manager when there is none, answers in its place.
 */
export interface Debts {
  settle: ((why: string) => void) | undefined
  /** The client has left its connection: what is in flight may end, then so does the session. */
  hasLeft: boolean
}

export interface InFlight {
  readonly id: RequestId
  readonly method: string
  readonly subject: string
  readonly stream: ReplyStream
  readonly startedAt: number
  readonly timeoutMs: number
  timer: Timer
  /** The request's process and its monitor, once it has made itself known. */
  ref: Ref<typeof Request> | null
  monitor: number
}

export interface State {
  readonly arg: SessionArg
  phase: Phase
  revision: Revision
  client: Implementation
  capabilities: ClientCapabilities
  /** As the client sent them, for the record. */
  sentCapabilities: JsonObject
  offered: ServerCapabilities
  logLevel: LogLevel | undefined
  readonly subscriptions: Set<string>
  readonly streams: SessionStreams
  readonly asks: SessionAsks
  readonly inFlight: Map<RequestId, InFlight>
  lastActiveAt: number
  isDraining: boolean
  /** The client's connection is gone: what is in flight may end, then so does the session. */
  isLeaving: boolean
  isSweeping: boolean
  quiescent: From[]
}

/** Moves the lifecycle on; false when the event means nothing in this phase. */
export function advance(state: State, event: Parameters<typeof nextPhase>[1]): boolean {
  const next = nextPhase(state.phase, event)
  if (next === undefined || next === state.phase) return false
  state.phase = next
  return true
}

export function infoOf(state: State): SessionInfo {
  return {
    id: state.arg.id,
    protocolVersion: state.revision.version,
    clientInfo: state.client,
    clientCapabilities: state.capabilities,
  }
}

export function hasListingTemplate(state: State): boolean {
  for (const template of state.arg.services.catalog.templates.values()) if (template.list !== undefined) return true
  return false
}

/** Writes down what the next incarnation needs. */
export function remember(state: State): void {
  state.arg.services.records.put({
    id: state.arg.id,
    protocolVersion: state.revision.version,
    clientInfo: state.client as unknown as JsonObject,
    clientCapabilities: state.sentCapabilities,
    logLevel: state.logLevel,
    subscriptions: [...state.subscriptions],
    initialized: state.phase === 'operating',
  })
}

/** Takes up what an earlier incarnation wrote down. */
export function restore(state: State, self: Self<State>): void {
  const record = state.arg.services.records.get(state.arg.id)
  if (record === undefined) return
  state.phase = record.initialized ? 'operating' : 'awaiting_initialized'
  state.revision = revisionOf(record.protocolVersion) ?? latestRevision
  state.client = record.clientInfo as unknown as Implementation
  state.sentCapabilities = record.clientCapabilities
  state.capabilities = readClientCapabilities(record.clientCapabilities)
  state.logLevel = record.logLevel as LogLevel | undefined
  for (const uri of record.subscriptions) {
    state.subscriptions.add(uri)
    subscribe(state.arg.services, self.ref as Ref<typeof Session>, uri)
  }
}
