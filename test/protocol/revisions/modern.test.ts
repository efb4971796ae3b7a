import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  cacheHintsFault,
  cacheHintsOf,
  type JsonObject,
  modernRevisions,
  type Revision,
  withCacheHints,
} from '#protocol'
import { faultOf } from './schemas.ts'

const [modern] = modernRevisions as [Revision]
const serverInfo = { name: 's', version: '1' }
const context = { serverInfo, cache: { ttlMs: 5_000, cacheScope: 'public' } } as const
const identity = { 'io.modelcontextprotocol/serverInfo': serverInfo }

describe('results of 2026-07-28', () => {
  it('say that they are complete, and who answers', () => {
    expect(modern.encodeResult('tools/call', { content: [] }, context)).toEqual({
      content: [],
      resultType: 'complete',
      _meta: identity,
    })
    expect(modern.encodeResult('tools/call', { content: [], _meta: { 'a/b': 1 } }, context)).toEqual({
      content: [],
      resultType: 'complete',
      _meta: { 'a/b': 1, ...identity },
    })
    expect(modern.encodeResult('completion/complete', { completion: { values: [] } })).toEqual({
      completion: { values: [] },
      resultType: 'complete',
    })
  })

  it.each([
    ['server/discover', { supportedVersions: [], capabilities: {} }],
    ['tools/list', { tools: [] }],
    ['prompts/list', { prompts: [] }],
    ['resources/list', { resources: [] }],
    ['resources/templates/list', { resourceTemplates: [] }],
    ['resources/read', { contents: [] }],
    ['skills/list', { skills: [] }],
    ['skills/get', { skill: {} }],
    ['resources/directory/read', { resources: [] }],
  ])('of %s say how long they may be kept: the server’s hints, or their own', (method, result) => {
    expect(modern.encodeResult(method, result, context)).toMatchObject(context.cache)
    const own = { ttlMs: 0, cacheScope: 'private' } as const
    expect(modern.encodeResult(method, withCacheHints(result, own), context)).toMatchObject(own)
  })

  it.each([
    ['tools/call', { content: [] }],
    ['prompts/get', { messages: [] }],
    ['completion/complete', { completion: { values: [] } }],
    ['tasks/get', { taskId: '1' }],
    ['subscriptions/listen', {}],
    ['resources/read', { resultType: 'input_required', requestState: 'x' }],
  ])('of %s that may not be kept carry no hints', (method, result) => {
    const encoded = modern.encodeResult(method, withCacheHints(result, context.cache), context)
    expect(Object.keys(encoded)).not.toContain('ttlMs')
    expect(Object.keys(encoded)).not.toContain('cacheScope')
  })

  it('hold what they ask in this revision’s words', () => {
    const form = { message: 'm', requestedSchema: { type: 'object', properties: {} } }
    const result = {
      resultType: 'input_required',
      requestState: 'x',
      inputRequests: {
        url: {
          method: 'elicitation/create',
          params: { mode: 'url', message: 'm', url: 'https://a.b', elicitationId: '1' },
        },
        form: { method: 'elicitation/create', params: form },
        sample: {
          method: 'sampling/createMessage',
          params: {
            messages: [{ role: 'user', content: { type: 'text', text: 'x' } }],
            maxTokens: 1,
            task: { ttl: 1 },
            tools: [{ name: 't', inputSchema: { type: 'object' }, execution: { taskSupport: 'optional' } }],
          },
        },
        roots: { method: 'roots/list' },
      },
    }
    const encoded = modern.encodeResult('tools/call', result, context)
    expect(faultOf('2026-07-28', 'InputRequiredResult', encoded)).toBeUndefined()
    expect(encoded).toMatchObject({ resultType: 'input_required', requestState: 'x' })
    expect(encoded['inputRequests']).toMatchObject({
      url: { params: { mode: 'url', message: 'm', url: 'https://a.b' } },
      form: { params: form },
    })
    expect(JSON.stringify(encoded)).not.toMatch(/elicitationId|"task"|execution/)
  })

  it('are taken by the schema whatever questions they hold', () => {
    const text = fc.string()
    const field = fc.constantFrom<JsonObject[]>(
      { type: 'string', minLength: 1 },
      { type: 'boolean', default: true },
      { type: 'integer', minimum: 0 },
      { type: 'string', enum: ['a', 'b'] },
      { type: 'array', items: { type: 'string', enum: ['a', 'b'] }, minItems: 1 },
    )
    const properties = fc.dictionary(text, field, { maxKeys: 4 })
    const form = fc.record(
      {
        mode: fc.constant('form'),
        message: text,
        requestedSchema: properties.map((held) => ({ type: 'object', properties: held })),
        task: fc.constant({ ttl: 1 }),
      },
      { requiredKeys: ['message', 'requestedSchema'] },
    )
    const url = fc.record({
      mode: fc.constant('url'),
      message: text,
      url: fc.webUrl(),
      elicitationId: text,
    })
    const question = fc.oneof(
      fc.oneof(form, url).map((params) => ({ method: 'elicitation/create', params })),
      fc.constantFrom({ method: 'roots/list' }, { method: 'roots/list', params: {} }),
      text.map((held) => ({
        method: 'sampling/createMessage',
        params: { messages: [{ role: 'user', content: { type: 'text', text: held } }], maxTokens: 1 },
      })),
    )
    fc.assert(
      fc.property(fc.dictionary(text, question, { maxKeys: 5 }), fc.option(text), (inputRequests, state) => {
        const result = {
          resultType: 'input_required',
          inputRequests,
          ...(state !== null && { requestState: state }),
        }
        const encoded = modern.encodeResult('prompts/get', result, context)
        expect(faultOf('2026-07-28', 'InputRequiredResult', encoded)).toBeUndefined()
        expect(Object.keys(encoded['inputRequests'] as object)).toEqual(Object.keys(inputRequests))
      }),
      { seed: Number(process.env['BOUGH_SEED'] ?? 20_260_728), numRuns: 200 },
    )
  })

  it('hold what a task came to as its call would have answered it', () => {
    const task = { taskId: '1', status: 'completed', result: { content: [], isError: true } }
    expect(modern.encodeResult('tasks/get', task, context)).toEqual({
      taskId: '1',
      status: 'completed',
      result: { content: [], isError: true, resultType: 'complete' },
      resultType: 'complete',
      _meta: identity,
    })
    const failed = { taskId: '1', status: 'failed', error: { code: -32002, message: 'm' } }
    expect(modern.encodeResult('tasks/get', failed)).toMatchObject({ error: { code: -32602, message: 'm' } })
    expect(modern.encodeParams('notifications/tasks', task)).toMatchObject({ result: { resultType: 'complete' } })
  })

  it('know other types of results, as extensions bring them', () => {
    expect(modern.encodeResult('tools/call', { resultType: 'task', taskId: '1' }, context)).toMatchObject({
      resultType: 'task',
      taskId: '1',
    })
  })

  it('name no tasks among tools and capabilities, but the extension', () => {
    const tools = [{ name: 't', inputSchema: { type: 'object' }, execution: { taskSupport: 'required' } }]
    expect(modern.encodeResult('tools/list', { tools })['tools']).toEqual([
      { name: 't', inputSchema: { type: 'object' } },
    ])
    const extensions = { 'io.modelcontextprotocol/tasks': {} }
    const discovered = { supportedVersions: [], capabilities: { tools: {}, tasks: { list: {} }, extensions } }
    expect(modern.encodeResult('server/discover', discovered)['capabilities']).toEqual({ tools: {}, extensions })
  })

  it.each<[string, JsonObject]>([
    ['elicitation/create', { action: 'accept', content: {} }],
    ['sampling/createMessage', { role: 'assistant', model: 'm', content: { type: 'text', text: 'x' } }],
    ['roots/list', { roots: [] }],
  ])('of a client to %s stay as they are, for they travel in params', (method, result) => {
    expect(modern.encodeResult(method, result, context)).toBe(result)
  })
})

describe('errors of 2026-07-28', () => {
  it.each([
    [-32002, -32602],
    [-32042, -32603],
    [-32020, -32020],
    [-32021, -32021],
    [-32022, -32022],
    [-32023, -32603],
    [-32099, -32603],
    [-32100, -32100],
    [-32019, -32019],
    [-32000, -32000],
    [-32601, -32601],
    [-32700, -32700],
    [7, 7],
  ])('%d is sent as %d', (code, sent) => {
    const error = { code, message: 'm', data: { uri: 'a://b' } }
    const encoded = modern.encodeError(error)
    expect(encoded).toEqual({ ...error, code: sent })
    if (code === sent) expect(encoded).toBe(error)
  })
})

describe('cache hints', () => {
  it('stay with a result that is copied, and out of its JSON', () => {
    const hints = { ttlMs: 1, cacheScope: 'public' } as const
    const result = withCacheHints({ contents: [] }, hints)
    expect(cacheHintsOf({ ...result })).toBe(hints)
    expect(JSON.stringify(result)).toBe('{"contents":[]}')
    expect(cacheHintsOf({ contents: [] })).toBeUndefined()
  })

  it.each([
    [{ ttlMs: 0, cacheScope: 'public' }, undefined],
    [{ ttlMs: 1, cacheScope: 'private' }, undefined],
    [undefined, 'must hold ttlMs and cacheScope, got nothing'],
    [{ ttlMs: -1, cacheScope: 'public' }, 'needs ttlMs as a whole number of milliseconds, 0 or more, got number -1'],
    [{ ttlMs: 0.5, cacheScope: 'public' }, 'needs ttlMs as a whole number of milliseconds, 0 or more, got number 0.5'],
    [{ ttlMs: 1 }, 'needs cacheScope "public" or "private", got nothing'],
    [{ ttlMs: 1, cacheScope: 'all' }, 'needs cacheScope "public" or "private", got string "all"'],
  ])('%j: %s', (hints, fault) => {
    expect(cacheHintsFault(hints)).toBe(fault)
  })
})
