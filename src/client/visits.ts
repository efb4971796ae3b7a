/**
 * Requests that cannot go on before the user has visited a page: a legacy server refuses them with -32042 and says which pages.
 * The elicitation handler is asked about each; when all are accepted, the request waits to hear that they were completed, and is
 * sent again. It did not run, so that sending it again does no harm, and a server that was not content refuses it once more.
 *
 * Spec: MCP 2025-11-25, client/elicitation, URL elicitation required error and completion notifications.
 */
import { answerQuestion } from '#actors/client-questions'
import type { ClientServices } from '#actors/client-services'
import { ErrorCode, has, isObject, type JsonObject } from '#protocol'
import { ClientError } from './errors.ts'
import { listenTo } from './listeners.ts'
import { cancelled, type Manner, pause, type RequestOptions, type Requests } from './requests.ts'

/** How often one request may be refused for pages before that is told. */
const ROUNDS_MAX = 3
/** Pages that one refusal may name. */
const VISITS_MAX = 64

/** The result of a request, with visits on the way where `services` have a handler for them. Rejects with `ClientError`. */
export async function sendWithVisits(
  requests: Requests,
  services: ClientServices,
  method: string,
  params: JsonObject | undefined,
  options: RequestOptions,
  manner: Manner,
): Promise<JsonObject> {
  for (let round = 0; ; round++) {
    try {
      return await requests.send(method, params, options, manner)
    } catch (error) {
      const pages = round < ROUNDS_MAX ? pagesIn(services, error) : []
      if (pages.length === 0 || !(await visited(requests, services, pages, options.signal))) throw error
      if (options.signal?.aborted === true) throw cancelled(method, options.signal, false)
    }
  }
}

/** The pages that an error wants visited; none where it is another one, or there is nobody to show them to. */
function pagesIn({ settings, known }: ClientServices, error: unknown): readonly JsonObject[] {
  if (!(error instanceof ClientError) || error.code !== ErrorCode.UrlElicitationRequired) return []
  const isAble = settings.handlers.elicitation !== undefined && has(settings.capabilities, 'elicitation.url')
  if (!isAble || known.server?.era !== 'legacy' || !isObject(error.data)) return []
  const { elicitations } = error.data
  if (!Array.isArray(elicitations) || elicitations.length > VISITS_MAX) return []
  return elicitations.every(isObject) ? elicitations : []
}

/** Whether all pages were accepted; resolves when they were completed too, or it is time to look whether they were. */
async function visited(
  { listeners }: Requests,
  services: ClientServices,
  pages: readonly JsonObject[],
  signal: AbortSignal | undefined,
): Promise<boolean> {
  const open = new Set(pages.map(({ elicitationId }) => elicitationId))
  const over = new AbortController()
  const end = (): void => over.abort()
  // A page may be completed before the handler has said that the user goes there.
  const { remove } = listenTo(listeners.others, 'notifications/elicitation/complete', ({ elicitationId }) => {
    if (open.delete(elicitationId) && open.size === 0) end()
  })
  // What the server told while the connection was lost is not told again.
  const phases = (phase: string): void => {
    if (phase === 'operating' || phase === 'closed') end()
  }
  listeners.phases.add(phases)
  signal?.addEventListener('abort', end, { once: true })
  try {
    const answers = await Promise.all(
      pages.map((page) => answerQuestion(services, 'elicitation/create', { ...page, mode: 'url' }, signal)),
    )
    if (!answers.every((answer) => 'result' in answer && answer.result['action'] === 'accept')) return false
    await pause(services.system, services.settings.handlerTimeoutMs, over.signal)
    return true
  } finally {
    remove()
    listeners.phases.delete(phases)
    signal?.removeEventListener('abort', end)
  }
}
