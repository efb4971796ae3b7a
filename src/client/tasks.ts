/**
 * Tasks of the server, as handles. A handle is an id and nothing that must be kept: `client.task(id)` makes one after a restart
 * of the program. It looks at the task as often as the server wishes, or when the server tells of it, and answers through the
 * client's handlers what the task asks.
 *
 *     const task = await client.callToolAsTask('render', { scene: 7 }, { ttl: 3_600_000 })
 *     for await (const { status, statusMessage } of task.updates()) console.log(status, statusMessage)
 *     const result = await task.result()
 *
 * Spec: MCP 2025-11-25, basic/utilities/tasks; SEP-2663, tasks extension.
 */
import { wishesChanged } from '#actors/client-subscriptions'
import { isObject, type JsonObject, type ToolResult } from '#protocol'
import { CallLost, ClientError, clientError, errorOf } from './errors.ts'
import { count, type Listeners, listenTo } from './listeners.ts'
import { cancelled, pause, type RequestOptions, type Requests } from './requests.ts'
import { answerAll } from './rounds.ts'
import { isOver, type TaskDetail, type TaskInfo, taskDetailOf } from './task-info.ts'

export interface ClientTask {
  /** Undefined where the server answered at once, without a task. */
  readonly id: string | undefined
  /** How the task stands. */
  status(options?: RequestOptions): Promise<TaskInfo>
  /** The result, when there is one; rejects with the task's error, and with 'cancelled' for a cancelled one. */
  result(options?: RequestOptions): Promise<ToolResult>
  /** Asks the server to stop; it may finish all the same. */
  cancel(options?: RequestOptions): Promise<void>
  /** How the task stands now, and after each change, up to its end. */
  updates(options?: RequestOptions): AsyncGenerator<TaskInfo, void, undefined>
}

/** Milliseconds between two looks where the server names none, and the bounds of what it may name. */
const POLL_MS = 1_000
const POLL_MS_MIN = 10
const POLL_MS_MAX = 60_000
/** Looks that may fail in a row before the handle gives up. */
const FAILURES_MAX = 10
/** A task is watched by notifications where looks are further apart than this. */
const WATCH_FROM_MS = 2_000
/** The longest wait for `tasks/result` of the legacy era, in milliseconds, before it is asked again. */
const RESULT_MS_MAX = 300_000

export class TaskHandle implements ClientTask {
  readonly id: string
  private readonly requests: Requests
  private readonly listeners: Listeners
  private readonly check: (result: ToolResult) => void
  /** Keys of questions that were answered: the server may show them once more. */
  private readonly answered = new Set<string>()
  /** The wait for the result of a legacy task, during which its questions come. */
  private asking: Promise<unknown> | undefined
  private last: TaskInfo | undefined

  constructor(
    requests: Requests,
    listeners: Listeners,
    id: string,
    check: (result: ToolResult) => void,
    seed?: TaskInfo,
  ) {
    this.requests = requests
    this.listeners = listeners
    this.id = id
    this.check = check
    this.last = seed
  }

  async status(options: RequestOptions = {}): Promise<TaskInfo> {
    return (await this.look(options)).info
  }

  async cancel(options: RequestOptions = {}): Promise<void> {
    await this.requests.send('tasks/cancel', { taskId: this.id }, options, { isSafe: true })
  }

  async result(options: RequestOptions = {}): Promise<ToolResult> {
    for await (const detail of this.details(options)) {
      const { info, result, error } = detail
      if (!this.isModern) {
        if (isOver(info) || info.status === 'input_required') return this.legacyResult(options)
      } else if (info.status === 'cancelled') {
        throw clientError('cancelled', `The task ${this.id} was cancelled.${info.statusMessage ?? ''}`, true)
      } else if (info.status === 'failed') {
        throw errorOf({
          ...(error ?? { code: -32603, message: info.statusMessage ?? 'The task failed.' }),
          mayHaveRun: true,
        })
      } else if (info.status === 'completed') return this.checked(result)
    }
    throw clientError('invalid', `The task ${this.id} has no result.`, true)
  }

  async *updates(options: RequestOptions = {}): AsyncGenerator<TaskInfo, void, undefined> {
    let shown = ''
    for await (const { info } of this.details(options, true)) {
      const text = JSON.stringify({ ...info, pollIntervalMs: 0 })
      if (text !== shown) yield info
      shown = text
      if (!this.isModern && info.status === 'input_required') this.hearQuestions(options)
    }
  }

  /** The task, again and again, until it is over. What it asks is answered on the way. */
  private async *details(options: RequestOptions, isWatched = false): AsyncGenerator<TaskDetail, void, undefined> {
    const { signal } = options
    let news: TaskDetail | undefined
    let unanswered: unknown
    let wake = new AbortController()
    const heard = (params: JsonObject): void => {
      news = taskDetailOf(params)
      wake.abort()
    }
    const watch = isWatched || this.pollMs >= WATCH_FROM_MS ? this.watch(heard) : undefined
    const stop = (): void => wake.abort()
    signal?.addEventListener('abort', stop)
    try {
      for (let failures = 0; ; ) {
        if (signal?.aborted === true) throw cancelled(`task ${this.id}`, signal, true)
        if (unanswered !== undefined) throw unanswered
        let detail: TaskDetail | undefined
        try {
          // A notification of the legacy era is no more than a hint.
          detail = news !== undefined && this.isModern ? news : await this.look(options)
          news = undefined
          failures = 0
        } catch (error) {
          if (!isPassing(error) || ++failures >= FAILURES_MAX) throw error
        }
        if (detail !== undefined) {
          this.last = detail.info
          this.answer(detail, signal, (error) => {
            unanswered = error
            wake.abort()
          })
          yield detail
          if (isOver(detail.info)) return
        }
        wake = new AbortController()
        if (news === undefined) await pause(this.requests.services.system, this.pollMs, wake.signal)
      }
    } finally {
      wake.abort()
      signal?.removeEventListener('abort', stop)
      watch?.()
    }
  }

  private async look(options: RequestOptions): Promise<TaskDetail> {
    const { onProgress: _onProgress, ...rest } = options
    return taskDetailOf(await this.requests.send('tasks/get', { taskId: this.id }, rest, { isSafe: true }))
  }

  /** Answers what the task asks and was not answered yet, in the background. */
  private answer(
    { info, inputRequests }: TaskDetail,
    signal: AbortSignal | undefined,
    failed: (error: unknown) => void,
  ): void {
    if (info.status !== 'input_required' || inputRequests === undefined) return
    const open = Object.entries(inputRequests).filter(([key]) => !this.answered.has(key))
    if (open.length === 0) return
    for (const [key] of open) this.answered.add(key)
    const { services } = this.requests
    answerAll(services, 'tasks/get', Object.fromEntries(open), signal)
      .then((inputResponses) =>
        this.requests.send('tasks/update', { taskId: this.id, inputResponses }, {}, { isSafe: true }),
      )
      .catch(failed)
  }

  /** What a legacy task asks comes while its result is waited for. */
  private hearQuestions(options: RequestOptions): void {
    this.asking ??= this.legacyResult(options)
      .catch(() => undefined)
      .finally(() => {
        this.asking = undefined
      })
  }

  /** Asks for the result, which comes when the task is over; questions come meanwhile. */
  private async legacyResult(options: RequestOptions): Promise<ToolResult> {
    const patient = { timeout: RESULT_MS_MAX, maxTimeout: RESULT_MS_MAX, ...options }
    for (let failures = 0; ; ) {
      try {
        return this.checked(await this.requests.send('tasks/result', { taskId: this.id }, patient, { isSafe: true }))
      } catch (error) {
        const isLate = error instanceof ClientError && error.code === 'timeout' && options.timeout === undefined
        if (!isLate && (!isPassing(error) || ++failures >= FAILURES_MAX)) throw error
        await pause(this.requests.services.system, this.pollMs, options.signal)
      }
    }
  }

  private checked(result: JsonObject | undefined): ToolResult {
    if (!isObject(result)) throw clientError('invalid', `The task ${this.id} is completed and has no result.`, true)
    const whole = result as unknown as ToolResult
    this.check(whole)
    return whole
  }

  private watch(listener: (params: JsonObject) => void): () => void {
    const { services } = this.requests
    const { remove } = listenTo(this.listeners.tasks, this.id, listener)
    if (!this.isModern) return () => void remove()
    count(services.wanted.tasks, this.id, 1)
    wishesChanged(services)
    return () => {
      remove()
      count(services.wanted.tasks, this.id, -1)
      wishesChanged(services)
    }
  }

  private get isModern(): boolean {
    return this.requests.services.known.server?.era !== 'legacy'
  }

  private get pollMs(): number {
    return Math.min(Math.max(this.last?.pollIntervalMs ?? POLL_MS, POLL_MS_MIN), POLL_MS_MAX)
  }
}

/** A call that was answered at once, in the shape of a task. */
export function finishedTask(result: ToolResult): ClientTask {
  const info: TaskInfo = { id: '', status: 'completed', ttlMs: null }
  return {
    id: undefined,
    status: async () => info,
    result: async () => result,
    cancel: async () => undefined,
    updates: async function* () {
      yield info
    },
  }
}

/** Whether another look may succeed. */
function isPassing(error: unknown): boolean {
  return (
    error instanceof CallLost || (error instanceof ClientError && (error.code === 'timeout' || error.code === 'status'))
  )
}
