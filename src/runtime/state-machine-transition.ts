/**
 * What the handlers of a state machine return: a transition and its actions, as plain values that do nothing by themselves.
 *
 *     return next('open', reply('welcome'), stateTimeout(10_000))   // another state
 *     return keep({ ...data, tries: data.tries + 1 }, postpone())   // the same state, other data
 *     return stop('shutdown', reply('bye'))
 *
 * The engine carries the actions out in the order of the list; of two that set the same thing the last one counts.
 * After: OTP gen_statem, state callback results and actions.
 */
import { Envelope, type From, kinds, Reply } from './envelope.ts'
import type { ExitReason } from './reasons.ts'

/** An event that a machine makes for itself: an inserted one or a time-out. `name` is the op or the name of the timer. */
export class OwnEvent {
  readonly type: 'internal' | 'eventTimeout' | 'stateTimeout' | 'timeout'
  readonly name: string
  content: unknown
  constructor(type: OwnEvent['type'], name: string, content: unknown) {
    this.type = type
    this.name = name
    this.content = content
  }

  /** For reports: `internal go`, `timeout retry`, `stateTimeout`. */
  get label(): string {
    return this.name === '' ? this.type : `${this.type} ${this.name}`
  }
}

/** One effect of a transition. Opaque: made by the functions below, carried out by the engine. */
export abstract class Action {
  /** Never set: keeps plain data from passing for an action. */
  declare protected readonly isAction: true
}

/** An action that answers a call. `V` types the reply that `ref.call` resolves to. */
export class ReplyAction<V = unknown> extends Action {
  /** Undefined for the call being handled. */
  readonly from: From | undefined
  readonly value: V
  constructor(from: From | undefined, value: V) {
    super()
    this.from = from
    this.value = value
  }
}

export class PostponeAction extends Action {
  readonly type = 'postpone'
}

export class HibernateAction extends Action {
  readonly type = 'hibernate'
}

export class InsertAction extends Action {
  readonly envelope: Envelope
  constructor(envelope: Envelope) {
    super()
    this.envelope = envelope
  }
}

/** Milliseconds from now, `Infinity` for never, or a moment `{ at }` in milliseconds of the system's clock (`self.now()`). */
export type After = number | { readonly at: number }

export class TimeoutAction extends Action {
  readonly type: 'eventTimeout' | 'stateTimeout' | 'timeout'
  readonly name: string
  /** `Infinity` cancels; 'update' replaces the content alone. */
  readonly after: After | 'update'
  readonly content: unknown
  constructor(type: TimeoutAction['type'], name: string, after: After | 'update', content: unknown) {
    super()
    this.type = type
    this.name = name
    this.after = after
    this.content = content
  }
}

/** What a handler says of the machine's next state. `S`, `D` and `R` are the types of state, data and reply. */
export class Transition<S = unknown, D = unknown, R = unknown> {
  readonly kind: 'next' | 'keep' | 'repeat' | 'stop'
  /** The next state, or for a stop the reason. */
  readonly target: S
  readonly hasData: boolean
  readonly data: D
  readonly actions: readonly Action[]
  /** Never set: the type of the reply. */
  declare readonly reply?: R
  constructor(kind: Transition['kind'], target: S, rest: readonly unknown[]) {
    this.kind = kind
    this.target = target
    this.hasData = rest.length > 0 && !(rest[0] instanceof Action)
    // The overloads below promise what is behind the data.
    this.data = (this.hasData ? rest[0] : undefined) as D
    this.actions = (this.hasData ? rest.slice(1) : rest) as readonly Action[]
  }
}

type Actions = readonly Action[]
type ReplyIn<A extends Actions> = A[number] extends infer One ? (One extends ReplyAction<infer V> ? V : never) : never
type Replies = readonly ReplyAction[]

/**
 * Goes to `state`; the data stays what it is unless given before the actions. A state equal to the current one, by value,
 * is no change: nothing is entered, retried or cancelled.
 */
export function next<const S, A extends Actions>(state: S, ...actions: A): Transition<S, never, ReplyIn<A>>
export function next<const S, D, A extends Actions>(state: S, data: D, ...actions: A): Transition<S, D, ReplyIn<A>>
export function next(state: unknown, ...rest: unknown[]): Transition {
  return new Transition('next', state, rest)
}

/** Stays in the state. For an event that wants nothing but that, a handler may as well return nothing. */
export function keep<A extends Actions>(...actions: A): Transition<never, never, ReplyIn<A>>
export function keep<D, A extends Actions>(data: D, ...actions: A): Transition<never, D, ReplyIn<A>>
export function keep(...rest: unknown[]): Transition {
  return new Transition('keep', undefined, rest)
}

/** Stays in the state and runs its `enter` again; it is no state change, so nothing is retried or cancelled. */
export function repeat<A extends Actions>(...actions: A): Transition<never, never, ReplyIn<A>>
export function repeat<D, A extends Actions>(data: D, ...actions: A): Transition<never, D, ReplyIn<A>>
export function repeat(...rest: unknown[]): Transition {
  return new Transition('repeat', undefined, rest)
}

/** Ends the machine with `reason`, after the replies are sent; `terminate` sees the data. Default 'normal'. */
export function stop<A extends Replies>(reason?: ExitReason, ...replies: A): Transition<never, never, ReplyIn<A>>
export function stop<D, A extends Replies>(reason: ExitReason, data: D, ...replies: A): Transition<never, D, ReplyIn<A>>
export function stop(reason: ExitReason = 'normal', ...rest: unknown[]): Transition {
  return new Transition('stop', reason, rest)
}

/** Answers the call being handled. */
export function reply<V>(value: V): ReplyAction<V> {
  return new ReplyAction(undefined, value)
}

/** Answers a call whose `self.from` was kept. */
export function replyTo(from: From, value: unknown): ReplyAction<never> {
  return new ReplyAction<never>(from, value as never)
}

const postponed = new PostponeAction()
const hibernated = new HibernateAction()

/** Handles this event again after the next change of state, before anything that waits. */
export function postpone(): Action {
  return postponed
}

/** Gives the mailbox's memory back if nothing waits. */
export function hibernate(): Action {
  return hibernated
}

/**
 * Inserts an event to be handled before everything that waits; several in one list keep their order. An 'internal' one
 * arrives at the handlers `internal`, which no client reaches; the others as if they had come from outside.
 */
export function nextEvent(type: 'internal' | 'cast' | 'timeout', name: string, content?: unknown): Action
export function nextEvent(type: 'info' | 'eventTimeout' | 'stateTimeout', content?: unknown): Action
export function nextEvent(type: 'call', op: string, arg: unknown, from: From): Action
export function nextEvent(type: string, first?: unknown, second?: unknown, from?: From): Action {
  return new InsertAction(envelopeOf(type, first, second, from))
}

function envelopeOf(type: string, first: unknown, second: unknown, from: From | undefined): Envelope {
  if (type === 'info') return new Envelope(kinds.info, '', first, null)
  if (type === 'eventTimeout' || type === 'stateTimeout') return ownEnvelope(new OwnEvent(type, '', first))
  if (typeof first !== 'string')
    throw new TypeError(`nextEvent('${type}', ...): the name must be a string, got ${typeof first}.`)
  if (type === 'internal' || type === 'timeout') return ownEnvelope(new OwnEvent(type, first, second))
  if (type === 'cast') return new Envelope(kinds.cast, first, second, null)
  if (type === 'call') {
    if (from instanceof Reply) return new Envelope(kinds.call, first, second, from)
    throw new TypeError(`nextEvent('call', '${first}', ...): the fourth argument must be a call's self.from.`)
  }
  throw new TypeError(
    `nextEvent: the type must be internal, call, cast, info, eventTimeout, stateTimeout or timeout, got ${String(type)}.`,
  )
}

/** The envelope that carries an event of the machine's own. */
export function ownEnvelope(event: OwnEvent): Envelope {
  return new Envelope(kinds.event, event.label, event, null)
}

/**
 * Starts the state's timer, in the place of the one that runs: a change of state cancels it. Its event arrives at
 * `stateTimeout`. Zero milliseconds is at once, behind what the machine has already received or inserted.
 */
export function stateTimeout(after: After, content?: unknown): Action {
  return new TimeoutAction('stateTimeout', '', checkAfter('stateTimeout', after), content)
}

/** Starts the event timer, in the place of the one that runs: any event cancels it. Its event arrives at `eventTimeout`. */
export function eventTimeout(after: After, content?: unknown): Action {
  return new TimeoutAction('eventTimeout', '', checkAfter('eventTimeout', after), content)
}

/** Starts the timer `name`, in the place of the one that runs: only `cancel` ends it. Its event arrives at `timeout[name]`. */
export function timeout(name: string, after: After, content?: unknown): Action {
  return new TimeoutAction('timeout', name, checkAfter(`timeout "${name}"`, after), content)
}

/** Stops a timer; no event of it arrives after this. One that does not run is no matter. */
export function cancel(type: 'stateTimeout' | 'eventTimeout'): Action
export function cancel(type: 'timeout', name: string): Action
export function cancel(type: TimeoutAction['type'], name = ''): Action {
  return new TimeoutAction(type, name, Number.POSITIVE_INFINITY, undefined)
}

/** Gives a timer other content and leaves its time alone; one that does not run fires at once. */
export function update(type: 'stateTimeout' | 'eventTimeout', content: unknown): Action
export function update(type: 'timeout', name: string, content: unknown): Action
export function update(type: TimeoutAction['type'], first: unknown, second?: unknown): Action {
  return type === 'timeout'
    ? new TimeoutAction(type, String(first), 'update', second)
    : new TimeoutAction(type, '', 'update', first)
}

function checkAfter(title: string, after: After): After {
  if (typeof after === 'number' ? after >= 0 : typeof after?.at === 'number' && !Number.isNaN(after.at)) return after
  const got = typeof after === 'number' ? String(after) : JSON.stringify(after)
  throw new TypeError(`${title}: the time must be milliseconds >= 0, Infinity, or { at: milliseconds }, got ${got}.`)
}
