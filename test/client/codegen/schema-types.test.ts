/** From JSON Schema to types: what the text is for each keyword. */
import { describe, expect, it } from 'vitest'
import { Names } from '#client/codegen/names'
import { SchemaTypes } from '#client/codegen/schema-types'

/** The type of a schema, on one line. */
function typeOf(schema: unknown): string {
  const types = new SchemaTypes(new Names())
  types.declare('T', schema)
  return types.text.replace(/\s+/g, ' ').replace('export type T = ', '').trim()
}

describe('types from schemas', () => {
  it.each([
    ['a string', { type: 'string' }, 'string'],
    ['an integer', { type: 'integer' }, '/** Value: integer. */ number'],
    ['several types', { type: ['string', 'null'] }, 'string | null'],
    ['anything', {}, 'unknown'],
    ['anything, as true', true, 'unknown'],
    ['nothing', false, 'never'],
    ['a constant', { const: 'on' }, "'on'"],
    ['a constant object', { const: { a: [1, null] } }, '{ readonly a: readonly [1, null] }'],
    ['choices', { type: 'string', enum: ['a', "b'c"] }, "'a' | 'b\\'c'"],
    ['choices of several types', { enum: [1, 'x', null, false] }, "1 | 'x' | null | false"],
    ['no choice', { enum: [] }, 'never'],
    ['a list', { type: 'array', items: { type: 'string' } }, 'readonly string[]'],
    [
      'a list of one or the other',
      { type: 'array', items: { type: ['string', 'number'] } },
      'readonly (string | number)[]',
    ],
    ['a list of anything', { type: 'array' }, 'readonly unknown[]'],
    ['a list of lists', { items: { items: { type: 'number' } } }, 'readonly (readonly number[])[]'],
  ])('%s', (_, schema, text) => {
    expect(typeOf(schema).replace('/** Value: integer. */ export type T = ', '/** Value: integer. */ ')).toBe(text)
  })

  it.each([
    [
      'a tuple that must be whole',
      { prefixItems: [{ type: 'string' }, { type: 'number' }], items: false, minItems: 2 },
      '/** Value: minItems 2. */ readonly [string, number]',
    ],
    [
      'a tuple that may go on, and end early',
      { prefixItems: [{ type: 'string' }, { type: ['number', 'null'] }], items: { type: 'boolean' } },
      'readonly [string?, (number | null)?, ...boolean[]]',
    ],
    [
      'a tuple of draft-07',
      { items: [{ type: 'string' }], additionalItems: false, minItems: 1 },
      '/** Value: minItems 1. */ readonly [string]',
    ],
  ])('%s', (_, schema, text) => {
    expect(typeOf(schema).replace('export type T = ', '')).toBe(text)
  })

  it('tells members that must be there from those that may', () => {
    const schema = {
      type: 'object',
      properties: { a: { type: 'string' }, 'b-c': { type: 'number' } },
      required: ['a', 'd'],
    }
    expect(typeOf(schema)).toBe("{ readonly a: string readonly 'b-c'?: number readonly d: unknown }")
  })

  it('says what a type cannot say in a comment', () => {
    const schema = {
      type: 'object',
      properties: {
        age: { type: 'integer', description: 'Whole years', minimum: 0, maximum: 150, default: 18 },
        at: { type: 'string', format: 'date-time', pattern: '^2', deprecated: true },
      },
    }
    expect(typeOf(schema)).toBe(
      '{ /** * Whole years * Value: integer, minimum 0, maximum 150, default 18. */ readonly age?: number ' +
        '/** * Value: format "date-time", pattern "^2". * @deprecated */ readonly at?: string }',
    )
  })

  it('gives the members without names a type, which those with names fit', () => {
    expect(typeOf({ additionalProperties: { type: 'number' } })).toBe('{ readonly [key: string]: number }')
    expect(typeOf({ type: 'object', additionalProperties: false })).toBe('{ readonly [key: string]: never }')
    const mixed = { properties: { a: { type: 'string' } }, additionalProperties: { type: 'number' } }
    expect(typeOf(mixed)).toBe('{ readonly a?: string readonly [key: string]: number | string | undefined }')
    expect(typeOf({ patternProperties: { '^x': { type: 'string' } }, additionalProperties: false })).toBe(
      '{ readonly [key: string]: string }',
    )
  })

  it('joins what holds at once and what holds in turn', () => {
    const schema = {
      type: 'object',
      properties: { kind: { type: 'string' } },
      required: ['kind'],
      oneOf: [
        { properties: { kind: { const: 'a' }, size: { type: 'number' } }, required: ['size'] },
        { properties: { kind: { const: 'b' } } },
      ],
    }
    expect(typeOf(schema)).toBe(
      "{ readonly kind: string } & ({ readonly kind?: 'a' readonly size: number } | { readonly kind?: 'b' })",
    )
    expect(typeOf({ allOf: [{ type: 'string' }, {}] })).toBe('string')
    expect(typeOf({ anyOf: [{ type: 'string' }, {}] })).toBe('unknown')
    expect(typeOf({ anyOf: [{ type: 'string' }, false] })).toBe('string')
  })

  it('declares what is referred to once, also when it refers to itself', () => {
    const schema = {
      type: 'object',
      properties: { root: { $ref: '#/$defs/node' }, other: { $ref: '#/$defs/node' }, all: { $ref: '#' } },
      $defs: {
        node: { properties: { next: { $ref: '#/$defs/node' }, named: { $ref: '#leaf' } } },
        l: { $anchor: 'leaf' },
      },
    }
    expect(typeOf(schema)).toBe(
      '{ readonly root?: TNode readonly other?: TNode readonly all?: T } ' +
        'export type TNode = { readonly next?: TNode readonly named?: TL } export type TL = unknown',
    )
  })

  it('does not follow references out of the schema, to nowhere, or in a circle', () => {
    expect(typeOf({ $ref: 'https://example.com/schema.json' })).toBe('unknown')
    expect(typeOf({ $ref: '#/$defs/none' })).toBe('unknown')
    expect(typeOf({ $ref: '#/__proto__' })).toBe('unknown')
    expect(typeOf({ $ref: '#' })).toBe('unknown')
    const schema = { $ref: '#/$defs/a', $defs: { a: { $ref: '#/$defs/b' }, b: { anyOf: [{ $ref: '#/$defs/a' }] } } }
    expect(typeOf(schema)).toBe('unknown')
  })

  it('ends, however deep a schema is', () => {
    let schema: object = { type: 'string' }
    for (let depth = 0; depth < 5_000; depth++) schema = { type: 'object', properties: { a: schema }, required: ['a'] }
    expect(typeOf(schema).length).toBeLessThan(10_000)
  })
})
