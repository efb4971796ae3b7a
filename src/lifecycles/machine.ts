/**
 * An xstate v5 machine as a process: our mailbox, clock and supervision around its pure transition function.
 *
 *     const Light = fromMachine(lightMachine, { name: 'light', version: 1 })
 *     const light = await system.start(Light, { greenMs: 30_000 })         // the machine's input
 *     light.cast('event', { type: 'push' })
 *     const { value, context, status } = await light.call('snapshot')
 *
 *     you                                the process
 *     call('snapshot')              ->   { value, context, status, output? }
 *     call('event', e)              ->   the snapshot after it
 *     call('done')                  ->   the last snapshot, when the machine is done; give it a time-out of its own
 *     call('persist')               ->   plain data for `resume`
 *     cast('event', e), send(e)     ->   an event; `send` takes anything with a `type`, so DOWN messages are events too
 *     cast('subscribe', ref)        ->   each event that the machine emits is sent to `ref`
 *
 * The final state is the process's normal exit, an error of the machine its crash. An error of a child that the machine does
 * not handle ends it likewise. What the machine does when it is asked to stop is in `terminate`: exit actions do not run.
 */
import type {
  AnyMachineSnapshot,
  AnyStateMachine,
  EmittedFrom,
  EventFrom,
  EventObject,
  InputFrom,
  Snapshot,
} from 'xstate'
import { CallError, type Definition, type ExitReason, type NoReply, noreply, type Self, type Target } from '#runtime'
import { type Envelope, kinds } from '#runtime/envelope'
import type { Process } from '#runtime/process'
import { AnyRef } from '#runtime/ref'
import { ActorWorld, Relay, type StandIn } from './actor-world.ts'
import { Delayed } from './delays.ts'
import type { Follower } from './followers.ts'
import { LogicActor, type LogicState } from './logic-actor.ts'
import { adopt, createRootRef } from './machine-ref.ts'
import { type MachineSnapshot, Resumed, showSnapshot } from './machine-snapshot.ts'

export interface MachineOptions<M extends AnyStateMachine> {
  /** Identity for hot swap, logs and the tree. */
  readonly name: string
  /** Default 1. */
  readonly version?: number
  /** Gets what xstate's `log` action says; default nobody: standard output may be a transport. */
  readonly log?: (...values: unknown[]) => void
  /** Who gets the events that the machine emits, from the start; a `via` outlives its process. */
  readonly subscribers?: readonly Target[]
  /** Makes the machine's input of the start argument; default: it is the input. */
  readonly input?: (arg: never) => InputFrom<M>
  /**
   * Runs when the process ends and may still speak: after `stop`, a crash or the final state, not after a kill. `tell` sends
   * last words to the subscribers. A promise is waited for.
   */
  readonly terminate?: (
    snapshot: MachineSnapshot<M>,
    reason: ExitReason,
    self: Self,
    tell: (event: EmittedFrom<M>) => void,
  ) => unknown
  /** Hot swap: the old version's value and context in, this one's out. Without it they are taken as they are. */
  readonly codeChange?: (
    old: { readonly value: unknown; readonly context: unknown },
    fromVersion: number,
  ) => Pick<MachineSnapshot<M>, 'value' | 'context'>
}

/** A machine as a kind of process. The type parameter types its refs. */
export interface MachineDefinition<M extends AnyStateMachine> extends Definition {
  readonly machine: M
  readonly types?: {
    readonly arg: InputFrom<M> | Resumed
    readonly init: MachineSnapshot<M>
    readonly calls: {
      snapshot: (state: never) => MachineSnapshot<M>
      event: (state: never, event: EventFrom<M>) => MachineSnapshot<M>
      done: (state: never) => MachineSnapshot<M>
      persist: (state: never) => Snapshot<unknown>
    }
    readonly casts: {
      event: (state: never, event: EventFrom<M>) => void
      subscribe: (state: never, follower: Target) => void
      unsubscribe: (state: never, follower: Target) => void
    }
  }
}

/** Defines a machine's process. Throws a `TypeError` when the machine, the name or the version is not what it should be. */
export function fromMachine<M extends AnyStateMachine>(machine: M, options: MachineOptions<M>): MachineDefinition<M> {
  const { name, version } = options ?? {}
  if (typeof name !== 'string' || name === '')
    throw new TypeError(`fromMachine: name must be a non-empty string, got ${String(name)}.`)
  if (version !== undefined && !Number.isInteger(version))
    throw new TypeError(`fromMachine "${name}": version must be a whole number, got ${String(version)}.`)
  if (typeof machine?.transition !== 'function' || machine.root === undefined)
    throw new TypeError(`fromMachine "${name}": an xstate v5 machine is needed, got ${typeof machine}.`)
  // Callbacks are typed by the machine, the class is not.
  return new MachineProcess(
    machine,
    options as unknown as MachineOptions<AnyStateMachine>,
  ) as unknown as MachineDefinition<M>
}

/** A process that lives a logic. */
abstract class LogicProcess implements Definition {
  readonly type = 'worker'
  /** The exit of a child is an event of the machine. */
  readonly trapExits = true
  abstract readonly name: string
  abstract readonly version: number

  abstract init(arg: unknown, process: Process): LogicState

  handle(process: Process, envelope: Envelope): unknown {
    const { kind, op, arg } = envelope
    // Made by `init`, or by a code change that got the same.
    const { actor } = process.state as LogicState
    if (kind === kinds.call) return this.answer(actor, envelope)
    if (kind === kinds.exit) {
      const { ref, reason } = arg as { readonly ref: { readonly pid: string } | null; readonly reason: ExitReason }
      actor.receiveExit(ref, reason)
    } else if (kind === kinds.down && actor.followers.forget((arg as { readonly monitor: number }).monitor)) {
      // A subscriber has ended.
    } else if (arg instanceof Relay) actor.receive(arg)
    else if (arg instanceof Delayed) actor.expire(arg)
    else if (kind === kinds.cast && op === 'subscribe' && isFollower(arg)) actor.followers.add(arg)
    else if (kind === kinds.cast && op === 'unsubscribe' && isFollower(arg)) actor.followers.remove(arg)
    else if ((kind !== kinds.cast || op === 'event') && isEvent(arg)) actor.step(arg)
    else {
      const { pid, system } = process
      system.emit({ type: 'unexpected_message', pid, definition: this.name, op: op === '' ? undefined : op })
    }
    return undefined
  }

  private answer(actor: LogicActor, { op, arg, from }: Envelope): MachineSnapshot | Snapshot<unknown> | NoReply {
    switch (op) {
      case 'snapshot':
        return showSnapshot(actor.snapshot)
      case 'event':
        if (!isEvent(arg)) return refuse(from, 'undef', `An event must be an object with a type, got ${describe(arg)}.`)
        actor.step(arg)
        return showSnapshot(actor.snapshot)
      case 'done':
        if (from !== null) actor.waiters.push(from)
        return noreply
      case 'persist':
        try {
          return structuredClone(actor.keep())
        } catch (error) {
          // What cannot be kept is the asker's trouble, not the machine's.
          const why = error instanceof Error ? error.message : String(error)
          return refuse(from, 'undef', `${actor.process.label} cannot be kept as plain data: ${why}`)
        }
      default:
        return refuse(
          from,
          'undef',
          `${actor.process.label} has no call "${op}". It has: snapshot, event, done, persist.`,
        )
    }
  }

  /** Only for a machine that was done when it started. */
  proceed(process: Process): void {
    process.stop('normal')
  }

  terminate(process: Process, _reason: ExitReason): unknown {
    // Without a state it was ended while it started.
    ;(process.state as LogicState | undefined)?.actor.end()
    return undefined
  }

  createRef(process: Process): AnyRef {
    return new AnyRef(process)
  }
}

class MachineProcess extends LogicProcess {
  readonly name: string
  readonly version: number
  readonly machine: AnyStateMachine
  private readonly options: MachineOptions<AnyStateMachine>

  constructor(machine: AnyStateMachine, options: MachineOptions<AnyStateMachine>) {
    super()
    this.name = options.name
    this.version = options.version ?? 1
    this.machine = machine
    this.options = options
  }

  init(arg: unknown, process: Process): LogicState {
    const world = new ActorWorld(this.options.log ?? (() => undefined))
    const ref = createRootRef(this.machine.id, this.machine, world)
    const actor = new LogicActor(process, ref, world, undefined, startChild)
    adopt(ref, actor)
    for (const subscriber of this.options.subscribers ?? []) actor.followers.add(subscriber as Follower, true)
    // xstate fills in what it finds, and a supervisor starts with the same argument again.
    if (arg instanceof Resumed) return actor.begin(this.machine, undefined, structuredClone(arg.snapshot))
    const { input } = this.options
    // Each start is typed by its definition.
    return actor.begin(this.machine, input === undefined ? arg : input(arg as never))
  }

  override terminate(process: Process, reason: ExitReason): unknown {
    super.terminate(process, reason)
    const actor = (process.state as LogicState | undefined)?.actor
    if (actor === undefined) return undefined
    // `Process` is the class behind every Self.
    const self = process as unknown as Self
    return this.options.terminate?.(showSnapshot(actor.snapshot), reason, self, (event) => actor.followers.tell(event))
  }

  codeChange(_process: Process, state: unknown, fromVersion: number): LogicState {
    const { actor, snapshot } = state as LogicState
    // Machines follow machines: the name says that it is the same life.
    const old = snapshot as AnyMachineSnapshot
    const { value, context } = this.options.codeChange?.({ value: old.value, context: old.context }, fromVersion) ?? old
    const { status, output, error } = old
    const next = this.machine.resolveState({ value, context, status, output, error, historyValue: this.history(old) })
    return { actor, logic: this.machine, snapshot: Object.assign(next, { children: old.children }) }
  }

  /** The remembered states of history nodes, as this version has them; those that it lacks are forgotten. */
  private history(old: AnyMachineSnapshot): AnyMachineSnapshot['historyValue'] {
    const kept = Object.entries(old.historyValue).map(([id, nodes]) => [
      id,
      nodes.flatMap((node) => this.find(node.id)),
    ])
    return Object.fromEntries(kept.filter(([, nodes]) => nodes !== undefined && nodes.length > 0))
  }

  private find(id: string): ReturnType<AnyStateMachine['getStateNodeById']>[] {
    try {
      return [this.machine.getStateNodeById(id)]
    } catch {
      return []
    }
  }
}

/** A child of a machine: a promise, a callback, an observable or another machine, behind the address that xstate made. */
class ChildProcess extends LogicProcess {
  readonly name: string
  readonly version: number
  private readonly ref: StandIn
  private readonly parent: LogicActor

  constructor(parent: LogicActor, ref: StandIn) {
    super()
    // Below the parent's name, so that an upgrade of something else never takes it for its own.
    this.name = `${parent.process.definition.name}/${ref.id}`
    this.version = parent.process.definition.version
    this.ref = ref
    this.parent = parent
  }

  init(_arg: unknown, process: Process): LogicState {
    const { ref, parent } = this
    const { input, snapshot } = ref.options as { readonly input?: unknown; readonly snapshot?: Snapshot<unknown> }
    const actor = new LogicActor(process, ref, parent.world, parent, startChild)
    adopt(ref, actor)
    return actor.begin(ref.logic, input, snapshot)
  }
}

function startChild(parent: LogicActor, ref: StandIn): ReturnType<Process['system']['spawn']> {
  const { process } = parent
  return process.system.spawn(process, new ChildProcess(parent, ref), undefined)
}

function isEvent(value: unknown): value is EventObject {
  return typeof (value as { readonly type?: unknown } | null | undefined)?.type === 'string'
}

/** A ref or a `via`: nothing else has an address. */
function isFollower(value: unknown): value is Follower {
  const { pid, send } = (value ?? {}) as { readonly pid?: unknown; readonly send?: unknown }
  return typeof pid === 'string' && typeof send === 'function'
}

function refuse(from: Envelope['from'], code: 'undef', sentence: string): NoReply {
  from?.fail(new CallError(code, sentence))
  return noreply
}

function describe(value: unknown): string {
  return value === null ? 'null' : typeof value
}
