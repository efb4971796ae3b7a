/**
 * Counts tries of the same thing, so that a server which is never content is not asked for ever. Old tries are forgotten: what
 * failed an hour ago may be tried again.
 */
import type { Clock } from '#runtime/clock'

/** How long a try counts, in milliseconds. */
export const TRIES_WINDOW_MS = 600_000
/** Things whose tries are counted; more of them forget the ones tried longest ago. */
const SUBJECTS_MAX = 64

export class Tries {
  readonly #clock: Pick<Clock, 'wallNow'>
  readonly #subjects = new Map<string, readonly number[]>()

  constructor(clock: Pick<Clock, 'wallNow'>) {
    this.#clock = clock
  }

  /** True, and counted, when `subject` was tried less than `triesMax` times in the last `TRIES_WINDOW_MS`. */
  take(subject: string, triesMax: number): boolean {
    const now = this.#clock.wallNow()
    const recent = (this.#subjects.get(subject) ?? []).filter((at) => now - at < TRIES_WINDOW_MS)
    if (recent.length >= triesMax) return false
    this.#subjects.delete(subject)
    this.#subjects.set(subject, [...recent, now])
    for (const oldest of this.#subjects.keys()) {
      if (this.#subjects.size <= SUBJECTS_MAX) break
      this.#subjects.delete(oldest)
    }
    return true
  }
}
