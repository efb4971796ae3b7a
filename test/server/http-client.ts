/** A client over HTTP that shows every status, header and event, and checks each message against the published schema. */
import { expect } from 'vitest'
import { type Wire, wireFault } from './wire-schema.ts'

export interface SseEvent {
  readonly id: string | undefined
  readonly retry: number | undefined
  readonly data: string
}

/** An answer that is read as it comes. */
export class Stream {
  readonly status: number
  readonly headers: Headers
  readonly events: SseEvent[] = []
  /** Comments that came, each of them a sign of life. */
  comments = 0
  /** Messages of the answer, from JSON or from events. */
  readonly messages: Wire[] = []
  /** Resolves when the answer is over, however it ended. */
  readonly over: Promise<void>
  private fault: Error | undefined
  private watchers: (() => void)[] = []
  private readonly abort: AbortController
  private readonly check: (message: Wire) => void

  constructor(response: Response, abort: AbortController, check: (message: Wire) => void) {
    this.status = response.status
    this.headers = response.headers
    this.abort = abort
    this.check = check
    this.over = this.read(response).catch(() => {
      // A connection that broke is an end; a message that is wrong is a fault of the server.
      if (this.fault !== undefined) throw this.fault
    })
  }

  get isEvents(): boolean {
    return this.headers.get('content-type') === 'text/event-stream'
  }

  /** The first message that `wanted` accepts, waiting for it. */
  async until(wanted: (message: Wire) => boolean): Promise<Wire> {
    for (;;) {
      const found = this.messages.find(wanted)
      if (found !== undefined) return found
      await this.changed()
    }
  }

  /** Waits for `count` events. */
  async untilEvents(count: number): Promise<void> {
    while (this.events.length < count) await this.changed()
  }

  /** Waits for `count` comments. */
  async untilComments(count: number): Promise<void> {
    while (this.comments < count) await this.changed()
  }

  /** Drops the connection, as a client that loses it. */
  drop(): void {
    this.abort.abort()
  }

  private changed(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.watchers.push(resolve)
      this.over.then(() => reject(new Error(`The answer is over: ${JSON.stringify(this.messages)}`)), reject)
    })
  }

  private async read(response: Response): Promise<void> {
    if (!this.isEvents) {
      const text = await response.text()
      if (text !== '') for (const message of [JSON.parse(text)].flat()) this.take(message)
      return
    }
    let text = ''
    const decoder = new TextDecoder()
    for await (const chunk of response.body ?? []) {
      text += decoder.decode(chunk, { stream: true })
      for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
        this.event(text.slice(0, end))
        text = text.slice(end + 2)
      }
    }
  }

  private event(block: string): void {
    const fields = new Map(
      block.split('\n').map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1).trim()]),
    )
    // A comment keeps the connection alive and says nothing.
    if (!fields.has('id') && !fields.has('data')) {
      this.comments++
      return this.wake()
    }
    const retry = fields.get('retry')
    const event = {
      id: fields.get('id'),
      retry: retry === undefined ? undefined : Number(retry),
      data: fields.get('data') ?? '',
    }
    this.events.push(event)
    if (event.data !== '') for (const message of [JSON.parse(event.data)].flat()) this.take(message)
    else this.wake()
  }

  private take(message: Wire): void {
    try {
      this.check(message)
    } catch (error) {
      this.fault = error as Error
      throw error
    }
    this.messages.push(message)
    this.wake()
  }

  private wake(): void {
    for (const watcher of this.watchers.splice(0)) watcher()
  }
}

export class HttpClient {
  readonly url: string
  sessionId: string | undefined
  version = '2025-11-25'
  /** Go with every request, such as a token. */
  headers: Record<string, string> = {}
  private readonly asked = new Map<string | number, string>()
  private lastId = 0

  constructor(url: string) {
    this.url = url
  }

  static async open(
    url: string,
    version = '2025-11-25',
    capabilities: object = {},
    headers: Record<string, string> = {},
  ): Promise<HttpClient> {
    const client = new HttpClient(url)
    client.headers = headers
    const stream = await client.initialize(version, capabilities)
    expect(stream.status).toBe(200)
    expect((await client.send({ method: 'notifications/initialized' })).status).toBe(202)
    return client
  }

  async initialize(version = '2025-11-25', capabilities: object = {}): Promise<Stream> {
    this.version = version
    const clientInfo = { name: 'test', version: '1' }
    const stream = await this.send({
      id: this.nextId(),
      method: 'initialize',
      params: { protocolVersion: version, capabilities, clientInfo },
    })
    await stream.over
    this.sessionId = stream.headers.get('mcp-session-id') ?? undefined
    return stream
  }

  nextId(): number {
    return ++this.lastId
  }

  /** Begins a request; resolves with the headers of its answer. */
  begin(method: string, params: object = {}): Promise<Stream> {
    return this.send({ id: this.nextId(), method, params })
  }

  /** The answer to a request. */
  async request(method: string, params: object = {}): Promise<Wire> {
    const id = this.nextId()
    const stream = await this.send({ id, method, params })
    return stream.until((message) => message.id === id && message.method === undefined)
  }

  call(name: string, args: object = {}): Promise<Wire> {
    return this.request('tools/call', { name, arguments: args })
  }

  /** POSTs one message, or a batch. */
  send(message: Wire | readonly Wire[], headers: Record<string, string> = {}): Promise<Stream> {
    const messages = [message].flat() as Wire[]
    for (const one of messages) if (one.method !== undefined && one.id != null) this.asked.set(one.id, one.method)
    const wired = messages.map((one) => ({ jsonrpc: '2.0', ...one }))
    return this.fetch('POST', headers, JSON.stringify(Array.isArray(message) ? wired : wired[0]))
  }

  /** A GET stream, resuming where `lastEventId` says. */
  listen(lastEventId?: string): Promise<Stream> {
    return this.fetch('GET', lastEventId === undefined ? {} : { 'last-event-id': lastEventId })
  }

  end(): Promise<Stream> {
    return this.fetch('DELETE')
  }

  async fetch(method: string, headers: Record<string, string> = {}, body?: string): Promise<Stream> {
    const abort = new AbortController()
    const response = await fetch(this.url, {
      method,
      signal: abort.signal,
      headers: {
        accept: method === 'GET' ? 'text/event-stream' : 'application/json, text/event-stream',
        ...(method === 'POST' && { 'content-type': 'application/json' }),
        ...(this.sessionId !== undefined && { 'mcp-session-id': this.sessionId, 'mcp-protocol-version': this.version }),
        ...this.headers,
        ...headers,
      },
      ...(body !== undefined && { body }),
    })
    return new Stream(response, abort, (message) => this.check(message))
  }

  private check(message: Wire): void {
    const asked = message.method === undefined && message.id != null ? this.asked.get(message.id) : undefined
    if (asked === 'initialize' && message.result !== undefined) this.version = message.result.protocolVersion
    expect(wireFault(this.version, message, asked)).toBeUndefined()
  }
}
