/**
 * The children of a supervisor with a fixed list: one_for_one, rest_for_one and one_for_all. They start from left to right
 * and end from right to left. A restart that fails is tried again by a message to the supervisor itself, so that its
 * clients and its own shutdown come in between. After: OTP supervisor.
 */
import type { CheckedFlags, ChildSpec } from './child-spec.ts'
import { checkChild } from './child-spec.ts'
import { Envelope, kinds } from './envelope.ts'
import { StartError, SupervisorError } from './errors.ts'
import { RestartWindow } from './intensity.ts'
import { Process, type Started } from './process.ts'
import { describeReason, type ExitReason, isOrderly } from './reasons.ts'
import type { AnyRef } from './ref.ts'
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

class Child {
  readonly spec: ChildSpec
  process: Process | null = null
  isRestarting = false
  /** Restarts in a row, for the backoff. */
  attempts = 0
  startedAt = 0
  timer: Timer | null = null
  constructor(spec: ChildSpec) {
    this.spec = spec
  }

  /** This child as it stands, under another spec. */
  under(spec: ChildSpec): Child {
    return Object.assign(new Child(spec), { ...this, spec })
  }
}

export class StaticSupervision implements Supervision {
  private readonly self: Process
  private readonly flags: CheckedFlags
  private window: RestartWindow
  /** In start order. */
  private children: Child[]

  constructor(self: Process, flags: CheckedFlags) {
    this.self = self
    this.flags = flags
    this.window = new RestartWindow(flags.intensity, flags.period)
    this.children = flags.children.map((spec) => new Child(spec))
  }

  /**
   * The same children under other flags, after a code change: a known id takes its new spec and keeps its process, a new one is
   * added but not started, one that is missing is kept. Nothing of this keeper changes. After: OTP supervisor, code_change.
   */
  changed(flags: CheckedFlags): StaticSupervision {
    const next = new StaticSupervision(this.self, flags)
    next.window = this.window.resized(flags.intensity, flags.period)
    const specs = new Map(flags.children.map((spec) => [spec.id, spec]))
    const kept = this.children.map((child) => child.under(specs.get(child.spec.id) ?? child.spec))
    const known = new Set(kept.map((child) => child.spec.id))
    next.children = [...kept, ...next.children.filter((child) => !known.has(child.spec.id))]
    return next
  }

  /** Starts all children; when one fails, ends those that started and throws. */
  async startAll(): Promise<void> {
    const failed = await this.startEach(this.children)
    if (failed === null) return
    await this.endEach(this.children)
    const { id } = failed.child.spec
    const reason = { shutdown: { failed_to_start_child: id, reason: failed.error.reason } }
    throw new StartError(
      'failed_to_start_child',
      `${this.flags.name} did not start: its child "${id}" failed (${describeReason(failed.error.reason)}).`,
      reason,
    )
  }

  // ---- operations ----------------------------------------------------------------------------------------------------

  startChild(given: unknown): unknown {
    const spec = given as ChildSpec
    checkChild(spec, this.flags.autoShutdown)
    const present = this.children.find((child) => child.spec.id === spec.id)
    if (present?.process)
      throw new SupervisorError(
        'already_started',
        `startChild: "${spec.id}" is running as ${present.process.label}.`,
        present.process.ref,
      )
    if (present !== undefined)
      throw new SupervisorError(
        'already_present',
        `startChild: the spec "${spec.id}" is there already. Use restartChild, or deleteChild first.`,
        spec.id,
      )
    const child = new Child(spec)
    return then(this.start(child), (started) => {
      if (started instanceof StartError) {
        this.report('start_error', child, started.reason)
        throw started
      }
      if (started !== undefined || spec.restart !== 'temporary') this.children.push(child)
      return started?.ref
    })
  }

  terminateChild(id: unknown): unknown {
    const child = this.find('terminateChild', id)
    return new Promise<void>((resolve) => this.end(child, resolve)).then(() => {
      if (child.spec.restart === 'temporary') this.drop(child)
    })
  }

  restartChild(id: unknown): unknown {
    const child = this.find('restartChild', id)
    this.refuseIfBusy('restartChild', child)
    return then(this.start(child), (started) => {
      if (started instanceof StartError) {
        this.report('start_error', child, started.reason)
        throw started
      }
      return started?.ref
    })
  }

  deleteChild(id: unknown): void {
    const child = this.find('deleteChild', id)
    this.refuseIfBusy('deleteChild', child)
    this.drop(child)
  }

  getChildSpec(id: unknown): ChildSpec {
    const byRef = this.children.find((child) => child.process !== null && child.process.ref === id)
    return (byRef ?? this.find('getChildSpec', id)).spec
  }

  whichChild(id: unknown): ChildInfo {
    const { spec, process, isRestarting } = this.find('whichChild', id)
    return childOf(spec.id, process, isRestarting, spec)
  }

  whichChildren(): ChildInfo[] {
    return this.children
      .map(({ spec, process, isRestarting }) => childOf(spec.id, process, isRestarting, spec))
      .reverse()
  }

  countChildren(): CountedChildren {
    const supervisors = this.children.filter((child) => child.spec.type === 'supervisor').length
    return {
      specs: this.children.length,
      // A child that had unlinked itself may have ended unnoticed.
      active: this.children.filter((child) => child.process !== null && !child.process.isDead).length,
      supervisors,
      workers: this.children.length - supervisors,
    }
  }

  private find(op: string, id: unknown): Child {
    const child = this.children.find((one) => one.spec.id === id)
    if (child !== undefined) return child
    throw new SupervisorError(
      'not_found',
      `${op}: ${this.flags.name} has no child "${String(id)}". It has: ${this.children.map((one) => one.spec.id).join(', ') || 'none'}.`,
      id,
    )
  }

  private refuseIfBusy(op: string, child: Child): void {
    if (child.process !== null)
      throw new SupervisorError(
        'running',
        `${op}: "${child.spec.id}" is running. Use terminateChild first.`,
        child.spec.id,
      )
    if (child.isRestarting)
      throw new SupervisorError(
        'restarting',
        `${op}: "${child.spec.id}" is restarting. Use terminateChild first.`,
        child.spec.id,
      )
  }

  // ---- exits and restarts --------------------------------------------------------------------------------------------

  exited(ref: AnyRef | null, reason: ExitReason): unknown {
    const child = this.children.find((one) => one.process?.ref === ref)
    // Alive: the child only sent an exit signal. To start a second one beside it would be wrong.
    if (child?.process == null || !child.process.isDead) return undefined
    child.process = null
    const { restart, significant } = child.spec
    if (restart === 'permanent' || !isOrderly(reason)) this.report('child_terminated', child, reason)
    if (restart === 'permanent' || (restart === 'transient' && !isOrderly(reason))) return this.restart(child)
    if (restart === 'temporary') this.drop(child)
    if (significant) this.considerAutoShutdown()
    return undefined
  }

  /** A restart that failed, or whose backoff is over, is due again. */
  tryAgain(key: unknown): unknown {
    const child = this.children.find((one) => one.spec.id === key)
    if (child === undefined || !child.isRestarting) return undefined
    return child.timer !== null ? this.restartNow(child) : this.restart(child)
  }

  private considerAutoShutdown(): void {
    const isLast = !this.children.some(
      (child) => child.spec.significant && (child.process !== null || child.isRestarting),
    )
    if (this.flags.autoShutdown === 'any_significant' || (this.flags.autoShutdown === 'all_significant' && isLast))
      this.self.stop('shutdown')
  }

  private restart(child: Child): unknown {
    if (!this.window.add(this.self.now())) {
      this.report('intensity_reached', child, 'shutdown')
      child.isRestarting = false
      this.self.stop('shutdown')
      return undefined
    }
    if (child.spec.backoff === undefined) return this.restartNow(child)
    if (this.self.now() - child.startedAt > child.spec.backoff.max) child.attempts = 0
    const delayMs = backoffDelayMs(child.spec.backoff, child.attempts++, this.self.random())
    child.isRestarting = true
    return then(this.endGroup(child), () => {
      child.timer = this.self.after(delayMs, () => this.sendTryAgain(child))
    })
  }

  private restartNow(child: Child): unknown {
    child.timer = null
    if (this.flags.strategy === 'one_for_one')
      return then(this.start(child), (started) => this.restarted(child, started))
    return this.restartGroup(child)
  }

  /** The children that share the fate of `child` under this strategy, in start order. */
  private groupOf(child: Child): Child[] {
    if (this.flags.strategy === 'one_for_one') return [child]
    return this.flags.strategy === 'one_for_all'
      ? [...this.children]
      : this.children.slice(this.children.indexOf(child))
  }

  private endGroup(child: Child): void | Promise<void> {
    if (this.flags.strategy === 'one_for_one') return
    return this.endEach(this.groupOf(child).filter((one) => one !== child))
  }

  private async restartGroup(child: Child): Promise<void> {
    await this.endGroup(child)
    const group = this.groupOf(child).filter((one) => {
      const isBystander = one !== child && one.spec.restart === 'temporary'
      if (isBystander) this.drop(one)
      return !isBystander
    })
    child.isRestarting = false
    const failed = await this.startEach(group)
    if (failed === null) this.report('restarted', child, undefined)
    else this.retry(failed.child)
  }

  private restarted(child: Child, started: Started): void {
    if (started instanceof StartError) {
      this.report('start_error', child, started.reason)
      this.retry(child)
    } else {
      if (started === undefined && child.spec.restart === 'temporary') this.drop(child)
      this.report('restarted', child, undefined)
    }
  }

  private retry(child: Child): void {
    child.isRestarting = true
    this.sendTryAgain(child)
  }

  private sendTryAgain(child: Child): void {
    this.self.force(new Envelope(kinds.cast, 'tryAgain', child.spec.id, null))
  }

  // ---- starting and ending -------------------------------------------------------------------------------------------

  private start(child: Child): Started | Promise<Started> {
    const { definition, arg } = child.spec
    return then(this.self.system.spawn(this.self, definition, arg, startOptions(child.spec)), (started) => {
      child.isRestarting = false
      child.startedAt = this.self.now()
      child.process = null
      // One that ended on the heels of its start is known all the same: its EXIT is on the way.
      if (started instanceof Process) {
        child.process = started
        started.childId = child.spec.id
      }
      return started
    })
  }

  /** Starts children from left to right up to the first that fails. */
  private async startEach(children: readonly Child[]): Promise<{ child: Child; error: StartError } | null> {
    for (const child of children) {
      const started = await this.start(child)
      if (started instanceof StartError) {
        this.report('start_error', child, started.reason)
        return { child, error: started }
      }
      if (started === undefined && child.spec.restart === 'temporary') this.drop(child)
    }
    return null
  }

  /** Ends children from right to left, each in its own time. */
  private async endEach(children: readonly Child[]): Promise<void> {
    for (const child of [...children].reverse()) await new Promise<void>((resolve) => this.end(child, resolve))
  }

  private end(child: Child, done: () => void): void {
    if (child.timer !== null) this.self.cancelTimer(child.timer)
    child.timer = null
    child.isRestarting = false
    const process = child.process
    if (process === null) return done()
    shutdownChild(this.self, process, child.spec.shutdown, (reason) => {
      child.process = null
      if (!isCleanShutdown(child.spec, reason)) this.report('shutdown_error', child, reason)
      done()
    })
  }

  endAll(): Promise<void> {
    return this.endEach(this.children)
  }

  private drop(child: Child): void {
    this.children = this.children.filter((one) => one !== child)
  }

  private report(
    report: 'child_terminated' | 'start_error' | 'shutdown_error' | 'restarted' | 'intensity_reached',
    child: Child,
    reason: ExitReason,
  ): void {
    this.self.system.emit({
      type: 'supervisor',
      pid: this.self.pid,
      definition: this.flags.name,
      report,
      child: child.spec.id,
      reason,
    })
  }
}

/** Goes on with a value now, or with a promise's later: what is synchronous stays so. */
function then<T, R>(value: T | Promise<T>, next: (value: T) => R): R | Promise<R> {
  return value instanceof Promise ? value.then(next) : next(value)
}
