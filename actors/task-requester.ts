/**
 * What a task's tool speaks to instead of a client: questions go into the task's record, reports to whoever follows the task,
 * the outcome to the manager. Under the extension of revision 2026-07-28 a task has neither progress nor log messages.
 *
 * Spec: MCP 2025-11-25, basic/utilities/tasks, task progress notifications; SEP-2663, task status notifications.
 */
import { digestOf } from '#auth/canonical-json'
import { ErrorCode, type ErrorObject, type JsonObject, type LogLevel, toErrorObject } from '#protocol'
import { withRelatedTask } from '#protocol/tasks'
import { type Ref, via } from '#runtime'
import type { Asked, Question, Requester } from './requester.ts'
import type { TaskJob } from './task.ts'
import type { TaskManager } from './task-manager.ts'
import { sizeOf } from './task-record.ts'
import type { TaskReport } from './task-state.ts'

/** The words that keys of questions begin with. */
const kinds: Readonly<Record<string, string>> = {
  'elicitation/create': 'elicit',
  'sampling/createMessage': 'sample',
  'roots/list': 'roots',
}

export class TaskRequester implements Requester {
  private readonly job: TaskJob
  /** The process of this run. What a tool does after it has ended counts for nothing: another run may be under way. */
  private readonly process: Ref
  private readonly manager: Ref<typeof TaskManager>
  private readonly counts = new Map<string, number>()

  constructor(job: TaskJob, process: Ref) {
    this.job = job
    this.process = process
    this.manager = via<typeof TaskManager>(job.services.names, 'task-manager')
  }

  /** The manager watches it already. */
  started(): void {}

  answer(result: JsonObject): void {
    if (!this.process.alive) return
    const { id } = this.job.record
    try {
      // As it will be read: no function of the author's can change it any more.
      const text = JSON.stringify(result)
      this.manager.cast('settle', { id, outcome: { result: JSON.parse(text) as JsonObject, size: text.length } })
    } catch (error) {
      this.refuse(toErrorObject(error))
    }
  }

  refuse(error: ErrorObject): void {
    if (!this.process.alive) return
    const { id } = this.job.record
    const plain = plainError(error)
    this.manager.cast('settle', { id, outcome: { error: plain, size: sizeOf(plain) } })
  }

  notify(method: string, params: JsonObject): void {
    // A run that began anew would count from the start again, and progress never falls.
    if (this.job.isResumed && method === 'notifications/progress') return
    this.report({ method, params: withRelatedTask(params, this.job.record.id) })
  }

  log(level: LogLevel, text: string): void {
    const { method, params } = JSON.parse(text) as { readonly method: string; readonly params: JsonObject }
    this.report({ method, params: withRelatedTask(params, this.job.record.id), level })
  }

  async ask(question: Question): Promise<Asked> {
    if (!this.process.alive) throw new Error('The run of the task is over: it asks nothing any more.')
    const { id } = this.job.record
    // The record keeps data, not objects of the author's.
    const params =
      question.params === undefined ? undefined : (JSON.parse(JSON.stringify(question.params)) as JsonObject)
    const name = question.options.key ?? this.nextName(question.method)
    const digest = digestOf([question.method, params ?? {}])
    const asking = { id, asked: { name, digest, question: { ...question, params } } }
    return (await this.manager.call('ask', asking, { timeout: Number.POSITIVE_INFINITY })) as Asked
  }

  /** A task has no stream. */
  closeStream(): void {}

  private report(report: TaskReport): void {
    const { id, form } = this.job.record
    if (form === 'legacy' && this.process.alive) this.manager.cast('report', { id, report })
  }

  private nextName(method: string): string {
    const kind = kinds[method] ?? method
    const number = (this.counts.get(kind) ?? 0) + 1
    this.counts.set(kind, number)
    return `${kind}-${number}`
  }
}

/** An error as data, whatever an author put into it. */
function plainError({ code, message, data }: ErrorObject): ErrorObject {
  const plain = { code: Number.isInteger(code) ? code : ErrorCode.InternalError, message: String(message) }
  try {
    const copy: unknown = data === undefined ? undefined : JSON.parse(JSON.stringify(data))
    return copy === undefined ? plain : { ...plain, data: copy }
  } catch {
    return plain
  }
}
