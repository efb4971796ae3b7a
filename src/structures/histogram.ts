/**
 * A histogram with fixed buckets: how many values fell at or below each bound, how many there were, and their sum. Recording is a
 * look at a few numbers and two additions; nothing is allocated. Bounds are chosen when it is made and never change, so that
 * histograms of one name can be added up, over labels and over programs.
 *
 *     const durations = new Histogram(durationBoundsMs)
 *     durations.record(12.5)
 *     durations.quantile(0.99)    // the bound that 99 % of the values did not pass
 */

/** Bounds in milliseconds, for what takes from a tenth of a millisecond to a minute. */
export const durationBoundsMs: readonly number[] = [
  0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000, 60_000,
]

/** Most bounds that a histogram may have. */
export const BOUNDS_MAX = 64

export class Histogram {
  readonly bounds: readonly number[]
  /** How many values fell into each bucket, one more than there are bounds: the last holds what passed them all. */
  readonly buckets: Float64Array
  count = 0
  sum = 0

  /** Throws a `TypeError` unless `bounds` are 1 to `BOUNDS_MAX` finite numbers, each above the one before. */
  constructor(bounds: readonly number[]) {
    const isRising = bounds.every((bound, at) => Number.isFinite(bound) && (at === 0 || bound > (bounds[at - 1] ?? 0)))
    if (bounds.length === 0 || bounds.length > BOUNDS_MAX || !isRising) {
      throw new TypeError(`Histogram: bounds must be 1 to ${BOUNDS_MAX} rising numbers, got [${bounds.join(', ')}].`)
    }
    this.bounds = bounds
    this.buckets = new Float64Array(bounds.length + 1)
  }

  /** Counts `value`. What is no number is left out. */
  record(value: number): void {
    const { bounds } = this
    let low = 0
    let high = bounds.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (value <= (bounds[middle] as number)) high = middle
      else low = middle + 1
    }
    // Not a number passes no comparison; it must not spoil the sum for good.
    if (Number.isNaN(value)) return
    ;(this.buckets[low] as number)++
    this.count++
    this.sum += value
  }

  /** How many values are at or below each bound, and at the end how many there are. */
  cumulative(): number[] {
    let sum = 0
    return Array.from(this.buckets, (count) => (sum += count))
  }

  /** The least bound that `share` (0 to 1) of the values did not pass; Infinity when they passed all, 0 without values. */
  quantile(share: number): number {
    if (this.count === 0) return 0
    const wanted = Math.max(1, Math.ceil(share * this.count))
    let sum = 0
    for (const [at, count] of this.buckets.entries()) {
      sum += count
      if (sum >= wanted) return this.bounds[at] ?? Number.POSITIVE_INFINITY
    }
    return Number.POSITIVE_INFINITY
  }
}
