/**
 * An actor is a process with a state and named handlers: what OTP calls a gen_server.
 *
 *     const Counter = defineActor({
 *       name: 'counter',
 *       version: 1,
 *       init: (start: number) => ({ count: start }),
 *       call: { add: (state, by: number) => (state.count += by) },
 *       cast: { reset: (state) => { state.count = 0 } },
 *     })
 *
 *     your handlers                       the runtime
 *     init(arg, self)                <-   start; returns the state, or `ignore`
 *     call.op(state, arg, self)      <-   ref.call('op', arg); the value is the reply
 *     cast.op(state, arg, self)      <-   ref.cast('op', arg)
 *     info(state, message, self)     <-   anything else: timers, DOWN, EXIT when trapping, ref.send
 *     continue.op(state, arg, self)  <-   self.continueWith('op', arg), before anything that waits
 *     terminate(state, reason, self) <-   the end, except when killed or ended by an untrapped exit signal
 *
 * A handler returns its value or throws; a throw ends the process with what was thrown as the reason.
 */
import type { FormattedStatus, StatusReport } from './crash-report.ts'
import type { Definition, Ignore } from './definition.ts'
import { type Envelope, kinds } from './envelope.ts'
import { CallError } from './errors.ts'
import type { Process } from './process.ts'
import type { ExitReason } from './reasons.ts'
import { AnyRef, type Handler } from './ref.ts'
import type { Self } from './self.ts'
import type { StateSchema } from './upgrade.ts'

type StateOf<R> = Exclude<Awaited<R>, Ignore>
type Handlers<S> = Record<string, (state: S, arg: never, self: Self<S>) => unknown>

/** How a kind of actor is defined. `self` is the process; see `Self`. Handlers may be asynchronous: the process then waits. */
export interface ActorOptions<A, R, C, K> {
  /** Identity for hot swap, logs and the tree. */
  readonly name: string
  /** Default 1. */
  readonly version?: number
  /** Whether exit signals arrive at `info` from the start, and `terminate` runs on a supervisor's shutdown; default false. */
  readonly trapExits?: boolean
  /** Makes the state, may be asynchronous. A throw is the start error. Annotate `self` if you take it: `(arg: A, self: Self)`. */
  readonly init: (arg: A, self: Self<never>) => R
  /** By name: answers `ref.call(name, arg)` with its value; `self.noreply` defers the reply to `self.from`. */
  readonly call?: C & Handlers<StateOf<R>>
  /** By name: handles `ref.cast(name, arg)`; its value is dropped. */
  readonly cast?: K & Handlers<StateOf<R>>
  /** Handles every other message: `ref.send`, timers, DOWN, EXIT when trapping. Without it they are reported and dropped. */
  readonly info?: (state: StateOf<R>, message: unknown, self: Self<StateOf<R>>) => unknown
  /** By name: runs what `self.continueWith(name, arg)` asked for. */
  readonly continue?: Readonly<Record<string, (state: StateOf<R>, arg: never, self: Self<StateOf<R>>) => unknown>>
  /** Runs last: on a stop, a fault, and an exit signal when trapping; never on `kill`. A throw becomes the exit reason. */
  readonly terminate?: (state: StateOf<R>, reason: ExitReason, self: Self<StateOf<R>>) => unknown
  /** What the state must look like after `codeChange`: a Standard Schema (zod, Valibot, ...). Checked at a hot swap. */
  readonly stateSchema?: StateSchema
  /** Hot swap: the old version's state in, this version's out; a new object, so that the old one stays if another fails. */
  readonly codeChange?: (state: never, fromVersion: number, self: Self<StateOf<R>>) => StateOf<R> | Promise<StateOf<R>>
  /**
   * Milliseconds without a message after which the mailbox gives its memory back; default never. Its timer keeps the program
   * alive until then. After: OTP hibernate_after.
   */
  readonly hibernateAfter?: number
  /** Messages that `self.stash` may put aside at once; a whole number >= 1, default 1 000. */
  readonly stashCapacity?: number
  /**
   * What crash events and `sys.getStatus` may show of the state and the message in hand: return them without what is secret.
   * A throw shows neither. After: OTP format_status.
   */
  readonly formatStatus?: (status: StatusReport<StateOf<R>>) => FormattedStatus
  /**
   * Told of each cast (with its `op`) and info that still waited when the process ended, whatever ended it: for what somebody
   * outside waits for. A throw is dropped. Calls need no such thing: they reject.
   */
  readonly undelivered?: (
    state: StateOf<R>,
    message: { readonly op: string | undefined; readonly arg: unknown },
  ) => void
}

/** A kind of actor. The type parameters type its refs; nobody writes them. */
export interface ActorDefinition<A, R, C, K> extends Definition {
  readonly types?: { readonly arg: A; readonly init: R; readonly calls: C; readonly casts: K }
}

/** Defines a kind of actor. Throws a `TypeError` when the name, the version or a handler is not what it should be. */
export function defineActor<A, R, C = Record<never, never>, K = Record<never, never>>(
  options: ActorOptions<A, R, C, K>,
): ActorDefinition<A, R, C, K> {
  checkOptions(options as unknown as Readonly<Record<string, unknown>>)
  // Inside, handlers are called with whatever arrives: the types hold for callers through `Ref`.
  const untyped = options as unknown as UntypedOptions
  return new Actor(untyped)
}

type UntypedHandler = (state: unknown, arg: unknown, self: unknown) => unknown

interface UntypedOptions {
  readonly name: string
  readonly version?: number
  readonly trapExits?: boolean
  readonly init: (arg: unknown, self: unknown) => unknown
  readonly call?: Readonly<Record<string, UntypedHandler>>
  readonly cast?: Readonly<Record<string, UntypedHandler>>
  readonly info?: UntypedHandler
  readonly continue?: Readonly<Record<string, UntypedHandler>>
  readonly terminate?: UntypedHandler
  readonly codeChange?: UntypedHandler
  readonly stateSchema?: StateSchema
  readonly hibernateAfter?: number
  readonly stashCapacity?: number
  readonly formatStatus?: (status: StatusReport) => FormattedStatus
  readonly undelivered?: (state: unknown, message: { readonly op: string | undefined; readonly arg: unknown }) => void
}

class Actor implements Definition {
  readonly name: string
  readonly version: number
  readonly type = 'worker'
  readonly trapExits: boolean
  readonly stateSchema: StateSchema | undefined
  readonly hibernateAfterMs: number | undefined
  readonly stashCapacity: number | undefined
  private readonly options: UntypedOptions
  private readonly calls: ReadonlyMap<string, UntypedHandler>
  private readonly casts: ReadonlyMap<string, UntypedHandler>
  private readonly continues: ReadonlyMap<string, UntypedHandler>
  readonly terminate?: (process: Process, reason: ExitReason) => unknown
  readonly undelivered?: (process: Process, envelope: Envelope) => void
  readonly formatStatus?: (report: StatusReport) => FormattedStatus

  constructor(options: UntypedOptions) {
    this.options = options
    this.name = options.name
    this.version = options.version ?? 1
    this.trapExits = options.trapExits ?? false
    this.stateSchema = options.stateSchema
    this.hibernateAfterMs = options.hibernateAfter
    this.stashCapacity = options.stashCapacity
    this.calls = new Map(Object.entries(options.call ?? {}))
    this.casts = new Map(Object.entries(options.cast ?? {}))
    this.continues = new Map(Object.entries(options.continue ?? {}))
    const terminate = options.terminate
    if (options.formatStatus !== undefined) this.formatStatus = options.formatStatus
    const undelivered = options.undelivered
    if (undelivered !== undefined)
      this.undelivered = (process, { op, arg }) =>
        quietly(() => undelivered(process.state, { op: op || undefined, arg }))
    if (terminate !== undefined) this.terminate = (process, reason) => terminate(process.state, reason, process)
  }

  init(arg: unknown, process: Process): unknown {
    return this.options.init(arg, process)
  }

  handle(process: Process, envelope: Envelope): unknown {
    if (envelope.kind === kinds.call) {
      const handler = this.calls.get(envelope.op)
      if (handler !== undefined) return handler(process.state, envelope.arg, process)
      envelope.from?.fail(
        new CallError(
          'undef',
          `${process.label} has no call "${envelope.op}". It has: ${[...this.calls.keys()].join(', ') || 'none'}.`,
        ),
      )
      return undefined
    }
    if (envelope.kind === kinds.cast) {
      const handler = this.casts.get(envelope.op)
      if (handler !== undefined) return handler(process.state, envelope.arg, process)
      process.system.emit({ type: 'unexpected_message', pid: process.pid, definition: this.name, op: envelope.op })
      return undefined
    }
    if (this.options.info !== undefined) return this.options.info(process.state, envelope.arg, process)
    process.system.emit({ type: 'unexpected_message', pid: process.pid, definition: this.name, op: undefined })
    return undefined
  }

  proceed(process: Process, op: string, arg: unknown): unknown {
    const handler = this.continues.get(op)
    if (handler === undefined) {
      throw new CallError(
        'undef',
        `${process.label} has no continue handler "${op}". It has: ${[...this.continues.keys()].join(', ') || 'none'}.`,
      )
    }
    return handler(process.state, arg, process)
  }

  codeChange(process: Process, state: unknown, fromVersion: number): unknown {
    return this.options.codeChange === undefined ? state : this.options.codeChange(state, fromVersion, process)
  }

  createRef(process: Process): AnyRef {
    return new AnyRef(process)
  }
}

/** Runs what must not hinder the end of a process. */
function quietly(work: () => void): void {
  try {
    work()
  } catch {
    // Nobody is left to be told.
  }
}

function checkOptions(options: Readonly<Record<string, unknown>>): void {
  if (typeof options['name'] !== 'string' || options['name'] === '') {
    throw new TypeError(`defineActor: name must be a non-empty string, got ${String(options['name'])}.`)
  }
  const title = `defineActor "${options['name']}"`
  if (options['version'] !== undefined && !Number.isInteger(options['version'])) {
    throw new TypeError(`${title}: version must be a whole number, got ${String(options['version'])}.`)
  }
  const { hibernateAfter, stashCapacity } = options
  if (hibernateAfter !== undefined && !(typeof hibernateAfter === 'number' && hibernateAfter >= 0)) {
    throw new TypeError(`${title}: hibernateAfter must be milliseconds >= 0, got ${String(hibernateAfter)}.`)
  }
  if (stashCapacity !== undefined && !(Number.isInteger(stashCapacity) && (stashCapacity as number) >= 1)) {
    throw new TypeError(`${title}: stashCapacity must be a whole number >= 1, got ${String(stashCapacity)}.`)
  }
  for (const key of ['init', 'info', 'terminate', 'codeChange', 'formatStatus']) {
    const value = options[key]
    if ((value !== undefined || key === 'init') && typeof value !== 'function') {
      throw new TypeError(`${title}: ${key} must be a function, got ${value === null ? 'null' : typeof value}.`)
    }
  }
  for (const key of ['call', 'cast', 'continue']) {
    for (const [op, handler] of Object.entries((options[key] ?? {}) as Record<string, unknown>)) {
      if (typeof handler !== 'function')
        throw new TypeError(`${title}: ${key}.${op} must be a function, got ${typeof handler}.`)
    }
  }
}

export type { Handler }
