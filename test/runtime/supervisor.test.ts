/** Restarts: strategies, restart types x reasons, intensity, failed restarts. */
import { child, defineSupervisor, ignore, type Ref, type Restart, type Strategy } from 'bough/runtime'
import { describe, expect, it } from 'vitest'
import { createWorld, type Worker } from './support.ts'
import { abc, crash, refsOf, startTree, worker } from './trees.ts'

describe('start', () => {
  it('goes from left to right, stop from right to left', async () => {
    const { sim, log, tree } = await startTree({}, abc)
    await sim.run(tree.stop())
    expect(log).toEqual(['start a', 'start b', 'start c', 'end c shutdown', 'end b shutdown', 'end a shutdown'])
    expect(sim.system.processCount).toBe(0)
  })

  it('that fails ends those that started, in reverse, and says which child failed and why', async () => {
    const sim = createWorld()
    const log: string[] = []
    const Tree = defineSupervisor({
      name: 'tree',
      children: [worker('a', log), worker('b', log), worker('bad', log, {}, () => 'no')],
    })
    const error = await sim.start(Tree).catch((caught: unknown) => caught)
    const reason = { shutdown: { failed_to_start_child: 'bad', reason: 'no' } }
    expect(error).toMatchObject({ code: 'failed_to_start_child', reason })
    expect(log).toEqual(['start a', 'start b', 'end b shutdown', 'end a shutdown'])
    expect(sim.system.processCount).toBe(0)
    const Outer = defineSupervisor({ children: [child(Tree, undefined, { id: 'tree' })] })
    await expect(sim.start(Outer)).rejects.toMatchObject({
      reason: { shutdown: { failed_to_start_child: 'tree', reason } },
    })
  })

  it('keeps the spec of a child that ignores, unless it is temporary', async () => {
    const { sim, tree } = await startTree({}, (log) => [
      worker('kept', log, { restart: 'transient' }, () => true),
      worker('gone', log, { restart: 'temporary' }, () => true),
    ])
    expect(await refsOf(sim, tree)).toEqual({ kept: undefined })
    expect(await sim.run(tree.restartChild('kept'))).toBeUndefined()
  })

  it('of a supervisor whose flags come from its argument may be ignored', async () => {
    const sim = createWorld()
    const Tree = defineSupervisor('tree', (on: boolean) => (on ? { children: [] } : ignore))
    expect(await sim.start(Tree, false)).toBeUndefined()
    expect((await sim.start(Tree, true)).alive).toBe(true)
    const Bad = defineSupervisor('bad', (_arg: undefined) => ({ intensity: -1, children: [] }))
    await expect(sim.start(Bad)).rejects.toMatchObject({ reason: { code: 'invalid_intensity' } })
  })
})

describe('strategies', () => {
  it.each<[Strategy, string[]]>([
    ['one_for_one', ['end b boom', 'start b']],
    ['rest_for_one', ['end b boom', 'end c shutdown', 'start b', 'start c']],
    ['one_for_all', ['end b boom', 'end c shutdown', 'end a shutdown', 'start a', 'start b', 'start c']],
  ])('%s', async (strategy, expected) => {
    const { sim, log, tree } = await startTree({ strategy }, abc)
    await crash(sim, tree, 'b')
    expect(log.slice(3)).toEqual(expected)
    expect(await sim.run(tree.countChildren())).toEqual({ specs: 3, active: 3, supervisors: 0, workers: 3 })
    expect((await sim.run(tree.whichChildren())).map((row) => row.id)).toEqual(['c', 'b', 'a'])
  })

  it.each<[Strategy, string[]]>([
    ['rest_for_one', ['a', 'b']],
    ['one_for_all', ['b']],
  ])('%s does not restart temporary bystanders and forgets them', async (strategy, left) => {
    const { sim, tree } = await startTree({ strategy }, (log) => [
      worker('a', log, { restart: 'temporary' }),
      worker('b', log),
      worker('c', log, { restart: 'temporary' }),
    ])
    await crash(sim, tree, 'b')
    expect(Object.keys(await refsOf(sim, tree)).sort()).toEqual(left)
  })

  it('a group restart starts those again that had ended in order or were terminated', async () => {
    const { sim, tree } = await startTree({ strategy: 'one_for_all' }, (log) => [
      worker('a', log, { restart: 'transient' }),
      worker('b', log),
      worker('c', log),
    ])
    await crash(sim, tree, 'a', 'normal')
    await sim.run(tree.terminateChild('c'))
    expect(await sim.run(tree.countChildren())).toMatchObject({ active: 1 })
    await crash(sim, tree, 'b')
    expect(await sim.run(tree.countChildren())).toMatchObject({ active: 3 })
  })

  it.each<Strategy>(['one_for_one', 'rest_for_one', 'one_for_all'])(
    '%s goes on when a child ignores its restart',
    async (strategy) => {
      let starts = 0
      const { sim, tree, log } = await startTree({ strategy }, (list) => [
        worker('a', list),
        worker('b', list, {}, () => (++starts === 1 ? undefined : true)),
        worker('c', list),
      ])
      await crash(sim, tree, 'b')
      const refs = await refsOf(sim, tree)
      expect(refs['b']).toBeUndefined()
      expect(await sim.run(tree.countChildren())).toMatchObject({ specs: 3, active: 2 })
      expect(log.at(-1)).toBe(
        { one_for_one: 'end b boom', rest_for_one: 'start c', one_for_all: 'start c' }[strategy as 'one_for_one'],
      )
    },
  )
})

describe('restart type x reason', () => {
  const reasons: [string, unknown][] = [
    ['normal', 'normal'],
    ['shutdown', 'shutdown'],
    ['{ shutdown }', { shutdown: 'planned' }],
    ['killed', 'kill'],
    ['an error', new Error('boom')],
    ['a value', 'boom'],
  ]
  const cases = (['permanent', 'transient', 'temporary'] as Restart[]).flatMap((restart) =>
    reasons.map(([name, reason]) => [restart, name, reason] as const),
  )
  it.each(cases)('%s x %s', async (restart, _name, reason) => {
    const { sim, tree } = await startTree({}, (log) => [worker('a', log, { restart })])
    const before = (await refsOf(sim, tree))['a'] as Ref<typeof Worker>
    if (reason === 'kill') before.exit('kill')
    else before.cast('stop', reason)
    await sim.settle()
    const after = await refsOf(sim, tree)
    const isOrderly =
      reason === 'normal' || reason === 'shutdown' || (typeof reason === 'object' && !(reason instanceof Error))
    if (restart === 'temporary') expect(after).toEqual({})
    else if (restart === 'transient' && isOrderly) expect(after).toEqual({ a: undefined })
    else {
      expect((after['a'] as Ref).alive).toBe(true)
      expect(after['a']).not.toBe(before)
    }
    const reports = sim.events.filter((event) => event.type === 'supervisor' && event.report === 'child_terminated')
    expect(reports).toHaveLength(restart === 'permanent' || !isOrderly ? 1 : 0)
  })
})

describe('restart intensity', () => {
  it('N allows N restarts within the period, the edge included; one more ends the supervisor with shutdown', async () => {
    const { sim, tree, log } = await startTree({ intensity: 2, period: 100 }, (list) => [
      worker('a', list),
      worker('b', list),
    ])
    const down = tree.down
    await crash(sim, tree, 'a')
    await sim.advance(60)
    await crash(sim, tree, 'b')
    await sim.advance(40)
    await crash(sim, tree, 'a')
    expect(await down).toBe('shutdown')
    expect(log.slice(-2)).toEqual(['end a boom', 'end b shutdown'])
    expect(sim.events).toContainEqual(
      expect.objectContaining({ type: 'supervisor', report: 'intensity_reached', child: 'a' }),
    )
    expect(sim.system.processCount).toBe(0)
  })

  it('forgets restarts that are older than the period', async () => {
    const { sim, tree } = await startTree({ intensity: 2, period: 100 }, (list) => [worker('a', list)])
    for (let round = 0; round < 20; round++) {
      await crash(sim, tree, 'a')
      await sim.advance(51)
    }
    expect(tree.alive).toBe(true)
  })

  it('0 lets the first crash end the supervisor', async () => {
    const { sim, tree } = await startTree({ intensity: 0 }, abc)
    await crash(sim, tree, 'a')
    expect(tree.alive).toBe(false)
  })

  it('counts a group restart once', async () => {
    const { sim, tree } = await startTree({ strategy: 'one_for_all', intensity: 1 }, abc)
    await crash(sim, tree, 'a')
    expect(tree.alive).toBe(true)
    await crash(sim, tree, 'a')
    expect(tree.alive).toBe(false)
  })

  it('is 1 in 5 s unless told otherwise', async () => {
    const sim = createWorld()
    const log: string[] = []
    const tree = await sim.start(defineSupervisor({ children: [worker('a', log)] }))
    await crash(sim, tree, 'a')
    await sim.advance(5_001)
    await crash(sim, tree, 'a')
    expect(tree.alive).toBe(true)
    await sim.advance(5_000)
    await crash(sim, tree, 'a')
    expect(tree.alive).toBe(false)
  })
})

describe('a restart that fails', () => {
  it('is tried again; each try counts; then it is well', async () => {
    let starts = 0
    const { sim, tree } = await startTree({ intensity: 4 }, (log) => [
      worker('a', log, {}, () => (++starts > 1 && starts < 5 ? 'not yet' : undefined)),
    ])
    await crash(sim, tree, 'a')
    expect(starts).toBe(5)
    expect(tree.alive).toBe(true)
    await crash(sim, tree, 'a')
    expect(tree.alive).toBe(false)
  })

  it('ends the supervisor when the tries reach the intensity', async () => {
    let starts = 0
    const { sim, tree } = await startTree({ intensity: 4 }, (log) => [
      worker('a', log, {}, () => (++starts > 1 ? 'never' : undefined)),
    ])
    await crash(sim, tree, 'a')
    expect(starts).toBe(5)
    expect(tree.alive).toBe(false)
  })

  it('lets requests in between: the child is restarting, terminateChild ends the trying', async () => {
    let starts = 0
    const { sim, tree } = await startTree({ intensity: 1_000_000 }, (log) => [
      worker('a', log, {}, () => (++starts > 1 ? 'never' : undefined)),
    ])
    const ref = (await refsOf(sim, tree))['a'] as Ref<typeof Worker>
    ref.cast('stop', 'boom')
    await ref.down
    const rows = tree.whichChildren()
    const refused = Promise.allSettled([
      tree.restartChild('a'),
      tree.deleteChild('a'),
      tree.startChild(worker('a', [])),
    ])
    const counted = tree.countChildren()
    const ended = tree.terminateChild('a')
    await sim.run(ended)
    expect(['restarting', ref]).toContainEqual((await rows)[0]?.ref)
    const codes = (await refused).map((outcome) =>
      outcome.status === 'rejected' ? (outcome.reason as { code: string }).code : 'done',
    )
    expect(codes).toEqual(['restarting', 'restarting', 'already_present'])
    expect(await counted).toMatchObject({ specs: 1, active: 0, workers: 1 })
    const before = starts
    await sim.settle()
    expect(starts).toBe(before)
    expect(await refsOf(sim, tree)).toEqual({ a: undefined })
  })

  it('under rest_for_one leaves the children before it up and does not restart them again', async () => {
    let fails = 0
    const { sim, tree, log } = await startTree({ strategy: 'rest_for_one' }, (list) => [
      worker('a', list),
      worker('b', list, {}, () => (fails > 0 && fails-- > 0 ? 'not yet' : undefined)),
      worker('c', list),
    ])
    fails = 2
    log.length = 0
    await crash(sim, tree, 'a')
    expect(log).toEqual(['end a boom', 'end c shutdown', 'end b shutdown', 'start a', 'start b', 'start c'])
  })

  it('under one_for_all ends those already restarted before the next try', async () => {
    let fails = 0
    const { sim, tree, log } = await startTree({ strategy: 'one_for_all' }, (list) => [
      worker('a', list),
      worker('b', list, {}, () => (fails > 0 && fails-- > 0 ? 'not yet' : undefined)),
      worker('c', list),
    ])
    fails = 1
    log.length = 0
    await crash(sim, tree, 'a')
    expect(log).toEqual([
      'end a boom',
      'end c shutdown',
      'end b shutdown',
      'start a',
      'end a shutdown',
      'start a',
      'start b',
      'start c',
    ])
  })

  it('is tried again though the mailbox of the supervisor is full', async () => {
    const sim = createWorld()
    let starts = 0
    const failOnceAndFill = (): unknown => {
      if (++starts !== 2) return undefined
      sim.system.whereis('tree')?.send('noise')
      return 'not yet'
    }
    const Tree = defineSupervisor({ intensity: 5, children: [worker('a', [], {}, failOnceAndFill)] })
    const tree = await sim.run(sim.system.start(Tree, undefined, { name: 'tree', mailbox: { capacity: 1 } }))
    await crash(sim, tree, 'a')
    expect(starts).toBe(3)
    expect(await sim.run(tree.countChildren())).toMatchObject({ active: 1 })
  })
})
