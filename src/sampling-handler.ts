/**
 * A sampling provider as the `sampling` handler of an MCP client. Each request is a process of its own, under a supervisor of
 * their own: at most so many at once, ended with its request. A human may look at what goes to the model and at what comes back.
 *
 *     const sampling = samplingHandler(anthropicProvider({ apiKey, model: 'claude-sonnet-5' }), {
 *       approve: { request: (request) => confirm(`Ask the model?\n${JSON.stringify(request.messages)}`) },
 *     })
 *     const client = await connect(url, { name: 'app', version: '1', handlers: { sampling } })
 *
 * Spec: MCP 2025-11-25, client/sampling, user interaction model.
 */
import { outcomeOf } from '#actors/sampling-stream'
import { ProviderError } from '#intelligence/errors'
import type { SampleDelta, SamplingProvider } from '#intelligence/provider'
import type { SampleRequest, SampleResult } from '#protocol'
import { ErrorCode, internalError, invalidParams, ProtocolError } from '#protocol/errors'
import { sampleRequestFault } from '#protocol/sample-requests'
import { createSystem, type Ref, SupervisorError, type SupervisorRef, type System } from '#runtime'
import { SAMPLING_STREAMS_MAX, samplingStreams } from '#supervisors/sampling-streams'

/** What a hook knows beside its subject. */
export interface SamplingContext {
  /** What the server asked, as it came. */
  readonly request: SampleRequest
  /** Aborted when the request is over; a dialog should close then. */
  readonly signal: AbortSignal
}

/** True lets it pass, another one in its place lets that pass, anything else refuses. */
export type Verdict<T> = boolean | T | undefined | Promise<boolean | T | undefined>

export interface SamplingApproval {
  /** Before the model is asked. */
  request?(request: SampleRequest, context: SamplingContext): Verdict<SampleRequest>
  /** Before the server gets the answer. */
  response?(result: SampleResult, context: SamplingContext): Verdict<SampleResult>
}

export interface SamplingHandlerOptions {
  /** The human in the loop. Without it every request passes. */
  readonly approve?: SamplingApproval
  /** Requests at once, those included that wait for the human; one more is refused. Default 100. */
  readonly maxConcurrent?: number
  /** Gets every piece of every answer, as it comes. See `SampleOptions`. */
  readonly onDelta?: (delta: SampleDelta, context: SamplingContext) => void | Promise<void>
  /** Gets what a request failed with, in full; the server is told less. Must not throw. */
  readonly onError?: (error: unknown, request: SampleRequest) => void
  /** Where the processes live; default a system of the handler's own. */
  readonly system?: System
}

/** What `samplingHandler` returns: a function for `handlers.sampling`. */
export interface SamplingHandler {
  /** Rejects with `ProtocolError`: -1 when the human refuses, -32602 for what cannot be asked, -32603 for the rest. */
  (params: SampleRequest, options?: { readonly signal?: AbortSignal }): Promise<SampleResult>
  /** Requests that are under way. */
  readonly activeCount: number
  /** Ends every request and refuses later ones. */
  close(): Promise<void>
}

/** Makes a handler of a provider. Throws a `TypeError` for a wrong option. */
export function samplingHandler(provider: SamplingProvider, options: SamplingHandlerOptions = {}): SamplingHandler {
  const { maxConcurrent = SAMPLING_STREAMS_MAX } = options
  if (!Number.isSafeInteger(maxConcurrent) || maxConcurrent < 1) {
    throw new TypeError(`samplingHandler: maxConcurrent must be a whole number above 0, got ${String(maxConcurrent)}.`)
  }
  const streams = new Streams(options.system, maxConcurrent)
  const handle = async (
    params: SampleRequest,
    given: { readonly signal?: AbortSignal } = {},
  ): Promise<SampleResult> => {
    const fault = sampleRequestFault(params)
    if (fault !== undefined) throw invalidParams(fault)
    try {
      return await streams.run((signal) => answer(provider, params, options, signal), given.signal)
    } catch (error) {
      options.onError?.(error, params)
      throw toldError(error)
    }
  }
  return Object.defineProperties(handle, {
    activeCount: { get: () => streams.count },
    close: { value: () => streams.close() },
    // defineProperties does not type what it adds.
  }) as unknown as SamplingHandler
}

async function answer(
  provider: SamplingProvider,
  asked: SampleRequest,
  { approve, onDelta }: SamplingHandlerOptions,
  signal: AbortSignal,
): Promise<SampleResult> {
  const context: SamplingContext = { request: asked, signal }
  const request = passed(asked, await approve?.request?.(asked, context), approve?.request !== undefined)
  const result = await provider.sample(request, {
    signal,
    ...(onDelta === undefined ? {} : { onDelta: (delta) => onDelta(delta, context) }),
  })
  return passed(result, await approve?.response?.(result, context), approve?.response !== undefined)
}

/** What goes on after a verdict. */
function passed<T extends object>(subject: T, verdict: boolean | T | undefined, isAsked: boolean): T {
  if (!isAsked || verdict === true) return subject
  if (typeof verdict === 'object' && verdict !== null) return verdict
  throw new ProtocolError(ErrorCode.SamplingRejected, 'User rejected sampling request')
}

/** What the server is told. The vendor's sentences stay here: they may speak of the user's account. */
function toldError(error: unknown): ProtocolError {
  if (error instanceof ProtocolError) return error
  const cause = { cause: error }
  if (error instanceof SupervisorError && error.code === 'max_children') {
    return new ProtocolError(
      ErrorCode.InternalError,
      'The client samples as much as it may at once; try again later',
      undefined,
      cause,
    )
  }
  if (!(error instanceof ProviderError)) return internalError('Sampling failed in the client', error)
  const data = error.retryAfterMs === undefined ? undefined : { retryAfterMs: error.retryAfterMs }
  switch (error.code) {
    case 'unsupported':
      return new ProtocolError(ErrorCode.InvalidParams, error.message, undefined, cause)
    case 'invalid_request':
      return new ProtocolError(
        ErrorCode.InvalidParams,
        'The model provider refused the request as invalid',
        undefined,
        cause,
      )
    case 'too_large':
      return new ProtocolError(
        ErrorCode.InvalidParams,
        'The request is too large for the model provider',
        undefined,
        cause,
      )
    case 'rate_limited':
    case 'overloaded':
      return new ProtocolError(ErrorCode.InternalError, 'The model provider is busy; try again later', data, cause)
    case 'timeout':
      return new ProtocolError(ErrorCode.InternalError, 'The model did not answer in time', undefined, cause)
    case 'aborted':
      return new ProtocolError(ErrorCode.InternalError, 'The sampling request was aborted', undefined, cause)
    default:
      return new ProtocolError(ErrorCode.InternalError, 'The model provider failed', data, cause)
  }
}

/** The supervisor of one handler's streams, started when it is first needed, and again should it have ended. */
class Streams {
  readonly #maxConcurrent: number
  readonly #given: System | undefined
  #own: System | undefined
  #supervisor: SupervisorRef | undefined
  #starting: Promise<SupervisorRef> | undefined
  #isClosed = false
  count = 0

  constructor(system: System | undefined, maxConcurrent: number) {
    this.#given = system
    this.#maxConcurrent = maxConcurrent
  }

  async run(
    work: (signal: AbortSignal) => Promise<SampleResult>,
    signal: AbortSignal | undefined,
  ): Promise<SampleResult> {
    this.count++
    let stream: Ref | undefined
    const end = (): void => stream?.exit('shutdown')
    try {
      const supervisor = await this.#started()
      if (signal?.aborted) throw aborted(signal)
      stream = (await supervisor.startChild(work)) as Ref
      signal?.addEventListener('abort', end, { once: true })
      if (signal?.aborted) end()
      const outcome = await outcomeOf(stream)
      if ('error' in outcome) throw outcome.error
      return outcome.value
    } catch (error) {
      throw signal?.aborted ? aborted(signal) : error
    } finally {
      this.count--
      signal?.removeEventListener('abort', end)
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true
    const supervisor = await this.#starting?.catch(() => undefined)
    if (supervisor?.alive) await supervisor.stop('shutdown').catch(() => undefined)
    await this.#own?.stop()
  }

  #started(): Promise<SupervisorRef> {
    if (this.#isClosed) return Promise.reject(internalError('The client is closed'))
    if (this.#supervisor?.alive === false) this.#starting = undefined
    return (this.#starting ??= this.#start())
  }

  async #start(): Promise<SupervisorRef> {
    try {
      this.#own ??= this.#given === undefined ? createSystem() : undefined
      // One of the two is there.
      const system = (this.#given ?? this.#own) as System
      this.#supervisor = await system.start(samplingStreams(this.#maxConcurrent))
      return this.#supervisor
    } catch (error) {
      this.#starting = undefined
      throw error
    }
  }
}

const aborted = ({ reason }: AbortSignal): ProviderError =>
  new ProviderError('aborted', 'The sampling request was aborted.', { cause: reason })
