/**
 * A system is one world of processes: its run queue, its clock and timers, its chance, its names. Nothing in it is global,
 * so a program may hold several, and a simulation can own every source of surprise.
 *
 *     const system = createSystem()
 *     const counter = await system.start(Counter, 0)
 *     await counter.call('add', 5)
 *     await system.stop()
 */
import { NumberTable } from '#structures/number-table'
import { Ring } from '#structures/ring'
import { type Clock, realClock } from './clock.ts'
import type { Definition } from './definition.ts'
import { StartError } from './errors.ts'
import type { EventSink, SystemEvent } from './events.ts'
import { Mailbox } from './mailbox.ts'
import { NameTable } from './names.ts'
import { Process, type Started } from './process.ts'
import { type Random, realRandom } from './random.ts'
import { describeReason, type ExitReason } from './reasons.ts'
import {
  type AnyRef,
  locate,
  type Ref,
  type StartArguments,
  type StartedRef,
  type StartOptions,
  type Target,
  Via,
} from './ref.ts'
import { importDefinitions } from './reload.ts'
import { createScheduler, type Scheduler } from './scheduler.ts'
import { Timers } from './timers.ts'
import { type UpgradeOptions, type UpgradeReport, upgrade, Versions } from './upgrade.ts'

/** What a system is made of; every part has a default. */
export interface SystemOptions {
  /** Prefix of all pids; default three random bytes, so that two systems never share a pid. */
  readonly name?: string
  /** Default this machine's clock. */
  readonly clock?: Clock
  /** Default this machine's chance. */
  readonly random?: Random
  /** Default `createScheduler()`. */
  readonly scheduler?: Scheduler
  /** Gets every `SystemEvent`; must not throw. */
  readonly events?: EventSink
}

/** Milliseconds that `system.stop` gives each top-level worker to terminate before it is killed. */
const STOP_TIMEOUT_MS = 5_000

/** Creates an empty system. It needs no stop when it has no process and no timer left. */
export function createSystem(options: SystemOptions = {}): System {
  return new System(options)
}

/** What `createSystem` returns. */
export class System {
  /** Prefix of all pids. */
  readonly name: string
  readonly clock: Clock
  readonly random: Random
  /** All delays of this system; `self.sendAfter` is the way for processes. */
  readonly timers: Timers
  /** The names of this system, as a table for `via`. */
  readonly names = new NameTable()
  /** Which version each definition's name stands for. For the kernel. */
  readonly versions = new Versions()
  /** The process whose code runs now, if any. For the kernel. */
  current: Process | null = null
  readonly events: EventSink | null
  private readonly scheduler: Scheduler
  private readonly runQueue = new Ring<Process>(64)
  private readonly live = new NumberTable<Process>()
  private readonly signals = new Ring<{ target: Process; sender: Process; ref: AnyRef; reason: ExitReason }>()
  private isSignalling = false
  private isTurnDue = false
  private handled = 0
  private lastTurnAt = 0
  private lastNumber = 0
  private lastMonitorId = 0
  private isStopping = false
  private hasBadSink = false

  constructor(options: SystemOptions) {
    this.clock = options.clock ?? realClock
    this.random = options.random ?? realRandom
    this.scheduler = options.scheduler ?? createScheduler()
    this.events = options.events ?? null
    this.name = options.name ?? this.random.token(3)
    this.timers = new Timers(this.clock)
  }

  /** How many processes live. */
  get processCount(): number {
    return this.live.size
  }

  /** All live processes, oldest first. For the kernel. */
  allProcesses(): Process[] {
    return this.live.values()
  }

  /** All live processes in no order, which costs less. For counts of them. */
  unorderedProcesses(): Process[] {
    return this.live.unordered()
  }

  /** Refs of all live processes, oldest first. */
  processes(): Ref[] {
    return this.live.values().map((process) => asRef(process.ref))
  }

  /** Messages handled since the start. */
  get messagesHandled(): number {
    return this.handled
  }

  /**
   * Starts a process that no other owns. Resolves when its `init` is done: to its ref, or to undefined when `init` returned
   * `ignore`. Rejects with `StartError`.
   */
  start<D extends Definition>(definition: D, ...[arg, options]: StartArguments<D>): Promise<StartedRef<D>> {
    if (this.isStopping) {
      return Promise.reject(
        new StartError('stopped', `${definition.name} did not start: the system ${this.name} is stopping.`, 'shutdown'),
      )
    }
    return this.startUnder(null, definition, arg, options)
  }

  /**
   * Takes every live process of the definition's name over to it, all or none, while messages flow; later starts and restarts
   * of that name use it too. With several definitions all change together. Rejects with `UpgradeError`; nothing is then
   * changed. A lower version is a downgrade and works the same.
   */
  upgrade(definition: Definition, options?: UpgradeOptions): Promise<UpgradeReport>
  upgrade(definitions: readonly Definition[], options?: UpgradeOptions): Promise<UpgradeReport[]>
  async upgrade(
    given: Definition | readonly Definition[],
    options?: UpgradeOptions,
  ): Promise<UpgradeReport | UpgradeReport[]> {
    if (isList(given)) return upgrade(this, given, options)
    const [report] = await upgrade(this, [given], options)
    // One definition gives one report.
    return report as UpgradeReport
  }

  /**
   * Imports a changed module (a file: URL or a path) and upgrades to every definition it exports. Rejects with `UpgradeError`,
   * or with what the import threw.
   */
  async reload(location: string | URL, options?: UpgradeOptions): Promise<UpgradeReport[]> {
    return upgrade(this, await importDefinitions(location), options)
  }

  /** The process with that name in this system, or undefined. */
  whereis(name: string): Ref | undefined {
    const process = this.names.whereis(name)
    return process === undefined ? undefined : asRef(process.ref)
  }

  /**
   * Ends everything: top-level processes in reverse start order, each through its `terminate` (a worker gets 5 s), then
   * whatever is left. Resolves when no process is alive.
   */
  async stop(): Promise<void> {
    this.isStopping = true
    try {
      const roots = this.live
        .values()
        .filter(({ parent }) => parent === null || parent.isDead)
        .reverse()
      for (const root of roots) {
        if (root.isDead) continue
        const timeout = root.definition.type === 'supervisor' ? Number.POSITIVE_INFINITY : STOP_TIMEOUT_MS
        try {
          await root.ref.stop('shutdown', { timeout })
        } catch {
          // It ended for a reason of its own, or not in time; the kill below is for the second.
          root.receiveExit(null, null, 'kill', false)
        }
      }
      for (const left of this.live.values().reverse()) left.receiveExit(null, null, 'kill', false)
    } finally {
      this.isStopping = false
    }
  }

  // ---- for the rest of the runtime -----------------------------------------------------------------------------------

  /**
   * Starts a process under `parent`, linked to it. Answers at once unless `init` is asynchronous. What a dead incarnation
   * still tries to start, in a handler that outlived it, is refused: nobody would ever end it.
   */
  spawn(
    parent: Process | null,
    definition: Definition,
    arg: unknown,
    options?: StartOptions,
  ): Started | Promise<Started> {
    if (parent?.isDead) {
      const sentence = `${definition.name} did not start: ${parent.label}, which was to be its parent, has ended.`
      return new StartError('stopped', sentence, 'noproc')
    }
    const process = new Process(
      this,
      ++this.lastNumber,
      this.versions.resolve(definition),
      parent,
      new Mailbox(options?.mailbox),
    )
    this.live.add(process.number, process)
    if (options?.name !== undefined) {
      const [table, key] =
        options.name instanceof Via ? [options.name.table, options.name.key] : [this.names, options.name]
      const holder = table.whereis(key)
      if (holder !== undefined) {
        process.finish('normal')
        return new StartError(
          'already_started',
          `${definition.name} did not start: the name ${String(key)} is taken by ${holder.label}.`,
          holder.ref,
        )
      }
      table.register(key, process)
    }
    if (parent !== null) process.bond(parent)
    const started = process.begin(arg)
    const timeoutMs = options?.timeout
    if (!(started instanceof Promise) || timeoutMs === undefined || timeoutMs === Number.POSITIVE_INFINITY)
      return started
    return new Promise((resolve) => {
      const timer = this.timers.start(timeoutMs, () => resolve(process.timeOutStart(timeoutMs)))
      void started.then((result) => {
        this.timers.cancel(timer)
        resolve(result)
      })
    })
  }

  startUnder<D extends Definition>(
    parent: Process | null,
    definition: D,
    arg: unknown,
    options?: StartOptions,
  ): Promise<StartedRef<D>> {
    const conclude = (started: Started): StartedRef<D> => {
      if (started instanceof StartError) throw started
      // The class implements every method untyped; the definition carries the types.
      return started?.ref as unknown as StartedRef<D>
    }
    return new Promise((resolve) => {
      const started = this.spawn(parent, definition, arg, options)
      resolve(started instanceof Promise ? started.then(conclude) : conclude(started))
    })
  }

  resolve(target: Target): Process | undefined {
    return locate(target)
  }

  /** The ref that stands for `target` in a message. */
  refOf(target: Target): AnyRef {
    // A name that leads nowhere stands for itself; AnyRef and Via share what a message's reader may call.
    return locate(target)?.ref ?? (target as unknown as AnyRef)
  }

  nextMonitorId(): number {
    return ++this.lastMonitorId
  }

  enter(process: Process): Process | null {
    const outer = this.current
    this.current = process
    return outer
  }

  leave(outer: Process | null): void {
    this.current = outer
  }

  enqueue(process: Process): void {
    this.runQueue.push(process)
    if (this.isTurnDue) return
    this.isTurnDue = true
    this.scheduler.request(this.turn, this.handled, this.lastTurnAt)
  }

  /** Runs `callback` once the event loop has read what input has come by now; at once where there is no such loop. */
  afterInput(callback: () => void): void {
    if (this.scheduler.afterInput === undefined) callback()
    else this.scheduler.afterInput(callback)
  }

  /** A process has ended. The reason is for simulations, which note it. */
  remove(process: Process, _reason: ExitReason): void {
    this.live.delete(process.number, process)
  }

  /** Hands an event to the sink. A sink that throws must not stop a process half-way through its end. */
  emit(event: SystemEvent): void {
    if (this.events === null) return
    try {
      this.events(event)
    } catch (error) {
      if (this.hasBadSink) return
      this.hasBadSink = true
      process.emitWarning(
        `The events sink of the system ${this.name} threw on a "${event.type}" event: ${describeReason(error)}. Further faults of it are not reported.`,
      )
    }
  }

  deadLetters(process: Process, count: number, why: 'exit' | 'overflow'): void {
    if (this.events !== null)
      this.emit({ type: 'dead_letter', pid: process.pid, definition: process.definition.name, count, why })
  }

  /** Queues an exit signal over a link; `flushSignals` delivers, so that a long chain of links costs no stack. */
  signal(target: Process, sender: Process, ref: AnyRef, reason: ExitReason): void {
    this.signals.push({ target, sender, ref, reason })
  }

  flushSignals(): void {
    if (this.isSignalling) return
    this.isSignalling = true
    // The queue grows while it is emptied: a signal may end a process that signals others.
    for (let next = this.signals.shift(); next !== undefined; next = this.signals.shift())
      next.target.receiveExit(next.sender, next.ref, next.reason)
    this.isSignalling = false
  }

  private readonly turn = (): void => {
    const { messagesPerActor, messagesPerTurn, turnMs } = this.scheduler
    const startedAt = this.clock.now()
    this.lastTurnAt = startedAt
    let inTurn = 0
    let nextLook = messagesPerActor
    while (this.runQueue.length > 0) {
      const place = this.scheduler.pick?.(this.runQueue.length) ?? 0
      const process = place === 0 ? this.runQueue.shift() : this.runQueue.removeAt(place)
      if (process === undefined) break
      const handled = process.activate(messagesPerActor)
      inTurn += handled
      this.handled += handled
      if (inTurn >= messagesPerTurn) break
      if (inTurn >= nextLook) {
        nextLook = inTurn + messagesPerActor
        if (this.clock.now() - startedAt >= turnMs) break
      }
    }
    this.isTurnDue = this.runQueue.length > 0
    if (this.isTurnDue) this.scheduler.proceed(this.turn)
  }
}

function isList(given: Definition | readonly Definition[]): given is readonly Definition[] {
  return Array.isArray(given)
}

function asRef(ref: AnyRef): Ref {
  // AnyRef implements Ref without its types.
  return ref as unknown as Ref
}
