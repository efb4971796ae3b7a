/**
 * The transport port: what every transport offers and what it is handed.
 *
 * A transport speaks bytes. It frames and unframes messages, checks what its own protocol asks for (HTTP headers, line
 * lengths) and hands whole JSON texts over; it never parses MCP and never knows who listens. Two shapes cover all five
 * transports: a *connection* carries many messages both ways (stdio, memory, TCP, WebSocket), an *exchange* is one HTTP
 * request with the means to answer it.
 */
import type { Doorway } from './doorway.ts'

/** A way back to the peer for encoded JSON-RPC messages. All methods are safe to call after the peer has gone. */
export interface Sink {
  /** False once the peer has gone or `end` was called. */
  readonly isOpen: boolean
  /**
   * Sends one message that is not the last. `eventId` names it on transports with event ids (SSE) and is ignored elsewhere.
   * Returns false when nothing was sent: the peer has gone, or its unread bytes passed the transport's bound (the transport
   * then closes the connection itself).
   */
  send(message: string, eventId?: string): boolean
  /** Sends `message`, if given, as the last one and closes. On HTTP a sink that never sent before answers as plain JSON. */
  end(message?: string, eventId?: string): boolean
  /**
   * HTTP only: turns the answer into an SSE stream now, opening with an event that has an id, empty data and, if given,
   * a `retry` field in milliseconds. Absent on other transports. Spec: MCP 2025-11-25, basic/transports, resumability.
   */
  prime?(eventId: string, retryMs?: number): boolean
  /**
   * HTTP only: turns the answer into an SSE stream now, with nothing but a comment, so that nobody on the way takes a long wait
   * for a dead connection. Absent on other transports.
   */
  open?(): boolean
  /**
   * HTTP only: answers with a status of its own and the seconds after which the client may try again, where nothing was sent
   * before; as `end` otherwise. Absent on other transports.
   */
  refuse?(status: number, message: string, retryAfterS: string): boolean
  /** Calls `listener` once when the peer has gone (not when `end` was called). */
  onClose(listener: () => void): void
}

/** What is known of the other side. */
export interface Peer {
  /** The transport's name: 'stdio', 'http', 'ws', 'tcp', 'sse', 'memory'. */
  readonly transport: string
  readonly remoteAddress?: string
}

/** Receives what one connection brings. */
export interface Receiver {
  /** One whole message, as text. */
  message(text: string): void
  /**
   * The peer will send no more, but reads what it asked for. Only where the two can be told apart (TCP); `closed` still follows.
   */
  finished?(): void
  /** The peer will send no more, or the connection broke. Called once. */
  closed(): void
}

/** The certificate that a client proved in the TLS handshake. */
export interface ClientCertificate {
  /** SHA-256 of the certificate, in hexadecimal with colons. */
  readonly fingerprint256: string
  readonly raw: Uint8Array
}

/** One HTTP request that passed the transport's own checks (method, path, host, origin, size, content type, accept). */
export interface Exchange {
  readonly method: 'POST' | 'GET' | 'DELETE'
  /** The absolute URL that was asked for, as far as the request says it. */
  readonly url: string
  /** The body of a POST, '' otherwise. */
  readonly body: string
  readonly sessionId: string | undefined
  readonly protocolVersion: string | undefined
  readonly lastEventId: string | undefined
  /** All headers, lower-cased names. */
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  /** The headers, with authorization and dpop as arrays when they came more than once. */
  readonly credentials: Readonly<Record<string, string | string[] | undefined>>
  readonly peer: Peer
  /** Undefined without TLS, and when the client showed none or one that the authority does not know. */
  readonly clientCertificate: ClientCertificate | undefined
  /** Adds a header to the answer; only before anything was sent. */
  setHeader(name: string, value: string): void
  /** Answers at once with a status and, if given, a JSON body. */
  reply(status: number, json?: string): void
  /** The way back for messages: a JSON answer if the first message is also the last (POST only), an SSE stream otherwise. */
  readonly sink: Sink
}

/**
 * Somebody who asks for a connection over a network: the HTTP request for a WebSocket or an event stream, the beginning of a TCP
 * connection. Whoever listens says who it is and lets it in or turns it away, once, now or later.
 */
export interface Applicant {
  readonly method: 'GET' | 'POST'
  /** The absolute URL that was asked for: 'http:' or 'https:' where it came as an HTTP request, 'tcp:' or 'tls:' otherwise. */
  readonly url: string
  /** As those of an `Exchange`. */
  readonly credentials: Exchange['credentials']
  readonly peer: Peer
  readonly clientCertificate: ClientCertificate | undefined
  /** True when these credentials stand for all that follows, false when every message brings its own. */
  readonly isLasting: boolean
  /** Adds a header to the answer, on transports that have headers. */
  setHeader(name: string, value: string): void
  /** Turns it away with an HTTP status and a JSON-RPC error; where there are no statuses, with the error alone. */
  refuse(status: number, json: string): void
  /**
   * Lets it in. `owner` is whose connection it is, undefined where anybody may come in. `open` makes it a connection; it is not
   * called for a message to a connection that is open (the POST of an event stream), nor when the peer has gone meanwhile.
   */
  admit(owner: string | undefined, open: (sink: Sink) => Receiver): void
}

/** What a transport calls. None of the functions throws. */
export interface Acceptor {
  connection(sink: Sink, peer: Peer): Receiver
  exchange(exchange: Exchange): void
  /** Decides about a connection over a network. Absent, everybody is let in. */
  applicant?(applicant: Applicant): void
  /** Where connections come from when the transport does not listen itself; see doorway.ts. */
  readonly doorway?: Doorway | undefined
}

/** Asks `acceptor` about `applicant`. */
export function apply(acceptor: Acceptor, applicant: Applicant): void {
  if (acceptor.applicant !== undefined) acceptor.applicant(applicant)
  else applicant.admit(undefined, (sink) => acceptor.connection(sink, applicant.peer))
}

/** What a transport holds; it leaves out what it does not know. */
export interface TransportCounts {
  readonly connections?: number
  readonly streams?: number
  readonly bufferedBodyBytes?: number
  readonly bytesReceived?: number
  readonly bytesSent?: number
}

/** A transport that is listening. */
export interface Listening {
  /** Where it listens, for people: 'http://127.0.0.1:3000/mcp', 'stdio'. */
  readonly url: string
  /** Where else it is reached: a WebSocket on the port of HTTP. */
  readonly otherUrls?: readonly string[]
  /** What it holds now, for metrics. */
  counts?(): TransportCounts
  /** Bytes that it has moved since it began to listen. Asked seldom: it may add up what its connections say. */
  bytes?(): { readonly bytesReceived: number; readonly bytesSent: number }
  /** Takes no new connections; those that are open go on. Idle keep-alive connections are closed. */
  stopAccepting(): void
  /** Closes everything and resolves when nothing is left open. */
  close(): Promise<void>
}

export interface Transport {
  readonly name: string
  /** Starts listening. Rejects with a `TransportError` when it cannot. */
  listen(acceptor: Acceptor): Promise<Listening>
}

/**
 * A transport could not start. `code` is stable: 'address_in_use', 'address_unavailable', 'permission_denied',
 * 'invalid_option', 'not_listening' (a memory transport that nobody listens on).
 */
export class TransportError extends Error {
  override readonly name = 'TransportError'
  readonly code: string
  constructor(code: string, message: string, options?: { cause?: unknown }) {
    super(message, options)
    this.code = code
  }
}
