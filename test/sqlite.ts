/**
 * Whether SQLite can be had here: better-sqlite3 is an optional dependency, and needs a prebuilt binary or a compiler. Without it
 * the tests that need a file on disk are left out, and say so.
 */
import type Database from 'better-sqlite3'

type Constructor = typeof Database

async function load(): Promise<Constructor | undefined> {
  try {
    const { default: found } = await import('better-sqlite3')
    new found(':memory:').close()
    return found
  } catch {
    return undefined
  }
}

const loaded = await load()

export const hasSqlite = loaded !== undefined

if (!hasSqlite) {
  console.warn(
    'SKIPPED: better-sqlite3 cannot be loaded, so nothing is tested on SQLite. Run: npm install better-sqlite3',
  )
}

/** Opens a database beside the store under test. */
export function openDatabase(file: string, options: Database.Options = {}): Database.Database {
  if (loaded === undefined) throw new Error('better-sqlite3 cannot be loaded.')
  return new loaded(file, options)
}
