import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import {
  defineInput,
  defineOutput,
  describeIssues,
  type InferInput,
  type ParseResult,
  type StandardSchema,
  schemaCompiles,
} from '#protocol'

async function said(result: ParseResult | Promise<ParseResult>): Promise<string | undefined> {
  const settled = await result
  return settled.ok ? undefined : describeIssues(settled.issues)
}

function standard(validate: StandardSchema['~standard']['validate'], more: object = {}): StandardSchema {
  return { '~standard': { version: 1, vendor: 'mine', validate }, ...more }
}

describe('a zod schema', () => {
  const schema = z.object({
    city: z.string(),
    days: z.number().int().default(3),
    place: z.object({ zip: z.string() }).optional(),
  })

  it('advertises an object schema of what is to be sent, and of what comes out', () => {
    expect(defineInput(schema).jsonSchema).toMatchObject({ type: 'object', required: ['city'] })
    expect(defineOutput(schema).jsonSchema).toMatchObject({ type: 'object', required: ['city', 'days'] })
    expect(defineInput(schema).jsonSchema).not.toHaveProperty('$schema')
  })

  it('parses with its own transforms and defaults', () => {
    expect(defineInput(schema).parse({ city: 'Oslo', other: 1 })).toEqual({
      ok: true,
      value: { city: 'Oslo', days: 3 },
    })
  })

  it('names the field, what was expected and what came', async () => {
    const input = defineInput(schema)
    expect(await said(input.parse({ city: 7 }))).toBe('city: expected string, got number 7')
    expect(await said(input.parse({}))).toBe('city: expected string, got nothing')
    expect(await said(input.parse(undefined))).toBe('city: expected string, got nothing')
    expect(await said(input.parse({ city: 'x', place: { zip: null } }))).toBe('place.zip: expected string, got null')
    expect(await said(input.parse({ city: 'x', days: 1.5 }))).toBe('days: expected int, got number 1.5')
  })

  it('compiles nothing', () => {
    const before = schemaCompiles()
    defineInput(schema).parse({ city: 'Oslo' })
    expect(schemaCompiles()).toBe(before)
  })

  it('may validate asynchronously', async () => {
    const input = defineInput(z.object({ city: z.string().refine(async (city) => city === 'Oslo', 'unknown city') }))
    expect(await input.parse({ city: 'Oslo' })).toEqual({ ok: true, value: { city: 'Oslo' } })
    expect(await said(input.parse({ city: 'Rome' }))).toBe('city: unknown city, got string "Rome"')
  })

  it('is an object schema also as a union of objects', () => {
    const union = z.union([z.object({ a: z.string() }), z.object({ b: z.string() })])
    expect(defineInput(union).jsonSchema).toMatchObject({ type: 'object', anyOf: [{}, {}] })
  })

  it.each([
    ['a string', z.string(), 'must be of type "object", got "string"'],
    ['a date in it', z.object({ at: z.date() }), 'has no JSON Schema: Date cannot be represented'],
  ])('is refused for %s, saying why', (_name, bad, sentence) => {
    expect(() => defineInput(bad)).toThrow(
      expect.objectContaining({ code: 'MCP_SCHEMA_INVALID', message: expect.stringContaining(sentence) }),
    )
  })
})

describe('any other Standard Schema', () => {
  it('advertises through toJsonSchema where it has that', () => {
    const schema = standard((value) => ({ value }), { toJsonSchema: () => ({ type: 'object', required: ['a'] }) })
    expect(defineInput(schema).jsonSchema).toEqual({ type: 'object', required: ['a'] })
  })

  it('advertises any object where it cannot say more, and still validates', async () => {
    const input = defineInput(standard(() => ({ issues: [{ message: 'no', path: [{ key: 'list' }, 0] }] })))
    expect(input.jsonSchema).toEqual({ type: 'object' })
    expect(await said(input.parse({ list: ['x'] }))).toBe('list[0]: no, got string "x"')
  })

  it('may be a function, as ArkType makes them', () => {
    const type = Object.assign(
      () => undefined,
      standard((value) => ({ value })),
    )
    expect(defineInput(type).parse({ a: 1 })).toEqual({ ok: true, value: { a: 1 } })
  })
})

describe('a JSON Schema', () => {
  it('is advertised as it is, with its dialect and keywords', () => {
    const schema = {
      $schema: 'https://json-schema.org/draft/2020-12/schema',
      type: 'object',
      $defs: { a: {} },
      additionalProperties: false,
    }
    expect(defineInput(schema).jsonSchema).toEqual(schema)
  })

  it('gets the type object when it has none', () => {
    expect(defineInput({ properties: {} }).jsonSchema).toEqual({ type: 'object', properties: {} })
  })

  it.each([
    [{ type: 'string' }, 'must be of type "object"'],
    [{ type: ['object', 'null'] }, 'must be of type "object"'],
  ])('%j is refused', (schema, sentence) => {
    expect(() => defineInput(schema)).toThrow(sentence)
  })

  it('hands the arguments on as they came', () => {
    const value = { city: 'Oslo', more: 1 }
    const result = defineInput({ type: 'object', properties: { city: { type: 'string' } } }).parse(value)
    expect(result instanceof Promise || !result.ok ? undefined : result.value).toBe(value)
  })
})

describe('no schema', () => {
  it('advertises an object and takes any', () => {
    const input = defineInput(undefined)
    expect(input.jsonSchema).toEqual({ type: 'object', properties: {} })
    expect(input.parse({ a: 1 })).toEqual({ ok: true, value: { a: 1 } })
    expect(input.parse(undefined)).toEqual({ ok: true, value: {} })
  })
})

describe('InferInput', () => {
  it('is the parsed type of a Standard Schema, and a record otherwise', () => {
    const schema = z.object({ city: z.string(), days: z.number().default(3) })
    const parsed: InferInput<typeof schema> = { city: 'Oslo', days: 1 }
    const plain: InferInput<{ type: 'object' }> = { anything: 1 }
    const none: InferInput<undefined> = { anything: 1 }
    expect([parsed.city.length, plain['anything'], none['anything']]).toEqual([4, 1, 1])
  })
})
