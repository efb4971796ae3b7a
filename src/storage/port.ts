/**
 * The storage ports: what the server remembers about sessions, their streams and tasks, whatever keeps it.
 *
 * A `Store` is the whole: records by kind (sessions, tasks, spent states, keys) and an `EventStore`, which opens one
 * `EventLog` per session that keeps the last events of its SSE streams so that a client can resume. Everything is plain
 * data. Reads are answered from memory; a durable store loads everything when it opens.
 *
 * Writes return at once: an append assigns its id without waiting for a disk. A durable store commits in groups, and
 * its `whenDurable` calls back once everything written before is on disk; who must not tell a peer too early (a final
 * answer, a session id) passes the telling as callback. A store that keeps nothing on disk leaves `whenDurable` out,
 * and the hot path pays one look at an absent property:
 *
 * ```ts
 * const eventId = log.append(streamId, message)
 * if (log.whenDurable === undefined) sink.send(message, eventId)
 * else log.whenDurable(() => sink.send(message, eventId))
 * ```
 */

/** What may wait for the disk. */
export interface Durable {
  /**
   * Calls `callback` once, after everything written so far is durable; callbacks run in the order of their calls.
   * It is called at once when nothing is outstanding, and never when the store broke and is not opened again. Throws a
   * `StorageError` 'overloaded' when too many wait. Absent when the store promises nothing beyond this process.
   */
  readonly whenDurable?: (callback: () => void) => void
}

export interface StoredEvent {
  readonly id: string
  readonly message: string
}

/** What a client missed on one stream. */
export interface Replay {
  readonly streamId: string
  /** Oldest first; only events of this stream, only those after the id that was asked for. */
  readonly events: readonly StoredEvent[]
  /** True when events after that id are no longer kept: what is returned is not all. */
  readonly gap: boolean
}

/** The resumable events of one session. */
export interface EventLog extends Durable {
  /**
   * Keeps `message` as the newest event of `streamId` and returns its id: `<streamId>_<number>`, visible ASCII if the
   * stream id is, unique in the session for good, and increasing within it. Never fails: when a bound is passed the
   * oldest events go. The empty message is a priming event and is kept like any other.
   */
  append(streamId: string, message: string): string
  /**
   * The events that followed `lastEventId` on its stream, or undefined when this log never gave that id or dropped its
   * stream.
   */
  replay(lastEventId: string): Replay | undefined
  /** Forgets a stream that nobody will resume. */
  drop(streamId: string): void
}

/** Event logs by session. */
export interface EventStore {
  /**
   * The log of a session; the same log, with what it kept, when the session was known. Costs next to nothing until the
   * first append.
   */
  open(sessionId: string): EventLog
  /** Forgets a session's events. */
  delete(sessionId: string): void
  /** Bytes of messages that are kept, of all sessions together; absent where nobody counts them. */
  readonly bytes?: number
}

/** A session as it is remembered: plain data, no functions, no live objects. */
export interface SessionRecord {
  readonly id: string
  readonly protocolVersion: string
  readonly clientInfo: Readonly<Record<string, unknown>>
  readonly clientCapabilities: Readonly<Record<string, unknown>>
  /** The level of logging/setLevel, undefined until it was set. */
  readonly logLevel: string | undefined
  readonly subscriptions: readonly string[]
  /** True once notifications/initialized came. */
  readonly initialized: boolean
  /** Whom the session is bound to; absent without authorization. */
  readonly principal?: string
  /** Milliseconds since 1970-01-01 UTC of the last activity that was written down; coarse. */
  readonly lastActiveAt: number
  /** Streams of POSTs that have begun and not ended; after a restart of the server their requests are answered with errors. */
  readonly streams?: readonly OpenStream[]
  /** The last event of the standalone stream that was delivered, while no connection is open for it. */
  readonly deliveredId?: string
  /** Ids of URL elicitations whose completion may still be announced. */
  readonly elicitations?: readonly string[]
}

/** A stream of a POST whose answer is still to come. */
export interface OpenStream {
  /** Its name in the session's event log. */
  readonly id: string
  /** The ids of the requests that came with it. */
  readonly requests: readonly (string | number)[]
  /** Whether their answers leave as one array. */
  readonly isBatch: boolean
}

/** Records of one kind by id: plain data that survives `JSON.stringify`. */
export interface RecordStore<R extends { readonly id: string }> extends Durable {
  /**
   * Keeps a record, replacing one with the same id. False when the id is new and the store is full, too far behind its disk,
   * broken or closed. Throws `TypeError` for what is no JSON, where a disk has to keep it.
   */
  put(record: R): boolean
  get(id: string): R | undefined
  /** Forgets a record for good; true when it was known. */
  delete(id: string): boolean
  /** Every record, in no promised order: what a restarted server takes up again. */
  list(): Iterable<R>
  readonly size: number
}

export type SessionStore = RecordStore<SessionRecord>

/** What one server keeps. */
export interface Store extends Durable {
  /** For people: 'memory', 'sqlite:tasks.db'. */
  readonly name: string
  /**
   * Loads what an earlier run left. Rejects with a `StorageError` when the place cannot be used: taken by another
   * server, no database, not writable. The tables may be taken before, but are empty and keep nothing until it resolved. Does
   * nothing when the store is open. After the store broke it takes the same place again and writes what is missing there;
   * nothing that was written meanwhile is lost.
   */
  open(): Promise<void>
  /**
   * Writes what is pending and lets go; the tables are then empty. May be opened again. Rejects when what was pending could not
   * be written; it has let go all the same.
   */
  close(): Promise<void>
  /** How full the fuller of what may wait for the disk is, 0 to 1; absent where nothing waits. */
  readonly fullness?: number
  /** The records of a kind; the same object at every call. `max` bounds a kind at its first call. */
  records<R extends { readonly id: string }>(kind: string, max: number): RecordStore<R>
  readonly events: EventStore
  /**
   * Resolves with the reason when the store breaks and what is written no longer becomes durable: `open` it again. Another
   * promise after each opening; absent in memory.
   */
  readonly broken?: Promise<unknown>
}
