import { CallError, createRequests, defineActor, defineSupervisor } from 'bough/runtime'
import { describe, expect, it } from 'vitest'
import { createWorld } from './support.ts'

const Echo = defineActor({
  name: 'echo',
  init: (_: undefined) => ({}),
  call: {
    now: (_state, what: string) => what,
    after: (_state, ms: number, self) => {
      const { from } = self
      self.system.timers.start(ms, () => from.reply(ms))
      return self.noreply
    },
    crash: () => {
      throw new Error('a bug')
    },
  },
})

describe('ref.request', () => {
  it('is waited for, and again', async () => {
    const sim = createWorld()
    const echo = await sim.start(Echo)
    const handle = echo.request('now', 'hello')
    const response = await sim.run(handle.wait(10))
    expect(response).toEqual({ reply: 'hello' })
    // The reply is typed from the definition.
    if (response !== 'timeout' && 'reply' in response) response.reply.toUpperCase()
    expect(await sim.run(handle.wait(0))).toEqual({ reply: 'hello' })
    expect(handle.check()).toEqual({ reply: 'hello' })
    expect(sim.system.timers.size).toBe(0)
  })

  it('may be waited for after a time-out', async () => {
    const sim = createWorld()
    const echo = await sim.start(Echo)
    const handle = echo.request('after', 100)
    expect(handle.check()).toBe('no_reply')
    expect(await sim.run(handle.wait(30))).toBe('timeout')
    expect(await sim.run(handle.wait(0))).toBe('timeout')
    expect(await sim.run(handle.wait(Number.POSITIVE_INFINITY))).toEqual({ reply: 100 })
    expect(sim.clock.now()).toBe(100)
  })

  it('is abandoned by receive at its time-out: the late reply is dropped', async () => {
    const sim = createWorld()
    const echo = await sim.start(Echo)
    const handle = echo.request('after', 100)
    expect(await sim.run(handle.receive(30))).toBe('timeout')
    await sim.advance(1_000)
    expect(handle.check()).toBe('no_reply')
    expect(await sim.run(handle.wait(Number.POSITIVE_INFINITY))).toBe('timeout')
    const other = echo.request('after', 100)
    other.abandon()
    other.abandon()
    expect(await sim.run(other.wait(1))).toBe('timeout')
  })

  it('tells an end, a missing operation, a dead process and a full mailbox as values', async () => {
    const sim = createWorld()
    const echo = await sim.start(Echo)
    const crash = echo.request('crash')
    const behind = echo.request('now', 'x')
    expect(await sim.run(crash.wait(10))).toMatchObject({ error: { code: 'exit', reason: { message: 'a bug' } } })
    expect(await sim.run(behind.wait(10))).toMatchObject({ error: { code: 'exit' } })
    const late = echo.request('now', 'x')
    expect(late.check()).toMatchObject({ error: { code: 'noproc' } })
    expect(await sim.run(late.receive(10))).toMatchObject({ error: { code: 'noproc' } })
    const small = await sim.run(sim.system.start(Echo, undefined, { mailbox: { capacity: 1 } }))
    const first = small.request('now', 'first')
    expect(small.request('now', 'second').check()).toMatchObject({ error: { code: 'overload' } })
    expect(await sim.run(first.wait(10))).toEqual({ reply: 'first' })
    const tree = await sim.start(defineSupervisor({ children: [] }))
    const unknown = tree.request('nonsense')
    expect(await sim.run(unknown.wait(10))).toMatchObject({ error: { code: 'undef' } })
  })

  it('refuses a delay that is none', async () => {
    const sim = createWorld()
    const echo = await sim.start(Echo)
    await expect(echo.request('now', 'x').wait(-1)).rejects.toThrow(TypeError)
    await expect(echo.request('now', 'x').receive(Number.NaN)).rejects.toThrow('got NaN')
  })
})

describe('a collection of requests', () => {
  it('gives the responses in the order in which they come, each with its label', async () => {
    const sim = createWorld()
    const echo = await sim.start(Echo)
    const requests = createRequests<string>()
    for (const ms of [30, 10, 20]) requests.add(echo.request('after', ms), `after ${ms}`)
    expect(requests.size).toBe(3)
    expect(requests.check()).toBe('no_reply')
    expect(await sim.run(requests.wait(5))).toBe('timeout')
    expect(await sim.run(requests.receive(100))).toEqual({ label: 'after 10', reply: 10 })
    expect(await sim.run(requests.receive(100))).toEqual({ label: 'after 20', reply: 20 })
    expect(requests.size).toBe(1)
    await sim.advance(100)
    expect(requests.check()).toEqual({ label: 'after 30', reply: 30 })
    expect(await sim.run(requests.receive(100))).toBe('no_request')
    expect(requests.check()).toBe('no_request')
    expect(sim.system.timers.size).toBe(0)
  })

  it('abandons what is left when receive runs out of time', async () => {
    const sim = createWorld()
    const echo = await sim.start(Echo)
    const requests = createRequests<number>()
    const handle = requests.add(echo.request('after', 500), 1)
    expect(await sim.run(requests.receive(100))).toBe('timeout')
    expect(requests.size).toBe(0)
    await sim.advance(1_000)
    expect(handle.check()).toBe('no_reply')
    expect(await sim.run(requests.receive(100))).toBe('no_request')
  })

  it('takes responses that were there before, errors, and wakes when its last request is abandoned', async () => {
    const sim = createWorld()
    const echo = await sim.start(Echo)
    const dead = await sim.start(Echo)
    await sim.run(dead.stop())
    const requests = createRequests<string>()
    requests.add(dead.request('now', 'x'), 'dead')
    const response = await sim.run(requests.receive(100))
    expect(response).toMatchObject({ label: 'dead', error: expect.any(CallError) })
    const handle = requests.add(echo.request('after', 1_000), 'slow')
    requests.add(handle, 'added again')
    const waiting = requests.wait(500)
    handle.abandon()
    expect(await sim.run(waiting)).toBe('no_request')
    expect(sim.clock.now()).toBe(0)
    // @ts-expect-error: what no ref.request made
    expect(() => requests.add({}, 'x')).toThrow(TypeError)
  })
})
