// Question: what does the kernel cost per message, call, life and crash, beside a bare loop and a bare kernel?
// Goal: ratios on one machine in one run; the kernel's target is at most twice the bare kernel.
// Non-goal: absolute numbers. CPU time is counted, not wall time, since the machine is shared.
//
// Each scenario and library runs in a process of its own, and the libraries take turns, pass after pass. The least of
// all runs is the figure least disturbed by others; the median is beside it.
import { spawn } from 'node:child_process'
import { type ScenarioName, scenarios } from './kernel-library.ts'
import { built, root } from './paths.ts'
import { median } from './statistics.ts'

export const kernelLibraries = ['bare loop', 'bare kernel', 'bough'] as const
export type KernelLibrary = (typeof kernelLibraries)[number]

export interface KernelSize {
  /** Processes for each scenario and library. */
  readonly passes: number
  /** Measured runs in each process, after two that only warm it up. */
  readonly runs: number
  readonly operations: Readonly<Record<ScenarioName, number>>
}

export const kernelSizes: Readonly<Record<'small' | 'large', KernelSize>> = {
  small: {
    passes: 1,
    runs: 1,
    operations: {
      tell: 5_000,
      call: 1_000,
      'call-1000': 2_000,
      'start-stop': 500,
      'ping-pong': 5_000,
      'fan-out': 5_000,
      crash: 100,
      heap: 1_000,
    },
  },
  large: {
    passes: 3,
    runs: 5,
    operations: {
      tell: 1_000_000,
      call: 300_000,
      'call-1000': 500_000,
      'start-stop': 100_000,
      'ping-pong': 1_000_000,
      'fan-out': 1_000_000,
      crash: 10_000,
      heap: 100_000,
    },
  },
}

/** One scenario on one library: CPU nanoseconds per operation, or bytes per idle actor. */
export interface KernelRow {
  readonly scenario: string
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
  const args = ['--expose-gc', built('kernel-child.js'), library, scenario, `${operations}`, `${runs}`]
  const child = spawn(process.execPath, args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] })
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

/** Measures every scenario on every wanted library; rows in the order of the scenarios, then of the libraries. */
export async function measureKernel(
  size: KernelSize,
  isWanted: (library: string) => boolean = () => true,
): Promise<KernelRow[]> {
  const rows: KernelRow[] = []
  const libraries = kernelLibraries.filter(isWanted)
  for (const { name, title } of scenarios) {
    const operations = size.operations[name]
    const samples = new Map(libraries.map((library) => [library, [] as number[]]))
    let checksum = 0
    for (let pass = 0; pass < size.passes; pass += 1) {
      for (const [library, taken] of samples) {
        const report = await runChild(library, name, operations, size.runs)
        taken.push(...report.perOperation)
        if (report.perOperation.length > 0) checksum = report.checksum
      }
    }
    for (const [library, taken] of samples) {
      if (taken.length === 0) continue // the scenario does not apply to the library
      rows.push({ scenario: title, library, least: Math.min(...taken), median: median(taken), operations, checksum })
    }
  }
  return rows
}
