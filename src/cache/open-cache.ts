/** Which shared level a server gets, and how another thread reads it. */
import { type Clock, type Random, realClock, realRandom } from '#runtime'
import { lmdbCache, openLmdbCache } from './lmdb-cache.ts'
import { memoryCache, openMemoryCache } from './memory-cache.ts'
import type { CacheHandle, CacheReader, SharedCache } from './port.ts'

export interface SharedCacheOptions {
  /** Entries at most; default 16 384 in memory, 100 000 in a folder. */
  readonly entries?: number
  /** Bytes at most; default 33 554 432 in memory, 268 435 456 in a folder. */
  readonly bytes?: number
  readonly clock?: Clock
  readonly random?: Random
}

/**
 * A shared cache: 'memory' for the threads of this process, 'lmdb:<folder>' for the processes of this machine, whose package is
 * loaded by `open`. Throws a `TypeError` for anything else, and for bounds that are none.
 */
export function sharedCache(
  where: 'memory' | `lmdb:${string}` = 'memory',
  options: SharedCacheOptions = {},
): SharedCache {
  const { clock = realClock, random = realRandom, ...bounds } = options
  if (where === 'memory') return memoryCache({ ...bounds, clock })
  if (typeof where === 'string' && where.startsWith('lmdb:') && where.length > 'lmdb:'.length)
    return lmdbCache({ ...bounds, folder: where.slice('lmdb:'.length), clock, random })
  throw new TypeError(
    `caching.shared must be 'memory', 'lmdb:<folder>' or a SharedCache, got ${JSON.stringify(where)}.`,
  )
}

/**
 * A shared cache in another thread, from the `handle` of the one that made it: for reading and invalidating, without a message.
 * Rejects when it cannot be opened.
 */
export async function openCache(
  handle: CacheHandle,
  options: Pick<SharedCacheOptions, 'clock' | 'random'> = {},
): Promise<CacheReader> {
  const { clock = realClock, random = realRandom } = options
  return handle.kind === 'memory' ? openMemoryCache(handle.buffer, clock) : openLmdbCache(handle.folder, clock, random)
}
