/**
 * A cache in shared memory, for all threads of one process: one owner writes, everybody reads, everybody may invalidate.
 *
 *     head | stamps, one per slot | index: sets of rows (hash, position) | arena: a ring of entries, oldest overwritten first
 *
 * A reader takes no lock. Positions in the ring only rise; before the owner overwrites anything it raises `reserved`, so whoever
 * copied an entry looks at `reserved` afterwards and knows whether the copy is whole. An entry carries its own position and key,
 * so a row of the index that was changed meanwhile leads to a miss and never to another key's text.
 */
import type { Clock } from '#runtime'
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

export interface MemoryCacheOptions {
  /** Entries at most, rounded down to a power of two of at least 16; default 16 384. */
  readonly entries?: number
  /** Bytes for entries, rounded down to a power of two of at least 65 536; default 33 554 432. Taken as they are needed. */
  readonly bytes?: number
  readonly clock: Clock
}

const ENTRIES = 16_384
const BYTES = 33_554_432
const ENTRIES_MIN = 16
const BYTES_MIN = 65_536
const BYTES_MAX = 2 ** 30
/** One text may take this share of the arena. */
const ENTRY_SHARE = 1 / 4

const MAGIC = 0x62_6f_75_67
/** Places in the head. */
const head = { magic: 0, rows: 1, units: 2, reserved: 3 } as const
const HEAD_INTS = 16

/** Rows that one hash may be in. */
const WAYS = 4
/** Bytes of the unit in which the ring is counted: a filler must have room for its own head. */
const UNIT = 16
/** Bytes of a slot and its stamp. */
const STAMP_BYTES = 8
/** Places in an entry, in units of 4 bytes; two doubles follow, then stamps, key and text. */
const field = { position: 0, units: 1, row: 2, keyLength: 3, textLength: 4, shape: 5 } as const
const FIELD_INTS = 6
const FIXED_BYTES = FIELD_INTS * 4 + 16
/** Where the doubles stand in an entry, in units of 8 bytes: when it was stored, and for how long. */
const TIMES = FIELD_INTS / 2
/** The flag of texts with two bytes a character; the number of stamps stands above it. */
const WIDE = 1
const STAMPS_SHIFT = 8
/** A piece of the ring without an entry, up to its end: it has no row. */
const FILLER = -1
/** Rows that one sweep looks at. */
const SWEEP_ROWS_MAX = 4_096

/** The part that every thread has. */
class MemoryReader implements CacheReader {
  readonly buffer: SharedArrayBuffer
  protected readonly clock: Clock
  protected readonly ints: Int32Array
  protected readonly doubles: Float64Array
  protected readonly chars: Uint16Array
  protected readonly bytes: Buffer
  protected readonly rows: number
  protected readonly units: number
  protected readonly indexAt: number
  protected readonly arenaAt: number

  constructor(buffer: SharedArrayBuffer, clock: Clock) {
    this.buffer = buffer
    this.clock = clock
    this.ints = new Int32Array(buffer)
    this.doubles = new Float64Array(buffer)
    this.chars = new Uint16Array(buffer)
    this.bytes = Buffer.from(buffer)
    if (this.ints[head.magic] !== MAGIC) throw new TypeError('openCache: this shared memory holds no cache.')
    this.rows = this.ints[head.rows] ?? 0
    this.units = this.ints[head.units] ?? 0
    this.indexAt = HEAD_INTS + SLOTS
    this.arenaAt = (this.indexAt + this.rows * 2) * 4
  }

  get(key: string): CachedText | Miss {
    const mark = markOf(key)
    const first = this.firstRow(mark)
    for (let row = first; row < first + WAYS; row++) {
      const at = this.indexAt + row * 2
      if (Atomics.load(this.ints, at) !== mark) continue
      const found = this.read(Atomics.load(this.ints, at + 1), key)
      if (found !== undefined) return this.faultOf(found) ?? found
    }
    return 'absent'
  }

  faultOf({ storedAt, ttlMs, stamps }: CachedText): Miss | undefined {
    if (!this.isCurrent(stamps)) return 'invalidated'
    return isInTime(this.clock.wallNow(), storedAt, ttlMs) ? undefined : 'expired'
  }

  stamps(tags: readonly string[]): Stamps {
    const stamps: number[] = []
    for (const tag of tags) {
      const slot = hash32(tag) & (SLOTS - 1)
      stamps.push(slot, Atomics.load(this.ints, HEAD_INTS + slot))
    }
    return stamps
  }

  isCurrent(stamps: Stamps): boolean {
    for (let at = 0; at < stamps.length; at += 2) {
      if (Atomics.load(this.ints, HEAD_INTS + (stamps[at] as number)) !== stamps[at + 1]) return false
    }
    return true
  }

  invalidate(tag: string): void {
    Atomics.add(this.ints, HEAD_INTS + (hash32(tag) & (SLOTS - 1)), 1)
  }

  /** The first of the rows that a key may be in. */
  protected firstRow(mark: number): number {
    return mark & (this.rows - 1) & ~(WAYS - 1)
  }

  /** Where a position of the ring is, in bytes. */
  protected placeOf(position: number): number {
    return this.arenaAt + (position & (this.units - 1)) * UNIT
  }

  /** Whether the entry at `position` has not begun to be overwritten. */
  private isWhole(position: number, reserved: number): boolean {
    const distance = (reserved - position) | 0
    return distance > 0 && distance <= this.units
  }

  /** Whether the entry at `position` is that of `key`; what is being overwritten meanwhile may look like it. */
  protected isOf(position: number, key: string): boolean {
    const place = this.placeOf(position)
    const at = place / 4
    if (this.ints[at + field.position] !== position || this.ints[at + field.keyLength] !== key.length) return false
    const keyAt = (place + FIXED_BYTES + this.stampCountAt(at) * STAMP_BYTES) / 2
    for (let index = 0; index < key.length; index++) {
      if (this.chars[keyAt + index] !== key.charCodeAt(index)) return false
    }
    return true
  }

  private stampCountAt(at: number): number {
    return Math.min(TAGS_MAX, (this.ints[at + field.shape] as number) >>> STAMPS_SHIFT)
  }

  /** A copy of the entry at `position` if it is that of `key` and stayed whole. */
  private read(position: number, key: string): CachedText | undefined {
    const { ints, doubles } = this
    if (!this.isWhole(position, Atomics.load(ints, head.reserved)) || !this.isOf(position, key)) return undefined
    const place = this.placeOf(position)
    const at = place / 4
    const stampCount = this.stampCountAt(at)
    const isWide = ((ints[at + field.shape] as number) & WIDE) !== 0
    const textLength = ints[at + field.textLength] as number
    const stampsAt = place + FIXED_BYTES
    const textAt = stampsAt + stampCount * STAMP_BYTES + key.length * 2
    const text = this.bytes.toString(isWide ? 'utf16le' : 'latin1', textAt, textAt + textLength * (isWide ? 2 : 1))
    const stamps: number[] = []
    for (let index = 0; index < stampCount * 2; index++) stamps.push(ints[stampsAt / 4 + index] as number)
    const storedAt = doubles[place / 8 + TIMES] as number
    const ttlMs = doubles[place / 8 + TIMES + 1] as number
    // Changes nothing, but unlike a load it keeps the reads above it above it, also on processors that move them.
    const reserved = Atomics.or(ints, head.reserved, 0)
    return this.isWhole(position, reserved) ? { text, storedAt, ttlMs, stamps } : undefined
  }
}

/** The owner's part. */
class MemoryCache extends MemoryReader implements SharedCache {
  readonly name = 'memory'
  /** The oldest entry that is whole. */
  private tail = 0
  private entries = 0
  private sweptRow = 0

  get handle(): CacheHandle {
    return { kind: 'memory', buffer: this.buffer }
  }

  open(): void {}

  close(): void {}

  set(key: string, text: string, options: { ttlMs: number; stamps: Stamps; storedAt?: number }): boolean {
    const { ttlMs, stamps, storedAt = this.clock.wallNow() } = options
    const isWide = /[\u0100-\uffff]/.test(text)
    const textBytes = text.length * (isWide ? 2 : 1)
    const stampCount = stamps.length / 2
    const units = Math.ceil((FIXED_BYTES + stampCount * STAMP_BYTES + key.length * 2 + textBytes) / UNIT)
    if (stampCount > TAGS_MAX || units > this.units * ENTRY_SHARE) {
      this.delete(key)
      return false
    }
    const position = this.reserve(units)
    const mark = markOf(key)
    // A key keeps its row, so that whoever reads it meanwhile finds the old text or the new one.
    const row = this.rowOf(mark, key) ?? this.freeRow(mark)
    const { ints, doubles } = this
    const place = this.placeOf(position)
    const at = place / 4
    ints[at + field.position] = position
    ints[at + field.units] = units
    ints[at + field.row] = row
    ints[at + field.keyLength] = key.length
    ints[at + field.textLength] = text.length
    ints[at + field.shape] = (stampCount << STAMPS_SHIFT) | (isWide ? WIDE : 0)
    doubles[place / 8 + TIMES] = storedAt
    doubles[place / 8 + TIMES + 1] = ttlMs
    const stampsAt = (place + FIXED_BYTES) / 4
    for (let index = 0; index < stamps.length; index++) ints[stampsAt + index] = stamps[index] as number
    const keyAt = place + FIXED_BYTES + stampCount * STAMP_BYTES
    for (let index = 0; index < key.length; index++) this.chars[keyAt / 2 + index] = key.charCodeAt(index)
    this.bytes.write(text, keyAt + key.length * 2, isWide ? 'utf16le' : 'latin1')
    const rowAt = this.indexAt + row * 2
    if (ints[rowAt] === 0) this.entries++
    Atomics.store(ints, rowAt + 1, position)
    Atomics.store(ints, rowAt, mark)
    return true
  }

  delete(key: string): void {
    const row = this.rowOf(markOf(key), key)
    if (row !== undefined) this.clearRow(row)
  }

  /** Looks through some rows of the index at a time. */
  sweep(): number {
    const now = this.clock.wallNow()
    let cleared = 0
    for (let looked = 0; looked < Math.min(this.rows, SWEEP_ROWS_MAX); looked++) {
      this.sweptRow = (this.sweptRow + 1) & (this.rows - 1)
      const rowAt = this.indexAt + this.sweptRow * 2
      if (this.ints[rowAt] === 0) continue
      const at = this.placeOf(this.ints[rowAt + 1] as number) / 8 + TIMES
      if (isInTime(now, this.doubles[at] as number, this.doubles[at + 1] as number)) continue
      this.clearRow(this.sweptRow)
      cleared++
    }
    return cleared
  }

  stats(): CacheStats {
    const used = ((this.ints[head.reserved] as number) - this.tail) | 0
    return { entries: this.entries, bytes: used * UNIT, entriesMax: this.rows, bytesMax: this.units * UNIT }
  }

  /** Takes a piece of the ring, and out of the index what stood there. */
  private reserve(units: number): number {
    const { ints } = this
    const start = ints[head.reserved] as number
    const untilEnd = this.units - (start & (this.units - 1))
    const filler = untilEnd < units ? untilEnd : 0
    // First of all: from now on readers know that what stands there is going.
    const end = (Atomics.add(ints, head.reserved, filler + units) + filler + units) | 0
    while (((end - this.tail) | 0) > this.units) {
      const at = this.placeOf(this.tail) / 4
      const row = ints[at + field.row] as number
      if (row !== FILLER && ints[this.indexAt + row * 2 + 1] === this.tail) this.clearRow(row)
      this.tail = (this.tail + (ints[at + field.units] as number)) | 0
    }
    if (filler > 0) {
      const at = this.placeOf(start) / 4
      ints[at + field.position] = start
      ints[at + field.units] = filler
      ints[at + field.row] = FILLER
    }
    return (start + filler) | 0
  }

  private rowOf(mark: number, key: string): number | undefined {
    const first = this.firstRow(mark)
    for (let row = first; row < first + WAYS; row++) {
      const at = this.indexAt + row * 2
      if (this.ints[at] === mark && this.isOf(this.ints[at + 1] as number, key)) return row
    }
    return undefined
  }

  /** An empty row for a key, or the one whose entry is the oldest, emptied. */
  private freeRow(mark: number): number {
    const first = this.firstRow(mark)
    const reserved = this.ints[head.reserved] as number
    let oldest = first
    let oldestAge = -1
    for (let row = first; row < first + WAYS; row++) {
      const at = this.indexAt + row * 2
      if (this.ints[at] === 0) return row
      const age = (reserved - (this.ints[at + 1] as number)) | 0
      if (age > oldestAge) {
        oldest = row
        oldestAge = age
      }
    }
    this.clearRow(oldest)
    return oldest
  }

  private clearRow(row: number): void {
    const at = this.indexAt + row * 2
    if (this.ints[at] !== 0) this.entries--
    Atomics.store(this.ints, at, 0)
  }
}

/** What the index holds of a key: its hash, but never 0, which stands for an empty row. */
function markOf(key: string): number {
  return hash32(key) || 1
}

/** Makes a cache in shared memory. Throws a `TypeError` for bounds that are none. */
export function memoryCache({ entries = ENTRIES, bytes = BYTES, clock }: MemoryCacheOptions): SharedCache {
  const rows = powerBelow('entries', entries, ENTRIES_MIN, BYTES_MAX)
  const units = powerBelow('bytes', bytes, BYTES_MIN, BYTES_MAX) / UNIT
  const buffer = new SharedArrayBuffer((HEAD_INTS + SLOTS + rows * 2) * 4 + units * UNIT)
  const ints = new Int32Array(buffer)
  ints[head.rows] = rows
  ints[head.units] = units
  ints[head.magic] = MAGIC
  return new MemoryCache(buffer, clock)
}

/** The cache of another thread, from its handle. Throws a `TypeError` for memory that is none. */
export function openMemoryCache(buffer: SharedArrayBuffer, clock: Clock): CacheReader {
  return new MemoryReader(buffer, clock)
}

function powerBelow(name: string, value: number, least: number, most: number): number {
  if (!Number.isSafeInteger(value) || value < least || value > most)
    throw new TypeError(`caching.${name} must be a whole number from ${least} to ${most}, got ${String(value)}.`)
  return 2 ** Math.floor(Math.log2(value))
}
