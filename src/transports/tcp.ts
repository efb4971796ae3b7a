/**
 * The TCP transport: many connections, on each one JSON text a line, as on standard input and output.
 *
 * It promises that no bytes of a peer end its connection (an oversized line or bad UTF-8 is answered with an error line and
 * reading goes on), that what is sent in one turn of the event loop leaves in one write, that a peer which does not read costs
 * `maxBufferedBytes` and then its connection, and that a peer which ends its half still gets the answers to what it asked.
 *
 * A token may come before everything else, in a line of its own: `Authorization: Bearer <token>`. Under TLS a client may be
 * asked for a certificate. Whoever listens decides what either is worth.
 *
 * ```ts
 * const listening = await tcpTransport({ port: 0 }).listen(acceptor)
 * console.log(listening.url)          // tcp://127.0.0.1:49152
 * ```
 */
import { createServer, type Server, type Socket } from 'node:net'
import { createServer as createSecureServer } from 'node:tls'
import { certificateOf, peerOf } from './http-request.ts'
import { HttpStreams, type QuietStream } from './http-streams.ts'
import { LineFramer, type LineRefusal } from './line-framing.ts'
import {
  ConnectionCount,
  type ConnectionLimits,
  checkIntegers,
  limitSettings,
  listenOn,
  type NetworkOptions,
  type NetworkSettings,
  networkSettings,
  originOf,
} from './network.ts'
import {
  type Acceptor,
  type Applicant,
  apply,
  type Listening,
  type Receiver,
  type Sink,
  type Transport,
} from './port.ts'
import { encodeRefusal, INVALID_REQUEST, PARSE_ERROR } from './refusal.ts'

export interface TcpTransportOptions extends NetworkOptions, ConnectionLimits {
  /** The longest line taken, in bytes. Default 32 MiB. */
  readonly maxMessageBytes?: number
  /** Unread output at which a connection is closed, in bytes; one message more may be held. Default 16 MiB. */
  readonly maxBufferedBytes?: number
  /** A connection without a message either way for this long is closed, in milliseconds. Default 0: never. */
  readonly idleTimeoutMs?: number
  /** How often the system asks a silent peer whether it is still there, in milliseconds. Default 30 000. */
  readonly keepAliveMs?: number
}

type TcpSettings = NetworkSettings &
  Required<Omit<TcpTransportOptions, keyof NetworkOptions>> & { readonly tls: NetworkSettings['tls'] }

/** A listening TCP transport. */
export interface TcpListening extends Listening {
  readonly port: number
  readonly server: Server
  counts(): { readonly connections: number }
}

export interface TcpTransport extends Transport {
  listen(acceptor: Acceptor): Promise<TcpListening>
}

/** The first line of a client that has a token. */
const AUTHORIZATION = /^authorization:[ \t]*(.*?)[ \t]*$/i
/** Messages that may wait while it is found out who sends them; more and the connection is closed. */
const WAITING_MAX = 1_000
/** Looks at idleness per idle time. */
const LOOKS_PER_IDLE_TIME = 4
/** Milliseconds that a TLS client may take to shake hands. */
const HANDSHAKE_MS = 30_000

/** A transport over TCP. Throws `TransportError` `invalid_option`; `listen` rejects with the other codes. */
export function tcpTransport(options: TcpTransportOptions = {}): TcpTransport {
  let settings = tcpSettings(options)
  return {
    name: 'tcp',
    listen: async (acceptor) => {
      const listener = new TcpListener(settings, acceptor)
      const port = await listenOn(listener.server, 'tcp', settings, acceptor.doorway)
      // A listener that is restarted is found where it was, also when any free port was asked for.
      settings = { ...settings, port }
      return listener.listening(port)
    },
  }
}

function tcpSettings(options: TcpTransportOptions): TcpSettings {
  const settings: TcpSettings = {
    ...networkSettings('tcp', options, 3_001),
    ...limitSettings('tcp', options),
    maxMessageBytes: options.maxMessageBytes ?? 32 * 1024 * 1024,
    maxBufferedBytes: options.maxBufferedBytes ?? 16 * 1024 * 1024,
    idleTimeoutMs: options.idleTimeoutMs ?? 0,
    keepAliveMs: options.keepAliveMs ?? 30_000,
  }
  checkIntegers('tcp', settings, ['maxMessageBytes', 'maxBufferedBytes', 'keepAliveMs'])
  checkIntegers('tcp', settings, ['idleTimeoutMs'], 0)
  return settings
}

class TcpListener {
  readonly server: Server
  readonly settings: TcpSettings
  readonly acceptor: Acceptor
  readonly count: ConnectionCount
  /** Those that are looked at for idleness; none without an idle time-out. */
  readonly #idle: HttpStreams | undefined
  readonly #connections = new Set<TcpConnection>()
  /** Under TLS the connections below, also those whose client never shakes hands. */
  readonly #sockets = new Set<Socket>()
  #closed: Promise<void> | undefined
  url = ''

  constructor(settings: TcpSettings, acceptor: Acceptor) {
    this.settings = settings
    this.acceptor = acceptor
    this.count = new ConnectionCount(settings)
    const { idleTimeoutMs, clock, tls, keepAliveMs } = settings
    this.#idle = idleTimeoutMs === 0 ? undefined : new HttpStreams(clock, idleTimeoutMs / LOOKS_PER_IDLE_TIME)
    const options = {
      allowHalfOpen: true,
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: keepAliveMs,
    }
    if (tls === undefined) this.server = createServer(options, this.#accept)
    else {
      this.server = createSecureServer({ ...options, handshakeTimeout: HANDSHAKE_MS, ...tls }, this.#accept)
      this.server.on('connection', (socket: Socket) => {
        this.#sockets.add(socket)
        socket.once('close', () => this.#sockets.delete(socket))
      })
    }
  }

  listening(port: number): TcpListening {
    const { settings, server, count } = this
    this.url = originOf(settings.tls === undefined ? 'tcp' : 'tls', settings.host, port)
    return {
      url: this.url,
      port,
      server,
      counts: () => ({ connections: count.size }),
      stopAccepting: () => this.#stopAccepting(),
      close: () => this.#close(),
    }
  }

  forget(connection: TcpConnection): void {
    this.#connections.delete(connection)
    this.#idle?.delete(connection)
  }

  readonly #accept = (socket: Socket): void => {
    const address = socket.remoteAddress ?? ''
    const fullness = this.count.take(address)
    if (fullness !== undefined) {
      socket.on('error', () => {})
      socket.end(`${encodeRefusal(INVALID_REQUEST, fullness.sentence)}\n`)
      socket.resume()
      const { clock, closeGraceMs } = this.settings
      const timer = clock.setTimer(() => socket.destroy(), closeGraceMs)
      socket.once('close', () => clock.clearTimer(timer))
      return
    }
    socket.once('close', () => this.count.release(address))
    const connection = new TcpConnection(this, socket)
    this.#connections.add(connection)
    this.#idle?.add(connection)
  }

  #stopAccepting(): void {
    this.#closed ??= new Promise((resolve) => this.server.close(() => resolve()))
  }

  async #close(): Promise<void> {
    const { clock, closeGraceMs } = this.settings
    this.#stopAccepting()
    for (const connection of [...this.#connections]) connection.end()
    const timer = clock.setTimer(() => {
      for (const connection of [...this.#connections]) connection.destroy()
      for (const socket of this.#sockets) socket.destroy()
    }, closeGraceMs)
    await this.#closed
    clock.clearTimer(timer)
    this.#idle?.endAll()
  }
}

class TcpConnection implements Sink, QuietStream {
  slot = 0
  readonly #listener: TcpListener
  readonly #socket: Socket
  readonly #framer: LineFramer
  #receiver: Receiver | undefined
  /** What came before the connection was let in. */
  #waiting: string[] | undefined = []
  #hasApplied = false
  #closeListeners: (() => void)[] = []
  /** Lines sent in this turn, not yet written. */
  #pending = ''
  #isEnded = false
  #isGone = false
  /** The peer has ended its half. */
  #isFinished = false
  #activeAt: number

  constructor(listener: TcpListener, socket: Socket) {
    this.#listener = listener
    this.#socket = socket
    this.#activeAt = listener.settings.clock.now()
    this.#framer = new LineFramer(listener.settings.maxMessageBytes, {
      line: (text) => this.#line(text),
      refused: (why) => this.#refuse(why),
    })
    socket.on('data', this.#onData)
    socket.on('end', this.#onEnd)
    // 'close' follows.
    socket.on('error', () => {})
    socket.on('close', this.#onClose)
  }

  get isOpen(): boolean {
    return !this.#isEnded && !this.#isGone
  }

  send(message: string): boolean {
    if (!this.isOpen) return false
    if (this.#socket.writableLength + this.#pending.length > this.#listener.settings.maxBufferedBytes) {
      this.destroy()
      return false
    }
    // nextTick runs after all microtasks when it was asked for in one, so a burst becomes one write.
    if (this.#pending === '') process.nextTick(this.#flush)
    this.#pending += `${message}\n`
    return true
  }

  end(message?: string): boolean {
    const isSent = message === undefined ? this.isOpen : this.send(message)
    if (this.#isEnded) return isSent
    this.#flush()
    this.#isEnded = true
    this.#closeListeners = []
    this.#framer.stop()
    this.#socket.off('data', this.#onData)
    // What still comes is thrown away, so that the end of the peer's half is seen.
    this.#socket.resume()
    this.#socket.end()
    const { clock, closeGraceMs } = this.#listener.settings
    const timer = clock.setTimer(() => this.destroy(), closeGraceMs)
    this.#socket.once('close', () => clock.clearTimer(timer))
    return isSent
  }

  onClose(listener: () => void): void {
    if (this.#isEnded) return
    if (this.#isGone) queueMicrotask(listener)
    else this.#closeListeners.push(listener)
  }

  /** Cuts the connection. */
  destroy(): void {
    this.#pending = ''
    this.#framer.stop()
    this.#socket.destroy()
    this.#gone()
  }

  /** A look at it, some times per idle time. */
  keepAlive(): void {
    const { clock, idleTimeoutMs } = this.#listener.settings
    if (clock.now() - this.#activeAt >= idleTimeoutMs && this.#socket.writableLength === 0) this.end()
  }

  readonly #flush = (): void => {
    const pending = this.#pending
    if (pending === '' || this.#isGone || this.#isEnded) return
    this.#pending = ''
    this.#activeAt = this.#listener.settings.clock.now()
    this.#socket.write(pending)
  }

  readonly #onData = (chunk: Buffer): void => {
    this.#activeAt = this.#listener.settings.clock.now()
    this.#framer.push(chunk)
  }

  readonly #onEnd = (): void => {
    this.#framer.end()
    this.#isFinished = true
    // Nothing was ever asked.
    if (!this.#hasApplied) this.end()
    else this.#receiver?.finished?.()
  }

  readonly #onClose = (): void => {
    this.#gone()
    this.#listener.forget(this)
    this.#receiver?.closed()
    this.#receiver = undefined
  }

  #gone(): void {
    if (this.#isGone) return
    this.#isGone = true
    this.#waiting = undefined
    const listeners = this.#closeListeners
    this.#closeListeners = []
    for (const listener of listeners) listener()
  }

  #line(text: string): void {
    if (this.#receiver !== undefined) this.#receiver.message(text)
    else if (!this.#hasApplied) this.#apply(text)
    else if (this.#waiting !== undefined && this.#waiting.length < WAITING_MAX) this.#waiting.push(text)
    else this.destroy()
  }

  #apply(text: string): void {
    this.#hasApplied = true
    const authorization = AUTHORIZATION.exec(text)?.[1]
    if (authorization === undefined) this.#waiting?.push(text)
    const applicant: Applicant = {
      method: 'GET',
      url: this.#listener.url,
      credentials: authorization === undefined ? {} : { authorization },
      peer: peerOf('tcp', this.#socket.remoteAddress),
      clientCertificate: certificateOf(this.#socket),
      isLasting: true,
      setHeader: () => {},
      refuse: (_status, json) => void this.end(json),
      admit: (_owner, open) => this.#open(open),
    }
    apply(this.#listener.acceptor, applicant)
  }

  #open(open: (sink: Sink) => Receiver): void {
    if (!this.isOpen) return
    const waiting = this.#waiting ?? []
    const receiver = open(this)
    this.#receiver = receiver
    this.#waiting = undefined
    for (const text of waiting) receiver.message(text)
    if (this.#isFinished) receiver.finished?.()
  }

  #refuse(why: LineRefusal): void {
    this.send(
      why === 'oversized'
        ? encodeRefusal(
            INVALID_REQUEST,
            `The line is longer than ${this.#listener.settings.maxMessageBytes} bytes and was dropped.`,
          )
        : encodeRefusal(PARSE_ERROR, 'The line is not valid UTF-8 and was dropped.'),
    )
  }
}
