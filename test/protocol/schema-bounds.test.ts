import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { compileSchema, describeIssues, type JsonSchema } from '#protocol'
import {
  checkBounds,
  SCHEMA_DEPTH_MAX,
  SCHEMA_LENGTH_MAX,
  SUBSCHEMAS_MAX,
  VALIDATION_STEPS_MAX,
} from '#protocol/schema-bounds'
import { areUnique } from '#protocol/unique-items'

const seed = Number(process.env['BOUGH_SEED'] ?? 42)

function said(schema: JsonSchema, value: unknown): string | undefined {
  const issues = compileSchema(schema).check(value)
  return issues && describeIssues(issues)
}

function nested(levels: number): JsonSchema {
  return levels === 1 ? { type: 'object' } : { items: nested(levels - 1) }
}

describe('the bounds of a schema', () => {
  it(`are ${SCHEMA_DEPTH_MAX} levels`, () => {
    expect(() => checkBounds(nested(SCHEMA_DEPTH_MAX))).not.toThrow()
    expect(() => compileSchema(nested(SCHEMA_DEPTH_MAX + 1))).toThrow(
      expect.objectContaining({
        code: 'MCP_SCHEMA_LIMIT',
        message: expect.stringContaining(`deeper than ${SCHEMA_DEPTH_MAX} levels`),
      }),
    )
  })

  it(`are ${SUBSCHEMAS_MAX} schemas`, () => {
    const wide = (count: number): JsonSchema => ({ anyOf: Array.from({ length: count }, () => ({})) })
    expect(() => checkBounds(wide(SUBSCHEMAS_MAX - 1))).not.toThrow()
    expect(() => compileSchema(wide(SUBSCHEMAS_MAX))).toThrow(
      expect.objectContaining({
        code: 'MCP_SCHEMA_LIMIT',
        message: expect.stringContaining(`more than ${SUBSCHEMAS_MAX} schemas`),
      }),
    )
  })

  it(`are ${SCHEMA_LENGTH_MAX} characters`, () => {
    expect(() => compileSchema({ enum: ['x'.repeat(SCHEMA_LENGTH_MAX)] })).toThrow(
      expect.objectContaining({ code: 'MCP_SCHEMA_LIMIT' }),
    )
  })

  it('do not count what is data', () => {
    const data = nested(SCHEMA_DEPTH_MAX * 2)
    expect(() => checkBounds({ enum: [data], const: data, default: data, examples: [data] })).not.toThrow()
  })

  it('refuse a schema that is no JSON, and one nested beyond the stack, with an error of their own', () => {
    const cycle: Record<string, unknown> = {}
    cycle['not'] = cycle
    expect(() => compileSchema(cycle)).toThrow(expect.objectContaining({ code: 'MCP_SCHEMA_INVALID' }))
    let deep: JsonSchema = {}
    for (let level = 0; level < 50_000; level++) deep = { not: deep }
    expect(() => compileSchema(deep)).toThrow(expect.objectContaining({ name: 'SchemaError' }))
  })
})

describe('the bound of a check', () => {
  const branching: JsonSchema = {
    $ref: '#/$defs/node',
    $defs: {
      node: {
        anyOf: [
          { type: 'object', properties: { next: { $ref: '#/$defs/node' } }, required: ['a'] },
          { type: 'object', properties: { next: { $ref: '#/$defs/node' } }, required: ['b'] },
        ],
      },
    },
  }
  const chain = (length: number): object => (length === 0 ? {} : { next: chain(length - 1) })

  it('is a number of references, so that a schema that doubles at each level ends', () => {
    expect(said(branching, chain(3))).toContain('expected')
    const started = process.cpuUsage().user
    expect(said(branching, chain(60))).toContain(`checked in ${VALIDATION_STEPS_MAX} steps`)
    expect(process.cpuUsage().user - started).toBeLessThan(3_000_000)
  })

  it('holds for references that fan out without a cycle, and is new for each check', () => {
    const $defs = Object.fromEntries(
      Array.from({ length: 40 }, (_, level) => [
        `d${level}`,
        level === 39
          ? { type: 'string' }
          : { allOf: [{ $ref: `#/$defs/d${level + 1}` }, { $ref: `#/$defs/d${level + 1}` }] },
      ]),
    )
    const fan = compileSchema({ $ref: '#/$defs/d0', $defs })
    expect(fan.check('x')?.[0]?.message).toContain('steps')
    expect(compileSchema({ $ref: '#/$defs/d30', $defs }).check('x')).toBeUndefined()
  })

  it('leaves long lists and deep trees alone', () => {
    const tree: JsonSchema = {
      $ref: '#/$defs/t',
      $defs: { t: { type: 'object', properties: { next: { $ref: '#/$defs/t' } }, additionalProperties: false } },
    }
    expect(said(tree, chain(400))).toBeUndefined()
    expect(
      said({ type: 'array', items: { $ref: '#/$defs/s' }, $defs: { s: { type: 'string' } } }, Array(50_000).fill('x')),
    ).toBeUndefined()
  })
})

describe('keywords of 2020-12', () => {
  it.each<[string, JsonSchema, unknown, unknown]>([
    ['unevaluatedProperties', { allOf: [{ properties: { a: {} } }], unevaluatedProperties: false }, { a: 1 }, { b: 1 }],
    ['unevaluatedItems', { prefixItems: [{ type: 'string' }], unevaluatedItems: false }, ['x'], ['x', 1]],
    ['prefixItems', { prefixItems: [{ type: 'string' }, { type: 'integer' }], items: false }, ['x', 1], [1, 'x']],
    ['dependentRequired', { dependentRequired: { a: ['b'] } }, { a: 1, b: 1 }, { a: 1 }],
    ['dependentSchemas', { dependentSchemas: { a: { required: ['b'] } } }, { a: 1, b: 1 }, { a: 1 }],
    ['contains with bounds', { contains: { type: 'string' }, minContains: 2, maxContains: 3 }, ['a', 'b'], ['a']],
    ['propertyNames', { propertyNames: { pattern: '^[a-z]+$' } }, { a: 1 }, { A: 1 }],
    [
      'if, then, else',
      { if: { required: ['a'] }, then: { required: ['b'] }, else: { required: ['c'] } },
      { c: 1 },
      { a: 1 },
    ],
    ['not', { not: { required: ['a'] } }, {}, { a: 1 }],
    ['oneOf', { oneOf: [{ multipleOf: 2 }, { multipleOf: 3 }] }, 4, 6],
    [
      '$anchor',
      { properties: { a: { $ref: '#x' } }, $defs: { x: { $anchor: 'x', type: 'string' } } },
      { a: 'x' },
      { a: 1 },
    ],
    [
      '$id inside',
      { properties: { a: { $ref: 'item' } }, $defs: { i: { $id: 'item', type: 'string' } } },
      { a: 'x' },
      { a: 1 },
    ],
    [
      '$dynamicRef',
      { $dynamicAnchor: 'n', type: 'object', properties: { next: { $dynamicRef: '#n' } } },
      { next: { next: {} } },
      { next: 1 },
    ],
    [
      'uniqueItems',
      { uniqueItems: true },
      [1, '1', { a: 1 }, [1]],
      [
        { a: 1, b: 2 },
        { b: 2, a: 1 },
      ],
    ],
    ['uniqueItems off', { uniqueItems: false, minItems: 1 }, [1, 1], []],
    ['boolean schemas', { properties: { a: true, b: false } }, { a: 1 }, { b: 1 }],
  ])('%s is honoured', (_name, schema, good, bad) => {
    expect(compileSchema(schema).check(good)).toBeUndefined()
    expect(compileSchema(schema).check(bad)).toBeDefined()
  })

  it('names in properties are no keywords', () => {
    const schema: JsonSchema = {
      properties: { $ref: { type: 'string' }, enum: { type: 'integer' }, properties: { type: 'boolean' } },
    }
    expect(compileSchema(schema).check({ $ref: 'x', enum: 1, properties: true })).toBeUndefined()
    expect(compileSchema(schema).check({ enum: 'x' })).toBeDefined()
  })
})

describe('draft-07', () => {
  const $schema = 'http://json-schema.org/draft-07/schema#'
  it('ignores what stands beside a $ref', () => {
    const schema: JsonSchema = {
      $schema,
      properties: { a: { $ref: '#/definitions/s', maxLength: 1 } },
      definitions: { s: { type: 'string' } },
    }
    expect(compileSchema(schema).check({ a: 'xyz' })).toBeUndefined()
    const { $schema: _dialect, ...newer } = schema
    expect(compileSchema(newer).check({ a: 'xyz' })).toBeDefined()
  })

  it('has dependencies, and lists of items with additionalItems', () => {
    const schema: JsonSchema = {
      $schema,
      dependencies: { a: ['b'], c: { required: ['d'] } },
      properties: { pair: { items: [{ type: 'string' }, { type: 'integer' }], additionalItems: false } },
    }
    const { check } = compileSchema(schema)
    expect(check({ pair: ['x', 1] })).toBeUndefined()
    expect(
      [{ a: 1 }, { c: 1 }, { pair: ['x', 'y'] }, { pair: ['x', 1, 2] }].map((bad) => check(bad) !== undefined),
    ).toEqual([true, true, true, true])
  })
})

describe('areUnique', () => {
  it('agrees with a comparison of each with each, whatever the items', () => {
    const equal = (one: unknown, other: unknown): boolean => {
      if (typeof one !== 'object' || typeof other !== 'object' || one === null || other === null) return one === other
      const names = Object.keys(one)
      return (
        Array.isArray(one) === Array.isArray(other) &&
        names.length === Object.keys(other).length &&
        names.every((name) => Object.hasOwn(other, name) && equal(Reflect.get(one, name), Reflect.get(other, name)))
      )
    }
    const scalar = fc.constantFrom<unknown>(0, -0, 1, '1', 'a', '"a"', '{}', '[]', true, 'true', null, 'null')
    const item = fc.oneof(
      scalar,
      fc.array(scalar, { maxLength: 2 }),
      fc.dictionary(fc.constantFrom('a', 'b'), scalar, { maxKeys: 2 }),
    )
    fc.assert(
      fc.property(fc.array(item, { maxLength: 4 }), (items) => {
        const isUnique = !items.some((one, index) => items.some((other, at) => at > index && equal(one, other)))
        expect(areUnique(items)).toBe(isUnique)
      }),
      { seed, numRuns: 2_000 },
    )
  })

  it('takes one pass over very many objects', () => {
    const items = Array.from({ length: 100_000 }, (_, index) => ({ index }))
    expect(compileSchema({ type: 'array', uniqueItems: true }).check(items)).toBeUndefined()
    expect(compileSchema({ type: 'array', uniqueItems: true }).check([...items, { index: 5 }])).toBeDefined()
  })
})
