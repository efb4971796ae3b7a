/** Whole numbers from a seed, quickly: one generator for each target, so that a run repeats. After: mulberry32. */
export class Chance {
  private state: number

  constructor(seed: number) {
    this.state = seed >>> 0
  }

  /** From 0 to `most - 1`; 0 where `most` is 0. */
  below(most: number): number {
    this.state = (this.state + 0x6d2b79f5) >>> 0
    let mixed = this.state
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296) * most)
  }

  /** One of `items`, which holds at least one. */
  of<T>(items: readonly T[]): T {
    return items[this.below(items.length)] as T
  }
}
