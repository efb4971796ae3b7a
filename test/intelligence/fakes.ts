/** Vendors on loopback: an HTTP server that answers with scripted streams, and a `fetch` that does so without any socket. */
import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import {
  anthropicProvider,
  openaiCompatible,
  openaiProvider,
  type ProviderOptions,
  type SamplingProvider,
} from '../../src/intelligence.ts'
import { anthropicStream, chatStream, responsesStream, type Script } from './scripts.ts'

export interface Asked {
  readonly url: string
  readonly headers: IncomingHttpHeaders
  readonly body: Record<string, unknown>
}

/** Answers one request. */
export type Answer = (response: ServerResponse, asked: Asked) => void | Promise<void>

export interface Fake {
  readonly url: string
  readonly asked: Asked[]
  /** How the next requests are answered; the last one goes on for all that follow. */
  answers: Answer[]
  readonly sockets: ReadonlySet<Socket>
  /** Resolves when so many connections are open. */
  settled(count: number): Promise<void>
  close(): Promise<void>
}

/** A stream of these events. `bytes` cuts it into pieces, each written by itself. */
export const streams =
  (events: readonly string[], bytes?: number): Answer =>
  async (response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8', 'request-id': 'req_1' })
    if (bytes === undefined) {
      for (const event of events) response.write(event)
    } else {
      const all = Buffer.from(events.join(''))
      for (let at = 0; at < all.length; at += bytes) {
        if (!response.write(all.subarray(at, at + bytes))) await once(response, 'drain')
        if (at % 16 === 0) await new Promise(setImmediate)
      }
    }
    response.end()
  }

/** A refusal with a JSON body. */
export const refuses =
  (status: number, body: unknown, headers: Record<string, string> = {}): Answer =>
  (response) => {
    response.writeHead(status, { 'content-type': 'application/json', ...headers })
    response.end(typeof body === 'string' ? body : JSON.stringify(body))
  }

export async function fakeVendor(...answers: Answer[]): Promise<Fake> {
  const sockets = new Set<Socket>()
  const asked: Asked[] = []
  const server = createServer(async (request, response) => {
    let text = ''
    request.setEncoding('utf8')
    for await (const piece of request) text += piece
    const one = { url: request.url ?? '', headers: request.headers, body: JSON.parse(text) }
    asked.push(one)
    const answer = fake.answers.length > 1 ? fake.answers.shift() : fake.answers[0]
    await answer?.(response, one)
  })
  let changed: () => void = () => undefined
  server.on('connection', (socket) => {
    sockets.add(socket)
    changed()
    socket.on('close', () => {
      sockets.delete(socket)
      changed()
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const fake: Fake = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    answers,
    sockets,
    settled: async (count) => {
      while (sockets.size !== count) await new Promise<void>((resolve) => (changed = resolve))
    },
    close: async () => {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
  return fake
}

/** A `fetch` whose answers are streams of exactly these chunks. */
export function chunked(...chunks: readonly Uint8Array[]): NonNullable<ProviderOptions['fetch']> {
  return async () => {
    let at = 0
    const body = new ReadableStream<Uint8Array>({
      pull: (controller) => {
        const chunk = chunks[at++]
        if (chunk === undefined) controller.close()
        else controller.enqueue(chunk)
      },
    })
    return new Response(body, { headers: { 'content-type': 'text/event-stream' } })
  }
}

export interface Vendor {
  readonly name: string
  readonly stream: (script: Script) => string[]
  readonly make: (baseUrl: string, options?: ProviderOptions) => SamplingProvider
}

const withModel = (options: ProviderOptions): ProviderOptions =>
  options.models === undefined ? { model: 'model-1', ...options } : options

export const vendors: readonly Vendor[] = [
  {
    name: 'anthropic',
    stream: anthropicStream,
    make: (baseUrl, options = {}) => anthropicProvider({ apiKey: 'key-1', baseUrl, ...withModel(options) }),
  },
  {
    name: 'openai chat',
    stream: chatStream,
    make: (baseUrl, options = {}) =>
      openaiProvider({ apiKey: 'key-1', api: 'chat', baseUrl: `${baseUrl}/v1`, ...withModel(options) }),
  },
  {
    name: 'openai responses',
    stream: responsesStream,
    make: (baseUrl, options = {}) =>
      openaiProvider({ apiKey: 'key-1', baseUrl: `${baseUrl}/v1`, ...withModel(options) }),
  },
  {
    name: 'compatible',
    stream: chatStream,
    make: (baseUrl, options = {}) => openaiCompatible({ baseUrl: `${baseUrl}/v1`, ...withModel(options) }),
  },
]

/** The rows for `describe.each` and `it.each`. */
export const rows = vendors.map((vendor) => [vendor.name, vendor] as const)
