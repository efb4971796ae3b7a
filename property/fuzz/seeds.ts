/** Inputs of the right structure, for several targets: JSON, messages, texts that may hold anything. */
import fc from 'fast-check'
import { methodRows } from '#protocol'

/** Any code point. fast-check's own unit 'binary' builds a table of a million first, in every thread. */
const codePoint = fc.oneof(
  { weight: 3, arbitrary: fc.integer({ min: 0, max: 0x7f }).map((code) => String.fromCodePoint(code)) },
  { weight: 1, arbitrary: fc.integer({ min: 0, max: 0x10ffff }).map((code) => String.fromCodePoint(code)) },
)

/** Keys and texts that JSON readers stumble over, beside ordinary ones. */
export const oddText = fc.oneof(
  fc.string({ maxLength: 12 }),
  fc.string({ unit: codePoint, maxLength: 12 }),
  fc.constantFrom(
    '__proto__',
    'constructor',
    'toString',
    '',
    'a'.repeat(300),
    '\ue000',
    '\ue400\ue000',
    '\u2028',
    '%2e%2e/',
  ),
)

export const json = fc.jsonValue({ maxDepth: 4, stringUnit: codePoint })

const id = fc.oneof(fc.maxSafeInteger(), oddText, fc.constantFrom(0, -1, 1.5, null, true, '1'))

export const metaKeys = [
  'io.modelcontextprotocol/protocolVersion',
  'io.modelcontextprotocol/clientInfo',
  'io.modelcontextprotocol/clientCapabilities',
  'io.modelcontextprotocol/logLevel',
  'progressToken',
  'traceparent',
]

const metaValue = fc.oneof(
  fc.constantFrom<unknown>('2026-07-28', '2025-11-25', '1999-01-01', { name: 'a', version: '1' }, {}, 'debug', 7),
  fc.constantFrom<unknown>({ elicitation: {}, sampling: { tools: {} }, roots: {} }, { extensions: { a: {} } }),
  json,
)

const meta = fc.dictionary(fc.constantFrom(...metaKeys), metaValue, { maxKeys: 6 })

/** Every field that some method has. */
const fields = ['name', 'arguments', 'uri', 'cursor', 'ref', 'argument', 'context', 'level', 'protocolVersion'] as const
const moreFields = ['capabilities', 'clientInfo', 'taskId', 'task', 'messages', 'maxTokens', 'message', 'mode'] as const
const stillMoreFields = ['requestedSchema', 'notifications', 'inputResponses', 'requestState', 'requestId'] as const

const value = fc.oneof(
  oddText,
  fc.integer(),
  json,
  fc.constantFrom<unknown>({ type: 'ref/prompt', name: 'greet' }, { type: 'ref/resource', uri: 'users://{id}' }),
  fc.constantFrom<unknown>({ name: 'id', value: 'a' }, { ttl: 1 }, { toolsListChanged: true }, 'echo', 'config://app'),
  fc.constantFrom<unknown>([{ role: 'user', content: { type: 'text', text: 'a' } }], 'form', 'url', {
    action: 'accept',
  }),
  fc.constantFrom<unknown>({ type: 'object', properties: { a: { type: 'string', enum: ['x'] } } }, { n: 1, text: 'x' }),
)

export const params = fc
  .tuple(
    fc.dictionary(fc.constantFrom(...fields, ...moreFields, ...stillMoreFields, 'progressToken', 'progress'), value, {
      maxKeys: 6,
    }),
    fc.option(meta, { nil: undefined }),
  )
  .map(([held, _meta]) => (_meta === undefined ? held : { ...held, _meta }))

const method = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom(...new Set(methodRows.map(({ name }) => name))) },
  { weight: 1, arbitrary: oddText },
)

const message = fc.oneof(
  { weight: 5, arbitrary: fc.record({ jsonrpc: fc.constant('2.0'), id, method, params }) },
  { weight: 2, arbitrary: fc.record({ jsonrpc: fc.constant('2.0'), method, params }) },
  { weight: 1, arbitrary: fc.record({ jsonrpc: fc.constant('2.0'), id, result: json }) },
  { weight: 1, arbitrary: fc.record({ jsonrpc: fc.constant('2.0'), id, error: json }) },
)

/** One message or a batch, as text. */
export const messageText = fc.oneof(
  { weight: 8, arbitrary: message.map((one) => JSON.stringify(one)) },
  { weight: 1, arbitrary: fc.array(message, { maxLength: 4 }).map((some) => JSON.stringify(some)) },
  { weight: 1, arbitrary: fc.json({ maxDepth: 8 }) },
)

/** Several texts as one input, NUL between them. */
export function joined(...texts: fc.Arbitrary<string>[]): fc.Arbitrary<string> {
  return fc.tuple(...texts).map((parts) => parts.map((part) => part.replaceAll('\0', '')).join('\0'))
}
