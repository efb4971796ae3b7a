/**
 * One HTTP request and the way to answer it: `Exchange` and `Sink` of the port in one object, made once per request.
 *
 * The first thing sent decides the kind of answer. `end(message)` answers a POST as one JSON document in one write;
 * `send` or `prime` turns the answer into an SSE stream; `reply` answers with a bare status. Everything is safe to call
 * after the answer was given or the client has gone: it returns false and does nothing.
 *
 * A stream whose unread bytes pass the bound is cut off, which the client sees as a broken connection and may resume.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { HttpBrake } from './http-brake.ts'
import type { HttpConnections } from './http-connections.ts'
import { certificateOf, credentialsOf, peerOf, urlOfRequest } from './http-request.ts'
import type { HttpStreams, QuietStream } from './http-streams.ts'
import type { ClientCertificate, Exchange, Peer, Sink } from './port.ts'
import { encodeEvent, encodePrimingEvent, KEEP_ALIVE_COMMENT } from './sse-encoding.ts'

/** What all exchanges of one listener share. */
export interface ExchangeShared {
  readonly streams: HttpStreams
  readonly connections: HttpConnections
  readonly brake: HttpBrake
  readonly maxStreamBufferBytes: number
  /** True when connections are to be closed behind their answers. */
  isStopping: boolean
}

type Answered = 'no' | 'streaming' | 'done'

export class HttpExchange implements Exchange, Sink, QuietStream {
  readonly method: 'POST' | 'GET' | 'DELETE'
  body = ''
  slot = 0
  readonly #request: IncomingMessage
  readonly #response: ServerResponse
  readonly #shared: ExchangeShared
  #answered: Answered = 'no'
  /** Names and values in turn, as `writeHead` takes them. */
  #extraHeaders: string[] | undefined
  #closeListeners: (() => void)[] | undefined
  /** What tells that the client has gone, once somebody wants to know. */
  #watched: ServerResponse | Socket | undefined
  /** True when something was sent since the last keep-alive visit. */
  #isLively = false

  constructor(
    method: 'POST' | 'GET' | 'DELETE',
    request: IncomingMessage,
    response: ServerResponse,
    shared: ExchangeShared,
  ) {
    this.method = method
    this.#request = request
    this.#response = response
    this.#shared = shared
  }

  get headers(): Exchange['headers'] {
    return this.#request.headers
  }

  get credentials(): Exchange['credentials'] {
    return credentialsOf(this.#request)
  }

  get url(): string {
    return urlOfRequest(this.#request)
  }

  get sessionId(): string | undefined {
    return this.#request.headers['mcp-session-id'] as string | undefined
  }

  get protocolVersion(): string | undefined {
    return this.#request.headers['mcp-protocol-version'] as string | undefined
  }

  get lastEventId(): string | undefined {
    return this.#request.headers['last-event-id'] as string | undefined
  }

  get peer(): Peer {
    return peerOf('http', this.#request.socket.remoteAddress)
  }

  get clientCertificate(): ClientCertificate | undefined {
    return certificateOf(this.#request.socket)
  }

  get sink(): Sink {
    return this
  }

  get isOpen(): boolean {
    return this.#answered !== 'done' && !this.#isGone
  }

  /** Adds a header to the answer. Does nothing once the answer has begun. */
  setHeader(name: string, value: string): void {
    if (this.#answered !== 'no') return
    if (this.#extraHeaders === undefined) this.#extraHeaders = [name, value]
    else this.#extraHeaders.push(name, value)
  }

  reply(status: number, json?: string): void {
    if (this.#answered !== 'no' || !this.isOpen) return
    this.#answer(status, json)
  }

  send(message: string, eventId?: string): boolean {
    return this.isOpen && this.#write(encodeEvent(message, eventId))
  }

  prime(eventId: string, retryMs?: number): boolean {
    return this.isOpen && this.#write(encodePrimingEvent(eventId, retryMs))
  }

  open(): boolean {
    return this.#answered === 'no' && this.isOpen && this.#write(KEEP_ALIVE_COMMENT)
  }

  end(message?: string, eventId?: string): boolean {
    if (!this.isOpen) return false
    if (this.#answered === 'no' && message === undefined) this.#answer(this.method === 'POST' ? 202 : 200)
    else if (this.#answered === 'no' && this.method === 'POST') this.#answer(200, message)
    else this.#endStream(message === undefined ? undefined : encodeEvent(message, eventId))
    return true
  }

  refuse(status: number, message: string, retryAfterS: string): boolean {
    if (this.#answered !== 'no') return this.end(message)
    if (!this.isOpen) return false
    this.setHeader('retry-after', retryAfterS)
    this.#answer(status, message)
    this.#shared.brake.refused(this.#request.socket)
    return true
  }

  onClose(listener: () => void): void {
    if (this.#answered === 'done') return
    if (this.#isGone) queueMicrotask(listener)
    else {
      this.#closeListeners ??= []
      this.#closeListeners.push(listener)
      this.#watch()
    }
  }

  keepAlive(): void {
    if (this.#isLively) this.#isLively = false
    else if (this.isOpen && this.#hasRoom()) this.#response.write(KEEP_ALIVE_COMMENT)
  }

  /** The acceptor threw: an internal error if nothing was sent, a broken stream otherwise. Spec: JSON-RPC 2.0, 5.1. */
  fail(json: string): void {
    if (this.#answered === 'no') this.reply(500, json)
    else if (this.#answered === 'streaming') this.#request.socket.destroy()
  }

  /** Headers, then the whole body in the same write. */
  #answer(status: number, json?: string): void {
    this.#finish()
    const headers =
      json === undefined
        ? ['content-length', '0']
        : ['content-type', 'application/json', 'content-length', String(Buffer.byteLength(json))]
    this.#writeHead(status, headers)
    this.#response.end(json)
  }

  #openStream(): void {
    this.#writeHead(200, STREAM_HEADERS.slice())
    this.#answered = 'streaming'
    this.#watch()
    this.#shared.streams.add(this)
  }

  #endStream(frame: string | undefined): void {
    if (this.#answered === 'no') this.#openStream()
    this.#finish()
    this.#response.end(frame)
    // The headers promised to keep the connection; there will be no next request now.
    if (this.#shared.isStopping) this.#request.socket.destroySoon()
  }

  #write(frame: string): boolean {
    if (this.#answered === 'no') this.#openStream()
    else if (!this.#hasRoom()) return false
    this.#isLively = true
    this.#response.write(frame)
    return true
  }

  /** False when too many bytes wait to be read; the stream is then cut off. */
  #hasRoom(): boolean {
    const { maxStreamBufferBytes } = this.#shared
    if (this.#response.writableLength <= maxStreamBufferBytes) return true
    // What was written in this turn is held back until its end to leave as one packet: let it go before judging.
    this.#response.socket?.uncork()
    if (this.#response.writableLength <= maxStreamBufferBytes) return true
    this.#request.socket.destroy()
    return false
  }

  #writeHead(status: number, headers: string[]): void {
    if (this.#extraHeaders !== undefined) headers.push(...this.#extraHeaders)
    if (this.#shared.isStopping) headers.push('connection', 'close')
    this.#response.writeHead(status, headers)
  }

  /** True once the client has gone. */
  get #isGone(): boolean {
    return this.#response.destroyed || this.#request.socket.destroyed
  }

  /** Notices from now on when the client goes away. */
  #watch(): void {
    if (this.#watched !== undefined) return
    // A pipelined answer that waits behind another has no socket yet, and Node would not tell it of the end.
    this.#watched = this.#response.socket === null ? this.#request.socket : this.#response
    this.#watched.on('close', this.#onGone)
  }

  /** Lets go of everything that knows this exchange. */
  #finish(): void {
    if (this.#answered === 'streaming') this.#shared.streams.delete(this)
    this.#answered = 'done'
    this.#closeListeners = undefined
    this.#watched?.off('close', this.#onGone)
    this.#shared.connections.paid(this.#request.socket)
  }

  readonly #onGone = (): void => {
    const listeners = this.#closeListeners
    this.#finish()
    if (listeners !== undefined) for (const listener of listeners) listener()
  }
}

const STREAM_HEADERS = [
  'content-type',
  'text/event-stream',
  'cache-control',
  'no-cache, no-transform',
  'x-accel-buffering',
  'no',
]
