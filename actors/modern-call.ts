/**
 * A request of the modern era: it belongs to no session, only to the exchange or connection that brought it. This is the record
 * of it while it is in flight, and what its process answers to. It is answered exactly once, whatever becomes of the process;
 * when the client goes away, which over HTTP is how it cancels, the process is ended.
 *
 * Spec: MCP 2026-07-28, basic/patterns/cancellation; basic/transports/streamable-http, receiving messages.
 */
import type { ClientInfo, Principal } from '#features/context'
import { subjectOf } from '#features/dispatch'
import { errorResult } from '#features/tool-result'
import type { Watch } from '#observability/telemetry'
import {
  type CacheHints,
  ErrorCode,
  type ErrorObject,
  encodeError,
  encodeNotification,
  encodeResult,
  encodeResultText,
  httpStatusOf,
  isAtLeast,
  type JsonObject,
  type LogLevel,
  type RequestId,
  type RequestMessage,
  type Revision,
  textOfResult,
  toErrorObject,
} from '#protocol'
import { describeReason, isOrderly, type Ref, type System, type Timer, via } from '#runtime'
import type { Waiting } from '#structures/admission-gate'
import { ModernAsks, type OpenedState, openState } from './modern-asks.ts'
import { taskOf } from './modern-tasks.ts'
import { errorOf, type Refusal, refusalOf } from './overload.ts'
import type { RequestJob } from './request.ts'
import type { Asked, Question, Requester } from './requester.ts'
import type { Services } from './services.ts'

/** Milliseconds after which an answer over HTTP that is still awaited becomes a stream, whose connection is kept alive. */
const STREAM_AFTER_MS = 2_000

/** Where the messages of one request leave. */
export interface Outlet {
  /** Sends a message that is not the answer. */
  send(text: string): void
  /** The answer is long in coming: shows the client that the connection lives, where that can be shown. */
  wait(): void
  /**
   * Sends the answer; `status` counts where there are statuses and nothing was sent before. `farewell` follows it where the answer
   * does not end the channel.
   */
  finish(text: string, status: number, farewell?: string): void
  /** Sends an error that says when to come back. */
  turnAway(text: string, refusal: Refusal): void
  /** Calls `listener` once if the client goes away before the answer. */
  onGone(listener: () => void): void
  /** Tells that the request is over without an answer. */
  giveUp(): void
}

/** What every request says of itself, read once. */
export interface ModernRequest {
  readonly message: RequestMessage
  readonly params: JsonObject
  readonly revision: Revision
  readonly client: ClientInfo
  /** The level from which the client wants log messages; none without it. */
  readonly logLevel: LogLevel | undefined
  readonly auth: Principal | undefined
  /** From when it was let in. */
  watch: Watch
}

export class ModernCall implements Requester, Waiting {
  readonly id: RequestId
  readonly request: ModernRequest
  private readonly services: Services
  private readonly system: System
  private readonly outlet: Outlet
  private readonly timeoutMs: number
  private readonly subject: string
  private readonly isPrelude: boolean
  private asks: ModernAsks | undefined
  private state: OpenedState | undefined
  private timer: Timer | undefined
  private waiting: Timer | undefined
  private ref: Ref | undefined
  private isOver = false
  /** How it stands with the gate: it waits there, begins, waits for something else, or is over. */
  private gate: 'waiting' | 'starting' | 'running' | 'left' = 'waiting'

  /** With `isPrelude` the tool only prepares a task, which is then the answer. */
  constructor(services: Services, system: System, request: ModernRequest, outlet: Outlet, isPrelude = false) {
    this.isPrelude = isPrelude
    this.services = services
    this.system = system
    this.request = request
    this.outlet = outlet
    this.id = request.message.id
    const { method } = request.message
    this.subject = subjectOf(method, request.params).name
    const tool = method === 'tools/call' ? services.catalog.tools.get(this.subject) : undefined
    this.timeoutMs = tool?.timeoutMs ?? services.limits.requestTimeoutMs
  }

  /** Starts the request's process under the shared `requests` supervisor, now or when the gate lets it. */
  start(): void {
    const { services, request } = this
    try {
      this.state = openState(services, this.system, request)
    } catch (error) {
      return this.refuse(toErrorObject(error))
    }
    this.timer = this.system.timers.start(this.timeoutMs, timeOut, this as ModernCall)
    services.calls.add(this.timer.sequence, this)
    const { overload } = services
    if (overload.gate.tryEnter()) {
      this.gate = 'starting'
      return this.launch()
    }
    const excess = overload.gate.wait(this)
    if (excess !== undefined) return this.turnAway(refusalOf(overload, excess, this.system.random))
    this.outlet.onGone(() => this.cancel())
  }

  /** The gate lets it begin. */
  begin(): boolean {
    this.gate = 'starting'
    this.launch()
    return true
  }

  /** The gate has let it wait for too long. */
  shed(): void {
    this.turnAway(refusalOf(this.services.overload, 'queue_slow', this.system.random))
  }

  get isWanted(): boolean {
    return !this.isOver
  }

  private turnAway(refusal: Refusal): void {
    if (!this.end()) return
    this.services.counters.add('requests_refused', 1, refusal.reason)
    this.request.watch.refused({ code: ErrorCode.InternalError })
    this.outlet.turnAway(encodeError(this.id, this.request.revision.encodeError(errorOf(refusal))), refusal)
  }

  private launch(): void {
    const { services, request } = this
    const job: RequestJob = {
      services,
      requester: this,
      client: request.client,
      session: undefined,
      auth: request.auth,
      id: this.id,
      method: request.message.method,
      params: request.params,
      isPrelude: this.isPrelude,
      watch: request.watch,
    }
    if (via(services.names, 'requests').cast('startChild', job) === false)
      this.refuse({ code: ErrorCode.InternalError, message: 'The server cannot start a request now. Try again.' })
  }

  started(ref: Ref): void {
    // Over before it could say its name.
    if (this.isOver) return ref.exit({ shutdown: 'cancelled' })
    this.ref = ref
    this.settleGate()
    this.outlet.onGone(() => this.cancel())
    this.waiting = this.system.timers.start(STREAM_AFTER_MS, wait, this as ModernCall)
    void ref.down.then((reason) => {
      // What it prepared is becoming a task.
      if (this.isPrelude && isOrderly(reason)) return
      const message = `Internal error: the request's process ended (${describeReason(reason)}).`
      this.refuse({ code: ErrorCode.InternalError, message })
    })
  }

  answer(result: JsonObject): void {
    if (this.isPrelude && result['resultType'] === undefined) return this.becomeTask()
    if (!this.end()) return
    this.request.watch.answered(result)
    this.outlet.finish(encodeAnswer(this.services, this.request, result), 200)
  }

  refuse(error: ErrorObject): void {
    if (!this.end()) return
    this.request.watch.refused(error)
    const own = this.request.revision.encodeError(error)
    this.outlet.finish(errorText(this.id, own), httpStatusOf(own))
  }

  /** What had to be asked first was answered. */
  private becomeTask(): void {
    taskOf(this.services, this.request, this.asks?.given ?? this.state?.memory.answers).then(
      (result) => this.answer(result),
      (error) => this.refuse(toErrorObject(error)),
    )
  }

  notify(method: string, params: JsonObject): void {
    if (!this.isOver) this.outlet.send(encodeNotification(method, this.request.revision.encodeParams(method, params)))
  }

  log(level: LogLevel, text: string): void {
    const { logLevel } = this.request
    if (!this.isOver && logLevel !== undefined && isAtLeast(level, logLevel)) this.outlet.send(text)
  }

  ask(question: Question): Promise<Asked> {
    this.asks ??= new ModernAsks(this.services, this.system, this.request, this.state, (result) => {
      if (result instanceof Error) this.refuse(toErrorObject(result))
      else this.answer(result)
      // The handler will run again with the answers.
      this.ref?.exit({ shutdown: 'input_required' })
    })
    return this.asks.ask(question)
  }

  /** Streams of this era cannot be resumed, so none is closed early. */
  closeStream(): void {}

  /** The client wants no answer any more. */
  cancel(): void {
    if (!this.end()) return
    this.services.counters.add('requests_cancelled')
    this.request.watch.cancelled()
    this.ref?.exit({ shutdown: 'cancelled' })
    this.outlet.giveUp()
  }

  /** The server ends it: answered with an error. */
  abandon(why: string): void {
    this.ref?.exit({ shutdown: 'abandoned' })
    this.refuse({ code: ErrorCode.InternalError, message: why })
  }

  /** The answer is still awaited. */
  wait(): void {
    this.outlet.wait()
  }

  /** Out of time. */
  expire(): void {
    const { services, request, subject } = this
    const { method } = request.message
    const message = `${method} "${subject}" took longer than ${this.timeoutMs} ms and was ended.`
    services.counters.add('requests_timed_out', 1, subject)
    request.watch.timedOut()
    services.report({
      type: 'feature_failed',
      kind: subjectOf(method, request.params).kind,
      name: subject,
      session: undefined,
      request: this.id,
      how: 'timeout',
      error: new Error(message),
    })
    if (method === 'tools/call') this.answer(errorResult(message) as unknown as JsonObject)
    else this.refuse({ code: ErrorCode.InternalError, message })
    this.ref?.exit({ shutdown: 'timeout' })
  }

  /** Takes it out of flight; false when it was answered already. */
  private end(): boolean {
    if (this.isOver) return false
    this.isOver = true
    for (const timer of [this.timer, this.waiting]) if (timer !== undefined) this.system.timers.cancel(timer)
    this.asks?.end()
    if (this.timer !== undefined) this.services.calls.delete(this.timer.sequence, this)
    this.settleGate()
    if (this.gate === 'running') this.services.overload.gate.leave()
    this.gate = 'left'
    return true
  }

  /** Its function has answered, or waits for something else: the next may begin. */
  private settleGate(): void {
    if (this.gate !== 'starting') return
    this.gate = 'running'
    this.services.overload.gate.settle()
  }
}

function wait(call: ModernCall): void {
  call.wait()
}

function timeOut(call: ModernCall): void {
  call.expire()
}

const notKept: CacheHints = { ttlMs: 0, cacheScope: 'private' }

/** The answer as the request's revision writes it. */
export function encodeAnswer(services: Services, request: ModernRequest, result: JsonObject): string {
  const { message, revision } = request
  const isList = message.method.endsWith('/list') || message.method === 'server/discover'
  const context = { serverInfo: services.info, cache: isList ? services.cache : notKept }
  try {
    const ready = textOfResult(result)
    return ready === undefined
      ? encodeResult(message.id, revision.encodeResult(message.method, result, context))
      : encodeResultText(message.id, ready)
  } catch (error) {
    return errorText(message.id, revision.encodeError(toErrorObject(error)))
  }
}

/** An error as text, whatever an author put into it. */
export function errorText(id: RequestId, error: ErrorObject): string {
  const code = Number.isInteger(error.code) ? error.code : ErrorCode.InternalError
  try {
    return encodeError(id, { ...error, code })
  } catch {
    return encodeError(id, { code, message: error.message })
  }
}
