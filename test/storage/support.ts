/** What the tests of storage share: folders that go with their test, a disk in memory that fails on demand, and waiting. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import type { Disk, OpenDisk } from '#storage/disk'
import { StorageError } from '#storage/errors'
import type { Batch } from '#storage/pending'
import type { Durable, Store } from '#storage/port'

/** An empty folder, removed after the test. */
export function tempFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'bough-storage-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/** Resolves when everything written so far is durable: at once where nothing is. */
export function durable(store: Durable): Promise<void> {
  return new Promise((resolve) => {
    if (store.whenDurable === undefined) resolve()
    else store.whenDurable(resolve)
  })
}

/** The error that a promise rejects with. */
export async function rejection(promise: Promise<unknown>): Promise<StorageError> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  if (!(error instanceof StorageError)) throw new Error(`Expected a StorageError, got ${String(error)}.`)
  return error
}

/** Lets whatever is due in this turn of the event loop happen. */
export const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

/** Closes a store after the test, whatever the test did with it. */
export function closing(store: Store): Store {
  onTestFinished(() => store.close().catch(() => undefined))
  return store
}

/**
 * A disk in memory: rows as a database would hold them, over any number of openings. A commit waits until `release`d unless
 * `isFast`; `breakNext` says whether the next commit fails, before it was done or after.
 */
export class FakeDisk {
  readonly records = new Map<string, string>()
  readonly events = new Map<string, Map<number, readonly [string, number, string | null]>>()
  readonly marks = new Map<string, readonly [number, number]>()
  readonly commits: Batch[] = []
  opened = 0
  isFast = true
  breakNext: 'before' | 'after' | undefined
  #token = 0
  #lose: ((reason: unknown) => void) | undefined
  #held: { batch: Batch; resolve: () => void; reject: (reason: unknown) => void } | undefined

  readonly open: OpenDisk = async (load, token) => {
    this.opened += 1
    if (token === undefined) {
      this.#token += 1
      load({
        records: [...this.records].flatMap(([key, json]) => [...key.split('/'), json]),
        marks: [...this.marks].flatMap(([session, mark]) => [session, ...mark]),
        events: [...this.events].flatMap(([session, rows]) => [...rows].flatMap(([n, row]) => [session, n, ...row])),
      })
    } else if (token !== String(this.#token)) throw new StorageError('replaced', 'Somebody else was here.')
    const disk: Disk = {
      token: String(this.#token),
      lost: new Promise((resolve) => {
        this.#lose = resolve
      }),
      commit: (batch) =>
        new Promise((resolve, reject) => {
          this.#held = { batch, resolve, reject }
          if (this.isFast) queueMicrotask(() => this.release())
        }),
      close: async () => undefined,
      abandon: async () => undefined,
    }
    return disk
  }

  /** Does what waits, if anything does. */
  releaseAll(): void {
    if (this.#held !== undefined) this.release()
  }

  /** Does the commit that waits, or fails it. */
  release(): void {
    const held = this.#held
    if (held === undefined) throw new Error('No commit waits.')
    this.#held = undefined
    const fault = this.breakNext
    this.breakNext = undefined
    if (fault !== 'before') this.#apply(held.batch)
    if (fault === undefined) held.resolve()
    else held.reject(new StorageError('full', 'No room left.'))
  }

  get isBusy(): boolean {
    return this.#held !== undefined
  }

  /** The disk ends by itself. */
  lose(): void {
    this.#held = undefined
    this.#lose?.(new StorageError('failed', 'The thread ended.'))
  }

  /** Somebody else opens the place and leaves it again. */
  takeOver(): void {
    this.#token += 1
  }

  #apply(batch: Batch): void {
    this.commits.push(batch)
    for (const session of batch.cleared) {
      this.events.delete(session)
      this.marks.delete(session)
    }
    const rowsOf = (session: string) => {
      let rows = this.events.get(session)
      if (rows === undefined) this.events.set(session, (rows = new Map()))
      return rows
    }
    each(batch.evicted, 2, ([session, number]) => rowsOf(session as string).delete(number as number))
    each(batch.events, 5, ([session, number, stream, previous, message]) =>
      rowsOf(session as string).set(number as number, [stream as string, previous as number, message as string | null]),
    )
    each(batch.marks, 3, ([session, last, evicted]) =>
      this.marks.set(session as string, [last as number, evicted as number]),
    )
    each(batch.deleted, 2, ([kind, id]) => this.records.delete(`${kind}/${id}`))
    each(batch.records, 3, ([kind, id, json]) => this.records.set(`${kind}/${id}`, json as string))
  }
}

function each<T>(values: readonly T[], width: number, use: (row: T[]) => void): void {
  for (let at = 0; at < values.length; at += width) use(values.slice(at, at + width))
}
