/**
 * The requests of a connection that have no answer yet: those that wait to be sent, and those in flight by their id. Each is
 * settled exactly once, with a result or a failure: by its answer, its time, its caller or the loss of its link.
 *
 * Time runs from the moment the request was made, whether it was sent or not. Progress begins it anew, up to a maximum.
 *
 * Spec: MCP 2025-11-25, basic/lifecycle, time-outs; MCP 2026-07-28, basic/patterns/progress and cancellation.
 */
import type { JsonObject, RequestId } from '#protocol'
import type { From, Self, Timer } from '#runtime'
import { IdTable } from '#structures/id-table'
import { NumberTable } from '#structures/number-table'
import type { Failure, FailureCode, Outcome } from './client-services.ts'

/** What `notifications/progress` says. */
export interface Progress {
  readonly progress: number
  readonly total?: number
  readonly message?: string
}

/** A request as the facade gives it to the connection. */
export interface CallJob {
  /** By which it can be cancelled; unique in the client. */
  readonly key: number
  readonly method: string
  readonly params: JsonObject | undefined
  /** Headers for the arguments of a tool; used where there are headers. */
  readonly headers?: Readonly<Record<string, string>>
  /** Milliseconds without progress, and in all. */
  readonly timeoutMs: number
  readonly timeoutMaxMs: number
  /** Whether it may be sent again although the server may have run it. */
  readonly isSafe: boolean
  readonly wantsProgress: boolean
  readonly onProgress?: (progress: Progress) => void
  /** Requests of one batch are held until all of them are there. */
  readonly batch?: number
}

export class Call {
  readonly job: CallJob
  readonly from: From
  /** Its id on the wire, while it is in flight. */
  id: RequestId | undefined
  epoch = 0
  /** How often it could not be sent, and how often its answer was lost. */
  refusals = 0
  losses = 0
  progress = Number.NEGATIVE_INFINITY
  timer: Timer | undefined
  maxTimer: Timer | undefined
  constructor(job: CallJob, from: From) {
    this.job = job
    this.from = from
  }
}

/** A call's time is over, or it is to be sent again. */
export type CallTimer = { readonly type: 'expire' | 'resend'; readonly call: Call }

export class Calls {
  private readonly self: Self<never>
  private readonly max: number
  private readonly byKey = new NumberTable<Call>()
  private readonly inFlight = new IdTable<Call>()
  /** Those to send as soon as the connection operates, oldest first. */
  private readonly waiting = new Set<Call>()

  constructor(self: Self<never>, max: number) {
    this.self = self
    this.max = max
  }

  get size(): number {
    return this.byKey.size
  }

  /** Takes a request in; undefined when there are too many, which is told. */
  open(job: CallJob, from: From): Call | undefined {
    const call = new Call(job, from)
    if (this.byKey.size >= this.max) {
      const message = `${job.method} was not sent: ${this.max} requests are waiting for their answers. Wait for some of them.`
      from.reply({ failure: { code: 'overload', message, mayHaveRun: false } } satisfies Outcome)
      return undefined
    }
    this.byKey.add(job.key, call)
    call.timer = this.self.sendAfter(job.timeoutMs, { type: 'expire', call } satisfies CallTimer)
    if (job.timeoutMaxMs > job.timeoutMs && job.wantsProgress)
      call.maxTimer = this.self.sendAfter(job.timeoutMaxMs, { type: 'expire', call } satisfies CallTimer)
    return call
  }

  wait(call: Call): void {
    call.id = undefined
    this.waiting.add(call)
  }

  /** Those that wait, which they then no longer do. */
  takeWaiting(): Call[] {
    const calls = [...this.waiting]
    this.waiting.clear()
    return calls
  }

  sent(call: Call, id: RequestId, epoch: number): void {
    this.waiting.delete(call)
    call.id = id
    call.epoch = epoch
    this.inFlight.set(id, call)
  }

  byId(id: RequestId): Call | undefined {
    return this.inFlight.get(id)
  }

  ofKey(key: number): Call | undefined {
    return this.byKey.get(key)
  }

  has(call: Call): boolean {
    return this.byKey.get(call.job.key) === call
  }

  /** Those that were sent over the link of that epoch. */
  ofEpoch(epoch: number): Call[] {
    return this.inFlight.values().filter((call) => call.epoch === epoch)
  }

  all(): Call[] {
    return this.byKey.values()
  }

  /** It is in flight no more; what comes for its id is dropped. */
  land(call: Call): void {
    if (call.id !== undefined) this.inFlight.delete(call.id)
    call.id = undefined
  }

  /** The last word. */
  settle(call: Call, outcome: Outcome): void {
    this.land(call)
    this.waiting.delete(call)
    if (!this.has(call)) return
    this.byKey.delete(call.job.key, call)
    for (const timer of [call.timer, call.maxTimer]) if (timer !== undefined) this.self.cancelTimer(timer)
    call.from.reply(outcome)
  }

  fail(call: Call, failure: Failure): void {
    this.settle(call, { failure })
  }

  /** A request without an answer: what its caller is told. */
  give(call: Call, code: FailureCode, why: string, cause?: unknown): void {
    const mayHaveRun = call.id !== undefined || call.losses > 0
    const sent = mayHaveRun ? '' : ' It was not sent.'
    const message = `${call.job.method}: ${why}${sent}`
    this.fail(call, { code, message, mayHaveRun, ...(cause !== undefined && { cause }) })
  }

  /** Progress that goes on begins the time anew. What does not rise is dropped. */
  progressed(call: Call, { progress, total, message }: Progress): void {
    if (!(progress > call.progress)) return
    call.progress = progress
    const { onProgress, timeoutMs } = call.job
    if (call.timer !== undefined) this.self.cancelTimer(call.timer)
    call.timer = this.self.sendAfter(timeoutMs, { type: 'expire', call } satisfies CallTimer)
    onProgress?.({
      progress,
      ...(total !== undefined && { total }),
      ...(message !== undefined && { message }),
    })
  }
}
