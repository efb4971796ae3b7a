/**
 * The tables of a store's file, and how those of earlier versions become today's. SQLite keeps both marks in the file's header:
 * `application_id` says that the file is ours, `user_version` how many of the migrations it has been through.
 */
import { StorageError } from './errors.ts'
import type { Database } from './sqlite-driver.ts'

/** 'boug' in ASCII. */
const APPLICATION_ID = 0x626f7567

/** Each takes the file one version on; they are never changed, only added to. */
const migrations: readonly string[] = [
  `
  CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
  CREATE TABLE records (
    position INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,
    id TEXT NOT NULL,
    json TEXT NOT NULL,
    UNIQUE (kind, id)
  );
  CREATE TABLE events (
    position INTEGER PRIMARY KEY,
    session TEXT NOT NULL,
    number INTEGER NOT NULL,
    stream TEXT NOT NULL,
    previous INTEGER NOT NULL,
    message TEXT,
    UNIQUE (session, number)
  );
  CREATE TABLE marks (
    position INTEGER PRIMARY KEY,
    session TEXT NOT NULL UNIQUE,
    last INTEGER NOT NULL,
    evicted_through INTEGER NOT NULL
  );
  `,
]

/** Throws a `StorageError` when the file is not ours to use. Writes nothing. */
export function checkOwner(database: Database, file: string): void {
  const applicationId = pragma(database, 'application_id')
  const version = pragma(database, 'user_version')
  const { count } = database.prepare('SELECT count(*) AS count FROM sqlite_schema').get() as { readonly count: number }
  const isNew = applicationId === 0 && version === 0 && count === 0
  if (applicationId !== APPLICATION_ID && !isNew) {
    throw new StorageError(
      'foreign',
      `The file ${file} is a database of another program (application_id ${applicationId}, ${count} tables and indexes).` +
        ' Nothing was changed; choose another file.',
    )
  }
  if (version > migrations.length) {
    throw new StorageError(
      'newer',
      `The file ${file} has format ${version}; this version knows formats up to ${migrations.length}.` +
        ' Nothing was changed; install the version that wrote it.',
    )
  }
}

/** Brings the file to today's format, all or nothing. */
export function migrate(database: Database): void {
  const version = pragma(database, 'user_version')
  if (version === migrations.length) return
  database.exec('BEGIN IMMEDIATE')
  for (const migration of migrations.slice(version)) database.exec(migration)
  database.exec(`PRAGMA application_id = ${APPLICATION_ID}; PRAGMA user_version = ${migrations.length}; COMMIT`)
}

/** The value of a pragma that is a single number. */
export function pragma(database: Database, name: string): number {
  const row = database.prepare(`PRAGMA ${name}`).get() as Readonly<Record<string, number>>
  return Object.values(row)[0]!
}
