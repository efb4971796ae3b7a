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
import type { Principal } from '#features/context'
import { firstPhase } from '#lifecycles'
import {
  ErrorCode,
  type ErrorObject,
  encodeBatch,
  encodeError,
  encodeNotification,
  has,
  type Implementation,
  isAtLeast,
  isInRevision,
  type JsonObject,
  type LogLevel,
  latestRevision,
  type Message,
  methodRow,
  type RequestId,
} from '#protocol'
import { type ChildSpec, child, defineActor, type ExitReason, isShutdown, type Ref, type Self, via } from '#runtime'
import type { Exchange, Sink } from '#transports/port'
import { offeredBy } from './client-profile.ts'
import { onceDurable } from './durable.ts'
import type { Request, RequestJob } from './request.ts'
import { receiveBatch, receiveOne } from './session-intake.ts'
import {
  ask,
  expectElicitations,
  type Over,
  over,
  type Put,
  questionLost,
  questionRefused,
  questionStarted,
  type SessionQuestion,
  send,
} from './session-questions.ts'
import {
  abandonAll,
  errorText,
  lost,
  prepared,
  reply,
  settleAll,
  settled,
  settleGate,
  shed,
  sweep,
  sweepLater,
  take,
  timeOut,
  turn,
} from './session-requests.ts'
import {
  follow,
  type InFlight,
  infoOf,
  noRequests,
  noUris,
  remember,
  restore,
  type SessionArg,
  type State,
} from './session-state.ts'
import { SessionStreams } from './session-streams.ts'
import { type Announcement, announceAsleep } from './subscriptions.ts'

/** Milliseconds that requests in flight are given when the client's connection ends. */
const LEAVE_MS = 500
/** The share of the idle time after which activity is written down again, for a server that is started anew. */
const IDLE_SHARE = 1 / 4

type Tick =
  | { readonly type: 'idle' | 'sweep' | 'leave' }
  | { readonly type: 'requests'; readonly ref: Ref | undefined }
  | { readonly type: 'question_started'; readonly id: number; readonly ref: Ref }
  | { readonly type: 'question_refused'; readonly id: number; readonly reason: unknown }
  | { readonly type: 'timeout'; readonly id: RequestId }
  | { readonly type: 'DOWN'; readonly monitor: number; readonly reason: ExitReason }

export const Session = defineActor({
  name: 'session',
  trapExits: true,
  init: (arg: SessionArg, self: Self<never>): State => {
    const { services, connection } = arg
    const outlivesServer = connection === null && services.records.whenDurable !== undefined
    const state: State = {
      arg,
      phase: firstPhase,
      revision: latestRevision,
      client: unknownClient,
      capabilities: noCapabilities,
      info: undefined,
      sentCapabilities: noCapabilities,
      offered: offeredBy(services),
      logLevel: undefined,
      subscriptions: noUris,
      elicitations: noUris,
      inFlight: noRequests,
      asks: null,
      streams: new SessionStreams(arg, outlivesServer ? () => void remember(state, self) : null),
      requests: null,
      waiting: null,
      idleTimer: undefined,
      leave: settleAll,
      lastActiveAt: self.now(),
      rememberedAt: 0,
      isLeaving: false,
      isSweeping: false,
      quiescent: null,
    }
    arg.debts.settle('The session was restarted.')
    arg.debts.owe(state)
    restore(state, self as unknown as Self<State>)
    if (connection === null) idleLater(state, services.limits.sessionIdleMs, self.ref)
    // Whoever was told that the client had left is no more: nobody would tell this incarnation.
    if (arg.debts.isOver) self.ref.cast('end')
    if (arg.debts.hasLeft) self.ref.cast('closed')
    return state
  },
  call: {
    /** Asks the client something on behalf of a request, by a process of its own; see `Question`. */
    ask: (state, question: SessionQuestion, self: Self<State>) => ask(state, question, self),
    /** The reply comes when nothing is in flight. That the server takes no new requests meanwhile is in its status. */
    quiesce: (state, _arg: undefined, self: Self<State>) => {
      if (state.inFlight.size === 0) return true
      state.quiescent ??= []
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
    receive: (state, { message, sink, auth }: Received, self: Self<State>) => {
      state.lastActiveAt = self.now()
      try {
        if (Array.isArray(message)) receiveBatch(state, message, sink, auth, self)
        else receiveOne(state, message, state.streams.forRequests(sink, message, 1, false), auth, self)
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
    /** The client ends the session; `tell` is called when it cannot come back. */
    end: (state, tell: Tell | undefined, self: Self<State>) => {
      ended(state, tell)
      self.stop()
    },
    /** The connection is closed; answers may still leave. */
    closed: (state, _arg: undefined, self: Self<State>) => {
      if (state.inFlight.size === 0) return self.stop()
      state.isLeaving = true
      self.sendAfter(LEAVE_MS, { type: 'leave' })
    },
    /** The client will ask nothing more on its connection, but waits for what it asked. */
    finished: (state, _arg: undefined, self: Self<State>) => {
      if (state.inFlight.size === 0) return self.stop()
      state.isLeaving = true
    },
    started: (state, { id, ref }: { id: RequestId; ref: Ref<typeof Request> }, self: Self<State>) => {
      const entry = state.inFlight.get(id)
      // Cancelled before it could say its name.
      if (entry === undefined || entry.ref !== null) return ref.exit({ shutdown: 'cancelled' })
      entry.ref = ref
      entry.monitor = self.monitor(ref)
      settleGate(state, entry)
      sweepLater(state, self)
    },
    /** The gate lets a request begin that waited there. */
    turn: (state, { entry, job }: { entry: InFlight; job: RequestJob }, self: Self<State>) =>
      turn(state, entry, job, self),
    /** A request waited at the gate for too long. */
    shed: (state, id: RequestId, self: Self<State>) => shed(state, id, self),
    answer: (state, { id, result }: { id: RequestId; result: JsonObject }, self: Self<State>) => {
      const entry = take(state, id, self)
      if (entry !== undefined) {
        reply(state, entry.stream, id, entry.method, result)
        entry.watch.answered(result, state.lastActiveAt)
      }
      settled(state, self)
    },
    refuse: (state, { id, error }: { id: RequestId; error: ErrorObject }, self: Self<State>) => {
      const entry = take(state, id, self)
      if (entry !== undefined) {
        entry.watch.refused(error, state.lastActiveAt)
        expectElicitations(state, error, self)
        state.streams.answer(entry.stream, errorText(id, error))
      }
      settled(state, self)
    },
    /** A question's process says what to send. */
    put: (state, put: Put, self: Self<State>) => send(state, put, self),
    /** A question is over; `withdrawn` says why its answer is not wanted any more. */
    over: (state, news: Over, self: Self<State>) => over(state, news, self),
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
    announce: (state, { method, params, text, logged }: Announcement, self: Self<State>) => {
      if (
        method === 'notifications/elicitation/complete' &&
        state.elicitations.delete(String(params?.['elicitationId']))
      )
        remember(state, self)
      // A client hears only of what was announced to it. Spec: MCP 2025-11-25, basic/lifecycle, capability negotiation.
      const row = methodRow(method)
      const isKnown = row !== undefined && isInRevision(row, state.revision.version)
      const isOffered = row?.serverGate === undefined || has(state.offered, row.serverGate)
      const level = method === 'notifications/message' ? (params?.['level'] as LogLevel) : undefined
      const isWanted = level === undefined || state.logLevel === undefined || isAtLeast(level, state.logLevel)
      if (state.phase === 'operating' && isKnown && isOffered && isWanted)
        state.streams.announce(text ?? encodeNotification(method, params))
      logged?.()
    },
    resubscribe: (state, _arg: undefined, self: Self<State>) => follow(state, self),
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
      case 'requests':
        return prepared(state, tick.ref, self)
      case 'question_started':
        return questionStarted(state, tick.id, tick.ref, self)
      case 'question_refused':
        return questionRefused(state, tick.id, tick.reason, self)
      case 'DOWN':
        for (const entry of state.inFlight.values()) {
          if (entry.monitor === tick.monitor) return lost(state, entry, tick.reason, self)
        }
        return questionLost(state, tick.monitor, tick.reason, self)
    }
  },
  terminate: (state, reason, self) => {
    const { debts, services, id } = state.arg
    const isOver = reason === 'normal'
    abandonAll(state, self, isOver || isShutdown(reason) ? 'The session ended.' : 'The session crashed.')
    state.streams.endAll()
    if (state.idleTimer !== undefined) self.system.timers.cancel(state.idleTimer)
    debts.clear()
    // Ended for good: from now on its id is unknown, though its subtree still has to be taken down.
    if (isOver && state.arg.connection === null) services.records.delete(id)
  },
  /** What the client sent too late is answered all the same: over HTTP somebody waits for it. */
  undelivered: (state, { op, arg }) => {
    if (op === 'receive') refuseAll(state, arg as Received)
    else if (op === 'attach') turnAway(state, arg as Exchange)
    else if (op === 'end') ended(state, arg as Tell | undefined)
    else if (op === 'announce') {
      const { method, params, logged } = arg as Announcement
      announceAsleep(state.arg.services, state.arg.id, method, params)
      logged?.()
    }
  },
})

/** What a client sent, the way back, and on whose behalf. */
interface Received {
  readonly message: Message | Message[]
  readonly sink: Sink
  readonly auth?: Principal | undefined
}

/** Told that the session has ended; `isCertain` unless the disk is too far behind to promise that it stays so. */
type Tell = (isCertain: boolean) => void

const unknownClient: Implementation = { name: 'unknown', version: '0' }
const noCapabilities = {}

/** The client has ended the session: no other incarnation may go on with it, nor another run of the server. */
function ended({ arg: { services, id, connection, debts } }: State, tell: Tell | undefined): void {
  debts.isOver = true
  if (connection === null) services.records.delete(id)
  if (tell !== undefined)
    onceDurable(
      services.records,
      () => tell(true),
      () => tell(false),
    )
}

/** A GET that came when the session had ended, or was about to begin anew. */
function turnAway({ arg: { services, id } }: State, exchange: Exchange): void {
  const isOver = services.records.get(id) === undefined
  if (!isOver) exchange.setHeader('Retry-After', '1')
  exchange.reply(isOver ? 404 : 503)
}

function refuseAll(state: State, { message, sink }: Received): void {
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
  const { services } = state.arg
  const { sessionIdleMs } = services.limits
  const isBusy = state.inFlight.size > 0 || state.streams.isOpen
  const leftMs = isBusy ? sessionIdleMs : state.lastActiveAt + sessionIdleMs - self.now()
  if (leftMs > 0) {
    const isDurable = services.records.whenDurable !== undefined
    if (isDurable && (isBusy || state.lastActiveAt > state.rememberedAt)) remember(state, self)
    return idleLater(state, leftMs, self.ref)
  }
  services.counters.add('sessions_expired')
  self.stop()
}

function idleLater(state: State, leftMs: number, ref: Ref): void {
  const { services, system } = state.arg
  const isDurable = services.records.whenDurable !== undefined
  const delayMs = isDurable ? Math.min(leftMs, services.limits.sessionIdleMs * IDLE_SHARE) : leftMs
  state.idleTimer = system.timers.start(delayMs, lookIdle, ref)
}

function lookIdle(ref: Ref): void {
  ref.send({ type: 'idle' })
}

/** Hands a client's message, or its batch, to the session; `auth` is who sent it. False when the session has ended. */
export function receive(
  ref: Ref<typeof Session>,
  message: Message | Message[],
  sink: Sink,
  auth?: Principal | undefined,
): boolean {
  return ref.cast('receive', { message, sink, auth }) !== false
}

/** Gives the session a GET stream. False when the session has ended. */
export function attach(ref: Ref<typeof Session>, exchange: Exchange): boolean {
  return ref.cast('attach', exchange) !== false
}

/** A session; `requests` is the supervisor of its requests, which it starts under its own with the first of them. */
export function sessionChild(arg: SessionArg, requests: ChildSpec): ChildSpec {
  arg.debts.requests = requests
  return child(Session, arg, {
    id: 'session',
    restart: 'transient',
    significant: true,
    name: via(arg.services.sessions, arg.id),
  })
}

export type { SessionArg } from './session-state.ts'
