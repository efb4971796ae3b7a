/**
 * What a tool takes (and gives): one door for Standard Schemas and plain JSON Schemas. The prepared schema says what to
 * advertise, for arguments always an object schema, and parses a value into what the handler gets.
 *
 *     const input = defineInput(z.object({ city: z.string() }))
 *     input.jsonSchema                      // { type: 'object', properties: { city: { type: 'string' } }, ... }
 *     await input.parse({ city: 7 })        // { ok: false, issues: [{ path: 'city', message: 'expected string', ... }] }
 */
import { ISSUES_MAX, type Issue, issueAt } from './issues.ts'
import { isObject } from './json-rpc.ts'
import { compileSchema, type JsonSchema, SchemaError } from './json-schema.ts'
import { checkBounds } from './schema-bounds.ts'
import { isStandardSchema, type StandardIssue, type StandardResult, type StandardSchema } from './standard-schema.ts'

/** Anything that describes a value: a Standard Schema or a JSON Schema object. */
export type AnySchema = StandardSchema | JsonSchema

/** The value that a schema's handler gets: the parsed type of a Standard Schema, a record for a JSON Schema or none. */
export type InferInput<S> = S extends { readonly '~standard': { readonly types?: infer T } }
  ? NonNullable<T> extends { readonly output: infer Output }
    ? Output
    : unknown
  : Record<string, unknown>

export type ParseResult =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly issues: readonly Issue[] }

export interface InputSchema {
  /** What is advertised; for an input `type` is 'object'. */
  readonly jsonSchema: JsonSchema
  /** Checks and transforms a value; undefined arguments count as {}. A promise only for Standard Schemas that validate that way. */
  parse(value: unknown): ParseResult | Promise<ParseResult>
}

/** The prepared form of a tool's input. Without a schema any object passes. Throws a SchemaError for what is no object schema. */
export function defineInput(schema: AnySchema | undefined): InputSchema {
  return prepare(schema === undefined ? anyObject : schema, 'input')
}

/**
 * The same for a tool's output: what is advertised is the schema of values after parsing. It may be of any type, since the
 * structured result may be any JSON value. Spec: MCP 2026-07-28, server/tools, output schema.
 */
export function defineOutput(schema: AnySchema): InputSchema {
  return prepare(schema, 'output')
}

const anyObject: JsonSchema = Object.freeze({ type: 'object', properties: Object.freeze({}) })

function prepare(schema: AnySchema, side: 'input' | 'output'): InputSchema {
  if (isStandardSchema(schema)) return prepareStandard(schema, side)
  if (!isObject(schema)) {
    const hint = 'Give a Standard Schema (zod, Valibot, ArkType) or a JSON Schema object'
    throw new SchemaError(
      'MCP_SCHEMA_INVALID',
      `The ${side} schema must be an object, got ${JSON.stringify(schema)}. ${hint}`,
    )
  }
  const jsonSchema = sideSchema(copyOf(schema), side)
  const compiled = compileSchema(jsonSchema)
  return {
    jsonSchema,
    parse(value) {
      const given = side === 'input' ? (value ?? {}) : value
      const issues = compiled.check(given)
      return issues === undefined ? { ok: true, value: given } : { ok: false, issues }
    },
  }
}

function prepareStandard(schema: StandardSchema, side: 'input' | 'output'): InputSchema {
  const { validate } = schema['~standard']
  const jsonSchema = sideSchema(advertised(schema, side), side)
  checkBounds(jsonSchema)
  return {
    jsonSchema,
    parse(value) {
      const given = side === 'input' ? (value ?? {}) : value
      const result = validate(given)
      return result instanceof Promise ? result.then((settled) => outcome(settled, given)) : outcome(result, given)
    },
  }
}

/** The JSON Schema of a Standard Schema; any object where its library cannot tell. */
function advertised(schema: StandardSchema, side: 'input' | 'output'): JsonSchema {
  const { vendor, jsonSchema } = schema['~standard']
  try {
    if (jsonSchema !== undefined) return withoutDefaultDialect(jsonSchema[side]({ target: 'draft-2020-12' }))
    const toJsonSchema: unknown = Reflect.get(schema, 'toJsonSchema')
    if (typeof toJsonSchema !== 'function') return side === 'input' ? { type: 'object' } : {}
    const made: unknown = toJsonSchema.call(schema)
    return isObject(made) ? withoutDefaultDialect(made) : side === 'input' ? { type: 'object' } : {}
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    const message = `The ${side} schema made with ${vendor} has no JSON Schema: ${reason}. Use types that JSON can carry`
    throw new SchemaError('MCP_SCHEMA_INVALID', message, { cause: error })
  }
}

function withoutDefaultDialect(schema: JsonSchema): JsonSchema {
  if (schema['$schema'] !== 'https://json-schema.org/draft/2020-12/schema') return schema
  const { $schema: _dialect, ...left } = schema
  return left
}

function copyOf(schema: JsonSchema): JsonSchema {
  try {
    return JSON.parse(JSON.stringify(schema)) as JsonSchema
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new SchemaError('MCP_SCHEMA_INVALID', `The schema is no JSON: ${reason}`, { cause: error })
  }
}

/** Arguments are always an object, and their schema must say so; a result may be anything. */
function sideSchema(schema: JsonSchema, side: 'input' | 'output'): JsonSchema {
  if (side === 'output') return impliesObject(schema) ? { type: 'object', ...schema } : schema
  if (schema['type'] === 'object') return schema
  if (schema['type'] === undefined) return { type: 'object', ...schema }
  const type = JSON.stringify(schema['type'])
  throw new SchemaError(
    'MCP_SCHEMA_INVALID',
    `The ${side} schema must be of type "object", got ${type}. Wrap it in an object`,
  )
}

/** Whether a schema without a type speaks of objects only; clients of older revisions are told of such schemas alone. */
function impliesObject(schema: JsonSchema): boolean {
  const { type, properties, required, anyOf, oneOf } = schema
  if (type !== undefined) return false
  const branches: unknown = anyOf ?? oneOf
  if (Array.isArray(branches) && branches.length > 0) {
    return branches.every((branch) => isObject(branch) && (branch['type'] === 'object' || impliesObject(branch)))
  }
  return properties !== undefined || required !== undefined
}

function outcome(result: StandardResult<unknown>, given: unknown): ParseResult {
  if (result.issues === undefined) return { ok: true, value: result.value }
  return { ok: false, issues: result.issues.slice(0, ISSUES_MAX).map((issue) => issueOfStandard(issue, given)) }
}

function issueOfStandard(issue: StandardIssue, given: unknown): Issue {
  const keys = (issue.path ?? []).map((segment) => (typeof segment === 'object' ? segment.key : segment))
  return issueAt(given, keys, plainMessage(issue.message))
}

/** zod says 'Invalid input: expected string, received number'; what came is said once, by us. */
function plainMessage(message: string): string {
  const said = /^Invalid input: (expected .+), received [^,]+$/.exec(message)
  return said?.[1] ?? message
}
