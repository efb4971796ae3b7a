/**
 * A simulation is a system whose time, chance and order of events come from a seed: a run can be repeated exactly, and an
 * hour passes in no time.
 *
 *     const sim = createSimulation({ seed: 42 })
 *     const counter = await sim.start(Counter, 0)
 *     await sim.run(counter.call('add', 5))      // drives the world until the promise is done
 *     await sim.advance(60_000)                  // a minute, timers firing in order
 *     console.log(sim.trace.join('\n'))
 */
import type {
  Clock,
  Definition,
  EventSink,
  ExitReason,
  Random,
  StartArguments,
  StartedRef,
  StartOptions,
} from '#runtime'
import { afterMicrotasks } from '#runtime/scheduler'
import { System, type SystemOptions } from '#runtime/system'
import type { UpgradeOptions, UpgradeReport } from '#runtime/upgrade'
import { Choices } from './choices.ts'
import { explain } from './explain.ts'
import { type Chances, type Chaos, Faults, type PointFault } from './faults.ts'
import { formatSchedule, parseSchedule, type Schedule } from './schedule.ts'
import { createRandom } from './seeded-random.ts'
import { SeededScheduler } from './seeded-scheduler.ts'
import { type Before, Trace } from './trace.ts'
import { VirtualClock } from './virtual-clock.ts'

export interface SimulationOptions {
  /** Any number; the same one repeats the run. Needed unless `replay` is given. */
  readonly seed?: number
  /** The `schedule` of another run, which is repeated step by step: `seed`, `faults` and `chaos` are then those of that run. */
  readonly replay?: string
  /** What goes wrong, such as 'crash counter@3' or 'kill session@1000ms'; see `parseFault`. */
  readonly faults?: readonly string[]
  /** Crashes and kills by chance. */
  readonly chaos?: Chaos
  /** Gets the kernel's events too. */
  readonly events?: EventSink
  /** Turns between two rests, after which a world that does not come to rest is stopped; default 1 000 000. */
  readonly turnsMax?: number
  /** Lines kept in `trace`; default 100 000; 0 for none. */
  readonly traceLinesMax?: number
  /** Choices kept for `schedule`; default 1 000 000. */
  readonly choicesMax?: number
}

export interface Simulation {
  readonly seed: number
  /** The simulated system; its name, and so the prefix of its pids, is 'sim'. */
  readonly system: System
  readonly clock: Clock
  readonly random: Random
  /** What happened so far, the same for the same seed, byte for byte. */
  readonly trace: readonly string[]
  /**
   * All that this run has left to chance so far, as a line: `createSimulation({ replay: sim.schedule })` repeats it. Throws
   * when there was more of it than `choicesMax`.
   */
  readonly schedule: string
  /** The schedule in words, one line for each thing that differs from first come, first served. */
  explain(): string[]
  /**
   * Asks whether something goes wrong at the fault point `point` now, which is one more passage of it: for wrappers around what
   * a simulation does not own, such as a transport or a store.
   */
  fault(point: string, chances?: Chances): PointFault
  /** Starts a process and settles until its `init` is done; rejects as `system.start` does. */
  start<D extends Definition>(definition: D, ...rest: StartArguments<D>): Promise<StartedRef<D>>
  /** Lets `ms` virtual milliseconds pass: settles, then fires the timers that fall due in order, settling after each. */
  advance(ms: number): Promise<void>
  /** Runs until nothing is runnable. A process that waits for a timer, or for a promise from outside, does not hold it. */
  settle(): Promise<void>
  /**
   * Runs until `promise` is done and returns its outcome; when the world is at rest before that, time goes to the next timer.
   * Rejects when no timer is left either: then the promise waits for something outside the simulation.
   */
  run<T>(promise: PromiseLike<T>): Promise<T>
}

/** Timers that one `run` fires at most before it gives up. */
const RUN_TIMERS_MAX = 1_000_000

/** Creates a simulation. It keeps no timer of the real clock and needs no stop. */
export function createSimulation(options: SimulationOptions): Simulation {
  const { events, turnsMax = 1_000_000, traceLinesMax = 100_000, choicesMax = 1_000_000 } = options
  const replayed: Schedule | undefined = options.replay === undefined ? undefined : parseSchedule(options.replay)
  const seed = replayed?.seed ?? options.seed ?? Number.NaN
  if (!Number.isFinite(seed))
    throw new TypeError(`createSimulation: seed must be a finite number, got ${String(options.seed)}.`)
  const clock = new VirtualClock()
  const random = createRandom(seed)
  const trace = new Trace(clock, traceLinesMax)
  const picks = new Choices(replayed?.picks, choicesMax)
  const turns = new Choices(replayed?.turns, choicesMax)
  const scheduler = new SeededScheduler({
    random: createRandom(seed, 1),
    turnsMax,
    picks,
    turns,
    line: () => trace.lines.length,
  })
  const faults = new Faults({
    plan: replayed?.faults ?? options.faults ?? [],
    random: replayed === undefined ? createRandom(seed, 2) : undefined,
    chaos: options.chaos,
    trace,
    max: choicesMax,
  })
  const system = new SimulatedSystem(trace, faults, {
    name: 'sim',
    clock,
    random,
    scheduler,
    events: (event) => {
      trace.noteEvent(event)
      events?.(event)
    },
  })
  faults.setTimes(system)

  const settle = async (): Promise<void> => {
    await afterMicrotasks()
    if (scheduler.rest()) return
    throw new Error(
      `The simulation (seed ${seed}) did not come to rest within ${turnsMax} turns: processes keep sending to each other. ` +
        `Its last lines: ${trace.lines.slice(-4).join(' | ')}.`,
    )
  }

  const advance = async (ms: number): Promise<void> => {
    if (!(ms >= 0)) throw new TypeError(`advance: milliseconds must be a number >= 0, got ${String(ms)}.`)
    await settle()
    const end = clock.now() + ms
    while (clock.nextDeadline <= end) {
      clock.fireNext()
      await settle()
    }
    clock.goTo(end)
  }

  const run = async <T>(promise: PromiseLike<T>): Promise<T> => {
    let outcome: { readonly value: T } | { readonly error: unknown } | undefined
    promise.then(
      (value) => {
        outcome = { value }
      },
      (error: unknown) => {
        outcome = { error }
      },
    )
    await settle()
    for (let fired = 0; outcome === undefined; fired++) {
      if (clock.nextDeadline === Number.POSITIVE_INFINITY || fired >= RUN_TIMERS_MAX) {
        throw new Error(
          `run (seed ${seed}): the promise is not done at ${clock.now()} ms, ${fired === 0 ? '' : `after ${fired} timers, `}` +
            'and nothing in the simulation will settle it. It waits for something outside.',
        )
      }
      clock.fireNext()
      await settle()
    }
    // TypeScript does not see the assignments above.
    const done = outcome as { readonly value: T } | { readonly error: unknown }
    if ('error' in done) throw done.error
    return done.value
  }

  return {
    seed,
    system,
    clock,
    random,
    trace: trace.lines,
    get schedule() {
      if (picks.isOverfull || turns.isOverfull || faults.isOverfull) {
        throw new Error(
          `The simulation (seed ${seed}) made more than ${choicesMax} choices, so it has no schedule. Its seed repeats it; or ` +
            'raise choicesMax.',
        )
      }
      const happened = faults.fired.map(({ spec }) => spec)
      return formatSchedule({ seed, picks: picks.noted, turns: turns.noted, faults: happened })
    },
    explain: () => explain({ seed, picks: picks.noted, turns: turns.noted, faults: faults.fired, trace: trace.lines }),
    fault: (point, chances = {}) => faults.at(point, chances),
    start: (definition, ...rest) => run(system.start(definition, ...rest)),
    advance,
    settle,
    run,
  }
}

class SimulatedSystem extends System {
  private readonly trace: Trace
  private readonly before: Before | undefined
  private readonly followed = new WeakMap<Definition, Definition>()

  constructor(trace: Trace, faults: Faults, options: SystemOptions) {
    super(options)
    this.trace = trace
    this.before = faults.concernProcesses ? faults.before : undefined
  }

  override spawn(
    parent: Parameters<System['spawn']>[0],
    definition: Definition,
    arg: unknown,
    options?: StartOptions,
  ): ReturnType<System['spawn']> {
    return super.spawn(parent, this.follow(definition), arg, options)
  }

  override upgrade(definition: Definition, options?: UpgradeOptions): Promise<UpgradeReport>
  override upgrade(definitions: readonly Definition[], options?: UpgradeOptions): Promise<UpgradeReport[]>
  override upgrade(
    given: Definition | readonly Definition[],
    options?: UpgradeOptions,
  ): Promise<UpgradeReport | UpgradeReport[]> {
    // What is no definition is refused by the upgrade itself.
    const follow = (one: Definition): Definition => (typeof one?.init === 'function' ? this.follow(one) : one)
    if (isList(given)) return super.upgrade(given.map(follow), options)
    return super.upgrade(follow(given), options)
  }

  override remove(process: Parameters<System['remove']>[0], reason: ExitReason): void {
    super.remove(process, reason)
    this.trace.noteEnd(process.pid, reason)
  }

  private follow(definition: Definition): Definition {
    let followed = this.followed.get(definition)
    if (followed === undefined) {
      followed = this.trace.follow(definition, this.before)
      this.followed.set(definition, followed)
    }
    return followed
  }
}

function isList(given: Definition | readonly Definition[]): given is readonly Definition[] {
  return Array.isArray(given)
}
