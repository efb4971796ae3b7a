/**
 * The address of a process on the other side of a thread's border: what a Ref becomes when it is sent there. It calls, casts,
 * sends, stops and exits like any Ref, and its `down` tells of the end. It is no process of this system, so the kernel cannot
 * link or monitor it, or look into it with `sys`: that throws, and says so.
 */
import { CallError, type ExitReason, type ProcessInfo } from '#runtime'
import { NameTable } from '#runtime/names'
import type { Process } from '#runtime/process'
import { CALL_TIMEOUT_MS, type CallOptions, type StopOptions, Via } from '#runtime/ref'
import { type FrameKind, frames } from './frames.ts'

/** What a remote ref sends through. */
export interface RemoteLink {
  /** Sends a request; resolves to the answer. */
  ask(kind: FrameKind, to: number, op: string, arg: unknown, timeoutMs: number, label: string): Promise<unknown>
  /** Sends without an answer; false when the other side is gone. */
  tell(kind: FrameKind, to: number, op: string, arg: unknown): boolean
}

/** A remote ref has no table of names; its base class wants one. Nothing is ever written into it. */
const noNames = new NameTable()

export class RemoteRef extends Via {
  /** The process in the numbering of the side that owns it. */
  readonly id: number
  readonly link: RemoteLink
  private readonly remotePid: string
  private endedWith: { readonly reason: ExitReason } | null = null
  private readonly watchers = new Set<(reason: ExitReason) => void>()

  constructor(link: RemoteLink, id: number, pid: string) {
    super(noNames, pid)
    this.link = link
    this.id = id
    this.remotePid = pid
  }

  override get pid(): string {
    return this.remotePid
  }

  /** As far as the news has come. */
  override get alive(): boolean {
    return this.endedWith === null
  }

  override get down(): Promise<ExitReason> {
    if (this.endedWith !== null) return Promise.resolve('noproc')
    return new Promise((resolve) => this.watch(resolve))
  }

  override locate(): Process | null {
    if (this.endedWith !== null) return null
    throw new TypeError(
      `${this.remotePid} lives in another thread: it cannot be linked, monitored or looked into from here. Use call, cast, ` +
        'send, stop, exit and down; let the process it belongs to link or monitor.',
    )
  }

  override call(op: string, arg?: unknown, options?: CallOptions): Promise<unknown> {
    if (this.endedWith !== null) {
      const why = `The call "${op}" to ${this.remotePid} was not sent: no such process is alive.`
      return Promise.reject(new CallError('noproc', why))
    }
    return this.link.ask(
      frames.call,
      this.id,
      op,
      arg,
      options?.timeout ?? CALL_TIMEOUT_MS,
      `call "${op}" to ${this.pid}`,
    )
  }

  override cast(op: string, arg?: unknown): boolean {
    return this.endedWith === null && this.link.tell(frames.cast, this.id, op, arg)
  }

  override send(message: unknown): boolean {
    return this.endedWith === null && this.link.tell(frames.send, this.id, '', message)
  }

  override async stop(reason: ExitReason = 'normal', options?: StopOptions): Promise<void> {
    if (this.endedWith !== null) throw new CallError('noproc', `stop: ${this.remotePid} is not alive.`)
    const timeoutMs = options?.timeout ?? Number.POSITIVE_INFINITY
    await this.link.ask(frames.stop, this.id, 'stop', reason, timeoutMs, `stop of ${this.pid}`)
  }

  override exit(reason: ExitReason): void {
    if (this.endedWith === null) this.link.tell(frames.exit, this.id, '', reason)
  }

  /** What little is known on this side. */
  override info(): ProcessInfo | undefined {
    if (this.endedWith !== null) return undefined
    const nothing = { queueLength: 0, links: 0, monitors: 0, monitoredBy: 0, timers: 0, messagesHandled: 0 }
    return { pid: this.pid, definition: 'remote', version: 0, status: 'remote', names: [], ...nothing }
  }

  toJSON(): string {
    return `<${this.remotePid}>`
  }

  /** Calls `watcher` once at the end; returns what takes it back. */
  watch(watcher: (reason: ExitReason) => void): () => void {
    this.watchers.add(watcher)
    return () => this.watchers.delete(watcher)
  }

  /** The news of its end has come. */
  end(reason: ExitReason): void {
    if (this.endedWith !== null) return
    this.endedWith = { reason }
    for (const watcher of this.watchers) watcher(reason)
    this.watchers.clear()
  }
}
