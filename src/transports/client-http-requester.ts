/**
 * HTTP requests of one client to one origin, over connections that are kept: authorization, redirects, and nothing of MCP.
 *
 * A run is one request with all that it takes to get an answer that counts: a 401 or 403 is put to the authorizer, which may
 * have it sent again, and a redirect within the origin is followed. Redirects to another origin are not: they would carry the
 * message, and what authorizes it, to a server that nobody named. Its listener is told the answer piece by piece, never within
 * the call that began the run.
 *
 * Sources: RFC 9110, 15.4 (redirection), 15.5 (client errors); MCP 2025-11-25, basic/authorization.
 */
import { type Dispatcher, errors, Pool } from 'undici'
import { AuthorizationError } from './client-failures.ts'
import type { HttpClientSettings } from './client-http-options.ts'

/** Requests of one run that authorization may have sent again. */
const CHALLENGES_MAX = 3
const REDIRECTS_MAX = 3
/** Bytes of an answer's body that are read when only its status and headers matter. */
const IGNORED_BODY_BYTES_MAX = 65_536

export type AnswerHeaders = Readonly<Record<string, string | string[] | undefined>>

/** Receives the answer to one request: `head`, `data` any number of times, then `end`; `failed` may come instead at any point. */
export interface HttpRunListener {
  head(status: number, headers: AnswerHeaders): void
  data(chunk: Buffer): void
  end(): void
  /** There is no answer, or only half of one. `wasStarted`: bytes of the request may have left. */
  failed(error: unknown, wasStarted: boolean): void
}

export class HttpRequester {
  readonly settings: HttpClientSettings
  /** The address that requests go to. */
  readonly url: URL
  readonly origin: string
  readonly headers: readonly string[]
  path: string
  readonly dispatcher: Dispatcher
  readonly #pool: Pool | undefined

  constructor(settings: HttpClientSettings) {
    this.settings = settings
    this.url = settings.url
    this.origin = settings.url.origin
    this.path = settings.url.pathname + settings.url.search
    this.headers = Object.entries(settings.headers).flatMap(([name, value]) => [name.toLowerCase(), value])
    if (settings.dispatcher !== undefined) this.dispatcher = settings.dispatcher
    else {
      // Answers take as long as their makers like: whoever asked sets the bound.
      this.#pool = new Pool(this.origin, {
        headersTimeout: 0,
        bodyTimeout: 0,
        connect: { ...settings.tls, timeout: settings.connectTimeoutMs },
      })
      this.dispatcher = this.#pool
    }
  }

  /** Sends a request to the endpoint. `headers`: names in lower case and values in turn, beside those of the options. */
  start(
    method: 'GET' | 'POST' | 'DELETE',
    headers: readonly string[],
    body: string | undefined,
    listener: HttpRunListener,
  ): HttpRun {
    const run = new HttpRun(this, method, this.path, headers, body, listener)
    run.begin()
    return run
  }

  /** Closes the connections and resolves when they are gone. A dispatcher that was given stays as it is. */
  async close(): Promise<void> {
    await this.#pool?.destroy()
  }
}

/** What the answer that is coming in means to the run. */
type Phase = 'waiting' | 'passing' | 'challenged' | 'redirected' | 'over'

export class HttpRun implements Dispatcher.DispatchHandler {
  readonly #requester: HttpRequester
  readonly #method: 'GET' | 'POST' | 'DELETE'
  readonly #headers: readonly string[]
  readonly #body: string | undefined
  readonly #listener: HttpRunListener
  #path: string
  #controller: Dispatcher.DispatchController | undefined
  #phase: Phase = 'waiting'
  #isDispatching = false
  /** What the authorizer gave for the last try. */
  #sent: Readonly<Record<string, string>> = {}
  #challenges = 0
  #redirects = 0
  /** The answer that was put aside, and the bytes of its body. */
  #status = 0
  #answerHeaders: AnswerHeaders = {}
  #ignored: Buffer[] = []
  #ignoredBytes = 0

  constructor(
    requester: HttpRequester,
    method: 'GET' | 'POST' | 'DELETE',
    path: string,
    headers: readonly string[],
    body: string | undefined,
    listener: HttpRunListener,
  ) {
    this.#requester = requester
    this.#method = method
    this.#path = path
    this.#headers = headers
    this.#body = body
    this.#listener = listener
  }

  /** Whether bytes of the request may have left. */
  get wasStarted(): boolean {
    return this.#controller !== undefined
  }

  begin(): void {
    const { authorizer } = this.#requester.settings
    const { headers } = this.#requester
    if (authorizer === undefined) this.#dispatch(headers.length === 0 ? this.#headers : [...headers, ...this.#headers])
    else void this.#authorize(authorizer)
  }

  /** Gives the answer up: the listener hears no more, and the connection is closed if the request is on it. */
  abort(): void {
    if (this.#phase === 'over') return
    this.#phase = 'over'
    this.#controller?.abort(new errors.RequestAbortedError())
  }

  async #authorize(authorizer: NonNullable<HttpClientSettings['authorizer']>): Promise<void> {
    let added: Readonly<Record<string, string>>
    try {
      added = await authorizer.headers({ method: this.#method, url: this.#address })
    } catch (cause) {
      this.#fail(new AuthorizationError('no authorization could be had for this request', { cause }), false)
      return
    }
    if (this.#phase === 'over') return
    this.#sent = added
    const { headers } = this.#requester
    const names = new Set(Object.keys(added).map((name) => name.toLowerCase()))
    const kept = headers.filter((_, index) => !names.has(headers[index - (index % 2)] ?? ''))
    this.#dispatch([...kept, ...this.#headers, ...Object.entries(added).flat()])
  }

  #dispatch(headers: readonly string[]): void {
    this.#controller = undefined
    this.#isDispatching = true
    const { origin, dispatcher } = this.#requester
    const options = {
      origin,
      path: this.#path,
      method: this.#method,
      headers: headers as string[],
      body: this.#body ?? null,
    }
    try {
      dispatcher.dispatch(options, this)
    } catch (error) {
      this.#fail(error, false)
    }
    this.#isDispatching = false
  }

  get #address(): string {
    return this.#requester.origin + this.#path
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller
    if (this.#phase === 'over') controller.abort(new errors.RequestAbortedError())
  }

  onResponseStart(_controller: Dispatcher.DispatchController, status: number, headers: AnswerHeaders): void {
    if (status < 200 || this.#phase === 'over') return
    if (this.#isToBeSeen(status, headers)) {
      this.#phase = 'passing'
      this.#listener.head(status, headers)
    } else {
      this.#status = status
      this.#answerHeaders = headers
      this.#ignored = []
      this.#ignoredBytes = 0
    }
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#phase === 'passing') this.#listener.data(chunk)
    else if (this.#phase !== 'over') {
      this.#ignoredBytes += chunk.length
      if (this.#ignoredBytes <= IGNORED_BODY_BYTES_MAX) this.#ignored.push(chunk)
      else controller.abort(new errors.RequestAbortedError())
    }
  }

  onResponseEnd(): void {
    if (this.#phase === 'passing') {
      this.#phase = 'over'
      this.#listener.end()
    } else if (this.#phase !== 'over') this.#afterRefusal()
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    if (this.#phase === 'over') return
    // The status and headers of a refusal are enough to go by.
    if (this.#phase === 'challenged' || this.#phase === 'redirected') this.#afterRefusal()
    else this.#fail(error, this.wasStarted)
  }

  /** False for an answer that may be followed by another try; the phase then says why. */
  #isToBeSeen(status: number, { location }: AnswerHeaders): boolean {
    if (status === 401 || status === 403) {
      if (this.#requester.settings.authorizer === undefined || this.#challenges >= CHALLENGES_MAX) return true
      this.#challenges += 1
      this.#phase = 'challenged'
      return false
    }
    // 301, 302 and 303 turn a POST into a GET, by the habit of browsers: they are no way to deliver a message.
    const isRedirect = status === 307 || status === 308 || (this.#method === 'GET' && status >= 301 && status <= 303)
    if (!isRedirect || typeof location !== 'string' || this.#redirects >= REDIRECTS_MAX) return true
    const target = URL.canParse(location, this.#address) ? new URL(location, this.#address) : undefined
    if (target?.origin !== this.#requester.origin) return true
    this.#redirects += 1
    this.#phase = 'redirected'
    this.#path = target.pathname + target.search
    // A permanent one holds for what comes after too.
    if (status === 308) this.#requester.path = this.#path
    return false
  }

  #afterRefusal(): void {
    const wasChallenged = this.#phase === 'challenged'
    this.#phase = 'waiting'
    if (wasChallenged) void this.#challenge()
    else this.begin()
  }

  async #challenge(): Promise<void> {
    let isToBeTried: boolean | undefined
    let failure: AuthorizationError | undefined
    try {
      isToBeTried = await this.#requester.settings.authorizer?.challenged({
        status: this.#status,
        url: this.#address,
        headers: headersOf(this.#answerHeaders),
        sent: this.#sent,
      })
    } catch (cause) {
      failure = new AuthorizationError(`the server answered ${this.#status}, and authorization failed`, { cause })
    }
    // Aborted while the authorizer was at it.
    if ((this.#phase as Phase) === 'over') return
    if (failure !== undefined) this.#fail(failure, false)
    else if (isToBeTried === true) this.begin()
    else this.#showRefusal()
  }

  /** Hands over the refusal that was put aside. */
  #showRefusal(): void {
    const chunks = this.#ignored
    this.#ignored = []
    this.#phase = 'passing'
    this.#listener.head(this.#status, this.#answerHeaders)
    for (const chunk of chunks) if (!this.#isOver) this.#listener.data(chunk)
    if (this.#isOver) return
    this.#phase = 'over'
    this.#listener.end()
  }

  // A listener may abort the run while it is told something.
  get #isOver(): boolean {
    return this.#phase === 'over'
  }

  #fail(error: unknown, wasStarted: boolean): void {
    if (this.#isOver) return
    this.#phase = 'over'
    if (this.#isDispatching) queueMicrotask(() => this.#listener.failed(error, wasStarted))
    else this.#listener.failed(error, wasStarted)
  }
}

function headersOf(answerHeaders: AnswerHeaders): Headers {
  const headers = new Headers()
  for (const [name, value] of Object.entries(answerHeaders)) {
    if (typeof value === 'string') headers.append(name, value)
    else for (const one of value ?? []) headers.append(name, one)
  }
  return headers
}
