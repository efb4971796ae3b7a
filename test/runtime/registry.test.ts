import {
  child,
  createNames,
  defineActor,
  defineRegistry,
  defineSupervisor,
  type Ref,
  RegistryError,
  via,
} from 'bough/runtime'
import { describe, expect, it } from 'vitest'
import { createWorld } from './support.ts'

const Echo = defineActor({
  name: 'echo',
  init: (tag: string) => ({ tag, received: [] as unknown[] }),
  call: { tag: (state) => state.tag, received: (state) => state.received },
  info: (state, message) => {
    state.received.push(message)
  },
})

const Unique = defineRegistry({ keys: 'unique' })
const Duplicate = defineRegistry({ keys: 'duplicate', name: 'topics' })

describe('a registry with unique keys', () => {
  it('finds a process by any key until it ends', async () => {
    const sim = createWorld()
    const names = await sim.start(Unique)
    const echo = await sim.start(Echo, 'a')
    const key = { any: 'object' }
    await names.register(key, echo, 'value')
    expect(names.lookup(key)).toBe(echo)
    expect(names.entries(key)).toEqual([{ ref: echo, value: 'value' }])
    expect(names.size).toBe(1)
    await sim.run(echo.stop())
    expect(names.lookup(key)).toBeUndefined()
    expect(names.size).toBe(0)
  })

  it('refuses a key that another process has, a dead process, and a dead registry', async () => {
    const sim = createWorld()
    const names = await sim.start(Unique)
    const [a, b] = [await sim.start(Echo, 'a'), await sim.start(Echo, 'b')]
    await names.register('k', a, 1)
    await names.register('k', a, 2)
    expect(names.entries('k')).toEqual([{ ref: a, value: 2 }])
    const error = await names.register('k', b).catch((caught: unknown) => caught)
    expect(error).toBeInstanceOf(RegistryError)
    expect(error).toMatchObject({ code: 'already_registered', detail: a })
    await sim.run(b.stop())
    await expect(names.register('other', b)).rejects.toMatchObject({ code: 'noproc' })
    await sim.run(names.stop())
    await expect(names.register('other', a)).rejects.toMatchObject({ code: 'noproc' })
  })

  it('finds what was started under its name, and takes it out again', async () => {
    const sim = createWorld()
    const names = await sim.start(Unique)
    const echo = await sim.run(sim.system.start(Echo, 'a', { name: via(names, 'k') }))
    expect(names.lookup('k')).toBe(echo)
    expect(names.size).toBe(1)
    expect(echo.info()?.names).toEqual(['k'])
    await expect(sim.run(sim.system.start(Echo, 'b', { name: via(names, 'k') }))).rejects.toMatchObject({
      code: 'already_started',
      reason: echo,
    })
    await names.unregister('k')
    expect(names.lookup('k')).toBeUndefined()
    expect(echo.info()?.names).toEqual([])
    expect(echo.alive).toBe(true)
  })

  it('leaves no monitor behind when a key comes and goes', async () => {
    const sim = createWorld()
    for (const registry of [Unique, Duplicate]) {
      const names = await sim.start(registry)
      const echo = await sim.start(Echo, 'a')
      for (let round = 0; round < 10; round++) {
        await names.register('k', echo)
        await names.unregister('k', echo)
      }
      expect(echo.info()).toMatchObject({ monitoredBy: 0, names: [] })
    }
  })

  it('takes its names with it when it ends', async () => {
    const sim = createWorld()
    const names = await sim.start(Unique)
    const echo = await sim.start(Echo, 'a')
    await names.register('k', echo)
    const address = via(names, 'k')
    names.exit('kill')
    expect(address.alive).toBe(false)
    expect(echo.info()?.names).toEqual([])
  })

  it('answers calls that it does not know with undef', async () => {
    const sim = createWorld()
    const names = await sim.start(Unique)
    await expect(sim.run((names as Ref).call('register', 1))).rejects.toMatchObject({ code: 'undef' })
    expect(names.alive).toBe(true)
  })
})

describe('via', () => {
  it('stands wherever a ref does and reaches whoever has the name now', async () => {
    const sim = createWorld()
    const names = await sim.start(Unique)
    const Tree = defineSupervisor({ children: [child(Echo, 'a', { name: via(names, 'k') })] })
    await sim.start(Tree)
    const address = via<typeof Echo>(names, 'k')
    const first = address.pid
    expect(await sim.run(address.call('tag'))).toBe('a')
    address.exit('crash')
    await sim.settle()
    expect(address.alive).toBe(true)
    expect(address.pid).not.toBe(first)
    address.send('hello')
    expect(await sim.run(address.call('received'))).toEqual(['hello'])
  })

  it('that leads nowhere is noproc', async () => {
    const sim = createWorld()
    const names = await sim.start(Unique)
    const address = via(names, 'nobody')
    expect(address.alive).toBe(false)
    expect(address.send(1)).toBe(false)
    expect(await address.down).toBe('noproc')
    await expect(address.call('x')).rejects.toMatchObject({ code: 'noproc' })
    await expect(address.stop()).rejects.toMatchObject({ code: 'noproc' })
  })

  it('works over a table of a subtree too', async () => {
    const sim = createWorld()
    const table = createNames()
    const echo = await sim.run(sim.system.start(Echo, 'a', { name: via(table, 'k') }))
    expect(via(table, 'k').pid).toBe(echo.pid)
    await sim.run(echo.stop())
    expect(table.size).toBe(0)
  })

  it('is refused for duplicate keys, where a key names no one process', async () => {
    const sim = createWorld()
    const topics = await sim.start(Duplicate)
    expect(() => via(topics, 'k')).toThrow('has duplicate keys')
  })
})

describe('a registry with duplicate keys', () => {
  it('keeps many processes under one key, in order, and dispatches to them all', async () => {
    const sim = createWorld()
    const topics = await sim.start(Duplicate)
    const refs = [await sim.start(Echo, 'a'), await sim.start(Echo, 'b'), await sim.start(Echo, 'c')]
    for (const [index, ref] of refs.entries()) await topics.register('t', ref, index)
    expect(topics.lookup('t')).toEqual(refs.map((ref, value) => ({ ref, value })))
    expect(topics.dispatch('t', (ref, value) => ref.send(value))).toBe(3)
    expect(topics.dispatch('nothing', () => undefined)).toBe(0)
    expect(await sim.run(refs[2]!.call('received'))).toEqual([2])
    await sim.run(refs[1]!.stop())
    expect(topics.size).toBe(2)
    expect(topics.lookup('t')).toEqual([
      { ref: refs[0], value: 0 },
      { ref: refs[2], value: 2 },
    ])
  })

  it("takes out one process of a key, never the others for a dead one's sake", async () => {
    const sim = createWorld()
    const topics = await sim.start(Duplicate)
    const [a, b] = [await sim.start(Echo, 'a'), await sim.start(Echo, 'b')]
    await topics.register('t', a)
    await topics.register('t', b)
    await sim.run(b.stop())
    await topics.unregister('t', b)
    expect(topics.lookup('t')).toEqual([{ ref: a, value: undefined }])
    await topics.unregister('t', a)
    expect(topics.size).toBe(0)
  })
})

describe('defineRegistry', () => {
  it('refuses other kinds of keys', () => {
    expect(() => defineRegistry({ keys: 'some' as 'unique' })).toThrow("keys must be 'unique' or 'duplicate', got some")
  })
})

describe('a target that is no ref', () => {
  it('is refused with a sentence', async () => {
    const sim = createWorld()
    const topics = await sim.start(Duplicate)
    await expect(topics.register('t', null as unknown as Ref)).rejects.toThrow(
      'A Ref or via(...) is needed here, got null.',
    )
  })
})
