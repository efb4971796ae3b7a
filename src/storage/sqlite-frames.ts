/** What the program and the thread that owns the file say to each other. */
import type { StorageErrorCode } from './errors.ts'
import type { LoadedRows } from './journal.ts'
import type { Batch } from './pending.ts'

/** What the thread is started with. */
export interface FileOptions {
  /** Absolute. */
  readonly file: string
  /** Bytes the file may grow to; undefined for what the disk has. */
  readonly fileBytesMax: number | undefined
  /** Without it everything is loaded; with it nothing, and the file must not have been opened since. */
  readonly token: string | undefined
}

export type ToThread = { readonly type: 'commit'; readonly batch: Batch } | { readonly type: 'close' }

export type FromThread =
  | { readonly type: 'rows'; readonly rows: LoadedRows }
  | { readonly type: 'opened'; readonly token: string }
  | { readonly type: 'committed' }
  | { readonly type: 'closed' }
  /** The thread ends by itself after this. */
  | { readonly type: 'failed'; readonly code: StorageErrorCode; readonly message: string; readonly cause: unknown }
