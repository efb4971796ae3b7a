/**
 * One stream of the legacy HTTP+SSE transport: the `Sink` of a connection whose other direction is posts.
 *
 * It lives as long as its GET. What was sent while nobody read is kept up to a bound; then the stream is cut off, and as this
 * revision has no resumption, so is the session.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Clock } from '#runtime/clock'
import type { HttpConnections } from './http-connections.ts'
import type { QuietStream } from './http-streams.ts'
import type { Receiver, Sink } from './port.ts'
import { encodeEvent, KEEP_ALIVE_COMMENT } from './sse-encoding.ts'
import type { SseEndpointSettings } from './sse-options.ts'

/** What the streams of one endpoint share. */
export interface SseShared {
  readonly settings: SseEndpointSettings
  readonly clock: Clock
  readonly connections: HttpConnections
  forget(stream: SseStream): void
}

export class SseStream implements Sink, QuietStream {
  slot = 0
  readonly id: string
  readonly owner: string | undefined
  readonly #shared: SseShared
  readonly #request: IncomingMessage
  readonly #response: ServerResponse
  #receiver: Receiver | undefined
  #closeListeners: (() => void)[] = []
  #isEnded = false
  #isGone = false
  /** True when something was sent since the last keep-alive visit. */
  #isLively = true
  /** When a message last went either way. */
  #activeAt: number

  constructor(
    id: string,
    owner: string | undefined,
    request: IncomingMessage,
    response: ServerResponse,
    shared: SseShared,
  ) {
    this.id = id
    this.owner = owner
    this.#request = request
    this.#response = response
    this.#shared = shared
    this.#activeAt = shared.clock.now()
    response.on('close', this.#onClose)
  }

  get isOpen(): boolean {
    return !this.#isEnded && !this.#isGone && !this.#response.destroyed
  }

  /** Sends the head and the event that says where to post. Spec: MCP 2024-11-05, basic/transports, HTTP with SSE. */
  begin(headers: readonly string[], endpoint: string): void {
    this.#response.writeHead(200, [...STREAM_HEADERS, ...headers])
    this.#response.write(`event: endpoint\n${encodeEvent(endpoint)}`)
  }

  /** Sets who gets the messages. */
  attach(receiver: Receiver): void {
    this.#receiver = receiver
  }

  /** A message was posted. */
  take(text: string): void {
    this.#activeAt = this.#shared.clock.now()
    this.#receiver?.message(text)
  }

  send(message: string): boolean {
    if (!this.isOpen || !this.#hasRoom()) return false
    this.#isLively = true
    this.#activeAt = this.#shared.clock.now()
    this.#response.write(`event: message\n${encodeEvent(message)}`)
    return true
  }

  end(message?: string): boolean {
    const isSent = message === undefined ? this.isOpen : this.send(message)
    if (this.#isEnded || this.#isGone) return isSent
    this.#isEnded = true
    this.#closeListeners = []
    this.#shared.forget(this)
    this.#shared.connections.paid(this.#request.socket)
    this.#response.end()
    return isSent
  }

  onClose(listener: () => void): void {
    if (this.#isEnded) return
    if (this.#isGone) queueMicrotask(listener)
    else this.#closeListeners.push(listener)
  }

  keepAlive(): void {
    const { clock, settings } = this.#shared
    const { idleTimeoutMs } = settings
    if (idleTimeoutMs > 0 && clock.now() - this.#activeAt >= idleTimeoutMs) this.end()
    else if (this.#isLively) this.#isLively = false
    else if (this.isOpen && this.#hasRoom()) this.#response.write(KEEP_ALIVE_COMMENT)
  }

  /** False when too many bytes wait to be read; the stream is then cut off. */
  #hasRoom(): boolean {
    const { maxStreamBufferBytes } = this.#shared.settings
    if (this.#response.writableLength <= maxStreamBufferBytes) return true
    // What was written in this turn is held back until its end to leave as one packet: let it go before judging.
    this.#response.socket?.uncork()
    if (this.#response.writableLength <= maxStreamBufferBytes) return true
    this.#request.socket.destroy()
    return false
  }

  readonly #onClose = (): void => {
    if (this.#isGone) return
    this.#isGone = true
    if (!this.#isEnded) {
      this.#shared.forget(this)
      this.#shared.connections.paid(this.#request.socket)
    }
    const listeners = this.#closeListeners
    this.#closeListeners = []
    for (const listener of listeners) listener()
    this.#receiver?.closed()
    this.#receiver = undefined
  }
}

const STREAM_HEADERS = [
  'content-type',
  'text/event-stream',
  'cache-control',
  'no-cache, no-transform',
  'x-accel-buffering',
  'no',
  // There is nothing to come after a stream.
  'connection',
  'close',
]
