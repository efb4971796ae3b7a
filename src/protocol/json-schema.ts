/**
 * JSON Schema checks. A schema is compiled once per content, whoever asks and however often, and kept in a bounded cache.
 * The dialect is 2020-12 unless `$schema` names draft-07; other dialects, and `$ref`s that leave the schema, are refused:
 * nothing is ever fetched. Schemas and checks have bounds, see schema-bounds.ts and patterns.ts.
 *
 *     const city = compileSchema({ type: 'object', properties: { city: { type: 'string' } } })
 *     city.check({ city: 7 })     // [{ path: 'city', message: 'expected string', got: 'number 7' }]
 *
 * Spec: MCP 2025-11-25 and 2026-07-28, basic, JSON Schema usage.
 */
import { Ajv, type Options, type ValidateFunction } from 'ajv'
import { Ajv2020 } from 'ajv/dist/2020.js'
import formats from 'ajv-formats'
import { type Issue, issueAt, issuesOfAjv } from './issues.ts'
import { isObject } from './json-rpc.ts'
import { compilePattern, PatternLimit } from './patterns.ts'
import { instrumented, past, SCHEMA_LENGTH_MAX, STEP_KEYWORD, VALIDATION_STEPS_MAX } from './schema-bounds.ts'
import { type JsonSchema, SchemaError } from './schema-error.ts'
import { areUnique } from './unique-items.ts'

export { type JsonSchema, SchemaError } from './schema-error.ts'

export interface CompiledSchema {
  /** What is wrong with `value`, or undefined. At most `ISSUES_MAX` issues, one for a very large value. */
  check(value: unknown): Issue[] | undefined
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
  const key = textOf(schema)
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

function textOf(schema: JsonSchema): string {
  try {
    return JSON.stringify(schema)
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new SchemaError('MCP_SCHEMA_INVALID', `The JSON Schema is no JSON: ${reason}`, { cause: error })
  }
}

function compile(key: string): CompiledSchema {
  if (key.length > SCHEMA_LENGTH_MAX) throw past(`is ${key.length} characters long; ${SCHEMA_LENGTH_MAX} are the limit`)
  const { engine, schema: written } = dialectOf(JSON.parse(key) as unknown)
  const schema = instrumented(written, engine === draft07)
  const whole = build(engine, schema, true)
  let first: ValidateFunction | undefined
  return {
    check(value) {
      if (hasAtMost(value, CHECKED_WHOLE_MAX)) return run(whole, value)
      first ??= build(engine, schema, false)
      return run(first, value)
    },
  }
}

function run(validate: ValidateFunction, value: unknown): Issue[] | undefined {
  stepsLeft = VALIDATION_STEPS_MAX
  try {
    return validate(value) ? undefined : issuesOfAjv(validate.errors ?? [])
  } catch (error) {
    if (error instanceof TooManySteps) {
      return [issueAt(value, [], `expected something that is checked in ${VALIDATION_STEPS_MAX} steps`)]
    }
    if (error instanceof PatternLimit) return [issueAt(value, [], error.message)]
    throw error
  }
}

/** Thrown through ajv's code, which has no other way to give up. */
class TooManySteps extends Error {}
let stepsLeft = 0

/** One more reference was followed. A check is synchronous, so one counter is enough. */
function step(): true {
  if (--stepsLeft < 0) throw new TooManySteps()
  return true
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

/** ajv's generated code calls the object itself; the text is for code that is saved to a file, which ours is not. */
const regExp = Object.assign(compilePattern, { code: 'new RegExp' })

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
          code: { regExp },
        })
        formats.default(made)
        made.addKeyword({ keyword: STEP_KEYWORD, schemaType: 'boolean', validate: step, errors: false })
        // ajv compares every item with every other; ours takes one pass.
        made.removeKeyword('uniqueItems')
        made.addKeyword({
          keyword: 'uniqueItems',
          type: 'array',
          schemaType: 'boolean',
          validate: (isOn: boolean, items: readonly unknown[]) => !isOn || areUnique(items),
          error: { message: 'must NOT have duplicate items' },
        })
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
