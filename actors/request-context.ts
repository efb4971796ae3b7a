/** The context that an author's function is given: every wish goes to the requester. */
import { ClientError } from '#features/client-error'
import type { AskOptions, TaskInfo, ToolContext } from '#features/context'
import {
  describeValue,
  type ElicitResult,
  encodeNotification,
  has,
  isLogLevel,
  isObject,
  isRequestId,
  type JsonObject,
  type LogLevel,
  type Root,
  type SampleResult,
} from '#protocol'
import { CallError, type Self } from '#runtime'
import type { RequestJob } from './request.ts'
import type { Question } from './requester.ts'

/** The context of one request. Asking waits as long as the session lets it; see `Limits.askTimeoutMs`. */
export function requestContext(job: RequestJob, self: Self<never> | Self): ToolContext {
  return new RequestContext(job, self as Self)
}

export class RequestContext implements ToolContext {
  readonly self: Self
  readonly task: TaskInfo | undefined = undefined
  readonly restored: unknown = undefined
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

  get session(): RequestJob['session'] {
    return this.job.session
  }

  get client(): RequestJob['client'] {
    return this.job.client
  }

  get auth(): RequestJob['auth'] {
    return this.job.auth
  }

  get meta(): JsonObject {
    const meta = this.job.params['_meta']
    return isObject(meta) ? meta : {}
  }

  get system(): Self['system'] {
    return this.self.system
  }

  progress(done: number, total?: number, message?: string): void {
    const token = this.meta['progressToken']
    if (!isRequestId(token) || !(done > this.lastProgress) || !Number.isFinite(done)) return
    this.lastProgress = done
    const params = {
      progressToken: token,
      progress: done,
      ...(Number.isFinite(total) && { total }),
      ...(message !== undefined && { message: String(message) }),
    }
    this.job.requester.notify('notifications/progress', params)
  }

  log(level: LogLevel, data: unknown, logger?: string): void {
    if (!isLogLevel(level)) throw new TypeError(`ctx.log: there is no level ${describeValue(level)}.`)
    this.job.requester.log(level, logText(level, data, logger))
  }

  async sample(request: object, options: AskOptions = {}): Promise<SampleResult> {
    const gate = 'tools' in request || 'toolChoice' in request ? 'sampling.tools' : 'sampling'
    const params = suitedTo(this.client, request)
    return (await this.ask({ method: 'sampling/createMessage', gate, params, options })) as SampleResult
  }

  async elicit(request: { readonly mode?: string }, options: AskOptions = {}): Promise<ElicitResult> {
    const gate = request.mode === 'url' ? 'elicitation.url' : 'elicitation.form'
    return (await this.ask({ method: 'elicitation/create', gate, params: request, options })) as ElicitResult
  }

  async roots(options: AskOptions = {}): Promise<readonly Root[]> {
    const asked = await this.ask({ method: 'roots/list', gate: 'roots', params: undefined, options })
    const { roots } = asked as { readonly roots?: readonly Root[] }
    if (!Array.isArray(roots)) throw new Error('The client answered roots/list without an array of roots.')
    return roots
  }

  async ping(): Promise<void> {
    await this.ask({ method: 'ping', gate: undefined, params: undefined, options: {} })
  }

  checkpoint(_state: unknown): Promise<void> {
    return Promise.resolve()
  }

  closeStream(retryMs?: number): void {
    this.job.requester.closeStream(retryMs)
  }

  private async ask(question: Question): Promise<unknown> {
    const { services, watch, requester } = this.job
    const asking = services.telemetry.ask(question.method, question.params, watch.context)
    // A round of the modern era ends its process with the question; so does whatever ends a request.
    const withdrawn = (): void => asking.end('withdrawn')
    this.signal.addEventListener('abort', withdrawn, { once: true })
    try {
      const { meta } = asking
      const { result, error, isLate } = await requester.ask(meta === undefined ? question : { ...question, meta })
      if (error === undefined) asking.end('answered')
      else asking.end(isLate === true ? 'timeout' : 'error', isLate === true ? undefined : String(error.code))
      if (error !== undefined) throw new ClientError(error)
      return result
    } catch (error) {
      asking.end('error')
      if (error instanceof CallError)
        throw new Error(`The session ended before its client answered ${question.method}.`, { cause: error })
      throw error
    } finally {
      this.signal.removeEventListener('abort', withdrawn)
    }
  }
}

/**
 * Since 2025-11-25 a client says whether it has context to include; one that has none is not asked for it.
 * Spec: MCP 2025-11-25, schema, `includeContext`.
 */
function suitedTo({ protocolVersion, clientCapabilities }: RequestJob['client'], request: object): object {
  const { includeContext, ...left } = request as { readonly includeContext?: unknown }
  const isWanted = includeContext === 'thisServer' || includeContext === 'allServers'
  return isWanted && protocolVersion >= '2025-11-25' && !has(clientCapabilities, 'sampling.context') ? left : request
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
