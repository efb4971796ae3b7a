/**
 * What a shared cache is: texts by key, each with a time to live and with tags. Reading is synchronous and sends no message, in
 * whatever thread or process. Invalidating a tag writes a new stamp for it; an entry remembers the stamps that its tags had
 * before its text was made, and is worth nothing once one of them is another. So nobody has to be told, and a text that was
 * being made while something changed is never served.
 *
 *     const stamps = cache.stamps(['orders'])                    // before reading the orders
 *     cache.set('report', await report(), { ttlMs: 60_000, stamps })
 *     cache.get('report')                                        // { text, ... }
 *     cache.invalidate('orders')
 *     cache.get('report')                                        // 'invalidated'
 *
 * A cache over several machines implements the same: what is near it answers from `get`, the rest from `fetch`.
 */

/** How some tags stand: pairs of a slot and its stamp. Two tags may share a slot, and then are invalidated together. */
export type Stamps = readonly number[]

export interface CachedText {
  readonly text: string
  /** When what it was made of was read, in ms since 1970. */
  readonly storedAt: number
  /** Milliseconds from then on in which it may be served. */
  readonly ttlMs: number
  readonly stamps: Stamps
}

/** Why there is no text: never kept or displaced, too old, or a tag of it was invalidated. */
export type Miss = 'absent' | 'expired' | 'invalidated'

export interface CacheStats {
  readonly entries: number
  readonly bytes: number
  readonly entriesMax: number
  readonly bytesMax: number
}

/** What another thread or process needs to read the same cache; survives being copied into a thread. */
export type CacheHandle =
  | { readonly kind: 'memory'; readonly buffer: SharedArrayBuffer }
  | { readonly kind: 'lmdb'; readonly folder: string }

/** What every thread may do. */
export interface CacheReader {
  /** The text under `key` while it may be served, or why there is none. */
  get(key: string): CachedText | Miss
  /** Why a text that was got earlier may not be served any more; undefined while it may. */
  faultOf(entry: CachedText): Miss | undefined
  /** How these tags stand now. Take them before reading what a text is made of. */
  stamps(tags: readonly string[]): Stamps
  isCurrent(stamps: Stamps): boolean
  /** Whatever has this tag is worth nothing from now on, in every thread and process that reads the cache. */
  invalidate(tag: string): void
}

/** What its owner may do. */
export interface SharedCache extends CacheReader {
  readonly name: string
  /** For `openCache` in another thread; undefined where there is nothing to open. */
  readonly handle: CacheHandle | undefined
  /** Makes it ready. Rejects with a sentence that says what is missing. Until then, and after `close`, nothing is found. */
  open(): void | Promise<void>
  /** Keeps a text; false when it is too large or cannot be kept now, which is no error. */
  set(key: string, text: string, options: { ttlMs: number; stamps: Stamps; storedAt?: number }): boolean
  delete(key: string): void
  /** Asked after a miss of `get`, by the request that would make the text itself: for what is farther away. */
  fetch?(key: string): Promise<CachedText | undefined>
  /** Forgets some of what is too old, a bounded piece at a time; returns how much. */
  sweep(): number
  stats(): CacheStats
  close(): void | Promise<void>
}

/** Whether a text that was read at `storedAt` may be served at `now`. A clock that went back makes it too old. */
export function isInTime(now: number, storedAt: number, ttlMs: number): boolean {
  const ageMs = now - storedAt
  return ageMs >= 0 && ageMs < ttlMs
}

/** Most tags of one entry. */
export const TAGS_MAX = 16
/** Slots that tags are spread over. */
export const SLOTS = 16_384
