/** The proxy, in virtual time: two servers behind it over memory, clients of both eras before it, and what may go wrong between. */
import { type App, createServer, type Server, serve } from 'bough'
import { type Client, type ConnectOptions, connect } from 'bough/client'
import { type ProxyOptions, type ProxyServer, proxy, type UpstreamOptions } from 'bough/proxy'
import type { Simulation } from 'bough/testing'
import { type MemoryTransport, memoryTransport } from 'bough/transports/memory'
import { describe, expect, it } from 'vitest'
import { memoryClientTransport } from '#transports/client-memory'
import { type ClientTransport, LinkError } from '#transports/client-port'
import { checked, discovered, scripted, simulation } from './support.ts'

interface Behind {
  readonly sim: Simulation
  readonly proxy: ProxyServer
  readonly warnings: string[]
  /** Over the wire of the proxy's clients: faults against the schemas. */
  readonly faults: string[]
  app: App
  connect(options?: ConnectOptions): Promise<Client>
}

const quiet = { logger: false, signals: false, guard: false } as const

async function served(
  sim: Simulation,
  server: Server,
): Promise<{ app: App; memory: MemoryTransport; target: UpstreamOptions }> {
  const memory = memoryTransport()
  const app = await sim.run(serve(server, { system: sim.system, transports: [memory.transport], ...quiet }))
  return { app, memory, target: { target: { transport: memoryClientTransport(memory) } } }
}

async function behind(
  sim: Simulation,
  upstreams: Record<string, UpstreamOptions>,
  options: ProxyOptions = {},
): Promise<Behind> {
  const warnings: string[] = []
  const faults: string[] = []
  const made = await sim.run(
    proxy(upstreams, { system: sim.system, onWarning: (warning) => warnings.push(warning), ...options }),
  )
  const { app, memory } = await served(sim, made)
  const connecting = (more: ConnectOptions = {}): Promise<Client> =>
    sim.run(connect({ transport: checked(memoryClientTransport(memory), [], faults) }, { system: sim.system, ...more }))
  return { sim, proxy: made, warnings, faults, app, connect: connecting }
}

function weather(): Server {
  const server = createServer({ name: 'weather', version: '1' })
  server.tool('forecast', {
    description: 'Forecast for a city',
    input: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] },
    output: { type: 'object', properties: { sun: { type: 'boolean' } }, required: ['sun'] },
    run: () => ({ structured: { sun: true } }),
  })
  server.tool('ask', {
    run: async (_args, ctx) => {
      const { content } = await ctx.elicit({
        message: 'Where?',
        requestedSchema: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] },
      })
      return `Sunny in ${String(content?.['city'])}`
    },
  })
  server.tool('think', {
    run: async (_args, ctx) => {
      const { content } = await ctx.sample({
        messages: [{ role: 'user', content: { type: 'text', text: 'Hm?' } }],
        maxTokens: 10,
      })
      return JSON.stringify(content)
    },
  })
  server.tool('slow', {
    run: async (_args, ctx) => {
      ctx.progress(1, 3, 'one')
      ctx.progress(2, 3, 'two')
      await new Promise((_, reject) => ctx.signal.addEventListener('abort', () => reject(ctx.signal.reason)))
    },
  })
  server.tool('fail', { run: () => Promise.reject(new Error('it always does')) })
  server.resource('config://app', { read: () => 'weather' })
  server.resource('weather://today', { mimeType: 'text/plain', read: () => 'sun' })
  server.resourceTemplate('weather://cities/{city}', {
    read: ({ city }) => `sun in ${city}`,
    complete: { city: ['oslo', 'odense'] },
  })
  server.prompt('plan', {
    arguments: [{ name: 'city', required: true, complete: ['oslo', 'bergen'] }],
    get: ({ city }) => `Plan a day in ${city}`,
  })
  return server
}

function notes(): Server {
  const server = createServer({ name: 'notes', version: '1' })
  server.tool('forecast', { run: () => 'none of my business' })
  server.tool('add', { run: () => 'added' })
  server.resource('config://app', { read: () => 'notes' })
  return server
}

const eras = [
  ['legacy', 'legacy'],
  ['legacy', 'modern'],
  ['modern', 'legacy'],
  ['modern', 'modern'],
] as const

describe.each(eras)('a proxy before servers of the %s era, for a client of the %s one', (upstreamEra, clientEra) => {
  async function both(options: ProxyOptions = {}, own: ConnectOptions = {}) {
    const sim = simulation()
    const upstream = { options: { era: upstreamEra } }
    const one = await served(sim, weather())
    const two = await served(sim, notes())
    const b = await behind(sim, { sky: { ...one.target, ...upstream }, pad: { ...two.target, ...upstream } }, options)
    const client = await b.connect({ era: clientEra, ...own })
    return { ...b, one, two, client }
  }

  it('lists the features of all, under the names of theirs', async () => {
    const { sim, client, faults } = await both()
    const tools = await sim.run(client.listTools())
    expect(tools.map(({ name }) => name)).toEqual([
      'sky__forecast',
      'sky__ask',
      'sky__think',
      'sky__slow',
      'sky__fail',
      'pad__forecast',
      'pad__add',
    ])
    expect(tools[0]).toMatchObject({ description: 'Forecast for a city', inputSchema: { required: ['city'] } })
    expect((await sim.run(client.listPrompts())).map(({ name }) => name)).toEqual(['sky__plan'])
    expect((await sim.run(client.listResources())).map(({ uri }) => uri)).toEqual(['config://app', 'weather://today'])
    expect((await sim.run(client.listResourceTemplates())).map(({ uriTemplate }) => uriTemplate)).toEqual([
      'weather://cities/{city}',
    ])
    expect(faults).toEqual([])
  })

  it('passes calls, reads, prompts and completions through', async () => {
    const { sim, client, faults } = await both()
    const run = <T>(promise: Promise<T>): Promise<T> => sim.run(promise)
    expect(await run(client.callTool('sky__forecast', { city: 'Oslo' }))).toMatchObject({
      structuredContent: { sun: true },
    })
    expect(await run(client.callTool('pad__forecast'))).toMatchObject({ content: [{ text: 'none of my business' }] })
    expect(await run(client.readResource('weather://today'))).toMatchObject({
      contents: [{ text: 'sun', mimeType: 'text/plain' }],
    })
    expect(await run(client.readResource('weather://cities/oslo'))).toMatchObject({
      contents: [{ text: 'sun in oslo' }],
    })
    expect(await run(client.getPrompt('sky__plan', { city: 'Oslo' }))).toMatchObject({
      messages: [{ content: { text: 'Plan a day in Oslo' } }],
    })
    const prompt = { ref: { type: 'ref/prompt', name: 'sky__plan' }, argument: { name: 'city', value: 'b' } } as const
    expect(await run(client.complete(prompt))).toMatchObject({ values: ['bergen'] })
    const template = {
      ref: { type: 'ref/resource', uri: 'weather://cities/{city}' },
      argument: { name: 'city', value: 'od' },
    } as const
    expect(await run(client.complete(template))).toMatchObject({ values: ['odense'] })
    expect(faults).toEqual([])
  })

  it('gives errors back as they are', async () => {
    const { sim, client } = await both()
    expect(await sim.run(client.callTool('sky__fail'))).toMatchObject({
      isError: true,
      content: [{ text: 'Tool "fail" failed: it always does' }],
    })
    const wrong = await sim.run(client.callTool('sky__forecast', { city: 7 }))
    expect(wrong).toMatchObject({ isError: true })
    expect(JSON.stringify(wrong)).toContain('city')
    await expect(sim.run(client.callTool('sky__nothing'))).rejects.toMatchObject({ code: -32602 })
    await expect(sim.run(client.readResource('weather://nowhere/at/all'))).rejects.toHaveProperty('code')
    await expect(sim.run(client.getPrompt('sky__plan'))).rejects.toMatchObject({ code: -32602 })
  })

  it('passes progress on, and a cancellation', async () => {
    const { sim, client, one } = await both()
    const heard: unknown[] = []
    const gone = new AbortController()
    const call = client.callTool(
      'sky__slow',
      {},
      { signal: gone.signal, onProgress: (progress) => heard.push(progress) },
    )
    call.catch(() => undefined)
    await sim.advance(100)
    expect(heard).toEqual([
      { progress: 1, total: 3, message: 'one' },
      { progress: 2, total: 3, message: 'two' },
    ])
    const running = () => sim.system.allProcesses().filter(({ definition }) => definition.name === 'request').length
    expect(running()).toBe(2)
    gone.abort()
    await expect(sim.run(call)).rejects.toMatchObject({ code: 'cancelled' })
    await sim.advance(100)
    expect(running()).toBe(0)
    expect(one.app.metrics()['sessions']).toBeDefined()
  })

  it('puts questions of a tool to the client that called it', async () => {
    const asked: unknown[] = []
    const { sim, client } = await both(
      {},
      {
        handlers: {
          elicitation: (request) => {
            asked.push(request.message)
            return { action: 'accept', content: { city: 'Oslo' } }
          },
          sampling: () => ({ role: 'assistant', model: 'm', content: { type: 'text', text: 'Well.' } }),
        },
      },
    )
    expect(await sim.run(client.callTool('sky__ask'))).toMatchObject({ content: [{ text: 'Sunny in Oslo' }] })
    expect(asked).toEqual(['Where?'])
    expect(JSON.stringify(await sim.run(client.callTool('sky__think')))).toContain('Well.')
  })

  it('tells of lists that change, and of resources', async () => {
    const { sim, client, one } = await both()
    const lists: string[] = []
    const updates: string[] = []
    client.onListChanged((kind) => lists.push(kind))
    const stop = await sim.run(client.subscribe('weather://today', ({ uri }) => updates.push(uri)))
    await sim.advance(1_000)
    await sim.run(one.app.resourceUpdated('weather://today'))
    await sim.advance(1_000)
    expect(updates).toEqual(['weather://today'])
    await sim.run(stop())
    await sim.advance(1_000)
    await sim.run(one.app.resourceUpdated('weather://today'))
    await sim.advance(1_000)
    expect(updates.length).toBe(1)
    lists.length = 0
    await sim.settle()
    expect((await sim.run(client.listTools())).length).toBe(7)
  })

  it('leaves nothing behind when it is closed', async () => {
    const { sim, client, app, proxy: p, one, two } = await both()
    await sim.run(client.callTool('sky__forecast', { city: 'Oslo' }))
    await sim.run(client.close())
    await sim.run(app.stop())
    await sim.run(p.close())
    await sim.run(one.app.stop())
    await sim.run(two.app.stop())
    await sim.settle()
    expect(sim.system.processCount).toBe(0)
  })
})

describe('a proxy', () => {
  it('follows what its upstreams define and remove', async () => {
    const sim = simulation()
    const server = notes()
    const one = await served(sim, server)
    const b = await behind(sim, { pad: one.target })
    const client = await b.connect()
    const lists: string[] = []
    client.onListChanged((kind) => lists.push(kind))
    await sim.advance(1_000)
    lists.length = 0
    server.tool('drop', { run: () => 'dropped' })
    server.removeTool('add')
    await sim.advance(1_000)
    expect(lists).toEqual(expect.arrayContaining(['tools']))
    expect((await sim.run(client.listTools())).map(({ name }) => name)).toEqual(['pad__forecast', 'pad__drop'])
  })

  it('gives a URI that two have to the first, and to the other under its name if it may', async () => {
    const sim = simulation()
    const [one, two] = [await served(sim, weather()), await served(sim, notes())]
    const first = await behind(sim, { sky: one.target, pad: two.target })
    const client = await first.connect()
    expect(await sim.run(client.readResource('config://app'))).toMatchObject({ contents: [{ text: 'weather' }] })
    expect(first.warnings).toContain('pad: config://app is left out, since sky has it too.')
    const other = await behind(sim, { sky: one.target, pad: two.target }, { clash: 'prefix' })
    const reader = await other.connect()
    expect(await sim.run(reader.readResource('pad+config://app'))).toMatchObject({
      contents: [{ uri: 'pad+config://app', text: 'notes' }],
    })
  })

  it('has tools of its own beside', async () => {
    const sim = simulation()
    const b = await behind(sim, { pad: (await served(sim, notes())).target }, { separator: '.' })
    b.proxy.tool('own', { run: () => 'mine' })
    const client = await b.connect()
    expect((await sim.run(client.listTools())).map(({ name }) => name)).toEqual(['pad.forecast', 'pad.add', 'own'])
    expect(await sim.run(client.callTool('own'))).toMatchObject({ content: [{ text: 'mine' }] })
  })

  it.each([
    [{ 'a b': { target: 'http://x' } }, {}, "proxy: an upstream's name has 1 to 64 characters"],
    [{}, { whenDown: 'vanish' as 'hide' }, 'proxy: whenDown must be one of keep, hide'],
    [{}, { timeout: 0 }, 'proxy: timeout must be a positive number'],
  ])('refuses %j with %j', async (upstreams, options, message) => {
    await expect(proxy(upstreams, options)).rejects.toThrow(message)
  })

  it('does not show the question of one legacy client to another', async () => {
    const sim = simulation()
    const server = createServer({ name: 'asks', version: '1' })
    let ask: () => void = () => undefined
    const go = new Promise<void>((resolve) => {
      ask = resolve
    })
    server.tool('ask', {
      run: async (_args, ctx) => {
        await go
        await ctx.elicit({ message: 'Secret?', requestedSchema: { type: 'object', properties: {} } })
      },
    })
    server.tool('wait', { run: () => new Promise<string>(() => undefined) })
    const one = await served(sim, server)
    const b = await behind(sim, { x: { ...one.target, options: { era: 'legacy' } } })
    const asked: string[] = []
    const elicitation = (who: string) => () => {
      asked.push(who)
      return { action: 'accept' as const, content: {} }
    }
    const ann = await b.connect({ era: 'legacy', handlers: { elicitation: elicitation('ann') } })
    const bob = await b.connect({ era: 'legacy', handlers: { elicitation: elicitation('bob') } })
    const asking = ann.callTool('x__ask')
    const waiting = bob.callTool('x__wait')
    waiting.catch(() => undefined)
    await sim.settle()
    ask()
    const result = await sim.run(asking)
    expect(result.isError).toBe(true)
    expect(JSON.stringify(result)).toContain('no telling whose question')
    expect(asked).toEqual([])
  })
})

describe('an upstream that is down', () => {
  const refused = { kind: 'refused', message: 'Nobody is there.', mayHaveRun: false } as const
  /** A way to a server that can be cut. */
  function cut(target: ClientTransport): {
    transport: ClientTransport
    state: { isCut: boolean }
    links: { close(): void }[]
  } {
    const state = { isCut: false }
    const links: { close(): void }[] = []
    const transport: ClientTransport = {
      ...target,
      open: async (receiver) => {
        if (state.isCut) throw new LinkError(refused)
        const link = await target.open(receiver)
        links.push({ close: () => void link.close() })
        return link
      },
    }
    return { transport, state, links }
  }

  it('at the start delays nobody, and joins when it is there', async () => {
    const sim = simulation()
    const [one, two] = [await served(sim, weather()), await served(sim, notes())]
    const way = cut(memoryClientTransport(two.memory))
    way.state.isCut = true
    const b = await behind(
      sim,
      { sky: one.target, pad: { target: { transport: way.transport } } },
      { startTimeout: 500 },
    )
    const client = await b.connect()
    expect((await sim.run(client.listTools())).every(({ name }) => name.startsWith('sky'))).toBe(true)
    expect(b.proxy.upstreams()['pad']).toMatchObject({
      isUp: false,
      tools: 0,
      failure: expect.stringContaining('Nobody is there'),
    })
    way.state.isCut = false
    await sim.advance(20_000)
    expect(b.proxy.upstreams()['pad']).toMatchObject({ isUp: true, tools: 2 })
    expect(await sim.run(client.callTool('pad__add'))).toMatchObject({ content: [{ text: 'added' }] })
  })

  it.each(['keep', 'hide'] as const)('answers errors at once, and its entries %s', async (whenDown) => {
    const sim = simulation()
    const [one, two] = [await served(sim, weather()), await served(sim, notes())]
    const way = cut(memoryClientTransport(two.memory))
    const pad: UpstreamOptions = {
      target: { transport: way.transport },
      options: { reconnect: false },
      health: { intervalMs: 1_000, timeoutMs: 200 },
      breaker: { failures: 2, resetMs: 60_000 },
    }
    const b = await behind(sim, { sky: one.target, pad }, { whenDown })
    const client = await b.connect()
    way.state.isCut = true
    for (const link of way.links) link.close()
    await sim.advance(5_000)
    expect(b.proxy.upstreams()['pad']?.circuit).toBe('open')
    const names = (await sim.run(client.listTools())).map(({ name }) => name)
    expect(names.includes('pad__add')).toBe(whenDown === 'keep')
    if (whenDown === 'keep') {
      const from = sim.system.clock.now()
      const result = await sim.run(client.callTool('pad__add'))
      expect(sim.system.clock.now() - from).toBeLessThan(50)
      expect(result).toMatchObject({
        isError: true,
        _meta: { 'bough/upstream': { name: 'pad', code: 'circuit_open', mayHaveRun: false } },
      })
      await expect(sim.run(client.readResource('config://app'))).resolves.toMatchObject({
        contents: [{ text: 'weather' }],
      })
    }
    expect(await sim.run(client.callTool('sky__forecast', { city: 'Oslo' }))).toMatchObject({
      structuredContent: { sun: true },
    })
    way.state.isCut = false
    await sim.advance(90_000)
    expect((await sim.run(client.listTools())).some(({ name }) => name === 'pad__add')).toBe(true)
    expect(await sim.run(client.callTool('pad__add'))).toMatchObject({ content: [{ text: 'added' }] })
  })

  it('because it hangs slows nobody', async () => {
    const sim = simulation()
    const one = await served(sim, weather())
    const { transport } = scripted((message, link) => {
      if (message.method === 'server/discover') link.result(message, discovered)
      else if (message.method === 'tools/list') {
        const tools = [{ name: 'hang', inputSchema: { type: 'object' } }]
        link.result(message, { resultType: 'complete', tools, ttlMs: 0, cacheScope: 'private' })
      } else if (/list$/.test(message.method ?? '')) {
        link.result(message, {
          resultType: 'complete',
          resources: [],
          resourceTemplates: [],
          ttlMs: 0,
          cacheScope: 'private',
        })
      }
    })
    const stuck: UpstreamOptions = {
      target: { transport },
      options: { era: 'modern' },
      health: false,
      breaker: { failures: 3, resetMs: 10_000 },
    }
    const b = await behind(sim, { sky: one.target, stuck }, { timeout: 1_000 })
    const client = await b.connect()
    const hanging = Array.from({ length: 3 }, () => client.callTool('stuck__hang'))
    const from = sim.system.clock.now()
    for (let count = 0; count < 20; count++) await sim.run(client.callTool('sky__forecast', { city: 'Oslo' }))
    expect(sim.system.clock.now() - from).toBeLessThan(100)
    await sim.advance(1_000)
    for (const result of await sim.run(Promise.all(hanging))) expect(result).toMatchObject({ isError: true })
    expect(await sim.run(client.callTool('stuck__hang'))).toMatchObject({
      _meta: { 'bough/upstream': { code: 'circuit_open' } },
    })
    // Its lists are tried when the time is over, and not somebody's call.
    await sim.advance(10_000)
    expect(b.proxy.upstreams()['stuck']).toMatchObject({ isUp: true, circuit: 'closed' })
  })
})
