/**
 * What a protocol revision is to the core: data, and a codec from the neutral shapes (those of the newest legacy revision)
 * to its own. The core builds neutral results and params, and never asks which revision it serves; it asks for a feature
 * where a feature must be refused. A new revision is a new file here.
 */
import type { JsonObject } from '#protocol/json-rpc'
import { isInRevision, methodRow } from '#protocol/methods'

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

export interface Revision {
  /** The date that names it on the wire. */
  readonly version: string
  /** Whether one JSON text may hold several messages. */
  readonly allowsBatches: boolean
  readonly features: ReadonlySet<Feature>
  /** The result of `method` as this revision writes it. Returns the same object when there is nothing to change. */
  encodeResult(method: string, result: JsonObject): JsonObject
  /**
   * The params of a request or notification as this revision writes them. Throws a ProtocolError -32602 for an elicitation
   * that the revision has no words for.
   */
  encodeParams(method: string, params: JsonObject): JsonObject
}

/** Whether `revision` has a method or notification of that name. */
export function knowsMethod(revision: Revision, method: string): boolean {
  const row = methodRow(method)
  return row !== undefined && isInRevision(row, revision.version)
}
