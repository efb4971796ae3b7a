/**
 * JSON Schema checks. A schema is compiled once per content, whoever asks and however often, and kept in a bounded cache.
 * The dialect is 2020-12 unless `$schema` names draft-07; other dialects, and `$ref`s that leave the schema, are refused:
 * nothing is ever fetched.
 *
 *     const city = compileSchema({ type: 'object', properties: { city: { type: 'string' } } })
 *     city.check({ city: 7 })     // [{ path: 'city', message: 'expected string', got: 'number 7' }]
 *
 * Spec: MCP 2025-11-25, basic, JSON Schema usage.
 */
import { Ajv, type Options, type ValidateFunction } from 'ajv'
import { Ajv2020 } from 'ajv/dist/2020.js'
import formats from 'ajv-formats'
import { type Issue, issuesOfAjv } from './issues.ts'
import { isObject, type JsonObject } from './json-rpc.ts'

/** A schema as data. Booleans are schemas too, but none that MCP can use. */
export type JsonSchema = JsonObject

export interface CompiledSchema {
  /** What is wrong with `value`, or undefined. At most `ISSUES_MAX` issues, one for a very large value. */
  check(value: unknown): Issue[] | undefined
}

/** A schema that cannot be used: malformed, of an unknown dialect, or with a reference that leads outside. */
export class SchemaError extends Error {
  override readonly name = 'SchemaError'
  readonly code: 'MCP_SCHEMA_INVALID' | 'MCP_SCHEMA_DIALECT'
  constructor(code: SchemaError['code'], message: string, options?: { cause?: unknown }) {
    super(message, options)
    this.code = code
  }
}

/** Most compiled schemas kept; the one used longest ago goes first. */
export const SCHEMAS_MAX = 1_000
/**
 * Values with more parts than this are checked only up to the first issue: an array of a million wrong items would
 * otherwise make a million error objects.
 */
export const CHECKED_WHOLE_MAX = 2_000

const cache = new Map<string, CompiledSchema>()
let compiles = 0

/** The compiled form of `schema`. Throws a SchemaError when it cannot be used. Costs a JSON.stringify when cached. */
export function compileSchema(schema: JsonSchema): CompiledSchema {
  const key = JSON.stringify(schema)
  const known = cache.get(key)
  if (known !== undefined) {
    cache.delete(key)
    cache.set(key, known)
    return known
  }
  const compiled = compile(key)
  if (cache.size >= SCHEMAS_MAX) cache.delete(cache.keys().next().value as string) // not empty
  cache.set(key, compiled)
  return compiled
}

/** How many schemas were compiled since the process started; a measure for tests and metrics. */
export function schemaCompiles(): number {
  return compiles
}

function compile(key: string): CompiledSchema {
  const { engine, schema } = dialectOf(JSON.parse(key) as unknown)
  const whole = build(engine, schema, true)
  let first: ValidateFunction | undefined
  return {
    check(value) {
      if (hasAtMost(value, CHECKED_WHOLE_MAX)) return whole(value) ? undefined : issuesOfAjv(whole.errors ?? [])
      first ??= build(engine, schema, false)
      return first(value) ? undefined : issuesOfAjv(first.errors ?? [])
    },
  }
}

function build(engine: Engine, schema: JsonSchema, allErrors: boolean): ValidateFunction {
  const ajv = (allErrors ? engine.whole : engine.first)()
  try {
    compiles++
    return ajv.compile(schema)
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    const hint = reason.startsWith("can't resolve reference")
      ? '. References are not fetched: put what they name under $defs'
      : ''
    throw new SchemaError('MCP_SCHEMA_INVALID', `The JSON Schema cannot be used: ${reason}${hint}`, { cause: error })
  } finally {
    ajv.removeSchema(schema)
  }
}

interface Engine {
  whole(): Ajv
  first(): Ajv
}

/** Patterns that only work without the u flag, such as `[\w-.]`, are common in the wild. */
const lenientRegExp = Object.assign(
  (pattern: string, flags: string): RegExp => {
    try {
      return new RegExp(pattern, flags)
    } catch {
      return new RegExp(pattern)
    }
  },
  { code: 'new RegExp' },
)

function engine(make: (options: Options) => Ajv): Engine {
  const instance = (allErrors: boolean): (() => Ajv) => {
    let made: Ajv | undefined
    return () => {
      if (made === undefined) {
        made = make({
          strict: false,
          allErrors,
          verbose: true,
          ownProperties: true,
          logger: false,
          addUsedSchema: false,
          code: { regExp: lenientRegExp },
        })
        formats.default(made)
      }
      return made
    }
  }
  return { whole: instance(true), first: instance(false) }
}

const draft2020 = engine((options) => new Ajv2020(options))
const draft07 = engine((options) => new Ajv(options))

const DRAFT_07 = 'http://json-schema.org/draft-07/schema#'
const DRAFT_2020 = 'https://json-schema.org/draft/2020-12/schema'

function dialectOf(schema: unknown): { engine: Engine; schema: JsonSchema } {
  if (!isObject(schema)) {
    throw new SchemaError('MCP_SCHEMA_INVALID', `A JSON Schema must be an object, got ${JSON.stringify(schema)}`)
  }
  const { $schema } = schema
  if ($schema === undefined) return { engine: draft2020, schema }
  const dialect = String($schema)
    .replace(/^https?:/, '')
    .replace(/#$/, '')
  if (dialect === '//json-schema.org/draft/2020-12/schema') {
    return { engine: draft2020, schema: { ...schema, $schema: DRAFT_2020 } }
  }
  if (dialect === '//json-schema.org/draft-07/schema')
    return { engine: draft07, schema: { ...schema, $schema: DRAFT_07 } }
  throw new SchemaError(
    'MCP_SCHEMA_DIALECT',
    `JSON Schema dialect ${JSON.stringify($schema)} is not supported. Use "${DRAFT_2020}" (the default) or "${DRAFT_07}"`,
  )
}

/** Whether `value` has at most `limit` parts; looks at no more than that. */
function hasAtMost(value: unknown, limit: number): boolean {
  let left = limit
  const count = (part: unknown): void => {
    left--
    if (typeof part !== 'object' || part === null) return
    if (Array.isArray(part)) {
      for (let index = 0; index < part.length && left >= 0; index++) count(part[index])
      return
    }
    for (const key in part) {
      if (left < 0) return
      count((part as Record<string, unknown>)[key])
    }
  }
  count(value)
  return left >= 0
}
