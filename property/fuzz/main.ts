// The fuzz command:
// `npm run fuzz -- [--cases n] [--seed s] [--target name,name] [--threads n] [--replay file --target name] [--record]`.
// Spreads the cases over the targets by their weights, runs them on a thread per core, and prints a row for each: cases, cases
// per second, the slowest case, ways seen. What fails is shrunk, printed, and kept below corpus/regressions. Ends with 1 when
// something failed.
import { readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { parseArgs } from 'node:util'
import { keepRegression } from './corpus.ts'
import type { Fault, Outcome } from './runner.ts'
import { targetNamed, targets } from './targets/index.ts'
import { runJobs } from './threads.ts'
import type { Job } from './worker.ts'

const CASES = 1_000_000
/** Cases of one job: a target's share is cut, so that the threads end together. */
const JOB_CASES_MAX = 250_000

const { values } = parseArgs({
  options: {
    cases: { type: 'string' },
    seed: { type: 'string' },
    target: { type: 'string' },
    threads: { type: 'string' },
    replay: { type: 'string' },
    record: { type: 'boolean', default: false },
  },
})

function positive(name: 'cases' | 'seed' | 'threads', fallback: number): number {
  const text = values[name]
  if (text === undefined) return fallback
  const value = Number(text)
  if (Number.isSafeInteger(value) && value > 0) return value
  throw new Error(`--${name} must be a positive integer, got: ${text}`)
}

function plan(cases: number, seed: number): Job[] {
  const chosen = values.target === undefined ? targets : values.target.split(',').map(targetNamed)
  const weights = chosen.reduce((sum, { weight }) => sum + weight, 0)
  const jobs: Job[] = []
  for (const [index, { name, weight }] of chosen.entries()) {
    let left = Math.ceil((cases * weight) / weights)
    for (let part = 0; left > 0; part++) {
      const own = Math.min(left, JOB_CASES_MAX)
      jobs.push({ target: name, cases: own, seed: (seed + index * 7_919 + part * 104_729) >>> 0 })
      left -= own
    }
  }
  // The slow ones first, so that no thread is left alone with them at the end.
  const weightOf = (name: string): number => targetNamed(name).weight
  return jobs.sort((one, other) => weightOf(one.target) - weightOf(other.target))
}

function tell({ kind, message, input }: Fault, target: string): void {
  console.log(`\n${target}: ${kind}: ${message}`)
  if (input === undefined) return
  const bytes = Buffer.from(input)
  console.log(`  input (${bytes.length} bytes): ${JSON.stringify(bytes.toString('latin1').slice(0, 2_000))}`)
  console.log(`  kept as ${keepRegression(target, bytes)}`)
}

/** The outcomes of one target as one row. */
function row(name: string, outcomes: readonly Outcome[]): string {
  const sum = (of: (one: Outcome) => number): number => outcomes.reduce((total, one) => total + of(one), 0)
  const most = (of: (one: Outcome) => number): number => Math.max(...outcomes.map(of))
  const slowest = outcomes.find((one) => one.slowestMs === most((other) => other.slowestMs))
  const cells = [
    name.padEnd(16),
    String(sum((one) => one.cases)).padStart(10),
    String(Math.round((1_000 * sum((one) => one.cases)) / sum((one) => one.elapsedMs))).padStart(9),
    `${most((one) => one.slowestMs).toFixed(1)} ms of ${slowest?.slowestBytes ?? 0} B`.padStart(20),
    String(most((one) => one.ways)).padStart(6),
    `${(most((one) => one.heapGrowthBytes) / 1_048_576).toFixed(1)} MiB`.padStart(10),
    String(sum((one) => one.faults.length)).padStart(7),
  ]
  return cells.join('  ')
}

async function main(): Promise<number> {
  if (values.record) {
    const { record } = await import('./record.ts')
    for (const file of await record()) console.log(file)
    return 0
  }
  if (values.replay !== undefined) return replay(values.replay)
  const cases = positive('cases', CASES)
  const seed = positive('seed', 1)
  const threads = positive('threads', availableParallelism())
  const jobs = plan(cases, seed)
  const outcomes: Outcome[] = []
  const startedAt = performance.now()
  console.log(`${cases} cases, seed ${seed}, ${threads} threads, Node ${process.version}`)
  await runJobs(jobs, threads, (outcome) => {
    outcomes.push(outcome)
    for (const fault of outcome.faults) tell(fault, outcome.target)
  })
  const head = [
    'target'.padEnd(16),
    'cases'.padStart(10),
    'cases/s'.padStart(9),
    'slowest'.padStart(20),
    'ways'.padStart(6),
  ]
  console.log(`\n${[...head, 'heap grew'.padStart(10), 'faults'.padStart(7)].join('  ')}`)
  for (const { name } of targets) {
    const own = outcomes.filter(({ target }) => target === name)
    if (own.length > 0) console.log(row(name, own))
  }
  const total = outcomes.reduce((sum, one) => sum + one.cases, 0)
  const faults = outcomes.reduce((sum, one) => sum + one.faults.length, 0)
  const seconds = (performance.now() - startedAt) / 1_000
  console.log(`\n${total} cases in ${seconds.toFixed(1)} s (${Math.round(total / seconds)}/s): ${faults} faults`)
  return faults === 0 ? 0 : 1
}

/** One kept input alone, with its fault in full. */
async function replay(file: string): Promise<number> {
  if (values.target === undefined) throw new Error('--replay needs --target: which one is to read the file?')
  const bench = await targetNamed(values.target).open()
  const startedAt = performance.now()
  console.log(await bench.run(readFileSync(file)), `${(performance.now() - startedAt).toFixed(1)} ms`)
  await bench.close?.()
  return 0
}

process.exitCode = await main().catch((error: unknown) => {
  console.error(error instanceof Error ? (error.stack ?? error.message) : error)
  return 1
})
