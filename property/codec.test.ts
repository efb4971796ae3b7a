/**
 * How it works: 1. generate messages, texts, templates and cursors; 2. encode, mangle or expand them; 3. read them back and
 * compare. A failing run prints its seed; BOUGH_SEED repeats it.
 */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  decode,
  decodeCursor,
  encodeBatch,
  encodeCursor,
  encodeError,
  encodeNotification,
  encodeRequest,
  encodeResult,
  type JsonObject,
  type Message,
  paginate,
  parseTemplate,
} from '#protocol'

const seed = Number(process.env['BOUGH_SEED'] ?? 20_251_125)
const runs = { seed, numRuns: 500 }

const id = fc.oneof(fc.string({ unit: 'binary' }), fc.maxSafeInteger())
const method = fc.oneof(fc.string(), fc.constantFrom('tools/call', 'ping', 'notifications/progress'))
/** What JSON can carry: no `__proto__` keys (they are dropped by design) and no -0. */
const json = fc
  .dictionary(
    fc.string().filter((key) => key !== '__proto__'),
    fc.jsonValue({ maxDepth: 4 }),
    { maxKeys: 5 },
  )
  .map(
    (value): JsonObject => JSON.parse(JSON.stringify(value), (key, held) => (key === '__proto__' ? undefined : held)),
  )
const error = fc.record({ code: fc.integer(), message: fc.string() })

const message: fc.Arbitrary<Message> = fc.oneof(
  fc.record({ kind: fc.constant('request' as const), id, method, params: fc.option(json, { nil: undefined }) }),
  fc.record({ kind: fc.constant('notification' as const), method, params: fc.option(json, { nil: undefined }) }),
  fc.record({ kind: fc.constant('response' as const), id, result: json }),
  fc.record({ kind: fc.constant('error' as const), id: fc.option(id), error }),
)

function encode(value: Message): string {
  switch (value.kind) {
    case 'request':
      return encodeRequest(value.id, value.method, value.params)
    case 'notification':
      return encodeNotification(value.method, value.params)
    case 'response':
      return encodeResult(value.id, value.result)
    default:
      return encodeError(value.id, value.error)
  }
}

/** Tool results that are one text, or nearly. */
const textual = fc.record(
  {
    content: fc.oneof(
      fc.array(
        fc.record(
          {
            type: fc.constantFrom('text', 'image'),
            text: fc.oneof(fc.string({ unit: 'binary' }), fc.integer()),
            more: fc.integer(),
          },
          { requiredKeys: [] },
        ),
        { maxLength: 2 },
      ),
      fc.constantFrom(null, 'text', [null], [['text']], [new Date(0)], {}),
    ),
    isError: fc.boolean(),
  },
  { requiredKeys: [] },
)

describe('JSON-RPC codec', () => {
  it('writes a result as JSON.stringify does, also one that is a text', () => {
    let texts = 0
    fc.assert(
      fc.property(textual, (result) => {
        const whole = JSON.parse(encodeResult(1, result)) as { result: unknown }
        expect(whole.result).toEqual(JSON.parse(JSON.stringify(result)))
        if (JSON.stringify(Object.keys(result)) === '["content"]' && typeof result.content === 'object') texts++
      }),
      { ...runs, numRuns: 2_000 },
    )
    expect(texts).toBeGreaterThan(0)
  })

  it('decode ∘ encode = id for every kind of message', () => {
    fc.assert(
      fc.property(message, (value) => {
        expect(decode(encode(value))).toEqual(value)
      }),
      runs,
    )
  })

  it('decode ∘ encodeBatch = id, and an array comes back only for a batch', () => {
    fc.assert(
      fc.property(fc.array(message, { minLength: 1, maxLength: 8 }), (values) => {
        expect(decode(encodeBatch(values.map(encode)))).toEqual(values)
      }),
      runs,
    )
  })

  it('encoded text is one line, whatever it carries', () => {
    fc.assert(
      fc.property(message, (value) => !/[\r\n]/.test(encode(value))),
      runs,
    )
  })

  it('decode never throws on arbitrary text', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit: 'binary' }), fc.json(), fc.string()), (text) => {
        expect(decode(text)).toBeDefined()
      }),
      runs,
    )
  })

  it('decode never throws on a message with a piece cut out, doubled or replaced', () => {
    const mutation = fc.record({ at: fc.nat(), length: fc.nat(12), text: fc.string({ maxLength: 6 }) })
    fc.assert(
      fc.property(message, mutation, (value, { at, length, text }) => {
        const whole = encode(value)
        const start = at % (whole.length + 1)
        expect(decode(whole.slice(0, start) + text + whole.slice(start + length))).toBeDefined()
      }),
      runs,
    )
  })
})

describe('cursors', () => {
  const list = fc.constantFrom('tools', 'prompts', 'resources')

  it('decode ∘ encode = id within a list, and undefined for another list', () => {
    fc.assert(
      fc.property(list, fc.nat(1_000_000), list, (own, offset, other) => {
        const cursor = encodeCursor({ list: own, offset })
        expect(decodeCursor(cursor, own)).toBe(offset)
        if (other !== own) expect(decodeCursor(cursor, other)).toBeUndefined()
      }),
      runs,
    )
  })

  it('never takes arbitrary text for a cursor', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.base64String()), (text) => decodeCursor(text, 'tools') === undefined),
      runs,
    )
  })

  it('pages put together are the list, each item once and in order', () => {
    fc.assert(
      fc.property(fc.array(fc.integer(), { maxLength: 60 }), fc.integer({ min: 1, max: 20 }), (items, size) => {
        const seen: number[] = []
        let cursor: string | undefined
        do {
          const { page, nextCursor } = paginate('items', items, cursor, size)
          seen.push(...page)
          cursor = nextCursor
        } while (cursor !== undefined)
        expect(seen).toEqual(items)
      }),
      runs,
    )
  })
})

describe('URI templates', () => {
  const value = fc
    .string({ unit: 'grapheme', minLength: 1, maxLength: 12 })
    .filter((text) => !/\p{Surrogate}/u.test(text))

  it.each([
    'users://{id}/profile',
    '{scheme}:{rest}',
    'x://{a}/{b}/c',
    'x://h{/a,b}',
    'x://h/{a,b}',
    'x://h{?a,b}',
    'x://h?fixed=1{&a,b}',
    'x://h{/a}{?b}',
    'x://h{/a}{#b}',
    'x://h{;a,b}',
  ])('match ∘ expand = id for %s', (text) => {
    const template = parseTemplate(text)
    fc.assert(
      fc.property(fc.tuple(value, value), (values) => {
        const variables = Object.fromEntries(template.variables.map((name, index) => [name, values[index] as string]))
        expect(template.match(template.expand(variables))).toEqual(variables)
      }),
      runs,
    )
  })

  it('match ∘ expand = id for a reserved expansion of what a URI may hold', () => {
    const template = parseTemplate('file://{+path}')
    const path = fc.array(fc.constantFrom('a', '/', '.', '-', '_', ':', '@', '?', '=', '&', '9'), { minLength: 1 })
    fc.assert(
      fc.property(path, (pieces) => {
        expect(template.match(template.expand({ path: pieces.join('') }))).toEqual({ path: pieces.join('') })
      }),
      runs,
    )
  })

  it('parsing and matching never throw anything but a template error', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }), (text, uri) => {
        try {
          parseTemplate(text).match(uri)
          parseTemplate(text).expand({ a: uri })
        } catch (thrown) {
          expect(thrown).toMatchObject({ code: 'MCP_URI_TEMPLATE' })
        }
        expect(parseTemplate('x://{a}{/b}{?c,d}').match(uri)).toSatisfy(
          (found) => found === undefined || typeof found === 'object',
        )
      }),
      runs,
    )
  })
})
