/**
 * The way from this member to another: one connection, made when it is first needed, which carries exchanges and questions side
 * by side. When it breaks, each exchange that had no answer yet is answered with a status that says whether it may have run: 503
 * when the other side was never reached, 502 when it was; a stream that had begun ends, and its client may resume it.
 */
import { connect, type Socket } from 'node:net'
import { ErrorCode, encodeError } from '#protocol'
import { LineFramer } from '#transports/line-framing'
import type { Exchange } from '#transports/port'
import { carried } from './far-exchange.ts'
import { type Answer, encodeFrame, LINE_BYTES_MAX, LINK_BYTES_MAX, LINK_PENDING_MAX, type Request } from './frames.ts'

/** Seconds after which a client may try again whose session's process is being restarted. */
const RETRY_AFTER_S = '1'

interface Asking {
  readonly resolve: (value: unknown) => void
  readonly reject: (error: Error) => void
}

interface Carrying {
  readonly exchange: Exchange
  isBegun: boolean
}

export class Link {
  readonly #path: string
  readonly #secret: string
  readonly #exchanges = new Map<number, Carrying>()
  readonly #questions = new Map<number, Asking>()
  #socket: Socket | undefined
  #isConnected = false
  #lastId = 0

  constructor(path: string, secret: string) {
    this.#path = path
    this.#secret = secret
  }

  /** Exchanges under way. */
  get size(): number {
    return this.#exchanges.size
  }

  /** Hands an exchange over. Whatever goes wrong is answered. */
  carry(exchange: Exchange): void {
    if (this.#exchanges.size >= LINK_PENDING_MAX)
      return refuse(exchange, 503, `${LINK_PENDING_MAX} requests are on their way to the owner of this session.`)
    const id = ++this.#lastId
    this.#exchanges.set(id, { exchange, isBegun: false })
    exchange.sink.onClose(() => {
      if (this.#exchanges.delete(id)) this.#write(['gone', id])
    })
    this.#write(['exchange', id, carried(exchange)])
  }

  /** Asks; rejects when the other side cannot be reached, or failed. */
  ask(question: string, argument: unknown): Promise<unknown> {
    if (this.#questions.size >= LINK_PENDING_MAX)
      return Promise.reject(new Error(`${LINK_PENDING_MAX} questions wait for an answer of another process.`))
    const id = ++this.#lastId
    return new Promise((resolve, reject) => {
      this.#questions.set(id, { resolve, reject })
      this.#write(['ask', id, question, argument])
    })
  }

  close(): void {
    this.#socket?.destroy()
  }

  #write(request: Request): void {
    const socket = this.#socket ?? this.#connect()
    if (socket.writableLength > LINK_BYTES_MAX) socket.destroy()
    else socket.write(encodeFrame(request))
  }

  #connect(): Socket {
    const socket = connect(this.#path)
    const framer = new LineFramer(LINE_BYTES_MAX, {
      line: (text) => this.#take(JSON.parse(text) as Answer),
      refused: () => socket.destroy(),
    })
    this.#socket = socket
    this.#isConnected = false
    socket.on('error', () => {})
    socket.once('connect', () => {
      this.#isConnected = true
    })
    socket.on('data', (chunk: Buffer) => framer.push(chunk))
    socket.once('close', () => {
      framer.stop()
      this.#socket = undefined
      this.#broken()
    })
    socket.write(encodeFrame(['hello', this.#secret]))
    return socket
  }

  #broken(): void {
    const [exchanges, questions] = [[...this.#exchanges.values()], [...this.#questions.values()]]
    this.#exchanges.clear()
    this.#questions.clear()
    for (const { reject } of questions) reject(new Error('Another process of this server ended before it answered.'))
    for (const { exchange, isBegun } of exchanges) {
      if (isBegun) exchange.sink.end()
      else if (this.#isConnected && exchange.method === 'POST')
        refuse(exchange, 502, 'The process of this session ended before it answered. The request may have run.')
      else refuse(exchange, 503, 'The process of this session is being restarted. Try again.')
    }
  }

  #take(answer: Answer): void {
    const id = answer[1]
    if (answer[0] === 'value' || answer[0] === 'failed') {
      const asking = this.#questions.get(id)
      this.#questions.delete(id)
      if (answer[0] === 'value') asking?.resolve(answer[2])
      else asking?.reject(new Error(answer[2]))
      return
    }
    const carrying = this.#exchanges.get(id)
    if (carrying === undefined) return
    const { exchange } = carrying
    if (answer[0] === 'broken') {
      this.#exchanges.delete(id)
      if (carrying.isBegun) exchange.sink.end()
      else exchange.reply(500, encodeError(null, { code: ErrorCode.InternalError, message: 'Internal error.' }))
      return
    }
    carrying.isBegun = true
    setHeaders(exchange, answer[2])
    if (answer[0] === 'send') exchange.sink.send(answer[3], answer[4] ?? undefined)
    else if (answer[0] === 'prime') exchange.sink.prime?.(answer[3], answer[4] ?? undefined)
    else if (answer[0] === 'open') exchange.sink.open?.()
    else {
      this.#exchanges.delete(id)
      if (answer[0] === 'reply') exchange.reply(answer[3], answer[4] ?? undefined)
      else exchange.sink.end(answer[3] ?? undefined, answer[4] ?? undefined)
    }
  }
}

function setHeaders(exchange: Exchange, headers: readonly string[] | null): void {
  if (headers === null) return
  for (let index = 0; index + 1 < headers.length; index += 2)
    exchange.setHeader(headers[index] ?? '', headers[index + 1] ?? '')
}

function refuse(exchange: Exchange, status: 502 | 503, message: string): void {
  exchange.setHeader('Retry-After', RETRY_AFTER_S)
  exchange.reply(status, encodeError(null, { code: ErrorCode.InvalidRequest, message }))
}
