/**
 * The way of a connection (stdio, memory) to what serves it, message by message: requests of the modern era stand for themselves,
 * everything else belongs to the connection's session, which is opened by the first message that needs it. What arrives before
 * the session is there waits, up to a bound.
 *
 * Spec: MCP 2026-07-28, basic/versioning, backward compatibility: both eras may be served on one connection.
 */
import { decode, ErrorCode, encodeError, isModern, isRequestId, type Message, type RequestMessage } from '#protocol'
import { type Ref, type System, via } from '#runtime'
import type { Peer, Receiver, Sink } from '#transports/port'
import type { Outlet } from './modern-call.ts'
import { receiveModern, servesSessions } from './modern-door.ts'
import type { OpenSession, Services } from './services.ts'
import { receive, type Session } from './session.ts'
import { openSession } from './session-manager.ts'

/** Messages that may wait for their session; more closes the connection. */
const WAITING_MAX = 10_000
/** Milliseconds that requests outside the session are given when the client's connection ends. */
const LEAVE_MS = 500

/** Serves a connection. `ended` is called when the connection and all that it began are over. */
export function openConnection(
  services: Services,
  system: System,
  sink: Sink,
  peer: Peer,
  ended: () => void,
): Receiver {
  const session = new ConnectionSession(services, sink, peer, () => maybeOver())
  const modern = new ModernRequests(services, system, sink, () => maybeOver())
  let isClosed = false
  let isOver = false

  const maybeOver = (): void => {
    if (isOver || !(session.isEnded || (isClosed && !session.isOpen && modern.size === 0))) return
    isOver = true
    modern.cancelAll()
    sink.end()
    ended()
  }

  return {
    message(text) {
      const message = decode(text)
      if (!modern.take(message)) session.take(message)
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
  private readonly ended: () => void
  private waiting: (Message | Message[])[] | null = null
  private ref: Ref<typeof Session> | null = null
  private debts: OpenSession['debts'] | undefined
  private hasLeft = false

  constructor(services: Services, sink: Sink, peer: Peer, ended: () => void) {
    this.services = services
    this.sink = sink
    this.peer = peer
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

  private async open(): Promise<void> {
    const { services, sink } = this
    const opened = await openSession(services, { transport: this.peer.transport, connection: sink })
    if ('refused' in opened) {
      const message = `The server opens no session now (${opened.refused}).`
      sink.send(encodeError(null, { code: ErrorCode.InternalError, message }))
      return this.end()
    }
    const ref = via<typeof Session>(services.sessions, opened.id)
    this.ref = ref
    this.debts = services.open.get(opened.tree)?.debts
    void opened.tree.down.then(() => this.end())
    for (const message of this.waiting ?? []) this.hand(ref, message)
    this.waiting = []
    if (this.hasLeft) this.leave()
  }

  private end(): void {
    this.isEnded = true
    this.waiting = []
    this.ended()
  }

  private hand(ref: Ref<typeof Session>, message: Message | Message[]): void {
    if (receive(ref, message, this.sink)) return
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
  private readonly changed: () => void
  private readonly open = new Map<string | number, ConnectionOutlet>()

  constructor(services: Services, system: System, sink: Sink, changed: () => void) {
    this.services = services
    this.system = system
    this.sink = sink
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

  cancelAll(): void {
    for (const outlet of [...this.open.values()]) outlet.leave()
  }

  private receive(message: RequestMessage): void {
    const { id } = message
    const refuse = (code: number, text: string): void => void this.sink.send(encodeError(id, { code, message: text }))
    if (this.open.has(id)) {
      const text = `The id ${JSON.stringify(id)} is in use by a request in flight. Give every request its own.`
      return refuse(ErrorCode.InvalidRequest, text)
    }
    if (this.open.size >= this.services.limits.requestsMax) {
      const text = `This connection has ${this.open.size} requests in flight, which is the limit. Wait for an answer.`
      return refuse(ErrorCode.InternalError, text)
    }
    const outlet = new ConnectionOutlet(this.sink, () => {
      this.open.delete(id)
      this.changed()
    })
    this.open.set(id, outlet)
    const { services, system } = this
    receiveModern({ services, system, outlet, headers: undefined, auth: undefined }, message)
  }
}

/** One request's share of a connection. */
class ConnectionOutlet implements Outlet {
  private readonly sink: Sink
  private readonly done: () => void
  private gone: (() => void) | undefined
  private hasLeft = false
  private isDone = false

  constructor(sink: Sink, done: () => void) {
    this.sink = sink
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
