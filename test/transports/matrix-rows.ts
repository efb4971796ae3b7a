/** The rows of the transport matrix: every transport, plain and over TLS, alone and on the port of HTTP. */
import { PassThrough } from 'node:stream'
import { httpTransport } from '#transports/http'
import type { Listening, Transport } from '#transports/port'
import { sseTransport } from '#transports/sse'
import { stdioTransport } from '#transports/stdio'
import { tcpTransport } from '#transports/tcp'
import { webSocketTransport } from '#transports/ws'
import { Authority } from '../server/certificates.ts'
import { HttpPeer, type Peer, SsePeer, StdioPeer, type Target, TcpPeer, WsPeer } from './matrix-peers.ts'

export const authority = new Authority('Matrix authority')
const own = authority.issue('server')
export const tls = { key: own.key, cert: own.cert }

/** What the tests set, in the words that all transports share as far as they have them. */
export interface RowOptions {
  readonly port?: number
  readonly host?: string
  readonly maxMessageBytes?: number
  /** Unread bytes at which a connection is given up. */
  readonly maxUnreadBytes?: number
  readonly idleTimeoutMs?: number
  readonly maxConnections?: number
  readonly maxConnectionsPerAddress?: number
  readonly closeGraceMs?: number
}

export interface Made {
  readonly transport: Transport
  /** Connects to a listening transport. */
  connect(listening: Listening, more?: Omit<Target, 'url'>): Promise<Peer>
}

export interface Row {
  readonly name: string
  /** What becomes of a message that is too long. */
  readonly oversize: 'error -32600' | 'status 413' | 'close 1009'
  readonly isNetwork: boolean
  /** A client may end its half and still read. */
  readonly hasHalfClose: boolean
  /** It counts its connections and looks at idleness by itself; the port of HTTP leaves that to Node. */
  readonly countsConnections: boolean
  /** The protocol that its URL begins with. */
  readonly scheme: string
  make(options?: RowOptions): Made
}

type Kind = 'http' | 'ws' | 'tcp' | 'sse'

const oversize = { http: 'status 413', ws: 'close 1009', tcp: 'error -32600', sse: 'status 413' } as const
const peers = { http: HttpPeer, ws: WsPeer, tcp: TcpPeer, sse: SsePeer } as const

function endpointOptions({ maxUnreadBytes, ...rest }: RowOptions): object {
  return {
    ...rest,
    ...(maxUnreadBytes !== undefined && { maxBufferedBytes: maxUnreadBytes, maxStreamBufferBytes: maxUnreadBytes }),
  }
}

function network(kind: Kind, isSecure: boolean, isOnHttp = false): Row {
  const schemes = { http: ['http', 'https'], ws: ['ws', 'wss'], tcp: ['tcp', 'tls'], sse: ['http', 'https'] } as const
  const scheme = schemes[kind][isSecure ? 1 : 0]
  return {
    name: `${kind}${isOnHttp ? ' on the port of http' : ''}${isSecure ? ' over TLS' : ''}`,
    oversize: oversize[kind],
    isNetwork: true,
    hasHalfClose: kind === 'tcp',
    countsConnections: kind !== 'http',
    scheme,
    make: (options = {}) => {
      const { port = 0, host, closeGraceMs = 200 } = options
      const place = { port, closeGraceMs, ...(host !== undefined && { host }), ...(isSecure && { tls }) }
      const all = { ...endpointOptions(options), ...place }
      const transport =
        kind === 'tcp'
          ? tcpTransport(all)
          : kind === 'http'
            ? httpTransport(all)
            : isOnHttp
              ? httpTransport({ ...place, [kind === 'ws' ? 'webSocket' : 'sse']: endpointOptions(options) })
              : kind === 'ws'
                ? webSocketTransport(all)
                : sseTransport(all)
      return {
        transport,
        connect: (listening, more = {}) => {
          const urls = [listening.url, ...(listening.otherUrls ?? [])]
          const url = urls.at(-1) ?? ''
          return peers[kind].connect({ url, ca: authority.cert, ...more })
        },
      }
    },
  }
}

const stdio: Row = {
  name: 'stdio',
  oversize: 'error -32600',
  isNetwork: false,
  hasHalfClose: true,
  countsConnections: false,
  scheme: 'stdio',
  make: ({ maxMessageBytes, maxUnreadBytes } = {}) => {
    const input = new PassThrough()
    const output = new PassThrough()
    const transport = stdioTransport({
      input,
      output,
      closeGraceMs: 200,
      ...(maxMessageBytes !== undefined && { maxMessageBytes }),
      ...(maxUnreadBytes !== undefined && { maxBufferedBytes: maxUnreadBytes }),
    })
    return { transport, connect: async () => new StdioPeer(input, output) }
  },
}

export const rows: readonly Row[] = [
  stdio,
  ...(['http', 'ws', 'tcp', 'sse'] as const).flatMap((kind) => [network(kind, false), network(kind, true)]),
  network('ws', false, true),
  network('ws', true, true),
  network('sse', false, true),
  network('sse', true, true),
]
