/** A table of records of one kind: a bounded map, which tells a journal of each change when it has one. */
import type { Journal } from './journal.ts'
import type { RecordStore } from './port.ts'

export interface Identified {
  readonly id: string
}

export class RecordTable<R extends Identified> implements RecordStore<R> {
  readonly whenDurable?: (callback: () => void) => void
  /** Records kept at most; infinite until somebody asked for the table. */
  max = Number.POSITIVE_INFINITY
  readonly #kind: string
  readonly #journal: Journal | undefined
  readonly #records = new Map<string, R>()

  constructor(kind: string, journal: Journal | undefined) {
    this.#kind = kind
    this.#journal = journal
    if (journal !== undefined) this.whenDurable = journal.whenDurable
  }

  put(record: R): boolean {
    const isNew = !this.#records.has(record.id)
    if (isNew && (this.#records.size >= this.max || this.#journal?.isBehind === true)) return false
    // First the journal: it throws for what is no JSON, and then nothing has changed.
    this.#journal?.put(this.#kind, record.id, record, isNew)
    this.#records.set(record.id, record)
    return true
  }

  get(id: string): R | undefined {
    return this.#records.get(id)
  }

  delete(id: string): boolean {
    if (!this.#records.delete(id)) return false
    this.#journal?.delete(this.#kind, id)
    return true
  }

  list(): Iterable<R> {
    return [...this.#records.values()]
  }

  get size(): number {
    return this.#records.size
  }

  /** Takes a record from a disk, whatever the bound. */
  load(record: R): void {
    this.#records.set(record.id, record)
  }

  /** Forgets everything without telling the journal. */
  reset(): void {
    this.#records.clear()
  }
}
