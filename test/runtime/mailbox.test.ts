import { createSystem, defineActor, type MailboxOptions, sys } from 'bough/runtime'
import { describe, expect, it } from 'vitest'
import { createWorld, type World } from './support.ts'

const Box = defineActor({
  name: 'box',
  trapExits: true,
  init: () => ({ received: [] as unknown[] }),
  call: {
    received: (state) => state.received,
    note: (state, what: unknown) => {
      state.received.push(what)
      return what
    },
  },
  cast: {
    note: (state, what: unknown) => {
      state.received.push(what)
    },
  },
  info: (state, message) => {
    state.received.push(message)
  },
})

/** A box that is suspended, so that its mailbox fills. */
async function startFull(sim: World, mailbox: MailboxOptions) {
  const box = await sim.run(sim.system.start(Box, undefined, { mailbox }))
  await sim.run(sys.suspend(box))
  for (let index = 0; index < mailbox.capacity; index++) expect(box.send(index)).toBe(true)
  return box
}

describe('a full mailbox', () => {
  it.each(['reject', 'dropNewest', undefined] as const)(
    'with policy %s refuses the new message and tells the sender',
    async (overflow) => {
      const sim = createWorld()
      const box = await startFull(sim, overflow === undefined ? { capacity: 2 } : { capacity: 2, overflow })
      expect(box.send('new')).toBe(false)
      expect(box.cast('note', 'new')).toBe(false)
      await expect(box.call('note', 'new')).rejects.toMatchObject({ code: 'overload' })
      expect(sim.events).toHaveLength(3)
      expect(sim.events[0]).toMatchObject({ type: 'dead_letter', why: 'overflow', count: 1 })
      await sim.run(sys.resume(box))
      expect(await sim.run(box.call('received'))).toEqual([0, 1])
      expect(sim.system.timers.size).toBe(0)
    },
  )

  it('with policy dropOldest lets the oldest go, a call too, but no news from the kernel', async () => {
    const sim = createWorld()
    const box = await startFull(sim, { capacity: 2, overflow: 'dropOldest' })
    box.exit('news')
    expect(box.send('a')).toBe(true)
    const dropped = box.call('note', 'call').catch((error: unknown) => error)
    expect(box.send('b')).toBe(true)
    expect(box.send('c')).toBe(true)
    await sim.run(sys.resume(box))
    await sim.settle()
    const seen = await sim.run(sys.getState(box))
    expect(seen).toMatchObject({ received: [{ type: 'EXIT', reason: 'news' }, 'b', 'c'] })
    expect(await sim.run(dropped)).toMatchObject({ code: 'overload' })
  })

  it('with policy suspend makes the sender wait for room, in order', async () => {
    const sim = createWorld()
    const box = await startFull(sim, { capacity: 2, overflow: 'suspend' })
    const admitted: unknown[] = []
    for (const what of ['a', 'b', 'c'])
      void Promise.resolve(box.send(what)).then((accepted) => admitted.push([what, accepted]))
    const call = box.call('note', 'd')
    await sim.settle()
    expect(admitted).toEqual([])
    await sim.run(sys.resume(box))
    expect(await sim.run(call)).toBe('d')
    expect(admitted).toEqual([
      ['a', true],
      ['b', true],
      ['c', true],
    ])
    expect(await sim.run(box.call('received'))).toEqual([0, 1, 'a', 'b', 'c', 'd'])
    expect(box.send('room again')).toBe(true)
  })

  it('with policy suspend lets senders go with false when the process ends', async () => {
    const sim = createWorld()
    const box = await startFull(sim, { capacity: 1, overflow: 'suspend' })
    const waiting = box.send('a')
    const call = box.call('note', 'b').catch((error: unknown) => error)
    box.exit('kill')
    expect(await waiting).toBe(false)
    expect(await call).toMatchObject({ code: 'exit', reason: 'killed' })
  })

  it('never loses DOWN, EXIT or a stop', async () => {
    const sim = createWorld()
    const other = await sim.start(Box)
    const box = await sim.run(sim.system.start(Box, undefined, { mailbox: { capacity: 1 } }))
    box.send(0)
    box.exit('one')
    box.exit('two')
    const stopped = box.stop()
    expect(box.send('refused')).toBe(false)
    await sim.run(stopped)
    expect(other.alive).toBe(true)
  })

  it('still serves control requests', async () => {
    const sim = createWorld()
    const box = await startFull(sim, { capacity: 1 })
    expect(await sim.run(sys.getState(box))).toEqual({ received: [] })
  })
})

describe('mailbox options', () => {
  it.each([
    [{ capacity: 0 }, 'got 0'],
    [{ capacity: 1.5 }, 'got 1.5'],
    [{ capacity: 1, overflow: 'burst' as 'reject' }, 'got burst'],
  ])('are refused when they are wrong: %j', async (mailbox, said) => {
    const sim = createWorld()
    await expect(sim.run(sim.system.start(Box, undefined, { mailbox }))).rejects.toThrow(said)
    expect(sim.system.processCount).toBe(0)
  })
})

describe('an unbounded mailbox', () => {
  it('reports when it grows past 10 000 messages, and at each doubling', async () => {
    const sim = createWorld()
    const box = await sim.start(Box)
    for (let index = 0; index < 25_000; index++) box.send(index)
    expect(sim.events).toEqual([
      { type: 'high_water', pid: box.pid, definition: 'box', length: 10_000 },
      { type: 'high_water', pid: box.pid, definition: 'box', length: 20_000 },
    ])
  })
})

describe('what still waited when a process ended', () => {
  it('is told to the definition, casts with their op, also after a kill; calls reject by themselves', async () => {
    const system = createSystem()
    const lost: unknown[] = []
    const Sleeper = defineActor({
      name: 'sleeper',
      init: (_arg: undefined) => ({ tag: 'state' }),
      call: { never: () => 1 },
      cast: { work: (_state, _n: number) => undefined },
      undelivered: ({ tag }, { op, arg }) => {
        lost.push([tag, op, arg])
        throw new Error('nobody hears this')
      },
    })
    const ref = await system.start(Sleeper)
    await sys.suspend(ref)
    ref.cast('work', 7)
    ref.send('hello')
    const call = ref.call('never')
    ref.exit('kill')
    await expect(call).rejects.toMatchObject({ code: 'exit' })
    expect(lost).toEqual([
      ['state', 'work', 7],
      ['state', undefined, 'hello'],
    ])
    await system.stop()
  })
})
