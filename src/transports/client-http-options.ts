/** The options of the HTTP clients: their defaults, and their check at the door. */
import type { ConnectionOptions } from 'node:tls'
import type { Dispatcher } from 'undici'
import { type Clock, realClock } from '#runtime/clock'
import { type Random, realRandom } from '#runtime/random'
import type { RequestAuthorizer } from './client-port.ts'
import { TransportError } from './port.ts'

export interface HttpClientOptions {
  /** The server's endpoint, 'http:' or 'https:'. Without credentials: those go into `headers` or come from `authorizer`. */
  readonly url: string | URL
  /** Headers of every request. Those that the protocol uses itself are refused. */
  readonly headers?: Readonly<Record<string, string>>
  /** Supplies the headers that authorize a request and answers 401 and 403; see `bough/auth`. */
  readonly authorizer?: RequestAuthorizer
  /** An undici dispatcher to use instead of a pool of the link's own: a proxy agent, a mock. It is not closed by the link. */
  readonly dispatcher?: Dispatcher
  /** The certificate to show (`cert`, `key`, mutual TLS) and the authorities to trust (`ca`), as Node takes them. */
  readonly tls?: ClientTlsOptions
  /** The longest message taken, in bytes: a JSON answer, or the data of one event. Default 32 MiB. */
  readonly maxMessageBytes?: number
  /** Requests that may wait for their answers at once, and notifications and responses likewise. Default 1 024. */
  readonly maxInFlight?: number
  /** Characters of messages that were sent and have no answer yet; one message more may be. Default 64 MiB. */
  readonly maxInFlightBytes?: number
  /** How long a connection may take to be made, in milliseconds. Default 10 000. */
  readonly connectTimeoutMs?: number
  /** The wait before a broken stream is taken up again, where the server names none, in milliseconds. Default 1 000. */
  readonly reconnectDelayMs?: number
  /** The longest that this wait grows to when it keeps failing, in milliseconds. Default 30 000. */
  readonly maxReconnectDelayMs?: number
  /** Failures in a row after which an answer that broke is given up. Default 8. */
  readonly maxReconnects?: number
  /** How long `close` waits for the server to end the session, in milliseconds. Default 2 000. */
  readonly closeTimeoutMs?: number
  /** How long the legacy SSE server may take to name its endpoint, in milliseconds. Default 10 000. */
  readonly openTimeoutMs?: number
  readonly clock?: Clock
  readonly random?: Random
}

/** The TLS options that are passed on to Node. Source: node:tls, connect and createSecureContext. */
export type ClientTlsOptions = Pick<
  ConnectionOptions,
  'ca' | 'cert' | 'key' | 'pfx' | 'passphrase' | 'servername' | 'rejectUnauthorized' | 'minVersion' | 'ciphers'
>

export interface HttpClientSettings
  extends Required<Omit<HttpClientOptions, 'url' | 'authorizer' | 'dispatcher' | 'tls'>> {
  readonly url: URL
  readonly authorizer: RequestAuthorizer | undefined
  readonly dispatcher: Dispatcher | undefined
  readonly tls: ClientTlsOptions | undefined
}

/** Headers that the transport or the protocol sets by itself. */
const RESERVED_HEADERS =
  /^(accept|accept-encoding|connection|content-.*|host|keep-alive|last-event-id|mcp-.*|te|trailer|transfer-encoding|upgrade)$/

/** The options with their defaults. Throws `TransportError` `invalid_option`. */
export function httpClientSettings(options: HttpClientOptions): HttpClientSettings {
  const settings: HttpClientSettings = {
    url: checkedUrl(options.url),
    headers: options.headers ?? {},
    authorizer: options.authorizer,
    dispatcher: options.dispatcher,
    tls: options.tls,
    maxMessageBytes: options.maxMessageBytes ?? 32 * 1024 * 1024,
    maxInFlight: options.maxInFlight ?? 1_024,
    maxInFlightBytes: options.maxInFlightBytes ?? 64 * 1024 * 1024,
    connectTimeoutMs: options.connectTimeoutMs ?? 10_000,
    reconnectDelayMs: options.reconnectDelayMs ?? 1_000,
    maxReconnectDelayMs: options.maxReconnectDelayMs ?? 30_000,
    maxReconnects: options.maxReconnects ?? 8,
    closeTimeoutMs: options.closeTimeoutMs ?? 2_000,
    openTimeoutMs: options.openTimeoutMs ?? 10_000,
    clock: options.clock ?? realClock,
    random: options.random ?? realRandom,
  }
  for (const name of positiveOptions) {
    if (!Number.isInteger(settings[name]) || settings[name] <= 0) {
      throw invalid(`${name} must be a positive integer, got ${settings[name]}`)
    }
  }
  if (settings.dispatcher !== undefined && settings.tls !== undefined) {
    throw invalid('tls and dispatcher exclude each other; give the certificates to the dispatcher')
  }
  for (const name of Object.keys(settings.headers)) {
    if (RESERVED_HEADERS.test(name.toLowerCase())) {
      throw invalid(`the header ${JSON.stringify(name)} is set by the transport itself; leave it out of headers`)
    }
  }
  return settings
}

const positiveOptions = [
  'maxMessageBytes',
  'maxInFlight',
  'maxInFlightBytes',
  'connectTimeoutMs',
  'reconnectDelayMs',
  'maxReconnectDelayMs',
  'maxReconnects',
  'closeTimeoutMs',
  'openTimeoutMs',
] as const

function checkedUrl(value: string | URL): URL {
  if (!URL.canParse(String(value))) {
    throw invalid(`url must be absolute, such as "https://mcp.example.com/mcp", got ${JSON.stringify(value)}`)
  }
  const url = new URL(value)
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    throw invalid(`url must begin with http: or https:, got ${JSON.stringify(url.protocol)}`)
  }
  // The value is not repeated here: it holds a password.
  if (url.username !== '' || url.password !== '') {
    throw invalid('url must not hold a user name or password; put them into an Authorization header')
  }
  url.hash = ''
  return url
}

function invalid(message: string): TransportError {
  return new TransportError('invalid_option', `http client: ${message}.`)
}
