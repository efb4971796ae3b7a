/** A store from what a user wrote in the options: `'memory'`, `'sqlite:<file>'`, or a store of their own. */
import { memoryStore } from './memory.ts'
import type { Store } from './port.ts'
import { sqliteStore } from './sqlite.ts'

const SQLITE = 'sqlite:'

/**
 * Returns the store that `option` names, not opened yet; memory when it is absent. Of SQLite nothing is loaded before such a
 * store is opened. Throws `TypeError` for anything else.
 */
export function openStore(option: string | Store | undefined): Store {
  if (option === undefined || option === 'memory') return memoryStore()
  if (typeof option === 'object' && option !== null && typeof option.records === 'function') return option
  if (typeof option === 'string' && option.startsWith(SQLITE) && option.length > SQLITE.length) {
    return sqliteStore({ file: option.slice(SQLITE.length) })
  }
  throw new TypeError(`The option store must be 'memory', 'sqlite:<file>' or a Store, got ${JSON.stringify(option)}.`)
}
