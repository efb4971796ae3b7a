/** The port of a disk: what a durable store needs of the place where its mirror is kept. */
import type { LoadedRows } from './journal.ts'
import type { Batch } from './pending.ts'

export interface Disk {
  /** Changes with every opening, so that a store knows whether somebody else had the place meanwhile. */
  readonly token: string
  /** Resolves with the reason when the disk ended by itself; never after `close` or `abandon`. */
  readonly lost: Promise<unknown>
  /** Resolves when all of the batch is durable, rejects when none of it may be: then the disk has ended. One at a time. */
  commit(batch: Batch): Promise<void>
  /** Lets go; resolves when another may take the place. Rejects when it could not end in order. */
  close(): Promise<void>
  /** Lets go of a disk that failed, whatever it is doing. Resolves when another may take the place; never rejects. */
  abandon(): Promise<void>
}

/**
 * Opens a disk; rejects with a `StorageError`. Without `token`, all it keeps is handed to `load` before it resolves. With one,
 * nothing is loaded, and a place that was opened since by somebody else is refused.
 */
export type OpenDisk = (load: (rows: LoadedRows) => void, token: string | undefined) => Promise<Disk>
