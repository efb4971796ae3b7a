/** A clock that stands still until it is told to go: timers fire in order of their deadlines, then of their age. */
import type { Clock } from '#runtime'

/** What `wallNow` tells at virtual time 0: 2026-01-01T00:00:00Z. */
const EPOCH_MS = 1_767_225_600_000

interface Pending {
  readonly deadline: number
  readonly callback: () => void
}

export class VirtualClock implements Clock {
  /** Ordered by deadline, then by age. Short: a system has one timer of the clock for all of its own. */
  private readonly pending: Pending[] = []
  private time = 0

  now(): number {
    return this.time
  }

  wallNow(): number {
    return EPOCH_MS + this.time
  }

  setTimer(callback: () => void, delayMs: number): unknown {
    const timer: Pending = { deadline: this.time + Math.max(delayMs, 0), callback }
    const place = this.pending.findIndex((other) => other.deadline > timer.deadline)
    this.pending.splice(place < 0 ? this.pending.length : place, 0, timer)
    return timer
  }

  clearTimer(handle: unknown): void {
    const place = this.pending.indexOf(handle as Pending)
    if (place >= 0) this.pending.splice(place, 1)
  }

  /** The deadline of the next timer; `Infinity` when none runs. */
  get nextDeadline(): number {
    return this.pending[0]?.deadline ?? Number.POSITIVE_INFINITY
  }

  /** Goes to the next timer's deadline and fires that one timer. */
  fireNext(): void {
    const next = this.pending.shift()
    if (next === undefined) return
    this.goTo(next.deadline)
    next.callback()
  }

  /** Goes forward to `time` without firing anything. */
  goTo(time: number): void {
    this.time = Math.max(this.time, time)
  }
}
