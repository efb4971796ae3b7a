/**
 * A small HTTP server for the pages of outside.ts, on a port of their own: it is up before the rest of the server starts and until
 * the rest has ended, so that a probe hears 'not ready' instead of nothing.
 */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { answerOutside, type Outside, outsidePaths } from './outside.ts'

export interface OutsideAddress {
  /** Default '127.0.0.1'. */
  readonly host?: string
  /** 0 takes any free port. */
  readonly port: number
}

export interface OutsideListening {
  readonly port: number
  /** 'http://127.0.0.1:9464'. */
  readonly url: string
  /** Resolves when the port is free. */
  close(): Promise<void>
}

/** Connections that are open at once; one more is closed. */
export const OUTSIDE_CONNECTIONS_MAX = 64
/** Milliseconds for a request to come in whole, and that an idle connection is kept. */
const REQUEST_MS = 10_000
const IDLE_MS = 5_000
const HEADERS_BYTES_MAX = 16_384

const loopback = /^(?:127(?:\.\d{1,3}){3}|localhost|::1)$/

/** Listens. Rejects with an `Error` that says what to do when it cannot. */
export function listenOutside(
  outside: Outside,
  { host = '127.0.0.1', port }: OutsideAddress,
): Promise<OutsideListening> {
  const isLocal = loopback.test(host)
  const limits = { requestTimeout: REQUEST_MS, headersTimeout: REQUEST_MS, keepAliveTimeout: IDLE_MS }
  const server = createServer({ ...limits, maxHeaderSize: HEADERS_BYTES_MAX }, (request, response) => {
    // A page in a browser can make a name of its own lead to this machine; only who names this machine is answered.
    if (isLocal && !loopback.test(nameOf(request.headers.host))) {
      response.writeHead(403, { 'content-type': 'text/plain' })
      response.end('This port answers to loopback names alone. Set observe.host to serve others.\n')
    } else if (!answerOutside(outside, outsidePaths, request, response)) {
      response.writeHead(404, { 'content-type': 'text/plain' })
      response.end(`Nothing is served there. There are ${outsidePaths.join(', ')}.\n`)
    }
    request.resume()
  })
  server.maxConnections = OUTSIDE_CONNECTIONS_MAX
  return new Promise((resolve, reject) => {
    const refused = (error: NodeJS.ErrnoException): void => {
      const why = error.code === 'EADDRINUSE' ? 'another program listens there' : error.message
      reject(new Error(`observe: cannot listen on ${host} port ${port}: ${why}. Choose another.`, { cause: error }))
    }
    server.once('error', refused)
    server.listen({ host, port }, () => {
      server.off('error', refused)
      // A connection that cannot be accepted concerns nobody else.
      server.on('error', () => {})
      const bound = (server.address() as AddressInfo).port
      resolve({
        port: bound,
        url: `http://${host.includes(':') ? `[${host}]` : host}:${bound}`,
        close: () =>
          new Promise((closed) => {
            server.close(() => closed())
            server.closeAllConnections()
          }),
      })
    })
  })
}

/** The host of a Host header without its port and brackets. */
function nameOf(host: string | undefined): string {
  return (host ?? '')
    .replace(/:\d+$/, '')
    .replace(/^\[|\]$/g, '')
    .toLowerCase()
}
