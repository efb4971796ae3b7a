/**
 * A store's file, as its thread holds it: checked, locked, brought to today's format, loaded, and then written one transaction
 * at a time. WAL with synchronous=FULL: a transaction is on the disk when its commit returns. The exclusive lock is the
 * operating system's, taken by SQLite: it is free again the moment the process is gone, however it went.
 *
 * SQLite's log keeps a file whole over a crash, so what can be damaged was damaged by something else. `quick_check` looks at
 * every page before anything is written. It takes a fifth of the time that loading takes (0.35 s of 1.7 s for 276 MB), and the
 * load then finds the file in the system's memory, so it is always done.
 */
import { existsSync, rmSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { StorageError } from './errors.ts'
import type { LoadedRows } from './journal.ts'
import type { Batch } from './pending.ts'
import {
  type Database,
  loadDriver,
  type OpenDatabase,
  type Statement,
  storageError,
  type Value,
} from './sqlite-driver.ts'
import type { FileOptions } from './sqlite-frames.ts'
import { checkOwner, migrate, pragma } from './sqlite-schema.ts'

/** Rows that are handed over at once. */
const PORTION_ROWS = 1_000
/** Bytes to which the log is cut back after it was larger. */
const WAL_BYTES_MAX = 64 * 1024 * 1024

/** Opens the file, hands all it keeps to `load`, and returns it. Rejects with a `StorageError`. */
export async function openFile(options: FileOptions, load: (rows: LoadedRows) => void): Promise<SqliteFile> {
  const { file, token } = options
  const open = await loadDriver()
  checkPath(file)
  let database: Database | undefined
  try {
    if (existsSync(file)) inspect(open, file)
    else if (token !== undefined) throw replaced(file)
    database = open(file, false)
    prepare(database, options)
    if (token === undefined) loadAll(database, load)
    return new SqliteFile(database, file)
  } catch (error) {
    database?.close()
    throw storageError(error, file)
  }
}

export class SqliteFile {
  /** Differs at every opening. */
  readonly token: string
  readonly #database: Database
  readonly #file: string
  readonly #begin: Statement
  readonly #commit: Statement
  readonly #writes: readonly { readonly rows: keyof Batch; readonly width: number; readonly statement: Statement }[]

  constructor(database: Database, file: string) {
    this.#database = database
    this.#file = file
    this.token = tokenOf(database)
    this.#begin = database.prepare('BEGIN IMMEDIATE')
    this.#commit = database.prepare('COMMIT')
    const write = (rows: keyof Batch, width: number, sql: string) => ({ rows, width, statement: database.prepare(sql) })
    this.#writes = [
      write('cleared', 1, 'DELETE FROM events WHERE session = ?'),
      write('cleared', 1, 'DELETE FROM marks WHERE session = ?'),
      write('evicted', 2, 'DELETE FROM events WHERE session = ? AND number = ?'),
      write(
        'events',
        5,
        `INSERT INTO events (session, number, stream, previous, message) VALUES (?, ?, ?, ?, ?)
         ON CONFLICT (session, number) DO UPDATE SET message = excluded.message`,
      ),
      write(
        'marks',
        3,
        `INSERT INTO marks (session, last, evicted_through) VALUES (?, ?, ?)
         ON CONFLICT (session) DO UPDATE SET last = excluded.last, evicted_through = excluded.evicted_through`,
      ),
      write('deleted', 2, 'DELETE FROM records WHERE kind = ? AND id = ?'),
      write(
        'records',
        3,
        'INSERT INTO records (kind, id, json) VALUES (?, ?, ?) ON CONFLICT (kind, id) DO UPDATE SET json = excluded.json',
      ),
    ]
  }

  /** Writes a batch in one transaction; on the disk when it returns. Throws a `StorageError`; the file is then done with. */
  commit(batch: Batch): void {
    try {
      this.#begin.run()
      for (const { rows, width, statement } of this.#writes) {
        const values: readonly Value[] = batch[rows]
        for (let at = 0; at < values.length; at += width) statement.run(...values.slice(at, at + width))
      }
      this.#commit.run()
    } catch (error) {
      throw storageError(error, this.#file)
    }
  }

  /** Ends in order: the log is written back into the file and removed. */
  close(): void {
    try {
      this.#database.close()
    } catch (error) {
      throw storageError(error, this.#file)
    }
  }
}

function checkPath(file: string): void {
  const folder = dirname(file)
  if (statSync(folder, { throwIfNoEntry: false })?.isDirectory() !== true) {
    throw new StorageError(
      'unusable',
      `The store ${file} cannot be opened: there is no folder ${folder}. Create it first.`,
    )
  }
  if (statSync(file, { throwIfNoEntry: false })?.isFile() === false) {
    throw new StorageError('unusable', `The store ${file} cannot be opened: it is no file. Choose another path.`)
  }
}

/** Looks at a file that is there, before anything may be changed in it. */
function inspect(open: OpenDatabase, file: string): void {
  const database = open(file, true)
  try {
    checkOwner(database, file)
    const [found] = Object.values(database.prepare('PRAGMA quick_check(1)').get() as Readonly<Record<string, string>>)
    if (found === 'ok') return
    throw new StorageError(
      'corrupt',
      `The store ${file} is damaged: ${String(found).replace(/\s+/g, ' ')}. Nothing was changed; restore it from a copy, or move it away to start anew.`,
    )
  } finally {
    database.close()
  }
}

function prepare(database: Database, { file, fileBytesMax, token }: FileOptions): void {
  // In this order: the lock is taken by the first access after locking_mode, and kept until the file is closed.
  database.exec('PRAGMA locking_mode = EXCLUSIVE; PRAGMA busy_timeout = 0')
  const mode = database.prepare('PRAGMA journal_mode = WAL').get() as { readonly journal_mode: string }
  if (mode.journal_mode !== 'wal') {
    throw new StorageError(
      'unusable',
      `The store ${file} cannot be used: no log can be written beside it on that disk.`,
    )
  }
  database.exec(`PRAGMA synchronous = FULL; PRAGMA fullfsync = ON; PRAGMA journal_size_limit = ${WAL_BYTES_MAX}`)
  // Again, now that nobody else can change it.
  checkOwner(database, file)
  // Left by `inspect`; who has the exclusive lock needs none, and nobody else can be using it.
  rmSync(`${file}-shm`, { force: true })
  migrate(database)
  if (fileBytesMax !== undefined) {
    const pages = Math.max(1, Math.floor(fileBytesMax / pragma(database, 'page_size')))
    database.exec(`PRAGMA max_page_count = ${pages}`)
  }
  if (token === undefined) {
    database.exec("INSERT OR REPLACE INTO meta (key, value) VALUES ('token', lower(hex(randomblob(16))))")
  } else if (tokenOf(database) !== token) throw replaced(file)
}

function tokenOf(database: Database): string {
  const row = database.prepare("SELECT value FROM meta WHERE key = 'token'").get() as
    | { readonly value: string }
    | undefined
  return row?.value ?? ''
}

function replaced(file: string): StorageError {
  return new StorageError(
    'replaced',
    `The file ${file} was opened by somebody else, or taken away, while this store was broken. Restart the server.`,
  )
}

/** Everything, in portions and in the order in which it was written first. */
function loadAll(database: Database, load: (rows: LoadedRows) => void): void {
  const portions = (columns: string, table: string, hand: (values: never[]) => void): void => {
    const statement = database.prepare(
      `SELECT position, ${columns} FROM ${table} WHERE position > ? ORDER BY position LIMIT ${PORTION_ROWS}`,
    )
    const names = columns.split(', ')
    for (let position = -1; ; ) {
      const rows = statement.all(position) as Readonly<Record<string, Value>>[]
      if (rows.length > 0) hand(rows.flatMap((row) => names.map((name) => row[name] as never)))
      if (rows.length < PORTION_ROWS) return
      position = rows.at(-1)!['position'] as number
    }
  }
  const none = { records: [], marks: [], events: [] }
  portions('kind, id, json', 'records', (records) => load({ ...none, records }))
  portions('session, last, evicted_through', 'marks', (marks) => load({ ...none, marks }))
  portions('session, number, stream, previous, message', 'events', (events) => load({ ...none, events }))
}
