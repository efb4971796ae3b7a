/**
 * One end of the border between a system and a thread, the same on both sides. It gathers what is sent in one turn into one
 * batch, pairs answers with requests, and keeps the two tables that let refs cross: what this side has handed out, and the
 * remote refs it holds for what the other has. Both shrink when a process ends. Messages of one sender keep their order.
 */
import { CallError, type ExitReason, type System } from '#runtime'
import { AnyRef, locate, Via } from '#runtime/ref'
import { cloneError, isCloneable } from './clone-error.ts'
import { FRAME_LENGTH, type FrameKind, frames, PACKED } from './frames.ts'
import { needsPacking, pack, type RefCodec, unpack } from './packing.ts'
import { type RemoteLink, RemoteRef } from './remote-ref.ts'

/** Who waits for an answer; a call's `Reply` is one. */
export interface Asker {
  reply(value: unknown): unknown
  fail(error: Error): unknown
}

/** A ref that has been handed out, and how to stop watching for its end. */
interface Export {
  readonly ref: AnyRef | RemoteRef
  readonly unwatch: () => void
}

/** What is counted at the border, for benchmarks and status. */
export interface PeerCounters {
  /** Frames sent: messages, answers and news. */
  readonly framesSent: number
  /** `postMessage` calls that carried them. */
  readonly batchesSent: number
}

/** Takes a frame that is about the worker itself. */
export type OwnFrames = (kind: FrameKind, id: number, op: string, arg: unknown) => void

/** The number of the worker itself, on both sides. */
export const WORKER_ID = 0

export class Peer implements RemoteLink, RefCodec {
  private readonly system: System
  private readonly post: (batch: readonly unknown[]) => void
  private readonly ownFrames: OwnFrames
  /** In whose name exit signals of the other side arrive. */
  private readonly origin: AnyRef
  private outbox: unknown[] = []
  private isFlushDue = false
  private isClosed = false
  private lastId = 0
  private readonly askers = new Map<number, Asker>()
  private readonly exports = new Map<number, Export>()
  private readonly exportIds = new Map<AnyRef | RemoteRef, number>()
  private readonly remotes = new Map<number, RemoteRef>()
  private framesSent = 0
  private batchesSent = 0

  constructor(system: System, origin: AnyRef, post: (batch: readonly unknown[]) => void, ownFrames: OwnFrames) {
    this.system = system
    this.origin = origin
    this.post = post
    this.ownFrames = ownFrames
    this.exports.set(WORKER_ID, { ref: origin, unwatch: () => undefined })
    this.exportIds.set(origin, WORKER_ID)
  }

  get counters(): PeerCounters {
    return { framesSent: this.framesSent, batchesSent: this.batchesSent }
  }

  /** Requests without an answer yet. */
  get asking(): number {
    return this.askers.size
  }

  // ---- sending -------------------------------------------------------------------------------------------------------

  /** Puts a frame into this turn's batch. */
  push(kind: FrameKind, to: number, id: number, op: string, arg: unknown, extra = 0): void {
    if (this.isClosed) return
    let sentKind: number = kind
    try {
      if (needsPacking(arg)) {
        arg = pack(arg, this)
        sentKind += PACKED
      }
    } catch (error) {
      // A getter threw while the message was read.
      return this.refuse(kind, to, id, op, arg, error)
    }
    this.outbox.push(sentKind, to, id, op, arg, extra)
    if (this.isFlushDue) return
    this.isFlushDue = true
    queueMicrotask(this.flush)
  }

  /** Sends a request for `asker`. */
  request(asker: Asker, kind: FrameKind, to: number, op: string, arg: unknown, timeoutMs: number): number {
    const id = ++this.lastId
    this.askers.set(id, asker)
    this.push(kind, to, id, op, arg, timeoutMs)
    return id
  }

  ask(kind: FrameKind, to: number, op: string, arg: unknown, timeoutMs: number, label: string): Promise<unknown> {
    if (Number.isNaN(timeoutMs) || timeoutMs < 0)
      throw new TypeError(`timeout must be a number of milliseconds >= 0 or Infinity, got ${String(timeoutMs)}.`)
    if (this.isClosed) return Promise.reject(gone(label))
    return new Promise((resolve, reject) => {
      const { timers } = this.system
      const timer =
        timeoutMs === Number.POSITIVE_INFINITY
          ? undefined
          : timers.start(timeoutMs, () => {
              this.askers.delete(id)
              reject(
                new CallError('timeout', `The ${label} got no reply within ${timeoutMs} ms; a late reply is dropped.`),
              )
            })
      const settle = <T>(conclude: (value: T) => void, value: T): void => {
        if (timer !== undefined) timers.cancel(timer)
        conclude(value)
      }
      const asker: Asker = { reply: (value) => settle(resolve, value), fail: (error) => settle(reject, error) }
      const id = this.request(asker, kind, to, op, arg, timeoutMs)
    })
  }

  tell(kind: FrameKind, to: number, op: string, arg: unknown): boolean {
    if (this.isClosed) return false
    this.push(kind, to, 0, op, arg)
    return true
  }

  /** Sends now what was gathered. */
  readonly flush = (): void => {
    this.isFlushDue = false
    const batch = this.outbox
    if (batch.length === 0 || this.isClosed) return
    this.outbox = []
    this.framesSent += batch.length / FRAME_LENGTH
    this.batchesSent++
    try {
      this.post(batch)
    } catch {
      this.postSound(batch)
    }
  }

  /** One frame of a batch has no copy: it is refused, the others go. */
  private postSound(batch: readonly unknown[]): void {
    const sound: unknown[] = []
    for (let at = 0; at < batch.length; at += FRAME_LENGTH) {
      const [kind, to, id, op, arg] = batch.slice(at, at + FRAME_LENGTH) as [number, number, number, string, unknown]
      if (isCloneable(arg)) sound.push(...batch.slice(at, at + FRAME_LENGTH))
      else this.refuse((kind & ~PACKED) as FrameKind, to, id, op, arg, undefined)
    }
    if (sound.length > 0) this.post(sound)
  }

  /** Tells of a frame that cannot be sent: whoever waits for its answer, here or there; a message without one is reported. */
  private refuse(kind: FrameKind, to: number, id: number, op: string, arg: unknown, cause: unknown): void {
    const between = `between this system and the thread of ${this.origin.pid}`
    if (kind === frames.call || kind === frames.stop) {
      this.askerOf(id)?.fail(cloneError(`The argument of the call "${op}" ${between}`, 'arg', arg, cause))
    } else if (kind === frames.reply || kind === frames.fail) {
      this.push(frames.fail, to, id, '', cloneError(`The reply to the call "${op}" ${between}`, 'reply', arg, cause))
    } else if (kind === frames.cast || kind === frames.send) {
      const what = kind === frames.cast ? `The argument of the cast "${op}"` : 'A message'
      process.emitWarning(cloneError(`${what} ${between}`, 'arg', arg, cause).message, 'UncloneableMessage')
    } else if (kind === frames.trapped) {
      const { ref, reason } = arg as { readonly ref: unknown; readonly reason: unknown }
      this.push(kind, to, id, op, { ref, reason: cloneError(`An exit reason ${between}`, 'reason', reason, cause) })
    } else if (kind !== frames.event) {
      // News of an end must come through, whatever was thrown.
      this.push(kind, to, id, op, cloneError(`An exit reason ${between}`, 'reason', arg, cause))
    }
  }

  // ---- receiving -----------------------------------------------------------------------------------------------------

  receive(batch: readonly unknown[]): void {
    for (let at = 0; at + FRAME_LENGTH <= batch.length; at += FRAME_LENGTH) {
      // The other side is the same class: the places hold what it pushed.
      const packedKind = batch[at] as number
      const to = batch[at + 1] as number
      const id = batch[at + 2] as number
      const op = batch[at + 3] as string
      const arg = packedKind & PACKED ? unpack(batch[at + 4], this) : batch[at + 4]
      this.take((packedKind & ~PACKED) as FrameKind, to, id, op, arg, batch[at + 5] as number)
    }
  }

  private take(kind: FrameKind, to: number, id: number, op: string, arg: unknown, timeout: number): void {
    if (kind === frames.reply) this.askerOf(id)?.reply(arg)
    else if (kind === frames.fail) this.askerOf(id)?.fail(arg as Error)
    else if (kind === frames.down) this.endRemote(id, arg)
    else if (kind > frames.down) this.ownFrames(kind, id, op, arg)
    else {
      const ref = this.exports.get(to)?.ref
      if (kind === frames.call || kind === frames.stop) this.serve(ref, kind, to, id, op, arg, timeout)
      else if (kind === frames.cast) void ref?.cast(op, arg)
      else if (kind === frames.send) void ref?.send(arg)
      else if (kind === frames.exit) this.signal(ref, arg)
    }
  }

  private serve(
    ref: AnyRef | RemoteRef | undefined,
    kind: FrameKind,
    to: number,
    id: number,
    op: string,
    arg: unknown,
    timeout: number,
  ): void {
    if (ref === undefined) {
      const why = `The ${kind === frames.call ? `call "${op}"` : 'stop'} was not delivered: its target has ended.`
      return this.push(frames.fail, 0, id, '', new CallError('noproc', why))
    }
    const answered = kind === frames.call ? ref.call(op, arg, { timeout }) : ref.stop(arg, { timeout })
    answered.then(
      (value: unknown) => this.push(frames.reply, 0, id, op, value),
      (error: unknown) => {
        // The worker's end is news of its own and fails all its callers.
        if (to === WORKER_ID && error instanceof CallError && error.code === 'exit') return
        this.push(frames.fail, 0, id, op, error)
      },
    )
  }

  private signal(ref: AnyRef | RemoteRef | undefined, reason: ExitReason): void {
    if (ref instanceof RemoteRef) ref.exit(reason)
    else ref?.locate()?.receiveExit(null, this.origin, reason, false)
  }

  private askerOf(id: number): Asker | undefined {
    const asker = this.askers.get(id)
    this.askers.delete(id)
    return asker
  }

  // ---- refs ----------------------------------------------------------------------------------------------------------

  /** A token: whose table the number is of, the number, the pid. A name that was sent means who has it now. */
  tokenOf(target: AnyRef | Via): readonly [owner: 'mine' | 'yours' | 'dead', id: number, pid: string] {
    const ref = target instanceof Via && !(target instanceof RemoteRef) ? locate(target)?.ref : target
    if (ref === undefined || !ref.alive || !(ref instanceof AnyRef || ref instanceof RemoteRef)) {
      return ['dead', 0, target.pid]
    }
    if (ref instanceof RemoteRef && ref.link === this) return ['yours', ref.id, ref.pid]
    return ['mine', this.exportIds.get(ref) ?? this.export(ref), ref.pid]
  }

  private export(ref: AnyRef | RemoteRef): number {
    const id = ++this.lastId
    const ended = (reason: ExitReason): void => {
      this.exports.delete(id)
      this.exportIds.delete(ref)
      this.push(frames.down, 0, id, '', reason)
    }
    this.exports.set(id, { ref, unwatch: watchEnd(ref, ended) })
    this.exportIds.set(ref, id)
    return id
  }

  refOf(token: unknown): AnyRef | RemoteRef {
    const [owner, id, pid] = token as ReturnType<Peer['tokenOf']>
    const known = owner === 'yours' ? this.exports.get(id)?.ref : this.remoteOf(owner, id)
    if (known !== undefined) return known
    const ref = new RemoteRef(this, id, pid)
    if (owner === 'mine') this.remotes.set(id, ref)
    else ref.end('noproc')
    return ref
  }

  private remoteOf(owner: 'mine' | 'dead', id: number): AnyRef | RemoteRef | undefined {
    if (owner === 'dead') return undefined
    // The worker is one process with an address on each side.
    return id === WORKER_ID ? this.origin : this.remotes.get(id)
  }

  private endRemote(id: number, reason: ExitReason): void {
    const ref = this.remotes.get(id)
    this.remotes.delete(id)
    ref?.end(reason)
  }

  /** The other side is gone: its processes have ended, its answers will not come. */
  close(): void {
    if (this.isClosed) return
    this.isClosed = true
    this.outbox = []
    for (const { unwatch } of this.exports.values()) unwatch()
    this.exports.clear()
    this.exportIds.clear()
    for (const ref of this.remotes.values()) ref.end('noconnection')
    this.remotes.clear()
    const askers = [...this.askers.values()]
    this.askers.clear()
    for (const asker of askers) asker.fail(gone(`request to ${this.origin.pid}`))
  }
}

function gone(label: string): CallError {
  return new CallError('exit', `The ${label} got no reply: the thread on the other side has ended.`, 'noconnection')
}

function watchEnd(ref: AnyRef | RemoteRef, ended: (reason: ExitReason) => void): () => void {
  if (ref instanceof RemoteRef) return ref.watch(ended)
  const process = ref.locate()
  const monitor = process?.observe(ended)
  return () => {
    if (monitor !== undefined) process?.unwatch(monitor)
  }
}
