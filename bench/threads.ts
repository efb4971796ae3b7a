// Question: what does a call to an actor in a thread cost, beside the same call in this thread and a job on the pool?
// Goal: ratios on one machine in one run, and how many messages one postMessage carries.
// Non-goal: absolute numbers; and the use of threads, which is to compute meanwhile, not to be called for nothing.
//
// `node dist/bench/threads.js [--small]`. CPU is of all threads together. The thread's module is this file: there it only
// exports the actor.
import { isMainThread } from 'node:worker_threads'
import { createSystem, defineActor, sys } from 'bough/runtime'
import { defineWorker, runInThread, type WorkerStatus } from 'bough/workers'
import { median } from './statistics.ts'
import { formatNumber, formatTable } from './table.ts'

export const Echo = defineActor({
  name: 'echo',
  init: () => ({ handled: 0 }),
  call: {
    echo: (state, value: number) => {
      state.handled++
      return value
    },
  },
})

interface Echoes {
  call(op: 'echo', value: number): Promise<number>
}

/** Calls so that at most `inFlight` wait; each reply asks the next. Returns the sum of the replies. */
async function pipelined(calls: number, inFlight: number, call: (value: number) => Promise<number>): Promise<number> {
  let next = 0
  let sum = 0
  const lane = async (): Promise<void> => {
    while (next < calls) {
      const reply = await call(next++)
      sum += reply
    }
  }
  await Promise.all(Array.from({ length: inFlight }, lane))
  return sum
}

/** Calls in bursts: `size` at once, then waits for all. */
async function inBursts(calls: number, size: number, call: (value: number) => Promise<number>): Promise<number> {
  let sum = 0
  for (let from = 0; from < calls; from += size) {
    const replies = await Promise.all(Array.from({ length: size }, (_, index) => call(from + index)))
    sum = replies.reduce((total, one) => total + one, sum)
  }
  return sum
}

async function main(): Promise<void> {
  const isSmall = process.argv.includes('--small')
  const runs = isSmall ? 1 : 5
  const system = createSystem()
  const worker = await system.start(
    defineWorker<typeof Echo>({ name: 'echo', module: import.meta.url, export: 'Echo' }),
  )
  const local = await system.start(Echo)
  const job = (value: number): number => value

  const status = async (): Promise<WorkerStatus> => ({ ...((await sys.getState(worker)) as WorkerStatus) })
  const shapes = [
    {
      shape: 'sequential',
      calls: 10_000,
      run: (n: number, call: Echoes['call']) => pipelined(n, 1, (v) => call('echo', v)),
    },
    {
      shape: '100 in flight',
      calls: 50_000,
      run: (n: number, call: Echoes['call']) => pipelined(n, 100, (v) => call('echo', v)),
    },
    {
      shape: 'bursts of 100',
      calls: 50_000,
      run: (n: number, call: Echoes['call']) => inBursts(n, 100, (v) => call('echo', v)),
    },
    {
      shape: 'bursts of 1 000',
      calls: 100_000,
      run: (n: number, call: Echoes['call']) => inBursts(n, 1_000, (v) => call('echo', v)),
    },
  ]
  const targets: readonly { readonly name: string; readonly share: number; readonly call: Echoes['call'] }[] = [
    { name: 'actor in this thread', share: 1, call: (op, value) => local.call(op, value) },
    { name: 'actor in a thread', share: 1, call: (op, value) => worker.call(op, value) },
    { name: 'job on the pool', share: 0.05, call: (_op, value) => runInThread(job, value) },
  ]
  const rows: string[][] = []
  for (const { shape, calls, run } of shapes) {
    for (const { name, share, call } of targets) {
      // The pool lets 256 wait: larger bursts are not for it.
      if (name === 'job on the pool' && shape === 'bursts of 1 000') continue
      const count = Math.max(1_000, isSmall ? 1_000 : calls * share)
      await run(1_000, call)
      const cpu: number[] = []
      const wall: number[] = []
      const before = await status()
      for (let index = 0; index < runs; index++) {
        const startedAt = performance.now()
        const usage = process.cpuUsage()
        const sum = await run(count, call)
        const { user, system: kernel } = process.cpuUsage(usage)
        if (sum !== (count * (count - 1)) / 2) throw new Error(`${shape}, ${name}: the replies sum up to ${sum}.`)
        cpu.push((user + kernel) / count)
        wall.push(((performance.now() - startedAt) * 1_000) / count)
      }
      const after = await status()
      const batches = after.batchesSent - before.batchesSent
      const perBatch = batches === 0 ? Number.NaN : (after.framesSent - before.framesSent) / batches
      rows.push([shape, name, formatNumber(Math.min(...cpu), 2), formatNumber(median(wall), 2), formatNumber(perBatch)])
    }
  }
  console.log(`Node ${process.version}${isSmall ? ', --small: too short to mean anything' : ''}`)
  console.log(formatTable(['calls', 'to', 'CPU us/call, least', 'wall us/call, median', 'messages/postMessage'], rows))

  const starts = isSmall ? 3 : 30
  const startedAt = performance.now()
  const usage = process.cpuUsage()
  for (let index = 0; index < starts; index++) {
    const ref = await system.start(defineWorker<typeof Echo>({ name: 'echo', module: import.meta.url, export: 'Echo' }))
    await ref.stop()
  }
  const { user, system: kernel } = process.cpuUsage(usage)
  const cpuMs = (user + kernel) / 1_000 / starts
  const wallMs = (performance.now() - startedAt) / starts
  console.log(`start and stop of a worker: ${formatNumber(cpuMs)} ms of CPU, ${formatNumber(wallMs)} ms`)
  await system.stop()
}

if (isMainThread) await main()
