/**
 * Everything a store keeps, in this process's memory: tables of records by kind, and the event logs. The memory store is a
 * mirror of nothing; a durable store is a mirror with a journal, which a disk follows.
 */
import { positive } from './bounds.ts'
import { type EventBounds, EventLogs } from './event-logs.ts'
import type { Journal, LoadedRows } from './journal.ts'
import { type Identified, RecordTable } from './records.ts'

export class Mirror {
  readonly events: EventLogs
  readonly #journal: Journal | undefined
  readonly #tables = new Map<string, RecordTable<Identified>>()

  /** Throws `RangeError` for a bound that is not a positive integer. */
  constructor(bounds: EventBounds, journal?: Journal) {
    this.#journal = journal
    this.events = new EventLogs(bounds, journal)
  }

  records<R extends Identified>(kind: string, max: number): RecordTable<R> {
    const table = this.#table(kind)
    if (table.max === Number.POSITIVE_INFINITY) table.max = positive('max', max)
    // What a kind holds is agreed between its users; the table only looks at ids.
    return table as unknown as RecordTable<R>
  }

  /** Takes what a disk kept. Throws a `SyntaxError` for a record that is no JSON. */
  load({ records, marks, events }: LoadedRows): void {
    for (let at = 0; at < records.length; at += 3) {
      this.#table(records[at]!).load(JSON.parse(records[at + 2]!) as Identified)
    }
    for (let at = 0; at < marks.length; at += 3) {
      this.events.loadMark(marks[at] as string, marks[at + 1] as number, marks[at + 2] as number)
    }
    for (let at = 0; at < events.length; at += 5) {
      this.events.loadEvent(events[at] as string, {
        number: events[at + 1] as number,
        streamId: events[at + 2] as string,
        previous: events[at + 3] as number,
        message: events[at + 4] as string | null,
      })
    }
  }

  /** Keeps the bounds over what was loaded: they may have been wider when it was written. */
  settle(): void {
    this.events.settle()
  }

  /** Forgets everything without telling the journal; the tables stay the same objects. */
  reset(): void {
    for (const table of this.#tables.values()) table.reset()
    this.events.reset()
  }

  #table(kind: string): RecordTable<Identified> {
    let table = this.#tables.get(kind)
    if (table === undefined) this.#tables.set(kind, (table = new RecordTable(kind, this.#journal)))
    return table
  }
}
