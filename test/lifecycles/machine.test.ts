import { fromMachine, processOf, resume } from 'bough/lifecycles'
import { defineSupervisor, StartError, child as spec, sys } from 'bough/runtime'
import { describe, expect, it } from 'vitest'
import { type AnyActorRef, assign, cancel, createMachine, emit, log, raise, sendTo, setup } from 'xstate'
import { createWorld, Witness } from './support.ts'

const counterMachine = setup({
  types: {
    context: {} as { count: number },
    events: {} as { type: 'add'; by: number } | { type: 'finish' } | { type: 'fail'; error: unknown },
    input: {} as { start: number },
    output: {} as { total: number },
  },
}).createMachine({
  id: 'counter',
  context: ({ input }) => ({ count: input.start }),
  initial: 'counting',
  output: ({ context }) => ({ total: context.count }),
  states: {
    counting: {
      on: {
        add: { actions: assign({ count: ({ context, event }) => context.count + event.by }) },
        finish: 'finished',
        fail: {
          actions: ({ event }) => {
            throw event.error
          },
        },
      },
    },
    finished: { type: 'final' },
  },
})
const Counter = fromMachine(counterMachine, { name: 'counter', version: 1 })

describe('a machine as a process', () => {
  it('starts with its input and shows value, context and status', async () => {
    const sim = createWorld()
    const counter = await sim.start(Counter, { start: 3 })
    expect(await sim.run(counter.call('snapshot'))).toEqual({
      value: 'counting',
      context: { count: 3 },
      status: 'active',
    })
    expect(counter.info()).toMatchObject({ definition: 'counter', version: 1, status: 'running' })
  })

  it('takes events as casts, as calls that answer with the snapshot after, and as messages with a type', async () => {
    const sim = createWorld()
    const counter = await sim.start(Counter, { start: 0 })
    counter.cast('event', { type: 'add', by: 2 })
    counter.send({ type: 'add', by: 5 })
    const after = await sim.run(counter.call('event', { type: 'add', by: 10 }))
    expect(after.context.count).toBe(17)
  })

  it('reports what is no event and lives on', async () => {
    const sim = createWorld()
    const counter = await sim.start(Counter, { start: 0 })
    counter.send('hello')
    // A caller without types.
    const untyped = counter as unknown as { call(op: string, arg?: unknown): Promise<unknown> }
    await expect(sim.run(untyped.call('event', 7))).rejects.toMatchObject({ code: 'undef' })
    await expect(sim.run(untyped.call('jump'))).rejects.toThrow(/has no call "jump"\. It has: snapshot, event/)
    counter.cast('subscribe', {} as typeof counter)
    await sim.settle()
    expect(sim.events).toMatchObject([
      { type: 'unexpected_message', op: undefined },
      { type: 'unexpected_message', op: 'subscribe' },
    ])
    expect(counter.alive).toBe(true)
  })

  it('ends normally in its final state; the last call and `done` get the output, a monitor the reason', async () => {
    const sim = createWorld()
    const counter = await sim.start(Counter, { start: 4 })
    const done = counter.call('done', undefined, { timeout: Number.POSITIVE_INFINITY })
    const last = await sim.run(counter.call('event', { type: 'finish' }))
    expect(last).toEqual({ value: 'finished', context: { count: 4 }, status: 'done', output: { total: 4 } })
    expect(await sim.run(done)).toEqual(last)
    expect(counter.alive).toBe(false)
    expect(sim.events).toEqual([])
  })

  it('says "normal" to a monitor of a machine that is done', async () => {
    const sim = createWorld()
    const counter = await sim.start(Counter, { start: 0 })
    const { down } = counter
    counter.cast('event', { type: 'finish' })
    expect(await sim.run(down)).toBe('normal')
  })

  it('crashes with the error that an action throws, and callers learn it', async () => {
    const sim = createWorld()
    const counter = await sim.start(Counter, { start: 0 })
    const error = new Error('disk full')
    const { down } = counter
    await expect(sim.run(counter.call('event', { type: 'fail', error }))).rejects.toMatchObject({
      code: 'exit',
      reason: error,
    })
    expect(await sim.run(down)).toBe(error)
    expect(sim.events).toMatchObject([{ type: 'crash', definition: 'counter', reason: error }])
  })

  it('crashes with what an asynchronous action rejects with', async () => {
    const sim = createWorld()
    const machine = createMachine({ on: { go: { actions: () => Promise.reject(new Error('late')) } } })
    const ref = await sim.start(fromMachine(machine, { name: 'late' }))
    const { down } = ref
    ref.cast('event', { type: 'go' })
    expect(await sim.run(down)).toMatchObject({ message: 'late' })
  })

  it('does not start when its context or an entry action throws: the StartError has that reason', async () => {
    const sim = createWorld()
    const error = new Error('no input')
    const machine = createMachine({
      context: () => {
        throw error
      },
    })
    const failed = sim.start(fromMachine(machine, { name: 'broken' }))
    await expect(failed).rejects.toBeInstanceOf(StartError)
    await expect(failed).rejects.toMatchObject({ code: 'init', reason: error })
    expect(sim.system.processCount).toBe(0)
  })

  it('is done at once when its first state is final', async () => {
    const sim = createWorld()
    const machine = createMachine({ initial: 'end', states: { end: { type: 'final' } } })
    const ref = await sim.start(fromMachine(machine, { name: 'brief' }))
    expect(await sim.run(ref.down)).toMatch(/normal|noproc/)
    expect(sim.trace.at(-1)).toBe('0 sim.1 end normal')
    expect(sim.events).toEqual([])
  })

  it('is restarted by its supervisor with its input', async () => {
    const sim = createWorld()
    const Tree = defineSupervisor({ children: [spec(Counter, { start: 9 }, { id: 'c' })] })
    const tree = await sim.start(Tree)
    const [first] = await sim.run(tree.whichChildren())
    const { ref: old } = first as { ref: { send(message: unknown): unknown } }
    old.send({ type: 'fail', error: new Error('x') })
    await sim.settle()
    const [second] = await sim.run(tree.whichChildren())
    expect(second?.ref).not.toBe(first?.ref)
    const counter = second?.ref as unknown as Awaited<ReturnType<typeof sim.start<typeof Counter>>>
    expect((await sim.run(counter.call('snapshot'))).context).toEqual({ count: 9 })
  })

  it('dies of a link like any process that does not trap exits, and ignores a stranger\'s "normal"', async () => {
    const sim = createWorld()
    const counter = await sim.start(Counter, { start: 0 })
    counter.exit('normal')
    await sim.settle()
    expect(counter.alive).toBe(true)
    counter.exit({ shutdown: 'enough' })
    await sim.settle()
    expect(counter.alive).toBe(false)
  })

  it('takes DOWN as an event of the machine', async () => {
    const sim = createWorld()
    const witness = await sim.start(Witness)
    const machine = createMachine({
      initial: 'watching',
      entry: ({ self }) => {
        processOf(self).monitor(witness)
      },
      states: { watching: { on: { DOWN: 'bereft' } }, bereft: {} },
    })
    const ref = await sim.start(fromMachine(machine, { name: 'watcher' }))
    await sim.run(witness.stop())
    expect((await sim.run(ref.call('snapshot'))).value).toBe('bereft')
  })

  it('runs `terminate` on stop, crash and final state, with the last snapshot', async () => {
    const sim = createWorld()
    const seen: unknown[] = []
    const Ending = fromMachine(counterMachine, {
      name: 'ending',
      terminate: (snapshot, reason, self) => {
        seen.push([snapshot.context.count, reason, self.now()])
      },
    })
    const [a, b, c] = [
      await sim.start(Ending, { start: 1 }),
      await sim.start(Ending, { start: 2 }),
      await sim.start(Ending, { start: 3 }),
    ]
    await sim.run(a.stop())
    b.cast('event', { type: 'finish' })
    c.cast('event', { type: 'fail', error: 'oops' })
    await sim.settle()
    expect(seen.sort()).toEqual([
      [1, 'normal', 0],
      [2, 'normal', 0],
      [3, 'oops', 0],
    ])
  })

  it('refuses what is no machine, no name, no version', () => {
    expect(() => fromMachine({} as typeof counterMachine, { name: 'x' })).toThrow(/an xstate v5 machine is needed/)
    expect(() => fromMachine(counterMachine, { name: '' })).toThrow(/name must be a non-empty string/)
    expect(() => fromMachine(counterMachine, { name: 'x', version: 1.5 })).toThrow(/whole number, got 1.5/)
    expect(() => processOf({})).toThrow(TypeError)
  })
})

describe('a step', () => {
  it('handles raised events before anything that waits in the mailbox', async () => {
    const sim = createWorld()
    const machine = setup({ types: { context: {} as { seen: string[] } } }).createMachine({
      context: { seen: [] },
      on: {
        '*': { actions: assign({ seen: ({ context, event }) => [...context.seen, event.type] }) },
        go: { actions: [raise({ type: 'first' }), raise({ type: 'second' })] },
      },
    })
    const ref = await sim.start(fromMachine(machine, { name: 'raising' }))
    ref.cast('event', { type: 'go' })
    ref.cast('event', { type: 'outside' })
    expect((await sim.run(ref.call('snapshot'))).context.seen).toEqual(['first', 'second', 'outside'])
  })

  it('runs exit, transition and entry actions in order, each with the context of its moment', async () => {
    const sim = createWorld()
    const seen: string[] = []
    const note = (what: string) => (args: { context: { n: number } }) => {
      seen.push(`${what} ${args.context.n}`)
    }
    const machine = setup({ types: { context: {} as { n: number } } }).createMachine({
      context: { n: 0 },
      initial: 'a',
      entry: note('enter root'),
      states: {
        a: {
          entry: note('enter a'),
          exit: note('exit a'),
          on: { go: { target: 'b', actions: [assign({ n: 1 }), note('go'), assign({ n: 2 })] } },
        },
        b: { entry: note('enter b'), always: 'c' },
        c: { entry: note('enter c') },
      },
    })
    const ref = await sim.start(fromMachine(machine, { name: 'orderly' }))
    await sim.run(ref.call('event', { type: 'go' }))
    expect(seen).toEqual(['enter root 0', 'enter a 0', 'exit a 0', 'go 1', 'enter b 2', 'enter c 2'])
  })

  it('has done nothing when the transition throws: a later guard undoes an earlier action', async () => {
    const sim = createWorld()
    const seen: string[] = []
    const machine = createMachine({
      initial: 'a',
      states: {
        a: { on: { go: { target: 'b', actions: () => seen.push('acted') } } },
        b: {
          always: {
            guard: () => {
              throw new Error('bad guard')
            },
            target: 'a',
          },
        },
      },
    })
    const ref = await sim.start(fromMachine(machine, { name: 'guarded' }))
    ref.cast('event', { type: 'go' })
    await sim.settle()
    expect(ref.alive).toBe(false)
    expect(seen).toEqual([])
  })

  it('lets an action send to its own machine: the event comes through the mailbox', async () => {
    const sim = createWorld()
    const machine = createMachine({
      initial: 'a',
      states: { a: { on: { go: { actions: ({ self }) => self.send({ type: 'next' }) }, next: 'b' } }, b: {} },
    })
    const ref = await sim.start(fromMachine(machine, { name: 'selfish' }))
    ref.cast('event', { type: 'go' })
    await sim.settle()
    expect((await sim.run(ref.call('snapshot'))).value).toBe('b')
  })

  it('sends to any process by its ref', async () => {
    const sim = createWorld()
    const witness = await sim.start(Witness)
    const machine = createMachine({
      on: {
        // xstate's types know its own actors only; a Ref has `send` too.
        go: { actions: sendTo(() => witness as unknown as AnyActorRef, { type: 'hello' }) },
      },
    })
    const ref = await sim.start(fromMachine(machine, { name: 'outward' }))
    ref.cast('event', { type: 'go' })
    await sim.settle()
    expect(await sim.run(witness.call('seen'))).toEqual([{ type: 'hello' }])
  })

  it('tells emitted events to its subscribers until they end or unsubscribe', async () => {
    const sim = createWorld()
    const [one, two, three] = [await sim.start(Witness), await sim.start(Witness), await sim.start(Witness)]
    const machine = createMachine({
      on: { go: { actions: emit(({ event }) => ({ type: 'went', n: (event as unknown as { n: number }).n })) } },
    })
    const Emitting = fromMachine(machine, { name: 'emitting', subscribers: [three] })
    const ref = await sim.start(Emitting)
    ref.cast('subscribe', one)
    ref.cast('subscribe', one)
    ref.cast('subscribe', two)
    ref.send({ type: 'go', n: 1 })
    ref.cast('unsubscribe', one)
    ref.send({ type: 'go', n: 2 })
    await sim.settle()
    await sim.run(two.stop())
    ref.send({ type: 'go', n: 3 })
    await sim.settle()
    expect(await sim.run(one.call('seen'))).toEqual([{ type: 'went', n: 1 }])
    expect(await sim.run(three.call('seen'))).toHaveLength(3)
    expect(sim.events).toEqual([])
    expect(ref.info()).toMatchObject({ monitors: 0 })
  })

  it('hands log actions to the option, and to nobody without it', async () => {
    const sim = createWorld()
    const lines: unknown[][] = []
    const machine = createMachine({ entry: [log('plain'), log(() => 7, 'labelled')] })
    await sim.start(fromMachine(machine, { name: 'logging', log: (...values) => lines.push(values) }))
    await sim.start(fromMachine(machine, { name: 'silent' }))
    expect(lines).toEqual([['plain'], ['labelled', 7]])
  })
})

describe('delays', () => {
  const light = createMachine({
    initial: 'green',
    states: {
      green: { after: { 1000: 'yellow' }, on: { push: 'red' } },
      yellow: { after: { 200: 'red' } },
      red: { on: { reset: 'green' } },
    },
  })
  const Light = fromMachine(light, { name: 'light' })

  it("run on the system's clock", async () => {
    const sim = createWorld()
    const ref = await sim.start(Light)
    const value = async (): Promise<unknown> => (await sim.run(ref.call('snapshot'))).value
    await sim.advance(999)
    expect(await value()).toBe('green')
    await sim.advance(1)
    expect(await value()).toBe('yellow')
    await sim.advance(200)
    expect(await value()).toBe('red')
    expect(sim.system.timers.size).toBe(0)
  })

  it('end with the state, even when the timer has fired and its event waits in the mailbox', async () => {
    const sim = createWorld()
    const ref = await sim.start(Light)
    await sim.run(sys.suspend(ref))
    ref.cast('event', { type: 'push' })
    ref.cast('event', { type: 'reset' })
    await sim.advance(1_000)
    await sim.run(sys.resume(ref))
    await sim.settle()
    // The old delay's event was behind `push` and `reset`: the new green has its full second.
    expect((await sim.run(ref.call('snapshot'))).value).toBe('green')
    await sim.advance(999)
    expect((await sim.run(ref.call('snapshot'))).value).toBe('green')
    await sim.advance(1)
    expect((await sim.run(ref.call('snapshot'))).value).toBe('yellow')
  })

  it('are cancelled by id, replaced by id, and end with the process', async () => {
    const sim = createWorld()
    const machine = setup({ types: { context: {} as { seen: string[] } } }).createMachine({
      context: { seen: [] },
      on: {
        '*': { actions: assign({ seen: ({ context, event }) => [...context.seen, event.type] }) },
        start: { actions: [raise({ type: 'a' }, { delay: 100, id: 'x' }), raise({ type: 'b' }, { delay: 100 })] },
        again: { actions: raise({ type: 'c' }, { delay: 100, id: 'x' }) },
        cancel: { actions: cancel('x') },
      },
    })
    const Delaying = fromMachine(machine, { name: 'delaying' })
    const ref = await sim.start(Delaying)
    ref.cast('event', { type: 'start' })
    ref.cast('event', { type: 'cancel' })
    await sim.advance(100)
    expect((await sim.run(ref.call('snapshot'))).context.seen).toEqual(['b'])
    ref.cast('event', { type: 'start' })
    await sim.advance(50)
    ref.cast('event', { type: 'again' })
    await sim.advance(50)
    expect((await sim.run(ref.call('snapshot'))).context.seen).toEqual(['b', 'b'])
    await sim.advance(50)
    expect((await sim.run(ref.call('snapshot'))).context.seen).toEqual(['b', 'b', 'c'])
    ref.cast('event', { type: 'start' })
    await sim.settle()
    expect(sim.system.timers.size).toBe(2)
    await sim.run(ref.stop())
    expect(sim.system.timers.size).toBe(0)
  })

  it('may come from a function that asks the system for chance', async () => {
    const machine = setup({
      delays: { jitter: ({ self }) => 100 + Math.floor(processOf(self).random() * 900) },
    }).createMachine({ initial: 'a', states: { a: { after: { jitter: 'b' } }, b: {} } })
    const Jittery = fromMachine(machine, { name: 'jittery' })
    const run = async (seed: number): Promise<readonly string[]> => {
      const sim = createWorld(seed)
      await sim.start(Jittery)
      await sim.advance(1_000)
      return sim.trace
    }
    expect(await run(5)).toEqual(await run(5))
    expect(await run(5)).not.toEqual(await run(6))
  })
})

describe('a hot swap', () => {
  it('keeps state, context and running delays under the new machine', async () => {
    const sim = createWorld()
    const of = (next: string): Parameters<typeof createMachine>[0] => ({
      initial: 'a',
      states: { a: { after: { wait: next } }, b: {}, c: {} },
    })
    const delays = { wait: () => 100 }
    const V1 = fromMachine(createMachine(of('b'), { delays }), { name: 'swap', version: 1 })
    const V2 = fromMachine(createMachine(of('c'), { delays }), { name: 'swap', version: 2 })
    const ref = await sim.start(V1)
    await sim.advance(60)
    const report = await sim.run(sim.system.upgrade(V2))
    expect(report).toMatchObject({ from: 1, to: 2, migrated: 1 })
    await sim.advance(40)
    expect((await sim.run(ref.call('snapshot'))).value).toBe('c')
    expect(ref.info()).toMatchObject({ version: 2 })
  })

  it('turns value and context with codeChange, and leaves the old machine when that fails', async () => {
    const sim = createWorld()
    const renamed = createMachine({ context: { total: 0 }, initial: 'summing', states: { summing: {} } })
    const Bad = fromMachine(renamed, { name: 'counter', version: 2 })
    const Good = fromMachine(renamed, {
      name: 'counter',
      version: 3,
      codeChange: (old) => ({ value: 'summing', context: { total: (old.context as { count: number }).count } }),
    })
    const counter = await sim.start(Counter, { start: 5 })
    await expect(sim.run(sim.system.upgrade(Bad))).rejects.toThrow(/counting/)
    counter.cast('event', { type: 'add', by: 1 })
    await sim.run(sim.system.upgrade(Good))
    const { value, context } = await sim.run(counter.call('snapshot'))
    expect({ value, context }).toEqual({ value: 'summing', context: { total: 6 } })
  })
})

describe('a kept snapshot', () => {
  const machine = setup({ types: { context: {} as { entered: number } } }).createMachine({
    id: 'kept',
    context: { entered: 0 },
    initial: 'work',
    states: {
      work: {
        initial: 'first',
        entry: assign({ entered: ({ context }) => context.entered + 1 }),
        on: { pause: 'paused' },
        states: {
          first: { on: { next: 'second' } },
          second: { after: { 1000: '#kept.over' } },
          recent: { type: 'history' },
        },
      },
      paused: { on: { resume: 'work.recent' } },
      over: { type: 'final' },
    },
  })
  const Kept = fromMachine(machine, { name: 'kept' })

  it('is plain data and lets the machine go on where it was, with what was left of its delays', async () => {
    const sim = createWorld()
    const ref = await sim.start(Kept)
    ref.cast('event', { type: 'next' })
    await sim.advance(400)
    const kept = await sim.run(ref.call('persist'))
    expect(JSON.parse(JSON.stringify(kept))).toEqual(kept)
    await sim.run(ref.stop())

    const later = createWorld()
    const again = await later.start(Kept, resume(JSON.parse(JSON.stringify(kept))))
    const { value, context } = await later.run(again.call('snapshot'))
    expect({ value, context }).toEqual({ value: { work: 'second' }, context: { entered: 1 } })
    await later.advance(599)
    expect(again.alive).toBe(true)
    await later.advance(1)
    expect(again.alive).toBe(false)
  })

  it('remembers history, may start more than once, and stays as it was', async () => {
    const sim = createWorld()
    const ref = await sim.start(Kept)
    for (const type of ['next', 'pause']) ref.cast('event', { type })
    const kept = await sim.run(ref.call('persist'))
    const before = JSON.stringify(kept)
    for (let round = 0; round < 2; round++) {
      const again = await sim.start(Kept, resume(kept))
      const { value } = await sim.run(again.call('event', { type: 'resume' }))
      expect(value).toEqual({ work: 'second' })
    }
    expect(JSON.stringify(kept)).toBe(before)
  })

  it('is refused where it is no snapshot or cannot be plain data; the machine lives on', async () => {
    const sim = createWorld()
    expect(() => resume(undefined)).toThrow(/got undefined/)
    const ref = await sim.start(fromMachine(createMachine({ context: { f: () => 1 } }), { name: 'function' }))
    await expect(sim.run(ref.call('persist'))).rejects.toThrow(/cannot be kept as plain data/)
    expect(ref.alive).toBe(true)
  })
})
