// Question: what does the kernel cost per message, call, life and crash, beside a bare loop, a bare kernel, other
// libraries and Erlang? And does a flood of messages delay the event loop, a kill, a suspend or a reply?
// Goal: ratios on one machine in one run; the kernel's target is at most twice the bare kernel, and not behind Erlang.
// Non-goal: absolute numbers. CPU time is counted, not wall time, since the machine is shared; only what is in
// milliseconds is wall time.
//
// Each scenario and library runs in a process of its own, and the libraries take turns, pass after pass. The least of
// all runs is the figure least disturbed by others; the median is beside it.
import { spawn, spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { type Scenario, type ScenarioName, scenarios } from './kernel-library.ts'
import { built, root } from './paths.ts'
import { median } from './statistics.ts'

interface Measured {
  readonly name: string
  /** Whether it is part of the project, one of the installed peers, or needs the Erlang of the machine. */
  readonly needs: 'nothing' | 'peers' | 'erlang'
}

export const kernelLibraries = [
  { name: 'bare loop', needs: 'nothing' },
  { name: 'bare kernel', needs: 'nothing' },
  { name: 'bough', needs: 'nothing' },
  { name: 'xstate', needs: 'peers' },
  { name: 'effect', needs: 'peers' },
  { name: 'nact', needs: 'peers' },
  { name: 'erlang', needs: 'erlang' },
] as const satisfies readonly Measured[]
export type KernelLibrary = (typeof kernelLibraries)[number]['name']

const erlangProgram = join(root, 'bench', 'erlang', 'bench.erl')

/** True when this machine has an Erlang that can run the program. */
export function haveErlang(): boolean {
  return existsSync(erlangProgram) && spawnSync('escript', [], { stdio: 'ignore' }).error === undefined
}

export interface KernelSize {
  /** Processes for each scenario and library. */
  readonly passes: number
  /** Measured runs in each process, after two that only warm it up. */
  readonly runs: number
  /** The part of the operations that a peer does: it may take ten times as long, and the figures are per operation. */
  readonly peerShare: number
  readonly operations: Readonly<Record<ScenarioName, number>>
}

export const kernelSizes: Readonly<Record<'small' | 'large', KernelSize>> = {
  small: {
    passes: 1,
    runs: 1,
    peerShare: 1,
    operations: {
      tell: 5_000,
      call: 1_000,
      'call-1000': 2_000,
      'start-stop': 500,
      'ping-pong': 5_000,
      'fan-out': 5_000,
      crash: 100,
      heap: 1_000,
      delay: 6_400,
      'kill-empty': 0,
      'kill-full': 1_000,
      'suspend-empty': 0,
      'suspend-full': 1_000,
      'reply-empty': 0,
      'reply-full': 1_000,
      'own-call-empty': 0,
      'own-call-full': 1_000,
    },
  },
  large: {
    passes: 3,
    runs: 5,
    peerShare: 0.1,
    operations: {
      tell: 1_000_000,
      call: 300_000,
      'call-1000': 500_000,
      'start-stop': 100_000,
      'ping-pong': 1_000_000,
      'fan-out': 1_000_000,
      crash: 10_000,
      heap: 100_000,
      delay: 6_400_000,
      'kill-empty': 0,
      'kill-full': 1_000_000,
      'suspend-empty': 0,
      'suspend-full': 1_000_000,
      'reply-empty': 0,
      'reply-full': 1_000_000,
      'own-call-empty': 0,
      'own-call-full': 1_000_000,
    },
  },
}

/** One scenario on one library: CPU nanoseconds per operation, bytes per idle actor, or milliseconds. */
export interface KernelRow {
  readonly scenario: string
  readonly unit: Scenario['unit']
  readonly library: KernelLibrary
  readonly least: number
  readonly median: number
  readonly operations: number
  readonly checksum: number
}

const CHILD_WITHIN_MS = 300_000

interface Report {
  readonly perOperation: readonly number[]
  readonly checksum: number
}

/** Runs one child to its end and reads its report. */
function runChild(library: KernelLibrary, scenario: ScenarioName, operations: number, runs: number): Promise<Report> {
  const what = [scenario, `${operations}`, `${runs}`]
  const [program, args] =
    library === 'erlang'
      ? ['escript', [erlangProgram, ...what]]
      : [process.execPath, ['--expose-gc', built('kernel-child.js'), library, ...what]]
  const child = spawn(program, args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] })
  const timer = setTimeout(() => child.kill('SIGKILL'), CHILD_WITHIN_MS)
  let out = ''
  let errors = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    out += text
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    errors = (errors + text).slice(-4_000)
  })
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code, signal) => {
      clearTimeout(timer)
      if (code === 0) resolve(JSON.parse(out) as Report)
      else reject(new Error(`${scenario} on ${library} ended with status ${code}, signal ${signal}:\n${errors}`))
    })
  })
}

/** The operations of a scenario for a library; idle actors and waiting messages are never fewer. */
function operationsOf(size: KernelSize, { name, unit }: Scenario, { needs }: Measured): number {
  return unit === 'ns' && needs === 'peers' ? size.operations[name] * size.peerShare : size.operations[name]
}

/** Measures every scenario on every wanted library; rows in the order of the scenarios, then of the libraries. */
export async function measureKernel(
  size: KernelSize,
  isWanted: (library: (typeof kernelLibraries)[number]) => boolean = () => true,
): Promise<KernelRow[]> {
  const rows: KernelRow[] = []
  const libraries = kernelLibraries.filter(isWanted)
  for (const scenario of scenarios) {
    const { name, title, unit } = scenario
    const samples = new Map(libraries.map((library) => [library, [] as number[]]))
    const checksums = new Map<KernelLibrary, number>()
    for (let pass = 0; pass < size.passes; pass += 1) {
      for (const [library, taken] of samples) {
        const operations = operationsOf(size, scenario, library)
        const report = await runChild(library.name, name, operations, size.runs).catch((fault: Error) => {
          if (library.needs === 'nothing') throw fault
          // Another's fault ends only its own figure.
          console.log(`NOT MEASURED in pass ${pass + 1}: ${fault.message}\n`)
          return undefined
        })
        if (report === undefined) continue
        taken.push(...report.perOperation)
        if (report.perOperation.length === 0)
          samples.delete(library) // the scenario does not apply to the library
        else if (report.checksum === scenario.checksum(operations)) checksums.set(library.name, report.checksum)
        else throw new Error(`${name} on ${library.name}: the checksum is ${report.checksum}, which is wrong.`)
      }
    }
    for (const [measured, taken] of samples) {
      if (taken.length === 0) continue
      const library = measured.name
      const least = Math.min(...taken)
      const operations = operationsOf(size, scenario, measured)
      const checksum = checksums.get(library) ?? 0
      rows.push({ scenario: title, unit, library, least, median: median(taken), operations, checksum })
    }
  }
  return rows
}
