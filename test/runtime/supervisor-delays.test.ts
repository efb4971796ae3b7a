import { describe, expect, it } from 'vitest'
import { crash, refsOf, startTree, worker } from './trees.ts'

describe('backoff', () => {
  const backoff = { min: 100, max: 400, factor: 2 }

  it('waits min before the first restart, then longer up to max; the child is restarting meanwhile', async () => {
    const { sim, tree, log } = await startTree({ period: 10 }, (list) => [worker('a', list, { backoff })])
    for (const delay of [100, 200, 400, 400]) {
      await crash(sim, tree, 'a')
      expect(await refsOf(sim, tree)).toEqual({ a: 'restarting' })
      log.length = 0
      await sim.advance(delay - 1)
      expect(log).toEqual([])
      await sim.advance(1)
      expect(log).toEqual(['start a'])
    }
    await sim.advance(401)
    await crash(sim, tree, 'a')
    log.length = 0
    await sim.advance(100)
    expect(log).toEqual(['start a'])
  })

  it('takes part of the delay by chance when it has jitter', async () => {
    const { sim, tree, log } = await startTree({}, (list) => [
      worker('a', list, { backoff: { min: 1_000, max: 1_000, jitter: 0.5 } }),
    ])
    await crash(sim, tree, 'a')
    await sim.advance(499)
    expect(log.at(-1)).toBe('end a boom')
    await sim.advance(501)
    expect(log.at(-1)).toBe('start a')
  })

  it('is cancelled by terminateChild and by the end of the supervisor', async () => {
    const { sim, tree } = await startTree({}, (list) => [
      worker('a', list, { backoff }),
      worker('b', list, { backoff }),
    ])
    await crash(sim, tree, 'a')
    await crash(sim, tree, 'b')
    expect(sim.system.timers.size).toBe(2)
    await sim.run(tree.terminateChild('a'))
    expect(sim.system.timers.size).toBe(1)
    await sim.run(tree.stop())
    expect(sim.system.timers.size).toBe(0)
    expect(sim.system.processCount).toBe(0)
  })

  it('that waits when the supervisor is killed leaves no timer behind', async () => {
    const { sim, tree } = await startTree({}, (list) => [worker('a', list, { backoff })])
    await crash(sim, tree, 'a')
    tree.exit('kill')
    expect(sim.system.timers.size).toBe(0)
  })

  it('under rest_for_one holds the whole rest', async () => {
    const { sim, tree, log } = await startTree({ strategy: 'rest_for_one' }, (list) => [
      worker('a', list),
      worker('b', list, { backoff }),
      worker('c', list),
    ])
    log.length = 0
    await crash(sim, tree, 'b')
    expect(log).toEqual(['end b boom', 'end c shutdown'])
    expect(await refsOf(sim, tree)).toMatchObject({ b: 'restarting', c: undefined })
    await sim.advance(100)
    expect(log.slice(2)).toEqual(['start b', 'start c'])
  })
})

describe('automatic shutdown', () => {
  const significant = { restart: 'transient', significant: true } as const

  it('any_significant: the own end in order of one significant child ends the supervisor with shutdown', async () => {
    const { sim, tree, log } = await startTree({ autoShutdown: 'any_significant' }, (list) => [
      worker('a', list, significant),
      worker('b', list, significant),
      worker('c', list),
    ])
    await crash(sim, tree, 'a', 'boom')
    expect(tree.alive).toBe(true)
    await sim.run(tree.terminateChild('b'))
    expect(tree.alive).toBe(true)
    const down = tree.down
    await crash(sim, tree, 'a', 'normal')
    expect(await sim.run(down)).toBe('shutdown')
    expect(log.slice(-2)).toEqual(['end a normal', 'end c shutdown'])
  })

  it('any_significant: a temporary one ends it by a crash too', async () => {
    const { sim, tree } = await startTree({ autoShutdown: 'any_significant' }, (list) => [
      worker('a', list, { restart: 'temporary', significant: true }),
    ])
    await crash(sim, tree, 'a')
    expect(tree.alive).toBe(false)
  })

  it('all_significant: only the last significant child does, and one that restarts still counts', async () => {
    const { sim, tree } = await startTree({ autoShutdown: 'all_significant' }, (list) => [
      worker('a', list, significant),
      worker('b', list, { ...significant, backoff: { min: 100, max: 100 } }),
      worker('c', list),
    ])
    await crash(sim, tree, 'b')
    await crash(sim, tree, 'a', 'normal')
    expect(tree.alive).toBe(true)
    await sim.advance(100)
    await crash(sim, tree, 'b', { shutdown: 1 })
    expect(tree.alive).toBe(false)
  })

  it('never: the end of children does nothing', async () => {
    const { sim, tree } = await startTree({}, (list) => [worker('a', list, { restart: 'transient' })])
    await crash(sim, tree, 'a', 'normal')
    expect(tree.alive).toBe(true)
  })
})
