import { createSystem, defineActor, type Self } from 'bough/runtime'
import { describe, expect, it } from 'vitest'
import { Counter, codeOf, createWorld, Worker } from './support.ts'

describe('a system', () => {
  it('stops everything in reverse start order and refuses starts meanwhile', async () => {
    const sim = createWorld()
    const log: string[] = []
    for (const id of ['a', 'b', 'c']) await sim.start(Worker, { id, log, terminateMs: 10 })
    const stopped = sim.system.stop()
    expect(await codeOf(sim.system.start(Counter, 0))).toBe('StartError stopped')
    await sim.run(stopped)
    expect(log.slice(3)).toEqual(['end c shutdown', 'end b shutdown', 'end a shutdown'])
    expect(sim.system.processCount).toBe(0)
    expect(sim.system.timers.size).toBe(0)
  })

  it('kills a top-level worker that does not terminate within 5 s', async () => {
    const sim = createWorld()
    await sim.start(Worker, { id: 'slow', terminateMs: 60_000 })
    await sim.run(sim.system.stop())
    expect(sim.clock.now()).toBe(5_000)
    expect(sim.system.processCount).toBe(0)
  })

  it('stops a process whose parent ended before it as one of the top', async () => {
    const sim = createWorld()
    const log: string[] = []
    const Parent = defineActor({
      name: 'parent',
      init: async (_arg: undefined, self: Self) => {
        await self.start(Worker, { id: 'orphan', log })
        return 0
      },
    })
    const parent = await sim.start(Parent)
    await sim.run(parent.stop())
    expect(sim.system.processCount).toBe(1)
    await sim.run(sim.system.stop())
    expect(log).toEqual(['start orphan', 'end orphan shutdown'])
  })

  it('survives an events sink that throws', async () => {
    const system = createSystem({
      events: () => {
        throw new Error('bad sink')
      },
    })
    const warned = new Promise<Error>((resolve) => process.once('warning', resolve))
    const worker = (await system.start(Worker, {}))!
    const other = (await system.start(Worker, { trap: true }))!
    other.cast('link', worker)
    await other.call('id')
    worker.cast('throw', new Error('boom'))
    expect(await worker.down).toMatchObject({ message: 'boom' })
    expect(await other.call('received')).toMatchObject([{ type: 'EXIT' }])
    expect((await warned).message).toContain('The events sink of the system')
    await system.stop()
  })

  it('gives every process a pid of its own under the name of the system', async () => {
    const one = createSystem()
    const two = createSystem({ name: 'two' })
    const a = await one.start(Counter, 0)
    const b = await two.start(Counter, 0)
    const c = await two.start(Counter, 0)
    expect(new Set([a.pid, b.pid, c.pid]).size).toBe(3)
    expect(b.pid.startsWith('two.')).toBe(true)
    expect(two.processes()).toEqual([b, c])
    expect(JSON.stringify({ c })).toBe(`{"c":"<${c.pid}>"}`)
    await Promise.all([one.stop(), two.stop()])
  })
})
