/** What is done only when it can no longer be lost. */
import type { Durable } from '#storage/port'

/** Calls `act` once everything written so far is durable: at once where nothing is kept beyond this process. */
export function onceDurable(store: Durable, act: () => void): void {
  if (store.whenDurable === undefined) act()
  else store.whenDurable(act)
}
