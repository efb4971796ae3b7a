/**
 * The key of an answer: what was asked, of which definition, in which revision, on whose behalf. Two requests have one key only
 * if they may have one answer.
 */
import { createHash } from 'node:crypto'

/** Longer parts stand in a key as their digest. */
const PART_LENGTH_MAX = 256

export interface KeyParts {
  /** Tells a definition and its version from every other. */
  readonly definition: string
  readonly revision: string
  /** On whose behalf; '' for everybody. */
  readonly scope: string
  /** The URI or the canonical arguments. */
  readonly variant: string
}

export function answerKey({ definition, revision, scope, variant }: KeyParts): string {
  const own = scope.length <= PART_LENGTH_MAX ? scope : `#${digest(scope)}`
  // With its length, since a scope may hold anything.
  return `${definition} ${revision} ${own.length} ${own} ${variant.length <= PART_LENGTH_MAX ? variant : `#${digest(variant)}`}`
}

/** SHA-256 of a text, as base64url. */
export function digest(text: string): string {
  return createHash('sha256').update(text).digest('base64url')
}

/** JSON with the members of objects in the order of their names: equal values have equal texts. Takes decoded JSON only. */
export function canonicalJson(value: unknown): string {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null'
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`
  const members = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))
  return `{${members.map(([name, held]) => `${JSON.stringify(name)}:${canonicalJson(held)}`).join(',')}}`
}
