/**
 * Who a request answers to, and the way it speaks to the client meanwhile. In the legacy era that is a session, in the modern
 * era the exchange that brought the request, for a task its record. A request process knows none of them.
 */
import type { AskOptions } from '#features/context'
import type { ErrorObject, JsonObject, LogLevel, RequestId } from '#protocol'
import type { Ref } from '#runtime'
import type { Session } from './session.ts'

/** Something that only the client can answer. */
export interface Question {
  readonly method: 'sampling/createMessage' | 'elicitation/create' | 'roots/list' | 'ping'
  /** What the client must have announced, as a path for `has`. */
  readonly gate: string | undefined
  readonly params: object | undefined
  readonly options: AskOptions
  /** Where the question stands in a trace; sent with it where it is a message of its own. */
  readonly meta?: JsonObject | undefined
}

/** The answer to a question: a result or an error, never both. */
export interface Asked {
  readonly result?: JsonObject
  readonly error?: ErrorObject
  /** The client did not answer in time. */
  readonly isLate?: boolean
}

export interface Requester {
  /** The request's process takes time: it makes itself known, to be watched and cancelled. */
  started(ref: Ref): void
  /** The neutral result. Called once, or `refuse` is. */
  answer(result: JsonObject): void
  refuse(error: ErrorObject): void
  /** A notification that belongs to the request, in the neutral shape. */
  notify(method: string, params: JsonObject): void
  /** An encoded notifications/message; sent if the client wants that level. */
  log(level: LogLevel, text: string): void
  /** Resolves with the client's answer; an answer that never comes is an error. Rejects when the requester is gone. */
  ask(question: Question): Promise<Asked>
  /** Closes the answer's stream early, where it can be resumed. */
  closeStream(retryMs: number | undefined): void
}

/** A session as requester: every wish becomes a message to it. */
export function sessionRequester(session: Ref<typeof Session>, id: RequestId): Requester {
  return new SessionRequester(session, id)
}

function withMeta(params: object | undefined, meta: JsonObject | undefined): object | undefined {
  if (meta === undefined) return params
  const { _meta } = (params ?? {}) as { readonly _meta?: object }
  return { ...params, _meta: { ...meta, ..._meta } }
}

class SessionRequester implements Requester {
  private readonly session: Ref<typeof Session>
  private readonly id: RequestId

  constructor(session: Ref<typeof Session>, id: RequestId) {
    this.session = session
    this.id = id
  }

  started(ref: Ref): void {
    this.session.cast('started', { id: this.id, ref })
  }

  answer(result: JsonObject): void {
    this.session.cast('answer', { id: this.id, result })
  }

  refuse(error: ErrorObject): void {
    this.session.cast('refuse', { id: this.id, error })
  }

  notify(method: string, params: JsonObject): void {
    this.session.cast('notify', { id: this.id, method, params })
  }

  log(level: LogLevel, text: string): void {
    this.session.cast('log', { id: this.id, level, text })
  }

  ask({ method, gate, params, options, meta }: Question): Promise<Asked> {
    const question = { id: this.id, method, gate, params: withMeta(params, meta), options }
    return this.session.call('ask', question, { timeout: Number.POSITIVE_INFINITY })
  }

  closeStream(retryMs: number | undefined): void {
    this.session.cast('closeStream', { id: this.id, retryMs })
  }
}
