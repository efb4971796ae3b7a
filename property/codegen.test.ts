/**
 * Types from random schemas. 1. Generate schemas of every keyword that types know, with definitions that refer to each other, and
 * for each a value that it allows. 2. Declare a type for each, and a constant for each value. 3. Compile everything at once, as
 * strictly as possible. The laws: *generated types compile*; *a value that a schema allows is one of its type*.
 */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Names } from '#client/codegen/names'
import { SchemaTypes } from '#client/codegen/schema-types'
import { compileSchema } from '#protocol/json-schema'
import { compile } from '../test/client/codegen/compile.ts'

const seed = Number(process.env['BOUGH_SEED'] ?? 42)
const SCHEMAS = 400
const COMPILE_MS = 120_000

const keys = fc.constantFrom('a', 'b', 'c-d', '', 'then', '*/', "it's", '__proto__')
const scalars = fc.oneof(
  fc.constantFrom('x', "y'", '', '\u2028', 'z\\'),
  fc.integer({ min: -9, max: 9 }),
  fc.boolean(),
  fc.constant(null),
)

/** Own members only, also for the key `__proto__`. */
const dictionary = (values: fc.Arbitrary<unknown>): fc.Arbitrary<object> =>
  fc
    .uniqueArray(fc.tuple(keys, values), { maxLength: 3, selector: ([key]) => key })
    .map((entries) => Object.fromEntries(entries))

interface ObjectSchema {
  readonly properties?: object
  readonly required?: readonly string[]
  readonly additionalProperties?: unknown
}

/**
 * An open object asks for one member at least: of a type whose members may all be missing, TypeScript refuses values that share
 * none with it, though they are of the type.
 */
function demanding(schema: ObjectSchema): ObjectSchema {
  const { properties = {}, required = [], additionalProperties } = schema
  const isWeak = required.length === 0 && additionalProperties === undefined
  return isWeak ? { ...schema, required: Object.keys(properties).slice(0, 1) } : schema
}

const { schema } = fc.letrec<{ schema: unknown }>((tie) => {
  const inner = tie('schema')
  const anyObject = fc.record(
    {
      type: fc.constantFrom('object', ['object', 'null']),
      properties: dictionary(inner),
      required: fc.uniqueArray(keys, { maxLength: 2 }),
      additionalProperties: fc.oneof(fc.boolean(), inner),
      patternProperties: inner.map((one) => ({ '^[ab]': one })),
      description: fc.constantFrom('plain', '*/ evil() /*', 'two\nlines', '@deprecated'),
    },
    { requiredKeys: ['type'] },
  )
  const object = anyObject.map(demanding)
  const array = fc.record(
    {
      type: fc.constant('array'),
      items: inner,
      prefixItems: fc.array(inner, { minLength: 1, maxLength: 3 }),
      minItems: fc.nat(3),
      maxItems: fc.integer({ min: 0, max: 4 }),
    },
    { requiredKeys: ['type'] },
  )
  const some = fc.array(inner, { minLength: 1, maxLength: 3 })
  return {
    schema: fc.oneof(
      { maxDepth: 4, withCrossShrink: true },
      fc.record({ type: fc.constantFrom('string', 'number', 'integer', 'boolean', 'null', ['string', 'number']) }),
      fc.record({ const: fc.oneof(scalars, fc.constantFrom([1, 'x'], { a: 1 }, [], {})) }),
      fc.record({ enum: fc.uniqueArray(scalars, { minLength: 1, maxLength: 4 }) }),
      fc.boolean(),
      fc.constantFrom({}, { $ref: '#' }, { $ref: '#/$defs/one' }, { $ref: '#/$defs/two' }, { $ref: 'http://x/y' }),
      object,
      array,
      fc.record({ anyOf: some }),
      fc.record({ allOf: some }),
      fc.tuple(object, fc.record({ oneOf: some })).map(([one, other]) => ({ ...one, ...other })),
    ),
  }
})

const whole = fc
  .tuple(schema, schema, schema)
  .map(([own, one, two]) => (typeof own === 'object' ? { ...(own as object), $defs: { one, two } } : own))

/** Values that a schema of these members may allow. */
const values = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 3 },
    scalars,
    fc.array(tie('value'), { maxLength: 3 }),
    dictionary(tie('value')).filter((one) => !Object.hasOwn(one, '__proto__')),
  ),
})).value

describe('types from random schemas', () => {
  it(
    'compile, and have every value that their schema allows among theirs',
    () => {
      const samples = fc.sample(fc.tuple(whole, fc.array(values, { minLength: 30, maxLength: 30 })), {
        numRuns: SCHEMAS,
        seed,
      })
      const names = new Names()
      const types = new SchemaTypes(names)
      const uses: string[] = []
      for (const [index, [one, candidates]] of samples.entries()) {
        const name = types.declare(`T${index}`, one)
        for (const value of allowed(one, candidates)) uses.push(useOf(name, value))
      }
      expect(uses.length).toBeGreaterThan(SCHEMAS)
      const lines = uses.map((use, index) => use.replaceAll('$', () => `v${index}`))
      const { errors } = compile({ 'types.ts': `${types.text}\n${lines.join('\n')}\n` })
      expect(errors, `seed ${seed}`).toBe('')
    },
    COMPILE_MS,
  )
})

function allowed(one: unknown, candidates: readonly unknown[]): readonly unknown[] {
  if (typeof one !== 'object' || one === null) return []
  try {
    const { check } = compileSchema(one as Record<string, unknown>)
    return candidates.filter((value) => check(value) === undefined)
  } catch {
    // A schema that refers out of itself, or to nothing, cannot be checked.
    return []
  }
}

/** The value, kept in a constant first: members that a type does not name are no fault of a value. */
function useOf(type: string, value: unknown): string {
  const text = JSON.stringify(value).replaceAll('\u2028', '\\u2028')
  return `const $ = ${text}${value === null ? '' : ' as const'}\nexport const $t: ${type} = $`
}
