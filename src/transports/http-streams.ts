/**
 * The open SSE streams of a listener, and the comments that keep proxies from closing the quiet ones.
 *
 * Streams are spread over slots and each tick of the clock visits one slot, so that ten thousand streams do not stall
 * everybody else at once. The clock runs only while there are streams.
 */
import type { Clock } from '#runtime/clock'

/** Ticks per keep-alive period. */
const SLOTS = 16

/** What is kept alive. */
export interface QuietStream {
  /** The slot it was put in. */
  slot: number
  /** Sends a comment unless something was sent since the last visit. */
  keepAlive(): void
  end(): boolean
}

export class HttpStreams {
  readonly #clock: Clock
  readonly #tickMs: number
  readonly #slots: Set<QuietStream>[] = []
  #nextSlot = 0
  #visitedSlot = 0
  #size = 0
  #timer: unknown

  constructor(clock: Clock, keepAliveMs: number) {
    this.#clock = clock
    this.#tickMs = keepAliveMs / SLOTS
    for (let slot = 0; slot < SLOTS; slot += 1) this.#slots.push(new Set())
  }

  get size(): number {
    return this.#size
  }

  add(stream: QuietStream): void {
    stream.slot = this.#nextSlot
    this.#nextSlot = (this.#nextSlot + 1) % SLOTS
    this.#slots[stream.slot]!.add(stream)
    this.#size += 1
    this.#timer ??= this.#clock.setTimer(this.#tick, this.#tickMs)
  }

  delete(stream: QuietStream): void {
    // The clock is left to find out by itself that there are none: short streams would start and stop it all the time.
    if (this.#slots[stream.slot]!.delete(stream)) this.#size -= 1
  }

  /** Ends every stream and stops the clock. */
  endAll(): void {
    for (const slot of this.#slots) for (const stream of [...slot]) stream.end()
    this.#clock.clearTimer(this.#timer)
    this.#timer = undefined
  }

  readonly #tick = (): void => {
    this.#timer = this.#size === 0 ? undefined : this.#clock.setTimer(this.#tick, this.#tickMs)
    this.#visitedSlot = (this.#visitedSlot + 1) % SLOTS
    for (const stream of this.#slots[this.#visitedSlot]!) stream.keepAlive()
  }
}
