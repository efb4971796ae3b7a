/**
 * Token buckets by key, as many as the table may hold: with one more, the one that was used least recently is forgotten. Somebody
 * who comes with many keys (addresses, sessions) so takes a bounded amount of memory; what he wins is a full bucket for a key
 * that was not used for as long as it took to use `max` others.
 */
import { fullBucket, isFull, type Rate, returnToken, type TokenBucket, takeToken } from './token-bucket.ts'

export class BucketTable {
  readonly rate: Rate
  readonly max: number
  /** Least recently used first. */
  private readonly buckets = new Map<string, TokenBucket>()

  constructor(rate: Rate, max: number) {
    this.rate = rate
    this.max = max
  }

  get size(): number {
    return this.buckets.size
  }

  /** As `takeToken`, from the bucket of `key`. */
  take(key: string, nowMs: number, count = 1): number {
    const { buckets } = this
    let bucket = buckets.get(key)
    if (bucket === undefined) {
      if (buckets.size >= this.max) {
        const [oldest] = buckets.keys()
        if (oldest !== undefined) buckets.delete(oldest)
      }
      bucket = fullBucket(this.rate, nowMs)
    } else buckets.delete(key)
    buckets.set(key, bucket)
    return takeToken(bucket, this.rate, nowMs, count)
  }

  /** As `returnToken`, to the bucket of `key`. */
  giveBack(key: string, count = 1): void {
    const bucket = this.buckets.get(key)
    if (bucket !== undefined) returnToken(bucket, this.rate, count)
  }

  /** Forgets the buckets that are full by now, looking at `most` of them, least recently used first. Returns how many went. */
  sweep(nowMs: number, most = Number.POSITIVE_INFINITY): number {
    let looked = 0
    let gone = 0
    for (const [key, bucket] of this.buckets) {
      if (looked++ >= most) break
      if (!isFull(bucket, this.rate, nowMs)) continue
      this.buckets.delete(key)
      gone++
    }
    return gone
  }
}
