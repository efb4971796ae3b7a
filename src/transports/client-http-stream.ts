/**
 * A stream of events that goes on over several HTTP connections.
 *
 * The first connection is the answer to a POST, or a GET; each further one is a GET that names the last event that came. What
 * is sent twice around a break is dropped by its event id. The wait before a connection is the one that the server asked for
 * (`retry`); without one, and when connections fail, it grows to a bound.
 *
 * Spec: MCP 2025-11-25, basic/transports, resumability and redelivery.
 */
import { connectionFailure, invalidFailure, retryAfterOf, statusFailure } from './client-failures.ts'
import type { AnswerHeaders, HttpRun, HttpRunListener } from './client-http-requester.ts'
import { isEventStream, type StreamHost, textOf } from './client-http-shared.ts'
import type { LinkFailure } from './client-port.ts'
import { SseReader } from './sse-reader.ts'

/** Ids of events that are remembered, per stream, to know the ones that come twice. */
const RECENT_IDS_MAX = 1_000
/** How much the wait grows with each failure. */
const DELAY_GROWTH = 1.5
/** Bytes of a refusal that are read. */
const REFUSAL_BYTES_MAX = 65_536

export interface StreamOwner {
  /** Nothing more is needed from the stream: when its connection ends it is not taken up again. */
  readonly isDone: boolean
  /** Whether it may be taken up without the id of an event to start after. */
  readonly startsAnew: boolean
  /** One message of the server. */
  received(text: string): void
  /** A message that was longer than the bound was skipped. */
  oversized(): void
  /** A connection failed, for the `failures`-th time in a row. False: no further tries. */
  failing(failures: number): boolean
  /** The stream will not go on. */
  over(failure: LinkFailure): void
}

export class HttpEventStream implements HttpRunListener {
  readonly #host: StreamHost
  readonly #owner: StreamOwner
  readonly #what: string
  #reader: SseReader
  #run: HttpRun | undefined
  #timer: unknown
  /** Recent event ids; kept only where there are any. */
  #recent: Set<string> | undefined
  /** True while events may be repetitions of those before a break. */
  #isResumed = false
  /** Failures in a row. */
  #failures = 0
  /** Connections in a row that brought nothing. */
  #emptyConnections = 0
  #hadEvent = false
  #isStopped = false
  /** Set while the body of a refusal is read. */
  #refusal: { readonly status: number; readonly headers: AnswerHeaders; chunks: Buffer[]; bytes: number } | undefined

  constructor(host: StreamHost, owner: StreamOwner, what: string) {
    this.#host = host
    this.#owner = owner
    this.#what = what
    this.#reader = this.#newReader('')
  }

  /** Reads bytes of the connection that is open. */
  data(chunk: Buffer): void {
    const refusal = this.#refusal
    if (refusal === undefined) this.#reader.push(chunk)
    else if (refusal.bytes < REFUSAL_BYTES_MAX) {
      refusal.bytes += chunk.length
      refusal.chunks.push(chunk)
    } else {
      this.#run?.abort()
      this.#refused()
    }
  }

  /** The connection that was open has ended. */
  end(): void {
    if (this.#refusal !== undefined) this.#refused()
    else this.#broke(undefined, true)
  }

  failed(error: unknown, wasStarted: boolean): void {
    if (this.#refusal !== undefined) this.#refused()
    else this.#broke(error, wasStarted)
  }

  /** Opens the next connection now. */
  connect(): void {
    this.#reader = this.#newReader(this.#reader.lastEventId)
    this.#isResumed = this.#recent !== undefined
    this.#hadEvent = false
    this.#run = this.#host.openStream(this.#reader.lastEventId, this)
  }

  /** Ends it, telling nobody. */
  stop(): void {
    if (this.#isStopped) return
    this.#isStopped = true
    this.#reader.stop()
    this.#host.settings.clock.clearTimer(this.#timer)
    this.#run?.abort()
  }

  head(status: number, headers: AnswerHeaders): void {
    if (status === 200 && isEventStream(headers)) this.#failures = 0
    else this.#refusal = { status, headers, chunks: [], bytes: 0 }
  }

  #newReader(lastEventId: string): SseReader {
    const retryMs = this.#reader?.retryMs
    const reader = new SseReader(
      this.#host.settings.maxMessageBytes,
      { event: (data, type, id) => this.#event(data, type, id), oversized: () => this.#owner.oversized() },
      lastEventId,
    )
    reader.retryMs = retryMs
    return reader
  }

  #event(data: string, type: string, id: string | undefined): void {
    this.#hadEvent = true
    if (id !== undefined && id !== '' && !this.#isNew(id)) return
    if (data !== '' && type === 'message') this.#owner.received(data)
  }

  /** False for the id of an event that came before a break. */
  #isNew(id: string): boolean {
    this.#recent ??= new Set()
    if (this.#recent.has(id)) return !this.#isResumed
    if (this.#recent.size >= RECENT_IDS_MAX) {
      for (const oldest of this.#recent) {
        this.#recent.delete(oldest)
        break
      }
    }
    this.#recent.add(id)
    return true
  }

  #broke(error: unknown, wasStarted: boolean): void {
    if (this.#isStopped) return
    if (this.#owner.isDone) {
      this.stop()
      return
    }
    const { lastEventId } = this.#reader
    const mayGoOn = this.#owner.startsAnew || (lastEventId !== '' && this.#host.sessionId !== undefined)
    // What a stream brought counts as its success, however it ended.
    if (error !== undefined && !this.#hadEvent) this.#failures += 1
    this.#emptyConnections = this.#hadEvent ? 0 : this.#emptyConnections + 1
    if (!mayGoOn || (this.#failures > 0 && !this.#owner.failing(this.#failures))) {
      this.stop()
      const reason = error ?? 'the stream ended'
      // The request itself had been sent, whatever became of the tries to take its answer up again.
      this.#owner.over({ ...connectionFailure(this.#what, reason, wasStarted), kind: 'broken', mayHaveRun: true })
    } else this.#connectLater(0)
  }

  #refused(): void {
    const { status, headers, chunks } = this.#refusal!
    this.#refusal = undefined
    if (this.#isStopped) return
    if (status === 404 && this.#host.sessionId !== undefined) {
      this.#host.sessionLost(this.#what)
      return
    }
    const { clock } = this.#host.settings
    const retryAfterMs = retryAfterOf(headers['retry-after'], clock.wallNow())
    this.#failures += 1
    this.#emptyConnections += 1
    if ((status === 429 || status >= 500) && this.#owner.failing(this.#failures)) {
      this.#connectLater(retryAfterMs ?? 0)
      return
    }
    this.stop()
    this.#owner.over(
      status === 200
        ? invalidFailure(this.#what, `expected text/event-stream, got ${String(headers['content-type'])}.`)
        : { ...statusFailure(this.#what, status, textOf(chunks), retryAfterMs), mayHaveRun: true },
    )
  }

  #connectLater(atLeastMs: number): void {
    const { clock, random, reconnectDelayMs, maxReconnectDelayMs } = this.#host.settings
    const { retryMs } = this.#reader
    // A server that says when to come is not disturbed earlier, nor, as long as it answers, later.
    const steps = retryMs === undefined ? Math.max(this.#failures, this.#emptyConnections) : this.#failures
    const grown = Math.min((retryMs ?? reconnectDelayMs) * DELAY_GROWTH ** Math.max(steps - 1, 0), maxReconnectDelayMs)
    // Clients that lost their server together do not come back together.
    const spread = steps > 1 || retryMs === undefined ? grown * (1 + random.next() / 2) : grown
    this.#timer = clock.setTimer(() => this.connect(), Math.max(spread, retryMs ?? 0, atLeastMs))
  }
}
