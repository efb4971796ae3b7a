/**
 * A worker as the system sees it: the thread behind one process. It starts the thread, forwards the process's messages, and
 * makes the two ends one: when the actor in the thread ends, the process ends with its reason, when the process ends, by
 * whatever cause, the thread is terminated. At most `inFlightMax` messages are with the thread and not taken by its actor;
 * further ones wait in the process's own mailbox, whose bound is the user's to choose.
 */
import { type ResourceLimits, Worker } from 'node:worker_threads'
import { type ExitReason, ignore, noreply, type SystemEvent } from '#runtime'
import { type Envelope, kinds } from '#runtime/envelope'
import type { Process } from '#runtime/process'
import { cloneError } from './clone-error.ts'
import { threadEntry, threadOptions } from './entry.ts'
import { type FrameKind, frames } from './frames.ts'
import { needsPacking, pack } from './packing.ts'
import { Peer, type PeerCounters, WORKER_ID } from './peer.ts'

/** What a thread is told at its start. */
export interface ResidentData {
  readonly module: string
  readonly export: string
  readonly arg: unknown
  /** Whether `arg` holds tokens for refs or errors. */
  readonly isPacked: boolean
  /** The process's pid: the name of the thread's own system. */
  readonly pid: string
  /** Whether anybody listens to system events. */
  readonly hasEvents: boolean
  /** The actor tells each time it has taken so many messages. */
  readonly takenEvery: number
}

export interface ResidentOptions {
  readonly module: string
  readonly export: string
  readonly inFlightMax: number
  readonly resourceLimits: ResourceLimits | undefined
}

/** What `sys.getState` shows of a worker: the actor's own state is in the thread. */
export interface WorkerStatus extends PeerCounters {
  readonly threadId: number
  readonly module: string
  /** Messages sent to the thread that its actor has not taken, as far as it has told. */
  readonly inFlight: number
  /** Calls that wait for the thread's reply. */
  readonly calls: number
}

export class Resident {
  private readonly process: Process
  private readonly options: ResidentOptions
  private readonly peer: Peer
  private readonly worker: Worker
  private readonly started: Promise<unknown>
  private settleStart: { resolve: (state: unknown) => void; reject: (reason: unknown) => void } | null = null
  private terminated: Promise<unknown> | null = null
  private isEnding = false
  private sent = 0
  private taken = 0
  private roomWanted: (() => void) | null = null

  /** Starts the thread. Throws a `CloneError` when the start argument has no copy. */
  constructor(process: Process, options: ResidentOptions, arg: unknown) {
    this.process = process
    this.options = options
    this.peer = new Peer(
      process.system,
      process.ref,
      (batch) => this.worker.postMessage(batch),
      (kind, id, _op, value) => this.takeOwn(kind, id, value),
    )
    this.worker = this.startThread(arg)
    this.started = new Promise((resolve, reject) => {
      this.settleStart = { resolve, reject }
    })
    this.worker.on('message', (batch: readonly unknown[]) => this.peer.receive(batch))
    // What nobody caught in the thread, its heap's bound among it: Node ends the thread with it. Node's own copy of the
    // error travels by another port than ours, which is whole, and may overtake it; 'exit' comes behind both.
    let lastError: Error | null = null
    this.worker.once('error', (error) => {
      lastError = error
      void this.terminate()
    })
    this.worker.once('exit', () => void this.ended(lastError ?? 'noconnection'))
    process.signal.addEventListener('abort', () => this.close(), { once: true })
  }

  private startThread(arg: unknown): Worker {
    const { process, options } = this
    const isPacked = needsPacking(arg)
    const workerData: ResidentData = {
      module: options.module,
      export: options.export,
      arg: isPacked ? pack(arg, this.peer) : arg,
      isPacked,
      pid: process.pid,
      hasEvents: process.system.events !== null,
      takenEvery: Math.max(1, options.inFlightMax >> 2),
    }
    const { resourceLimits } = options
    try {
      return new Worker(threadEntry('resident-thread'), {
        ...threadOptions,
        workerData,
        name: process.label,
        ...(resourceLimits === undefined ? {} : { resourceLimits }),
      })
    } catch (error) {
      this.peer.close()
      if (!(error instanceof DOMException)) throw error
      throw cloneError(`The start argument of ${process.definition.name}`, 'arg', arg, error)
    }
  }

  /** Resolves when the actor's `init` is done: to the process's state, or to `ignore`. Rejects with what `init` threw. */
  get start(): Promise<unknown> {
    return this.started
  }

  // ---- to the thread -------------------------------------------------------------------------------------------------

  /** Forwards a message; a promise while the thread has all it may. */
  forward(envelope: Envelope): unknown {
    if (this.sent - this.taken < this.options.inFlightMax) return this.send(envelope)
    return new Promise<void>((resolve) => {
      this.roomWanted = resolve
    }).then(() => this.send(envelope))
  }

  private send({ kind, op, arg, from }: Envelope): unknown {
    this.sent++
    if (kind === kinds.call && from !== null) {
      // The thread gives up with the caller: neither side keeps a call that nobody waits for.
      const timeoutMs = from.timer === null ? Number.POSITIVE_INFINITY : from.timer.deadline - this.process.now()
      this.peer.request(from, frames.call, WORKER_ID, op, arg, Math.max(timeoutMs, 0))
      return noreply
    }
    if (kind === kinds.cast) this.peer.push(frames.cast, WORKER_ID, 0, op, arg)
    else if (kind === kinds.exit) this.peer.push(frames.trapped, WORKER_ID, 0, '', arg)
    else this.peer.push(frames.send, WORKER_ID, 0, '', arg)
    return undefined
  }

  /** Asks the actor to end; the process ends when it has. Never settles by itself. */
  stop(reason: ExitReason, isOrdered: boolean): Promise<never> {
    this.peer.push(frames.end, WORKER_ID, 0, isOrdered ? 'ordered' : 'now', reason)
    return new Promise(() => undefined)
  }

  /** The process has ended: its thread is terminated, whatever it is doing. */
  private close(): void {
    this.peer.close()
    void this.terminate()
  }

  /** Resolves when the thread is gone. */
  private terminate(): Promise<unknown> {
    this.terminated ??= this.worker.terminate()
    return this.terminated
  }

  // ---- from the thread -----------------------------------------------------------------------------------------------

  private takeOwn(kind: FrameKind, id: number, value: unknown): void {
    if (kind === frames.taken) {
      this.taken = id
      this.roomWanted?.()
      this.roomWanted = null
    } else if (kind === frames.trapping) this.process.trapExits(value === true)
    else if (kind === frames.event) this.process.system.emit(value as SystemEvent)
    else if (kind === frames.ready) this.settle()?.resolve(this.status())
    else if (kind === frames.ignored) this.settle()?.resolve(ignore)
    else if (kind === frames.failed || kind === frames.ended) void this.ended(value)
  }

  private settle(): Resident['settleStart'] {
    const settle = this.settleStart
    this.settleStart = null
    return settle
  }

  /** The actor or its thread has ended: so does the process, once the thread is gone. */
  private async ended(reason: ExitReason): Promise<void> {
    if (this.isEnding || this.process.isDead) return
    this.isEnding = true
    const start = this.settle()
    await this.terminate()
    if (start !== null) start.reject(reason)
    else this.process.finish(reason)
  }

  private status(): WorkerStatus {
    const { worker, peer, options } = this
    const inFlight = (): number => this.sent - this.taken
    return {
      threadId: worker.threadId,
      module: options.module,
      get inFlight() {
        return inFlight()
      },
      get calls() {
        return peer.asking
      },
      get framesSent() {
        return peer.counters.framesSent
      },
      get batchesSent() {
        return peer.counters.batchesSent
      },
    }
  }
}
