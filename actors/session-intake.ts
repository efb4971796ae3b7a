/**
 * What a client sends, taken apart: requests through the gate and on to a table or a process, notifications, and the answers to
 * what it was asked.
 */
import { firstPhase } from '#lifecycles'
import {
  ErrorCode,
  encodeError,
  type Implementation,
  isRequestId,
  type JsonObject,
  type LogLevel,
  type Message,
  type NotificationMessage,
  negotiate,
  ProtocolError,
  type RequestId,
  type RequestMessage,
  readClientCapabilities,
  toErrorObject,
} from '#protocol'
import type { Ref, Self } from '#runtime'
import type { Sink } from '#transports/port'
import type { Session } from './session.ts'
import { admit, isRefusal } from './session-gate.ts'
import { asked, reply, settled, startRequest, take } from './session-requests.ts'
import { advance, hasListingTemplate, remember, type State } from './session-state.ts'
import type { ReplyStream } from './session-streams.ts'
import { subscribe, unsubscribe } from './subscriptions.ts'

/** Requests that run an author's code, each in a process of its own. The rest is answered from tables. */
const methodsWithProcess = new Set(['tools/call', 'resources/read', 'prompts/get', 'completion/complete'])

export function receiveOne(state: State, message: Message, stream: ReplyStream, self: Self<State>): void {
  switch (message.kind) {
    case 'request':
      return receiveRequest(state, message, stream, self)
    case 'notification':
      return receiveNotification(state, message, self)
    case 'response':
      return asked(state, state.asks.settle(message.id, { result: message.result }, self as Self), undefined, self)
    case 'error':
      return asked(state, state.asks.settle(message.id, { error: message.error }, self as Self), undefined, self)
    case 'invalid':
      return state.streams.answer(stream, encodeError(message.id, message.error))
  }
}

/** Spec: MCP 2025-03-26, basic, batching: the only revision that has it. */
export function receiveBatch(state: State, messages: readonly Message[], sink: Sink, self: Self<State>): void {
  if (!state.revision.allowsBatches || state.phase === firstPhase) {
    const why = state.phase === firstPhase ? 'before initialize' : `under revision ${state.revision.version}`
    const error = {
      code: ErrorCode.InvalidRequest,
      message: `Batches are not allowed ${why}. Send each message by itself.`,
    }
    return state.streams.answer(state.streams.forRequests(sink, 1, false), encodeError(null, error))
  }
  const answers = messages.filter((message) => message.kind === 'request' || message.kind === 'invalid').length
  const stream = state.streams.forRequests(sink, answers, true)
  for (const message of messages) receiveOne(state, message, stream, self)
}

function receiveRequest(state: State, message: RequestMessage, stream: ReplyStream, self: Self<State>): void {
  const { id, method } = message
  const params = message.params ?? {}
  const { counters } = state.arg.services
  const admitted = admit(state, method, message.params)
  if (isRefusal(admitted)) {
    state.streams.answer(stream, encodeError(id, admitted))
    // A session that could not be initialized over HTTP serves nobody.
    if (method === 'initialize' && state.phase === firstPhase && state.arg.connection === null) self.stop()
    return
  }
  counters.add('requests', 1, method)
  if (state.inFlight.has(id)) {
    const error = {
      code: ErrorCode.InvalidRequest,
      message: `The id ${JSON.stringify(id)} is in use by a request in flight. Give every request its own.`,
    }
    return state.streams.answer(stream, encodeError(id, error))
  }
  if (method !== 'initialize' && method !== 'ping') advance(state, 'request')
  if (methodsWithProcess.has(method) || (method === 'resources/list' && hasListingTemplate(state))) {
    return startRequest(state, id, method, params, stream, self)
  }
  try {
    reply(state, stream, id, method, answerHere(state, method, params, self))
  } catch (error) {
    state.streams.answer(stream, encodeError(id, toErrorObject(error)))
  }
}

/** The results that need no process: tables and the session's own state. */
function answerHere(state: State, method: string, params: JsonObject, self: Self<State>): JsonObject {
  const { services } = state.arg
  const { pageSize } = services.limits
  switch (method) {
    case 'initialize':
      return initialize(state, params)
    case 'tools/list':
      return services.catalog.listTools(params['cursor'], pageSize)
    case 'resources/list':
      return services.catalog.listResources(params['cursor'], pageSize)
    case 'resources/templates/list':
      return services.catalog.listTemplates(params['cursor'], pageSize)
    case 'prompts/list':
      return services.catalog.listPrompts(params['cursor'], pageSize)
    case 'logging/setLevel':
      state.logLevel = params['level'] as LogLevel
      remember(state)
      return {}
    case 'resources/subscribe':
      return subscribeTo(state, params['uri'] as string, self)
    case 'resources/unsubscribe':
      if (state.subscriptions.delete(params['uri'] as string)) {
        unsubscribe(services, self.ref as Ref<typeof Session>, params['uri'] as string)
        remember(state)
      }
      return {}
    case 'ping':
      return {}
    default:
      throw new ProtocolError(ErrorCode.MethodNotFound, `Method not found: ${method}`)
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
  state.subscriptions.add(uri)
  subscribe(services, self.ref as Ref<typeof Session>, uri)
  remember(state)
  return {}
}

function initialize(state: State, params: JsonObject): JsonObject {
  const { services, id, transport } = state.arg
  advance(state, 'initialize')
  state.revision = negotiate(params['protocolVersion'], services.revisions)
  state.client = params['clientInfo'] as Implementation
  state.sentCapabilities = params['capabilities'] as JsonObject
  state.capabilities = readClientCapabilities(state.sentCapabilities)
  state.offered = services.capabilities()
  remember(state)
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
    if (advance(state, 'initialized')) remember(state)
  } else if (message.method === 'notifications/cancelled') {
    const id = message.params?.['requestId']
    if (isRequestId(id)) cancel(state, id, self)
  }
}

function cancel(state: State, id: RequestId, self: Self<State>): void {
  const entry = take(state, id, self)
  if (entry === undefined) return
  state.arg.services.counters.add('requests_cancelled')
  entry.ref?.exit({ shutdown: 'cancelled' })
  state.streams.giveUp(entry.stream)
  settled(state, self)
}
