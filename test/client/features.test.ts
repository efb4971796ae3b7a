/** What a client does for its caller beside sending and receiving. */
import { type ConnectOptions, connect } from 'bough/client'
import { describe, expect, it } from 'vitest'
import { capabilitiesOf } from '#client/capabilities'
import { findServer } from '#client/find-server'
import { discovered, initialized, type Script, scripted, simulation, type Wire } from './support.ts'

const complete = { resultType: 'complete', ttlMs: 0, cacheScope: 'private' } as const

type Replies = Readonly<Record<string, object | ((message: Wire, count: number) => object)>>

/** A server that gives these results, and a client of it. */
async function met(replies: Replies, { name = 'http', ...options }: ConnectOptions & { readonly name?: string } = {}) {
  const sim = simulation()
  const counts = new Map<string, number>()
  const script: Script = (message, link) => {
    if (message.id == null) return
    const method = message.method ?? ''
    const count = (counts.get(method) ?? 0) + 1
    counts.set(method, count)
    const reply = { 'server/discover': discovered, initialize: initialized, ...replies }[method] as Replies[string]
    const given = typeof reply === 'function' ? reply(message, count) : (reply ?? {})
    if ('code' in given) link.put({ id: message.id, error: given })
    else if (!('silent' in given)) link.result(message, given)
  }
  const { transport, links } = scripted(script, name)
  const warnings: string[] = []
  const client = await sim.run(
    connect({ transport }, { system: sim.system, onWarning: (warning) => warnings.push(warning), ...options }),
  )
  const sent = (method: string): Wire[] =>
    links.flatMap((link) => link.sent).filter((message) => message.method === method)
  return { sim, client, links, warnings, sent, run: sim.run.bind(sim) as <T>(promise: Promise<T>) => Promise<T> }
}

describe('tools that mirror arguments in headers', () => {
  const listed = (header: string) => ({
    ...complete,
    tools: [
      {
        name: 'query',
        inputSchema: { type: 'object', properties: { region: { type: 'string', 'x-mcp-header': header } } },
      },
      { name: 'broken', inputSchema: { type: 'object', properties: { x: { type: 'object', 'x-mcp-header': 'X' } } } },
    ],
  })
  const done = { ...complete, content: [] }

  it('are left out over HTTP when the annotation is invalid, with a warning', async () => {
    const { client, run, warnings } = await met({ 'tools/list': listed('Region') })
    expect((await run(client.listTools())).map(({ name }) => name)).toEqual(['query'])
    expect(warnings).toEqual([expect.stringContaining('broken')])
  })

  it('are all listed over other transports', async () => {
    const { client, run } = await met({ 'tools/list': listed('Region') }, { name: 'stdio' })
    expect(await run(client.listTools())).toHaveLength(2)
  })

  it('are called with the headers that were listed', async () => {
    const { client, run, links } = await met({ 'tools/list': listed('Region'), 'tools/call': done })
    await run(client.listTools())
    await run(client.callTool('query', { region: 'eu' }))
    expect(links[0]?.outgoing.at(-1)?.headers).toMatchObject({ 'Mcp-Name': 'query', 'Mcp-Param-Region': 'eu' })
  })

  it('are listed anew when the server wants other headers, and called once more', async () => {
    const { client, run, links, sent } = await met({
      'tools/list': (_message, count) => listed(count === 1 ? 'Region' : 'Area'),
      'tools/call': (_message, count) => (count === 1 ? { code: -32020, message: 'Header mismatch' } : done),
    })
    await run(client.listTools())
    await run(client.callTool('query', { region: 'eu' }))
    expect(sent('tools/call')).toHaveLength(2)
    expect(links[0]?.outgoing.at(-1)?.headers).toMatchObject({ 'Mcp-Param-Area': 'eu' })
  })

  it('are not called for ever', async () => {
    const { client, run, sent } = await met({
      'tools/list': listed('Region'),
      'tools/call': { code: -32020, message: 'no' },
    })
    await expect(run(client.callTool('query', { region: 'eu' }))).rejects.toMatchObject({ code: -32020 })
    expect(sent('tools/call')).toHaveLength(2)
  })
})

describe('the result of a tool', () => {
  const outputSchema = { type: 'object', properties: { sum: { type: 'integer' } }, required: ['sum'] }
  const tools = [{ name: 'add', inputSchema: { type: 'object' }, outputSchema }]
  const giving = (result: object) => ({
    'tools/list': { ...complete, tools },
    'tools/call': { ...complete, content: [], ...result },
  })

  it.each([
    [{ structuredContent: { sum: 'three' } }, /not what its output schema says: .*sum/],
    [{}, /no structuredContent/],
  ])('that is not what was promised is an error: %j', async (result, message) => {
    const { client, run } = await met(giving(result))
    await run(client.listTools())
    await expect(run(client.callTool('add'))).rejects.toMatchObject({ code: 'invalid', message, mayHaveRun: true })
  })

  it.each([
    [{ structuredContent: { sum: 3 } }, {}],
    [{ isError: true }, {}],
    [{}, { validateOutput: false }],
  ])('that is right, failed, or is not to be looked at is given: %j %j', async (result, options) => {
    const { client, run } = await met(giving(result), options)
    await run(client.listTools())
    expect(await run(client.callTool('add'))).toMatchObject(result)
  })

  it('is given as it is when the schema would have to be fetched', async () => {
    const tools = [
      { name: 'add', inputSchema: { type: 'object' }, outputSchema: { $ref: 'https://example.com/schema' } },
    ]
    const { client, run, warnings } = await met({
      'tools/list': { ...complete, tools },
      'tools/call': { ...complete, content: [], structuredContent: 1 },
    })
    await run(client.listTools())
    expect(await run(client.callTool('add'))).toMatchObject({ structuredContent: 1 })
    expect(warnings).toEqual([expect.stringContaining('cannot be used')])
  })
})

describe('a server that asks for input', () => {
  const form = {
    method: 'elicitation/create',
    params: { message: 'Who?', requestedSchema: { type: 'object', properties: { n: { type: 'string' } } } },
  }
  const asking = (more: object) => ({ resultType: 'input_required', ...more })
  const elicitation = () => ({ action: 'accept', content: { n: 'Ann' } }) as const

  it('is answered, with its state given back, in a request with another id', async () => {
    const { client, run, sent } = await met(
      {
        'prompts/get': (_message, count) =>
          count === 1
            ? asking({ inputRequests: { who: form }, requestState: 'opaque' })
            : { ...complete, messages: [] },
      },
      { handlers: { elicitation } },
    )
    await run(client.getPrompt('greet', { a: 'b' }))
    const [first, second] = sent('prompts/get')
    expect(second?.params).toMatchObject({
      name: 'greet',
      arguments: { a: 'b' },
      inputResponses: { who: { action: 'accept', content: { n: 'Ann' } } },
      requestState: 'opaque',
    })
    expect(second?.id).not.toBe(first?.id)
  })

  it('is not sent a state that it did not give', async () => {
    const { client, run, sent } = await met(
      {
        'tools/call': (_message, count) =>
          count === 1 ? asking({ inputRequests: { who: form } }) : { ...complete, content: [] },
      },
      { handlers: { elicitation } },
    )
    await run(client.callTool('x'))
    expect(sent('tools/call')[1]?.params).not.toHaveProperty('requestState')
  })

  it('only for time is asked again a little later', async () => {
    const { sim, client, run, sent } = await met({
      'tools/call': (_message, count) =>
        count < 3 ? asking({ requestState: `${count}` }) : { ...complete, content: [] },
    })
    await run(client.callTool('x'))
    expect(sent('tools/call').map(({ params }) => params.requestState)).toEqual([undefined, '1', '2'])
    expect(sent('tools/call')[1]?.params).not.toHaveProperty('inputResponses')
    expect(sim.clock.now()).toBe(300)
  })

  it('for ever is given up', async () => {
    const { client, run, sent } = await met(
      { 'tools/call': asking({ inputRequests: { who: form } }) },
      { handlers: { elicitation } },
    )
    await expect(run(client.callTool('x'))).rejects.toMatchObject({ code: 'too_many_rounds', mayHaveRun: true })
    expect(sent('tools/call')).toHaveLength(33)
  })

  it('what the client cannot give fails the call', async () => {
    const { client, run } = await met({ 'tools/call': asking({ inputRequests: { who: form } }) })
    await expect(run(client.callTool('x'))).rejects.toMatchObject({
      code: 'handler_failed',
      message: /elicitation\/create \(who\)/,
    })
  })

  it('where it must not is refused, and so is a result of an unknown type', async () => {
    const { client, run } = await met({
      'tools/list': asking({ requestState: 'x' }),
      'tools/call': { resultType: 'poem' },
    })
    await expect(run(client.listTools())).rejects.toMatchObject({ code: 'invalid' })
    await expect(run(client.callTool('x'))).rejects.toMatchObject({ code: 'invalid', message: /"poem"/ })
  })
})

describe('lists and reads that may be kept', () => {
  const tools = [{ name: 'one', inputSchema: { type: 'object' } }]

  it('are not asked for again before their time is over', async () => {
    const { sim, client, run, sent } = await met({ 'tools/list': { ...complete, tools, ttlMs: 1_000 } })
    await run(client.listTools())
    await run(client.listTools())
    expect(sent('tools/list')).toHaveLength(1)
    await run(client.listTools({ isFresh: true }))
    expect(sent('tools/list')).toHaveLength(2)
    await sim.advance(1_000)
    await run(client.listTools())
    expect(sent('tools/list')).toHaveLength(3)
  })

  it('are asked for again when the server tells of a change', async () => {
    const { sim, client, run, sent, links } = await met({
      'tools/list': { ...complete, tools, ttlMs: 1_000 },
      'resources/read': { ...complete, contents: [], ttlMs: 1_000 },
    })
    for (let round = 0; round < 2; round++) {
      await run(client.listTools())
      await run(client.readResource('test://a'))
      await run(client.readResource('test://b'))
      links[0]?.put({ method: 'notifications/tools/list_changed' })
      links[0]?.put({ method: 'notifications/resources/updated', params: { uri: 'test://a' } })
      await sim.settle()
    }
    expect(sent('tools/list')).toHaveLength(2)
    expect(sent('resources/read').map(({ params }) => params.uri)).toEqual(['test://a', 'test://b', 'test://a'])
  })

  it('are not kept when they came of a conversation', async () => {
    const { client, run, sent } = await met({
      'resources/read': (_message, count) =>
        count % 2 === 1
          ? { resultType: 'input_required', requestState: 'x' }
          : { ...complete, contents: [], ttlMs: 1_000 },
    })
    await run(client.readResource('test://a'))
    await run(client.readResource('test://a'))
    expect(sent('resources/read')).toHaveLength(4)
  })

  it('begin anew when a kept page leads to a cursor that is none any more', async () => {
    const { client, run } = await met({
      'tools/list': ({ params }, count) => {
        if (params.cursor === undefined) return { ...complete, tools, ttlMs: 1_000, nextCursor: `c${count}` }
        return params.cursor === 'c1' && count > 2
          ? { code: -32602, message: 'no such cursor' }
          : { ...complete, tools }
      },
    })
    await run(client.listTools())
    expect(await run(client.listTools())).toHaveLength(3)
  })

  it('end with an error when the server goes round in circles', async () => {
    const { client, run } = await met({ 'tools/list': { ...complete, tools, nextCursor: 'again' } })
    await expect(run(client.listTools())).rejects.toMatchObject({ code: 'invalid', message: /same cursor/ })
  })
})

describe('subscriptions of the modern era', () => {
  const listen = (message: Wire) => message.params.notifications as { readonly resourceSubscriptions?: string[] }

  it('share one stream, and the new one is there before the old one goes', async () => {
    const { sim, client, links, sent } = await met({ 'subscriptions/listen': { silent: true } }, { name: 'stdio' })
    const [link] = links
    const acknowledge = async (): Promise<void> => {
      await sim.settle()
      const last = sent('subscriptions/listen').at(-1)
      const _meta = { 'io.modelcontextprotocol/subscriptionId': last?.id }
      link?.put({
        method: 'notifications/subscriptions/acknowledged',
        params: { notifications: last?.params.notifications, _meta },
      })
      await sim.settle()
    }
    const first = client.subscribe('test://a', () => undefined)
    await acknowledge()
    const stop = await first
    const others = ['test://b', 'test://c', 'test://d'].map((uri) => client.subscribe(uri, () => undefined))
    await sim.settle()
    // One is asked for while the others are wished for; they come with the next.
    expect(sent('notifications/cancelled')).toHaveLength(0)
    await acknowledge()
    await acknowledge()
    await Promise.all(others)
    expect(sent('subscriptions/listen').map(listen).at(-1)?.resourceSubscriptions).toEqual([
      'test://a',
      'test://b',
      'test://c',
      'test://d',
    ])
    const ids = sent('subscriptions/listen').map(({ id }) => id)
    expect(sent('notifications/cancelled').map(({ params }) => params.requestId)).toEqual(ids.slice(0, -1))
    await stop()
    await acknowledge()
    expect(sent('subscriptions/listen').map(listen).at(-1)?.resourceSubscriptions).toEqual([
      'test://b',
      'test://c',
      'test://d',
    ])
  })

  it('that the server does not agree to are refused', async () => {
    const { sim, client, links, sent, run } = await met({ 'subscriptions/listen': { silent: true } })
    const subscribing = client.subscribe('test://a', () => undefined)
    const refused = subscribing.catch((error: unknown) => error)
    await sim.settle()
    const _meta = { 'io.modelcontextprotocol/subscriptionId': sent('subscriptions/listen')[0]?.id }
    links[0]?.put({ method: 'notifications/subscriptions/acknowledged', params: { notifications: {}, _meta } })
    expect(await run(refused)).toMatchObject({ code: 'not_supported' })
    // Nothing is wanted any more, so the stream is closed: over HTTP that says it all.
    await sim.settle()
    expect(links[0]?.abandoned).toEqual([sent('subscriptions/listen')[0]?.id])
  })

  it('of a server without them are refused', async () => {
    const { client, run, warnings } = await met({
      'subscriptions/listen': { code: -32601, message: 'Method not found' },
    })
    await expect(run(client.subscribe('test://a', () => undefined))).rejects.toMatchObject({ code: -32601 })
    expect(warnings).toHaveLength(1)
  })
})

describe('a legacy server that was started anew', () => {
  it('is told the log level and the subscriptions again, and listeners hear that they may have missed something', async () => {
    const { sim, client, links, run, sent } = await met({}, { era: 'legacy', name: 'stdio' })
    const updates: unknown[] = []
    const lists: string[] = []
    await run(client.subscribe('test://a', (update) => updates.push(update)))
    client.onListChanged((kind) => lists.push(kind), ['tools'])
    await run(client.setLogLevel('warning'))
    links[0]?.break()
    await sim.advance(1_000)
    expect(links[1]?.sent.map(({ method }) => method)).toEqual([
      'initialize',
      'notifications/initialized',
      'logging/setLevel',
      'resources/subscribe',
    ])
    expect(sent('logging/setLevel').at(-1)?.params).toEqual({ level: 'warning' })
    expect(updates).toEqual([{ uri: 'test://a', isCatchUp: true }])
    expect(lists).toEqual(['tools'])
  })
})

describe('what a client announces', () => {
  it.each([
    [{}, undefined, {}],
    [{ roots: () => ({ roots: [] }) }, undefined, { roots: { listChanged: true } }],
    [{ sampling: () => ({}) as never }, { sampling: { tools: {} } }, { sampling: { context: false, tools: true } }],
    [
      { elicitation: () => ({}) as never },
      { elicitation: { form: true, url: true } },
      { elicitation: { form: true, url: true } },
    ],
    [{ elicitation: () => ({}) as never }, undefined, { elicitation: { form: true, url: false } }],
    [{ roots: () => ({ roots: [] }) }, { roots: false }, {}],
    [
      {},
      { sampling: true, elicitation: true, roots: true },
      {
        sampling: { context: false, tools: false },
        elicitation: { form: true, url: false },
        roots: { listChanged: true },
      },
    ],
    [{}, { experimental: { x: {} }, extensions: { 'a/b': true } }, { experimental: { x: {} } }],
  ])('follows from its handlers %o and the option %j', (handlers, option, expected) => {
    const { extensions, ...announced } = capabilitiesOf(handlers, option)
    expect(announced).toEqual(expected)
    expect(extensions).toHaveProperty(['io.modelcontextprotocol/tasks'])
  })

  it('can be without tasks', () => {
    expect(capabilitiesOf({}, { extensions: { 'io.modelcontextprotocol/tasks': false } }).extensions).toEqual({})
  })
})

describe("the target 'auto'", () => {
  const isPiped = false

  it('is found in the environment', () => {
    expect(findServer({ env: { MCP_HTTP_URL: 'http://x/mcp', MCP_TCP_PORT: '1' }, isPiped })).toBe('http://x/mcp')
    expect(findServer({ env: { MCP_WS_URL: 'ws://x' }, isPiped })).toBe('ws://x')
    expect(findServer({ env: { MCP_TCP_PORT: '7' }, isPiped })).toBe('tcp://127.0.0.1:7')
    expect(findServer({ env: {}, isPiped: true })).toMatchObject({ name: 'stdio' })
  })

  it('says what was looked at when there is none', () => {
    expect(() => findServer({ env: {}, isPiped })).toThrow(/MCP_HTTP_URL, MCP_WS_URL and MCP_TCP_PORT/)
  })
})

describe('wrong options', () => {
  it.each([
    ['no url', {}, /is no URL/],
    ['ftp://x', {}, /no transport for ftp:.* Use http:, https:, ws:, wss:, tcp:, tls: or \{ command \}/],
    ['tcp://x', {}, /a TCP address is tcp:\/\/host:port and nothing else, got one without a port/],
    ['tcp://:7', {}, /is no URL|without a host/],
    ['tls://x:7/path', {}, /got one with a path or a query/],
    ['tcp://ann:secret@x:7', {}, /got one with a user name or password\.$/],
    ['ws://ann:secret@x', {}, /url must not hold a user name or password; put them into an Authorization header\.$/],
    ['ws://x', { ws: { heartbeatMs: 0 } }, /heartbeatMs must be a positive integer, got 0/],
    ['tcp://x:7', { tcp: { keepAliveMs: 1.5 } }, /keepAliveMs must be a positive integer, got 1.5/],
    [7, {}, /must be a URL/],
    ['http://x', { era: 'old' }, /era must be/],
    ['http://x', { revisions: ['1999-01-01'] }, /revisions may hold/],
    ['http://x', { era: 'modern', revisions: ['2025-11-25'] }, /revisions may hold/],
    ['http://x', { timeout: -1 }, /timeout must be a number/],
    ['http://x', { handlers: { roots: [] } }, /handlers.roots must be a function/],
  ])('are refused: %j %j', async (target, options, message) => {
    await expect(connect(target as never, options as never)).rejects.toThrow(message)
  })
})
