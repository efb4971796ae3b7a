/**
 * A client of the modern era over HTTP: every request is a POST of its own with the headers that repeat its body, written here
 * by hand so that the server is not held against its own code. Every message is checked against the published schema.
 */
import { expect } from 'vitest'
import { Stream } from './http-client.ts'
import { type Answers, type Asking, metaOf, VERSION } from './modern-client.ts'
import { type Wire, wireFault } from './wire-schema.ts'

/** A header that is undefined is left out. */
export type Headers = Readonly<Record<string, string | undefined>>

export interface Sending {
  readonly asking?: Asking
  readonly headers?: Headers
  readonly id?: string | number
}

export class ModernHttp {
  readonly url: string
  /** What every request says of the client, and the headers of every request, such as a token. */
  readonly asking: Asking
  readonly headers: Headers
  private lastId = 0

  constructor(url: string, asking: Asking = {}, headers: Headers = {}) {
    this.url = url
    this.asking = asking
    this.headers = headers
  }

  /** Begins a request; resolves with the headers of its answer. */
  begin(method: string, params: object = {}, { asking = this.asking, headers, id }: Sending = {}): Promise<Stream> {
    const message = { jsonrpc: '2.0', id: id ?? ++this.lastId, method, params: { ...params, _meta: metaOf(asking) } }
    return this.post(message, { ...headersOf(message), ...headers })
  }

  /** The whole answer: its status, and its last message. */
  async ask(method: string, params: object = {}, sending: Sending = {}): Promise<{ status: number; reply: Wire }> {
    const stream = await this.begin(method, params, sending)
    await stream.over
    return { status: stream.status, reply: stream.messages.at(-1) ?? {} }
  }

  async request(method: string, params: object = {}, sending: Sending = {}): Promise<Wire> {
    return (await this.ask(method, params, sending)).reply
  }

  call(name: string, args: object = {}, more: object = {}, sending: Sending = {}): Promise<Wire> {
    return this.request('tools/call', { name, arguments: args, ...more }, sending)
  }

  /** Sends a request until the server asks nothing more. */
  async rounds(method: string, params: object, answers: Answers, most = 10): Promise<Wire> {
    let reply = await this.request(method, params)
    for (let round = 0; reply.result?.resultType === 'input_required' && round < most; round++) {
      const { inputRequests, requestState } = reply.result
      const inputResponses = Object.fromEntries(
        Object.entries<Wire>(inputRequests).map(([key, one]) => [key, answers[one.method ?? '']?.(one.params, key)]),
      )
      reply = await this.request(method, { ...params, inputResponses, requestState })
    }
    return reply
  }

  /** POSTs anything, with nothing but the headers given and those of every request. */
  async post(message: Wire | string, headers: Headers = {}): Promise<Stream> {
    const abort = new AbortController()
    const all = {
      accept: 'application/json, text/event-stream',
      'content-type': 'application/json',
      ...this.headers,
      ...headers,
    }
    const response = await fetch(this.url, {
      method: 'POST',
      signal: abort.signal,
      headers: Object.entries(all).filter((entry): entry is [string, string] => entry[1] !== undefined),
      body: typeof message === 'string' ? message : JSON.stringify(message),
    })
    const asked = typeof message === 'string' ? undefined : message.method
    return new Stream(response, abort, (one) => {
      expect(wireFault(VERSION, one, one.method === undefined ? asked : undefined)).toBeUndefined()
    })
  }
}

/** The headers that a message of the modern era comes with. */
export function headersOf({ method = '', params }: Wire): Record<string, string> {
  const name: unknown = /^tasks\//.test(method)
    ? params?.taskId
    : method === 'resources/read'
      ? params?.uri
      : params?.name
  const isNamed = /^(?:tools\/call|prompts\/get|resources\/read|tasks\/(?:get|update|cancel))$/.test(method)
  return {
    'mcp-protocol-version': VERSION,
    'mcp-method': method,
    ...(isNamed && typeof name === 'string' && { 'mcp-name': name }),
  }
}

/** The form of a header for what is not plain ASCII. */
export const base64 = (text: string | Uint8Array): string => `=?base64?${Buffer.from(text).toString('base64')}?=`
