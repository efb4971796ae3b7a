/** Batches, and how much is in flight at once: in virtual time, over the memory transport, in each way that revisions have. */
import { createServer } from 'bough'
import type { Client, ConnectOptions } from 'bough/client'
import { connect } from 'bough/client'
import { describe, expect, it } from 'vitest'
import type { World } from './support.ts'
import { discovered, scripted, simulation, type Wire, world } from './support.ts'

function desk() {
  const server = createServer({ name: 'desk', version: '1' })
  server.tool('double', {
    input: { type: 'object', properties: { n: { type: 'number' } }, required: ['n'] },
    run: ({ n }: { n: number }) => ({ structured: { twice: n * 2 } }),
  })
  server.tool('fail', { run: () => Promise.reject(new Error('it always does')) })
  server.resource('config://app', { read: () => 'on' })
  server.prompt('greet', { get: () => 'hello' })
  return server
}

/** What the client wrote in one go, message by message. */
const texts = ({ passed }: World): number[] =>
  passed.filter(({ from }) => from === 'client').map(({ message }) => [message].flat().length)

describe.each([
  ['2025-03-26', true],
  ['2025-06-18', false],
  ['2026-07-28', false],
] as const)('a batch under %s', (revision, isOneText) => {
  const options: ConnectOptions = { revisions: [revision] }

  it('resolves to what came of each call, in order', async () => {
    const w = await world(desk())
    const client = await w.connect(options)
    const batch = client.batch()
    const first = batch.callTool('double', { n: 4 })
    void batch.readResource('config://app')
    batch.callTool('nothing').catch(() => undefined)
    void batch.callTool('fail')
    void batch.getPrompt('greet')
    expect(batch.size).toBe(5)
    const entries = await w.sim.run(batch.send())
    expect(entries.map(({ ok }) => ok)).toEqual([true, true, false, true, true])
    expect(entries[0]).toMatchObject({ result: { content: [{ text: '{"twice":8}' }] } })
    expect(entries[1]).toMatchObject({ result: { contents: [{ text: 'on' }] } })
    expect(entries[2]).toMatchObject({ error: { code: -32602 } })
    expect(entries[3]).toMatchObject({ result: { isError: true } })
    expect(entries[4]).toMatchObject({ result: { messages: [{ role: 'user' }] } })
    expect(await first).toBe((entries[0] as { result: unknown }).result)
  })

  it(isOneText ? 'is one text' : 'is as many texts as calls', async () => {
    const w = await world(desk())
    const client = await w.connect(options)
    const before = texts(w).length
    const batch = client.batch()
    for (let n = 0; n < 3; n++) void batch.callTool('double', { n })
    await w.sim.run(batch.send())
    expect(texts(w).slice(before)).toEqual(isOneText ? [3] : [1, 1, 1])
  })

  it('of nothing resolves to nothing', async () => {
    const w = await world(desk())
    const client = await w.connect(options)
    expect(await w.sim.run(client.batch().send())).toEqual([])
  })

  it('gives back single calls that are cancelled', async () => {
    const w = await world(desk())
    const client = await w.connect(options)
    const batch = client.batch()
    const signal = AbortSignal.abort()
    batch.callTool('double', { n: 1 }, { signal }).catch(() => undefined)
    void batch.callTool('double', { n: 2 })
    const entries = await w.sim.run(batch.send())
    expect(entries[0]).toMatchObject({ ok: false, error: { code: 'cancelled', mayHaveRun: false } })
    expect(entries[1]).toMatchObject({ ok: true })
  })

  it('that waits for another connection is sent over that', async () => {
    const w = await world(desk())
    const client = await w.connect(options)
    await w.sim.run(w.app?.stop() ?? Promise.resolve())
    await w.sim.settle()
    const batch = client.batch()
    for (let n = 0; n < 3; n++) void batch.callTool('double', { n })
    const sent = batch.send()
    await w.serve()
    await w.sim.advance(20_000)
    expect((await w.sim.run(sent)).map(({ ok }) => ok)).toEqual([true, true, true])
  })
})

describe('a batch', () => {
  it('is sent once', async () => {
    const w = await world(desk())
    const batch = (await w.connect()).batch()
    await w.sim.run(batch.send())
    await expect(batch.send()).rejects.toThrow('This batch was sent')
    expect(() => batch.callTool('double', { n: 1 })).toThrow('Make another one with client.batch()')
  })

  it('sends nothing before send', async () => {
    const w = await world(desk())
    const client = await w.connect()
    const before = w.passed.length
    void client.batch().callTool('double', { n: 1 })
    await w.sim.settle()
    expect(w.passed.length).toBe(before)
  })
})

describe('maxInFlight', () => {
  async function slow(options: ConnectOptions) {
    const sim = simulation()
    const open: Wire[] = []
    const { transport, links } = scripted((message, link) => {
      if (message.method === 'server/discover') link.result(message, discovered)
      else if (message.method === 'tools/call') open.push(message)
    })
    const client = await sim.run(connect({ transport }, { system: sim.system, era: 'modern', ...options }))
    const answer = async (): Promise<void> => {
      const message = open.shift()
      if (message !== undefined) links.at(-1)?.result(message, { resultType: 'complete', content: [] })
      await sim.settle()
    }
    return { sim, client, open, answer }
  }
  const call = (client: Client, n: number) => client.callTool('wait', { n }, { timeout: 5_000 })

  it('lets so many be in flight, and the others follow in order', async () => {
    const { sim, client, open, answer } = await slow({ maxInFlight: 2 })
    const order: number[] = []
    const calls = [0, 1, 2, 3, 4].map((n) => call(client, n).then(() => order.push(n)))
    await sim.settle()
    for (let left = 5; left > 0; left--) {
      expect(open.length).toBe(Math.min(left, 2))
      await answer()
    }
    await sim.run(Promise.all(calls))
    expect(order).toEqual([0, 1, 2, 3, 4])
  })

  it('refuses what is one too many, and says that it was not sent', async () => {
    const { sim, client } = await slow({ maxInFlight: 1, maxRequests: 3 })
    const calls = [0, 1, 2].map((n) => call(client, n))
    for (const one of calls) one.catch(() => undefined)
    await expect(sim.run(call(client, 3))).rejects.toMatchObject({ code: 'overload', mayHaveRun: false })
    await sim.run(client.close())
    for (const one of calls) await expect(one).rejects.toMatchObject({ code: 'closed' })
  })

  it('counts the wait towards the time of a request', async () => {
    const { sim, client, open } = await slow({ maxInFlight: 1 })
    const calls = [0, 1].map((n) => call(client, n))
    for (const one of calls) one.catch(() => undefined)
    await sim.advance(5_000)
    await expect(calls[1]).rejects.toMatchObject({ code: 'timeout', mayHaveRun: false })
    await expect(calls[0]).rejects.toMatchObject({ code: 'timeout', mayHaveRun: true })
    expect(open.length).toBe(1)
  })

  it('forgets who is cancelled while it waits', async () => {
    const { sim, client, open, answer } = await slow({ maxInFlight: 1 })
    const first = call(client, 0)
    const gone = new AbortController()
    const second = client.callTool('wait', { n: 1 }, { signal: gone.signal })
    const third = call(client, 2)
    await sim.settle()
    gone.abort()
    await expect(second).rejects.toMatchObject({ code: 'cancelled', mayHaveRun: false })
    await answer()
    expect(open[0]?.params?.arguments).toEqual({ n: 2 })
    await answer()
    await sim.run(Promise.all([first, third]))
  })

  it('must be a number', async () => {
    await expect(connect({ transport: scripted(() => undefined).transport }, { maxInFlight: 0 })).rejects.toThrow(
      'maxInFlight',
    )
  })
})
