/**
 * Which answers of a server are kept, and under which keys: reads of resources, and calls of tools that only read, where their
 * definition says so with `cache`. A hit is answered where the request arrives, without a process; a miss takes the usual way,
 * and what it comes to is kept as the text that the caller's revision writes.
 *
 * A private answer is kept for its caller: by who is authorized and for what, or else for the session alone. Who has neither, as
 * the requests of revision 2026-07-28 without authorization, is given no private answers from here.
 */

import type { Answers, Encoded, Query } from '#cache/answers'
import { answerKey, canonicalJson, digest } from '#cache/key'
import type { CachedText } from '#cache/port'
import type { Caching } from '#features/caching'
import type { Catalog } from '#features/catalog'
import type { Principal } from '#features/context'
import type { Resource, ResourceTemplate } from '#features/resource'
import type { Tool } from '#features/tool'
import { cacheHintsOf, encodedResult, type JsonObject, methodRow, type Revision } from '#protocol'
import type { Services } from './services.ts'

/** A request, as far as its answer depends on it. */
export interface Asking {
  readonly method: string
  readonly params: JsonObject
  readonly revision: Revision
  readonly session: string | undefined
  readonly auth: Principal | undefined
}

/** The answer that was kept, ready to be sent; undefined when there is none. Costs a look-up where nothing is kept. */
export function keptAnswer(services: Services, asking: Asking): JsonObject | undefined {
  const plan = planOf(services, asking)
  if (plan === undefined) return undefined
  const entry = plan.answers.lookup(plan.query)
  return entry === undefined ? undefined : resultOf(plan, asking, entry, false)
}

/** The answer that was kept meanwhile, or what `compute` gives, which is then kept if it may be. */
export function throughCache(
  services: Services,
  asking: Asking,
  signal: () => AbortSignal,
  compute: () => JsonObject | Promise<JsonObject>,
): JsonObject | Promise<JsonObject> {
  const plan = planOf(services, asking)
  if (plan === undefined) return compute()
  const outcome = plan.answers.run<JsonObject>(plan.query, {
    compute,
    encode: (result) => encode(services, plan, asking, result),
    signal: signal(),
  })
  const resultFrom = (one: Awaited<typeof outcome>): JsonObject =>
    'entry' in one ? resultOf(plan, asking, one.entry, one.isNew) : one.result
  return outcome instanceof Promise ? outcome.then(resultFrom) : resultFrom(outcome)
}

/** What was kept of a definition is worth nothing any more: it was replaced or removed. */
export function definitionChanged(services: Services, kind: string, key: string): void {
  services.answers?.invalidate(definitionTag(kind, key))
}

/** The tag of what `server.invalidate` names, and of a resource's URI. */
export function authorTag(name: string): string {
  return `author ${name}`
}

function definitionTag(kind: string, key: string): string {
  return `${kind} ${key}`
}

type Cacheable = Tool | Resource | ResourceTemplate

/** How a request whose answer may be kept is served. */
interface Plan {
  readonly answers: Answers
  readonly query: Query
  readonly caching: Caching
}

function planOf(services: Services, { method, params, revision, session, auth }: Asking): Plan | undefined {
  const { answers, catalog } = services
  if (answers === undefined) return undefined
  const isCall = method === 'tools/call'
  if (!isCall && method !== 'resources/read') return undefined
  if (!isCall && !keepsReads(catalog)) return undefined
  const uri = String(params['uri'])
  const definition = isCall ? catalog.tools.get(String(params['name'])) : catalog.resolve(uri)?.definition
  const caching = definition?.caching
  if (definition === undefined || caching === undefined) return undefined
  // A later round of questions, or a task: each is its own.
  if ('inputResponses' in params || 'requestState' in params || 'task' in params) return undefined
  const scope = scopeOf(caching, session, auth)
  if (scope === undefined) return undefined
  const variant = isCall ? canonicalJson(params['arguments'] ?? {}) : uri
  const fingerprint = fingerprintOf(services, definition, caching)
  return {
    answers,
    query: {
      key: answerKey({ definition: fingerprint, revision: revision.version, scope, variant }),
      tags: tagsOf(definition, caching, isCall ? undefined : uri),
      ttlMs: caching.ttlMs,
      isAdaptive: caching.isAdaptive,
      session,
      isOwn: scope.startsWith(SESSION),
    },
    caching,
  }
}

const readers = new WeakMap<Catalog, { readonly version: number; readonly keeps: boolean }>()

/** Whether reads of any resource are kept: without one, no URI has to be looked up for it. */
function keepsReads(catalog: Catalog): boolean {
  const { resources, templates } = catalog
  // Versions only rise, so their sum tells every change.
  const version = resources.version + templates.version
  const known = readers.get(catalog)
  if (known?.version === version) return known.keeps
  const isKept = ({ caching }: Resource | ResourceTemplate): boolean => caching !== undefined
  const keeps = [...resources.values()].some(isKept) || [...templates.values()].some(isKept)
  readers.set(catalog, { version, keeps })
  return keeps
}

const SESSION = 'session '

/** On whose behalf an answer is kept; undefined for somebody who cannot be told from others. */
function scopeOf({ scope }: Caching, session: string | undefined, auth: Principal | undefined): string | undefined {
  if (scope === 'public') return ''
  if (auth !== undefined)
    return `principal ${JSON.stringify([auth.id, auth.clientId ?? null, [...auth.scopes].sort()])}`
  return session === undefined ? undefined : SESSION + session
}

function tagsOf({ kind, key }: Cacheable, { tags }: Caching, uri: string | undefined): readonly string[] {
  const own = tags.map(authorTag)
  return [definitionTag(kind, key), ...(uri === undefined ? [] : [authorTag(uri)]), ...own]
}

const fingerprints = new WeakMap<Cacheable, string>()

/** Tells a definition from others, also from those of other programs that use the same cache, and from its own past. */
function fingerprintOf({ info }: Services, definition: Cacheable, { source, scope, ttlMs }: Caching): string {
  const known = fingerprints.get(definition)
  if (known !== undefined) return known
  const { kind, key, entity } = definition
  const made = digest(JSON.stringify([info.name, info.version, kind, key, entity, source, scope, ttlMs])).slice(0, 22)
  fingerprints.set(definition, made)
  return made
}

/** The text to keep of a result: none of one that went wrong, that asks for something, or that its author keeps from others. */
function encode(
  { info }: Services,
  { caching }: Plan,
  { method, revision }: Asking,
  result: JsonObject,
): Encoded | undefined {
  const { isError, resultType } = result
  if (isError === true || (resultType !== undefined && resultType !== 'complete')) return undefined
  const hints = cacheHintsOf(result)
  if (hints !== undefined && hints.cacheScope !== caching.scope) return undefined
  try {
    const context = { serverInfo: info, cache: { ttlMs: 0, cacheScope: 'private' } } as const
    const written = revision.encodeResult(method, result, revision.era === 'modern' ? context : undefined)
    if (!hasHints(method, revision)) return { text: JSON.stringify(written), ttlMs: hints?.ttlMs }
    // How long a client may keep it is less every time that it is sent.
    const { ttlMs: _ttlMs, cacheScope: _cacheScope, ...left } = written
    return { text: JSON.stringify(left), ttlMs: hints?.ttlMs }
  } catch {
    // It cannot be written: who asked is told so on the usual way.
    return undefined
  }
}

function resultOf(
  { answers, caching }: Plan,
  { method, revision }: Asking,
  entry: CachedText,
  isNew: boolean,
): JsonObject {
  if (!hasHints(method, revision)) return encodedResult(entry.text)
  // A time that has adapted is the server's: who cannot be told of a change is promised no more than the author did.
  const ttlMs = Math.min(caching.ttlMs, isNew ? entry.ttlMs : answers.leftMs(entry))
  return encodedResult(`${entry.text.slice(0, -1)},"ttlMs":${ttlMs},"cacheScope":"${caching.scope}"}`)
}

function hasHints(method: string, revision: Revision): boolean {
  return revision.era === 'modern' && methodRow(method, revision.version)?.isCacheable === true
}
