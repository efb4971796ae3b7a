/** One client, every revision: what it offers, over a wire on which every message is what the schema says. */
import { createServer, type Server } from 'bough'
import { describe, expect, it } from 'vitest'
import { world } from './support.ts'

const versions = ['2024-11-05', '2025-03-26', '2025-06-18', '2025-11-25', '2026-07-28']

function everything(): Server {
  const server = createServer({ name: 'test', version: '1', instructions: 'Be kind.' })
  for (let n = 0; n < 5; n++) server.tool(`tool-${n}`, { run: () => `${n}` })
  server.tool('steps', {
    run: (_args, ctx) => {
      ctx.progress(1, 2, 'half')
      ctx.log('info', 'working')
      ctx.progress(2, 2)
      return 'done'
    },
  })
  server.tool('asks-model', {
    run: async (_args, ctx) => {
      const { content } = await ctx.sample({
        messages: [{ role: 'user', content: { type: 'text', text: 'Hi' } }],
        maxTokens: 9,
      })
      return JSON.stringify(content)
    },
  })
  server.tool('asks-user', {
    run: async (_args, ctx) => {
      const requestedSchema = {
        type: 'object',
        properties: { name: { type: 'string' }, size: { type: 'integer', default: 3 } },
      }
      return JSON.stringify(await ctx.elicit({ message: 'Who?', requestedSchema }))
    },
  })
  server.tool('asks-roots', { run: async (_args, ctx) => JSON.stringify(await ctx.roots()) })
  server.resource('test://text', { read: () => 'some text' })
  server.resourceTemplate('test://{id}/data', { read: ({ id }) => `data of ${id}`, complete: { id: () => ['a', 'b'] } })
  server.prompt('greet', { arguments: [{ name: 'who' }], get: ({ who }) => `Hello ${who}` })
  return server
}

const handlers = {
  sampling: () => ({ role: 'assistant', content: { type: 'text', text: 'Hello' }, model: 'test' }) as const,
  elicitation: () => ({ action: 'accept', content: { name: 'Ann' } }) as const,
  roots: () => ({ roots: [{ uri: 'file:///home', name: 'home' }] }),
}

describe.each(versions)('a client and a server that both speak %s', (version) => {
  const isModern = version === '2026-07-28'
  const open = async () => {
    const here = await world(everything(), { serve: { pageSize: 2 } })
    const client = await here.connect({ name: 'app', version: '2', handlers, revisions: [version], logLevel: 'debug' })
    return { here, client, run: here.sim.run.bind(here.sim) as <T>(promise: Promise<T>) => Promise<T> }
  }

  it('knows whom it is talking to', async () => {
    const { client } = await open()
    expect(client.server).toMatchObject({
      protocolVersion: version,
      era: isModern ? 'modern' : 'legacy',
      info: { name: 'test', version: '1' },
      instructions: 'Be kind.',
      capabilities: { tools: {} },
    })
    expect(client.phase).toBe('operating')
  })

  it('lists everything over all pages', async () => {
    const { here, client, run } = await open()
    expect((await run(client.listTools())).map(({ name }) => name)).toContain('tool-4')
    expect(here.sent('tools/list').length).toBeGreaterThan(2)
    expect(await run(client.listResources())).toHaveLength(1)
    expect(await run(client.listResourceTemplates())).toHaveLength(1)
    expect(await run(client.listPrompts())).toHaveLength(1)
  })

  it('reads, gets and completes', async () => {
    const { client, run } = await open()
    expect((await run(client.readResource('test://text'))).contents).toMatchObject([{ text: 'some text' }])
    expect((await run(client.getPrompt('greet', { who: 'you' }))).messages).toMatchObject([
      { content: { text: 'Hello you' } },
    ])
    const ref = { type: 'ref/resource', uri: 'test://{id}/data' } as const
    const completion = await run(
      client.complete({ ref, argument: { name: 'id', value: '' }, context: { arguments: { x: 'y' } } }),
    )
    expect(completion.values).toEqual(['a', 'b'])
    await run(client.ping())
  })

  it('calls tools, with progress and log messages', async () => {
    const { client, run } = await open()
    const progress: unknown[] = []
    const logs: unknown[] = []
    client.onLog((message) => logs.push(message))
    const result = await run(client.callTool('steps', {}, { onProgress: (step) => progress.push(step) }))
    expect(result.content).toEqual([{ type: 'text', text: 'done' }])
    expect(progress.map((step) => (step as { progress: number }).progress)).toEqual([1, 2])
    expect(logs).toMatchObject([{ level: 'info', data: 'working' }])
  })

  it('rejects with what the server refused', async () => {
    const { client, run } = await open()
    const refused = run(client.readResource('test://nothing'))
    await expect(refused).rejects.toMatchObject({ name: 'ClientError', code: isModern ? -32602 : -32002 })
  })

  it('answers what the server asks', async () => {
    const { client, run } = await open()
    const text = async (name: string): Promise<unknown> => {
      const [block] = (await run(client.callTool(name))).content
      return (block as { readonly text: string }).text
    }
    expect(await text('asks-model')).toContain('Hello')
    expect(await text('asks-roots')).toContain('file:///home')
    // Elicitation came with 2025-06-18; what the handler leaves out gets the default of the form.
    if (version >= '2025-06-18') expect(await text('asks-user')).toContain('"content":{"size":3,"name":"Ann"}')
  })

  it('hears of changes of a resource and of the lists, until it has heard enough', async () => {
    const { here, client, run } = await open()
    const updates: unknown[] = []
    const lists: string[] = []
    const stop = await run(client.subscribe('test://text', (update) => updates.push(update)))
    const stopLists = client.onListChanged((kind) => lists.push(kind))
    await here.sim.advance(100)
    here.server.resourceUpdated('test://text')
    here.server.tool('another', { run: () => '' })
    await here.sim.advance(100)
    expect(updates).toEqual([{ uri: 'test://text', isCatchUp: false }])
    expect(lists).toEqual(['tools'])
    await run(stop())
    stopLists()
    await here.sim.advance(100)
    here.server.resourceUpdated('test://text')
    here.server.tool('one-more', { run: () => '' })
    await here.sim.advance(100)
    expect(updates).toHaveLength(1)
    expect(lists).toHaveLength(1)
  })

  it('leaves nothing behind', async () => {
    const here = await world(everything())
    const before = here.sim.system.processCount
    const client = await here.connect({ handlers, revisions: [version] })
    await here.sim.run(client.subscribe('test://text', () => undefined))
    await here.sim.run(client.callTool('steps'))
    expect(here.sim.system.processCount).toBeGreaterThan(before)
    const late = client.callTool('asks-user').catch((error: unknown) => error)
    await here.sim.run(client.close())
    expect(await here.sim.run(late)).toMatchObject({ code: 'closed' })
    await here.sim.advance(1_000)
    // The server forgets a legacy session's process when its connection is gone.
    expect(here.sim.system.processCount).toBe(before)
  })
})
