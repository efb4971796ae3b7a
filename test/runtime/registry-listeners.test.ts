import { defineActor, defineRegistry, RegistryError, type RegistryMessage, type Self, via } from 'bough/runtime'
import { describe, expect, it } from 'vitest'
import { Counter, createWorld } from './support.ts'

const Listener = defineActor({
  name: 'listener',
  init: (_: undefined) => [] as RegistryMessage[],
  call: { heard: (state) => state.splice(0) },
  info: (state, message) => {
    state.push(message as RegistryMessage)
  },
})

describe.each(['unique', 'duplicate'] as const)('the listeners of a registry with %s keys', (keys) => {
  it('hear of each key that comes and goes, with its value, whatever took it out', async () => {
    const sim = createWorld()
    const listener = await sim.start(Listener)
    const registry = await sim.start(defineRegistry({ keys, listeners: [listener] }))
    const counter = await sim.start(Counter, 0)
    await registry.register('a', counter, 1)
    await registry.register('a', counter, 2)
    await registry.register('b', counter)
    await registry.unregister('b')
    await registry.unregister('never there')
    counter.exit('kill')
    await sim.settle()
    expect(await sim.run(listener.call('heard'))).toEqual([
      { type: 'register', registry, key: 'a', ref: counter, value: 1 },
      { type: 'register', registry, key: 'b', ref: counter, value: undefined },
      { type: 'unregister', registry, key: 'b', ref: counter, value: undefined },
      { type: 'unregister', registry, key: 'a', ref: counter, value: 2 },
    ])
    await registry.register('c', listener)
    await sim.run(registry.stop())
    expect((await sim.run(listener.call('heard'))).map(({ type }) => type)).toEqual(['register'])
  })

  it('may be named: whoever has the name at the moment hears it', async () => {
    const sim = createWorld()
    const registry = await sim.start(defineRegistry({ keys, listeners: ['ears'] }))
    const counter = await sim.start(Counter, 0)
    await registry.register('unheard', counter)
    const listener = await sim.run(sim.system.start(Listener, undefined, { name: 'ears' }))
    await registry.register('heard', counter)
    expect(await sim.run(listener.call('heard'))).toMatchObject([{ key: 'heard' }])
    await registry.register('own', listener)
    await sim.run(listener.stop())
    await registry.unregister('heard')
  })

  it('registry.updateValue changes a value where its process has the key', async () => {
    const sim = createWorld()
    const registry = await sim.start(defineRegistry({ keys }))
    const [counter, other] = [await sim.start(Counter, 0), await sim.start(Counter, 0)]
    await registry.register('k', counter, 1)
    expect(await registry.updateValue('k', counter, (value) => Number(value) + 1)).toBe(2)
    expect(registry.entries('k')).toEqual([{ ref: counter, value: 2 }])
    await expect(registry.updateValue('k', other, () => 3)).rejects.toBeInstanceOf(RegistryError)
    await expect(registry.updateValue('x', counter, () => 3)).rejects.toMatchObject({ code: 'not_registered' })
    const thrown = registry.updateValue('k', counter, () => {
      throw new Error('no')
    })
    await expect(thrown).rejects.toThrow('no')
    expect(registry.entries('k')).toEqual([{ ref: counter, value: 2 }])
    await sim.run(counter.stop())
    await expect(registry.updateValue('k', counter, () => 3)).rejects.toMatchObject({ code: 'not_registered' })
  })

  it('registry.keysOf lists the keys of a process in this registry', async () => {
    const sim = createWorld()
    const definition = defineRegistry({ keys })
    const [registry, elsewhere] = [await sim.start(definition), await sim.start(definition)]
    const counter = await sim.run(sim.system.start(Counter, 0, { name: 'in the system' }))
    for (const key of ['a', 'b', 'c']) await registry.register(key, counter)
    await elsewhere.register('d', counter)
    await registry.unregister('b')
    expect(registry.keysOf(counter)).toEqual(['a', 'c'])
    await sim.run(counter.stop())
    expect(registry.keysOf(counter)).toEqual([])
    expect(registry.size).toBe(0)
  })
})

describe('the listeners of a registry', () => {
  it('hear of a process that started under its name', async () => {
    const sim = createWorld()
    const listener = await sim.start(Listener)
    const registry = await sim.start(defineRegistry({ keys: 'unique', listeners: [listener] }))
    const Failing = defineActor({
      name: 'failing',
      init: (_: undefined, _self: Self<never>) => {
        throw new Error('no')
      },
    })
    await sim.run(sim.system.start(Counter, 0, { name: via(registry, 'k') }))
    await sim.run(sim.system.start(Failing, undefined, { name: via(registry, 'x') }).catch(() => undefined))
    const heard = await sim.run(listener.call('heard'))
    expect(heard.map(({ type, key }) => `${type} ${String(key)}`)).toEqual(['register k', 'register x', 'unregister x'])
  })

  it.each([[5], [{}], [null]])('%s is refused as one', (listener) => {
    expect(() => defineRegistry({ keys: 'unique', listeners: [listener as unknown as string] })).toThrow(TypeError)
  })
})
