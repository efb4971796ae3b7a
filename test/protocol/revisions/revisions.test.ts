import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  allRevisions,
  type ContentBlock,
  clientCapabilitiesKey,
  isInRevision,
  type JsonObject,
  knowsMethod,
  latestRevision,
  legacyRevisions,
  methodRow,
  methodRows,
  modernRevisions,
  negotiate,
  protocolVersionKey,
  type ResultContext,
  type Revision,
  revisionOf,
  subscriptionIdKey,
} from '#protocol'
import { faultOf, isDraft2020, methodNames } from './schemas.ts'

const annotations = { audience: ['user'], priority: 0.5, lastModified: '2025-01-01T00:00:00Z' } as const
const icons = [{ src: 'https://example.org/i.png', mimeType: 'image/png', sizes: ['48x48'], theme: 'dark' }] as const
const _meta = { 'example.org/x': 1 }

const content: readonly ContentBlock[] = [
  { type: 'text', text: 'hello', annotations, _meta },
  { type: 'image', data: 'aGk=', mimeType: 'image/png', annotations, _meta },
  { type: 'audio', data: 'aGk=', mimeType: 'audio/wav', annotations, _meta },
  {
    type: 'resource_link',
    uri: 'a://b',
    name: 'b',
    title: 'B',
    description: 'd',
    mimeType: 'x/y',
    size: 1,
    icons,
    annotations,
    _meta,
  },
  { type: 'resource', resource: { uri: 'a://b', mimeType: 'x/y', text: 't', _meta }, annotations, _meta },
  { type: 'resource', resource: { uri: 'a://b', blob: 'aGk=', _meta } },
]
const schema = { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] }

const results: readonly (readonly [method: string, definition: string, result: JsonObject])[] = [
  [
    'initialize',
    'InitializeResult',
    {
      protocolVersion: 'x',
      capabilities: {
        tools: { listChanged: true },
        resources: { subscribe: true, listChanged: true },
        prompts: { listChanged: true },
        logging: {},
        completions: {},
        tasks: { list: {}, cancel: {}, requests: { tools: { call: {} } } },
        experimental: { a: {} },
      },
      serverInfo: { name: 's', version: '1', title: 'S', description: 'd', websiteUrl: 'https://example.org', icons },
      instructions: 'i',
    },
  ],
  [
    'tools/list',
    'ListToolsResult',
    {
      tools: [
        {
          name: 't',
          title: 'T',
          description: 'd',
          icons,
          inputSchema: schema,
          outputSchema: schema,
          annotations: {
            title: 'A',
            readOnlyHint: true,
            destructiveHint: false,
            idempotentHint: true,
            openWorldHint: false,
          },
          execution: { taskSupport: 'optional' },
          _meta,
        },
        { name: 'u', title: 'U', inputSchema: { type: 'object' } },
      ],
      nextCursor: 'n',
    },
  ],
  ['tools/call', 'CallToolResult', { content, structuredContent: { city: 'Oslo' }, isError: false, _meta }],
  ['tools/call', 'CallToolResult', { content: [], structuredContent: { city: 'Oslo' } }],
  ['tools/call', 'CallToolResult', { content: [], isError: true }],
  ['tools/call', 'CallToolResult', { content: [], structuredContent: [1, 'two', null] }],
  [
    'tools/list',
    'ListToolsResult',
    { tools: [{ name: 'v', inputSchema: { type: 'object' }, outputSchema: { type: 'array', items: {} } }] },
  ],
  [
    'server/discover',
    'DiscoverResult',
    {
      supportedVersions: ['2026-07-28', '2025-11-25'],
      capabilities: {
        tools: { listChanged: true },
        resources: { subscribe: true, listChanged: true },
        prompts: { listChanged: true },
        logging: {},
        completions: {},
        tasks: { list: {} },
        experimental: { a: {} },
        extensions: { 'io.modelcontextprotocol/tasks': {} },
      },
      instructions: 'i',
    },
  ],
  ['subscriptions/listen', 'SubscriptionsListenResult', { _meta: { 'io.modelcontextprotocol/subscriptionId': 1 } }],
  [
    'resources/list',
    'ListResourcesResult',
    {
      resources: [
        { uri: 'a://b', name: 'b', title: 'B', description: 'd', mimeType: 'x/y', size: 3, annotations, icons, _meta },
      ],
    },
  ],
  [
    'resources/templates/list',
    'ListResourceTemplatesResult',
    {
      resourceTemplates: [
        { uriTemplate: 'a://{b}', name: 'b', title: 'B', description: 'd', mimeType: 'x/y', annotations, icons, _meta },
      ],
    },
  ],
  [
    'resources/read',
    'ReadResourceResult',
    {
      contents: [
        { uri: 'a://b', mimeType: 'x/y', text: 't', _meta },
        { uri: 'a://c', blob: 'aGk=' },
      ],
    },
  ],
  [
    'prompts/list',
    'ListPromptsResult',
    {
      prompts: [
        {
          name: 'p',
          title: 'P',
          description: 'd',
          icons,
          arguments: [{ name: 'a', title: 'A', description: 'd', required: true }],
          _meta,
        },
        { name: 'q' },
      ],
    },
  ],
  [
    'prompts/get',
    'GetPromptResult',
    { description: 'd', messages: content.map((block) => ({ role: 'user', content: block })), _meta },
  ],
  ['completion/complete', 'CompleteResult', { completion: { values: ['a'], total: 1, hasMore: false } }],
  ['roots/list', 'ListRootsResult', { roots: [{ uri: 'file:///a', name: 'a', _meta }] }],
  [
    'sampling/createMessage',
    'CreateMessageResult',
    { role: 'assistant', model: 'm', stopReason: 'endTurn', content: content[2] },
  ],
  [
    'sampling/createMessage',
    'CreateMessageResult',
    {
      role: 'assistant',
      model: 'm',
      content: [
        { type: 'text', text: 'x' },
        { type: 'tool_use', id: '1', name: 'n', input: {} },
      ],
    },
  ],
]

const sampling = {
  messages: [
    { role: 'user', content: content[0] },
    { role: 'assistant', content: [content[2], { type: 'tool_use', id: '1', name: 'n', input: { a: 1 } }] },
    { role: 'user', content: { type: 'tool_result', toolUseId: '1', content } },
  ],
  maxTokens: 10,
  modelPreferences: { hints: [{ name: 'm' }], costPriority: 0.1, speedPriority: 0.2, intelligencePriority: 0.3 },
  systemPrompt: 's',
  includeContext: 'none',
  temperature: 0.5,
  stopSequences: ['x'],
  metadata: {},
  tools: [{ name: 't', inputSchema: schema }],
  toolChoice: { mode: 'auto' },
}
const form = {
  mode: 'form',
  message: 'm',
  requestedSchema: {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    type: 'object',
    properties: {
      name: { type: 'string', title: 'N', minLength: 1, format: 'email', default: 'a@b.c' },
      age: { type: 'integer', minimum: 0, default: 1 },
      ok: { type: 'boolean', default: true },
      plain: { type: 'string', enum: ['a', 'b'], default: 'a' },
      titled: {
        type: 'string',
        oneOf: [
          { const: 'a', title: 'A' },
          { const: 'b', title: 'B' },
        ],
        default: 'a',
      },
    },
    required: ['name'],
  },
}
const clientParams = {
  protocolVersion: 'x',
  capabilities: {
    sampling: { tools: {}, context: {} },
    elicitation: { form: {}, url: {} },
    roots: { listChanged: true },
    tasks: { list: {} },
  },
  clientInfo: { name: 'c', version: '1', title: 'C', description: 'd', icons },
}

const params: readonly (readonly [method: string, definition: string, params: JsonObject])[] = [
  ['notifications/progress', 'ProgressNotification', { progressToken: 1, progress: 1, total: 2, message: 'm' }],
  ['notifications/message', 'LoggingMessageNotification', { level: 'info', logger: 'l', data: { a: 1 } }],
  ['notifications/cancelled', 'CancelledNotification', { requestId: 1, reason: 'r' }],
  ['notifications/resources/updated', 'ResourceUpdatedNotification', { uri: 'a://b' }],
  ['sampling/createMessage', 'CreateMessageRequest', sampling],
  ['elicitation/create', 'ElicitRequest', form],
  ['initialize', 'InitializeRequest', clientParams],
  ['tools/call', 'CallToolRequest', { name: 't', arguments: { a: 1 }, task: { ttl: 1 } }],
  [
    'completion/complete',
    'CompleteRequest',
    { ref: { type: 'ref/prompt', name: 'p' }, argument: { name: 'a', value: 'v' }, context: { arguments: { b: 'c' } } },
  ],
]

/** Definitions of 2025-11-25 and later hold the JSON-RPC envelope, older ones do not; embedded requests have none. */
function envelope(revision: Revision, method: string, encoded: JsonObject): JsonObject {
  const row = methodRow(method, revision.version)
  if (!isDraft2020(revision.version) || row?.isEmbedded === true) return { method, params: encoded }
  return { jsonrpc: '2.0', ...(row?.kind === 'request' && { id: 1 }), method, params: encoded }
}

/** What every request of the revision carries. */
function withMeta(revision: Revision, method: string, sent: JsonObject): JsonObject {
  const row = methodRow(method, revision.version)
  if (revision.era === 'legacy' || row?.kind !== 'request' || row.isEmbedded === true) return sent
  return { ...sent, _meta: { [protocolVersionKey]: revision.version, [clientCapabilitiesKey]: {} } }
}

const context: ResultContext = {
  serverInfo: { name: 's', version: '1', title: 'S', icons },
  cache: { ttlMs: 5_000, cacheScope: 'private' },
}

describe.each(allRevisions.map((revision) => [revision.version, revision] as const))(
  'revision %s',
  (version, revision) => {
    it.each(results)('writes the result of %s so that its own %s takes it', (method, definition, result) => {
      if (!knowsMethod(revision, method)) return
      expect(faultOf(version, definition, revision.encodeResult(method, result, context))).toBeUndefined()
    })

    it.each(params)('writes the params of %s so that its own %s takes them', (method, definition, sent) => {
      if (!knowsMethod(revision, method)) return
      const encoded = revision.encodeParams(method, withMeta(revision, method, sent))
      expect(faultOf(version, definition, envelope(revision, method, encoded))).toBeUndefined()
    })

    it('leaves the neutral shapes as they were', () => {
      const before = JSON.stringify([results, params])
      for (const [method, , result] of results) {
        if (knowsMethod(revision, method)) revision.encodeResult(method, result, context)
      }
      for (const [method, , sent] of params) revision.encodeParams(method, sent)
      expect(JSON.stringify([results, params])).toBe(before)
    })

    it('knows the methods and notifications that its schema names, those of extensions, and no others', () => {
      const named = new Set(methodNames(version))
      const own = methodRows.filter((row) => !row.serverGate?.startsWith('extensions.'))
      const known = own.filter((row) => isInRevision(row, version)).map((row) => row.name)
      expect(new Set(known)).toEqual(named)
    })
  },
)

/** `value` with any of the optional members of it and its parts left out. */
function thinned(value: unknown, keeps: () => boolean): unknown {
  if (Array.isArray(value)) return value.map((item) => thinned(item, keeps))
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value).filter(([key, held]) => !isOptional(key, held) || keeps())
  return Object.fromEntries(entries.map(([key, held]) => [key, key.endsWith('Schema') ? held : thinned(held, keeps)]))
}

const optional = new Set(
  (
    'title description icons annotations _meta outputSchema execution structuredContent isError size nextCursor ' +
    'audience priority lastModified sizes theme readOnlyHint destructiveHint instructions websiteUrl total hasMore required'
  ).split(' '),
)

/** `_meta` is, unless it says what the result is for. */
function isOptional(key: string, value: unknown): boolean {
  return optional.has(key) && !(key === '_meta' && Object.hasOwn(value as object, subscriptionIdKey))
}

describe('any neutral result', () => {
  it('is taken by the schema of the revision that it is written for, whichever optional members it has', () => {
    const seed = Number(process.env['BOUGH_SEED'] ?? 20_251_125)
    const choices = fc.infiniteStream(fc.boolean())
    fc.assert(
      fc.property(fc.constantFrom(...allRevisions), fc.constantFrom(...results), choices, (revision, row, stream) => {
        const [method, definition, result] = row
        const thin = thinned(result, () => stream.next().value as boolean) as JsonObject
        if (!knowsMethod(revision, method)) return
        expect(faultOf(revision.version, definition, revision.encodeResult(method, thin, context))).toBeUndefined()
      }),
      { seed, numRuns: 400 },
    )
  })
})

describe('the check of shapes', () => {
  it('would notice what a revision lacks', () => {
    const [, , tools] = results[1] as (typeof results)[number]
    expect(faultOf('2025-06-18', 'ListToolsResult', tools)).toMatch(/must NOT have additional properties/)
    expect(faultOf('2024-11-05', 'CallToolResult', { content })).toBeDefined()
  })
})

describe('downgrading', () => {
  const oldest = revisionOf('2024-11-05') as Revision
  const second = revisionOf('2025-03-26') as Revision

  it('says audio and links in text where there are none', () => {
    const { content: blocks } = oldest.encodeResult('tools/call', { content }) as { content: ContentBlock[] }
    expect(blocks[2]).toEqual({ type: 'text', text: '[audio/wav, 3 bytes, not shown]' })
    expect(blocks[3]).toEqual({ type: 'text', text: 'B: a://b\nd' })
  })

  it('keeps audio from 2025-03-26 on', () => {
    const { content: blocks } = second.encodeResult('tools/call', { content }) as { content: ContentBlock[] }
    expect(blocks.map((block) => block.type)).toEqual(['text', 'image', 'audio', 'text', 'resource', 'resource'])
  })

  it('puts structured content into text where nothing else says it', () => {
    expect(oldest.encodeResult('tools/call', { content: [], structuredContent: { a: 1 } })).toEqual({
      content: [{ type: 'text', text: '{"a":1}' }],
    })
  })

  it('keeps a title as an annotation where tools have annotations but no title', () => {
    const tools = [{ name: 't', title: 'T', inputSchema: { type: 'object' } }]
    expect(second.encodeResult('tools/list', { tools })).toEqual({
      tools: [{ name: 't', inputSchema: { type: 'object' }, annotations: { title: 'T' } }],
    })
  })

  it('says titles of choices as enumNames in 2025-06-18', () => {
    const third = revisionOf('2025-06-18') as Revision
    const encoded = third.encodeParams('elicitation/create', form)
    expect(encoded).toMatchObject({
      requestedSchema: { properties: { titled: { enum: ['a', 'b'], enumNames: ['A', 'B'] } } },
    })
  })

  it.each([
    ['a url', { mode: 'url', message: 'm', url: 'https://a.b', elicitationId: '1' }],
    [
      'a choice of several',
      { message: 'm', requestedSchema: { type: 'object', properties: { a: { type: 'array', items: {} } } } },
    ],
  ])('refuses an elicitation with %s before 2025-11-25', (_name, sent) => {
    const third = revisionOf('2025-06-18') as Revision
    expect(() => third.encodeParams('elicitation/create', sent)).toThrow(/needs a client of revision 2025-11-25/)
  })

  it('leaves out structured content that is no object, and says it in text where nothing else does', () => {
    for (const revision of [revisionOf('2025-06-18') as Revision, latestRevision]) {
      const structuredContent = [1, 'two']
      expect(revision.encodeResult('tools/call', { content: [], structuredContent, isError: false })).toEqual({
        content: [{ type: 'text', text: '[1,"two"]' }],
        isError: false,
      })
      const content = [{ type: 'text', text: 'one, two' }]
      expect(revision.encodeResult('tools/call', { content, structuredContent })).toEqual({ content })
      expect(revision.encodeResult('tools/call', { content, structuredContent: null })).toEqual({ content })
    }
  })

  it('announces the extensions of both eras, from 2025-11-25 on', () => {
    const skills = { 'io.modelcontextprotocol/skills': {} }
    const capabilities = { tools: {}, extensions: { ...skills, 'io.modelcontextprotocol/tasks': {} } }
    const result = { protocolVersion: 'x', capabilities, serverInfo: { name: 's', version: '1' } }
    const announced = (revision: Revision): unknown => revision.encodeResult('initialize', result)['capabilities']
    expect(announced(latestRevision)).toEqual({ tools: {}, extensions: skills })
    expect(announced(oldest)).toEqual({ tools: {} })
    const none = { ...result, capabilities: { extensions: { 'io.modelcontextprotocol/tasks': {} } } }
    expect(latestRevision.encodeResult('initialize', none)['capabilities']).toEqual({})
  })

  it('changes nothing in the latest revision that was there when it was written', () => {
    const unchanged = results.filter(([, , result]) => {
      const structured = result['structuredContent']
      const tools = result['tools'] as { outputSchema?: JsonObject }[] | undefined
      return !Array.isArray(structured) && !tools?.some(({ outputSchema }) => outputSchema?.['type'] === 'array')
    })
    expect(unchanged).toHaveLength(results.length - 2)
    for (const [method, , result] of unchanged) expect(latestRevision.encodeResult(method, result)).toBe(result)
  })
})

describe('negotiate', () => {
  it.each([
    ['2024-11-05', '2024-11-05'],
    ['2025-03-26', '2025-03-26'],
    ['2025-06-18', '2025-06-18'],
    ['2025-11-25', '2025-11-25'],
    ['1999-01-01', '2025-11-25'],
    ['', '2025-11-25'],
    [7, '2025-11-25'],
    ['__proto__', '2025-11-25'],
  ])('answers %j with %s', (requested, answered) => {
    expect(negotiate(requested).version).toBe(answered)
  })

  it('keeps to the revisions that are served', () => {
    const served = legacyRevisions.slice(0, 2)
    expect(negotiate('2025-11-25', served).version).toBe('2025-03-26')
  })

  it('never answers with a modern revision, though it be served and asked for', () => {
    expect(negotiate('2026-07-28', allRevisions).version).toBe('2025-11-25')
    expect(negotiate('2025-03-26', allRevisions).version).toBe('2025-03-26')
    expect(negotiate('2025-03-26', modernRevisions).version).toBe('2025-11-25')
  })

  it('finds revisions of both eras by their version', () => {
    expect(allRevisions.map(({ version }) => revisionOf(version)?.era)).toEqual([
      'legacy',
      'legacy',
      'legacy',
      'legacy',
      'modern',
    ])
    expect([undefined, 7, '', '1999-01-01', '__proto__'].map(revisionOf)).toEqual(new Array(5).fill(undefined))
  })

  it('has batches in 2025-03-26 only', () => {
    expect(allRevisions.filter((revision) => revision.allowsBatches).map((revision) => revision.version)).toEqual([
      '2025-03-26',
    ])
  })
})
