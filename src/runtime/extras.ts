/**
 * What few processes use, in one object that is made when the first of it is asked for, so that the others pay one empty
 * field: the event time-out, hibernation, the stash, and what `sys` watches (log, trace, counts).
 *
 *     the process                          its extras
 *     takes a message from the mailbox  -> took(envelope)     the event time-out is off; the watch notes it
 *     has nothing left to do            -> idle()             time-outs start to run
 *     replies to a call                 -> replied(op, value) the watch notes it
 *     ends                              -> end()              timers stop, the stash is lost
 */
import { Ring } from '#structures/ring'
import { Envelope, kinds } from './envelope.ts'
import { CallError } from './errors.ts'
import type { Process } from './process.ts'
import type { Timer } from './timers.ts'
import type { Watch } from './watch.ts'

/** Messages that a stash holds unless the definition says otherwise. */
export const STASH_CAPACITY = 1_000

interface EventTimeout {
  readonly ms: number
  readonly message: unknown
}

export class Extras {
  private readonly process: Process
  private eventTimeout: EventTimeout | null = null
  private eventTimer: Timer | null = null
  private hibernateTimer: Timer | null = null
  private idleSince = 0
  private stashed: Ring<Envelope> | null = null
  watch: Watch | null = null

  constructor(process: Process) {
    this.process = process
  }

  get stashLength(): number {
    return this.stashed === null ? 0 : this.stashed.length
  }

  // ---- what the process tells ------------------------------------------------------------------------------------------

  took(envelope: Envelope): void {
    if (this.eventTimeout !== null) this.dropEventTimeout()
    if (this.watch !== null) this.watch.took(envelope)
  }

  /** Nothing runs and nothing waits: what counts the time without a message begins, unless it runs already. */
  idle(): void {
    if (!this.process.isWaiting) return
    const { eventTimeout } = this
    if (eventTimeout !== null && this.eventTimer === null) {
      if (eventTimeout.ms === 0) this.fireEventTimeout()
      else this.eventTimer = this.process.system.timers.start(eventTimeout.ms, this.fireEventTimeout)
    }
    const { hibernateAfterMs } = this.process.definition
    if (hibernateAfterMs !== undefined) this.hibernateLater(hibernateAfterMs)
  }

  replied(op: string, value: unknown): void {
    if (this.watch !== null) this.watch.replied(op, value)
  }

  /** The process has ended. Returns how many casts and infos are lost with the stash; its calls fail through their replies. */
  end(lose?: (envelope: Envelope) => void): number {
    this.dropEventTimeout()
    if (this.hibernateTimer !== null) this.process.system.timers.cancel(this.hibernateTimer)
    let lost = 0
    for (let envelope = this.stashed?.shift(); envelope !== undefined; envelope = this.stashed?.shift()) {
      if (envelope.kind !== kinds.cast && envelope.kind !== kinds.info) continue
      lost++
      lose?.(envelope)
    }
    return lost
  }

  // ---- event time-out --------------------------------------------------------------------------------------------------

  /** Puts a new event time-out in the place of the last one; `Infinity` only cancels. */
  setEventTimeout(ms: number, message: unknown): void {
    this.dropEventTimeout()
    if (ms !== Number.POSITIVE_INFINITY) this.eventTimeout = { ms, message }
  }

  private dropEventTimeout(): void {
    this.eventTimeout = null
    if (this.eventTimer !== null) this.process.system.timers.cancel(this.eventTimer)
    this.eventTimer = null
  }

  private readonly fireEventTimeout = (): void => {
    const { eventTimeout, process } = this
    this.eventTimer = null
    // Something came first: a message that will cancel it, or a suspension, after which the time runs anew.
    if (eventTimeout === null || !process.isWaiting) return
    this.eventTimeout = null
    process.force(new Envelope(kinds.info, '', eventTimeout.message, null))
  }

  // ---- hibernation -----------------------------------------------------------------------------------------------------

  /** One timer however many messages come: when it fires too early it runs again for the rest. */
  private hibernateLater(ms: number): void {
    this.idleSince = this.process.now()
    this.hibernateTimer ??= this.process.system.timers.start(ms, this.hibernateNow)
  }

  private readonly hibernateNow = (): void => {
    this.hibernateTimer = null
    const { process } = this
    const { hibernateAfterMs } = process.definition
    if (hibernateAfterMs === undefined || !process.isWaiting) return
    const leftMs = this.idleSince + hibernateAfterMs - process.now()
    if (leftMs > 0) this.hibernateTimer = process.system.timers.start(leftMs, this.hibernateNow)
    else process.hibernate()
  }

  // ---- stash -----------------------------------------------------------------------------------------------------------

  /** Puts the message in hand aside. What is left in hand is spent: what its handler returns is no reply. */
  stash(envelope: Envelope | null): void {
    const { process } = this
    if (envelope === null || !isStashable(envelope)) {
      throw new Error(
        `self.stash puts the message being handled aside, once; ${process.label} is handling none that it could be.`,
      )
    }
    const capacity = process.definition.stashCapacity ?? STASH_CAPACITY
    if (this.stashLength >= capacity) {
      throw new CallError(
        'overload',
        `The stash of ${process.label} is full (stashCapacity ${capacity}). Return what waits there with self.unstashAll, or raise the bound.`,
      )
    }
    this.stashed ??= new Ring()
    this.stashed.push(new Envelope(envelope.kind, envelope.op, envelope.arg, envelope.from))
    envelope.kind = kinds.skip
  }

  /** Returns what was put aside to the mailbox, ahead of what waits there. Returns how many messages that were. */
  unstashAll(): number {
    const { stashed } = this
    if (stashed === null) return 0
    const count = stashed.length
    this.stashed = null
    for (let place = count - 1; place >= 0; place--) {
      const envelope = stashed.at(place)
      if (envelope !== undefined) this.process.mailbox.putBack(envelope)
    }
    return count
  }
}

function isStashable({ kind, op, from }: Envelope): boolean {
  if (kind === kinds.call || kind === kinds.cast || kind === kinds.exit || kind === kinds.down) return true
  // The kernel's stand-ins for a continuation and a control request are infos with a name.
  return kind === kinds.info && op === '' && from === null
}
