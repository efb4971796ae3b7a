/**
 * All delays of a system: one binary heap ordered by deadline, then by age, above a single timer of the clock. Starting
 * and cancelling cost O(log n) in the number of live timers; a timer later than all others, which a call's time-out
 * nearly always is, costs constant time. Cancelled timers leave the heap at once, so it never holds more than what is live.
 */
import type { Clock } from './clock.ts'

/** A running delay. Opaque to users, who get it from `sendAfter` and give it to `cancelTimer`. */
export class Timer {
  readonly deadline: number
  readonly sequence: number
  callback: (() => void) | undefined
  /** Its place in the heap; -1 when it is not running. */
  place = -1

  constructor(deadline: number, sequence: number, callback: () => void) {
    this.deadline = deadline
    this.sequence = sequence
    this.callback = callback
  }
}

export class Timers {
  private readonly clock: Clock
  private readonly heap: Timer[] = []
  private sequence = 0
  private handle: unknown
  private armedFor = Number.POSITIVE_INFINITY

  constructor(clock: Clock) {
    this.clock = clock
  }

  /** How many timers are running. */
  get size(): number {
    return this.heap.length
  }

  /** Calls `callback` once after `delayMs`; `Infinity` is never. Throws a `TypeError` for what is not a number. */
  start(delayMs: number, callback: () => void): Timer {
    if (typeof delayMs !== 'number' || Number.isNaN(delayMs))
      throw new TypeError(`A delay must be a number of milliseconds, got ${String(delayMs)}.`)
    const timer = new Timer(this.clock.now() + Math.max(delayMs, 0), this.sequence++, callback)
    timer.place = this.heap.length
    this.heap.push(timer)
    this.rise(timer)
    if (timer.place === 0) this.arm()
    return timer
  }

  /** Stops a timer; false when it had fired or was cancelled before. */
  cancel(timer: Timer): boolean {
    const place = timer.place
    if (place < 0) return false
    timer.place = -1
    timer.callback = undefined
    const last = this.heap.pop()
    if (last !== undefined && last !== timer) {
      this.heap[place] = last
      last.place = place
      this.rise(last)
      this.sink(last)
    }
    if (this.heap.length === 0) this.disarm()
    return true
  }

  private arm(): void {
    const first = this.heap[0]
    if (first === undefined || first.deadline >= this.armedFor) return
    if (this.armedFor !== Number.POSITIVE_INFINITY) this.clock.clearTimer(this.handle)
    this.armedFor = first.deadline
    this.handle = this.clock.setTimer(this.fire, first.deadline - this.clock.now())
  }

  private disarm(): void {
    if (this.armedFor === Number.POSITIVE_INFINITY) return
    this.clock.clearTimer(this.handle)
    this.armedFor = Number.POSITIVE_INFINITY
  }

  private readonly fire = (): void => {
    this.armedFor = Number.POSITIVE_INFINITY
    const now = this.clock.now()
    for (let first = this.heap[0]; first !== undefined && first.deadline <= now; first = this.heap[0]) {
      const callback = first.callback
      this.cancel(first)
      callback?.()
    }
    this.arm()
  }

  private isBefore(left: Timer, right: Timer): boolean {
    return left.deadline < right.deadline || (left.deadline === right.deadline && left.sequence < right.sequence)
  }

  private rise(timer: Timer): void {
    while (timer.place > 0) {
      const above = (timer.place - 1) >> 1
      const parent = this.heap[above]
      if (parent === undefined || !this.isBefore(timer, parent)) return
      this.swap(timer, parent)
    }
  }

  private sink(timer: Timer): void {
    for (;;) {
      const left = this.heap[timer.place * 2 + 1]
      const right = this.heap[timer.place * 2 + 2]
      const smaller = right !== undefined && left !== undefined && this.isBefore(right, left) ? right : left
      if (smaller === undefined || !this.isBefore(smaller, timer)) return
      this.swap(smaller, timer)
    }
  }

  private swap(up: Timer, down: Timer): void {
    const place = up.place
    up.place = down.place
    down.place = place
    this.heap[up.place] = up
    this.heap[down.place] = down
  }
}
