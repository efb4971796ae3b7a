/**
 * The Streamable HTTP transport: a node:http server with one MCP endpoint.
 *
 * It owns the listening socket and its connections. The endpoint (http-endpoint.ts) refuses what breaks the
 * transport's rules and hands every other request to the acceptor as one `Exchange`; who answers, and when, is none of
 * its business. Protection against DNS rebinding is on unless names are added by hand.
 *
 * ```ts
 * const listening = await httpTransport({ port: 0 }).listen(acceptor)
 * console.log(listening.url)          // http://127.0.0.1:49152/mcp
 * await listening.close()
 * ```
 *
 * Spec: MCP 2025-11-25, basic/transports, Streamable HTTP.
 */
import { createServer, type Server } from 'node:http'
import { createServer as createSecureServer } from 'node:https'
import { HttpEndpoint } from './http-endpoint.ts'
import { type HttpSettings, type HttpTransportOptions, httpSettings } from './http-options.ts'
import { listenOn, originOf } from './network.ts'
import type { Acceptor, Listening, Transport } from './port.ts'
import type { WebSocketDoor } from './ws-door.ts'
import type { WebSocketEndpointSettings } from './ws-options.ts'

export type { HttpTransportOptions, TlsOptions } from './http-options.ts'

/** How often Node looks for requests that take too long, in milliseconds; a late one lives this much longer at most. */
const SLOW_REQUEST_CHECK_MS = 5_000

/** A listening HTTP transport: what the port asks for, the server for upgrades, and counts for metrics and tests. */
export interface HttpListening extends Listening {
  readonly port: number
  readonly server: Server
  /** What is held now: open connections of HTTP, open SSE streams, open WebSockets, bytes of unfinished bodies. */
  counts(): {
    readonly connections: number
    readonly streams: number
    /** Absent where none are served. */
    readonly webSockets?: number
    readonly bufferedBodyBytes: number
  }
}

export interface HttpTransport extends Transport {
  listen(acceptor: Acceptor): Promise<HttpListening>
}

/** A transport over HTTP. Throws `TransportError` `invalid_option`; `listen` rejects with the other codes. */
export function httpTransport(options: HttpTransportOptions = {}): HttpTransport {
  let settings = httpSettings(options)
  return {
    name: 'http',
    listen: async (acceptor) => {
      const endpoint = new HttpEndpoint(settings, acceptor)
      const server = createHttpServer(settings, endpoint)
      const door = settings.webSocket && (await openWebSocketDoor(settings.webSocket, settings, endpoint, acceptor))
      if (door !== undefined) server.on('upgrade', upgradeTo(door, endpoint))
      const port = await listenOn(server, 'http', settings, acceptor.doorway)
      // A listener that is restarted is found where it was, also when any free port was asked for.
      settings = { ...settings, port }
      return listeningOn(server, port, settings, endpoint, door)
    },
  }
}

/** A server that gives its requests to `endpoint`, not yet listening. */
export function createHttpServer(
  settings: Pick<HttpSettings, 'headersTimeoutMs' | 'requestTimeoutMs' | 'idleTimeoutMs' | 'tls'>,
  endpoint: Pick<HttpEndpoint, 'handle' | 'connections'>,
): Server {
  const options = {
    headersTimeout: settings.headersTimeoutMs,
    requestTimeout: Math.max(settings.requestTimeoutMs, settings.headersTimeoutMs),
    keepAliveTimeout: settings.idleTimeoutMs,
    connectionsCheckingInterval: SLOW_REQUEST_CHECK_MS,
    // Only TLS has one; it is as much of a beginning as headers are.
    handshakeTimeout: settings.headersTimeoutMs,
    noDelay: true,
  }
  const { tls } = settings
  const server =
    tls === undefined
      ? createServer(options, endpoint.handle)
      : createSecureServer({ ...options, ...tls }, endpoint.handle)
  server.on(tls === undefined ? 'connection' : 'secureConnection', (socket) => endpoint.connections.opened(socket))
  if (tls !== undefined) server.on('connection', (socket) => endpoint.connections.accepted(socket))
  // Node's version cuts off answers that have not left yet; `close` calls this one.
  server.closeIdleConnections = () => endpoint.connections.closeIdle()
  return server
}

/** The WebSocket endpoint on this port; only who wants one loads the package `ws`. */
async function openWebSocketDoor(
  settings: WebSocketEndpointSettings,
  { clock, closeGraceMs }: HttpSettings,
  { guard }: HttpEndpoint,
  acceptor: Acceptor,
): Promise<WebSocketDoor> {
  const { WebSocketDoor } = await import('./ws-door.ts')
  return new WebSocketDoor({ settings, guard, acceptor, clock, closeGraceMs })
}

function upgradeTo(door: WebSocketDoor, endpoint: HttpEndpoint): WebSocketDoor['handle'] {
  return (request, socket, head) => {
    // It is the door's from now on, also where it is refused.
    endpoint.connections.left(request.socket)
    door.handle(request, socket, head)
  }
}

function listeningOn(
  server: Server,
  port: number,
  settings: HttpSettings,
  endpoint: HttpEndpoint,
  door: WebSocketDoor | undefined,
): HttpListening {
  const { clock, host, path, tls, sse, webSocket } = settings
  const origin = originOf(tls === undefined ? 'http' : 'https', host, port)
  let closed: Promise<void> | undefined
  const stopAccepting = () => {
    // Each request on a connection that is still open is answered, and the connection closed behind the answer.
    endpoint.isStopping = true
    endpoint.sse?.stopAccepting()
    door?.stopAccepting()
    closed ??= new Promise((resolve) => server.close(() => resolve()))
  }
  return {
    url: `${origin}${path}`,
    otherUrls: [
      ...(webSocket === undefined ? [] : [`${origin.replace('http', 'ws')}${webSocket.path}`]),
      ...(sse === undefined ? [] : [`${origin}${sse.path}`]),
    ],
    port,
    server,
    bytes: () => endpoint.connections.bytes(),
    counts: () => ({
      connections: endpoint.connections.size,
      streams: endpoint.streams.size + (endpoint.sse?.size ?? 0),
      ...(door !== undefined && { webSockets: door.size }),
      bufferedBodyBytes: endpoint.bufferedBodyBytes + (endpoint.sse?.bufferedBodyBytes ?? 0),
    }),
    stopAccepting,
    close: async () => {
      stopAccepting()
      endpoint.streams.endAll()
      endpoint.sse?.close()
      door?.close()
      endpoint.connections.closeIdle()
      endpoint.connections.destroyOwing()
      const timer = clock.setTimer(() => {
        server.closeAllConnections()
        endpoint.connections.destroyAccepted()
      }, settings.closeGraceMs)
      await closed
      clock.clearTimer(timer)
    },
  }
}
