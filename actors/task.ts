/**
 * The process of one running task: it calls the tool with a context of its own, tells the manager the outcome, and ends. What
 * happened and what is allowed is the manager's business; this process may be ended at any moment, which aborts `ctx.signal`:
 * that is what cancelling, expiring and timing out are.
 */
import { callTool, type FeatureKind } from '#features/dispatch'
import { attributed } from '#observability/attribution'
import type { Watch } from '#observability/telemetry'
import { traceIdOf } from '#observability/w3c'
import { type JsonObject, toErrorObject } from '#protocol'
import { type ChildSpec, child, defineActor, type Self } from '#runtime'
import type { Services } from './services.ts'
import { TaskContext } from './task-context.ts'
import type { TaskRecord } from './task-record.ts'
import { TaskRequester } from './task-requester.ts'
import { runInThread } from './thread-pool.ts'
import { callGuarded } from './tool-breakers.ts'

/** What a task's process is started with. */
export interface TaskJob {
  readonly services: Services
  /** The record as it stood when the run began. */
  readonly record: TaskRecord
  /** Whether an earlier run was lost with a part of the server. */
  readonly isResumed: boolean
}

export const Task = defineActor({
  name: 'task',
  init: (job: TaskJob, self: Self<never>) => {
    self.continueWith('run')
    return job
  },
  continue: {
    run: async (job: TaskJob, _none: undefined, self: Self<TaskJob>) => {
      const requester = new TaskRequester(job, self.ref)
      const { services, record } = job
      const watch = services.telemetry.beginTask(record.tool, record.trace, self.now())
      // Cancelling, expiring and timing out end this process.
      self.signal.addEventListener('abort', () => watch.cancelled(), { once: true })
      try {
        const work = (): Promise<JsonObject> => run(job, requester, watch, self as Self)
        const result = await attributed(originOf(job, self.ref.pid), () => watch.run(work))
        watch.answered(result)
        requester.answer(result)
      } catch (error) {
        const fault = toErrorObject(error)
        watch.refused(fault)
        requester.refuse(fault)
      }
      self.stop()
    },
  },
})

async function run(job: TaskJob, requester: TaskRequester, watch: Watch, self: Self): Promise<JsonObject> {
  const { services, record } = job
  const { id, tool: subject, sessionId } = record
  const ctx = new TaskContext(job, requester, watch, self)
  const failed = (kind: FeatureKind, name: string, error: unknown): void => {
    // Ended meanwhile: what follows is only its echo.
    if (!self.ref.alive) return
    services.counters.add(`${kind}_failures`, 1, name)
    services.report({ type: 'feature_failed', kind, name, session: sessionId, request: id, how: 'thrown', error })
  }
  const params = { ...record.params, name: subject }
  return callGuarded(services, subject, self, (thrown) => {
    const told = (kind: FeatureKind, name: string, error: unknown): void => {
      thrown()
      failed(kind, name, error)
    }
    return callTool(services.catalog, params, ctx, told, (tool, args) => runInThread(services.names, tool, args, ctx))
  })
}

/** Whose code runs, so that a fault which strays from it finds its way back. */
function originOf({ services, record }: TaskJob, pid: string): Parameters<typeof attributed>[0] {
  const { id, tool, sessionId } = record
  return {
    kind: 'tool',
    name: tool,
    sessionId,
    requestId: id,
    pid,
    trace: () => traceIdOf({ traceparent: record.trace }),
    strayed: (error, how) => {
      services.counters.add('tool_stray_faults', 1, tool)
      services.report({ type: 'feature_failed', kind: 'tool', name: tool, session: sessionId, request: id, how, error })
    },
  }
}

/** One running task; how many there are is the manager's limit. */
export function taskTemplate(): ChildSpec {
  return child(Task, undefined as unknown as TaskJob, { id: 'task', restart: 'temporary', shutdown: 1_000 })
}
