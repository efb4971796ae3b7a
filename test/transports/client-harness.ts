/** What the tests of the client's transports share: a receiver that remembers, servers written by hand, messages. */
import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { type AddressInfo, createServer as createTcpServer, type Socket } from 'node:net'
import { onTestFinished } from 'vitest'
import type { LinkFailure, LinkReceiver, Outgoing } from '#transports/client-port'
import { eventually } from './http-harness.ts'

export interface Told {
  readonly ids: readonly (string | number)[]
  readonly failure: LinkFailure
}

/** Remembers all that a link tells. */
export class Remembering implements LinkReceiver {
  readonly messages: string[] = []
  readonly failures: Told[] = []
  readonly ends: LinkFailure[] = []

  message(text: string): void {
    this.messages.push(text)
  }

  failed(ids: readonly (string | number)[], failure: LinkFailure): void {
    this.failures.push({ ids, failure })
  }

  closed(failure: LinkFailure): void {
    this.ends.push(failure)
  }

  /** The ids of the answers that came, in order. */
  get answered(): unknown[] {
    return this.messages
      .map((text) => JSON.parse(text))
      .filter((message) => !('method' in message))
      .map((message) => message.id)
  }

  async messageCount(count: number): Promise<void> {
    await eventually(() => this.messages.length >= count)
  }

  async failure(): Promise<Told> {
    await eventually(() => this.failures.length > 0)
    return this.failures[0]!
  }

  async end(): Promise<LinkFailure> {
    await eventually(() => this.ends.length > 0)
    return this.ends[0]!
  }
}

export function request(id: number | string, method = 'tools/list', headers: Record<string, string> = {}): Outgoing {
  return { text: JSON.stringify({ jsonrpc: '2.0', id, method }), kind: 'request', ids: [id], headers }
}

export function notification(method = 'notifications/initialized'): Outgoing {
  return { text: JSON.stringify({ jsonrpc: '2.0', method }), kind: 'notification', ids: [], headers: {} }
}

export const result = (id: number | string, value: object = {}): string =>
  JSON.stringify({ jsonrpc: '2.0', id, result: value })

/** One request to a server written by hand. */
export interface Asked {
  readonly method: string
  readonly path: string
  readonly headers: IncomingMessage['headers']
  readonly body: string
  /** The id of the JSON-RPC message in the body. */
  readonly id: number | string
  readonly response: ServerResponse
}

/** A server whose answers are written by the test. It is gone, with its connections, when the test ends. */
export class HandServer {
  readonly asked: Asked[] = []
  readonly sockets = new Set<Socket>()
  readonly server: Server
  url = ''

  private constructor(answer: (asked: Asked) => void) {
    this.server = createServer(async (incoming, response) => {
      let body = ''
      incoming.setEncoding('utf8')
      incoming.on('error', () => {})
      response.on('error', () => {})
      try {
        for await (const text of incoming) body += text
      } catch {
        return
      }
      const { method = '', url: path = '', headers } = incoming
      const asked: Asked = { method, path, headers, body, id: body === '' ? 0 : JSON.parse(body).id, response }
      this.asked.push(asked)
      answer(asked)
    })
    this.server.on('connection', (socket) => {
      this.sockets.add(socket)
      socket.on('close', () => this.sockets.delete(socket))
    })
  }

  static async start(answer: (asked: Asked) => void, path = '/mcp'): Promise<HandServer> {
    const hand = new HandServer(answer)
    hand.server.listen(0, '127.0.0.1')
    await once(hand.server, 'listening')
    hand.url = `http://127.0.0.1:${(hand.server.address() as AddressInfo).port}${path}`
    onTestFinished(() => hand.stop())
    return hand
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections()
    await new Promise((resolve) => this.server.close(resolve))
  }

  async askedCount(count: number): Promise<void> {
    await eventually(() => this.asked.length >= count)
  }

  async noSockets(): Promise<void> {
    await eventually(() => this.sockets.size === 0)
  }
}

export function json(asked: Asked, text: string, status = 200, headers: Record<string, string> = {}): void {
  asked.response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(text)
}

export function stream(asked: Asked, text = '', headers: Record<string, string> = {}): ServerResponse {
  asked.response.writeHead(200, { 'content-type': 'text/event-stream', ...headers })
  asked.response.write(text === '' ? ':\n\n' : text)
  return asked.response
}

/** Answers `initialize` with a session, notifications with 202 and DELETE with 200; other requests go to `answer`. */
export function withSession(
  answer: (asked: Asked) => void,
  sessionId = 'session-1',
  initialized: object = {},
): (asked: Asked) => void {
  return (asked) => {
    if (asked.method === 'DELETE') asked.response.writeHead(200).end()
    else if (asked.body.includes('"initialize"'))
      json(asked, result(asked.id, initialized), 200, { 'mcp-session-id': sessionId })
    else if (asked.method === 'POST' && asked.id === undefined) asked.response.writeHead(202).end()
    else answer(asked)
  }
}

/** A server that speaks bytes: `talk` gets each connection and what came on it so far. */
export async function rawServer(talk: (socket: Socket, received: string) => void): Promise<string> {
  const sockets = new Set<Socket>()
  const server = createTcpServer((socket) => {
    let received = ''
    sockets.add(socket)
    socket.on('error', () => {})
    socket.on('close', () => sockets.delete(socket))
    socket.on('data', (chunk) => {
      received += chunk
      talk(socket, received)
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(async () => {
    for (const socket of sockets) socket.destroy()
    await new Promise((resolve) => server.close(resolve))
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`
}
