/**
 * The way of a request of the modern era, which stands for itself: who asks, in which revision and with which capabilities is
 * read from its `_meta` and checked, then it is answered from the catalog's tables, or by a process of its own, or it opens a
 * subscription or becomes a task. Nothing is kept of its client.
 *
 * Spec: MCP 2026-07-28, basic (request metadata), basic/versioning, server/discover.
 */
import type { Principal } from '#features/context'
import { unwatched } from '#observability/telemetry'
import {
  ErrorCode,
  type ErrorObject,
  encodeError,
  has,
  hasExtension,
  headerFault,
  httpStatusOf,
  type Implementation,
  isInRevision,
  isObject,
  type JsonObject,
  methodNotFound,
  methodRow,
  parameterHeaderFault,
  type RequestMessage,
  readRequestMeta,
  revisionOf,
  TASKS_EXTENSION,
  toErrorObject,
  unsupportedProtocolVersion,
} from '#protocol'
import { type System, via } from '#runtime'
import { keptAnswer } from './cached-answers.ts'
import { needsProcess, preparedAnswer } from './list-answers.ts'
import type { ListenArg } from './listen.ts'
import { encodeAnswer, errorText, ModernCall, type ModernRequest, type Outlet } from './modern-call.ts'
import { answerTaskRequest, isTask, taskOf } from './modern-tasks.ts'
import type { Services } from './services.ts'
import { missingTasksExtension } from './task-methods.ts'

export interface Arrival {
  readonly services: Services
  readonly system: System
  readonly outlet: Outlet
  /** The headers that must repeat what the message says; undefined where there are none. */
  readonly headers: Readonly<Record<string, string | string[] | undefined>> | undefined
  readonly auth: Principal | undefined
}

const unknownClient: Implementation = { name: 'unknown', version: '0' }

/** Serves one request. Never throws: whatever goes wrong is answered. Returns its call if it is now in flight. */
export function receiveModern(arrival: Arrival, message: RequestMessage): ModernCall | undefined {
  const { services, outlet } = arrival
  const request = admit(arrival, message)
  if ('code' in request) {
    outlet.finish(errorText(message.id, request), httpStatusOf(request, true))
    return undefined
  }
  const overload = overloadOf(services, message.method)
  if (overload !== undefined) {
    services.counters.add('requests_refused', 1, overload.why)
    const error = { code: ErrorCode.InternalError, message: overload.message }
    outlet.finish(errorText(message.id, error), 503)
    return undefined
  }
  watch(arrival, request)
  try {
    return serve(arrival, request)
  } catch (error) {
    refuse(outlet, request, toErrorObject(error))
    return undefined
  }
}

/** Whether a server has revisions of the legacy era, which speak in sessions. Without, every request is one of the modern era. */
export function servesSessions({ revisions }: Services): boolean {
  return revisions.some(({ era }) => era === 'legacy')
}

/** Newest first. */
function versionsOf({ revisions }: Services): string[] {
  return revisions.map(({ version }) => version).reverse()
}

function unsupported(services: Services, requested: string): ErrorObject {
  return toErrorObject(unsupportedProtocolVersion(requested, versionsOf(services)))
}

/** Whether a request may come in, and what it says of itself; else the error, in the words of its revision. */
function admit({ services, headers, auth }: Arrival, message: RequestMessage): ModernRequest | ErrorObject {
  // Without sessions there is nothing to initialize; the error tells what to speak instead.
  if (message.method === 'initialize' && !servesSessions(services))
    return unsupported(services, String(message.params?.['protocolVersion']))
  const meta = readRequestMeta(message.params)
  if ('code' in meta) return meta
  const mismatch = headers === undefined ? undefined : headerFault(headers, message)
  if (mismatch !== undefined) return mismatch
  const revision = revisionOf(meta.protocolVersion)
  if (revision === undefined || revision.era !== 'modern' || !services.revisions.includes(revision))
    return unsupported(services, meta.protocolVersion)
  const { method } = message
  const row = methodRow(method, revision.version)
  if (row === undefined || row.kind !== 'request' || row.sender === 'server' || !isInRevision(row, revision.version))
    return toErrorObject(methodNotFound(method))
  if (row.serverGate !== undefined && !has(services.capabilities(), row.serverGate)) {
    const why = `Method not found: ${method} (this server did not announce ${row.serverGate})`
    return { code: ErrorCode.MethodNotFound, message: why }
  }
  const fault = row.check(message.params)
  if (fault !== undefined) return { code: ErrorCode.InvalidParams, message: fault }
  const params = message.params ?? {}
  const parameterFault = headers === undefined ? undefined : toolHeaderFault(services, headers, method, params)
  if (parameterFault !== undefined) return parameterFault
  const client = {
    protocolVersion: revision.version,
    clientInfo: meta.clientInfo ?? unknownClient,
    clientCapabilities: meta.clientCapabilities,
  }
  return { message, params, revision, client, logLevel: meta.logLevel, auth, watch: unwatched }
}

/** Watches a request that is let in. */
function watch({ services, system }: Arrival, request: ModernRequest): void {
  const { telemetry } = services
  const { message, params, revision } = request
  request.watch = telemetry.begin(message.method, params, 'modern', system.clock.now())
  if (telemetry.isTracing)
    request.watch.trace({ method: message.method, params, id: message.id, protocolVersion: revision.version }, message)
}

/** Why the server takes no such request now, or undefined. What is answered from tables never waits, so it has no limit. */
function overloadOf(
  { status, calls, catalog, limits }: Services,
  method: string,
): { readonly why: 'draining' | 'max_calls'; readonly message: string } | undefined {
  if (status.isDraining)
    return { why: 'draining', message: 'The server is shutting down and takes no new requests. Try again later.' }
  if (calls.size < limits.callsMax || !needsProcess(catalog, method)) return undefined
  const message = `The server has ${calls.size} requests in flight, which is the limit. Try again later.`
  return { why: 'max_calls', message }
}

/** Spec: MCP 2026-07-28, basic/transports/streamable-http, custom headers. */
function toolHeaderFault(
  services: Services,
  headers: NonNullable<Arrival['headers']>,
  method: string,
  params: JsonObject,
): ErrorObject | undefined {
  const tool = method === 'tools/call' ? services.catalog.tools.get(String(params['name'])) : undefined
  const mirrored = tool?.parameterHeaders
  return mirrored === undefined || mirrored.length === 0
    ? undefined
    : parameterHeaderFault(headers, mirrored, params['arguments'])
}

function serve(arrival: Arrival, request: ModernRequest): ModernCall | undefined {
  const { services, system, outlet } = arrival
  const { method } = request.message
  if (method === 'server/discover') {
    finish(services, outlet, request, discover(services))
  } else if (method === 'subscriptions/listen') {
    const { notifications } = request.params
    if (isObject(notifications) && 'taskIds' in notifications && !hasTasks(request))
      return void refuse(outlet, request, missingTasksExtension())
    request.watch.answered({})
    const arg: ListenArg = { services, request, outlet }
    // A call: beyond its limit the supervisor refuses, and who waits must hear of it.
    via(services.names, 'listens')
      .call('startChild', arg, { timeout: Number.POSITIVE_INFINITY })
      .catch(() => {
        services.counters.add('requests_refused', 1, 'subscriptions')
        const message = 'No subscription can be opened now: there are too many, or they are being restarted. Try again.'
        outlet.finish(errorText(request.message.id, { code: ErrorCode.InternalError, message }), 503)
      })
  } else if (method.startsWith('tasks/')) {
    settle(arrival, request, answerTaskRequest(services, request))
  } else if (needsProcess(services.catalog, method)) {
    const becomesTask = isTask(services, request)
    const tool = services.catalog.tools.get(String(request.params['name']))
    if (becomesTask) request.watch.becomesTask()
    if (becomesTask && tool?.prepare === undefined) settle(arrival, request, taskOf(services, request, undefined))
    else {
      const { revision, params, auth } = request
      const kept = becomesTask
        ? undefined
        : keptAnswer(services, { method, params, revision, session: undefined, auth })
      if (kept !== undefined) return void finish(services, outlet, request, kept)
      const call = new ModernCall(services, system, request, outlet, becomesTask)
      call.start()
      return call
    }
  } else {
    finish(services, outlet, request, preparedAnswer(services, method, request.params, request.revision))
  }
  return undefined
}

function hasTasks({ client }: ModernRequest): boolean {
  return hasExtension(client.clientCapabilities, TASKS_EXTENSION)
}

/** Answers with what a promise comes to. */
function settle({ services, outlet }: Arrival, request: ModernRequest, result: Promise<JsonObject>): void {
  result.then(
    (found) => finish(services, outlet, request, found),
    (error) => refuse(outlet, request, toErrorObject(error)),
  )
}

function discover(services: Services): JsonObject {
  return {
    supportedVersions: versionsOf(services),
    capabilities: services.capabilities(),
    ...(services.instructions !== undefined && { instructions: services.instructions }),
  }
}

function finish(services: Services, outlet: Outlet, request: ModernRequest, result: JsonObject): void {
  request.watch.answered(result)
  outlet.finish(encodeAnswer(services, request, result), 200)
}

function refuse(outlet: Outlet, { message, revision, watch }: ModernRequest, error: ErrorObject): void {
  watch.refused(error)
  const own = revision.encodeError(error)
  outlet.finish(encodeError(message.id, own), httpStatusOf(own))
}
