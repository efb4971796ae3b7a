/**
 * The client's side of HTTP with SSE, the transport of revision 2024-11-05: one stream of events on which everything comes, and
 * an address, named by the stream's first event, to which everything is posted.
 *
 * The address must be of the server's own origin: a server could otherwise have messages, and what authorizes them, sent to
 * anybody. A stream that ends cannot be taken up again: the link is over.
 *
 *     const link = await sseClientTransport({ url: 'https://mcp.example.com/sse' }).open(receiver)
 *
 * Spec: MCP 2024-11-05, basic/transports, HTTP with SSE.
 */
import { connectionFailure, invalidFailure, retryAfterOf, statusFailure } from './client-failures.ts'
import { type HttpClientOptions, type HttpClientSettings, httpClientSettings } from './client-http-options.ts'
import { type AnswerHeaders, HttpRequester, type HttpRun, type HttpRunListener } from './client-http-requester.ts'
import { isEventStream, textOf } from './client-http-shared.ts'
import { NotificationGate } from './client-notification-gate.ts'
import type { ClientTransport, Link, LinkFailure, LinkReceiver, Outgoing } from './client-port.ts'
import { LinkError } from './client-port.ts'
import { SseReader } from './sse-reader.ts'

/** Bytes that are read of a body which is no answer. */
const REFUSAL_BYTES_MAX = 65_536

/** A transport to a server of the 2024-11-05 revision; `url` is that of its stream. Throws `TransportError` `invalid_option`. */
export function sseClientTransport(options: HttpClientOptions): ClientTransport {
  const settings = httpClientSettings(options)
  return {
    name: 'sse',
    target: settings.url.href,
    open: (receiver) => new SseLink(settings, receiver).open(),
  }
}

class SseLink implements Link, HttpRunListener {
  readonly #settings: HttpClientSettings
  readonly #receiver: LinkReceiver
  readonly #requester: HttpRequester
  readonly #reader: SseReader
  readonly #posts = new Set<SsePost>()
  readonly #gate: NotificationGate
  #firstNotification: SsePost | undefined
  #inFlightBytes = 0
  #stream: HttpRun | undefined
  /** Where to post, once the server named it. */
  #endpoint: string | undefined
  #opening: { resolve(link: Link): void; reject(error: LinkError): void } | undefined
  #timer: unknown
  #refusal:
    | { readonly status: number; readonly headers: AnswerHeaders; readonly chunks: Buffer[]; bytes: number }
    | undefined
  #isOver = false
  #closing: Promise<void> | undefined

  constructor(settings: HttpClientSettings, receiver: LinkReceiver) {
    this.#settings = settings
    this.#receiver = receiver
    this.#requester = new HttpRequester(settings)
    this.#gate = new NotificationGate(settings.clock)
    this.#reader = new SseReader(settings.maxMessageBytes, {
      event: (data, type) => this.#event(data, type),
      oversized: () => this.#oversized(),
    })
  }

  open(): Promise<Link> {
    const { clock, openTimeoutMs } = this.#settings
    return new Promise((resolve, reject) => {
      this.#opening = { resolve, reject }
      this.#timer = clock.setTimer(() => {
        this.#end(invalidFailure(this.#what, `no endpoint event came within ${openTimeoutMs} ms.`, false))
      }, openTimeoutMs)
      this.#stream = this.#requester.start('GET', ['accept', 'text/event-stream'], undefined, this)
    })
  }

  send(message: Outgoing): boolean {
    const { maxInFlight, maxInFlightBytes } = this.#settings
    const { length } = message.text
    if (this.#isOver || this.#posts.size >= maxInFlight * 2) return false
    if (this.#inFlightBytes > 0 && this.#inFlightBytes + length > maxInFlightBytes) return false
    const headers = ['accept', 'application/json, text/event-stream', 'content-type', 'application/json']
    headers.push(...Object.entries(message.headers).flat())
    const post: SsePost = new SsePost(`POST ${this.#endpoint}`, this.#settings, (failure) => {
      if (!this.#posts.delete(post)) return
      if (post === this.#firstNotification) this.#gate.open()
      this.#inFlightBytes -= length
      if (failure !== undefined && !this.#isOver) this.#receiver.failed(message.ids, failure)
    })
    this.#posts.add(post)
    this.#inFlightBytes += length
    const start = () => {
      post.run = this.#requester.start('POST', headers, message.text, post)
    }
    if (this.#gate.pass(start, message.kind === 'notification')) this.#firstNotification = post
    return true
  }

  /** Does nothing: answers come over the one stream, and cancelling is a notification. */
  abandon(): void {}

  /** Does nothing: the stream is open. */
  listen(): void {}

  close(): Promise<void> {
    const { href } = this.#settings.url
    this.#end({ kind: 'closed', message: `The link to ${href} was closed.`, mayHaveRun: true })
    return this.#closing!
  }

  head(status: number, headers: AnswerHeaders): void {
    if (status !== 200 || !isEventStream(headers)) this.#refusal = { status, headers, chunks: [], bytes: 0 }
  }

  data(chunk: Buffer): void {
    if (this.#refusal === undefined) this.#reader.push(chunk)
    else {
      this.#refusal.bytes += chunk.length
      this.#refusal.chunks.push(chunk)
      if (this.#refusal.bytes > REFUSAL_BYTES_MAX) this.#refused()
    }
  }

  end(): void {
    if (this.#refusal !== undefined) this.#refused()
    else this.#end({ kind: 'broken', message: `${this.#what}: the server ended the stream.`, mayHaveRun: true })
  }

  failed(error: unknown, wasStarted: boolean): void {
    if (this.#refusal !== undefined) this.#refused()
    else this.#end(connectionFailure(this.#what, error, wasStarted))
  }

  get #what(): string {
    return `GET ${this.#settings.url.href}`
  }

  #event(data: string, type: string): void {
    if (type === 'endpoint') this.#named(data)
    else if (type === 'message' && data !== '' && this.#opening === undefined) this.#receiver.message(data)
  }

  #named(address: string): void {
    if (this.#endpoint !== undefined) return
    const { url } = this.#settings
    const endpoint = URL.canParse(address, url.href) ? new URL(address, url) : undefined
    if (endpoint?.origin !== url.origin) {
      const got = JSON.stringify(address.slice(0, 500))
      this.#end(invalidFailure(this.#what, `the endpoint must be of the origin ${url.origin}, got ${got}.`, false))
      return
    }
    this.#endpoint = endpoint.href
    this.#requester.path = endpoint.pathname + endpoint.search
    this.#settings.clock.clearTimer(this.#timer)
    const opening = this.#opening
    this.#opening = undefined
    opening?.resolve(this)
  }

  #oversized(): void {
    const { maxMessageBytes } = this.#settings
    // It may have been the answer to any request.
    this.#end(
      invalidFailure(
        this.#what,
        `a message is longer than ${maxMessageBytes} bytes. Raise maxMessageBytes to take it.`,
      ),
    )
  }

  #refused(): void {
    const { status, headers, chunks } = this.#refusal!
    const body = textOf(chunks)
    if (status === 200) {
      const got = String(headers['content-type'] ?? '(absent)')
      this.#end({ ...invalidFailure(this.#what, `expected text/event-stream, got ${got}.`, false), status, body })
      return
    }
    const waitMs = retryAfterOf(headers['retry-after'], this.#settings.clock.wallNow())
    this.#end(statusFailure(this.#what, status, body, waitMs))
  }

  #end(failure: LinkFailure): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#settings.clock.clearTimer(this.#timer)
    this.#reader.stop()
    this.#stream?.abort()
    this.#gate.drop()
    for (const post of this.#posts) post.run?.abort()
    this.#posts.clear()
    const told = () => {
      if (this.#opening === undefined) this.#receiver.closed(failure)
      else this.#opening.reject(new LinkError({ ...failure, mayHaveRun: false }))
    }
    this.#closing = this.#requester.close()
    if (failure.kind === 'closed') this.#closing = this.#closing.then(told)
    else told()
  }
}

/** One message on its way. The answer to it comes over the stream; here only that it was taken. */
class SsePost implements HttpRunListener {
  run: HttpRun | undefined
  readonly #what: string
  readonly #settings: HttpClientSettings
  readonly #done: (failure: LinkFailure | undefined) => void
  #status = 0
  #headers: AnswerHeaders = {}
  #chunks: Buffer[] = []
  #bytes = 0

  constructor(what: string, settings: HttpClientSettings, done: (failure: LinkFailure | undefined) => void) {
    this.#what = what
    this.#settings = settings
    this.#done = done
  }

  head(status: number, headers: AnswerHeaders): void {
    this.#status = status
    this.#headers = headers
  }

  data(chunk: Buffer): void {
    this.#bytes += chunk.length
    if (this.#bytes <= REFUSAL_BYTES_MAX) this.#chunks.push(chunk)
    else {
      this.run?.abort()
      this.end()
    }
  }

  end(): void {
    const isTaken = this.#status >= 200 && this.#status < 300
    const waitMs = retryAfterOf(this.#headers['retry-after'], this.#settings.clock.wallNow())
    this.#done(isTaken ? undefined : statusFailure(this.#what, this.#status, textOf(this.#chunks), waitMs))
  }

  failed(error: unknown, wasStarted: boolean): void {
    // Taken is taken, even when the answer that says so breaks off.
    if (this.#status !== 0) this.end()
    else this.#done(connectionFailure(this.#what, error, wasStarted))
  }
}
