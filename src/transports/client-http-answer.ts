/**
 * One message that was posted, and what the server answers to it: one JSON document, a stream of events, a status, or nothing.
 *
 * It knows which of its requests are still unanswered and sees to it that each is answered or failed, once. An answer that came
 * whole is passed on whatever its status was, so that an error of the protocol is not mistaken for one of HTTP.
 *
 * Spec: MCP 2025-11-25 and 2026-07-28, basic/transports, Streamable HTTP, sending messages.
 */
import type { RequestId } from '#protocol'
import { decodeUtf8 } from './bytes.ts'
import { answeredIds } from './client-answers.ts'
import {
  connectionFailure,
  invalidFailure,
  isSessionLost,
  retryAfterOf,
  sessionLostFailure,
  statusFailure,
} from './client-failures.ts'
import type { AnswerHeaders, HttpRun, HttpRunListener } from './client-http-requester.ts'
import { isEventStream, isJson, type StreamHost, textOf } from './client-http-shared.ts'
import { HttpEventStream, type StreamOwner } from './client-http-stream.ts'
import type { LinkFailure, Outgoing } from './client-port.ts'

/** Bytes that are read of a body which is no answer. */
const REFUSAL_BYTES_MAX = 1024 * 1024

/** The link, as its answers see it. */
export interface AnswerHost extends StreamHost {
  /** Sends the message. */
  post(message: Outgoing, listener: HttpRunListener): HttpRun
  /** The server answered with success, and these headers. */
  accepted(message: Outgoing, headers: AnswerHeaders): void
  /** Hands a message of the server over; whom it answers is known from now on. */
  deliver(text: string, ids: readonly RequestId[]): void
  failed(ids: readonly RequestId[], failure: LinkFailure): void
  /** Nothing more will come of the message. */
  finished(answer: HttpAnswer): void
  /** All answers are there, but the connection goes on. */
  lingers(answer: HttpAnswer): void
}

type Phase = 'waiting' | 'json' | 'events' | 'refused' | 'accepted' | 'over'

export class HttpAnswer implements HttpRunListener, StreamOwner {
  readonly message: Outgoing
  readonly startsAnew = false
  /** When its last answer came while its connection went on, in milliseconds of the clock. */
  lingersSinceMs = 0
  readonly #host: AnswerHost
  #unanswered: RequestId[]
  #phase: Phase = 'waiting'
  #run: HttpRun | undefined
  #stream: HttpEventStream | undefined
  #status = 0
  #headers: AnswerHeaders = {}
  #chunks: Buffer[] = []
  #bytes = 0
  #hadSession = false

  constructor(host: AnswerHost, message: Outgoing) {
    this.#host = host
    this.message = message
    this.#unanswered = [...message.ids]
  }

  get unanswered(): readonly RequestId[] {
    return this.#unanswered
  }

  get isDone(): boolean {
    return this.#unanswered.length === 0
  }

  get isPosted(): boolean {
    return this.#run !== undefined
  }

  /** Whether bytes of the message may have left. */
  get wasStarted(): boolean {
    return this.#run?.wasStarted === true
  }

  start(): void {
    if (this.#phase === 'over') return
    this.#hadSession = this.#host.sessionId !== undefined
    this.#run = this.#host.post(this.message, this)
  }

  /** The request has its answer, or wants none any more; `isWanted` false closes the connection when it was the last one. */
  settle(id: RequestId, isWanted: boolean): void {
    const index = this.#unanswered.indexOf(id)
    if (index === -1) return
    this.#unanswered.splice(index, 1)
    if (this.#unanswered.length > 0 || this.#phase === 'over') return
    if (!isWanted) this.stop()
    else if (this.#phase !== 'json') this.#host.lingers(this)
  }

  /** Ends it, telling nobody. */
  stop(): void {
    if (this.#phase === 'over') return
    this.#phase = 'over'
    this.#chunks = []
    this.#run?.abort()
    this.#stream?.stop()
    this.#host.finished(this)
  }

  head(status: number, headers: AnswerHeaders): void {
    this.#status = status
    this.#headers = headers
    if (status >= 200 && status < 300) this.#host.accepted(this.message, headers)
    if (status < 200 || status >= 300) this.#phase = 'refused'
    else if (this.message.ids.length === 0) this.#phase = 'accepted'
    else if (isEncoded(headers)) this.#phase = 'refused'
    else if (isJson(headers)) this.#phase = 'json'
    else if (isEventStream(headers)) {
      this.#phase = 'events'
      this.#stream = new HttpEventStream(this.#host, this, this.#what)
    } else this.#phase = 'refused'
  }

  data(chunk: Buffer): void {
    if (this.#phase === 'events') {
      this.#stream!.data(chunk)
      return
    }
    if (this.#phase === 'over') return
    this.#bytes += chunk.length
    if (this.#phase === 'accepted') {
      if (this.#bytes > REFUSAL_BYTES_MAX) this.stop()
    } else if (this.#phase === 'refused') {
      this.#chunks.push(chunk)
      if (this.#bytes > REFUSAL_BYTES_MAX) this.#refused()
    } else if (this.#bytes > this.#host.settings.maxMessageBytes) this.oversized()
    else this.#chunks.push(chunk)
  }

  end(): void {
    if (this.#phase === 'events') {
      this.#stream!.end()
      if (this.isDone) this.stop()
    } else if (this.#phase === 'json') this.#answered()
    else if (this.#phase === 'refused') this.#refused()
    else this.stop()
  }

  failed(error: unknown, wasStarted: boolean): void {
    if (this.#phase === 'events') {
      this.#stream!.failed(error, wasStarted)
      if (this.isDone) this.stop()
    } else if (this.#phase === 'refused') this.#refused()
    else if (this.#phase === 'accepted') this.stop()
    else if (this.#phase !== 'over') this.over(connectionFailure(this.#what, error, wasStarted))
  }

  received(text: string): void {
    this.#host.deliver(text, answeredIds(text) ?? [])
  }

  oversized(): void {
    const { maxMessageBytes } = this.#host.settings
    this.over(
      invalidFailure(
        this.#what,
        `the answer is longer than ${maxMessageBytes} bytes. Raise maxMessageBytes to take it.`,
      ),
    )
  }

  failing(failures: number): boolean {
    return failures <= this.#host.settings.maxReconnects
  }

  /** Fails what is unanswered and ends. */
  over(failure: LinkFailure): void {
    if (this.#phase === 'over') return
    const ids = this.#unanswered
    this.#unanswered = []
    this.stop()
    if (ids.length > 0 || this.message.ids.length === 0) this.#host.failed(ids, failure)
  }

  get #what(): string {
    return `POST ${this.#host.settings.url.href}`
  }

  /** The whole JSON body is there. */
  #answered(): void {
    const bytes = this.#chunks.length === 1 ? this.#chunks[0]! : Buffer.concat(this.#chunks)
    const text = decodeUtf8(bytes, 0, bytes.length)
    const ids = text === undefined ? undefined : answeredIds(text)
    if (text === undefined || ids === undefined) {
      this.over(invalidFailure(this.#what, `expected JSON in UTF-8, got ${bytes.length} bytes that are not.`))
      return
    }
    this.#host.deliver(text, ids)
    if (this.isDone) this.stop()
    else
      this.over(invalidFailure(this.#what, `the answer holds none to request ${JSON.stringify(this.#unanswered[0])}.`))
  }

  /** A status or a content type that does not promise an answer; its body may hold one all the same. */
  #refused(): void {
    const text = textOf(this.#chunks)
    if (this.#hadSession && isSessionLost(this.#status, text)) {
      this.over(sessionLostFailure(this.#what, false, this.#status))
      this.#host.sessionLost(this.#what)
      return
    }
    const ids = (this.#status < 300 ? undefined : answeredIds(text)) ?? []
    if (ids.some((id) => this.#unanswered.includes(id))) this.#host.deliver(text, ids)
    if (this.message.ids.length > 0 && this.isDone) this.stop()
    else this.over(this.#refusal(text))
  }

  #refusal(body: string): LinkFailure {
    const { 'content-type': contentType, 'content-encoding': encoding, location } = this.#headers
    if (this.#status >= 300) {
      const waitMs = retryAfterOf(this.#headers['retry-after'], this.#host.settings.clock.wallNow())
      const hint = typeof location === 'string' && this.#status < 400 ? redirectHint(location) : ''
      return statusFailure(this.#what, this.#status, body, waitMs, hint)
    }
    const got = isEncoded(this.#headers)
      ? `content-encoding ${String(encoding)}`
      : `${this.#status} with content-type ${String(contentType ?? '(absent)')}`
    return {
      ...invalidFailure(this.#what, `expected application/json or text/event-stream as the answer, got ${got}.`),
      status: this.#status,
      body,
    }
  }
}

function isEncoded(headers: AnswerHeaders): boolean {
  const encoding = headers['content-encoding']
  return encoding !== undefined && encoding !== 'identity'
}

function redirectHint(location: string): string {
  return ` It redirects to ${location.slice(0, 500)}, which is not followed; connect to that address if you trust it.`
}
