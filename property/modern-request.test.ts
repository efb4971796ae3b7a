/**
 * How it works: 1. generate params, headers and schemas of any shape, some of them nearly right; 2. let the checks of the modern
 * era read them; 3. until every one is answered with a value or an error for the wire, and none with an exception.
 */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  allRevisions,
  clientCapabilitiesKey,
  clientInfoKey,
  headerFault,
  isModern,
  type JsonObject,
  logLevelKey,
  type Message,
  methodRow,
  methodRows,
  ParameterHeaderError,
  parameterHeaderFault,
  parameterHeaders,
  protocolVersionKey,
  readRequestMeta,
} from '#protocol'
import { runs } from './settings.ts'

const json = fc.jsonValue({ maxDepth: 3 })
const method = fc.oneof(fc.constantFrom(...methodRows.map((row) => row.name)), fc.string())
const version = fc.oneof(fc.constantFrom(...allRevisions.map((revision) => revision.version), 'v999.0.0'), json)
const meta = fc.record(
  {
    [protocolVersionKey]: version,
    [clientCapabilitiesKey]: fc.oneof(fc.constant({}), json),
    [clientInfoKey]: fc.oneof(fc.constant({ name: 'c', version: '1' }), json),
    [logLevelKey]: fc.oneof(fc.constantFrom('debug', 'info', 'loud'), json),
    progressToken: fc.oneof(fc.string(), fc.integer(), json),
    traceparent: json,
  },
  { requiredKeys: [] },
)
const names = ['name', 'uri', 'taskId', 'arguments', 'inputResponses', 'requestState', 'notifications', 'cursor']
const params = fc
  .record({ _meta: fc.oneof(meta, json), rest: fc.dictionary(fc.constantFrom(...names), json) })
  .map(({ _meta, rest }): JsonObject => ({ ...rest, _meta }))
const headers = fc.dictionary(
  fc.constantFrom('mcp-protocol-version', 'mcp-method', 'mcp-name', 'mcp-session-id', 'mcp-param-a'),
  fc.oneof(
    version.filter((value) => typeof value === 'string'),
    method,
    fc.string(),
    fc.array(fc.string()),
  ),
)

describe('any request', () => {
  it('is of one era, and its metadata is read or refused as invalid params that name the field', () => {
    fc.assert(
      fc.property(method, params, headers, (name, sent, carried) => {
        const message: Message = { kind: 'request', id: 1, method: name, params: sent }
        expect(typeof isModern(message, carried)).toBe('boolean')
        const read = readRequestMeta(sent)
        if ('code' in read) {
          expect(read.code).toBe(-32602)
          expect(read.message).toMatch(/^params\._meta\b/)
        } else {
          expect(typeof read.protocolVersion).toBe('string')
        }
      }),
      runs(500),
    )
  })

  it('has headers that agree with it, or that are refused as a mismatch', () => {
    fc.assert(
      fc.property(method, params, headers, (name, sent, carried) => {
        const fault = headerFault(carried, { kind: 'request', id: 1, method: name, params: sent })
        expect([undefined, -32020]).toContain(fault?.code)
        if (carried['mcp-method'] === undefined) expect(fault).toBeDefined()
      }),
      runs(500),
    )
  })

  it('is checked by the row of its method without an exception, in every revision', () => {
    fc.assert(
      fc.property(method, params, fc.constantFrom(...allRevisions), (name, sent, revision) => {
        const fault = methodRow(name, revision.version)?.check(sent)
        if (fault !== undefined) expect(fault).toMatch(/^params\.[\w.[\]]* ?.*must be .*, got /s)
      }),
      runs(500),
    )
  })
})

describe('any schema', () => {
  const annotated = fc.letrec((tie) => ({
    schema: fc.oneof(
      { maxDepth: 4 },
      json,
      fc.record(
        {
          type: fc.oneof(fc.constantFrom('string', 'integer', 'boolean', 'object', 'number'), json),
          'x-mcp-header': fc.oneof(fc.constantFrom('A', 'B', 'a b', ''), json),
          properties: fc.oneof(fc.dictionary(fc.string(), tie('schema')), json),
          items: tie('schema'),
          anyOf: fc.array(tie('schema'), { maxLength: 2 }),
          $defs: fc.dictionary(fc.string(), tie('schema')),
        },
        { requiredKeys: [] },
      ),
    ),
  })).schema

  it('names headers, or is refused with a sentence; what it names can be held against any arguments', () => {
    fc.assert(
      fc.property(annotated, json, headers, (schema, args, carried) => {
        let mirrored: ReturnType<typeof parameterHeaders>
        try {
          mirrored = parameterHeaders(schema as JsonObject)
        } catch (error) {
          expect(error).toBeInstanceOf(ParameterHeaderError)
          return
        }
        expect(new Set(mirrored.map(({ header }) => header.toLowerCase())).size).toBe(mirrored.length)
        expect([undefined, -32020]).toContain(parameterHeaderFault(carried, mirrored, args)?.code)
      }),
      runs(500),
    )
  })
})
