import { CallError, defineActor, type Self } from 'bough/runtime'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { codeOf, createWorld } from './support.ts'

/** Opens at `open`; until then it puts aside whatever comes. */
const Gate = defineActor({
  name: 'gate',
  stashCapacity: 3,
  init: (_: undefined) => ({ isOpen: false, seen: [] as unknown[] }),
  call: {
    pass: (state, what: unknown, self) => {
      if (!state.isOpen) return self.stash()
      state.seen.push(what)
      return `passed ${String(what)}`
    },
    // It does not return what stash returns: the caller must wait all the same.
    careless: (state, _arg: undefined, self) => {
      if (!state.isOpen) self.stash()
      return 'careless'
    },
    later: async (state, _arg: undefined, self) => {
      await Promise.resolve()
      return state.isOpen ? 'later' : self.stash()
    },
    twice: (_state, _arg: undefined, self) => {
      self.stash()
      return self.stash()
    },
    seen: (state) => state.seen,
  },
  cast: {
    open: (state, _arg: undefined, self) => {
      state.isOpen = true
      state.seen.push(`returned ${self.unstashAll()}`)
    },
    note: (state, what: unknown, self) => {
      if (state.isOpen) state.seen.push(what)
      else self.stash()
    },
  },
  info: (state, message, self) => {
    if (state.isOpen) state.seen.push(message)
    else self.stash()
  },
  continue: { stash: (_state, _arg: undefined, self) => self.stash() },
})

describe('self.stash', () => {
  it('keeps calls, casts and infos in order, ahead of what waits when they return', async () => {
    const sim = createWorld()
    const gate = await sim.start(Gate)
    gate.cast('note', 1)
    const passed = gate.call('pass', 2)
    gate.send(3)
    await sim.settle()
    gate.cast('open')
    gate.cast('note', 4)
    expect(await sim.run(passed)).toBe('passed 2')
    expect(await sim.run(gate.call('seen'))).toEqual(['returned 3', 1, 2, 3, 4])
  })

  it('keeps the right to a reply, whatever its handler returns or when', async () => {
    const sim = createWorld()
    const gate = await sim.start(Gate)
    const careless = gate.call('careless')
    const later = gate.call('later')
    await sim.settle()
    gate.cast('open')
    expect(await sim.run(careless)).toBe('careless')
    expect(await sim.run(later)).toBe('later')
  })

  it('throws when it is full: uncaught, that ends the process', async () => {
    const sim = createWorld()
    const gate = await sim.start(Gate)
    const calls = [gate.call('pass', 1), gate.call('pass', 2)].map(codeOf)
    gate.cast('note', 1)
    gate.send(1)
    expect(await sim.run(gate.down)).toBeInstanceOf(CallError)
    expect(await sim.run(Promise.all(calls))).toEqual(['CallError exit', 'CallError exit'])
    expect(sim.events).toMatchObject([
      {
        type: 'crash',
        message: 'info',
        reason: { code: 'overload', message: expect.stringContaining('stashCapacity 3') },
      },
      { type: 'dead_letter', count: 1, why: 'exit' },
    ])
  })

  it('tells undelivered of what is lost with it', async () => {
    const sim = createWorld()
    const lost: unknown[] = []
    const Hoarder = defineActor({
      name: 'hoarder',
      init: (_: undefined) => 0,
      cast: {
        keep: (_state, _what: unknown, self) => {
          self.stash()
        },
      },
      undelivered: (_state, { op, arg }) => lost.push([op, arg]),
    })
    const hoarder = await sim.start(Hoarder)
    hoarder.cast('keep', 1)
    await sim.settle()
    hoarder.exit('kill')
    expect(lost).toEqual([['keep', 1]])
  })

  it('is refused twice for one message, and outside one', async () => {
    const sim = createWorld()
    const gate = await sim.start(Gate)
    const twice = codeOf(gate.call('twice'))
    expect(await sim.run(twice)).toBe('CallError exit')
    expect(sim.events[0]).toMatchObject({ message: 'call twice', lastMessage: { kind: 'call', op: 'twice' } })
    let kept: Self | undefined
    const Keeper = defineActor({
      name: 'keeper',
      init: (_: undefined, self: Self<never>) => {
        kept = self as unknown as Self
        self.continueWith('now')
        return 0
      },
      continue: {
        now: (_state, _arg: undefined, self) => {
          expect(() => self.stash()).toThrow('handling none')
        },
      },
    })
    await sim.start(Keeper)
    await sim.settle()
    expect(() => kept?.stash()).toThrow('handling none')
    expect(kept?.unstashAll()).toBe(0)
  })

  it('may be emptied from outside a handler', async () => {
    const sim = createWorld()
    let kept: Self | undefined
    const Late = defineActor({
      name: 'late',
      init: (_: undefined) => ({ isOpen: false }),
      call: {
        ask: (state, _arg: undefined, self) => {
          kept = self as unknown as Self
          return state.isOpen ? 'answer' : self.stash()
        },
      },
      cast: {
        open: (state) => {
          state.isOpen = true
        },
      },
    })
    const late = await sim.start(Late)
    const answer = late.call('ask')
    late.cast('open')
    await sim.settle()
    expect(kept?.unstashAll()).toBe(1)
    expect(await sim.run(answer)).toBe('answer')
  })

  it.each([0, 1.5, '1'])('has a capacity of whole messages: %s is refused', (stashCapacity) => {
    expect(() => defineActor({ name: 'x', init: () => 0, stashCapacity: stashCapacity as number })).toThrow(TypeError)
  })

  it('neither loses, doubles nor reorders what one sender sent, whenever it opens and closes', async () => {
    const seed = process.env['BOUGH_SEED']
    const Door = defineActor({
      name: 'door',
      init: (_: undefined) => ({ isOpen: false, seen: [] as number[] }),
      call: {
        pass: (state, n: number, self) => {
          if (!state.isOpen) return self.stash()
          state.seen.push(n)
          return n
        },
        seen: (state) => state.seen,
      },
      cast: {
        turn: (state, isOpen: boolean, self) => {
          state.isOpen = isOpen
          if (isOpen) self.unstashAll()
        },
      },
    })
    await fc.assert(
      fc.asyncProperty(fc.array(fc.constantFrom('pass', 'open', 'close')), fc.integer(), async (steps, simSeed) => {
        const sim = createWorld(simSeed)
        const door = await sim.start(Door)
        const calls: Promise<unknown>[] = []
        for (const step of [...steps, 'open']) {
          if (step === 'pass') calls.push(door.call('pass', calls.length))
          else door.cast('turn', step === 'open')
        }
        expect(await sim.run(Promise.all(calls))).toEqual(calls.map((_, n) => n))
        expect(await sim.run(door.call('seen'))).toEqual(calls.map((_, n) => n))
      }),
      { numRuns: 50, ...(seed === undefined ? { seed: 1 } : { seed: Number(seed) }) },
    )
  })
})
