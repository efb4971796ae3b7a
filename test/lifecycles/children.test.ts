import { fromMachine, processOf, resume } from 'bough/lifecycles'
import { sys } from 'bough/runtime'
import { describe, expect, it, vi } from 'vitest'
import {
  type AnyActorRef,
  assign,
  createMachine,
  fromCallback,
  fromObservable,
  fromPromise,
  fromTransition,
  raise,
  sendParent,
  sendTo,
  setup,
  spawnChild,
  stopChild,
} from 'xstate'
import { createWorld, deferred, type World } from './support.ts'

/** Asks once, is done or failed by the answer; `leave` leaves the question. */
function asking(ask: Parameters<typeof fromPromise<unknown, unknown>>[0]): ReturnType<typeof fromMachine> {
  const machine = setup({
    types: { context: {} as { answers: unknown[] } },
    actors: { ask: fromPromise<unknown, unknown>(ask) },
  }).createMachine({
    context: { answers: [] },
    initial: 'asking',
    states: {
      asking: {
        invoke: {
          src: 'ask',
          id: 'question',
          input: 6,
          onDone: {
            target: 'idle',
            actions: assign({ answers: ({ context, event }) => [...context.answers, event.output] }),
          },
          onError: {
            target: 'failed',
            actions: assign({ answers: ({ context, event }) => [...context.answers, event.error] }),
          },
        },
        on: { leave: 'idle', renew: { target: 'asking', reenter: true } },
      },
      idle: { on: { ask: 'asking' } },
      failed: {},
    },
  })
  return fromMachine(machine, { name: 'asking' })
}

const shown = async (sim: World, ref: { call(op: 'snapshot'): Promise<unknown> }): Promise<unknown> => {
  const { value, context } = (await sim.run(ref.call('snapshot'))) as { value: unknown; context: unknown }
  return { value, context }
}

describe('an invoked promise', () => {
  it('is a process under the machine, gets its input, and its value comes as an event', async () => {
    const sim = createWorld()
    const answer = deferred<number>()
    const ref = await sim.start(asking(({ input }) => answer.promise.then((value) => value * (input as number))))
    expect(sim.system.processCount).toBe(2)
    expect(ref.info()).toMatchObject({ links: 1 })
    answer.resolve(7)
    await sim.settle()
    expect(await shown(sim, ref)).toEqual({ value: 'idle', context: { answers: [42] } })
    expect(sim.system.processCount).toBe(1)
    expect(sim.events).toEqual([])
  })

  it('is aborted when its state is left, and what it still says is dropped', async () => {
    const sim = createWorld()
    const answers = [deferred<string>(), deferred<string>()]
    const signals: AbortSignal[] = []
    const ref = await sim.start(
      asking(({ signal }) => {
        signals.push(signal)
        return answers[signals.length - 1]!.promise
      }),
    )
    ref.send({ type: 'renew' })
    await sim.settle()
    expect(signals.map(({ aborted }) => aborted)).toEqual([true, false])
    answers[0]?.resolve('stale')
    await sim.settle()
    expect(await shown(sim, ref)).toEqual({ value: 'asking', context: { answers: [] } })
    answers[1]?.resolve('fresh')
    await sim.settle()
    expect(await shown(sim, ref)).toEqual({ value: 'idle', context: { answers: ['fresh'] } })
  })

  it('drops an answer that was already on its way when the state was left and entered anew', async () => {
    const sim = createWorld()
    const first = deferred<string>()
    let asked = 0
    const ref = await sim.start(asking(() => (asked++ === 0 ? first.promise : new Promise(() => undefined))))
    ref.send({ type: 'renew' })
    first.resolve('stale')
    await sim.settle()
    expect(await shown(sim, ref)).toEqual({ value: 'asking', context: { answers: [] } })
  })

  it.each(['stop', 'kill', 'crash'] as const)('is aborted when the machine ends by %s', async (how) => {
    const sim = createWorld()
    let signal: AbortSignal | undefined
    const ref = await sim.start(
      asking((args) => {
        signal = args.signal
        return new Promise(() => undefined)
      }),
    )
    if (how === 'stop') await sim.run(ref.stop())
    else ref.exit(how === 'kill' ? 'kill' : new Error('boom'))
    await sim.settle()
    expect(signal?.aborted).toBe(true)
    expect(sim.system.processCount).toBe(0)
    expect(sim.events.filter(({ type }) => type === 'crash').length).toBe(how === 'crash' ? 1 : 0)
  })

  it('that rejects is an event, and no crash', async () => {
    const sim = createWorld()
    const ref = await sim.start(asking(() => Promise.reject(new Error('no'))))
    await sim.settle()
    expect(await shown(sim, ref)).toMatchObject({ value: 'failed', context: { answers: [{ message: 'no' }] } })
    expect(sim.events).toEqual([])
  })

  it('that throws before it is a promise is an event too', async () => {
    const sim = createWorld()
    const ref = await sim.start(
      asking(() => {
        throw new Error('at once')
      }),
    )
    await sim.settle()
    expect(await shown(sim, ref)).toMatchObject({ value: 'failed', context: { answers: [{ message: 'at once' }] } })
  })

  it('that rejects without onError ends the machine with its error', async () => {
    const sim = createWorld()
    const error = new Error('nobody listens')
    const machine = createMachine({ invoke: { src: fromPromise(() => Promise.reject(error)) } })
    await sim.start(fromMachine(machine, { name: 'deaf' }))
    await sim.settle()
    expect(sim.events).toMatchObject([{ type: 'crash', definition: 'deaf', reason: error }])
    expect(sim.system.processCount).toBe(0)
  })

  it('is asked again when a kept snapshot goes on', async () => {
    const sim = createWorld()
    let asked = 0
    const Asking = asking(() => {
      asked++
      return new Promise(() => undefined)
    })
    const ref = await sim.start(Asking)
    const kept = await sim.run(ref.call('persist'))
    const again = await sim.start(Asking, resume(JSON.parse(JSON.stringify(kept))))
    expect(asked).toBe(2)
    again.send({ type: 'leave' })
    await sim.settle()
    expect(await shown(sim, again)).toMatchObject({ value: 'idle' })
  })

  it('reaches the system through processOf(self)', async () => {
    const sim = createWorld()
    const Asking = asking(
      ({ self }) => new Promise((resolve) => processOf(self).system.timers.start(250, () => resolve('waited'))),
    )
    const ref = await sim.start(Asking)
    await sim.advance(250)
    expect(await shown(sim, ref)).toEqual({ value: 'idle', context: { answers: ['waited'] } })
  })
})

describe('a full mailbox', () => {
  it('loses neither a delay nor the answer of a child', async () => {
    const sim = createWorld()
    const answer = deferred<string>()
    const machine = setup({ actors: { ask: fromPromise(() => answer.promise) } }).createMachine({
      type: 'parallel',
      states: {
        asking: { initial: 'on', states: { on: { invoke: { src: 'ask', onDone: 'off' } }, off: {} } },
        waiting: { initial: 'on', states: { on: { after: { 10: 'off' } }, off: {} } },
      },
    })
    const Bounded = fromMachine(machine, { name: 'bounded' })
    const ref = await sim.start(Bounded, undefined, { mailbox: { capacity: 1, overflow: 'dropNewest' } })
    await sim.run(sys.suspend(ref))
    for (let n = 0; n < 5; n++) ref.send({ type: 'noise' })
    answer.resolve('here')
    await sim.advance(10)
    await sim.run(sys.resume(ref))
    await sim.settle()
    expect(await shown(sim, ref)).toMatchObject({ value: { asking: 'off', waiting: 'off' } })
  })
})

describe("xstate's own runtime", () => {
  it('sets no timer, reads no clock and draws no number, with children and delays', async () => {
    const spies = [vi.spyOn(Math, 'random'), vi.spyOn(Date, 'now'), vi.spyOn(globalThis, 'setTimeout')]
    const sim = createWorld()
    const child = createMachine({ initial: 'a', states: { a: { after: { 5: 'b' } }, b: { type: 'final' } } })
    const machine = createMachine({
      invoke: [{ src: child }, { src: fromPromise(() => Promise.resolve(1)) }],
      entry: [raise({ type: 'x' }, { delay: 5 }), sendTo(({ self }) => self, { type: 'y' }, { delay: 5 })],
    })
    const ref = await sim.start(fromMachine(machine, { name: 'quiet' }))
    await sim.advance(10)
    await sim.run(ref.call('persist'))
    await sim.run(ref.stop())
    const used = spies.filter((spy) => spy.mock.calls.length > 0).map((spy) => spy.getMockName())
    vi.restoreAllMocks()
    expect(used).toEqual([])
  })
})

describe('an invoked callback', () => {
  it('gets events in order, sends back, and cleans up once when its state is left', async () => {
    const sim = createWorld()
    const log: string[] = []
    const machine = setup({
      types: { context: {} as { echoes: string[] }, events: {} as { type: string; word?: string } },
      actors: {
        echo: fromCallback<{ type: string; word?: string }>(({ receive, sendBack }) => {
          log.push('open')
          receive(({ word }) => sendBack({ type: 'echo', word: `${word}!` }))
          return () => log.push('closed')
        }),
      },
    }).createMachine({
      context: { echoes: [] },
      initial: 'open',
      states: {
        open: {
          invoke: { src: 'echo', id: 'echo' },
          on: {
            say: { actions: sendTo('echo', ({ event }) => event) },
            echo: { actions: assign({ echoes: ({ context, event }) => [...context.echoes, event.word ?? ''] }) },
            close: 'closed',
          },
        },
        closed: {},
      },
    })
    const ref = await sim.start(fromMachine(machine, { name: 'echoing' }))
    for (const word of ['a', 'b', 'c']) ref.cast('event', { type: 'say', word })
    await sim.settle()
    ref.cast('event', { type: 'close' })
    await sim.settle()
    expect(await shown(sim, ref)).toEqual({ value: 'closed', context: { echoes: ['a!', 'b!', 'c!'] } })
    expect(log).toEqual(['open', 'closed'])
    expect(sim.system.processCount).toBe(1)
  })

  it('whose cleanup throws is reported, and the machine lives on', async () => {
    const sim = createWorld()
    const machine = createMachine({
      initial: 'on',
      states: {
        on: {
          invoke: {
            src: fromCallback(() => () => {
              throw new Error('stuck')
            }),
          },
          on: { off: 'off' },
        },
        off: {},
      },
    })
    const ref = await sim.start(fromMachine(machine, { name: 'sticky' }))
    ref.cast('event', { type: 'off' })
    await sim.settle()
    expect(await shown(sim, ref)).toMatchObject({ value: 'off' })
    expect(sim.events).toMatchObject([{ type: 'crash', reason: { message: 'stuck' } }])
  })
})

describe('an invoked observable', () => {
  it('shows its values as snapshots, and is unsubscribed when its state is left', async () => {
    const sim = createWorld()
    const observers: { next?: (value: number) => void }[] = []
    let left = 0
    const numbers = fromObservable<number, unknown>(() => ({
      subscribe: (observer: unknown) => {
        observers.push(observer as { next?: (value: number) => void })
        return { unsubscribe: () => left++ }
      },
    }))
    const machine = setup({ types: { context: {} as { seen: unknown[] } }, actors: { numbers } }).createMachine({
      context: { seen: [] },
      initial: 'listening',
      states: {
        listening: {
          invoke: {
            src: 'numbers',
            onSnapshot: {
              actions: assign({ seen: ({ context, event }) => [...context.seen, event.snapshot.context] }),
            },
          },
          on: { stop: 'deaf' },
        },
        deaf: {},
      },
    })
    const ref = await sim.start(fromMachine(machine, { name: 'listening' }))
    for (const value of [1, 2]) observers[0]?.next?.(value)
    await sim.settle()
    ref.send({ type: 'stop' })
    await sim.settle()
    observers[0]?.next?.(3)
    await sim.settle()
    expect(await shown(sim, ref)).toEqual({ value: 'deaf', context: { seen: [undefined, 1, 2] } })
    expect(left).toBe(1)
  })
})

describe('a child machine', () => {
  const childMachine = setup({
    types: { context: {} as { n: number }, input: {} as { n: number }, output: {} as { n: number } },
  }).createMachine({
    id: 'kid',
    context: ({ input }) => ({ n: input.n }),
    initial: 'on',
    output: ({ context }) => ({ n: context.n }),
    states: {
      on: {
        entry: sendParent({ type: 'hello' }),
        on: {
          add: { actions: [assign({ n: ({ context }) => context.n + 1 }), sendParent({ type: 'added' })] },
          fail: {
            actions: () => {
              throw new Error('kid fell')
            },
          },
          finish: 'off',
        },
        after: { 1000: 'off' },
      },
      off: { type: 'final' },
    },
  })
  const parentMachine = setup({
    types: { context: {} as { seen: string[] }, events: {} as { type: string } },
    actors: { kid: childMachine },
  }).createMachine({
    id: 'parent',
    context: { seen: [] },
    initial: 'with',
    states: {
      with: {
        invoke: {
          src: 'kid',
          id: 'kid',
          input: { n: 5 },
          onDone: {
            target: 'without',
            actions: assign({ seen: ({ context, event }) => [...context.seen, `done ${event.output.n}`] }),
          },
          onError: {
            target: 'without',
            actions: assign({ seen: ({ context, event }) => [...context.seen, String(event.error)] }),
          },
        },
        on: {
          hello: { actions: assign({ seen: ({ context }) => [...context.seen, 'hello'] }) },
          added: { actions: assign({ seen: ({ context }) => [...context.seen, 'added'] }) },
          add: { actions: sendTo('kid', { type: 'add' }) },
          fail: { actions: sendTo('kid', { type: 'fail' }) },
          leave: 'without',
        },
        exit: sendTo('kid', { type: 'add' }),
      },
      without: {},
    },
  })
  const Parent = fromMachine(parentMachine, { name: 'parent' })

  it('is a linked process with a mailbox and delays of its own; its output is an event', async () => {
    const sim = createWorld()
    const ref = await sim.start(Parent)
    ref.cast('event', { type: 'add' })
    await sim.settle()
    expect(sim.system.processCount).toBe(2)
    expect(sim.trace).toContain('0 sim.2 start parent/kid')
    await sim.advance(1_000)
    expect(await shown(sim, ref)).toEqual({ value: 'without', context: { seen: ['hello', 'added', 'done 6'] } })
    expect(sim.system.processCount).toBe(1)
  })

  it('crashes by itself: the parent gets an error event and lives', async () => {
    const sim = createWorld()
    const ref = await sim.start(Parent)
    ref.cast('event', { type: 'fail' })
    await sim.settle()
    expect(await shown(sim, ref)).toEqual({ value: 'without', context: { seen: ['hello', 'Error: kid fell'] } })
    expect(sim.events).toMatchObject([{ type: 'crash', definition: 'parent/kid' }])
  })

  it('that is killed from outside is an error event too', async () => {
    const sim = createWorld()
    const ref = await sim.start(Parent)
    await sim.settle()
    sim.system.processes()[1]?.exit('kill')
    await sim.settle()
    expect(await shown(sim, ref)).toEqual({ value: 'without', context: { seen: ['hello', 'killed'] } })
  })

  it('handles what was sent to it before it is stopped, and is stopped when the state is left', async () => {
    const sim = createWorld()
    const ref = await sim.start(Parent)
    await sim.settle()
    ref.cast('event', { type: 'leave' })
    await sim.settle()
    expect(sim.trace.filter((line) => line.includes('sim.2 info'))).toEqual([
      '0 sim.2 info add',
      '0 sim.2 info xstate.stop',
    ])
    expect(sim.trace).toContain('0 sim.2 end shutdown')
    expect(sim.system.timers.size).toBe(0)
    expect(await shown(sim, ref)).toMatchObject({ value: 'without' })
  })

  it('goes on from a kept snapshot with its context and what was left of its delay', async () => {
    const sim = createWorld()
    const ref = await sim.start(Parent)
    ref.cast('event', { type: 'add' })
    await sim.advance(300)
    const kept = JSON.parse(JSON.stringify(await sim.run(ref.call('persist')))) as unknown
    const later = createWorld()
    const again = await later.start(Parent, resume(kept))
    await later.advance(699)
    expect(await shown(later, again)).toEqual({ value: 'with', context: { seen: ['hello', 'added'] } })
    await later.advance(1)
    expect(await shown(later, again)).toEqual({ value: 'without', context: { seen: ['hello', 'added', 'done 6'] } })
  })

  it('may be spawned by an action or within assign, found by its system id, stopped by name, and read', async () => {
    const sim = createWorld()
    const reads: unknown[] = []
    const machine = setup({
      types: { context: {} as { kid?: AnyActorRef }, events: {} as { type: string } },
      actors: { kid: childMachine },
    }).createMachine({
      context: {},
      on: {
        spawn: {
          actions: [
            assign({ kid: ({ spawn }) => spawn('kid', { id: 'assigned', input: { n: 1 } }) }),
            sendTo(({ context }) => context.kid!, { type: 'add' }),
            spawnChild('kid', { id: 'second', input: { n: 10 }, systemId: 'the-second' }),
            sendTo('second', { type: 'add' }),
            ({ context }) => context.kid?.send({ type: 'add' }),
          ],
        },
        read: {
          actions: ({ context, system }) => {
            reads.push(context.kid?.getSnapshot().context.n, system.get('the-second')?.getSnapshot().context.n)
          },
        },
        stop: { actions: [stopChild('second'), stopChild(({ context }) => context.kid!)] },
      },
    })
    const ref = await sim.start(fromMachine(machine, { name: 'spawning' }))
    ref.cast('event', { type: 'spawn' })
    await sim.settle()
    expect(sim.system.processCount).toBe(3)
    ref.cast('event', { type: 'read' })
    ref.cast('event', { type: 'stop' })
    ref.cast('event', { type: 'read' })
    await sim.settle()
    expect(reads).toEqual([3, 11, 3, undefined])
    expect(sim.system.processCount).toBe(1)
    expect(sim.events).toEqual([])
  })

  it('that is started and stopped within one step is never started', async () => {
    const sim = createWorld()
    const machine = createMachine({
      initial: 'a',
      states: {
        a: { on: { go: 'b' } },
        b: { invoke: { src: fromPromise(() => Promise.reject(new Error('never'))) }, always: 'c' },
        c: {},
      },
    })
    const ref = await sim.start(fromMachine(machine, { name: 'hasty' }))
    ref.cast('event', { type: 'go' })
    await sim.settle()
    expect(await shown(sim, ref)).toMatchObject({ value: 'c' })
    expect(sim.trace.filter((line) => line.includes('start'))).toHaveLength(1)
  })

  it('whose first state fails is an error event of the parent', async () => {
    const sim = createWorld()
    const broken = createMachine({
      entry: () => {
        throw new Error('stillborn')
      },
    })
    const machine = createMachine({
      initial: 'a',
      states: { a: { invoke: { src: broken, onError: 'b' } }, b: {} },
    })
    const ref = await sim.start(fromMachine(machine, { name: 'unlucky' }))
    await sim.settle()
    expect(await shown(sim, ref)).toMatchObject({ value: 'b' })
  })

  it('and its own children end with the root, youngest first', async () => {
    const sim = createWorld()
    const leaf = createMachine({})
    const middle = createMachine({
      invoke: [
        { src: leaf, id: 'x' },
        { src: leaf, id: 'y' },
      ],
    })
    const root = createMachine({
      invoke: [
        { src: middle, id: 'm' },
        { src: leaf, id: 'z' },
      ],
    })
    const ref = await sim.start(fromMachine(root, { name: 'root' }))
    expect(sim.system.processCount).toBe(5)
    await sim.run(ref.stop())
    await sim.settle()
    expect(sim.system.processCount).toBe(0)
    expect(sim.events).toEqual([])
  })

  it('of any other logic is a process, too', async () => {
    const sim = createWorld()
    const machine = createMachine({
      invoke: { src: fromTransition((sum: number, { by }: { type: 'add'; by: number }) => sum + by, 0), id: 'sum' },
      on: { add: { actions: sendTo('sum', ({ event }) => event) }, read: {} },
    })
    const Summing = fromMachine(machine, { name: 'summing' })
    const ref = await sim.start(Summing)
    for (const by of [1, 2, 3]) ref.send({ type: 'add', by })
    await sim.settle()
    const kept = (await sim.run(ref.call('persist'))) as unknown as {
      children: { sum: { snapshot: { context: number } } }
    }
    expect(kept.children.sum.snapshot.context).toBe(6)
  })

  it('that the machine does not have ends the start with a sentence', async () => {
    const sim = createWorld()
    const machine = createMachine({ invoke: { src: 'nobody' } })
    await expect(sim.start(fromMachine(machine, { name: 'lonely' }))).rejects.toThrow(/no such actor/)
  })
})
