/**
 * The world that the machines of one process tree live in, as xstate's actor logics expect it: names, addresses and the way
 * of an event. xstate has a world of its own, with its own mailboxes, timers and global counters; this one stands in its
 * place, and every event goes through the mailbox of a process.
 *
 *     xstate asks for                here
 *     system._relay(from, to, e)  -> a message to the process behind `to`
 *     system.scheduler            -> the delays of the process behind the sender
 *     system._set / get           -> `systemId`s, one table a tree
 *     parent.system for a child   -> this world too: what `spawn` makes is an address, never a second runtime
 */
import type { Actor, AnyActorLogic, AnyActorRef, EventObject } from 'xstate'
import { Envelope, kinds } from '#runtime/envelope'
import type { LogicActor } from './logic-actor.ts'

/** An event on its way to a process, with its sender. */
export class Relay {
  readonly type: string
  readonly source: AnyActorRef | undefined
  readonly event: EventObject

  constructor(source: AnyActorRef | undefined, event: EventObject) {
    this.type = event.type
    this.source = source
    this.event = event
  }
}

/** Events that one address keeps until its process has started; more are an error of the machine. */
const EARLY_EVENTS_MAX = 1_000

/** What xstate makes for a child: its class of actor. Here it is never run, it only carries the child's options. */
export type StandIn = Actor<AnyActorLogic>

export class ActorWorld {
  readonly _logger: (...values: unknown[]) => void
  private readonly residents = new WeakMap<object, LogicActor>()
  private readonly early = new WeakMap<object, Relay[]>()
  private readonly named = new Map<string, AnyActorRef>()
  private lastId = 0

  constructor(log: (...values: unknown[]) => void) {
    this._logger = log
  }

  /** Says that `actor` is the process behind `ref`, and hands it what was sent before it lived. */
  settle(ref: AnyActorRef, actor: LogicActor): void {
    this.residents.set(ref, actor)
  }

  /** Sends on what came for `ref` before it lived. */
  flush(ref: AnyActorRef): void {
    const waiting = this.early.get(ref) ?? []
    this.early.delete(ref)
    const actor = this.residents.get(ref)
    if (actor !== undefined) for (const relay of waiting) post(actor, relay)
  }

  /** The process behind an address of this world; undefined before it lives and for foreign actors. */
  actorOf(ref: unknown): LogicActor | undefined {
    return typeof ref === 'object' && ref !== null ? this.residents.get(ref) : undefined
  }

  // ---- what xstate asks for --------------------------------------------------------------------------------------------

  readonly scheduler = {
    schedule: (
      source: AnyActorRef,
      target: AnyActorRef,
      event: EventObject,
      delayMs: number,
      id: string | undefined,
    ): void => this.actorOf(source)?.delays.start(id, delayMs, source === target ? undefined : target, event),
    cancel: (source: AnyActorRef, id: string): void => this.actorOf(source)?.delays.cancel(id),
    cancelAll: (): void => undefined,
  }

  /** No timer of xstate's own ever runs here: what has a delay goes through `scheduler`. */
  readonly _clock = undefined

  _relay(source: AnyActorRef | undefined, target: AnyActorRef, event: EventObject): void {
    const actor = this.actorOf(target)
    if (actor !== undefined) post(actor, new Relay(source, event))
    else if (target.system !== (this as unknown)) target.send(event)
    else {
      const waiting = this.early.get(target) ?? []
      if (waiting.length === EARLY_EVENTS_MAX)
        throw new Error(
          `The actor "${target.id}" was sent more than ${EARLY_EVENTS_MAX} events before it started. Send fewer.`,
        )
      waiting.push(new Relay(source, event))
      this.early.set(target, waiting)
    }
  }

  _bookId(): string {
    return `x:${this.lastId++}`
  }

  _register(sessionId: string): string {
    return sessionId
  }

  _unregister(ref: AnyActorRef): void {
    for (const [name, other] of this.named) if (other === ref) this.named.delete(name)
  }

  _set(systemId: string, ref: AnyActorRef): void {
    const holder = this.actorOf(this.named.get(systemId))
    if (holder?.isAlive && !holder.isStopping && holder.ref !== ref)
      throw new Error(
        `The system id "${systemId}" is taken by the actor "${holder.ref.id}". Choose another, or stop it.`,
      )
    this.named.set(systemId, ref)
  }

  get(systemId: string): AnyActorRef | undefined {
    return this.named.get(systemId)
  }

  getAll(): Record<string, AnyActorRef> {
    return Object.fromEntries(this.named)
  }

  inspect(): { unsubscribe(): void } {
    return { unsubscribe: () => undefined }
  }

  _sendInspectionEvent(): void {}

  getSnapshot(): { _scheduledEvents: Record<string, never> } {
    return { _scheduledEvents: {} }
  }

  start(): void {}
}

/** Puts an event into the mailbox. News of children and orders to them are never lost to a full one. */
function post({ process }: LogicActor, relay: Relay): void {
  if (!relay.type.startsWith('xstate.')) process.ref.send(relay)
  else if (!process.isDead) process.force(new Envelope(kinds.info, '', relay, null))
}
