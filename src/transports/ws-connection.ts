/**
 * One WebSocket: the `Sink` of a connection, and what reads it.
 *
 * A text frame is made once, however many connections it goes to, and written straight to the socket; what is sent in one turn
 * of the event loop leaves in one write. Where compression was negotiated the package `ws` frames every message, as only it can
 * keep their order. A peer that does not read costs `maxBufferedBytes`, then its connection.
 *
 * Source: RFC 6455, 5.2 (frames), 7.4.1 (close codes).
 */
import type { Duplex } from 'node:stream'
import type { RawData, WebSocket } from 'ws'
import type { Clock } from '#runtime/clock'
import type { QuietStream } from './http-streams.ts'
import type { Receiver, Sink } from './port.ts'
import type { WebSocketEndpointSettings } from './ws-options.ts'

/** RFC 6455, 7.4.1. */
export const CLOSE_NORMAL = 1000
export const CLOSE_GOING_AWAY = 1001
const CLOSE_UNSUPPORTED_DATA = 1003

/** What the connections of one endpoint share. */
export interface WebSocketShared {
  readonly settings: WebSocketEndpointSettings
  readonly clock: Clock
  /** How long a peer may take to answer a close, in milliseconds. */
  readonly closeGraceMs: number
  forget(connection: WebSocketConnection): void
}

export class WebSocketConnection implements Sink, QuietStream {
  slot = 0
  readonly #shared: WebSocketShared
  readonly #ws: WebSocket
  readonly #socket: Duplex
  readonly #isCompressed: boolean
  #receiver: Receiver | undefined
  #closeListeners: (() => void)[] = []
  #isEnded = false
  #isGone = false
  #isCorked = false
  /** When anything, pongs too, last came from the peer. */
  #heardAt: number
  /** When a message last went either way. */
  #activeAt: number
  #hasPinged = false

  constructor(ws: WebSocket, socket: Duplex, shared: WebSocketShared) {
    this.#shared = shared
    this.#ws = ws
    this.#socket = socket
    this.#isCompressed = ws.extensions !== ''
    this.#heardAt = shared.clock.now()
    this.#activeAt = this.#heardAt
    ws.on('message', this.#onMessage)
    ws.on('pong', this.#onControl)
    ws.on('ping', this.#onControl)
    // What breaks the protocol is closed with its code by `ws`; 'close' follows.
    ws.on('error', () => {})
    ws.on('close', this.#onClose)
  }

  /** Sets who gets the messages; before, none may come. */
  attach(receiver: Receiver): void {
    this.#receiver = receiver
  }

  get isOpen(): boolean {
    return !this.#isEnded && !this.#isGone && this.#ws.readyState === this.#ws.OPEN
  }

  send(message: string): boolean {
    if (!this.isOpen || !this.#hasRoom()) return false
    this.#activeAt = this.#shared.clock.now()
    if (!this.#isCorked) {
      // nextTick runs after all microtasks when it was asked for in one, so a burst becomes one write.
      this.#isCorked = true
      this.#socket.cork()
      process.nextTick(this.#uncork)
    }
    if (this.#isCompressed) {
      const { compressFromBytes = 0 } = this.#shared.settings
      this.#ws.send(message, { compress: message.length >= compressFromBytes })
    } else this.#socket.write(textFrame(message))
    return true
  }

  end(message?: string): boolean {
    const isSent = message === undefined ? this.isOpen : this.send(message)
    this.close(CLOSE_NORMAL, '')
    return isSent
  }

  /** Closes with a code, behind what was sent. */
  close(code: number, reason: string): void {
    if (this.#isEnded) return
    this.#isEnded = true
    this.#closeListeners = []
    if (this.#isGone) return
    const { clock, closeGraceMs } = this.#shared
    const timer = clock.setTimer(() => this.#ws.terminate(), closeGraceMs)
    this.#ws.once('close', () => clock.clearTimer(timer))
    this.#ws.close(code, reason)
  }

  /** Cuts the connection. */
  terminate(): void {
    this.#ws.terminate()
    this.#gone()
  }

  onClose(listener: () => void): void {
    if (this.#isEnded) return
    if (this.#isGone) queueMicrotask(listener)
    else this.#closeListeners.push(listener)
  }

  /** A look at it, some times per heartbeat. */
  keepAlive(): void {
    const { settings, clock } = this.#shared
    const now = clock.now()
    if (settings.idleTimeoutMs > 0 && now - this.#activeAt >= settings.idleTimeoutMs) {
      return this.close(CLOSE_GOING_AWAY, `No message for ${settings.idleTimeoutMs} ms.`)
    }
    const silentMs = now - this.#heardAt
    if (silentMs < settings.heartbeatMs) return
    if (silentMs >= settings.heartbeatMs * 2 && this.#hasPinged) this.terminate()
    else if (!this.#hasPinged && this.isOpen) {
      this.#hasPinged = true
      this.#ws.ping()
    }
  }

  readonly #uncork = (): void => {
    this.#isCorked = false
    this.#socket.uncork()
  }

  readonly #onMessage = (data: RawData, isBinary: boolean): void => {
    this.#heardAt = this.#shared.clock.now()
    this.#activeAt = this.#heardAt
    this.#hasPinged = false
    if (this.#isEnded) return
    if (isBinary) this.close(CLOSE_UNSUPPORTED_DATA, 'Messages are JSON texts. Send text frames, not binary ones.')
    // With the default binaryType a text is one Buffer, whose UTF-8 was checked.
    else this.#receiver?.message((data as Buffer).toString())
  }

  readonly #onControl = (): void => {
    this.#heardAt = this.#shared.clock.now()
    this.#hasPinged = false
    // A pong answers each ping: one who pings and never reads must not fill the memory.
    this.#hasRoom()
  }

  readonly #onClose = (): void => {
    this.#gone()
    this.#shared.forget(this)
    this.#receiver?.closed()
    this.#receiver = undefined
  }

  /** False when too many bytes wait to be read; the connection is then cut. */
  #hasRoom(): boolean {
    const { maxBufferedBytes } = this.#shared.settings
    if (this.#ws.bufferedAmount <= maxBufferedBytes) return true
    // What was written in this turn is held back until its end: let it go before judging.
    if (this.#isCorked) {
      this.#socket.uncork()
      this.#socket.cork()
    }
    if (this.#ws.bufferedAmount <= maxBufferedBytes) return true
    this.terminate()
    return false
  }

  #gone(): void {
    if (this.#isGone) return
    this.#isGone = true
    const listeners = this.#closeListeners
    this.#closeListeners = []
    for (const listener of listeners) listener()
  }
}

/** Bytes of the longest frame that is kept for the next connection. */
const KEPT_FRAME_BYTES_MAX = 1024 * 1024
let lastMessage: string | undefined
let lastFrame: Buffer | undefined

/** An unfragmented, unmasked text frame; that of the last message is kept, as a fan-out sends the same many times in a row. */
export function textFrame(message: string): Buffer {
  if (message === lastMessage && lastFrame !== undefined) return lastFrame
  const payloadBytes = Buffer.byteLength(message)
  const headerBytes = payloadBytes < 126 ? 2 : payloadBytes < 65_536 ? 4 : 10
  const frame = Buffer.allocUnsafe(headerBytes + payloadBytes)
  // FIN and the opcode of text.
  frame[0] = 0x81
  if (headerBytes === 2) frame[1] = payloadBytes
  else if (headerBytes === 4) {
    frame[1] = 126
    frame.writeUInt16BE(payloadBytes, 2)
  } else {
    frame[1] = 127
    frame.writeUIntBE(0, 2, 2)
    frame.writeUIntBE(payloadBytes, 4, 6)
  }
  frame.write(message, headerBytes)
  if (frame.length <= KEPT_FRAME_BYTES_MAX) {
    lastMessage = message
    lastFrame = frame
  }
  return frame
}
