/**
 * A state machine is a process whose handlers depend on its state: what OTP calls a gen_statem. A handler returns nothing,
 * and the state stays, or a transition: `next`, `keep`, `repeat` or `stop`, with actions.
 *
 *     const Door = defineStateMachine({
 *       name: 'door',
 *       init: (code: string) => ({ state: 'locked', data: { code } }),
 *       states: {
 *         locked: {
 *           call: { enter: (data, code: string) => (code === data.code ? next('open', reply(true)) : false) },
 *         },
 *         open: {
 *           enter: () => keep(stateTimeout(10_000)),
 *           stateTimeout: () => next('locked'),
 *           call: { enter: () => true },
 *         },
 *       },
 *     })
 *
 *     your handlers, of the current state     the runtime
 *     enter(data, previous, self)         <-  the state has changed, or begins, or is repeated
 *     call.op(data, arg, self)            <-  ref.call('op', arg); a value is the reply
 *     cast.op(data, arg, self)            <-  ref.cast('op', arg)
 *     info(data, message, self)           <-  anything else: DOWN, EXIT when trapping, ref.send
 *     internal.op(data, content, self)    <-  nextEvent('internal', 'op', content)
 *     stateTimeout(data, content, self)   <-  stateTimeout(ms, content); the same for eventTimeout
 *     timeout.name(data, content, self)   <-  timeout('name', ms, content)
 *
 * After: OTP gen_statem; `states` is its mode state_functions, `handle` its handle_event_function.
 */
import { type Definition, ignore } from './definition.ts'
import { type Envelope, kinds } from './envelope.ts'
import { CallError } from './errors.ts'
import type { Process } from './process.ts'
import { describeReason, type ExitReason } from './reasons.ts'
import { AnyRef } from './ref.ts'
import {
  type Behaviour,
  continuations,
  handleEvent,
  handleNext,
  isThenable,
  Machine,
  start,
} from './state-machine-engine.ts'
import { type Action, OwnEvent, ownEnvelope } from './state-machine-transition.ts'
import type {
  HandleOptions,
  Initial,
  MachineEvent,
  OperationsOf,
  Snapshot,
  StatesOptions,
} from './state-machine-types.ts'

/** Messages that may be postponed at a time unless told otherwise. */
const POSTPONED_MAX = 10_000

/** A kind of state machine. The type parameter types its refs; nobody writes it. */
export interface StateMachineDefinition<T> extends Definition {
  readonly types?: T
}

/**
 * Defines a kind of state machine, with handlers for each state or with one handler for all. Throws a `TypeError` when an
 * option is not what it should be.
 */
export function defineStateMachine<A, R>(
  options: HandleOptions<A, R>,
): StateMachineDefinition<{ readonly arg: A; readonly init: R }>
export function defineStateMachine<A, R, N extends string, ST, EV = Record<never, never>>(
  options: StatesOptions<A, R, N, ST, EV>,
): StateMachineDefinition<{
  readonly arg: A
  readonly init: R
  readonly calls: OperationsOf<ST, EV, 'call'>
  readonly casts: OperationsOf<ST, EV, 'cast'>
}>
export function defineStateMachine(options: unknown): StateMachineDefinition<never> {
  return new StateMachine(checkOptions(options))
}

type UntypedHandler = (data: unknown, arg: unknown, self: unknown) => unknown
type UntypedTable = Readonly<Record<string, UntypedHandler>>

interface UntypedState {
  readonly enter?: UntypedHandler
  readonly call?: UntypedTable
  readonly cast?: UntypedTable
  readonly info?: UntypedHandler
  readonly internal?: UntypedTable
  readonly eventTimeout?: UntypedHandler
  readonly stateTimeout?: UntypedHandler
  readonly timeout?: UntypedTable
}

interface UntypedOptions {
  readonly name: string
  readonly version?: number
  readonly trapExits?: boolean
  readonly postponedMax?: number
  readonly init: (arg: unknown, self: unknown) => unknown
  readonly states?: Readonly<Record<string, UntypedState>>
  readonly anyState?: UntypedState
  readonly handle?: (event: MachineEvent, state: unknown, data: unknown, self: unknown) => unknown
  readonly stateEnter?: boolean
  readonly terminate?: (last: Snapshot, reason: ExitReason, self: unknown) => unknown
  readonly codeChange?: (old: unknown, fromVersion: number, self: unknown) => unknown
}

/** The handlers of one state, those of `anyState` where it has none. */
interface Table {
  readonly enter: UntypedHandler | undefined
  readonly calls: ReadonlyMap<string, UntypedHandler>
  readonly casts: ReadonlyMap<string, UntypedHandler>
  readonly info: UntypedHandler | undefined
  /** By the label of the event: `internal go`, `stateTimeout`. */
  readonly own: ReadonlyMap<string, UntypedHandler>
}

class StateMachine implements Definition, Behaviour<Table> {
  readonly name: string
  readonly version: number
  readonly type = 'worker'
  readonly trapExits: boolean
  readonly postponedMax: number
  readonly types?: never
  private readonly options: UntypedOptions
  private readonly tables: ReadonlyMap<unknown, Table>
  readonly terminate?: (process: Process, reason: ExitReason) => unknown

  constructor(options: UntypedOptions) {
    this.options = options
    this.name = options.name
    this.version = options.version ?? 1
    this.trapExits = options.trapExits ?? false
    this.postponedMax = options.postponedMax ?? POSTPONED_MAX
    const states = Object.entries(options.states ?? {})
    this.tables = new Map(states.map(([name, state]) => [name, compile(state, options.anyState ?? {})]))
    const terminate = options.terminate
    if (terminate !== undefined) {
      this.terminate = (process, reason) => terminate(this.viewState(process.state), reason, process)
    }
  }

  init(arg: unknown, process: Process): unknown {
    const begin = (initial: unknown): unknown => {
      if (initial === ignore) return initial
      const { state, data, actions = [] } = this.checkSnapshot(initial, 'init') as Initial
      const machine = new Machine(state, data, this.tableOf(state))
      // As in OTP, the start has succeeded before the first state is entered.
      if (actions.length > 0 || this.hasEnter(machine)) process.continueWith(continuations.start, actions)
      return machine
    }
    const initial = this.options.init(arg, process)
    return isThenable(initial) ? initial.then(begin) : begin(initial)
  }

  handle(process: Process, envelope: Envelope): unknown {
    return handleEvent(this, process, process.state as Machine<Table>, envelope)
  }

  proceed(process: Process, op: string, arg: unknown): unknown {
    const machine = process.state as Machine<Table>
    if (op === continuations.next) return handleNext(this, process, machine)
    if (op === continuations.start) return start(this, process, machine, arg as readonly Action[])
    return handleEvent(this, process, machine, ownEnvelope(new OwnEvent('internal', op, arg)))
  }

  codeChange(process: Process, state: unknown, fromVersion: number): unknown {
    const { codeChange } = this.options
    const old = state instanceof Machine ? this.viewState(state) : state
    const change = (next: unknown): unknown => this.withView(state, next)
    const next = codeChange === undefined ? old : codeChange(old, fromVersion, process)
    return isThenable(next) ? next.then(change) : change(next)
  }

  viewState(state: unknown): Snapshot {
    const machine = state as Machine<Table>
    return { state: machine.state, data: machine.data }
  }

  withView(state: unknown, view: unknown): unknown {
    const next = this.checkSnapshot(view, 'a new state')
    const table = this.tableOf(next.state)
    return state instanceof Machine
      ? state.with(next.state, next.data, table)
      : new Machine(next.state, next.data, table)
  }

  createRef(process: Process): AnyRef {
    return new AnyRef(process)
  }

  // ---- what the engine asks --------------------------------------------------------------------------------------------

  tableOf(state: unknown): Table {
    if (this.options.handle !== undefined) return empty
    const table = this.tables.get(state)
    if (table !== undefined) return table
    throw new TypeError(
      `${this.name} has no state ${describeReason(state)}. It has: ${[...this.tables.keys()].join(', ')}.`,
    )
  }

  enter(process: Process, machine: Machine<Table>, previous: unknown): unknown {
    const { handle, stateEnter } = this.options
    if (handle === undefined) return machine.table.enter?.(machine.data, previous, process)
    return stateEnter === true ? handle({ type: 'enter', previous }, machine.state, machine.data, process) : undefined
  }

  dispatch(process: Process, machine: Machine<Table>, envelope: Envelope): unknown {
    if (this.options.handle !== undefined) {
      return this.options.handle(describe(envelope), machine.state, machine.data, process)
    }
    const { table, data } = machine
    if (envelope.kind === kinds.cast) {
      const handler = table.casts.get(envelope.op)
      if (handler !== undefined) return handler(data, envelope.arg, process)
    } else if (envelope.kind === kinds.call) {
      const handler = table.calls.get(envelope.op)
      if (handler !== undefined) return handler(data, envelope.arg, process)
      envelope.from?.fail(
        new CallError(
          'undef',
          `${process.label} in state "${String(machine.state)}" has no call "${envelope.op}". It has: ${[...table.calls.keys()].join(', ') || 'none'}.`,
        ),
      )
      return undefined
    } else if (envelope.kind === kinds.event) {
      const handler = table.own.get(envelope.op)
      if (handler !== undefined) return handler(data, (envelope.arg as OwnEvent).content, process)
    } else if (table.info !== undefined) return table.info(data, envelope.arg, process)
    const op = envelope.op === '' ? undefined : envelope.op
    process.system.emit({ type: 'unexpected_message', pid: process.pid, definition: this.name, op })
    return undefined
  }

  private hasEnter(machine: Machine<Table>): boolean {
    return this.options.handle === undefined ? machine.table.enter !== undefined : this.options.stateEnter === true
  }

  private checkSnapshot(value: unknown, what: string): Snapshot {
    if (typeof value === 'object' && value !== null && 'state' in value && 'data' in value) return value as Snapshot
    throw new TypeError(`${this.name}: ${what} must be { state, data }, got ${describeReason(value)}.`)
  }
}

const empty: Table = compile({}, {})

function compile(state: UntypedState, any: UntypedState): Table {
  const own = new Map<string, UntypedHandler>()
  for (const { internal, timeout, eventTimeout, stateTimeout } of [any, state]) {
    for (const [op, handler] of Object.entries(internal ?? {})) own.set(`internal ${op}`, handler)
    for (const [name, handler] of Object.entries(timeout ?? {})) own.set(`timeout ${name}`, handler)
    if (eventTimeout !== undefined) own.set('eventTimeout', eventTimeout)
    if (stateTimeout !== undefined) own.set('stateTimeout', stateTimeout)
  }
  return {
    enter: state.enter ?? any.enter,
    calls: new Map(Object.entries({ ...any.call, ...state.call })),
    casts: new Map(Object.entries({ ...any.cast, ...state.cast })),
    info: state.info ?? any.info,
    own,
  }
}

/** The event that `handle` is given. */
function describe(envelope: Envelope): MachineEvent {
  const { kind, op, arg, from } = envelope
  if (kind === kinds.call && from !== null) return { type: 'call', op, arg, from }
  if (kind === kinds.cast) return { type: 'cast', op, arg }
  if (!(kind === kinds.event && arg instanceof OwnEvent)) return { type: 'info', message: arg }
  const { type, name, content } = arg
  return type === 'internal' || type === 'timeout' ? { type, name, content } : { type, content }
}

function checkOptions(given: unknown): UntypedOptions {
  if (typeof given !== 'object' || given === null) {
    throw new TypeError(`defineStateMachine: the options must be an object, got ${String(given)}.`)
  }
  const options = given as Readonly<Record<string, unknown>>
  const { name, version, postponedMax, states, anyState, handle } = options
  if (typeof name !== 'string' || name === '') {
    throw new TypeError(`defineStateMachine: name must be a non-empty string, got ${String(name)}.`)
  }
  const title = `defineStateMachine "${name}"`
  if (version !== undefined && !Number.isInteger(version)) {
    throw new TypeError(`${title}: version must be a whole number, got ${String(version)}.`)
  }
  if (postponedMax !== undefined && !(Number.isInteger(postponedMax) && Number(postponedMax) >= 0)) {
    throw new TypeError(`${title}: postponedMax must be a whole number >= 0, got ${String(postponedMax)}.`)
  }
  if ((states === undefined) === (handle === undefined)) {
    throw new TypeError(`${title}: give either states, with handlers for each, or handle, one handler for all.`)
  }
  checkFunctions(title, options, ['init', 'handle', 'terminate', 'codeChange'])
  if (options['init'] === undefined) throw new TypeError(`${title}: init must be a function, got undefined.`)
  const all = {
    ...(states as Readonly<Record<string, unknown>> | undefined),
    ...(anyState !== undefined && { anyState }),
  }
  for (const [state, handlers] of Object.entries(all)) {
    const path = `${title}: ${state}`
    if (typeof handlers !== 'object' || handlers === null) {
      throw new TypeError(`${path} must be an object of handlers, got ${String(handlers)}.`)
    }
    const table = handlers as Readonly<Record<string, unknown>>
    checkFunctions(path, table, ['enter', 'info', 'eventTimeout', 'stateTimeout'])
    for (const key of ['call', 'cast', 'internal', 'timeout']) {
      const inner = (table[key] ?? {}) as Readonly<Record<string, unknown>>
      checkFunctions(`${path}.${key}`, inner, Object.keys(inner))
    }
  }
  // Inside, handlers are called with whatever arrives: the types hold for callers through `Ref`.
  return given as UntypedOptions
}

function checkFunctions(title: string, table: Readonly<Record<string, unknown>>, keys: readonly string[]): void {
  for (const key of keys) {
    const value = table[key]
    if (value !== undefined && typeof value !== 'function') {
      throw new TypeError(`${title}: ${key} must be a function, got ${value === null ? 'null' : typeof value}.`)
    }
  }
}
