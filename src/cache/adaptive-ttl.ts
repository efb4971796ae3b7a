/**
 * How long the next text under a key may live, from what its predecessor came to: twice as long when it was asked for and then
 * found unchanged, half as long when it had changed, else the same; within bounds around what the author said.
 */

/** The time to live stays between a share of the author's and a multiple of it. */
export const ADAPTIVE_SHARE_MIN = 1 / 8
export const ADAPTIVE_FACTOR_MAX = 8

/** What the predecessor came to. */
export interface Lifetime {
  readonly ttlMs: number
  /** How often it was served. */
  readonly hits: number
  /** Whether the new text is the same. */
  readonly isUnchanged: boolean
}

/** Whole milliseconds, at least 1, from `baseMs` / 8 to `baseMs` * 8; `baseMs` where there is no predecessor. */
export function adaptiveTtlMs(baseMs: number, last: Lifetime | undefined): number {
  const least = Math.max(1, Math.round(baseMs * ADAPTIVE_SHARE_MIN))
  const most = Math.max(1, Math.round(baseMs * ADAPTIVE_FACTOR_MAX))
  if (last === undefined) return Math.max(1, Math.round(baseMs))
  const wanted = !last.isUnchanged ? last.ttlMs / 2 : last.hits > 0 ? last.ttlMs * 2 : last.ttlMs
  return Math.min(most, Math.max(least, Math.round(wanted)))
}
