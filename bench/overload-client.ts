// A client process of the overload benchmark: raw keep-alive connections to one server, one call at a time on each. Asked for a
// rate it is an open loop, bounded by its connections: a call whose time has come and that finds none free is counted and not made.
// Without one it is a closed loop. Tells what it found, and when what was sent was answered.
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { openSession, readReply } from './load-http.ts'

export interface Order {
  readonly port: number
  readonly connections: number
  readonly sessions: number
  /** Calls in a second; 0 for as many as the connections give. */
  readonly rate: number
  readonly ms: number
  readonly tool: string
  readonly args: object
}

export interface Told {
  readonly useful: number
  /** Answers by what they were: a status, or 'error' for a JSON-RPC error with status 200, 'cut' for a closed connection. */
  readonly refused: Readonly<Record<string, number>>
  /** Refusals without Retry-After, or whose body does not repeat the id. */
  readonly malformed: number
  readonly unmade: number
  readonly elapsedMs: number
  readonly latenciesMs: readonly number[]
}

const REVISION = '2025-11-25'
/** Latencies that are kept. */
const KEPT_MAX = 20_000
const TICK_MS = 5

class Lane {
  isFree = true
  private socket: Socket | undefined
  private text = ''
  private sentAt = 0
  private id = 0
  private readonly port: number
  private readonly session: string
  private heard: (status: number, head: string, body: string, id: number, ms: number) => void

  constructor(port: number, session: string, heard: Lane['heard']) {
    this.port = port
    this.session = session
    this.heard = heard
  }

  async open(): Promise<void> {
    const socket = connect({ port: this.port, host: '127.0.0.1', noDelay: true }).setEncoding('latin1')
    this.socket = socket
    socket.on('error', () => {})
    socket.on('close', () => {
      if (this.socket !== socket) return
      this.socket = undefined
      if (!this.isFree) this.done(0, '', '')
    })
    socket.on('data', (chunk: string) => {
      this.text += chunk
      const reply = readReply(this.text)
      if (reply === undefined) return
      this.text = this.text.slice(reply.end)
      this.done(reply.status, reply.head, reply.body)
    })
    await once(socket, 'connect')
  }

  /** Opens the connection and sends a ping over it. */
  async warmUp(): Promise<void> {
    await this.open()
    const heard = this.heard
    await new Promise<void>((resolve) => {
      this.heard = () => resolve()
      this.send(0, '{"jsonrpc":"2.0","id":0,"method":"ping"}')
    })
    this.heard = heard
  }

  send(id: number, body: string): void {
    this.isFree = false
    this.id = id
    this.sentAt = performance.now()
    if (this.socket === undefined) {
      this.text = ''
      this.open().then(
        () => this.write(body),
        () => this.done(0, '', ''),
      )
    } else this.write(body)
  }

  close(): void {
    const { socket } = this
    this.socket = undefined
    socket?.destroy()
  }

  private write(body: string): void {
    this.socket?.write(
      `POST /mcp HTTP/1.1\r\nHost: 127.0.0.1:${this.port}\r\nContent-Type: application/json\r\n` +
        `Accept: application/json, text/event-stream\r\nMCP-Protocol-Version: ${REVISION}\r\n` +
        `Mcp-Session-Id: ${this.session}\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
      'latin1',
    )
  }

  private done(status: number, head: string, body: string): void {
    this.isFree = true
    this.heard(status, head, body, this.id, performance.now() - this.sentAt)
  }
}

/** Makes the calls of one order. */
async function run({ port, connections, sessions, rate, ms, tool, args }: Order): Promise<Told> {
  const ids: string[] = []
  for (let index = 0; index < sessions; index += 1) ids.push(await openSession(port))
  const refused: Record<string, number> = {}
  const latenciesMs: number[] = []
  let useful = 0
  let malformed = 0
  let unmade = 0
  let made = 0
  let open = 0
  let isOver = false
  const free: Lane[] = []
  const next = (lane: Lane): void => {
    const id = ++made
    open++
    const call =
      tool === 'ping' ? { method: 'ping' } : { method: 'tools/call', params: { name: tool, arguments: args } }
    lane.send(id, JSON.stringify({ jsonrpc: '2.0', id, ...call }))
  }
  const lanes = Array.from({ length: connections }, (_, index) => {
    const lane: Lane = new Lane(port, ids[index % ids.length]!, (status, head, body, id, took) => {
      open--
      if (latenciesMs.length < KEPT_MAX) latenciesMs.push(took)
      const isResult = status === 200 && body.includes('"result"')
      if (isResult && !isOver) useful++
      if (!isResult) {
        const what = status === 0 ? 'cut' : status === 200 ? 'error' : String(status)
        refused[what] = (refused[what] ?? 0) + 1
        const isShaped = body.includes(`"id":${id},`) && (status === 200 || head.includes('\r\nretry-after:'))
        if (!isShaped) malformed++
      }
      if (rate === 0 && !isOver) next(lane)
      else free.push(lane)
    })
    return lane
  })
  // Each connection is used once, so that the server has accepted it: Node accepts one in each turn of its event loop.
  for (let at = 0; at < lanes.length; at += 50) await Promise.all(lanes.slice(at, at + 50).map((lane) => lane.warmUp()))
  process.send?.('ready')
  await once(process, 'message')
  const startedAt = performance.now()
  if (rate === 0) for (const lane of lanes) next(lane)
  else {
    free.push(...lanes)
    let due = 0
    while (performance.now() - startedAt < ms) {
      const wanted = Math.floor(((performance.now() - startedAt) / 1_000) * rate)
      for (; due < wanted; due += 1) {
        const lane = free.shift()
        if (lane === undefined) unmade++
        else next(lane)
      }
      await new Promise((resolve) => setTimeout(resolve, TICK_MS))
    }
  }
  while (performance.now() - startedAt < ms) await new Promise((resolve) => setTimeout(resolve, TICK_MS))
  const elapsedMs = performance.now() - startedAt
  isOver = true
  // What was asked is still answered, or was lost.
  const until = performance.now() + 15_000
  while (open > 0 && performance.now() < until) await new Promise((resolve) => setTimeout(resolve, 50))
  if (open > 0) refused['unanswered'] = open
  for (const lane of lanes) lane.close()
  return { useful, refused, malformed, unmade, elapsedMs, latenciesMs }
}

process.on('message', (order: Order | 'go') => {
  if (order === 'go') return
  run(order).then(
    (told) => process.send?.(told),
    (error: unknown) => process.send?.({ error: String(error) }),
  )
})
