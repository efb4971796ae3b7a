/**
 * A question is a process that asks a client something on behalf of a request: sampling, elicitation, roots, a ping. It checks
 * what it is to ask, has its session send it, waits for the answer, checks that too, and tells the session what came of it. It
 * ends with its answer, with its time, with the request that asked, and with the session, whichever is first. A question that
 * crashes is an error for whoever asked, and nobody else notices.
 *
 *     session                                        question
 *     call 'ask' of a request: starts a question  -> checks its params
 *     cast 'put': sends it to the client          <- the text
 *     the client's answer                         -> cast 'answered': checks it
 *     cast 'over': replies to the request         <- a result or an error
 */
import { ErrorCode, encodeRequest, type JsonObject, type Revision, toErrorObject } from '#protocol'
import { type ChildSpec, child, defineActor, type Ref, type Self } from '#runtime'
import { elicitation } from './elicitation.ts'
import type { QuestionKind } from './question-kind.ts'
import type { Asked } from './requester.ts'
import { roots } from './roots.ts'
import { sampling } from './sampling.ts'
import type { Session } from './session.ts'

/** What a question is started with. */
export interface QuestionArg {
  /** Its id on the wire. */
  readonly id: number
  readonly session: Ref<typeof Session>
  /** The process that waits for the answer, where it is known. */
  readonly asker: Ref | null
  readonly revision: Revision
  readonly method: string
  readonly params: JsonObject
  /** Milliseconds that the client has for its answer. */
  readonly timeoutMs: number
}

const ping: QuestionKind = { check: () => undefined, accept: (result) => result }

const kinds: Readonly<Record<string, QuestionKind>> = {
  'sampling/createMessage': sampling,
  'elicitation/create': elicitation,
  'roots/list': roots,
  ping,
}

interface State extends QuestionArg {
  readonly kind: QuestionKind
}

export const Question = defineActor({
  name: 'question',
  init: (arg: QuestionArg, self: Self<never>): State => {
    self.monitor(arg.session)
    if (arg.asker !== null) self.monitor(arg.asker)
    self.continueWith('put')
    return { ...arg, kind: kinds[arg.method] ?? ping }
  },
  continue: {
    put: (state: State, _none: undefined, self: Self<State>) => {
      const { id, session, kind, method, params, revision, timeoutMs } = state
      try {
        kind.check(params)
        const isEmpty = Object.keys(params).length === 0
        const text = encodeRequest(id, method, isEmpty ? undefined : revision.encodeParams(method, params))
        session.cast('put', { id, ref: self.ref, text, elicitationId: kind.elicitationId?.(params) })
      } catch (error) {
        return conclude(state, { error: toErrorObject(error) }, self)
      }
      self.sendAfter(timeoutMs, { type: 'timeout' })
    },
  },
  cast: {
    answered: (state, answer: Asked, self: Self<State>) => {
      if (answer.result === undefined) return conclude(state, answer, self)
      try {
        conclude(state, { result: state.kind.accept(answer.result, state.params) }, self)
      } catch (error) {
        const fault = error instanceof Error ? error.message : String(error)
        const message = `The client answered ${state.method} with a result that breaks the protocol: ${fault}.`
        conclude(state, { error: { code: ErrorCode.InternalError, message } }, self)
      }
    },
  },
  info: (state, message, self) => {
    const { type, ref } = message as { readonly type: 'timeout' | 'DOWN'; readonly ref?: unknown }
    if (type === 'DOWN' && ref === state.session) return self.stop()
    const isLate = type === 'timeout'
    const why = isLate ? `The client did not answer within ${state.timeoutMs} ms.` : 'The request is over.'
    const withdrawn = isLate ? 'timed out' : 'the request is over'
    conclude(state, { error: { code: ErrorCode.InternalError, message: why }, isLate }, self, withdrawn)
  },
})

/** The last word: `withdrawn` says why the client's answer is not wanted any more. */
function conclude({ id, session }: State, asked: Asked, self: Self<State>, withdrawn?: string): void {
  session.cast('over', { id, asked, withdrawn })
  self.stop()
}

/** One question of any session; how many there are is the supervisor's limit. */
export function questionTemplate(): ChildSpec {
  return child(Question, undefined as unknown as QuestionArg, {
    id: 'question',
    restart: 'temporary',
    shutdown: 'brutal_kill',
  })
}
