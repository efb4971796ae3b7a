/**
 * HTTP without sockets: a transport whose exchanges are made by hand, and answers that show status, headers, JSON and events. For
 * what is about sessions over HTTP and must be decided to the message, in virtual time. Every message is checked against the
 * published schema.
 */
import type { Acceptor, Sink, Transport } from '#transports/port'
import { Conversation, type Wire } from './wire-schema.ts'

export interface FakeEvent {
  readonly id: string | undefined
  /** Undefined for a priming event. */
  readonly message: Wire | undefined
}

/** What came back for one exchange, as far as it has. */
export class FakeAnswer implements Sink {
  status: number | undefined
  readonly headers: Record<string, string> = {}
  json: Wire | Wire[] | undefined
  readonly events: FakeEvent[] = []
  /** The whole answer is there, or the connection is gone. */
  isOver = false
  /** The client dropped the connection: nothing more reaches it. */
  isDropped = false
  private readonly listeners: (() => void)[] = []
  private hasBegun = false
  private readonly waiting: ((status: number | undefined) => void)[] = []
  private readonly conversation: Conversation

  constructor(conversation = new Conversation()) {
    this.conversation = conversation
  }

  get isOpen(): boolean {
    return !this.isOver
  }

  /** Calls `listener` with the status when the answer begins, or with undefined when the connection is lost before. */
  begun(listener: (status: number | undefined) => void): void {
    if (this.hasBegun) listener(this.status)
    else this.waiting.push(listener)
  }

  /** The id to resume from. */
  get lastEventId(): string | undefined {
    return this.events.findLast((event) => event.id !== undefined)?.id
  }

  /** Every message that came, from JSON or from events. */
  get messages(): Wire[] {
    const events = this.events.flatMap((event) => event.message ?? []).flat() as Wire[]
    return [...([this.json ?? []].flat() as Wire[]), ...events]
  }

  /** Loses the connection. */
  drop(): void {
    if (this.isOver) return
    this.isOver = true
    this.isDropped = true
    this.begin()
    for (const listener of this.listeners) listener()
  }

  reply(status: number, json?: string): void {
    if (this.isOver || this.status !== undefined) return
    this.status = status
    if (json !== undefined) this.json = this.read(json)
    this.isOver = true
    this.begin()
  }

  send(message: string, id?: string): boolean {
    if (this.isOver) return false
    this.status = 200
    this.events.push({ id, message: this.read(message) })
    this.begin()
    return true
  }

  prime(id: string): boolean {
    if (this.isOver) return false
    this.status = 200
    this.events.push({ id, message: undefined })
    this.begin()
    return true
  }

  end(message?: string, id?: string): boolean {
    if (this.isOver) return false
    if (this.status === undefined && message !== undefined) this.json = this.read(message)
    else if (message !== undefined) this.send(message, id)
    this.status ??= message === undefined ? 202 : 200
    this.isOver = true
    this.begin()
    return true
  }

  onClose(listener: () => void): void {
    this.listeners.push(listener)
  }

  /** A batch is typed as one message: those who send one look at `messages`. */
  private read(text: string): Wire {
    const read = JSON.parse(text) as Wire
    for (const message of [read].flat() as Wire[]) {
      const fault = this.conversation.faultOf(message)
      if (fault !== undefined) throw new Error(fault)
    }
    return read
  }

  private begin(): void {
    if (this.hasBegun) return
    this.hasBegun = true
    for (const listener of this.waiting) listener(this.status)
  }
}

export interface Sent {
  readonly sessionId?: string | undefined
  readonly lastEventId?: string | undefined
  readonly headers?: Readonly<Record<string, string>>
}

/** By the id of the session, which goes on with the next server over the same store. Ids of requests are their own in each. */
const conversations = new Map<string, Conversation>()

export class FakeHttp {
  /** Every answer, oldest first. */
  readonly answers: FakeAnswer[] = []
  readonly transport: Transport = {
    name: 'http',
    listen: async (acceptor) => {
      this.acceptor = acceptor
      return { url: 'http://fake/mcp', stopAccepting: () => undefined, close: async () => undefined }
    },
  }
  private acceptor: Acceptor | undefined

  post(message: Wire | readonly Wire[], sent: Sent = {}): FakeAnswer {
    const wired = [message].flat().map((one) => ({ jsonrpc: '2.0', ...(one as Wire) }))
    return this.exchange('POST', JSON.stringify(Array.isArray(message) ? wired : wired[0]), sent)
  }

  get(sessionId: string, lastEventId?: string): FakeAnswer {
    return this.exchange('GET', '', { sessionId, lastEventId })
  }

  delete(sessionId: string): FakeAnswer {
    return this.exchange('DELETE', '', { sessionId })
  }

  /** Loses every connection at once, as when the server is killed. */
  dropAll(): void {
    for (const answer of this.answers) answer.drop()
  }

  private exchange(method: 'POST' | 'GET' | 'DELETE', body: string, sent: Sent): FakeAnswer {
    const { sessionId } = sent
    const known = sessionId === undefined ? undefined : conversations.get(sessionId)
    const conversation = known ?? new Conversation()
    if (sessionId !== undefined) conversations.set(sessionId, conversation)
    if (body !== '') conversation.sent(JSON.parse(body) as Wire | Wire[])
    const answer = new FakeAnswer(conversation)
    this.answers.push(answer)
    this.acceptor?.exchange({
      method,
      body,
      url: 'http://fake/mcp',
      sessionId: sent.sessionId,
      protocolVersion: undefined,
      lastEventId: sent.lastEventId,
      headers: sent.headers ?? {},
      credentials: sent.headers ?? {},
      clientCertificate: undefined,
      peer: { transport: 'http' },
      setHeader: (name, value) => {
        answer.headers[name.toLowerCase()] = value
        // What is said to a session goes on where it was opened.
        if (name.toLowerCase() === 'mcp-session-id') conversations.set(value, conversation)
      },
      reply: (status, json) => answer.reply(status, json),
      sink: answer,
    })
    return answer
  }
}
