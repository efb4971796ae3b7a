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
import { firstPhase } from '#lifecycles'
import {
  ErrorCode,
  type ErrorObject,
  encodeBatch,
  encodeError,
  encodeNotification,
  has,
  isAtLeast,
  type JsonObject,
  type LogLevel,
  latestRevision,
  type Message,
  methodRow,
  type RequestId,
} from '#protocol'
import { type ChildSpec, child, defineActor, type ExitReason, isShutdown, type Ref, type Self, via } from '#runtime'
import type { Exchange, Sink } from '#transports/port'
import type { Request } from './request.ts'
import { type Asked, type AskTimeout, SessionAsks } from './session-asks.ts'
import { receiveBatch, receiveOne } from './session-intake.ts'
import {
  abandonAll,
  asked,
  errorText,
  lost,
  reply,
  settleAll,
  settled,
  sweep,
  sweepLater,
  take,
  timeOut,
} from './session-requests.ts'
import { infoOf, restore, type SessionArg, type State } from './session-state.ts'
import { SessionStreams } from './session-streams.ts'
import { subscribe } from './subscriptions.ts'

/** Milliseconds that requests in flight are given when the client's connection ends. */
const LEAVE_MS = 500
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
    // Whoever was told that the client had left is no more: nobody would tell this incarnation.
    if (arg.debts.hasLeft) self.ref.cast('closed')
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
      try {
        if (Array.isArray(message)) receiveBatch(state, message, sink, self)
        else receiveOne(state, message, state.streams.forRequests(sink, 1, false), self)
      } catch (error) {
        // A fault of the session's own: it crashes, but whoever asked is answered.
        refuseAll(state, { message, sink })
        throw error
      }
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
  /** What the client sent too late is answered all the same: over HTTP somebody waits for it. */
  undelivered: (state, { op, arg }) => {
    if (op === 'receive') refuseAll(state, arg as { message: Message | Message[]; sink: Sink })
    else if (op === 'attach') (arg as Exchange).reply(404)
  },
})

function refuseAll(state: State, { message, sink }: { message: Message | Message[]; sink: Sink }): void {
  const error = { code: ErrorCode.InternalError, message: 'The session ended before it came to this request.' }
  // What is in flight is answered by who owes it.
  const isOwed = (id: RequestId): boolean => !state.inFlight.has(id)
  const asked = (Array.isArray(message) ? message : [message]).flatMap((one) =>
    one.kind === 'request' ? [one.id] : [],
  )
  const ids = asked.filter(isOwed)
  const texts = ids.map((id) => encodeError(id, error))
  if (texts.length === 0) return
  const text = Array.isArray(message) ? encodeBatch(texts) : (texts[0] ?? '')
  if (state.arg.connection === null) sink.end(text)
  else sink.send(text)
}

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

export type { Debts, SessionArg } from './session-state.ts'
