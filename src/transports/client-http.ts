/**
 * The client's side of Streamable HTTP, of both eras: every message is a POST, answered by JSON or by a stream of events.
 *
 * It owns the connections, the session id of the legacy era (kept from the answer to `initialize`, repeated, deleted at the
 * end), the stream that a legacy server sends on by itself, and the resuming of streams that broke. It promises that each
 * request is answered or failed, once; that a failure says whether the request may have run; and that nothing is left open
 * after `close`.
 *
 *     const link = await httpClientTransport({ url: 'https://mcp.example.com/mcp' }).open(receiver)
 *     link.send({ text, kind: 'request', ids: [1], headers: { 'MCP-Protocol-Version': '2026-07-28', 'Mcp-Method': 'tools/list' } })
 *
 * Gotcha: each POST may take its own connection, so messages that are sent at once may arrive in any order. Only the first
 * notification holds back what is sent after it: a server is to know that it is initialized before anything else.
 *
 * Spec: MCP 2025-11-25, basic/transports; MCP 2026-07-28, basic/transports/streamable-http.
 */
import type { RequestId } from '#protocol'
import { sessionLostFailure } from './client-failures.ts'
import { type AnswerHost, HttpAnswer } from './client-http-answer.ts'
import { type HttpClientOptions, type HttpClientSettings, httpClientSettings } from './client-http-options.ts'
import { type AnswerHeaders, HttpRequester, type HttpRun, type HttpRunListener } from './client-http-requester.ts'
import { HttpServerStream } from './client-http-server-stream.ts'
import { NotificationGate } from './client-notification-gate.ts'
import type { ClientTransport, Link, LinkFailure, LinkReceiver, Outgoing } from './client-port.ts'

export type { ClientTlsOptions, HttpClientOptions } from './client-http-options.ts'

/** How long a connection may go on behind its last answer, in milliseconds; twice this at most. */
const LINGER_MS = 2_000
/** A session id is visible ASCII. Spec: MCP 2025-11-25, basic/transports, session management. */
const SESSION_ID = /^[\x21-\x7e]+$/
const POST_HEADERS = ['accept', 'application/json, text/event-stream', 'content-type', 'application/json']

/** A transport to a Streamable HTTP endpoint. Throws `TransportError` `invalid_option`. */
export function httpClientTransport(options: HttpClientOptions): ClientTransport {
  const settings = httpClientSettings(options)
  return {
    name: 'http',
    target: settings.url.href,
    // There is nothing to open: the first request shows whether the server is there.
    open: async (receiver) => new HttpLink(settings, receiver),
  }
}

class HttpLink implements Link, AnswerHost {
  readonly settings: HttpClientSettings
  sessionId: string | undefined
  readonly #receiver: LinkReceiver
  readonly #requester: HttpRequester
  readonly #answers = new Set<HttpAnswer>()
  /** The answers by the requests that wait for them. */
  readonly #byId = new Map<RequestId, HttpAnswer>()
  readonly #lingering = new Set<HttpAnswer>()
  #lingerTimer: unknown
  #serverStream: HttpServerStream | undefined
  #inFlightBytes = 0
  /** As the last message said it. */
  #protocolVersion: string | undefined
  #firstNotification: HttpAnswer | undefined
  readonly #gate: NotificationGate
  /** Called when nothing is on its way any more. */
  #onIdle: (() => void) | undefined
  #isOver = false
  #closing: Promise<void> | undefined

  constructor(settings: HttpClientSettings, receiver: LinkReceiver) {
    this.settings = settings
    this.#receiver = receiver
    this.#requester = new HttpRequester(settings)
    this.#gate = new NotificationGate(settings.clock)
  }

  send(message: Outgoing): boolean {
    if (this.#isOver || !this.#hasRoom(message)) return false
    const answer = new HttpAnswer(this, message)
    this.#answers.add(answer)
    for (const id of message.ids) this.#byId.set(id, answer)
    this.#inFlightBytes += message.text.length
    const isFirstNotification = this.#gate.pass(() => answer.start(), message.kind === 'notification')
    if (isFirstNotification) this.#firstNotification = answer
    return true
  }

  abandon(id: RequestId): void {
    const answer = this.#byId.get(id)
    this.#byId.delete(id)
    answer?.settle(id, false)
  }

  listen(): void {
    if (this.#isOver || this.#serverStream !== undefined) return
    const stream = new HttpServerStream(this)
    this.#serverStream = stream
    this.#gate.pass(() => stream.start(), false)
  }

  close(): Promise<void> {
    this.#closing ??= this.#isOver ? this.#requester.close() : this.#close()
    return this.#closing
  }

  post(message: Outgoing, listener: HttpRunListener): HttpRun {
    const headers = [...POST_HEADERS]
    if (this.sessionId !== undefined) headers.push('mcp-session-id', this.sessionId)
    for (const name in message.headers) {
      const value = message.headers[name]!
      headers.push(name, value)
      if (name.length === 20 && name.toLowerCase() === 'mcp-protocol-version') this.#protocolVersion = value
    }
    return this.#requester.start('POST', headers, message.text, listener)
  }

  openStream(lastEventId: string, listener: HttpRunListener): HttpRun {
    const headers = ['accept', 'text/event-stream', ...this.#sessionHeaders()]
    if (lastEventId !== '') headers.push('last-event-id', lastEventId)
    return this.#requester.start('GET', headers, undefined, listener)
  }

  accepted(message: Outgoing, headers: AnswerHeaders): void {
    const sessionId = headers['mcp-session-id']
    // Only the answer to `initialize` gives a session; other servers repeat the header, or have none.
    if (sessionId === undefined || this.sessionId !== undefined || !isInitialize(message)) return
    if (typeof sessionId === 'string' && SESSION_ID.test(sessionId)) this.sessionId = sessionId
  }

  deliver(text: string, ids: readonly RequestId[]): void {
    for (const id of ids) {
      const answer = this.#byId.get(id)
      this.#byId.delete(id)
      answer?.settle(id, true)
    }
    if (!this.#isOver) this.#receiver.message(text)
  }

  failed(ids: readonly RequestId[], failure: LinkFailure): void {
    for (const id of ids) this.#byId.delete(id)
    if (!this.#isOver) this.#receiver.failed(ids, failure)
  }

  finished(answer: HttpAnswer): void {
    if (!this.#answers.delete(answer)) return
    this.#lingering.delete(answer)
    this.#inFlightBytes -= answer.message.text.length
    if (answer === this.#firstNotification) this.#gate.open()
    if (this.#answers.size === 0) this.#onIdle?.()
  }

  lingers(answer: HttpAnswer): void {
    const { clock } = this.settings
    answer.lingersSinceMs = clock.now()
    this.#lingering.add(answer)
    if (this.#lingerTimer === undefined) this.#waitLingering()
  }

  sessionLost(what: string): void {
    this.sessionId = undefined
    this.#end(sessionLostFailure(what, true))
  }

  #hasRoom(message: Outgoing): boolean {
    const { maxInFlight, maxInFlightBytes } = this.settings
    const requests = this.#byId.size
    // Notifications and responses have room of their own: requests may be waiting for just those.
    const others = this.#answers.size - this.#lingering.size - requests
    const count = message.ids.length > 0 ? requests + message.ids.length : others + 1
    if (count > maxInFlight) return false
    return this.#inFlightBytes === 0 || this.#inFlightBytes + message.text.length <= maxInFlightBytes
  }

  /** Closes connections that go on although all that was asked on them is answered. */
  readonly #endLingering = (): void => {
    const { clock } = this.settings
    const untilMs = clock.now() - LINGER_MS
    for (const answer of this.#lingering) if (answer.lingersSinceMs <= untilMs) answer.stop()
    this.#lingerTimer = undefined
    if (this.#lingering.size > 0) this.#waitLingering()
  }

  #waitLingering(): void {
    const { clock } = this.settings
    this.#lingerTimer = clock.setTimer(this.#endLingering, LINGER_MS)
    // The connections themselves keep the program alive; the watch over them does not.
    clock.holdTimer?.(this.#lingerTimer, false)
  }

  #sessionHeaders(): string[] {
    const headers: string[] = []
    if (this.sessionId !== undefined) headers.push('mcp-session-id', this.sessionId)
    if (this.#protocolVersion !== undefined) headers.push('mcp-protocol-version', this.#protocolVersion)
    return headers
  }

  /** Fails all that waits, with what each may have done. */
  #stopAll(failure: LinkFailure): void {
    this.#isOver = true
    const { clock } = this.settings
    clock.clearTimer(this.#lingerTimer)
    this.#gate.drop()
    this.#serverStream?.stop()
    for (const answer of [...this.#answers]) {
      const { unanswered, wasStarted } = answer
      if (unanswered.length > 0) this.#receiver.failed(unanswered, { ...failure, mayHaveRun: wasStarted })
      // Notifications and responses that are on their way when this side closes get there.
      if (answer.message.ids.length > 0 || !answer.isPosted || failure.kind !== 'closed') answer.stop()
    }
    this.#byId.clear()
  }

  #end(failure: LinkFailure): void {
    if (this.#isOver) return
    this.#stopAll(failure)
    void this.#requester.close()
    this.#receiver.closed(failure)
  }

  async #close(): Promise<void> {
    const message = `The link to ${this.settings.url.href} was closed.`
    const failure: LinkFailure = { kind: 'closed', message, mayHaveRun: true }
    this.#stopAll(failure)
    await this.#farewell()
    for (const answer of [...this.#answers]) answer.stop()
    await this.#requester.close()
    this.#receiver.closed(failure)
  }

  /** Waits for what is on its way, then asks the server to forget the session: all in `closeTimeoutMs`. */
  #farewell(): Promise<void> {
    return new Promise((resolve) => {
      let run: HttpRun | undefined
      const timer = this.settings.clock.setTimer(() => {
        run?.abort()
        resolve()
      }, this.settings.closeTimeoutMs)
      const done = () => {
        this.settings.clock.clearTimer(timer)
        resolve()
      }
      this.#onIdle = () => {
        this.#onIdle = undefined
        if (this.sessionId === undefined) done()
        // Whatever it answers is fine; not every server lets its sessions be ended.
        else {
          const listener = { head: () => {}, data: () => {}, end: done, failed: done }
          run = this.#requester.start('DELETE', this.#sessionHeaders(), undefined, listener)
        }
      }
      if (this.#answers.size === 0) this.#onIdle()
    })
  }
}

/** The link looks into a message only here. */
function isInitialize(message: Outgoing): boolean {
  return message.kind === 'request' && message.text.includes('"method":"initialize"')
}
