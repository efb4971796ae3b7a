import { defineActor, defineGroups, type GroupMessage } from 'bough/runtime'
import { describe, expect, it } from 'vitest'
import { Counter, createWorld } from './support.ts'

const Watcher = defineActor({
  name: 'watcher',
  init: (_: undefined) => [] as GroupMessage[],
  call: { heard: (state) => state.splice(0).map(({ type, group, ref }) => `${type} ${String(group)} ${ref.pid}`) },
  info: (state, message) => {
    state.push(message as GroupMessage)
  },
})

const Groups = defineGroups()

describe('process groups', () => {
  it('list each member as often as it joined, in the order of first joining', async () => {
    const sim = createWorld()
    const groups = await sim.start(Groups)
    const [a, b] = [await sim.start(Counter, 0), await sim.start(Counter, 0)]
    await groups.join('g', a)
    await groups.join('g', b)
    await groups.join('g', a)
    expect(groups.members('g')).toEqual([a, a, b])
    expect(await groups.leave('g', a)).toBe(true)
    expect(groups.members('g')).toEqual([a, b])
    expect(await groups.leave('g', a)).toBe(true)
    expect(await groups.leave('g', a)).toBe(false)
    expect(await groups.leave('unknown', b)).toBe(false)
    expect(groups.members('g')).toEqual([b])
    expect(groups.members('unknown')).toEqual([])
  })

  it('are left by a process that ends, and are gone without members', async () => {
    const sim = createWorld()
    const groups = await sim.start(Groups)
    const [a, b] = [await sim.start(Counter, 0), await sim.start(Counter, 0)]
    for (const group of ['x', 'y', 'x']) await groups.join(group, a)
    await groups.join('y', b)
    expect(groups.groups()).toEqual(['x', 'y'])
    a.exit('kill')
    expect(groups.groups()).toEqual(['y'])
    expect(groups.members('y')).toEqual([b])
    await groups.leave('y', b)
    expect(groups.groups()).toEqual([])
    expect(b.info()?.monitoredBy).toBe(0)
  })

  it('are published to by dispatch', async () => {
    const sim = createWorld()
    const groups = await sim.start(Groups)
    const [a, b] = [await sim.start(Counter, 0), await sim.start(Counter, 0)]
    await groups.join('g', a)
    await groups.join('g', b)
    const seen: unknown[] = []
    expect(groups.dispatch('g', (ref) => seen.push(ref))).toBe(2)
    expect(seen).toEqual([a, b])
    expect(groups.dispatch('unknown', () => seen.push('never'))).toBe(0)
  })

  it('tell who monitors one of each joining and leaving, the end of a member included', async () => {
    const sim = createWorld()
    const groups = await sim.start(Groups)
    const watcher = await sim.start(Watcher)
    const a = await sim.start(Counter, 0)
    await groups.join('g', a)
    expect(await groups.monitor('g', watcher)).toEqual([a])
    await groups.monitor('g', watcher)
    await groups.join('other', a)
    await groups.join('g', a)
    await groups.leave('g', a)
    a.exit('kill')
    expect(await sim.run(watcher.call('heard'))).toEqual([`join g ${a.pid}`, `leave g ${a.pid}`, `leave g ${a.pid}`])
    const b = await sim.start(Counter, 0)
    await groups.join('g', b)
    await groups.demonitor('g', watcher)
    await groups.leave('g', b)
    expect(await sim.run(watcher.call('heard'))).toEqual([`join g ${b.pid}`])
    await groups.monitor('g', watcher)
    await groups.join('g', watcher)
    watcher.exit('kill')
    await groups.join('g', b)
    expect(groups.members('g')).toEqual([b])
  })

  it('refuse a process that has ended, and forget all when they end', async () => {
    const sim = createWorld()
    const groups = await sim.start(Groups)
    const [a, b] = [await sim.start(Counter, 0), await sim.start(Counter, 0)]
    await groups.join('g', a)
    await sim.run(b.stop())
    await expect(groups.join('g', b)).rejects.toMatchObject({ name: 'RegistryError', code: 'noproc' })
    await expect(groups.monitor('g', b)).rejects.toMatchObject({ code: 'noproc' })
    await expect(sim.run(groups.call('nonsense'))).rejects.toMatchObject({ code: 'undef' })
    await sim.run(groups.stop())
    expect(groups.members('g')).toEqual([])
    expect(a.info()?.monitoredBy).toBe(0)
    await expect(groups.join('g', a)).rejects.toMatchObject({ name: 'CallError', code: 'noproc' })
  })
})
