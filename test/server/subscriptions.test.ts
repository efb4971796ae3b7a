/** The fan-out: bursts, subscribers that are no sessions, and subscribers that end. */
import { createServer } from 'bough'
import { defineActor, type Ref } from 'bough/runtime'
import { describe, expect, it } from 'vitest'
import type { Services } from '#actors/services'
import { listen, subscribe, unsubscribe } from '#actors/subscriptions'
import { type World, world } from './support.ts'

const server = () => createServer({ name: 'fan-out', version: '1' }).resource('config://app', { read: () => 'x' })

/** A subscriber of another kind than a session: it keeps what it is told. */
const Listener = defineActor({
  name: 'collector',
  init: () => ({ told: [] as string[] }),
  call: { told: (state) => state.told },
  cast: {
    announce: (state, { method, params }: { method: string; params?: { uri?: string } }) => {
      state.told.push(params?.uri === undefined ? method : `${method} ${params.uri}`)
    },
  },
})

const UPDATED = 'notifications/resources/updated'

/** The tables of the server, as its own processes know them. */
async function servicesOf(w: World): Promise<Services> {
  const subscriptions = await w.process('subscriptions')
  const { sys } = await import('bough/runtime')
  return ((await w.sim.run(sys.getState(subscriptions))) as { services: Services }).services
}

async function told(w: World, ref: Ref): Promise<unknown> {
  await w.sim.settle()
  return w.sim.run(ref.call('told'))
}

describe('a burst of changes', () => {
  it('is told at once and then once per window, for each resource by itself', async () => {
    const definition = server().resource('config://other', { read: () => 'x' })
    const w = await world(definition, { subscriptions: { coalesceMs: 100 } })
    const client = await w.open()
    for (const uri of ['config://app', 'config://other']) await client.request('resources/subscribe', { uri })
    const count = (uri: string) => client.of(UPDATED).filter(({ params }) => params.uri === uri).length
    for (let n = 0; n < 50; n++) w.app.resourceUpdated('config://app')
    w.app.resourceUpdated('config://other')
    await w.sim.settle()
    expect([count('config://app'), count('config://other')]).toEqual([1, 1])
    await w.sim.advance(99)
    expect(count('config://app')).toBe(1)
    await w.sim.advance(1)
    expect([count('config://app'), count('config://other')]).toEqual([2, 1])
    for (let n = 0; n < 50; n++) w.app.resourceUpdated('config://app')
    await w.sim.advance(100)
    expect(count('config://app')).toBe(3)
    await w.sim.advance(1_000)
    expect(count('config://app')).toBe(3)
    expect(w.app.system.timers.size).toBe(0)
  })

  it('is told change by change where that is wanted', async () => {
    const w = await world(server(), { subscriptions: { coalesceMs: 0 } })
    const client = await w.open()
    await client.request('resources/subscribe', { uri: 'config://app' })
    for (let n = 0; n < 5; n++) w.app.resourceUpdated('config://app')
    await w.sim.settle()
    expect(client.of(UPDATED)).toHaveLength(5)
  })

  it('is over for everybody who waits when it has been told', async () => {
    const w = await world(server(), { subscriptions: { coalesceMs: 100 } })
    const client = await w.open()
    await client.request('resources/subscribe', { uri: 'config://app' })
    await w.sim.run(Promise.all([w.app.resourceUpdated('config://app'), w.app.resourceUpdated('config://app')]))
    await w.sim.settle()
    expect(client.of(UPDATED)).toHaveLength(2)
    await w.sim.run(w.app.resourceUpdated('nobody://cares'))
  })
})

describe('a subscriber that is no session', () => {
  it('is told of the resources and lists that it asked for, until it ends', async () => {
    const definition = server()
    const w = await world(definition)
    const services = await servicesOf(w)
    const ref = (await w.sim.start(Listener)) as Ref
    subscribe(services, ref, 'config://app')
    listen(services, ref, { tools: true, prompts: false, resources: false })
    await w.sim.settle()
    w.app.resourceUpdated('config://app')
    w.app.resourceUpdated('config://other')
    definition.tool('new', { run: () => 'x' }).prompt('new', { get: () => 'x' })
    expect(await told(w, ref)).toEqual([`${UPDATED} config://app`, 'notifications/tools/list_changed'])
    unsubscribe(services, ref, 'config://app')
    await w.sim.advance(100)
    w.app.resourceUpdated('config://app')
    expect(await told(w, ref)).toHaveLength(2)
    ref.exit('kill')
    await w.sim.settle()
    expect(await w.sim.run((await w.process('subscriptions')).call('count'))).toEqual({ uris: 0, sessions: 0 })
  })
})
