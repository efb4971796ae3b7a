/**
 * Faults for a server that runs, on the real clock: processes of its tree are killed, its event loop is held up, its
 * descriptors are used up, its ports fail. What is hit comes from a seed; what may be hit is said by name.
 *
 *     const app = await serve(server, { http: true })
 *     const chaos = createChaos(app.system, { seed: 7, targets: ['request', 'session'] })
 *     chaos.kill()                              // [{ pid: '...', definition: 'session' }]
 *     chaos.block(300)                          // nothing else runs for 300 ms
 *     const held = await chaos.descriptors()    // until there are none left
 *     await held.release()
 *
 * `faultyPort` and `faulty` take it where they take a simulation. In virtual time use a simulation, whose faults repeat exactly.
 */
import { type FileHandle, open } from 'node:fs/promises'
import { devNull } from 'node:os'
import type { Clock, Random, System } from '#runtime'
import type { Chances, PointFault } from './faults.ts'
import { createRandom } from './seeded-random.ts'

export interface ChaosOptions {
  /** Default 1. */
  readonly seed?: number
  /** Only processes with one of these pids, names, child ids or definitions; default all. */
  readonly targets?: readonly string[]
  /** None of these, by the same names; default none. */
  readonly spared?: readonly string[]
}

export interface Victim {
  readonly pid: string
  readonly definition: string
}

export interface HeldDescriptors {
  readonly count: number
  /** Whether there were none left, rather than `max` reached. */
  readonly areExhausted: boolean
  release(): Promise<void>
}

/** Descriptors that `descriptors` opens at most when it is not told. */
const DESCRIPTORS_MAX = 100_000
const DELAY_MS = 100

/** Faults for the processes of `system` and what is wrapped for it. */
export function createChaos(system: System, options: ChaosOptions = {}): LiveChaos {
  return new LiveChaos(system, options)
}

export class LiveChaos {
  readonly system: System
  private readonly random: Random
  private readonly options: ChaosOptions

  constructor(system: System, options: ChaosOptions) {
    this.system = system
    this.options = options
    this.random = createRandom(options.seed ?? 1)
  }

  /** Processes that may be hit now, oldest first. */
  get targets(): readonly Victim[] {
    return this.candidates().map(({ pid, definition }) => ({ pid, definition: definition.name }))
  }

  /**
   * Kills `count` processes by chance (default 1), as `ref.exit('kill')` does; fewer when there are fewer. `isChosen` narrows the
   * choice to those it is true for.
   */
  kill(count = 1, isChosen: (victim: Victim) => boolean = () => true): Victim[] {
    const victims: Victim[] = []
    while (victims.length < count) {
      const left = this.candidates().filter(({ pid, definition }) => isChosen({ pid, definition: definition.name }))
      const process = left[Math.floor(this.random.next() * left.length)]
      if (process === undefined) break
      victims.push({ pid: process.pid, definition: process.definition.name })
      process.receiveExit(null, null, 'kill', false)
    }
    return victims
  }

  /** Holds up the event loop for `ms` milliseconds: no timer, no socket, no process runs meanwhile. */
  block(ms: number): void {
    for (const until = performance.now() + ms; performance.now() < until; );
  }

  /** Opens files until there are no descriptors left for this program, or `max` are held. */
  async descriptors(max = DESCRIPTORS_MAX): Promise<HeldDescriptors> {
    const held: FileHandle[] = []
    let areExhausted = false
    try {
      while (held.length < max) held.push(await open(devNull))
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      areExhausted = code === 'EMFILE' || code === 'ENFILE'
      if (!areExhausted) throw error
    }
    return {
      count: held.length,
      areExhausted,
      release: async () => {
        await Promise.all(held.splice(0).map((file) => file.close()))
      },
    }
  }

  /** What happens at a fault point now: for `faultyPort` and `faulty`. */
  fault(_point: string, chances: Chances = {}): PointFault {
    let chance = this.random.next()
    for (const kind of ['drop', 'duplicate', 'fail', 'delay'] as const) {
      const probability = chances[kind] ?? 0
      if (chance < probability) {
        const delayMs = kind === 'delay' ? 1 + Math.floor(this.random.next() * (chances.delayMs ?? DELAY_MS)) : 0
        return { kind, delayMs }
      }
      chance -= probability
    }
    return undefined
  }

  private candidates() {
    const { targets, spared = [] } = this.options
    return this.system.allProcesses().filter((process) => {
      const names = [process.pid, process.definition.name, process.childId, ...process.registeredNames]
      const isNamed = (some: readonly string[]): boolean => some.some((one) => names.includes(one))
      return (targets === undefined || isNamed(targets)) && !isNamed(spared)
    })
  }
}

/** A clock that can be moved: what the people who set clocks, and machines that sleep, do to a server. */
export interface JumpingClock extends Clock {
  /**
   * Moves the time of day by `wallMs`, either way, and the monotonic time by `monotonicMs`, forward alone: a machine that slept.
   * Timers that run keep what they have left.
   */
  jump(wallMs: number, monotonicMs?: number): void
}

/** `base` with jumps. `jump` throws a `RangeError` for a monotonic time that goes back. */
export function jumpingClock(base: Clock): JumpingClock {
  let [wall, monotonic] = [0, 0]
  return {
    now: () => base.now() + monotonic,
    wallNow: () => base.wallNow() + wall,
    setTimer: (callback, delayMs) => base.setTimer(callback, delayMs),
    clearTimer: (handle) => base.clearTimer(handle),
    ...(base.holdTimer !== undefined && { holdTimer: base.holdTimer }),
    jump: (wallMs, monotonicMs = 0) => {
      if (!(monotonicMs >= 0)) throw new RangeError(`jump: monotonic time never goes back, got ${monotonicMs} ms.`)
      wall += wallMs
      monotonic += monotonicMs
    },
  }
}
