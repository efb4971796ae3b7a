/**
 * From a run that fails to the shortest that still does. A schedule is made smaller piece by piece: first everything that
 * differs from first come, first served is left out, then halves of it, quarters, single choices and faults; what is left gets
 * smaller numbers. After: A. Zeller, delta debugging.
 */
import type { FaultSpec } from './fault-spec.ts'
import { type Choice, formatSchedule, parseSchedule, type Schedule } from './schedule.ts'
import { createSimulation, type Simulation, type SimulationOptions } from './simulation.ts'

export interface ShrinkOptions {
  /** Runs at most; default 1 000. */
  readonly runsMax?: number
  /** Options of the simulations beside `seed` and `replay`. */
  readonly simulation?: Omit<SimulationOptions, 'seed' | 'replay'>
}

export interface ShrunkSchedule {
  /** The shortest schedule found that fails. */
  readonly schedule: string
  /** The same in words. */
  readonly explanation: readonly string[]
  /** What it fails with. */
  readonly error: unknown
  /** Runs it took. */
  readonly runs: number
}

/**
 * Looks for the shortest schedule under which `run` fails, that is throws or rejects, starting from one that does; a seed
 * alone, 'bough1 seed=42', will do. `run` is called with a new simulation each time and must do the same each time. Rejects with
 * an Error when it does not fail at all.
 */
export async function shrinkSchedule(
  run: (sim: Simulation) => unknown,
  schedule: string,
  options: ShrinkOptions = {},
): Promise<ShrunkSchedule> {
  const { runsMax = 1_000, simulation = {} } = options
  let runs = 0
  const fails = async (given: SimulationOptions): Promise<{ sim: Simulation; error: unknown } | undefined> => {
    const sim = createSimulation({ ...simulation, ...given })
    runs++
    try {
      await run(sim)
    } catch (error) {
      return { sim, error }
    }
    return undefined
  }
  const { seed, picks, turns, faults } = parseSchedule(schedule)
  const isSeedAlone = picks.length + turns.length + faults.length === 0
  let failure = (isSeedAlone ? await fails({ seed }) : undefined) ?? (await fails({ replay: schedule }))
  if (failure === undefined) throw new Error(`shrinkSchedule: the run does not fail under ${schedule}.`)
  let size: number | undefined
  for (let isSmaller = true; isSmaller && runs < runsMax; ) {
    isSmaller = false
    for (const candidate of smallerSchedules(failure.sim.schedule, size)) {
      if (runs >= runsMax) break
      const next = await fails({ replay: candidate.schedule })
      if (next === undefined) continue
      failure = next
      size = candidate.size
      isSmaller = true
      break
    }
  }
  return { schedule: failure.sim.schedule, explanation: failure.sim.explain(), error: failure.error, runs }
}

/** A schedule to try, and the size of the pieces that are being left out. */
export interface Candidate {
  readonly schedule: string
  readonly size: number
}

type Item =
  | { readonly of: 'faults'; readonly what: FaultSpec }
  | { readonly of: 'picks' | 'turns'; readonly what: Choice }

/** Schedules that differ in less than `schedule` does, the greatest leap first. `size` is that of the last leap that worked. */
export function* smallerSchedules(schedule: string, size?: number): Generator<Candidate> {
  const parsed = parseSchedule(schedule)
  const items: Item[] = [
    ...parsed.turns.map((what) => ({ of: 'turns', what }) as const),
    ...parsed.picks.map((what) => ({ of: 'picks', what }) as const),
    ...parsed.faults.map((what) => ({ of: 'faults', what }) as const),
  ]
  const { length } = items
  for (let piece = Math.min(size ?? length, length); piece >= 1; piece = Math.floor(piece / 2)) {
    // From the end: what came last is the likeliest to be of no matter.
    for (let end = length; end > 0; end -= piece) {
      const rest = [...items.slice(0, Math.max(end - piece, 0)), ...items.slice(end)]
      yield { schedule: compose(parsed, rest), size: piece }
    }
  }
  for (const [index, item] of items.entries()) {
    for (const lower of lowered(item)) {
      yield { schedule: compose(parsed, items.with(index, lower)), size: 1 }
    }
  }
  // The data drawn from the seed may matter less than the order.
  if (parsed.seed !== 0) yield { schedule: compose({ ...parsed, seed: 0 }, items), size: 1 }
}

function lowered(item: Item): Item[] {
  if (item.of !== 'faults') {
    const { at, value } = item.what
    return [...new Set([1, value >> 1, value - 1])]
      .filter((lower) => lower >= 1 && lower < value)
      .map((lower) => ({ of: item.of, what: { at, value: lower } }))
  }
  const { delayMs } = item.what
  return [...new Set([1, Math.floor(delayMs / 2)])]
    .filter((lower) => lower >= 1 && lower < delayMs)
    .map((lower) => ({ of: 'faults', what: { ...item.what, delayMs: lower } }))
}

function compose(parsed: Schedule, items: readonly Item[]): string {
  const picks: Choice[] = []
  const turns: Choice[] = []
  const faults: FaultSpec[] = []
  for (const item of items) {
    if (item.of === 'faults') faults.push(item.what)
    else if (item.of === 'picks') picks.push(item.what)
    else turns.push(item.what)
  }
  return formatSchedule({ seed: parsed.seed, picks, turns, faults })
}

/** How far a schedule is from first come, first served without faults: things that differ. */
export function scheduleLength(schedule: string): number {
  const { picks, turns, faults } = parseSchedule(schedule)
  return picks.length + turns.length + faults.length
}
