/**
 * How long and by whom a result may be kept. A neutral result carries its own hints under a symbol, which spreading keeps
 * and JSON leaves out, so that no revision without hints ever sends them. The codec of a revision that has them writes those
 * of the result, or else the server's.
 *
 *     withCacheHints({ contents }, { ttlMs: 60_000, cacheScope: 'public' })
 *
 * Spec: MCP 2026-07-28, server/utilities/caching.
 */
import { describeValue } from './describe.ts'

export interface CacheHints {
  /** Milliseconds, a whole number of 0 or more; 0 is not at all. */
  readonly ttlMs: number
  /** 'public': the same for everybody, so shared caches may keep it. One list has one scope over all its pages. */
  readonly cacheScope: 'public' | 'private'
}

const hintsKey = Symbol.for('bough.cacheHints')

/** A copy of `result` that carries `hints`. */
export function withCacheHints<T extends object>(result: T, hints: CacheHints): T {
  return { ...result, [hintsKey]: hints }
}

/** The hints that a result carries, if any. */
export function cacheHintsOf(result: object): CacheHints | undefined {
  return (result as { readonly [hintsKey]?: CacheHints })[hintsKey]
}

/** What is wrong with hints that an author gave, as a sentence without a subject, or undefined. */
export function cacheHintsFault(hints: unknown): string | undefined {
  if (typeof hints !== 'object' || hints === null) return `must hold ttlMs and cacheScope, got ${describeValue(hints)}`
  const { ttlMs, cacheScope } = hints as { readonly ttlMs?: unknown; readonly cacheScope?: unknown }
  if (!Number.isSafeInteger(ttlMs) || (ttlMs as number) < 0) {
    return `needs ttlMs as a whole number of milliseconds, 0 or more, got ${describeValue(ttlMs)}`
  }
  if (cacheScope === 'public' || cacheScope === 'private') return undefined
  return `needs cacheScope "public" or "private", got ${describeValue(cacheScope)}`
}
