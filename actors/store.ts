/**
 * The store as a process: it opens when it starts, before anybody reads, and closes when it is ended in order, after everybody
 * who writes. Nobody sends it messages: the tables are read and written directly.
 *
 * When the disk breaks it crashes with the reason, and its restart opens the store again. What was written meanwhile is not
 * lost: the store's memory lives on over that restart, and `open` commits what the disk lacks before any waiting client is told;
 * see src/storage/durable-store.ts. So a crash leaves the store as it is, and only an orderly end closes it. A restart waits
 * longer each time, so that a full disk does not use up the supervisor's patience while there is hope: until then the server
 * answers what needs no disk, and takes no new sessions or tasks.
 */
import { type Backoff, type ChildSpec, child, defineActor, isOrderly, type NameTable, type Self, via } from '#runtime'
import type { Store } from '#storage/port'

export const StoreProcess = defineActor({
  name: 'store',
  trapExits: true,
  init: async (store: Store, self: Self<never>) => {
    await store.open()
    const { ref } = self
    void store.broken?.then((reason) => {
      if (ref.alive) ref.send({ type: 'broken', reason })
    })
    return store
  },
  info: (_store, message) => {
    const note = message as { readonly type: string; readonly reason: unknown }
    if (note.type === 'broken') throw note.reason
  },
  terminate: (store, reason) => (isOrderly(reason) ? store.close() : undefined),
})

/** Four attempts within ten seconds: fewer than the supervisor allows. */
const BACKOFF: Backoff = { min: 250, max: 10_000, factor: 3 }
/** Milliseconds that the last commit may take. */
const CLOSE_MS = 10_000

/** The store's place in the tree: before all who use it, under the name 'store'. */
export function storeChild(names: NameTable, store: Store): ChildSpec {
  return child(StoreProcess, store, { id: 'store', name: via(names, 'store'), shutdown: CLOSE_MS, backoff: BACKOFF })
}
