/**
 * The stdio transport: one connection over this process's standard input and output, one JSON text a line.
 *
 * It owns the framing and the gathering of writes, nothing else. It promises that no bytes from the peer end the
 * connection (an oversized line or bad UTF-8 is answered with an error line and reading goes on), that what is sent
 * in one turn of the event loop leaves within it, in few writes, and that a peer which stopped reading costs bounded memory. When
 * the input ends the receiver is told `closed`, but the sink stays open: answers to what was asked before still go
 * out.
 *
 * ```ts
 * const listening = await stdioTransport().listen(acceptor)
 * ```
 *
 * Gotcha: Node writes to a standard output that is a pipe synchronously on POSIX systems, so a peer that does not read
 * stalls this process; the bound on unread bytes matters for other streams and other systems.
 *
 * Spec: MCP 2025-11-25, basic/transports, stdio.
 */
import type { Readable, Writable } from 'node:stream'
import { type Clock, realClock } from '#runtime/clock'
import { LineFramer, type LineRefusal } from './line-framing.ts'
import type { Acceptor, Listening, Receiver, Sink, Transport } from './port.ts'
import { TransportError } from './port.ts'
import { encodeRefusal, INVALID_REQUEST, PARSE_ERROR } from './refusal.ts'

export interface StdioTransportOptions {
  /** Default: process.stdin. */
  readonly input?: Readable
  /** Default: process.stdout. */
  readonly output?: Writable
  /** The longest line taken, in bytes. Default 32 MiB. */
  readonly maxMessageBytes?: number
  /** Unread output that is kept before the connection is given up, in bytes (near enough: UTF-16 units before they are
   * encoded). One message more than this may be kept. Default 64 MiB. */
  readonly maxBufferedBytes?: number
  /** How long `close` waits for the peer to read what was sent, in milliseconds. Default 1 000. */
  readonly closeGraceMs?: number
  readonly clock?: Clock
}

/** A transport over standard input and output. Throws `TransportError` `invalid_option`. */
export function stdioTransport(options: StdioTransportOptions = {}): Transport {
  for (const name of ['maxMessageBytes', 'maxBufferedBytes'] as const) {
    const value = options[name]
    if (value !== undefined && !(Number.isInteger(value) && value > 0)) {
      throw new TransportError('invalid_option', `stdio: ${name} must be a positive integer of bytes, got ${value}.`)
    }
  }
  return {
    name: 'stdio',
    listen: async (acceptor) => new StdioConnection(options, acceptor),
  }
}

/** Lines gathered into one write: it costs what answering several calls costs, and a long one would delay its first line. */
const LINES_PER_WRITE = 64

class StdioConnection implements Listening, Sink {
  readonly url = 'stdio'
  readonly #input: Readable
  readonly #output: Writable
  readonly #maxMessageBytes: number
  readonly #maxBufferedBytes: number
  readonly #closeGraceMs: number
  readonly #clock: Clock
  readonly #framer: LineFramer
  #receiver: Receiver | undefined
  #closeListeners: (() => void)[] = []
  /** Lines sent in this turn, not yet written. */
  #pending = ''
  #pendingLines = 0
  #isEnded = false
  #isGone = false
  #isReceiverClosed = false
  #closing: Promise<void> | undefined

  constructor(options: StdioTransportOptions, acceptor: Acceptor) {
    this.#input = options.input ?? process.stdin
    this.#output = options.output ?? process.stdout
    this.#maxMessageBytes = options.maxMessageBytes ?? 32 * 1024 * 1024
    this.#maxBufferedBytes = options.maxBufferedBytes ?? 64 * 1024 * 1024
    this.#closeGraceMs = options.closeGraceMs ?? 1_000
    this.#clock = options.clock ?? realClock
    this.#framer = new LineFramer(this.#maxMessageBytes, {
      line: (text) => this.#receiver?.message(text),
      refused: (why) => this.#refuse(why),
    })
    this.#output.on('error', this.#onOutputGone)
    this.#output.on('close', this.#onOutputGone)
    this.#receiver = acceptor.connection(this, { transport: 'stdio' })
    this.#input.on('data', this.#onData)
    // An earlier listener of this input has paused it.
    this.#input.resume()
    this.#input.on('end', this.#onInputEnd)
    this.#input.on('error', this.#onInputEnd)
    this.#input.on('close', this.#onInputEnd)
  }

  get isOpen(): boolean {
    return !this.#isEnded && !this.#isGone
  }

  send(message: string): boolean {
    if (!this.isOpen) return false
    if (this.#output.writableLength + this.#pending.length > this.#maxBufferedBytes) {
      this.#onOutputGone()
      return false
    }
    // nextTick runs after all microtasks when it was asked for in one, so what is left of a burst becomes one write.
    if (this.#pending === '') process.nextTick(this.#flush)
    this.#pending += `${message}\n`
    this.#pendingLines += 1
    if (this.#pendingLines >= LINES_PER_WRITE) this.#flush()
    return true
  }

  end(message?: string): boolean {
    const isSent = message === undefined ? this.isOpen : this.send(message)
    void this.close()
    return isSent
  }

  onClose(listener: () => void): void {
    if (this.#isGone) queueMicrotask(listener)
    else this.#closeListeners.push(listener)
  }

  /** Does nothing: there is one connection, and it goes on. */
  stopAccepting(): void {}

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    this.#isEnded = true
    this.#closeListeners = []
    this.#framer.stop()
    this.#input.off('data', this.#onData)
    // A paused standard input does not keep the process alive.
    this.#input.pause()
    this.#closeReceiver()
    this.#flush()
    if (!this.#isGone && this.#output.writableLength > 0) await this.#drained()
  }

  /** Resolves when the output has taken everything, is gone, or the grace time is over. */
  #drained(): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        this.#clock.clearTimer(timer)
        this.#output.off('close', done)
        resolve()
      }
      const timer = this.#clock.setTimer(done, this.#closeGraceMs)
      this.#output.on('close', done)
      this.#output.write('', done)
    })
  }

  readonly #flush = (): void => {
    const pending = this.#pending
    if (pending === '' || this.#isGone) return
    this.#pending = ''
    this.#pendingLines = 0
    this.#output.write(pending)
  }

  readonly #onData = (chunk: Buffer | string): void => {
    this.#framer.push(typeof chunk === 'string' ? Buffer.from(chunk) : chunk)
  }

  readonly #onInputEnd = (): void => {
    this.#framer.end()
    this.#closeReceiver()
  }

  /** The output broke (EPIPE), was closed or is not being read: nothing can be answered any more. */
  readonly #onOutputGone = (): void => {
    if (this.#isGone) return
    this.#isGone = true
    this.#pending = ''
    this.#framer.stop()
    this.#input.pause()
    const listeners = this.#closeListeners
    this.#closeListeners = []
    for (const listener of listeners) listener()
    this.#closeReceiver()
  }

  #closeReceiver(): void {
    if (this.#isReceiverClosed) return
    this.#isReceiverClosed = true
    this.#receiver?.closed()
  }

  #refuse(why: LineRefusal): void {
    this.send(
      why === 'oversized'
        ? encodeRefusal(INVALID_REQUEST, `The line is longer than ${this.#maxMessageBytes} bytes and was dropped.`)
        : encodeRefusal(PARSE_ERROR, 'The line is not valid UTF-8 and was dropped.'),
    )
  }
}
