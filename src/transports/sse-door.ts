/**
 * The two endpoints of the legacy HTTP+SSE transport: a GET opens a stream, whose first event says where to post; each POST
 * brings one message, whose answer comes on the stream. It owns no server and no port.
 *
 * Every request is shown to whoever listens by itself, with its own credentials. A stream is known by an id that nobody can guess, and
 * to anybody but its owner it is as unknown as one that does not exist.
 *
 * Spec: MCP 2024-11-05, basic/transports, HTTP with SSE.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Clock } from '#runtime/clock'
import type { Random } from '#runtime/random'
import { type BodyBudget, type BodyRefusal, drainBody, readBody } from './http-body.ts'
import type { HttpConnections } from './http-connections.ts'
import { type HttpGuard, isJsonContentType, quote } from './http-guard.ts'
import { certificateOf, credentialsOf, originOfRequest, pathOf, peerOf } from './http-request.ts'
import { HttpStreams } from './http-streams.ts'
import { ConnectionCount } from './network.ts'
import { type Acceptor, type Applicant, apply, type Receiver, type Sink } from './port.ts'
import { encodeRefusal, INVALID_REQUEST, PARSE_ERROR } from './refusal.ts'
import type { SseEndpointSettings } from './sse-options.ts'
import { type SseShared, SseStream } from './sse-stream.ts'

/** Random bytes in the id of a stream: 128 bits. */
const STREAM_ID_BYTES = 16
const ALLOWED_HEADERS = 'Content-Type, Accept, Authorization, MCP-Protocol-Version, Last-Event-ID, DPoP'
const EXPOSED_HEADERS = 'WWW-Authenticate, DPoP-Nonce, Retry-After'
/** The query parameter that names the stream. */
const SESSION_ID = 'sessionId'

export interface SseDoorOptions {
  readonly settings: SseEndpointSettings
  readonly guard: HttpGuard
  readonly acceptor: Acceptor
  readonly clock: Clock
  readonly random: Random
  readonly connections: HttpConnections
}

/** What becomes of a caller who is let in. */
type Admitted = (owner: string | undefined, open: (sink: Sink) => Receiver, headers: readonly string[]) => void

export class SseDoor implements SseShared, BodyBudget {
  readonly settings: SseEndpointSettings
  readonly clock: Clock
  readonly connections: HttpConnections
  readonly maxMessageBytes: number
  readonly maxBufferedBodyBytes: number
  bufferedBodyBytes = 0
  isStopping = false
  readonly #guard: HttpGuard
  readonly #acceptor: Acceptor
  readonly #random: Random
  readonly #count: ConnectionCount
  readonly #quiet: HttpStreams
  readonly #streams = new Map<string, SseStream>()
  readonly #unreceive: (() => void) | undefined

  constructor({ settings, guard, acceptor, clock, random, connections }: SseDoorOptions) {
    this.settings = settings
    this.clock = clock
    this.connections = connections
    this.maxMessageBytes = settings.maxMessageBytes
    this.maxBufferedBodyBytes = settings.maxBufferedBodyBytes
    this.#guard = guard
    this.#acceptor = acceptor
    this.#unreceive = acceptor.doorway?.receive(({ streamId, owner, text }) => {
      const stream = this.#streams.get(streamId)
      if (stream === undefined || stream.owner !== owner) return false
      stream.take(text)
      return true
    })
    this.#random = random
    this.#count = new ConnectionCount(settings)
    const { keepAliveMs, idleTimeoutMs } = settings
    this.#quiet = new HttpStreams(clock, idleTimeoutMs > 0 ? Math.min(keepAliveMs, idleTimeoutMs / 2) : keepAliveMs)
  }

  get size(): number {
    return this.#streams.size
  }

  forget(stream: SseStream): void {
    this.#streams.delete(stream.id)
    this.#quiet.delete(stream)
  }

  /**
   * Answers a request to one of its two paths and pays for it in `connections`; false, and nothing done, for any other path.
   * Host and origin were checked before.
   */
  handle(request: IncomingMessage, response: ServerResponse): boolean {
    const path = pathOf(request.url ?? '')
    const { path: streamPath, messagesPath } = this.settings
    if (path !== streamPath && path !== messagesPath) return false
    const method = path === streamPath ? 'GET' : 'POST'
    if (request.method === 'OPTIONS') this.#preflight(request, response, method)
    else if (request.method !== method) {
      const sentence = `The method ${request.method} is not served at ${path}. Use ${method}.`
      this.#refuse(request, response, 405, sentence, ['allow', `${method}, OPTIONS`])
    } else if (method === 'GET') this.#get(request, response)
    else this.#post(request, response)
    return true
  }

  /** Takes no new streams. */
  stopAccepting(): void {
    this.isStopping = true
  }

  /** Ends every stream. */
  close(): void {
    this.isStopping = true
    this.#unreceive?.()
    for (const stream of [...this.#streams.values()]) stream.end()
    this.#quiet.endAll()
  }

  #get(request: IncomingMessage, response: ServerResponse): void {
    if (!this.#guard.acceptsEvents(request.headers.accept)) {
      return this.#refuse(request, response, 406, 'The Accept header of a GET must list text/event-stream.')
    }
    if (this.isStopping) return this.#refuse(request, response, 503, 'The server is shutting down.', RETRY_LATER)
    const address = request.socket.remoteAddress ?? ''
    const fullness = this.#count.take(address)
    if (fullness !== undefined) {
      return this.#refuse(request, response, fullness.status, fullness.sentence, RETRY_LATER)
    }
    response.once('close', () => this.#count.release(address))
    this.#apply('GET', request, response, (owner, open, headers) => {
      if (response.destroyed) return this.connections.paid(request.socket)
      if (this.isStopping) return this.#refuse(request, response, 503, 'The server is shutting down.', RETRY_LATER)
      const stream = new SseStream(
        (this.#acceptor.doorway?.mark ?? '') + this.#random.token(STREAM_ID_BYTES),
        owner,
        request,
        response,
        this,
      )
      this.#streams.set(stream.id, stream)
      this.#quiet.add(stream)
      stream.begin(headers, `${this.settings.messagesPath}?${SESSION_ID}=${stream.id}`)
      stream.attach(open(stream))
    })
  }

  #post(request: IncomingMessage, response: ServerResponse): void {
    const contentType = request.headers['content-type']
    if (!isJsonContentType(contentType)) {
      const sentence = `The Content-Type of a POST must be application/json in UTF-8, got ${quote(contentType)}.`
      return this.#refuse(request, response, 415, sentence)
    }
    this.#apply('POST', request, response, (owner, _open, headers) => {
      const streamId = streamIdOf(request.url ?? '')
      const stream = this.#streams.get(streamId)
      if (stream === undefined && this.#passOn(streamId, owner, request, response, headers)) return
      if (stream === undefined || stream.owner !== owner) {
        const sentence = `There is no such stream, or it has ended. Open one with GET ${this.settings.path}.`
        return this.#refuse(request, response, 404, sentence, headers)
      }
      readBody(
        request,
        this,
        (text) => {
          this.#answer(request, response, 202, 'text/plain', 'Accepted', headers)
          stream.take(text)
        },
        (why) => this.#refuseBody(request, response, why),
      )
    })
  }

  /** Brings a message to the process that has its stream; false when no other process gave that id. */
  #passOn(
    streamId: string,
    owner: string | undefined,
    request: IncomingMessage,
    response: ServerResponse,
    headers: readonly string[],
  ): boolean {
    const { doorway } = this.#acceptor
    if (doorway === undefined || streamId.startsWith(doorway.mark)) return false
    const done = (text: string): void => {
      const passed = doorway.pass({ streamId, owner, text })
      if (passed === undefined) return this.#refuse(request, response, 404, 'There is no such stream.', headers)
      passed.then(
        (isTaken) => {
          if (isTaken) this.#answer(request, response, 202, 'text/plain', 'Accepted', headers)
          else this.#refuse(request, response, 404, 'There is no such stream, or it has ended.', headers)
        },
        () => this.#refuse(request, response, 503, 'The process of this stream is being restarted.', RETRY_LATER),
      )
    }
    readBody(request, this, done, (why) => this.#refuseBody(request, response, why))
    return true
  }

  /** Asks whoever listens who this is. */
  #apply(method: 'GET' | 'POST', request: IncomingMessage, response: ServerResponse, admitted: Admitted): void {
    const headers: string[] = []
    const applicant: Applicant = {
      method,
      // A token is good for the endpoint; that messages are posted elsewhere is a matter of this transport.
      url: `${originOfRequest(request)}${this.settings.path}`,
      credentials: credentialsOf(request),
      peer: peerOf('sse', request.socket.remoteAddress),
      clientCertificate: certificateOf(request.socket),
      isLasting: false,
      setHeader: (name, value) => void headers.push(name, value),
      refuse: (status, json) => {
        this.#answer(request, response, status, 'application/json', json, headers)
        drainBody(request, this.maxMessageBytes)
      },
      admit: (owner, open) => admitted(owner, open, [...headers, ...corsOf(request)]),
    }
    apply(this.#acceptor, applicant)
  }

  #refuseBody(request: IncomingMessage, response: ServerResponse, why: BodyRefusal): void {
    if (why === 'oversized') {
      const json = encodeRefusal(INVALID_REQUEST, `The body is longer than ${this.maxMessageBytes} bytes.`)
      this.#answer(request, response, 413, 'application/json', json)
    } else if (why === 'overload') {
      const json = encodeRefusal(INVALID_REQUEST, 'Too many large requests at once. Try again later.')
      this.#answer(request, response, 503, 'application/json', json, RETRY_LATER)
    } else {
      const json = encodeRefusal(PARSE_ERROR, 'Parse error: the body is not valid UTF-8.')
      this.#answer(request, response, 400, 'application/json', json)
    }
  }

  #preflight(request: IncomingMessage, response: ServerResponse, method: string): void {
    const headers = ['allow', `${method}, OPTIONS`]
    if (request.headers.origin !== undefined) {
      headers.push('access-control-allow-methods', `${method}, OPTIONS`)
      headers.push('access-control-allow-headers', ALLOWED_HEADERS, 'access-control-max-age', '7200')
    }
    this.#answer(request, response, 204, undefined, '', headers)
  }

  #refuse(
    request: IncomingMessage,
    response: ServerResponse,
    status: number,
    sentence: string,
    headers: readonly string[] = [],
  ): void {
    this.#answer(request, response, status, 'application/json', encodeRefusal(INVALID_REQUEST, sentence), headers)
    // Node would read an unwanted body to its end, however long it is.
    drainBody(request, this.maxMessageBytes)
  }

  #answer(
    request: IncomingMessage,
    response: ServerResponse,
    status: number,
    contentType: string | undefined,
    body: string,
    more: readonly string[] = [],
  ): void {
    this.connections.paid(request.socket)
    if (response.destroyed || response.headersSent) return
    const headers = contentType === undefined ? [] : ['content-type', contentType]
    if (contentType !== undefined) headers.push('content-length', String(Buffer.byteLength(body)))
    headers.push(...more)
    if (!more.includes('access-control-allow-origin')) headers.push(...corsOf(request))
    if (this.isStopping) headers.push('connection', 'close')
    response.writeHead(status, headers)
    response.end(body)
  }
}

const RETRY_LATER = ['retry-after', '5']

/** What lets a page of an allowed origin read the answer. Source: Fetch Standard, CORS protocol. */
function corsOf({ headers: { origin } }: IncomingMessage): string[] {
  if (origin === undefined) return []
  return ['access-control-allow-origin', origin, 'access-control-expose-headers', EXPOSED_HEADERS, 'vary', 'Origin']
}

function streamIdOf(url: string): string {
  const query = url.indexOf('?')
  return query === -1 ? '' : (new URLSearchParams(url.slice(query + 1)).get(SESSION_ID) ?? '')
}
