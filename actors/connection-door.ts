/**
 * The way of a connection (stdio, TCP, WebSocket, ...) to what serves it, message by message: requests of the modern era stand for themselves,
 * everything else belongs to the connection's session, which is opened by the first message that needs it. What arrives before
 * the session is there waits, up to a bound.
 *
 * Spec: MCP 2026-07-28, basic/versioning, backward compatibility: both eras may be served on one connection.
 */
import type { Principal } from '#features/context'
import { decode, ErrorCode, encodeError, isModern, isRequestId, type Message, type RequestMessage } from '#protocol'
import { type Ref, type System, via } from '#runtime'
import { IdTable } from '#structures/id-table'
import type { Peer, Receiver, Sink } from '#transports/port'
import { scopeRefusal } from './caller.ts'
import type { Outlet } from './modern-call.ts'
import { receiveModern, servesSessions } from './modern-door.ts'
import { errorOf, isWatchful, refusedText, sessionIsFull, turnedAway } from './overload.ts'
import type { OpenSession, Services } from './services.ts'
import { receive, type Session } from './session.ts'
import { openSession } from './session-manager.ts'

/** Messages that may wait for their session; more closes the connection. */
const WAITING_MAX = 10_000
/** Milliseconds after which a connection that got no session may try again. */
const OPEN_RETRY_MS = 5_000
/** Random bytes in the name of a connection. */
const KEY_BYTES = 9
/** Milliseconds that requests outside the session are given when the client's connection ends. */
const LEAVE_MS = 500

/** Serves a connection. `ended` is called when the connection and all that it began are over. */
export function openConnection(
  services: Services,
  system: System,
  sink: Sink,
  peer: Peer,
  ended: () => void,
  auth?: Principal | undefined,
): Receiver {
  const session = new ConnectionSession(services, sink, peer, auth, () => maybeOver())
  const modern = new ModernRequests(services, system, sink, auth, () => maybeOver())
  let isClosed = false
  let isOver = false

  const maybeOver = (): void => {
    if (isOver || !(session.isEnded || (isClosed && !session.isOpen && modern.size === 0))) return
    isOver = true
    modern.cancelAll()
    sink.end()
    ended()
  }

  /** The name of the connection for the limit of a session. */
  let key: string | undefined
  const limited = (message: Message | Message[]): void => {
    key ??= system.random.token(KEY_BYTES)
    const sender = { address: peer.remoteAddress, principal: auth?.id, session: key }
    const refusal = turnedAway(services.overload, system.random, sender, message)
    if (refusal === undefined) return void (modern.take(message) || session.take(message))
    services.counters.add('requests_refused', 1, refusal.reason)
    const { text, rest } = refusedText(message, refusal)
    sink.send(text)
    if (rest.length > 0) session.take(rest)
  }

  return {
    message(text) {
      const message = decode(text)
      const refusal = auth === undefined ? undefined : scopeRefusal(services, message, auth)
      if (refusal !== undefined) sink.send(refusal)
      else if (isWatchful(services.overload)) limited(message)
      else if (!modern.take(message)) session.take(message)
    },
    finished() {
      isClosed = true
      session.finish()
      modern.finish()
      maybeOver()
    },
    closed() {
      isClosed = true
      session.leave()
      modern.leave()
      maybeOver()
    },
  }
}

/** The session of a connection, from its first message on. */
class ConnectionSession {
  /** True once there was a session and it is over, or none could be opened. */
  isEnded = false
  private readonly services: Services
  private readonly sink: Sink
  private readonly peer: Peer
  private readonly auth: Principal | undefined
  private readonly ended: () => void
  private waiting: (Message | Message[])[] | null = null
  private ref: Ref<typeof Session> | null = null
  private debts: OpenSession['debts'] | undefined
  private hasLeft = false
  private isFinished = false

  constructor(services: Services, sink: Sink, peer: Peer, auth: Principal | undefined, ended: () => void) {
    this.services = services
    this.sink = sink
    this.peer = peer
    this.auth = auth
    this.ended = ended
  }

  get isOpen(): boolean {
    return (this.ref !== null || this.waiting !== null) && !this.isEnded
  }

  take(message: Message | Message[]): void {
    if (this.ref !== null) return this.hand(this.ref, message)
    if (this.waiting === null) {
      this.waiting = []
      void this.open()
    }
    if (this.waiting.length < WAITING_MAX) this.waiting.push(message)
    else this.sink.end()
  }

  /** The client has left. A session between two incarnations is told by what it starts with. */
  leave(): void {
    this.hasLeft = true
    if (this.debts !== undefined) this.debts.hasLeft = true
    this.ref?.cast('closed')
  }

  /** The client asks nothing more, but waits for what it asked. */
  finish(): void {
    this.isFinished = true
    if (this.debts !== undefined) this.debts.hasLeft = true
    this.ref?.cast('finished')
  }

  private async open(): Promise<void> {
    const { services, sink, peer, auth } = this
    const opened = await openSession(services, {
      transport: peer.transport,
      connection: sink,
      principal: auth?.id,
    })
    if ('refused' in opened) {
      return this.refuse(opened.refused)
    }
    const ref = via<typeof Session>(services.sessions, opened.id)
    this.ref = ref
    this.debts = services.open.get(opened.tree)?.debts
    void opened.tree.down.then(() => this.end())
    for (const message of this.waiting ?? []) this.hand(ref, message)
    this.waiting = []
    if (this.isFinished) this.finish()
    if (this.hasLeft) this.leave()
  }

  /** There is no session: what waits for one is answered, and what comes later may try again, unless the server stops. */
  private refuse(why: string): void {
    const message = `The server opens no session now (${why}). Try again later.`
    const error = { code: ErrorCode.InternalError, message, data: { reason: why, retryAfterMs: OPEN_RETRY_MS } }
    const waiting = (this.waiting ?? []).flat()
    this.waiting = null
    for (const one of waiting) if (one.kind === 'request') this.sink.send(encodeError(one.id, error))
    if (this.hasLeft || this.isFinished || why === 'draining') this.end()
  }

  private end(): void {
    this.isEnded = true
    this.waiting = []
    this.ended()
  }

  private hand(ref: Ref<typeof Session>, message: Message | Message[]): void {
    if (receive(ref, message, this.sink, this.auth)) return
    // Between two incarnations: what cannot be handed over is answered, so that nobody waits for it.
    for (const one of Array.isArray(message) ? message : [message]) {
      if (one.kind !== 'request') continue
      const error = { code: ErrorCode.InternalError, message: 'The session is being restarted. Send it again.' }
      this.sink.send(encodeError(one.id, error))
    }
  }
}

/** The requests of a connection that belong to no session, while they are in flight. */
class ModernRequests {
  private readonly services: Services
  private readonly system: System
  private readonly sink: Sink
  private readonly auth: Principal | undefined
  private readonly changed: () => void
  private readonly open = new IdTable<ConnectionOutlet>()

  constructor(services: Services, system: System, sink: Sink, auth: Principal | undefined, changed: () => void) {
    this.services = services
    this.system = system
    this.sink = sink
    this.auth = auth
    this.changed = changed
  }

  get size(): number {
    return this.open.size
  }

  /** Takes a message of the modern era; false when it is none, and for a session. */
  take(message: Message | Message[]): boolean {
    if (Array.isArray(message)) return this.takeRest(message)
    if (message.kind === 'notification' && message.method === 'notifications/cancelled') {
      const id = message.params?.['requestId']
      const outlet = isRequestId(id) ? this.open.get(id) : undefined
      outlet?.leave()
      if (outlet !== undefined) return true
    }
    if (message.kind !== 'request' || !(isModern(message) || !servesSessions(this.services)))
      return this.takeRest(message)
    this.receive(message)
    return true
  }

  /** What no request of this era can be is for the session; where there are none, it is answered or dropped. */
  private takeRest(message: Message | Message[]): boolean {
    if (servesSessions(this.services)) return false
    if (Array.isArray(message)) {
      const error = {
        code: ErrorCode.InvalidRequest,
        message: 'There are no batches here. Send each message by itself.',
      }
      this.sink.send(encodeError(null, error))
    } else if (message.kind === 'invalid') this.sink.send(encodeError(message.id, message.error))
    return true
  }

  /** The client has left: what takes longer than a moment is cancelled. */
  leave(): void {
    if (this.open.size > 0) this.system.timers.start(LEAVE_MS, () => this.cancelAll())
  }

  /** The client asks nothing more: subscriptions, which never end by themselves, are cancelled, the rest is answered. */
  finish(): void {
    for (const outlet of this.open.values()) if (outlet.isEndless) outlet.leave()
  }

  cancelAll(): void {
    for (const outlet of this.open.values()) outlet.leave()
  }

  private receive(message: RequestMessage): void {
    const { id } = message
    const refuse = (code: number, text: string): void => void this.sink.send(encodeError(id, { code, message: text }))
    if (this.open.has(id)) {
      const text = `The id ${JSON.stringify(id)} is in use by a request in flight. Give every request its own.`
      return refuse(ErrorCode.InvalidRequest, text)
    }
    if (this.open.size >= this.services.limits.requestsMax) {
      const refusal = sessionIsFull(this.open.size, 'connection', this.system.random)
      this.services.counters.add('requests_refused', 1, refusal.reason)
      return void this.sink.send(encodeError(id, errorOf(refusal)))
    }
    const isEndless = message.method === 'subscriptions/listen'
    const outlet = new ConnectionOutlet(this.sink, isEndless, () => {
      this.open.delete(id)
      this.changed()
    })
    this.open.set(id, outlet)
    const { services, system, auth } = this
    receiveModern({ services, system, outlet, headers: undefined, auth }, message)
  }
}

/** One request's share of a connection. */
class ConnectionOutlet implements Outlet {
  /** No answer ends it. */
  readonly isEndless: boolean
  private readonly sink: Sink
  private readonly done: () => void
  private gone: (() => void) | undefined
  private hasLeft = false
  private isDone = false

  constructor(sink: Sink, isEndless: boolean, done: () => void) {
    this.sink = sink
    this.isEndless = isEndless
    this.done = done
  }

  send(text: string): void {
    if (!this.isDone && !this.hasLeft) this.sink.send(text)
  }

  wait(): void {}

  finish(text: string, _status: number, farewell?: string): void {
    this.send(text)
    if (farewell !== undefined) this.send(farewell)
    this.giveUp()
  }

  turnAway(text: string): void {
    this.finish(text, 503)
  }

  onGone(listener: () => void): void {
    // Unwanted before it could begin to take time.
    if (this.hasLeft) queueMicrotask(listener)
    else this.gone = listener
  }

  giveUp(): void {
    if (this.isDone) return
    this.isDone = true
    this.done()
  }

  /** The client does not want it any more. */
  leave(): void {
    const { gone } = this
    this.hasLeft = true
    this.gone = undefined
    gone?.()
  }
}
