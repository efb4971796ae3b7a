import {
  child,
  createNames,
  defineActor,
  definePartitions,
  defineSupervisor,
  type PartitionsDefinition,
  partition,
  SupervisorError,
  via,
} from 'bough/runtime'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Counter, createWorld } from './support.ts'

const Cart = defineActor({
  name: 'cart',
  init: (arg: { readonly index: number }) => ({ ...arg, items: 0 }),
  call: { index: (state) => state.index, add: (state) => ++state.items },
})

const Carts = definePartitions(Cart, { partitions: 4, arg: (index) => ({ index }) })

describe('partitions', () => {
  it('are children of a supervisor, each with its own argument', async () => {
    const sim = createWorld()
    const carts = await sim.start(Carts)
    expect(carts.partitions).toBe(4)
    expect(await sim.run(carts.countChildren())).toEqual({ specs: 4, active: 4, supervisors: 0, workers: 4 })
    const children = await sim.run(carts.whichChildren())
    expect(children.map(({ id }) => id)).toEqual(['3', '2', '1', '0'])
    const indexes = [0, 1, 2, 3, 4, -5, 6n].map((key) => sim.run(carts.partition(key).call('index')))
    expect(await Promise.all(indexes)).toEqual([0, 1, 2, 3, 0, 1, 2])
  })

  it('are found by the same key always, on every machine', async () => {
    const sim = createWorld()
    const carts = await sim.start(Carts)
    const found = await Promise.all(
      ['', 'a', 'b', 'customer-1', 'customer-2', 'ü', 1.5].map((key) => sim.run(partition(carts, key).call('index'))),
    )
    expect(found).toMatchInlineSnapshot(`
      [
        3,
        3,
        2,
        0,
        2,
        1,
        1,
      ]
    `)
  })

  it('spread keys evenly', async () => {
    const sim = createWorld()
    const carts = await sim.start(Carts)
    const counts = new Map<string, number>()
    for (let n = 0; n < 4_000; n++) {
      const { pid } = carts.partition(`customer ${n}`)
      counts.set(pid, (counts.get(pid) ?? 0) + 1)
    }
    expect(counts.size).toBe(4)
    for (const count of counts.values()) expect(Math.abs(count - 1_000)).toBeLessThan(150)
  })

  it('for any key, one of them', () => {
    const sim = createWorld()
    const ran = sim.start(Carts).then((carts) =>
      fc.assert(
        fc.property(fc.oneof(fc.string({ unit: 'binary' }), fc.integer(), fc.bigInt(), fc.double()), (key) => {
          expect(carts.partition(key).alive).toBe(true)
          expect(carts.partition(key).pid).toBe(carts.partition(key).pid)
        }),
        { seed: Number(process.env['BOUGH_SEED'] ?? 1) },
      ),
    )
    return sim.run(ran)
  })

  it('are restarted by id, and their addresses outlive that', async () => {
    const sim = createWorld()
    const carts = await sim.start(Carts)
    const cart = carts.partition('customer-1')
    const other = carts.partition((await sim.run(cart.call('index'))) + 1)
    await sim.run(cart.call('add'))
    await sim.run(other.call('add'))
    const { pid } = cart
    cart.exit('kill')
    expect(cart.alive).toBe(false)
    await sim.settle()
    expect(cart.pid).not.toBe(pid)
    expect(await sim.run(cart.call('add'))).toBe(1)
    expect(await sim.run(other.call('add'))).toBe(2)
    await sim.run(carts.stop())
    await expect(sim.run(cart.call('add'))).rejects.toMatchObject({ code: 'noproc' })
    expect(() => partition(carts, 'x')).toThrow('not alive')
  })

  it('may all be restarted together', async () => {
    const sim = createWorld()
    const counters = await sim.start(
      definePartitions(Counter, { partitions: 2, strategy: 'one_for_all', arg: () => 0 }),
    )
    for (const key of [0, 1]) await sim.run(counters.partition(key).call('add', 5))
    counters.partition(0).exit('kill')
    await sim.settle()
    expect(await sim.run(counters.partition(1).call('get'))).toBe(0)
  })

  it('of supervisors give the live supervisor', async () => {
    const sim = createWorld()
    const Pool = defineSupervisor({ strategy: 'simple_one_for_one', children: [child(Counter, 0)] })
    const pools = await sim.start(definePartitions(Pool, { partitions: 3, name: 'pools' }))
    expect(await sim.run(pools.countChildren())).toMatchObject({ active: 3, supervisors: 3 })
    const counter = await sim.run(partition(pools, 'customer-1').startChild(7))
    expect(await sim.run(counter?.call('get') ?? Promise.resolve())).toBe(7)
    await sim.run(pools.terminateChild('0'))
    expect(() => pools.partition(0)).toThrow('may be restarting')
  })

  it('are reached through a name, and two sets do not meet', async () => {
    const sim = createWorld()
    const address = via<PartitionsDefinition<typeof Cart>>(createNames(), 'carts')
    await sim.run(sim.system.start(Carts, undefined, { name: address }))
    const others = await sim.start(Carts)
    expect(partition(address, 2).pid).not.toBe(others.partition(2).pid)
    const counter = await sim.start(Counter, 0)
    expect(() => partition(counter, 1)).toThrow('definePartitions')
    // @ts-expect-error: no key
    expect(() => others.partition({})).toThrow(TypeError)
  })

  it.each([0, 1.5, 10_001, '2'])('their number is checked where it is written: %s', (partitions) => {
    expect(() => definePartitions(Counter, { partitions: partitions as number })).toThrow(TypeError)
  })

  it('so are their flags', () => {
    expect(() => definePartitions(Counter, { partitions: 1, intensity: -1 })).toThrow(SupervisorError)
    expect(() => definePartitions(Counter, { partitions: 1, shutdown: -1 })).toThrow(SupervisorError)
  })
})
