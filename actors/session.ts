/**
 * A session speaks MCP with one client: it keeps the lifecycle, lets requests in, starts a process for each that runs an
 * author's code, and is the only one that writes to the client. It answers lists, pings and subscriptions itself from the
 * catalog's tables. What must outlive a crash of its own (revision, client, level, subscriptions) is in its record, from
 * which the next incarnation goes on.
 *
 *     receive(ref, message, sink)     // what the client sent
 *     attach(ref, exchange)           // a GET stream, perhaps resuming one
 *
 * Spec: MCP 2025-11-25, basic/lifecycle and what it names.
 */

import type { SessionInfo } from '#features/context'
import { subjectOf } from '#features/dispatch'
import { errorResult } from '#features/tool-result'
import { firstPhase, nextPhase, type Phase } from '#lifecycles'
import {
  type ClientCapabilities,
  ErrorCode,
  type ErrorObject,
  encodeError,
  encodeNotification,
  encodeResult,
  has,
  type Implementation,
  isAtLeast,
  isRequestId,
  type JsonObject,
  type LogLevel,
  latestRevision,
  type Message,
  methodRow,
  type NotificationMessage,
  negotiate,
  ProtocolError,
  type RequestId,
  type RequestMessage,
  type Revision,
  readClientCapabilities,
  revisionOf,
  type ServerCapabilities,
  toErrorObject,
} from '#protocol'
import {
  type ChildSpec,
  child,
  defineActor,
  describeReason,
  type ExitReason,
  type From,
  isShutdown,
  type NameTable,
  type Ref,
  type Self,
  type Timer,
  via,
} from '#runtime'
import type { Exchange, Sink } from '#transports/port'
import type { Request, RequestJob } from './request.ts'
import type { Services } from './services.ts'
import { type Asked, type AskTimeout, SessionAsks } from './session-asks.ts'
import { admit, isRefusal } from './session-gate.ts'
import { type ReplyStream, SessionStreams } from './session-streams.ts'
import { subscribe, unsubscribe } from './subscriptions.ts'

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
}

interface InFlight {
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

interface State {
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

/** Requests that run an author's code, each in a process of its own. The rest is answered from tables. */
const methodsWithProcess = new Set(['tools/call', 'resources/read', 'prompts/get', 'completion/complete'])
/** Milliseconds after which an answer over HTTP that is still awaited becomes a stream that can be resumed. */
const STREAM_AFTER_MS = 2_000
/** Milliseconds that requests in flight are given when the client's connection ends. */
const LEAVE_MS = 1_000
/** Milliseconds after which a client that lost a stream is asked to come back. */
const RETRY_MS = 1_000

type Tick =
  | AskTimeout
  | { readonly type: 'idle' | 'sweep' | 'leave' }
  | { readonly type: 'timeout'; readonly id: RequestId }
  | { readonly type: 'DOWN'; readonly monitor: number; readonly reason: ExitReason }

export const Session = defineActor({
  name: 'session',
  trapExits: true,
  init: (arg: SessionArg, self: Self<never>): State => {
    const { services, id, connection } = arg
    const state: State = {
      arg,
      phase: firstPhase,
      revision: latestRevision,
      client: { name: 'unknown', version: '0' },
      capabilities: {},
      sentCapabilities: {},
      offered: services.capabilities(),
      logLevel: undefined,
      subscriptions: new Set(),
      streams: new SessionStreams({
        connection,
        openLog: () => services.events.open(id),
        retryMs: RETRY_MS,
        prefix: `${self.pid.slice(self.pid.lastIndexOf('.') + 1)}-`,
      }),
      asks: new SessionAsks(Math.floor(self.random() * 1e9)),
      inFlight: new Map(),
      lastActiveAt: self.now(),
      isDraining: services.status.isDraining,
      isLeaving: false,
      isSweeping: false,
      quiescent: [],
    }
    arg.debts.settle?.('The session was restarted.')
    arg.debts.settle = (why) => settleAll(state, why)
    restore(state, self as unknown as Self<State>)
    if (connection === null) self.sendAfter(services.limits.sessionIdleMs, { type: 'idle' })
    return state
  },
  call: {
    /** Asks the client something on behalf of a request; see `SessionAsks`. */
    ask: (
      state,
      question: { id: RequestId; method: string; gate: string | undefined; params: object | undefined },
      self: Self<State>,
    ) => {
      const entry = state.inFlight.get(question.id)
      if (entry === undefined)
        return { error: { code: ErrorCode.InternalError, message: 'The request is over.' } } satisfies Asked
      const text = state.asks.ask(
        { ...question, requestId: question.id },
        state,
        self.from,
        self as Self,
        state.arg.services.limits.askTimeoutMs,
      )
      if (text !== undefined) {
        // A person may be thinking: the request's own time stands still meanwhile.
        self.cancelTimer(entry.timer)
        state.streams.send(entry.stream, text)
      }
      return self.noreply
    },
    /** Takes no new requests; the reply comes when none is in flight. */
    quiesce: (state, _arg: undefined, self: Self<State>) => {
      state.isDraining = true
      if (state.inFlight.size === 0) return true
      state.quiescent.push(self.from)
      return self.noreply
    },
    /** Answers everything in flight with an error. */
    abandon: (state, _arg: undefined, self: Self<State>) => {
      abandonAll(state, self, 'The server is shutting down.')
      return true
    },
    describe: (state) => ({
      ...infoOf(state),
      phase: state.phase,
      inFlight: state.inFlight.size,
      subscriptions: state.subscriptions.size,
    }),
  },
  cast: {
    receive: (state, { message, sink }: { message: Message | Message[]; sink: Sink }, self: Self<State>) => {
      state.lastActiveAt = self.now()
      if (Array.isArray(message)) receiveBatch(state, message, sink, self)
      else receiveOne(state, message, state.streams.forRequests(sink, 1, false), self)
    },
    attach: (state, exchange: Exchange, self: Self<State>) => {
      state.lastActiveAt = self.now()
      const gone = (): void => {
        state.lastActiveAt = self.now()
      }
      const attached = state.streams.attach(exchange.sink, exchange.lastEventId, gone)
      // Spec: HTML, server-sent events: 204 tells a client to stop coming back.
      if (attached === 'over') return exchange.reply(204)
      if (attached === 'attached') return
      const error = {
        code: ErrorCode.InvalidRequest,
        message: `This session never sent the event ${exchange.lastEventId}, or it is too old.`,
      }
      exchange.reply(400, encodeError(null, error))
    },
    /** The client ends the session. */
    end: (_state, _arg: undefined, self: Self<State>) => self.stop(),
    /** The connection is closed; answers may still leave. */
    closed: (state, _arg: undefined, self: Self<State>) => {
      if (state.inFlight.size === 0) return self.stop()
      state.isLeaving = true
      self.sendAfter(LEAVE_MS, { type: 'leave' })
    },
    started: (state, { id, ref }: { id: RequestId; ref: Ref<typeof Request> }, self: Self<State>) => {
      const entry = state.inFlight.get(id)
      // Cancelled before it could say its name.
      if (entry === undefined || entry.ref !== null) return ref.exit({ shutdown: 'cancelled' })
      entry.ref = ref
      entry.monitor = self.monitor(ref)
      sweepLater(state, self)
    },
    answer: (state, { id, result }: { id: RequestId; result: JsonObject }, self: Self<State>) => {
      const entry = take(state, id, self)
      if (entry !== undefined) reply(state, entry.stream, id, entry.method, result)
      settled(state, self)
    },
    refuse: (state, { id, error }: { id: RequestId; error: ErrorObject }, self: Self<State>) => {
      const entry = take(state, id, self)
      if (entry !== undefined) state.streams.answer(entry.stream, errorText(id, error))
      settled(state, self)
    },
    notify: (state, { id, method, params }: { id: RequestId; method: string; params: JsonObject }) => {
      const entry = state.inFlight.get(id)
      if (entry !== undefined)
        state.streams.send(entry.stream, encodeNotification(method, state.revision.encodeParams(method, params)))
    },
    log: (state, { id, level, text }: { id: RequestId; level: LogLevel; text: string }) => {
      const entry = state.inFlight.get(id)
      if (entry === undefined || (state.logLevel !== undefined && !isAtLeast(level, state.logLevel))) return
      state.streams.send(entry.stream, text)
    },
    closeStream: (state, { id, retryMs }: { id: RequestId; retryMs: number | undefined }) => {
      const entry = state.inFlight.get(id)
      if (entry !== undefined) state.streams.closeEarly(entry.stream, retryMs)
    },
    /** A message that belongs to no request: a list changed, a resource was updated. */
    announce: (state, { method, params }: { method: string; params?: JsonObject }) => {
      // A client hears only of what was announced to it. Spec: MCP 2025-11-25, basic/lifecycle, capability negotiation.
      const gate = methodRow(method)?.serverGate
      if (state.phase !== 'operating' || (gate !== undefined && !has(state.offered, gate))) return
      state.streams.announce(encodeNotification(method, params))
    },
    resubscribe: (state, _arg: undefined, self: Self<State>) => {
      for (const uri of state.subscriptions) subscribe(state.arg.services, self.ref as Ref<typeof Session>, uri)
    },
  },
  info: (state, message, self) => {
    const tick = message as Tick
    switch (tick.type) {
      case 'idle':
        return idle(state, self)
      case 'sweep':
        return sweep(state, self)
      case 'leave':
        return self.stop()
      case 'timeout':
        return timeOut(state, tick.id, self)
      case 'ask_timeout': {
        const late = state.asks.timeOut(tick.askId, state.arg.services.limits.askTimeoutMs, self as Self)
        if (late !== undefined) asked(state, late.requestId, late.text, self)
        return
      }
      case 'DOWN':
        for (const entry of state.inFlight.values()) {
          if (entry.monitor === tick.monitor) return lost(state, entry, tick.reason, self)
        }
    }
  },
  terminate: (state, reason, self) => {
    const { debts, services, id } = state.arg
    const isOver = reason === 'normal'
    abandonAll(state, self, isOver || isShutdown(reason) ? 'The session ended.' : 'The session crashed.')
    state.streams.endAll()
    debts.settle = undefined
    // Ended for good: from now on its id is unknown, though its subtree still has to be taken down.
    if (isOver) services.records.delete(id)
  },
})

// ---- what the client sends -------------------------------------------------------------------------------------------

function receiveOne(state: State, message: Message, stream: ReplyStream, self: Self<State>): void {
  switch (message.kind) {
    case 'request':
      return receiveRequest(state, message, stream, self)
    case 'notification':
      return receiveNotification(state, message, self)
    case 'response':
      return asked(state, state.asks.settle(message.id, { result: message.result }, self as Self), undefined, self)
    case 'error':
      return asked(state, state.asks.settle(message.id, { error: message.error }, self as Self), undefined, self)
    case 'invalid':
      return state.streams.answer(stream, encodeError(message.id, message.error))
  }
}

/** Spec: MCP 2025-03-26, basic, batching: the only revision that has it. */
function receiveBatch(state: State, messages: readonly Message[], sink: Sink, self: Self<State>): void {
  if (!state.revision.allowsBatches || state.phase === firstPhase) {
    const why = state.phase === firstPhase ? 'before initialize' : `under revision ${state.revision.version}`
    const error = {
      code: ErrorCode.InvalidRequest,
      message: `Batches are not allowed ${why}. Send each message by itself.`,
    }
    return state.streams.answer(state.streams.forRequests(sink, 1, false), encodeError(null, error))
  }
  const answers = messages.filter((message) => message.kind === 'request' || message.kind === 'invalid').length
  const stream = state.streams.forRequests(sink, answers, true)
  for (const message of messages) receiveOne(state, message, stream, self)
}

function receiveRequest(state: State, message: RequestMessage, stream: ReplyStream, self: Self<State>): void {
  const { id, method } = message
  const params = message.params ?? {}
  const { counters } = state.arg.services
  const admitted = admit(state, method, message.params)
  if (isRefusal(admitted)) {
    state.streams.answer(stream, encodeError(id, admitted))
    // A session that could not be initialized over HTTP serves nobody.
    if (method === 'initialize' && state.phase === firstPhase && state.arg.connection === null) self.stop()
    return
  }
  counters.add('requests', 1, method)
  if (state.inFlight.has(id)) {
    const error = {
      code: ErrorCode.InvalidRequest,
      message: `The id ${JSON.stringify(id)} is in use by a request in flight. Give every request its own.`,
    }
    return state.streams.answer(stream, encodeError(id, error))
  }
  if (method !== 'initialize' && method !== 'ping') advance(state, 'request')
  if (methodsWithProcess.has(method) || (method === 'resources/list' && hasListingTemplate(state))) {
    return startRequest(state, id, method, params, stream, self)
  }
  try {
    reply(state, stream, id, method, answerHere(state, method, params, self))
  } catch (error) {
    state.streams.answer(stream, encodeError(id, toErrorObject(error)))
  }
}

/** The results that need no process: tables and the session's own state. */
function answerHere(state: State, method: string, params: JsonObject, self: Self<State>): JsonObject {
  const { services } = state.arg
  const { pageSize } = services.limits
  switch (method) {
    case 'initialize':
      return initialize(state, params)
    case 'tools/list':
      return services.catalog.listTools(params['cursor'], pageSize)
    case 'resources/list':
      return services.catalog.listResources(params['cursor'], pageSize)
    case 'resources/templates/list':
      return services.catalog.listTemplates(params['cursor'], pageSize)
    case 'prompts/list':
      return services.catalog.listPrompts(params['cursor'], pageSize)
    case 'logging/setLevel':
      state.logLevel = params['level'] as LogLevel
      remember(state)
      return {}
    case 'resources/subscribe':
      return subscribeTo(state, params['uri'] as string, self)
    case 'resources/unsubscribe':
      if (state.subscriptions.delete(params['uri'] as string)) {
        unsubscribe(services, self.ref as Ref<typeof Session>, params['uri'] as string)
        remember(state)
      }
      return {}
    case 'ping':
      return {}
    default:
      throw new ProtocolError(ErrorCode.MethodNotFound, `Method not found: ${method}`)
  }
}

/** Subscriptions that one session may hold. */
const SUBSCRIPTIONS_MAX = 10_000

function subscribeTo(state: State, uri: string, self: Self<State>): JsonObject {
  const { services } = state.arg
  if (services.catalog.resolve(uri) === undefined)
    throw new ProtocolError(ErrorCode.ResourceNotFound, `Resource not found: ${uri}`, { uri })
  if (state.subscriptions.size >= SUBSCRIPTIONS_MAX && !state.subscriptions.has(uri)) {
    throw new ProtocolError(
      ErrorCode.InvalidParams,
      `This session has ${SUBSCRIPTIONS_MAX} subscriptions, which is the limit. Unsubscribe first.`,
    )
  }
  state.subscriptions.add(uri)
  subscribe(services, self.ref as Ref<typeof Session>, uri)
  remember(state)
  return {}
}

function initialize(state: State, params: JsonObject): JsonObject {
  const { services, id, transport } = state.arg
  advance(state, 'initialize')
  state.revision = negotiate(params['protocolVersion'], services.revisions)
  state.client = params['clientInfo'] as Implementation
  state.sentCapabilities = params['capabilities'] as JsonObject
  state.capabilities = readClientCapabilities(state.sentCapabilities)
  state.offered = services.capabilities()
  remember(state)
  const protocolVersion = state.revision.version
  services.report({
    type: 'session_opened',
    session: id,
    transport,
    protocolVersion,
    client: `${state.client.name} ${state.client.version}`,
  })
  return {
    protocolVersion,
    capabilities: state.offered,
    serverInfo: services.info,
    ...(services.instructions !== undefined && { instructions: services.instructions }),
  }
}

function receiveNotification(state: State, message: NotificationMessage, self: Self<State>): void {
  if (message.method === 'notifications/initialized') {
    if (advance(state, 'initialized')) remember(state)
  } else if (message.method === 'notifications/cancelled') {
    const id = message.params?.['requestId']
    if (isRequestId(id)) cancel(state, id, self)
  }
}

function cancel(state: State, id: RequestId, self: Self<State>): void {
  const entry = take(state, id, self)
  if (entry === undefined) return
  state.arg.services.counters.add('requests_cancelled')
  entry.ref?.exit({ shutdown: 'cancelled' })
  state.streams.giveUp(entry.stream)
  settled(state, self)
}

// ---- requests in flight ----------------------------------------------------------------------------------------------

function startRequest(
  state: State,
  id: RequestId,
  method: string,
  params: JsonObject,
  stream: ReplyStream,
  self: Self<State>,
): void {
  const { services, names } = state.arg
  const { limits } = services
  if (state.inFlight.size >= limits.requestsMax) {
    const message = `This session has ${state.inFlight.size} requests in flight, which is the limit. Wait for an answer.`
    return state.streams.answer(stream, encodeError(id, { code: ErrorCode.InternalError, message }))
  }
  const { name } = subjectOf(method, params)
  const timeoutMs =
    (method === 'tools/call' ? services.catalog.tools.get(name)?.timeoutMs : undefined) ?? limits.requestTimeoutMs
  const timer = self.sendAfter(timeoutMs, { type: 'timeout', id })
  state.inFlight.set(id, {
    id,
    method,
    subject: name,
    stream,
    startedAt: self.now(),
    timeoutMs,
    timer,
    ref: null,
    monitor: 0,
  })
  const job: RequestJob = {
    services,
    session: self.ref as Ref<typeof Session>,
    info: infoOf(state),
    id,
    method,
    params,
  }
  if (via(names, 'requests').cast('startChild', job) === false) {
    take(state, id, self)
    state.streams.answer(
      stream,
      encodeError(id, { code: ErrorCode.InternalError, message: 'The session cannot start a request now.' }),
    )
  }
}

/** Takes a request out of flight: its timer, its monitor and its questions go. */
function take(state: State, id: RequestId, self: Self<State>): InFlight | undefined {
  const entry = state.inFlight.get(id)
  if (entry === undefined) return undefined
  state.inFlight.delete(id)
  self.cancelTimer(entry.timer)
  if (entry.monitor !== 0) self.demonitor(entry.monitor)
  if (state.asks.size > 0)
    for (const text of state.asks.dropOf(id, self as Self)) state.streams.send(entry.stream, text)
  state.lastActiveAt = self.now()
  return entry
}

/** A request left: whoever waits for quiet is told. */
function settled(state: State, self: Self<State>): void {
  if (state.inFlight.size > 0) return
  for (const from of state.quiescent.splice(0)) from.reply(true)
  if (state.isLeaving) self.stop()
}

function timeOut(state: State, id: RequestId, self: Self<State>): void {
  const entry = take(state, id, self)
  if (entry === undefined) return
  const { services } = state.arg
  const { kind, name } = {
    ...subjectOf(entry.method, { name: entry.subject, uri: entry.subject, ref: {} }),
    name: entry.subject,
  }
  const message = `${entry.method} "${name}" took longer than ${entry.timeoutMs} ms and was ended.`
  entry.ref?.exit({ shutdown: 'timeout' })
  services.counters.add('requests_timed_out', 1, name)
  services.report({
    type: 'feature_failed',
    kind,
    name,
    session: state.arg.id,
    request: id,
    how: 'timeout',
    error: new Error(message),
  })
  if (entry.method === 'tools/call')
    reply(state, entry.stream, id, entry.method, errorResult(message) as unknown as JsonObject)
  else state.streams.answer(entry.stream, encodeError(id, { code: ErrorCode.InternalError, message }))
  settled(state, self)
}

/** A request's process ended without an answer. */
function lost(state: State, entry: InFlight, reason: ExitReason, self: Self<State>): void {
  take(state, entry.id, self)
  const cause = describeReason(reason)
  state.streams.answer(
    entry.stream,
    encodeError(entry.id, {
      code: ErrorCode.InternalError,
      message: `Internal error: the request's process ended (${cause}).`,
    }),
  )
  settled(state, self)
}

function abandonAll(state: State, self: Self<State>, why: string): void {
  for (const entry of [...state.inFlight.values()]) {
    take(state, entry.id, self)
    entry.ref?.exit({ shutdown: 'abandoned' })
    state.streams.answer(entry.stream, encodeError(entry.id, { code: ErrorCode.InternalError, message: why }))
  }
  settled(state, self)
}

/** Answers what is in flight on behalf of an incarnation that has ended, and closes its streams. */
function settleAll(state: State, why: string): void {
  for (const { id, stream, ref } of state.inFlight.values()) {
    ref?.exit({ shutdown: 'abandoned' })
    state.streams.answer(stream, encodeError(id, { code: ErrorCode.InternalError, message: why }))
  }
  state.inFlight.clear()
  state.streams.endAll()
}

/** A question of a request was answered or is over; with the last one the request's own time runs again. */
function asked(state: State, requestId: RequestId | undefined, tell: string | undefined, self: Self<State>): void {
  const entry = requestId === undefined ? undefined : state.inFlight.get(requestId)
  if (entry === undefined) return
  if (tell !== undefined) state.streams.send(entry.stream, tell)
  if (state.asks.isAsking(entry.id)) return
  self.cancelTimer(entry.timer)
  entry.timer = self.sendAfter(entry.timeoutMs, { type: 'timeout', id: entry.id })
}

/** An error as text, whatever an author put into it. */
function errorText(id: RequestId, error: ErrorObject): string {
  const code = Number.isInteger(error.code) ? error.code : ErrorCode.InternalError
  try {
    return encodeError(id, { ...error, code })
  } catch {
    return encodeError(id, { code, message: error.message })
  }
}

function reply(state: State, stream: ReplyStream, id: RequestId, method: string, result: JsonObject): void {
  let text: string
  try {
    text = encodeResult(id, state.revision.encodeResult(method, result))
  } catch (error) {
    text = encodeError(id, toErrorObject(error))
  }
  state.streams.answer(stream, text)
}

/** Looks, while requests are in flight, for answers that have become long in coming. */
function sweepLater(state: State, self: Self<State>): void {
  if (state.isSweeping || state.arg.connection !== null) return
  state.isSweeping = true
  self.sendAfter(STREAM_AFTER_MS, { type: 'sweep' })
}

function sweep(state: State, self: Self<State>): void {
  state.isSweeping = false
  for (const entry of state.inFlight.values()) {
    if (self.now() - entry.startedAt >= STREAM_AFTER_MS) state.streams.prime(entry.stream)
  }
  if (state.inFlight.size > 0) sweepLater(state, self)
}

// ---- the session itself ----------------------------------------------------------------------------------------------

function idle(state: State, self: Self<State>): void {
  const { sessionIdleMs } = state.arg.services.limits
  const isBusy = state.inFlight.size > 0 || state.streams.isOpen
  const leftMs = isBusy ? sessionIdleMs : state.lastActiveAt + sessionIdleMs - self.now()
  if (leftMs > 0) {
    self.sendAfter(leftMs, { type: 'idle' })
    return
  }
  state.arg.services.counters.add('sessions_expired')
  self.stop()
}

/** Moves the lifecycle on; false when the event means nothing in this phase. */
function advance(state: State, event: Parameters<typeof nextPhase>[1]): boolean {
  const next = nextPhase(state.phase, event)
  if (next === undefined || next === state.phase) return false
  state.phase = next
  return true
}

function infoOf(state: State): SessionInfo {
  return {
    id: state.arg.id,
    protocolVersion: state.revision.version,
    clientInfo: state.client,
    clientCapabilities: state.capabilities,
  }
}

function hasListingTemplate(state: State): boolean {
  for (const template of state.arg.services.catalog.templates.values()) if (template.list !== undefined) return true
  return false
}

/** Writes down what the next incarnation needs. */
function remember(state: State): void {
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
function restore(state: State, self: Self<State>): void {
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

/** Hands a client's message, or its batch, to the session. False when the session has ended. */
export function receive(ref: Ref<typeof Session>, message: Message | Message[], sink: Sink): boolean {
  return ref.cast('receive', { message, sink }) !== false
}

/** Gives the session a GET stream. False when the session has ended. */
export function attach(ref: Ref<typeof Session>, exchange: Exchange): boolean {
  return ref.cast('attach', exchange) !== false
}

export function sessionChild(arg: SessionArg): ChildSpec {
  return child(Session, arg, {
    id: 'session',
    restart: 'transient',
    significant: true,
    name: via(arg.services.sessions, arg.id),
  })
}
