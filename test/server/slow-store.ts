/**
 * A durable store whose disk is a list of changes: what was written becomes durable when the test says so, in two steps (a
 * commit begins with all that was written so far, and ends later), and a kill loses what had not.
 */
import { type MemoryStoreOptions, memoryStore } from '#storage/memory'
import type { EventLog, EventStore, RecordStore, Store } from '#storage/port'

type Change = (store: Store) => void

/** What outlives the program. */
export class FakeDisk {
  readonly changes: Change[] = []
}

export class SlowStore implements Store {
  readonly name = 'slow'
  readonly events: EventStore
  readonly whenDurable = (callback: () => void): void => this.wait(callback)
  /** Commits as soon as something is written, in the next turn of the microtask queue. */
  isFast = false
  private readonly disk: FakeDisk
  private readonly memory: Store
  private readonly tables = new Map<string, RecordStore<{ readonly id: string }>>()
  private pending: Change[] = []
  private waiting: (() => void)[] = []
  private underWay: { readonly changes: Change[]; readonly callbacks: (() => void)[] } | undefined
  private isDead = false

  constructor(disk: FakeDisk, options: MemoryStoreOptions = {}) {
    this.disk = disk
    this.memory = memoryStore(options)
    for (const change of disk.changes) change(this.memory)
    this.events = {
      open: (sessionId) => this.log(sessionId),
      delete: (sessionId) => {
        this.memory.events.delete(sessionId)
        this.note((store) => store.events.delete(sessionId))
      },
    }
  }

  open(): Promise<void> {
    return Promise.resolve()
  }

  async close(): Promise<void> {
    this.commit()
  }

  records<R extends { readonly id: string }>(kind: string, max: number): RecordStore<R> {
    let table = this.tables.get(kind)
    if (table === undefined) this.tables.set(kind, (table = this.table(kind, max)))
    // Each kind has records of its own type, by the port's word.
    return table as unknown as RecordStore<R>
  }

  /** Whether something is not durable yet. */
  get isBehind(): boolean {
    return this.underWay !== undefined || this.pending.length > 0 || this.waiting.length > 0
  }

  /** A commit begins: it takes all that was written so far. Nothing while one is under way. */
  begin(): void {
    if (this.underWay !== undefined || this.isDead) return
    this.underWay = { changes: this.pending, callbacks: this.waiting }
    this.pending = []
    this.waiting = []
  }

  /** The commit under way is done. */
  finish(): void {
    const done = this.underWay
    if (done === undefined || this.isDead) return
    this.underWay = undefined
    this.disk.changes.push(...done.changes)
    for (const callback of done.callbacks) callback()
  }

  commit(): void {
    this.finish()
    this.begin()
    this.finish()
  }

  /** The program is killed; what a commit under way had is on the disk or not, as `isWritten` says. */
  kill(isWritten = false): void {
    if (isWritten && this.underWay !== undefined) this.disk.changes.push(...this.underWay.changes)
    this.isDead = true
  }

  private wait(callback: () => void): void {
    if (this.isDead) return
    if (this.pending.length > 0 || this.waiting.length > 0 || this.underWay === undefined) this.waiting.push(callback)
    else this.underWay.callbacks.push(callback)
    this.hurry()
  }

  private note(change: Change): void {
    if (this.isDead) return
    this.pending.push(change)
    this.hurry()
  }

  private hurry(): void {
    if (this.isFast) queueMicrotask(() => this.commit())
  }

  private log(sessionId: string): EventLog {
    const log = this.memory.events.open(sessionId)
    return {
      whenDurable: this.whenDurable,
      replay: (lastEventId) => log.replay(lastEventId),
      append: (streamId, message) => {
        this.note((store) => void store.events.open(sessionId).append(streamId, message))
        return this.memory.events.open(sessionId).append(streamId, message)
      },
      drop: (streamId) => {
        this.note((store) => store.events.open(sessionId).drop(streamId))
        log.drop(streamId)
      },
    }
  }

  private table(kind: string, max: number): RecordStore<{ readonly id: string }> {
    const table = this.memory.records(kind, max)
    return {
      whenDurable: this.whenDurable,
      put: (record) => {
        const isKept = table.put(record)
        const copy = JSON.parse(JSON.stringify(record)) as { readonly id: string }
        if (isKept) this.note((store) => void store.records(kind, max).put(copy))
        return isKept
      },
      get: (id) => table.get(id),
      delete: (id) => {
        this.note((store) => void store.records(kind, max).delete(id))
        return table.delete(id)
      },
      list: () => table.list(),
      get size() {
        return table.size
      },
    }
  }
}
