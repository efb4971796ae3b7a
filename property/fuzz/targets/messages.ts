/** Targets: JSON-RPC texts, and what a message holds. */
import fc from 'fast-check'
import {
  allRevisions,
  annotationsFault,
  clientRequestFault,
  clientResultFault,
  contentFault,
  decode,
  encodeError,
  encodeNotification,
  encodeRequest,
  encodeResult,
  formDefaults,
  formSchemaFault,
  has,
  iconsFault,
  isBase64,
  isModern,
  isObject,
  type Message,
  metaFault,
  methodRow,
  negotiate,
  readClientCapabilities,
  readRequestMeta,
  withElicitDefaults,
  writeClientCapabilities,
} from '#protocol'
import { json, messageText, params } from '../seeds.ts'
import { must, type Target } from '../target.ts'

export const codec: Target = {
  name: 'codec',
  law: 'decode never throws; what it reads is written back as the same message; every check of every revision gives a sentence or nothing',
  weight: 20,
  seeds: messageText,
  recordings: ['client message', 'server message'],
  open: () => ({
    run: (input) => {
      const found = decode(input.toString('utf8'))
      if (!Array.isArray(found)) return wayOf(found)
      must(found.length <= 1_000, 'a batch is longer than it may be', found.length)
      for (const one of found) wayOf(one)
      return `batch ${found.length > 0}`
    },
  }),
}

function wayOf(message: Message): string {
  if (message.kind === 'invalid') {
    const { code, message: sentence } = message.error
    must(code === -32700 || code === -32600, 'an invalid message has a code of its own', code)
    must(sentence.length < 500, 'an error repeats what came', sentence)
    encodeError(message.id, message.error)
    return `invalid ${sentence.slice(0, 40)}`
  }
  const text = encoded(message)
  must(!/[\r\n]/.test(text), 'encoded text is one line', text)
  const again = decode(text)
  must(!Array.isArray(again) && again.kind === message.kind, 'decode after encode is another message', text)
  if (message.kind === 'response' || message.kind === 'error') {
    if (message.kind === 'response') checkResult(message.result)
    return message.kind
  }
  const { method, params } = message
  let way = `${message.kind} ${isModern(message)}`
  const meta = readRequestMeta(params)
  way += 'code' in meta ? ' no meta' : ` meta ${has(meta.clientCapabilities, 'elicitation')}`
  for (const revision of allRevisions) {
    const row = methodRow(method, revision.version)
    const fault = row?.check(params)
    must(fault === undefined || typeof fault === 'string', 'a check gives neither a sentence nor nothing', fault)
    if (fault !== undefined) must(fault.length < 2_000, 'a sentence repeats what came', method, fault)
    way += row === undefined ? '-' : fault === undefined ? '+' : 'x'
    if (row === undefined || fault !== undefined || params === undefined) continue
    try {
      JSON.stringify(revision.encodeParams(method, params))
    } catch (error) {
      must((error as { code?: unknown }).code === -32602, 'encodeParams throws something else', String(error))
    }
  }
  negotiate(params?.['protocolVersion'])
  clientRequestFault(method, params, 'legacy')
  clientRequestFault(method, params, 'modern')
  return `${way} ${way.includes('+') ? method : ''}`
}

function encoded(message: Exclude<Message, { kind: 'invalid' }>): string {
  if (message.kind === 'request') return encodeRequest(message.id, message.method, message.params)
  if (message.kind === 'notification') return encodeNotification(message.method, message.params)
  return message.kind === 'response' ? encodeResult(message.id, message.result) : encodeError(message.id, message.error)
}

const asks = ['sampling/createMessage', 'elicitation/create', 'roots/list', 'ping'] as const

function checkResult(result: Parameters<typeof clientResultFault>[1]): void {
  for (const method of asks) clientResultFault(method, result)
}

/** Pieces of content with something wrong, or nothing. */
const block = fc.record(
  {
    type: fc.constantFrom('text', 'image', 'audio', 'resource', 'resource_link', 'tool_use', 'tool_result'),
    text: fc.oneof(fc.string(), json),
    data: fc.oneof(fc.base64String(), fc.string(), json),
    mimeType: fc.oneof(fc.constantFrom('image/png', 'text/plain'), json),
    uri: fc.oneof(fc.webUrl(), json),
    name: fc.oneof(fc.string(), json),
    resource: fc.oneof(fc.record({ uri: fc.webUrl(), text: fc.string() }), json),
    annotations: fc.oneof(fc.record({ audience: fc.constant(['user']), priority: fc.double() }), json),
    icons: fc.oneof(fc.constant([{ src: 'https://a/b.png', sizes: ['any'] }]), json),
    _meta: fc.oneof(fc.dictionary(fc.string(), json, { maxKeys: 3 }), json),
  },
  { requiredKeys: ['type'] },
)

const field = fc.record(
  {
    type: fc.constantFrom('string', 'number', 'integer', 'boolean', 'array', 'object'),
    format: fc.constantFrom('email', 'uri', 'date', 'other'),
    enum: fc.array(fc.string()),
    default: json,
    minimum: fc.double(),
    maximum: fc.double(),
    minLength: fc.integer(),
    oneOf: fc.array(fc.record({ const: fc.string(), title: fc.string() })),
  },
  { requiredKeys: ['type'] },
)

const form = fc.record({
  type: fc.constant('object'),
  properties: fc.dictionary(fc.string(), field, { maxKeys: 4 }),
  required: fc.array(fc.string(), { maxLength: 2 }),
})

export const content: Target = {
  name: 'content',
  law: 'checks of content, forms, questions, answers, capabilities and metadata give a sentence or nothing, whatever the JSON',
  weight: 5,
  seeds: fc.oneof(block, form, params, json).map((one) => JSON.stringify(one)),
  recordings: ['server message'],
  open: () => ({
    run: (input) => {
      let value: unknown
      try {
        value = JSON.parse(input.toString('utf8'))
      } catch {
        return 'no JSON'
      }
      const faults = [
        contentFault(value),
        annotationsFault(value),
        iconsFault(value),
        metaFault(value),
        formSchemaFault(value),
        clientRequestFault('sampling/createMessage', value, 'legacy'),
        clientRequestFault('elicitation/create', value, 'legacy'),
        clientRequestFault('elicitation/create', value, 'modern'),
      ]
      if (faults[4] === undefined) JSON.stringify(formDefaults(value))
      if (isObject(value)) {
        for (const method of asks) faults.push(clientResultFault(method, value, value))
        JSON.stringify(withElicitDefaults(value, value))
      }
      for (const fault of faults) {
        must(fault === undefined || typeof fault === 'string', 'a check gives neither a sentence nor nothing', fault)
        must((fault ?? '').length < 4_000, 'a sentence repeats what came', (fault ?? '').slice(0, 200))
      }
      const capabilities = readClientCapabilities(value)
      const again = readClientCapabilities(JSON.parse(JSON.stringify(writeClientCapabilities(capabilities))))
      must(JSON.stringify(again) === JSON.stringify(capabilities), 'capabilities read back differ', capabilities, again)
      if (typeof value === 'string') isBase64(value)
      return faults.map((fault) => (fault === undefined ? '+' : '-')).join('')
    },
  }),
}
