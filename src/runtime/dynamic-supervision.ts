/**
 * The children of a simple_one_for_one supervisor: any number of one kind, started on demand, each with its own argument,
 * found by its ref, ended all at once. Starting one costs no promise unless its `init` does. After: OTP supervisor.
 */
import { NumberTable } from '#structures/number-table'
import type { CheckedFlags, ChildSpec } from './child-spec.ts'
import { Envelope, kinds } from './envelope.ts'
import { StartError, SupervisorError } from './errors.ts'
import { RestartWindow } from './intensity.ts'
import type { Process, Started } from './process.ts'
import { type ExitReason, isOrderly } from './reasons.ts'
import { AnyRef } from './ref.ts'
import { isCleanShutdown, shutdownChild } from './shutdown.ts'
import {
  backoffDelayMs,
  type ChildInfo,
  type CountedChildren,
  childOf,
  type Supervision,
  startOptions,
} from './supervisor-port.ts'
import type { Timer } from './timers.ts'

class DynamicChild {
  /** Null while it waits for its restart. */
  process: Process | null = null
  /** Of the live process, or of the last one. */
  ref: AnyRef | null = null
  readonly arg: unknown
  attempts = 0
  startedAt = 0
  timer: Timer | null = null
  constructor(arg: unknown) {
    this.arg = arg
  }
}

export class DynamicSupervision implements Supervision {
  private readonly self: Process
  private readonly flags: CheckedFlags
  private readonly template: ChildSpec
  private window: RestartWindow
  /** By the number of the live process, or of the last one while it restarts, which is start order. */
  private readonly children = new NumberTable<DynamicChild>()

  constructor(self: Process, flags: CheckedFlags, template: ChildSpec) {
    this.self = self
    this.flags = flags
    this.template = template
    this.window = new RestartWindow(flags.intensity, flags.period)
  }

  /** The same children under other flags and another template, after a code change. Nothing of this keeper changes. */
  changed(flags: CheckedFlags, template: ChildSpec): DynamicSupervision {
    const next = new DynamicSupervision(this.self, flags, template)
    next.window = this.window.resized(flags.intensity, flags.period)
    for (const child of this.children.values()) if (child.ref !== null) next.children.add(child.ref.number, child)
    return next
  }

  // ---- operations ----------------------------------------------------------------------------------------------------

  startChild(arg: unknown): unknown {
    if (this.children.size >= this.flags.maxChildren) {
      throw new SupervisorError(
        'max_children',
        `startChild: ${this.flags.name} has ${this.children.size} children, which is its maxChildren.`,
        this.flags.maxChildren,
      )
    }
    const child = new DynamicChild(arg === undefined ? this.template.arg : arg)
    const started = this.start(child)
    return started instanceof Promise
      ? started.then((later) => this.started(child, later))
      : this.started(child, started)
  }

  private started(child: DynamicChild, started: Started): AnyRef | undefined {
    if (started instanceof StartError) {
      this.report('start_error', started.reason)
      throw started
    }
    if (started !== undefined) this.keep(child, started)
    return started?.ref
  }

  terminateChild(ref: unknown): unknown {
    if (!(ref instanceof AnyRef)) throw this.byRefOnly('terminateChild', ref)
    const child = this.find(ref)
    if (child === undefined) {
      if (!ref.alive) return undefined
      throw new SupervisorError('not_found', `terminateChild: ${ref.pid} is no child of ${this.flags.name}.`, ref)
    }
    this.children.delete(ref.number, child)
    if (child.timer !== null) this.self.cancelTimer(child.timer)
    const process = child.process
    if (process === null) return undefined
    return new Promise<void>((resolve) => {
      shutdownChild(this.self, process, this.template.shutdown, (reason) => {
        if (!isCleanShutdown(this.template, reason)) this.report('shutdown_error', reason)
        resolve()
      })
    })
  }

  restartChild(id: unknown): never {
    throw this.byRefOnly('restartChild', id)
  }

  deleteChild(id: unknown): never {
    throw this.byRefOnly('deleteChild', id)
  }

  getChildSpec(ref: unknown): ChildSpec {
    // As OTP: one that has ended cannot be told from a child that was.
    if (ref instanceof AnyRef && (this.find(ref) !== undefined || !ref.alive)) return this.template
    throw new SupervisorError('not_found', `getChildSpec: no such child of ${this.flags.name}.`, ref)
  }

  whichChild(ref: unknown): ChildInfo {
    if (!(ref instanceof AnyRef)) throw this.byRefOnly('whichChild', ref)
    const child = this.find(ref)
    if (child !== undefined) return childOf(undefined, child.process, child.process === null, this.template)
    throw new SupervisorError('not_found', `whichChild: ${ref.pid} is no child of ${this.flags.name}.`, ref)
  }

  whichChildren(): ChildInfo[] {
    return this.children
      .values()
      .map((child) => childOf(undefined, child.process, child.process === null, this.template))
      .reverse()
  }

  countChildren(): CountedChildren {
    let active = 0
    for (const child of this.children.unordered()) if (child.process !== null) active++
    const isSupervisor = this.template.type === 'supervisor'
    return {
      specs: 1,
      active,
      supervisors: isSupervisor ? this.children.size : 0,
      workers: isSupervisor ? 0 : this.children.size,
    }
  }

  private byRefOnly(op: string, id: unknown): SupervisorError {
    return new SupervisorError(
      'simple_one_for_one',
      `${op}: the children of ${this.flags.name} (simple_one_for_one) have no ids; terminateChild(ref) ends one. Got ${String(id)}.`,
      id,
    )
  }

  /** The child that has this ref, or had it until it ended and waits for its restart. */
  private find(ref: AnyRef): DynamicChild | undefined {
    const child = this.children.get(ref.number)
    return child?.ref === ref ? child : undefined
  }

  // ---- exits and restarts --------------------------------------------------------------------------------------------

  exited(ref: AnyRef | null, reason: ExitReason): unknown {
    // A signal of plain code has no ref.
    if (ref === null) return undefined
    const child = this.find(ref)
    // Alive: the child only sent an exit signal. To start a second one beside it would be wrong.
    if (child?.process == null || !child.process.isDead) return undefined
    const { restart, significant } = this.template
    if (restart === 'permanent' || !isOrderly(reason)) this.report('child_terminated', reason)
    if (restart === 'permanent' || (restart === 'transient' && !isOrderly(reason))) return this.restart(ref, child)
    this.children.delete(ref.number, child)
    const { autoShutdown } = this.flags
    const isDue = autoShutdown === 'any_significant' || (autoShutdown === 'all_significant' && this.children.size === 0)
    if (significant && isDue) this.self.stop('shutdown')
    return undefined
  }

  tryAgain(key: unknown): unknown {
    const ref = key as AnyRef
    const child = this.find(ref)
    if (child === undefined || child.process !== null) return undefined
    return child.timer !== null ? this.restartNow(ref, child) : this.restart(ref, child)
  }

  private restart(ref: AnyRef, child: DynamicChild): unknown {
    child.process = null
    if (!this.window.add(this.self.now())) {
      this.report('intensity_reached', 'shutdown')
      this.children.delete(ref.number, child)
      this.self.stop('shutdown')
      return undefined
    }
    const { backoff } = this.template
    if (backoff === undefined) return this.restartNow(ref, child)
    if (this.self.now() - child.startedAt > backoff.max) child.attempts = 0
    child.timer = this.self.after(backoffDelayMs(backoff, child.attempts++, this.self.random()), () => this.retry(ref))
    return undefined
  }

  private restartNow(ref: AnyRef, child: DynamicChild): unknown {
    child.timer = null
    const restarted = (started: Started): void => {
      if (started instanceof StartError) {
        this.report('start_error', started.reason)
        this.retry(ref)
        return
      }
      this.children.delete(ref.number, child)
      if (started !== undefined) this.keep(child, started)
      this.report('restarted', undefined)
    }
    const started = this.start(child)
    return started instanceof Promise ? started.then(restarted) : restarted(started)
  }

  private retry(ref: AnyRef): void {
    this.self.force(new Envelope(kinds.cast, 'tryAgain', ref, null))
  }

  // ---- starting and ending -------------------------------------------------------------------------------------------

  private start(child: DynamicChild): Started | Promise<Started> {
    return this.self.system.spawn(this.self, this.template.definition, child.arg, startOptions(this.template))
  }

  private keep(child: DynamicChild, process: Process): void {
    child.process = process
    if (this.template.backoff !== undefined) child.startedAt = this.self.now()
    process.childId = this.template.id
    child.ref = process.ref
    this.children.add(process.number, child)
  }

  /** Ends all children at once: one signal each, one timer for all, then a kill for those that are left. */
  endAll(): Promise<void> {
    const { shutdown } = this.template
    const processes = this.children.values().flatMap((child) => child.process ?? [])
    for (const child of this.children.values()) if (child.timer !== null) this.self.cancelTimer(child.timer)
    const faults = new Map<string, { reason: ExitReason; count: number }>()
    return new Promise<void>((resolve) => {
      let left = processes.length
      if (left === 0) return resolve()
      const timer =
        typeof shutdown === 'number'
          ? this.self.system.timers.start(shutdown, () => {
              for (const process of processes) process.receiveExit(this.self, this.self.ref, 'kill', false)
            })
          : null
      for (const process of processes) {
        shutdownChild(this.self, process, shutdown === 'brutal_kill' ? shutdown : 'infinity', (reason) => {
          if (!isCleanShutdown(this.template, reason)) {
            const fault = faults.get(String(reason)) ?? { reason, count: 0 }
            fault.count++
            faults.set(String(reason), fault)
          }
          if (--left > 0) return
          if (timer !== null) this.self.system.timers.cancel(timer)
          for (const fault of faults.values()) this.report('shutdown_error', fault.reason, fault.count)
          resolve()
        })
      }
    })
  }

  private report(
    report: 'child_terminated' | 'start_error' | 'shutdown_error' | 'restarted' | 'intensity_reached',
    reason: ExitReason,
    count = 1,
  ): void {
    const { system, pid } = this.self
    if (system.events === null) return
    const child = count === 1 ? this.template.id : `${this.template.id} (${count} of them)`
    system.emit({ type: 'supervisor', pid, definition: this.flags.name, report, child, reason })
  }
}
