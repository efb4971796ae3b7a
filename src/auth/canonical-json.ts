/**
 * One text for one JSON value, whatever the order of its members, and a digest of it. After: RFC 8785 (JCS).
 *
 *     digestOf({ b: 1, a: [true] }) === digestOf({ a: [true], b: 1 })
 */
import { hash } from 'node:crypto'
import { AuthError } from './errors.ts'

/** Levels of nesting that are followed. */
export const DEPTH_MAX = 1_000

/**
 * The text of `value` with the members of every object in the order of their names' code units. Members that JSON leaves
 * out are left out. Throws `AuthError` `too_deep` beyond `DEPTH_MAX` levels.
 */
export function canonicalJson(value: unknown): string {
  return textOf(value, 0) ?? 'null'
}

/** SHA-256 of the canonical text, as base64url of 43 characters. Cost: linear, and the sort of the names. */
export function digestOf(value: unknown): string {
  return hash('sha256', canonicalJson(value), 'base64url')
}

function textOf(value: unknown, depth: number): string | undefined {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  if (depth >= DEPTH_MAX) {
    throw new AuthError('too_deep', `A value is nested deeper than ${DEPTH_MAX} levels. Send it flatter.`)
  }
  if (Array.isArray(value)) return `[${value.map((item) => textOf(item, depth + 1) ?? 'null').join(',')}]`
  if ('toJSON' in value && typeof value.toJSON === 'function') return textOf(value.toJSON(), depth + 1)
  const members: string[] = []
  // The default sort compares code units, as RFC 8785, 3.2.3 wants.
  for (const name of Object.keys(value).sort()) {
    const text = textOf((value as Record<string, unknown>)[name], depth + 1)
    if (text !== undefined) members.push(`${JSON.stringify(name)}:${text}`)
  }
  return `{${members.join(',')}}`
}
