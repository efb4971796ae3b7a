import { createSystem, defineActor, ignore, type Self, StartError } from 'bough/runtime'
import { describe, expect, it } from 'vitest'
import { Counter, codeOf, createWorld, Worker } from './support.ts'

describe('start', () => {
  it('resolves to a ref whose calls and casts are handled in order', async () => {
    const system = createSystem()
    const counter = await system.start(Counter, 1)
    expect(await counter.call('add', 4)).toBe(5)
    counter.cast('reset')
    expect(await counter.call('addLater', 2)).toBe(2)
    expect(await counter.call('get')).toBe(2)
    await counter.stop()
    expect(counter.alive).toBe(false)
    expect(system.processCount).toBe(0)
  })

  it('waits for an asynchronous init and handles what came meanwhile after it', async () => {
    const sim = createWorld()
    const Slow = defineActor({
      name: 'slow',
      init: async (_arg: undefined, self: Self<never>) => {
        await new Promise<void>((resolve) => self.system.timers.start(100, resolve))
        return [] as unknown[]
      },
      call: { seen: (state) => state },
      info: (state, message) => {
        state.push(message)
      },
    })
    const started = sim.system.start(Slow, undefined, { name: 'slow' })
    await sim.settle()
    sim.system.whereis('slow')?.send('early')
    const ref = await sim.run(started)
    expect(sim.clock.now()).toBe(100)
    expect(await sim.run(ref.call('seen'))).toEqual(['early'])
  })

  it('resolves to undefined when init returns ignore, and leaves nothing', async () => {
    const sim = createWorld()
    const Shy = defineActor({ name: 'shy', init: () => ignore })
    const LateShy = defineActor({ name: 'late-shy', init: async () => ignore })
    expect(await sim.start(Shy)).toBeUndefined()
    expect(await sim.start(LateShy)).toBeUndefined()
    expect(sim.system.processCount).toBe(0)
  })

  it('rejects with StartError whose reason is exactly what init threw', async () => {
    const sim = createWorld()
    const reason = { odd: 1 }
    const Faulty = defineActor({
      name: 'faulty',
      init: (): number => {
        throw reason
      },
    })
    const LateFaulty = defineActor({ name: 'late-faulty', init: async (): Promise<number> => Promise.reject(reason) })
    for (const definition of [Faulty, LateFaulty]) {
      const error = await sim.start(definition).catch((caught: unknown) => caught)
      expect(error).toBeInstanceOf(StartError)
      expect(error).toMatchObject({ code: 'init', reason })
      expect((error as StartError).reason).toBe(reason)
    }
    expect(sim.system.processCount).toBe(0)
  })

  it('keeps the reason exact when init throws an error of another start', async () => {
    const sim = createWorld()
    const inner = new StartError('failed_to_start_child', 'inner', 'why')
    const error = await sim
      .start(Worker, {
        onStart: () => inner,
      })
      .catch((caught: unknown) => caught)
    expect((error as StartError).code).toBe('init')
    expect((error as StartError).reason).toBe(inner)
  })

  it('rejects with code timeout when init takes longer than the option says, and kills the process', async () => {
    const sim = createWorld()
    const Stuck = defineActor({ name: 'stuck', init: () => new Promise<number>(() => undefined) })
    const started = sim.system.start(Stuck, undefined, { timeout: 50, name: 'stuck' })
    expect(await codeOf(sim.run(started))).toBe('StartError timeout')
    expect(sim.clock.now()).toBe(50)
    expect(sim.system.processCount).toBe(0)
    expect(sim.system.whereis('stuck')).toBeUndefined()
    expect(sim.system.timers.size).toBe(0)
  })

  it('leaves no timer when init is done in time', async () => {
    const sim = createWorld()
    const Brief = defineActor({ name: 'brief', init: async () => 1 })
    await sim.run(sim.system.start(Brief, undefined, { timeout: 50 }))
    expect(sim.system.timers.size).toBe(0)
  })

  it('rejects with code already_started and the holder when the name is taken; the name is free after its end', async () => {
    const sim = createWorld()
    const first = await sim.start(Counter, 0, { name: 'c' })
    const error = await sim.start(Counter, 0, { name: 'c' }).catch((caught: unknown) => caught)
    expect(error).toMatchObject({ code: 'already_started', reason: first })
    expect(sim.system.processCount).toBe(1)
    await sim.run(first.stop())
    expect(sim.system.whereis('c')).toBeUndefined()
    const second = await sim.start(Counter, 0, { name: 'c' })
    expect(sim.system.whereis('c')).toBe(second)
  })

  it('tells the reason when the process was ended while it started', async () => {
    const sim = createWorld()
    const Linker = defineActor({
      name: 'linker',
      init: (dead: Parameters<Self['link']>[0], self: Self<never>) => {
        self.link(dead)
        return 1
      },
    })
    const dead = await sim.start(Counter, 0)
    await sim.run(dead.stop())
    const error = await sim.start(Linker, dead).catch((caught: unknown) => caught)
    expect(error).toMatchObject({ code: 'stopped', reason: 'noproc' })
  })

  it('does not run terminate and leaves no EXIT with a trapping starter when a linked start fails', async () => {
    const sim = createWorld()
    const log: string[] = []
    const Starter = defineActor({
      name: 'starter',
      trapExits: true,
      init: () => ({ seen: [] as unknown[] }),
      call: {
        start: async (_state, orders: Parameters<typeof Worker.init>[0], self) => {
          try {
            const ref = await self.start(Worker, orders as { id: string })
            return ref === undefined ? 'ignored' : 'started'
          } catch (error) {
            return (error as StartError).reason
          }
        },
        seen: (state) => state.seen,
      },
      info: (state, message) => {
        state.seen.push(message)
      },
    })
    const starter = await sim.start(Starter)
    expect(await sim.run(starter.call('start', { log, onStart: () => 'no' }))).toBe('no')
    expect(await sim.run(starter.call('start', { log, onStart: () => true }))).toBe('ignored')
    await sim.settle()
    expect(await sim.run(starter.call('seen'))).toEqual([])
    expect(log).toEqual([])
  })

  it('refuses a child of a process that has ended, so that nothing is left without an owner', async () => {
    const sim = createWorld()
    let kept: Self | undefined
    const Keeper = defineActor({
      name: 'keeper',
      init: (_arg: undefined, self: Self) => {
        kept = self
        return 0
      },
    })
    const keeper = await sim.start(Keeper)
    keeper.exit('kill')
    expect(await codeOf((kept as Self).start(Counter, 0))).toBe('StartError stopped')
    expect(sim.system.processCount).toBe(0)
  })

  it('gives what a dead incarnation still asks for no effect', async () => {
    const sim = createWorld()
    let kept: Self | undefined
    const Keeper = defineActor({
      name: 'keeper',
      init: (_arg: undefined, self: Self) => {
        kept = self
        return 0
      },
    })
    const keeper = await sim.start(Keeper)
    const other = await sim.start(Counter, 0)
    await sim.run(keeper.stop())
    kept?.sendAfter(10, 'late')
    kept?.link(other)
    kept?.monitor(other)
    kept?.continueWith('nothing')
    kept?.stop('again')
    expect(sim.system.timers.size).toBe(0)
    expect(other.info()).toMatchObject({ links: 0, monitoredBy: 0 })
    expect(kept?.signal.aborted).toBe(true)
  })
})

describe('a process that stops itself in init', () => {
  it('is a start error with that reason, and its terminate does not run', async () => {
    const system = createSystem()
    const ended: string[] = []
    const Quitter = defineActor({
      name: 'quitter',
      init: (_arg: undefined, self: Self<never>) => {
        self.stop({ because: 'no work' })
        return {}
      },
      terminate: () => void ended.push('terminate'),
    })
    await expect(system.start(Quitter)).rejects.toMatchObject({ code: 'stopped', reason: { because: 'no work' } })
    expect(ended).toEqual([])
    expect(system.processCount).toBe(0)
  })

  it('cannot wait for its own end in a handler', async () => {
    const system = createSystem()
    const Waiter = defineActor({
      name: 'waiter',
      init: (_arg: undefined) => ({}),
      call: { wait: (_state, _arg: undefined, self: Self<object>) => self.ref.stop().catch((error) => error.code) },
    })
    const ref = await system.start(Waiter)
    expect(await ref.call('wait')).toBe('calling_self')
    await system.stop()
  })
})
