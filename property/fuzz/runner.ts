/**
 * Runs one target: its regressions, then fresh inputs of the right structure and mutations of all that is in the pool, each
 * timed. What fails is shrunk; what is slow is tried again alone, since a busy machine makes anything slow once.
 *
 *     const outcome = await fuzz(target, { cases: 100_000, seed: 7 })
 *     outcome.faults          // [] when every law held
 */
import { readFileSync } from 'node:fs'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import fc from 'fast-check'
import { Chance } from './chance.ts'
import { recordings, regressions } from './corpus.ts'
import { INPUT_BYTES_MAX, mutated } from './mutate.ts'
import { shrunk } from './shrink.ts'
import type { Bench, Target } from './target.ts'

/** Milliseconds that one case may take. */
export const CASE_MS_MAX = 100
/** Milliseconds of a case that counts as slow for this target. */
const caseMsMax = ({ patienceMs = 0 }: Target): number => CASE_MS_MAX + patienceMs
/** Bytes by which the heap may have grown over a run, after its first part and both times collected. */
export const HEAP_GROWTH_BYTES_MAX = 8 * 1_048_576
/** Inputs kept to be mutated. */
const POOL_MAX = 1_024
/** Longest input that is kept: long ones are made anew by mutations, and would slow all others down. */
const POOL_BYTES_MAX = 4_096
/** Of so many cases one is fresh, the others are mutations. */
const FRESH_EVERY = 16
const FRESH_AT_ONCE = 64
/** Ways through a target that are told apart. */
const WAYS_MAX = 4_096
/** Tries of a slow case: it counts as slow when all of them are. */
const SLOW_TRIES = 4
const FAULTS_MAX = 5
/** The part of a run after which the heap is first looked at: caches are full by then. */
const WARM_UP = 0.25

export interface FuzzOptions {
  readonly cases: number
  readonly seed: number
  /** Told of each input before it is read: whoever watches from another thread knows what hangs. */
  readonly beginning?: (input: Buffer) => void
  /** Ends the run early. */
  readonly isOver?: () => boolean
}

export interface Fault {
  readonly kind: 'broken' | 'slow' | 'leak'
  readonly message: string
  /** Shrunk; absent for what no single case brings about. */
  readonly input?: Buffer
}

export interface Outcome {
  readonly target: string
  readonly seed: number
  readonly cases: number
  readonly elapsedMs: number
  readonly slowestMs: number
  /** The slowest case's length in bytes. */
  readonly slowestBytes: number
  /** Ways through the target that were seen. */
  readonly ways: number
  readonly heapGrowthBytes: number
  readonly faults: readonly Fault[]
}

export async function fuzz(target: Target, options: FuzzOptions): Promise<Outcome> {
  const run = new Run(target, options)
  return run.all()
}

class Run {
  private readonly target: Target
  private readonly options: FuzzOptions
  private readonly chance: Chance
  private readonly pool: Buffer[] = []
  private fresh: Buffer[] = []
  private freshSeed: number
  private readonly ways = new Set<string>()
  private readonly faults: Fault[] = []
  private bench: Bench | undefined
  private slowestMs = 0
  private slowestBytes = 0
  private done = 0
  private heapBefore = 0

  constructor(target: Target, options: FuzzOptions) {
    this.target = target
    this.options = options
    this.chance = new Chance(options.seed)
    this.freshSeed = options.seed
  }

  async all(): Promise<Outcome> {
    const { target, options } = this
    const startedAt = performance.now()
    this.bench = await target.open()
    for (const input of regressions(target.name)) await this.case(input)
    this.pool.push(...recordings(target.recordings ?? []))
    for (const input of this.pool.slice()) if (this.done < options.cases) await this.case(input)
    const warm = Math.max(this.done, Math.floor(options.cases * WARM_UP))
    await this.lanes(warm)
    this.heapBefore = heapBytes()
    await this.lanes(options.cases)
    const heapGrowthBytes = heapBytes() - this.heapBefore
    if (heapGrowthBytes > HEAP_GROWTH_BYTES_MAX) {
      this.faults.push({ kind: 'leak', message: `The heap grew by ${heapGrowthBytes} bytes over the run.` })
    }
    await this.close()
    return {
      target: target.name,
      seed: options.seed,
      cases: this.done,
      elapsedMs: performance.now() - startedAt,
      slowestMs: this.slowestMs,
      slowestBytes: this.slowestBytes,
      ways: this.ways.size,
      heapGrowthBytes,
      faults: this.faults,
    }
  }

  private get isOver(): boolean {
    return this.faults.length >= FAULTS_MAX || this.options.isOver?.() === true
  }

  /** Runs cases until `until` of them are done, as many at once as the target takes. */
  private async lanes(until: number): Promise<void> {
    const lane = async (): Promise<void> => {
      while (this.done < until && !this.isOver) {
        const running = this.case(this.next())
        if (running !== undefined) await running
      }
    }
    await Promise.all(Array.from({ length: this.target.lanes ?? 1 }, lane))
  }

  private next(): Buffer {
    const { pool, chance } = this
    if (pool.length === 0 || this.done % FRESH_EVERY === 0) {
      const input = this.freshInput()
      this.keep(input)
      return input
    }
    return mutated(chance.of(pool), chance.of(pool), chance, this.target.bytesMax)
  }

  private keep(input: Buffer): void {
    const { pool, chance } = this
    if (input.length > POOL_BYTES_MAX) return
    if (pool.length < POOL_MAX) pool.push(input)
    else pool[chance.below(POOL_MAX)] = input
  }

  private freshInput(): Buffer {
    let input = this.fresh.pop()
    if (input === undefined) {
      this.freshSeed = (Math.imul(this.freshSeed, 1_664_525) + 1_013_904_223) | 0
      const made = fc.sample(this.target.seeds, { seed: this.freshSeed, numRuns: FRESH_AT_ONCE })
      this.fresh = made.map((one) => Buffer.from(one as string))
      input = this.fresh.pop() as Buffer // there are as many as were asked for
    }
    const bytesMax = this.target.bytesMax ?? INPUT_BYTES_MAX
    return input.length > bytesMax ? input.subarray(0, bytesMax) : input
  }

  /** One case; a promise only where the target needs one. */
  private case(input: Buffer): Promise<void> | undefined {
    this.done++
    this.options.beginning?.(input)
    const startedAt = performance.now()
    let way: string | undefined | Promise<string | undefined>
    try {
      way = this.bench?.run(input)
    } catch (error) {
      return this.failed(input, error)
    }
    if (way instanceof Promise) {
      return way.then(
        (found) => this.passed(input, found, performance.now() - startedAt),
        (error) => this.failed(input, error),
      )
    }
    return this.passed(input, way, performance.now() - startedAt)
  }

  private passed(input: Buffer, way: string | undefined, elapsedMs: number): Promise<void> | undefined {
    if (way !== undefined && this.ways.size < WAYS_MAX && !this.ways.has(way)) {
      this.ways.add(way)
      this.keep(Buffer.from(input))
    }
    if (elapsedMs <= this.slowestMs) return undefined
    if (elapsedMs > caseMsMax(this.target)) return this.slow(input, elapsedMs)
    this.slowestMs = elapsedMs
    this.slowestBytes = input.length
    return undefined
  }

  /** What took too long is tried again: what is left is its own. */
  private async slow(input: Buffer, firstMs: number): Promise<void> {
    const max = caseMsMax(this.target)
    let least = firstMs
    for (let tries = 1; tries < SLOW_TRIES && least > max; tries++) {
      least = Math.min(least, await this.timed(input))
    }
    if (least > this.slowestMs) {
      this.slowestMs = least
      this.slowestBytes = input.length
    }
    if (least <= max) return
    const small = await shrunk(input, async (candidate) => (await this.timed(candidate)) > max)
    this.faults.push({ kind: 'slow', message: `A case took ${Math.round(least)} ms each time.`, input: small })
  }

  private async timed(input: Buffer): Promise<number> {
    const bench = await this.target.open()
    let least = Number.POSITIVE_INFINITY
    // Twice: what the first case of all makes ready is not the input's.
    for (let round = 0; round < 2; round++) {
      const controlMs = await spent(bench, Buffer.alloc(0))
      least = Math.min(least, (await spent(bench, input)) - controlMs)
    }
    await settle(bench)
    return least
  }

  private async failed(input: Buffer, error: unknown): Promise<void> {
    const small = await shrunk(input, async (candidate) => {
      const again = await this.faultOf(candidate)
      return again !== undefined && kindOf(again) === kindOf(error)
    })
    const told = (await this.faultOf(small)) ?? error
    const message = told instanceof Error ? (told.stack ?? told.message) : String(told)
    if (this.faults.some((fault) => fault.input?.equals(small) === true)) return
    this.faults.push({ kind: 'broken', message, input: small })
  }

  private async faultOf(input: Buffer): Promise<unknown> {
    const bench = await this.target.open()
    try {
      await bench.run(Buffer.from(input))
    } catch (error) {
      return error
    } finally {
      await settle(bench)
    }
    return undefined
  }

  private async close(): Promise<void> {
    try {
      await this.bench?.close?.()
    } catch (error) {
      this.faults.push({ kind: 'leak', message: error instanceof Error ? error.message : String(error) })
    }
  }
}

/**
 * Milliseconds that one case takes. What waits for nothing is judged by the processor's time where the system tells it; of what
 * waits, an empty input waits as well, and is the measure of how busy the machine is.
 */
async function spent(bench: Bench, input: Buffer): Promise<number> {
  const startedAt = performance.now()
  const busyBefore = busyMs()
  try {
    const running = bench.run(input)
    if (!(running instanceof Promise)) return input.length === 0 ? 0 : busyMs() - busyBefore
    await running
  } catch {
    // How long it takes is the question here.
  }
  return performance.now() - startedAt
}

/** Two faults are one when their kind and the beginning of their sentence are. */
function kindOf(error: unknown): string {
  return error instanceof Error ? `${error.name} ${error.message.split('|', 1)[0]?.slice(0, 80)}` : typeof error
}

async function settle(bench: Bench): Promise<void> {
  try {
    await bench.close?.()
  } catch {
    // A single case says nothing of leaks.
  }
}

/** Milliseconds that this thread has had a processor, or simply the time where the system does not say. */
function busyMs(): number {
  try {
    return Number(readFileSync('/proc/thread-self/schedstat', 'utf8').split(' ')[0]) / 1e6
  } catch {
    return performance.now()
  }
}

let collect: (() => void) | undefined

/** The heap of this thread after a collection. */
export function heapBytes(): number {
  if (collect === undefined) {
    setFlagsFromString('--expose-gc')
    collect = runInNewContext('gc') as () => void
  }
  for (let round = 0; round < 3; round++) collect()
  return process.memoryUsage().heapUsed
}
