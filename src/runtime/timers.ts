/**
 * All delays of a system: one binary heap ordered by deadline, then by age, above a single timer of the clock. Starting a
 * timer later than all others, which a call's time-out nearly always is, costs constant time, and so does cancelling: a
 * cancelled timer lets go of what it held and stays in the heap until they are half of it, when all leave together.
 */
import type { Clock } from './clock.ts'

/** A running delay. Opaque to users, who get it from `sendAfter` and give it to `cancelTimer`. */
export class Timer {
  readonly deadline: number
  readonly sequence: number
  /** Undefined once it has fired or was cancelled. */
  callback: ((argument: unknown) => void) | undefined
  argument: unknown

  constructor(deadline: number, sequence: number, callback: (argument: unknown) => void, argument: unknown) {
    this.deadline = deadline
    this.sequence = sequence
    this.callback = callback
    this.argument = argument
  }
}

/** Cancelled timers that may stay in the heap whatever its size. */
const CANCELLED_KEPT = 64

export class Timers {
  private readonly clock: Clock
  private heap: Timer[] = []
  private cancelled = 0
  private sequence = 0
  private handle: unknown
  private armedFor = Number.POSITIVE_INFINITY
  /** Whether the clock's timer, if any, keeps the program alive. */
  private isHeld = true

  constructor(clock: Clock) {
    this.clock = clock
  }

  /** How many timers are running. */
  get size(): number {
    return this.heap.length - this.cancelled
  }

  /**
   * Calls `callback(argument)` once after `delayMs`; `Infinity` is never. Throws a `TypeError` for what is not a number. With
   * an argument the callback can be a function made once: a call's time-out costs no closure.
   */
  start<A = undefined>(delayMs: number, callback: (argument: A) => void, argument?: A): Timer {
    if (typeof delayMs !== 'number' || Number.isNaN(delayMs))
      throw new TypeError(`A delay must be a number of milliseconds, got ${String(delayMs)}.`)
    const now = this.clock.now()
    const deadline = now + Math.max(delayMs, 0)
    // The type parameter ties callback and argument together; the heap holds timers of every kind.
    const timer = new Timer(deadline, this.sequence++, callback as (argument: unknown) => void, argument)
    this.heap.push(timer)
    this.rise(this.heap.length - 1)
    if (this.heap[0] === timer) this.arm(now)
    return timer
  }

  /** Stops a timer; false when it had fired or was cancelled before. */
  cancel(timer: Timer): boolean {
    if (timer.callback === undefined) return false
    timer.callback = undefined
    timer.argument = undefined
    this.cancelled++
    if (this.cancelled === this.heap.length) {
      this.heap.length = 0
      this.cancelled = 0
      this.disarm()
    } else if (this.cancelled > CANCELLED_KEPT && this.cancelled * 2 > this.heap.length) this.compact()
    return true
  }

  /** Takes the cancelled timers out and makes a heap of the rest. */
  private compact(): void {
    this.heap = this.heap.filter((timer) => timer.callback !== undefined)
    this.cancelled = 0
    for (let place = (this.heap.length >> 1) - 1; place >= 0; place--) this.sink(place)
  }

  private arm(now: number): void {
    const first = this.heap[0]
    if (first === undefined) return
    if (!this.isHeld) {
      this.isHeld = true
      this.clock.holdTimer?.(this.handle, true)
    }
    if (first.deadline >= this.armedFor) return
    if (this.armedFor !== Number.POSITIVE_INFINITY) this.clock.clearTimer(this.handle)
    this.armedFor = first.deadline
    this.handle = this.clock.setTimer(this.fire, first.deadline - now)
  }

  /**
   * Nothing is running any more. The clock's timer is let be where it can be told not to keep the program alive: a call after
   * a call would otherwise set and clear it each time, which costs more than the call.
   */
  private disarm(): void {
    if (this.armedFor === Number.POSITIVE_INFINITY) return
    if (this.clock.holdTimer !== undefined) {
      this.isHeld = false
      this.clock.holdTimer(this.handle, false)
      return
    }
    this.clock.clearTimer(this.handle)
    this.armedFor = Number.POSITIVE_INFINITY
  }

  private readonly fire = (): void => {
    this.armedFor = Number.POSITIVE_INFINITY
    this.isHeld = true
    const now = this.clock.now()
    for (let first = this.heap[0]; first !== undefined; first = this.heap[0]) {
      if (first.callback !== undefined && first.deadline > now) break
      this.removeFirst()
      const { callback, argument } = first
      if (callback === undefined) {
        this.cancelled--
        continue
      }
      first.callback = undefined
      first.argument = undefined
      callback(argument)
    }
    this.arm(this.clock.now())
  }

  private removeFirst(): void {
    const last = this.heap.pop()
    if (last === undefined || this.heap.length === 0) return
    this.heap[0] = last
    this.sink(0)
  }

  private rise(place: number): void {
    const { heap } = this
    const timer = heap[place]
    while (place > 0 && timer !== undefined) {
      const above = (place - 1) >> 1
      const parent = heap[above]
      if (parent === undefined || !isBefore(timer, parent)) return
      heap[place] = parent
      heap[above] = timer
      place = above
    }
  }

  private sink(place: number): void {
    const { heap } = this
    const timer = heap[place]
    while (timer !== undefined) {
      const left = place * 2 + 1
      const child = heap[left]
      const other = heap[left + 1]
      const isRight = child !== undefined && other !== undefined && isBefore(other, child)
      const smaller = isRight ? other : child
      if (smaller === undefined || !isBefore(smaller, timer)) return
      heap[place] = smaller
      place = isRight ? left + 1 : left
      heap[place] = timer
    }
  }
}

function isBefore(left: Timer, right: Timer): boolean {
  return left.deadline < right.deadline || (left.deadline === right.deadline && left.sequence < right.sequence)
}
