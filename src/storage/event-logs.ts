/**
 * The event logs of all sessions, in memory: one log each, and a bound over all of them.
 *
 * After: MCP 2025-11-25, basic/transports, resumability and redelivery.
 */
import { positive } from './bounds.ts'
import { type Budget, KeptLog, type Limits } from './event-log.ts'
import type { EventRow, Journal } from './journal.ts'
import type { EventStore } from './port.ts'

export interface EventBounds {
  /** Events kept per session, all streams together. Default 1 000. */
  readonly maxEvents?: number
  /** Bytes of messages (as UTF-8) kept per session. Default 4 MiB. A single larger message is not kept. */
  readonly maxBytes?: number
  /** Bytes of messages kept over all sessions; beyond it the logs that were not written for longest are emptied. Default 256 MiB. */
  readonly maxTotalBytes?: number
}

export class EventLogs implements EventStore {
  readonly #limits: Limits
  readonly #budget: TotalBudget
  readonly #journal: Journal | undefined
  readonly #logs = new Map<string, KeptLog>()

  constructor(bounds: EventBounds, journal?: Journal) {
    this.#limits = {
      maxEvents: positive('maxEvents', bounds.maxEvents ?? 1_000),
      maxBytes: positive('maxBytes', bounds.maxBytes ?? 4 * 1024 * 1024),
    }
    this.#budget = new TotalBudget(positive('maxTotalBytes', bounds.maxTotalBytes ?? 256 * 1024 * 1024))
    this.#journal = journal
  }

  open(sessionId: string): KeptLog {
    let log = this.#logs.get(sessionId)
    if (log === undefined) {
      log = new KeptLog(sessionId, this.#limits, this.#budget, this.#journal)
      this.#logs.set(sessionId, log)
    }
    return log
  }

  get bytes(): number {
    return this.#budget.bytes
  }

  delete(sessionId: string): void {
    const log = this.#logs.get(sessionId)
    if (log === undefined) return
    if (log.isWritten) this.#journal?.forget(sessionId)
    log.detach()
    this.#logs.delete(sessionId)
  }

  /** Takes an event that a disk kept; those of a session come in order. */
  loadEvent(sessionId: string, row: EventRow): void {
    this.open(sessionId).load(row)
  }

  /** Takes what a disk kept of numbers whose events have gone. */
  loadMark(sessionId: string, last: number, evictedThrough: number): void {
    this.open(sessionId).loadMark(last, evictedThrough)
  }

  /** Evicts what the bounds do not allow. */
  settle(): void {
    for (const log of this.#logs.values()) log.settle()
    this.#budget.keep()
  }

  /** Forgets every event without telling the journal. The logs stay the same objects, and never give a number twice. */
  reset(): void {
    for (const log of this.#logs.values()) log.clear()
  }
}

/** What all logs of a store may keep together. */
class TotalBudget implements Budget {
  readonly #maxBytes: number
  #bytes = 0
  /** Logs that keep something, the one not written for longest first. */
  readonly #written = new Set<KeptLog>()

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  get bytes(): number {
    return this.#bytes
  }

  /** A log grew or shrank by `bytes`. */
  spend(log: KeptLog, bytes: number): void {
    this.#bytes += bytes
    this.#written.delete(log)
    if (log.bytes > 0) this.#written.add(log)
    if (bytes > 0) this.keep(log)
  }

  /** Empties logs until the rest fits; `spared` is not emptied. */
  keep(spared?: KeptLog): void {
    for (const oldest of this.#written) {
      if (this.#bytes <= this.#maxBytes || oldest === spared) return
      oldest.empty()
    }
  }

  /** A log grew while it was loaded. */
  load(log: KeptLog, bytes: number): void {
    this.#bytes += bytes
    this.#written.delete(log)
    this.#written.add(log)
  }
}
