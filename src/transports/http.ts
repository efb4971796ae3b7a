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
import type { AddressInfo } from 'node:net'
import { HttpEndpoint } from './http-endpoint.ts'
import { type HttpSettings, type HttpTransportOptions, httpSettings } from './http-options.ts'
import type { Acceptor, Listening, Transport } from './port.ts'
import { TransportError } from './port.ts'

export type { HttpTransportOptions, TlsOptions } from './http-options.ts'

/** How often Node looks for requests that take too long, in milliseconds; a late one lives this much longer at most. */
const SLOW_REQUEST_CHECK_MS = 5_000

/** A listening HTTP transport: what the port asks for, the server for upgrades, and counts for metrics and tests. */
export interface HttpListening extends Listening {
  readonly port: number
  readonly server: Server
  /** What is held now: open connections, open SSE streams, bytes of unfinished bodies. */
  counts(): { readonly connections: number; readonly streams: number; readonly bufferedBodyBytes: number }
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
      const listening = await listen(server, settings, endpoint)
      // A listener that is restarted is found where it was, also when any free port was asked for.
      settings = { ...settings, port: listening.port }
      return listening
    },
  }
}

/** A server that gives its requests to `endpoint`, not yet listening. */
export function createHttpServer(settings: HttpSettings, endpoint: HttpEndpoint): Server {
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

function listen(server: Server, settings: HttpSettings, endpoint: HttpEndpoint): Promise<HttpListening> {
  return new Promise((resolve, reject) => {
    const onError = (error: NodeJS.ErrnoException) => reject(listenError(error, settings))
    server.once('error', onError)
    server.listen({ host: settings.host, port: settings.port, backlog: settings.backlog }, () => {
      server.off('error', onError)
      // A connection that cannot be accepted (no file descriptor left) is an 'error' too; it concerns nobody else.
      server.on('error', () => {})
      resolve(listeningOn(server, settings, endpoint))
    })
  })
}

function listeningOn(server: Server, settings: HttpSettings, endpoint: HttpEndpoint): HttpListening {
  const { port } = server.address() as AddressInfo
  const { clock, host } = settings
  let closed: Promise<void> | undefined
  const stopAccepting = () => {
    // Each request on a connection that is still open is answered, and the connection closed behind the answer.
    endpoint.isStopping = true
    closed ??= new Promise((resolve) => server.close(() => resolve()))
  }
  return {
    url: `${settings.tls === undefined ? 'http' : 'https'}://${host.includes(':') && !host.startsWith('[') ? `[${host}]` : host}:${port}${settings.path}`,
    port,
    server,
    counts: () => ({
      connections: endpoint.connections.size,
      streams: endpoint.streams.size,
      bufferedBodyBytes: endpoint.bufferedBodyBytes,
    }),
    stopAccepting,
    close: async () => {
      stopAccepting()
      endpoint.streams.endAll()
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

const LISTEN_ERRORS: Readonly<Record<string, readonly [code: string, advice: string]>> = {
  EADDRINUSE: ['address_in_use', 'Another program listens there. Stop it or choose another port.'],
  EACCES: ['permission_denied', 'This user may not take that port. Choose one above 1023.'],
  EADDRNOTAVAIL: ['address_unavailable', 'This machine has no such address. Choose one of its own, or 127.0.0.1.'],
  ENOTFOUND: ['address_unavailable', 'That name has no address. Choose an address of this machine, or 127.0.0.1.'],
}

function listenError(error: NodeJS.ErrnoException, settings: HttpSettings): TransportError {
  const [code, advice] = LISTEN_ERRORS[error.code ?? ''] ?? ['address_unavailable', error.message]
  return new TransportError(code, `http: cannot listen on ${settings.host} port ${settings.port}. ${advice}`, {
    cause: error,
  })
}
