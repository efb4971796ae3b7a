import { describe, expect, it } from 'vitest'
import {
  defineResource,
  defineResourceTemplate,
  type ResourceOptions,
  readDefaults,
  toReadResult,
} from '#features/resource'
import { defineTool, type ToolOptions } from '#features/tool'
import { toToolResult } from '#features/tool-result'
import { showsUi, UI_MIME_TYPE } from '#features/ui'
import { cacheHintsOf, text } from '#protocol'

const run = (): string => 'x'
const tool = (options: object): ReturnType<typeof defineTool> => defineTool('t', { run, ...options } as ToolOptions)
const refusal = (sentence: string) =>
  expect.objectContaining({ code: 'MCP_DEFINITION', message: expect.stringContaining(sentence) })

describe('what a tool says of itself', () => {
  it.each<[string, object, object | undefined]>([
    ['nothing', {}, undefined],
    ['a version', { version: '2.1.0' }, { 'bough/version': '2.1.0' }],
    ['a deprecation', { deprecated: true }, { 'bough/deprecated': true }],
    [
      'a deprecation with reasons',
      { deprecated: { since: '2', message: 'm', replacedBy: 'u' } },
      { 'bough/deprecated': { since: '2', message: 'm', replacedBy: 'u' } },
    ],
    ['no deprecation', { deprecated: false }, undefined],
    ['keys of its own', { _meta: { 'com.example/a': 1 }, version: '1' }, { 'com.example/a': 1, 'bough/version': '1' }],
    [
      'an interface',
      { ui: { resourceUri: 'ui://a/b', visibility: ['app'] } },
      { ui: { resourceUri: 'ui://a/b', visibility: ['app'] } },
    ],
  ])('is listed in its _meta: %s', (_name, options, meta) => expect(tool(options).entity._meta).toEqual(meta))

  it('is not listed where it is for the server alone', () => {
    const made = tool({ scopes: ['mail:read', 'mail:read', 'x'], task: 'optional', resumable: true })
    expect(made).toMatchObject({
      scopes: ['mail:read', 'x'],
      resumable: true,
      entity: { execution: { taskSupport: 'optional' } },
    })
    expect(Object.keys(made.entity)).toEqual(['name', 'inputSchema', 'execution'])
    expect(tool({})).toMatchObject({ scopes: [], resumable: false, parameterHeaders: [] })
    expect(tool({ execution: { taskSupport: 'required' } }).entity.execution).toEqual({ taskSupport: 'required' })
  })

  it('keeps the parameters that headers repeat', () => {
    const input = { type: 'object', properties: { region: { type: 'string', 'x-mcp-header': 'Region' } } }
    expect(tool({ input }).parameterHeaders).toEqual([{ path: ['region'], header: 'Mcp-Param-Region', type: 'string' }])
  })

  it.each<[string, object, string]>([
    ['an empty version', { version: '' }, 'version must be a text of 1 to 128 characters'],
    ['a version that is no text', { version: 2 }, 'version must be a text'],
    [
      'a deprecation as text',
      { deprecated: 'yes' },
      'deprecated must be true, false or { since, message, replacedBy }',
    ],
    ['an unknown part of a deprecation', { deprecated: { by: 'u' } }, 'deprecated has the member "by"'],
    ['a reason that is no text', { deprecated: { message: 1 } }, 'deprecated.message must be a text'],
    ['a key that an option sets', { version: '1', _meta: { 'bough/version': '2' } }, '_meta holds "bough/version"'],
    [
      'a reserved key',
      { _meta: { 'io.modelcontextprotocol/x': 1 } },
      '_meta key "io.modelcontextprotocol/x" is one that MCP keeps',
    ],
    ['a bad key', { _meta: { 'a b': 1 } }, '_meta key "a b" is no name'],
    ['_meta that is no object', { _meta: [] }, '_meta must be an object, got array of 0'],
    ['scopes as text', { scopes: 'a' }, 'scopes must be an array'],
    ['a scope with a space', { scopes: ['a b'] }, 'scopes[0] must be a scope without spaces'],
    ['a scope with a quote', { scopes: ['a', 'b"'] }, 'scopes[1] must be a scope'],
    [
      'an unknown task support',
      { task: 'yes' },
      'task must be "optional", "required" or "forbidden", got string "yes"',
    ],
    ['an unknown execution', { execution: { taskSupport: 'yes' } }, 'execution.taskSupport must be'],
    ['execution as text', { execution: 'x' }, 'execution must be an object'],
    [
      'two task supports',
      { task: 'optional', execution: { taskSupport: 'required' } },
      'task says "optional" and execution.taskSupport says "required"',
    ],
    ['resumable without a task', { resumable: true }, 'resumable is about tasks'],
    ['resumable with tasks forbidden', { resumable: true, task: 'forbidden' }, 'resumable is about tasks'],
    ['resumable as text', { resumable: 'yes', task: 'optional' }, 'resumable must be true or false'],
    ['prepare that is no function', { prepare: 1 }, 'prepare must be a function'],
    ['annotations as text', { annotations: 'x' }, 'annotations must be an object'],
    ['a hint as text', { annotations: { readOnlyHint: 'yes' } }, 'annotations.readOnlyHint must be true or false'],
    ['a title of annotations that is no text', { annotations: { title: 1 } }, 'annotations.title must be a string'],
    [
      'a header on a number',
      { input: { type: 'object', properties: { a: { type: 'number', 'x-mcp-header': 'A' } } } },
      'input: ',
    ],
    ['an interface over https', { ui: { resourceUri: 'https://a' } }, 'ui.resourceUri must be a ui:// URI'],
    ['an interface for nobody', { ui: { visibility: [] } }, 'ui.visibility must hold "model", "app" or both'],
    ['an interface for others', { ui: { visibility: ['user'] } }, 'ui.visibility must hold'],
    ['an interface as text', { ui: 'ui://a' }, 'ui must be an object'],
    [
      'an unknown dialect',
      { input: { $schema: 'http://json-schema.org/draft-04/schema#' } },
      'draft-04/schema#\\" is not supported'.replaceAll('\\', ''),
    ],
    ['a schema past a bound', { input: { anyOf: Array(20_000).fill({}) } }, 'holds more than'],
    [
      'a pattern that could take for ever',
      { input: { properties: { a: { pattern: '^(\\w+)+\\1$' } } } },
      'could take for ever',
    ],
    ['a reference to elsewhere', { output: { $ref: 'https://example.org/s.json' } }, 'References are not fetched'],
  ])('is refused: %s', (_name, options, sentence) => expect(() => tool(options)).toThrow(refusal(sentence)))
})

describe('an output schema', () => {
  it.each<[string, object, unknown, unknown]>([
    ['a list', { type: 'array', items: { type: 'integer' } }, [1, 2], ['x']],
    ['a text', { type: 'string' }, 'x', 1],
    ['null', { type: 'null' }, null, 0],
    ['one of several', { oneOf: [{ type: 'string' }, { type: 'number' }] }, 1, true],
  ])('may be of any type: %s', (_name, output, good, bad) => {
    const made = tool({ output })
    expect(made.entity.outputSchema).toEqual(output)
    expect(toToolResult({ structured: good }, made)).toEqual({
      content: [text(JSON.stringify(good))],
      structuredContent: good,
    })
    expect(toToolResult({ structured: bad }, made)).toMatchObject({ isError: true })
    expect(toToolResult({ content: [], structuredContent: good }, made)).toEqual({
      content: [],
      structuredContent: good,
    })
  })

  it.each([[{ properties: { a: {} } }], [{ required: ['a'] }], [{ anyOf: [{ type: 'object' }, { properties: {} }] }]])(
    'that speaks of objects only is of type object, so that older revisions have it too: %j',
    (output) => {
      expect(tool({ output }).entity.outputSchema).toEqual({ type: 'object', ...output })
    },
  )
})

describe('cache hints of a resource', () => {
  const cache = { ttlMs: 60_000, scope: 'public' } as const
  const hints = { ttlMs: 60_000, cacheScope: 'public' }

  it('go with what is read, and what is read may bring its own', () => {
    const resource = defineResource('a://b', { cache, mimeType: 'x/y', read: run })
    expect(cacheHintsOf(toReadResult('x', 'a://b', readDefaults(resource)))).toEqual(hints)
    const own = { contents: [{ uri: 'a://b', text: 'x' }], cache: { ttlMs: 0, scope: 'private' } }
    const result = toReadResult(own, 'a://b', readDefaults(resource))
    expect(cacheHintsOf(result)).toEqual({ ttlMs: 0, cacheScope: 'private' })
    expect(JSON.parse(JSON.stringify(result))).toEqual({ contents: [{ uri: 'a://b', text: 'x' }] })
    expect(cacheHintsOf(toReadResult('x', 'a://b'))).toBeUndefined()
    expect(readDefaults(defineResourceTemplate('a://{b}', { cache, read: run })).cache).toEqual(hints)
  })

  it.each<[unknown, string]>([
    [7, 'cache must be { ttlMs, scope }, got number 7'],
    [{ scope: 'public' }, 'cache needs ttlMs as a whole number'],
    [{ ttlMs: -1, scope: 'public' }, 'cache needs ttlMs'],
    [{ ttlMs: 1.5, scope: 'public' }, 'cache needs ttlMs'],
    [{ ttlMs: 1, scope: 'shared' }, 'cache needs scope "public" or "private", got string "shared"'],
  ])('are refused: %j', (bad, sentence) => {
    expect(() => defineResource('a://b', { read: run, cache: bad } as ResourceOptions)).toThrow(refusal(sentence))
    if (bad === 7) return
    const returned = { contents: [], cache: bad }
    expect(() => toReadResult(returned, 'a://b')).toThrow(expect.objectContaining({ code: 'MCP_RESULT' }))
  })
})

describe('a user interface', () => {
  it('has its type, and what it needs in the listing and in what is read', () => {
    const ui = {
      csp: { connectDomains: ['https://api.example.com', 'wss://a'], resourceDomains: ['https://*.example.com'] },
      permissions: { camera: {} },
      domain: 'd',
      prefersBorder: true,
    }
    const resource = defineResource('ui://a/b', { ui, _meta: { 'com.example/a': 1 }, read: run })
    expect(resource.entity).toEqual({
      uri: 'ui://a/b',
      name: 'ui://a/b',
      mimeType: UI_MIME_TYPE,
      _meta: { 'com.example/a': 1, ui },
    })
    expect(toReadResult('<p>', 'ui://a/b', readDefaults(resource)).contents).toEqual([
      { uri: 'ui://a/b', mimeType: UI_MIME_TYPE, text: '<p>', _meta: { ui } },
    ])
    expect(defineResource('ui://a', { read: run }).entity.mimeType).toBe(UI_MIME_TYPE)
    expect(defineResourceTemplate('ui://a/{b}', { read: run }).entity.mimeType).toBe(UI_MIME_TYPE)
  })

  it.each<[string, string, object, string]>([
    ['another type', 'ui://a', { mimeType: 'text/html' }, `mimeType of a ui:// resource must be "${UI_MIME_TYPE}"`],
    ['another scheme', 'a://b', { ui: {} }, 'ui belongs to resources whose URI begins with ui://'],
    ['needs as text', 'ui://a', { ui: 'x' }, 'ui must be an object'],
    [
      'an unknown list of origins',
      'ui://a',
      { ui: { csp: { scriptDomains: [] } } },
      'ui.csp has the member "scriptDomains"',
    ],
    ['origins as text', 'ui://a', { ui: { csp: { connectDomains: 'x' } } }, 'ui.csp.connectDomains must be an array'],
    ['an origin with a path', 'ui://a', { ui: { csp: { connectDomains: ['https://a/b'] } } }, 'must hold origins'],
    [
      'an origin that ends the policy',
      'ui://a',
      { ui: { csp: { connectDomains: ['https://a;script-src *'] } } },
      'must hold origins',
    ],
    ['an unknown permission', 'ui://a', { ui: { permissions: { usb: {} } } }, 'ui.permissions must hold camera'],
    ['a domain that is no text', 'ui://a', { ui: { domain: 1 } }, 'ui.domain must be a string'],
    ['a border as text', 'ui://a', { ui: { prefersBorder: 'yes' } }, 'ui.prefersBorder must be true or false'],
    ['needs twice', 'ui://a', { ui: {}, _meta: { ui: {} } }, '_meta holds "ui"'],
  ])('is refused: %s', (_name, uri, options, sentence) => {
    expect(() => defineResource(uri, { read: run, ...options } as ResourceOptions)).toThrow(refusal(sentence))
  })

  it.each<[object | undefined, boolean]>([
    [undefined, false],
    [{}, true],
    [{ mimeTypes: [UI_MIME_TYPE] }, true],
    [{ mimeTypes: ['text/x'] }, false],
  ])('is shown by a client that announced %j: %j', (settings, shows) => {
    expect(showsUi(settings as Parameters<typeof showsUi>[0])).toBe(shows)
  })
})

describe('what all resources may say', () => {
  it.each<[string, object, string]>([
    ['a priority above 1', { annotations: { priority: 2 } }, 'annotations.priority must be 0 to 1'],
    ['annotations as text', { annotations: 'x' }, 'annotations must be an object'],
    [
      'an unknown audience',
      { annotations: { audience: ['all'] } },
      'annotations.audience[0] must be "user" or "assistant"',
    ],
    [
      'a date that is none',
      { annotations: { lastModified: 'now' } },
      'annotations.lastModified must be an ISO 8601 date',
    ],
    ['a size of half a byte', { size: 0.5 }, 'size must be a number of bytes'],
    ['a title that is no text', { title: 1 }, 'title must be a string'],
    ['an icon that is no image', { icons: [{ src: 'data:text/html;base64,aGk=' }] }, 'icons[0].src must hold an image'],
    ['a reserved key', { _meta: { 'com.mcp/x': 1 } }, '_meta key "com.mcp/x" is one that MCP keeps'],
  ])('is refused: %s', (_name, options, sentence) => {
    expect(() => defineResource('a://b', { read: run, ...options } as ResourceOptions)).toThrow(refusal(sentence))
    if ('size' in options) return
    expect(() => defineResourceTemplate('a://{b}', { read: run, ...options } as ResourceOptions)).toThrow(
      refusal(sentence),
    )
  })
})
