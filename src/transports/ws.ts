/**
 * The WebSocket transport on a port of its own: an HTTP server that answers nothing but upgrades. To share the port of HTTP use
 * the option `webSocket` of that transport.
 *
 * Each text message is one JSON-RPC message; the subprotocol is `mcp`, or none. Protection against DNS rebinding is that of
 * HTTP. Who may connect is decided on the upgrade request, where a token or a certificate is looked at.
 *
 * ```ts
 * const listening = await webSocketTransport({ port: 0 }).listen(acceptor)
 * console.log(listening.url)          // ws://127.0.0.1:49152/mcp
 * ```
 *
 * Source: RFC 6455.
 */
import { createServer, type RequestListener, type Server, type ServerResponse } from 'node:http'
import { createServer as createSecureServer } from 'node:https'
import type { Socket } from 'node:net'
import { HttpGuard } from './http-guard.ts'
import { listenOn, originOf } from './network.ts'
import type { Acceptor, Listening, Transport } from './port.ts'
import { encodeRefusal, INVALID_REQUEST } from './refusal.ts'
import { WebSocketDoor } from './ws-door.ts'
import { type WebSocketSettings, type WebSocketTransportOptions, webSocketSettings } from './ws-options.ts'

export type { WebSocketEndpointOptions, WebSocketTransportOptions } from './ws-options.ts'

/** A listening WebSocket transport. */
export interface WebSocketListening extends Listening {
  readonly port: number
  readonly server: Server
  counts(): { readonly connections: number }
}

export interface WebSocketTransport extends Transport {
  listen(acceptor: Acceptor): Promise<WebSocketListening>
}

/** How often Node looks for requests that take too long, in milliseconds. */
const SLOW_REQUEST_CHECK_MS = 5_000

/** A transport over WebSocket. Throws `TransportError` `invalid_option`; `listen` rejects with the other codes. */
export function webSocketTransport(options: WebSocketTransportOptions = {}): WebSocketTransport {
  let settings = webSocketSettings(options)
  return {
    name: 'ws',
    listen: async (acceptor) => {
      const { clock, closeGraceMs, otherPaths } = settings
      const guard = new HttpGuard(settings)
      const door = new WebSocketDoor({ settings, guard, acceptor, clock, closeGraceMs })
      const server = serverOf(settings, (request, response) => {
        const foreign = guard.refusalOf(request.headers)
        if (foreign !== undefined || !otherPaths(request, response)) refusePlain(response, foreign)
      })
      const sockets = new Set<Socket>()
      server.on('connection', (socket: Socket) => {
        sockets.add(socket)
        socket.once('close', () => sockets.delete(socket))
      })
      server.on('upgrade', door.handle)
      const port = await listenOn(server, 'ws', settings, acceptor.doorway)
      // A listener that is restarted is found where it was, also when any free port was asked for.
      settings = { ...settings, port }
      return listeningOn(server, port, settings, door, sockets)
    },
  }
}

function listeningOn(
  server: Server,
  port: number,
  settings: WebSocketSettings,
  door: WebSocketDoor,
  sockets: ReadonlySet<Socket>,
): WebSocketListening {
  const { clock, closeGraceMs, host, path, tls } = settings
  let closed: Promise<void> | undefined
  const stopAccepting = (): void => {
    door.stopAccepting()
    closed ??= new Promise((resolve) => server.close(() => resolve()))
  }
  return {
    url: `${originOf(tls === undefined ? 'ws' : 'wss', host, port)}${path}`,
    port,
    server,
    counts: () => ({ connections: door.size }),
    stopAccepting,
    close: async () => {
      stopAccepting()
      door.close()
      const timer = clock.setTimer(() => {
        for (const socket of sockets) socket.destroy()
      }, closeGraceMs)
      await closed
      clock.clearTimer(timer)
    },
  }
}

function serverOf({ tls, headersTimeoutMs }: WebSocketSettings, listener: RequestListener): Server {
  const options = {
    headersTimeout: headersTimeoutMs,
    requestTimeout: headersTimeoutMs,
    connectionsCheckingInterval: SLOW_REQUEST_CHECK_MS,
    // Only TLS has one; it is as much of a beginning as headers are.
    handshakeTimeout: headersTimeoutMs,
    noDelay: true,
  }
  return tls === undefined ? createServer(options, listener) : createSecureServer({ ...options, ...tls }, listener)
}

/** Answers what is no upgrade. Spec: RFC 9110, 15.5.22. */
function refusePlain(response: ServerResponse, foreign: string | undefined): void {
  const json = encodeRefusal(INVALID_REQUEST, foreign ?? 'Only WebSocket is served here. Ask for an upgrade.')
  response.writeHead(foreign === undefined ? 426 : 403, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(json),
    ...(foreign === undefined && { upgrade: 'websocket' }),
    connection: foreign === undefined ? 'upgrade, close' : 'close',
  })
  response.end(json)
}
