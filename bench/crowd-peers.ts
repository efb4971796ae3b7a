// One client of each kind for the crowd: it opens a session, calls echo, and can be ended or cut. As little code as speaks the
// transport, so that ten thousand of them fit into a few programs.
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { Agent, type Dispatcher, request } from 'undici'
import WebSocket from 'ws'
import { callBody, echoOf, textOf } from './echo.ts'

export const peerKinds = ['tcp', 'ws', 'stream', 'sse'] as const
export type PeerKind = (typeof peerKinds)[number]

/** Where each kind connects. 'stream' is Streamable HTTP with an open GET stream; 'sse' is the legacy transport. */
export type Addresses = Readonly<Record<PeerKind, string>>

export interface Peer {
  readonly kind: PeerKind
  /** Calls echo and checks the answer. Rejects when it is another, or when the connection ends. */
  call(): Promise<void>
  /** Ends as a well-behaved client does. */
  end(): Promise<void>
  /** The connection is torn, without a word. */
  cut(): void
}

const ANSWER_WITHIN_MS = 30_000
const REVISION = '2025-11-25'
const handshake = {
  jsonrpc: '2.0',
  id: 'init',
  method: 'initialize',
  params: { protocolVersion: REVISION, capabilities: {}, clientInfo: { name: 'crowd', version: '1' } },
}
const initialized = { jsonrpc: '2.0', method: 'notifications/initialized' }
let lastId = 0

/** The calls of one connection that wait for their answers. */
class Pending {
  private readonly waiting = new Map<unknown, { settle: (message: unknown) => void; fail: (error: Error) => void }>()
  private ended: Error | undefined

  expect(id: unknown): Promise<unknown> {
    if (this.ended !== undefined) return Promise.reject(this.ended)
    return new Promise((settle, reject) => {
      const timer = setTimeout(() => fail(new Error(`No answer within ${ANSWER_WITHIN_MS} ms.`)), ANSWER_WITHIN_MS)
      const fail = (error: Error): void => {
        this.waiting.delete(id)
        clearTimeout(timer)
        reject(error)
      }
      this.waiting.set(id, {
        fail,
        settle: (message) => {
          this.waiting.delete(id)
          clearTimeout(timer)
          settle(message)
        },
      })
    })
  }

  take(text: string): void {
    const message = JSON.parse(text) as { id?: unknown }
    this.waiting.get(message.id)?.settle(message)
  }

  fail(error: Error): void {
    this.ended ??= error
    for (const one of [...this.waiting.values()]) one.fail(this.ended)
  }
}

/** What tcp, ws and sse share: messages go out, and answers come back on the same connection. */
async function duplex(
  kind: PeerKind,
  pending: Pending,
  send: (text: string) => void,
  end: () => Promise<void>,
  cut: () => void,
): Promise<Peer> {
  const opened = pending.expect('init')
  send(JSON.stringify(handshake))
  const { error } = (await opened) as { error?: unknown }
  if (error !== undefined) throw new Error(`${kind}: the handshake was refused: ${JSON.stringify(error)}`)
  send(JSON.stringify(initialized))
  return {
    kind,
    async call() {
      const id = ++lastId
      const answer = pending.expect(id)
      send(callBody(id))
      check(id, await answer)
    },
    end,
    cut,
  }
}

function check(id: number, message: unknown): void {
  const echo = echoOf(message)
  if (echo.id !== id || echo.text !== textOf(id))
    throw new Error(`Call ${id} was answered with ${JSON.stringify(echo)}`)
}

function hang(socket: Socket, pending: Pending): void {
  socket.on('error', (error) => pending.fail(error))
  socket.on('close', () => pending.fail(new Error('The connection ended.')))
}

async function openTcp(address: string): Promise<Peer> {
  const { hostname, port } = new URL(address)
  const socket = connect({ host: hostname, port: Number(port), noDelay: true }).setEncoding('utf8')
  const pending = new Pending()
  hang(socket, pending)
  let rest = ''
  socket.on('data', (chunk: string) => {
    rest += chunk
    for (let end = rest.indexOf('\n'); end >= 0; end = rest.indexOf('\n')) {
      pending.take(rest.slice(0, end))
      rest = rest.slice(end + 1)
    }
  })
  await once(socket, 'connect')
  const end = async (): Promise<void> => {
    const closed = once(socket, 'close')
    socket.end()
    await closed
  }
  return duplex(
    'tcp',
    pending,
    (text) => void socket.write(`${text}\n`),
    end,
    () => socket.resetAndDestroy(),
  )
}

async function openWs(address: string): Promise<Peer> {
  const socket = new WebSocket(address, 'mcp', { perMessageDeflate: false })
  const pending = new Pending()
  socket.on('error', (error) => pending.fail(error))
  socket.on('close', (code) => pending.fail(new Error(`The connection was closed with ${code}.`)))
  socket.on('message', (data) => pending.take(String(data)))
  await once(socket, 'open')
  const end = async (): Promise<void> => {
    const closed = once(socket, 'close')
    socket.close(1000)
    await closed
  }
  return duplex(
    'ws',
    pending,
    (text) => socket.send(text),
    end,
    () => socket.terminate(),
  )
}

/** POSTs of all peers of this program share a few connections: it is the open streams that are to be many. */
const dispatcher: Dispatcher = new Agent({ connections: 32, pipelining: 1 })

async function post(url: string, headers: Record<string, string>, body: string | undefined, method = 'POST') {
  const answer = await request(url, {
    method: method as 'POST',
    dispatcher,
    headers: { 'content-type': 'application/json', accept: 'application/json, text/event-stream', ...headers },
    ...(body !== undefined && { body }),
  })
  const text = await answer.body.text()
  if (answer.statusCode >= 300) throw new Error(`${url} answered ${answer.statusCode}: ${text}`)
  return { headers: answer.headers, text }
}

/** Opens a GET stream; resolves when its head has come. `onText` gets what follows, chunk by chunk. */
async function openStream(address: string, headers: string, onText: (text: string) => void): Promise<Socket> {
  const { hostname, port, pathname, host } = new URL(address)
  const socket = connect({ host: hostname, port: Number(port), noDelay: true }).setEncoding('utf8')
  socket.write(`GET ${pathname} HTTP/1.1\r\nHost: ${host}\r\nAccept: text/event-stream\r\n${headers}\r\n`)
  await new Promise<void>((resolve, reject) => {
    let head = ''
    const onHead = (chunk: string): void => {
      head += chunk
      const end = head.indexOf('\r\n\r\n')
      if (end < 0) return
      socket.off('data', onHead)
      if (!head.startsWith('HTTP/1.1 200')) return reject(new Error(`The stream was refused: ${head.slice(0, 200)}`))
      socket.on('data', onText)
      onText(head.slice(end + 4))
      resolve()
    }
    socket.on('data', onHead).once('error', reject)
  })
  return socket
}

async function openHttp(address: string): Promise<Peer> {
  const opened = await post(address, {}, JSON.stringify(handshake))
  const session = String(opened.headers['mcp-session-id'])
  const headers = { 'mcp-session-id': session, 'mcp-protocol-version': REVISION }
  await post(address, headers, JSON.stringify(initialized))
  const lines = `Mcp-Session-Id: ${session}\r\nMcp-Protocol-Version: ${REVISION}\r\n`
  const socket = await openStream(address, lines, () => {})
  let ended: Error | undefined
  socket.on('error', () => {})
  socket.on('close', () => (ended = new Error('The stream ended.')))
  return {
    kind: 'stream',
    async call() {
      if (ended !== undefined) throw ended
      const id = ++lastId
      const { text } = await post(address, headers, callBody(id))
      check(id, JSON.parse(text.startsWith('{') ? text : text.slice(text.lastIndexOf('data: {') + 6)))
    },
    async end() {
      await post(address, headers, undefined, 'DELETE')
      socket.destroy()
    },
    cut: () => void socket.resetAndDestroy(),
  }
}

async function openSse(address: string): Promise<Peer> {
  const pending = new Pending()
  let rest = ''
  let found: (endpoint: string) => void = () => {}
  const endpoint = new Promise<string>((resolve) => (found = resolve))
  const socket = await openStream(address, '', (chunk) => {
    // Chunked coding puts its sizes between the events: only whole lines of data count.
    rest += chunk
    for (let end = rest.indexOf('\n\n'); end >= 0; end = rest.indexOf('\n\n')) {
      const event = rest.slice(0, end)
      rest = rest.slice(end + 2)
      const data = /^data: ?(.*)$/m.exec(event)?.[1]
      if (data === undefined) continue
      if (event.includes('event: endpoint')) found(new URL(data, address).href)
      else pending.take(data)
    }
  })
  hang(socket, pending)
  const to = await endpoint
  const send = (text: string): void => void post(to, {}, text).catch((error: Error) => pending.fail(error))
  const end = async (): Promise<void> => void socket.destroy()
  return duplex('sse', pending, send, end, () => socket.resetAndDestroy())
}

/** Opens a peer with a session that is ready. Rejects when it is refused. */
export function openPeer(kind: PeerKind, addresses: Addresses): Promise<Peer> {
  const open = { tcp: openTcp, ws: openWs, stream: openHttp, sse: openSse }[kind]
  return open(addresses[kind])
}
