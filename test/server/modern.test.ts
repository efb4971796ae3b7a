/** The modern era on a connection: requests that stand for themselves, questions inside results, subscriptions. */
import { createServer, type Server } from 'bough'
import { describe, expect, it } from 'vitest'
import { type Answers, ModernClient, metaOf, SUBSCRIPTION_ID, textOf, VERSION } from './modern-client.ts'
import { deferred, world } from './support.ts'

const form = (name: string) => ({
  message: `What is your ${name}?`,
  requestedSchema: { type: 'object', properties: { [name]: { type: 'string' } }, required: [name] },
})

const saying = (words: string) => ({
  messages: [{ role: 'user' as const, content: { type: 'text' as const, text: words } }],
  maxTokens: 1,
})

const accept = (content: object) => ({ action: 'accept', content })

function plain(): Server {
  const server = createServer({ name: 'modern', version: '1', instructions: 'Ask away.' })
  server.tool('echo', {
    input: { type: 'object', properties: { text: { type: 'string' } } },
    run: ({ text }) => `${text}`,
  })
  return server
}

describe('a request of the modern era', () => {
  it('is answered without initialize, and says who answers', async () => {
    const client = new ModernClient(await world(plain()))
    const reply = await client.call('echo', { text: 'hi' })
    expect(textOf(reply)).toBe('hi')
    expect(reply.result).toMatchObject({
      resultType: 'complete',
      _meta: { 'io.modelcontextprotocol/serverInfo': { name: 'modern', version: '1' } },
    })
  })

  it('may ask what the server is', async () => {
    const client = new ModernClient(await world(plain()))
    const { result } = await client.request('server/discover')
    expect(result.supportedVersions).toEqual([VERSION, '2025-11-25', '2025-06-18', '2025-03-26', '2024-11-05'])
    expect(result).toMatchObject({
      capabilities: { tools: {} },
      instructions: 'Ask away.',
      ttlMs: 0,
      cacheScope: 'private',
    })
    expect(result.capabilities).not.toHaveProperty('tasks')
  })

  it('opens no session and leaves no process', async () => {
    const running = await world(plain())
    const before = running.sim.system.processCount
    const client = new ModernClient(running)
    await client.call('echo', { text: 'hi' })
    await running.sim.settle()
    expect(running.sim.system.processCount).toBe(before)
    expect(running.app.metrics()['sessions']).toBe(0)
  })

  it.each([
    ['without _meta', {}, -32602],
    ['without a version', { _meta: { 'io.modelcontextprotocol/clientCapabilities': {} } }, -32602],
    [
      'of a version that nobody has',
      { _meta: { ...metaOf(), 'io.modelcontextprotocol/protocolVersion': '2999-01-01' } },
      -32022,
    ],
    ['with a level that is none', { _meta: metaOf({ logLevel: 'loud' }) }, -32602],
  ])('%s is refused with the code of its fault', async (_what, params, code) => {
    const client = new ModernClient(await world(plain()))
    const reply = await client.connection.request('server/discover', params)
    expect(reply.error?.code).toBe(code)
  })

  it.each(['ping', 'initialize', 'logging/setLevel', 'resources/subscribe', 'tasks/list', 'nothing/such'])(
    '%s is a method that this era does not have',
    async (method) => {
      const client = new ModernClient(await world(plain()))
      const reply = await client.request(method, { uri: 'a:b', level: 'info' })
      expect(reply.error?.code).toBe(-32601)
    },
  )

  it('shares its connection with a session, and neither hears the other', async () => {
    const running = await world(plain())
    const client = new ModernClient(running)
    const legacy = client.connection
    await legacy.initialize()
    legacy.notify('notifications/initialized')
    const [old, modern] = await Promise.all([
      legacy.call('echo', { text: 'old' }),
      client.call('echo', { text: 'new' }),
    ])
    expect([textOf(old), textOf(modern)]).toEqual(['old', 'new'])
    expect(old.result).not.toHaveProperty('resultType')
  })

  it('is cancelled by a notification, and then gets no answer', async () => {
    const aborted = deferred<boolean>()
    const server = plain().tool('wait', {
      run: (_args, ctx) =>
        new Promise(() => ctx.signal.addEventListener('abort', () => aborted.resolve(true), { once: true })),
    })
    const running = await world(server)
    const client = new ModernClient(running)
    const id = client.begin('tools/call', { name: 'wait' })
    await running.sim.settle()
    client.connection.notify('notifications/cancelled', { requestId: id })
    expect(await running.sim.run(aborted.promise)).toBe(true)
    await running.sim.settle()
    expect(client.connection.received).toEqual([])
  })

  it('is ended when it takes too long', async () => {
    const server = plain().tool('wait', { timeout: 50, run: () => new Promise(() => undefined) })
    const client = new ModernClient(await world(server))
    const reply = await client.call('wait')
    expect(reply.result.isError).toBe(true)
    expect(textOf(reply)).toContain('longer than 50 ms')
  })

  it('is answered when its process is killed', async () => {
    const server = plain().tool('suicide', {
      run: async (_args, ctx) => {
        await Promise.resolve()
        ctx.self.ref.exit('kill')
        return new Promise(() => undefined)
      },
    })
    const client = new ModernClient(await world(server))
    const reply = await client.call('suicide')
    expect(reply.error).toMatchObject({ code: -32603, message: expect.stringContaining('killed') })
  })

  it('reports progress with its token, and logs only what its level asks for', async () => {
    const server = plain().tool('work', {
      run: (_args, ctx) => {
        ctx.progress(1, 2)
        ctx.log('debug', 'small')
        ctx.log('error', 'big')
        return 'done'
      },
    })
    const client = new ModernClient(await world(server))
    await client.call('work', {}, {}, { logLevel: 'warning', meta: { progressToken: 'p' } })
    const methods = client.connection.received.map(({ method, params }) => [
      method,
      params?.data ?? params?.progressToken,
    ])
    expect(methods.slice(0, 2)).toEqual([
      ['notifications/progress', 'p'],
      ['notifications/message', 'big'],
    ])
    await client.call('work')
    expect(client.connection.of('notifications/message')).toHaveLength(1)
  })

  it('finds the trace context of its caller in ctx.meta', async () => {
    const server = plain().tool('trace', { run: (_args, ctx) => String(ctx.meta['traceparent']) })
    const client = new ModernClient(await world(server))
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
    expect(textOf(await client.call('trace', {}, {}, { meta: { traceparent } }))).toBe(traceparent)
  })
})

describe('a question to a client of the modern era', () => {
  const capabilities = { elicitation: {}, sampling: {}, roots: {} }
  const answers: Answers = {
    'elicitation/create': (params) => accept({ [Object.keys(params.requestedSchema.properties)[0] ?? '']: 'Ann' }),
    'sampling/createMessage': () => ({ role: 'assistant', content: { type: 'text', text: 'Hm.' }, model: 'm' }),
    'roots/list': () => ({ roots: [{ uri: 'file:///a' }] }),
  }

  it('ends the call and is answered when the call comes again', async () => {
    let runs = 0
    const server = plain().tool('greet', {
      run: async (_args, ctx) => {
        runs++
        const { content } = await ctx.elicit(form('name'), { key: 'who' })
        return `Hello, ${content?.['name']}`
      },
    })
    const client = new ModernClient(await world(server), { capabilities })
    const { final, asked } = await client.rounds('tools/call', { name: 'greet' }, answers)
    expect(asked).toEqual([['who']])
    expect(textOf(final)).toBe('Hello, Ann')
    expect(runs).toBe(2)
  })

  it('goes together with the others that are asked at the same time', async () => {
    const server = plain().tool('many', {
      run: async (_args, ctx) => {
        const later = async () => {
          await Promise.resolve()
          return ctx.roots()
        }
        const all = await Promise.all([ctx.elicit(form('name')), ctx.sample(saying('Hello')), later()])
        const more = await ctx.elicit(form('color'))
        return `${all.length} ${more.action}`
      },
    })
    const client = new ModernClient(await world(server), { capabilities })
    const { final, asked } = await client.rounds('tools/call', { name: 'many' }, answers)
    expect(asked).toEqual([['elicit-1', 'sample-1', 'roots-1'], ['elicit-2']])
    expect(textOf(final)).toBe('3 accept')
  })

  it('works for prompts and resources too', async () => {
    const server = plain()
      .prompt('ask', { get: async (_args, ctx) => String((await ctx.elicit(form('name'))).content?.['name']) })
      .resource('ask://me', {
        read: async (_variables, ctx) => String((await ctx.elicit(form('name'))).content?.['name']),
      })
    const client = new ModernClient(await world(server), { capabilities })
    const prompt = await client.rounds('prompts/get', { name: 'ask' }, answers)
    expect(prompt.final.result.messages[0].content.text).toBe('Ann')
    const resource = await client.rounds('resources/read', { uri: 'ask://me' }, answers)
    expect(resource.final.result.contents[0].text).toBe('Ann')
  })

  it('is not put to a client that lacks the capability', async () => {
    const server = plain().tool('greet', { run: async (_args, ctx) => (await ctx.elicit(form('name'))).action })
    const client = new ModernClient(await world(server), { capabilities: { sampling: {} } })
    const { error } = await client.call('greet')
    expect(error).toMatchObject({ code: -32021, data: { requiredCapabilities: { elicitation: {} } } })
  })

  it('is asked again when the answer is to another question', async () => {
    let name = 'name'
    const server = plain().tool('greet', {
      run: async (_args, ctx) => (await ctx.elicit(form(name), { key: 'q' })).action,
    })
    const client = new ModernClient(await world(server), { capabilities })
    const first = await client.call('greet')
    name = 'nickname'
    const { requestState } = first.result
    const second = await client.call('greet', {}, { requestState, inputResponses: { q: accept({ name: 'Ann' }) } })
    expect(second.result.resultType).toBe('input_required')
  })

  const greeter = () =>
    plain().tool('greet', {
      input: { type: 'object', properties: { to: { type: 'string' } } },
      run: async ({ to }, ctx) => `${to}: ${(await ctx.elicit(form('name'), { key: 'q' })).action}`,
    })
  const inputResponses = { q: accept({ name: 'Ann' }) }

  it.each([
    ['changed', (state: string) => `${state.slice(0, -2)}AA`, { to: 'x' }],
    ['lengthened', (state: string) => `${state}-TAMPERED`, { to: 'x' }],
    ['of another call', (state: string) => state, { to: 'y' }],
    ['made up', () => 'eyJhIjoxfQ', { to: 'x' }],
  ])('is refused with a state that was %s', async (_how, change, args) => {
    const client = new ModernClient(await world(greeter()), { capabilities })
    const first = await client.call('greet', { to: 'x' })
    const requestState = change(first.result.requestState)
    const { error } = await client.call('greet', args, { requestState, inputResponses })
    expect(error).toMatchObject({ code: -32602, message: expect.stringContaining('requestState') })
  })

  it('has a time, after which its state is refused', async () => {
    const running = await world(greeter(), { askTimeoutMs: 1_000 })
    const client = new ModernClient(running, { capabilities })
    const { requestState } = (await client.call('greet', { to: 'x' })).result
    await running.sim.advance(1_001)
    const { error } = await client.call('greet', { to: 'x' }, { requestState, inputResponses })
    expect(error).toMatchObject({ code: -32602, message: expect.stringContaining('expired') })
  })

  it('may count once only', async () => {
    const server = plain().tool('redeem', {
      run: async (_args, ctx) => (await ctx.elicit(form('name'), { key: 'q', once: true })).action,
    })
    const client = new ModernClient(await world(server), { capabilities })
    const { requestState } = (await client.call('redeem')).result
    expect(textOf(await client.call('redeem', {}, { requestState, inputResponses }))).toBe('accept')
    const again = await client.call('redeem', {}, { requestState, inputResponses })
    expect(again.error).toMatchObject({ code: -32602, message: expect.stringContaining('used before') })
  })

  it.each([
    ['no object', { q: 7 }],
    ['no map', 7],
    ['none of its kind', { q: { action: 'perhaps' } }],
  ])('refuses an answer that is %s', async (_what, wrong) => {
    const client = new ModernClient(await world(greeter()), { capabilities })
    const { requestState } = (await client.call('greet', { to: 'x' })).result
    const { error } = await client.call('greet', { to: 'x' }, { requestState, inputResponses: wrong })
    expect(error).toMatchObject({ code: -32602, message: expect.stringContaining('inputResponses') })
  })

  it('ends its process with every round', async () => {
    const running = await world(greeter())
    const client = new ModernClient(running, { capabilities })
    const before = running.sim.system.processCount
    for (let round = 0; round < 20; round++) await client.call('greet', { to: 'x' })
    await running.sim.settle()
    expect(running.sim.system.processCount).toBe(before)
  })
})

describe('a subscription of the modern era', () => {
  const watched = () =>
    plain()
      .resource('a:b', { read: () => '' })
      .resource('a:c', { read: () => '' })

  it('is acknowledged first, and then brings what was asked for with its id', async () => {
    const server = watched()
    const running = await world(server)
    const client = new ModernClient(running)
    const notifications = { toolsListChanged: true, resourceSubscriptions: ['a:b', 'a:unknown'] }
    const id = client.begin('subscriptions/listen', { notifications })
    await running.sim.settle()
    expect(client.connection.received[0]).toMatchObject({
      method: 'notifications/subscriptions/acknowledged',
      params: { notifications: { toolsListChanged: true, resourceSubscriptions: ['a:b'] } },
    })
    server.resourceUpdated('a:b')
    server.resourceUpdated('a:c')
    server.tool('new', { run: () => '' })
    server.prompt('new', { get: () => '' })
    await running.sim.advance(1_000)
    const rest = client.connection.received.slice(1)
    expect(rest.map(({ method }) => method).sort()).toEqual([
      'notifications/resources/updated',
      'notifications/tools/list_changed',
    ])
    for (const { params } of client.connection.received) expect(params._meta[SUBSCRIPTION_ID]).toBe(id)
  })

  it('ends with a notification of its client', async () => {
    const server = watched()
    const running = await world(server)
    const client = new ModernClient(running)
    const before = running.sim.system.processCount
    const id = client.begin('subscriptions/listen', { notifications: { toolsListChanged: true } })
    await running.sim.settle()
    expect(running.sim.system.processCount).toBe(before + 1)
    client.connection.notify('notifications/cancelled', { requestId: id })
    await running.sim.settle()
    server.tool('new', { run: () => '' })
    await running.sim.advance(1_000)
    expect(client.connection.received).toHaveLength(1)
    expect(running.sim.system.processCount).toBe(before)
  })

  it('ends with its connection', async () => {
    const running = await world(watched())
    const client = new ModernClient(running)
    const before = running.sim.system.processCount
    client.begin('subscriptions/listen', { notifications: { toolsListChanged: true } })
    await running.sim.settle()
    client.connection.close()
    await running.sim.advance(1_000)
    expect(running.sim.system.processCount).toBe(before)
  })

  it('is ended with a result, and a notice that it is cancelled, when the server stops', async () => {
    const running = await world(watched())
    const client = new ModernClient(running)
    const id = client.begin('subscriptions/listen', { notifications: { toolsListChanged: true } })
    await running.sim.settle()
    await running.sim.run(running.app.stop())
    expect(client.connection.received.slice(-2)).toMatchObject([
      { id, result: { _meta: { [SUBSCRIPTION_ID]: id } } },
      { method: 'notifications/cancelled', params: { requestId: id, _meta: { [SUBSCRIPTION_ID]: id } } },
    ])
  })

  it('goes on when the fan-out is started anew', async () => {
    const server = watched()
    const running = await world(server)
    const client = new ModernClient(running)
    client.begin('subscriptions/listen', { notifications: { resourceSubscriptions: ['a:b'] } })
    await running.sim.settle()
    ;(await running.process('subscriptions')).exit('kill')
    await running.sim.advance(1_000)
    server.resourceUpdated('a:b')
    await running.sim.advance(1_000)
    expect(client.connection.of('notifications/resources/updated')).toHaveLength(1)
  })
})
