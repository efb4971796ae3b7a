/**
 * The delayed events of one machine process: `after`, and `raise` or `sendTo` with a `delay`. Each runs on the system's
 * clock and ends with the process. An id names at most one of them: starting it again takes the place of the former. An
 * event that was cancelled is never seen, not even when its timer had fired and it already waited in the mailbox.
 * After: OTP gen_statem, time-outs.
 */
import type { AnyActorRef, EventObject } from 'xstate'
import type { Timer } from '#runtime'
import { Envelope, kinds } from '#runtime/envelope'
import type { Process } from '#runtime/process'

/** What arrives in the mailbox when a delay is over. */
export class Delayed {
  readonly type: string
  readonly id: string
  /** Whom the event is for; undefined for the machine itself. */
  readonly to: AnyActorRef | undefined
  readonly event: EventObject

  constructor(id: string, to: AnyActorRef | undefined, event: EventObject) {
    this.type = event.type
    this.id = id
    this.to = to
    this.event = event
  }
}

/** A delay as plain data, for snapshots that are kept. `to` is the id of a child. */
export interface KeptDelay {
  readonly id: string
  readonly event: EventObject
  readonly remainingMs: number
  readonly to?: string
}

interface Running {
  readonly delayed: Delayed
  readonly timer: Timer
}

export class Delays {
  private readonly process: Process
  private readonly running = new Map<string, Running>()
  private unnamed = 0

  constructor(process: Process) {
    this.process = process
  }

  /** Lets `event` come after `delayMs`. Throws a `TypeError` when that is not a number. */
  start(id: string | undefined, delayMs: number, to: AnyActorRef | undefined, event: EventObject): void {
    // A name that no machine would choose, so that an unnamed delay replaces nothing.
    const name = id ?? `\u0000${++this.unnamed}`
    this.cancel(name)
    const delayed = new Delayed(name, to, event)
    // A full mailbox must not lose it: the machine would wait for ever.
    const arrive = (): void => this.process.force(new Envelope(kinds.info, '', delayed, null))
    this.running.set(name, { delayed, timer: this.process.after(delayMs, arrive) })
  }

  cancel(id: string): void {
    const running = this.running.get(id)
    if (running === undefined) return
    this.running.delete(id)
    this.process.cancelTimer(running.timer)
  }

  /** Takes a delay whose event has arrived; false when it was cancelled or replaced meanwhile. */
  take(delayed: Delayed): boolean {
    if (this.running.get(delayed.id)?.delayed !== delayed) return false
    return this.running.delete(delayed.id)
  }

  /** What is still to come, in the order in which it was started. Delays for foreign actors cannot be kept. */
  keep(childIdOf: (ref: AnyActorRef) => string | undefined): KeptDelay[] {
    const now = this.process.now()
    const kept: KeptDelay[] = []
    for (const { delayed, timer } of this.running.values()) {
      const to = delayed.to === undefined ? undefined : childIdOf(delayed.to)
      if (delayed.to !== undefined && to === undefined) continue
      const { id, event } = delayed
      const remainingMs = Math.max(0, timer.deadline - now)
      kept.push(to === undefined ? { id, event, remainingMs } : { id, event, remainingMs, to })
    }
    return kept
  }
}
