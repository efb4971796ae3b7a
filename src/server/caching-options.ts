/** The option `caching` of `serve` and `application`: where answers are kept that definitions let the server keep. */
import { Answers } from '#cache/answers'
import { sharedCache } from '#cache/open-cache'
import type { SharedCache } from '#cache/port'
import { describeValue } from '#protocol'
import { type Clock, type Random, realClock, realRandom } from '#runtime'
import type { Counters } from '#structures/counters'

export interface CachingOptions {
  /**
   * Where answers of tools and resources with `cache` are kept; false for nowhere, whatever they say. Default in the memory of
   * this process.
   */
  readonly caching?: false | Caching
}

export interface Caching {
  /** 'memory' (default), 'lmdb:<folder>', shared by processes and kept over restarts, or a cache of your own. */
  readonly shared?: 'memory' | `lmdb:${string}` | SharedCache
  /** Entries of the shared level at most; default 16 384 in memory, 100 000 in a folder. */
  readonly entries?: number
  /** Bytes of the shared level at most; default 33 554 432 in memory, 268 435 456 in a folder. */
  readonly bytes?: number
  /** Answers that one session keeps for itself; default 32. */
  readonly sessionEntries?: number
  /** Bytes that one session keeps for itself; default 262 144. */
  readonly sessionBytes?: number
}

/** How what keeps answers is made, at each start of the application. Throws a `TypeError` that names the option. */
export function answersOf(
  { caching = {} }: CachingOptions,
  counters: Counters,
): ((clock: Clock, random: Random) => Answers) | undefined {
  if (caching === false) return undefined
  if (typeof caching !== 'object' || caching === null)
    throw new TypeError(`serve: caching must be false or an object, got ${describeValue(caching)}.`)
  const { shared, sessionEntries, sessionBytes, ...bounds } = caching
  for (const [name, value] of Object.entries({ sessionEntries, sessionBytes })) {
    if (value !== undefined && !(Number.isSafeInteger(value) && value >= 0))
      throw new TypeError(`serve: caching.${name} must be a whole number of at least 0, got ${describeValue(value)}.`)
  }
  const make = (clock: Clock, random: Random): SharedCache =>
    typeof shared === 'object' ? shared : sharedCache(shared, { ...bounds, clock, random })
  // Wrong bounds are refused now and not at the start.
  make(realClock, realRandom)
  return (clock, random) =>
    new Answers({
      shared: make(clock, random),
      clock,
      counters,
      ...(sessionEntries !== undefined && { sessionEntries }),
      ...(sessionBytes !== undefined && { sessionBytes }),
    })
}
