/**
 * The keys of `_meta`: an optional prefix of dotted labels and a slash, then a name. Prefixes whose second label is `mcp` or
 * `modelcontextprotocol` belong to the specification; an author's definitions may not use them.
 *
 *     metaFault({ 'com.example/owner': 'ann' })     // undefined
 *     metaFault({ 'io.modelcontextprotocol/x': 1 }) // 'key "io.modelcontextprotocol/x" is one that MCP keeps ...'
 *
 * Spec: MCP 2026-07-28, basic, general fields, `_meta`.
 */
import { describeValue } from './describe.ts'
import { isObject } from './json-rpc.ts'

/** Longest key. */
export const META_KEY_LENGTH_MAX = 256

const label = /^[A-Za-z](?:[A-Za-z0-9-]*[A-Za-z0-9])?$/
const name = /^(?:[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)?$/
const reservedLabels: ReadonlySet<string | undefined> = new Set(['mcp', 'modelcontextprotocol'])
/** Names without a prefix that mean something to the protocol. */
const reservedNames: ReadonlySet<string> = new Set(['progressToken'])

/** Whether `key` has the form that the specification gives keys of `_meta`. */
export function isMetaKey(key: string): boolean {
  if (key.length > META_KEY_LENGTH_MAX) return false
  const slash = key.indexOf('/')
  if (slash === -1) return key !== '' && name.test(key)
  return (
    name.test(key.slice(slash + 1)) &&
    key
      .slice(0, slash)
      .split('.')
      .every((one) => label.test(one))
  )
}

/** Whether the specification keeps `key` for itself. */
export function isReservedMetaKey(key: string): boolean {
  const slash = key.indexOf('/')
  if (slash === -1) return reservedNames.has(key)
  return reservedLabels.has(key.slice(0, slash).split('.')[1]?.toLowerCase())
}

/** What is wrong with the `_meta` of an author's definition, as a sentence without a subject, or undefined. */
export function metaFault(meta: unknown): string | undefined {
  if (!isObject(meta)) return `must be an object, got ${describeValue(meta)}`
  for (const key of Object.keys(meta)) {
    if (!isMetaKey(key)) {
      return `key ${describeKey(key)} is no name with an optional prefix, such as "com.example/owner"`
    }
    if (isReservedMetaKey(key)) {
      return `key ${describeKey(key)} is one that MCP keeps for itself. Use a prefix of your own, such as "com.example/"`
    }
  }
  return undefined
}

function describeKey(key: string): string {
  return JSON.stringify(key.length > 80 ? `${key.slice(0, 80)}...` : key)
}
