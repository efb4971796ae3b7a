/** What a store reports when it cannot be used: a stable `code` for programs, a sentence for people. None crosses the wire. */

/**
 * Why a store refused or broke.
 *
 *     locked      another server has the file open
 *     foreign     the file is no database, or one of another program
 *     newer       a later version of this package wrote the file
 *     corrupt     the file is damaged
 *     replaced    while the store was broken, somebody else opened the file
 *     unusable    the path cannot be opened or written
 *     no_driver   neither better-sqlite3 nor node:sqlite can be loaded
 *     full        the disk, or what the file may take of it, is full
 *     failed      anything else that went wrong while writing; the thread ended
 *     overloaded  too many callers wait for the disk
 */
export type StorageErrorCode =
  | 'locked'
  | 'foreign'
  | 'newer'
  | 'corrupt'
  | 'replaced'
  | 'unusable'
  | 'no_driver'
  | 'full'
  | 'failed'
  | 'overloaded'

/** A store cannot be opened, broke, or lost what was written last. */
export class StorageError extends Error {
  override readonly name = 'StorageError'
  readonly code: StorageErrorCode
  constructor(code: StorageErrorCode, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.code = code
  }
}
