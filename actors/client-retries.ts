/**
 * When a connection is tried again after it was lost: at once the first time, then later and later, so many times in a row. A
 * connection that lasted a while begins anew.
 */
import type { Self, Timer } from '#runtime'
import type { ConnectionTimer } from './client-connection.ts'
import { backoffMs } from './client-repeats.ts'
import type { ReconnectSettings } from './client-services.ts'

/** Milliseconds after which a connection counts as stable, and the next loss of it as the first one. */
const STABLE_MS = 10_000

export class Retries {
  private readonly settings: ReconnectSettings
  private readonly self: Self<never>
  private attempts = 0
  private operatingSince = Number.POSITIVE_INFINITY
  private timer: Timer | undefined
  /** Tells a timer that was cancelled too late from the one that counts. */
  private last = 0

  constructor(settings: ReconnectSettings, self: Self<never>) {
    this.settings = settings
    this.self = self
  }

  get isWaiting(): boolean {
    return this.timer !== undefined
  }

  /** The connection operates. */
  operates(): void {
    this.operatingSince = this.self.now()
  }

  /** Sets the timer for the next try; false when there were enough. */
  next(retryAfterMs = 0): boolean {
    if (this.self.now() - this.operatingSince >= STABLE_MS) this.attempts = 0
    this.operatingSince = Number.POSITIVE_INFINITY
    if (this.attempts >= this.settings.attempts) return false
    const delayMs = this.attempts === 0 ? 0 : this.backoffMs(this.attempts)
    this.attempts++
    this.in(Math.max(delayMs, retryAfterMs))
    return true
  }

  /** One more try in the longest time between two, if any are made at all. */
  seldom(): void {
    if (this.settings.attempts > 0) this.in(this.settings.maxMs)
  }

  /** All tries begin again. */
  reset(): void {
    this.attempts = 0
    if (this.timer !== undefined) this.self.cancelTimer(this.timer)
    this.timer = undefined
  }

  /** The timer fired; false when it was not the one that counts. */
  fired(number: number): boolean {
    if (number !== this.last || this.timer === undefined) return false
    this.timer = undefined
    return true
  }

  /** Milliseconds before the `attempt`-th try of anything, from 1. */
  backoffMs(attempt: number): number {
    return backoffMs(this.settings, attempt, () => this.self.random())
  }

  private in(delayMs: number): void {
    this.timer = this.self.sendAfter(delayMs, { type: 'retry', epoch: ++this.last } satisfies ConnectionTimer)
  }
}
