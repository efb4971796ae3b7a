/**
 * SQLite, whichever there is: better-sqlite3 (an optional dependency), else what Node has built in from 22.13 on. Both are
 * brought to one small shape, and their errors to `StorageError`. Loaded in the store's own thread only.
 */
import { StorageError, type StorageErrorCode } from './errors.ts'

export type Value = string | number | null

export interface Statement {
  run(...values: Value[]): unknown
  get(...values: Value[]): unknown
  all(...values: Value[]): unknown[]
}

export interface Database {
  exec(sql: string): unknown
  prepare(sql: string): Statement
  close(): unknown
}

/** Opens a file; throws what the driver throws. */
export type OpenDatabase = (file: string, isReadonly: boolean) => Database

/** Loads a driver. Rejects with a `StorageError` that says what to install when there is none. */
export async function loadDriver(): Promise<OpenDatabase> {
  const failures: unknown[] = []
  for (const load of [betterSqlite, nodeSqlite]) {
    try {
      return await load()
    } catch (error) {
      failures.push(error)
    }
  }
  throw new StorageError(
    'no_driver',
    `SQLite is not available in Node ${process.versions.node}: better-sqlite3 cannot be loaded (${firstLine(failures[0])})` +
      ' and this Node has no node:sqlite. Run "npm install better-sqlite3", or use Node 22.13 or later.',
    failures[0],
  )
}

async function betterSqlite(): Promise<OpenDatabase> {
  const { default: BetterSqlite } = await import('better-sqlite3')
  const open: OpenDatabase = (file, isReadonly) => {
    // The driver's statements take any values; here they are strings, numbers and null.
    return new BetterSqlite(file, { readonly: isReadonly, timeout: 0 }) as unknown as Database
  }
  // The package is there also where its binary is not: only a first database shows it.
  open(':memory:', false).close()
  return open
}

interface NodeSqlite {
  readonly DatabaseSync: new (file: string, options: { readonly readOnly: boolean }) => Database
}

async function nodeSqlite(): Promise<OpenDatabase> {
  // Not a literal: the types of Node 20 do not know it.
  const name: string = 'node:sqlite'
  const { DatabaseSync } = (await import(name)) as NodeSqlite
  return (file, isReadonly) => new DatabaseSync(file, { readOnly: isReadonly })
}

/** SQLite's primary result codes. After: https://sqlite.org/rescode.html */
const codes: Readonly<Record<string, readonly [number, StorageErrorCode, string]>> = {
  BUSY: [5, 'locked', 'another server has it open. One file serves one server: stop the other, or choose another file'],
  READONLY: [8, 'unusable', 'it cannot be written. Look at the permissions of the file and its folder'],
  CORRUPT: [11, 'corrupt', 'it is damaged. Nothing was changed; restore it from a copy, or move it away to start anew'],
  FULL: [13, 'full', 'there is no room left on the disk, or within what the file may take (fileBytesMax)'],
  CANTOPEN: [14, 'unusable', 'it cannot be opened. Look at the path, and the permissions of its folder'],
  NOTADB: [26, 'foreign', 'it is no SQLite database. Nothing was changed; choose another file'],
}

/** What a driver threw, as a `StorageError` that names the file. */
export function storageError(error: unknown, file: string): StorageError {
  if (error instanceof StorageError) return error
  const { code, errcode } = error as { readonly code?: unknown; readonly errcode?: unknown }
  for (const [name, [number, storageCode, why]] of Object.entries(codes)) {
    const isIt =
      typeof errcode === 'number'
        ? (errcode & 0xff) === number
        : typeof code === 'string' && `${code}_`.startsWith(`SQLITE_${name}_`)
    if (isIt)
      return new StorageError(storageCode, `The store ${file} cannot be used: ${why} (${firstLine(error)}).`, error)
  }
  return new StorageError('failed', `The store ${file} failed: ${firstLine(error)}.`, error)
}

function firstLine(error: unknown): string {
  return String(error instanceof Error ? error.message : error)
    .split('\n', 1)[0]!
    .replace(/\.$/, '')
}
