/**
 * How it works: 1. generate values, names and schemas with annotated properties; 2. write them into headers as a client does;
 * 3. read them back as a server does, and hold them against the same body, or against one that was changed.
 */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  decodeHeaderValue,
  encodeHeaderValue,
  headerFault,
  type JsonObject,
  type ParameterHeader,
  parameterHeaderFault,
  parameterHeaders,
  parameterHeadersOf,
  protocolVersionKey,
  type RequestHeaders,
  standardHeaders,
} from '#protocol'
import { runs } from './settings.ts'

const text = fc.oneof(
  fc.string(),
  fc.string({ unit: 'binary' }),
  fc.string({ unit: fc.constantFrom(' ', '\t', '=', '?', 'base64', 'x', '\n', 'é') }),
)

describe('values of headers', () => {
  it('decode ∘ encode = id for every text, in visible ASCII and spaces alone', () => {
    fc.assert(
      fc.property(text, (value) => {
        const carried = encodeHeaderValue(value)
        expect(carried).toMatch(/^[\x20-\x7e]*$/)
        expect(carried.trim()).toBe(carried)
        expect(decodeHeaderValue(carried)).toBe(value)
      }),
      runs(1_000),
    )
  })

  it('a text that is read at all is read in one way: what it stands for is carried by no other encoded text', () => {
    const encoded = fc.base64String().map((base64) => `=?base64?${base64}?=`)
    fc.assert(
      fc.property(fc.oneof(text, encoded), (carried) => {
        const value = decodeHeaderValue(carried)
        if (value === undefined || value === carried) return
        expect(carried).toBe(`=?base64?${Buffer.from(value).toString('base64')}?=`)
      }),
      runs(500),
    )
  })
})

const named = fc.constantFrom(['tools/call', 'name'], ['resources/read', 'uri'], ['tasks/get', 'taskId'])

describe('standard headers', () => {
  it('of a client are found right by the server, for any name, and wrong for any other', () => {
    fc.assert(
      fc.property(named, text, text, ([method = '', param = ''], name, other) => {
        const params = { _meta: { [protocolVersionKey]: '2026-07-28' }, [param]: name }
        const headers = lowered(standardHeaders('2026-07-28', method, params))
        const message = { kind: 'request', id: 1, method, params } as const
        expect(headerFault(headers, message)).toBeUndefined()
        const fault = headerFault(headers, { ...message, params: { ...params, [param]: other } })
        expect(fault?.code).toBe(name === other ? undefined : -32020)
      }),
      runs(500),
    )
  })
})

interface Property {
  readonly name: string
  readonly schema: JsonObject
  readonly value: unknown
}

const leaf = (header: string): fc.Arbitrary<Pick<Property, 'schema' | 'value'>> => {
  const typed = (type: string, value: fc.Arbitrary<unknown>) =>
    value.map((held) => ({ schema: { type, 'x-mcp-header': header }, value: held }))
  return fc.oneof(
    typed('string', fc.option(text)),
    typed('integer', fc.option(fc.maxSafeInteger())),
    typed('boolean', fc.option(fc.boolean())),
  )
}

/** Up to eight annotated properties, each in up to three objects. */
const tool = fc
  .array(fc.tuple(fc.array(fc.string(), { maxLength: 3 }), fc.nat(), fc.constantFrom('A', 'b-c', "x!#$%&'*+.^_`|~")), {
    maxLength: 8,
  })
  .chain((places) =>
    fc.tuple(
      ...places.map(([path, , name], index) =>
        leaf(`${name}${index}`).map((held): Property => ({ ...nested(path, held), name: `p${index}` })),
      ),
    ),
  )
  .map((properties) => ({
    schema: { type: 'object', properties: Object.fromEntries(properties.map(({ name, schema }) => [name, schema])) },
    args: Object.fromEntries(properties.map(({ name, value }) => [name, value])),
    count: properties.length,
  }))

function nested(path: readonly string[], { schema, value }: Pick<Property, 'schema' | 'value'>) {
  return path.reduceRight(
    (inner, name) => ({
      schema: { type: 'object', properties: Object.fromEntries([[name, inner.schema]]) } as JsonObject,
      value: Object.fromEntries([[name, inner.value]]) as unknown,
    }),
    { schema, value },
  )
}

describe('headers of parameters', () => {
  it('are found wherever properties lead, and those of a client are right', () => {
    fc.assert(
      fc.property(tool, ({ schema, args, count }) => {
        const mirrored = parameterHeaders(schema)
        expect(mirrored).toHaveLength(count)
        const headers = parameterHeadersOf(mirrored, args)
        expect(parameterHeaderFault(lowered(headers), mirrored, args)).toBeUndefined()
      }),
      runs(500),
    )
  })

  it('are wrong when one of them is left out, changed, or added', () => {
    fc.assert(
      fc.property(tool, fc.nat(), ({ schema, args }, at) => {
        const mirrored = parameterHeaders(schema)
        const headers = lowered(parameterHeadersOf(mirrored, args))
        const one = mirrored[at % Math.max(1, mirrored.length)] as ParameterHeader | undefined
        if (one === undefined) return
        const name = one.header.toLowerCase()
        const { [name]: sent, ...others } = headers
        const isSent = sent !== undefined
        expect(parameterHeaderFault(others, mirrored, args)?.code).toBe(isSent ? -32020 : undefined)
        expect(parameterHeaderFault({ ...headers, [name]: `${String(sent)}x` }, mirrored, args)?.code).toBe(-32020)
      }),
      runs(500),
    )
  })
})

function lowered(headers: Record<string, string>): RequestHeaders {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]))
}
