/** When a refused request may be made again. */
import { ProviderError } from './errors.ts'

const FIRST_DELAY_MS = 500
const DELAY_MS_MAX = 8_000

/** Milliseconds before retry number `attempt` (0, 1, ...): doubled each time, of which chance takes up to a quarter. */
export function backoffMs(attempt: number, chance: number): number {
  return Math.min(FIRST_DELAY_MS * 2 ** Math.min(attempt, 10), DELAY_MS_MAX) * (1 - chance / 4)
}

/**
 * Milliseconds that the answer's headers ask to wait: `retry-after-ms`, or `retry-after` in seconds or as a date. `wallNowMs` is
 * the time since 1970. Spec: RFC 9110, section 10.2.3.
 */
export function retryAfterMs(headers: Headers, wallNowMs: number): number | undefined {
  const inMs = headers.get('retry-after-ms')
  if (inMs !== null && /^\d+(\.\d+)?$/.test(inMs)) return Number(inMs)
  const after = headers.get('retry-after')
  if (after === null) return undefined
  if (/^\d+(\.\d+)?$/.test(after)) return Number(after) * 1000
  const date = Date.parse(after)
  return Number.isNaN(date) ? undefined : Math.max(0, date - wallNowMs)
}

/** Whether an error is worth another try, and after how long; undefined if not. */
export function retryDelayMs(
  error: unknown,
  attempt: number,
  limits: {
    readonly retries: number
    readonly retryAfterMsMax: number
    readonly leftMs: number
    readonly chance: number
  },
): number | undefined {
  if (!(error instanceof ProviderError) || !error.isRetryable || attempt >= limits.retries) return undefined
  const delayMs = error.retryAfterMs ?? backoffMs(attempt, limits.chance)
  // What would end in a time-out, or after longer than anybody wants to wait, is told at once.
  return delayMs > limits.retryAfterMsMax || delayMs >= limits.leftMs ? undefined : delayMs
}
