/**
 * The client's side of TCP: one connection, plain or with TLS, and one JSON text a line.
 *
 * It promises that no bytes from the server break the framing, that what is sent in one turn of the event loop leaves in one
 * write, and that what waits to be read by the server is bounded. A server that is gone is noticed by the system's keep-alive
 * probes while the connection is idle, and by `stallTimeoutMs` while something waits to be read. TCP has no way to ask a server
 * that answers no probe of its own whether it lives: the time-out of a request is what notices a program that hangs.
 *
 *     const link = await tcpClientTransport({ host: '127.0.0.1', port: 4000 }).open(receiver)
 *
 * MCP names no TCP transport; this is a custom one with the framing of stdio. Source: MCP 2025-11-25, basic/transports, stdio and
 * custom transports.
 */
import { connect, isIP, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { type Clock, realClock } from '#runtime/clock'
import { AuthorizationError, connectionFailure } from './client-failures.ts'
import type { ClientTlsOptions } from './client-http-options.ts'
import { type ClientTransport, LinkError, type LinkReceiver, type RequestAuthorizer } from './client-port.ts'
import { TcpLink } from './client-tcp-link.ts'
import { TransportError } from './port.ts'

export interface TcpClientOptions {
  /** A name or an address, IPv6 without brackets. */
  readonly host: string
  readonly port: number
  /**
   * Speaks TLS: the certificate to show (`cert`, `key`, mutual TLS) and the authorities to trust (`ca`), as Node takes them, or
   * `true` for none of its own and Node's authorities. Default: plain TCP.
   */
  readonly tls?: boolean | ClientTlsOptions
  /**
   * What authorizes the connection, such as 'Bearer ...'. It is sent first, in a line of its own, which bough's server takes and
   * others may not: `Authorization: Bearer ...`. Default: none.
   */
  readonly authorization?: string
  /** Supplies that for each connection anew, from its `authorization` header. A refusal is not put to it. */
  readonly authorizer?: RequestAuthorizer
  /** The longest line taken, in bytes. Default 32 MiB. */
  readonly maxMessageBytes?: number
  /** What may wait to be read by the server, in bytes (near enough); one message more may. Default 64 MiB. */
  readonly maxBufferedBytes?: number
  /** How long connecting and TLS may take together, in milliseconds. Default 10 000. */
  readonly connectTimeoutMs?: number
  /** Idle time before the system asks whether the other machine is still there, in milliseconds. Default 15 000. */
  readonly keepAliveMs?: number
  /** How long a server may leave what was sent unread, without sending anything itself, in milliseconds. Default 60 000. */
  readonly stallTimeoutMs?: number
  /** How long `close` waits for what was sent to leave and the server to hang up, in milliseconds. Default 2 000. */
  readonly closeTimeoutMs?: number
  readonly clock?: Clock
}

export interface TcpClientSettings
  extends Required<Omit<TcpClientOptions, 'tls' | 'authorization' | 'authorizer'>>,
    Pick<TcpClientOptions, 'authorization' | 'authorizer'> {
  readonly target: string
  readonly tls: ClientTlsOptions | undefined
}

/** A transport to a server that speaks lines over TCP. Throws `TransportError` `invalid_option`. */
export function tcpClientTransport(options: TcpClientOptions): ClientTransport {
  const settings = tcpClientSettings(options)
  return {
    name: 'tcp',
    target: settings.target,
    open: (receiver) => open(settings, receiver),
  }
}

function tcpClientSettings(options: TcpClientOptions): TcpClientSettings {
  const { host, port, tls = false } = options
  const name = isIP(host) === 6 ? `[${host}]` : host
  const settings: TcpClientSettings = {
    host,
    port,
    tls: tls === true ? {} : tls === false ? undefined : tls,
    target: `${tls === false ? 'tcp' : 'tls'}://${name}:${port}`,
    ...(options.authorization !== undefined && { authorization: options.authorization }),
    ...(options.authorizer !== undefined && { authorizer: options.authorizer }),
    maxMessageBytes: options.maxMessageBytes ?? 32 * 1024 * 1024,
    maxBufferedBytes: options.maxBufferedBytes ?? 64 * 1024 * 1024,
    connectTimeoutMs: options.connectTimeoutMs ?? 10_000,
    keepAliveMs: options.keepAliveMs ?? 15_000,
    stallTimeoutMs: options.stallTimeoutMs ?? 60_000,
    closeTimeoutMs: options.closeTimeoutMs ?? 2_000,
    clock: options.clock ?? realClock,
  }
  if (host === '') throw invalid('host must not be empty')
  if (!Number.isInteger(port) || port < 1 || port > 65_535) {
    throw invalid(`port must be an integer from 1 to 65535, got ${port}`)
  }
  if (/[\r\n]/.test(settings.authorization ?? '')) throw invalid('authorization must be one line')
  for (const option of positiveOptions) {
    if (!Number.isInteger(settings[option]) || settings[option] <= 0) {
      throw invalid(`${option} must be a positive integer, got ${settings[option]}`)
    }
  }
  return settings
}

const positiveOptions = [
  'maxMessageBytes',
  'maxBufferedBytes',
  'connectTimeoutMs',
  'keepAliveMs',
  'stallTimeoutMs',
  'closeTimeoutMs',
] as const

async function open(settings: TcpClientSettings, receiver: LinkReceiver): Promise<TcpLink> {
  const authorization = await authorizationOf(settings)
  const link = new TcpLink(await connected(settings), settings, receiver)
  if (authorization !== undefined) link.introduce(`Authorization: ${authorization}`)
  return link
}

async function authorizationOf({ authorization, authorizer, target }: TcpClientSettings): Promise<string | undefined> {
  if (authorizer === undefined) return authorization
  try {
    const headers = new Headers(await authorizer.headers({ method: 'GET', url: target }))
    return headers.get('authorization') ?? authorization
  } catch (cause) {
    const error = new AuthorizationError('no authorization could be had for this connection', { cause })
    throw new LinkError(connectionFailure(target, error, false))
  }
}

/** Rejects with `LinkError`. */
function connected(settings: TcpClientSettings): Promise<Socket> {
  const { tls, target, connectTimeoutMs, clock } = settings
  return new Promise((resolve, reject) => {
    const socket = dial(settings)
    const fail = (error: unknown): void => {
      clock.clearTimer(timer)
      socket.destroy()
      reject(new LinkError(connectionFailure(target, error, false)))
    }
    const hungUp = (): void => fail(new Error('the server hung up'))
    const timer = clock.setTimer(() => fail(new Error(`not open within ${connectTimeoutMs} ms`)), connectTimeoutMs)
    socket.on('error', fail)
    socket.on('close', hungUp)
    socket.once(tls === undefined ? 'connect' : 'secureConnect', () => {
      clock.clearTimer(timer)
      socket.off('close', hungUp)
      // What errs from now on is noticed by the 'close' behind it.
      resolve(socket)
    })
  })
}

function dial({ host, port, tls, stallTimeoutMs }: TcpClientSettings): Socket {
  // 'timeout' comes of Node's own timer: it alone knows whether the system took a part of a long write.
  const options = { host, port, timeout: stallTimeoutMs }
  if (tls === undefined) return connect({ ...options, noDelay: true })
  // An address is no name that a certificate could be asked for. Source: RFC 6066, 3.
  const socket = connectTls({ ...(isIP(host) === 0 && { servername: host }), ...tls, ...options })
  return socket.setNoDelay(true)
}

function invalid(message: string): TransportError {
  return new TransportError('invalid_option', `tcp client: ${message}.`)
}
