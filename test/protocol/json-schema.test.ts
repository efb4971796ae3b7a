import { describe, expect, it } from 'vitest'
import { compileSchema, describeIssues, ISSUES_MAX, type JsonSchema, SCHEMAS_MAX, schemaCompiles } from '#protocol'

function said(schema: JsonSchema, value: unknown): string | undefined {
  const issues = compileSchema(schema).check(value)
  return issues && describeIssues(issues)
}

const object = (properties: JsonSchema, rest: JsonSchema = {}): JsonSchema => ({ type: 'object', properties, ...rest })
const city = object({ city: { type: 'string' } }, { required: ['city'] })

describe('issues', () => {
  it.each<[string, JsonSchema, unknown, string]>([
    ['a wrong type', city, { city: 7 }, 'city: expected string, got number 7'],
    ['a missing field', city, {}, 'city: expected string, got nothing'],
    ['a value that is no object', city, [], '(arguments): expected object, got array of 0'],
    ['a nested field', object({ place: city }), { place: { city: null } }, 'place.city: expected string, got null'],
    [
      'an item',
      object({ days: { type: 'array', items: { type: 'integer' } } }),
      { days: [1, 'x'] },
      'days[1]: expected integer, got string "x"',
    ],
    [
      'an unknown field',
      object({ city: {} }, { additionalProperties: false }),
      { town: 1 },
      'town: expected no such field, got number 1',
    ],
    [
      'an unevaluated field',
      object({ city: {} }, { unevaluatedProperties: false }),
      { town: 1 },
      'town: expected no such field, got number 1',
    ],
    ['an enum', object({ a: { enum: ['x', 'y'] } }), { a: 'z' }, 'a: expected one of ["x","y"], got string "z"'],
    ['a const', object({ a: { const: 1 } }), { a: 2 }, 'a: expected 1, got number 2'],
    ['a bound', object({ a: { minimum: 3 } }), { a: 2 }, 'a: expected something that must be >= 3, got number 2'],
    [
      'a format',
      object({ a: { type: 'string', format: 'email' } }),
      { a: 'x' },
      'a: expected format email, got string "x"',
    ],
    ['a pattern', object({ a: { pattern: '^x' } }), { a: 'y' }, 'a: expected a match of ^x, got string "y"'],
    [
      'several types',
      object({ a: { type: ['string', 'null'] } }),
      { a: 1 },
      'a: expected string or null, got number 1',
    ],
    [
      'a key with a slash',
      object({ 'a/b~c': { type: 'string' } }),
      { 'a/b~c': 1 },
      'a/b~c: expected string, got number 1',
    ],
    [
      'two fields',
      object({ a: { type: 'string' }, b: { type: 'string' } }),
      { a: 1, b: true },
      'a: expected string, got number 1; b: expected string, got boolean true',
    ],
    [
      'a field inherited from Object',
      object({ toString: { type: 'string' } }, { required: ['toString'] }),
      {},
      'toString: expected string, got nothing',
    ],
  ])('name the field, what was expected and what came: %s', (_name, schema, value, sentence) => {
    expect(said(schema, value)).toBe(sentence)
  })

  it('shorten long values', () => {
    expect(said(object({ a: { type: 'number' } }), { a: 'x'.repeat(500) })).toBe(
      `a: expected number, got string "${'x'.repeat(40)}..." of 500 characters`,
    )
  })

  it.each(['password', 'apiKey', 'access_token', 'clientSecret'])('do not show the value of %s', (name) => {
    expect(said(object({ [name]: { type: 'number' } }), { [name]: 'hunter2' })).toBe(
      `${name}: expected number, got string (not shown)`,
    )
  })

  it('do not show a write-only value', () => {
    expect(said(object({ pin: { type: 'number', writeOnly: true } }), { pin: '1234' })).not.toContain('1234')
  })

  it('stay few for a value with very many faults', () => {
    const schema = object({ a: { type: 'array', items: { type: 'string' } } })
    expect(compileSchema(schema).check({ a: Array(1_000).fill(1) })).toHaveLength(ISSUES_MAX)
    expect(compileSchema(schema).check({ a: Array(1_000_000).fill(1) })).toHaveLength(1)
    expect(compileSchema(schema).check({ a: Array(100_000).fill('x') })).toBeUndefined()
  })

  it('say how many more there are', () => {
    const schema = object({ a: { type: 'array', items: { type: 'string' } } })
    expect(said(schema, { a: Array(15).fill(1) })).toMatch(/; and 5 more$/)
  })
})

describe('dialects', () => {
  const tuple2020 = object({ pair: { type: 'array', prefixItems: [{ type: 'string' }, { type: 'integer' }] } })
  const tuple07 = object({ pair: { type: 'array', items: [{ type: 'string' }, { type: 'integer' }] } })

  it.each([
    ['nothing, which means 2020-12', {}, tuple2020],
    ['2020-12', { $schema: 'https://json-schema.org/draft/2020-12/schema' }, tuple2020],
    ['draft-07', { $schema: 'http://json-schema.org/draft-07/schema#' }, tuple07],
    ['draft-07 without the fragment', { $schema: 'http://json-schema.org/draft-07/schema' }, tuple07],
    ['draft-07 by https', { $schema: 'https://json-schema.org/draft-07/schema#' }, tuple07],
  ])('a tuple is checked under %s', (_name, head, schema) => {
    const whole = { ...head, ...schema }
    expect(said(whole, { pair: ['a', 1] })).toBeUndefined()
    expect(said(whole, { pair: ['a', 'b'] })).toBe('pair[1]: expected integer, got string "b"')
  })

  it.each(['http://json-schema.org/draft-04/schema#', 'https://example.org/mine', 7])(
    '%j is refused, naming those that work',
    (dialect) => {
      expect(() => compileSchema({ $schema: dialect, type: 'object' })).toThrow(
        expect.objectContaining({ code: 'MCP_SCHEMA_DIALECT', message: expect.stringContaining('2020-12') }),
      )
    },
  )
})

describe('compileSchema', () => {
  it('compiles once per content, whoever asks and however often', () => {
    const before = schemaCompiles()
    for (let turn = 0; turn < 50; turn++) {
      const compiled = compileSchema({ type: 'object', properties: { once: { type: 'string' } } })
      compiled.check({ once: turn })
      compiled.check({ once: 'x' })
    }
    expect(schemaCompiles() - before).toBe(1)
  })

  it('keeps at most the bound, the one used longest ago going first', () => {
    const make = (index: number): JsonSchema => ({ type: 'object', title: `bound ${index}` })
    for (let index = 0; index < SCHEMAS_MAX; index++) compileSchema(make(index))
    compileSchema(make(0))
    compileSchema(make(SCHEMAS_MAX))
    const before = schemaCompiles()
    compileSchema(make(0))
    expect(schemaCompiles() - before).toBe(0)
    compileSchema(make(1))
    expect(schemaCompiles() - before).toBe(1)
  })

  it('holds two schemas that share an $id apart', () => {
    const first = compileSchema({ $id: 'https://example.org/a', type: 'object', required: ['a'] })
    const second = compileSchema({ $id: 'https://example.org/a', type: 'object', required: ['b'] })
    expect(first.check({ a: 1 })).toBeUndefined()
    expect(second.check({ a: 1 })).toBeDefined()
  })

  it('follows references inside the schema', () => {
    const tree = object(
      { tree: { $ref: '#/$defs/node' } },
      { $defs: { node: object({ next: { $ref: '#/$defs/node' }, n: { type: 'integer' } }) } },
    )
    expect(said(tree, { tree: { next: { next: { n: 'x' } } } })).toBe(
      'tree.next.next.n: expected integer, got string "x"',
    )
  })

  it.each<[string, JsonSchema, string]>([
    [
      'a reference that leads outside',
      object({ a: { $ref: 'https://example.org/s.json' } }),
      'References are not fetched',
    ],
    ['a type that does not exist', object({ a: { type: 'strin' } }), 'cannot be used'],
    ['a pattern that is none', object({ a: { type: 'string', pattern: '(' } }), 'cannot be used'],
  ])('refuses %s, saying why', (_name, schema, sentence) => {
    expect(() => compileSchema(schema)).toThrow(
      expect.objectContaining({ code: 'MCP_SCHEMA_INVALID', message: expect.stringContaining(sentence) }),
    )
  })

  it('takes unknown keywords, unknown formats and old-style patterns', () => {
    const schema = object({ a: { type: 'string', format: 'mine', pattern: '^[\\w\\-]+\\-$', 'x-note': 1 } })
    expect(said(schema, { a: 'a-' })).toBeUndefined()
  })

  it('is not changed by a later change of the schema that it was made from', () => {
    const schema = { type: 'object', required: ['a'] }
    const compiled = compileSchema(schema)
    schema.required = []
    expect(compiled.check({})).toBeDefined()
  })
})
