/**
 * Threads for code that does not give way: a bounded pool (piscina) that starts no thread before the first call. Aborting a
 * call ends its thread, whatever it is doing, and another takes its place: the one kill in this runtime that is literal.
 */
import { availableParallelism } from 'node:os'
import { MessageChannel } from 'node:worker_threads'
import { Piscina } from 'piscina'
import type { ThreadReport } from './tool-thread.ts'

export interface ThreadPoolOptions {
  /** Threads at once; default one per processor, at least two. */
  readonly threadsMax?: number
  /** Calls that may wait for a thread; one more rejects. Default 256. */
  readonly queueMax?: number
}

/** Milliseconds after which a thread without work is ended. */
const THREAD_IDLE_MS = 10_000

// Node 20 loads no TypeScript in a thread: from sources the built file serves.
const entry = new URL(
  import.meta.url.endsWith('.ts') ? '../../dist/src/workers/tool-thread.js' : './tool-thread.js',
  import.meta.url,
)

export class ThreadPool {
  private readonly options: ThreadPoolOptions
  private piscina: Piscina | null = null

  constructor(options: ThreadPoolOptions = {}) {
    this.options = options
  }

  /** Calls that run or wait. */
  get pending(): number {
    return this.piscina === null ? 0 : this.piscina.queueSize + this.piscina.threads.length
  }

  /**
   * Runs `source(args, ctx)` in a thread. Rejects with what it threw, with an AbortError when `signal` fires, and with an
   * Error when the queue is full. Arguments and result travel by structured clone; what cannot be cloned rejects.
   */
  async run(
    source: string,
    args: unknown,
    signal: AbortSignal,
    report: (report: ThreadReport) => void,
  ): Promise<unknown> {
    const { port1, port2 } = new MessageChannel()
    port1.on('message', report)
    port1.unref()
    try {
      return await this.open().run({ source, args, port: port2 }, { name: 'runTool', signal, transferList: [port2] })
    } finally {
      port1.close()
    }
  }

  async close(): Promise<void> {
    const piscina = this.piscina
    this.piscina = null
    await piscina?.destroy()
  }

  private open(): Piscina {
    this.piscina ??= new Piscina({
      filename: entry.href,
      minThreads: 0,
      maxThreads: this.options.threadsMax ?? Math.max(2, availableParallelism()),
      maxQueue: this.options.queueMax ?? 256,
      idleTimeout: THREAD_IDLE_MS,
    })
    return this.piscina
  }
}
