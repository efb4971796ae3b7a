/**
 * What a server asks of the client (sampling, elicitation, roots) is answered by the client's handlers, each question in a task
 * of its own: a handler that throws, hangs or never ends is an error for the server, and nobody else notices. In the legacy era
 * questions are requests of the server, in the modern era they come inside results.
 *
 * Spec: MCP 2025-11-25, client/sampling, client/elicitation, client/roots; MCP 2026-07-28, basic/patterns/mrtr.
 */
import {
  clientResultFault,
  type ElicitRequest,
  ErrorCode,
  type ErrorObject,
  elicitRequestFault,
  has,
  isObject,
  type JsonObject,
  methodNotFound,
  type SampleRequest,
  sampleRequestFault,
  toErrorObject,
  withElicitDefaults,
} from '#protocol'
import { SupervisorError, type TaskSupervisorRef, task, via } from '#runtime'
import { type ClientServices, type HandlerContext, QUESTIONS } from './client-services.ts'

export type QuestionAnswer = { readonly result: JsonObject } | { readonly error: ErrorObject }

type Run = (context: HandlerContext) => unknown

/** The answer to a question: never rejects. `signal` takes the question back. */
export function answerQuestion(
  services: ClientServices,
  method: string,
  params: JsonObject,
  signal?: AbortSignal,
): Promise<QuestionAnswer> {
  const known = handlersOf.has(method) ? method : 'other'
  const codeOf = (answer: QuestionAnswer): number | undefined => ('error' in answer ? answer.error.code : undefined)
  return services.telemetry.answering(known, params, () => answerOf(services, method, params, signal), codeOf)
}

/** What a server may ask; anything else it makes up is no name for a metric. */
const handlersOf: ReadonlySet<string> = new Set(['sampling/createMessage', 'elicitation/create', 'roots/list'])

async function answerOf(
  services: ClientServices,
  method: string,
  params: JsonObject,
  signal: AbortSignal | undefined,
): Promise<QuestionAnswer> {
  try {
    const run = handlerOf(services, method, params)
    if ('error' in run) return run
    const result = await inTask(services, method, run.run, signal)
    if (!isObject(result)) return broken(method, `result must be an object, got ${typeof result}`)
    const whole = method === 'elicitation/create' ? withElicitDefaults(params, result) : result
    const fault = clientResultFault(method, whole, params)
    return fault === undefined ? { result: whole } : broken(method, fault)
  } catch (error) {
    if (error instanceof SupervisorError && error.code === 'max_children') {
      const message = `This client answers as many questions as it can at once. Ask ${method} again later.`
      return { error: { code: ErrorCode.InternalError, message } }
    }
    return { error: toErrorObject(error) }
  }
}

/** The handler's call, or the error for a question that may not be asked. */
function handlerOf(
  { settings, known }: ClientServices,
  method: string,
  params: JsonObject,
): { readonly run: Run } | { readonly error: ErrorObject } {
  const { handlers, capabilities } = settings
  const { sampling, elicitation, roots } = handlers
  if (method === 'sampling/createMessage' && sampling !== undefined && has(capabilities, 'sampling')) {
    const fault = sampleRequestFault(params)
    if (fault !== undefined) return invalid(fault)
    const usesTools = params['tools'] !== undefined || params['toolChoice'] !== undefined
    if (usesTools && !has(capabilities, 'sampling.tools')) {
      return invalid('params.tools needs the capability sampling.tools, which this client did not announce')
    }
    // Its shape was checked just above.
    return { run: (context) => sampling(params as unknown as SampleRequest, context) }
  }
  if (method === 'elicitation/create' && elicitation !== undefined && has(capabilities, 'elicitation')) {
    const mode = params['mode'] === 'url' ? 'url' : 'form'
    if (!has(capabilities, `elicitation.${mode}`)) {
      return invalid(
        `params.mode "${mode}" needs the capability elicitation.${mode}, which this client did not announce`,
      )
    }
    const fault = elicitRequestFault(params, known.server?.era)
    if (fault !== undefined) return invalid(fault)
    return { run: (context) => elicitation(params as unknown as ElicitRequest, context) }
  }
  if (method === 'roots/list' && roots !== undefined && has(capabilities, 'roots')) {
    return { run: (context) => roots(params, context) }
  }
  return { error: toErrorObject(methodNotFound(method)) }
}

function inTask(services: ClientServices, method: string, run: Run, signal: AbortSignal | undefined): Promise<unknown> {
  const { system, names, settings } = services
  const { timers } = system
  const questions = via(names, QUESTIONS) as unknown as TaskSupervisorRef & ReturnType<typeof via>
  return task(
    questions,
    (ended) =>
      new Promise((resolve, reject) => {
        const own = new AbortController()
        const stop = (why: unknown): void => {
          timers.cancel(timer)
          signal?.removeEventListener('abort', withdraw)
          own.abort(why)
          reject(why)
        }
        const withdraw = (): void =>
          stop(new Error(`The question ${method} was taken back.`, { cause: signal?.reason }))
        const { handlerTimeoutMs } = settings
        const timer = timers.start(handlerTimeoutMs, () =>
          stop(new Error(`The handler of ${method} did not answer within ${handlerTimeoutMs} ms.`)),
        )
        ended.addEventListener('abort', () => stop(ended.reason), { once: true })
        if (signal?.aborted === true) return withdraw()
        signal?.addEventListener('abort', withdraw, { once: true })
        const done = (): void => {
          timers.cancel(timer)
          signal?.removeEventListener('abort', withdraw)
        }
        Promise.resolve({ signal: own.signal }).then(run).then(resolve, reject).finally(done)
      }),
  )
}

function invalid(fault: string): { readonly error: ErrorObject } {
  return { error: { code: ErrorCode.InvalidParams, message: `Invalid params: ${fault}` } }
}

function broken(method: string, fault: string): QuestionAnswer {
  const message = `The client's handler of ${method} gave a result that breaks the protocol: ${fault}.`
  return { error: { code: ErrorCode.InternalError, message } }
}
