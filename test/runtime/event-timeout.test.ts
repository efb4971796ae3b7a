import { defineActor, type Self, sys } from 'bough/runtime'
import { describe, expect, it } from 'vitest'
import { createWorld } from './support.ts'

type Act = (self: Self) => unknown

/** Notes when it got which message; does what it is told in casts. */
const Waiter = defineActor({
  name: 'waiter',
  init: (ms: number, self: Self<never>) => {
    if (ms >= 0) self.eventTimeout(ms)
    return { seen: [] as unknown[] }
  },
  call: {
    seen: (state) => state.seen.splice(0),
    later: async (_state, ms: number, self) => {
      self.eventTimeout(10)
      await new Promise<void>((resolve) => self.system.timers.start(ms, () => resolve()))
    },
  },
  cast: {
    // The kernel's `self` has no state type here.
    do: (_state, act: Act, self) => act(self as unknown as Self),
    note: (state, what: unknown, self) => {
      state.seen.push([self.now(), what])
    },
  },
  info: (state, message, self) => {
    state.seen.push([self.now(), message])
  },
  continue: { again: (_state, ms: number, self) => self.eventTimeout(ms, 'continued') },
})

const none = -1

describe('self.eventTimeout', () => {
  it('sends its message to info once when no message came for that long', async () => {
    const sim = createWorld()
    const waiter = await sim.start(Waiter, 100)
    await sim.advance(1_000)
    expect(await sim.run(waiter.call('seen'))).toEqual([[100, { type: 'timeout' }]])
    waiter.cast('do', (self) => self.eventTimeout(50, 'mine'))
    await sim.advance(1_000)
    expect(await sim.run(waiter.call('seen'))).toEqual([[1_050, 'mine']])
  })

  it.each(['call', 'cast', 'info', 'DOWN'])('is cancelled by any message: %s', async (kind) => {
    const sim = createWorld()
    const waiter = await sim.start(Waiter, none)
    const other = await sim.start(Waiter, none)
    waiter.cast('do', (self) => {
      self.monitor(other)
      self.eventTimeout(100)
    })
    await sim.advance(99)
    if (kind === 'call') await sim.run(waiter.call('seen'))
    if (kind === 'cast') waiter.cast('do', () => undefined)
    if (kind === 'info') waiter.send('hello')
    if (kind === 'DOWN') other.exit('kill')
    await sim.advance(1_000)
    expect(JSON.stringify(await sim.run(waiter.call('seen')))).not.toContain('timeout')
    expect(sim.system.timers.size).toBe(0)
  })

  it('is replaced by the next one and cancelled by Infinity', async () => {
    const sim = createWorld()
    const waiter = await sim.start(Waiter, none)
    waiter.cast('do', (self) => {
      self.eventTimeout(10, 'first')
      self.eventTimeout(20, 'second')
    })
    await sim.advance(100)
    expect(await sim.run(waiter.call('seen'))).toEqual([[20, 'second']])
    waiter.cast('do', (self) => {
      self.eventTimeout(10)
      self.eventTimeout(Number.POSITIVE_INFINITY)
    })
    await sim.advance(100)
    expect(await sim.run(waiter.call('seen'))).toEqual([])
  })

  it('with 0 fires at once, but only if nothing waits', async () => {
    const sim = createWorld()
    const waiter = await sim.start(Waiter, 0)
    await sim.settle()
    expect(await sim.run(waiter.call('seen'))).toEqual([[0, { type: 'timeout' }]])
    waiter.cast('do', (self) => self.eventTimeout(0))
    waiter.cast('note', 'came first')
    await sim.settle()
    expect(await sim.run(waiter.call('seen'))).toEqual([[0, 'came first']])
  })

  it('counts from the end of the handler, not from its middle', async () => {
    const sim = createWorld()
    const waiter = await sim.start(Waiter, none)
    await sim.run(waiter.call('later', 500))
    await sim.advance(1_000)
    expect(await sim.run(waiter.call('seen'))).toEqual([[510, { type: 'timeout' }]])
  })

  it('does not overtake a message that came before it was due', async () => {
    const sim = createWorld()
    const waiter = await sim.start(Waiter, none)
    waiter.cast('do', (self) => self.eventTimeout(100))
    await sim.advance(50)
    await sim.run(sys.suspend(waiter))
    waiter.cast('note', 'waited')
    await sim.advance(100)
    await sim.run(sys.resume(waiter))
    await sim.advance(1_000)
    expect(await sim.run(waiter.call('seen'))).toEqual([[150, 'waited']])
  })

  it('starts anew after a suspension without messages', async () => {
    const sim = createWorld()
    const waiter = await sim.start(Waiter, 100)
    await sim.advance(50)
    await sim.run(sys.suspend(waiter))
    await sim.advance(1_000)
    expect(waiter.info()?.queueLength).toBe(0)
    await sim.run(sys.resume(waiter))
    await sim.advance(99)
    expect(waiter.info()?.messagesHandled).toBe(2)
    await sim.advance(1)
    expect(await sim.run(waiter.call('seen'))).toEqual([[1_150, { type: 'timeout' }]])
  })

  it('may be set by a continuation, and from outside a handler', async () => {
    const sim = createWorld()
    const waiter = await sim.start(Waiter, none)
    let kept: Self | undefined
    waiter.cast('do', (self) => {
      kept = self
      self.continueWith('again', 30)
    })
    await sim.advance(100)
    expect(await sim.run(waiter.call('seen'))).toEqual([[30, 'continued']])
    kept?.eventTimeout(5, 'outside')
    await sim.advance(100)
    expect(await sim.run(waiter.call('seen'))).toEqual([[105, 'outside']])
    await sim.run(waiter.stop())
    kept?.eventTimeout(5)
    expect(sim.system.timers.size).toBe(0)
  })

  it('ends with the process and refuses what is no number', async () => {
    const sim = createWorld()
    const waiter = await sim.start(Waiter, 100)
    await sim.run(waiter.stop())
    expect(sim.system.timers.size).toBe(0)
    const other = await sim.start(Waiter, none)
    other.cast('do', (self) => self.eventTimeout(Number.NaN))
    await sim.settle()
    expect(sim.events[0]).toMatchObject({ type: 'crash', reason: { message: expect.stringContaining('got NaN') } })
  })
})

describe('hibernateAfter', () => {
  const Sleeper = defineActor({
    name: 'sleeper',
    hibernateAfter: 1_000,
    init: (_: undefined, self: Self<never>) => self,
  })

  it('gives the mailbox back after so long without a message, however often it was put off', async () => {
    const sim = createWorld()
    const sleeper = await sim.start(Sleeper)
    // Whether the mailbox holds memory is its own affair; what is seen is that it is told to let go.
    let shrunk: number[] = []
    const self = (await sim.run(sys.getState(sleeper))) as unknown as { hibernate: () => void; now: () => number }
    const hibernate = self.hibernate.bind(self)
    self.hibernate = () => {
      shrunk.push(self.now())
      hibernate()
    }
    for (let time = 0; time < 10; time++) {
      sleeper.send('wake up')
      await sim.advance(500)
    }
    expect(shrunk).toEqual([])
    await sim.advance(10_000)
    expect(shrunk).toEqual([5_500])
    expect(sim.system.timers.size).toBe(0)
    shrunk = []
    sleeper.send('wake up')
    await sim.advance(10_000)
    expect(shrunk).toEqual([16_000])
    await sim.run(sleeper.stop())
  })

  it.each([-1, Number.NaN, '5'])('refuses %s', (hibernateAfter) => {
    expect(() => defineActor({ name: 'x', init: () => 0, hibernateAfter: hibernateAfter as number })).toThrow(TypeError)
  })
})
