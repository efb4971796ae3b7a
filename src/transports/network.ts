/**
 * What the transports over a network share: where they listen and the errors of it, and how many connections they hold, in all
 * and from one address.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { AddressInfo, Server } from 'node:net'
import { type Clock, realClock } from '#runtime/clock'
import type { DoorAddress, Doorway } from './doorway.ts'
import type { TlsOptions } from './http-options.ts'
import { TransportError } from './port.ts'

/** The options that every transport with a port of its own has. */
export interface NetworkOptions {
  /** The address to bind. Default '127.0.0.1'. */
  readonly host?: string
  /** 0 takes any free port. */
  readonly port?: number
  /**
   * Serves TLS: `key` and `cert` as Node takes them. With `ca` and `requestCert: true` clients may show a certificate, and with
   * `rejectUnauthorized: true` (Node's default) must show one of that authority. Default: plain.
   */
  readonly tls?: TlsOptions
  /** Connections the system may hold before they are accepted. Default 4 096; the system may cap it. */
  readonly backlog?: number
  /** How long `close` gives its peers to read what was sent, in milliseconds. Default 1 000. */
  readonly closeGraceMs?: number
  readonly clock?: Clock
}

/** The options that every transport with an HTTP server of its own has. */
export interface HttpServerOptions extends NetworkOptions {
  /** Names that the Host header may have, as those of HTTP. */
  readonly allowedHosts?: readonly string[]
  /** Origins of pages that may call, as those of HTTP. */
  readonly allowedOrigins?: readonly string[]
  /** How long a client may take to send its headers, in milliseconds. Default 30 000. */
  readonly headersTimeoutMs?: number
  /** Answers requests to other paths, as that of HTTP. Default: they are refused. */
  readonly otherPaths?: (request: IncomingMessage, response: ServerResponse) => boolean
}

/** The options that every transport of many connections has. */
export interface ConnectionLimits {
  /** Connections open at once. Default 20 000. One more is refused: HTTP 503, over TCP an error and the end. */
  readonly maxConnections?: number
  /** Connections open at once from one address. Default: as many as in all, as behind a proxy all come from one. */
  readonly maxConnectionsPerAddress?: number
}

export type NetworkSettings = Required<Omit<NetworkOptions, 'tls'>> & { readonly tls: TlsOptions | undefined }

export type HttpServerSettings = NetworkSettings & Required<Omit<HttpServerOptions, keyof NetworkOptions>>

/** The options with their defaults. Throws `TransportError` `invalid_option`. */
export function httpServerSettings(name: string, options: HttpServerOptions, defaultPort: number): HttpServerSettings {
  const settings: HttpServerSettings = {
    ...networkSettings(name, options, defaultPort),
    allowedHosts: options.allowedHosts ?? [],
    allowedOrigins: options.allowedOrigins ?? [],
    headersTimeoutMs: options.headersTimeoutMs ?? 30_000,
    otherPaths: options.otherPaths ?? (() => false),
  }
  checkIntegers(name, settings, ['headersTimeoutMs'])
  checkOrigins(name, settings.allowedOrigins)
  return settings
}

/** The options with their defaults. Throws `TransportError` `invalid_option`. */
export function networkSettings(name: string, options: NetworkOptions, defaultPort: number): NetworkSettings {
  const settings: NetworkSettings = {
    host: options.host ?? '127.0.0.1',
    port: options.port ?? defaultPort,
    tls: options.tls,
    backlog: options.backlog ?? 4_096,
    closeGraceMs: options.closeGraceMs ?? 1_000,
    clock: options.clock ?? realClock,
  }
  const { host, port, tls } = settings
  if (!Number.isInteger(port) || port < 0 || port > 65_535) {
    throw invalidOption(name, `port must be an integer from 0 to 65535, got ${port}`)
  }
  if (host === '') throw invalidOption(name, 'host must not be empty. Use "0.0.0.0" or "::" for every address')
  if (tls !== undefined && tls.pfx === undefined && (tls.key === undefined || tls.cert === undefined)) {
    throw invalidOption(name, 'tls needs key and cert, or pfx')
  }
  checkIntegers(name, settings, ['backlog', 'closeGraceMs'])
  return settings
}

export function limitSettings(name: string, options: ConnectionLimits): Required<ConnectionLimits> {
  const maxConnections = options.maxConnections ?? 20_000
  const settings = {
    maxConnections,
    maxConnectionsPerAddress: options.maxConnectionsPerAddress ?? maxConnections,
  }
  checkIntegers(name, settings, ['maxConnections', 'maxConnectionsPerAddress'])
  return settings
}

/** Throws unless every named option is an integer of at least `least`. */
export function checkIntegers<K extends string>(
  name: string,
  settings: Readonly<Record<K, unknown>>,
  options: readonly K[],
  least: 0 | 1 = 1,
): void {
  for (const option of options) {
    const value = settings[option]
    if (Number.isInteger(value) && (value as number) >= least) continue
    const kind = least === 1 ? 'a positive integer' : 'a positive integer, or 0 for none'
    throw invalidOption(name, `${option} must be ${kind}, got ${value}`)
  }
}

/** Throws unless `path` can be the path of an endpoint. */
export function checkPath(name: string, option: string, path: string): void {
  if (/^\/[^?#\s]*$/.test(path)) return
  throw invalidOption(name, `${option} must start with "/" and hold no "?", "#" or space, got ${JSON.stringify(path)}`)
}

/** Throws unless every one is an origin. */
function checkOrigins(name: string, origins: readonly string[]): void {
  for (const origin of origins) {
    if (/^[a-z][a-z0-9+.-]*:\/\/[^/\s]+$/i.test(origin)) continue
    const got = JSON.stringify(origin)
    throw invalidOption(name, `allowedOrigins must hold origins such as "https://app.example.com", got ${got}`)
  }
}

export function invalidOption(name: string, message: string): TransportError {
  return new TransportError('invalid_option', `${name}: ${message}.`)
}

/** Listens, at `doorway` if there is one, and resolves to the port. Rejects with a `TransportError`. */
export function listenOn(
  server: Server,
  name: string,
  { host, port, backlog }: DoorAddress,
  doorway?: Doorway,
): Promise<number> {
  if (doorway !== undefined) return doorway.open(server, name, { host, port, backlog })
  return new Promise((resolve, reject) => {
    const onError = (error: NodeJS.ErrnoException) => reject(listenError(error, name, host, port))
    server.once('error', onError)
    server.listen({ host, port, backlog }, () => {
      server.off('error', onError)
      // A connection that cannot be accepted (no file descriptor left) is an 'error' too; it concerns nobody else.
      server.on('error', () => {})
      resolve((server.address() as AddressInfo).port)
    })
  })
}

/** `scheme://host:port`, with the brackets that an IPv6 address needs. */
export function originOf(scheme: string, host: string, port: number): string {
  return `${scheme}://${host.includes(':') && !host.startsWith('[') ? `[${host}]` : host}:${port}`
}

const LISTEN_ERRORS: Readonly<Record<string, readonly [code: string, advice: string]>> = {
  EADDRINUSE: ['address_in_use', 'Another program listens there. Stop it or choose another port.'],
  EACCES: ['permission_denied', 'This user may not take that port. Choose one above 1023.'],
  EADDRNOTAVAIL: ['address_unavailable', 'This machine has no such address. Choose one of its own, or 127.0.0.1.'],
  ENOTFOUND: ['address_unavailable', 'That name has no address. Choose an address of this machine, or 127.0.0.1.'],
}

function listenError(error: NodeJS.ErrnoException, name: string, host: string, port: number): TransportError {
  const [code, advice] = LISTEN_ERRORS[error.code ?? ''] ?? ['address_unavailable', error.message]
  return new TransportError(code, `${name}: cannot listen on ${host} port ${port}. ${advice}`, { cause: error })
}

/** Why one more connection is refused: a status for HTTP and a sentence. */
export interface Fullness {
  readonly status: 429 | 503
  readonly sentence: string
}

/** How many connections are open, in all and by address. */
export class ConnectionCount {
  #size = 0
  readonly #byAddress = new Map<string, number>()
  readonly #limits: Required<ConnectionLimits>

  constructor(limits: Required<ConnectionLimits>) {
    this.#limits = limits
  }

  get size(): number {
    return this.#size
  }

  /** Counts one more connection from `address`, or says why not. Every one that was counted must be released once. */
  take(address: string): Fullness | undefined {
    const { maxConnections, maxConnectionsPerAddress } = this.#limits
    if (this.#size >= maxConnections) {
      const sentence = `There are ${maxConnections} connections, which is the limit. Try again later.`
      return { status: 503, sentence }
    }
    const fromThere = this.#byAddress.get(address) ?? 0
    if (fromThere >= maxConnectionsPerAddress) {
      const sentence = `There are ${maxConnectionsPerAddress} connections from ${address}, which is the limit. Close one first.`
      return { status: 429, sentence }
    }
    this.#size += 1
    this.#byAddress.set(address, fromThere + 1)
    return undefined
  }

  release(address: string): void {
    const left = (this.#byAddress.get(address) ?? 0) - 1
    this.#size -= 1
    if (left > 0) this.#byAddress.set(address, left)
    else this.#byAddress.delete(address)
  }
}
