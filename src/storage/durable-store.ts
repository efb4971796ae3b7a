/**
 * A store that a disk follows. Everything is in memory (the mirror) and is read there; what changed is collected (`Pending`)
 * and committed as one transaction per turn, or as one for everything that arrived while the previous commit ran.
 *
 *     put, append, ...  ->  mirror  ->  pending  ->  one commit at a time  ->  callbacks of whenDurable, in order
 *
 * *A slow disk* makes commits larger, not more: a later change of a key takes the place of an earlier one, so what is pending
 * never outgrows the mirror's own bounds. Beyond `pendingBytesMax` new records are refused (`put` is false) while known ones
 * change on; beyond `waitingMax` callbacks, `whenDurable` throws.
 *
 * *A broken disk* (full, failed, its thread dead) resolves `broken`. The mirror lives on: reads and changes go on, new records
 * are refused, and no callback runs, so nobody is told what is not durable. `open` then takes the same place again, commits
 * what it may lack, and runs the callbacks. Nothing is loaded anew, so nothing is lost. If somebody else had the place
 * meanwhile, `open` refuses, until `close` has let go of the mirror. `close` drops the callbacks of a broken store uncalled.
 */
import { positive } from './bounds.ts'
import type { Disk, OpenDisk } from './disk.ts'
import { StorageError } from './errors.ts'
import type { EventBounds } from './event-logs.ts'
import type { Journal } from './journal.ts'
import { Mirror } from './mirror.ts'
import { Pending } from './pending.ts'
import type { EventStore, RecordStore, Store } from './port.ts'

export interface DurableBounds extends EventBounds {
  /** Bytes (about) that may wait for the disk before new records are refused. Default 64 MiB. */
  readonly pendingBytesMax?: number
  /** Callbacks that may wait for the disk at once. Default 250 000. */
  readonly waitingMax?: number
}

export interface DurableStoreOptions extends DurableBounds {
  readonly name: string
  readonly openDisk: OpenDisk
}

/** A store over a disk. Throws `RangeError` for a bound that is not a positive integer. */
export function durableStore(options: DurableStoreOptions): Store {
  return new DurableStore(options)
}

type Callback = () => void
type Condition = 'closed' | 'open' | 'broken' | 'closing'

class DurableStore implements Store {
  readonly name: string
  readonly events: EventStore
  readonly whenDurable = (callback: Callback): void => this.#wait(callback)
  readonly #openDisk: OpenDisk
  readonly #pendingBytesMax: number
  readonly #waitingMax: number
  readonly #mirror: Mirror
  #condition: Condition = 'closed'
  #disk: Disk | null = null
  #token: string | undefined
  #opening: Promise<void> | null = null
  #closing: Promise<void> | null = null
  /** Resolves when the disk that broke last has let go. */
  #abandoned: Promise<void> = Promise.resolve()
  #broken = deferred()
  #pending = new Pending()
  #inFlight: Pending | null = null
  #isFlushDue = false
  /** Callbacks that wait for the commit under way, and those that wait for the next. */
  #waitingNow: Callback[] = []
  #waitingNext: Callback[] = []
  /** Callbacks whose turn it is, while they run. */
  #due: Callback[] | null = null

  constructor(options: DurableStoreOptions) {
    this.name = options.name
    this.#openDisk = options.openDisk
    this.#pendingBytesMax = positive('pendingBytesMax', options.pendingBytesMax ?? 64 * 1024 * 1024)
    this.#waitingMax = positive('waitingMax', options.waitingMax ?? 250_000)
    this.#mirror = new Mirror(options, this.#journal())
    this.events = this.#mirror.events
  }

  get fullness(): number {
    const waiting = this.#waitingNow.length + this.#waitingNext.length
    const bytes = this.#pending.size + (this.#inFlight?.size ?? 0)
    return Math.min(1, Math.max(waiting / this.#waitingMax, bytes / this.#pendingBytesMax))
  }

  get broken(): Promise<unknown> {
    return this.#broken.promise
  }

  records<R extends { readonly id: string }>(kind: string, max: number): RecordStore<R> {
    return this.#mirror.records<R>(kind, max)
  }

  open(): Promise<void> {
    if (this.#closing !== null) return this.#closing.catch(() => undefined).then(() => this.open())
    if (this.#condition === 'open') return Promise.resolve()
    this.#opening ??= this.#start().finally(() => {
      this.#opening = null
    })
    return this.#opening
  }

  close(): Promise<void> {
    this.#closing ??= this.#stop().finally(() => {
      this.#closing = null
    })
    return this.#closing
  }

  async #start(): Promise<void> {
    await this.#abandoned
    const isNew = this.#condition === 'closed'
    // What was written while the store was closed is not kept.
    if (isNew) this.#mirror.reset()
    try {
      this.#disk = await this.#openDisk((rows) => this.#mirror.load(rows), isNew ? undefined : this.#token)
    } catch (error) {
      if (isNew) this.#mirror.reset()
      throw error
    }
    const disk = this.#disk
    this.#token = disk.token
    this.#condition = 'open'
    this.#broken = deferred()
    disk.lost.then((reason) => this.#break(disk, reason))
    if (isNew) this.#mirror.settle()
    this.#flush()
  }

  async #stop(): Promise<void> {
    if (this.#opening !== null) await this.#opening.catch(() => undefined)
    if (this.#condition === 'closed') return
    let lost: unknown
    try {
      if (this.#condition === 'open') {
        const isWritten = new Promise<void>((resolve) => this.#callLater(resolve))
        this.#condition = 'closing'
        this.#flush()
        const reason = await Promise.race([isWritten, this.broken])
        if (this.#disk !== null) await this.#disk.close()
        else lost = reason
      } else lost = await this.broken
      await this.#abandoned
    } finally {
      this.#condition = 'closed'
      this.#disk = null
      this.#pending = new Pending()
      this.#inFlight = null
      this.#waitingNow = []
      this.#waitingNext = []
      this.#mirror.reset()
    }
    if (lost === undefined) return
    const why = lost instanceof Error ? lost.message : String(lost)
    throw new StorageError('failed', `The store ${this.name} was closed while it was broken: ${why}`, lost)
  }

  /** The disk has ended, and may or may not have what was in flight. */
  #break(disk: Disk, reason: unknown): void {
    if (this.#disk !== disk) return
    this.#disk = null
    if (this.#condition === 'open') this.#condition = 'broken'
    this.#abandoned = disk.abandon()
    if (this.#inFlight !== null) {
      this.#inFlight.absorb(this.#pending)
      this.#pending = this.#inFlight
      this.#inFlight = null
      this.#waitingNext = this.#waitingNow.concat(this.#waitingNext)
      this.#waitingNow = []
    }
    this.#broken.resolve(reason)
  }

  // ---- writing -------------------------------------------------------------------------------------------------------

  #journal(): Journal {
    const store = this
    /** Runs a change against what is pending, unless nothing is to be kept. */
    const note = (change: (pending: Pending) => void): void => {
      if (!store.#isKeeping) return
      change(store.#pending)
      store.#flushSoon()
    }
    return {
      whenDurable: this.whenDurable,
      get isBehind() {
        return (
          store.#condition !== 'open' || store.#pending.size + (store.#inFlight?.size ?? 0) > store.#pendingBytesMax
        )
      },
      put: (kind, id, record, isNew) => {
        const json = JSON.stringify(record)
        note((pending) => pending.put(kind, id, json, isNew))
      },
      delete: (kind, id) => note((pending) => pending.delete(kind, id)),
      event: (sessionId, row) => note((pending) => pending.event(sessionId, row)),
      evict: (sessionId, number) => note((pending) => pending.evict(sessionId, number)),
      mark: (sessionId, last, evictedThrough) => note((pending) => pending.mark(sessionId, last, evictedThrough)),
      forget: (sessionId) => note((pending) => pending.forget(sessionId)),
    }
  }

  get #isKeeping(): boolean {
    return this.#condition === 'open' || this.#condition === 'broken'
  }

  /** Commits at the end of the turn, so that what is written together becomes durable together. */
  #flushSoon(): void {
    if (this.#isFlushDue || this.#inFlight !== null) return
    this.#isFlushDue = true
    queueMicrotask(() => {
      this.#isFlushDue = false
      this.#flush()
    })
  }

  #flush(): void {
    const disk = this.#disk
    if (disk === null || this.#inFlight !== null) return
    const callbacks = this.#waitingNext
    this.#waitingNext = []
    if (this.#pending.isEmpty) return this.#run(callbacks)
    this.#waitingNow = callbacks
    this.#inFlight = this.#pending
    this.#pending = new Pending()
    disk.commit(this.#inFlight.batch()).then(
      () => this.#committed(disk),
      (reason) => this.#break(disk, reason),
    )
  }

  #committed(disk: Disk): void {
    if (this.#disk !== disk) return
    let callbacks = this.#waitingNow
    this.#waitingNow = []
    this.#inFlight = null
    if (this.#pending.isEmpty && this.#waitingNext.length > 0) {
      callbacks = callbacks.concat(this.#waitingNext)
      this.#waitingNext = []
    }
    // The disk works on while the callbacks run.
    this.#flush()
    this.#run(callbacks)
  }

  // ---- waiting -------------------------------------------------------------------------------------------------------

  #wait(callback: Callback): void {
    if (!this.#isKeeping) return
    const waiting = this.#waitingNow.length + this.#waitingNext.length
    if (waiting >= this.#waitingMax) {
      throw new StorageError(
        'overloaded',
        `${waiting} callers wait until the store ${this.name} has written, which is all that may (waitingMax).` +
          ' The disk is too slow for what is asked of it.',
      )
    }
    this.#callLater(callback)
  }

  #callLater(callback: Callback): void {
    if (!this.#pending.isEmpty || this.#waitingNext.length > 0 || this.#disk === null) this.#waitingNext.push(callback)
    else if (this.#inFlight !== null) this.#waitingNow.push(callback)
    else this.#run([callback])
  }

  /** Calls them in order, after those whose turn has come already. One that throws does not hinder the others. */
  #run(callbacks: Callback[]): void {
    if (this.#due !== null) {
      for (const callback of callbacks) this.#due.push(callback)
      return
    }
    this.#due = callbacks
    for (let index = 0; index < callbacks.length; index += 1) {
      try {
        callbacks[index]!()
      } catch (error) {
        queueMicrotask(() => {
          throw error
        })
      }
    }
    this.#due = null
  }
}

function deferred(): { readonly promise: Promise<unknown>; readonly resolve: (value: unknown) => void } {
  let resolve: (value: unknown) => void = () => undefined
  const promise = new Promise<unknown>((settle) => {
    resolve = settle
  })
  return { promise, resolve }
}
