/**
 * The WebSocket endpoint: takes Node's upgrade requests, refuses what breaks the rules with a status and a reason, asks the
 * acceptor about the rest, and makes connections of those that are let in. It owns no server and no port.
 *
 * Order of the checks: shutdown, host, origin, path, subprotocol, number of connections, then whoever listens.
 *
 * Source: RFC 6455, 4.2 (the server's part of the handshake).
 */
import { type IncomingMessage, STATUS_CODES } from 'node:http'
import type { Duplex } from 'node:stream'
import { WebSocketServer } from 'ws'
import type { Clock } from '#runtime/clock'
import { type HttpGuard, quote } from './http-guard.ts'
import { certificateOf, credentialsOf, pathOf, peerOf, urlOfRequest } from './http-request.ts'
import { HttpStreams } from './http-streams.ts'
import { ConnectionCount } from './network.ts'
import { type Acceptor, type Applicant, apply } from './port.ts'
import { encodeRefusal, INVALID_REQUEST } from './refusal.ts'
import { CLOSE_GOING_AWAY, WebSocketConnection, type WebSocketShared } from './ws-connection.ts'
import type { WebSocketEndpointSettings } from './ws-options.ts'

/** The one subprotocol. */
const SUBPROTOCOL = 'mcp'

export interface WebSocketDoorOptions {
  readonly settings: WebSocketEndpointSettings
  readonly guard: HttpGuard
  readonly acceptor: Acceptor
  readonly clock: Clock
  readonly closeGraceMs: number
}

export class WebSocketDoor implements WebSocketShared {
  readonly settings: WebSocketEndpointSettings
  readonly clock: Clock
  readonly closeGraceMs: number
  readonly #guard: HttpGuard
  readonly #acceptor: Acceptor
  readonly #server: WebSocketServer
  readonly #count: ConnectionCount
  readonly #quiet: HttpStreams
  readonly #connections = new Set<WebSocketConnection>()
  /** Those that somebody decides about. */
  readonly #applying = new Set<Duplex>()
  /** Headers for the answer to a request that is let in. */
  readonly #headers = new WeakMap<IncomingMessage, string[]>()
  #isStopping = false

  constructor({ settings, guard, acceptor, clock, closeGraceMs }: WebSocketDoorOptions) {
    this.settings = settings
    this.clock = clock
    this.closeGraceMs = closeGraceMs
    this.#guard = guard
    this.#acceptor = acceptor
    this.#count = new ConnectionCount(settings)
    const { heartbeatMs, idleTimeoutMs } = settings
    this.#quiet = new HttpStreams(clock, idleTimeoutMs > 0 ? Math.min(heartbeatMs, idleTimeoutMs) / 2 : heartbeatMs / 2)
    this.#server = new WebSocketServer({
      noServer: true,
      clientTracking: false,
      maxPayload: settings.maxMessageBytes,
      handleProtocols: () => SUBPROTOCOL,
      perMessageDeflate: settings.compressFromBytes !== undefined && {
        threshold: settings.compressFromBytes,
        concurrencyLimit: 4,
      },
    })
    this.#server.on('headers', (headers, request) => headers.push(...(this.#headers.get(request) ?? [])))
  }

  get size(): number {
    return this.#count.size
  }

  forget(connection: WebSocketConnection): void {
    this.#connections.delete(connection)
    this.#quiet.delete(connection)
  }

  /** Answers one upgrade request. Does not throw. */
  readonly handle = (request: IncomingMessage, socket: Duplex, head: Buffer): void => {
    // Until `ws` has it, nobody else would take the error of a client that goes away.
    socket.on('error', ignore)
    const { headers } = request
    const foreign = this.#guard.refusalOf(headers)
    const protocols = headers['sec-websocket-protocol']
    if (headers.upgrade?.toLowerCase() !== 'websocket') {
      refuse(socket, 400, `The only upgrade here is to "websocket", got ${quote(headers.upgrade)}.`)
    } else if (this.#isStopping)
      refuse(socket, 503, 'The server is shutting down. Try again later.', ['Retry-After: 5'])
    else if (foreign !== undefined) refuse(socket, 403, foreign)
    else if (pathOf(request.url ?? '') !== this.settings.path) {
      refuse(
        socket,
        404,
        `No WebSocket is served at ${quote(pathOf(request.url ?? ''))}. It is at ${this.settings.path}.`,
      )
    } else if (protocols !== undefined && !offersSubprotocol(protocols)) {
      refuse(
        socket,
        400,
        `The subprotocol here is "${SUBPROTOCOL}", offered were ${quote(protocols)}. Offer it, or none.`,
      )
    } else this.#consider(request, socket, head)
  }

  stopAccepting(): void {
    this.#isStopping = true
    for (const socket of this.#applying) refuse(socket, 503, 'The server is shutting down. Try again later.')
  }

  /** Closes every connection with 1001, and cuts those whose peers do not answer in time. */
  close(): void {
    this.stopAccepting()
    for (const connection of [...this.#connections]) connection.close(CLOSE_GOING_AWAY, 'The server is shutting down.')
    this.#quiet.endAll()
  }

  #consider(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const address = request.socket.remoteAddress ?? ''
    const fullness = this.#count.take(address)
    if (fullness !== undefined) return refuse(socket, fullness.status, fullness.sentence, ['Retry-After: 5'])
    socket.once('close', () => {
      this.#count.release(address)
      this.#applying.delete(socket)
    })
    this.#applying.add(socket)
    const answerHeaders: string[] = []
    const applicant: Applicant = {
      method: 'GET',
      url: urlOfRequest(request),
      credentials: credentialsOf(request),
      peer: peerOf('ws', request.socket.remoteAddress),
      clientCertificate: certificateOf(request.socket),
      isLasting: true,
      setHeader: (name, value) => void answerHeaders.push(`${name}: ${value}`),
      refuse: (status, json) => {
        this.#applying.delete(socket)
        respond(socket, status, json, answerHeaders)
      },
      admit: (_owner, open) => {
        if (!this.#applying.delete(socket) || this.#isStopping) return
        this.#headers.set(request, answerHeaders)
        socket.off('error', ignore)
        this.#server.handleUpgrade(request, socket, head, (ws) => {
          const connection = new WebSocketConnection(ws, socket, this)
          this.#connections.add(connection)
          this.#quiet.add(connection)
          connection.attach(open(connection))
        })
      },
    }
    apply(this.#acceptor, applicant)
  }
}

const ignore = (): void => undefined

function offersSubprotocol(offered: string): boolean {
  return offered.split(',').some((one) => one.trim() === SUBPROTOCOL)
}

function refuse(socket: Duplex, status: number, sentence: string, headers: readonly string[] = []): void {
  respond(socket, status, encodeRefusal(INVALID_REQUEST, sentence), headers)
}

/** Answers an upgrade request without the upgrade, and closes. */
function respond(socket: Duplex, status: number, json: string, headers: readonly string[]): void {
  if (socket.destroyed || socket.writableEnded) return
  const lines = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}`,
    'Connection: close',
    'Content-Type: application/json',
    `Content-Length: ${Buffer.byteLength(json)}`,
    ...headers,
  ]
  socket.once('finish', () => socket.destroy())
  socket.end(`${lines.join('\r\n')}\r\n\r\n${json}`)
}
