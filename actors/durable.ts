/** What is done only when it can no longer be lost. */
import { StorageError } from '#storage/errors'
import type { Durable } from '#storage/port'

/**
 * Calls `act` once everything written so far is durable: at once where nothing is kept beyond this process. Where too many wait
 * for the disk already, `act` is never called and `overloaded` is, at once; without one the store's `StorageError` is thrown.
 */
export function onceDurable(store: Durable, act: () => void, overloaded?: () => void): void {
  if (store.whenDurable === undefined) return act()
  try {
    store.whenDurable(act)
  } catch (error) {
    if (overloaded === undefined || !(error instanceof StorageError && error.code === 'overloaded')) throw error
    overloaded()
  }
}
