/** The order of a transition, rule by rule. After: OTP gen_statem, state callback results, actions and state enter calls. */
import { type From, keep, next, nextEvent, noreply, postpone, repeat, replyTo, stop, timeout } from 'bough/runtime'
import { describe, expect, it } from 'vitest'
import { play, stateOf } from './state-machine-support.ts'
import { createWorld } from './support.ts'

describe('what a handler returns', () => {
  it('nothing keeps the state, next changes it, an equal next does not', async () => {
    const sim = createWorld()
    const { log } = await play(
      sim,
      { go: () => next('b'), same: () => next('b') },
      { casts: ['look', 'go', 'same', 'look'] },
    )
    expect(log).toEqual(['look in a', 'go in a', 'same in b', 'look in b'])
  })

  it('states that are data are compared by value', async () => {
    const sim = createWorld()
    const { ref, log } = await play(
      sim,
      { go: () => next({ on: true, level: 1 }), later: () => keep(postpone()), up: () => next({ on: true, level: 2 }) },
      { casts: ['go', 'later', 'go', 'up'] },
    )
    expect(log.filter((line) => line.startsWith('later'))).toHaveLength(2)
    expect(await stateOf(sim, ref)).toEqual({ on: true, level: 2 })
  })

  it('stop ends the machine with its reason, after its replies, and nothing is handled after it', async () => {
    const sim = createWorld()
    const { ref, log } = await play(
      sim,
      {
        'call bye': (_self, event) =>
          event.type === 'call' ? stop({ shutdown: 1 }, replyTo(event.from, 'farewell')) : 0,
      },
      {},
    )
    const down = ref.down
    const call = ref.call('bye')
    ref.cast('late')
    expect(await sim.run(call)).toBe('farewell')
    expect(await sim.run(down)).toEqual({ shutdown: 1 })
    expect(log).toEqual(['call bye in a', 'end in a: [object Object]'])
  })

  it('of actions that set the same thing the last one counts, and replies leave in order', async () => {
    const sim = createWorld()
    const answers: unknown[] = []
    const { ref, log } = await play(sim, {
      'call two': (_self, event) =>
        event.type === 'call'
          ? keep(
              replyTo(event.from, 'first'),
              timeout('t', 5, 'old'),
              replyTo(event.from, 'second'),
              timeout('t', 9, 'new'),
            )
          : undefined,
    })
    answers.push(await sim.run(ref.call('two')))
    await sim.advance(20)
    expect(answers).toEqual(['first'])
    expect(log).toEqual(['call two in a', 'timeout t new in a'])
  })

  it('a promise of a transition holds everything back until it is there', async () => {
    const sim = createWorld()
    const { log } = await play(
      sim,
      { go: () => Promise.resolve().then(() => next('b', nextEvent('internal', 'first'))) },
      { casts: ['go', 'look'] },
    )
    expect(log).toEqual(['go in a', 'internal first in b', 'look in b'])
  })

  it('what a killed machine still returns has no effect', async () => {
    const sim = createWorld()
    let release: (() => void) | undefined
    const { ref, log } = await play(
      sim,
      { go: () => new Promise((resolve) => (release = () => resolve(next('b')))) },
      { casts: ['go'], stateEnter: true },
    )
    ref.exit('kill')
    release?.()
    await sim.settle()
    expect(log).toEqual(['enter from a in a', 'go in a'])
  })
})

describe('enter', () => {
  it('runs for the initial state, with that state as the previous one, when the start has succeeded', async () => {
    const sim = createWorld()
    const { ref, log } = await play(sim, { 'enter from a': () => stop('no door') }, { stateEnter: true })
    expect(log).toEqual(['enter from a in a', 'end in a: no door'])
    expect(ref.alive).toBe(false)
  })

  it('runs on a change of state, not on an equal next, and again on repeat with the same previous state', async () => {
    const sim = createWorld()
    const { log } = await play(
      sim,
      { go: () => next('b'), same: () => next('b'), again: () => repeat() },
      { stateEnter: true, casts: ['go', 'same', 'again'] },
    )
    expect(log).toEqual([
      'enter from a in a',
      'go in a',
      'enter from a in b',
      'same in b',
      'again in b',
      'enter from b in b',
    ])
  })

  it('comes before inserted and postponed events; its actions join those of the handler', async () => {
    const sim = createWorld()
    const { log } = await play(
      sim,
      {
        'a later': () => keep(postpone()),
        go: () => next('b', nextEvent('internal', 'x'), timeout('t', 5, 'of the handler')),
        'b enter from a': () => keep(timeout('t', 0, 'of enter')),
      },
      { stateEnter: true, casts: ['later', 'go'] },
    )
    await sim.advance(10)
    expect(log.slice(2)).toEqual([
      'go in a',
      'enter from a in b',
      'internal x in b',
      'later in b',
      'timeout t of enter in b',
    ])
  })

  it('may be repeated by itself, a bounded number of times', async () => {
    const sim = createWorld()
    const { ref, log } = await play(sim, { 'enter from a': () => repeat() }, { stateEnter: true })
    expect(ref.alive).toBe(false)
    expect(log).toHaveLength(1_001)
    expect(log.at(-1)).toContain('repeated more than 1000 times')
  })

  it('may not change the state, postpone or insert: the machine ends and says why', async () => {
    const cases = [
      [() => next('c'), 'must not change the state'],
      [() => keep(postpone()), 'there is no event to postpone'],
      [() => keep(nextEvent('internal', 'x')), 'must not insert events'],
    ] as const
    for (const [enter, sentence] of cases) {
      const sim = createWorld()
      const { log } = await play(
        sim,
        { go: () => next('b'), 'b enter from a': enter },
        { stateEnter: true, casts: ['go'] },
      )
      expect(log.at(-1)).toContain(sentence)
    }
  })

  it('that throws leaves the state before: terminate sees it', async () => {
    for (const isAsync of [false, true]) {
      const sim = createWorld()
      const fail = () => {
        if (isAsync) return Promise.reject(new Error('stuck'))
        throw new Error('stuck')
      }
      const { log } = await play(
        sim,
        { go: () => next('b'), 'b enter from a': fail },
        { stateEnter: true, casts: ['go'] },
      )
      expect(log.at(-1)).toBe('end in a: stuck')
    }
  })
})

describe('postpone', () => {
  it('retries on a change of state, oldest first, before everything that waits', async () => {
    const sim = createWorld()
    const wait = () => keep(postpone())
    const { log } = await play(
      sim,
      { 'a one': wait, 'a two': wait, go: () => next('b') },
      { casts: ['one', 'two', 'go', 'three'] },
    )
    expect(log).toEqual(['one in a', 'two in a', 'go in a', 'one in b', 'two in b', 'three in b'])
  })

  it('does not retry on keep, repeat or an equal next', async () => {
    const sim = createWorld()
    const { log } = await play(
      sim,
      { one: () => keep(postpone()), stay: () => keep(), again: () => repeat(), same: () => next('a') },
      { casts: ['one', 'stay', 'again', 'same'] },
    )
    expect(log).toEqual(['one in a', 'stay in a', 'again in a', 'same in a'])
  })

  it('an event that is postponed while it changes the state is retried at once', async () => {
    const sim = createWorld()
    const { log } = await play(sim, { 'a one': () => next('b', postpone()) }, { casts: ['one', 'two'] })
    expect(log).toEqual(['one in a', 'one in b', 'two in b'])
  })

  it('events postponed again keep their order', async () => {
    const sim = createWorld()
    const wait = () => keep(postpone())
    const { log } = await play(
      sim,
      { 'a 1': wait, 'a 2': wait, 'b 1': wait, 'b 2': wait, 'a go': () => next('b'), 'b go': () => next('c') },
      { casts: ['1', '2', 'go', 'go'] },
    )
    expect(log.slice(-2)).toEqual(['1 in c', '2 in c'])
  })

  it('a postponed call is answered when it is retried, by its value or a promise', async () => {
    const sim = createWorld()
    const { ref } = await play(sim, {
      'a call ask': () => keep(postpone()),
      'a call askLater': () => keep(postpone()),
      'b call ask': () => 'an answer',
      'b call askLater': async () => 'a later answer',
      go: () => next('b'),
    })
    const calls = [ref.call('ask'), ref.call('askLater')]
    await sim.settle()
    ref.cast('go')
    expect(await sim.run(Promise.all(calls))).toEqual(['an answer', 'a later answer'])
  })

  it('a postponed call whose retry returns noreply, or is postponed again, stays open', async () => {
    const sim = createWorld()
    const kept: From[] = []
    const { ref } = await play(sim, {
      'a call ask': () => keep(postpone()),
      'b call ask': () => keep(postpone()),
      'c call ask': (_self, event) => {
        if (event.type === 'call') kept.push(event.from)
        return noreply
      },
      'a go': () => next('b'),
      'b go': () => next('c'),
    })
    const call = ref.call('ask')
    await sim.settle()
    ref.cast('go')
    ref.cast('go')
    await sim.settle()
    kept[0]?.reply('at last')
    expect(await sim.run(call)).toBe('at last')
  })

  it('is bounded by postponedMax: a call is refused, both it and a cast are dead letters, the machine goes on', async () => {
    const sim = createWorld()
    const wait = () => keep(postpone())
    const { ref, log } = await play(
      sim,
      { 'a one': wait, 'a two': wait, 'a call ask': wait, go: () => next('b') },
      { postponedMax: 1, casts: ['one', 'two'] },
    )
    await expect(sim.run(ref.call('ask'))).rejects.toMatchObject({ code: 'overload' })
    expect(sim.events.filter(({ type }) => type === 'dead_letter')).toMatchObject([
      { count: 1, why: 'overflow' },
      { count: 1, why: 'overflow' },
    ])
    ref.cast('go')
    await sim.settle()
    expect(log.slice(-2)).toEqual(['go in a', 'one in b'])
  })

  it('does not count what the machine itself asked for: its own events are never refused', async () => {
    const sim = createWorld()
    const { log } = await play(
      sim,
      {
        'a go': () => next('b', nextEvent('internal', 'x')),
        'b internal x': () => keep(postpone()),
        'b on': () => next('c'),
      },
      { postponedMax: 0, casts: ['go', 'on'] },
    )
    expect(log.at(-1)).toBe('internal x in c')
  })
})

describe('nextEvent', () => {
  it('inserts before everything that waits, retried events too, and keeps the order of the list', async () => {
    const sim = createWorld()
    const { log } = await play(
      sim,
      {
        'a later': () => keep(postpone()),
        go: () => next('b', nextEvent('internal', 'x', 1), nextEvent('internal', 'x', 2)),
        'internal x 1': () => keep(nextEvent('internal', 'y')),
      },
      { casts: ['later', 'go', 'last'] },
    )
    expect(log.slice(1)).toEqual([
      'go in a',
      'internal x 1 in b',
      'internal y in b',
      'internal x 2 in b',
      'later in b',
      'last in b',
    ])
  })

  it('makes events of every type', async () => {
    const sim = createWorld()
    const { ref, log } = await play(sim, {
      'call all': (_self, event) =>
        event.type !== 'call'
          ? undefined
          : keep(
              nextEvent('cast', 'go'),
              nextEvent('info', 'hello'),
              nextEvent('timeout', 't', 1),
              nextEvent('stateTimeout', 2),
              nextEvent('eventTimeout', 3),
              nextEvent('call', 'ask', undefined, event.from),
            ),
      'call ask': () => 'answered',
    })
    expect(await sim.run(ref.call('all'))).toBe('answered')
    expect(log.slice(1, -1)).toEqual([
      'go in a',
      'hello in a',
      'timeout t 1 in a',
      'stateTimeout 2 in a',
      'eventTimeout 3 in a',
    ])
  })

  it('lets other processes and an exit signal through when a machine feeds itself for ever', async () => {
    const sim = createWorld()
    let count = 0
    const stopAt = 5_000
    const { ref } = await play(sim, {
      go: () => keep(nextEvent('cast', 'go')),
      'a go': () => {
        if (++count === stopAt) ref.exit('kill')
        return keep(nextEvent('cast', 'go'))
      },
    })
    ref.cast('go')
    await sim.settle()
    expect(ref.alive).toBe(false)
    expect(count).toBe(stopAt)
  })

  it('is bounded: a machine that inserts more than it handles ends and says why', async () => {
    const sim = createWorld()
    const twice = () => keep(...Array.from({ length: 60_000 }, () => nextEvent('internal', 'x')))
    const { log } = await play(sim, { go: twice, 'internal x': twice }, { casts: ['go'] })
    expect(log.at(-1)).toContain('inserted more events than it handles')
  })
})

describe('a mistake in a transition', () => {
  it('ends the machine with a sentence that names process, state and action', async () => {
    const cases = [
      [() => stop('normal', postpone() as never), 'stop takes replies'],
      [() => keep({}, 7 as never), 'this is no action: 7'],
      [() => nextEvent('shout' as never, 'x'), 'the type must be internal'],
    ] as const
    for (const [react, sentence] of cases) {
      const sim = createWorld()
      const { log } = await play(sim, { go: react }, { casts: ['go'] })
      expect(log.at(-1)).toContain(sentence)
    }
  })
})
