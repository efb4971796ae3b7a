import { describe, expect, it } from 'vitest'
import {
  clientResultFault,
  ErrorCode,
  elicitRequestFault,
  elicitResultFault,
  FORM_CHOICES_MAX,
  FORM_FIELDS_MAX,
  formSchemaFault,
  type JsonObject,
  toErrorObject,
  urlElicitationRequired,
  withElicitDefaults,
} from '#protocol'

const schemaOf = (field: unknown): JsonObject => ({ type: 'object', properties: { a: field } })
const titled = [
  { const: '#f00', title: 'Red' },
  { const: '#0f0', title: 'Green' },
]

describe('the schema of a form', () => {
  it.each<[string, JsonObject]>([
    ['a text', { type: 'string' }],
    [
      'a text with all that texts have',
      { type: 'string', title: 'T', description: 'D', minLength: 3, maxLength: 50, default: 'abc' },
    ],
    ['a pattern', { type: 'string', pattern: '^[a-z]+$', default: 'abc' }],
    ['an email', { type: 'string', format: 'email', default: 'user@example.com' }],
    ['a uri', { type: 'string', format: 'uri', default: 'https://example.com' }],
    ['a date', { type: 'string', format: 'date', default: '2025-01-31' }],
    ['a date with a time', { type: 'string', format: 'date-time', default: '2025-01-31T12:00:00Z' }],
    ['a number', { type: 'number', minimum: 0, maximum: 1.5, default: 0.5 }],
    ['an integer', { type: 'integer', minimum: -1, maximum: 1, default: 0 }],
    ['yes or no', { type: 'boolean', default: false }],
    ['a choice', { type: 'string', enum: ['a', 'b'], default: 'b' }],
    ['a choice with old names', { type: 'string', enum: ['a', 'b'], enumNames: ['A', 'B'], default: 'a' }],
    ['a choice with titles', { type: 'string', oneOf: titled, default: '#f00' }],
    [
      'several choices',
      { type: 'array', minItems: 1, maxItems: 2, items: { type: 'string', enum: ['a', 'b'] }, default: ['a'] },
    ],
    ['several choices with titles', { type: 'array', items: { anyOf: titled }, default: ['#f00', '#0f0'] }],
  ])('may hold %s', (_name, field) => expect(formSchemaFault(schemaOf(field))).toBeUndefined())

  it.each<[string, unknown, string]>([
    ['no schema', undefined, 'must be an object schema, got nothing'],
    ['another type', { type: 'string' }, 'type must be "object", got string "string"'],
    ['no fields', { type: 'object' }, 'properties must be an object of fields, got nothing'],
    [
      'an unknown required field',
      { type: 'object', properties: {}, required: ['a'] },
      'required names string "a", which is no field',
    ],
    ['required as text', { type: 'object', properties: {}, required: 'a' }, 'required must be an array of names'],
    [
      'too many fields',
      {
        type: 'object',
        properties: Object.fromEntries(
          Array.from({ length: FORM_FIELDS_MAX + 1 }, (_, n) => [`f${n}`, { type: 'boolean' }]),
        ),
      },
      `may hold ${FORM_FIELDS_MAX} fields`,
    ],
  ])('is refused: %s', (_name, schema, sentence) => expect(formSchemaFault(schema)).toContain(sentence))

  it.each<[string, unknown, string]>([
    ['no field', 7, 'properties.a must be a schema, got number 7'],
    ['an object', { type: 'object' }, 'properties.a.type must be string, number, integer, boolean or array'],
    ['no type', {}, 'properties.a.type must be string'],
    ['nested properties', { type: 'string', properties: {} }, 'properties.a.properties is more than a form can show'],
    ['a reference', { $ref: '#/x' }, '$ref is more than a form can show'],
    ['a title that is no text', { type: 'string', title: 1 }, 'properties.a.title must be a string'],
    [
      'an unknown format',
      { type: 'string', format: 'uuid' },
      'format must be email, uri, date, date-time, got string "uuid"',
    ],
    ['a negative length', { type: 'string', minLength: -1 }, 'minLength must be a whole number'],
    [
      'lengths the wrong way round',
      { type: 'string', minLength: 3, maxLength: 2 },
      'minLength must not be above maxLength, got 3 and 2',
    ],
    ['a pattern that is none', { type: 'string', pattern: '(' }, 'must be a JSON Schema'],
    ['anyOf on a text', { type: 'string', anyOf: titled }, 'anyOf belongs into the items of an array'],
    ['a range the wrong way round', { type: 'number', minimum: 2, maximum: 1 }, 'minimum must not be above maximum'],
    ['a bound as text', { type: 'integer', minimum: '1' }, 'minimum must be a number, got string "1"'],
    ['choices of a number', { type: 'number', enum: [1, 2] }, 'enum does not belong to the type "number"'],
    ['no choices', { type: 'string', enum: [] }, 'enum must be an array of at least one choice'],
    ['a choice that is no text', { type: 'string', enum: ['a', 1] }, 'enum[1] must be a string, got number 1'],
    ['a choice twice', { type: 'string', enum: ['a', 'a'] }, 'enum must not name a value twice'],
    [
      'too many choices',
      { type: 'string', enum: Array.from({ length: FORM_CHOICES_MAX + 1 }, (_, n) => `${n}`) },
      `may hold ${FORM_CHOICES_MAX} choices`,
    ],
    ['names that do not fit', { type: 'string', enum: ['a', 'b'], enumNames: ['A'] }, 'enumNames must name each value'],
    ['both kinds of choice', { type: 'string', enum: ['a'], oneOf: titled }, 'oneOf and enum exclude each other'],
    ['a choice without a title', { type: 'string', oneOf: [{ const: 'a' }] }, 'oneOf[0] must have const and title'],
    ['a list without items', { type: 'array' }, 'items must be a schema of choices'],
    ['a list of texts', { type: 'array', items: { type: 'string' } }, 'items must have either enum or anyOf'],
    ['a list of numbers', { type: 'array', items: { type: 'number', enum: [1] } }, 'items.type must be "string"'],
    [
      'items the wrong way round',
      { type: 'array', minItems: 2, maxItems: 1, items: { type: 'string', enum: ['a'] } },
      'minItems must not be above maxItems',
    ],
    [
      'a default of another type',
      { type: 'boolean', default: 'yes' },
      'default is not a value of its field: default: expected boolean',
    ],
    ['a default out of range', { type: 'integer', maximum: 1, default: 2 }, 'default is not a value of its field'],
    [
      'a default of another format',
      { type: 'string', format: 'email', default: 'x' },
      'default: expected format email',
    ],
    [
      'a default that is no choice',
      { type: 'string', oneOf: titled, default: 'x' },
      'default is not a value of its field',
    ],
    [
      'a default of too many',
      { type: 'array', maxItems: 1, items: { type: 'string', enum: ['a', 'b'] }, default: ['a', 'b'] },
      'default is not a value of its field',
    ],
  ])('may not hold %s', (_name, field, sentence) => expect(formSchemaFault(schemaOf(field))).toContain(sentence))

  it.each([
    'password',
    'Password',
    'api_key',
    'apiKey',
    'API-Key',
    'access_token',
    'client secret',
    'cvv',
    'credit_card_number',
  ])('may not ask for %s, which belongs to the mode url', (name) => {
    const schema = { type: 'object', properties: { [name]: { type: 'string' } } }
    expect(formSchemaFault(schema)).toContain('asks for a secret')
  })

  it.each(['username', 'email', 'token_count', 'secretary', 'passenger', 'pinned'])('may ask for %s', (name) => {
    expect(formSchemaFault({ type: 'object', properties: { [name]: { type: 'string' } } })).toBeUndefined()
  })
})

const form = {
  message: 'm',
  requestedSchema: {
    type: 'object',
    properties: {
      name: { type: 'string', default: 'ann' },
      age: { type: 'integer', minimum: 0 },
      tags: { type: 'array', items: { type: 'string', enum: ['a', 'b'] } },
    },
    required: ['name', 'age'],
  },
}
const page = { mode: 'url', message: 'm', url: 'https://example.com/x', elicitationId: 'e-1' }

describe('elicitRequestFault', () => {
  it.each<[string, unknown]>([
    ['a form', form],
    ['a form that says so', { ...form, mode: 'form' }],
    ['a page', page],
    ['a page of this machine', { ...page, url: 'http://127.0.0.1:3000/x' }],
    ['a page of localhost', { ...page, url: 'http://localhost/x' }],
    ['a page of ::1', { ...page, url: 'http://[::1]/x' }],
  ])('lets %s through', (_name, request) => expect(elicitRequestFault(request)).toBeUndefined())

  it.each<[string, unknown, string]>([
    ['no params', undefined, 'params must be an object'],
    ['no message', { requestedSchema: {} }, 'params.message must be a string, got nothing'],
    ['an unknown mode', { message: 'm', mode: 'voice' }, 'params.mode must be "form" or "url", got string "voice"'],
    ['a form without a schema', { message: 'm' }, 'params.requestedSchema must be an object schema, got nothing'],
    [
      'a bad field',
      { message: 'm', requestedSchema: schemaOf({ type: 'no' }) },
      'params.requestedSchema.properties.a.type must be',
    ],
    ['a page without a url', { ...page, url: undefined }, 'params.url must be a URL'],
    ['a relative url', { ...page, url: '/x' }, 'params.url must be a URL'],
    ['a page over http', { ...page, url: 'http://example.com' }, 'params.url must be an https: URL'],
    ['a script', { ...page, url: 'javascript:alert(1)' }, 'params.url must be an https: URL'],
    ['credentials in the url', { ...page, url: 'https://u:p@example.com' }, 'params.url must not hold credentials'],
    ['a page with a form', { ...page, requestedSchema: {} }, 'belongs to the mode "form"'],
    ['a page without an id', { ...page, elicitationId: undefined }, 'params.elicitationId must be a string'],
  ])('names what is wrong: %s', (_name, request, sentence) => expect(elicitRequestFault(request)).toContain(sentence))

  it('needs no id for a page in the modern era', () => {
    expect(elicitRequestFault({ ...page, elicitationId: undefined }, 'modern')).toBeUndefined()
    expect(elicitRequestFault({ ...page, elicitationId: 7 }, 'modern')).toContain('params.elicitationId')
  })
})

describe('elicitResultFault', () => {
  it.each<[string, unknown, unknown]>([
    ['an accepted form', form, { action: 'accept', content: { name: 'a', age: 3, tags: ['a'] } }],
    ['more than was asked for', form, { action: 'accept', content: { name: 'a', age: 3, more: true } }],
    ['a refusal', form, { action: 'decline' }],
    ['a refusal with nothing in it', form, { action: 'cancel', content: {} }],
    ['a visited page', page, { action: 'accept' }],
  ])('lets %s through', (_name, request, result) => expect(elicitResultFault(request, result)).toBeUndefined())

  it.each<[string, unknown, unknown, string]>([
    ['no result', form, 7, 'result must be an object'],
    ['an unknown action', form, { action: 'maybe' }, 'result.action must be "accept", "decline" or "cancel"'],
    ['content that is no object', form, { action: 'accept', content: [] }, 'result.content must be an object'],
    [
      'a missing field',
      form,
      { action: 'accept', content: { name: 'a' } },
      'does not match the form: age: expected integer, got nothing',
    ],
    ['no content at all', form, { action: 'accept' }, 'does not match the form'],
    [
      'a value out of range',
      form,
      { action: 'accept', content: { name: 'a', age: -1 } },
      'age: expected something that must be >= 0',
    ],
    [
      'a choice that is none',
      form,
      { action: 'accept', content: { name: 'a', age: 1, tags: ['c'] } },
      'tags[0]: expected one of',
    ],
    [
      'a nested value',
      form,
      { action: 'accept', content: { name: 'a', age: 1, more: { b: 1 } } },
      'result.content.more must be a string',
    ],
    ['content of a refusal', form, { action: 'decline', content: { name: 'a' } }, 'belongs to an accepted form only'],
    ['content of a page', page, { action: 'accept', content: { name: 'a' } }, 'belongs to an accepted form only'],
  ])('names what is wrong: %s', (_name, request, result, sentence) => {
    expect(elicitResultFault(request, result)).toContain(sentence)
  })

  it('is what clientResultFault checks, with the params where it has them', () => {
    const result = { action: 'accept', content: { name: 'a' } }
    expect(clientResultFault('elicitation/create', result)).toBeUndefined()
    expect(clientResultFault('elicitation/create', result, form)).toContain('age')
  })
})

describe('withElicitDefaults', () => {
  it('fills what an accepted form lacks, and changes nothing else', () => {
    expect(withElicitDefaults(form, { action: 'accept', content: { age: 1 } })).toEqual({
      action: 'accept',
      content: { name: 'ann', age: 1 },
    })
    expect(withElicitDefaults(form, { action: 'accept' })).toEqual({ action: 'accept', content: { name: 'ann' } })
    const given = { action: 'accept', content: { name: 'bob', age: 1 } }
    expect(withElicitDefaults(form, given)).toBe(given)
    const refused = { action: 'decline' }
    expect(withElicitDefaults(form, refused)).toBe(refused)
    const visited = { action: 'accept' }
    expect(withElicitDefaults(page, visited)).toBe(visited)
  })
})

describe('urlElicitationRequired', () => {
  it('is -32042 with the elicitations in data, each of mode url', () => {
    const { mode: _mode, ...one } = page
    expect(toErrorObject(urlElicitationRequired([one], 'Sign in first'))).toEqual({
      code: ErrorCode.UrlElicitationRequired,
      message: 'Sign in first',
      data: { elicitations: [page] },
    })
  })

  it.each<[string, Parameters<typeof urlElicitationRequired>[0], string]>([
    ['none', [], 'at least one'],
    ['one without an id', [{ message: 'm', url: 'https://example.com' }], 'params.elicitationId'],
    ['one over http', [{ message: 'm', url: 'http://example.com', elicitationId: 'e' }], 'params.url'],
  ])('throws for %s', (_name, elicitations, sentence) => {
    expect(() => urlElicitationRequired(elicitations)).toThrow(sentence)
  })
})
