/**
 * The legacy HTTP+SSE transport on a port of its own, for clients that speak revision 2024-11-05. To share the port of HTTP use
 * the option `sse` of that transport.
 *
 * ```ts
 * const listening = await sseTransport({ port: 0 }).listen(acceptor)
 * console.log(listening.url)          // http://127.0.0.1:49152/sse
 * ```
 *
 * Spec: MCP 2024-11-05, basic/transports, HTTP with SSE.
 */
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import { createHttpServer } from './http.ts'
import { drainBody } from './http-body.ts'
import { HttpConnections } from './http-connections.ts'
import { HttpGuard, quote } from './http-guard.ts'
import { pathOf } from './http-request.ts'
import { listenOn, originOf } from './network.ts'
import type { Acceptor, Listening, Transport } from './port.ts'
import { encodeRefusal, INVALID_REQUEST } from './refusal.ts'
import { SseDoor } from './sse-door.ts'
import { type SseSettings, type SseTransportOptions, sseSettings } from './sse-options.ts'

export type { SseEndpointOptions, SseTransportOptions } from './sse-options.ts'

/** A listening HTTP+SSE transport. */
export interface SseListening extends Listening {
  readonly port: number
  readonly server: Server
  counts(): { readonly connections: number; readonly streams: number; readonly bufferedBodyBytes: number }
}

export interface SseTransport extends Transport {
  listen(acceptor: Acceptor): Promise<SseListening>
}

/** How long an idle connection is kept for the next post; longer than common proxies keep theirs. */
const IDLE_CONNECTION_MS = 65_000

/** A transport over HTTP+SSE. Throws `TransportError` `invalid_option`; `listen` rejects with the other codes. */
export function sseTransport(options: SseTransportOptions = {}): SseTransport {
  let settings = sseSettings(options)
  return {
    name: 'sse',
    listen: async (acceptor) => {
      const { clock, random } = settings
      const connections = new HttpConnections()
      const guard = new HttpGuard(settings)
      const door = new SseDoor({ settings, guard, acceptor, clock, random, connections })
      const handle = (request: IncomingMessage, response: ServerResponse): void => {
        connections.owes(request.socket)
        const foreign = guard.refusalOf(request.headers)
        if (foreign === undefined && door.handle(request, response)) return
        if (foreign === undefined && settings.otherPaths(request, response)) {
          return void response.once('close', () => connections.paid(request.socket))
        }
        const missing = `Nothing is served at ${quote(pathOf(request.url ?? ''))}. Open a stream at ${settings.path}.`
        const json = encodeRefusal(INVALID_REQUEST, foreign ?? missing)
        connections.paid(request.socket)
        response.writeHead(foreign === undefined ? 404 : 403, { 'content-type': 'application/json' })
        response.end(json)
        drainBody(request, settings.maxMessageBytes)
      }
      const server = createHttpServer({ ...settings, idleTimeoutMs: IDLE_CONNECTION_MS }, { handle, connections })
      const port = await listenOn(server, 'sse', settings, acceptor.doorway)
      // A listener that is restarted is found where it was, also when any free port was asked for.
      settings = { ...settings, port }
      return listeningOn(server, port, settings, door)
    },
  }
}

function listeningOn(server: Server, port: number, settings: SseSettings, door: SseDoor): SseListening {
  const { clock, closeGraceMs, host, path, tls } = settings
  const { connections } = door
  let closed: Promise<void> | undefined
  const stopAccepting = (): void => {
    door.stopAccepting()
    closed ??= new Promise((resolve) => server.close(() => resolve()))
  }
  return {
    url: `${originOf(tls === undefined ? 'http' : 'https', host, port)}${path}`,
    port,
    server,
    counts: () => ({
      connections: connections.size,
      streams: door.size,
      bufferedBodyBytes: door.bufferedBodyBytes,
    }),
    stopAccepting,
    close: async () => {
      stopAccepting()
      door.close()
      connections.closeIdle()
      connections.destroyOwing()
      const timer = clock.setTimer(() => {
        server.closeAllConnections()
        connections.destroyAccepted()
      }, closeGraceMs)
      await closed
      clock.clearTimer(timer)
    },
  }
}
