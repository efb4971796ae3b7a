/**
 * The storage ports: what the server remembers about sessions and their streams, whatever keeps it.
 *
 * Two stores. A `SessionStore` holds one plain record per session. An `EventStore` opens one `EventLog` per session,
 * which keeps the last events of its SSE streams so that a client can resume. Everything is plain data, so a durable
 * implementation (SQLite) can sit behind the same ports.
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
   * Absent when the store promises nothing beyond this process.
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
}

export interface SessionStore extends Durable {
  /** Keeps a record, replacing one with the same id. False when the store is full and the id is new. */
  put(record: SessionRecord): boolean
  get(id: string): SessionRecord | undefined
  /** Forgets a session for good; true when it was known. */
  delete(id: string): boolean
  /** Every record, in no promised order: what a restarted server takes up again. */
  list(): Iterable<SessionRecord>
  readonly size: number
}
