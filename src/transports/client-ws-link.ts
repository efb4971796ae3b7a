/**
 * An open WebSocket as a link: frames in, frames out, a heartbeat, and its end.
 *
 * Bytes of any kind are a sign of life, so that a server which is busy sending one long message is not taken for dead; and a
 * server has two heartbeats to give one, since a client that was itself held up reads what came only after its timers ran.
 *
 * Source: RFC 6455, 5.5 (control frames), 7.4 (status codes).
 */
import type { Socket } from 'node:net'
import type { RawData, WebSocket } from 'ws'
import { reasonOf } from './client-failures.ts'
import type { Link, LinkFailure, LinkReceiver, Outgoing } from './client-port.ts'
import type { WsClientSettings } from './client-ws.ts'

/** Heartbeats without a sign of life after which the server is gone. */
const SILENT_BEATS_MAX = 2
/** What a server that says 'try again later' is given, in milliseconds. */
const TRY_LATER_MS = 1_000

const NOT_ACCEPTABLE = 1_003
const TRY_LATER = 1_013

/** What the codes say, in words. Source: RFC 6455, 7.4.1, and the registry of IANA. */
const meanings: Readonly<Record<number, string>> = {
  1000: 'the server closed the connection',
  1001: 'the server is going away',
  1002: 'the server found a fault in the protocol',
  [NOT_ACCEPTABLE]: 'the server does not take this kind of message',
  1005: 'the server closed the connection and gave no reason',
  1006: 'the connection broke without a goodbye of the server',
  1007: 'the server could not read a message',
  1008: 'the server closed the connection for breaking its rules',
  1009: 'a message was too long for the server',
  1011: 'the server failed',
  1012: 'the server restarts',
  [TRY_LATER]: 'the server is overloaded',
}

export class WsLink implements Link {
  readonly #webSocket: WebSocket
  readonly #wire: Socket
  readonly #settings: WsClientSettings
  readonly #receiver: LinkReceiver
  #isCorked = false
  #isOver = false
  #bytesRead = -1
  #silentBeats = 0
  #timer: unknown
  /** The failure to tell at the end, when it was this side that ended the connection. */
  #failure: LinkFailure | undefined
  #closing: Promise<void> | undefined
  #onOver: (() => void) | undefined

  constructor(webSocket: WebSocket, wire: Socket, settings: WsClientSettings, receiver: LinkReceiver) {
    this.#webSocket = webSocket
    this.#wire = wire
    this.#settings = settings
    this.#receiver = receiver
    webSocket.on('message', (data, isBinary) => this.#message(data, isBinary))
    webSocket.on('error', (error) => this.#broke(error))
    // The package keeps the reason of a broken connection to itself.
    wire.once('error', (error) => this.#broke(error))
    webSocket.on('close', (code, reason) => this.#end(code, reason.toString()))
    this.#beat()
  }

  send(message: Outgoing): boolean {
    const { bufferedAmount, readyState, OPEN } = this.#webSocket
    if (readyState !== OPEN || this.#closing !== undefined) return false
    if (bufferedAmount > 0 && bufferedAmount + message.text.length > this.#settings.maxBufferedBytes) return false
    if (!this.#isCorked) {
      // What is sent in one turn of the event loop leaves in one write.
      this.#isCorked = true
      this.#wire.cork()
      process.nextTick(this.#uncork)
    }
    this.#webSocket.send(message.text)
    return true
  }

  /** Does nothing: the core sends notifications/cancelled where there is one channel for all. */
  abandon(): void {}

  /** Does nothing: the server may send whenever it likes. */
  listen(): void {}

  close(): Promise<void> {
    const message = `The link to ${this.#settings.target} was closed.`
    return this.#stop({ kind: 'closed', message, mayHaveRun: true }, 1_000)
  }

  readonly #uncork = (): void => {
    this.#isCorked = false
    this.#wire.uncork()
  }

  #message(data: RawData, isBinary: boolean): void {
    if (this.#closing !== undefined) return
    if (!isBinary) this.#receiver.message(data.toString())
    // It may have been the answer to any request, which would now wait for ever.
    else void this.#stop(this.#invalid('a binary frame came; MCP is text.'), NOT_ACCEPTABLE, 'MCP is text')
  }

  /** The package closes the connection itself, with the code for the fault; a server that does not answer is not waited for. */
  #broke(error: Error): void {
    const code = 'code' in error ? error.code : undefined
    const { maxMessageBytes, target } = this.#settings
    if (code === 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH') {
      const why = `a message is longer than ${maxMessageBytes} bytes. Raise maxMessageBytes to take it.`
      void this.#stop(this.#invalid(why))
    } else if (typeof code === 'string' && code.startsWith('WS_ERR_')) {
      void this.#stop(this.#invalid(`a frame came that is none of WebSocket: ${error.message}.`))
    } else {
      const message = `${target}: the connection broke (${reasonOf(error)}).`
      void this.#stop({ kind: 'broken', message, mayHaveRun: true, cause: error })
    }
  }

  #beat(): void {
    this.#timer = this.#settings.clock.setTimer(() => {
      const { bytesRead } = this.#wire
      this.#silentBeats = bytesRead === this.#bytesRead ? this.#silentBeats + 1 : 0
      this.#bytesRead = bytesRead
      if (this.#silentBeats >= SILENT_BEATS_MAX) this.#dead()
      else {
        this.#webSocket.ping()
        this.#beat()
      }
    }, this.#settings.heartbeatMs)
  }

  #dead(): void {
    const { target, heartbeatMs } = this.#settings
    const message = `${target}: the server gave no sign of life for ${SILENT_BEATS_MAX * heartbeatMs} ms.`
    void this.#stop({ kind: 'broken', message, mayHaveRun: true })
    this.#webSocket.terminate()
  }

  /** Says goodbye, waits for the server's, and ends the connection with or without it. */
  #stop(failure: LinkFailure, code?: number, reason?: string): Promise<void> {
    this.#closing ??= new Promise((resolve) => {
      this.#failure = failure
      this.#onOver = resolve
      if (this.#isOver) resolve()
      else {
        const { clock, closeTimeoutMs } = this.#settings
        clock.clearTimer(this.#timer)
        this.#timer = clock.setTimer(() => this.#webSocket.terminate(), closeTimeoutMs)
        this.#webSocket.close(code, reason)
      }
    })
    return this.#closing
  }

  #end(code: number, reason: string): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#settings.clock.clearTimer(this.#timer)
    this.#receiver.closed(this.#failure ?? this.#goodbye(code, reason))
    this.#onOver?.()
  }

  #goodbye(code: number, reason: string): LinkFailure {
    const meaning = meanings[code] ?? 'the server closed the connection'
    const said = reason === '' ? '' : `: ${reason}`
    const message = `${this.#settings.target}: ${meaning} (${code}${said}).`
    return {
      kind: 'broken',
      message,
      mayHaveRun: true,
      ...(code === TRY_LATER && { retryAfterMs: TRY_LATER_MS }),
    }
  }

  #invalid(why: string): LinkFailure {
    return { kind: 'invalid', message: `${this.#settings.target}: ${why}`, mayHaveRun: true }
  }
}
