/**
 * A request is a call that is sent now and waited for later: `ref.request` returns a handle at once, and what comes of it
 * is looked at when the caller likes. Nothing rejects: an answer, a failure and a time-out are all values. A collection
 * waits for the next response of many. After: OTP gen_server, send_request and its kin.
 *
 *     const handle = counter.request('add', 5)
 *     const response = await handle.wait(100)         // { reply } | { error } | 'timeout'
 *
 *     const requests = createRequests<string, number>()
 *     for (const [name, ref] of counters) requests.add(ref.request('get'), name)
 *     while (requests.size > 0) console.log(await requests.receive(1_000))
 */
import { Envelope, kinds, Reply } from './envelope.ts'
import type { CallError } from './errors.ts'
import type { Process } from './process.ts'
import type { Timers } from './timers.ts'

/** What a request comes to: the server's reply, or why there is none (a `CallError` unless the server's kind has its own). */
export type Response<T> = { readonly reply: T } | { readonly error: Error }

/** A request on its way, or its response. */
export interface RequestHandle<T = unknown> {
  /** Resolves to the response, or to 'timeout' after `ms` milliseconds (`Infinity`: never); it may then be waited for again. */
  wait(ms: number): Promise<Response<T> | 'timeout'>
  /** As `wait`, but a time-out abandons the request: a late reply is dropped. */
  receive(ms: number): Promise<Response<T> | 'timeout'>
  /** The response if it is there. */
  check(): Response<T> | 'no_reply'
  /** Lets go of the request: its reply is dropped when it comes, and waiting for it resolves to 'timeout' at once. */
  abandon(): void
}

/** A response from a collection, with the label its request was added under. */
export type LabelledResponse<L, T> = Response<T> & { readonly label: L }

/** Requests whose responses are taken one after another, in the order in which they come. */
export interface Requests<L = unknown, T = unknown> {
  /** Requests whose responses were not taken yet. */
  readonly size: number
  /** Adds a request. Throws a `TypeError` for what no `ref.request` made. Returns the handle. */
  add(handle: RequestHandle<T>, label: L): RequestHandle<T>
  /**
   * Takes the next response out; 'timeout' after `ms` milliseconds, when the requests stay and may be waited for again;
   * 'no_request' when there is none.
   */
  wait(ms: number): Promise<LabelledResponse<L, T> | 'timeout' | 'no_request'>
  /** As `wait`, but a time-out abandons every request left. */
  receive(ms: number): Promise<LabelledResponse<L, T> | 'timeout' | 'no_request'>
  /** Takes the next response out if one is there. */
  check(): LabelledResponse<L, T> | 'no_reply' | 'no_request'
}

function checkDelay(what: string, ms: number): void {
  if (typeof ms !== 'number' || !(ms >= 0))
    throw new TypeError(`${what}: milliseconds must be a number >= 0 or Infinity, got ${String(ms)}.`)
}

/** Resolves to true when `subscribe` calls back within `ms`, to false after that. */
function within(timers: Timers, ms: number, subscribe: (done: () => void) => () => void): Promise<boolean> {
  return new Promise((resolve) => {
    const timer = ms === Number.POSITIVE_INFINITY ? null : timers.start(ms, () => conclude(false))
    const unsubscribe = subscribe(() => conclude(true))
    const conclude = (isDone: boolean): void => {
      unsubscribe()
      if (timer !== null) timers.cancel(timer)
      resolve(isDone)
    }
  })
}

/** The class behind `RequestHandle`. */
export class Request implements RequestHandle {
  private readonly reply: Reply | null
  readonly timers: Timers | null
  private response: Response<unknown> | null = null
  private isAbandoned = false
  private readonly listeners = new Set<() => void>()

  /** Sends a request to `server`; without one it has failed with `error`. */
  constructor(server: Process | null, op: string, arg: unknown, error: () => CallError) {
    this.timers = server?.system.timers ?? null
    if (server === null) {
      this.reply = null
      this.response = { error: error() }
      return
    }
    this.reply = new Reply(
      server,
      op,
      (reply) => this.settle({ reply }),
      (fault) => this.settle({ error: fault }),
    )
    server.addReply(this.reply)
    server.deliver(new Envelope(kinds.call, op, arg, this.reply))
  }

  /** Whether nothing more will come of it. */
  get isOver(): boolean {
    return this.response !== null || this.isAbandoned
  }

  async wait(ms: number): Promise<Response<unknown> | 'timeout'> {
    checkDelay('wait', ms)
    if (!this.isOver && ms > 0 && this.timers !== null) await within(this.timers, ms, (done) => this.listen(done))
    return this.response ?? 'timeout'
  }

  async receive(ms: number): Promise<Response<unknown> | 'timeout'> {
    const response = await this.wait(ms)
    if (response === 'timeout') this.abandon()
    return response
  }

  check(): Response<unknown> | 'no_reply' {
    return this.response ?? 'no_reply'
  }

  abandon(): void {
    if (this.isOver) return
    this.isAbandoned = true
    this.reply?.abandon()
    this.tell()
  }

  /** Calls `listener` when it is over; returns what takes that back. */
  listen(listener: () => void): () => void {
    this.listeners.add(listener)
    return () => this.listeners.delete(listener)
  }

  private settle(response: Response<unknown>): void {
    this.response = response
    this.tell()
  }

  private tell(): void {
    for (const listener of [...this.listeners]) listener()
    this.listeners.clear()
  }
}

/** Creates an empty collection of requests; `L` is the type of its labels, `T` that of the replies. */
export function createRequests<L = unknown, T = unknown>(): Requests<L, T> {
  return new Collection<L, T>()
}

class Collection<L, T> implements Requests<L, T> {
  private readonly open = new Map<Request, L>()
  private readonly ready: LabelledResponse<L, T>[] = []
  private readonly listeners = new Set<() => void>()

  get size(): number {
    return this.open.size + this.ready.length
  }

  add(handle: RequestHandle<T>, label: L): RequestHandle<T> {
    if (!(handle instanceof Request)) {
      throw new TypeError(`requests.add: a handle that ref.request returned is needed, got ${String(handle)}.`)
    }
    const request: Request = handle
    if (request.isOver) this.close(request, label)
    else if (!this.open.has(request)) {
      this.open.set(request, label)
      request.listen(() => {
        this.open.delete(request)
        this.close(request, label)
      })
    }
    return handle
  }

  async wait(ms: number): Promise<LabelledResponse<L, T> | 'timeout' | 'no_request'> {
    checkDelay('wait', ms)
    const [first] = this.open.keys()
    if (this.ready.length === 0 && ms > 0 && first !== undefined && first.timers !== null) {
      await within(first.timers, ms, (done) => {
        this.listeners.add(done)
        return () => this.listeners.delete(done)
      })
    }
    const found = this.check()
    return found === 'no_reply' ? 'timeout' : found
  }

  async receive(ms: number): Promise<LabelledResponse<L, T> | 'timeout' | 'no_request'> {
    const response = await this.wait(ms)
    if (response === 'timeout') for (const request of [...this.open.keys()]) request.abandon()
    return response
  }

  check(): LabelledResponse<L, T> | 'no_reply' | 'no_request' {
    return this.ready.shift() ?? (this.open.size > 0 ? 'no_reply' : 'no_request')
  }

  /** A request is over: its response waits to be taken; one that was abandoned has none. */
  private close(request: Request, label: L): void {
    const response = request.check()
    // The handle that was added says that its replies are of type T.
    if (response !== 'no_reply') this.ready.push({ ...(response as Response<T>), label })
    if (response !== 'no_reply' || this.size === 0) for (const listener of [...this.listeners]) listener()
  }
}
