/**
 * One request to a provider and its stream of events, over HTTP: sent, read in bounds, and closed whatever happens. Retrying is
 * decided above; what is promised here is that every failure is a `ProviderError` and that nothing stays open.
 */
import { isObject } from '#protocol/json-rpc'
import type { Deadline } from './deadline.ts'
import { type EventReader, vendorError } from './dialect.ts'
import { badStream, ProviderError } from './errors.ts'
import { EventStreamReader } from './event-stream.ts'
import { retryAfterMs } from './retry.ts'

/** Like the global `fetch`, as far as it is used here. */
export type Fetch = (url: string, init: RequestInit) => Promise<Response>

export interface ExchangeOptions {
  /** Names the provider in errors. */
  readonly title: string
  readonly fetch: Fetch
  readonly wallNow: () => number
  readonly responseBytesMax: number
  readonly eventBytesMax: number
}

export interface Sending {
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
  /** Never shown in an error. */
  readonly key: string
}

/** Bytes of a refusal that are read, and milliseconds that a stream may take to end after its last event. */
const REFUSAL_BYTES_MAX = 64 * 1024
const LAST_BYTES_MS = 50

/**
 * Sends and reads until the reader has the whole answer. `drain` is called after each chunk and may stop the reading. Rejects
 * with `ProviderError`, or with what `drain` rejects with.
 */
export async function exchange(
  options: ExchangeOptions,
  sending: Sending,
  deadline: Deadline,
  events: EventReader,
  drain: () => Promise<'more' | 'enough'>,
): Promise<void> {
  const { title } = options
  deadline.signal.throwIfAborted()
  // Aborted at the deadline, and when this exchange is over, so that no connection outlives it.
  const own = new AbortController()
  const stop = (): void => own.abort(deadline.signal.reason)
  deadline.signal.addEventListener('abort', stop, { once: true })
  try {
    deadline.listen()
    const init: RequestInit = {
      method: 'POST',
      headers: { ...sending.headers, 'content-type': 'application/json', accept: 'text/event-stream' },
      body: sending.body,
      redirect: 'manual',
      signal: own.signal,
    }
    const response = await wired(title, 'could not be reached', deadline, options.fetch(sending.url, init))
    deadline.heard()
    if (!response.ok) throw await refusal(options, sending, deadline, response)
    const type = response.headers.get('content-type') ?? ''
    if (!/^text\/event-stream\b/i.test(type) || response.body === null) {
      throw badStream(
        `${title} answered with ${type === '' ? 'no content type' : type.slice(0, 100)}, not with an event stream.`,
      )
    }
    const reader = response.body.getReader()
    const isWhole = await readEvents(options, deadline, reader, events, drain)
    if (isWhole) await lastBytes(deadline, reader)
  } finally {
    deadline.pause()
    deadline.signal.removeEventListener('abort', stop)
    own.abort()
  }
}

/** Reads until the answer is whole; false when `drain` has enough. */
async function readEvents(
  { title, responseBytesMax, eventBytesMax }: ExchangeOptions,
  deadline: Deadline,
  reader: ReadableStreamDefaultReader<Uint8Array>,
  events: EventReader,
  drain: () => Promise<'more' | 'enough'>,
): Promise<boolean> {
  const parser = new EventStreamReader(eventBytesMax)
  let bytes = 0
  for (;;) {
    const { done, value } = await wired(title, 'broke off its answer', deadline, reader.read())
    deadline.heard()
    if (done) {
      if (events.end()) return true
      throw new ProviderError('connection', `${title} ended its answer before it was whole.`)
    }
    bytes += value.byteLength
    if (bytes > responseBytesMax) {
      throw new ProviderError('response_too_large', `${title} answered with more than ${responseBytesMax} bytes.`)
    }
    let fault: { readonly error: unknown } | undefined
    try {
      for (const event of parser.push(value)) {
        if (!events.isOver) events.read(event)
      }
    } catch (error) {
      fault = { error }
    }
    // What came before the fault is the user's.
    deadline.pause()
    const wanted = await deadline.race(drain())
    if (fault !== undefined) throw fault.error
    if (events.isOver) return true
    if (wanted === 'enough') return false
    deadline.listen()
  }
}

/** Takes the end of a stream that is due at once, so that the connection can be used again. */
async function lastBytes(deadline: Deadline, reader: ReadableStreamDefaultReader<Uint8Array>): Promise<void> {
  await Promise.race([reader.read().catch(() => undefined), deadline.sleep(LAST_BYTES_MS).catch(() => undefined)])
}

/** The outcome of a step on the wire; its failure as a `ProviderError`. */
async function wired<T>(title: string, what: string, deadline: Deadline, step: Promise<T>): Promise<T> {
  try {
    return await deadline.race(step)
  } catch (error) {
    if (deadline.signal.aborted) throw deadline.signal.reason
    throw new ProviderError('connection', `${title} ${what}: ${reasonOf(error)}.`, { cause: error })
  }
}

async function refusal(
  { title, wallNow }: ExchangeOptions,
  { key }: Sending,
  deadline: Deadline,
  response: Response,
): Promise<ProviderError> {
  const { status, headers } = response
  const after = retryAfterMs(headers, wallNow())
  const requestId = headers.get('request-id') ?? headers.get('x-request-id')
  const detail = {
    status,
    ...(after === undefined ? {} : { retryAfterMs: after }),
    ...(requestId === null ? {} : { requestId: requestId.slice(0, 200) }),
  }
  if (status < 400) {
    const where = headers.get('location') ?? 'nowhere'
    const message = `${title} answered with status ${status}, which leads to ${where.slice(0, 200)}; redirects are not followed, so that the key goes nowhere else. Correct baseUrl.`
    return new ProviderError('invalid_request', message, { status, isRetryable: false })
  }
  const text = await startOf(deadline, response)
  const error = vendorError(title, errorIn(text.replaceAll(key === '' ? '\0' : key, '[key]')), detail)
  const verdict = headers.get('x-should-retry')
  if (verdict !== 'true' && verdict !== 'false') return error
  return new ProviderError(error.code, error.message, {
    ...detail,
    ...(error.member === undefined ? {} : { member: error.member }),
    isRetryable: verdict === 'true',
  })
}

/** The start of a refusal's body; empty when it breaks off. */
async function startOf(deadline: Deadline, response: Response): Promise<string> {
  if (response.body === null) return ''
  const reader = response.body.getReader()
  const decoder = new TextDecoder()
  let text = ''
  try {
    for (let bytes = 0; bytes < REFUSAL_BYTES_MAX; ) {
      const { done, value } = await deadline.race(reader.read())
      if (done) break
      bytes += value.byteLength
      text += decoder.decode(value, { stream: true })
    }
  } catch (error) {
    if (deadline.signal.aborted) throw error
  }
  return text
}

/** The error object of a refusal, or its first line where it is something else. */
function errorIn(text: string): unknown {
  try {
    const value: unknown = JSON.parse(text)
    if (isObject(value)) return value['error'] ?? value
  } catch {
    // Proxies answer with pages.
  }
  return text.trim().split('\n', 1)[0]
}

/** `fetch` hides the reason in the cause. */
function reasonOf(error: unknown): string {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error
  if (!(cause instanceof Error)) return 'the connection failed'
  return 'code' in cause && typeof cause.code === 'string' ? cause.code : cause.message
}
