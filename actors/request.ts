/**
 * A request process runs one request of a client: it looks up what is asked for, calls the author's function with a context,
 * hands the answer to its requester, and ends. It is temporary: a crash answers this request and nobody else notices. Exit
 * signals end it at once, which aborts `ctx.signal` and drops what the function may still return; that is what cancelling,
 * timing out and shutting down are.
 */
import type { ClientInfo, Principal, SessionInfo, ToolContext } from '#features/context'
import {
  callTool,
  completeArgument,
  type Failed,
  type FeatureKind,
  getPrompt,
  listResources,
  prepareTask,
  type RunIsolated,
  readResource,
  subjectOf,
} from '#features/dispatch'
import type { Tool } from '#features/tool'
import { attributed, type Origin, type StrayFault } from '#observability/attribution'
import type { Watch } from '#observability/telemetry'
import { traceIdOf } from '#observability/w3c'
import { type ErrorObject, type JsonObject, methodNotFound, type RequestId, revisionOf, toErrorObject } from '#protocol'
import { type ChildSpec, child, defineActor, describeReason, type Ref, type Self } from '#runtime'
import { throughCache } from './cached-answers.ts'
import { requestContext } from './request-context.ts'
import type { Requester } from './requester.ts'
import type { Services } from './services.ts'
import { answerTaskRequest, isTaskRequest } from './task-methods.ts'
import { runInThread } from './thread-pool.ts'
import { callGuarded } from './tool-breakers.ts'

/** What a request is started with. */
export interface RequestJob {
  readonly services: Services
  readonly requester: Requester
  readonly client: ClientInfo
  /** Undefined outside a session. */
  readonly session: SessionInfo | undefined
  readonly auth: Principal | undefined
  readonly id: RequestId
  readonly method: string
  readonly params: JsonObject
  /** The tool only prepares the task that the call will be. */
  readonly isPrelude?: boolean
  /** Where its time and its end are noted. */
  readonly watch: Watch
}

interface State {
  readonly job: RequestJob
  isAnswered: boolean
}

export const Request = defineActor({
  name: 'request',
  init: (job: RequestJob, self: Self<never>): State => {
    self.continueWith('run')
    return { job, isAnswered: false }
  },
  continue: {
    run: (state: State, _arg: undefined, self: Self<State>) => {
      const { job } = state
      try {
        const outcome = attributed(new CallOrigin(job, self.ref), () => traced(job, self), subjectFor(job))
        if (!(outcome instanceof Promise)) return answer(state, outcome, self)
        // Whoever takes time makes itself known, to be watched and cancelled.
        job.requester.started(self.ref)
        return outcome.then(
          (result) => answer(state, result, self),
          (error) => refuse(state, toErrorObject(error), self),
        )
      } catch (error) {
        return refuse(state, toErrorObject(error), self)
      }
    },
  },
  terminate: (state, reason) => {
    if (!state.isAnswered) {
      state.job.requester.refuse(toErrorObject(new Error(describeReason(reason))))
    }
  },
})

function answer(state: State, result: JsonObject, self: Self<State>): void {
  state.isAnswered = true
  state.job.requester.answer(result)
  self.stop()
}

function refuse(state: State, error: ErrorObject, self: Self<State>): void {
  state.isAnswered = true
  state.job.requester.refuse(error)
  self.stop()
}

/** The tool that is called, whose way of running attribution gets to know. */
function subjectFor({ method, params, services }: RequestJob): Tool | undefined {
  return method === 'tools/call' ? services.catalog.tools.get(params['name'] as string) : undefined
}

/** Runs it inside of its span, if it has one. */
function traced(job: RequestJob, self: Self<State>): JsonObject | Promise<JsonObject> {
  return job.watch.isTraced ? job.watch.run(() => dispatch(job, self)) : dispatch(job, self)
}

function dispatch(job: RequestJob, self: Self<State>): JsonObject | Promise<JsonObject> {
  const { services, method, params } = job
  const { catalog, limits } = services
  const ctx = requestContext(job, self)
  const failed = (kind: FeatureKind, name: string, error: unknown): void => {
    // Ended by a cancel or a time-out, which was told already: what follows is only its echo.
    if (!self.ref.alive) return
    services.counters.add(`${kind}_failures`, 1, name)
    services.report({
      type: 'feature_failed',
      kind,
      name,
      session: job.session?.id,
      request: job.id,
      process: self.ref.pid,
      trace: traceOf(job),
      how: 'thrown',
      error,
    })
  }
  if (isTaskRequest(job)) return answerTaskRequest(job, self.ref)
  switch (method) {
    case 'tools/call':
      if (job.isPrelude === true) return prepareTask(catalog, params, ctx, failed)
      return kept(job, self, () => callGuardedTool(job, self, ctx, failed))
    case 'resources/read':
      return kept(job, self, () => readResource(catalog, params, ctx, failed))
    case 'prompts/get':
      return getPrompt(catalog, params, ctx, failed)
    case 'completion/complete':
      return completeArgument(catalog, params, failed)
    case 'resources/list':
      return listResources(catalog, params, ctx, limits.pageSize, failed)
    default:
      throw methodNotFound(method)
  }
}

/** Calls a tool, through its breaker if it has one. */
function callGuardedTool(
  { services, params }: RequestJob,
  self: Self<State>,
  ctx: ToolContext,
  failed: Failed,
): JsonObject | Promise<JsonObject> {
  const { catalog, names } = services
  const runIsolated: RunIsolated = (tool, args) => runInThread(names, tool, args, ctx)
  const name = params['name'] as string
  if (catalog.tools.get(name)?.breaker === undefined) return callTool(catalog, params, ctx, failed, runIsolated)
  return callGuarded(services, name, self as unknown as Self, (thrown) => {
    const told: Failed = (kind, subject, error) => {
      thrown()
      failed(kind, subject, error)
    }
    return callTool(catalog, params, ctx, told, runIsolated)
  })
}

/** The answer as it is kept, or what `compute` gives. */
function kept(
  { services, method, params, client, session, auth }: RequestJob,
  self: Self<State>,
  compute: () => JsonObject | Promise<JsonObject>,
): JsonObject | Promise<JsonObject> {
  if (services.answers === undefined) return compute()
  const revision = revisionOf(client.protocolVersion)
  if (revision === undefined) return compute()
  const asking = { method, params, revision, session: session?.id, auth }
  return throughCache(services, asking, () => self.signal, compute)
}

/** The trace that the request belongs to, as its caller or its own span says. */
function traceOf({ watch, params }: RequestJob): string | undefined {
  return traceIdOf({ traceparent: watch.traceparent ?? (params['_meta'] as JsonObject | undefined)?.['traceparent'] })
}

/** Whose code runs, so that a fault which strays from it finds its way back. Hardly ever asked, so it looks when it is. */
class CallOrigin implements Origin {
  private readonly job: RequestJob
  private readonly ref: Ref

  constructor(job: RequestJob, ref: Ref) {
    this.job = job
    this.ref = ref
  }

  get kind(): FeatureKind {
    return subjectOf(this.job.method, this.job.params).kind
  }

  get name(): string {
    return subjectOf(this.job.method, this.job.params).name
  }

  get sessionId(): string | undefined {
    return this.job.session?.id
  }

  get requestId(): RequestId {
    return this.job.id
  }

  get pid(): string {
    return this.ref.pid
  }

  trace(): string | undefined {
    return traceOf(this.job)
  }

  strayed(error: unknown, how: StrayFault): void {
    const { kind, name, sessionId, requestId } = this
    const { counters, report } = this.job.services
    counters.add(`${kind}_stray_faults`, 1, name)
    report({ type: 'feature_failed', kind, name, session: sessionId, request: requestId, how, error })
  }
}

/** One request of any session; how many there are is the session's limit. */
export function requestTemplate(): ChildSpec {
  return child(Request, undefined as unknown as RequestJob, {
    id: 'request',
    restart: 'temporary',
    shutdown: 'brutal_kill',
  })
}
