import { child, defineActor, defineSupervisor, defineTaskSupervisor, type Self, taskStream } from 'bough/runtime'
import { describe, expect, it } from 'vitest'
import { createWorld, type World } from './support.ts'

const Tasks = defineTaskSupervisor()

const sleep = (sim: World, ms: number): Promise<void> =>
  new Promise((resolve) => sim.system.timers.start(ms, () => resolve()))

describe('a task supervisor', () => {
  it('runs functions as children and hands back what they return or throw', async () => {
    const sim = createWorld()
    const tasks = await sim.start(Tasks)
    const slow = tasks.run(async () => {
      await sleep(sim, 100)
      return 'slow'
    })
    await sim.settle()
    expect((await sim.run(tasks.countChildren())).active).toBe(1)
    expect(await sim.run(tasks.run(() => 5))).toBe(5)
    await expect(sim.run(tasks.run(() => Promise.reject(new Error('a bug'))))).rejects.toThrow('a bug')
    expect(await sim.run(slow)).toBe('slow')
    expect((await sim.run(tasks.countChildren())).active).toBe(0)
    expect(sim.events).toEqual([])
  })

  it('aborts what runs when it ends, and then refuses', async () => {
    const sim = createWorld()
    const tasks = await sim.start(Tasks)
    let signal: AbortSignal | undefined
    const running = tasks.run((given) => {
      signal = given
      return new Promise<never>(() => undefined)
    })
    const outcome = running.catch((error: Error) => error.message)
    await sim.settle()
    await sim.run(tasks.stop())
    expect(await outcome).toContain('ended before it was done')
    expect(signal?.aborted).toBe(true)
    await expect(tasks.run(() => 1)).rejects.toMatchObject({ code: 'noproc' })
  })

  it('lets a task end without its neighbours', async () => {
    const sim = createWorld()
    const tasks = await sim.start(Tasks)
    const [first, second] = [tasks.run(() => sleep(sim, 100)), tasks.run(() => sleep(sim, 100))]
    const outcome = first.catch((error: Error) => error.cause)
    await sim.settle()
    const { ref } = (await sim.run(tasks.whichChildren())).at(-1) ?? {}
    if (typeof ref === 'object') ref.exit('kill')
    expect(await sim.run(outcome)).toBe('killed')
    expect(await sim.run(second)).toBeUndefined()
  })

  it('refuses more than maxChildren at once', async () => {
    const sim = createWorld()
    const tasks = await sim.start(defineTaskSupervisor({ maxChildren: 1 }))
    const first = tasks.run(() => sleep(sim, 10))
    await expect(sim.run(tasks.run(() => 1))).rejects.toMatchObject({ code: 'max_children' })
    await sim.run(first)
    expect(await sim.run(tasks.run(() => 1))).toBe(1)
    expect(() => defineTaskSupervisor({ maxChildren: -1 })).toThrow('maxChildren')
  })

  it('stands in a tree like any supervisor', async () => {
    const sim = createWorld()
    const tree = await sim.start(
      defineSupervisor({ children: [child(Tasks, undefined, { id: 'tasks', name: 'tasks' })] }),
    )
    expect(await sim.run(tree.countChildren())).toMatchObject({ supervisors: 1 })
  })
})

/** Reads a stream in a simulation. */
async function read<T>(sim: World, stream: AsyncIterable<T>): Promise<T[]> {
  const values: T[] = []
  const reading = (async () => {
    for await (const value of stream) values.push(value)
  })()
  await sim.run(reading)
  return values
}

describe('taskStream', () => {
  const delays = [30, 10, 20, 5, 1]

  it('yields results in the order of the items, so many at a time', async () => {
    const sim = createWorld()
    let running = 0
    let most = 0
    const stream = taskStream(
      sim.system,
      delays,
      async (ms) => {
        most = Math.max(most, ++running)
        await sleep(sim, ms)
        running--
        return ms
      },
      { concurrency: 2 },
    )
    expect(sim.system.processCount).toBe(0)
    expect(await read(sim, stream)).toEqual(delays)
    expect(most).toBe(2)
    expect(sim.system.processCount).toBe(0)
  })

  it('yields them as they are done when the order does not matter', async () => {
    const sim = createWorld()
    const run = async (ms: number): Promise<number> => {
      await sleep(sim, ms)
      return ms
    }
    const options = { concurrency: 3, ordered: false }
    expect(await read(sim, taskStream(sim.system, delays, run, options))).toEqual([10, 5, 1, 20, 30])
  })

  it('takes an item only when there is room for its result', async () => {
    const sim = createWorld()
    let taken = 0
    function* items() {
      for (;;) yield ++taken
    }
    const stream = taskStream(sim.system, items(), (n) => n, { concurrency: 4 })
    expect(await sim.run(stream.next())).toMatchObject({ value: 1 })
    await sim.advance(1_000)
    expect(taken).toBe(4)
    await sim.run(stream.next())
    expect(taken).toBe(5)
    await sim.run(stream.return())
  })

  it('aborts what runs and closes the source when the loop is left early', async () => {
    const sim = createWorld()
    const signals: AbortSignal[] = []
    let isClosed = false
    async function* items() {
      try {
        for (let n = 0; ; n++) yield n
      } finally {
        isClosed = true
      }
    }
    const reading = (async () => {
      const run = async (n: number, signal: AbortSignal): Promise<number> => {
        signals.push(signal)
        await sleep(sim, n * 10)
        return n
      }
      for await (const value of taskStream(sim.system, items(), run, { concurrency: 3 })) if (value === 1) break
    })()
    await sim.run(reading)
    expect(isClosed).toBe(true)
    expect(signals.length).toBeGreaterThan(2)
    expect(signals.at(-1)?.aborted).toBe(true)
    expect(sim.system.processCount).toBe(0)
  })

  it.each(['run', 'source', 'async source'])(
    'throws the first fault, of the %s, and aborts the rest',
    async (where) => {
      const sim = createWorld()
      const source =
        where === 'async source'
          ? (async function* () {
              yield 1
              throw new Error('a bug')
            })()
          : (function* () {
              yield 1
              if (where === 'source') throw new Error('a bug')
              yield 2
            })()
      const stream = taskStream(sim.system, source, async (n) => {
        await sleep(sim, 10)
        if (n === 2) throw new Error('a bug')
        return n
      })
      await expect(read(sim, stream)).rejects.toThrow('a bug')
      expect(sim.system.processCount).toBe(0)
    },
  )

  it.each(['error', 'skip'] as const)('an item out of time: %s', async (onTimeout) => {
    const sim = createWorld()
    let aborted = 0
    const run = async (ms: number, signal: AbortSignal): Promise<number> => {
      signal.addEventListener('abort', () => aborted++)
      await sleep(sim, ms)
      return ms
    }
    const stream = taskStream(sim.system, [1, 1_000, 2], run, { timeoutMs: 100, onTimeout })
    if (onTimeout === 'skip') expect(await read(sim, stream)).toEqual([1, 2])
    else await expect(read(sim, stream)).rejects.toThrow('within 100 ms')
    expect(sim.clock.now()).toBe(100)
    expect(aborted).toBeGreaterThanOrEqual(1)
    expect(sim.system.processCount).toBe(0)
  })

  it('runs under a task supervisor, and ends with it', async () => {
    const sim = createWorld()
    const tasks = await sim.start(Tasks)
    expect(
      await read(
        sim,
        taskStream(tasks, ['a', 'b'], (text) => text.toUpperCase()),
      ),
    ).toEqual(['A', 'B'])
    const stream = taskStream(tasks, [1, 2], () => new Promise<never>(() => undefined), { timeoutMs: 1_000 })
    const next = stream.next().catch((error: Error) => error.message)
    await sim.settle()
    expect((await sim.run(tasks.countChildren())).active).toBe(2)
    await sim.run(tasks.stop())
    expect(await sim.run(next)).toContain('ended before it was done')
    expect(sim.system.timers.size).toBe(0)
    const early = taskStream(await sim.start(Tasks), [1, 2, 3], (n) => n)
    await sim.run(early.next())
    await sim.run(early.return())
  })

  it('ends with the process that reads it', async () => {
    const sim = createWorld()
    let aborted = 0
    const Reader = defineActor({
      name: 'reader',
      init: (_: undefined) => 0,
      cast: {
        read: async (_state, _arg: undefined, self) => {
          const owner = self as unknown as Self
          const run = (_n: number, signal: AbortSignal): Promise<never> => {
            signal.addEventListener('abort', () => aborted++)
            return new Promise<never>(() => undefined)
          }
          for await (const _value of taskStream(owner, [1, 2, 3], run)) return
        },
      },
    })
    const reader = await sim.start(Reader)
    reader.cast('read')
    await sim.settle()
    expect(sim.system.processCount).toBe(4)
    reader.exit('kill')
    await sim.settle()
    expect(aborted).toBe(3)
    expect(sim.system.processCount).toBe(0)
  })

  it.each([[{ concurrency: 0 }], [{ concurrency: 1.5 }], [{ timeoutMs: -1 }], [{ onTimeout: 'never' as 'skip' }]])(
    'refuses %j at once',
    (options) => {
      const sim = createWorld()
      expect(() => taskStream(sim.system, [], () => 1, options)).toThrow(TypeError)
    },
  )
})
