/**
 * A token bucket: `burst` tokens at most, `perSecond` of them coming back each second; who takes one may go on. It is refilled
 * when it is looked at, so an idle one costs nothing but its two numbers, and taking costs constant time.
 *
 *     const rate = { perSecond: 100, burst: 200 }
 *     const bucket = fullBucket(rate, nowMs)
 *     const waitMs = takeToken(bucket, rate, nowMs)        // 0: taken; else when one will be there
 *
 * After: J. Turner, New directions in communications (1986), the leaky bucket as a meter.
 */
export interface Rate {
  /** Tokens that come back each second; above 0. */
  readonly perSecond: number
  /** Tokens that a bucket holds at most; at least 1. */
  readonly burst: number
}

export interface TokenBucket {
  tokens: number
  /** When `tokens` was right, in milliseconds of the caller's clock. */
  atMs: number
}

export function fullBucket({ burst }: Rate, nowMs: number): TokenBucket {
  return { tokens: burst, atMs: nowMs }
}

/**
 * Takes `count` tokens. Returns 0, or, with nothing taken, the milliseconds (above 0) until they will be there. A count above
 * the burst is taken as the burst: it would wait for ever.
 */
export function takeToken(bucket: TokenBucket, rate: Rate, nowMs: number, count = 1): number {
  refill(bucket, rate, nowMs)
  const wanted = Math.min(count, rate.burst)
  if (bucket.tokens >= wanted) {
    bucket.tokens -= wanted
    return 0
  }
  return ((wanted - bucket.tokens) / rate.perSecond) * 1_000
}

/** Gives tokens back that were taken for what was then not done. */
export function returnToken(bucket: TokenBucket, { burst }: Rate, count = 1): void {
  bucket.tokens = Math.min(bucket.tokens + Math.min(count, burst), burst)
}

/** Whether a bucket is full by now: it may be forgotten, and made anew, without a difference. */
export function isFull(bucket: TokenBucket, rate: Rate, nowMs: number): boolean {
  refill(bucket, rate, nowMs)
  return bucket.tokens >= rate.burst
}

function refill(bucket: TokenBucket, { perSecond, burst }: Rate, nowMs: number): void {
  const elapsedMs = nowMs - bucket.atMs
  // A clock that was set back gives nothing, and takes nothing either.
  if (elapsedMs <= 0) return
  bucket.tokens = Math.min(burst, bucket.tokens + (elapsedMs * perSecond) / 1_000)
  bucket.atMs = nowMs
}
