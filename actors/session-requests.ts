/**
 * The requests of a session that run an author's code: started, watched, timed, and answered exactly once, whatever becomes of
 * their processes.
 */
import type { Principal } from '#features/context'
import { subjectOf } from '#features/dispatch'
import { errorResult } from '#features/tool-result'
import type { Watch } from '#observability/telemetry'
import {
  ErrorCode,
  type ErrorObject,
  encodeError,
  encodeResult,
  encodeResultText,
  type JsonObject,
  type RequestId,
  textOfResult,
  toErrorObject,
} from '#protocol'
import { describeReason, type ExitReason, type Ref, type Self, SupervisorError } from '#runtime'
import type { Waiting } from '#structures/admission-gate'
import { IdTable } from '#structures/id-table'
import { onceDurable } from './durable.ts'
import { isFreeing, type Refusal, refusalOf, sessionIsFull } from './overload.ts'
import type { RequestJob } from './request.ts'
import { sessionRequester } from './requester.ts'
import type { Session } from './session.ts'
import { type InFlight, infoOf, noRequests, type State, startTimer, stopTimer } from './session-state.ts'
import type { ReplyStream } from './session-streams.ts'

/** Milliseconds after which an answer over HTTP that is still awaited becomes a stream that can be resumed. */
const STREAM_AFTER_MS = 2_000

export function startRequest(
  state: State,
  id: RequestId,
  method: string,
  params: JsonObject,
  stream: ReplyStream,
  auth: Principal | undefined,
  watch: Watch,
  self: Self<State>,
): void {
  const { services } = state.arg
  const { limits } = services
  if (state.inFlight.size >= limits.requestsMax) {
    watch.refused({ code: ErrorCode.InternalError })
    const full = sessionIsFull(state.inFlight.size, 'session', state.arg.system.random)
    return refuseFor(state, stream, id, full)
  }
  const { overload } = services
  const { gate } = overload
  const isFree = isFreeing(method)
  const isBegun = isFree || gate.tryEnter()
  if (isFree) gate.enterAnyway()
  const { name } = subjectOf(method, params)
  const ownMs = method === 'tools/call' ? services.catalog.tools.get(name)?.timeoutMs : undefined
  // A task has a time of its own, and who waits for it waits as long.
  const timeoutMs = method === 'tasks/result' ? Number.POSITIVE_INFINITY : (ownMs ?? limits.requestTimeoutMs)
  if (state.inFlight === noRequests) state.inFlight = new IdTable()
  const entry: InFlight = {
    id,
    method,
    subject: name,
    stream,
    startedAt: state.lastActiveAt,
    timeoutMs,
    watch,
    timer: undefined,
    ref: null,
    monitor: 0,
    gate: isBegun ? 'starting' : 'waiting',
  }
  startTimer(entry, self)
  const info = infoOf(state)
  const job: RequestJob = {
    services,
    requester: sessionRequester(self.ref as Ref<typeof Session>, id),
    client: info,
    session: info,
    auth,
    id,
    method,
    params,
    watch,
  }
  if (!isBegun) {
    const excess = gate.wait(new WaitingCall(entry, job, self))
    if (excess !== undefined) {
      stopTimer(entry, self.system)
      watch.refused({ code: ErrorCode.InternalError })
      return refuseFor(state, stream, id, refusalOf(overload, excess, state.arg.system.random))
    }
  }
  state.inFlight.set(id, entry)
  if (isBegun) launch(state, job, self)
}

/** Hands a request to the supervisor that starts its process, or to those that wait for this supervisor. */
function launch(state: State, job: RequestJob, self: Self<State>): void {
  if (state.requests !== null) begin(state, job, self)
  else if (state.waiting !== null) state.waiting.push(job)
  else {
    state.waiting = [job]
    prepare(state, self)
  }
}

/** A request at the gate. What the gate says comes to its session as a message, since it is said in somebody else's turn. */
class WaitingCall implements Waiting {
  private readonly entry: InFlight
  private readonly job: RequestJob
  private readonly ref: Ref<typeof Session>

  constructor(entry: InFlight, job: RequestJob, self: Self<State>) {
    this.entry = entry
    this.job = job
    this.ref = self.ref as Ref<typeof Session>
  }

  get isWanted(): boolean {
    return this.entry.gate === 'waiting'
  }

  begin(): boolean {
    // From now on whoever takes the entry out of flight gives its place back, the session that comes after a crash too.
    this.entry.gate = 'starting'
    if (this.ref.cast('turn', { entry: this.entry, job: this.job }) !== false) return true
    this.entry.gate = 'left'
    return false
  }

  shed(): void {
    this.ref.cast('shed', this.entry.id)
  }
}

/** The gate lets a request begin; by now it may be over. */
export function turn(state: State, entry: InFlight, job: RequestJob, self: Self<State>): void {
  if (state.inFlight.get(job.id) === entry) launch(state, job, self)
}

/** The gate has let a request wait for too long. */
export function shed(state: State, id: RequestId, self: Self<State>): void {
  const entry = take(state, id, self)
  if (entry === undefined) return
  entry.watch.refused({ code: ErrorCode.InternalError })
  refuseFor(state, entry.stream, id, refusalOf(state.arg.services.overload, 'queue_slow', state.arg.system.random))
  settled(state, self)
}

function refuseFor(state: State, stream: ReplyStream, id: RequestId, refusal: Refusal): void {
  state.arg.services.counters.add('requests_refused', 1, refusal.reason)
  state.streams.refuse(stream, id, refusal)
}

/** A request's function waits for something else: the next may begin. */
export function settleGate({ arg }: State, entry: InFlight): void {
  if (entry.gate !== 'starting') return
  entry.gate = 'running'
  arg.services.overload.gate.settle()
}

/** A request is over: its place at the gate is free. */
function leaveGate(state: State, entry: InFlight): void {
  settleGate(state, entry)
  const { gate } = entry
  entry.gate = 'left'
  if (gate === 'starting' || gate === 'running') state.arg.services.overload.gate.leave()
}

function begin(state: State, job: RequestJob, self: Self<State>): void {
  if (state.requests === null || state.requests.cast('startChild', job) === false) unstartable(state, job.id, self)
}

/** Has the supervisor of this session's requests started: a session that never asks for anything does without. */
function prepare(state: State, self: Self<State>): void {
  const { tree, requests } = state.arg.debts
  const { ref } = self
  const note = (supervisor: unknown): void => void ref.send({ type: 'requests', ref: supervisor })
  if (tree === undefined || requests === undefined) return note(undefined)
  tree.call('startChild', requests, { timeout: Number.POSITIVE_INFINITY }).then(note, (error: unknown) =>
    // An earlier incarnation had it started.
    note(error instanceof SupervisorError && error.code === 'already_started' ? error.detail : undefined),
  )
}

/** The supervisor of this session's requests is there, or undefined when it cannot be. */
export function prepared(state: State, supervisor: Ref | undefined, self: Self<State>): void {
  state.requests = supervisor ?? null
  const waiting = state.waiting ?? []
  state.waiting = null
  for (const job of waiting) if (state.inFlight.has(job.id)) begin(state, job, self)
}

function unstartable(state: State, id: RequestId, self: Self<State>): void {
  const entry = take(state, id, self)
  if (entry === undefined) return
  entry.watch.refused({ code: ErrorCode.InternalError })
  const error = { code: ErrorCode.InternalError, message: 'The session cannot start a request now. Send it again.' }
  state.streams.answer(entry.stream, encodeError(id, error))
  settled(state, self)
}

/** Takes a request out of flight: its timer, its monitor and its questions go. */
export function take(state: State, id: RequestId, self: Self<State>): InFlight | undefined {
  const entry = state.inFlight.get(id)
  if (entry === undefined) return undefined
  state.inFlight.delete(id)
  leaveGate(state, entry)
  stopTimer(entry, self.system)
  if (entry.monitor !== 0) self.demonitor(entry.monitor)
  if (state.asks !== null) for (const text of state.asks.dropOf(id, self)) state.streams.send(entry.stream, text)
  state.lastActiveAt = self.now()
  return entry
}

/** A request left: whoever waits for quiet is told. */
export function settled(state: State, self: Self<State>): void {
  if (state.inFlight.size > 0) return
  // What was answered must have left before the listeners close.
  for (const from of state.quiescent?.splice(0) ?? []) {
    const tell = (): void => void from.reply(true)
    onceDurable(state.arg.services.records, tell, tell)
  }
  if (state.isLeaving) self.stop()
}

export function timeOut(state: State, id: RequestId, self: Self<State>): void {
  const entry = take(state, id, self)
  if (entry === undefined) return
  const { services } = state.arg
  const { kind, name } = {
    ...subjectOf(entry.method, { name: entry.subject, uri: entry.subject, ref: {} }),
    name: entry.subject,
  }
  const message = `${entry.method} "${name}" took longer than ${entry.timeoutMs} ms and was ended.`
  entry.watch.timedOut()
  entry.ref?.exit({ shutdown: 'timeout' })
  services.counters.add('requests_timed_out', 1, name)
  services.report({
    type: 'feature_failed',
    kind,
    name,
    session: state.arg.id,
    request: id,
    how: 'timeout',
    error: new Error(message),
  })
  if (entry.method === 'tools/call')
    reply(state, entry.stream, id, entry.method, errorResult(message) as unknown as JsonObject)
  else state.streams.answer(entry.stream, encodeError(id, { code: ErrorCode.InternalError, message }))
  settled(state, self)
}

/** A request's process ended without an answer. */
export function lost(state: State, entry: InFlight, reason: ExitReason, self: Self<State>): void {
  take(state, entry.id, self)
  entry.watch.refused({ code: ErrorCode.InternalError })
  const cause = describeReason(reason)
  state.streams.answer(
    entry.stream,
    encodeError(entry.id, {
      code: ErrorCode.InternalError,
      message: `Internal error: the request's process ended (${cause}).`,
    }),
  )
  settled(state, self)
}

export function abandonAll(state: State, self: Self<State>, why: string): void {
  for (const entry of state.inFlight.values()) {
    take(state, entry.id, self)
    entry.watch.refused({ code: ErrorCode.InternalError })
    entry.ref?.exit({ shutdown: 'abandoned' })
    state.streams.answer(entry.stream, encodeError(entry.id, { code: ErrorCode.InternalError, message: why }))
  }
  settled(state, self)
}

/** Answers what is in flight on behalf of an incarnation that has ended, and closes its streams. */
export function settleAll(state: State, why: string): void {
  if (state.idleTimer !== undefined) state.arg.system.timers.cancel(state.idleTimer)
  for (const entry of state.inFlight.values()) {
    const { id, stream, ref } = entry
    stopTimer(entry, state.arg.system)
    leaveGate(state, entry)
    entry.watch.refused({ code: ErrorCode.InternalError })
    ref?.exit({ shutdown: 'abandoned' })
    state.streams.answer(stream, encodeError(id, { code: ErrorCode.InternalError, message: why }))
  }
  if (state.inFlight !== noRequests) state.inFlight.clear()
  state.streams.endAll()
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

/** Answers with a result; `isBinding` when it promises what is written in the session's record. */
export function reply(
  state: State,
  stream: ReplyStream,
  id: RequestId,
  method: string,
  result: JsonObject,
  isBinding = false,
): void {
  let text: string
  try {
    const ready = textOfResult(result)
    text =
      ready === undefined ? encodeResult(id, state.revision.encodeResult(method, result)) : encodeResultText(id, ready)
  } catch (error) {
    text = encodeError(id, toErrorObject(error))
  }
  state.streams.answer(stream, text, isBinding)
}

/** Looks, while requests are in flight, for answers that have become long in coming. */
export function sweepLater(state: State, self: Self<State>): void {
  if (state.isSweeping || state.arg.connection !== null) return
  state.isSweeping = true
  self.sendAfter(STREAM_AFTER_MS, { type: 'sweep' })
}

export function sweep(state: State, self: Self<State>): void {
  state.isSweeping = false
  for (const entry of state.inFlight.values()) {
    if (self.now() - entry.startedAt >= STREAM_AFTER_MS) state.streams.prime(entry.stream)
  }
  if (state.inFlight.size > 0) sweepLater(state, self)
}
