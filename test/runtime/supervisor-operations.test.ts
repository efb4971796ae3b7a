/** What a supervisor can be asked, what it refuses and with which code; how it ends children and how it ends itself. */
import {
  type ChildOptions,
  type ChildSpec,
  checkChildren,
  child,
  defineActor,
  defineSupervisor,
  type Ref,
  type Self,
  type Shutdown,
  type SupervisorFlags,
  sys,
} from 'bough/runtime'
import { describe, expect, it } from 'vitest'
import { createWorld, type Orders, Worker } from './support.ts'

function worker(id: string, orders: Orders = {}, options: ChildOptions = {}): ChildSpec {
  return child(Worker, { id, trap: true, ...orders }, { id, ...options })
}

async function startTree(flags: Partial<SupervisorFlags> = {}) {
  const sim = createWorld()
  const tree = await sim.start(defineSupervisor({ children: [worker('a'), worker('b')], ...flags }))
  const refOf = async (id: string): Promise<Ref<typeof Worker>> =>
    (await sim.run(tree.whichChildren())).find((row) => row.id === id)?.ref as Ref<typeof Worker>
  const codeOf = (promise: Promise<unknown>): Promise<unknown> =>
    sim.run(
      promise.then(
        () => 'done',
        (error: { code: string }) => error.code,
      ),
    )
  return { sim, tree, refOf, codeOf }
}

describe('startChild', () => {
  it('adds a child last in start order and resolves to its ref', async () => {
    const { sim, tree } = await startTree()
    const ref = await sim.run(tree.startChild(worker('c')))
    expect(await sim.run((ref as Ref<typeof Worker>).call('id'))).toBe('c')
    expect(await sim.run(tree.whichChildren())).toMatchObject([
      { id: 'c', ref, type: 'worker', modules: ['worker'] },
      { id: 'b' },
      { id: 'a' },
    ])
  })

  it('refuses an id that is there: running already_started with its ref, else already_present', async () => {
    const { sim, tree, refOf, codeOf } = await startTree()
    const error = await sim.run(tree.startChild(worker('a')).catch((caught: unknown) => caught))
    expect(error).toMatchObject({ name: 'SupervisorError', code: 'already_started', detail: await refOf('a') })
    await sim.run(tree.terminateChild('a'))
    expect(await codeOf(tree.startChild(worker('a')))).toBe('already_present')
  })

  it('that fails rejects with StartError and keeps no spec', async () => {
    const { sim, tree } = await startTree()
    const failed = tree.startChild(worker('c', { onStart: () => 'no' }))
    await expect(sim.run(failed)).rejects.toMatchObject({ name: 'StartError', reason: 'no' })
    expect(await sim.run(tree.countChildren())).toMatchObject({ specs: 2 })
  })

  it('resolves to undefined for a child that ignores; its spec stays unless it is temporary', async () => {
    const { sim, tree } = await startTree()
    expect(await sim.run(tree.startChild(worker('c', { onStart: () => true })))).toBeUndefined()
    expect(
      await sim.run(tree.startChild(worker('d', { onStart: () => true }, { restart: 'temporary' }))),
    ).toBeUndefined()
    expect((await sim.run(tree.whichChildren())).map((row) => row.id)).toEqual(['c', 'b', 'a'])
  })

  it('checks the spec before the id, and a wrong one harms nobody', async () => {
    const { tree, codeOf } = await startTree()
    expect(await codeOf(tree.startChild({ ...worker('a'), shutdown: -1 }))).toBe('invalid_shutdown')
    expect(await codeOf(tree.startChild('nonsense'))).toBe('invalid_child_spec')
    expect(await codeOf(tree.startChild(null))).toBe('invalid_child_spec')
    expect(await codeOf(tree.startChild({ ...worker('c'), mailbox: { capacity: 0 } }))).toBe('invalid_mailbox')
    expect(await codeOf(tree.startChild({ ...worker('c'), timeout: Number.NaN }))).toBe('invalid_timeout')
    expect(await codeOf(tree.startChild({ ...worker('c'), significant: true, restart: 'transient' }))).toBe(
      'bad_combination',
    )
    expect(tree.alive).toBe(true)
  })

  it('on a dead supervisor rejects with CallError noproc', async () => {
    const { sim, tree } = await startTree()
    await sim.run(tree.stop())
    await expect(tree.startChild(worker('c'))).rejects.toMatchObject({ name: 'CallError', code: 'noproc' })
  })
})

describe('terminateChild, restartChild, deleteChild, getChildSpec', () => {
  it('go through the life of a spec', async () => {
    const { sim, tree, refOf, codeOf } = await startTree()
    const before = await refOf('a')
    expect(await codeOf(tree.restartChild('a'))).toBe('running')
    expect(await codeOf(tree.deleteChild('a'))).toBe('running')
    expect(await codeOf(tree.terminateChild('a'))).toBe('done')
    expect(await codeOf(tree.terminateChild('a'))).toBe('done')
    expect(before.alive).toBe(false)
    expect(await refOf('a')).toBeUndefined()
    const after = await sim.run(tree.restartChild('a'))
    expect(await refOf('a')).toBe(after)
    await sim.run(tree.terminateChild('a'))
    expect(await codeOf(tree.deleteChild('a'))).toBe('done')
    for (const op of ['terminateChild', 'restartChild', 'deleteChild', 'getChildSpec'] as const)
      expect(await codeOf(tree[op]('a'))).toBe('not_found')
  })

  it('a restart by hand does not count towards the intensity', async () => {
    const { sim, tree } = await startTree({ intensity: 0 })
    for (let round = 0; round < 5; round++) {
      await sim.run(tree.terminateChild('a'))
      await sim.run(tree.restartChild('a'))
    }
    expect(tree.alive).toBe(true)
  })

  it('a restart by hand that fails rejects with StartError and keeps the spec', async () => {
    let starts = 0
    const { sim, tree, refOf } = await startTree({
      children: [worker('a', { onStart: () => (++starts === 1 ? undefined : 'no') })],
    })
    await sim.run(tree.terminateChild('a'))
    await expect(sim.run(tree.restartChild('a'))).rejects.toMatchObject({ name: 'StartError', reason: 'no' })
    expect(await refOf('a')).toBeUndefined()
    expect(await sim.run(tree.countChildren())).toMatchObject({ specs: 1 })
  })

  it('terminateChild deletes the spec of a temporary child', async () => {
    const { sim, tree, codeOf } = await startTree({ children: [worker('t', {}, { restart: 'temporary' })] })
    await sim.run(tree.terminateChild('t'))
    expect(await codeOf(tree.restartChild('t'))).toBe('not_found')
  })

  it('terminateChild of a child that has just died does not start it again', async () => {
    const { sim, tree, refOf } = await startTree()
    const ref = await refOf('a')
    const ended = tree.terminateChild('a')
    ref.exit('kill')
    await sim.run(ended)
    await sim.settle()
    expect(await refOf('a')).toBeUndefined()
  })

  it('getChildSpec takes an id or a ref', async () => {
    const { sim, tree, refOf } = await startTree()
    expect(await sim.run(tree.getChildSpec('a'))).toMatchObject({ id: 'a', restart: 'permanent', shutdown: 5_000 })
    expect(await sim.run(tree.getChildSpec((await refOf('b')) as unknown as Ref))).toMatchObject({ id: 'b' })
  })

  it('countChildren counts supervisors and workers whether they live or not', async () => {
    const { sim, tree } = await startTree({
      children: [worker('a'), child(defineSupervisor({ children: [] }), undefined, { id: 's' })],
    })
    await sim.run(tree.terminateChild('a'))
    expect(await sim.run(tree.countChildren())).toEqual({ specs: 2, active: 1, supervisors: 1, workers: 1 })
  })

  it('countChildren does not count as active a child that unlinked itself and ended unnoticed', async () => {
    const { sim, tree, refOf } = await startTree()
    const a = await refOf('a')
    a.cast('unlink', tree)
    await sim.settle()
    a.exit('kill')
    await sim.settle()
    expect(await refOf('a')).toMatchObject({ alive: false })
    expect(await sim.run(tree.countChildren())).toMatchObject({ specs: 2, active: 1, workers: 2 })
  })

  it('an unknown call is undef, an unknown message is reported, and the supervisor lives on', async () => {
    const { sim, tree, codeOf } = await startTree()
    expect(await codeOf(tree.call('toString'))).toBe('undef')
    tree.send('hello')
    tree.cast('nonsense')
    await sim.settle()
    expect(tree.alive).toBe(true)
    expect(sim.events.filter((event) => event.type === 'unexpected_message')).toHaveLength(3)
  })
})

describe('shutdown rules', () => {
  const cases: [Shutdown, Orders, number, string, boolean][] = [
    ['brutal_kill', { terminateMs: 50 }, 0, 'killed', false],
    [100, { terminateMs: 50 }, 50, 'shutdown', false],
    [100, { terminateMs: 150 }, 100, 'killed', true],
    [0, { terminateMs: 150 }, 0, 'killed', true],
    ['infinity', { terminateMs: 1_000_000 }, 1_000_000, 'shutdown', false],
    [100, { trap: false, terminateMs: 150 }, 0, 'shutdown', false],
  ]
  it.each(cases)('%s with %j takes %i ms and ends with %s', async (shutdown, orders, tookMs, reason, isReported) => {
    const { sim, tree, refOf } = await startTree({ children: [worker('a', orders, { shutdown })] })
    const down = (await refOf('a')).down
    await sim.run(tree.terminateChild('a'))
    expect(sim.clock.now()).toBe(tookMs)
    expect(await down).toBe(reason)
    const reports = sim.events.filter((event) => event.type === 'supervisor' && event.report === 'shutdown_error')
    expect(reports).toHaveLength(isReported ? 1 : 0)
    expect(sim.system.timers.size).toBe(isReported ? 1 : 0)
  })

  it('a child that unlinked itself is ended all the same', async () => {
    const { sim, tree, refOf } = await startTree()
    const a = await refOf('a')
    a.cast('unlink', tree)
    await sim.settle()
    await sim.run(tree.terminateChild('a'))
    expect(a.alive).toBe(false)
  })

  it('children end one after the other, in reverse start order, each in its own time', async () => {
    const log: string[] = []
    const { sim, tree } = await startTree({
      children: [
        worker('a', { log, terminateMs: 30 }),
        worker('b', { log, terminateMs: 1_000 }, { shutdown: 20 }),
        worker('c', { log, terminateMs: 10 }),
      ],
    })
    await sim.run(tree.stop())
    expect(sim.clock.now()).toBe(60)
    expect(log.slice(3)).toEqual(['end c shutdown', 'end b shutdown', 'end a shutdown'])
    expect(sim.system.processCount).toBe(0)
  })

  it('jumps ahead of what waits in the mailbox of a trapping child', async () => {
    const { sim, tree, refOf } = await startTree()
    const a = await refOf('a')
    for (let index = 0; index < 100_000; index++) a.cast('note', index)
    await sim.run(tree.terminateChild('a'))
    expect(sim.events).toContainEqual(expect.objectContaining({ type: 'dead_letter', count: 100_000 }))
  })
})

describe('the end of a supervisor', () => {
  it('by kill ends the children with killed: those that trap run terminate', async () => {
    const log: string[] = []
    const { sim, tree, refOf } = await startTree({
      children: [worker('a', { log }), worker('b', { log, trap: false })],
    })
    const [a, b] = [(await refOf('a')).down, (await refOf('b')).down]
    tree.exit('kill')
    expect(await sim.run(Promise.all([a, b]))).toEqual(['killed', 'killed'])
    expect(log.slice(2)).toEqual(['end a killed'])
    expect(sim.system.processCount).toBe(0)
  })

  it('is asked for by its parent, which waits for the whole subtree', async () => {
    const log: string[] = []
    const sim = createWorld()
    const Inner = defineSupervisor({
      children: [worker('x', { log, terminateMs: 50 }), worker('y', { log, terminateMs: 50 })],
    })
    const outer = await sim.start(
      defineSupervisor({ children: [worker('w', { log }), child(Inner, undefined, { id: 'inner' })] }),
    )
    await sim.run(outer.stop())
    expect(sim.clock.now()).toBe(100)
    expect(log.slice(3)).toEqual(['end y shutdown', 'end x shutdown', 'end w shutdown'])
  })

  it('is not caused by exit signals of strangers, of plain code or of its own children', async () => {
    const { sim, tree, refOf } = await startTree()
    const stranger = (await sim.start(Worker, {}))!
    stranger.cast('link', tree)
    await sim.settle()
    stranger.exit('boom')
    tree.exit('shutdown')
    tree.exit('boom')
    await sim.settle()
    expect(tree.alive).toBe(true)
    const Rude = defineActor({
      name: 'rude',
      init: () => 0,
      cast: { hit: (_state, target: Ref) => target.exit('boom') },
    })
    const rude = (await sim.run(tree.startChild(child(Rude, undefined, { id: 'rude' })))) as Ref<typeof Rude>
    rude.cast('hit', tree as unknown as Ref)
    await sim.settle()
    expect(tree.alive).toBe(true)
    expect(rude.alive).toBe(true)
    expect(await refOf('rude')).toBe(rude)
  })

  it('while it starts children leaves none of them behind', async () => {
    const sim = createWorld()
    let started = 0
    const Slow = defineActor({
      name: 'slow',
      init: async (_arg: undefined, self: Self<never>) => {
        await new Promise<void>((resolve) => self.system.timers.start(10, resolve))
        started++
        return 0
      },
    })
    const Tree = defineSupervisor({ children: ['a', 'b', 'c'].map((id) => child(Slow, undefined, { id })) })
    await expect(sim.run(sim.system.start(Tree, undefined, { timeout: 15 }))).rejects.toMatchObject({ code: 'timeout' })
    await sim.advance(1_000)
    expect(started).toBe(2)
    expect(sim.system.processCount).toBe(0)
  })

  it('while it restarts a group leaves nothing behind', async () => {
    const { sim, tree, refOf } = await startTree({
      strategy: 'one_for_all',
      children: [worker('a'), worker('b', { terminateMs: 50 }), worker('c')],
    })
    ;(await refOf('a')).exit('kill')
    await sim.settle()
    tree.exit('kill')
    await sim.advance(1_000)
    expect(sim.system.processCount).toBe(0)
  })
})

describe('code change under a supervisor', () => {
  it('a suspended child that crashes is restarted and not suspended', async () => {
    const { sim, tree, refOf } = await startTree()
    const a = await refOf('a')
    await sim.run(sys.suspend(a))
    a.exit('kill')
    await sim.settle()
    const after = await refOf('a')
    expect(after).not.toBe(a)
    expect(await sim.run(after.call('id'))).toBe('a')
    expect(tree.alive).toBe(true)
  })
})

describe('specs and flags are checked where they are written', () => {
  const spec = worker('a')
  const specs: [string, () => unknown][] = [
    ['missing_start', () => child(undefined as unknown as typeof Worker, {})],
    ['missing_id', () => child(Worker, {}, { id: '' })],
    ['invalid_restart_type', () => child(Worker, {}, { restart: 'always' as 'permanent' })],
    ['invalid_shutdown', () => child(Worker, {}, { shutdown: -1 })],
    ['invalid_shutdown', () => child(Worker, {}, { shutdown: 1.5 })],
    ['invalid_significant', () => child(Worker, {}, { significant: 1 as unknown as boolean })],
    ['bad_combination', () => child(Worker, {}, { significant: true })],
    ['invalid_backoff', () => child(Worker, {}, { backoff: { min: 10, max: 5 } })],
    ['invalid_timeout', () => child(Worker, {}, { timeout: -1 })],
    ['invalid_mailbox', () => child(Worker, {}, { mailbox: { capacity: -1 } })],
    ['invalid_strategy', () => defineSupervisor({ strategy: 'all' as 'one_for_all', children: [] })],
    ['invalid_intensity', () => defineSupervisor({ intensity: -1, children: [] })],
    ['invalid_period', () => defineSupervisor({ period: 0, children: [] })],
    ['invalid_period', () => defineSupervisor({ period: Number.POSITIVE_INFINITY, children: [] })],
    ['invalid_auto_shutdown', () => defineSupervisor({ autoShutdown: 'yes' as 'never', children: [] })],
    ['invalid_max_children', () => defineSupervisor({ maxChildren: -1, children: [] })],
    ['invalid_child_spec', () => defineSupervisor({ children: undefined as unknown as [] })],
    ['invalid_child_spec', () => defineSupervisor({ children: [{} as ChildSpec] })],
    ['duplicate_child_name', () => defineSupervisor({ children: [spec, spec] })],
    [
      'bad_combination',
      () => defineSupervisor({ children: [worker('a', {}, { restart: 'transient', significant: true })] }),
    ],
    ['bad_start_spec', () => defineSupervisor({ strategy: 'simple_one_for_one', children: [] })],
    ['bad_start_spec', () => defineSupervisor('x', undefined as unknown as () => SupervisorFlags)],
  ]
  it.each(specs)('%s', (code, write) => {
    expect(write).toThrow(expect.objectContaining({ name: 'SupervisorError', code }))
  })

  it('checkChildren without autoShutdown lets significant children pass', () => {
    const significant = worker('a', {}, { restart: 'transient', significant: true })
    expect(() => checkChildren([significant])).not.toThrow()
    expect(() => checkChildren([significant], 'never')).toThrow(expect.objectContaining({ code: 'bad_combination' }))
    expect(() => checkChildren([significant], 'all_significant')).not.toThrow()
  })
})
