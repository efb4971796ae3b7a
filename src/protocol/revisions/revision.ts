/**
 * What a protocol revision is to the core: data, and a codec from the neutral shapes (those of the newest legacy revision)
 * to its own. The core builds neutral results and params, and never asks which revision it serves; it asks for a feature
 * where a feature must be refused. A new revision is a new file here.
 */
import type { CacheHints } from '#protocol/cache-hints'
import type { Implementation } from '#protocol/entities'
import type { ErrorObject } from '#protocol/errors'
import type { JsonObject } from '#protocol/json-rpc'
import { methodRow } from '#protocol/methods'

/** What a revision may lack. */
export type Feature =
  | 'audio'
  | 'toolAnnotations'
  | 'completions'
  | 'progressMessage'
  | 'titles'
  | 'structuredContent'
  | 'resourceLinks'
  | 'elicitation'
  | 'completionContext'
  | 'itemMeta'
  | 'icons'
  | 'elicitationModes'
  | 'samplingTools'
  | 'tasks'
  | 'extensions'
  | 'anyStructuredContent'

/** What a result needs beyond itself in revisions without sessions. */
export interface ResultContext {
  readonly serverInfo: Implementation
  /** For cacheable results that carry no hints of their own. */
  readonly cache: CacheHints
}

export interface Revision {
  /** The date that names it on the wire. */
  readonly version: string
  /** 'legacy': a session opens with `initialize`. 'modern': every request says for itself who asks, in which revision. */
  readonly era: 'legacy' | 'modern'
  /** Whether one JSON text may hold several messages. */
  readonly allowsBatches: boolean
  readonly features: ReadonlySet<Feature>
  /** The result of `method` as this revision writes it. Returns the same object when there is nothing to change. */
  encodeResult(method: string, result: JsonObject, context?: ResultContext): JsonObject
  /** An error as this revision writes it: some codes changed. Returns the same object when there is nothing to change. */
  encodeError(error: ErrorObject): ErrorObject
  /**
   * The params of a request or notification as this revision writes them. Throws a ProtocolError -32602 for an elicitation
   * that the revision has no words for.
   */
  encodeParams(method: string, params: JsonObject): JsonObject
}

/** Whether `revision` has a method or notification of that name. */
export function knowsMethod(revision: Revision, method: string): boolean {
  return methodRow(method, revision.version) !== undefined
}
