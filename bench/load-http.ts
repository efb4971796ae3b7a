// MCP calls over Streamable HTTP with raw sockets: one request at a time on each of `inFlight` connections. No SDK and
// no HTTP client, so that the generator is as little of the picture as it can be. It reads what a conforming server may
// send: a body by length or in chunks, as JSON or as a stream of events of which the last holds the reply.
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { callBody, echoOf } from './echo.ts'
import type { Wire } from './load.ts'

const PATH = '/mcp'
const REVISION = '2025-11-25'
const REPLY_BYTES_MAX = 1 << 20

interface Reply {
  readonly status: number
  readonly head: string
  readonly body: string
  /** Where the next reply begins. */
  readonly end: number
}

/** Reads one reply from the start of `text`, or undefined while it is incomplete. Header names are in lower case. */
export function readReply(text: string): Reply | undefined {
  const headEnd = text.indexOf('\r\n\r\n')
  if (headEnd === -1) return undefined
  const head = text.slice(0, headEnd).replace(/\r\n[^:\r]+:/g, (name) => name.toLowerCase())
  const status = Number(head.slice(9, 12))
  const start = headEnd + 4
  const length = header(head, 'content-length')
  if (length !== undefined) {
    const end = start + Number(length)
    return text.length < end ? undefined : { status, head, body: text.slice(start, end), end }
  }
  if (header(head, 'transfer-encoding') !== 'chunked') return { status, head, body: '', end: start }
  let body = ''
  for (let at = start; ; ) {
    const lineEnd = text.indexOf('\r\n', at)
    if (lineEnd === -1) return undefined
    const size = Number.parseInt(text.slice(at, lineEnd), 16)
    at = lineEnd + 2 + size + 2
    if (text.length < at) return undefined
    if (size === 0) return { status, head, body, end: at }
    body += text.slice(lineEnd + 2, at - 2)
  }
}

function header(head: string, name: string): string | undefined {
  const at = head.indexOf(`\r\n${name}:`)
  if (at === -1) return undefined
  const end = head.indexOf('\r\n', at + 2)
  return head.slice(at + name.length + 3, end === -1 ? head.length : end).trim()
}

/** The JSON-RPC message of a reply: its body, or the data of the last event that has any. */
export function messageOf(reply: Reply): unknown {
  if (!header(reply.head, 'content-type')?.startsWith('text/event-stream')) return JSON.parse(reply.body)
  const at = reply.body.lastIndexOf('data: {')
  if (at === -1) throw new Error(`The event stream holds no message: ${JSON.stringify(reply.body)}`)
  const end = reply.body.indexOf('\n', at)
  return JSON.parse(reply.body.slice(at + 6, end === -1 ? undefined : end))
}

function requestBytes(port: number, session: string | undefined, body: string): string {
  return (
    `POST ${PATH} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nContent-Type: application/json\r\n` +
    'Accept: application/json, text/event-stream\r\n' +
    (session === undefined ? '' : `MCP-Protocol-Version: ${REVISION}\r\nMcp-Session-Id: ${session}\r\n`) +
    `Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`
  )
}

async function exchange(port: number, session: string | undefined, message: object): Promise<Reply> {
  const socket = connect(port, '127.0.0.1').setEncoding('latin1')
  try {
    socket.write(requestBytes(port, session, JSON.stringify(message)))
    for (let text = ''; text.length < REPLY_BYTES_MAX; ) {
      const [chunk] = await once(socket, 'data', { signal: AbortSignal.timeout(10_000) })
      text += chunk
      const reply = readReply(text)
      if (reply !== undefined) return reply
    }
    throw new Error(`The reply to the handshake is larger than ${REPLY_BYTES_MAX} bytes.`)
  } finally {
    socket.destroy()
  }
}

/** Opens one session and resolves to its id, in the case the server gave it. */
export async function openSession(port: number): Promise<string> {
  const clientInfo = { name: 'bench', version: '1' }
  const params = { protocolVersion: REVISION, capabilities: {}, clientInfo }
  const reply = await exchange(port, undefined, { jsonrpc: '2.0', id: 'init', method: 'initialize', params })
  const session = header(reply.head, 'mcp-session-id')
  if (reply.status !== 200 || session === undefined) {
    throw new Error(
      `The server answered the handshake with ${reply.status} and the session id ${session}: ${reply.body}`,
    )
  }
  const ready = await exchange(port, session, { jsonrpc: '2.0', method: 'notifications/initialized' })
  if (ready.status !== 202) throw new Error(`The server answered notifications/initialized with ${ready.status}.`)
  return session
}

/** Posts one message on a connection of its own; resolves to the answer. Throws what is no 2xx. */
export async function post(port: number, session: string | undefined, message: object): Promise<unknown> {
  const reply = await exchange(port, session, message)
  if (reply.status >= 300) throw new Error(`The server answered with ${reply.status}: ${reply.body}`)
  return reply.body === '' ? undefined : messageOf(reply)
}

/** Posts one message on a connection of its own and does not wait for the answer: whoever takes its time is left alone. */
export async function postTo(port: number, session: string, message: object): Promise<Socket> {
  const socket = connect(port, '127.0.0.1')
  await once(socket, 'connect')
  socket.on('error', () => {}) // the server may end first
  socket.write(requestBytes(port, session, JSON.stringify(message)))
  return socket
}

/** One keep-alive connection: at most one call at a time. */
class Lane {
  readonly #socket: Socket
  readonly #head: string
  #text = ''
  #isBusy = false
  #isClosed = false

  constructor(
    port: number,
    session: string,
    onCall: (lane: Lane, message: unknown) => void,
    onError: (e: Error) => void,
  ) {
    this.#head = requestBytes(port, session, '').replace('Content-Length: 0\r\n\r\n', 'Content-Length: ')
    this.#socket = connect({ port, host: '127.0.0.1', noDelay: true }).setEncoding('latin1')
    this.#socket.on('error', onError)
    this.#socket.on('close', () => {
      this.#isClosed = true
      if (this.#isBusy) onError(new Error('The server closed a connection with a call on it.'))
    })
    this.#socket.on('data', (chunk: string) => {
      try {
        this.#text += chunk
        const reply = readReply(this.#text)
        if (reply === undefined) return
        this.#text = this.#text.slice(reply.end)
        this.#isBusy = false
        if (reply.status !== 200) throw new Error(`The server answered a call with ${reply.status}: ${reply.body}`)
        onCall(this, messageOf(reply))
      } catch (error) {
        onError(error as Error)
      }
    })
  }

  opened(): Promise<unknown> {
    return once(this.#socket, 'connect')
  }

  send(body: string): void {
    if (this.#isClosed) throw new Error('The server closed a connection that was kept alive for the next call.')
    this.#isBusy = true
    this.#socket.write(`${this.#head}${body.length}\r\n\r\n${body}`, 'latin1')
  }

  close(): void {
    this.#socket.removeAllListeners('close').destroy()
  }
}

/** A wire of keep-alive connections to `port` that share the given sessions in turn. */
export function httpWire(port: number, sessions: readonly string[]): Wire {
  let lanes: Lane[] = []
  let free: Lane[] = []
  const wire: Wire = {
    onReply: () => {},
    onError: () => {},
    async open(inFlight) {
      const onCall = (lane: Lane, message: unknown) => {
        free.push(lane)
        const { id, text } = echoOf(message)
        wire.onReply(id, text)
      }
      const onError = (error: Error) => wire.onError(error)
      lanes = Array.from(
        { length: inFlight },
        (_, index) => new Lane(port, sessions[index % sessions.length]!, onCall, onError),
      )
      await Promise.all(lanes.map((lane) => lane.opened()))
      free = [...lanes]
    },
    send(id) {
      const lane = free.shift() // the longest idle first, or servers would time out the ones at the bottom
      if (lane === undefined) throw new Error('More calls are in flight than connections were opened.')
      lane.send(callBody(id))
    },
    flush() {},
    close() {
      for (const lane of lanes) lane.close()
      lanes = []
      free = []
    },
  }
  return wire
}
