import { defineActor, type Self, sys } from 'bough/runtime'
import { describe, expect, it } from 'vitest'
import { createWorld, Worker } from './support.ts'

const definition = {
  name: 'counter',
  init: (start: number) => ({ count: start }),
  call: { get: (state: { count: number }) => state.count },
  cast: {
    add: (state: { count: number }, by: number) => {
      state.count += by
    },
  },
}
const Counter = defineActor({ ...definition, version: 1 })
const CounterV2 = defineActor({
  name: 'counter',
  version: 2,
  init: (start: number) => ({ total: start, from: 0 }),
  call: { get: (state) => `total ${state.total} from ${state.from}` },
  codeChange: (state: { count: number }, fromVersion) => ({ total: state.count, from: fromVersion }),
})
const CounterBad = defineActor({
  ...definition,
  version: 3,
  codeChange: async (): Promise<{ count: number }> => {
    throw new Error('no way')
  },
})

describe('sys.suspend and sys.resume', () => {
  it('hold messages back in order; control requests and kills still work', async () => {
    const sim = createWorld()
    const counter = await sim.start(Counter, 1)
    await sim.run(sys.suspend(counter))
    await sim.run(sys.suspend(counter))
    expect(counter.info()?.status).toBe('suspended')
    counter.cast('add', 1)
    const call = counter.call('get')
    await sim.settle()
    expect(await sim.run(sys.getState(counter))).toEqual({ count: 1 })
    expect(counter.info()?.queueLength).toBe(2)
    await sim.run(sys.resume(counter))
    expect(await sim.run(call)).toBe(2)
    await sim.run(sys.suspend(counter))
    counter.exit('kill')
    expect(counter.alive).toBe(false)
  })

  it('let a call to a suspended process time out', async () => {
    const sim = createWorld()
    const counter = await sim.start(Counter, 1)
    await sim.run(sys.suspend(counter))
    await expect(sim.run(counter.call('get'))).rejects.toMatchObject({ code: 'timeout' })
  })

  it('hold continuations back too', async () => {
    const sim = createWorld()
    const seen: string[] = []
    let kept: Self | undefined
    const Chain = defineActor({
      name: 'chain',
      init: (_arg: undefined, self: Self) => {
        kept = self
        return 0
      },
      continue: {
        go: () => {
          seen.push('went')
        },
      },
    })
    const chain = await sim.start(Chain)
    await sim.run(sys.suspend(chain))
    kept?.continueWith('go')
    await sim.settle()
    expect(seen).toEqual([])
    await sim.run(sys.resume(chain))
    await sim.settle()
    expect(seen).toEqual(['went'])
  })

  it("let a supervisor's shutdown through", async () => {
    const { child, defineSupervisor } = await import('bough/runtime')
    const sim = createWorld()
    const log: string[] = []
    const tree = await sim.start(
      defineSupervisor({ children: [child(Worker, { id: 'a', log, trap: true }, { id: 'a' })] }),
    )
    const [row] = await sim.run(tree.whichChildren())
    await sim.run(sys.suspend(row!.ref as typeof tree))
    await sim.run(tree.stop())
    expect(log).toEqual(['start a', 'end a shutdown'])
    expect(sim.clock.now()).toBe(0)
  })
})

describe('a control request', () => {
  it('comes ahead of 100 000 messages that wait', async () => {
    const sim = createWorld()
    const counter = await sim.start(Counter, 0)
    for (let index = 0; index < 100_000; index++) counter.cast('add', 1)
    const state = sys.getState(counter).then((now) => ({ ...(now as { count: number }) }))
    expect((await sim.run(state)).count).toBe(0)
    expect(await sim.run(counter.call('get'))).toBe(100_000)
  })

  it('waits for the handler that runs, and for init', async () => {
    const sim = createWorld()
    const Slow = defineActor({
      name: 'slow',
      init: async (_arg: undefined, self: Self<never>) => {
        await new Promise<void>((resolve) => self.system.timers.start(100, resolve))
        return 'ready'
      },
    })
    const started = sim.system.start(Slow, undefined, { name: 'slow' })
    await sim.settle()
    expect(await sim.run(sys.getState(sim.system.whereis('slow')!))).toBe('ready')
    expect(sim.clock.now()).toBe(100)
    await started
  })

  it('rejects with noproc, exit or timeout', async () => {
    const sim = createWorld()
    const worker = (await sim.start(Worker, {}))!
    void worker.call('hang').catch(() => undefined)
    await sim.settle()
    await expect(sim.run(sys.getState(worker, { timeout: 10 }))).rejects.toMatchObject({ code: 'timeout' })
    const asked = sys.getState(worker).catch((error: unknown) => error)
    worker.exit('kill')
    expect(await sim.run(asked)).toMatchObject({ code: 'exit', reason: 'killed' })
    await expect(sys.getState(worker)).rejects.toMatchObject({ code: 'noproc' })
  })
})

describe('sys.replaceState', () => {
  it('puts another state in place, and leaves it when the function throws', async () => {
    const sim = createWorld()
    const counter = await sim.start(Counter, 1)
    expect(
      await sim.run(sys.replaceState(counter, (state) => ({ count: (state as { count: number }).count * 10 }))),
    ).toEqual({ count: 10 })
    await expect(
      sim.run(
        sys.replaceState(counter, () => {
          throw new Error('not so')
        }),
      ),
    ).rejects.toThrow('not so')
    expect(await sim.run(counter.call('get'))).toBe(10)
  })
})

describe('sys.getStatus and sys.statistics', () => {
  it('tell what can be seen from outside', async () => {
    const sim = createWorld()
    const counter = await sim.run(sim.system.start(Counter, 1, { name: 'c' }))
    await sim.run(counter.call('get'))
    expect(await sim.run(sys.getStatus(counter))).toMatchObject({
      pid: counter.pid,
      definition: 'counter',
      version: 1,
      status: 'running',
      names: ['c'],
      state: { count: 1 },
    })
    expect(await sim.run(sys.statistics(counter))).toMatchObject({ queueLength: 0 })
    expect((await sim.run(sys.statistics(counter))).messagesHandled).toBeGreaterThan(0)
  })
})

describe('sys.changeCode', () => {
  it('turns the old state into the new, only while suspended; messages wait for the new code', async () => {
    const sim = createWorld()
    const counter = await sim.start(Counter, 7)
    await expect(sim.run(sys.changeCode(counter, CounterV2))).rejects.toThrow('is not suspended')
    await sim.run(sys.suspend(counter))
    const waiting = counter.call('get')
    await sim.run(sys.changeCode(counter, CounterV2))
    expect(counter.info()?.version).toBe(2)
    await sim.run(sys.resume(counter))
    expect(await sim.run(waiting)).toBe('total 7 from 1')
  })

  it('leaves the old code and state when the change throws', async () => {
    const sim = createWorld()
    const counter = await sim.start(Counter, 7)
    await sim.run(sys.suspend(counter))
    await expect(sim.run(sys.changeCode(counter, CounterBad))).rejects.toThrow('no way')
    await sim.run(sys.resume(counter))
    expect(await sim.run(counter.call('get'))).toBe(7)
    expect(counter.info()?.version).toBe(1)
  })
})
