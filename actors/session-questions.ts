/**
 * A session's part in the questions that its requests ask the client: it starts a process for each, sends what that says, and
 * gives the answer to whoever asked. While a question is open its request's own time stands still: a person may be thinking.
 */
import type { AskOptions } from '#features/context'
import { ErrorCode, type ErrorObject, isObject, type JsonObject, type RequestId } from '#protocol'
import { describeReason, type ExitReason, type NoReply, type Ref, type Self, via } from '#runtime'
import type { QuestionArg } from './question.ts'
import type { Asked } from './requester.ts'
import type { Session } from './session.ts'
import { lackOf, SessionAsks, withdrawal } from './session-asks.ts'
import { noUris, remember, type State, sessionIdOf, startTimer, stopTimer } from './session-state.ts'
import { awaitElicitation, elicitationSettled } from './subscriptions.ts'

/** URL elicitations of one session whose completion may be awaited; the oldest is forgotten for a new one. */
const ELICITATIONS_MAX = 256

/** What a request asks the client; `id` is the request's. */
export interface SessionQuestion {
  readonly id: RequestId
  readonly method: string
  readonly gate: string | undefined
  readonly params: object | undefined
  readonly options?: AskOptions | undefined
}

/** A question's process says what to send. */
export interface Put {
  readonly id: number
  readonly ref: Ref
  readonly text: string
  readonly elicitationId: string | undefined
}

/** A question is over; `withdrawn` says why its answer is not wanted any more. */
export interface Over {
  readonly id: number
  readonly asked: Asked
  readonly withdrawn?: string | undefined
}

/** Starts a question on behalf of the call being handled; whoever called is answered when the question is over. */
export function ask(state: State, question: SessionQuestion, self: Self<State>): Asked | NoReply {
  const entry = state.inFlight.get(question.id)
  if (entry === undefined) return refusal('The request is over.')
  state.asks ??= new SessionAsks(Math.floor(self.random() * 1e9))
  const { excess } = state.asks
  if (excess !== undefined) return refusal(excess)
  const lack = lackOf(state, question.method, question.gate)
  if (lack !== undefined) return lack
  start(state, state.asks.begin(question.id, question.method, self.from), question, entry.ref, self)
  stopTimer(entry, self.system)
  return self.noreply
}

function start(state: State, id: number, question: SessionQuestion, asker: Ref | null, self: Self<State>): void {
  const { services } = state.arg
  const { method, params, options } = question
  const { ref } = self
  const arg: QuestionArg = {
    id,
    session: ref as Ref<typeof Session>,
    asker,
    revision: state.revision,
    method,
    params: (params ?? {}) as JsonObject,
    timeoutMs: options?.expiresInMs ?? services.limits.askTimeoutMs,
  }
  via(services.names, 'questions')
    .call('startChild', arg, { timeout: Number.POSITIVE_INFINITY })
    .then(
      (started) => ref.send({ type: 'question_started', id, ref: started as Ref }),
      (reason: unknown) => ref.send({ type: 'question_refused', id, reason }),
    )
}

export function questionStarted(state: State, id: number, ref: Ref, self: Self<State>): void {
  const open = state.asks?.get(id)
  // The request went while its question was being started.
  if (open === undefined) return ref.exit({ shutdown: 'withdrawn' })
  open.ref = ref
  open.monitor = self.monitor(ref)
}

export function questionRefused(state: State, id: number, reason: unknown, self: Self<State>): void {
  over(state, { id, asked: refusal(`The server cannot ask now: ${describeReason(reason)}.`) }, self)
}

/** A process that was watched has ended; if it was a question, whoever asked is told. */
export function questionLost(state: State, monitor: number, reason: ExitReason, self: Self<State>): void {
  const open = state.asks?.ofProcess(monitor)
  if (open === undefined) return
  const asked = refusal(`The question was lost (${describeReason(reason)}).`)
  over(state, { id: open.id, asked, withdrawn: 'the question was lost' }, self)
}

/** Sends a question on the stream of its request. */
export function send(state: State, { id, ref, text, elicitationId }: Put, self: Self<State>): void {
  const open = state.asks?.get(id)
  const entry = open === undefined ? undefined : state.inFlight.get(open.requestId)
  if (open === undefined || entry === undefined) return
  open.isSent = true
  open.ref ??= ref
  if (elicitationId !== undefined) expect(state, elicitationId, self)
  state.streams.send(entry.stream, text)
}

/** Whoever asked is told, and with the last of its questions the request's own time runs again. */
export function over(state: State, { id, asked, withdrawn }: Over, self: Self<State>): void {
  const open = state.asks?.settle(id, asked, self)
  const entry = open === undefined ? undefined : state.inFlight.get(open.requestId)
  if (open === undefined || entry === undefined) return
  if (withdrawn !== undefined && open.isSent) state.streams.send(entry.stream, withdrawal(id, withdrawn))
  if (state.asks?.isAsking(entry.id) === true) return
  stopTimer(entry, self.system)
  startTimer(entry, self)
}

/** The pages that a URLElicitationRequired error sends the user to: the client may be told of each when it is completed. */
export function expectElicitations(state: State, { code, data }: ErrorObject, self: Self<State>): void {
  if (code !== ErrorCode.UrlElicitationRequired || !isObject(data) || !Array.isArray(data['elicitations'])) return
  for (const one of data['elicitations'] as unknown[])
    if (isObject(one) && typeof one['elicitationId'] === 'string') expect(state, one['elicitationId'], self)
}

/** The client may be told later that this elicitation was completed elsewhere. */
function expect(state: State, elicitationId: string, self: Self<State>): void {
  const { services } = state.arg
  if (state.elicitations === noUris) state.elicitations = new Set()
  const { elicitations } = state
  elicitations.add(elicitationId)
  const [oldest] = elicitations
  if (elicitations.size > ELICITATIONS_MAX && oldest !== undefined) {
    elicitations.delete(oldest)
    elicitationSettled(services, self.ref, oldest, sessionIdOf(state))
  }
  awaitElicitation(services, self.ref, elicitationId, sessionIdOf(state))
  remember(state, self)
}

function refusal(message: string): Asked {
  return { error: { code: ErrorCode.InternalError, message } }
}
