/**
 * How a value that came is named in an error: its type, and the value itself when it is short and not secret.
 *
 *     describeValue(7)                  // 'number 7'
 *     describeValue('x'.repeat(500))    // 'string "xxxxxxxxxx..." of 500 characters'
 */

/** Longest text that is shown whole. */
const SHOWN_LENGTH_MAX = 40

/** Names `value`; with `isSecret` only its type. */
export function describeValue(value: unknown, isSecret = false): string {
  if (value === undefined) return 'nothing'
  if (value === null) return 'null'
  if (Array.isArray(value)) return `array of ${value.length}`
  if (typeof value === 'object' || typeof value === 'function') return typeof value
  if (isSecret) return `${typeof value} (not shown)`
  if (typeof value !== 'string') return `${typeof value} ${String(value)}`
  if (value.length <= SHOWN_LENGTH_MAX) return `string ${JSON.stringify(value)}`
  return `string ${JSON.stringify(`${value.slice(0, SHOWN_LENGTH_MAX)}...`)} of ${value.length} characters`
}
