/**
 * The requests of a session that run an author's code: started, watched, timed, and answered exactly once, whatever becomes of
 * their processes.
 */
import type { Principal } from '#features/context'
import { subjectOf } from '#features/dispatch'
import { errorResult } from '#features/tool-result'
import {
  ErrorCode,
  type ErrorObject,
  encodeError,
  encodeResult,
  type JsonObject,
  type RequestId,
  toErrorObject,
} from '#protocol'
import { describeReason, type ExitReason, type Ref, type Self, SupervisorError } from '#runtime'
import { onceDurable } from './durable.ts'
import type { RequestJob } from './request.ts'
import { sessionRequester } from './requester.ts'
import type { Session } from './session.ts'
import { type InFlight, infoOf, noRequests, type State } from './session-state.ts'
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
  self: Self<State>,
): void {
  const { services } = state.arg
  const { limits } = services
  if (state.inFlight.size >= limits.requestsMax) {
    const message = `This session has ${state.inFlight.size} requests in flight, which is the limit. Wait for an answer.`
    return state.streams.answer(stream, encodeError(id, { code: ErrorCode.InternalError, message }))
  }
  const { name } = subjectOf(method, params)
  const ownMs = method === 'tools/call' ? services.catalog.tools.get(name)?.timeoutMs : undefined
  // A task has a time of its own, and who waits for it waits as long.
  const timeoutMs = method === 'tasks/result' ? Number.POSITIVE_INFINITY : (ownMs ?? limits.requestTimeoutMs)
  const timer = self.sendAfter(timeoutMs, { type: 'timeout', id })
  if (state.inFlight === noRequests) state.inFlight = new Map()
  state.inFlight.set(id, {
    id,
    method,
    subject: name,
    stream,
    startedAt: self.now(),
    timeoutMs,
    timer,
    ref: null,
    monitor: 0,
  })
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
  }
  if (state.requests !== null) begin(state, job, self)
  else if (state.waiting !== null) state.waiting.push(job)
  else {
    state.waiting = [job]
    prepare(state, self)
  }
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
  const error = { code: ErrorCode.InternalError, message: 'The session cannot start a request now. Send it again.' }
  state.streams.answer(entry.stream, encodeError(id, error))
  settled(state, self)
}

/** Takes a request out of flight: its timer, its monitor and its questions go. */
export function take(state: State, id: RequestId, self: Self<State>): InFlight | undefined {
  const entry = state.inFlight.get(id)
  if (entry === undefined) return undefined
  state.inFlight.delete(id)
  self.cancelTimer(entry.timer)
  if (entry.monitor !== 0) self.demonitor(entry.monitor)
  if (state.asks !== null) for (const text of state.asks.dropOf(id, self)) state.streams.send(entry.stream, text)
  state.lastActiveAt = self.now()
  return entry
}

/** A request left: whoever waits for quiet is told. */
export function settled(state: State, self: Self<State>): void {
  if (state.inFlight.size > 0) return
  // What was answered must have left before the listeners close.
  for (const from of state.quiescent?.splice(0) ?? []) onceDurable(state.arg.services.records, () => from.reply(true))
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
  for (const entry of [...state.inFlight.values()]) {
    take(state, entry.id, self)
    entry.ref?.exit({ shutdown: 'abandoned' })
    state.streams.answer(entry.stream, encodeError(entry.id, { code: ErrorCode.InternalError, message: why }))
  }
  settled(state, self)
}

/** Answers what is in flight on behalf of an incarnation that has ended, and closes its streams. */
export function settleAll(state: State, why: string): void {
  if (state.idleTimer !== undefined) state.arg.system.timers.cancel(state.idleTimer)
  for (const { id, stream, ref } of state.inFlight.values()) {
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
    text = encodeResult(id, state.revision.encodeResult(method, result))
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
