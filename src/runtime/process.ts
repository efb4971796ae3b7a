/**
 * A process: one mailbox, one state, one definition, and the bonds to others (links, monitors, a parent). It handles one
 * message at a time; while a handler waits for a promise the process waits too. An exit signal that is not trapped ends it
 * even then: what the handler still returns is dropped.
 *
 * Two queues feed it. *Control requests* (suspend, code change, a supervisor's shutdown) come first, so they work however
 * long the mailbox is. *Messages* come in order, DOWN and EXIT among them, so the news of a process's end never overtakes
 * what it had sent. Replies to calls pass through neither.
 *
 * The class is at once what users know as `self`: every method under "self" is public, the rest is the kernel's.
 */
import { NumberTable } from '#structures/number-table'
import { Ring } from '#structures/ring'
import { showStatus } from './crash-report.ts'
import { type Definition, ignore, type NoReply, noreply } from './definition.ts'
import { Envelope, type From, kinds, type Reply } from './envelope.ts'
import { StartError } from './errors.ts'
import { Extras } from './extras.ts'
import type { Mailbox } from './mailbox.ts'
import type { NameTable } from './names.ts'
import { describeReason, type ExitReason, isOrderly } from './reasons.ts'
import type { AnyRef, StartArguments, StartedRef, Target } from './ref.ts'
import type { System } from './system.ts'
import type { Timer } from './timers.ts'

/** The bits of `Process.bits`. A process with any of `blocked` takes no message from its queues. */
const bits = {
  trapping: 1,
  scheduled: 2,
  starting: 4,
  awaiting: 8,
  terminating: 16,
  dead: 32,
  suspended: 64,
  tied: 128,
} as const
const blocked = bits.starting | bits.awaiting | bits.terminating | bits.dead

/** Tells one watcher of one process's end. `owner` is the watching process, or null for a callback of plain code. */
export class Monitor {
  readonly id: number
  readonly target: Process | null
  readonly owner: Process | null
  readonly callback: ((reason: ExitReason) => void) | null
  /** The DOWN message, from when it was sent until it is handled. */
  envelope: Envelope | null = null
  constructor(
    id: number,
    target: Process | null,
    owner: Process | null,
    callback: ((reason: ExitReason) => void) | null,
  ) {
    this.id = id
    this.target = target
    this.owner = owner
    this.callback = callback
  }
}

/** A control request: runs between two messages, ahead of all that wait. */
export type Control = (process: Process) => unknown

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function'
}

export class Process {
  readonly system: System
  readonly number: number
  definition: Definition
  readonly ref: AnyRef
  parent: Process | null
  state: unknown = undefined
  /** The id under which a supervisor knows it; for reports. */
  childId: string | undefined = undefined
  mailbox: Mailbox
  bits: number
  /** The message being handled, for `self.from` and crash reports. */
  current: Envelope | null = null
  handledCount = 0
  private controls: Ring<Control> | null = null
  private continues: { readonly op: string; readonly arg: unknown }[] | null = null
  private links: NumberTable<Process> | null = null
  private watchers: NumberTable<Monitor> | null = null
  private monitors: NumberTable<Monitor> | null = null
  private names: { readonly table: NameTable; readonly key: unknown }[] | null = null
  private timers: NumberTable<Timer> | null = null
  private replies: Reply | null = null
  private abort: AbortController | null = null
  private stopping: { readonly reason: ExitReason } | null = null
  /** What few processes use; null in the others. */
  extras: Extras | null = null

  constructor(system: System, number: number, definition: Definition, parent: Process | null, mailbox: Mailbox) {
    this.system = system
    this.number = number
    this.definition = definition
    this.parent = parent
    this.mailbox = mailbox
    this.bits = bits.starting | (definition.trapExits ? bits.trapping : 0)
    this.ref = definition.createRef(this)
  }

  // ---- self ----------------------------------------------------------------------------------------------------------

  get pid(): string {
    return `${this.system.name}.${this.number}`
  }

  get signal(): AbortSignal {
    this.abort ??= new AbortController()
    if (this.isDead) this.abort.abort()
    return this.abort.signal
  }

  get from(): From {
    const from = this.current?.from
    if (!from)
      throw new Error(
        `self.from exists only while a call is handled; ${this.label} is handling ${describeEnvelope(this.current) ?? 'nothing'}.`,
      )
    return from
  }

  get noreply(): NoReply {
    return noreply
  }

  now(): number {
    return this.system.clock.now()
  }

  random(): number {
    return this.system.random.next()
  }

  link(target: Target): void {
    const other = this.system.resolve(target)
    if (other === this || this.isDead) return
    if (other === undefined) this.receiveExit(null, this.system.refOf(target), 'noproc')
    else this.bond(other)
  }

  unlink(target: Target): void {
    const other = this.system.resolve(target)
    if (other !== undefined) this.unbond(other)
    const ref = other?.ref ?? this.system.refOf(target)
    this.mailbox.flush((envelope) => envelope.kind === kinds.exit && (envelope.arg as { ref: unknown }).ref === ref)
  }

  monitor(target: Target): number {
    const other = this.system.resolve(target)
    const monitor = new Monitor(this.system.nextMonitorId(), other ?? null, this, null)
    if (this.isDead) return monitor.id
    this.monitors ??= new NumberTable()
    this.monitors.add(monitor.id, monitor)
    if (other === undefined) this.receiveDown(monitor, this.system.refOf(target), 'noproc')
    else other.watch(monitor)
    return monitor.id
  }

  demonitor(monitorRef: number): void {
    const monitor = this.monitors?.take(monitorRef)
    if (monitor === undefined) return
    monitor.target?.unwatch(monitor)
    if (monitor.envelope !== null) monitor.envelope.kind = kinds.skip
  }

  trapExits(isTrapping: boolean): void {
    this.bits = isTrapping ? this.bits | bits.trapping : this.bits & ~bits.trapping
  }

  start<D extends Definition>(definition: D, ...[arg, options]: StartArguments<D>): Promise<StartedRef<D>> {
    return this.system.startUnder(this, definition, arg, options)
  }

  sendAfter(delayMs: number, message: unknown): Timer {
    return this.after(delayMs, () => this.deliver(new Envelope(kinds.info, '', message, null)))
  }

  /** Calls `callback` after `delayMs` unless the process ends before. */
  after(delayMs: number, callback: () => void): Timer {
    const timer = this.system.timers.start(delayMs, () => {
      this.timers?.delete(timer.sequence, timer)
      callback()
    })
    if (this.isDead) {
      this.system.timers.cancel(timer)
      return timer
    }
    this.timers ??= new NumberTable()
    this.timers.add(timer.sequence, timer)
    return timer
  }

  cancelTimer(timer: Timer): boolean {
    this.timers?.delete(timer.sequence, timer)
    return this.system.timers.cancel(timer)
  }

  stop(reason: ExitReason = 'normal'): void {
    if (this.bits & (bits.dead | bits.terminating)) return
    this.stopping ??= { reason }
    // Said outside a handler (a timer or promise of the user's own): nothing else would look at it.
    if (this.current === null && !(this.bits & blocked)) this.control(() => undefined)
  }

  continueWith(op: string, arg?: unknown): void {
    if (this.isDead) return
    this.continues ??= []
    this.continues.push({ op, arg })
    if (this.current === null && !(this.bits & blocked)) this.wake()
  }

  hibernate(): void {
    this.mailbox.shrink()
  }

  eventTimeout(ms: number, message: unknown = { type: 'timeout' }): void {
    if (typeof ms !== 'number' || !(ms >= 0))
      throw new TypeError(`eventTimeout: milliseconds must be a number >= 0 or Infinity, got ${String(ms)}.`)
    if (this.isDead || (this.extras === null && ms === Number.POSITIVE_INFINITY)) return
    this.equip().setEventTimeout(ms, message)
    // Said outside a handler: nothing else would start the time.
    if (this.current === null && !(this.bits & blocked)) this.wake()
  }

  stash(): NoReply {
    this.equip().stash(this.current)
    return noreply
  }

  unstashAll(): number {
    const count = this.extras === null || this.isDead ? 0 : this.extras.unstashAll()
    if (count > 0) this.wake()
    return count
  }

  // ---- what the kernel knows -----------------------------------------------------------------------------------------

  get isDead(): boolean {
    return (this.bits & bits.dead) !== 0
  }

  get isTrapping(): boolean {
    return (this.bits & bits.trapping) !== 0
  }

  get isSuspended(): boolean {
    return (this.bits & bits.suspended) !== 0
  }

  /** In the middle of something: starting, in a handler, or waiting for one's promise. */
  get isBusy(): boolean {
    return this.current !== null || (this.bits & (bits.starting | bits.awaiting)) !== 0
  }

  get isIdle(): boolean {
    return this.mailbox.length === 0 && this.controls === null && this.continues === null
  }

  /** Waits for a message: nothing runs, nothing is queued, nothing holds it back. */
  get isWaiting(): boolean {
    return (this.bits & (blocked | bits.suspended)) === 0 && this.current === null && this.isIdle
  }

  /** For sentences: `counter <k3x.7>`. */
  get label(): string {
    return `${this.definition.name} <${this.pid}>`
  }

  get status(): 'starting' | 'running' | 'waiting' | 'suspended' | 'terminating' | 'dead' {
    if (this.bits & bits.dead) return 'dead'
    if (this.bits & bits.terminating) return 'terminating'
    if (this.bits & bits.starting) return 'starting'
    if (this.bits & bits.suspended) return 'suspended'
    return this.bits & bits.awaiting ? 'waiting' : 'running'
  }

  get linkCount(): number {
    return (this.links?.size ?? 0) + (this.bits & bits.tied ? 1 : 0)
  }

  get monitorCount(): number {
    return this.monitors?.size ?? 0
  }

  get watcherCount(): number {
    return this.watchers?.size ?? 0
  }

  get timerCount(): number {
    return this.timers?.size ?? 0
  }

  get registeredNames(): unknown[] {
    return (this.names ?? []).map((name) => name.key)
  }

  // ---- start ---------------------------------------------------------------------------------------------------------

  /** Runs `init`. The result is the process itself, `ignore`'s undefined, or the error; a promise only if `init` gave one. */
  begin(arg: unknown): Started | Promise<Started> {
    const outer = this.system.enter(this)
    try {
      const result = this.definition.init(arg, this)
      if (isThenable(result)) {
        this.bits |= bits.awaiting
        return new Promise((resolve) => {
          const stillborn = (reason: ExitReason): void => resolve(this.startFailure('stopped', reason))
          const monitor = this.observe(stillborn)
          const settle = (finish: () => Started): void => {
            if (this.isDead) return
            this.unwatch(monitor)
            this.bits &= ~bits.awaiting
            resolve(finish())
          }
          result.then(
            (state) => settle(() => this.begun(state)),
            (error) => settle(() => this.failStart(error)),
          )
        })
      }
      return this.begun(result)
    } catch (error) {
      return this.failStart(error)
    } finally {
      this.system.leave(outer)
    }
  }

  private begun(state: unknown): Started {
    if (this.isDead) return this.startFailure('stopped', this.stopping?.reason)
    if (state === ignore) {
      this.detachFromParent()
      this.finish('normal')
      return undefined
    }
    if (this.stopping !== null) {
      // After: OTP gen_server, init returning {stop, Reason}: a start error, and no terminate.
      const { reason } = this.stopping
      this.detachFromParent()
      this.finish(reason)
      return this.startFailure('stopped', reason)
    }
    this.state = state
    this.bits &= ~bits.starting
    if (this.definition.hibernateAfterMs !== undefined) this.equip()
    if (!this.isIdle) this.wake()
    else if (this.extras !== null) this.extras.idle()
    return this
  }

  private failStart(error: unknown): StartError {
    // A failed start leaves no EXIT message with the starter, and its name is free before the starter knows.
    this.detachFromParent()
    this.finish(error)
    const isOwnError = this.definition.type === 'supervisor' && error instanceof StartError
    return isOwnError && error.code === 'failed_to_start_child' ? error : this.startFailure('init', error)
  }

  /** Ends a start that took too long. */
  timeOutStart(timeoutMs: number): StartError {
    this.detachFromParent()
    this.finish('killed')
    return new StartError(
      'timeout',
      `${this.definition.name} did not start within ${timeoutMs} ms: init has not returned.`,
      'timeout',
    )
  }

  private startFailure(code: 'init' | 'stopped', reason: unknown): StartError {
    const why = code === 'init' ? 'init failed' : 'it was ended while it started'
    return new StartError(code, `${this.definition.name} did not start: ${why} (${describeReason(reason)}).`, reason)
  }

  private detachFromParent(): void {
    if (this.parent !== null) this.unbond(this.parent)
  }

  // ---- messages ------------------------------------------------------------------------------------------------------

  /** Puts a message into the mailbox. False when the mailbox refused it; a promise when its policy is to wait for room. */
  deliver(envelope: Envelope): boolean | Promise<boolean> {
    const accepted = this.mailbox.push(envelope, this)
    if (accepted !== false) this.wake()
    return accepted
  }

  /** Puts news from the kernel into the mailbox, behind what waits there; no bound refuses it. */
  force(envelope: Envelope): void {
    this.mailbox.force(envelope)
    this.wake()
  }

  /** Runs `control` between two messages, ahead of those that wait. */
  control(control: Control): void {
    this.controls ??= new Ring()
    this.controls.push(control)
    this.wake()
  }

  /** Puts the process into the run queue unless it is there or cannot run. */
  wake(): void {
    if (this.bits & (bits.scheduled | blocked)) return
    this.bits |= bits.scheduled
    this.system.enqueue(this)
  }

  /** Handles up to `budget` messages; returns how many it handled. */
  activate(budget: number): number {
    this.bits &= ~bits.scheduled
    const outer = this.system.enter(this)
    let handled = 0
    try {
      while (handled < budget && (this.bits & blocked) === 0) {
        if (this.continues !== null && (this.bits & bits.suspended) === 0) {
          const next = this.continues.shift()
          if (this.continues.length === 0) this.continues = null
          if (next === undefined) continue
          handled++
          this.current = continuation
          this.settle(this.definition.proceed(this, next.op, next.arg), null)
        } else if (this.controls !== null) {
          const control = this.controls.shift()
          if (this.controls.length === 0) this.controls = null
          if (control === undefined) continue
          handled++
          this.current = controlling
          this.settle(control(this), null)
        } else {
          if (this.bits & bits.suspended) break
          const envelope = this.mailbox.shift()
          if (envelope === undefined) break
          if (envelope.kind === kinds.skip) continue
          handled++
          this.current = envelope
          if (this.extras !== null) this.extras.took(envelope)
          if (envelope.kind === kinds.down) this.monitors?.take((envelope.arg as { monitor: number }).monitor)
          if (envelope.kind === kinds.stop) this.stopping ??= { reason: envelope.arg }
          const result = envelope.kind === kinds.stop ? undefined : this.definition.handle(this, envelope)
          this.settle(result, envelope)
        }
      }
    } catch (error) {
      this.crash(error)
    }
    this.handledCount += handled
    this.system.leave(outer)
    if ((this.bits & (blocked | bits.scheduled)) === 0) {
      if (this.hasWork) this.wake()
      else if (this.extras !== null) this.extras.idle()
    }
    return handled
  }

  private get hasWork(): boolean {
    if (this.controls !== null) return true
    return (this.continues !== null || this.mailbox.length > 0) && (this.bits & bits.suspended) === 0
  }

  /** Takes what a handler returned: waits for a promise, replies, stops. */
  private settle(result: unknown, envelope: Envelope | null): void {
    if (isThenable(result)) {
      this.bits |= bits.awaiting
      result.then(
        (value) => this.resume(value, envelope),
        (error) => {
          if (this.isDead) return
          this.bits &= ~bits.awaiting
          this.crash(error)
        },
      )
      return
    }
    this.complete(result, envelope)
  }

  private resume(value: unknown, envelope: Envelope | null): void {
    // Ended meanwhile: what a dead incarnation still says counts for nothing.
    if (this.isDead) return
    this.bits &= ~bits.awaiting
    const outer = this.system.enter(this)
    this.complete(value, envelope)
    this.system.leave(outer)
    if (this.hasWork) this.wake()
    else if (this.extras !== null) this.extras.idle()
  }

  private complete(value: unknown, envelope: Envelope | null): void {
    if (this.isDead) return
    const from = envelope !== null && envelope.kind === kinds.call && value !== noreply ? envelope.from : null
    if (this.stopping !== null) {
      this.terminate(this.stopping.reason, from === null ? undefined : () => from.reply(value))
      return
    }
    this.current = null
    from?.reply(value)
  }

  // ---- bonds ---------------------------------------------------------------------------------------------------------

  /** Links this process and another, both ways; idempotent. */
  bond(other: Process): void {
    this.hold(other)
    other.hold(this)
  }

  /** Notes one end of a link. The link to its parent, the only one that most processes have, costs a bit instead of a set. */
  private hold(other: Process): void {
    if (other === this.parent) this.bits |= bits.tied
    else if (this.links === null) (this.links = new NumberTable()).add(other.number, other)
    else if (!this.links.has(other.number, other)) this.links.add(other.number, other)
  }

  private release(other: Process): void {
    if (other === this.parent) this.bits &= ~bits.tied
    else this.links?.delete(other.number, other)
  }

  unbond(other: Process): void {
    this.release(other)
    other.release(this)
  }

  watch(monitor: Monitor): void {
    this.watchers ??= new NumberTable()
    this.watchers.add(monitor.id, monitor)
  }

  unwatch(monitor: Monitor): void {
    this.watchers?.delete(monitor.id, monitor)
  }

  /** Calls `callback` when this process ends: a monitor for code that is no process. */
  observe(callback: (reason: ExitReason) => void): Monitor {
    const monitor = new Monitor(this.system.nextMonitorId(), this, null, callback)
    this.watch(monitor)
    return monitor
  }

  addName(table: NameTable, key: unknown): void {
    this.names ??= []
    this.names.push({ table, key })
  }

  /** The keys under which a table knows it. */
  namesIn(table: NameTable): unknown[] {
    return (this.names ?? []).filter((name) => name.table === table).map((name) => name.key)
  }

  removeName(table: NameTable, key: unknown): void {
    this.names = this.names?.filter((name) => name.table !== table || name.key !== key) ?? null
  }

  addReply(reply: Reply): void {
    reply.next = this.replies
    if (this.replies !== null) this.replies.previous = reply
    this.replies = reply
  }

  removeReply(reply: Reply): void {
    if (reply.previous !== null) reply.previous.next = reply.next
    else if (this.replies === reply) this.replies = reply.next
    if (reply.next !== null) reply.next.previous = reply.previous
    reply.previous = null
    reply.next = null
  }

  private receiveDown(monitor: Monitor, ref: AnyRef, reason: ExitReason): void {
    monitor.envelope = new Envelope(kinds.down, '', { type: 'DOWN', monitor: monitor.id, ref, reason }, null)
    this.force(monitor.envelope)
  }

  // ---- exit signals --------------------------------------------------------------------------------------------------

  /**
   * An exit signal arrives: from `sender` over a link or from a parent, or from plain code (null). `kill` from anyone but
   * a link cannot be trapped. After: OTP, exit signals.
   */
  receiveExit(sender: Process | null, ref: AnyRef | null, reason: ExitReason, isLinked = true): void {
    if (this.isDead) return
    if (reason === 'kill' && !isLinked) {
      this.finish('killed')
    } else if (this.isTrapping) {
      if (ref !== null && ref === this.parent?.ref) this.control((process) => process.stop(reason))
      else if (this.bits & (bits.terminating | bits.dead)) return
      else this.force(new Envelope(kinds.exit, '', { type: 'EXIT', ref, reason }, null))
    } else if (reason !== 'normal' || sender === this) {
      this.finish(reason)
    }
  }

  // ---- end -----------------------------------------------------------------------------------------------------------

  private crash(error: unknown): void {
    if (this.bits & (bits.dead | bits.terminating)) return
    this.terminate(error)
  }

  /** Runs the definition's `terminate`, then ends the process and only then sends `lastReply`. */
  private terminate(reason: ExitReason, lastReply?: () => void): void {
    this.bits |= bits.terminating
    const end = (last: ExitReason): void => {
      if (this.isDead) return
      lastReply?.()
      this.finish(last)
    }
    if (this.definition.terminate === undefined) return end(reason)
    const outer = this.system.enter(this)
    try {
      const result = this.definition.terminate(this, reason)
      if (isThenable(result)) result.then(() => end(reason), end)
      else end(reason)
    } catch (error) {
      end(error)
    } finally {
      this.system.leave(outer)
    }
  }

  /** Ends the process now: frees its names, fails its callers, tells its links and watchers. */
  finish(reason: ExitReason): void {
    if (this.isDead) return
    const message = describeEnvelope(this.current)
    this.bits |= bits.dead
    this.ref.detach(reason)
    this.system.remove(this, reason)
    if (this.names !== null) for (const { table, key } of this.names) table.release(key, this)
    if (this.timers !== null) for (const timer of this.timers.values()) this.system.timers.cancel(timer)
    if (this.monitors !== null) for (const monitor of this.monitors.values()) monitor.target?.unwatch(monitor)
    if (!isOrderly(reason) && reason !== 'killed' && (this.bits & bits.starting) === 0 && this.system.events !== null) {
      const shown = showStatus(this, reason)
      this.system.emit({
        type: 'crash',
        pid: this.pid,
        definition: this.definition.name,
        id: this.childId,
        reason,
        message,
        lastMessage: shown.message,
        state: shown.state,
      })
    }
    const { definition } = this
    const lose =
      definition.undelivered === undefined ? undefined : (left: Envelope) => definition.undelivered?.(this, left)
    const lost =
      this.mailbox.close(lose, this.system.events !== null) + (this.extras === null ? 0 : this.extras.end(lose))
    for (let reply = this.replies; reply !== null; reply = this.replies) reply.ended(reason)
    if (lost > 0) this.system.deadLetters(this, lost, 'exit')
    this.abort?.abort(reason)
    if (this.bits & bits.tied && this.parent !== null) {
      this.parent.release(this)
      this.system.signal(this.parent, this, this.ref, reason)
    }
    if (this.links !== null) {
      for (const linked of this.links.values()) {
        linked.release(this)
        this.system.signal(linked, this, this.ref, reason)
      }
    }
    if (this.watchers !== null) {
      for (const monitor of this.watchers.values()) {
        // Whoever was told before may have let go of it.
        if (!this.watchers.has(monitor.id, monitor)) continue
        if (monitor.owner !== null) monitor.owner.receiveDown(monitor, this.ref, reason)
        else monitor.callback?.(reason)
      }
    }
    this.links = null
    this.watchers = null
    this.monitors = null
    this.names = null
    this.timers = null
    this.controls = null
    this.continues = null
    this.current = null
    this.extras = null
    this.state = undefined
    this.parent = null
    if (this.bits & bits.starting) this.stopping = { reason }
    this.system.flushSignals()
  }

  /** The state as its definition shows it. */
  get shownState(): unknown {
    return this.definition.viewState === undefined ? this.state : this.definition.viewState(this.state)
  }

  /** The extras, made now if there are none. */
  equip(): Extras {
    this.extras ??= new Extras(this)
    return this.extras
  }

  suspend(): void {
    this.bits |= bits.suspended
    // A stop that waits in the mailbox would wait for ever: a suspended process takes control requests alone.
    for (const reason of this.mailbox.takeStops()) this.control((process) => process.stop(reason))
  }

  /** Hot swap: from the next message on this process runs `next`. */
  takeCode(next: Definition, state: unknown): void {
    this.definition = next
    this.state = state
    if (next.hibernateAfterMs !== undefined) this.equip()
  }

  resumeMessages(): void {
    this.bits &= ~bits.suspended
    this.wake()
  }
}

/** What a start comes to: the process, undefined for `ignore`, or the error. */
export type Started = Process | undefined | StartError

/** Stand-ins for `current` while no message but a continuation or a control request is handled. */
const continuation = new Envelope(kinds.info, 'continue', undefined, null)
const controlling = new Envelope(kinds.info, 'control', undefined, null)

function describeEnvelope(envelope: Envelope | null): string | undefined {
  if (envelope === null) return undefined
  // One that was stashed is no call any more, but it was.
  if (envelope.kind === kinds.call || envelope.from !== null) return `call ${envelope.op}`
  if (envelope.kind === kinds.cast) return `cast ${envelope.op}`
  return envelope.op === '' ? 'info' : envelope.op
}
