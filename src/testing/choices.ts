/**
 * The choices of one kind in a run: drawn and noted when the run is new, read from the schedule when it is repeated. Only
 * those that differ from the default are kept.
 */
import type { Choice } from './schedule.ts'

/** A choice, and how long the trace was when it was made: the next line tells what it brought about. */
export interface NotedChoice extends Choice {
  readonly line: number
}

export class Choices {
  readonly noted: NotedChoice[] = []
  /** More were made than are kept: the run cannot be written down. */
  isOverfull = false
  private readonly planned: ReadonlyMap<number, number> | null
  private readonly max: number
  private count = 0

  /** With a plan, what it does not name is the default. `max` bounds what is kept. */
  constructor(plan: readonly Choice[] | undefined, max: number) {
    this.planned = plan === undefined ? null : new Map(plan.map(({ at, value }) => [at, value]))
    this.max = max
  }

  /** The next choice, from 0 to `most`: `draw()` in a new run. It is not noted yet. */
  next(most: number, draw: () => number): Choice {
    const at = this.count++
    const value = this.planned === null ? draw() : Math.min(this.planned.get(at) ?? 0, most)
    return { at, value }
  }

  /** Keeps a choice that had an effect. */
  note({ at, value }: Choice, line: number): void {
    if (value === 0) return
    if (this.noted.length < this.max) this.noted.push({ at, value, line })
    else this.isOverfull = true
  }
}
