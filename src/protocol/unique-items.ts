/**
 * Whether the items of an array differ, as JSON Schema compares them: by value, numbers by what they are worth, objects
 * without regard to the order of their members. One pass over the array, however large its items.
 *
 * Spec: JSON Schema 2020-12, core, 4.2.2 (instance equality); validation, 6.4.3 (uniqueItems).
 */
import { isObject } from './json-rpc.ts'

/** Whether no two items are equal. Items must be JSON values. */
export function areUnique(items: readonly unknown[]): boolean {
  const seen = new Set<unknown>()
  for (const item of items) {
    // -0 and 0 are one number to a Set too; texts get a mark, so that none equals the text of an object.
    const key = typeof item === 'object' && item !== null ? keyOf(item) : typeof item === 'string' ? `"${item}` : item
    if (seen.has(key)) return false
    seen.add(key)
  }
  return true
}

function keyOf(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(keyOf).join(',')}]`
  if (!isObject(value)) return Object.is(value, -0) ? '0' : String(JSON.stringify(value))
  const names = Object.keys(value).sort()
  return `{${names.map((name) => `${JSON.stringify(name)}:${keyOf(value[name])}`).join(',')}}`
}
