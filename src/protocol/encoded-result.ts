/**
 * A result that was encoded before: its JSON text, in the words of one revision, ready to be put behind an id. It stands where a
 * neutral result does, and has no members.
 */
import type { JsonObject } from './json-rpc.ts'

const textKey = Symbol.for('bough.encodedResult')

/** A result that is sent as `text`, which must be the JSON of an object. */
export function encodedResult(text: string): JsonObject {
  return { [textKey]: text }
}

/** The text of a result that was encoded before; undefined for every other. */
export function textOfResult(result: object): string | undefined {
  return (result as { readonly [textKey]?: string })[textKey]
}
