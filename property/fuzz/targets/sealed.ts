/** Targets: state that clients hold for us, and schemas with their values. */
import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { createSealer } from '#auth/sealed-state'
import { compileSchema, ParameterHeaderError, parameterHeaders, SchemaError } from '#protocol'
import { checkBounds } from '#protocol/schema-bounds'
import { createRandom } from '#testing'
import { json } from '../seeds.ts'
import { must, partsOf, type Target } from '../target.ts'

const NOW_MS = 1_767_225_600_000
const TTL_MS = 60_000

const secretOf = (id: string): Buffer => createHash('sha256').update(id).digest()
const binding = { principal: 'ann', request: 'tools/call x' }

function sealed(
  now: number,
  seed: number,
): { readonly texts: string[]; readonly open: ReturnType<typeof createSealer> } {
  const keys = [
    { id: 'new', secret: secretOf('new') },
    { id: 'old', secret: secretOf('old') },
  ]
  const sealer = createSealer({ keys, random: createRandom(seed), now: () => now })
  return { open: sealer, texts: [0, 1, 2, 3].map((step) => sealer.seal({ step }, binding, TTL_MS)) }
}

export const sealedState: Target = {
  name: 'sealed-state',
  law: 'what was changed by a letter is tampered; what was not opens for its own request alone; nothing throws',
  weight: 8,
  bytesMax: 8_192,
  seeds: fc.oneof(fc.constantFrom(...sealed(NOW_MS, 1).texts), fc.base64String(), fc.string()),
  open: () => {
    const { open: sealer, texts } = sealed(NOW_MS, 1)
    const ours = new Set(texts)
    return {
      run: (input) => {
        const text = input.toString('utf8')
        const own = sealer.open(text, binding)
        must('refused' in own === !ours.has(text), 'a text that was not sealed opens, or one that was does not', text)
        const foreign = sealer.open(text, { ...binding, principal: 'bob' })
        must('refused' in foreign, 'a text opens for another', text)
        return `${'refused' in own ? own.refused : 'open'} ${foreign.refused}`
      },
    }
  },
}

const keyword = fc.constantFrom(
  ...[
    'type',
    'properties',
    'items',
    'allOf',
    'anyOf',
    'not',
    '$ref',
    '$defs',
    'pattern',
    'minimum',
    'required',
    'enum',
  ],
  ...['additionalProperties', 'if', 'then', 'format', 'uniqueItems', 'minLength', 'const', 'x-mcp-header', '$schema'],
)
const leaf = fc.oneof(
  fc.constantFrom<unknown>(
    'object',
    'string',
    'integer',
    '#',
    '#/$defs/a',
    '(a+)+$',
    1,
    -1,
    true,
    ['a'],
    'date-time',
    'email',
  ),
  fc.constantFrom<unknown>(
    'http://json-schema.org/draft-07/schema#',
    'https://json-schema.org/draft/2020-12/schema',
    'Name',
  ),
  json,
)
const schema = fc.letrec<{ node: unknown }>((tie) => ({
  node: fc.dictionary(
    keyword,
    fc.oneof({ depthSize: 'small' }, leaf, tie('node'), fc.array(tie('node'), { maxLength: 2 })),
    {
      maxKeys: 4,
    },
  ),
})).node

export const schemas: Target = {
  name: 'schemas',
  law: 'a schema is refused with its own error, or checks any value in bounded time',
  weight: 0.5,
  bytesMax: 8_192,
  seeds: fc.tuple(schema, json).map(([one, value]) => `${JSON.stringify(one)}\0${JSON.stringify(value)}`),
  open: () => ({
    run: (input) => {
      const [written = '', given = ''] = partsOf(input, 2).map((one) => one.toString('utf8'))
      const parsed = parse(written)
      if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) return 'no schema'
      // Read from JSON just now, and no array.
      const held = parsed as Parameters<typeof compileSchema>[0] & Record<string, unknown>
      const value = parse(given)
      let way = ''
      try {
        way += `${parameterHeaders(held).length} `
      } catch (error) {
        if (!(error instanceof ParameterHeaderError)) throw error
        way += 'no headers '
      }
      try {
        checkBounds(held)
        const compiled = compileSchema(held)
        const issues = compiled.check(value)
        return `${way}${issues === undefined ? 'right' : 'wrong'}`
      } catch (error) {
        if (error instanceof SchemaError) return `${way}${error.code} ${error.message.slice(0, 60)}`
        throw error
      }
    },
  }),
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
