/** Servers written by hand for the transports that are connections: what they get and what they say is up to the test. */
import { once } from 'node:events'
import { createServer as createHttpServer, type IncomingMessage } from 'node:http'
import { createServer as createHttpsServer } from 'node:https'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { createServer as createTlsServer } from 'node:tls'
import { onTestFinished } from 'vitest'
import { type ServerOptions, type WebSocket, WebSocketServer } from 'ws'
import type { ClientTransport } from '#transports/client-port'
import { tcpClientTransport } from '#transports/client-tcp'
import { wsClientTransport } from '#transports/client-ws'
import { Authority } from '../server/certificates.ts'
import { eventually } from './http-harness.ts'

/** One connection, seen from the server. */
export interface FakePeer {
  readonly received: string[]
  readonly socket: Socket
  /** Whether the client has gone. */
  readonly isGone: boolean
  send(text: string): void
  /** Closes in order. */
  end(): void
}

/** The options that both transports have. */
export interface SharedOptions {
  readonly tls?: { readonly ca?: string; readonly cert?: string; readonly key?: string }
  readonly maxMessageBytes?: number
  readonly maxBufferedBytes?: number
  readonly connectTimeoutMs?: number
  readonly closeTimeoutMs?: number
}

export interface Fake {
  readonly port: number
  readonly peers: readonly FakePeer[]
  /** Waits for the first connection. */
  peer(): Promise<FakePeer>
  /** A transport that trusts it. */
  transport(options?: SharedOptions): ClientTransport
}

export type Kind = 'ws' | 'wss' | 'tcp' | 'tls'
export const kinds: readonly Kind[] = ['ws', 'wss', 'tcp', 'tls']

export const authority = new Authority('tests')
const own = authority.issue('server')
export const secured = { key: own.key, cert: own.cert, ca: authority.cert }

/** Listens on a free port until the test ends, and resolves to the port. */
export async function listening(server: Server): Promise<number> {
  const sockets = new Set<Socket>()
  server.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    socket.once('close', () => sockets.delete(socket))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(async () => {
    const closed = new Promise((resolve) => server.close(resolve))
    for (const socket of sockets) socket.destroy()
    await closed
  })
  return (server.address() as AddressInfo).port
}

/** A server of that kind that does nothing by itself. `asksForCertificate`: only clients with one get in. */
export async function fake(kind: Kind, asksForCertificate = false): Promise<Fake> {
  const tls = { ...secured, requestCert: asksForCertificate, rejectUnauthorized: asksForCertificate }
  const peers: FakePeer[] = []
  const peer = async (): Promise<FakePeer> => {
    await eventually(() => peers.length > 0)
    return peers[0]!
  }
  if (kind === 'ws' || kind === 'wss') {
    const server = kind === 'wss' ? createHttpsServer(tls) : createHttpServer()
    server.on('tlsClientError', () => {})
    const sockets = new WebSocketServer({ server, handleProtocols: () => 'mcp' })
    sockets.on('connection', (webSocket, request) => peers.push(new WsPeer(webSocket, request.socket)))
    const port = await listening(server)
    return { port, peers, peer, transport: (options) => transportTo(kind, port, options) }
  }
  const accept = (socket: Socket): void => void peers.push(new TcpPeer(socket))
  const server = kind === 'tls' ? createTlsServer(tls, accept) : createServer(accept)
  server.on('tlsClientError', () => {})
  const port = await listening(server)
  return { port, peers, peer, transport: (options) => transportTo(kind, port, options) }
}

/** A transport of that kind, which under TLS trusts the authority of the tests. */
export function transportTo(kind: Kind, port: number, options: SharedOptions = {}): ClientTransport {
  const trust = kind === 'wss' || kind === 'tls' ? { tls: { ca: authority.cert } } : {}
  return kind === 'ws' || kind === 'wss'
    ? wsClientTransport({ url: `${kind}://127.0.0.1:${port}/mcp`, ...trust, ...options })
    : tcpClientTransport({ host: '127.0.0.1', port, ...trust, ...options })
}

export class WsPeer implements FakePeer {
  readonly received: string[] = []
  readonly webSocket: WebSocket
  readonly socket: Socket
  /** The code with which it ended. */
  code: number | undefined

  constructor(webSocket: WebSocket, socket: Socket) {
    this.webSocket = webSocket
    this.socket = socket
    webSocket.on('message', (data) => this.received.push(String(data)))
    webSocket.on('error', () => {})
    webSocket.on('close', (code) => {
      this.code = code
    })
  }

  get isGone(): boolean {
    return this.code !== undefined
  }

  send(text: string): void {
    this.webSocket.send(text)
  }

  end(): void {
    this.webSocket.close()
  }
}

class TcpPeer implements FakePeer {
  readonly received: string[] = []
  readonly socket: Socket
  isGone = false

  constructor(socket: Socket) {
    this.socket = socket
    let rest = ''
    socket.setEncoding('utf8')
    socket.on('data', (chunk: string) => {
      const lines = (rest + chunk).split('\n')
      rest = lines.pop() ?? ''
      this.received.push(...lines)
    })
    socket.on('error', () => {})
    socket.on('close', () => {
      this.isGone = true
    })
  }

  send(text: string): void {
    this.socket.write(`${text}\n`)
  }

  end(): void {
    this.socket.end()
  }
}

/** A WebSocket server with options of its own, and the requests that came. `refuse` may answer one itself. */
export async function wsServer(
  options: ServerOptions = {},
  refuse: (request: IncomingMessage, socket: Socket) => boolean = () => false,
): Promise<{ readonly url: string; readonly peers: readonly WsPeer[]; readonly requests: readonly IncomingMessage[] }> {
  const peers: WsPeer[] = []
  const requests: IncomingMessage[] = []
  const server = createHttpServer()
  const sockets = new WebSocketServer({ noServer: true, handleProtocols: () => 'mcp', ...options })
  server.on('upgrade', (request, socket: Socket, head) => {
    requests.push(request)
    if (refuse(request, socket)) return
    sockets.handleUpgrade(request, socket, head, (webSocket) => peers.push(new WsPeer(webSocket, socket)))
  })
  const port = await listening(server)
  return { url: `ws://127.0.0.1:${port}/mcp`, peers, requests }
}
