/**
 * What a session has asked its client and not heard of yet: sampling, elicitation, roots, pings. Each question has an id, a
 * process that waits for the answer, and a time-out; it belongs to a request, and goes with it.
 */

import type { ClientCapabilities, JsonObject, Revision } from '#protocol'
import {
  clientResultFault,
  ErrorCode,
  type ErrorObject,
  encodeNotification,
  encodeRequest,
  has,
  isInRevision,
  methodRow,
  type RequestId,
  toErrorObject,
} from '#protocol'
import type { From, Self, Timer } from '#runtime'

/** The answer to a question: a result or an error, never both. */
export interface Asked {
  readonly result?: JsonObject
  readonly error?: ErrorObject
}

interface Ask {
  readonly from: From
  readonly method: string
  readonly requestId: RequestId
  readonly timer: Timer
}

/** The message that a question's time-out sends to its session. */
export interface AskTimeout {
  readonly type: 'ask_timeout'
  readonly askId: number
}

/** Parts of a method that came after it; an older revision would leave them out and change the question. */
const gatesSince: ReadonlyMap<string | undefined, string> = new Map([
  ['sampling.tools', '2025-11-25'],
  ['elicitation.url', '2025-11-25'],
])

export class SessionAsks {
  private readonly open = new Map<number, Ask>()
  private nextId: number

  /** `firstId` differs between incarnations, so that a late answer to an earlier one meets nobody. */
  constructor(firstId: number) {
    this.nextId = firstId
  }

  get size(): number {
    return this.open.size
  }

  /**
   * Notes a question and returns its text, or answers it at once with an error: the client has not announced what it takes,
   * or its revision has no words for it.
   */
  ask(
    question: {
      readonly requestId: RequestId
      readonly method: string
      readonly gate: string | undefined
      readonly params: object | undefined
    },
    client: { readonly capabilities: ClientCapabilities; readonly revision: Revision },
    from: From,
    self: Self,
    timeoutMs: number,
  ): string | undefined {
    const { method, gate } = question
    const row = methodRow(method)
    const { version } = client.revision
    const isKnown = row !== undefined && isInRevision(row, version) && version >= (gatesSince.get(gate) ?? '')
    if (!isKnown || (gate !== undefined && !has(client.capabilities, gate))) {
      const lack = isKnown ? `announced no ${gate}` : `speaks ${version}, which has no ${gate ?? method}`
      from.reply({
        error: { code: ErrorCode.MethodNotFound, message: `The client cannot be asked for ${method}: it ${lack}.` },
      })
      return undefined
    }
    const id = this.nextId
    let text: string
    try {
      // What an author passes is checked by the method table before it leaves.
      const params =
        question.params === undefined ? undefined : client.revision.encodeParams(method, question.params as JsonObject)
      const fault = row.check(params)
      if (fault !== undefined) throw new TypeError(`${method}: ${fault}`)
      text = encodeRequest(id, method, params)
    } catch (error) {
      from.reply({ error: toErrorObject(error) })
      return undefined
    }
    this.nextId++
    const timeout: AskTimeout = { type: 'ask_timeout', askId: id }
    this.open.set(id, { from, method, requestId: question.requestId, timer: self.sendAfter(timeoutMs, timeout) })
    return text
  }

  /** The client answered. Returns the request that had asked, or undefined for an answer that nobody waits for. */
  settle(id: RequestId | null, answer: Asked, self: Self): RequestId | undefined {
    const ask = typeof id === 'number' ? this.open.get(id) : undefined
    if (ask === undefined) return undefined
    this.open.delete(id as number)
    self.cancelTimer(ask.timer)
    const fault = answer.result === undefined ? undefined : clientResultFault(ask.method, answer.result)
    const message = `The client answered ${ask.method} with a result that breaks the protocol: ${fault}.`
    ask.from.reply(fault === undefined ? answer : { error: { code: ErrorCode.InternalError, message } })
    return ask.requestId
  }

  /** Whether a request waits for its client. */
  isAsking(requestId: RequestId): boolean {
    for (const ask of this.open.values()) if (ask.requestId === requestId) return true
    return false
  }

  /** A question's time is up: its asker gets an error, and the returned text tells the client. */
  timeOut(id: number, timeoutMs: number, self: Self): { text: string; requestId: RequestId } | undefined {
    const error = { code: ErrorCode.InternalError, message: `The client did not answer within ${timeoutMs} ms.` }
    const requestId = this.settle(id, { error }, self)
    return requestId === undefined ? undefined : { text: cancelled(id, 'timed out'), requestId }
  }

  /** The request is over: what it had asked is taken back. Returns what to tell the client. */
  dropOf(requestId: RequestId, self: Self): string[] {
    const texts: string[] = []
    for (const [id, ask] of this.open) {
      if (ask.requestId !== requestId) continue
      this.open.delete(id)
      self.cancelTimer(ask.timer)
      texts.push(cancelled(id, 'the request is over'))
    }
    return texts
  }
}

function cancelled(requestId: number, reason: string): string {
  return encodeNotification('notifications/cancelled', { requestId, reason })
}
