/**
 * Time as the system sees it. Every delay and every reading of the clock in bough goes through a `Clock`, so a simulation
 * can hold the whole tree in virtual time. Readings are monotonic milliseconds with fractions; they are not dates.
 */
export interface Clock {
  /** Milliseconds since some fixed moment; never goes back. */
  now(): number
  /** Milliseconds since 1970-01-01 UTC, for time stamps that people or peers read. */
  wallNow(): number
  /** Calls `callback` once after `delayMs`. Returns what `clearTimer` takes. */
  setTimer(callback: () => void, delayMs: number): unknown
  /** Stops a timer; nothing happens when it has fired. */
  clearTimer(handle: unknown): void
  /** Says whether a timer that was set keeps the program alive. Absent where that means nothing; timers are then cleared. */
  holdTimer?(handle: unknown, isHeld: boolean): void
}

/** The longest delay that setTimeout keeps; longer ones wait in slices of this. */
const DELAY_MS_MAX = 2_147_483_647

/** The real clock of this machine. */
export const realClock: Clock = {
  now: () => performance.now(),
  wallNow: () => Date.now(),
  setTimer: (callback, delayMs) => setTimeout(callback, Math.min(Math.max(delayMs, 0), DELAY_MS_MAX)),
  clearTimer: (handle) => clearTimeout(handle as NodeJS.Timeout),
  holdTimer: (handle, isHeld) => {
    if (isHeld) (handle as NodeJS.Timeout | undefined)?.ref()
    else (handle as NodeJS.Timeout | undefined)?.unref()
  },
}
