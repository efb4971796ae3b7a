/**
 * Requests as promises: one request of the client becomes one call to its connection, or several where the connection's process
 * ended under it and the request may be repeated. Settles exactly once, whatever ends first: the answer, the time, the signal.
 */

import type { CallJob, Progress } from '#actors/client-calls'
import { cancelRequest, requestOf } from '#actors/client-connection'
import type { ClientHandlers, ClientServices, Outcome } from '#actors/client-services'
import type { JsonObject } from '#protocol'
import { CallError, type System } from '#runtime'
import { type ClientError, clientError, errorOf } from './errors.ts'
import type { Gate } from './gate.ts'
import type { Listeners } from './listeners.ts'
import { type Timings, timingsOf } from './options.ts'

export interface RequestOptions {
  /** Milliseconds without an answer or progress; default that of the client, 60 000. */
  readonly timeout?: number
  /** Milliseconds in all; default that of the client, 600 000. */
  readonly maxTimeout?: number
  /** Gives the request up: the server is told, and the promise rejects with the code 'cancelled'. */
  readonly signal?: AbortSignal | undefined
  /** Gets what the server tells of its progress. */
  readonly onProgress?: (progress: Progress) => void
  /** More `_meta`. */
  readonly meta?: JsonObject
  /** Answers to what a modern server asks for this request, instead of those of the client. */
  readonly handlers?: ClientHandlers
  /** The batch that the request is one of; see `client.batch`. */
  readonly batch?: number
}

/** What the client knows of a request beside what its caller wants. */
export interface Manner {
  /** Whether it may be repeated although the server may have run it. */
  readonly isSafe: boolean
  /** Whether progress is asked for, to keep the request alive, though nobody looks at it. */
  readonly wantsProgress?: boolean
  readonly headers?: Readonly<Record<string, string>>
}

/** How often a request outlives the process that it was given to. */
const RESTARTS_MAX = 6
/** Milliseconds before it is given to the next one; doubled each time. */
const RESTART_MS = 10

export class Requests {
  readonly services: ClientServices
  readonly listeners: Listeners
  private readonly defaults: Timings
  private readonly closed: AbortSignal
  private readonly gate: Gate | undefined

  constructor(
    services: ClientServices,
    listeners: Listeners,
    defaults: Timings,
    closed: AbortSignal,
    gate: Gate | undefined,
  ) {
    this.services = services
    this.listeners = listeners
    this.defaults = defaults
    this.closed = closed
    this.gate = gate
  }

  /** The result of a request. Rejects with `ClientError`. */
  async send(
    method: string,
    params: JsonObject | undefined,
    options: RequestOptions,
    manner: Manner,
  ): Promise<JsonObject> {
    const { meta } = options
    const { telemetry, known, transports } = this.services
    const own = meta === undefined ? params : { ...params, _meta: { ...(params?.['_meta'] as JsonObject), ...meta } }
    const transport = transports[known.transport]?.name
    const watch = telemetry.begin({ method, params: own, protocolVersion: known.server?.protocolVersion, transport })
    try {
      const result = await this.sendWhole(method, watch.params(own), options, manner)
      watch.end(undefined, result['isError'] === true)
      return result
    } catch (error) {
      watch.end((error as Partial<ClientError>).code ?? 'other')
      throw error
    }
  }

  private async sendWhole(
    method: string,
    whole: JsonObject | undefined,
    options: RequestOptions,
    manner: Manner,
  ): Promise<JsonObject> {
    const { signal, onProgress } = options
    const { system } = this.services
    const timings = timingsOf(this.defaults, options)
    const endMs = system.clock.now() + timings.timeoutMaxMs
    let hasRun = false
    for (let restarts = 0; ; restarts++) {
      if (this.closed.aborted) throw clientError('closed', `${method}: the client was closed.`, hasRun)
      if (signal?.aborted === true) throw cancelled(method, signal, hasRun)
      const job: CallJob = {
        key: ++this.services.known.lastKey,
        method,
        params: whole,
        ...timings,
        isSafe: manner.isSafe,
        wantsProgress: manner.wantsProgress === true || onProgress !== undefined,
        ...(manner.headers !== undefined && { headers: manner.headers }),
        ...(onProgress !== undefined && { onProgress: this.guarded(onProgress) }),
        // What is sent once more goes alone.
        ...(options.batch !== undefined && restarts === 0 && { batch: options.batch }),
      }
      try {
        const outcome = await this.ask(job, signal)
        if ('result' in outcome) return outcome.result
        const { failure } = outcome
        throw errorOf(hasRun ? { ...failure, mayHaveRun: true } : failure)
      } catch (error) {
        if (!(error instanceof CallError)) throw error
        // A process that was not there cannot have sent anything.
        hasRun ||= error.code !== 'noproc'
        const isOver = restarts >= RESTARTS_MAX || system.clock.now() >= endMs
        if (this.closed.aborted) throw clientError('closed', `${method}: the client was closed.`, hasRun, error)
        if (isOver || (hasRun && !manner.isSafe)) throw lost(method, hasRun, error)
        await pause(system, RESTART_MS * 2 ** restarts, signal)
      }
    }
  }

  private ask(job: CallJob, signal: AbortSignal | undefined): Promise<Outcome> {
    return this.gate === undefined
      ? this.pass(job, signal)
      : this.gate.through(job, signal, () => this.pass(job, signal))
  }

  private async pass(job: CallJob, signal: AbortSignal | undefined): Promise<Outcome> {
    const cancel = (): void => cancelRequest(this.services, job.key, signal?.reason)
    signal?.addEventListener('abort', cancel, { once: true })
    try {
      return await requestOf(this.services, job)
    } finally {
      signal?.removeEventListener('abort', cancel)
    }
  }

  /** A listener of the user's runs in the connection's process, which must not end of it. */
  private guarded(onProgress: (progress: Progress) => void): (progress: Progress) => void {
    return (progress) => {
      try {
        onProgress(progress)
      } catch (error) {
        this.services.news.warn(`onProgress threw: ${error instanceof Error ? error.message : String(error)}`)
      }
    }
  }
}

/** Lets time pass, on the system's clock; ends early when `signal` is aborted. Never rejects. */
export function pause(system: System, ms: number, signal?: AbortSignal): Promise<void> {
  if (signal?.aborted === true) return Promise.resolve()
  return new Promise((resolve) => {
    const done = (): void => {
      system.timers.cancel(timer)
      signal?.removeEventListener('abort', done)
      resolve()
    }
    const timer = system.timers.start(ms, done)
    signal?.addEventListener('abort', done, { once: true })
  })
}

export function cancelled(what: string, signal: AbortSignal, mayHaveRun: boolean): ClientError {
  return clientError('cancelled', `${what}: the request was cancelled.`, mayHaveRun, signal.reason)
}

function lost(method: string, mayHaveRun: boolean, cause: CallError): ClientError {
  const fate = mayHaveRun ? 'The server may have run it' : 'It was not sent'
  return clientError('lost', `${method}: the connection's process ended. ${fate}.`, mayHaveRun, cause)
}
