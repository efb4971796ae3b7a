/**
 * The MCP endpoint: takes Node's request and response, refuses what breaks the transport's rules, and hands the rest
 * to the acceptor as an `Exchange`. It owns no server and no port, so other servers can call `handle` too.
 *
 * Order of the checks: host, origin, path, method, then what the method asks for. Every refusal is a 4xx with a
 * JSON-RPC error body (id null) that says what to do.
 *
 * Spec: MCP 2025-11-25, basic/transports, Streamable HTTP.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { type BodyBudget, type BodyRefusal, drainBody, readBody } from './http-body.ts'
import { HttpBrake } from './http-brake.ts'
import { HttpConnections } from './http-connections.ts'
import { type ExchangeShared, HttpExchange } from './http-exchange.ts'
import { HttpGuard, isJsonContentType, quote } from './http-guard.ts'
import type { HttpSettings } from './http-options.ts'
import { pathOf } from './http-request.ts'
import { HttpStreams } from './http-streams.ts'
import type { Acceptor } from './port.ts'
import { encodeRefusal, INTERNAL_ERROR, INVALID_REQUEST, PARSE_ERROR } from './refusal.ts'
import { SseDoor } from './sse-door.ts'

const METHODS = 'GET, POST, DELETE, OPTIONS'
const EXPOSED_HEADERS = 'Mcp-Session-Id, MCP-Protocol-Version, WWW-Authenticate, DPoP-Nonce, Retry-After'
const ALLOWED_HEADERS =
  'Content-Type, Accept, Authorization, Mcp-Session-Id, MCP-Protocol-Version, Last-Event-ID, Mcp-Method, Mcp-Name, DPoP'
/** How long a browser may remember the answer to a preflight request. */
const PREFLIGHT_SECONDS = '7200'
/** The header names that a preflight asks for, repeated only when they are nothing but names. */
const HEADER_NAMES = /^[A-Za-z0-9-]+(\s*,\s*[A-Za-z0-9-]+)*$/

export class HttpEndpoint implements ExchangeShared, BodyBudget {
  readonly streams: HttpStreams
  readonly connections = new HttpConnections()
  readonly brake: HttpBrake
  readonly maxStreamBufferBytes: number
  readonly maxMessageBytes: number
  readonly maxBufferedBodyBytes: number
  bufferedBodyBytes = 0
  isStopping = false
  readonly #path: string
  readonly guard: HttpGuard
  /** The legacy endpoints on this port, if any. */
  readonly sse: SseDoor | undefined
  readonly #acceptor: Acceptor
  readonly #otherPaths: HttpSettings['otherPaths']

  constructor(settings: HttpSettings, acceptor: Acceptor) {
    this.streams = new HttpStreams(settings.clock, settings.keepAliveMs)
    this.brake = new HttpBrake(settings.clock)
    this.maxStreamBufferBytes = settings.maxStreamBufferBytes
    this.maxMessageBytes = settings.maxMessageBytes
    this.maxBufferedBodyBytes = settings.maxBufferedBodyBytes
    this.#path = settings.path
    this.guard = new HttpGuard(settings)
    this.#acceptor = acceptor
    const { sse, clock, random } = settings
    const { guard, connections } = this
    if (sse !== undefined) this.sse = new SseDoor({ settings: sse, guard, acceptor, clock, random, connections })
    this.#otherPaths = settings.otherPaths
  }

  /** Answers one request. Does not throw. */
  readonly handle = (request: IncomingMessage, response: ServerResponse): void => {
    this.connections.owes(request.socket)
    const foreign = this.guard.refusalOf(request.headers)
    if (foreign !== undefined) this.#refuse(request, response, 403, foreign)
    else if (request.url !== this.#path && pathOf(request.url!) !== this.#path) this.#otherPath(request, response)
    else if (request.method === 'POST') this.#post(request, response)
    else if (request.method === 'GET') this.#get(request, response)
    else if (request.method === 'DELETE') this.#accept(this.#exchange('DELETE', request, response))
    else if (request.method === 'OPTIONS') preflight(this, request, response)
    else this.#refuse(request, response, 405, `The method ${request.method} is not served here. Use ${METHODS}.`)
  }

  #get(request: IncomingMessage, response: ServerResponse): void {
    if (this.guard.acceptsEvents(request.headers.accept)) this.#accept(this.#exchange('GET', request, response))
    else this.#refuse(request, response, 406, 'The Accept header of a GET must list text/event-stream.')
  }

  #post(request: IncomingMessage, response: ServerResponse): void {
    const contentType = request.headers['content-type']
    if (!isJsonContentType(contentType)) {
      const message = `The Content-Type of a POST must be application/json in UTF-8, got ${quote(contentType)}.`
      this.#refuse(request, response, 415, message)
    } else if (!this.guard.acceptsBoth(request.headers.accept)) {
      const message = 'The Accept header of a POST must list application/json and text/event-stream.'
      this.#refuse(request, response, 406, message)
    } else this.#read(request, response)
  }

  #read(request: IncomingMessage, response: ServerResponse): void {
    readBody(
      request,
      this,
      (text) => {
        const exchange = this.#exchange('POST', request, response)
        exchange.body = text
        this.#accept(exchange)
      },
      (why) => this.#refuseBody(request, response, why),
    )
  }

  #exchange(method: 'POST' | 'GET' | 'DELETE', request: IncomingMessage, response: ServerResponse): HttpExchange {
    const exchange = new HttpExchange(method, request, response, this)
    const { origin } = request.headers
    if (origin !== undefined) {
      exchange.setHeader('access-control-allow-origin', origin)
      exchange.setHeader('access-control-expose-headers', EXPOSED_HEADERS)
      exchange.setHeader('vary', 'Origin')
    }
    return exchange
  }

  #accept(exchange: HttpExchange): void {
    try {
      this.#acceptor.exchange(exchange)
    } catch {
      exchange.fail(encodeRefusal(INTERNAL_ERROR, 'Internal error: the request could not be handled.'))
    }
  }

  #otherPath(request: IncomingMessage, response: ServerResponse): void {
    if (this.sse?.handle(request, response) === true) return
    if (this.#otherPaths(request, response)) {
      response.once('close', () => this.connections.paid(request.socket))
      return
    }
    this.#refuse(
      request,
      response,
      404,
      `Nothing is served at ${quote(pathOf(request.url!))}. The endpoint is ${this.#path}.`,
    )
  }

  #refuseBody(request: IncomingMessage, response: ServerResponse, why: BodyRefusal): void {
    if (why === 'oversized') {
      respond(this, request, response, 413, INVALID_REQUEST, `The body is longer than ${this.maxMessageBytes} bytes.`)
    } else if (why === 'overload') {
      respond(this, request, response, 503, INVALID_REQUEST, 'Too many large requests at once. Try again later.')
    } else respond(this, request, response, 400, PARSE_ERROR, 'Parse error: the body is not valid UTF-8.')
  }

  #refuse(request: IncomingMessage, response: ServerResponse, status: number, message: string): void {
    respond(this, request, response, status, INVALID_REQUEST, message)
    // Node would read an unwanted body to its end, however long it is.
    drainBody(request, this.maxMessageBytes)
  }
}

function respond(
  shared: ExchangeShared,
  request: IncomingMessage,
  response: ServerResponse,
  status: number,
  code: number,
  message: string,
): void {
  shared.connections.paid(request.socket)
  if (response.destroyed) return
  const json = encodeRefusal(code, message)
  const headers = ['content-type', 'application/json', 'content-length', String(Buffer.byteLength(json))]
  if (status === 405) headers.push('allow', METHODS)
  if (status === 503) headers.push('retry-after', '1')
  // A page of an allowed origin gets to read why it was refused.
  if (status !== 403 && request.headers.origin !== undefined) {
    headers.push('access-control-allow-origin', request.headers.origin, 'vary', 'Origin')
  }
  if (shared.isStopping) headers.push('connection', 'close')
  response.writeHead(status, headers)
  response.end(json)
}

/** Answers OPTIONS: what a page of an allowed origin may send. Source: Fetch Standard, CORS protocol. */
function preflight(shared: ExchangeShared, request: IncomingMessage, response: ServerResponse): void {
  shared.connections.paid(request.socket)
  const { origin } = request.headers
  const headers = ['allow', METHODS]
  if (origin !== undefined) {
    const asked = request.headers['access-control-request-headers']
    headers.push('access-control-allow-origin', origin, 'vary', 'Origin')
    headers.push('access-control-allow-methods', METHODS, 'access-control-expose-headers', EXPOSED_HEADERS)
    headers.push(
      'access-control-allow-headers',
      asked !== undefined && HEADER_NAMES.test(asked) ? asked : ALLOWED_HEADERS,
    )
    headers.push('access-control-max-age', PREFLIGHT_SECONDS)
  }
  response.writeHead(204, headers)
  response.end()
}
