// Clients that load a server while it is hurt, and count what came of each call. They are written on plain sockets of Node, so
// that nothing is repeated behind their backs.
import { Agent, type IncomingMessage, request } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'

const VERSION = '2025-11-25'
const CALL_MS = 10_000
const PAUSE_MS = 5
/** Milliseconds that a call of `slow` takes. */
const SLOW_MS = 40
/** Reasons of failures that are kept for the table's notes. */
const REASONS_MAX = 5

export interface Reply {
  readonly status: number
  readonly sessionId: string | undefined
  // biome-ignore lint/suspicious/noExplicitAny: any JSON-RPC answer
  readonly message: any
}

/** One session on one connection. */
export class ChaosClient {
  readonly name: string
  url: string
  sessionId: string | undefined
  ok = 0
  failed = 0
  /** When a call that began after the last mark first succeeded. */
  okSinceMark: number | undefined
  readonly reasons: string[] = []
  private markedAt = 0
  private agent = new Agent({ keepAlive: true, maxSockets: 1 })
  private lastId = 0
  private isStopped = false
  /** A connection for each call: for those who shall need new ones. */
  readonly isFresh: boolean

  constructor(name: string, url: string, isFresh = false) {
    this.name = name
    this.url = url
    this.isFresh = isFresh
  }

  async open(): Promise<void> {
    const clientInfo = { name: this.name, version: '1' }
    this.sessionId = undefined
    const params = { protocolVersion: VERSION, capabilities: {}, clientInfo }
    const { status, sessionId } = await this.post({ id: ++this.lastId, method: 'initialize', params })
    if (status !== 200 || sessionId === undefined) throw new Error(`initialize: status ${status}`)
    this.sessionId = sessionId
    await this.post({ method: 'notifications/initialized' })
  }

  /** Calls in a loop until `stop`; after a failure for want of a session, opens one. */
  async loop(tool = 'echo'): Promise<void> {
    while (!this.isStopped) {
      await this.once(tool)
      await sleep(PAUSE_MS)
    }
    this.agent.destroy()
  }

  stop(): void {
    this.isStopped = true
  }

  /** From now on `okSinceMark` waits for a success. */
  mark(): void {
    this.markedAt = performance.now()
    this.okSinceMark = undefined
  }

  async request(method: string, params: object): Promise<Reply> {
    return this.post({ id: ++this.lastId, method, params })
  }

  private async once(tool: string): Promise<void> {
    const startedAt = performance.now()
    const id = ++this.lastId
    try {
      if (this.sessionId === undefined) await this.open()
      const args = tool === 'echo' ? { n: id } : tool === 'slow' ? { ms: SLOW_MS } : {}
      const { status, message } = await this.post({ id, method: 'tools/call', params: { name: tool, arguments: args } })
      if (status === 404) this.sessionId = undefined
      const text: unknown = message?.result?.content?.[0]?.text
      const isRight =
        tool === 'echo' ? text === `xxxxxxx${id}` : message?.result !== undefined && !message.result.isError
      if (status !== 200 || message?.id !== id || !isRight) throw new Error(`${status} ${JSON.stringify(message)}`)
      this.ok++
      if (startedAt >= this.markedAt) this.okSinceMark ??= performance.now()
    } catch (error) {
      this.failed++
      const reason = error instanceof Error ? error.message.slice(0, 200) : String(error)
      if (this.reasons.length < REASONS_MAX && !this.reasons.includes(reason)) this.reasons.push(reason)
    }
  }

  private post(message: object): Promise<Reply> {
    const body = JSON.stringify({ jsonrpc: '2.0', ...message })
    const headers: Record<string, string> = {
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      'content-length': String(Buffer.byteLength(body)),
    }
    if (this.sessionId !== undefined) {
      headers['mcp-session-id'] = this.sessionId
      headers['mcp-protocol-version'] = VERSION
    }
    return new Promise((resolve, reject) => {
      const signal = AbortSignal.timeout(CALL_MS)
      const sending = request(this.url, { method: 'POST', agent: this.isFresh ? false : this.agent, headers, signal })
      sending.on('response', (response) => void this.read(response).then(resolve, reject))
      sending.on('error', reject)
      sending.end(body)
    })
  }

  private async read(response: IncomingMessage): Promise<Reply> {
    let text = ''
    response.setEncoding('utf8')
    for await (const chunk of response) text += chunk
    const sessionId = response.headers['mcp-session-id']
    const isEvents = response.headers['content-type'] === 'text/event-stream'
    const json = isEvents
      ? (text
          .match(/^data: (\{.*)$/gm)
          ?.at(-1)
          ?.slice('data: '.length) ?? '')
      : text
    return {
      status: response.statusCode ?? 0,
      sessionId: typeof sessionId === 'string' ? sessionId : undefined,
      message: json === '' ? undefined : JSON.parse(json),
    }
  }
}
