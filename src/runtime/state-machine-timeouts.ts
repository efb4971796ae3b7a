/**
 * The timers of one state machine: at most one of each type and name. A timer that fires puts its event into the mailbox,
 * where it waits its turn; cancelled while it waits it is made unseen, so a late event of a cancelled timer does not exist.
 * A time-out of zero milliseconds passes through no timer: it waits here until the machine has nothing of its own to handle.
 */
import { type Envelope, kinds } from './envelope.ts'
import type { Process } from './process.ts'
import { type After, OwnEvent, ownEnvelope, type TimeoutAction } from './state-machine-transition.ts'
import type { Timer } from './timers.ts'

/** A timer that runs, or whose event is on its way. It is the event's content holder, so that `update` reaches it there. */
class RunningTimeout extends OwnEvent {
  timer: Timer | null = null
  /** The event, from when the timer fires until it is handled. */
  envelope: Envelope | null = null
}

export class Timeouts {
  private readonly running = new Map<string, RunningTimeout>()
  /** Those of zero milliseconds, oldest first. */
  private readonly zero: RunningTimeout[] = []

  /** Whether an event waits here. */
  get hasZero(): boolean {
    return this.zero.length > 0
  }

  /** Carries out the actions of one transition: of those for the same timer the last one counts. */
  apply(process: Process, actions: readonly TimeoutAction[]): void {
    actions.forEach((action, place) => {
      for (let later = place + 1; later < actions.length; later++) {
        const other = actions[later]
        if (other !== undefined && other.type === action.type && other.name === action.name) return
      }
      if (action.after === 'update') this.update(action)
      else this.start(process, action, action.after)
    })
  }

  /** Stops the timer with that label, if it runs. */
  cancel(process: Process, label: string): void {
    const timeout = this.running.get(label)
    if (timeout === undefined) return
    this.running.delete(label)
    if (timeout.timer !== null) process.cancelTimer(timeout.timer)
    else if (timeout.envelope !== null) timeout.envelope.kind = kinds.skip
    else this.zero.splice(this.zero.indexOf(timeout), 1)
  }

  /** The event of a timer has left the mailbox: the timer runs no more. */
  arrived(event: OwnEvent): void {
    this.running.delete(event.label)
  }

  /** Takes the oldest event of zero milliseconds. */
  takeZero(): Envelope | undefined {
    const timeout = this.zero.shift()
    if (timeout === undefined) return undefined
    this.running.delete(timeout.label)
    return ownEnvelope(timeout)
  }

  private start(process: Process, action: TimeoutAction, after: After): void {
    const timeout = new RunningTimeout(action.type, action.name, action.content)
    this.cancel(process, timeout.label)
    const delayMs = typeof after === 'number' ? after : after.at - process.now()
    if (delayMs === Number.POSITIVE_INFINITY) return
    this.running.set(timeout.label, timeout)
    if (after === 0) {
      this.zero.push(timeout)
      return
    }
    timeout.timer = process.after(delayMs, () => {
      timeout.timer = null
      timeout.envelope = ownEnvelope(timeout)
      // A bound is for what others send: the machine's own time-out is never refused.
      process.force(timeout.envelope)
    })
  }

  private update(action: TimeoutAction): void {
    const timeout = new RunningTimeout(action.type, action.name, action.content)
    const old = this.running.get(timeout.label)
    if (old !== undefined) {
      old.content = action.content
      return
    }
    this.running.set(timeout.label, timeout)
    this.zero.push(timeout)
  }
}
