import {
  child,
  createNames,
  createRequests,
  defineActor,
  defineGroups,
  defineRegistry,
  defineSupervisor,
  defineTaskSupervisor,
  type Self,
  sys,
  type TaskSupervisorDefinition,
  task,
  via,
} from 'bough/runtime'
import { describe, expect, it } from 'vitest'
import { Counter, createWorld } from './support.ts'

const Actor = defineActor({
  name: 'actor',
  init: (_: undefined) => ({ received: [] as unknown[] }),
  call: {
    do: (_state, act: (self: Self) => unknown, self) => act(self as unknown as Self),
    received: (state) => state.received,
  },
  info: (state, message) => {
    state.received.push(message)
  },
})

async function createNamed() {
  const sim = createWorld()
  const names = await sim.start(defineRegistry({ keys: 'unique' }))
  const counter = await sim.run(sim.system.start(Counter, 1, { name: via(names, 'k') }))
  return { sim, names, counter, address: via<typeof Counter>(names, 'k') }
}

describe('via(names, key) stands for a ref', () => {
  it('as the name of a start, in calls, casts, sends and requests', async () => {
    const { sim, counter, address } = await createNamed()
    expect(address.pid).toBe(counter.pid)
    expect(await sim.run(address.call('add', 2))).toBe(3)
    expect(address.cast('reset')).toBe(true)
    expect(await sim.run(address.request('get').wait(10))).toEqual({ reply: 0 })
    expect(address.send('x')).toBe(true)
    await sim.run(address.stop())
    expect(address.alive).toBe(false)
    expect(address.request('get').check()).toMatchObject({ error: { code: 'noproc' } })
    const requests = createRequests<string>()
    requests.add(address.request('get'), 'late')
    expect(requests.check()).toMatchObject({ label: 'late', error: { code: 'noproc' } })
  })

  it('in link and unlink, before and after the end of what it names', async () => {
    const { sim, counter, address } = await createNamed()
    const actor = await sim.start(Actor)
    await sim.run(
      actor.call('do', (self) => {
        self.trapExits(true)
        self.link(address)
      }),
    )
    counter.exit('kill')
    await sim.run(actor.call('do', (self) => self.link(address)))
    expect(await sim.run(actor.call('received'))).toMatchObject([
      { type: 'EXIT', ref: counter, reason: 'killed' },
      { type: 'EXIT', reason: 'noproc' },
    ])
    const again = await sim.run(sim.system.start(Counter, 1, { name: address }))
    await sim.run(
      actor.call('do', (self) => {
        self.link(address)
        self.unlink(address)
      }),
    )
    again.exit('kill')
    expect(((await sim.run(actor.call('received'))) as unknown[]).length).toBe(2)
  })

  it('in monitor: of what it names now, or a DOWN with noproc at once', async () => {
    const { sim, counter, address } = await createNamed()
    const actor = await sim.start(Actor)
    const monitor = await sim.run(actor.call('do', (self) => self.monitor(address)))
    counter.exit('kill')
    const second = await sim.run(actor.call('do', (self) => self.monitor(address)))
    expect(await sim.run(actor.call('received'))).toMatchObject([
      { type: 'DOWN', monitor, ref: counter, reason: 'killed' },
      { type: 'DOWN', monitor: second, reason: 'noproc' },
    ])
  })

  it('as the name of a child: it outlives restarts', async () => {
    const sim = createWorld()
    const names = createNames()
    const address = via<typeof Counter>(names, 'counter')
    await sim.start(defineSupervisor({ children: [child(Counter, 5, { name: address })] }))
    const before = address.pid
    expect(await sim.run(address.call('add', 1))).toBe(6)
    address.exit('kill')
    await sim.settle()
    expect(address.pid).not.toBe(before)
    expect(await sim.run(address.call('get'))).toBe(5)
  })

  it('in sys, registries, groups and exit', async () => {
    const { sim, names, counter, address } = await createNamed()
    expect(await sim.run(sys.getState(address))).toEqual({ count: 1 })
    await sim.run(sys.log(address, 5))
    expect(await sim.run(sys.getLog(address))).toEqual([])
    await names.register('second', address)
    expect(names.keysOf(address)).toEqual(['k', 'second'])
    const groups = await sim.start(defineGroups())
    await groups.join('g', address)
    expect(groups.members('g')).toEqual([counter])
    address.exit('kill')
    expect(groups.members('g')).toEqual([])
    expect(names.size).toBe(0)
  })

  it('as the owner of a task, when it leads to a task supervisor', async () => {
    const sim = createWorld()
    const names = createNames()
    const address = via<TaskSupervisorDefinition>(names, 'tasks')
    expect(() => task(address, () => 1)).toThrow('no live process')
    await sim.run(sim.system.start(defineTaskSupervisor(), undefined, { name: address }))
    expect(await sim.run(task(address, () => 1))).toBe(1)
  })
})
