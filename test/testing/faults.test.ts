import { child, defineActor, defineSupervisor, type Self } from 'bough/runtime'
import { createSimulation, faultyPort, parseFault } from 'bough/testing'
import { describe, expect, it } from 'vitest'

const Worker = defineActor({
  name: 'worker',
  init: () => ({ done: 0 }),
  cast: {
    work: (state) => {
      state.done++
    },
    later: (_state, _arg: undefined, self: Self) => self.continueWith('more'),
  },
  call: { done: (state) => state.done },
  continue: {
    more: (state) => {
      state.done += 10
    },
  },
})

describe('a planned fault', () => {
  it('lets a process crash at its n-th message, which is not handled, and is in the trace', async () => {
    const sim = createSimulation({ seed: 1, faults: ['crash worker@3'] })
    const worker = await sim.start(Worker)
    for (let n = 0; n < 5; n++) worker.cast('work')
    expect(await sim.run(worker.down)).toMatchObject({
      name: 'SimulatedFault',
      message: 'A simulated crash (crash worker@3).',
    })
    expect(sim.trace.filter((line) => line.endsWith(' cast work') && !line.includes('crash'))).toHaveLength(3)
    expect(sim.trace).toContain('0 sim.1 fault crash worker@3')
    expect(sim.explain()).toContain('1. "crash worker@3" happens at 0 ms, in sim.1')
  })

  it.each([
    ['a definition', 'worker'],
    ['a registered name', 'boss'],
    ['a child id', 'first'],
    ['a pid', 'sim.2'],
  ])('names a process by %s', async (_what, target) => {
    const sim = createSimulation({ seed: 1, faults: [`kill ${target}@1`] })
    const tree = await sim.start(
      defineSupervisor({ children: [child(Worker, undefined, { id: 'first', name: 'boss' })] }),
    )
    const before = sim.system.whereis('boss')
    before?.cast('work')
    await sim.settle()
    const after = sim.system.whereis('boss')
    expect([before?.alive, after?.alive]).toEqual([false, true])
    // Once: the next incarnation handles its first message.
    after?.cast('work')
    expect(await sim.run(after!.call('done'))).toBe(1)
    expect(tree.alive).toBe(true)
  })

  it('at message 0 lets the start fail', async () => {
    const sim = createSimulation({ seed: 1, faults: ['crash worker@0'] })
    await expect(sim.start(Worker)).rejects.toMatchObject({ code: 'init' })
    const killed = createSimulation({ seed: 1, faults: ['kill worker@0'] })
    await expect(killed.start(Worker)).rejects.toMatchObject({ code: 'stopped' })
    expect([sim.system.processCount, killed.system.processCount]).toEqual([0, 0])
  })

  it('at a virtual time hits the oldest of the name then', async () => {
    const sim = createSimulation({ seed: 1, faults: ['kill worker@250ms', 'crash worker@300ms'] })
    const [first, second] = [await sim.start(Worker), await sim.start(Worker)]
    await sim.advance(249)
    expect([first.alive, second.alive]).toEqual([true, true])
    await sim.advance(1)
    expect([first.alive, second.alive]).toEqual([false, true])
    await sim.advance(50)
    expect(second.alive).toBe(false)
  })

  it('counts continuations as messages', async () => {
    const sim = createSimulation({ seed: 1, faults: ['kill worker@2'] })
    const worker = await sim.start(Worker)
    worker.cast('later')
    expect(await sim.run(worker.down)).toBe('killed')
    expect(sim.trace.at(-2)).toBe('0 sim.1 fault kill worker@2')
  })

  it('is refused with the text that came when it cannot be read', () => {
    for (const text of ['crash worker', 'crash @2', 'delay a@1', 'drop a@3ms', 'burn a@1']) {
      expect(() => parseFault(text)).toThrow(`got ${JSON.stringify(text)}`)
    }
  })
})

describe('chaos', () => {
  const play = async (options: Parameters<typeof createSimulation>[0]) => {
    const sim = createSimulation(options)
    const tree = defineSupervisor({
      intensity: 1_000,
      children: [child(Worker, undefined, { name: 'boss' }), child(Worker, undefined, { id: 'other', name: 'other' })],
    })
    await sim.start(tree)
    for (let n = 0; n < 200; n++) {
      sim.system.whereis('boss')?.cast('work')
      sim.system.whereis('other')?.cast('work')
      await sim.settle()
    }
    return sim
  }

  it('ends processes by chance from the seed, only those it is for, and its schedule repeats it', async () => {
    const chaos = { crash: 0.05, kill: 0.05, targets: ['boss'] }
    const sim = await play({ seed: 11, chaos })
    const faults = sim.trace.filter((line) => line.includes(' fault '))
    expect(faults.some((line) => line.includes(' crash '))).toBe(true)
    expect(faults.some((line) => line.includes(' kill '))).toBe(true)
    expect(faults.length).toBeGreaterThan(10)
    expect((await play({ seed: 11, chaos })).trace).toEqual(sim.trace)
    const repeated = await play({ replay: sim.schedule })
    expect(repeated.trace).toEqual(sim.trace)
    expect(repeated.schedule).toBe(sim.schedule)
    const others = sim.trace.filter((line) => /start worker/.test(line)).length - 2
    expect(faults.length).toBe(others)
  })

  it('stops at its bound', async () => {
    const sim = await play({ seed: 11, chaos: { kill: 1, targets: ['boss'], max: 3 } })
    expect(sim.trace.filter((line) => line.includes(' fault '))).toHaveLength(3)
  })
})

describe('a faulty port', () => {
  const disk = () => {
    const rows: string[] = []
    return {
      rows,
      size: 3,
      put: (row: string) => rows.push(row),
      read: async (row: string) => rows.includes(row),
      whenDurable: (callback: () => void) => callback(),
      open: (name: string) => ({ append: (row: string) => rows.push(`${name} ${row}`) }),
    }
  }

  it('passes everything on when nothing is planned', async () => {
    const sim = createSimulation({ seed: 1 })
    const real = disk()
    const store = faultyPort('disk', real, sim, {}, { opens: ['open'] })
    expect(store.size).toBe(3)
    store.put('a')
    store.open('log').append('b')
    expect(await store.read('a')).toBe(true)
    expect(real.rows).toEqual(['a', 'log b'])
  })

  it('is slow: a promise and a callback come late in virtual time', async () => {
    const sim = createSimulation({ seed: 1, faults: ['delay disk.read@2+80ms', 'delay disk.whenDurable@1+50ms'] })
    const store = faultyPort('disk', disk(), sim)
    expect(await sim.run(store.read('a'))).toBe(false)
    expect(sim.clock.now()).toBe(0)
    let isDurable = false
    store.whenDurable(() => {
      isDurable = true
    })
    expect(await sim.run(store.read('a'))).toBe(false)
    expect(sim.clock.now()).toBe(80)
    expect(isDurable).toBe(true)
    expect(sim.trace).toContain('0 disk.read fault delay disk.read@2+80ms')
  })

  it('fails: a write throws and is not done, a promise rejects, as that of a killed thread', async () => {
    const sim = createSimulation({
      seed: 1,
      faults: ['fail disk.put@2', 'fail disk.read@1', 'fail disk.open.append@1'],
    })
    const real = disk()
    const store = faultyPort('disk', real, sim, {}, { opens: ['open'], promises: ['read'] })
    store.put('a')
    expect(() => store.put('b')).toThrow('disk.put failed (a simulated fault).')
    await expect(store.read('a')).rejects.toThrow('disk.read failed')
    expect(() => store.open('log').append('c')).toThrow('disk.open.append failed')
    expect(real.rows).toEqual(['a'])
  })

  it('fails by chance from the seed, and its schedule repeats it', () => {
    const play = (options: Parameters<typeof createSimulation>[0]) => {
      const sim = createSimulation(options)
      const real = disk()
      const store = faultyPort('disk', real, sim, { put: { fail: 0.3 } })
      for (let n = 0; n < 50; n++) {
        try {
          store.put(String(n))
        } catch {
          // What failed is missing in the rows.
        }
      }
      return { sim, rows: real.rows }
    }
    const first = play({ seed: 4 })
    expect(first.rows.length).toBeGreaterThan(20)
    expect(first.rows.length).toBeLessThan(50)
    expect(play({ seed: 4 }).rows).toEqual(first.rows)
    expect(play({ replay: first.sim.schedule }).rows).toEqual(first.rows)
  })
})
