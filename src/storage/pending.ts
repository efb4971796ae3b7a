/**
 * What a disk still lacks of a mirror: for every key that changed, its newest value, or that it has gone. Since a later change
 * takes the place of an earlier one, and what came and went meanwhile leaves no trace, this is never larger than the mirror and
 * what the disk holds of it, however slow the disk is.
 */
import type { EventRow } from './journal.ts'

/** One transaction, as it goes to the thread: each array holds rows end to end. They are applied in the order of the fields. */
export interface Batch {
  /** Ids of sessions whose events all go. */
  readonly cleared: string[]
  /** session id, number: events that go. */
  readonly evicted: (string | number)[]
  /** session id, number, stream id, previous, message: events that come or lose their message. */
  readonly events: (string | number | null)[]
  /** session id, last number, evicted through. */
  readonly marks: (string | number)[]
  /** kind, id: records that go. */
  readonly deleted: string[]
  /** kind, id, JSON: records that come or change. */
  readonly records: string[]
}

/** `isFresh`: the disk has never heard of the key. */
interface PendingRecord {
  readonly json: string | null
  readonly isFresh: boolean
}

interface PendingEvent {
  readonly row: EventRow | null
  readonly isFresh: boolean
}

interface PendingLog {
  /** The disk has never heard of the session. */
  isFresh: boolean
  /** Whatever the disk has of the session goes first. */
  isCleared: boolean
  readonly events: Map<number, PendingEvent>
  mark: { readonly last: number; readonly evictedThrough: number } | undefined
}

export class Pending {
  /** UTF-16 units of JSON and messages: about the bytes. */
  size = 0
  readonly #records = new Map<string, Map<string, PendingRecord>>()
  readonly #logs = new Map<string, PendingLog>()

  get isEmpty(): boolean {
    return this.#records.size === 0 && this.#logs.size === 0
  }

  put(kind: string, id: string, json: string, isNew: boolean): void {
    let records = this.#records.get(kind)
    if (records === undefined) this.#records.set(kind, (records = new Map()))
    const before = records.get(id)
    this.#setRecord(records, id, { json, isFresh: before === undefined ? isNew : before.isFresh }, before)
  }

  delete(kind: string, id: string): void {
    let records = this.#records.get(kind)
    if (records === undefined) this.#records.set(kind, (records = new Map()))
    const before = records.get(id)
    if (before?.isFresh !== true) return this.#setRecord(records, id, { json: null, isFresh: false }, before)
    this.size -= before.json?.length ?? 0
    records.delete(id)
    if (records.size === 0) this.#records.delete(kind)
  }

  event(sessionId: string, row: EventRow): void {
    const log = this.#log(sessionId, row.number === 1 && row.message !== null)
    const before = log.events.get(row.number)
    const isFresh = before === undefined ? row.message !== null : before.isFresh
    this.#setEvent(log, row.number, { row, isFresh }, before)
  }

  evict(sessionId: string, number: number): void {
    const log = this.#log(sessionId, false)
    const before = log.events.get(number)
    if (before?.isFresh !== true && !log.isCleared)
      return this.#setEvent(log, number, { row: null, isFresh: false }, before)
    this.size -= sizeOf(before)
    log.events.delete(number)
  }

  mark(sessionId: string, last: number, evictedThrough: number): void {
    this.#log(sessionId, false).mark = { last, evictedThrough }
  }

  forget(sessionId: string): void {
    const log = this.#log(sessionId, false)
    for (const event of log.events.values()) this.size -= sizeOf(event)
    if (log.isFresh) {
      this.#logs.delete(sessionId)
      return
    }
    log.isCleared = true
    log.events.clear()
    log.mark = undefined
  }

  /** Takes what is newer on top, when it is not known whether the disk has this or not: then nothing is fresh any more. */
  absorb(newer: Pending): void {
    this.#age()
    newer.#age()
    for (const [kind, newerRecords] of newer.#records) {
      let records = this.#records.get(kind)
      if (records === undefined) this.#records.set(kind, (records = new Map()))
      for (const [id, record] of newerRecords) this.#setRecord(records, id, record, records.get(id))
    }
    for (const [sessionId, newerLog] of newer.#logs) {
      if (newerLog.isCleared) this.forget(sessionId)
      const log = this.#log(sessionId, false)
      for (const [number, event] of newerLog.events) this.#setEvent(log, number, event, log.events.get(number))
      if (newerLog.mark !== undefined) log.mark = newerLog.mark
    }
  }

  /** From now on the disk may have heard of every key. */
  #age(): void {
    for (const records of this.#records.values()) {
      for (const [id, { json }] of records) records.set(id, { json, isFresh: false })
    }
    for (const log of this.#logs.values()) {
      log.isFresh = false
      for (const [number, { row }] of log.events) log.events.set(number, { row, isFresh: false })
    }
  }

  /** The transaction that brings a disk up to date. */
  batch(): Batch {
    const batch: Batch = { cleared: [], evicted: [], events: [], marks: [], deleted: [], records: [] }
    for (const [kind, records] of this.#records) {
      for (const [id, { json }] of records) {
        if (json === null) batch.deleted.push(kind, id)
        else batch.records.push(kind, id, json)
      }
    }
    for (const [sessionId, { isCleared, events, mark }] of this.#logs) {
      if (isCleared) batch.cleared.push(sessionId)
      for (const [number, { row }] of events) {
        if (row === null) batch.evicted.push(sessionId, number)
        else batch.events.push(sessionId, number, row.streamId, row.previous, row.message)
      }
      if (mark !== undefined) batch.marks.push(sessionId, mark.last, mark.evictedThrough)
    }
    return batch
  }

  #log(sessionId: string, isFresh: boolean): PendingLog {
    let log = this.#logs.get(sessionId)
    if (log === undefined) {
      log = { isFresh, isCleared: false, events: new Map(), mark: undefined }
      this.#logs.set(sessionId, log)
    }
    return log
  }

  #setRecord(
    records: Map<string, PendingRecord>,
    id: string,
    record: PendingRecord,
    before: PendingRecord | undefined,
  ): void {
    this.size += (record.json?.length ?? 0) - (before?.json?.length ?? 0)
    records.set(id, record)
  }

  #setEvent(log: PendingLog, number: number, event: PendingEvent, before: PendingEvent | undefined): void {
    this.size += sizeOf(event) - sizeOf(before)
    log.events.set(number, event)
  }
}

function sizeOf(event: PendingEvent | undefined): number {
  return event?.row?.message?.length ?? 0
}
