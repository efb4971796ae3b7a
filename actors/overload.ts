/**
 * What keeps a server standing when more is asked of it than it can do: the table of limits, and the questions that the doors ask
 * it. Nothing here has a mailbox; the rate limiter and the pressure process keep the table, and everybody reads it.
 *
 * Three things refuse, each with its own status: *rates* (429: this client asks too often), *capacity* (503: the server has as
 * much in hand as it may) and *pressure* (503: the processor, the memory or the disk is behind). Pings, notifications, answers,
 * the end of a session and whatever takes work off the server are never refused.
 */
import { ErrorCode, type ErrorObject, encodeBatch, encodeError, encodeResult, type Message } from '#protocol'
import type { Clock, Random } from '#runtime'
import { partyOf } from '#structures/address'
import type { AdmissionGate, Excess } from '#structures/admission-gate'
import type { BucketTable } from '#structures/bucket-table'
import type { PressureSettings } from './pressure.ts'

/** normal: all is served. elevated: what can wait is refused. critical: only what frees the server is served. */
export type PressureLevel = 'normal' | 'elevated' | 'critical'

/** How hard pressed the server is: written by its pressure process, read by the doors, by /readyz and by metrics. */
export interface Pressure {
  level: PressureLevel
  /** Since when, on the system's clock, in milliseconds. */
  sinceMs: number
  /** What raised the level; empty at 'normal'. */
  because: readonly PressureSource[]
  /** How late the last look was, in milliseconds: about what a message waits for the processor. */
  loopDelayMs: number
  /** Used part of the heap's limit, 0 to 1. */
  heapRatio: number
  /** Resident set in bytes, and its part of what this program may have, 0 where nothing says how much that is. */
  rssBytes: number
  rssRatio: number
  /** The fuller of what may wait for the disk, 0 to 1. */
  storeRatio: number
}

export type PressureSource = 'loop' | 'heap' | 'rss' | 'store'

/** Whose tokens a request takes. */
export type RateScope = 'address' | 'principal' | 'session' | 'server'

/** The tables of the rates that were set. */
export type Rates = Partial<Readonly<Record<RateScope, BucketTable>>>

export interface Overload {
  readonly rates: Rates
  /** Where calls wait for the processor. */
  readonly gate: AdmissionGate
  readonly pressure: Pressure
  /** Undefined: nobody looks, and the level stays normal. */
  readonly pressureSettings: PressureSettings | undefined
  /** The system's, from when there is one. */
  clock: Clock
  /** Whether a rate is set, or there is pressure. */
  isWatched: boolean
}

/** Why a request is not served now. */
export interface Refusal {
  readonly status: 429 | 503
  /** 'rate_address', 'rate_session', ..., 'in_flight', 'queue_full', 'queue_slow', 'pressure': stable, counted, sent. */
  readonly reason: string
  readonly message: string
  readonly retryAfterMs: number
}

/** Who sent a message. */
export interface Sender {
  readonly address?: string | undefined
  readonly principal?: string | undefined
  readonly session?: string | undefined
}

const scopes: readonly RateScope[] = ['address', 'principal', 'session', 'server']

/** Requests that are let in whatever happens: they cost little, or take work off the server. */
const freeing = new Set([
  'ping',
  'tasks/cancel',
  'tasks/result',
  'tasks/get',
  'tasks/update',
  'resources/unsubscribe',
  'server/discover',
])
/** Requests that are put off first. */
const deferrable = new Set([
  'initialize',
  'completion/complete',
  'subscriptions/listen',
  'resources/subscribe',
  'tasks/list',
])

/** Requests that pass the gate. */
const gated = new Set(['tools/call', 'resources/read', 'prompts/get', 'completion/complete', 'resources/list'])

/** Milliseconds after which a client may try again that met a full server, before chance is added. */
const RETRY_MS = 1_000
/** The share of a wait that chance adds, so that those who were refused together do not come back together. */
const JITTER = 0.5

/** Whether messages have to be looked at before they are let in: see `turnedAway`. */
export function isWatchful({ isWatched, gate }: Overload): boolean {
  return isWatched || gate.queued > 0 || gate.inFlight >= gate.settings.inFlightMax
}

/** Whether a request is served at any time, and takes no tokens. */
export function isFreeing(method: string): boolean {
  return freeing.has(method)
}

/** Why the requests of a message are not let in now; undefined when they are. Asked only while `isWatchful`. */
export function turnedAway(
  overload: Overload,
  random: Random,
  sender: Sender,
  message: Message | readonly Message[],
): Refusal | undefined {
  const { rates, pressure, clock, gate } = overload
  const messages = 'kind' in message ? [message] : message
  let count = 0
  let isCall = false
  let isDeferrable = false
  for (const one of messages) {
    if (one.kind !== 'request' || freeing.has(one.method)) continue
    count++
    if (gated.has(one.method)) isCall = true
    if (deferrable.has(one.method) || 'task' in (one.params ?? {})) isDeferrable = true
  }
  if (count === 0) return undefined
  if (pressure.level === 'critical' || (pressure.level === 'elevated' && isDeferrable)) {
    const message = `The server is overloaded (${pressure.because.join(', ')}) and serves this later. Try again.`
    return { status: 503, reason: 'pressure', message, retryAfterMs: jittered(2 * RETRY_MS, random) }
  }
  // Said here and not by the session, whose mailbox would else hold what it is too late for.
  const excess = isCall ? gate.excess : undefined
  if (excess !== undefined) return refusalOf(overload, excess, random)
  return overRate(rates, clock.now(), random, sender, count)
}

/** Takes tokens from all who have to give some, or from none. */
function overRate(rates: Rates, nowMs: number, random: Random, sender: Sender, count: number): Refusal | undefined {
  for (const [index, scope] of scopes.entries()) {
    const table = rates[scope]
    const key = keyOf(scope, sender)
    if (table === undefined || key === undefined) continue
    const waitMs = table.take(key, nowMs, count)
    if (waitMs === 0) continue
    for (const before of scopes.slice(0, index)) {
      const paid = keyOf(before, sender)
      if (paid !== undefined) rates[before]?.giveBack(paid, count)
    }
    const { perSecond } = table.rate
    const whose = scope === 'server' ? 'The server takes' : `This ${scope} may send`
    const message = `${whose} ${perSecond} requests in a second, and got more. Slow down.`
    return { status: 429, reason: `rate_${scope}`, message, retryAfterMs: jittered(waitMs, random) }
  }
  return undefined
}

function keyOf(scope: RateScope, { address, principal, session }: Sender): string | undefined {
  if (scope === 'server') return ''
  if (scope === 'session') return session
  if (scope === 'principal') return principal
  return address === undefined ? undefined : partyOf(address)
}

/** What is told of a gate that does not let a call in. */
export function refusalOf({ gate }: Overload, excess: Excess, random: Random): Refusal {
  const { inFlightMax, queuedMax, queueTargetMs } = gate.settings
  const why =
    excess === 'in_flight'
      ? `has ${inFlightMax} requests in flight`
      : excess === 'queue_full'
        ? `has ${queuedMax} requests waiting`
        : `makes requests wait for more than ${queueTargetMs} ms`
  const message = `The server ${why}, which is the limit. Try again later.`
  return { status: 503, reason: excess, message, retryAfterMs: jittered(RETRY_MS, random) }
}

/** A session has as many requests in flight as it may. */
export function sessionIsFull(inFlight: number, whose: 'session' | 'connection', random: Random): Refusal {
  const message = `This ${whose} has ${inFlight} requests in flight, which is the limit. Wait for an answer.`
  return { status: 429, reason: 'session_full', message, retryAfterMs: jittered(RETRY_MS, random) }
}

/** The error that a client is sent; it may wait for `data.retryAfterMs` and try again. */
export function errorOf({ reason, message, retryAfterMs }: Refusal): ErrorObject {
  return { code: ErrorCode.InternalError, message, data: { reason, retryAfterMs } }
}

/** The header Retry-After. Source: RFC 9110, section 10.2.3: whole seconds. */
export function retryAfterOf({ retryAfterMs }: Refusal): string {
  return String(Math.max(1, Math.ceil(retryAfterMs / 1_000)))
}

/**
 * The answer to a message that is refused, and what of it is let in all the same: of a batch, the notifications and the answers.
 * A ping in a batch is answered.
 */
export function refusedText(
  message: Message | readonly Message[],
  refusal: Refusal,
): { readonly text: string; readonly rest: Message[] } {
  const error = errorOf(refusal)
  if ('kind' in message) return { text: encodeError('id' in message ? message.id : null, error), rest: [] }
  const texts: string[] = []
  const rest: Message[] = []
  for (const one of message) {
    if (one.kind === 'invalid') texts.push(encodeError(one.id, one.error))
    else if (one.kind !== 'request') rest.push(one)
    else texts.push(one.method === 'ping' ? encodeResult(one.id, {}) : encodeError(one.id, error))
  }
  return { text: encodeBatch(texts), rest }
}

function jittered(ms: number, random: Random): number {
  return Math.ceil(ms * (1 + JITTER * random.next()))
}
