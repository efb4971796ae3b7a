/**
 * What happens after a handler of a state machine has returned, in the order that OTP fixes:
 *
 *     1. the actions, in the order of the list; replies leave at once
 *     2. `enter` of the next state, if the state changed or is repeated; its actions join those of 1
 *     3. the event is postponed, if that was asked for
 *     4. after a change of state, postponed events come before all that waits, oldest first
 *     5. inserted events come before those
 *     6. timers: any event cancels the event timer, a change of state the state timer; then the new ones start
 *     7. the oldest event is handled; with none left, the oldest time-out of zero milliseconds; then the mailbox
 *
 * Events of the machine's own queue are handled one by one as continuations of the process: a long queue does not block
 * other processes, and control requests and messages wait until it is empty. After: OTP gen_statem, state transitions.
 */
import { isDeepStrictEqual } from 'node:util'
import { type NoReply, noreply } from './definition.ts'
import { type Envelope, kinds } from './envelope.ts'
import { CallError } from './errors.ts'
import type { Process } from './process.ts'
import { describeReason } from './reasons.ts'
import { Timeouts } from './state-machine-timeouts.ts'
import {
  type Action,
  HibernateAction,
  InsertAction,
  OwnEvent,
  PostponeAction,
  ReplyAction,
  TimeoutAction,
  Transition,
} from './state-machine-transition.ts'

/** The continuations of a machine's process. */
export const continuations = { start: 'enter', next: 'next event' } as const

/** Events that wait in a machine's own queue at most. Only a machine that inserts more than it handles gets there. */
const QUEUE_LENGTH_MAX = 100_000
/** Times that one transition runs `enter`, which may ask to be repeated. */
const ENTER_CALLS_MAX = 1_000

/** What the engine asks of the definition. */
export interface Behaviour<T> {
  readonly name: string
  readonly postponedMax: number
  /** The handlers of a state. Throws when the machine has no such state. */
  tableOf(state: unknown): T
  /** Runs the handler of an event. */
  dispatch(process: Process, machine: Machine<T>, envelope: Envelope): unknown
  /** Runs the `enter` of the machine's state, if there is one. */
  enter(process: Process, machine: Machine<T>, previous: unknown): unknown
}

/** One live machine. `T` is what the definition keeps of a state's handlers. */
export class Machine<T> {
  state: unknown
  data: unknown
  table: T
  /** Own events that wait, the next one last: it is a stack. */
  queue: Envelope[] = none
  /** Oldest first. */
  postponed: Envelope[] = none
  timeouts: Timeouts | null = null
  /** Whether the process knows that the queue waits. */
  isContinued = false

  constructor(state: unknown, data: unknown, table: T) {
    this.state = state
    this.data = data
    this.table = table
  }

  /** The same machine, its events and timers, with another state. */
  with(state: unknown, data: unknown, table: T): Machine<T> {
    const machine = new Machine(state, data, table)
    machine.queue = this.queue
    machine.postponed = this.postponed
    machine.timeouts = this.timeouts
    machine.isContinued = this.isContinued
    return machine
  }

  /** Removes and returns the next event that does not come from the mailbox. */
  take(): Envelope | undefined {
    return this.queue.pop() ?? this.timeouts?.takeZero()
  }
}

/** An empty list that all idle machines share; whoever adds makes one of his own. */
const none: Envelope[] = []

/** Handles an event and carries out what its handler returned. The result is for the kernel: a reply, `noreply`, a promise. */
export function handleEvent<T>(
  behaviour: Behaviour<T>,
  process: Process,
  machine: Machine<T>,
  envelope: Envelope,
): unknown {
  if (envelope.kind === kinds.event && envelope.arg instanceof OwnEvent) machine.timeouts?.arrived(envelope.arg)
  return conclude(behaviour, process, machine, envelope, behaviour.dispatch(process, machine, envelope))
}

/** Handles the next event of the machine's own queue. */
export function handleNext<T>(behaviour: Behaviour<T>, process: Process, machine: Machine<T>): unknown {
  machine.isContinued = false
  const envelope = machine.take()
  if (envelope === undefined) return undefined
  // For `self.from` and crash reports: it is this event that is handled, not a continuation.
  process.current = envelope
  const result = conclude(behaviour, process, machine, envelope, behaviour.dispatch(process, machine, envelope))
  if (envelope.from === null) return result
  // The kernel answers calls that come from the mailbox; this one does not.
  const answer = (value: unknown): void => {
    if (value !== noreply) envelope.from?.reply(value)
  }
  return isThenable(result) ? result.then(answer) : answer(result)
}

/** Carries out the actions of `init` and enters the initial state. */
export function start<T>(
  behaviour: Behaviour<T>,
  process: Process,
  machine: Machine<T>,
  actions: readonly Action[],
): unknown {
  const step = new Step(behaviour, process, machine, null)
  step.act(actions)
  return step.enter()
}

function conclude<T>(
  behaviour: Behaviour<T>,
  process: Process,
  machine: Machine<T>,
  envelope: Envelope,
  result: unknown,
): unknown {
  if (result instanceof Transition) return new Step(behaviour, process, machine, envelope).take(result)
  if (isThenable(result)) {
    return result.then((value) =>
      // Ended meanwhile: what a dead incarnation still says counts for nothing.
      process.isDead ? undefined : within(process, () => conclude(behaviour, process, machine, envelope, value)),
    )
  }
  // Nothing but the event timer can be touched by an event that asks for no transition.
  machine.timeouts?.cancel(process, 'eventTimeout')
  proceed(process, machine)
  return result
}

/** Tells the process that events of the machine's own wait, if so. */
function proceed<T>(process: Process, machine: Machine<T>): void {
  if (machine.isContinued || (machine.queue.length === 0 && machine.timeouts?.hasZero !== true)) return
  machine.isContinued = true
  process.continueWith(continuations.next)
}

/** Runs `work` as a part of the process's handler, after a promise. */
function within<R>(process: Process, work: () => R): R {
  const outer = process.system.enter(process)
  try {
    return work()
  } finally {
    process.system.leave(outer)
  }
}

/** One transition under way: what the actions of the handler, and of `enter`, have asked for so far. */
class Step<T> {
  private readonly behaviour: Behaviour<T>
  private readonly process: Process
  private readonly machine: Machine<T>
  /** Null for the start. */
  private readonly envelope: Envelope | null
  private readonly previous: { readonly state: unknown; readonly data: unknown; readonly table: T }
  private isChange = false
  private enterCalls = 0
  private isPostponed = false
  private isHibernated = false
  private inserted: Envelope[] = none
  private timeouts: TimeoutAction[] | null = null

  constructor(behaviour: Behaviour<T>, process: Process, machine: Machine<T>, envelope: Envelope | null) {
    this.behaviour = behaviour
    this.process = process
    this.machine = machine
    this.envelope = envelope
    this.previous = { state: machine.state, data: machine.data, table: machine.table }
  }

  /** Takes what a handler or an `enter` returned. */
  take(transition: Transition): unknown {
    const { machine } = this
    const isChange = transition.kind === 'next' && !isSame(transition.target, machine.state)
    if (isChange && this.enterCalls > 0) {
      throw new Error(
        `${this.process.label}: enter of the state ${describeReason(machine.state)} must not change the state, got next(${describeReason(transition.target)}). Insert an event from the handler instead.`,
      )
    }
    if (isChange) {
      machine.table = this.behaviour.tableOf(transition.target)
      machine.state = transition.target
      this.isChange = true
    }
    if (transition.hasData) machine.data = transition.data
    if (transition.kind === 'stop') {
      for (const action of transition.actions) {
        if (!(action instanceof ReplyAction)) throw this.refusal('stop takes replies, no other action')
        this.reply(action)
      }
      this.process.stop(transition.target)
      return noreply
    }
    this.act(transition.actions)
    return isChange || transition.kind === 'repeat' ? this.enter() : this.commit()
  }

  act(actions: readonly Action[]): void {
    for (const action of actions) {
      if (action instanceof ReplyAction) this.reply(action)
      else if (action instanceof TimeoutAction) (this.timeouts ??= []).push(action)
      else if (action instanceof HibernateAction) this.isHibernated = true
      else if (action instanceof PostponeAction) {
        if (this.envelope === null || this.enterCalls > 0) throw this.refusal('there is no event to postpone')
        this.isPostponed = true
      } else if (action instanceof InsertAction) {
        if (this.enterCalls > 0) throw this.refusal('enter must not insert events')
        if (this.inserted === none) this.inserted = []
        this.inserted.push(action.envelope)
      } else throw this.refusal(`this is no action: ${describeReason(action)}`)
    }
  }

  enter(): unknown {
    if (++this.enterCalls > ENTER_CALLS_MAX) {
      throw new Error(
        `${this.process.label}: enter of the state ${describeReason(this.machine.state)} was repeated more than ${ENTER_CALLS_MAX} times in one transition.`,
      )
    }
    // The state that could not be entered was never the machine's: `terminate` sees the one before.
    const failed = (error: unknown): never => {
      Object.assign(this.machine, this.previous)
      throw error
    }
    let result: unknown
    try {
      result = this.behaviour.enter(this.process, this.machine, this.previous.state)
    } catch (error) {
      return failed(error)
    }
    if (!isThenable(result)) return this.entered(result)
    return result.then(
      (value) => (this.process.isDead ? undefined : within(this.process, () => this.entered(value))),
      failed,
    )
  }

  private entered(result: unknown): unknown {
    return result instanceof Transition ? this.take(result) : this.commit()
  }

  /** Steps 3 to 7 of the order above. */
  private commit(): NoReply {
    const { machine, process } = this
    if (this.isPostponed && this.envelope !== null) this.postpone(this.envelope)
    if (this.isChange && machine.postponed.length > 0) {
      machine.queue = pushReversed(machine.queue, machine.postponed)
      machine.postponed = none
    }
    if (this.inserted.length > 0) machine.queue = pushReversed(machine.queue, this.inserted)
    if (machine.queue.length > QUEUE_LENGTH_MAX) {
      throw new Error(
        `${process.label} inserted more events than it handles: over ${QUEUE_LENGTH_MAX} wait. Insert at most one an event on average.`,
      )
    }
    if (machine.timeouts !== null) {
      if (this.isChange) machine.timeouts.cancel(process, 'stateTimeout')
      machine.timeouts.cancel(process, 'eventTimeout')
    }
    if (this.timeouts !== null) (machine.timeouts ??= new Timeouts()).apply(process, this.timeouts)
    proceed(process, machine)
    if (this.isHibernated && !machine.isContinued) process.hibernate()
    return noreply
  }

  private postpone(envelope: Envelope): void {
    const { machine, process } = this
    const isBounded = envelope.kind === kinds.call || envelope.kind === kinds.cast || envelope.kind === kinds.info
    if (isBounded && machine.postponed.length >= this.behaviour.postponedMax) {
      envelope.from?.fail(
        new CallError(
          'overload',
          `The call "${envelope.op}" to ${process.label} was refused: it would be postponed, and ${machine.postponed.length} events are (postponedMax).`,
        ),
      )
      process.system.deadLetters(process, 1, 'overflow')
      return
    }
    if (machine.postponed === none) machine.postponed = []
    machine.postponed.push(envelope)
  }

  private reply(action: ReplyAction): void {
    const from = action.from ?? this.envelope?.from
    if (!from)
      throw this.refusal('reply(value) answers the call being handled, and there is none; use replyTo(from, value)')
    from.reply(action.value)
  }

  private refusal(why: string): TypeError {
    const where = this.enterCalls > 0 ? 'enter' : this.envelope === null ? 'init' : 'the handler'
    return new TypeError(`${this.process.label}, state ${describeReason(this.machine.state)}: ${why} (from ${where}).`)
  }
}

/** Puts `events`, oldest first, on top of a stack. */
function pushReversed(stack: Envelope[], events: readonly Envelope[]): Envelope[] {
  const queue = stack === none ? [] : stack
  for (let place = events.length - 1; place >= 0; place--) {
    const event = events[place]
    if (event !== undefined) queue.push(event)
  }
  return queue
}

/** Whether two states are the same value: state names by identity, states that are data by their contents. */
function isSame(left: unknown, right: unknown): boolean {
  return Object.is(left, right) || (typeof left === 'object' && isDeepStrictEqual(left, right))
}

export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function'
}
