import { createServer } from 'bough'
import { describe, expect, it } from 'vitest'
import { world } from './support.ts'

const revisions = ['2024-11-05', '2025-03-26', '2025-06-18', '2025-11-25']

function features() {
  return createServer({ name: 'features', version: '1' })
    .resource('config://app', { name: 'app', title: 'App', mimeType: 'text/plain', read: () => 'config' })
    .resource('bytes://app', { read: () => ({ contents: [{ uri: 'bytes://app', blob: 'AAEC' }] }) })
    .resource('broken://app', {
      read: () => {
        throw new Error('no disk')
      },
    })
    .resourceTemplate('users://{id}/profile', {
      name: 'profile',
      read: ({ id }) => `user ${String(id)}`,
      complete: { id: (prefix) => ['ann', 'bob', 'anton'].filter((name) => name.startsWith(prefix)) },
    })
    .prompt('review', {
      arguments: [
        { name: 'code', required: true },
        { name: 'style', complete: () => Array.from({ length: 150 }, (_, n) => `style-${n}`) },
      ],
      get: ({ code, style }) => `Review ${code} ${style ?? ''}`,
    })
    .prompt('broken', { get: () => Promise.reject(new Error('no words')) })
}

describe.each(revisions)('resources and prompts under %s', (version) => {
  it('are listed and read', async () => {
    const client = await (await world(features())).open({ version })
    expect((await client.request('resources/list')).result.resources.map(({ uri }: { uri: string }) => uri)).toContain(
      'config://app',
    )
    expect((await client.request('resources/templates/list')).result.resourceTemplates[0].uriTemplate).toBe(
      'users://{id}/profile',
    )
    const read = async (uri: string) => (await client.request('resources/read', { uri })).result.contents[0]
    expect(await read('config://app')).toMatchObject({ uri: 'config://app', text: 'config', mimeType: 'text/plain' })
    expect(await read('bytes://app')).toMatchObject({ blob: 'AAEC' })
    expect(await read('users://ann%20b/profile')).toMatchObject({ text: 'user ann b', uri: 'users://ann%20b/profile' })
    expect((await client.request('prompts/list')).result.prompts).toHaveLength(2)
    const got = await client.request('prompts/get', { name: 'review', arguments: { code: 'x' } })
    expect(got.result.messages[0].content.text).toBe('Review x ')
  })

  it('answer what is not there, or fails, with the codes of the specification', async () => {
    const client = await (await world(features())).open({ version })
    const missing = (await client.request('resources/read', { uri: 'config://nope' })).error
    expect(missing).toMatchObject({ code: -32002, data: { uri: 'config://nope' } })
    expect((await client.request('resources/subscribe', { uri: 'config://nope' })).error?.code).toBe(-32002)
    expect((await client.request('prompts/get', { name: 'nope' })).error?.code).toBe(-32602)
    const lacking = (await client.request('prompts/get', { name: 'review' })).error
    expect(lacking?.code).toBe(-32602)
    expect(lacking?.message).toContain('code')
    expect((await client.request('prompts/get', { name: 'review', arguments: { code: 7 } })).error?.code).toBe(-32602)
    const broken = (await client.request('resources/read', { uri: 'broken://app' })).error
    expect(broken).toMatchObject({ code: -32603, message: expect.stringContaining('no disk') })
    expect((await client.request('prompts/get', { name: 'broken' })).error?.code).toBe(-32603)
  })

  it('complete their arguments, a hundred values at most', async () => {
    const client = await (await world(features())).open({ version })
    const complete = (ref: object, name: string, value: string) =>
      client.request('completion/complete', { ref, argument: { name, value } })
    const { completion } = (await complete({ type: 'ref/prompt', name: 'review' }, 'style', '')).result
    expect(completion.values).toHaveLength(100)
    expect(completion).toMatchObject({ hasMore: true, total: 150 })
    const users = await complete({ type: 'ref/resource', uri: 'users://{id}/profile' }, 'id', 'an')
    expect(users.result.completion.values).toEqual(['ann', 'anton'])
    expect((await complete({ type: 'ref/prompt', name: 'review' }, 'code', '')).result.completion.values).toEqual([])
    expect((await complete({ type: 'ref/prompt', name: 'nope' }, 'code', '')).error?.code).toBe(-32602)
    expect((await complete({ type: 'ref/tool' }, 'code', '')).error?.code).toBe(-32602)
  })
})

describe('lists', () => {
  it('come in pages that hold everything once, and refuse cursors that are not theirs', async () => {
    const server = createServer({ name: 'many', version: '1' })
    for (let n = 0; n < 23; n++) {
      server
        .tool(`tool-${n}`, { run: () => 'x' })
        .resource(`r://${n}`, { read: () => 'x' })
        .prompt(`prompt-${n}`, { get: () => 'x' })
      server.resourceTemplate(`t${n}://{id}`, { read: () => 'x' })
    }
    const client = await (await world(server, { pageSize: 5 })).open()
    const lists = [
      ['tools/list', 'tools', 'name'],
      ['resources/list', 'resources', 'uri'],
      ['prompts/list', 'prompts', 'name'],
      ['resources/templates/list', 'resourceTemplates', 'uriTemplate'],
    ] as const
    for (const [method, member, key] of lists) {
      const seen: string[] = []
      let cursor: string | undefined
      do {
        const { result } = await client.request(method, cursor === undefined ? {} : { cursor })
        expect(result[member].length).toBeLessThanOrEqual(5)
        seen.push(...result[member].map((item: Record<string, string>) => item[key]))
        cursor = result.nextCursor
      } while (cursor !== undefined)
      expect(seen).toHaveLength(23)
      expect(new Set(seen).size).toBe(23)
      for (const bad of ['', 'nope', '999999', 'WzFd'])
        expect((await client.request(method, { cursor: bad })).error?.code).toBe(-32602)
      expect((await client.request(method, { cursor: 7 })).error?.code).toBe(-32602)
    }
    const tools = (await client.request('tools/list')).result.nextCursor
    expect((await client.request('prompts/list', { cursor: tools })).error?.code).toBe(-32602)
  })
})

describe('a live server', () => {
  it('tells every session that a list changed, and serves the new list at once', async () => {
    const server = features().tool('first', { run: () => '1' })
    const w = await world(server)
    const clients = [await w.open(), await w.open({ version: '2024-11-05' })]
    server
      .tool('second', { run: () => '2' })
      .tool('first', { run: () => 'one' })
      .removeTool('second')
    server
      .resource('new://x', { read: () => 'x' })
      .removeResource('new://x')
      .removePrompt('review')
      .removePrompt('nope')
    await w.sim.settle()
    for (const client of clients)
      for (const list of ['tools', 'resources', 'prompts'])
        expect(client.of(`notifications/${list}/list_changed`)).toHaveLength(1)
    // The first change is told at once, those that follow it together.
    await w.sim.advance(10)
    for (const client of clients) {
      expect(client.of('notifications/tools/list_changed')).toHaveLength(2)
      expect(client.of('notifications/resources/list_changed')).toHaveLength(2)
      expect(client.of('notifications/prompts/list_changed')).toHaveLength(1)
      expect((await client.call('first')).result.content[0].text).toBe('one')
      expect((await client.call('second')).error?.code).toBe(-32602)
    }
  })

  it('tells nobody of lists that were not announced, nor a session that is not initialized', async () => {
    const server = createServer({ name: 'bare', version: '1' })
    const w = await world(server)
    const bare = await w.open()
    const silent = w.connect()
    await silent.settle()
    server.tool('late', { run: () => 'x' })
    await w.sim.settle()
    expect(bare.of('notifications/tools/list_changed')).toEqual([])
    expect(silent.received).toEqual([])
    expect((await (await w.open()).request('tools/list')).result.tools).toHaveLength(1)
  })

  it('lets a call that runs go on when its tool is removed', async () => {
    let finish: (value: string) => void = () => undefined
    const server = createServer({ name: 'x', version: '1' }).tool('t', {
      run: () =>
        new Promise<string>((done) => {
          finish = done
        }),
    })
    const w = await world(server)
    const client = await w.open()
    const id = client.begin('tools/call', { name: 't' })
    await client.settle()
    server.removeTool('t')
    await client.settle()
    finish('still')
    expect((await client.answerTo(id)).result.content[0].text).toBe('still')
  })
})

describe('subscriptions', () => {
  it('tell those who subscribed, once, until they unsubscribe or leave', async () => {
    const w = await world(features())
    const [one, two] = [await w.open(), await w.open()]
    const updates = (client: typeof one) => client.of('notifications/resources/updated').map(({ params }) => params.uri)
    for (const uri of ['config://app', 'config://app', 'users://7/profile']) {
      expect((await one.request('resources/subscribe', { uri })).result).toEqual({})
    }
    w.app.resourceUpdated('config://app')
    w.app.resourceUpdated('users://7/profile')
    w.app.resourceUpdated('users://8/profile')
    await w.sim.settle()
    expect(updates(one)).toEqual(['config://app', 'users://7/profile'])
    expect(updates(two)).toEqual([])
    expect((await one.request('resources/unsubscribe', { uri: 'config://app' })).result).toEqual({})
    expect((await one.request('resources/unsubscribe', { uri: 'config://nope' })).result).toEqual({})
    w.app.resourceUpdated('config://app')
    await w.sim.settle()
    expect(updates(one)).toHaveLength(2)
    const subscriptions = await w.process('subscriptions')
    expect(await w.sim.run(subscriptions.call('count'))).toEqual({ uris: 1, sessions: 1 })
    one.close()
    await w.sim.advance(1_000)
    expect(await w.sim.run(subscriptions.call('count'))).toEqual({ uris: 0, sessions: 0 })
    expect(subscriptions.info()?.monitors).toBe(0)
  })
})
