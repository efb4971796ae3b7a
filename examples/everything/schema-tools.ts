/** Tools that show schemas: JSON Schema 2020-12 and draft 7, structured results good and bad. */
import type { Server } from 'bough'
import { z } from 'zod'

export function addSchemaTools(server: Server): void {
  server.tool('json_schema_2020_12_tool', {
    description: 'Has an input schema that uses much of JSON Schema 2020-12',
    input: {
      $schema: 'https://json-schema.org/draft/2020-12/schema',
      type: 'object',
      $defs: {
        address: {
          $anchor: 'addressDef',
          type: 'object',
          properties: { street: { type: 'string' }, city: { type: 'string' } },
        },
      },
      properties: {
        name: { type: 'string' },
        address: { $ref: '#/$defs/address' },
        contactMethod: { type: 'string', enum: ['phone', 'email'] },
        phone: { type: 'string' },
        email: { type: 'string' },
      },
      allOf: [{ anyOf: [{ required: ['phone'] }, { required: ['email'] }] }],
      if: { properties: { contactMethod: { const: 'phone' } }, required: ['contactMethod'] },
      then: { required: ['phone'] },
      else: { required: ['email'] },
      additionalProperties: false,
    },
    run: (args) => `JSON Schema 2020-12 tool called with: ${JSON.stringify(args)}`,
  })
  server.tool('draft7', {
    description: 'Takes a [string, integer] pair, as a tuple of JSON Schema draft 7, and returns it as JSON',
    input: {
      $schema: 'http://json-schema.org/draft-07/schema#',
      type: 'object',
      properties: {
        pair: {
          type: 'array',
          items: [{ type: 'string' }, { type: 'integer' }],
          minItems: 2,
          additionalItems: false,
        },
      },
      required: ['pair'],
    },
    run: ({ pair }) => JSON.stringify(pair),
  })
  const output = z.object({ doubled: z.int() })
  server.tool('structured', {
    description: 'Returns { doubled: 2n } as a structured result',
    input: z.object({ n: z.int() }),
    output,
    run: ({ n }) => ({ structured: { doubled: 2 * n } }),
  })
  server.tool('structured_bad', {
    description: 'Returns a structured result that its own output schema refuses',
    output,
    run: () => ({ structured: { doubled: 'nonsense' } }),
  })
}
