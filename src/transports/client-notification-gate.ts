/**
 * Order where each message goes its own way: what is sent behind the first notification waits until the server has taken that
 * one. The first notification of a legacy client is `initialized`, and servers refuse what overtakes it.
 */
import type { Clock } from '#runtime/clock'

/** How long the first notification holds back what is sent after it. */
const HELD_BACK_MS = 5_000

export class NotificationGate {
  readonly #clock: Clock
  #heldBack: (() => void)[] | undefined
  #wasClosed = false
  #timer: unknown

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Calls `start`, now or once the gate opens. True for the first notification: `open` must be called when it is over. */
  pass(start: () => void, isNotification: boolean): boolean {
    if (this.#heldBack !== undefined) {
      this.#heldBack.push(start)
      return false
    }
    const isFirst = isNotification && !this.#wasClosed
    if (isFirst) {
      this.#wasClosed = true
      this.#heldBack = []
      this.#timer = this.#clock.setTimer(this.open, HELD_BACK_MS)
    }
    start()
    return isFirst
  }

  readonly open = (): void => {
    const heldBack = this.#heldBack ?? []
    this.drop()
    for (const start of heldBack) start()
  }

  /** Forgets what is held back. */
  drop(): void {
    this.#heldBack = undefined
    this.#clock.clearTimer(this.#timer)
  }
}
