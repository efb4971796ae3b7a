/**
 * Lists that come in pages, as one. A page that the server allowed to be kept is not asked for again; a cursor that the server
 * does not know any more is reason to begin anew, once.
 *
 * Spec: MCP 2025-11-25, server/utilities/pagination; MCP 2026-07-28, server/utilities/caching, pagination.
 */
import { ErrorCode, type JsonObject } from '#protocol'
import type { ResultCache } from './cache.ts'
import { ClientError, clientError } from './errors.ts'
import type { RequestOptions, Requests } from './requests.ts'
import { inRounds } from './rounds.ts'

export interface PageOptions extends RequestOptions {
  /** Whether to ask the server although a result may still be used; default false. */
  readonly isFresh?: boolean
}

/** Pages of one list. */
const PAGES_MAX = 10_000

export class Pages {
  private readonly requests: Requests
  private readonly cache: ResultCache

  constructor(requests: Requests, cache: ResultCache) {
    this.requests = requests
    this.cache = cache
  }

  /** Each item of a list; what the server lists is taken at its word. */
  async *items<T>(method: string, member: string, options: PageOptions): AsyncGenerator<T, void, undefined> {
    for await (const page of this.of(method, member, options)) yield* page as T[]
  }

  /** Each page of a list. */
  async *of(method: string, member: string, options: PageOptions): AsyncGenerator<readonly unknown[], void, undefined> {
    const { isFresh = false, ...rest } = options
    let cursor: string | undefined
    let wasKept = false
    let isFirstTry = true
    for (let count = 0; count < PAGES_MAX; count++) {
      const params: JsonObject | undefined = cursor === undefined ? undefined : { cursor }
      let page = isFresh ? undefined : this.cache.get(method, params)
      if (page !== undefined) wasKept = true
      else {
        try {
          page = (await inRounds(this.requests, method, params, rest, { isSafe: true })).result
        } catch (error) {
          const isStale = error instanceof ClientError && error.code === ErrorCode.InvalidParams && cursor !== undefined
          if (!isStale || !wasKept || !isFirstTry) throw error
          // Nothing of what was kept fits the list any more.
          this.cache.drop(method)
          isFirstTry = false
          cursor = undefined
          continue
        }
        this.cache.put(method, params, page)
      }
      const items = page[member]
      if (!Array.isArray(items)) throw clientError('invalid', `The server answered ${method} without ${member}.`)
      yield items
      const next = page['nextCursor']
      if (typeof next !== 'string') return
      if (next === cursor) throw clientError('invalid', `The server answered ${method} with the same cursor again.`)
      cursor = next
    }
    throw clientError('invalid', `The list of ${method} has more than ${PAGES_MAX} pages.`)
  }
}
