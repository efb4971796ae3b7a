/**
 * Multi round-trip requests: a modern server that needs something from its client first answers with what it needs; the handlers
 * give it, and the request is sent again with their answers and the server's state, as often as the server asks.
 *
 * Spec: MCP 2026-07-28, basic/patterns/mrtr.
 */
import { answerQuestion } from '#actors/client-questions'
import type { ClientHandlers, ClientServices } from '#actors/client-services'
import { isObject, type JsonObject, methodRow } from '#protocol'
import { clientError } from './errors.ts'
import { cancelled, type Manner, pause, type RequestOptions, type Requests } from './requests.ts'
import { sendWithVisits } from './visits.ts'

/** How often a server may ask before one request is given up. */
const ROUNDS_MAX = 32
/** Questions in one round. */
const QUESTIONS_MAX = 64
/** Milliseconds before a request is repeated for which the server asked nothing; doubled each time. */
const IDLE_ROUND_MS = 100
const IDLE_ROUND_MS_MAX = 5_000

export interface Rounds {
  readonly result: JsonObject
  /** Whether the server asked anything: such a result is no answer to the params alone. */
  readonly hasAsked: boolean
}

/** The last result of a request: complete, or a task where the request may become one. Rejects with `ClientError`. */
export async function inRounds(
  requests: Requests,
  method: string,
  params: JsonObject | undefined,
  options: RequestOptions,
  manner: Manner,
  mayBeTask = false,
): Promise<Rounds> {
  const { services } = requests
  const answering = servicesFor(services, options.handlers)
  let sent = params
  for (let round = 0; ; round++) {
    const result = await sendWithVisits(requests, answering, method, sent, options, manner)
    const { server } = services.known
    const kind = server?.era === 'modern' ? (result['resultType'] ?? 'complete') : 'complete'
    if (kind === 'complete' || (kind === 'task' && mayBeTask)) return { result, hasAsked: round > 0 }
    const mayAsk = methodRow(method, server?.protocolVersion)?.mayAskInput === true
    if (kind !== 'input_required' || !mayAsk) {
      throw clientError('invalid', `The server answered ${method} with the result type ${JSON.stringify(kind)}.`, true)
    }
    if (round >= ROUNDS_MAX) {
      throw clientError(
        'too_many_rounds',
        `${method}: the server asked ${ROUNDS_MAX} times and is not satisfied.`,
        true,
      )
    }
    const { inputRequests, requestState } = result
    const wanted = isObject(inputRequests) ? inputRequests : {}
    const { signal } = options
    if (Object.keys(wanted).length === 0) {
      await pause(services.system, Math.min(IDLE_ROUND_MS * 2 ** round, IDLE_ROUND_MS_MAX), signal)
    }
    const inputResponses = await answerAll(answering, method, wanted, signal)
    if (signal?.aborted === true) throw cancelled(method, signal, true)
    sent = {
      ...params,
      ...(isObject(inputRequests) && { inputResponses }),
      ...(requestState !== undefined && { requestState }),
    }
  }
}

/** With other handlers, where the request has its own. */
function servicesFor(services: ClientServices, handlers: ClientHandlers | undefined): ClientServices {
  return handlers === undefined ? services : { ...services, settings: { ...services.settings, handlers } }
}

/** The answers to questions by their keys. Rejects with `ClientError` 'handler_failed' when one has none. */
export async function answerAll(
  services: ClientServices,
  method: string,
  wanted: JsonObject,
  signal?: AbortSignal,
): Promise<JsonObject> {
  const questions = Object.entries(wanted)
  if (questions.length > QUESTIONS_MAX) {
    throw clientError(
      'invalid',
      `${method}: the server asked ${questions.length} things at once, ${QUESTIONS_MAX} are the limit.`,
      true,
    )
  }
  const answers = await Promise.all(
    questions.map(async ([key, question]) => {
      const asked = isObject(question) ? String(question['method']) : ''
      const params = isObject(question) && isObject(question['params']) ? question['params'] : {}
      const answer = await answerQuestion(services, asked, params, signal)
      if ('result' in answer) return [key, answer.result] as const
      const { code, message } = answer.error
      throw clientError(
        'handler_failed',
        `${method} needs ${asked} (${key}), which failed with ${code}: ${message}`,
        true,
      )
    }),
  )
  return Object.fromEntries(answers)
}
