/** An open TCP connection as a link: lines in, lines out, and its end. */
import type { Socket } from 'node:net'
import { reasonOf } from './client-failures.ts'
import type { Link, LinkFailure, LinkReceiver, Outgoing } from './client-port.ts'
import type { TcpClientSettings } from './client-tcp.ts'
import { LineFramer, type LineRefusal } from './line-framing.ts'

export class TcpLink implements Link {
  readonly #socket: Socket
  readonly #settings: TcpClientSettings
  readonly #receiver: LinkReceiver
  readonly #framer: LineFramer
  /** Lines sent in this turn, not yet written. */
  #pending = ''
  #isOver = false
  #timer: unknown
  /** The failure to tell at the end. */
  #failure: LinkFailure | undefined
  #closing: Promise<void> | undefined
  #onOver: (() => void) | undefined

  constructor(socket: Socket, settings: TcpClientSettings, receiver: LinkReceiver) {
    this.#socket = socket
    this.#settings = settings
    this.#receiver = receiver
    this.#framer = new LineFramer(settings.maxMessageBytes, {
      line: (text) => receiver.message(text),
      refused: (why) => this.#refused(why),
    })
    socket.setKeepAlive(true, settings.keepAliveMs)
    socket.on('timeout', () => this.#stalled())
    socket.on('data', (chunk) => this.#framer.push(chunk))
    socket.on('end', () => this.#hungUp())
    socket.on('error', (error) => this.#broke(error))
    socket.on('close', () => this.#end())
  }

  send(message: Outgoing): boolean {
    if (this.#closing !== undefined || !this.#socket.writable) return false
    const waiting = this.#socket.writableLength + this.#pending.length
    if (waiting > 0 && waiting + message.text.length > this.#settings.maxBufferedBytes) return false
    if (this.#pending === '') process.nextTick(this.#flush)
    this.#pending += `${message.text}\n`
    return true
  }

  /** Sends a line that is no message, before all messages. */
  introduce(line: string): void {
    this.#socket.write(`${line}\n`)
  }

  /** Does nothing: the core sends notifications/cancelled where there is one channel for all. */
  abandon(): void {}

  /** Does nothing: the server may send whenever it likes. */
  listen(): void {}

  close(): Promise<void> {
    const message = `The link to ${this.#settings.target} was closed.`
    return this.#stop({ kind: 'closed', message, mayHaveRun: true })
  }

  readonly #flush = (): void => {
    const lines = this.#pending
    this.#pending = ''
    if (lines !== '' && this.#socket.writable) this.#socket.write(lines)
  }

  #refused(why: LineRefusal): void {
    const { target, maxMessageBytes } = this.#settings
    const kind = 'invalid' as const
    if (why === 'invalid_utf8') {
      const message = `${target}: a line that is not valid UTF-8 was dropped.`
      this.#receiver.failed([], { kind, message, mayHaveRun: false })
      return
    }
    // It may have been the answer to any request, which would now wait for ever.
    const message = `${target}: a line is longer than ${maxMessageBytes} bytes. Raise maxMessageBytes to take it.`
    void this.#stop({ kind, message, mayHaveRun: true })
  }

  #hungUp(): void {
    this.#framer.end()
    void this.#stop(this.#broken('the server closed the connection'))
  }

  #broke(error: Error): void {
    void this.#stop(this.#broken(`the connection broke (${reasonOf(error)})`, error))
  }

  /** Nothing went either way for a while, which is fine unless the server leaves something unread. */
  #stalled(): void {
    if (this.#socket.writableLength === 0) return
    const { stallTimeoutMs } = this.#settings
    void this.#stop(this.#broken(`the server read nothing for ${stallTimeoutMs} ms of what was sent`))
    this.#socket.destroy()
  }

  /** Ends the connection when what was sent has left, or in time anyway. */
  #stop(failure: LinkFailure): Promise<void> {
    this.#closing ??= new Promise((resolve) => {
      this.#failure = failure
      this.#onOver = resolve
      if (this.#isOver) resolve()
      else {
        const { clock, closeTimeoutMs } = this.#settings
        this.#flush()
        this.#framer.stop()
        this.#socket.end()
        this.#timer = clock.setTimer(() => this.#socket.destroy(), closeTimeoutMs)
      }
    })
    return this.#closing
  }

  #end(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#settings.clock.clearTimer(this.#timer)
    this.#framer.stop()
    this.#receiver.closed(this.#failure ?? this.#broken('the connection ended'))
    this.#onOver?.()
  }

  #broken(what: string, cause?: unknown): LinkFailure {
    const message = `${this.#settings.target}: ${what}.`
    return { kind: 'broken', message, mayHaveRun: true, ...(cause !== undefined && { cause }) }
  }
}
