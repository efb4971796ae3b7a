/**
 * One xstate logic (a machine, a promise, a callback, an observable, ...) lived by one process. Each event is one message:
 * the logic's pure transition gives the next snapshot and the actions, and nothing has happened yet when it throws. Then the
 * actions run: first your own, which still see the old snapshot, then xstate's (sends, delays, children), which see the new.
 *
 *     the logic                       the process
 *     an event                   <-   a message
 *     raise without delay             stays inside the transition
 *     after, raise with delay    ->   a timer of the system
 *     invoke, spawn              ->   a linked process; it is stopped when the state is left
 *     final state                ->   normal exit
 *     an error of a machine      ->   crash with that error
 */
import {
  type AnyActorLogic,
  type AnyActorRef,
  type AnyActorScope,
  type AnyMachineSnapshot,
  type EventObject,
  type ExecutableActionObject,
  isMachineSnapshot,
  type Snapshot,
} from 'xstate'
import { type ExitReason, type From, isOrderly } from '#runtime'
import { Process } from '#runtime/process'
import type { ActorWorld, Relay, StandIn } from './actor-world.ts'
import { type Delayed, Delays, type KeptDelay } from './delays.ts'
import { Followers } from './followers.ts'
import { showSnapshot } from './machine-snapshot.ts'

/** The state of a process that lives a logic. */
export interface LogicState {
  readonly actor: LogicActor
  readonly logic: AnyActorLogic
  readonly snapshot: Snapshot<unknown>
}

/** Starts the process behind a child's address. */
export type StartChild = (parent: LogicActor, ref: StandIn) => ReturnType<Process['system']['spawn']>

/** xstate's own actions; all others are the machine's. */
const builtIns: ReadonlySet<string> = new Set(
  ['spawnChild', 'stopChild', 'sendTo', 'raise', 'cancel', 'emit', 'log'].map((name) => `xstate.${name}`),
)

export class LogicActor {
  readonly process: Process
  readonly ref: AnyActorRef
  readonly world: ActorWorld
  readonly parent: LogicActor | undefined
  readonly delays: Delays
  readonly followers: Followers
  /** Calls that wait for the machine to be done. */
  readonly waiters: From[] = []
  /** The last snapshot, for those who ask when the process has ended. */
  last: Snapshot<unknown> | undefined
  isStopping = false
  private readonly scope: AnyActorScope
  private readonly startChild: StartChild
  /** Addresses of the children whose processes have not ended, by pid, in start order. */
  private readonly children = new Map<string, AnyActorRef>()
  private actions: ExecutableActionObject[] = []
  private isCleanedUp = false

  constructor(
    process: Process,
    ref: AnyActorRef,
    world: ActorWorld,
    parent: LogicActor | undefined,
    startChild: StartChild,
  ) {
    this.process = process
    this.ref = ref
    this.world = world
    this.parent = parent
    this.startChild = startChild
    this.delays = new Delays(process)
    this.followers = new Followers(process)
    this.scope = {
      self: ref,
      id: ref.id,
      sessionId: ref.sessionId,
      logger: world._logger,
      // What xstate would defer is read from the actions and from the snapshot's children.
      defer: () => undefined,
      emit: (event) => this.followers.tell(event),
      system: ref.system,
      stopChild: (child) => this.stopChild(child),
      actionExecutor: (action) => this.actions.push(action),
    }
    world.settle(ref, this)
  }

  get isAlive(): boolean {
    return !this.process.isDead
  }

  private get state(): LogicState {
    // Only `begin`, `step` and code changes make the state of these processes.
    return this.process.state as LogicState
  }

  /** The snapshot now. Throws while the first one is being made. */
  get snapshot(): Snapshot<unknown> {
    if (this.last === undefined) throw new Error(`The actor "${this.ref.id}" has no snapshot yet: it is starting.`)
    return this.isAlive && this.process.state !== undefined ? this.state.snapshot : this.last
  }

  // ---- steps -----------------------------------------------------------------------------------------------------------

  /** The first state: from `input`, or from a snapshot that was kept. Throws what the logic throws. */
  begin(logic: AnyActorLogic, input: unknown, kept?: Snapshot<unknown>): LogicState {
    let snapshot: Snapshot<unknown>
    if (kept === undefined) snapshot = logic.getInitialSnapshot(this.scope, input)
    else snapshot = logic.restoreSnapshot === undefined ? kept : logic.restoreSnapshot(kept, this.scope)
    const state: LogicState = { actor: this, logic, snapshot }
    if (!isMachineSnapshot(snapshot)) {
      this.last = snapshot
      // An abort reaches a killed process too, which runs nothing else of its own.
      this.process.signal.addEventListener('abort', () => this.cleanUpAtLast(), { once: true })
    }
    this.take(state)
    if (!isMachineSnapshot(snapshot)) logic.start?.(snapshot, this.scope)
    for (const { id, event, remainingMs, to } of (kept as { delays?: readonly KeptDelay[] } | undefined)?.delays ??
      []) {
      const target = to === undefined ? undefined : childrenOf(snapshot)[to]
      if (to === undefined || target !== undefined) this.delays.start(id, remainingMs, target, event)
    }
    this.world.flush(this.ref)
    return state
  }

  /** One event, through to rest. Throws what the machine or one of its actions throws. */
  step(event: EventObject): void {
    const { logic, snapshot } = this.state
    if (snapshot.status !== 'active') return
    if (event.type === 'xstate.stop') {
      this.isStopping = true
      this.process.stop('shutdown')
      return
    }
    this.actions = []
    this.take({ actor: this, logic, snapshot: logic.transition(snapshot, event, this.scope) })
  }

  /** An event from another process. What an ended or abandoned child says of itself is dropped. */
  receive(relay: Relay): void {
    const { source, event } = relay
    if (source !== undefined && /^xstate\.(done\.actor|error\.actor|snapshot)\./.test(event.type)) {
      if (childrenOf(this.state.snapshot)[source.id] !== source) return
    }
    this.step(event)
  }

  /** A delay is over. */
  expire(delayed: Delayed): void {
    if (!this.delays.take(delayed)) return
    if (delayed.to === undefined) this.step(delayed.event)
    else this.send(delayed.to, delayed.event)
  }

  private take(state: LogicState): void {
    const { snapshot } = state
    const { actions } = this
    this.actions = []
    const isMachine = isMachineSnapshot(snapshot)
    if (isMachine && snapshot.status === 'error') throw snapshot.error
    for (const action of actions) if (!builtIns.has(action.type)) this.run(action)
    this.process.state = state
    this.last = snapshot
    for (const action of actions) if (builtIns.has(action.type)) this.perform(action)
    if (isMachine && snapshot.status === 'active') {
      // What `spawn` inside an `assign` made is known from the snapshot alone.
      for (const child of Object.values(childrenOf(snapshot))) if (child !== undefined) this.spawn(child)
    }
    this.followers.show(snapshot)
    this.conclude(snapshot)
  }

  /** Runs an action of the machine's own. The process answers for the promise of an asynchronous one, too. */
  private run(action: ExecutableActionObject): void {
    const result: unknown = action.exec?.(action.info, action.params)
    if (result instanceof Promise) result.catch((error: unknown) => this.process.stop(error))
  }

  private perform(action: ExecutableActionObject): void {
    // The shapes of xstate's own actions; it declares some of them.
    const params = action.params as {
      readonly actorRef?: AnyActorRef
      readonly src?: unknown
      readonly to?: AnyActorRef
      readonly event: EventObject & { readonly data?: unknown }
      readonly id?: string
      readonly delay?: number
      readonly sendId: string
      readonly label?: string
      readonly value?: unknown
    }
    const { event, id, delay } = params ?? {}
    switch (action.type) {
      case 'xstate.raise':
        if (typeof delay === 'number') this.delays.start(id, delay, undefined, event)
        break
      case 'xstate.sendTo': {
        const to = params.to ?? this.ref
        if (typeof delay === 'number') this.delays.start(id, delay, to === this.ref ? undefined : to, event)
        else this.send(to, event.type === 'xstate.error' ? errorEvent(this.ref.id, event.data) : event)
        break
      }
      case 'xstate.cancel':
        this.delays.cancel(params.sendId)
        break
      case 'xstate.emit':
        this.followers.tell(event)
        break
      case 'xstate.log':
        this.world._logger(...(params.label === undefined ? [params.value] : [params.label, params.value]))
        break
      case 'xstate.spawnChild':
        if (params.actorRef === undefined)
          throw new Error(`${this.process.label} invokes "${String(params.src)}", but its machine has no such actor.`)
        this.spawn(params.actorRef)
        break
      case 'xstate.stopChild':
        // This one's params are the address itself.
        this.stopChild(action.params as AnyActorRef | undefined)
        break
    }
  }

  /** Tells the parent, and whoever waits, that the logic has come to its end. */
  private conclude(snapshot: Snapshot<unknown>): void {
    const { ref, parent } = this
    if (snapshot.status === 'active') {
      if (
        parent !== undefined &&
        ((ref as StandIn).options as { readonly syncSnapshot?: boolean }).syncSnapshot === true
      )
        this.send(parent.ref, { type: `xstate.snapshot.${ref.id}`, snapshot } as EventObject)
      return
    }
    this.isStopping = true
    if (snapshot.status === 'done') for (const from of this.waiters) from.reply(showSnapshot(snapshot))
    if (parent !== undefined) {
      if (snapshot.status === 'done') this.send(parent.ref, doneEvent(ref.id, snapshot.output))
      else if (snapshot.status === 'error') this.send(parent.ref, errorEvent(ref.id, snapshot.error))
    }
    // A process that stops within its init has not started; a machine that is done at once has.
    const isStarting = this.process.status === 'starting'
    if (isStarting) this.process.continueWith('end')
    else this.process.stop(snapshot.status === 'stopped' ? 'shutdown' : 'normal')
  }

  private send(to: AnyActorRef, event: EventObject): void {
    this.world._relay(this.ref, to, event)
  }

  // ---- children --------------------------------------------------------------------------------------------------------

  /** Starts a child's process, unless it has one or was stopped within the same step. */
  private spawn(ref: AnyActorRef): void {
    const { options } = ref as StandIn
    const kept = options.snapshot as Snapshot<unknown> | undefined
    if (this.world.actorOf(ref) !== undefined || childrenOf(this.state.snapshot)[ref.id] !== ref) return
    if (kept !== undefined && kept.status !== 'active') return
    const started = this.startChild(this, ref as StandIn)
    if (started instanceof Process) this.children.set(started.pid, ref)
    else if (started instanceof Error) this.world._relay(ref, this.ref, errorEvent(ref.id, started.reason))
  }

  private stopChild(ref: AnyActorRef | undefined): void {
    if (ref === undefined) return
    this.world._unregister(ref)
    const child = this.world.actorOf(ref)
    if (child === undefined) return
    child.isStopping = true
    this.send(ref, { type: 'xstate.stop' })
  }

  /** An exit signal: of a child, which the machine learns as an error, or of anyone else, which ends this process too. */
  receiveExit(target: { readonly pid: string } | null, reason: ExitReason): void {
    const child = target === null ? undefined : this.children.get(target.pid)
    if (child === undefined) {
      if (reason !== 'normal') this.process.stop(reason)
      return
    }
    this.children.delete((target as { pid: string }).pid)
    this.world._unregister(child)
    if (isOrderly(reason) || childrenOf(this.state.snapshot)[child.id] !== child) return
    this.step(errorEvent(child.id, reason))
  }

  // ---- the end ---------------------------------------------------------------------------------------------------------

  /** Ends the children, youngest first, then what the logic holds open. */
  end(): void {
    for (const ref of [...this.children.values()].reverse()) this.world.actorOf(ref)?.process.ref.exit('shutdown')
    this.cleanUp()
  }

  /** Lets a promise, a callback or an observable put away what it holds: aborts its signal, runs its cleanup. */
  private cleanUp(): void {
    if (this.isCleanedUp || this.last === undefined || isMachineSnapshot(this.last)) return
    this.isCleanedUp = true
    const { last } = this
    const logic = (this.process.state as LogicState | undefined)?.logic ?? (this.ref as StandIn).logic
    if (last.status === 'active') this.last = logic.transition(last, { type: 'xstate.stop' }, this.scope)
  }

  private cleanUpAtLast(): void {
    try {
      this.cleanUp()
    } catch (reason) {
      const { pid, definition, system } = this.process
      system.emit({ type: 'crash', pid, definition: definition.name, id: undefined, reason, message: 'cleanup' })
    }
  }

  // ---- keeping ---------------------------------------------------------------------------------------------------------

  /** The snapshot as plain data, with the delays that run. Throws where xstate refuses: for inline children. */
  keep(): Snapshot<unknown> {
    const logic = this.isAlive ? this.state.logic : (this.ref as StandIn).logic
    const kept = logic.getPersistedSnapshot(this.snapshot)
    const children = isMachineSnapshot(this.snapshot) ? childrenOf(this.snapshot) : {}
    const delays = this.isAlive ? this.delays.keep((ref) => (children[ref.id] === ref ? ref.id : undefined)) : []
    return delays.length === 0 ? kept : (Object.assign({ ...kept }, { delays }) as Snapshot<unknown>)
  }
}

function childrenOf(snapshot: Snapshot<unknown>): Readonly<Record<string, AnyActorRef | undefined>> {
  return isMachineSnapshot(snapshot) ? (snapshot as AnyMachineSnapshot).children : {}
}

function doneEvent(id: string, output: unknown): EventObject {
  return { type: `xstate.done.actor.${id}`, output, actorId: id } as EventObject
}

function errorEvent(id: string, error: unknown): EventObject {
  return { type: `xstate.error.actor.${id}`, error, actorId: id } as EventObject
}
