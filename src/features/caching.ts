/**
 * What a definition says of keeping its answers: for how long and for whom, whether the time adapts, and what makes them
 * worthless earlier. For a resource its first two are also what clients of revision 2026-07-28 are told.
 *
 *     cache: { ttlMs: 60_000, scope: 'public', adaptive: true, tags: ['orders'] }
 */
import { cacheHintsFault, describeValue } from '#protocol'
import { isRecord, refuse } from './definition.ts'

/** How long and by whom an answer may be kept. */
export interface AnswerCaching {
  /** Milliseconds, 0 or more; 0 is not at all. */
  readonly ttlMs: number
  /** 'public': the same for every caller. 'private': for each caller their own. */
  readonly scope: 'public' | 'private'
  /** Whether the server's own time lengthens while answers stay the same and shortens when they change. Default false. */
  readonly adaptive?: boolean | undefined
  /** What `server.invalidate` names to make the answers worthless; at most 8. A URI stands for `resourceUpdated` of it. */
  readonly tags?: readonly string[] | undefined
}

/** The same made ready. */
export interface Caching {
  readonly ttlMs: number
  readonly scope: 'public' | 'private'
  readonly isAdaptive: boolean
  readonly tags: readonly string[]
  /** The text of the function whose answers are kept: another text, another definition. */
  readonly source: string
}

/** Most tags that an author may give one definition. */
export const CACHE_TAGS_MAX = 8
const TAG_LENGTH_MAX = 1_024

/** Checks what an author wrote; undefined where there is nothing to keep. Throws a FeatureError that names the option. */
export function cachingOf(what: string, cache: unknown, author: unknown): Caching | undefined {
  if (cache === undefined) return undefined
  if (!isRecord(cache)) refuse(what, `cache must be { ttlMs, scope }, got ${describeValue(cache)}`)
  const { ttlMs, scope, adaptive, tags = [] } = cache
  const fault = cacheHintsFault({ ttlMs, cacheScope: scope })
  // Authors write `scope` where the wire has `cacheScope`.
  if (fault !== undefined) refuse(what, `cache ${fault.replaceAll('cacheScope', 'scope')}`)
  if (adaptive !== undefined && typeof adaptive !== 'boolean')
    refuse(what, `cache.adaptive must be true or false, got ${describeValue(adaptive)}`)
  const isTag = (tag: unknown): boolean => typeof tag === 'string' && tag !== '' && tag.length <= TAG_LENGTH_MAX
  if (!Array.isArray(tags) || tags.length > CACHE_TAGS_MAX || !tags.every(isTag))
    refuse(what, `cache.tags must be at most ${CACHE_TAGS_MAX} non-empty texts, got ${describeValue(tags)}`)
  if (ttlMs === 0) return undefined
  return {
    ttlMs: ttlMs as number, // checked just now, as the others
    scope: scope as Caching['scope'],
    isAdaptive: adaptive === true,
    tags: [...(tags as readonly string[])],
    source: String(author),
  }
}
