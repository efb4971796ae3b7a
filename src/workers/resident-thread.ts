/**
 * The far side of a worker: the entry of its thread. A small system of its own runs the actor that the module exports; what
 * arrives goes to its mailbox, what it answers goes home in batches. When the actor has ended it says why, and is terminated.
 */
import { parentPort, workerData } from 'node:worker_threads'
import { createSystem, type Definition, type ExitReason, StartError, type System, type SystemEvent } from '#runtime'
import { Envelope, kinds } from '#runtime/envelope'
import type { Process } from '#runtime/process'
import { AnyRef } from '#runtime/ref'
import { FRAME_LENGTH, type FrameKind, frames, PACKED } from './frames.ts'
import { unpack } from './packing.ts'
import { Peer, WORKER_ID } from './peer.ts'
import type { ResidentData } from './resident.ts'

// Only a worker starts this file, and gives it this.
const data = workerData as ResidentData

/** The worker's actor before its module is loaded; then it becomes the one that the module exports. */
class Starting implements Definition {
  readonly name = 'worker'
  readonly version = 0
  readonly type = 'worker'
  readonly trapExits = false
  private readonly thread: ResidentThread

  constructor(thread: ResidentThread) {
    this.thread = thread
  }

  async init(_arg: unknown, process: Process): Promise<unknown> {
    const definition = await loadDefinition()
    process.definition = new Watched(definition, this.thread)
    process.trapExits(definition.trapExits)
    return definition.init(this.thread.startArgument(), process)
  }

  handle(): void {}

  proceed(): void {}

  createRef(process: Process): AnyRef {
    const ref = new AnyRef(process)
    this.thread.born(process, ref)
    return ref
  }
}

/** The module's definition, with an eye on what its handlers take and trap. */
class Watched implements Definition {
  readonly name: string
  readonly version: number
  readonly type: 'worker' | 'supervisor'
  readonly trapExits: boolean
  readonly terminate?: (process: Process, reason: ExitReason) => unknown
  private readonly definition: Definition
  private readonly thread: ResidentThread

  constructor(definition: Definition, thread: ResidentThread) {
    this.definition = definition
    this.thread = thread
    this.name = definition.name
    this.version = definition.version
    this.type = definition.type
    this.trapExits = definition.trapExits
    if (definition.terminate !== undefined) {
      this.terminate = (process, reason) => definition.terminate?.(process, reason)
    }
  }

  init(arg: unknown, process: Process): unknown {
    return this.definition.init(arg, process)
  }

  handle(process: Process, envelope: Envelope): unknown {
    this.thread.tookMessage()
    const result = this.definition.handle(process, envelope)
    this.thread.tellTrapping()
    return result
  }

  proceed(process: Process, op: string, arg: unknown): unknown {
    const result = this.definition.proceed(process, op, arg)
    this.thread.tellTrapping()
    return result
  }

  createRef(process: Process): AnyRef {
    return this.definition.createRef(process)
  }
}

async function loadDefinition(): Promise<Definition> {
  const { module: url, export: name } = data
  const loaded = (await import(url)) as Readonly<Record<string, unknown>>
  const found = loaded[name]
  const isDefinition =
    typeof found === 'object' && found !== null && typeof (found as Partial<Definition>).handle === 'function'
  if (isDefinition && (found as Definition).type === 'worker') return found as Definition
  throw new TypeError(
    `The module ${url} must export an actor (what defineActor returns) as "${name}", got ` +
      `${isDefinition ? 'a supervisor' : found === null ? 'null' : typeof found}. It exports: ${Object.keys(loaded).join(', ') || 'nothing'}.`,
  )
}

class ResidentThread {
  private readonly port: NonNullable<typeof parentPort>
  private readonly system: System
  // Both are there from the first moment of `start`: the kernel makes the process, and with it its ref, at once.
  private peer!: Peer
  private main!: Process
  private isReady = false
  /** The actor's end, should it come before the news of its start has gone. */
  private earlyEnd: { readonly reason: ExitReason } | null = null
  private isTrapping = false
  /** Messages that came for the actor, and how many of them it had taken when that was last told. */
  private received = 0
  private toldTaken = 0

  constructor(port: NonNullable<typeof parentPort>) {
    this.port = port
    const events = data.hasEvents ? { events: (event: SystemEvent) => this.tellEvent(event) } : {}
    this.system = createSystem({ name: data.pid, ...events })
    // Node ends the thread then, and tells of the error too, but without its code, cause and fields.
    process.on('uncaughtExceptionMonitor', (error) => {
      if (process.listenerCount('uncaughtException') > 0) return
      this.tell(frames.ended, error)
      this.peer.flush()
    })
  }

  async start(): Promise<void> {
    try {
      const started = this.system.start(new Starting(this))
      this.port.on('message', (batch: readonly unknown[]) => this.receive(batch))
      if ((await started) === undefined) return this.tell(frames.ignored)
      this.tellTrapping()
      this.tell(frames.ready)
      this.isReady = true
      if (this.earlyEnd !== null) this.tell(frames.ended, this.earlyEnd.reason)
    } catch (error) {
      this.tell(frames.failed, error instanceof StartError ? error.reason : error)
    }
  }

  /** The actor's process exists, its `init` has not run. */
  born(process: Process, ref: AnyRef): void {
    this.main = process
    this.peer = new Peer(
      this.system,
      ref,
      (batch) => this.port.postMessage(batch),
      (kind, _id, op, arg) => this.takeOwn(kind, op, arg),
    )
    process.observe((reason) => {
      // A microtask later: the reply to a call in which the actor stopped itself goes first.
      if (this.isReady) queueMicrotask(() => this.tell(frames.ended, reason))
      else this.earlyEnd = { reason }
    })
  }

  startArgument(): unknown {
    return data.isPacked ? unpack(data.arg, this.peer) : data.arg
  }

  private receive(batch: readonly unknown[]): void {
    for (let at = 0; at < batch.length; at += FRAME_LENGTH) if (isMessage(batch[at] as number)) this.received++
    this.peer.receive(batch)
  }

  private takeOwn(kind: FrameKind, op: string, arg: unknown): void {
    if (this.main.isDead) return
    if (kind === frames.trapped) {
      this.main.force(
        new Envelope(kinds.exit, '', { type: 'EXIT', ...(arg as { ref: AnyRef; reason: ExitReason }) }, null),
      )
    } else if (op === 'ordered') this.main.force(new Envelope(kinds.stop, 'stop', arg, null))
    else this.main.control((process) => process.stop(arg))
  }

  /** The actor is about to handle a message. What waits behind it is not taken; its own timers' messages may be among that. */
  tookMessage(): void {
    const taken = this.received - Math.min(this.received, this.main.mailbox.length)
    if (taken - this.toldTaken < data.takenEvery) return
    this.toldTaken = taken
    this.peer.push(frames.taken, WORKER_ID, taken, '', undefined)
  }

  tellTrapping(): void {
    if (this.main.isTrapping === this.isTrapping) return
    this.isTrapping = this.main.isTrapping
    this.tell(frames.trapping, this.isTrapping)
  }

  private tellEvent(event: SystemEvent): void {
    // The worker's crash is the system's to report, when its process ends.
    if (event.type !== 'crash' || event.pid !== this.main.pid) this.tell(frames.event, event)
  }

  private tell(kind: FrameKind, arg?: unknown): void {
    this.peer.push(kind, WORKER_ID, 0, '', arg)
  }
}

function isMessage(kind: number): boolean {
  const bare = kind & ~PACKED
  return bare === frames.call || bare === frames.cast || bare === frames.send || bare === frames.trapped
}

if (parentPort !== null) void new ResidentThread(parentPort).start()
