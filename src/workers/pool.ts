/**
 * Threads for code that does not give way: a bounded pool (piscina) that starts no thread before the first call. Aborting a
 * call ends its thread, whatever it is doing, and another takes its place: the one kill in this runtime that is literal.
 */
import { availableParallelism } from 'node:os'
import { MessageChannel } from 'node:worker_threads'
import { Piscina } from 'piscina'
import { CallError } from '#runtime'
import { threadEntry, threadOptions } from './entry.ts'
import type { Job } from './job-thread.ts'
import type { ThreadReport } from './tool-thread.ts'

export interface ThreadPoolOptions {
  /** Threads at once; default one per processor, at least two. */
  readonly threadsMax?: number
  /** Calls that may wait for a thread; one more rejects. Default 256. */
  readonly queueMax?: number
}

/** What a task is run with. */
type RunOptions = Parameters<Piscina['run']>[1]

const QUEUE_MAX = 256

/** Milliseconds after which a thread without work is ended. */
const THREAD_IDLE_MS = 10_000

export class ThreadPool {
  private readonly threadsMax: number
  private readonly queueMax: number
  private piscina: Piscina | null = null
  private pendingCount = 0

  constructor(options: ThreadPoolOptions = {}) {
    this.threadsMax = options.threadsMax ?? Math.max(2, availableParallelism())
    this.queueMax = options.queueMax ?? QUEUE_MAX
  }

  /** Calls that run or wait. */
  get pending(): number {
    return this.pendingCount
  }

  /**
   * Runs `source(args, ctx)` in a thread. Rejects with what it threw, with an AbortError when `signal` fires, and with
   * `CallError` 'overload' when the queue is full. Arguments and result travel by structured clone; what cannot be cloned rejects.
   */
  async run(
    source: string,
    args: unknown,
    signal: AbortSignal,
    report: (report: ThreadReport) => void,
  ): Promise<unknown> {
    this.refuseIfFull()
    const { port1, port2 } = new MessageChannel()
    port1.on('message', report)
    port1.unref()
    try {
      const task = { source, args, port: port2 }
      return await this.counted(task, { name: 'runTool', signal, transferList: [port2] })
    } finally {
      port1.close()
    }
  }

  /** Runs a job in a thread; resolves to its packed outcome. Rejects as `run` does. An aborted `signal` ends the thread. */
  async runJob(job: Job, signal: AbortSignal): Promise<unknown> {
    this.refuseIfFull()
    return this.counted(job, { filename: threadEntry('job-thread').href, name: 'runJob', signal })
  }

  /** Ends all threads; what runs in them rejects. */
  async close(): Promise<void> {
    const piscina = this.piscina
    this.piscina = null
    await piscina?.destroy()
  }

  /** The one bound of the queue: piscina's own does not hold for tasks with a signal, which are all of them here. */
  private refuseIfFull(): void {
    if (this.pendingCount < this.threadsMax + this.queueMax) return
    throw new CallError(
      'overload',
      `No thread is free, and as many calls wait for one as may (queueMax ${this.queueMax}). Try later, or give the pool more threads (threadsMax ${this.threadsMax}).`,
    )
  }

  private async counted(task: unknown, options: RunOptions): Promise<unknown> {
    this.pendingCount++
    try {
      return await this.open().run(task, options)
    } finally {
      this.pendingCount--
    }
  }

  private open(): Piscina {
    this.piscina ??= new Piscina({
      ...threadOptions,
      filename: threadEntry('tool-thread').href,
      minThreads: 0,
      maxThreads: this.threadsMax,
      idleTimeout: THREAD_IDLE_MS,
    })
    return this.piscina
  }
}
