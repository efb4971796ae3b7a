/** Refs in messages between a system and a thread stay addresses, there and back. */
import { createSystem, defineActor, defineRegistry, type Ref, type System, via } from 'bough/runtime'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Counter, until } from './support.ts'

const Store = defineActor({
  name: 'store',
  init: (trapsExits: boolean | undefined, self: { trapExits(is: boolean): void }) => {
    self.trapExits(trapsExits === true)
    return { seen: [] as unknown[] }
  },
  call: {
    seen: (state) => state.seen,
    double: (_state, value: number) => value * 2,
    hang: () => new Promise<never>(() => undefined),
    crash: () => {
      throw new Error('the store failed')
    },
  },
  cast: { put: (state, value: unknown) => void state.seen.push(value) },
  info: (state, message) => void state.seen.push(message),
})

let system: System
beforeEach(() => {
  system = createSystem({ name: 'host' })
})
afterEach(() => system.stop())

describe('a Ref sent into a thread', () => {
  it('calls, casts and sends back into this system, in order', async () => {
    const [store, worker] = await Promise.all([system.start(Store), system.start(Counter, 0)])
    expect(await worker.call('ask', { ref: store, op: 'double', arg: 21 })).toBe(42)
    expect(await worker.call('tell', { ref: store, op: 'put', arg: { a: 1 } })).toBe(true)
    expect(await worker.call('tell', { ref: store, arg: 'hello' })).toBe(true)
    expect(await store.call('seen')).toEqual([{ a: 1 }, 'hello'])
  })

  it('comes back as the very same Ref, however deep it lies', async () => {
    const [store, worker] = await Promise.all([system.start(Store), system.start(Counter, 0)])
    const message: Record<string, unknown> = { list: [new Map([['store', store]])] }
    message['again'] = message
    const back = (await worker.call('echo', message)) as { list: [Map<string, unknown>]; again: unknown }
    expect(back.list[0].get('store')).toBe(store)
    expect(back.again).toBe(back)
  })

  it('may come with the start argument', async () => {
    const store = await system.start(Store)
    const worker = await system.start(Counter, { store })
    expect(await worker.call('ask', { ref: store, op: 'double', arg: 1 })).toBe(2)
  })

  it('fails its calls as here: a time-out, a crash, a dead process', async () => {
    const [store, worker] = await Promise.all([system.start(Store), system.start(Counter, 0)])
    const ask = (op: string, timeout = 5_000) =>
      worker.call('ask', { ref: store, op, timeout }).catch((error: { reason: unknown }) => error.reason)
    expect(await ask('hang', 20)).toMatchObject({ name: 'CallError', code: 'timeout' })
    const second = await system.start(Counter, 0)
    expect(
      await second
        .call('ask', { ref: await system.start(Store), op: 'crash' })
        .catch((error: { reason: unknown }) => error.reason),
    ).toMatchObject({ name: 'CallError', code: 'exit', reason: { message: 'the store failed' } })
    const third = await system.start(Counter, 0)
    store.exit('kill')
    const dead = third.call('ask', { ref: store, op: 'double' }).catch((error: { reason: unknown }) => error.reason)
    expect(await dead).toMatchObject({ name: 'CallError', code: 'noproc' })
  })

  it('tells of the end of its process, and can end it', async () => {
    const [store, worker] = await Promise.all([system.start(Store), system.start(Counter, 0)])
    const watched = worker.call('watch', store)
    await until('the thread watches', () => store.info()?.monitoredBy === 1)
    store.exit('gone')
    expect(await watched).toBe('gone')
    const trapping = await system.start(Store, true)
    await worker.call('exits', { ref: trapping, reason: 'why not' })
    const [message] = (await trapping.call('seen')) as [{ ref: unknown; reason: unknown }]
    expect(message).toMatchObject({ type: 'EXIT', reason: 'why not' })
    expect(message.ref).toBe(worker)
    await worker.call('exits', { ref: trapping, reason: 'kill' })
    await until('it is killed', () => !trapping.alive)
  })

  it('cannot be linked from there: the error says what can be done', async () => {
    const [store, worker] = await Promise.all([system.start(Store), system.start(Counter, 0)])
    const sentence = await worker.call('link', store)
    expect(sentence).toContain(`${store.pid} lives in another thread`)
    expect(sentence).toContain('Use call, cast, send, stop, exit and down')
  })

  it('is a name of a registry: it means who has the name now', async () => {
    const registry = await system.start(defineRegistry({ keys: 'unique' }))
    const store = await system.start(Store, undefined, { name: via(registry, 'the store') })
    const worker = await system.start(Counter, 0)
    expect(await worker.call('echo', via(registry, 'the store'))).toBe(store)
    const dead = (await worker.call('echo', via(registry, 'nobody'))) as Ref
    expect(dead.alive).toBe(false)
  })

  it('may be another worker', async () => {
    const [one, two] = await Promise.all([system.start(Counter, 1), system.start(Counter, 2)])
    expect(await one.call('ask', { ref: two, op: 'add', arg: 10 })).toBe(12)
    expect(await one.call('echo', { two })).toEqual({ two })
  })

  it('may be of another system of this program', async () => {
    const other = createSystem({ name: 'other' })
    const store = await other.start(Store)
    const worker = await system.start(Counter, 0)
    expect(await worker.call('ask', { ref: store, op: 'double', arg: 4 })).toBe(8)
    expect(await worker.call('echo', store)).toBe(store)
    await other.stop()
  })
})

describe('a Ref that comes out of a thread', () => {
  it('is the worker itself when it is its own', async () => {
    const worker = await system.start(Counter, 0)
    expect(await worker.call('ownRef')).toBe(worker)
  })

  it('leads to a process that the worker started, until the thread ends', async () => {
    const worker = await system.start(Counter, 0)
    const inner = await worker.call('inner', 40)
    expect(inner.pid).toBe(`${worker.pid}.2`)
    expect(await inner.call('add', 2)).toBe(42)
    inner.cast('note', 'x')
    expect(await inner.call('seen')).toEqual(['x'])
    expect(inner.info()).toMatchObject({ status: 'remote' })
    expect(await worker.call('echo', inner)).toBe(inner)
    const { down } = inner
    worker.exit('kill')
    expect(await down).toBe('noconnection')
    expect(inner.alive).toBe(false)
    await expect(inner.call('get')).rejects.toMatchObject({ code: 'noproc' })
  })

  it('can stop what it leads to, and learns of its crash', async () => {
    const worker = await system.start(Counter, 0)
    await worker.call('trap', true)
    const inner = await worker.call('inner', 0)
    const { down } = inner
    await inner.stop()
    expect(await down).toBe('normal')
    const second = await worker.call('inner', 0)
    const secondDown = second.down
    await expect(second.call('crash')).rejects.toMatchObject({ code: 'exit', reason: { name: 'Odd' } })
    expect(await secondDown).toMatchObject({ name: 'Odd', code: 'E_ODD' })
    expect(worker.alive).toBe(true)
  })

  it('leads from one worker into another', async () => {
    const [one, two] = await Promise.all([system.start(Counter, 1), system.start(Counter, 2)])
    const inner = await one.call('inner', 100)
    expect(await two.call('ask', { ref: inner, op: 'add', arg: 1 })).toBe(101)
    const watched = two.call('watch', inner)
    await two.call('get')
    one.exit('kill')
    expect(await watched).toBe('noconnection')
  })
})
