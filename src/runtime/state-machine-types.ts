/**
 * The types of a state machine: what its definition is made of, and how the types of its refs follow from the handlers. The
 * operations of a machine are those of all its states together: a client does not know the state.
 */
import type { Ignore, NoReply } from './definition.ts'
import type { From } from './envelope.ts'
import type { ExitReason } from './reasons.ts'
import type { Self } from './self.ts'
import type { Action, Transition } from './state-machine-transition.ts'

/** What `sys` shows of a machine, and `terminate` and `codeChange` are given. */
export interface Snapshot<S = unknown, D = unknown> {
  readonly state: S
  readonly data: D
}

/** What `init` returns. */
export interface Initial<S = unknown, D = unknown> extends Snapshot<S, D> {
  /** Carried out before the initial state is entered; neither `postpone` nor replies. */
  readonly actions?: readonly Action[]
}

/** What a machine's functions see of its process. Its state changes by transitions only. */
export interface MachineSelf<S = unknown, D = unknown> extends Omit<Self, 'state'> {
  readonly state: Snapshot<S, D>
}

/** What a handler of any event but a call returns: nothing, to keep the state, or a transition. */
type Result<S, D> = void | Transition<S, D> | Promise<void | Transition<S, D>>
type Handler<S, D, R> = (data: D, arg: never, self: MachineSelf<S, D>) => R
type Table<S, D, R> = Readonly<Record<string, Handler<S, D, R>>>

/** The handlers of one state. `S` are the names of all states, `D` is the data. */
export interface StateHandlers<S, D> {
  /** Runs when the state is entered, the initial one too, and on `repeat`. May not change the state, postpone or insert. */
  readonly enter?: (data: D, previous: S, self: MachineSelf<S, D>) => Result<S, D>
  /** The value is the reply; a transition replies through its actions, or later. */
  readonly call?: Table<S, D, unknown>
  readonly cast?: Table<S, D, Result<S, D>>
  /** Anything else: DOWN, EXIT when trapping, `ref.send`. */
  readonly info?: (data: D, message: unknown, self: MachineSelf<S, D>) => Result<S, D>
  /** Events of `nextEvent('internal', ...)` and `self.continueWith`. */
  readonly internal?: Table<S, D, Result<S, D>>
  readonly eventTimeout?: Handler<S, D, Result<S, D>>
  readonly stateTimeout?: Handler<S, D, Result<S, D>>
  /** By the name of the timer. */
  readonly timeout?: Table<S, D, Result<S, D>>
}

/** What `handle` is given: one event of any type. */
export type MachineEvent =
  | { readonly type: 'enter'; readonly previous: unknown }
  | { readonly type: 'call'; readonly op: string; readonly arg: unknown; readonly from: From }
  | { readonly type: 'cast'; readonly op: string; readonly arg: unknown }
  | { readonly type: 'info'; readonly message: unknown }
  | { readonly type: 'internal' | 'timeout'; readonly name: string; readonly content: unknown }
  | { readonly type: 'eventTimeout' | 'stateTimeout'; readonly content: unknown }

type InitialOf<R> = Exclude<Awaited<R>, Ignore>
export type DataOf<R> = InitialOf<R> extends { readonly data: infer D } ? D : never
type StateOf<R> = InitialOf<R> extends { readonly state: infer S } ? S : never

/** What both kinds of definition have. */
export interface CommonOptions<A, R, S> {
  /** Identity for hot swap, logs and the tree. */
  readonly name: string
  /** Default 1. */
  readonly version?: number
  /** Whether exit signals arrive as `info` from the start, and `terminate` runs on a supervisor's shutdown; default false. */
  readonly trapExits?: boolean
  /** Messages that may be postponed at a time; default 10 000. One more is refused: a call fails with 'overload'. */
  readonly postponedMax?: number
  /** Returns state and data, maybe asynchronously, or `ignore`. A throw is the start error. Annotate `self` if you take it. */
  readonly init: (arg: A, self: MachineSelf<never, never>) => R
  readonly terminate?: (last: Snapshot<S, DataOf<R>>, reason: ExitReason, self: MachineSelf<S, DataOf<R>>) => unknown
  /** Hot swap: the old version's state and data in, this version's out. Own events and timers stay. */
  readonly codeChange?: (
    old: never,
    fromVersion: number,
    self: MachineSelf<S, DataOf<R>>,
  ) => Snapshot<S, DataOf<R>> | Promise<Snapshot<S, DataOf<R>>>
}

/** A machine whose states have names, and each its handlers. `N` are the names. */
export interface StatesOptions<A, R, N extends string, ST, EV> extends CommonOptions<A, R, NoInfer<N>> {
  readonly states: ST & Readonly<Record<N, StateHandlers<NoInfer<N>, DataOf<R>>>>
  /** Handlers for what a state has no handler for. */
  readonly anyState?: EV & StateHandlers<NoInfer<N>, DataOf<R>>
}

/** A machine whose states are any values, with one handler for all events. */
export interface HandleOptions<A, R> extends CommonOptions<A, R, StateOf<R>> {
  /** The value is the reply to a call, unless it is a transition; for other events nothing or a transition. */
  readonly handle: (
    event: MachineEvent,
    state: StateOf<R>,
    data: DataOf<R>,
    self: MachineSelf<StateOf<R>, DataOf<R>>,
  ) => unknown
  /** Whether `handle` gets 'enter' events; default false. */
  readonly stateEnter?: boolean
}

// ---- the types of refs -------------------------------------------------------------------------------------------------

type Values<T> = T[keyof T]
/** The tables `K` of all states, as a union. */
type TablesIn<ST, EV, K extends string> = TableIn<Values<ST> | EV, K>
type TableIn<H, K extends string> = H extends { readonly [P in K]: infer T } ? T : never
type OpsOf<T> = T extends unknown ? keyof T : never
type HandlersOf<T, Op> = T extends { readonly [P in Op & string]: infer H } ? H : never
type ArgOf<H> = H extends (...args: infer P) => unknown
  ? P extends readonly [unknown, infer A, ...unknown[]]
    ? A
    : never
  : never
type AnswerOf<H> = H extends (...args: never) => infer R
  ? Exclude<Awaited<R>, NoReply> extends infer V
    ? V extends Transition<unknown, unknown, infer Reply>
      ? Reply
      : V
    : never
  : never
/** One operation as a ref sees it: a handler in one state may take an argument that the one in another leaves out. */
type Operation<H> = [ArgOf<H>] extends [never]
  ? (state: never) => AnswerOf<H>
  : (state: never, arg: ArgOf<H>) => AnswerOf<H>

export type OperationsOf<ST, EV, K extends 'call' | 'cast'> = {
  [Op in OpsOf<TablesIn<ST, EV, K>> & string]: Operation<HandlersOf<TablesIn<ST, EV, K>, Op>>
}
