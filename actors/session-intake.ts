/**
 * What a client sends, taken apart: requests through the gate and on to a table or a process, notifications, and the answers to
 * what it was asked.
 */
import type { Principal } from '#features/context'
import { firstPhase } from '#lifecycles'
import type { Watch } from '#observability/telemetry'
import {
  ErrorCode,
  encodeError,
  isRequestId,
  type JsonObject,
  type LogLevel,
  type Message,
  type NotificationMessage,
  negotiate,
  ProtocolError,
  type RequestId,
  type RequestMessage,
  toErrorObject,
} from '#protocol'
import type { Self } from '#runtime'
import type { Sink } from '#transports/port'
import { keptAnswer } from './cached-answers.ts'
import { offeredBy, profileOf } from './client-profile.ts'
import { needsProcess, preparedAnswer } from './list-answers.ts'
import { admit, isRefusal } from './session-gate.ts'
import { reply, settled, startRequest, take } from './session-requests.ts'
import { advance, noUris, remember, type State, sessionIdOf } from './session-state.ts'
import type { ReplyStream } from './session-streams.ts'
import { subscribe, unsubscribe } from './subscriptions.ts'

/** Requests whose answer promises what the session's record then says. */
const bindingMethods = new Set(['initialize', 'logging/setLevel', 'resources/subscribe', 'resources/unsubscribe'])

export function receiveOne(
  state: State,
  message: Message,
  stream: ReplyStream,
  auth: Principal | undefined,
  self: Self<State>,
): void {
  switch (message.kind) {
    case 'request':
      return receiveRequest(state, message, stream, auth, self)
    case 'notification':
      return receiveNotification(state, message, self)
    case 'response':
      return void state.asks?.get(message.id)?.ref?.cast('answered', { result: message.result })
    case 'error':
      return void state.asks?.get(message.id)?.ref?.cast('answered', { error: message.error })
    case 'invalid':
      return state.streams.answer(stream, encodeError(message.id, message.error))
  }
}

/** Spec: MCP 2025-03-26, basic, batching: the only revision that has it. */
export function receiveBatch(
  state: State,
  messages: readonly Message[],
  sink: Sink,
  auth: Principal | undefined,
  self: Self<State>,
): void {
  if (!state.revision.allowsBatches || state.phase === firstPhase) {
    const why = state.phase === firstPhase ? 'before initialize' : `under revision ${state.revision.version}`
    const error = {
      code: ErrorCode.InvalidRequest,
      message: `Batches are not allowed ${why}. Send each message by itself.`,
    }
    return state.streams.answer(state.streams.forRequests(sink, messages, 1, false), encodeError(null, error))
  }
  const answers = messages.filter((message) => message.kind === 'request' || message.kind === 'invalid').length
  const stream = state.streams.forRequests(sink, messages, answers, true)
  for (const message of messages) receiveOne(state, message, stream, auth, self)
}

function receiveRequest(
  state: State,
  message: RequestMessage,
  stream: ReplyStream,
  auth: Principal | undefined,
  self: Self<State>,
): void {
  const { id, method } = message
  const params = message.params ?? {}
  const admitted = admit(state, method, message.params, state.arg.services.status.isDraining)
  if (isRefusal(admitted)) {
    state.streams.answer(stream, encodeError(id, admitted))
    // A session that could not be initialized over HTTP serves nobody.
    if (method === 'initialize' && state.phase === firstPhase && state.arg.connection === null) self.stop()
    return
  }
  const watch = watchOf(state, message, params)
  if (state.inFlight.has(id)) {
    watch.refused({ code: ErrorCode.InvalidRequest })
    const error = {
      code: ErrorCode.InvalidRequest,
      message: `The id ${JSON.stringify(id)} is in use by a request in flight. Give every request its own.`,
    }
    return state.streams.answer(stream, encodeError(id, error))
  }
  if (method !== 'initialize' && method !== 'ping') advance(state, 'request')
  const { services } = state.arg
  const kept =
    services.answers === undefined
      ? undefined
      : keptAnswer(services, { method, params, revision: state.revision, session: state.arg.id, auth })
  if (kept !== undefined) {
    watch.answered(kept)
    return reply(state, stream, id, method, kept)
  }
  if (needsProcess(state.arg.services.catalog, method) || method.startsWith('tasks/')) {
    return startRequest(state, id, method, params, stream, auth, watch, self)
  }
  try {
    const result = answerHere(state, method, params, self)
    watch.answered(result)
    reply(state, stream, id, method, result, bindingMethods.has(method))
  } catch (error) {
    const fault = toErrorObject(error)
    watch.refused(fault)
    state.streams.answer(stream, encodeError(id, fault))
  }
}

/** Watches a request from now on: when it came is when the session was last active. */
function watchOf(state: State, message: RequestMessage, params: JsonObject): Watch {
  const { services, id: sessionId, transport } = state.arg
  const { method, id } = message
  const watch = services.telemetry.begin(method, params, 'legacy', state.lastActiveAt)
  if (services.telemetry.isTracing) {
    const protocolVersion = state.revision.version
    watch.trace({ method, params, id, protocolVersion, sessionId, transport }, message)
  }
  return watch
}

/** The results that need no process: tables and the session's own state. */
function answerHere(state: State, method: string, params: JsonObject, self: Self<State>): JsonObject {
  const { services } = state.arg
  switch (method) {
    case 'initialize':
      return initialize(state, params, self)
    case 'logging/setLevel':
      state.logLevel = params['level'] as LogLevel
      remember(state, self)
      return {}
    case 'resources/subscribe':
      return subscribeTo(state, params['uri'] as string, self)
    case 'resources/unsubscribe':
      if (state.subscriptions.delete(params['uri'] as string)) {
        unsubscribe(services, self.ref, params['uri'] as string, sessionIdOf(state))
        remember(state, self)
      }
      return {}
    case 'ping':
      return {}
    default:
      return preparedAnswer(services, method, params, state.revision)
  }
}

/** Subscriptions that one session may hold. */
const SUBSCRIPTIONS_MAX = 10_000

function subscribeTo(state: State, uri: string, self: Self<State>): JsonObject {
  const { services } = state.arg
  if (services.catalog.resolve(uri) === undefined)
    throw new ProtocolError(ErrorCode.ResourceNotFound, `Resource not found: ${uri}`, { uri })
  if (state.subscriptions.size >= SUBSCRIPTIONS_MAX && !state.subscriptions.has(uri)) {
    throw new ProtocolError(
      ErrorCode.InvalidParams,
      `This session has ${SUBSCRIPTIONS_MAX} subscriptions, which is the limit. Unsubscribe first.`,
    )
  }
  if (state.subscriptions === noUris) state.subscriptions = new Set()
  state.subscriptions.add(uri)
  subscribe(services, self.ref, uri, sessionIdOf(state))
  remember(state, self)
  return {}
}

function initialize(state: State, params: JsonObject, self: Self<State>): JsonObject {
  const { services, id, transport } = state.arg
  advance(state, 'initialize')
  state.revision = negotiate(params['protocolVersion'], services.revisions)
  Object.assign(state, profileOf(services, params['clientInfo'] as JsonObject, params['capabilities'] as JsonObject))
  state.offered = offeredBy(services)
  if (!remember(state, self)) {
    self.stop()
    throw new ProtocolError(ErrorCode.InternalError, 'The server keeps as many sessions as it may. Try again later.')
  }
  const protocolVersion = state.revision.version
  services.report({
    type: 'session_opened',
    session: id,
    transport,
    protocolVersion,
    client: `${state.client.name} ${state.client.version}`,
  })
  return {
    protocolVersion,
    capabilities: state.offered,
    serverInfo: services.info,
    ...(services.instructions !== undefined && { instructions: services.instructions }),
  }
}

function receiveNotification(state: State, message: NotificationMessage, self: Self<State>): void {
  if (message.method === 'notifications/initialized') {
    if (advance(state, 'initialized')) remember(state, self)
  } else if (message.method === 'notifications/cancelled') {
    const id = message.params?.['requestId']
    if (isRequestId(id)) cancel(state, id, self)
  }
}

function cancel(state: State, id: RequestId, self: Self<State>): void {
  const entry = take(state, id, self)
  if (entry === undefined) return
  state.arg.services.counters.add('requests_cancelled')
  entry.watch.cancelled(state.lastActiveAt)
  entry.ref?.exit({ shutdown: 'cancelled' })
  state.streams.giveUp(entry.stream)
  settled(state, self)
}
