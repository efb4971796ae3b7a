/**
 * Bounds on JSON Schemas, so that neither a schema nor a value can keep the validator busy for ever: how deep and how large
 * a schema may be, and how many steps one check may take. Steps count where a reference is followed, since without
 * references the work is bounded by the size of the schema times that of the value; a count of steps, unlike a time, is the
 * same on every machine. Patterns have bounds of their own, see patterns.ts.
 *
 * Spec: MCP 2026-07-28, basic, JSON Schema usage, composition-keyword resource use.
 */
import { isObject } from './json-rpc.ts'
import { type JsonSchema, SchemaError } from './schema-error.ts'

/** Longest schema as JSON text, in characters. */
export const SCHEMA_LENGTH_MAX = 1_048_576
/** Deepest nesting of schemas in a schema. */
export const SCHEMA_DEPTH_MAX = 64
/** Most schemas in a schema, itself among them. */
export const SUBSCHEMAS_MAX = 10_000
/** Most references that one check follows; a value that needs more is refused. */
export const VALIDATION_STEPS_MAX = 100_000

/** The keyword that `instrumented` puts beside each reference; the validator counts a step where it meets it. */
export const STEP_KEYWORD = 'bough:step'

/** Keywords whose members are schemas under names of the author. */
const maps: ReadonlySet<string> = new Set([
  'properties',
  'patternProperties',
  '$defs',
  'definitions',
  'dependentSchemas',
  'dependencies',
])
/** Keywords whose values are data. */
const data: ReadonlySet<string> = new Set(['enum', 'const', 'default', 'examples', 'required', 'dependentRequired'])
const references = ['$ref', '$dynamicRef', '$recursiveRef']
/** What draft-07 lets stand beside a `$ref`; it ignores the rest. */
const besideRef: ReadonlySet<string> = new Set([
  '$ref',
  '$schema',
  '$comment',
  'title',
  'description',
  'default',
  'examples',
  'definitions',
  '$defs',
])

/** Throws a SchemaError `MCP_SCHEMA_LIMIT` for a schema that is past a bound. */
export function checkBounds(schema: JsonSchema): void {
  walk(schema, false)
}

/** A copy whose references count steps; for draft-07 without the keywords beside a `$ref`, which that draft ignores. */
export function instrumented(schema: JsonSchema, ignoresBesideRef: boolean): JsonSchema {
  return walk(schema, ignoresBesideRef)
}

function walk(root: JsonSchema, ignoresBesideRef: boolean): JsonSchema {
  let count = 0

  const visit = (node: unknown, depth: number): unknown => {
    if (Array.isArray(node)) return node.map((item) => visit(item, depth))
    if (!isObject(node)) return node
    count++
    if (depth > SCHEMA_DEPTH_MAX) throw past(`nests schemas deeper than ${SCHEMA_DEPTH_MAX} levels`)
    if (count > SUBSCHEMAS_MAX) throw past(`holds more than ${SUBSCHEMAS_MAX} schemas`)
    const copy: Record<string, unknown> = {}
    const isPlainRef = ignoresBesideRef && typeof node['$ref'] === 'string'
    for (const [keyword, value] of Object.entries(node)) {
      if (isPlainRef && !besideRef.has(keyword)) continue
      if (data.has(keyword)) copy[keyword] = value
      else if (maps.has(keyword) && isObject(value)) {
        copy[keyword] = Object.fromEntries(Object.entries(value).map(([name, one]) => [name, visit(one, depth + 1)]))
      } else copy[keyword] = visit(value, depth + 1)
    }
    if (references.some((keyword) => typeof node[keyword] === 'string')) copy[STEP_KEYWORD] = true
    return copy
  }
  return visit(root, 1) as JsonSchema // an object stays one
}

/** The error for a schema past a bound. */
export function past(how: string): SchemaError {
  return new SchemaError('MCP_SCHEMA_LIMIT', `The JSON Schema ${how}. Split it, or name what repeats under $defs`)
}
