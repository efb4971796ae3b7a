/**
 * The event log of one session, in memory. It keeps the newest events of all its streams together, bounded by count and by
 * bytes; the oldest goes first, whichever stream it is of. A resume from an id whose followers have gone says so (`gap`) rather
 * than pretending. A log that was never written to holds no collections at all. With a journal, each change is told; the last
 * number of a stream outlives its event, since it says whether somebody who resumes from it missed anything.
 *
 * After: MCP 2025-11-25, basic/transports, resumability and redelivery.
 */
import type { EventRow, Journal } from './journal.ts'
import type { EventLog, Replay, StoredEvent } from './port.ts'

/** What one log may keep. */
export interface Limits {
  readonly maxEvents: number
  readonly maxBytes: number
}

interface KeptEvent extends StoredEvent {
  readonly streamId: string
  readonly number: number
  /** The number of the event before this one on its stream; shows whether something between was evicted. */
  readonly previous: number
  readonly bytes: number
}

/** What was written, allocated by the first append. */
interface Written {
  /** Oldest first; the entries before `head` have gone. */
  events: (KeptEvent | undefined)[]
  head: number
  bytes: number
  /** The last number of each stream, longest unwritten first; at most `maxEvents` streams. */
  readonly lastOfStream: Map<string, number>
  /** The highest number that was evicted, of any stream. */
  evictedThrough: number
}

const unwritten = (evictedThrough: number): Written => ({
  events: [],
  head: 0,
  bytes: 0,
  lastOfStream: new Map(),
  evictedThrough,
})

/** What all logs may keep together; told of each that grew or shrank. */
export interface Budget {
  spend(log: KeptLog, bytes: number): void
  load(log: KeptLog, bytes: number): void
}

export class KeptLog implements EventLog {
  readonly whenDurable?: (callback: () => void) => void
  readonly #sessionId: string
  readonly #limits: Limits
  readonly #budget: Budget
  #journal: Journal | undefined
  #written: Written | undefined
  #lastNumber = 0
  /** False once its session was forgotten: what is appended then has a number and no more. */
  #isKept = true

  constructor(sessionId: string, limits: Limits, budget: Budget, journal: Journal | undefined) {
    this.#sessionId = sessionId
    this.#limits = limits
    this.#budget = budget
    this.#journal = journal
    if (journal !== undefined) this.whenDurable = journal.whenDurable
  }

  /** Bytes of messages kept. */
  get bytes(): number {
    return this.#written?.bytes ?? 0
  }

  /** Whether it ever gave an id. */
  get isWritten(): boolean {
    return this.#lastNumber > 0
  }

  append(streamId: string, message: string): string {
    const number = ++this.#lastNumber
    const id = `${streamId}_${number}`
    if (!this.#isKept) return id
    const written = (this.#written ??= unwritten(0))
    const last = written.lastOfStream.get(streamId)
    // A stream without an entry is new, or was forgotten together with its last event: then some of it was evicted.
    const previous = last ?? written.evictedThrough
    const bytes = Buffer.byteLength(message)
    written.events.push({ id, message, streamId, number, previous, bytes })
    written.bytes += bytes
    // The only stream is the longest unwritten whatever happens: it need not go to the end.
    if (last !== undefined && written.lastOfStream.size > 1) written.lastOfStream.delete(streamId)
    written.lastOfStream.set(streamId, number)
    this.#journal?.event(this.#sessionId, { number, streamId, previous, message })
    if (last !== undefined) this.#releaseNumber(written, last)
    const before = written.bytes - bytes
    this.#evict(written)
    this.#budget.spend(this, written.bytes - before)
    return id
  }

  replay(lastEventId: string): Replay | undefined {
    const parsed = parseEventId(lastEventId)
    const written = this.#written
    if (parsed === undefined || written === undefined || parsed.number > this.#lastNumber) return undefined
    const { streamId, number } = parsed
    const last = written.lastOfStream.get(streamId)
    if (last === undefined) {
      return number <= written.evictedThrough ? { streamId, events: [], gap: true } : undefined
    }
    if (number > last) return undefined
    const events: StoredEvent[] = []
    let isGap = false
    for (let index = written.head; index < written.events.length; index += 1) {
      const event = written.events[index]!
      if (event.streamId !== streamId || event.number <= number) continue
      if (events.length === 0) isGap = event.previous > number
      events.push({ id: event.id, message: event.message })
    }
    return { streamId, events, gap: events.length === 0 ? last > number : isGap }
  }

  drop(streamId: string): void {
    const written = this.#written
    const last = written?.lastOfStream.get(streamId)
    if (written === undefined || last === undefined) return
    written.lastOfStream.delete(streamId)
    this.#releaseNumber(written, last)
    const events: KeptEvent[] = []
    const before = written.bytes
    written.bytes = 0
    for (let index = written.head; index < written.events.length; index += 1) {
      const event = written.events[index]!
      if (event.streamId === streamId) {
        this.#journal?.evict(this.#sessionId, event.number)
        continue
      }
      events.push(event)
      written.bytes += event.bytes
    }
    written.events = events
    written.head = 0
    this.#mark(written)
    this.#budget.spend(this, written.bytes - before)
  }

  /** Forgets every event; who resumes is told of the gap. */
  empty(): void {
    const written = this.#written
    if (written === undefined) return
    const { bytes } = written
    this.#written = unwritten(this.#lastNumber)
    this.#journal?.forget(this.#sessionId)
    this.#mark(this.#written)
    this.#budget.spend(this, -bytes)
  }

  /** Forgets every event without telling the journal. */
  clear(): void {
    const { bytes } = this
    this.#written = undefined
    this.#budget.spend(this, -bytes)
  }

  /** Its session was forgotten: keeps nothing from now on, and tells the journal nothing. */
  detach(): void {
    this.clear()
    this.#isKept = false
    this.#journal = undefined
  }

  load({ number, streamId, previous, message }: EventRow): void {
    const written = (this.#written ??= unwritten(0))
    this.#lastNumber = Math.max(this.#lastNumber, number)
    written.lastOfStream.delete(streamId)
    written.lastOfStream.set(streamId, number)
    if (message === null) return
    const bytes = Buffer.byteLength(message)
    written.events.push({ id: `${streamId}_${number}`, message, streamId, number, previous, bytes })
    written.bytes += bytes
    this.#budget.load(this, bytes)
  }

  loadMark(last: number, evictedThrough: number): void {
    this.#lastNumber = Math.max(this.#lastNumber, last)
    const written = (this.#written ??= unwritten(0))
    written.evictedThrough = evictedThrough
  }

  /** Keeps the bounds over what was loaded. */
  settle(): void {
    const written = this.#written
    if (written === undefined) return
    const before = written.bytes
    this.#evict(written)
    if (written.bytes < before) this.#budget.spend(this, written.bytes - before)
  }

  #evict(written: Written): void {
    const { maxEvents, maxBytes } = this.#limits
    const { evictedThrough } = written
    while (written.events.length - written.head > maxEvents || written.bytes > maxBytes) {
      const event = written.events[written.head]!
      written.events[written.head] = undefined
      written.head += 1
      written.bytes -= event.bytes
      written.evictedThrough = event.number
      if (this.#journal === undefined) continue
      if (written.lastOfStream.get(event.streamId) !== event.number) this.#journal.evict(this.#sessionId, event.number)
      else this.#journal.event(this.#sessionId, { ...rowOf(event), message: null })
    }
    if (written.head > 32 && written.head * 2 > written.events.length) {
      written.events.splice(0, written.head)
      written.head = 0
    }
    // With more streams than events, the one longest unwritten has no event left: resuming it is a gap anyway.
    while (written.lastOfStream.size > maxEvents) {
      const [[streamId, last] = ['', 0]] = written.lastOfStream
      written.lastOfStream.delete(streamId)
      this.#releaseNumber(written, last)
    }
    if (written.evictedThrough > evictedThrough) this.#mark(written)
  }

  /** The last number of a stream is no longer of use: if its event has gone before, so does what was left of it. */
  #releaseNumber(written: Written, last: number): void {
    if (last <= written.evictedThrough) this.#journal?.evict(this.#sessionId, last)
  }

  #mark(written: Written): void {
    this.#journal?.mark(this.#sessionId, this.#lastNumber, written.evictedThrough)
  }
}

function rowOf({ number, streamId, previous, message }: KeptEvent): EventRow {
  return { number, streamId, previous, message }
}

function parseEventId(id: string): { streamId: string; number: number } | undefined {
  const at = id.lastIndexOf('_')
  const digits = id.slice(at + 1)
  if (at < 0 || !/^[1-9]\d{0,15}$/.test(digits)) return undefined
  return { streamId: id.slice(0, at), number: Number(digits) }
}
