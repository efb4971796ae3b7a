/**
 * Who follows a machine process: processes that get each event it emits as a message, and xstate's own listeners, which get
 * events (`on`) or snapshots (`subscribe`). A process that ends is forgotten.
 */
import type { EventObject, Observer, Snapshot } from 'xstate'
import type { Target } from '#runtime'
import type { Process } from '#runtime/process'

/** A ref or a `via`: whatever can be sent to. */
export type Follower = Target & { send(message: unknown): unknown }

type Show = (snapshot: Snapshot<unknown>) => void
type Tell = (event: EventObject) => void

export class Followers {
  private readonly process: Process
  private readonly processes = new Map<Follower, number | undefined>()
  private readonly observers = new Set<Show>()
  private readonly listeners = new Map<string, Set<Tell>>()

  constructor(process: Process) {
    this.process = process
  }

  /** Adds a process; idempotent. One that is `kept` stays when it ends: a name whose holder comes back. */
  add(follower: Follower, isKept = false): void {
    if (this.processes.has(follower)) return
    this.processes.set(follower, isKept ? undefined : this.process.monitor(follower))
  }

  remove(follower: Follower): void {
    const monitor = this.processes.get(follower)
    if (monitor !== undefined) this.process.demonitor(monitor)
    this.processes.delete(follower)
  }

  /** Forgets the follower with that monitor; false when there is none. */
  forget(monitor: number): boolean {
    for (const [follower, other] of this.processes) if (other === monitor) return this.processes.delete(follower)
    return false
  }

  /** Hands out an emitted event. */
  tell(event: EventObject): void {
    for (const follower of this.processes.keys()) follower.send(event)
    for (const type of [event.type, '*']) for (const listener of this.listeners.get(type) ?? []) listener(event)
  }

  /** Hands out a snapshot. */
  show(snapshot: Snapshot<unknown>): void {
    for (const observer of this.observers) observer(snapshot)
  }

  // ---- xstate's own form of it -----------------------------------------------------------------------------------------

  readonly subscribe = (given: Observer<Snapshot<unknown>> | Show): { unsubscribe(): void } => {
    const show: Show = typeof given === 'function' ? given : (snapshot) => given.next?.(snapshot)
    this.observers.add(show)
    return { unsubscribe: () => this.observers.delete(show) }
  }

  readonly on = (type: string, listener: Tell): { unsubscribe(): void } => {
    const listeners = this.listeners.get(type) ?? new Set()
    this.listeners.set(type, listeners.add(listener))
    return { unsubscribe: () => listeners.delete(listener) }
  }
}
