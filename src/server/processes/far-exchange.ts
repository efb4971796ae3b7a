/**
 * An exchange whose client is connected to another member: to whom it is served it is like any other, and what it is answered
 * travels there line by line. The other side applies each to the exchange it has, so the two answer alike.
 */
import type { ClientCertificate, Exchange, Peer, Sink } from '#transports/port'
import type { Answer, CarriedExchange } from './frames.ts'

/** What leaves this process. */
export function carried(exchange: Exchange): CarriedExchange {
  const { method, url, body, headers, credentials, peer, clientCertificate } = exchange
  const { authorization, dpop } = credentials
  return {
    method,
    url,
    body,
    headers,
    credentials: {
      ...(authorization !== undefined && { authorization }),
      ...(dpop !== undefined && { dpop }),
    },
    remoteAddress: peer.remoteAddress,
    certificate: clientCertificate && {
      fingerprint256: clientCertificate.fingerprint256,
      raw: Buffer.from(clientCertificate.raw).toString('base64'),
    },
  }
}

export class FarExchange implements Exchange, Sink {
  readonly method: Exchange['method']
  readonly url: string
  readonly body: string
  readonly headers: Exchange['headers']
  readonly credentials: Exchange['credentials']
  readonly peer: Peer
  readonly clientCertificate: ClientCertificate | undefined
  readonly #id: number
  readonly #write: (answer: Answer) => boolean
  readonly #done: () => void
  #headers: string[] | null = null
  #isBegun = false
  #isOver = false
  #listeners: (() => void)[] = []

  /** `write` sends a line and says whether it could; `done` is called once when the exchange is over, however. */
  constructor(id: number, exchange: CarriedExchange, write: (answer: Answer) => boolean, done: () => void) {
    const { method, url, body, headers, credentials, remoteAddress, certificate } = exchange
    this.method = method
    this.url = url
    this.body = body
    this.headers = headers
    this.credentials = { ...headers, ...credentials }
    this.peer = remoteAddress === undefined ? { transport: 'http' } : { transport: 'http', remoteAddress }
    this.clientCertificate = certificate && {
      fingerprint256: certificate.fingerprint256,
      raw: Buffer.from(certificate.raw, 'base64'),
    }
    this.#id = id
    this.#write = write
    this.#done = done
  }

  get sessionId(): string | undefined {
    return this.headers['mcp-session-id'] as string | undefined
  }

  get protocolVersion(): string | undefined {
    return this.headers['mcp-protocol-version'] as string | undefined
  }

  get lastEventId(): string | undefined {
    return this.headers['last-event-id'] as string | undefined
  }

  get sink(): Sink {
    return this
  }

  get isOpen(): boolean {
    return !this.#isOver
  }

  setHeader(name: string, value: string): void {
    if (this.#isBegun || this.#isOver) return
    this.#headers ??= []
    this.#headers.push(name, value)
  }

  reply(status: number, json?: string): void {
    if (this.#isBegun || this.#isOver) return
    this.#over(['reply', this.#id, this.#taken(), status, json ?? null])
  }

  send(message: string, eventId?: string): boolean {
    return !this.#isOver && this.#write(['send', this.#id, this.#taken(), message, eventId ?? null])
  }

  prime(eventId: string, retryMs?: number): boolean {
    return !this.#isOver && this.#write(['prime', this.#id, this.#taken(), eventId, retryMs ?? null])
  }

  open(): boolean {
    return !this.#isOver && !this.#isBegun && this.#write(['open', this.#id, this.#taken()])
  }

  end(message?: string, eventId?: string): boolean {
    if (this.#isOver) return false
    return this.#over(['end', this.#id, this.#taken(), message ?? null, eventId ?? null])
  }

  onClose(listener: () => void): void {
    if (!this.#isOver) this.#listeners.push(listener)
  }

  /** Whoever served it failed. */
  fail(): void {
    if (!this.#isOver) this.#over(['broken', this.#id])
  }

  /** The client has gone, or the way to it has. */
  gone(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#done()
    const listeners = this.#listeners
    this.#listeners = []
    for (const listener of listeners) listener()
  }

  #over(answer: Answer): boolean {
    this.#isOver = true
    this.#listeners = []
    this.#done()
    return this.#write(answer)
  }

  #taken(): string[] | null {
    const headers = this.#headers
    this.#headers = null
    this.#isBegun = true
    return headers
  }
}
