/**
 * The journal of a mirror: what the tables in memory tell of each change, so that a disk can follow. Every entry assigns a
 * value to a key or takes it away; none depends on an earlier one, so entries may be merged, and written twice.
 */

/** An event as a disk keeps it. */
export interface EventRow {
  readonly number: number
  readonly streamId: string
  /** The number of the event before it on its stream, 0 for none. */
  readonly previous: number
  /** Null when the event was evicted and only its number is kept, as the last of its stream. */
  readonly message: string | null
}

export interface Journal {
  readonly whenDurable: (callback: () => void) => void
  /** True while nothing new should be taken: the disk is too far behind, or gone. */
  readonly isBehind: boolean
  /** A record was put; `isNew` when its id was not known. Throws when it is no JSON. */
  put(kind: string, id: string, record: unknown, isNew: boolean): void
  delete(kind: string, id: string): void
  /** An event was appended, or lost its message. */
  event(sessionId: string, row: EventRow): void
  /** An event has gone altogether. */
  evict(sessionId: string, number: number): void
  /** The last number a session gave, and the highest it evicted: what its events no longer show. */
  mark(sessionId: string, last: number, evictedThrough: number): void
  /** Everything of a session has gone. */
  forget(sessionId: string): void
}

/** What a disk hands back when it is opened, in portions; each array holds rows end to end. */
export interface LoadedRows {
  /** kind, id, JSON. */
  readonly records: readonly string[]
  /** session id, last number, evicted through. */
  readonly marks: readonly (string | number)[]
  /** session id, number, stream id, previous, message; numbers of a session increase. */
  readonly events: readonly (string | number | null)[]
}
