/**
 * The stores of a server that keeps nothing on disk.
 *
 *     const store = memoryStore({ maxEvents: 100 })
 *     const sessions = store.records<SessionRecord>('session', 10_000)
 *     const id = store.events.open(sessionId).append('get', '{"jsonrpc":"2.0",...}')      // 'get_1'
 *     store.events.open(sessionId).replay(id)                  // { streamId: 'get', events: [], gap: false }
 *
 * Nothing has to be opened; `close` forgets everything.
 */
import { positive } from './bounds.ts'
import { type EventBounds, EventLogs } from './event-logs.ts'
import { Mirror } from './mirror.ts'
import type { EventLog, EventStore, SessionRecord, SessionStore, Store } from './port.ts'
import { RecordTable } from './records.ts'

export type MemoryEventStoreOptions = EventBounds
export type MemoryStoreOptions = EventBounds

/** A store in this process's memory. Throws `RangeError` for a bound that is not a positive integer. */
export function memoryStore(options: MemoryStoreOptions = {}): Store {
  const mirror = new Mirror(options)
  return {
    name: 'memory',
    open: () => Promise.resolve(),
    close: async () => mirror.reset(),
    records: (kind, max) => mirror.records(kind, max),
    events: mirror.events,
  }
}

/** Event logs in this process's memory. Throws `RangeError` for a bound that is not a positive integer. */
export function memoryEventStore(options: MemoryEventStoreOptions = {}): EventStore {
  return new EventLogs(options)
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
  const table = new RecordTable<SessionRecord>('session', undefined)
  table.max = positive('maxSessions', options.maxSessions ?? 100_000)
  return table
}
