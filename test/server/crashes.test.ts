import { createServer } from 'bough'
import type { Ref, SupervisorRef } from 'bough/runtime'
import { describe, expect, it } from 'vitest'
import { type Client, deferred, type World, world } from './support.ts'

function server() {
  const gate = deferred()
  const definition = createServer({ name: 'crashes', version: '1' })
    .tool('echo', { run: () => 'hi' })
    .tool('gated', {
      timeout: 60_000,
      run: async () => {
        await gate.promise
        return 'through'
      },
    })
    .tool('asks', { timeout: 60_000, run: async (_args, ctx) => `${(await ctx.roots()).length} roots` })
    .resource('config://app', { read: () => 'x' })
  return { definition, gate }
}

const crash = (ref: Ref) =>
  (ref as Ref & { cast(op: string, arg: unknown): boolean }).cast('receive', { message: null, sink: null })

/** What makes an end of a session: its own fault, a kill, its sibling's end. */
const ends: Record<string, (w: World) => Promise<void>> = {
  crashes: async (w) => void crash(await w.process('session')),
  'is killed': async (w) => (await w.process('session')).exit('kill'),
  // Its own, which it has once it has asked for something; another serves requests without a session.
  'loses its supervisor of requests': async (w) => {
    const tree = (await w.process('session-tree')) as SupervisorRef
    const rows = await w.sim.run(tree.whichChildren())
    for (const { id, ref } of rows) if (id === 'requests' && typeof ref === 'object') ref.exit('kill')
  },
}

async function echoes(client: Client): Promise<boolean> {
  return (await client.call('echo')).result?.content[0].text === 'hi'
}

describe.each(Object.keys(ends))('when a session %s', (how) => {
  const end = (w: World) => ends[how]?.(w)

  it('its calls in flight are answered with -32603 and it goes on from its record', async () => {
    const { definition } = server()
    const w = await world(definition)
    const client = await w.open({ version: '2025-06-18', capabilities: { roots: {} } })
    await client.request('resources/subscribe', { uri: 'config://app' })
    await client.request('logging/setLevel', { level: 'error' })
    const other = await w.open()
    const inFlight = [client.begin('tools/call', { name: 'gated' }), client.begin('tools/call', { name: 'asks' })]
    const [before] = (await w.processes('session')).slice(-1)
    await client.settle()
    // The other session would be in the way of finding the one that is to end.
    other.close()
    await w.sim.advance(2_000)
    await end(w)
    await client.settle()
    for (const id of inFlight) expect((await client.answerTo(id)).error?.code).toBe(-32603)
    expect(client.isClosed).toBe(false)
    const after = await w.process('session')
    expect(after.pid).not.toBe(before?.pid)
    expect(await w.sim.run(after.call('describe'))).toMatchObject({
      phase: 'operating',
      protocolVersion: '2025-06-18',
      subscriptions: 1,
      inFlight: 0,
      clientInfo: { name: 'test' },
    })
    expect(await echoes(client)).toBe(true)
    w.app.resourceUpdated('config://app')
    await client.settle()
    expect(client.of('notifications/resources/updated')).toHaveLength(1)
    expect(await w.processes('request')).toHaveLength(0)
    expect(await w.sim.run((await w.process('subscriptions')).call('count'))).toEqual({ uris: 1, sessions: 1 })
  })

  it('every request is answered, also those that came meanwhile', async () => {
    const { definition } = server()
    const w = await world(definition)
    const client = await w.open()
    const ids: number[] = []
    for (let n = 0; n < 5; n++) ids.push(client.begin('tools/call', { name: 'echo' }))
    await client.settle()
    await end(w)
    for (let n = 0; n < 5; n++) ids.push(client.begin('tools/call', { name: 'echo' }))
    await w.sim.advance(1_000)
    for (const id of ids) expect(client.received.some((message) => message.id === id)).toBe(true)
    expect(await echoes(client)).toBe(true)
  })
})

describe('a session that crashes too often', () => {
  it('is given up alone, and its connection is closed', async () => {
    const { definition } = server()
    const w = await world(definition)
    const other = await w.open()
    const client = await w.open()
    for (let n = 0; n < 3; n++) {
      const sessions = await w.processes('session')
      const mine = sessions[0]
      const described = await Promise.all(
        sessions.map(async (ref) => (await w.sim.run(ref.call('describe'))) as { id: string }),
      )
      expect(described).toHaveLength(2)
      if (mine !== undefined) crash(mine)
      await w.sim.settle()
    }
    await w.sim.advance(100)
    expect([client.isClosed, other.isClosed].filter(Boolean)).toHaveLength(1)
    expect(await echoes(client.isClosed ? other : client)).toBe(true)
    expect(w.app.metrics()['sessions']).toBe(1)
    expect((await w.open()).isClosed).toBe(false)
  })
})

describe('killing any process of the server', () => {
  const inner = [
    'metrics',
    'questions',
    'session-manager',
    'thread-pool',
    'subscriptions',
    'tool-registry',
    'resource-registry',
    'prompt-registry',
  ]

  it.each(inner)('%s leaves open sessions, their calls and their subscriptions as they are', async (name) => {
    const { definition, gate } = server()
    const w = await world(definition)
    const client = await w.open()
    await client.request('resources/subscribe', { uri: 'config://app' })
    const id = client.begin('tools/call', { name: 'gated' })
    await client.settle()
    const before = await w.process(name)
    before.exit('kill')
    expect(await echoes(client)).toBe(true)
    await w.sim.advance(100)
    expect((await w.process(name)).pid).not.toBe(before.pid)
    gate.resolve()
    expect((await client.answerTo(id)).result.content[0].text).toBe('through')
    w.app.resourceUpdated('config://app')
    definition.tool('late', { run: () => 'late' })
    await client.settle()
    expect(client.of('notifications/resources/updated')).toHaveLength(1)
    expect(client.of('notifications/tools/list_changed')).toHaveLength(1)
    expect((await client.call('late')).result.content[0].text).toBe('late')
    const fresh = await w.open()
    expect(await echoes(fresh)).toBe(true)
    fresh.close()
    client.close()
    await w.sim.advance(2_000)
    expect(w.app.metrics()['sessions']).toBe(0)
    expect(await w.processes('session')).toEqual([])
  })

  it.each(['core', 'workers', 'catalog', 'sessions', 'listeners', 'memory'])(
    '%s ends sessions, and new ones can be opened',
    async (name) => {
      const { definition } = server()
      const w = await world(definition)
      const client = await w.open()
      const id = client.begin('tools/call', { name: 'gated' })
      await client.settle()
      ;(await w.process(name)).exit('kill')
      // Listeners that are shut down for what was built on the dead one drain first.
      await w.sim.advance(20_000)
      expect(client.isClosed).toBe(true)
      // Without its listener a connection is gone, and that is the answer.
      if (name !== 'listeners' && name !== 'memory') expect((await client.answerTo(id)).error?.code).toBe(-32603)
      const fresh = await w.open()
      expect(await echoes(fresh)).toBe(true)
      expect(await w.processes('session')).toHaveLength(1)
      expect(w.app.metrics()['sessions']).toBe(1)
    },
  )

  it('a change made while its registry restarts is not lost', async () => {
    const { definition } = server()
    const w = await world(definition)
    const client = await w.open()
    const registry = await w.process('tool-registry')
    registry.exit('kill')
    definition.tool('during', { run: () => 'kept' }).removeTool('echo')
    await client.settle()
    expect((await client.call('during')).result.content[0].text).toBe('kept')
    expect((await client.call('echo')).error?.code).toBe(-32602)
  })

  it('a session that was being opened when the manager died is not left behind', async () => {
    const { definition } = server()
    const w = await world(definition)
    for (let n = 0; n < 4; n++) {
      const client = w.connect()
      ;(await w.process('session-manager')).exit('kill')
      await w.sim.advance(6_000)
      if (client.isClosed) continue
      client.close()
    }
    await w.sim.advance(6_000)
    expect(w.app.metrics()['sessions']).toBe(0)
    expect(await w.processes('session')).toEqual([])
  })
})

describe('stopping', () => {
  it('lets calls in flight finish, refuses new ones, and answers what is left at the end of the drain', async () => {
    const { definition, gate } = server()
    const w = await world(definition, { drainMs: 5_000 })
    const [patient, other] = [await w.open(), await w.open({ capabilities: { roots: {} } })]
    const through = patient.begin('tools/call', { name: 'gated' })
    const asking = other.begin('tools/call', { name: 'asks' })
    await w.sim.settle()
    const stopped = w.app.stop()
    await w.sim.settle()
    expect((await patient.call('echo')).error?.message).toContain('shutting down')
    expect((await patient.request('ping')).result).toEqual({})
    gate.resolve()
    await w.sim.settle()
    expect((await patient.answerTo(through)).result.content[0].text).toBe('through')
    await w.sim.advance(4_999)
    expect(other.received.some(({ id, method }) => id === asking && method === undefined)).toBe(false)
    await w.sim.advance(1)
    expect((await other.answerTo(asking)).error?.message).toContain('shutting down')
    await w.sim.run(stopped)
    expect([patient.isClosed, other.isClosed]).toEqual([true, true])
    expect(w.app.system.processCount).toBe(0)
  })
})
