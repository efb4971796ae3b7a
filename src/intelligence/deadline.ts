/**
 * The end of one sampling request, for whichever reason: the caller's signal, the time for all of it, or too long a silence.
 * Everything that waits is raced against it, since a `fetch` or a hook of the user might not heed a signal.
 */
import type { Clock } from '#runtime/clock'
import { ProviderError } from './errors.ts'

export type DeadlineClock = Pick<Clock, 'now' | 'wallNow' | 'setTimer' | 'clearTimer'>

export class Deadline {
  private readonly controller = new AbortController()
  private readonly clock: DeadlineClock
  private readonly timeoutMs: number
  private readonly endsAt: number
  private readonly idleMs: number
  private readonly title: string
  private readonly outer: AbortSignal | undefined
  private readonly timers = new Set<unknown>()
  private heardAt: number
  private isIdleWatched = false
  private isPaused = false

  /** `title` names who was asked. `close` must be called in the end. */
  constructor(title: string, clock: DeadlineClock, timeoutMs: number, idleMs: number, outer: AbortSignal | undefined) {
    this.title = title
    this.clock = clock
    this.heardAt = clock.now()
    this.endsAt = this.heardAt + timeoutMs
    this.idleMs = idleMs
    this.outer = outer
    this.timeoutMs = timeoutMs
    this.waitEnd()
    if (outer?.aborted) this.aborted()
    else outer?.addEventListener('abort', this.aborted, { once: true })
  }

  /** Aborted at the end, with the `ProviderError` as reason. */
  get signal(): AbortSignal {
    return this.controller.signal
  }

  /** Milliseconds of the whole time that are left. */
  get leftMs(): number {
    return this.endsAt - this.clock.now()
  }

  /** From now on silence counts. */
  listen(): void {
    this.isPaused = false
    this.heard()
    if (!this.isIdleWatched) this.waitIdle()
  }

  /** Something came. */
  heard(): void {
    this.heardAt = this.clock.now()
  }

  /** Silence does not count, as while a hook of the user takes its time. */
  pause(): void {
    this.isPaused = true
  }

  /** What `promise` comes to, unless the end is first: then it rejects with the end's error. */
  race<T>(promise: Promise<T>): Promise<T> {
    const { signal } = this
    if (signal.aborted) {
      promise.catch(() => undefined)
      return Promise.reject(signal.reason)
    }
    return new Promise<T>((resolve, reject) => {
      const end = (): void => reject(signal.reason)
      signal.addEventListener('abort', end, { once: true })
      promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', end))
    })
  }

  sleep(delayMs: number): Promise<void> {
    let timer: unknown
    const slept = new Promise<void>((resolve) => {
      timer = this.clock.setTimer(resolve, delayMs)
      this.timers.add(timer)
    })
    return this.race(slept).finally(() => this.clearTimer(timer))
  }

  /** Gives back timers and listeners. */
  close(): void {
    for (const timer of this.timers) this.clock.clearTimer(timer)
    this.timers.clear()
    this.outer?.removeEventListener('abort', this.aborted)
  }

  private readonly aborted = (): void => {
    this.end('aborted', `The request to ${this.title} was aborted.`, this.outer?.reason)
  }

  /** A clock may fire early for a very long delay: then the rest is waited for. */
  private waitEnd(): void {
    if (this.timeoutMs === Number.POSITIVE_INFINITY) return
    if (this.leftMs <= 0) return this.end('timeout', `${this.title} was not done within ${this.timeoutMs} ms.`)
    this.after(this.leftMs, () => this.waitEnd())
  }

  /** One timer for many chunks: it looks when the last one came, and waits for the rest. */
  private waitIdle(): void {
    if (this.idleMs === Number.POSITIVE_INFINITY) return
    if (this.isPaused) this.heard()
    const left = this.heardAt + this.idleMs - this.clock.now()
    if (left <= 0) return this.end('timeout', `${this.title} was silent for ${this.idleMs} ms.`)
    this.isIdleWatched = true
    this.after(left, () => this.waitIdle())
  }

  private after(delayMs: number, then: () => void): void {
    const timer = this.clock.setTimer(() => {
      this.timers.delete(timer)
      then()
    }, delayMs)
    this.timers.add(timer)
  }

  private clearTimer(timer: unknown): void {
    if (timer === undefined) return
    this.clock.clearTimer(timer)
    this.timers.delete(timer)
  }

  private end(code: 'timeout' | 'aborted', message: string, cause?: unknown): void {
    this.controller.abort(new ProviderError(code, message, { cause }))
  }
}
