/** What has ended leaves nothing: counts after 100 000 short lives, and a heap that stays flat. */
import v8 from 'node:v8'
import vm from 'node:vm'
import { child, createSystem, defineActor, defineSupervisor, type Ref, type Self, type System } from 'bough/runtime'
import { describe, expect, it } from 'vitest'
import { Ring } from '#structures/ring'

const Mayfly = defineActor({
  name: 'mayfly',
  init: (_arg: undefined, self: Self<never>) => {
    self.sendAfter(60_000, 'never')
    return { data: new Array(16).fill(0) }
  },
  call: { ping: () => 'pong', end: (_state, _arg: undefined, self) => self.stop() },
})

const LIVES = 100_000
const BATCH = 1_000

v8.setFlagsFromString('--expose-gc')
const collect = vm.runInNewContext('gc') as () => void

function heapBytes(): number {
  collect()
  collect()
  return process.memoryUsage().heapUsed
}

async function live(system: System, count: number, start: () => Promise<Ref<typeof Mayfly>>): Promise<void> {
  for (let done = 0; done < count; done += BATCH) {
    const refs = await Promise.all(Array.from({ length: BATCH }, start))
    await Promise.all(refs.map((ref) => ref.call('ping')))
    await Promise.all(refs.map((ref, index) => (index % 2 === 0 ? ref.stop() : ref.call('end'))))
  }
  await new Promise((resolve) => setImmediate(resolve))
  expect(system.timers.size).toBe(0)
}

describe('100 000 processes that started and ended', () => {
  it('leave no process, no timer and no memory behind', async () => {
    const system = createSystem()
    const start = (): Promise<Ref<typeof Mayfly>> => system.start(Mayfly)
    await live(system, 10_000, start)
    const before = heapBytes()
    await live(system, LIVES, start)
    expect(system.processCount).toBe(0)
    const grownBytes = heapBytes() - before
    // One that was kept in every hundred would show as more than this.
    expect(grownBytes).toBeLessThan(500_000)
  }, 60_000)

  it('under a supervisor, with names, links and monitors, neither', async () => {
    const system = createSystem()
    const pool = await system.start(
      defineSupervisor({
        strategy: 'simple_one_for_one',
        children: [child(Mayfly, undefined, { restart: 'temporary' })],
      }),
    )
    const start = async (): Promise<Ref<typeof Mayfly>> => (await pool.startChild()) as unknown as Ref<typeof Mayfly>
    await live(system, 5_000, start)
    const before = heapBytes()
    await live(system, 20_000, start)
    expect(await pool.countChildren()).toMatchObject({ active: 0, workers: 0 })
    expect(system.processCount).toBe(1)
    expect(pool.info()).toMatchObject({ links: 0, monitors: 0, monitoredBy: 0, timers: 0 })
    expect(heapBytes() - before).toBeLessThan(500_000)
    await system.stop()
  }, 60_000)

  it('a stale ref holds nothing of its process', async () => {
    const system = createSystem()
    const start = async (): Promise<Ref> => {
      const ref = await system.start(
        defineActor({ name: 'heavy', init: () => ({ data: new Array(100_000).fill(1.5) }) }),
      )
      return ref as unknown as Ref
    }
    const before = heapBytes()
    const refs: Ref[] = []
    for (let index = 0; index < 50; index++) {
      const ref = await start()
      await ref.stop()
      refs.push(ref)
    }
    expect(heapBytes() - before).toBeLessThan(2_000_000)
    expect(refs.every((ref) => !ref.alive)).toBe(true)
  })
})

describe('what was taken from a ring', () => {
  it('is held no longer', async () => {
    const ring = new Ring<object>()
    const add = (): WeakRef<object> => {
      const item = { data: 'x' }
      ring.push(item)
      return new WeakRef(item)
    }
    const [shifted, removed, kept] = [add(), add(), add()]
    ring.removeAt(1)
    ring.shift()
    await new Promise((resolve) => setImmediate(resolve))
    collect()
    expect([shifted.deref(), removed.deref()]).toEqual([undefined, undefined])
    expect(kept.deref()).toBeDefined()
  })
})

describe('a mailbox', () => {
  it('gives the memory of a flood back when it is empty again', async () => {
    const system = createSystem()
    const ref = await system.start(
      defineActor({ name: 'flooded', init: () => 0, info: () => undefined, call: { ping: () => 1 } }),
    )
    await ref.call('ping')
    const before = heapBytes()
    for (let index = 0; index < 1_000_000; index++) ref.send(undefined)
    expect(await ref.call('ping', undefined, { timeout: Number.POSITIVE_INFINITY })).toBe(1)
    await new Promise((resolve) => setImmediate(resolve))
    expect(heapBytes() - before).toBeLessThan(1_000_000)
    await system.stop()
  })
})

describe('200 000 calls', () => {
  it('leave no timer, no reply and no memory behind', async () => {
    const system = createSystem()
    const ref = await system.start(Mayfly)
    const ask = async (rounds: number): Promise<void> => {
      for (let round = 0; round < rounds; round++)
        await Promise.all(Array.from({ length: 1_000 }, () => ref.call('ping')))
    }
    await ask(50)
    const before = heapBytes()
    await ask(200)
    expect(heapBytes() - before).toBeLessThan(500_000)
    expect(system.timers.size).toBe(1)
    await system.stop()
  }, 60_000)
})
