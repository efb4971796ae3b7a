/**
 * A supervisor is a process that only starts, watches and ends others. Its definition is a list: who, in which order, and
 * what happens when one of them ends.
 *
 *     const Tree = defineSupervisor({
 *       strategy: 'rest_for_one',
 *       intensity: 3,
 *       period: 5_000,
 *       children: [child(Store, undefined, { id: 'store' }), child(Reader, undefined, { id: 'reader' })],
 *     })
 *     const tree = await system.start(Tree)
 *
 * one_for_one restarts the child that ended; rest_for_one also those started after it; one_for_all every child;
 * simple_one_for_one has any number of one kind, started by `startChild(arg)`. More than `intensity` restarts within
 * `period` milliseconds end the supervisor with 'shutdown', and the one above decides.
 */
import { type CheckedFlags, type ChildSpec, checkFlags, type SupervisorFlags } from './child-spec.ts'
import { type Definition, type Ignore, ignore } from './definition.ts'
import { DynamicSupervision } from './dynamic-supervision.ts'
import { type Envelope, kinds } from './envelope.ts'
import { CallError, StartError, SupervisorError } from './errors.ts'
import type { Process } from './process.ts'
import type { ExitReason } from './reasons.ts'
import { AnyRef, type Ref } from './ref.ts'
import { StaticSupervision } from './supervision.ts'
import type { ChildInfo, CountedChildren, Supervision } from './supervisor-port.ts'

/** The address of a supervisor. Refused operations reject with `SupervisorError`, failed starts with `StartError`. */
export interface SupervisorRef extends Ref<Definition> {
  /**
   * Adds a child last in start order and starts it; under simple_one_for_one the argument replaces the template's. Resolves
   * to its ref, or to undefined when its `init` returned `ignore`.
   */
  startChild(given?: unknown): Promise<Ref | undefined>
  /** Ends a child after its shutdown rule; its spec stays unless it is temporary. By id, under simple_one_for_one by ref. */
  terminateChild(id: string | Ref): Promise<void>
  /** Starts a child that was terminated. Does not count towards the intensity. */
  restartChild(id: string): Promise<Ref | undefined>
  /** Forgets the spec of a child that is not running. */
  deleteChild(id: string): Promise<void>
  getChildSpec(id: string | Ref): Promise<ChildSpec>
  /** All children, the newest first. */
  whichChildren(): Promise<ChildInfo[]>
  /** One row of `whichChildren`: by id, under simple_one_for_one by ref. Rejects with `SupervisorError` 'not_found'. */
  whichChild(id: string | Ref): Promise<ChildInfo>
  countChildren(): Promise<CountedChildren>
}

/** A kind of supervisor: what `defineSupervisor` returns. */
export interface SupervisorDefinition<A> extends Definition {
  readonly types?: { readonly arg: A; readonly ref: SupervisorRef }
}

/**
 * Defines a supervisor, from flags or from a function of the start argument, which may also return `ignore`. Throws
 * `SupervisorError` for wrong flags; a function's are checked when it starts.
 */
export function defineSupervisor(flags: SupervisorFlags): SupervisorDefinition<undefined>
export function defineSupervisor<A>(
  name: string,
  flags: (arg: A) => SupervisorFlags | Ignore,
  options?: { readonly version?: number },
): SupervisorDefinition<A>
export function defineSupervisor<A>(
  first: SupervisorFlags | string,
  build?: (arg: A) => SupervisorFlags | Ignore,
  options: { readonly version?: number } = {},
): SupervisorDefinition<A> | SupervisorDefinition<undefined> {
  if (typeof first !== 'string') {
    const flags = checkFlags(first)
    return new Supervisor(flags.name, flags.version, () => flags)
  }
  if (build === undefined)
    throw new SupervisorError(
      'bad_start_spec',
      `defineSupervisor "${first}": a function that returns the flags must follow the name.`,
    )
  return new Supervisor(first, options.version ?? 1, (arg) => {
    const flags = build(arg as A)
    return flags === ignore ? flags : checkFlags({ name: first, ...flags })
  })
}

/** The operations of a supervisor's ref: the same names travel as call operations. */
const operations = {
  startChild: (children: Supervision, given: unknown) => children.startChild(given),
  terminateChild: (children: Supervision, id: unknown) => children.terminateChild(id),
  restartChild: (children: Supervision, id: unknown) => children.restartChild(id),
  deleteChild: (children: Supervision, id: unknown) => children.deleteChild(id),
  getChildSpec: (children: Supervision, id: unknown) => children.getChildSpec(id),
  whichChildren: (children: Supervision) => children.whichChildren(),
  whichChild: (children: Supervision, id: unknown) => children.whichChild(id),
  countChildren: (children: Supervision) => children.countChildren(),
} as const

/** The class behind every supervisor definition. For the runtime. */
export class Supervisor implements Definition {
  readonly name: string
  readonly version: number
  readonly type = 'supervisor'
  readonly trapExits = true
  private readonly flagsFor: (arg: unknown, process: Process) => CheckedFlags | Ignore
  /** The start argument of each live supervisor, to ask for its flags anew. */
  private static readonly args = new WeakMap<Process, unknown>()

  constructor(name: string, version: number, flagsFor: (arg: unknown, process: Process) => CheckedFlags | Ignore) {
    this.name = name
    this.version = version
    this.flagsFor = flagsFor
  }

  init(arg: unknown, process: Process): unknown {
    const flags = this.flagsFor(arg, process)
    if (flags === ignore) return ignore
    if (arg !== undefined) Supervisor.args.set(process, arg)
    const template = flags.children[0]
    if (flags.strategy === 'simple_one_for_one' && template !== undefined)
      return new DynamicSupervision(process, flags, template)
    const children = new StaticSupervision(process, flags)
    return children.startAll().then(() => children)
  }

  handle(process: Process, envelope: Envelope): unknown {
    const children = process.state as Supervision
    if (envelope.kind === kinds.exit) {
      const { ref, reason } = envelope.arg as { ref: AnyRef | null; reason: ExitReason }
      return children.exited(ref, reason)
    }
    if (envelope.kind === kinds.cast && envelope.op === 'tryAgain') return children.tryAgain(envelope.arg)
    const operation = Object.hasOwn(operations, envelope.op)
      ? operations[envelope.op as keyof typeof operations]
      : undefined
    if (operation === undefined || (envelope.kind !== kinds.call && envelope.kind !== kinds.cast)) {
      envelope.from?.fail(
        new CallError(
          'undef',
          `${process.label} has no call "${envelope.op}". It has: ${Object.keys(operations).join(', ')}.`,
        ),
      )
      process.system.emit({
        type: 'unexpected_message',
        pid: process.pid,
        definition: this.name,
        op: envelope.op || undefined,
      })
      return undefined
    }
    try {
      const result = operation(children, envelope.arg)
      return result instanceof Promise ? result.catch((error) => refuse(envelope, error)) : result
    } catch (error) {
      return refuse(envelope, error)
    }
  }

  proceed(): undefined {
    return undefined
  }

  terminate(process: Process): Promise<void> {
    return (process.state as Supervision).endAll()
  }

  /** After: OTP supervisor, code_change: the flags are asked for anew; `ignore` changes nothing, a fault changes nothing. */
  codeChange(process: Process, state: unknown): Supervision {
    const children = state as Supervision
    const flags = this.flagsFor(Supervisor.args.get(process), process)
    if (flags === ignore) return children
    const template = flags.children[0]
    const isDynamic = flags.strategy === 'simple_one_for_one'
    if (isDynamic && children instanceof DynamicSupervision && template !== undefined)
      return children.changed(flags, template)
    if (!isDynamic && children instanceof StaticSupervision) return children.changed(flags)
    throw new SupervisorError(
      'bad_start_spec',
      `${process.label} cannot change between simple_one_for_one and the other strategies while it lives.`,
    )
  }

  createRef(process: Process): AnyRef {
    return new SupervisorAddress(process)
  }
}

/** Tells a refusal to the caller; anything else is a fault of the supervisor. */
function refuse(envelope: Envelope, error: unknown): undefined {
  if (!(error instanceof SupervisorError || error instanceof StartError)) throw error
  envelope.from?.fail(error)
  return undefined
}

/** Children take as long as they take: no time-out of the caller's ends an operation. */
const forever = { timeout: Number.POSITIVE_INFINITY }

/** The class behind `SupervisorRef`. For the runtime. */
export class SupervisorAddress extends AnyRef {
  startChild(given?: unknown): Promise<unknown> {
    return this.call('startChild', given, forever)
  }

  terminateChild(id: unknown): Promise<unknown> {
    return this.call('terminateChild', id, forever)
  }

  restartChild(id: string): Promise<unknown> {
    return this.call('restartChild', id, forever)
  }

  deleteChild(id: string): Promise<unknown> {
    return this.call('deleteChild', id, forever)
  }

  getChildSpec(id: unknown): Promise<unknown> {
    return this.call('getChildSpec', id, forever)
  }

  whichChild(id: unknown): Promise<unknown> {
    return this.call('whichChild', id, forever)
  }

  whichChildren(): Promise<unknown> {
    return this.call('whichChildren', undefined, forever)
  }

  countChildren(): Promise<unknown> {
    return this.call('countChildren', undefined, forever)
  }
}
