/** The modern era on a connection, where it grows thin: what is cancelled before it began, and servers without sessions. */
import { createServer, type Server } from 'bough'
import { describe, expect, it } from 'vitest'
import { ModernClient, metaOf, textOf, VERSION } from './modern-client.ts'
import { world } from './support.ts'

function plain(seen: { started: number; aborted: number } = { started: 0, aborted: 0 }): Server {
  return createServer({ name: 'thin', version: '1' })
    .tool('echo', { run: () => 'hi' })
    .tool('waits', {
      run: (_args, ctx) => {
        seen.started++
        ctx.signal.addEventListener('abort', () => seen.aborted++)
        return new Promise(() => undefined)
      },
    })
    .resource('a:b', { read: () => '' })
}

describe('a request that is cancelled at once', () => {
  it('is ended, though its process had not begun', async () => {
    const seen = { started: 0, aborted: 0 }
    const running = await world(plain(seen))
    const client = new ModernClient(running)
    const processes = running.sim.system.processCount
    const id = client.begin('tools/call', { name: 'waits' })
    client.connection.notify('notifications/cancelled', { requestId: id })
    await running.sim.settle()
    expect(running.sim.system.processCount).toBe(processes)
    expect(seen.aborted).toBe(seen.started)
    await running.sim.advance(120_000)
    expect(client.connection.received).toEqual([])
    // Its id is free again.
    client.connection.send({ id, method: 'tools/call', params: { name: 'echo', _meta: metaOf() } })
    expect(textOf(await client.connection.answerTo(id))).toBe('hi')
  })

  it('is ended when it is a subscription', async () => {
    const running = await world(plain())
    const client = new ModernClient(running)
    const processes = running.sim.system.processCount
    const id = client.begin('subscriptions/listen', { notifications: { toolsListChanged: true } })
    client.connection.notify('notifications/cancelled', { requestId: id })
    await running.sim.settle()
    expect(running.sim.system.processCount).toBe(processes)
  })

  it('is ended with its connection', async () => {
    const running = await world(plain())
    const processes = running.sim.system.processCount
    const client = new ModernClient(running)
    client.begin('tools/call', { name: 'waits' })
    client.begin('subscriptions/listen', { notifications: { toolsListChanged: true } })
    client.connection.close()
    await running.sim.advance(2_000)
    expect(running.sim.system.processCount).toBe(processes)
  })
})

describe('a request on a connection', () => {
  it('may not have the id of one in flight', async () => {
    const running = await world(plain())
    const client = new ModernClient(running)
    const id = client.begin('tools/call', { name: 'waits' })
    client.connection.send({ id, method: 'tools/list', params: { _meta: metaOf() } })
    expect((await client.connection.answerTo(id)).error?.code).toBe(-32600)
  })

  it('is refused beyond the limit of its connection, and of the server', async () => {
    const running = await world(plain(), { sessions: { maxRequests: 2 }, maxCalls: 3 })
    const [one, other] = [new ModernClient(running), new ModernClient(running)]
    for (const client of [one, one, other]) client.begin('tools/call', { name: 'waits' })
    await running.sim.settle()
    expect((await one.call('echo')).error).toMatchObject({
      code: -32603,
      message: expect.stringContaining('connection'),
    })
    expect((await other.call('echo')).error).toMatchObject({ code: -32603, message: expect.stringContaining('server') })
  })
})

describe('a server of the modern era alone', () => {
  it('refuses initialize, and names what it serves', async () => {
    const running = await world(plain(), { revisions: [VERSION] })
    const client = new ModernClient(running)
    const refused = await client.connection.initialize()
    expect(refused.error).toMatchObject({ code: -32022, data: { supported: [VERSION], requested: '2025-11-25' } })
    expect(running.app.metrics()['sessions']).toBe(0)
    expect(textOf(await client.call('echo'))).toBe('hi')
  })

  it('answers what it cannot serve without opening a session', async () => {
    const running = await world(plain(), { revisions: [VERSION] })
    const client = new ModernClient(running)
    const { connection } = client
    expect((await connection.request('tools/list')).error?.code).toBe(-32602)
    connection.raw('{nope')
    connection.raw('[]')
    connection.raw(`[${JSON.stringify({ jsonrpc: '2.0', id: 90, method: 'tools/list', params: { _meta: metaOf() } })}]`)
    connection.notify('notifications/initialized')
    connection.send({ id: 5, result: {} })
    await running.sim.settle()
    expect(connection.received.slice(1).map(({ id, error }) => [id, error?.code])).toEqual([
      [null, -32700],
      [null, -32600],
      [null, -32600],
    ])
    expect(running.app.metrics()['sessions']).toBe(0)
    expect(textOf(await client.call('echo'))).toBe('hi')
  })
})
