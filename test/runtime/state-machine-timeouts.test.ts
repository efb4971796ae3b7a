/** The three kinds of time-out, rule by rule. After: OTP gen_statem, time-out actions. */
import {
  cancel,
  eventTimeout,
  keep,
  next,
  nextEvent,
  postpone,
  repeat,
  stateTimeout,
  timeout,
  update,
} from 'bough/runtime'
import { describe, expect, it } from 'vitest'
import { play } from './state-machine-support.ts'
import { createWorld } from './support.ts'

const start = 'start'

describe('the event time-out', () => {
  it('fires when no event comes', async () => {
    const sim = createWorld()
    const { log } = await play(sim, { start: () => keep(eventTimeout(10, 'quiet')) }, { casts: [start] })
    await sim.advance(10)
    expect(log).toEqual(['start in a', 'eventTimeout quiet in a'])
  })

  it('is cancelled by any event: a cast, an unhandled info, another time-out, an inserted event', async () => {
    const reactions = {
      start: () => keep(eventTimeout(10), timeout('other', 20)),
      insert: () => keep(eventTimeout(10), nextEvent('internal', 'x')),
      long: () => keep(eventTimeout(30), timeout('other', 20)),
      stay: () => keep(),
    }
    for (const [casts, message] of [
      [[start, 'look'], undefined],
      [[start, 'stay'], undefined],
      [[start], 'hello'],
      [['insert'], undefined],
      [['long'], undefined],
    ] as const) {
      const sim = createWorld()
      const { ref, log } = await play(sim, reactions, { casts })
      if (message !== undefined) ref.send(message)
      await sim.advance(100)
      expect(log.join()).not.toContain('eventTimeout')
    }
  })

  it('is cancelled by a postponed event too, and by its retry', async () => {
    const sim = createWorld()
    const { log } = await play(
      sim,
      { 'a later': () => keep(postpone()), start: () => next('b', eventTimeout(0)) },
      { casts: ['later', start] },
    )
    await sim.advance(100)
    expect(log).toEqual(['later in a', 'start in a', 'later in b'])
  })
})

describe('the state time-out', () => {
  it('is cancelled by a change of state, not by an equal next, other events or a repeat', async () => {
    const sim = createWorld()
    const { ref, log } = await play(
      sim,
      { start: () => keep(stateTimeout(10)), same: () => next('a'), again: () => repeat(), go: () => next('b') },
      { casts: [start, 'same', 'again'] },
    )
    await sim.advance(10)
    expect(log.at(-1)).toBe('stateTimeout in a')
    ref.cast(start)
    ref.cast('go')
    await sim.advance(100)
    expect(log.at(-1)).toBe('go in a')
  })

  it('set in the transition that changes the state belongs to the next state', async () => {
    const sim = createWorld()
    const { log } = await play(sim, { go: () => next('b', stateTimeout(10)) }, { casts: ['go', 'look'] })
    await sim.advance(10)
    expect(log.at(-1)).toBe('stateTimeout in b')
  })
})

describe('a named time-out', () => {
  it('survives events and changes of state, beside others of other names', async () => {
    const sim = createWorld()
    const { log } = await play(
      sim,
      { start: () => keep(timeout('x', 20, 1), timeout('y', 10, 2)), go: () => next('b') },
      { casts: [start, 'go', 'look'] },
    )
    await sim.advance(20)
    expect(log.slice(-2)).toEqual(['timeout y 2 in b', 'timeout x 1 in b'])
  })
})

describe('a timer', () => {
  it('started again replaces the one that runs', async () => {
    const sim = createWorld()
    const { ref, log } = await play(
      sim,
      { start: () => keep(timeout('t', 10, 1)), more: () => keep(timeout('t', 30, 2)) },
      { casts: [start] },
    )
    await sim.advance(5)
    ref.cast('more')
    await sim.advance(100)
    expect(log).toEqual(['start in a', 'more in a', 'timeout t 2 in a'])
  })

  it('is stopped by cancel, and by Infinity; a timer that does not run is no matter', async () => {
    for (const end of [
      () => keep(cancel('timeout', 't'), cancel('stateTimeout')),
      () => keep(timeout('t', Number.POSITIVE_INFINITY)),
    ]) {
      const sim = createWorld()
      const { log } = await play(sim, { start: () => keep(timeout('t', 10)), end }, { casts: [start, 'end'] })
      await sim.advance(100)
      expect(log).toEqual(['start in a', 'end in a'])
    }
  })

  it('takes a moment of the clock instead of a length; one in the past is due at once', async () => {
    const sim = createWorld()
    await sim.advance(1_000)
    const { log } = await play(
      sim,
      {
        start: (self) =>
          keep(
            timeout('t', { at: self.now() + 10 }),
            timeout('past', { at: 3 }),
            timeout('never', { at: Number.POSITIVE_INFINITY }),
          ),
      },
      { casts: [start] },
    )
    await sim.advance(9)
    expect(log).toEqual(['start in a', 'timeout past in a'])
    await sim.advance(1)
    expect(log.at(-1)).toBe('timeout t in a')
  })

  it('cancelled or replaced while its event waits in the mailbox is never seen', async () => {
    const busy = { start: () => keep(timeout('t', 10, 'late'), timeout('u', 10, 'late'), stateTimeout(10, 'late')) }
    const sim = createWorld()
    let release: ((value: unknown) => void) | undefined
    const { ref, log } = await play(
      sim,
      { ...busy, wait: () => new Promise((resolve) => (release = resolve)) },
      { casts: [start, 'wait'] },
    )
    await sim.advance(10)
    expect(ref.info()?.queueLength).toBe(3)
    release?.(next('b', cancel('timeout', 't'), timeout('u', 5, 'new')))
    await sim.advance(100)
    expect(log).toEqual(['start in a', 'wait in a', 'timeout u new in b'])
  })

  it('updated keeps its time and takes the new content, while it runs and while its event waits', async () => {
    const sim = createWorld()
    let release: ((value: unknown) => void) | undefined
    const { ref, log } = await play(
      sim,
      {
        start: () => keep(timeout('t', 10, 'old'), timeout('u', 20, 'old')),
        change: () => keep(update('timeout', 't', 'new')),
        wait: () => new Promise((resolve) => (release = resolve)),
      },
      { casts: [start, 'change'] },
    )
    await sim.advance(10)
    expect(log.at(-1)).toBe('timeout t new in a')
    ref.cast('wait')
    await sim.advance(10)
    release?.(keep(update('timeout', 'u', 'newer')))
    await sim.settle()
    expect(log.at(-1)).toBe('timeout u newer in a')
  })

  it('that does not run fires at once when it is updated', async () => {
    const sim = createWorld()
    const { log } = await play(
      sim,
      { start: () => keep(update('stateTimeout', 'now'), update('timeout', 't', 1)) },
      { casts: [start] },
    )
    expect(log).toEqual(['start in a', 'stateTimeout now in a', 'timeout t 1 in a'])
  })

  it('fires once: after its event it runs no more, so an update of it fires at once', async () => {
    for (const ms of [0, 10]) {
      const sim = createWorld()
      const { ref, log } = await play(
        sim,
        { start: () => keep(timeout('t', ms)), more: () => keep(update('timeout', 't', 'more')) },
        { casts: [start] },
      )
      await sim.advance(100)
      expect(log).toEqual(['start in a', 'timeout t in a'])
      expect(ref.info()?.timers).toBe(0)
      ref.cast('more')
      await sim.settle()
      expect(log.slice(2)).toEqual(['more in a', 'timeout t more in a'])
    }
  })

  it('is not refused by a full mailbox', async () => {
    for (const overflow of ['reject', 'dropNewest', 'dropOldest'] as const) {
      const sim = createWorld()
      let release: ((value: unknown) => void) | undefined
      const { ref, log } = await play(
        sim,
        { start: () => keep(timeout('t', 10)), wait: () => new Promise((resolve) => (release = resolve)) },
        { casts: [start], mailbox: { capacity: 1, overflow } },
      )
      ref.cast('wait')
      await sim.settle()
      ref.cast('look')
      await sim.advance(10)
      ref.cast('look')
      release?.(undefined)
      await sim.settle()
      expect(log).toContain('timeout t in a')
    }
  })

  it('goes with its process', async () => {
    const sim = createWorld()
    const { ref } = await play(
      sim,
      { start: () => keep(timeout('t', 10), stateTimeout(10), eventTimeout(10)) },
      { casts: [start] },
    )
    expect(sim.system.timers.size).toBe(3)
    ref.exit('kill')
    expect(sim.system.timers.size).toBe(0)
  })

  it('refuses a time that is none, and says so', () => {
    expect(() => timeout('retry', -1)).toThrow(
      'timeout "retry": the time must be milliseconds >= 0, Infinity, or { at: milliseconds }, got -1.',
    )
    expect(() => stateTimeout(Number.NaN)).toThrow('got NaN')
    expect(() => eventTimeout({} as never)).toThrow('got {}')
  })
})

describe('a time-out of zero', () => {
  it('comes behind inserted and retried events, before what has not been received', async () => {
    const sim = createWorld()
    const { log } = await play(
      sim,
      { 'a later': () => keep(postpone()), go: () => next('b', timeout('t', 0), nextEvent('internal', 'x')) },
      { casts: ['later', 'go', 'last'] },
    )
    expect(log.slice(1)).toEqual(['go in a', 'internal x in b', 'later in b', 'timeout t in b', 'last in b'])
  })

  it('keeps the order of the actions, whatever the kind', async () => {
    const sim = createWorld()
    const { log } = await play(
      sim,
      { start: () => keep(timeout('y', 0), stateTimeout(0), timeout('x', 0), timeout('y', 0, 'again')) },
      { casts: [start] },
    )
    expect(log.slice(1)).toEqual(['stateTimeout in a', 'timeout x in a', 'timeout y again in a'])
  })

  it('that waits is replaced by a longer one, and cancelled like any other', async () => {
    const sim = createWorld()
    const { log } = await play(
      sim,
      {
        start: () => keep(timeout('t', 0, 'old'), timeout('u', 0), stateTimeout(0), nextEvent('internal', 'x')),
        'internal x': () => next('b', timeout('t', 10, 'new'), cancel('timeout', 'u')),
      },
      { casts: [start] },
    )
    await sim.advance(10)
    expect(log).toEqual(['start in a', 'internal x in a', 'timeout t new in b'])
  })
})
