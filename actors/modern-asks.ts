/**
 * Questions to a client of the modern era, which cannot be asked: they are put into the result instead. The call ends with
 * `input_required`, the client collects the answers and sends the request again, and the handler runs anew from its start; what
 * it asked before is then answered at once. Everything that has to be remembered between the rounds travels in `requestState`,
 * sealed and bound to the principal, the request and a time, so any process of the server can take the next round.
 *
 * Spec: MCP 2026-07-28, basic/patterns/mrtr.
 */
import { digestOf } from '#auth/canonical-json'
import {
  clientRequestFault,
  clientResultFault,
  has,
  invalidParams,
  isObject,
  type JsonObject,
  methodRow,
  missingClientCapability,
  ProtocolError,
  withElicitDefaults,
} from '#protocol'
import type { System, Timer } from '#runtime'
import { onceDurable } from './durable.ts'
import type { ModernRequest } from './modern-call.ts'
import type { Asked, Question } from './requester.ts'
import { sealerOf } from './sealing.ts'
import type { Services } from './services.ts'

/** Rounds that one request may take, and answers that it may gather. */
export const ROUNDS_MAX = 64
/** What the handlers of one round may ask. */
const QUESTIONS_MAX = 64

/** What travels in `requestState`. */
interface Memory {
  /** Answers of earlier rounds by key, each with the digest of its question. */
  readonly answers: { readonly [key: string]: { readonly digest: string; readonly result: JsonObject } }
  /** The questions that the client was sent with this state, by key. */
  readonly asked: { readonly [key: string]: string }
  readonly round: number
  /** The member that asked, where there are several: it remembers which answers were used. */
  readonly member?: number
}

/** The state that a request brought back, opened. */
export interface OpenedState {
  readonly memory: Memory
  /** Unique to this round of this request. */
  readonly nonce: string
  readonly expiresAt: number
}

/** Opens the state of a request; undefined when it brought none. Throws a ProtocolError -32602 for one that is not valid. */
export function openState(services: Services, system: System, request: ModernRequest): OpenedState | undefined {
  const text = request.params['requestState']
  if (text === undefined) return undefined
  const opened = sealerOf(services, system).open(String(text), bindingOf(request))
  if (!('refused' in opened)) {
    // Only we can have sealed it.
    return { memory: opened.payload as unknown as Memory, nonce: opened.nonce, expiresAt: opened.expiresAt }
  }
  services.counters.add('states_refused', 1, opened.refused)
  const why = {
    tampered: 'is not one of this server',
    expired: 'has expired',
    foreign: 'belongs to another request or principal',
  }[opened.refused]
  throw invalidParams(`params.requestState ${why}. Send the request again without it.`)
}

function bindingOf({ message, params, auth }: ModernRequest): { principal: string; request: string } {
  const { name, uri } = params
  return {
    principal: auth?.id ?? '',
    request: digestOf([message.method, name ?? uri ?? null, params['arguments'] ?? null]),
  }
}

/** What a call with questions ends with. */
type Settle = (result: JsonObject | Error) => void

export class ModernAsks {
  private readonly services: Services
  private readonly system: System
  private readonly request: ModernRequest
  private readonly settle: Settle
  private readonly state: OpenedState | undefined
  private readonly answers: Map<string, { digest: string; result: JsonObject }>
  private readonly open = new Map<string, { digest: string; question: Question }>()
  private readonly counts = new Map<string, number>()
  private timer: Timer | undefined

  constructor(
    services: Services,
    system: System,
    request: ModernRequest,
    state: OpenedState | undefined,
    settle: Settle,
  ) {
    this.services = services
    this.system = system
    this.request = request
    this.settle = settle
    this.state = state
    this.answers = new Map(Object.entries(state?.memory.answers ?? {}))
  }

  /** Resolves at once with an answer that came along; otherwise never, and the call ends with this and its other questions. */
  async ask(question: Question): Promise<Asked> {
    const params = this.check(question)
    const key = question.options.key ?? this.nextKey(question.method)
    const digest = digestOf([question.method, params])
    const result = this.known(key, digest, { ...question, params })
    if (result !== undefined) {
      if (question.options.once) await this.spend(key)
      return { result }
    }
    if (this.open.has(key)) throw new Error(`Two questions of this call have the key ${JSON.stringify(key)}.`)
    if (this.open.size >= QUESTIONS_MAX) throw new Error(`A call may ask ${QUESTIONS_MAX} questions at a time.`)
    this.open.set(key, { digest, question: { ...question, params } })
    // Whatever else the handler asks before it comes to rest goes into the same round.
    this.timer ??= this.system.timers.start(0, sendRound, this as ModernAsks)
    return new Promise(() => undefined)
  }

  /** All answers so far, by key. */
  get given(): Memory['answers'] {
    return Object.fromEntries(this.answers)
  }

  /** The call is over. */
  end(): void {
    if (this.timer !== undefined) this.system.timers.cancel(this.timer)
  }

  /** The round's result: all that was asked, and the sealed memory. */
  flush(): void {
    const round = (this.state?.memory.round ?? 0) + 1
    if (round > ROUNDS_MAX) {
      return this.settle(new ProtocolError(-32603, `This request took ${ROUNDS_MAX} rounds, which is the limit.`))
    }
    const inputRequests: Record<string, object> = {}
    const asked: Record<string, string> = {}
    let ttlMs = this.services.limits.askTimeoutMs
    for (const [key, { digest, question }] of this.open) {
      const { method, params, options } = question
      inputRequests[key] = { method, params }
      asked[key] = digest
      ttlMs = Math.min(ttlMs, options.expiresInMs ?? ttlMs)
    }
    const { members } = this.services
    const memory: Memory = { answers: this.given, asked, round, ...(members && { member: members.index }) }
    try {
      const payload = memory as unknown as JsonObject
      const requestState = sealerOf(this.services, this.system).seal(payload, bindingOf(this.request), ttlMs)
      // The first state of a server is sealed with a key that has just been made: it must outlive what it sealed.
      onceDurable(this.services.store, () => this.settle({ resultType: 'input_required', inputRequests, requestState }))
    } catch (error) {
      this.settle(error instanceof Error ? error : new Error(String(error)))
    }
  }

  /** The question's params, if this client can be asked it. Throws what the caller is told otherwise. */
  private check({ method, gate, params }: Question): JsonObject {
    const row = methodRow(method, this.request.revision.version)
    // A plain error: it is the handler that is wrong, not the method of the request.
    if (row === undefined || method === 'ping')
      throw new Error(`Revision ${this.request.revision.version} has no ${method} that a client could be sent.`)
    if (gate !== undefined && !has(this.request.client.clientCapabilities, gate)) {
      throw missingClientCapability(requirement(gate))
    }
    const neutral = (params ?? {}) as JsonObject
    const fault = row.check(neutral) ?? clientRequestFault(method, neutral, 'modern')
    if (fault !== undefined) throw new TypeError(`${method}: ${fault}`)
    return neutral
  }

  private nextKey(method: string): string {
    const kind = keyNames[method] ?? method
    const number = (this.counts.get(kind) ?? 0) + 1
    this.counts.set(kind, number)
    return `${kind}-${number}`
  }

  /** The answer to a question of an earlier round, if the client gave one. */
  private known(key: string, digest: string, { method, params, options }: Question): JsonObject | undefined {
    const before = this.answers.get(key)
    if (before !== undefined && before.digest === digest) return before.result
    const responses = this.request.params['inputResponses']
    const sent = isObject(responses) && Object.hasOwn(responses, key) ? responses[key] : undefined
    if (!isObject(sent)) return undefined
    // An answer to another question than this one is none. Without a state only what is bound to nothing can be answered.
    const isBound = options.once === true || options.expiresInMs !== undefined
    if (this.state === undefined ? isBound : this.state.memory.asked[key] !== digest) return undefined
    const result = method === 'elicitation/create' ? withElicitDefaults(params, sent) : sent
    const fault = clientResultFault(method, result, params)
    if (fault !== undefined) throw invalidParams(`params.inputResponses.${key}: ${fault}`)
    this.answers.set(key, { digest, result })
    return result
  }

  /** Marks an answer as used, durably; throws when it was used before. */
  private async spend(key: string): Promise<void> {
    const { services, state, system } = this
    const { members } = services
    if (state !== undefined) {
      const { nonce, expiresAt, memory } = state
      const answer = { id: `${nonce}/${key}`, expiresAt }
      const isFar = members !== undefined && memory.member !== undefined && memory.member !== members.index
      // Only one of them remembers, or the answer could be used at each.
      const isUnused = isFar
        ? await members.ask(memory.member ?? 0, 'spend', answer, true)
        : await spendOnce(services, system.clock.wallNow(), answer)
      if (isUnused === true) return
    }
    throw invalidParams(
      `The answer ${JSON.stringify(key)} was used before. Send the request again without requestState.`,
    )
  }
}

/** Marks an answer as used; resolves, when that is durable, to whether it was not before. */
export async function spendOnce(
  services: Services,
  now: number,
  record: { readonly id: string; readonly expiresAt: number },
): Promise<boolean> {
  const { spent } = services
  if (spent.get(record.id) !== undefined) return false
  if (!spent.put(record)) {
    forgetExpired(services, now)
    if (!spent.put(record)) throw new Error('Too many answers that may be used once are remembered. Try again later.')
  }
  return new Promise((resolve) => onceDurable(spent, () => resolve(true)))
}

function forgetExpired({ spent }: Services, now: number): void {
  for (const { id, expiresAt } of [...spent.list()]) if (expiresAt <= now) spent.delete(id)
}

function sendRound(asks: ModernAsks): void {
  asks.flush()
}

const keyNames: Readonly<Record<string, string>> = {
  'elicitation/create': 'elicit',
  'sampling/createMessage': 'sample',
  'roots/list': 'roots',
}

/** The capability as the error names it: 'elicitation.url' is { elicitation: { url: {} } }. */
function requirement(gate: string): JsonObject {
  if (gate === 'elicitation.form') return { elicitation: {} }
  return gate.split('.').reduceRight<JsonObject>((inner, name) => ({ [name]: inner }), {})
}
