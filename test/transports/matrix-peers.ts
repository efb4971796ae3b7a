/**
 * Clients made of bytes, one kind per transport, so that a test can say where a write ends, stop reading, end its half, or vanish.
 * They share nothing with the code they test.
 */
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import type { PassThrough } from 'node:stream'
import { connect as connectSecurely } from 'node:tls'
import { headersOf } from '../server/modern-http-client.ts'
import type { Wire } from '../server/wire-schema.ts'

/** Where a peer connects to, and how it comes in. */
export interface Target {
  readonly url: string
  readonly ca?: string | undefined
  readonly certificate?: { readonly cert: string; readonly key: string } | undefined
  readonly headers?: Readonly<Record<string, string>> | undefined
}

/** The TCP connection below one of TLS. */
const carriers = new WeakMap<Socket, Socket>()

export async function dial({ url, ca, certificate }: Target): Promise<Socket> {
  const { hostname: host, port, protocol } = new URL(url)
  const socket = connect({ host, port: Number(port), allowHalfOpen: true })
  await once(socket, 'connect')
  socket.setNoDelay(true)
  if (!['https:', 'wss:', 'tls:'].includes(protocol)) return socket
  const secure = connectSecurely({ socket, host, ...(ca !== undefined && { ca }), ...certificate })
  carriers.set(secure, socket)
  await once(secure, 'secureConnect')
  return secure
}

/** Something that sends messages as bytes and collects what comes back. */
export abstract class Peer {
  readonly messages: Wire[] = []
  /** What the server said of bytes that it did not take: 'error -32600', 'status 413', 'close 1009'. */
  readonly refusals: string[] = []
  isClosed = false
  protected bytes: Buffer = Buffer.alloc(0)
  #wake: (() => void)[] = []

  /** The bytes that carry one message. */
  abstract frame(message: object): Buffer
  abstract write(bytes: Buffer): void
  /** Reads no more from now on. */
  abstract pause(): void
  /** Ends this half of the connection. */
  abstract finish(): void
  /** Is gone, without a word. */
  abstract vanish(): void
  /** Takes what is whole off `bytes`. */
  protected abstract parse(): void

  send(message: object): void {
    this.write(this.frame(message))
  }

  /** The answer to the request `id`. */
  async answer(id: number): Promise<Wire> {
    const found = (): Wire | undefined => this.messages.find((one) => one.id === id && one.method === undefined)
    await this.until(() => found() !== undefined)
    return found() ?? {}
  }

  async refusal(): Promise<string> {
    await this.until(() => this.refusals.length > 0, true)
    return this.refusals.shift() ?? ''
  }

  async closed(): Promise<void> {
    await this.until(() => this.isClosed, true)
  }

  /** Resolves when `isTrue` holds; looks after every arrival. */
  async until(isTrue: () => boolean, mayClose = false): Promise<void> {
    while (!isTrue()) {
      if (this.isClosed && !mayClose) throw new Error(`It was closed after ${JSON.stringify(this.messages.slice(-3))}.`)
      await new Promise<void>((resolve) => this.#wake.push(resolve))
    }
  }

  protected took(chunk: Buffer): void {
    this.bytes = this.bytes.length === 0 ? chunk : Buffer.concat([this.bytes, chunk])
    this.parse()
    this.stir()
  }

  protected message(text: string): void {
    const message = JSON.parse(text) as Wire
    if (message.id === null && message.error !== undefined) this.refusals.push(`error ${message.error.code}`)
    else this.messages.push(message)
  }

  protected stir(): void {
    for (const wake of this.#wake.splice(0)) wake()
  }
}

/** A peer on one socket. */
abstract class SocketPeer extends Peer {
  readonly socket: Socket

  constructor(socket: Socket) {
    super()
    this.socket = socket
    socket.on('data', (chunk: Buffer) => this.took(chunk))
    socket.on('end', () => socket.end())
    socket.on('error', () => {})
    socket.on('close', () => {
      this.isClosed = true
      this.stir()
    })
  }

  write(bytes: Buffer): void {
    this.socket.write(bytes)
  }

  pause(): void {
    this.socket.pause()
  }

  finish(): void {
    this.socket.end()
  }

  vanish(): void {
    // An end in order would be no more than the end of its half.
    const carrier = carriers.get(this.socket)
    ;(carrier ?? this.socket).resetAndDestroy()
    if (carrier !== undefined) this.socket.destroy()
  }
}

const line = (message: object): Buffer => Buffer.from(`${JSON.stringify(message)}\n`)

function linesOf(bytes: Buffer, take: (text: string) => void): Buffer {
  let rest = bytes
  for (let end = rest.indexOf(10); end !== -1; end = rest.indexOf(10)) {
    take(rest.subarray(0, end).toString())
    rest = rest.subarray(end + 1)
  }
  return rest
}

export class TcpPeer extends SocketPeer {
  static async connect(target: Target): Promise<TcpPeer> {
    const peer = new TcpPeer(await dial(target))
    for (const [name, value] of Object.entries(target.headers ?? {})) peer.socket.write(`${name}: ${value}\n`)
    return peer
  }

  frame(message: object): Buffer {
    return line(message)
  }

  protected parse(): void {
    this.bytes = linesOf(this.bytes, (text) => this.message(text))
  }
}

/** Standard input and output of a server in this program. */
export class StdioPeer extends Peer {
  private readonly input: PassThrough
  private readonly output: PassThrough

  constructor(input: PassThrough, output: PassThrough) {
    super()
    this.input = input
    this.output = output
    output.on('data', (chunk: Buffer) => this.took(chunk))
    output.on('close', () => {
      this.isClosed = true
      this.stir()
    })
  }

  frame(message: object): Buffer {
    return line(message)
  }

  write(bytes: Buffer): void {
    this.input.write(bytes)
  }

  pause(): void {
    this.output.pause()
  }

  finish(): void {
    this.input.end()
  }

  vanish(): void {
    this.output.destroy()
    this.input.destroy()
  }

  protected parse(): void {
    this.bytes = linesOf(this.bytes, (text) => this.message(text))
  }
}

function requestText(method: string, path: string, headers: Readonly<Record<string, string>>): string {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
  return `${method} ${path} HTTP/1.1\r\n${lines.join('')}\r\n`
}

/** Status and body of each whole answer with a content-length at the beginning of `bytes`. */
function answersOf(bytes: Buffer, take: (status: number, body: string) => void): Buffer {
  let rest = bytes
  for (;;) {
    const end = rest.indexOf('\r\n\r\n')
    if (end === -1) return rest
    const head = rest.subarray(0, end).toString('latin1')
    const length = Number(/content-length: *(\d+)/i.exec(head)?.[1] ?? 0)
    if (rest.length < end + 4 + length) return rest
    take(Number(head.split(' ')[1]), rest.subarray(end + 4, end + 4 + length).toString())
    rest = rest.subarray(end + 4 + length)
  }
}

export class HttpPeer extends SocketPeer {
  private readonly target: Target

  private constructor(target: Target, socket: Socket) {
    super(socket)
    this.target = target
  }

  static async connect(target: Target): Promise<HttpPeer> {
    return new HttpPeer(target, await dial(target))
  }

  frame(message: object): Buffer {
    const body = JSON.stringify(message)
    const { host, pathname } = new URL(this.target.url)
    const headers = {
      host,
      accept: 'application/json, text/event-stream',
      'content-type': 'application/json',
      'content-length': String(Buffer.byteLength(body)),
      ...headersOf(message),
      ...this.target.headers,
    }
    return Buffer.from(requestText('POST', pathname, headers) + body)
  }

  protected parse(): void {
    this.bytes = answersOf(this.bytes, (status, body) => {
      if (status >= 400) this.refusals.push(`status ${status}`)
      else if (body !== '') this.message(body)
    })
  }
}

/** A stream, and a connection for what is posted. */
export class SsePeer extends SocketPeer {
  private readonly target: Target
  private readonly posts: Socket
  private answers: Buffer = Buffer.alloc(0)
  /** The path to post to, once the server has said it. */
  endpoint = ''

  private constructor(target: Target, stream: Socket, posts: Socket) {
    super(stream)
    this.target = target
    this.posts = posts
    posts.on('error', () => {})
    posts.on('data', (chunk: Buffer) => {
      this.answers = answersOf(Buffer.concat([this.answers, chunk]), (status) => {
        if (status >= 400) this.refusals.push(`status ${status}`)
      })
      this.stir()
    })
  }

  static async connect(target: Target): Promise<SsePeer> {
    const peer = new SsePeer(target, await dial(target), await dial(target))
    const { host, pathname } = new URL(target.url)
    peer.socket.write(requestText('GET', pathname, { host, accept: 'text/event-stream', ...target.headers }))
    await peer.until(() => peer.endpoint !== '' || peer.refusals.length > 0, true)
    return peer
  }

  frame(message: object): Buffer {
    const body = JSON.stringify(message)
    const headers = {
      host: new URL(this.target.url).host,
      'content-type': 'application/json',
      'content-length': String(Buffer.byteLength(body)),
      ...this.target.headers,
    }
    return Buffer.from(requestText('POST', this.endpoint, headers) + body)
  }

  override write(bytes: Buffer): void {
    this.posts.write(bytes)
  }

  override vanish(): void {
    super.vanish()
    this.posts.destroy()
  }

  protected parse(): void {
    const text = this.bytes.toString()
    const status = Number(/^HTTP\/1\.1 (\d+)/.exec(text)?.[1] ?? 0)
    if (status >= 400) this.refusals.push(`status ${status}`)
    this.endpoint ||= /event: endpoint\ndata: (\S+)\n\n/.exec(text)?.[1] ?? ''
    const end = text.lastIndexOf('\n\n') + 2
    if (end < 2) return
    for (const [, data = ''] of text.slice(0, end).matchAll(/^event: message\ndata: (\{.*\})$/gm)) this.message(data)
    this.bytes = Buffer.from(text.slice(end))
  }
}

/** The bytes of a frame as a client sends it. Source: RFC 6455, 5.2. */
export function maskedFrame(opcode: number, payload: Buffer, isFinal = true): Buffer {
  const { length } = payload
  const size =
    length < 126
      ? [0x80 | length]
      : length < 65_536
        ? [0x80 | 126, length >> 8, length & 0xff]
        : [0x80 | 127, 0, 0, 0, 0, length >>> 24, (length >> 16) & 0xff, (length >> 8) & 0xff, length & 0xff]
  const mask = randomBytes(4)
  const masked = Buffer.from(payload.map((byte, at) => byte ^ (mask[at % 4] ?? 0)))
  return Buffer.concat([Buffer.from([(isFinal ? 0x80 : 0) | opcode, ...size]), mask, masked])
}

export const [CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG] = [0, 1, 2, 8, 9, 10]

export class WsPeer extends SocketPeer {
  /** The head of the server's answer to the upgrade. */
  head = ''
  reason = ''
  readonly pings: Buffer[] = []
  /** Text frames that came, as bytes. */
  readonly frames: Buffer[] = []

  static async connect(target: Target, more: Readonly<Record<string, string>> = {}): Promise<WsPeer> {
    const peer = new WsPeer(await dial(target))
    const { host, pathname } = new URL(target.url)
    const headers = {
      host,
      connection: 'Upgrade',
      upgrade: 'websocket',
      'sec-websocket-version': '13',
      'sec-websocket-key': randomBytes(16).toString('base64'),
      ...target.headers,
      ...more,
    }
    peer.socket.write(requestText('GET', pathname, headers))
    await peer.until(() => peer.head !== '', true)
    return peer
  }

  frame(message: object): Buffer {
    return maskedFrame(TEXT ?? 1, Buffer.from(JSON.stringify(message)))
  }

  protected parse(): void {
    if (this.head === '') {
      const end = this.bytes.indexOf('\r\n\r\n')
      if (end === -1) return
      this.head = this.bytes.subarray(0, end).toString()
      const status = this.head.split(' ')[1]
      if (status !== '101') {
        this.refusals.push(`status ${status}`)
        this.reason = this.bytes.subarray(end + 4).toString()
        return
      }
      this.bytes = this.bytes.subarray(end + 4)
    }
    while (this.bytes.length >= 2) {
      const short = (this.bytes[1] ?? 0) & 0x7f
      const headBytes = short < 126 ? 2 : short === 126 ? 4 : 10
      if (this.bytes.length < headBytes) return
      const length = short < 126 ? short : short === 126 ? this.bytes.readUInt16BE(2) : this.bytes.readUInt32BE(6)
      if (this.bytes.length < headBytes + length) return
      this.#take((this.bytes[0] ?? 0) & 0x7f, this.bytes.subarray(headBytes, headBytes + length), headBytes)
      this.bytes = this.bytes.subarray(headBytes + length)
    }
  }

  #take(opcode: number, payload: Buffer, headBytes: number): void {
    if (opcode === TEXT) {
      this.frames.push(this.bytes.subarray(0, headBytes + payload.length))
      this.message(payload.toString())
    } else if (opcode === PING) this.pings.push(payload)
    else if (opcode === CLOSE) {
      this.refusals.push(`close ${payload.length < 2 ? 1005 : payload.readUInt16BE(0)}`)
      this.reason = payload.subarray(2).toString()
      if (!this.socket.writableEnded) this.socket.write(maskedFrame(CLOSE ?? 8, payload.subarray(0, 2)))
    }
  }
}
