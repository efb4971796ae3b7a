/** A worker is used like any actor: what its Ref, its supervisor and its own handlers promise holds in a thread too. */
import {
  CallError,
  child,
  createSystem,
  defineActor,
  defineSupervisor,
  type Ref,
  StartError,
  type System,
  type SystemEvent,
  sys,
} from 'bough/runtime'
import { CloneError, defineWorker, type WorkerStatus } from 'bough/workers'
import { afterEach, beforeEach, describe, expect, expectTypeOf, it, vi } from 'vitest'
import { Counter, type CounterActor, counterWorker, fixture, sharedCount, standsStill } from './support.ts'

let system: System
let events: SystemEvent[]
beforeEach(() => {
  events = []
  system = createSystem({ name: 'host', events: (event) => events.push(event) })
})
afterEach(() => system.stop())

const failure = (promise: Promise<unknown>): Promise<Error> =>
  promise.then(
    () => {
      throw new Error('It did not fail.')
    },
    (error: Error) => error,
  )

describe('a worker, like any actor', () => {
  it('runs in a thread of its own', async () => {
    const [one, two] = await Promise.all([system.start(Counter, 0), system.start(Counter, 0)])
    const threads = [await one.call('thread'), await two.call('thread')]
    expect(new Set([0, ...threads]).size).toBe(3)
  })

  it('keeps its state between calls and casts, in the order they were sent', async () => {
    const ref = await system.start(Counter, 5)
    expect(await ref.call('add', 3)).toBe(8)
    ref.cast('reset')
    expect(await ref.call('add', 1)).toBe(1)
    for (let index = 0; index < 5_000; index++) {
      if (index % 3 === 0) ref.cast('note', index)
      else ref.send(index)
    }
    expect(await ref.call('seen')).toEqual(Array.from({ length: 5_000 }, (_, index) => index))
  })

  it('is typed as the actor in its thread', () => {
    const Local = defineActor({
      name: 'typed',
      init: (start: string) => ({ start }),
      call: { size: (state, n: number) => state.start.length + n },
    })
    const Typed = defineWorker<typeof Local>({ name: 'typed', module: fixture('counter.mjs') })
    expectTypeOf(system.start<typeof Typed>).returns.resolves.toEqualTypeOf<Ref<typeof Typed>>()
    const ask = (ref: Ref<typeof Typed>) => ref.call('size', 3)
    expectTypeOf(ask).returns.resolves.toEqualTypeOf<number>()
    expectTypeOf<Ref<typeof Typed>>().toExtend<Ref<typeof Local>>()
    // @ts-expect-error: the start argument is the actor's
    const start = () => system.start(Typed, 3)
    expect(start).toBeTypeOf('function')
  })

  it('replies later, continues, takes timers, and stops itself after its reply', async () => {
    const ref = await system.start(Counter, 2)
    expect(await ref.call('later', { deep: [1] })).toEqual({ deep: [1] })
    expect(await ref.call('continued', 'x')).toBe(0)
    expect(await ref.call('seen')).toEqual(['x'])
    const down = ref.down
    expect(await ref.call('stopWith', { shutdown: 'done' })).toBe('stopped at 2')
    expect(await down).toEqual({ shutdown: 'done' })
    expect(events).toEqual([])
  })

  it('may be called many times at once; each reply finds its caller', async () => {
    const ref = await system.start(Counter, 0)
    const values = Array.from({ length: 3_000 }, (_, index) => index)
    expect(await Promise.all(values.map((value) => ref.call('echo', value)))).toEqual(values)
  })

  it('copies what structured clone copies: maps, dates, binary data, cycles; and shares shared memory', async () => {
    const ref = await system.start(Counter, 0)
    const value = { map: new Map([[1, new Set(['a'])]]), date: new Date(5), bytes: new Uint8Array([1, 2]), self: {} }
    value.self = value
    const copy = (await ref.call('echo', value)) as typeof value
    expect(copy).toEqual(value)
    expect(copy).not.toBe(value)
    expect(copy.self).toBe(copy)
  })

  it('carries errors whole, both ways', async () => {
    const ref = await system.start(Counter, 0)
    const cause = new Error('below')
    const sent = Object.assign(new RangeError('too far', { cause }), { code: 'E_FAR', extra: { at: [1] } })
    expect(await ref.call('describe', sent)).toEqual([true, 'RangeError', 'too far', 'E_FAR', 'below'])
    const back = (await ref.call('echo', { list: [sent] })) as { list: (typeof sent)[] }
    expect(back.list[0]).toBeInstanceOf(RangeError)
    expect(back.list[0]).toMatchObject({ message: 'too far', code: 'E_FAR', extra: { at: [1] }, stack: sent.stack })
    expect(back.list[0]?.cause).toMatchObject({ message: 'below', stack: cause.stack })
  })

  it('has a name, a pid and an info in the system; its actor has a pid below it', async () => {
    const ref = await system.start(Counter, 0, { name: 'the-counter' })
    expect(system.whereis('the-counter')).toBe(ref)
    expect(ref.info()).toMatchObject({ definition: 'counter', names: ['the-counter'], monitoredBy: 0 })
    expect(await ref.call('pid')).toBe(`${ref.pid}.1`)
  })

  it('shows its status, not the state in its thread, to sys', async () => {
    const ref = await system.start(Counter, 0)
    await Promise.all(Array.from({ length: 100 }, () => ref.call('add', 1)))
    const status = (await sys.getState(ref)) as WorkerStatus
    expect(status).toMatchObject({ module: fixture('counter.mjs').href, calls: 0 })
    expect(status.threadId).toBeGreaterThan(0)
    expect(status.framesSent).toBe(100)
    // One hundred calls of one turn were one message between the threads.
    expect(status.batchesSent).toBe(1)
  })

  it('is held back by sys.suspend, and by a time-out given up on, in the thread too', async () => {
    const ref = await system.start(Counter, 0)
    await sys.suspend(ref)
    ref.cast('note', 'held')
    const error = await failure(ref.call('get', undefined, { timeout: 20 }))
    expect(error).toMatchObject({ name: 'CallError', code: 'timeout' })
    await sys.resume(ref)
    expect(await ref.call('seen')).toEqual(['held'])
    await expect(ref.call('wait', 60_000, { timeout: 20 })).rejects.toMatchObject({ code: 'timeout' })
    ref.exit('kill')
  })

  it('rejects a call that its actor does not have, and reports such a cast', async () => {
    const ref = (await system.start(Counter, 0)) as unknown as Ref
    const error = await failure(ref.call('nothing'))
    expect(error).toBeInstanceOf(CallError)
    expect(error).toMatchObject({ code: 'undef' })
    expect(error.message).toContain('has no call "nothing"')
    ref.cast('nothing')
    await ref.call('get')
    expect(events).toEqual([{ type: 'unexpected_message', pid: `${ref.pid}.1`, definition: 'counter', op: 'nothing' }])
  })
})

describe('the start of a worker', () => {
  it('rejects with exactly what init threw, and leaves nothing', async () => {
    const error = await failure(system.start(Counter, 'throw'))
    expect(error).toBeInstanceOf(StartError)
    expect((error as StartError).reason).toMatchObject({ name: 'Odd', message: 'no start', code: 'E_ODD' })
    expect(system.processCount).toBe(0)
  })

  it('resolves to undefined when init returns ignore', async () => {
    expect(await system.start(Counter, 'ignore')).toBeUndefined()
    expect(system.processCount).toBe(0)
  })

  it('is given up after its time-out, and its thread with it', async () => {
    const loop = sharedCount()
    const error = await failure(system.start(Counter, { loop: loop.buffer }, { timeout: 500 }))
    expect(error).toMatchObject({ name: 'StartError', code: 'timeout' })
    expect(await standsStill(loop.value)).toBe(true)
  })

  it.each([
    ['a module that is not there', { module: fixture('missing.mjs') }, 'Cannot find module'],
    ['a name that is not exported', { export: 'Nothing' }, 'It exports: Counter, Odd, notAnActor'],
    [
      'something else than an actor',
      { export: 'notAnActor' },
      'must export an actor (what defineActor returns) as "notAnActor", got number',
    ],
  ])('of %s fails and says why', async (_what, options, sentence) => {
    const error = await failure(system.start(counterWorker(options), 0))
    expect((error as StartError).reason).toMatchObject({ message: expect.stringContaining(sentence) })
  })

  it('with an argument that has no copy fails with its path', async () => {
    const error = await failure(system.start(Counter, { a: [{ run: () => 1 }] }))
    expect((error as StartError).reason).toBeInstanceOf(CloneError)
    expect((error as StartError).reason).toMatchObject({ path: 'arg.a[0].run' })
  })

  it.each([
    [{ name: '' }, 'name must be a non-empty string'],
    [{ version: 1.5 }, 'version must be a whole number, got 1.5'],
    [{ inFlightMax: 0 }, 'inFlightMax must be a whole number of at least 1, got 0'],
    [{ module: './resizer.js' }, "Write new URL('./file.js', import.meta.url)"],
  ])('is refused where it is defined with %o', (options, sentence) => {
    expect(() => counterWorker(options)).toThrow(sentence)
  })
})

describe('what has no copy', () => {
  it.each([
    ['a function', { deep: { list: [1, () => 1] } }, 'arg.deep.list[1]', 'a function'],
    ['a symbol', new Map([['key', Symbol('s')]]), 'arg.get("key")', 'a symbol (Symbol(s))'],
    ['a promise', [Promise.resolve(1)], 'arg[0]', 'a promise (await it first)'],
    ['a proxy', { 'odd key': new Proxy({}, {}) }, 'arg["odd key"]', 'a Proxy'],
    ['a function on its own', () => 1, 'arg', 'a function'],
    ['a weak map', { weak: new WeakMap() }, 'arg.weak', 'an object that has no copy (WeakMap)'],
  ])('rejects a call with %s, naming the path, and no other call of its batch', async (_what, arg, path, kind) => {
    const ref = await system.start(Counter, 0)
    const before = ref.call('add', 1)
    const bad = failure(ref.call('echo', arg))
    const after = ref.call('add', 1)
    const error = await bad
    expect(error).toBeInstanceOf(CloneError)
    expect(error).toMatchObject({ path, code: 'uncloneable' })
    expect(error.message).toContain(`The argument of the call "echo"`)
    expect(error.message).toContain(`${path} is ${kind}`)
    expect([await before, await after]).toEqual([1, 2])
  })

  it('rejects the call whose reply it is, and the worker lives on', async () => {
    const ref = await system.start(Counter, 0)
    const error = await failure(ref.call('uncloneable'))
    expect(error).toMatchObject({ name: 'CloneError', path: 'reply.a[0].b' })
    expect(await ref.call('add', 1)).toBe(1)
  })

  it('is dropped with a warning when it was cast', async () => {
    const warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => undefined)
    const ref = await system.start(Counter, 0)
    ref.cast('note', { run: () => 1 })
    ref.cast('note', 'next')
    expect(await ref.call('seen')).toEqual(['next'])
    expect(warn.mock.calls[0]?.[0]).toContain('arg.run is a function')
    warn.mockRestore()
  })

  it('is a message whose getter throws: the call rejects, nobody is harmed', async () => {
    const ref = await system.start(Counter, 0)
    const arg = {
      get bad(): never {
        throw new Error('not readable')
      },
    }
    const error = await failure(ref.call('echo', arg))
    expect(error).toMatchObject({ name: 'CloneError', path: 'arg', cause: { message: 'not readable' } })
    expect(await ref.call('add', 1)).toBe(1)
  })
})

describe('back-pressure', () => {
  it('keeps at most inFlightMax messages with the thread; the others wait in the mailbox, whose bound holds', async () => {
    const ref = await system.start(counterWorker({ inFlightMax: 4 }), 0, { mailbox: { capacity: 10 } })
    const gate = new Int32Array(new SharedArrayBuffer(4))
    const blocked = ref.call('block', gate.buffer)
    let taken = 0
    for (let index = 0; index < 100; index++) {
      if (ref.cast('note', index)) taken++
      await new Promise((resolve) => setImmediate(resolve))
    }
    // Beside the call, three are with the thread, one is held by the process, and ten are in the mailbox.
    expect(taken).toBe(3 + 1 + 10)
    Atomics.store(gate, 0, 1)
    Atomics.notify(gate, 0)
    await blocked
    const seen = await failureFree(() => ref.call('seen'))
    expect(seen).toEqual(Array.from({ length: taken }, (_, index) => index))
  })

  it('lets everything through in order however small the window is', async () => {
    const ref = await system.start(counterWorker({ inFlightMax: 1 }), 0)
    for (let index = 0; index < 300; index++) ref.cast('note', index)
    expect(await ref.call('seen')).toEqual(Array.from({ length: 300 }, (_, index) => index))
  })
})

describe('in a tree', () => {
  it('is a child like any other, and runs terminate on shutdown when its actor traps exits', async () => {
    const told = sharedCount()
    const Tree = defineSupervisor({ children: [child(Counter, { tell: told.buffer }, { name: 'w' })] })
    const sup = await system.start(Tree)
    const ref = system.whereis('w') as unknown as Ref<CounterActor>
    await ref.call('trap', true)
    await sup.stop('shutdown')
    expect(told.value()).toBe(100)
  })

  it('gets exit signals of links as messages while it traps exits', async () => {
    const ref = await system.start(Counter, 'trap')
    ref.exit('just so')
    expect(await ref.call('seen')).toEqual([['EXIT', 'just so']])
    expect(ref.alive).toBe(true)
  })
})

/** Asks again while the mailbox is full. */
async function failureFree<T>(ask: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await ask()
    } catch (error) {
      if (!(error instanceof CallError && error.code === 'overload')) throw error
      await new Promise((resolve) => setImmediate(resolve))
    }
  }
}
