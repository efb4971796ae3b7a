/** The context of a tool that runs as a task: that of a request whose requester is the task, with checkpoints. */
import type { TaskInfo } from '#features/context'
import type { Watch } from '#observability/telemetry'
import type { ErrorObject } from '#protocol'
import { CallError, type Ref, type Self, via } from '#runtime'
import { RequestContext } from './request-context.ts'
import type { Requester } from './requester.ts'
import type { TaskJob } from './task.ts'
import type { TaskManager } from './task-manager.ts'

export class TaskContext extends RequestContext {
  override readonly task: TaskInfo
  override readonly restored: unknown
  private readonly manager: Ref<typeof TaskManager>

  constructor(taskJob: TaskJob, requester: Requester, watch: Watch, self: Self) {
    const { services, record, isResumed } = taskJob
    const { id, client, auth, params } = record
    super({ services, requester, client, session: undefined, auth, id, method: 'tools/call', params, watch }, self)
    this.task = { id, isResumed }
    // A copy: what the tool does to it must not change the record.
    this.restored = record.checkpoint === undefined ? undefined : structuredClone(record.checkpoint)
    this.manager = via<typeof TaskManager>(services.names, 'task-manager')
  }

  override async checkpoint(state: unknown): Promise<void> {
    if (!this.self.ref.alive) throw new Error('The run of the task is over: nothing of it is kept any more.')
    const text = JSON.stringify(state)
    if (text === undefined) throw new TypeError(`ctx.checkpoint: the state must be JSON, got ${typeof state}.`)
    const saving = { id: this.task.id, saved: JSON.parse(text) as unknown, size: text.length }
    let kept: { readonly error?: ErrorObject }
    try {
      kept = await this.manager.call('checkpoint', saving, { timeout: Number.POSITIVE_INFINITY })
    } catch (error) {
      if (error instanceof CallError)
        throw new Error('The server is stopping: the checkpoint was not kept.', { cause: error })
      throw error
    }
    if (kept.error !== undefined) throw new RangeError(`ctx.checkpoint: ${kept.error.message}`)
  }
}
