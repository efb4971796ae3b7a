/**
 * The client's side of the transport port: one link to one server, over which encoded JSON-RPC messages go out and come in.
 *
 * A link speaks bytes and the rules of its transport (HTTP statuses and headers, event ids and resuming, lines, the life of a
 * child process), never MCP. What is retried is decided above; a link only resumes what the transport itself lets it resume. A
 * link is used once: when it is closed another one is opened.
 *
 *     const link = await transport.open(receiver)
 *     link.send({ text, kind: 'request', id: 1, headers: { 'Mcp-Method': 'tools/list' } })
 */
import type { RequestId } from '#protocol'

/** A message to send. */
export interface Outgoing {
  /** Encoded JSON-RPC, without a line break. */
  readonly text: string
  readonly kind: 'request' | 'notification' | 'response' | 'batch'
  /** The ids of the requests in it: one for a request, several for a batch, none for what is no request. */
  readonly ids: readonly RequestId[]
  /** Headers for transports that have them: MCP-Protocol-Version, Mcp-Method, Mcp-Name, Mcp-Param-*. */
  readonly headers: Readonly<Record<string, string>>
}

/** Why a request gets no answer, or a link is over. */
export interface LinkFailure {
  /**
   * 'refused': it never reached the server (no connection, no such command); 'status': the server answered with an HTTP status
   * and no JSON-RPC answer; 'session_lost': 404 for a session that was open; 'unauthorized': 401 or 403 that authorization could
   * not mend; 'broken': the connection ended before the answer and could not be resumed; 'invalid': what came is no MCP;
   * 'closed': this side closed it.
   */
  readonly kind: 'refused' | 'status' | 'session_lost' | 'unauthorized' | 'broken' | 'invalid' | 'closed'
  /** For people: what happened, with the address or command. Never a token. */
  readonly message: string
  /** Whether the server may have acted on what was sent. */
  readonly mayHaveRun: boolean
  readonly status?: number
  /** The body of an answer with a status, as far as it was read. */
  readonly body?: string
  /** Milliseconds after which the server asked to be tried again. */
  readonly retryAfterMs?: number
  readonly cause?: unknown
}

/** What a link tells. No function throws. */
export interface LinkReceiver {
  /** One whole message of the server, as text. */
  message(text: string): void
  /**
   * These requests get no answer on this link. No ids: a notification or a response did not get there, or something came that
   * belongs to no request; that is for the log.
   */
  failed(ids: readonly RequestId[], failure: LinkFailure): void
  /** The link is over, and everything on it. Called once, after `open` resolved. */
  closed(failure: LinkFailure): void
}

export interface Link {
  /** Sends a message; what comes of it is told to the receiver. False when too much waits to be sent: it was not taken. */
  send(message: Outgoing): boolean
  /** Gives up waiting for an answer. Over HTTP this closes the stream of the answer. */
  abandon(id: RequestId): void
  /** From now on the server may send on its own (legacy HTTP: opens the GET stream). Does nothing where that is so anyway. */
  listen(): void
  /** Ends it: legacy HTTP deletes the session, stdio ends the child within 5 s. Resolves when nothing is left. */
  close(): Promise<void>
}

export interface ClientTransport {
  /** 'http', 'sse', 'stdio', 'memory', ... */
  readonly name: string
  /** The server's address, for people. */
  readonly target: string
  /** Rejects with a `LinkError` when there is no reaching the server. */
  open(receiver: LinkReceiver): Promise<Link>
}

/** A link could not be opened. */
export class LinkError extends Error {
  override readonly name = 'LinkError'
  readonly failure: LinkFailure
  constructor(failure: LinkFailure) {
    super(failure.message, { cause: failure.cause })
    this.failure = failure
  }
}

/** What an HTTP request is made with and what answers its refusal; see `bough/auth`. */
export interface RequestAuthorizer {
  /** The headers that authorize one request (Authorization, DPoP); may fetch or refresh a token first. */
  headers(request: { readonly method: string; readonly url: string }): Promise<Readonly<Record<string, string>>>
  /** The server refused with 401 or 403. Resolves to whether another try makes sense; at most a few times per request. */
  challenged(refusal: {
    readonly status: number
    readonly url: string
    readonly headers: Headers
    /** What `headers` gave for the request: tells a late refusal of an old token from one of the new. */
    readonly sent?: Readonly<Record<string, string>>
  }): Promise<boolean>
}
