/**
 * A request process runs one request of a client: it looks up what is asked for, calls the author's function with a context,
 * hands the answer to its requester, and ends. It is temporary: a crash answers this request and nobody else notices. Exit
 * signals end it at once, which aborts `ctx.signal` and drops what the function may still return; that is what cancelling,
 * timing out and shutting down are.
 */
import type { ClientInfo, Principal, SessionInfo } from '#features/context'
import {
  callTool,
  completeArgument,
  type FeatureKind,
  getPrompt,
  listResources,
  prepareTask,
  readResource,
  subjectOf,
} from '#features/dispatch'
import { attributed } from '#observability/attribution'
import { type ErrorObject, type JsonObject, methodNotFound, type RequestId, toErrorObject } from '#protocol'
import { type ChildSpec, child, defineActor, describeReason, type Self } from '#runtime'
import { requestContext } from './request-context.ts'
import type { Requester } from './requester.ts'
import type { Services } from './services.ts'
import { answerTaskRequest, isTaskRequest } from './task-methods.ts'
import { runInThread } from './thread-pool.ts'

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
        const outcome = attributed(originOf(job), () => dispatch(job, self))
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
      how: 'thrown',
      error,
    })
  }
  if (isTaskRequest(job)) return answerTaskRequest(job, self.ref)
  switch (method) {
    case 'tools/call':
      if (job.isPrelude === true) return prepareTask(catalog, params, ctx, failed)
      return callTool(catalog, params, ctx, failed, (tool, args) => runInThread(services.names, tool, args, ctx))
    case 'resources/read':
      return readResource(catalog, params, ctx, failed)
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

/** Whose code runs, so that a fault which strays from it finds its way back. */
function originOf(job: RequestJob): Parameters<typeof attributed>[0] {
  const { services, session, id } = job
  const { kind, name } = subjectOf(job.method, job.params)
  return {
    kind,
    name,
    sessionId: session?.id,
    requestId: id,
    strayed: (error, how) => {
      services.counters.add(`${kind}_stray_faults`, 1, name)
      services.report({ type: 'feature_failed', kind, name, session: session?.id, request: id, how, error })
    },
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
