import { type ChildOptions, child, defineSupervisor, type Ref, type SupervisorFlags } from 'bough/runtime'
import { describe, expect, it } from 'vitest'
import { createWorld, type Orders, Worker } from './support.ts'

async function startPool(options: ChildOptions = {}, flags: Partial<SupervisorFlags> = {}, template: Orders = {}) {
  const sim = createWorld()
  const pool = await sim.start(
    defineSupervisor({
      name: 'pool',
      strategy: 'simple_one_for_one',
      intensity: 10,
      ...flags,
      children: [child(Worker, template, { id: 'member', ...options })],
    }),
  )
  const add = async (orders?: Orders): Promise<Ref<typeof Worker>> =>
    (await sim.run(pool.startChild(orders))) as unknown as Ref<typeof Worker>
  const codeOf = (promise: Promise<unknown>): Promise<unknown> =>
    sim.run(
      promise.then(
        () => 'done',
        (error: { code: string }) => error.code,
      ),
    )
  const refs = async (): Promise<unknown[]> => (await sim.run(pool.whichChildren())).map((row) => row.ref)
  return { sim, pool, add, codeOf, refs }
}

describe('simple_one_for_one', () => {
  it("starts nothing by itself, then children each with its own argument or the template's", async () => {
    const { sim, pool, add, refs } = await startPool({}, {}, { id: 'template' })
    expect(await refs()).toEqual([])
    const own = await add({ id: 'own' })
    const other = await add()
    expect(await sim.run(Promise.all([own.call('id'), other.call('id')]))).toEqual(['own', 'template'])
    expect(await sim.run(pool.whichChildren())).toEqual([
      { id: undefined, ref: other, type: 'worker', modules: ['worker'] },
      { id: undefined, ref: own, type: 'worker', modules: ['worker'] },
    ])
    expect(await sim.run(pool.countChildren())).toEqual({ specs: 1, active: 2, supervisors: 0, workers: 2 })
  })

  it('restarts a child with its own argument', async () => {
    const { sim, add, refs } = await startPool()
    const a = await add({ id: 'a' })
    await add({ id: 'b' })
    a.exit('kill')
    await sim.settle()
    const [restarted] = (await refs()) as Ref<typeof Worker>[]
    expect(await sim.run(restarted!.call('id'))).toBe('a')
  })

  it('stores nothing for a child that ignores or fails, and rejects with StartError', async () => {
    const { sim, pool } = await startPool()
    expect(await sim.run(pool.startChild({ onStart: () => true }))).toBeUndefined()
    await expect(sim.run(pool.startChild({ onStart: () => 'no' }))).rejects.toMatchObject({
      name: 'StartError',
      reason: 'no',
    })
    expect(await sim.run(pool.countChildren())).toMatchObject({ active: 0, workers: 0 })
  })

  it('drops a child that ignores its restart', async () => {
    const { sim, pool, add } = await startPool()
    let starts = 0
    const a = await add({ onStart: () => (++starts === 1 ? undefined : true) })
    a.exit('kill')
    await sim.settle()
    expect(await sim.run(pool.countChildren())).toMatchObject({ active: 0, workers: 0 })
    await sim.run(pool.stop())
    expect(sim.system.processCount).toBe(0)
  })

  it('tries a failed restart again, each try counting', async () => {
    const { sim, pool, add } = await startPool({}, { intensity: 3 })
    let starts = 0
    const a = await add({ onStart: () => (++starts > 1 && starts < 4 ? 'not yet' : undefined) })
    a.exit('kill')
    await sim.settle()
    expect(starts).toBe(4)
    expect(pool.alive).toBe(true)
    expect(await sim.run(pool.countChildren())).toMatchObject({ active: 1, workers: 1 })
  })

  it.each(['transient', 'temporary'] as const)('forgets a %s child that ends in order', async (restart) => {
    const { sim, pool, add } = await startPool({ restart })
    const a = await add()
    await sim.run(a.stop())
    expect(await sim.run(pool.countChildren())).toMatchObject({ active: 0, workers: 0 })
  })

  it('ends a child by its ref; refuses ids, strangers and the operations that need ids', async () => {
    const { sim, pool, add, codeOf } = await startPool()
    const a = await add({ trap: true })
    const stranger = (await sim.start(Worker, {}))!
    expect(await codeOf(pool.terminateChild(a as unknown as Ref))).toBe('done')
    expect(a.alive).toBe(false)
    expect(await codeOf(pool.terminateChild(a as unknown as Ref))).toBe('done')
    expect(await codeOf(pool.terminateChild(stranger as unknown as Ref))).toBe('not_found')
    for (const op of ['terminateChild', 'restartChild', 'deleteChild'] as const)
      expect(await codeOf(pool[op]('member'))).toBe('simple_one_for_one')
    expect(await codeOf(pool.getChildSpec(stranger as unknown as Ref))).toBe('not_found')
    const b = await add()
    expect(await sim.run(pool.getChildSpec(b as unknown as Ref))).toMatchObject({ id: 'member' })
    // Ended: as for terminateChild, nobody can tell whether it was a child.
    expect(await sim.run(pool.getChildSpec(a as unknown as Ref))).toMatchObject({ id: 'member' })
  })

  it('ends a child by its old ref while it restarts', async () => {
    const { sim, pool, add, refs } = await startPool({ backoff: { min: 100, max: 100 } })
    const a = await add()
    a.exit('kill')
    await sim.settle()
    expect(await refs()).toEqual(['restarting'])
    expect(await sim.run(pool.countChildren())).toMatchObject({ active: 0, workers: 1 })
    await sim.run(pool.terminateChild(a as unknown as Ref))
    expect(sim.system.timers.size).toBe(0)
    expect(await refs()).toEqual([])
    expect(await sim.run(pool.countChildren())).toMatchObject({ active: 0, workers: 0 })
  })

  it('refuses more than maxChildren', async () => {
    const { sim, add, codeOf, pool } = await startPool({ restart: 'temporary' }, { maxChildren: 2 })
    const a = await add()
    await add()
    expect(await codeOf(pool.startChild({}))).toBe('max_children')
    await sim.run(a.stop())
    expect(await codeOf(pool.startChild({}))).toBe('done')
  })

  it('ends all children at once under one timer, and kills those that are left', async () => {
    const { sim, pool, add } = await startPool({ shutdown: 100 }, {}, {})
    for (let index = 0; index < 50; index++) await add({ trap: true, terminateMs: 60 })
    for (let index = 0; index < 3; index++) await add({ trap: true, terminateMs: 1_000 })
    await sim.run(pool.stop())
    expect(sim.clock.now()).toBe(100)
    expect(sim.system.processCount).toBe(0)
    const reports = sim.events.filter((event) => event.type === 'supervisor' && event.report === 'shutdown_error')
    expect(reports).toMatchObject([{ child: 'member (3 of them)', reason: 'killed' }])
  })

  it('kills them all at once under brutal_kill', async () => {
    const { sim, pool, add } = await startPool({ shutdown: 'brutal_kill' })
    for (let index = 0; index < 5; index++) await add({ trap: true, terminateMs: 60 })
    await sim.run(pool.stop())
    expect(sim.system.processCount).toBe(0)
    expect(sim.events.filter((event) => event.type === 'supervisor')).toEqual([])
  })

  it('reaches its intensity over all its children', async () => {
    const { sim, pool, add } = await startPool({}, { intensity: 1 })
    const refs = [await add(), await add(), await add()]
    for (const ref of refs) ref.exit('kill')
    await sim.settle()
    expect(pool.alive).toBe(false)
    expect(sim.system.processCount).toBe(0)
  })

  it('ends by itself with any_significant at the first, with all_significant at the last end', async () => {
    const any = await startPool({ restart: 'temporary', significant: true }, { autoShutdown: 'any_significant' })
    const one = await any.add()
    await any.add()
    one.exit('kill')
    await any.sim.settle()
    expect(any.pool.alive).toBe(false)
    const all = await startPool({ restart: 'temporary', significant: true }, { autoShutdown: 'all_significant' })
    const refs = [await all.add(), await all.add()]
    refs[0]!.exit('kill')
    await all.sim.settle()
    expect(all.pool.alive).toBe(true)
    refs[1]!.exit('kill')
    await all.sim.settle()
    expect(all.pool.alive).toBe(false)
  })
})
