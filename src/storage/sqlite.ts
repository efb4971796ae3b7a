/**
 * The store of a server that must remember: one SQLite file, which a thread of its own writes.
 *
 *     import { sqliteStore } from 'bough/storage/sqlite'
 *
 *     const store = sqliteStore({ file: 'weather.db' })
 *     await store.open()                                   // loads what an earlier run left
 *     const sessions = store.records<SessionRecord>('session', 10_000)
 *     sessions.put(session)                                // returns at once
 *     sessions.whenDurable?.(() => tellTheClient())        // after the commit that holds it
 *     await store.close()
 *
 * One server per file: a second one is refused. Needs better-sqlite3 or a Node with node:sqlite. The promise is that of SQLite
 * with synchronous=FULL: what `whenDurable` reported survives a kill at any moment, and a loss of power where the disk keeps
 * its word. A network drive whose locks or flushes do not work is no place for it.
 */
import { resolve } from 'node:path'
import { positive } from './bounds.ts'
import { type DurableBounds, durableStore } from './durable-store.ts'
import type { Store } from './port.ts'

export { StorageError, type StorageErrorCode } from './errors.ts'
export type { EventLog, EventStore, RecordStore, Store } from './port.ts'

export interface SqliteStoreOptions extends DurableBounds {
  /** The path of the file; made when it is not there, its folder is not. */
  readonly file: string
  /** Bytes that the file may grow to; beyond it the store breaks as on a full disk. Default: what the disk has. */
  readonly fileBytesMax?: number
}

/**
 * A store in a SQLite file; nothing happens before `open`. Throws `TypeError` for a path that is none, `RangeError` for a bound
 * that is not a positive integer.
 */
export function sqliteStore(options: SqliteStoreOptions): Store {
  const { file, fileBytesMax } = options
  if (typeof file !== 'string' || file === '' || file.startsWith(':')) {
    throw new TypeError(`The option file must be the path of a file, got ${JSON.stringify(file)}.`)
  }
  // Absolute, so that a program that changes its folder finds its file again.
  const shared = {
    file: resolve(file),
    fileBytesMax: fileBytesMax === undefined ? undefined : positive('fileBytesMax', fileBytesMax),
  }
  return durableStore({
    ...options,
    name: `sqlite:${file}`,
    openDisk: async (load, token) => {
      const { openSqliteDisk } = await import('./sqlite-disk.ts')
      return openSqliteDisk({ ...shared, token }, load)
    },
  })
}
