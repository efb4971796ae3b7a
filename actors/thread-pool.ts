/**
 * The thread pool as a process: tools with `isolate: 'thread'` run through it. When it is restarted its threads end with it,
 * and the calls that ran in them fail; no other call notices.
 */
import type { ToolContext } from '#features/context'
import type { Tool } from '#features/tool'
import { type ChildSpec, child, defineActor, type NameTable, type Self, via } from '#runtime'
import { ThreadPool } from '#workers/pool'
import type { ThreadReport } from '#workers/tool-thread'
import type { Services } from './services.ts'

interface Job {
  readonly source: string
  readonly args: unknown
  readonly signal: AbortSignal
  readonly report: (report: ThreadReport) => void
}

/** How a thread's run ended: values, since a failing tool is no failure of the pool. */
type Outcome = { readonly value: unknown } | { readonly error: unknown }

export const ThreadPoolProcess = defineActor({
  name: 'thread-pool',
  trapExits: true,
  init: (services: Services, self: Self<never>) => {
    const pool = new ThreadPool()
    services.telemetry.metrics.read('threads_pending', () => pool.pending)
    // Killed, it has no last words, but its threads must not go on.
    self.signal.addEventListener('abort', () => void pool.close(), { once: true })
    return pool
  },
  call: {
    run: (pool: ThreadPool, job: Job, self: Self<ThreadPool>) => {
      const { from } = self
      pool.run(job.source, job.args, job.signal, job.report).then(
        (value) => from.reply({ value } satisfies Outcome),
        (error) => from.reply({ error } satisfies Outcome),
      )
      return self.noreply
    },
  },
  terminate: (pool) => pool.close(),
})

/** Runs a tool in a thread. Rejects with what it threw; an aborted `ctx.signal` ends its thread. */
export async function runInThread(names: NameTable, tool: Tool, args: unknown, ctx: ToolContext): Promise<unknown> {
  const report = (told: ThreadReport): void => {
    if (told.type === 'progress') ctx.progress(...told.args)
    else ctx.log(told.args[0] as Parameters<ToolContext['log']>[0], told.args[1], told.args[2])
  }
  const job: Job = { source: tool.source ?? '', args, signal: ctx.signal, report }
  const forever = { timeout: Number.POSITIVE_INFINITY }
  const outcome = (await via<typeof ThreadPoolProcess>(names, 'thread-pool').call('run', job, forever)) as Outcome
  if ('error' in outcome) throw outcome.error
  return outcome.value
}

export function threadPoolChild(services: Services): ChildSpec {
  return child(ThreadPoolProcess, services, { id: 'thread-pool', name: via(services.names, 'thread-pool') })
}
