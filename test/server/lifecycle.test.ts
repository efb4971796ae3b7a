import { createServer } from 'bough'
import { describe, expect, it } from 'vitest'
import { world } from './support.ts'

const revisions = ['2024-11-05', '2025-03-26', '2025-06-18', '2025-11-25']

function full() {
  return createServer({ name: 'full', version: '1.2.3', title: 'Full', instructions: 'Be kind.' })
    .tool('echo', { run: () => 'hi' })
    .resource('config://app', { read: () => 'x' })
    .prompt('review', { get: () => 'Review.', arguments: [{ name: 'style', complete: () => ['short'] }] })
}

describe('initialize', () => {
  it.each(revisions)('echoes revision %s and announces what the server has', async (version) => {
    const client = (await world(full())).connect()
    const { result } = await client.initialize({ version })
    expect(result.protocolVersion).toBe(version)
    expect(result.serverInfo).toMatchObject({ name: 'full', version: '1.2.3' })
    expect(result.instructions).toBe('Be kind.')
    expect(result.capabilities).toMatchObject({
      tools: { listChanged: true },
      resources: { subscribe: true, listChanged: true },
      prompts: { listChanged: true },
      logging: {},
    })
  })

  it.each(['2023-01-01', '2026-07-28', '', 'banana'])(
    'answers the unknown revision "%s" with the latest',
    async (version) => {
      const client = (await world(full())).connect()
      const { result } = await client.initialize({ version })
      expect(result.protocolVersion).toBe('2025-11-25')
    },
  )

  it('offers the latest of the revisions that the server was told to serve', async () => {
    const w = await world(full(), { revisions: ['2024-11-05', '2025-03-26'] })
    expect((await w.connect().initialize({ version: '2025-11-25' })).result.protocolVersion).toBe('2025-03-26')
    expect((await w.connect().initialize({ version: '2024-11-05' })).result.protocolVersion).toBe('2024-11-05')
  })

  it('announces only what the server has', async () => {
    const client = (await world(createServer({ name: 'bare', version: '1' }))).connect()
    const { result } = await client.initialize()
    expect(result.capabilities).toEqual({ logging: {} })
    expect(result).not.toHaveProperty('instructions')
  })

  it('is refused a second time, and the session goes on', async () => {
    const client = await (await world(full())).open()
    expect((await client.initialize()).error?.code).toBe(-32600)
    expect((await client.call('echo')).result.content[0].text).toBe('hi')
  })

  it.each([
    [{}, 'protocolVersion'],
    [{ protocolVersion: 7, capabilities: {}, clientInfo: { name: 'a', version: '1' } }, 'protocolVersion'],
    [{ protocolVersion: '2025-11-25', clientInfo: { name: 'a', version: '1' } }, 'capabilities'],
    [{ protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'a' } }, 'clientInfo.version'],
  ])('names the bad parameter of %j and may be sent again', async (params, field) => {
    const client = (await world(full())).connect()
    const { error } = await client.request('initialize', params)
    expect(error?.code).toBe(-32602)
    expect(error?.message).toContain(field)
    expect((await client.initialize()).result.protocolVersion).toBe('2025-11-25')
  })
})

describe('the gates of a session', () => {
  it('refuses everything but ping before initialize', async () => {
    const client = (await world(full())).connect()
    expect((await client.request('ping')).result).toEqual({})
    for (const method of ['tools/list', 'resources/list', 'prompts/list', 'logging/setLevel']) {
      const { error } = await client.request(method, { level: 'info' })
      expect(error?.code).toBe(-32600)
      expect(error?.message).toContain('initialize first')
    }
  })

  it('tolerates a client that never says notifications/initialized', async () => {
    const client = (await world(full())).connect()
    await client.initialize()
    expect((await client.request('tools/list')).result.tools).toHaveLength(1)
  })

  it('answers an unknown method, a notification name and a method of servers with -32601', async () => {
    const client = await (await world(full())).open()
    for (const method of [
      'nope',
      'toString',
      '__proto__',
      'notifications/initialized',
      'sampling/createMessage',
      'tasks/list',
    ]) {
      expect((await client.request(method, {})).error?.code).toBe(-32601)
    }
  })

  it('answers methods of capabilities that were not announced with -32601', async () => {
    const client = await (await world(createServer({ name: 'bare', version: '1' }))).open()
    for (const method of [
      'tools/list',
      'resources/list',
      'prompts/list',
      'completion/complete',
      'resources/subscribe',
    ]) {
      const { error } = await client.request(method, {})
      expect(error?.code).toBe(-32601)
      expect(error?.message).toContain('did not announce')
    }
  })

  it('ignores notifications that it does not know, and answers to questions it never asked', async () => {
    const client = await (await world(full())).open()
    client.notify('notifications/unheard_of', { a: 1 })
    client.notify('notifications/roots/list_changed')
    client.send({ id: 99, result: {} })
    client.send({ id: null, error: { code: -32700, message: 'what?' } })
    expect((await client.request('ping')).result).toEqual({})
    expect(client.received.filter((message) => message.error !== undefined)).toEqual([])
  })

  it('answers what is no message, with its id where that can be read', async () => {
    const client = await (await world(full())).open()
    client.raw('{"jsonrpc":')
    client.raw('{"jsonrpc":"1.0","id":77,"method":"ping"}')
    client.raw('{"jsonrpc":"2.0","id":78,"method":"ping","params":[1]}')
    client.raw('{"jsonrpc":"2.0","id":null,"method":"ping"}')
    client.raw('7')
    await client.settle()
    const errors = client.received.filter((message) => message.error !== undefined)
    expect(errors.map(({ id, error }) => [id, error?.code])).toEqual([
      [null, -32700],
      [77, -32600],
      [78, -32600],
      [null, -32600],
      [null, -32600],
    ])
    expect((await client.request('ping')).result).toEqual({})
  })

  it('refuses an id that is in use by a request in flight', async () => {
    const server = full().tool('wait', {
      timeout: 1_000,
      run: (_args, ctx) => new Promise<string>((done) => ctx.signal.addEventListener('abort', () => done('late'))),
    })
    const client = await (await world(server)).open()
    client.send({ id: 'x', method: 'tools/call', params: { name: 'wait' } })
    client.send({ id: 'x', method: 'ping' })
    await client.settle()
    // A ping is answered from no process, but the id is taken all the same.
    expect(client.received.at(-1)?.error?.code).toBe(-32600)
    await client.request('ping')
  })
})

describe('batches', () => {
  it('are answered as one array under 2025-03-26, notifications without an answer', async () => {
    const client = await (await world(full())).open({ version: '2025-03-26' })
    const at = client.received.length
    client.raw(
      JSON.stringify([
        { jsonrpc: '2.0', id: 'a', method: 'ping' },
        { jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 'zzz' } },
        { jsonrpc: '2.0', id: 'b', method: 'tools/call', params: { name: 'echo' } },
        { jsonrpc: '2.0', id: 'c', method: 'nope' },
        { bad: true },
      ]),
    )
    await client.settle()
    const answers = client.received.slice(at)
    expect(answers.map(({ id }) => id).sort()).toEqual(['a', 'b', 'c', null].sort())
    expect(answers.find(({ id }) => id === 'b')?.result.content[0].text).toBe('hi')
    expect(answers.find(({ id }) => id === 'c')?.error?.code).toBe(-32601)
  })

  it('of nothing but notifications get no answer', async () => {
    const client = await (await world(full())).open({ version: '2025-03-26' })
    const at = client.received.length
    client.raw(JSON.stringify([{ jsonrpc: '2.0', method: 'notifications/initialized' }]))
    await client.settle()
    expect(client.received).toHaveLength(at)
  })

  it.each(['2024-11-05', '2025-06-18', '2025-11-25'])('are refused under %s', async (version) => {
    const client = await (await world(full())).open({ version })
    client.raw(JSON.stringify([{ jsonrpc: '2.0', id: 'a', method: 'ping' }]))
    await client.settle()
    expect(client.received.at(-1)).toMatchObject({ id: null, error: { code: -32600 } })
  })

  it('never hold initialize', async () => {
    const w = await world(full())
    const client = w.connect()
    client.raw(JSON.stringify([{ jsonrpc: '2.0', id: 'a', method: 'initialize', params: {} }]))
    await client.settle()
    expect(client.received.at(-1)).toMatchObject({ id: null, error: { code: -32600 } })
    client.raw('[]')
    await client.settle()
    expect(client.received.at(-1)).toMatchObject({ id: null, error: { code: -32600 } })
  })
})
