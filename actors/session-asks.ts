/**
 * What a session has asked its client and not heard of yet: sampling, elicitation, roots, pings. Each question is a process of
 * its own that checks and waits; this is the book of them. A question belongs to a request, and goes with it.
 */
import {
  type ClientCapabilities,
  ErrorCode,
  encodeNotification,
  has,
  isInRevision,
  methodRow,
  type RequestId,
  type Revision,
} from '#protocol'
import type { From, Ref, Self } from '#runtime'
import type { Asked } from './requester.ts'

interface Ask {
  readonly id: number
  readonly method: string
  readonly requestId: RequestId
  readonly from: From
  /** Whether the client has been sent it. */
  isSent: boolean
  /** The question's process and its monitor, once it has started. */
  ref: Ref | null
  monitor: number
}

/** Questions of one session that may be open at once. */
const QUESTIONS_MAX = 256

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

  /** Notes a question of a request and returns its id. */
  begin(requestId: RequestId, method: string, from: From): number {
    const id = this.nextId++
    this.open.set(id, { id, method, requestId, from, isSent: false, ref: null, monitor: 0 })
    return id
  }

  get(id: RequestId | null): Ask | undefined {
    return typeof id === 'number' ? this.open.get(id) : undefined
  }

  /** Why no more questions can be asked now. */
  get excess(): string | undefined {
    return this.open.size < QUESTIONS_MAX
      ? undefined
      : `This session has ${QUESTIONS_MAX} open questions, which is the limit. Wait for an answer.`
  }

  ofProcess(monitor: number): Ask | undefined {
    for (const ask of this.open.values()) if (ask.monitor === monitor) return ask
    return undefined
  }

  /** Whether a request waits for its client. */
  isAsking(requestId: RequestId): boolean {
    for (const ask of this.open.values()) if (ask.requestId === requestId) return true
    return false
  }

  /** A question is over: whoever asked is given `asked`. Returns the question, or undefined when it was over before. */
  settle(id: number, asked: Asked, self: Pick<Self, 'demonitor'>): Ask | undefined {
    const ask = this.open.get(id)
    if (ask === undefined) return undefined
    this.open.delete(id)
    if (ask.monitor !== 0) self.demonitor(ask.monitor)
    ask.from.reply(asked)
    return ask
  }

  /** The request is over: what it had asked is taken back. Returns what to tell the client. */
  dropOf(requestId: RequestId, self: Pick<Self, 'demonitor'>): string[] {
    const texts: string[] = []
    for (const ask of this.open.values()) {
      if (ask.requestId !== requestId) continue
      this.open.delete(ask.id)
      if (ask.monitor !== 0) self.demonitor(ask.monitor)
      ask.ref?.exit({ shutdown: 'withdrawn' })
      if (ask.isSent) texts.push(withdrawal(ask.id, 'the request is over'))
    }
    return texts
  }
}

/** Why this client cannot be asked: it has not announced what it takes, or its revision has no words for it. */
export function lackOf(
  client: { readonly capabilities: ClientCapabilities; readonly revision: Revision },
  method: string,
  gate: string | undefined,
): Asked | undefined {
  const row = methodRow(method)
  const { version } = client.revision
  const isKnown = row !== undefined && isInRevision(row, version) && version >= (gatesSince.get(gate) ?? '')
  if (isKnown && (gate === undefined || has(client.capabilities, gate))) return undefined
  const lack = isKnown ? `announced no ${gate}` : `speaks ${version}, which has no ${gate ?? method}`
  return {
    error: { code: ErrorCode.MethodNotFound, message: `The client cannot be asked for ${method}: it ${lack}.` },
  }
}

/** Tells a client that its answer is not wanted any more. */
export function withdrawal(requestId: number, reason: string): string {
  return encodeNotification('notifications/cancelled', { requestId, reason })
}
