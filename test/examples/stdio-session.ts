/**
 * One session over the standard input and output of a program, with a client that can answer the server's questions. Every
 * message is checked against the published schema.
 */
import { Conversation, type Wire } from '../server/wire-schema.ts'
import type { Message, Program } from './support.ts'

/** Answers a request of the server: the result, or what is thrown as an error. */
export type Answers = { readonly [method: string]: (params: Message['params']) => object }

export class StdioSession {
  /** Every notification that came, in order. */
  readonly heard: Message[] = []
  /** The methods of all requests that the server sent. */
  readonly asked: string[] = []
  /** Lines of standard output that are no JSON-RPC message; there should be none. */
  readonly strays: string[] = []
  readonly #program: Program
  readonly #answers: Answers
  readonly #waiting = new Map<number, (message: Message) => void>()
  readonly #conversation = new Conversation()
  #rest = ''
  #lastId = 0

  private constructor(program: Program, answers: Answers) {
    this.#program = program
    this.#answers = answers
    program.child.stdout.on('data', (chunk: string) => {
      const lines = (this.#rest + chunk).split('\n')
      this.#rest = lines.pop() ?? ''
      for (const line of lines) this.#take(line)
    })
  }

  static async open(program: Program, capabilities: object = {}, answers: Answers = {}): Promise<StdioSession> {
    const session = new StdioSession(program, answers)
    const clientInfo = { name: 'test', version: '1' }
    await session.request('initialize', { protocolVersion: '2025-11-25', capabilities, clientInfo })
    session.notify('notifications/initialized')
    return session
  }

  request(method: string, params: object = {}): Promise<Message> {
    return this.start(method, params).answer
  }

  /** Sends a request, and says its id. */
  start(method: string, params: object = {}): { readonly id: number; readonly answer: Promise<Message> } {
    const id = ++this.#lastId
    const answer = new Promise<Message>((resolve) => this.#waiting.set(id, resolve))
    this.#conversation.sent({ id, method, params })
    this.write(JSON.stringify({ jsonrpc: '2.0', id, method, params }))
    return { id, answer }
  }

  call(name: string, args: object = {}, progressToken?: string): Promise<Message> {
    const meta = progressToken === undefined ? {} : { _meta: { progressToken } }
    return this.request('tools/call', { name, arguments: args, ...meta })
  }

  notify(method: string, params: object = {}): void {
    this.write(JSON.stringify({ jsonrpc: '2.0', method, params }))
  }

  write(line: string): void {
    this.#program.child.stdin.write(`${line}\n`)
  }

  #take(line: string): void {
    let message: Message
    try {
      message = JSON.parse(line)
    } catch {
      this.strays.push(line)
      return
    }
    const fault = this.#conversation.faultOf(message as Wire)
    if (fault !== undefined) throw new Error(fault)
    const { id, method } = message
    if (method === undefined) {
      if (id !== undefined) this.#waiting.get(id)?.(message)
      return
    }
    if (id === undefined) {
      this.heard.push(message)
      return
    }
    this.asked.push(method)
    this.write(JSON.stringify({ jsonrpc: '2.0', id, ...this.#reply(method, message.params) }))
  }

  #reply(method: string, params: Message['params']): object {
    const answer = this.#answers[method]
    return answer === undefined
      ? { error: { code: -32601, message: `Method not found: ${method}` } }
      : { result: answer(params) }
  }
}
