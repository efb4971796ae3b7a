import { createSystem, defineActor, type Ref, type Self } from 'bough/runtime'
import { describe, expect, it } from 'vitest'
import { createWorld, Worker, type World } from './support.ts'

/** Runs what the test sends it, in a process, with `self`. */
const Puppet = defineActor({
  name: 'puppet',
  init: (arg: { trap?: boolean } | undefined, self: Self<never>) => {
    if (arg?.trap) self.trapExits(true)
    return { received: [] as unknown[] }
  },
  call: {
    do: (_state, act: (self: Self) => unknown, self) => act(self as unknown as Self),
    received: (state) => state.received,
  },
  info: (state, message) => {
    state.received.push(message)
  },
})

async function pair(sim: World, trap = false) {
  return { a: await sim.start(Puppet, { trap }), b: await sim.start(Puppet, {}) }
}

describe('a link', () => {
  it.each([['crash' as const], [{ shutdown: 1 }], ['shutdown' as const]])(
    'ends the other side with the same reason: %j',
    async (reason) => {
      const sim = createWorld()
      const { a, b } = await pair(sim)
      await sim.run(a.call('do', (self) => self.link(b)))
      const down = b.down
      a.exit(reason)
      expect(await sim.run(down)).toBe(reason)
    },
  )

  it('lets a normal end pass', async () => {
    const sim = createWorld()
    const { a, b } = await pair(sim)
    await sim.run(a.call('do', (self) => self.link(b)))
    await sim.run(a.stop())
    await sim.settle()
    expect(b.alive).toBe(true)
    expect(b.info()?.links).toBe(0)
  })

  it('works both ways, and a trapping side gets one EXIT even when linked twice', async () => {
    const sim = createWorld()
    const { a, b } = await pair(sim, true)
    await sim.run(a.call('do', (self) => self.link(b)))
    await sim.run(b.call('do', (self) => self.link(a)))
    b.exit('boom')
    await sim.settle()
    expect(await sim.run(a.call('received'))).toEqual([{ type: 'EXIT', ref: b, reason: 'boom' }])
  })

  it('passes killed on as a reason that can be trapped', async () => {
    const sim = createWorld()
    const { a, b } = await pair(sim, true)
    await sim.run(a.call('do', (self) => self.link(b)))
    b.exit('kill')
    expect(await sim.run(a.call('received'))).toEqual([{ type: 'EXIT', ref: b, reason: 'killed' }])
  })

  it("passes a process's own reason kill on as any other: it can be trapped, and ends who does not", async () => {
    const sim = createWorld()
    const { a, b } = await pair(sim, true)
    const c = await sim.start(Puppet, {})
    await sim.run(
      b.call('do', (self) => {
        self.link(a)
        self.link(c)
      }),
    )
    const down = c.down
    await sim.run(b.stop('kill'))
    expect(await sim.run(a.call('received'))).toEqual([{ type: 'EXIT', ref: b, reason: 'kill' }])
    expect(await sim.run(down)).toBe('kill')
  })

  it('to a dead process sends EXIT noproc at once, or ends who does not trap', async () => {
    const sim = createWorld()
    const { a, b } = await pair(sim, true)
    const c = await sim.start(Puppet, {})
    await sim.run(b.stop())
    await sim.run(a.call('do', (self) => self.link(b)))
    expect(await sim.run(a.call('received'))).toEqual([{ type: 'EXIT', ref: b, reason: 'noproc' }])
    const down = c.down
    await expect(sim.run(c.call('do', (self) => self.link(b)))).rejects.toMatchObject({
      code: 'exit',
      reason: 'noproc',
    })
    expect(await sim.run(down)).toBe('noproc')
  })

  it('that is undone sends no EXIT, not even one that waits already', async () => {
    const sim = createWorld()
    const { a, b } = await pair(sim, true)
    await sim.run(a.call('do', (self) => self.link(b)))
    await sim.run(
      a.call('do', (self) => {
        b.exit('boom')
        self.unlink(b)
      }),
    )
    await sim.settle()
    expect(await sim.run(a.call('received'))).toEqual([])
  })

  it('to itself is none', async () => {
    const sim = createWorld()
    const { a } = await pair(sim)
    await sim.run(a.call('do', (self) => self.link(self.ref)))
    expect(a.info()?.links).toBe(0)
  })

  it('carries the end through a chain of 20 000 processes', async () => {
    const sim = createWorld()
    const refs: Ref[] = []
    for (let index = 0; index < 20_000; index++) {
      const ref = await sim.system.start(Puppet, {})
      const previous = refs.at(-1)
      if (previous !== undefined) void ref.call('do', (self) => self.link(previous)).catch(() => undefined)
      refs.push(ref as unknown as Ref)
    }
    await sim.settle()
    const down = refs[0]!.down
    refs.at(-1)!.exit('boom')
    expect(await sim.run(down)).toBe('boom')
    expect(sim.system.processCount).toBe(0)
  })
})

describe('an exit signal', () => {
  it('normal from elsewhere is ignored by who does not trap', async () => {
    const sim = createWorld()
    const { a, b } = await pair(sim)
    a.exit('normal')
    await sim.run(b.call('do', () => a.exit('normal')))
    await sim.settle()
    expect(a.alive).toBe(true)
  })

  it('normal to itself ends the process', async () => {
    const sim = createWorld()
    const { a } = await pair(sim)
    const down = a.down
    await expect(sim.run(a.call('do', (self) => self.ref.exit('normal')))).rejects.toMatchObject({ reason: 'normal' })
    expect(await sim.run(down)).toBe('normal')
  })

  it('reaches info of a trapping process with the sender, and null for plain code', async () => {
    const sim = createWorld()
    const { a, b } = await pair(sim, true)
    a.exit('one')
    await sim.run(b.call('do', () => a.exit('two')))
    expect(await sim.run(a.call('received'))).toEqual([
      { type: 'EXIT', ref: null, reason: 'one' },
      { type: 'EXIT', ref: b, reason: 'two' },
    ])
  })

  it('from the parent counts as such when the parent is dead already', async () => {
    const sim = createWorld()
    const parent = await sim.start(Puppet, {})
    const child = (await sim.run(parent.call('do', (self) => self.start(Puppet, { trap: true })))) as Ref<typeof Puppet>
    await sim.run(child.call('do', (self) => self.unlink(parent)))
    await sim.run(parent.stop('boom'))
    const down = child.down
    void child.call('do', (self) => self.link(parent)).catch(() => undefined)
    expect(await sim.run(down)).toBe('noproc')
  })

  it('from the parent ends a trapping process through terminate', async () => {
    const sim = createWorld()
    const log: string[] = []
    const parent = await sim.start(Puppet, {})
    const started = parent.call('do', (self) => self.start(Worker, { id: 'child', log, trap: true }))
    const child = (await sim.run(started)) as Ref
    const down = child.down
    parent.exit('boom')
    expect(await sim.run(down)).toBe('boom')
    expect(log).toEqual(['start child', 'end child boom'])
  })

  it('ends a process that does not trap without terminate, and in the midst of a handler', async () => {
    const sim = createWorld()
    const log: string[] = []
    const worker = (await sim.start(Worker, { id: 'w', log }))!
    void worker.call('hang').catch(() => undefined)
    await sim.settle()
    worker.exit('shutdown')
    expect(worker.alive).toBe(false)
    expect(log).toEqual(['start w'])
  })

  it('kill cannot be trapped, and interrupts terminate', async () => {
    const sim = createWorld()
    const worker = (await sim.start(Worker, { trap: true, terminateMs: 1_000 }))!
    const down = worker.down
    const stopped = worker.stop().catch((error: unknown) => error)
    await sim.settle()
    expect(worker.info()?.status).toBe('terminating')
    worker.exit('kill')
    expect(await sim.run(down)).toBe('killed')
    expect(await sim.run(stopped)).toMatchObject({ code: 'exit', reason: 'killed' })
  })

  it('comes before 100 000 messages that wait when it is not trapped', async () => {
    const sim = createWorld()
    const worker = (await sim.start(Worker, {}))!
    for (let index = 0; index < 100_000; index++) worker.cast('note', index)
    worker.exit('kill')
    expect(worker.alive).toBe(false)
    expect(sim.events).toEqual([
      expect.objectContaining({ type: 'high_water' }),
      expect.objectContaining({ type: 'high_water' }),
      expect.objectContaining({ type: 'high_water' }),
      expect.objectContaining({ type: 'high_water' }),
      expect.objectContaining({ type: 'dead_letter', count: 100_000, why: 'exit' }),
    ])
  })
})

describe('a monitor', () => {
  it('sends one DOWN with the reason, each monitor its own', async () => {
    const sim = createWorld()
    const { a, b } = await pair(sim)
    const ids = (await sim.run(a.call('do', (self) => [self.monitor(b), self.monitor(b)]))) as number[]
    b.exit('boom')
    await sim.settle()
    expect(await sim.run(a.call('received'))).toEqual(
      ids.map((monitor) => ({ type: 'DOWN', monitor, ref: b, reason: 'boom' })),
    )
    expect(a.info()).toMatchObject({ monitors: 0 })
  })

  it('of a dead process sends DOWN noproc at once', async () => {
    const sim = createWorld()
    const { a, b } = await pair(sim)
    await sim.run(b.stop())
    const monitor = await sim.run(a.call('do', (self) => self.monitor(b)))
    expect(await sim.run(a.call('received'))).toEqual([{ type: 'DOWN', monitor, ref: b, reason: 'noproc' }])
  })

  it('that is undone sends nothing, not even a DOWN that waits already; the others stay', async () => {
    const sim = createWorld()
    const { a, b } = await pair(sim)
    const kept = await sim.run(
      a.call('do', (self) => {
        const one = self.monitor(b)
        const two = self.monitor(b)
        b.exit('boom')
        self.demonitor(one)
        self.demonitor(one)
        self.demonitor(99_999)
        return two
      }),
    )
    expect(await sim.run(a.call('received'))).toEqual([expect.objectContaining({ type: 'DOWN', monitor: kept })])
  })

  it('does not end the watcher, and its end leaves nothing behind', async () => {
    const sim = createWorld()
    const { a, b } = await pair(sim)
    await sim.run(a.call('do', (self) => self.monitor(b)))
    a.exit('boom')
    expect(b.info()?.monitoredBy).toBe(0)
    expect(b.alive).toBe(true)
  })

  it('by plain code is ref.down', async () => {
    const sim = createWorld()
    const { a } = await pair(sim)
    const down = a.down
    a.exit({ shutdown: 1 })
    expect(await down).toEqual({ shutdown: 1 })
  })
})

describe('order', () => {
  it('DOWN and EXIT come after everything the dead process had sent', async () => {
    for (let seed = 0; seed < 20; seed++) {
      const sim = createWorld(seed)
      const { a, b } = await pair(sim, true)
      await sim.run(
        a.call('do', (self) => {
          self.monitor(b)
          self.link(b)
        }),
      )
      void b
        .call('do', (self) => {
          for (let index = 0; index < 5; index++) a.send(index)
          self.ref.exit('boom')
        })
        .catch(() => undefined)
      await sim.settle()
      expect(await sim.run(a.call('received'))).toEqual([
        0,
        1,
        2,
        3,
        4,
        expect.objectContaining({ type: 'DOWN' }),
        expect.objectContaining({ type: 'EXIT' }),
      ])
    }
  })

  it('holds too when those messages wait for room in a full mailbox', async () => {
    const sim = createWorld()
    const a = await sim.run(sim.system.start(Puppet, { trap: true }, { mailbox: { capacity: 1, overflow: 'suspend' } }))
    const b = await sim.start(Puppet, {})
    await sim.run(
      a.call('do', (self) => {
        self.monitor(b)
        self.link(b)
      }),
    )
    const sent = [a.send(0), a.send(1), a.send(2)]
    b.exit('boom')
    expect(sent.map((one) => one instanceof Promise)).toEqual([false, true, true])
    await sim.settle()
    expect(await sim.run(a.call('received'))).toEqual([
      0,
      1,
      2,
      expect.objectContaining({ type: 'DOWN' }),
      expect.objectContaining({ type: 'EXIT' }),
    ])
    expect(await Promise.all(sent)).toEqual([true, true, true])
  })
})

describe('code that is no process and watches one', () => {
  it('is not told when whoever was told before it let go for it', async () => {
    const system = createSystem()
    const ref = await system.start(defineActor({ name: 'watched', init: () => null }))
    const process = system.allProcesses().find(({ pid }) => pid === ref.pid)
    const told: string[] = []
    process?.observe(() => {
      told.push('first')
      if (second !== undefined) process.unwatch(second)
    })
    const second = process?.observe(() => told.push('second'))
    process?.observe(() => told.push('third'))
    ref.exit('kill')
    expect(told).toEqual(['first', 'third'])
    await system.stop()
  })
})
