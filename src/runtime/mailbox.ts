/**
 * A mailbox keeps messages in arrival order until the process takes one; it never reorders one sender's messages. It holds
 * no memory until its first message. A bounded one applies its overflow policy when it is full; DOWN, EXIT and other news
 * from the kernel are never refused. An unbounded one says so when it grows past its high-water mark.
 */
import { Ring } from '#structures/ring'
import { type Envelope, kinds } from './envelope.ts'
import { CallError } from './errors.ts'
import type { Process } from './process.ts'

/** What a full mailbox does: refuse the new message, drop it, drop the oldest for it, or let the sender wait. */
export type Overflow = 'reject' | 'dropNewest' | 'dropOldest' | 'suspend'

const overflows: readonly Overflow[] = ['reject', 'dropNewest', 'dropOldest', 'suspend']

/** A bound for a mailbox; without one it is unbounded. */
export interface MailboxOptions {
  /** Messages that may wait; a whole number >= 1. */
  readonly capacity: number
  /** Default 'reject'. A refused call rejects with `CallError` 'overload'; a refused cast or send returns false. */
  readonly overflow?: Overflow
}

/** The length at which an unbounded mailbox first reports `high_water`; then again at each doubling. */
const HIGH_WATER_LENGTH = 10_000

/** An empty mailbox that has grown past this many places, by a flood, gives them back. */
const CAPACITY_KEPT = 1_024

interface Waiting {
  readonly envelope: Envelope
  /** Tells the sender; null for news from the kernel. */
  readonly admit: ((accepted: boolean) => void) | null
}

export class Mailbox {
  private readonly options: MailboxOptions | undefined
  private ring: Ring<Envelope> | null = null
  private mayHoldStop = false
  private waiting: Ring<Waiting> | null = null
  private reportAt = HIGH_WATER_LENGTH

  constructor(options?: MailboxOptions) {
    if (options !== undefined && !(Number.isInteger(options.capacity) && options.capacity >= 1)) {
      throw new TypeError(
        `mailbox.capacity must be a whole number of at least 1, got ${String(options.capacity)}. Leave mailbox out for an unbounded one.`,
      )
    }
    if (options?.overflow !== undefined && !overflows.includes(options.overflow)) {
      throw new TypeError(`mailbox.overflow must be one of ${overflows.join(', ')}, got ${String(options.overflow)}.`)
    }
    this.options = options
  }

  /** Takes out every stop that waits and returns their reasons; looks through the mailbox only if there may be one. */
  takeStops(): unknown[] {
    const reasons: unknown[] = []
    if (!this.mayHoldStop) return reasons
    this.mayHoldStop = false
    this.flush(({ kind, arg }) => {
      if (kind === kinds.stop) reasons.push(arg)
      return kind === kinds.stop
    })
    return reasons
  }

  get length(): number {
    return this.ring === null ? 0 : this.ring.length
  }

  /** Takes a message in. False when it was refused; a promise when the sender has to wait for room. */
  push(envelope: Envelope, owner: Process): boolean | Promise<boolean> {
    if (this.ring === null) this.ring = new Ring()
    else if (this.options !== undefined && this.ring.length >= this.options.capacity)
      return this.overflow(envelope, owner, this.options)
    else if (this.ring.length >= this.reportAt && this.options === undefined) {
      this.reportAt *= 2
      owner.system.emit({
        type: 'high_water',
        pid: owner.pid,
        definition: owner.definition.name,
        length: this.ring.length,
      })
    }
    this.ring.push(envelope)
    return true
  }

  /** Takes in news from the kernel, whatever the bound; behind senders that wait, whose end it may tell of. */
  force(envelope: Envelope): void {
    if (envelope.kind === kinds.stop) this.mayHoldStop = true
    if (this.waiting !== null) {
      this.waiting.push({ envelope, admit: null })
      return
    }
    this.ring ??= new Ring()
    this.ring.push(envelope)
  }

  /** Takes a message in again that was taken out before: it is the next one, and no bound refuses it. */
  putBack(envelope: Envelope): void {
    this.ring ??= new Ring()
    this.ring.unshift(envelope)
  }

  shift(): Envelope | undefined {
    if (this.ring === null) return undefined
    const envelope = this.ring.shift()
    if (envelope === undefined && this.waiting === null && this.ring.capacity > CAPACITY_KEPT) this.ring = null
    if (this.waiting !== null) this.admitNext(this.waiting)
    return envelope
  }

  /** Makes every message for which `test` holds unseen. Linear. */
  flush(test: (envelope: Envelope) => boolean): void {
    for (let place = 0; place < this.length; place++) {
      const envelope = this.ring?.at(place)
      if (envelope !== undefined && test(envelope)) envelope.kind = kinds.skip
    }
    for (let place = 0; place < (this.waiting?.length ?? 0); place++) {
      const envelope = this.waiting?.at(place)?.envelope
      if (envelope !== undefined && test(envelope)) envelope.kind = kinds.skip
    }
  }

  /** Gives memory back when nothing waits. */
  shrink(): void {
    if (this.length === 0) this.ring = null
  }

  /**
   * The process has ended. Returns how many casts and infos are lost, if `isCounted`; `lose` is told of each. Waiting calls fail
   * through their replies.
   */
  close(lose: ((envelope: Envelope) => void) | undefined, isCounted: boolean): number {
    let lost = 0
    // Nobody asks: a million messages then go as one.
    if (lose === undefined && !isCounted) this.ring = null
    for (let envelope = this.ring?.shift(); envelope !== undefined; envelope = this.ring?.shift()) {
      if (envelope.kind !== kinds.cast && envelope.kind !== kinds.info) continue
      lost++
      lose?.(envelope)
    }
    for (let next = this.waiting?.shift(); next !== undefined; next = this.waiting?.shift()) next.admit?.(false)
    this.ring = null
    this.waiting = null
    return lost
  }

  private overflow(envelope: Envelope, owner: Process, options: MailboxOptions): boolean | Promise<boolean> {
    if (options.overflow === 'suspend') {
      const waiting = (this.waiting ??= new Ring())
      return new Promise((admit) => waiting.push({ envelope, admit }))
    }
    if (options.overflow === 'dropOldest') {
      const oldest = this.takeDroppable()
      if (oldest !== undefined) {
        this.refuse(oldest, owner, options)
        this.ring?.push(envelope)
        return true
      }
    }
    this.refuse(envelope, owner, options)
    return false
  }

  private refuse(envelope: Envelope, owner: Process, options: MailboxOptions): void {
    envelope.from?.fail(
      new CallError(
        'overload',
        `The call "${envelope.op}" to ${owner.label} was refused: its mailbox is full (capacity ${options.capacity}).`,
      ),
    )
    owner.system.deadLetters(owner, 1, 'overflow')
  }

  private admitNext(waiting: Ring<Waiting>): void {
    if (this.options === undefined) return
    // News has no weight: it goes in with the message before it, so that it is not held back by a bound.
    while (this.length < this.options.capacity || waiting.at(0)?.admit === null) {
      const next = waiting.shift()
      if (next === undefined) break
      this.ring?.push(next.envelope)
      next.admit?.(true)
    }
    if (waiting.length === 0) this.waiting = null
  }

  /** Removes and returns the oldest message that is not news from the kernel. Linear only when news comes first. */
  private takeDroppable(): Envelope | undefined {
    for (let place = 0; place < this.length; place++) {
      const envelope = this.ring?.at(place)
      if (envelope !== undefined && isDroppable(envelope)) return this.ring?.removeAt(place)
    }
    return undefined
  }
}

function isDroppable(envelope: Envelope): boolean {
  return envelope.kind === kinds.call || envelope.kind === kinds.cast || envelope.kind === kinds.info
}
