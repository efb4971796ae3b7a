/**
 * A cache in a folder, for all threads and processes of one machine: LMDB maps its file into the memory of each, so a read is a
 * look into memory, and a write is a short transaction that no reader waits for. The texts outlive the program.
 *
 * LMDB is an optional dependency (`npm install lmdb`), loaded when the cache is opened. Nothing is flushed to the disk on
 * purpose: what a power cut takes is made again. Another process's writes are seen from the next turn of the event loop on.
 */
import { createHash } from 'node:crypto'
import type { Database, RootDatabase } from 'lmdb'
import type { Clock, Random } from '#runtime'
import { hash32 } from '#structures/text-hash'
import {
  type CachedText,
  type CacheHandle,
  type CacheReader,
  type CacheStats,
  isInTime,
  type Miss,
  type SharedCache,
  SLOTS,
  type Stamps,
  TAGS_MAX,
} from './port.ts'

export interface LmdbCacheOptions {
  /** Made when it is not there. */
  readonly folder: string
  /** Entries at most; default 100 000. */
  readonly entries?: number
  /** Bytes of entries at most, counted in pages of 4 096; default 268 435 456. */
  readonly bytes?: number
  readonly clock: Clock
  readonly random: Random
}

const ENTRIES = 100_000
const BYTES = 268_435_456
/** Longer keys are kept by their digest; LMDB's own limit is 1 978 bytes. */
const KEY_LENGTH_MAX = 400
/** The bounds are looked after once in so many writes. */
const WRITES_PER_LOOK = 64
/** One text may take this share of the bytes. */
const ENTRY_SHARE = 1 / 4
/** Entries that one look removes at most. */
const SWEEP_MAX = 1_024
/** Two doubles (stored at, time to live), a byte for the encoding, one for the number of stamps; then stamps as doubles. */
const HEAD_BYTES = 24
const STAMP_BYTES = 16
/** Threads and processes that may read at once. */
const READERS_MAX = 1_024

/** What LMDB tells of a database, as far as it is used. */
interface LmdbStats {
  readonly entryCount: number
  readonly pageSize: number
  readonly treeLeafPageCount: number
  readonly overflowPages: number
}

class LmdbCache implements SharedCache {
  readonly name: string
  private readonly options: LmdbCacheOptions
  private readonly entriesMax: number
  private readonly bytesMax: number
  private root: RootDatabase | undefined
  private answers: Database<Buffer, string> | undefined
  private stampOf: Database<Buffer, number> | undefined
  private writes = 0
  /** Where the next sweep goes on. */
  private sweepFrom: string | undefined

  constructor(options: LmdbCacheOptions) {
    this.options = options
    this.name = `lmdb:${options.folder}`
    this.entriesMax = positive('entries', options.entries ?? ENTRIES)
    this.bytesMax = positive('bytes', options.bytes ?? BYTES)
  }

  get handle(): CacheHandle {
    return { kind: 'lmdb', folder: this.options.folder }
  }

  async open(): Promise<void> {
    if (this.root !== undefined) return
    const { folder } = this.options
    const { open } = await loadLmdb()
    try {
      const root = open({ path: folder, noSync: true, overlappingSync: false, maxDbs: 2, maxReaders: READERS_MAX })
      this.answers = root.openDB<Buffer, string>('answers', { encoding: 'binary' })
      this.stampOf = root.openDB<Buffer, number>('stamps', { encoding: 'binary', keyEncoding: 'uint32' })
      this.root = root
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error)
      throw new Error(
        `The cache in ${folder} cannot be opened: ${why}. Look at the folder's permissions, or delete it: a cache is made again.`,
        { cause: error },
      )
    }
  }

  async close(): Promise<void> {
    const { root } = this
    this.root = undefined
    this.answers = undefined
    this.stampOf = undefined
    await root?.close()
  }

  get(key: string): CachedText | Miss {
    const bytes = this.answers?.getBinaryFast(keyOf(key))
    if (bytes === undefined) return 'absent'
    // Copied out at once: the bytes are valid until the next look into the database.
    const entry = entryOf(bytes)
    return this.faultOf(entry) ?? entry
  }

  faultOf({ storedAt, ttlMs, stamps }: CachedText): Miss | undefined {
    if (!this.isCurrent(stamps)) return 'invalidated'
    return isInTime(this.options.clock.wallNow(), storedAt, ttlMs) ? undefined : 'expired'
  }

  stamps(tags: readonly string[]): Stamps {
    const stamps: number[] = []
    for (const tag of tags) {
      const slot = slotOf(tag)
      stamps.push(slot, this.stampAt(slot))
    }
    return stamps
  }

  isCurrent(stamps: Stamps): boolean {
    for (let at = 0; at < stamps.length; at += 2) {
      if (this.stampAt(stamps[at] as number) !== stamps[at + 1]) return false
    }
    return true
  }

  invalidate(tag: string): void {
    const stamp = Buffer.alloc(8)
    // A new number needs no reading of the old one, so processes need not agree on it.
    stamp.writeDoubleLE(1 + this.options.random.next())
    this.opened().putSync(slotOf(tag), stamp)
  }

  set(key: string, text: string, options: { ttlMs: number; stamps: Stamps; storedAt?: number }): boolean {
    const { answers } = this
    const { ttlMs, stamps, storedAt = this.options.clock.wallNow() } = options
    if (answers === undefined || stamps.length / 2 > TAGS_MAX) return false
    const isWide = /[\u0100-\uffff]/.test(text)
    const encoding = isWide ? 'utf16le' : 'latin1'
    const textAt = HEAD_BYTES + (stamps.length / 2) * STAMP_BYTES
    const bytes = Buffer.allocUnsafe(textAt + Buffer.byteLength(text, encoding))
    bytes.writeDoubleLE(storedAt, 0)
    bytes.writeDoubleLE(ttlMs, 8)
    bytes.writeUInt8(isWide ? 1 : 0, 16)
    bytes.writeUInt8(stamps.length, 17)
    for (let index = 0; index < stamps.length; index++)
      bytes.writeDoubleLE(stamps[index] as number, HEAD_BYTES + index * 8)
    bytes.write(text, textAt, encoding)
    if (bytes.length > this.bytesMax * ENTRY_SHARE) {
      this.delete(key)
      return false
    }
    if (this.writes++ % WRITES_PER_LOOK === 0) this.trim()
    answers.putSync(keyOf(key), bytes)
    return true
  }

  delete(key: string): void {
    this.answers?.removeSync(keyOf(key))
  }

  sweep(): number {
    const now = this.options.clock.wallNow()
    return this.remove((answers, key) => {
      const entry = answers.getBinaryFast(key)
      return entry !== undefined && !isInTime(now, entry.readDoubleLE(0), entry.readDoubleLE(8))
    })
  }

  stats(): CacheStats {
    const { entriesMax, bytesMax } = this
    if (this.answers === undefined) return { entries: 0, bytes: 0, entriesMax, bytesMax }
    // The types leave it open.
    const { entryCount, pageSize, treeLeafPageCount, overflowPages } = this.answers.getStats() as LmdbStats
    return { entries: entryCount, bytes: (treeLeafPageCount + overflowPages) * pageSize, entriesMax, bytesMax }
  }

  /** Removes what is too old, then anything, until the bounds are kept again. */
  private trim(): void {
    const isOver = (): boolean => {
      const { entries, bytes } = this.stats()
      return entries > this.entriesMax - WRITES_PER_LOOK || bytes > this.bytesMax
    }
    if (isOver()) this.sweep()
    // A quarter at most, so that most of what is read is still there.
    if (isOver()) this.remove(() => true, Math.min(SWEEP_MAX, Math.ceil(this.stats().entries / 4)))
  }

  /** Looks at up to `limit` entries, going on where the last look ended, and removes those that are wanted. */
  private remove(isWanted: (answers: Database<Buffer, string>, key: string) => boolean, limit = SWEEP_MAX): number {
    const { answers } = this
    if (answers === undefined) return 0
    const range = this.sweepFrom === undefined ? {} : { start: this.sweepFrom }
    const keys = [...answers.getKeys({ ...range, limit })]
    this.sweepFrom = keys.length < limit ? undefined : keys.at(-1)
    const found = keys.filter((key) => isWanted(answers, key))
    if (found.length === 0) return 0
    answers.transactionSync(() => {
      for (const key of found) answers.removeSync(key)
    })
    return found.length
  }

  private stampAt(slot: number): number {
    return this.opened().getBinaryFast(slot)?.readDoubleLE(0) ?? 0
  }

  /** The stamps. Throws while it is not open: whether a text may be served cannot be told then. */
  private opened(): Database<Buffer, number> {
    if (this.stampOf === undefined) throw new Error(`The cache ${this.name} is not open.`)
    return this.stampOf
  }
}

/** Makes a cache in a folder; nothing happens before `open`. Throws a `TypeError` for a folder or bounds that are none. */
export function lmdbCache(options: LmdbCacheOptions): SharedCache {
  if (typeof options.folder !== 'string' || options.folder === '')
    throw new TypeError(`The folder of an LMDB cache must be a path, got ${JSON.stringify(options.folder)}.`)
  return new LmdbCache(options)
}

/** The cache of another process or thread. Rejects when it cannot be opened. */
export async function openLmdbCache(folder: string, clock: Clock, random: Random): Promise<CacheReader> {
  const cache = new LmdbCache({ folder, clock, random })
  await cache.open()
  return cache
}

function entryOf(bytes: Buffer): CachedText {
  const stampCount = bytes.readUInt8(17)
  const stamps: number[] = []
  for (let index = 0; index < stampCount; index++) stamps.push(bytes.readDoubleLE(HEAD_BYTES + index * 8))
  const encoding = bytes.readUInt8(16) === 1 ? 'utf16le' : 'latin1'
  const text = bytes.toString(encoding, HEAD_BYTES + stampCount * 8)
  return { text, storedAt: bytes.readDoubleLE(0), ttlMs: bytes.readDoubleLE(8), stamps }
}

function keyOf(key: string): string {
  return key.length <= KEY_LENGTH_MAX ? key : createHash('sha256').update(key).digest('base64url')
}

function slotOf(tag: string): number {
  return hash32(tag) & (SLOTS - 1)
}

function positive(name: string, value: number): number {
  if (Number.isSafeInteger(value) && value >= WRITES_PER_LOOK) return value
  throw new TypeError(`caching.${name} must be a whole number of at least ${WRITES_PER_LOOK}, got ${String(value)}.`)
}

async function loadLmdb(): Promise<typeof import('lmdb')> {
  try {
    return await import('lmdb')
  } catch (error) {
    const why = error instanceof Error ? error.message.split('\n', 1)[0] : String(error)
    throw new Error(
      `A cache in a folder needs the package lmdb, which cannot be loaded (${why}). Run "npm install lmdb", or use caching: { shared: 'memory' }.`,
      { cause: error },
    )
  }
}
