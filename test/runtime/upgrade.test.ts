import { child, createSystem, defineActor, defineSupervisor, sys, UpgradeError } from 'bough/runtime'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'

const counter = (version: number, step: number) =>
  defineActor({
    name: 'counter',
    version,
    init: (start: number) => ({ count: start, history: [] as string[] }),
    call: {
      add: (state) => (state.count += step),
      slow: async (state, until: Promise<void>) => {
        await until
        return (state.count += step)
      },
      version: () => version,
      history: (state) => state.history,
    },
    cast: { add: (state) => void (state.count += step) },
    info: (state, message) => void state.history.push(String(message)),
    codeChange: (state: { count: number; history: string[] }, from: number) => ({
      count: state.count,
      history: [...state.history, `${from}->${version}`],
    }),
  })

const V1 = counter(1, 1)
const V2 = counter(2, 10)

describe('system.upgrade', () => {
  it('takes every live process over, keeps its mailbox in order, its name, its timers and its links', async () => {
    const system = createSystem()
    const ref = await system.start(V1, 0, { name: 'the counter' })
    const other = await system.start(V1, 5)
    ref.cast('add')
    ref.cast('add')
    const upgraded = system.upgrade(V2)
    ref.cast('add')
    const report = await upgraded
    expect(report).toMatchObject({ name: 'counter', from: 1, to: 2, migrated: 2 })
    expect(report.pausedMs).toBeGreaterThanOrEqual(0)
    expect(report.processes).toHaveLength(2)
    expect(await ref.call('version')).toBe(2)
    expect(await ref.call('history')).toEqual(['1->2'])
    expect(system.whereis('the counter')?.pid).toBe(ref.pid)
    expect(await other.call('add')).toBe(15)
    await system.stop()
  })

  it('loses, doubles and reorders no message', async () => {
    const system = createSystem()
    const log = (version: number) =>
      defineActor({
        name: 'log',
        version,
        init: (_: undefined) => [] as number[],
        call: { all: (state) => state },
        cast: { put: (state, n: number) => void state.push(n) },
      })
    const ref = await system.start(log(1))
    for (let n = 0; n < 500; n++) ref.cast('put', n)
    const upgraded = system.upgrade(log(2))
    for (let n = 500; n < 1_000; n++) ref.cast('put', n)
    await upgraded
    for (let n = 1_000; n < 1_500; n++) ref.cast('put', n)
    expect(await ref.call('all')).toEqual(Array.from({ length: 1_500 }, (_, n) => n))
    await system.stop()
  })

  it('waits for a handler that runs, and leaves the rest at work until then', async () => {
    const system = createSystem()
    const busy = await system.start(V1, 0)
    const idle = await system.start(V1, 0)
    let open = (): void => undefined
    const slow = busy.call('slow', new Promise<void>((resolve) => (open = resolve)))
    await idle.call('add')
    const upgraded = system.upgrade(V2)
    expect(await idle.call('version')).toBe(1)
    open()
    expect(await slow).toBe(1)
    expect(await upgraded).toMatchObject({ migrated: 2 })
    expect(await busy.call('add')).toBe(11)
    await system.stop()
  })

  it('changes nothing when one migration throws', async () => {
    const system = createSystem()
    const first = await system.start(V1, 0)
    const second = await system.start(V1, 13)
    const Bad = defineActor({
      name: 'counter',
      version: 3,
      init: (start: number) => ({ count: start }),
      codeChange: (state: { count: number }) => {
        if (state.count === 13) throw new Error('thirteen')
        return { count: -1 }
      },
    })
    const failed = system.upgrade(Bad)
    await expect(failed).rejects.toBeInstanceOf(UpgradeError)
    await expect(failed).rejects.toMatchObject({
      code: 'migration_failed',
      pid: second.pid,
      cause: { message: 'thirteen' },
    })
    expect(await first.call('add')).toBe(1)
    expect(await second.call('add')).toBe(14)
    await system.stop()
  })

  it('changes nothing when a state does not match the schema', async () => {
    const system = createSystem()
    const ref = await system.start(V1, 0)
    const Strict = defineActor({
      name: 'counter',
      version: 4,
      init: (_: number) => ({ total: 0 }),
      stateSchema: z.object({ total: z.number() }),
      codeChange: (state: { count: number }) => ({ total: String(state.count) }) as unknown as { total: number },
    })
    await expect(system.upgrade(Strict)).rejects.toThrow(/does not match its schema at total/)
    expect(await ref.call('version')).toBe(1)
    await system.stop()
  })

  it('gives up in time when a handler does not end, and lets everybody go on', async () => {
    const system = createSystem()
    const busy = await system.start(V1, 0)
    const idle = await system.start(V1, 0)
    void busy.call('slow', new Promise<void>(() => undefined)).catch(() => undefined)
    await idle.call('add')
    await expect(system.upgrade(V2, { timeout: 20 })).rejects.toMatchObject({ code: 'timeout', pid: busy.pid })
    expect(await idle.call('add')).toBe(2)
    busy.exit('kill')
    await system.stop()
    expect(system.timers.size).toBe(0)
  })

  it('goes down a version as well as up', async () => {
    const system = createSystem()
    const ref = await system.start(V2, 0)
    expect(await system.upgrade(V1)).toMatchObject({ from: 2, to: 1, migrated: 1 })
    expect(await ref.call('add')).toBe(1)
    await system.stop()
  })

  it('resolves with migrated 0 when nothing is alive, and later starts use the new version', async () => {
    const system = createSystem()
    expect(await system.upgrade(V2)).toMatchObject({ migrated: 0, from: undefined, to: 2, pausedMs: 0 })
    const ref = await system.start(V1, 0)
    expect(await ref.call('version')).toBe(2)
    await system.stop()
  })

  it('restarts a child in the new version though its tree names the old one', async () => {
    const system = createSystem()
    const tree = await system.start(
      defineSupervisor({ name: 'tree', intensity: 5, children: [child(V1, 0, { id: 'c', name: 'c' })] }),
    )
    await system.upgrade(V2)
    system.whereis('c')?.exit('kill')
    await tree.whichChildren()
    expect(await system.whereis('c')?.call('version')).toBe(2)
    await system.stop()
  })

  it('leaves a process suspended that was so before', async () => {
    const system = createSystem()
    const ref = await system.start(V1, 0)
    await sys.suspend(ref)
    await system.upgrade(V2)
    expect(ref.info()?.status).toBe('suspended')
    await sys.resume(ref)
    expect(await ref.call('version')).toBe(2)
    await system.stop()
  })

  it('changes several definitions together or not at all', async () => {
    const system = createSystem()
    const other = (version: number, isBad: boolean) =>
      defineActor({
        name: 'other',
        version,
        init: (_: undefined) => ({ version }),
        call: { version: () => version },
        codeChange: () => {
          if (isBad) throw new Error('no')
          return { version }
        },
      })
    const ref = await system.start(V1, 0)
    const second = await system.start(other(1, false))
    await expect(system.upgrade([V2, other(2, true)])).rejects.toBeInstanceOf(UpgradeError)
    expect(await ref.call('version')).toBe(1)
    expect(await system.upgrade([V2, other(2, false)])).toMatchObject([{ migrated: 1 }, { migrated: 1 }])
    expect(await second.call('version')).toBe(2)
    await system.stop()
  })

  it('changes a supervisor: new specs for known ids, new children not started, missing ones kept', async () => {
    const system = createSystem()
    const tree = (version: number, ids: string[], strategy: 'one_for_one' | 'one_for_all') =>
      defineSupervisor({
        name: 'tree',
        version,
        strategy,
        intensity: 3,
        children: ids.map((id) => child(V1, 0, { id })),
      })
    const ref = await system.start(tree(1, ['a', 'b'], 'one_for_one'))
    const before = await ref.whichChildren()
    expect(await system.upgrade(tree(2, ['b', 'c'], 'one_for_all'))).toMatchObject({ migrated: 1 })
    const after = await ref.whichChildren()
    expect(after.map(({ id, ref: one }) => [id, typeof one === 'object'])).toEqual([
      ['c', false],
      ['b', true],
      ['a', true],
    ])
    expect(after.find(({ id }) => id === 'b')?.ref).toBe(before.find(({ id }) => id === 'b')?.ref)
    await system.stop()
  })

  it('leaks no process, timer or watcher over 1 000 upgrades', async () => {
    const system = createSystem()
    const refs = await Promise.all(Array.from({ length: 10 }, () => system.start(V1, 0)))
    for (let round = 0; round < 500; round++) {
      await system.upgrade(V2)
      await system.upgrade(V1)
    }
    expect(system.processCount).toBe(10)
    expect(system.timers.size).toBe(0)
    expect(refs.map((ref) => ref.info()?.monitoredBy)).toEqual(refs.map(() => 0))
    await system.stop()
  })

  it('refuses what is no definition', async () => {
    const system = createSystem()
    await expect(system.upgrade({} as never)).rejects.toMatchObject({ code: 'invalid' })
  })
})
