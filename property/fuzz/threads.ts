/**
 * Runs targets in threads: a thread that stands still for too long is ended, and the input that it stood on is told; the next
 * target gets a new thread.
 */
import { Worker } from 'node:worker_threads'
import { INPUT_BYTES_MAX } from './mutate.ts'
import type { Outcome } from './runner.ts'
import type { Job, Report, Shared } from './worker.ts'

/** Milliseconds without a new case after which a thread hangs; far more than a case may take, since machines are busy. */
const HANG_MS = 30_000
/** Milliseconds that a thread may take to begin. */
const START_MS = 120_000
const LOOK_MS = 1_000
/** Megabytes of heap that a thread may have: a leak ends the thread, not the machine. */
const HEAP_MB_MAX = 1_024

/** Runs the jobs on so many threads; `told` hears of each as it ends. Resolves when all have. */
export async function runJobs(jobs: readonly Job[], threads: number, told: (outcome: Outcome) => void): Promise<void> {
  const waiting = [...jobs]
  const lane = async (): Promise<void> => {
    for (let job = waiting.shift(); job !== undefined; job = waiting.shift()) told(await runJob(job))
  }
  await Promise.all(Array.from({ length: threads }, lane))
}

/** Runs one job in a thread of its own. */
export function runJob(job: Job, hangMs = HANG_MS): Promise<Outcome> {
  const shared: Shared = { heart: new SharedArrayBuffer(8), input: new SharedArrayBuffer(INPUT_BYTES_MAX) }
  const beats = new Int32Array(shared.heart)
  // The built file is JavaScript, the source is not.
  const file = import.meta.url.endsWith('.ts') ? './worker.ts' : './worker.js'
  const worker = new Worker(new URL(file, import.meta.url), {
    workerData: shared,
    resourceLimits: { maxOldGenerationSizeMb: HEAP_MB_MAX },
  })
  const strays: Outcome['faults'][number][] = []
  const startedAt = performance.now()
  return new Promise((resolve) => {
    let seen = -1
    let seenAt = performance.now()
    const finish = (outcome: Outcome): void => {
      clearInterval(watch)
      void worker.terminate()
      resolve({ ...outcome, faults: [...strays, ...outcome.faults] })
    }
    const broken = (message: string): void => {
      const input = Buffer.from(new Uint8Array(shared.input).slice(0, beats[1]))
      finish({
        target: job.target,
        seed: job.seed,
        cases: beats[0] ?? 0,
        elapsedMs: performance.now() - startedAt,
        slowestMs: performance.now() - seenAt,
        slowestBytes: input.length,
        ways: 0,
        heapGrowthBytes: 0,
        faults: [{ kind: 'broken', message, input }],
      })
    }
    const watch = setInterval(
      () => {
        const now = beats[0] ?? 0
        if (now !== seen) {
          seen = now
          seenAt = performance.now()
        } else if (performance.now() - seenAt > (now === 0 ? START_MS : hangMs))
          broken(`A case hangs: nothing for ${hangMs} ms.`)
      },
      Math.min(LOOK_MS, hangMs / 2),
    )
    worker.on('message', (report: Report) => {
      // Buffers arrive as plain byte arrays.
      if (report.type === 'stray') strays.push(report.fault)
      else finish(report.outcome)
    })
    worker.on('error', (error) => broken(`The thread ended: ${error.stack ?? error.message}`))
    worker.postMessage(job)
  })
}
