/** The context that an author's function is given: every wish becomes a message to the session of the request. */
import { ClientError } from '#features/client-error'
import type { ToolContext } from '#features/context'
import {
  describeValue,
  type ElicitResult,
  encodeNotification,
  isLogLevel,
  isRequestId,
  type LogLevel,
  type Root,
  type SampleResult,
} from '#protocol'
import { CallError, type Self } from '#runtime'
import type { RequestJob } from './request.ts'
import type { Asked } from './session-asks.ts'

/** The context of one request. Asking waits as long as the session lets it; see `Limits.askTimeoutMs`. */
export function requestContext(job: RequestJob, self: Self<never> | Self): ToolContext {
  return new RequestContext(job, self as Self)
}

class RequestContext implements ToolContext {
  readonly self: Self
  readonly auth = undefined
  private readonly job: RequestJob
  private lastProgress = Number.NEGATIVE_INFINITY

  constructor(job: RequestJob, self: Self) {
    this.job = job
    this.self = self
  }

  get signal(): AbortSignal {
    return this.self.signal
  }

  get requestId(): RequestJob['id'] {
    return this.job.id
  }

  get session(): RequestJob['info'] {
    return this.job.info
  }

  get system(): Self['system'] {
    return this.self.system
  }

  progress(done: number, total?: number, message?: string): void {
    const token = (this.job.params['_meta'] as { readonly progressToken?: unknown } | undefined)?.progressToken
    if (!isRequestId(token) || !(done > this.lastProgress) || !Number.isFinite(done)) return
    this.lastProgress = done
    const params = {
      progressToken: token,
      progress: done,
      ...(Number.isFinite(total) && { total }),
      ...(message !== undefined && { message: String(message) }),
    }
    this.job.session.cast('notify', { id: this.job.id, method: 'notifications/progress', params })
  }

  log(level: LogLevel, data: unknown, logger?: string): void {
    if (!isLogLevel(level)) throw new TypeError(`ctx.log: there is no level ${describeValue(level)}.`)
    this.job.session.cast('log', { id: this.job.id, level, text: logText(level, data, logger) })
  }

  async sample(request: object): Promise<SampleResult> {
    const gate = 'tools' in request || 'toolChoice' in request ? 'sampling.tools' : 'sampling'
    return (await this.ask('sampling/createMessage', gate, request)) as SampleResult
  }

  async elicit(request: { readonly mode?: string }): Promise<ElicitResult> {
    const gate = request.mode === 'url' ? 'elicitation.url' : 'elicitation.form'
    return (await this.ask('elicitation/create', gate, request)) as ElicitResult
  }

  async roots(): Promise<readonly Root[]> {
    const result = (await this.ask('roots/list', 'roots', undefined)) as { readonly roots?: readonly Root[] }
    if (!Array.isArray(result.roots)) throw new Error('The client answered roots/list without an array of roots.')
    return result.roots
  }

  async ping(): Promise<void> {
    await this.ask('ping', undefined, undefined)
  }

  closeStream(retryMs?: number): void {
    this.job.session.cast('closeStream', { id: this.job.id, retryMs })
  }

  private async ask(method: string, gate: string | undefined, params: object | undefined): Promise<unknown> {
    try {
      const asked = await this.job.session.call(
        'ask',
        { id: this.job.id, method, gate, params },
        { timeout: Number.POSITIVE_INFINITY },
      )
      const { result, error } = asked as Asked
      if (error !== undefined) throw new ClientError(error)
      return result
    } catch (error) {
      if (error instanceof CallError)
        throw new Error(`The session ended before its client answered ${method}.`, { cause: error })
      throw error
    }
  }
}

/** Encoded here, where the author's data is: it is sent as it stands now, and data that is no JSON harms no session. */
function logText(level: LogLevel, data: unknown, logger: string | undefined): string {
  const rest = { level, ...(logger !== undefined && { logger: String(logger) }) }
  const isNothing = data === undefined || typeof data === 'function' || typeof data === 'symbol'
  try {
    return encodeNotification('notifications/message', { ...rest, data: isNothing ? null : data })
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    return encodeNotification('notifications/message', { ...rest, data: `(data that is no JSON: ${why})` })
  }
}
