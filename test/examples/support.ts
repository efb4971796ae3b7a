/** Runs built programs as child processes and talks to them as a client would, one plain request at a time. */
import { type ChildProcessWithoutNullStreams, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { Conversation, type Wire } from '../server/wire-schema.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))

/** The folder of the examples' sources. */
export const examples = fileURLToPath(new URL('../../examples', import.meta.url))

/** Longest wait for a line, an end or an answer, in milliseconds. */
const WAIT_MAX_MS = 15_000

/** Compiles what changed. */
export function build(): void {
  const { status, stderr } = spawnSync(process.execPath, ['scripts/build.mjs', '--if-stale'], {
    cwd: root,
    encoding: 'utf8',
  })
  if (status !== 0) throw new Error(`The build failed:\n${stderr}`)
}

/** A program that was started. */
export class Program {
  readonly child: ChildProcessWithoutNullStreams
  readonly ended: Promise<{ readonly status: number | null; readonly stdout: string; readonly stderr: string }>
  stdout = ''
  stderr = ''
  readonly #watchers = new Set<() => void>()

  constructor(name: string, args: readonly string[] = []) {
    this.child = spawn(process.execPath, [`dist/examples/${name}/main.js`, ...args], { cwd: root })
    this.child.stdout.setEncoding('utf8').on('data', (chunk) => {
      this.stdout += chunk
      for (const watcher of this.#watchers) watcher()
    })
    this.child.stderr.setEncoding('utf8').on('data', (chunk) => {
      this.stderr += chunk
      for (const watcher of this.#watchers) watcher()
    })
    this.ended = once(this.child, 'close').then(([status]) => ({ status, stdout: this.stdout, stderr: this.stderr }))
  }

  /** The first match of `pattern` in what was printed, waiting for it. Rejects when the program ends without it. */
  async until(pattern: RegExp): Promise<RegExpMatchArray> {
    const find = () => (this.stdout + this.stderr).match(pattern)
    return new Promise((resolve, reject) => {
      const look = () => {
        const match = find()
        if (match === null) return
        this.#watchers.delete(look)
        clearTimeout(timer)
        resolve(match)
      }
      const giveUp = (why: string) => reject(new Error(`${why} without ${pattern}:\n${this.stdout}${this.stderr}`))
      const timer = setTimeout(() => giveUp(`${WAIT_MAX_MS} ms went by`), WAIT_MAX_MS)
      this.#watchers.add(look)
      void this.ended.then(() => (find() === null ? giveUp('The program ended') : look()))
      look()
    })
  }

  /** Ends it by SIGTERM. */
  async stop() {
    this.child.kill('SIGTERM')
    return this.ended
  }
}

type Fields = { readonly [key: string]: unknown }

/** A JSON-RPC message of any kind. */
export interface Message {
  readonly id?: number
  readonly method?: string
  readonly params?: Fields
  readonly result?: Fields
  readonly error?: { readonly code: number; readonly message: string; readonly data?: unknown }
}

/** The first text of a tool's result. */
export function textOf(answer: Message): string {
  const content = answer.result?.['content']
  const first: unknown = Array.isArray(content) ? content[0] : undefined
  if (typeof first === 'object' && first !== null && 'text' in first) return String(first.text)
  throw new Error(`The answer holds no text: ${JSON.stringify(answer)}`)
}

/** One session over HTTP, each message of which is checked against the published schema. */
export class Session {
  readonly url: string
  readonly #conversation = new Conversation()
  #headers: Record<string, string> = {}
  #lastId = 0

  constructor(url: string) {
    this.url = url
  }

  static async open(url: string, capabilities: object = {}): Promise<Session> {
    const session = new Session(url)
    const clientInfo = { name: 'test', version: '1' }
    const params = { protocolVersion: '2025-11-25', capabilities, clientInfo }
    const response = await session.post({ id: 0, method: 'initialize', params })
    await response.text()
    session.#headers = {
      'mcp-session-id': response.headers.get('mcp-session-id') ?? '',
      'mcp-protocol-version': '2025-11-25',
    }
    await (await session.post({ method: 'notifications/initialized' })).text()
    return session
  }

  /** The answer to a request, and what came before it on the same stream. */
  async request(method: string, params: object = {}): Promise<Message & { readonly before: readonly Message[] }> {
    const id = ++this.#lastId
    const body = await (await this.post({ id, method, params })).text()
    const messages = this.#checked(body.startsWith('{') ? [JSON.parse(body) as Message] : messagesOf(body))
    const answer = messages.find((message) => message.id === id && message.method === undefined)
    if (answer === undefined) throw new Error(`No answer to ${method}: ${body}`)
    return { ...answer, before: messages.filter((message) => message !== answer) }
  }

  /** Calls a tool; the answer of tools/call. */
  call(name: string, args: object = {}, progressToken?: number) {
    const meta = progressToken === undefined ? {} : { _meta: { progressToken } }
    return this.request('tools/call', { name, arguments: args, ...meta })
  }

  /** Messages of the session's own stream, as they come, until `stop` is called. */
  listen(onMessage: (message: Message) => void): { readonly isOpen: Promise<void>; stop(): void } {
    const abort = new AbortController()
    const response = fetch(this.url, {
      headers: { accept: 'text/event-stream', ...this.#headers },
      signal: abort.signal,
    })
    void (async () => {
      let text = ''
      const decoder = new TextDecoder()
      for await (const chunk of (await response).body ?? []) {
        text += decoder.decode(chunk, { stream: true })
        const end = text.lastIndexOf('\n\n')
        if (end === -1) continue
        for (const message of this.#checked(messagesOf(text.slice(0, end)))) onMessage(message)
        text = text.slice(end + 2)
      }
    })().catch(() => undefined)
    return { isOpen: response.then(() => undefined), stop: () => abort.abort() }
  }

  #checked(messages: Message[]): Message[] {
    for (const message of messages) {
      const fault = this.#conversation.faultOf(message as Wire)
      if (fault !== undefined) throw new Error(fault)
    }
    return messages
  }

  post(message: object): Promise<Response> {
    this.#conversation.sent(message as Wire)
    return fetch(this.url, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
        ...this.#headers,
      },
      body: JSON.stringify({ jsonrpc: '2.0', ...message }),
    })
  }
}

function messagesOf(events: string): Message[] {
  return [...events.matchAll(/^data: ?(\{.*)$/gm)].map(([, data = '']) => JSON.parse(data) as Message)
}
