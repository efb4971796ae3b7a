/** What the HTTP tests share: a listening transport, raw sockets, and a clock that is moved by hand. */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { onTestFinished } from 'vitest'
import { type HttpListening, type HttpTransportOptions, httpTransport } from '#transports/http'
import type { Exchange } from '#transports/port'

/** Starts a transport on a free port, closed when the test ends. By default it echoes bodies back as the answer. */
export async function started(
  options: HttpTransportOptions = {},
  answer: (exchange: Exchange) => void = (exchange) => exchange.sink.end(exchange.body),
): Promise<HttpListening & { readonly exchanges: Exchange[] }> {
  const exchanges: Exchange[] = []
  const listening = await httpTransport({ port: 0, closeGraceMs: 100, ...options }).listen({
    connection: () => {
      throw new Error('HTTP has exchanges only')
    },
    exchange: (exchange) => {
      exchanges.push(exchange)
      answer(exchange)
    },
  })
  onTestFinished(() => listening.close())
  return { ...listening, exchanges }
}

export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** A raw connection: bytes out, answers in. */
export class RawClient {
  readonly socket: Socket
  received = ''
  isClosed = false
  #wake: (() => void)[] = []

  private constructor(socket: Socket) {
    this.socket = socket
    socket.setEncoding('latin1')
    socket.on('error', () => {})
    socket.on('data', (text: string) => {
      this.received += text
      this.#notify()
    })
    socket.on('close', () => {
      this.isClosed = true
      this.#notify()
    })
  }

  static async open(port: number): Promise<RawClient> {
    const socket = connect(port, '127.0.0.1')
    await once(socket, 'connect')
    onTestFinished(() => void socket.destroy())
    return new RawClient(socket)
  }

  write(data: string | Buffer): void {
    this.socket.write(data)
  }

  /** Resolves when `isTrue` holds; looks after every arrival. */
  async until(isTrue: () => boolean): Promise<void> {
    while (!isTrue()) {
      if (this.isClosed) throw new Error(`The connection closed after ${JSON.stringify(this.received.slice(0, 500))}`)
      await new Promise<void>((resolve) => this.#wake.push(resolve))
    }
  }

  async closed(): Promise<void> {
    while (!this.isClosed) await new Promise<void>((resolve) => this.#wake.push(resolve))
  }

  /** Takes one whole answer with a content-length off what was received. */
  async answer(hasBody = true): Promise<Answer> {
    await this.until(() => this.received.includes('\r\n\r\n'))
    const end = this.received.indexOf('\r\n\r\n')
    const [statusLine, ...lines] = this.received.slice(0, end).split('\r\n')
    const headers: Record<string, string> = {}
    for (const line of lines)
      headers[line.slice(0, line.indexOf(':')).toLowerCase()] = line.slice(line.indexOf(':') + 2)
    const length = hasBody ? Number(headers['content-length'] ?? 0) : 0
    await this.until(() => this.received.length >= end + 4 + length)
    const body = this.received.slice(end + 4, end + 4 + length)
    this.received = this.received.slice(end + 4 + length)
    return { status: Number(statusLine!.split(' ')[1]), headers, body: Buffer.from(body, 'latin1').toString() }
  }

  #notify(): void {
    const waiting = this.#wake
    this.#wake = []
    for (const wake of waiting) wake()
  }
}

/** The text of a request; a header set to undefined is left out. */
export function requestText(
  method: string,
  headers: Readonly<Record<string, string | undefined>> = {},
  body = '',
  path = '/mcp',
): string {
  const all: Record<string, string | undefined> = {
    host: '127.0.0.1:3000',
    accept: 'application/json, text/event-stream',
    ...(method === 'POST' ? { 'content-type': 'application/json' } : {}),
    ...(body === '' && method !== 'POST' ? {} : { 'content-length': String(Buffer.byteLength(body)) }),
    ...headers,
  }
  const lines = Object.entries(all).flatMap(([name, value]) => (value === undefined ? [] : [`${name}: ${value}\r\n`]))
  return `${method} ${path} HTTP/1.1\r\n${lines.join('')}\r\n${body}`
}

/** Opens a connection, sends one request and returns its answer. */
export async function ask(
  port: number,
  method: string,
  headers: Readonly<Record<string, string | undefined>> = {},
  body = '',
  path = '/mcp',
): Promise<Answer> {
  const client = await RawClient.open(port)
  client.write(requestText(method, headers, body, path))
  return client.answer(method !== 'HEAD')
}

/** A clock that stands still until it is moved. */
export function handClock() {
  let nowMs = 0
  const timers = new Map<number, { atMs: number; callback: () => void }>()
  let nextHandle = 1
  return {
    now: () => nowMs,
    wallNow: () => nowMs,
    setTimer: (callback: () => void, delayMs: number): unknown => {
      timers.set(nextHandle, { atMs: nowMs + delayMs, callback })
      return nextHandle++
    },
    clearTimer: (handle: unknown) => void timers.delete(handle as number),
    /** Moves the clock, running what falls due in order. */
    advance: (byMs: number) => {
      const untilMs = nowMs + byMs
      for (;;) {
        const [due] = [...timers].filter(([, timer]) => timer.atMs <= untilMs).sort((a, b) => a[1].atMs - b[1].atMs)
        if (due === undefined) break
        timers.delete(due[0])
        nowMs = due[1].atMs
        due[1].callback()
      }
      nowMs = untilMs
    },
    timerCount: () => timers.size,
  }
}

/** What sockets and the system's own timers are given; a number of turns would be over too soon on a fast machine. */
const EVENTUALLY_MS = 15_000

/** Waits for `isTrue`, a turn of the event loop at a time. */
export async function eventually(isTrue: () => boolean): Promise<void> {
  const until = performance.now() + EVENTUALLY_MS
  while (!isTrue()) {
    if (performance.now() > until) throw new Error(`It never came true within ${EVENTUALLY_MS} ms: ${isTrue}`)
    await new Promise((resolve) => setImmediate(resolve))
  }
}
