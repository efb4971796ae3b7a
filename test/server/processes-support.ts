/** Runs `processes-server.mjs` on the build, and speaks to it over connections of one's own choosing. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { Agent, type IncomingMessage, request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { onTestFinished } from 'vitest'

const root = fileURLToPath(new URL('../..', import.meta.url))
const program = fileURLToPath(new URL('./processes-server.mjs', import.meta.url))

/** A running primary and what it says. */
export class Fleet {
  readonly program: ChildProcess
  /** The folder that it takes for temporary files. */
  readonly folder: string
  readonly ended: Promise<number | string | null>
  url = ''
  errors = ''
  private readonly lines: AsyncIterator<string>

  /** It ends, with all that is left of it, when `whenOver` says so: by default at the end of the test. */
  constructor(options: object, whenOver: (end: () => Promise<void>) => void = onTestFinished) {
    this.folder = mkdtempSync(join(tmpdir(), 'p-'))
    const env = { ...process.env, TMPDIR: this.folder }
    this.program = spawn(process.execPath, [program, JSON.stringify(options)], { cwd: root, env })
    this.program.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.errors += text
    })
    this.ended = once(this.program, 'exit').then(([status, signal]) => (status ?? signal) as number | string | null)
    this.lines = createInterface({ input: this.program.stdout as NodeJS.ReadableStream })[Symbol.asyncIterator]()
    whenOver(async () => {
      this.program.kill('SIGKILL')
      await this.ended
      rmSync(this.folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 })
    })
  }

  async said(): Promise<unknown> {
    const { value, done } = await this.lines.next()
    if (done === true) throw new Error(`The program ended with ${await this.ended}. ${this.errors}`)
    return JSON.parse(value as string)
  }

  /** Has the primary do something and waits for what it answers. */
  // biome-ignore lint/suspicious/noExplicitAny: what a line says depends on what was asked
  async do(what: string): Promise<any> {
    this.program.stdin?.write(`${what}\n`)
    return this.said()
  }

  /** The private folders that are left. */
  privateFolders(): string[] {
    return readdirSync(this.folder)
      .filter((name) => name.startsWith('bough-'))
      .map((name) => join(this.folder, name))
      .filter((path) => readdirSync(path).every((name) => name.endsWith('.sock')))
  }
}

/** Starts a fleet; resolves when it serves. */
export async function fleet(options: object, whenOver?: (end: () => Promise<void>) => void): Promise<Fleet> {
  const started = new Fleet(options, whenOver)
  const { url } = (await started.said()) as { url: string }
  started.url = url
  return started
}

export interface Answer {
  readonly status: number
  readonly headers: IncomingMessage['headers']
  /** The messages of the answer, of a JSON body or of a stream. */
  // biome-ignore lint/suspicious/noExplicitAny: a message of any method
  readonly messages: any[]
  readonly ids: string[]
}

/** A client of the legacy or modern era, over an agent that may be shared: with one socket all go over one connection. */
export class RawClient {
  sessionId: string | undefined
  readonly url: string
  readonly headers: Record<string, string>
  readonly agent: Agent
  private lastId = 0

  constructor(url: string, agent: Agent = ownConnections(), headers: Record<string, string> = {}) {
    this.url = url
    this.agent = agent
    this.headers = headers
  }

  async initialize(capabilities: object = {}): Promise<this> {
    const clientInfo = { name: 'raw', version: '1' }
    const params = { protocolVersion: '2025-11-25', capabilities, clientInfo }
    const answer = await this.post({ id: 0, method: 'initialize', params })
    if (answer.status !== 200) throw new Error(`initialize was answered with ${answer.status}`)
    this.sessionId = answer.headers['mcp-session-id'] as string
    await this.post({ method: 'notifications/initialized' })
    return this
  }

  /** The member that owns the session. */
  get owner(): number {
    return Number(this.sessionId?.split('.')[0])
  }

  /** The text of a tool's result; an error as text otherwise. */
  async call(name: string, args: object = {}, meta?: object): Promise<string> {
    const { status, messages } = await this.post(this.callOf(name, args, meta))
    const last = messages.at(-1)
    return last?.result?.content?.[0]?.text ?? `${status} ${last?.error?.message}`
  }

  callOf(name: string, args: object = {}, meta?: object): object {
    return { id: ++this.lastId, method: 'tools/call', params: { name, arguments: args, ...(meta && { _meta: meta }) } }
  }

  /** A request of the modern era, which needs no session. */
  modern(method: string, params: Record<string, unknown> = {}, capabilities: object = {}): Promise<Answer> {
    const _meta = {
      'io.modelcontextprotocol/protocolVersion': '2026-07-28',
      'io.modelcontextprotocol/clientInfo': { name: 'raw', version: '1' },
      'io.modelcontextprotocol/clientCapabilities': capabilities,
    }
    const name = params['name'] ?? params['uri'] ?? params['taskId']
    const headers = {
      'mcp-protocol-version': '2026-07-28',
      'mcp-method': method,
      ...(typeof name === 'string' && { 'mcp-name': name }),
    }
    return this.post({ id: ++this.lastId, method, params: { ...params, _meta } }, headers)
  }

  async post(message: object, headers: Record<string, string> = {}): Promise<Answer> {
    const response = await this.send('POST', message, headers)
    return collect(response)
  }

  /** Sends and resolves with the headers of the answer. */
  send(method: string, message?: object, headers: Record<string, string> = {}): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      const sending = request(this.url, {
        method,
        agent: this.agent,
        headers: {
          accept: method === 'GET' ? 'text/event-stream' : 'application/json, text/event-stream',
          ...(message && { 'content-type': 'application/json' }),
          ...(this.sessionId !== undefined && { 'mcp-session-id': this.sessionId }),
          ...this.headers,
          ...headers,
        },
      })
      sending.once('response', resolve)
      sending.once('error', reject)
      sending.end(message && JSON.stringify({ jsonrpc: '2.0', ...message }))
    })
  }
}

/** A connection for each request. */
export function ownConnections(): Agent {
  return new Agent({ keepAlive: false })
}

/** One connection for all requests, one after the other. */
export function oneConnection(): Agent {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  onTestFinished(() => agent.destroy())
  return agent
}

/** Reads an answer to its end, or until `until` has what it wants. */
export async function collect(response: IncomingMessage, until?: (answer: Answer) => boolean): Promise<Answer> {
  const answer: Answer = { status: response.statusCode ?? 0, headers: response.headers, messages: [], ids: [] }
  const isStream = response.headers['content-type'] === 'text/event-stream'
  let text = ''
  try {
    for await (const chunk of response.setEncoding('utf8')) {
      text += chunk as string
      if (!isStream) continue
      const events = text.split('\n\n')
      text = events.pop() ?? ''
      for (const event of events) {
        const id = /^id: (.*)$/m.exec(event)?.[1]
        if (id !== undefined) answer.ids.push(id)
        const data = /^data: (.+)$/m.exec(event)?.[1]
        if (data !== undefined) answer.messages.push(JSON.parse(data))
      }
      if (until?.(answer) === true) break
    }
  } catch (error) {
    // A stream that broke has said what it had to say.
    if (!isStream) throw error
  }
  if (!isStream && text !== '') answer.messages.push(...[JSON.parse(text)].flat())
  return answer
}

/** A client whose session is of that member. */
export async function clientOf(
  url: string,
  owner: number,
  agent?: Agent,
  headers?: Record<string, string>,
  capabilities: object = {},
): Promise<RawClient> {
  let sessionId = ''
  // It may be being started.
  await until(async () => {
    const client = await new RawClient(url, ownConnections(), headers).initialize(capabilities)
    sessionId = client.sessionId ?? ''
    return client.owner === owner
  })
  const chosen = new RawClient(url, agent, headers)
  chosen.sessionId = sessionId
  return chosen
}

/** Whether a process of this machine lives. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

/** Waits until `look` is true. */
export async function until(look: () => boolean | Promise<boolean>, withinMs = 25_000): Promise<void> {
  const end = performance.now() + withinMs
  while (!(await look())) {
    if (performance.now() > end) throw new Error(`It did not come to that within ${withinMs} ms: ${look}`)
    await new Promise((resolve) => setTimeout(resolve, 25))
  }
}
