/**
 * The stores of a server that keeps nothing on disk: sessions in a map, events in a bounded queue per session.
 *
 * An event log belongs to one session. It keeps the newest events of all its streams together, bounded by count and by
 * bytes; the oldest goes first, whichever stream it is of. A resume from an id whose followers have gone says so
 * (`gap`) rather than pretending. A log that was never written to holds no collections at all.
 *
 * ```ts
 * const log = memoryEventStore({ maxEvents: 100 }).open(sessionId)
 * const id = log.append('get', '{"jsonrpc":"2.0",...}')      // 'get_1'
 * log.replay(id)                                             // { streamId: 'get', events: [], gap: false }
 * ```
 *
 * After: MCP 2025-11-25, basic/transports, resumability and redelivery.
 */
import type { EventLog, EventStore, Replay, SessionRecord, SessionStore, StoredEvent } from './port.ts'

export interface MemoryEventStoreOptions {
  /** Events kept per session, all streams together. Default 1 000. */
  readonly maxEvents?: number
  /** Bytes of messages (as UTF-8) kept per session. Default 4 MiB. A single larger message is not kept. */
  readonly maxBytes?: number
  /** Bytes of messages kept over all sessions; beyond it the logs that were not written for longest are emptied. Default 256 MiB. */
  readonly maxTotalBytes?: number
}

/** Event logs in this process's memory. Throws `RangeError` for a bound that is not a positive integer. */
export function memoryEventStore(options: MemoryEventStoreOptions = {}): EventStore {
  const maxEvents = positive('maxEvents', options.maxEvents ?? 1_000)
  const maxBytes = positive('maxBytes', options.maxBytes ?? 4 * 1024 * 1024)
  const maxTotalBytes = positive('maxTotalBytes', options.maxTotalBytes ?? 256 * 1024 * 1024)
  const limits: Limits = { maxEvents, maxBytes }
  const logs = new Map<string, MemoryEventLog>()
  const budget = new Budget(maxTotalBytes)
  return {
    open: (sessionId) => {
      let log = logs.get(sessionId)
      if (log === undefined) logs.set(sessionId, (log = new MemoryEventLog(limits, budget)))
      return log
    },
    delete: (sessionId) => {
      logs.get(sessionId)?.empty()
      logs.delete(sessionId)
    },
  }
}

/** One event log on its own, for a caller that keeps its sessions' logs itself. */
export function memoryEventLog(options: MemoryEventStoreOptions = {}): EventLog {
  return memoryEventStore(options).open('')
}

export interface MemorySessionStoreOptions {
  /** Sessions kept at once. Default 100 000. */
  readonly maxSessions?: number
}

/** Sessions in this process's memory. Throws `RangeError` for a bound that is not a positive integer. */
export function memorySessionStore(options: MemorySessionStoreOptions = {}): SessionStore {
  const maxSessions = positive('maxSessions', options.maxSessions ?? 100_000)
  const records = new Map<string, SessionRecord>()
  return {
    put: (record) => {
      if (records.size >= maxSessions && !records.has(record.id)) return false
      records.set(record.id, record)
      return true
    },
    get: (id) => records.get(id),
    delete: (id) => records.delete(id),
    list: () => [...records.values()],
    get size() {
      return records.size
    },
  }
}

interface Limits {
  readonly maxEvents: number
  readonly maxBytes: number
}

interface KeptEvent extends StoredEvent {
  readonly streamId: string
  readonly sequence: number
  /** The sequence number of the event before this one on its stream; shows whether something between was evicted. */
  readonly previous: number
  readonly bytes: number
}

/** What was written, allocated by the first append. */
interface Written {
  /** Oldest first; the entries before `head` have gone. */
  events: (KeptEvent | undefined)[]
  head: number
  bytes: number
  /** The last sequence number of each stream, longest unwritten first; at most `maxEvents` streams. */
  readonly lastOfStream: Map<string, number>
  /** The highest number that was evicted, of any stream. */
  evictedThrough: number
}

/** What all logs of a store may keep together. */
class Budget {
  readonly #maxBytes: number
  #bytes = 0
  /** Logs that keep something, the one not written for longest first. */
  readonly #written = new Set<MemoryEventLog>()

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  /** A log grew or shrank by `bytes`. */
  spend(log: MemoryEventLog, bytes: number): void {
    this.#bytes += bytes
    this.#written.delete(log)
    if (log.bytes > 0) this.#written.add(log)
    if (bytes <= 0) return
    for (const oldest of this.#written) {
      if (this.#bytes <= this.#maxBytes || oldest === log) return
      oldest.empty()
    }
  }
}

class MemoryEventLog implements EventLog {
  readonly #limits: Limits
  readonly #budget: Budget
  #written: Written | undefined
  #lastSequence = 0

  constructor(limits: Limits, budget: Budget) {
    this.#limits = limits
    this.#budget = budget
  }

  /** Bytes of messages kept. */
  get bytes(): number {
    return this.#written?.bytes ?? 0
  }

  /** Forgets every event; who resumes is told of the gap. */
  empty(): void {
    const written = this.#written
    if (written === undefined) return
    const { bytes } = written
    this.#written = { events: [], head: 0, bytes: 0, lastOfStream: new Map(), evictedThrough: this.#lastSequence }
    this.#budget.spend(this, -bytes)
  }

  append(streamId: string, message: string): string {
    this.#written ??= { events: [], head: 0, bytes: 0, lastOfStream: new Map(), evictedThrough: 0 }
    const written = this.#written
    const sequence = ++this.#lastSequence
    const id = `${streamId}_${sequence}`
    const bytes = Buffer.byteLength(message)
    // A stream without an entry is new, or was forgotten together with its last event: then some of it was evicted.
    const previous = written.lastOfStream.get(streamId) ?? written.evictedThrough
    written.events.push({ id, message, streamId, sequence, previous, bytes })
    written.bytes += bytes
    written.lastOfStream.delete(streamId)
    written.lastOfStream.set(streamId, sequence)
    const before = written.bytes - bytes
    this.#evict(written)
    this.#budget.spend(this, written.bytes - before)
    return id
  }

  replay(lastEventId: string): Replay | undefined {
    const parsed = parseEventId(lastEventId)
    const written = this.#written
    if (parsed === undefined || written === undefined || parsed.sequence > this.#lastSequence) return undefined
    const { streamId, sequence } = parsed
    const last = written.lastOfStream.get(streamId)
    if (last === undefined) {
      return sequence <= written.evictedThrough ? { streamId, events: [], gap: true } : undefined
    }
    if (sequence > last) return undefined
    const events: StoredEvent[] = []
    let isGap = false
    for (let index = written.head; index < written.events.length; index += 1) {
      const event = written.events[index]!
      if (event.streamId !== streamId || event.sequence <= sequence) continue
      if (events.length === 0) isGap = event.previous > sequence
      events.push({ id: event.id, message: event.message })
    }
    return { streamId, events, gap: events.length === 0 ? last > sequence : isGap }
  }

  drop(streamId: string): void {
    const written = this.#written
    if (written === undefined || !written.lastOfStream.delete(streamId)) return
    const events: KeptEvent[] = []
    const before = written.bytes
    written.bytes = 0
    for (let index = written.head; index < written.events.length; index += 1) {
      const event = written.events[index]!
      if (event.streamId === streamId) continue
      events.push(event)
      written.bytes += event.bytes
    }
    written.events = events
    written.head = 0
    this.#budget.spend(this, written.bytes - before)
  }

  #evict(written: Written): void {
    const { maxEvents, maxBytes } = this.#limits
    while (written.events.length - written.head > maxEvents || written.bytes > maxBytes) {
      const event = written.events[written.head]!
      written.events[written.head] = undefined
      written.head += 1
      written.bytes -= event.bytes
      written.evictedThrough = event.sequence
    }
    if (written.head > 32 && written.head * 2 > written.events.length) {
      written.events.splice(0, written.head)
      written.head = 0
    }
    // With more streams than events, the one longest unwritten has no event left: resuming it is a gap anyway.
    if (written.lastOfStream.size > maxEvents) {
      const [oldest] = written.lastOfStream.keys()
      written.lastOfStream.delete(oldest!)
    }
  }
}

function parseEventId(id: string): { streamId: string; sequence: number } | undefined {
  const at = id.lastIndexOf('_')
  const digits = id.slice(at + 1)
  if (at < 0 || !/^[1-9]\d{0,15}$/.test(digits)) return undefined
  return { streamId: id.slice(0, at), sequence: Number(digits) }
}

function positive(name: string, value: number): number {
  if (Number.isInteger(value) && value > 0) return value
  throw new RangeError(`The option ${name} must be a positive integer, got ${value}.`)
}
