/** `bough/cache`: texts that threads and processes share, with times to live and invalidation; what servers keep answers in. */
export { openCache, type SharedCacheOptions, sharedCache } from './open-cache.ts'
export type { CachedText, CacheHandle, CacheReader, CacheStats, Miss, SharedCache, Stamps } from './port.ts'
