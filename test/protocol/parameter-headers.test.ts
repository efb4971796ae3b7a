import { describe, expect, it } from 'vitest'
import {
  type JsonObject,
  ParameterHeaderError,
  parameterHeaderFault,
  parameterHeaders,
  parameterHeadersOf,
} from '#protocol'

const schema = (properties: JsonObject, more: JsonObject = {}): JsonObject => ({ type: 'object', properties, ...more })
const region = { type: 'string', 'x-mcp-header': 'Region' }

const places = schema({
  count: { type: 'integer', 'x-mcp-header': 'Count' },
  flag: { type: 'boolean', 'x-mcp-header': 'Flag' },
  place: schema({ city: { type: 'string', 'x-mcp-header': 'City' } }),
  plain: { type: 'string' },
})
const mirrored = parameterHeaders(places)

describe('parameterHeaders', () => {
  it('finds the annotated properties at any depth, in the schema’s order', () => {
    expect(mirrored).toEqual([
      { path: ['count'], header: 'Mcp-Param-Count', type: 'integer' },
      { path: ['flag'], header: 'Mcp-Param-Flag', type: 'boolean' },
      { path: ['place', 'city'], header: 'Mcp-Param-City', type: 'string' },
    ])
  })

  it.each<[string, JsonObject]>([
    ['nothing', {}],
    ['no annotations', schema({ a: { type: 'string' } })],
    ['a property of that name', schema({ 'x-mcp-header': { type: 'string' } })],
    [
      'a default that looks like one',
      schema({ a: { default: { 'x-mcp-header': 'X' }, enum: [{ 'x-mcp-header': '' }] } }),
    ],
  ])('finds none in %s', (_name, held) => {
    expect(parameterHeaders(held)).toEqual([])
  })

  const token = 'must be a header name of letters, digits and'
  const unreachable = 'stands where no chain of properties leads'
  it.each<[string, JsonObject, string]>([
    ['an empty name', schema({ a: { type: 'string', 'x-mcp-header': '' } }), token],
    ['a name of another type', schema({ a: { type: 'string', 'x-mcp-header': 7 } }), token],
    ['a space', schema({ a: { type: 'string', 'x-mcp-header': 'My Region' } }), token],
    ['a colon', schema({ a: { type: 'string', 'x-mcp-header': 'Region:Primary' } }), token],
    ['a letter beyond ASCII', schema({ a: { type: 'string', 'x-mcp-header': 'Région' } }), token],
    ['a tab', schema({ a: { type: 'string', 'x-mcp-header': 'Region\t1' } }), token],
    ['a line break', schema({ a: { type: 'string', 'x-mcp-header': 'Region\r\n' } }), token],
    ['a number', schema({ a: { type: 'number', 'x-mcp-header': 'X' } }), 'got string "number"'],
    ['an object', schema({ a: { type: 'object', 'x-mcp-header': 'X' } }), 'got string "object"'],
    ['an array', schema({ a: { type: 'array', 'x-mcp-header': 'X' } }), 'got string "array"'],
    ['null', schema({ a: { type: 'null', 'x-mcp-header': 'X' } }), 'got string "null"'],
    ['several types', schema({ a: { type: ['string', 'null'], 'x-mcp-header': 'X' } }), 'got array of 2'],
    ['no type', schema({ a: { 'x-mcp-header': 'X' } }), 'got nothing'],
    ['a name twice', schema({ a: region, b: region }), 'The x-mcp-header of "b" is "Region", which a has already.'],
    ['a name in other letters', schema({ a: region, b: { type: 'string', 'x-mcp-header': 'REGION' } }), 'which a has'],
    ['the root', { type: 'object', 'x-mcp-header': 'X' }, unreachable],
    ['items', schema({ a: { type: 'array', items: region } }), unreachable],
    ['prefixItems', schema({ a: { type: 'array', prefixItems: [{}, region] } }), unreachable],
    ['additionalProperties', schema({}, { additionalProperties: region }), unreachable],
    ['patternProperties', schema({}, { patternProperties: { '^a': region } }), unreachable],
    ['oneOf', schema({ a: { oneOf: [region, { type: 'integer' }] } }), unreachable],
    ['anyOf of the root', { anyOf: [schema({ a: region })] }, unreachable],
    ['allOf', { allOf: [schema({ a: region })] }, unreachable],
    ['not', schema({ a: { not: region } }), unreachable],
    ['if', schema({}, { if: schema({ a: region }) }), unreachable],
    ['a definition', schema({}, { $defs: { a: region } }), unreachable],
  ])('refuses an annotation with or at %s', (_name, held, reason) => {
    expect(() => parameterHeaders(held)).toThrow(ParameterHeaderError)
    expect(() => parameterHeaders(held)).toThrow(reason)
  })

  it('gives up on a schema that is nested without end', () => {
    const endless: { items?: unknown } = {}
    endless.items = endless
    expect(() => parameterHeaders(endless)).toThrow('nested deeper than 256 levels')
  })
})

describe('parameterHeaderFault', () => {
  it.each<[unknown, Record<string, string>]>([
    [undefined, {}],
    [{}, {}],
    [{ count: null, place: null }, {}],
    [{ plain: 'x' }, {}],
    [{ count: 42 }, { 'mcp-param-count': '42' }],
    [{ count: 42 }, { 'mcp-param-count': '42.0' }],
    [{ count: -7 }, { 'mcp-param-count': ' -7 ' }],
    [{ count: 42 }, { 'mcp-param-count': '=?base64?NDI=?=' }],
    [{ flag: true }, { 'mcp-param-flag': 'true' }],
    [{ flag: false }, { 'mcp-param-flag': 'false' }],
    [{ place: { city: 'Oslo' } }, { 'mcp-param-city': 'Oslo' }],
    [{ place: { city: 'Tromsø' } }, { 'mcp-param-city': '=?base64?VHJvbXPDuA==?=' }],
    [{ place: { city: 'SGVsbG8=' } }, { 'mcp-param-city': 'SGVsbG8=' }],
    [{ place: { city: '=?base64?SGVsbG8=' } }, { 'mcp-param-city': '=?base64?SGVsbG8=' }],
    [{ place: { city: '' } }, { 'mcp-param-city': '' }],
    [{}, { 'mcp-param-other': 'x' }],
    // What no header can carry is for the input schema to refuse.
    [{ count: {}, flag: [] }, {}],
  ])('finds none for %j with %j', (args, headers) => {
    expect(parameterHeaderFault(headers, mirrored, args)).toBeUndefined()
  })

  it.each<[unknown, Record<string, string>, string]>([
    [{ count: 42 }, {}, 'the header Mcp-Param-Count is missing, the body says number 42'],
    [{ count: 42 }, { 'mcp-param-count': '43' }, 'Mcp-Param-Count says string "43", the body says number 42'],
    [{ count: 42 }, { 'mcp-param-count': '0x2a' }, 'Mcp-Param-Count says string "0x2a", the body says number 42'],
    [{ count: 0 }, { 'mcp-param-count': '' }, 'Mcp-Param-Count says string "", the body says number 0'],
    [{ count: 2 ** 53 }, { 'mcp-param-count': '9007199254740993' }, 'the body says number 9007199254740992'],
    [{ flag: true }, { 'mcp-param-flag': 'True' }, 'Mcp-Param-Flag says string "True", the body says boolean true'],
    [{ flag: true }, { 'mcp-param-flag': '1' }, 'Mcp-Param-Flag says string "1", the body says boolean true'],
    [{ flag: 'true' }, {}, 'the header Mcp-Param-Flag is missing, the body says string "true"'],
    [{ place: { city: 'Oslo' } }, { 'mcp-param-city': 'oslo' }, 'Mcp-Param-City says string "oslo"'],
    [{ place: { city: 'Hello' } }, { 'mcp-param-city': '=?base64?SGVsbG8?=' }, 'neither plain ASCII nor valid'],
    [{ place: { city: 'Hello' } }, { 'mcp-param-city': '=?base64?SGVs!!!bG8=?=' }, 'neither plain ASCII nor valid'],
    [{}, { 'mcp-param-city': 'Oslo' }, 'Mcp-Param-City says string "Oslo", the body says nothing'],
    [{ place: { city: null } }, { 'mcp-param-city': 'Oslo' }, 'the body says null'],
    [{ count: {} }, { 'mcp-param-count': '1' }, 'the body says object'],
  ])('finds one for %j with %j', (args, headers, reason) => {
    const fault = parameterHeaderFault(headers, mirrored, args)
    expect(fault?.code).toBe(-32020)
    expect(fault?.message).toContain(reason)
  })

  it('reads no inherited arguments', () => {
    const inherited = parameterHeaders(
      schema({ constructor: schema({ name: { type: 'string', 'x-mcp-header': 'N' } }) }),
    )
    expect(parameterHeaderFault({}, inherited, {})).toBeUndefined()
  })
})

describe('parameterHeadersOf', () => {
  it('repeats what is there and of its type', () => {
    expect(parameterHeadersOf(mirrored, { count: 1, flag: false, place: { city: ' Å ' } })).toEqual({
      'Mcp-Param-Count': '1',
      'Mcp-Param-Flag': 'false',
      'Mcp-Param-City': '=?base64?IMOFIA==?=',
    })
    expect(parameterHeadersOf(mirrored, { count: 1.5, flag: 'true', place: { city: null } })).toEqual({})
    expect(parameterHeadersOf(mirrored, undefined)).toEqual({})
  })
})
