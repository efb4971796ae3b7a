import { createServer } from 'bough'
import { createRandom } from 'bough/testing'
import { describe, expect, it } from 'vitest'
import { type Client, SEED, type World, world } from './support.ts'

const WORLDS = 50
const STEPS = 60
/** What may die at any moment without the connection of a client. */
const mortal = [
  'session',
  'requests',
  'request',
  'session-manager',
  'metrics',
  'subscriptions',
  'tool-registry',
  'resource-registry',
  'thread-pool',
]

/** A connection; none while a tree that gave up is started anew. */
function connect(w: World): Client | undefined {
  try {
    return w.connect()
  } catch {
    return undefined
  }
}

describe('a server whose processes die at random', () => {
  it.each(Array.from({ length: WORLDS }, (_, n) => SEED + n))(
    'answers every request once, and keeps nothing (seed %i)',
    async (seed) => {
      const random = createRandom(seed, 7)
      const pick = <T>(items: readonly T[]): T => items[Math.floor(random.next() * items.length)] as T
      const server = createServer({ name: 'chaos', version: '1' })
        .tool('echo', { run: () => 'hi' })
        .tool('slow', {
          timeout: 5_000,
          run: (_args, ctx) => new Promise<string>((_done, fail) => ctx.signal.addEventListener('abort', fail)),
        })
        .tool('asks', { timeout: 2_000, run: async (_args, ctx) => `${(await ctx.roots()).length}` })
        .resource('config://app', { read: () => 'x' })
      const w = await world(server, { askTimeoutMs: 3_000 }, seed)
      const baseline = w.app.system.processCount
      const clients: { client: Client; asked: number[]; cancelled: Set<number> }[] = []
      const open = async () => {
        const client = connect(w)
        await w.sim.settle()
        if (client === undefined) return
        // While the session manager restarts, a session is refused, and its connection closed.
        await client.initialize({ capabilities: { roots: {} } }).catch(() => undefined)
        if (client.isClosed) return
        client.notify('notifications/initialized')
        if (random.next() < 0.5) client.answers['roots/list'] = () => ({ result: { roots: [] } })
        clients.push({ client, asked: [], cancelled: new Set() })
      }
      for (let n = 0; n < 3; n++) await open()
      for (let step = 0; step < STEPS; step++) {
        const { client, asked, cancelled } = pick(clients)
        const what = random.next()
        if (what < 0.6) {
          const [method, params] = pick([
            ['tools/call', { name: 'echo' }],
            ['tools/call', { name: 'slow' }],
            ['tools/call', { name: 'asks' }],
            ['resources/read', { uri: 'config://app' }],
            ['resources/subscribe', { uri: 'config://app' }],
            ['ping', {}],
          ] as const)
          asked.push(client.begin(method, params))
        } else if (what < 0.7 && asked.length > 0) {
          const id = pick(asked)
          cancelled.add(id)
          client.notify('notifications/cancelled', { requestId: id })
        } else if (what < 0.85) {
          const name = pick(mortal)
          const all = await w.processes(name).catch(() => [])
          // The one of the requests without a session has a name: it belongs to the server, which gives up when it dies too often.
          const victims = name === 'requests' ? all.filter((ref) => ref.info()?.names.length === 0) : all
          if (victims.length > 0) pick(victims).exit(pick(['kill', 'kill', new Error('chaos')]))
        } else if (what < 0.9) {
          server.tool('new', { run: () => 'x' })
          w.app.resourceUpdated('config://app')
        } else if (what < 0.93) await open()
        else await w.sim.advance(500 * random.next())
      }
      await w.sim.advance(60_000)
      for (const { client, asked, cancelled } of clients) {
        for (const id of asked) {
          const answers = client.received.filter((message) => message.id === id && message.method === undefined).length
          if (client.isClosed || cancelled.has(id)) expect(answers).toBeLessThanOrEqual(1)
          else expect(answers, `request ${id}`).toBe(1)
        }
        if (!client.isClosed) expect((await client.call('echo')).result.content[0].text).toBe('hi')
        client.close()
      }
      await w.sim.advance(10_000)
      expect(w.app.metrics()['sessions']).toBe(0)
      expect(w.app.system.processCount).toBe(baseline)
      expect(await w.sim.run((await w.process('subscriptions')).call('count'))).toEqual({ uris: 0, sessions: 0 })
      expect(w.app.system.timers.size).toBe(0)
    },
  )
})
