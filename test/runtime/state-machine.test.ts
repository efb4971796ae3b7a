/** A machine as a process and as a typed client. Transitions and time-outs have files of their own. */
import {
  type CallError,
  defineStateMachine,
  type From,
  hibernate,
  ignore,
  keep,
  type MachineSelf,
  next,
  nextEvent,
  postpone,
  reply,
  replyTo,
  stateTimeout,
  stop,
  sys,
} from 'bough/runtime'
import { describe, expect, it } from 'vitest'
import { createWorld } from './support.ts'

const options = {
  name: 'door',
  init: (code: string) => ({ state: 'locked', data: { code, tries: 0, heard: [] as unknown[] } }),
}

const Door = defineStateMachine({
  ...options,
  version: 1,
  states: {
    locked: {
      call: {
        unlock: (data, code: string) => {
          if (code !== data.code) return false
          return next('open', { ...data, tries: 0 }, reply(true))
        },
        tries: (data) => data.tries,
      },
      cast: {
        knock: (data) => {
          data.tries++
        },
        ring: () => keep(postpone()),
      },
    },
    open: {
      enter: () => keep(stateTimeout(10_000, 'draught')),
      stateTimeout: (data, content: string) => next('locked', { ...data, heard: [...data.heard, content] }),
      call: { unlock: () => true, whenLocked: () => keep(postpone()) },
      cast: {
        ring: (data) => {
          data.heard.push('ring')
        },
      },
    },
  },
  anyState: {
    call: {
      whenLocked: (data, _arg: undefined, self) => Promise.resolve(`${self.state.state} after ${data.heard.length}`),
      leave: () => stop('shutdown', reply('bye' as const)),
    },
    info: (data, message) => {
      data.heard.push(message)
    },
  },
})

describe('a call', () => {
  it('is answered by what the handler returns, or by the reply of its transition; both type the reply', async () => {
    const sim = createWorld()
    const door = await sim.start(Door, '1234')
    const wrong: boolean = await sim.run(door.call('unlock', '1'))
    expect(wrong).toBe(false)
    const right: boolean = await sim.run(door.call('unlock', '1234'))
    expect(right).toBe(true)
    await sim.advance(10_000)
    const tries: number = await sim.run(door.call('tries'))
    expect(tries).toBe(0)
    const bye: 'bye' = await sim.run(door.call('leave'))
    expect(bye).toBe('bye')
    expect(door.alive).toBe(false)
  })

  it('that is postponed waits for the state it needs', async () => {
    const sim = createWorld()
    const door = await sim.start(Door, '1')
    await sim.run(door.call('unlock', '1'))
    const call = door.call('whenLocked', undefined, { timeout: 60_000 })
    const said: string = await sim.run(call)
    expect(said).toBe('locked after 1')
    expect(sim.clock.now()).toBe(10_000)
  })

  it('that the state lacks is undef and harms nobody', async () => {
    const sim = createWorld()
    const door = await sim.start(Door, '1')
    await sim.run(door.call('unlock', '1'))
    const error = (await sim.run(door.call('tries').catch((reason) => reason))) as CallError
    expect(error.code).toBe('undef')
    expect(error.message).toBe(`door <sim.1> in state "open" has no call "tries". It has: whenLocked, leave, unlock.`)
    expect(door.alive).toBe(true)
  })

  it('may be answered later: with noreply, a transition without reply, a kept self.from', async () => {
    const sim = createWorld()
    const Later = defineStateMachine({
      name: 'later',
      init: () => ({ state: 'idle', data: [] as From[] }),
      states: {
        idle: {
          call: {
            one: (data, _arg: undefined, self) => {
              data.push(self.from)
              return self.noreply
            },
            two: (data, _arg: undefined, self) => keep([...data, self.from]),
          },
          cast: { answer: (data) => keep(...data.map((from, place) => replyTo(from, place))) },
        },
      },
    })
    const ref = await sim.start(Later)
    const calls = [ref.call('one'), ref.call('two')]
    await sim.settle()
    ref.cast('answer')
    expect(await sim.run(Promise.all(calls))).toEqual([0, 1])
  })

  it('that waits when the machine ends fails with its reason, postponed ones too', async () => {
    const sim = createWorld()
    const door = await sim.start(Door, '1')
    await sim.run(door.call('unlock', '1'))
    const call = door.call('whenLocked')
    await sim.settle()
    door.exit('burnt')
    await expect(sim.run(call)).rejects.toMatchObject({ code: 'exit', reason: 'burnt' })
  })

  it('is checked by the types: operation, argument, casts apart from calls, names of states', () => {
    const check = (door: Awaited<ReturnType<typeof start>>): unknown[] => [
      // @ts-expect-error an operation that no state has
      door.call('open'),
      // @ts-expect-error an argument of another type
      door.call('unlock', 5),
      // @ts-expect-error a call is no cast
      door.cast('unlock', '1'),
    ]
    const start = (world = createWorld()) => world.start(Door, '1')
    expect(check).toBeTypeOf('function')
    const wrong = () =>
      defineStateMachine({
        ...options,
        states: {
          // @ts-expect-error there is no state 'opne'
          locked: { cast: { go: () => next('opne') } },
          open: {},
        },
      })
    expect(wrong).not.toThrow()
  })
})

describe('the life of a machine', () => {
  it('starts with init: a value, a promise, ignore, or a failure', async () => {
    const sim = createWorld()
    const Starter = defineStateMachine({
      name: 'starter',
      init: async (how: string) => {
        if (how === 'ignore') return ignore
        if (how === 'throw') throw new Error('no')
        return { state: how, data: how, actions: [nextEvent('internal', 'go', 7)] }
      },
      states: { idle: { internal: { go: (_data, content: number) => keep(`went ${content}`) } } },
    })
    expect(await sim.start(Starter, 'ignore')).toBeUndefined()
    await expect(sim.start(Starter, 'throw')).rejects.toMatchObject({ code: 'init', reason: new Error('no') })
    await expect(sim.start(Starter, 'nowhere')).rejects.toThrow('starter has no state nowhere. It has: idle.')
    const ref = await sim.start(Starter, 'idle')
    expect(await sim.run(sys.getState(ref ?? fail()))).toEqual({ state: 'idle', data: 'went 7' })
  })

  it('ends with terminate, which is given state and data', async () => {
    const sim = createWorld()
    const ends: unknown[] = []
    const Ending = defineStateMachine({
      name: 'ending',
      init: (_arg: undefined, self: MachineSelf) => ({ state: 'only', data: self.pid }),
      states: { only: { cast: { crash: () => Promise.reject(new Error('boom')), leave: () => stop() } } },
      terminate: ({ state, data }, reason) => {
        ends.push([state, data, reason])
      },
    })
    const first = await sim.start(Ending)
    await sim.run(first.stop('shutdown'))
    const second = await sim.start(Ending)
    second.cast('crash')
    const third = await sim.start(Ending)
    third.cast('leave')
    await sim.settle()
    expect(ends).toEqual([
      ['only', 'sim.1', 'shutdown'],
      ['only', 'sim.2', new Error('boom')],
      ['only', 'sim.3', 'normal'],
    ])
  })

  it('is watched as other processes are: DOWN and EXIT arrive at info, a crash names its event', async () => {
    const sim = createWorld()
    const Watcher = defineStateMachine({
      name: 'watcher',
      trapExits: true,
      init: () => ({ state: 'only', data: [] as unknown[] }),
      states: {
        only: {
          cast: {
            watch: (_data, other: Parameters<MachineSelf['link']>[0], self) => {
              self.monitor(other)
              self.link(other)
            },
            fail: () => keep(nextEvent('internal', 'fall')),
          },
          info: (data, message) => keep([...data, (message as { type: string }).type]),
          internal: {
            fall: () => {
              throw new Error('fell')
            },
          },
        },
      },
    })
    const watcher = await sim.start(Watcher)
    const other = await sim.start(Watcher)
    watcher.cast('watch', other)
    other.cast('fail')
    await sim.settle()
    expect(sim.events.find(({ type }) => type === 'crash')).toMatchObject({ message: 'internal fall' })
    const { data } = (await sim.run(sys.getState(watcher))) as { data: string[] }
    expect(data.toSorted()).toEqual(['DOWN', 'EXIT'])
  })

  it('says which events it has no handler for', async () => {
    const sim = createWorld()
    const Deaf = defineStateMachine({
      name: 'deaf',
      init: () => ({ state: 'only', data: 0 }),
      states: { only: { cast: { on: () => keep(hibernate(), nextEvent('internal', 'x'), stateTimeout(0)) } } },
    })
    const deaf = await sim.start(Deaf)
    deaf.cast('on')
    deaf.send('hello')
    await sim.settle()
    const unexpected = sim.events.filter(({ type }) => type === 'unexpected_message')
    expect(unexpected.map((event) => 'op' in event && event.op)).toEqual(['internal x', 'stateTimeout', undefined])
  })

  it('continues with an internal event', async () => {
    const sim = createWorld()
    const Chain = defineStateMachine({
      name: 'chain',
      init: () => ({ state: 'only', data: [] as string[] }),
      states: {
        only: {
          cast: { go: (_data, _arg: undefined, self) => self.continueWith('more', 'x') },
          internal: { more: (data, content: string) => keep([...data, content]) },
        },
      },
    })
    const chain = await sim.start(Chain)
    chain.cast('go')
    await sim.settle()
    expect(await sim.run(sys.getState(chain))).toEqual({ state: 'only', data: ['x'] })
  })
})

describe('sys', () => {
  it('shows and replaces state and data; a state that does not exist is refused', async () => {
    const sim = createWorld()
    const door = await sim.start(Door, '1')
    door.cast('ring')
    await sim.settle()
    const replace = (state: unknown) => sys.replaceState(door, (old) => ({ ...(old as object), state }))
    await expect(sim.run(replace('ajar'))).rejects.toThrow('door has no state ajar. It has: locked, open.')
    await sim.run(replace('open'))
    expect(await sim.run(sys.getStatus(door))).toMatchObject({ state: { state: 'open', data: { code: '1' } } })
    expect(await sim.run(door.call('unlock', 'x'))).toBe(true)
  })

  it('suspends between two messages from outside, when the machine has handled what is its own', async () => {
    const sim = createWorld()
    const seen: string[] = []
    let release: (() => void) | undefined
    const Slow = defineStateMachine({
      name: 'slow',
      init: () => ({ state: 'only', data: 0 }),
      states: {
        only: {
          cast: {
            go: () =>
              new Promise<ReturnType<typeof keep>>(
                (done) => (release = () => done(keep(nextEvent('internal', 'x'), stateTimeout(0)))),
              ),
            look: () => void seen.push('look'),
          },
          internal: { x: () => void seen.push('x') },
          stateTimeout: () => void seen.push('stateTimeout'),
        },
      },
    })
    const slow = await sim.start(Slow)
    slow.cast('go')
    await sim.settle()
    const suspended = sys.suspend(slow)
    slow.cast('look')
    release?.()
    await sim.run(suspended)
    const before = [...seen]
    await sim.run(sys.resume(slow))
    await sim.settle()
    expect(before).toEqual(['x', 'stateTimeout'])
    expect(seen).toEqual(['x', 'stateTimeout', 'look'])
  })

  const DoorV2 = defineStateMachine({
    name: 'door',
    version: 2,
    init: (code: string) => ({ state: 'shut', data: { code, from: 0 } }),
    states: {
      shut: { call: { state: () => 'shut' } },
      wide: {
        call: { state: (data) => `wide ${data.from}` },
        cast: { close: () => next('shut') },
        stateTimeout: () => next('shut'),
      },
    },
    anyState: { cast: { ring: (data) => keep({ ...data, from: data.from + 100 }) } },
    codeChange: ({ state, data }: { state: string; data: { code: string } }, fromVersion) => {
      if (data.code === 'stuck') throw new Error('stuck')
      return { state: state === 'open' ? 'wide' : 'shut', data: { code: data.code, from: fromVersion } }
    },
  })

  it('changes the code: state and data turn, postponed events and timers stay', async () => {
    const sim = createWorld()
    const door = await sim.start(Door, '1')
    await sim.run(door.call('unlock', '1'))
    await sim.advance(4_000)
    const waiting = door.call('whenLocked', undefined, { timeout: 60_000 }).catch((error: CallError) => error.code)
    await sim.settle()
    expect(await sim.run(sim.system.upgrade(DoorV2))).toMatchObject({ migrated: 1, from: 1, to: 2 })
    expect(await sim.run(sys.getState(door))).toEqual({ state: 'wide', data: { code: '1', from: 1 } })
    await sim.advance(6_000)
    expect(await sim.run(sys.getState(door))).toMatchObject({ state: 'shut' })
    expect(await sim.run(waiting)).toBe('undef')
  })

  it('keeps the old version when codeChange throws', async () => {
    const sim = createWorld()
    const door = await sim.start(Door, 'stuck')
    await sim.run(sys.suspend(door))
    await expect(sim.run(sys.changeCode(door, DoorV2))).rejects.toThrow('stuck')
    await sim.run(sys.resume(door))
    expect(await sim.run(door.call('unlock', 'stuck'))).toBe(true)
  })
})

describe('one handler for all events', () => {
  it('is given every event with state and data; a value answers a call', async () => {
    const sim = createWorld()
    const Meter = defineStateMachine({
      name: 'meter',
      init: (level: number) => ({ state: { level }, data: [] as string[] }),
      stateEnter: true,
      handle: (event, { level }, seen, self) => {
        seen.push(event.type)
        if (event.type === 'enter') return keep(stateTimeout(10, level))
        if (event.type === 'cast' && event.op === 'add') return next({ level: level + Number(event.arg) })
        if (event.type === 'stateTimeout') return stop({ shutdown: `${event.content} at ${self.now()}` })
        return event.type === 'call' ? seen : undefined
      },
    })
    const meter = await sim.start(Meter, 1)
    const { down } = meter
    meter.cast('add', 2)
    meter.send('hello')
    expect(await sim.run(meter.call('seen'))).toEqual(['enter', 'cast', 'enter', 'info', 'call'])
    expect(await sim.run(down)).toEqual({ shutdown: '3 at 10' })
  })
})

describe('defineStateMachine', () => {
  it('refuses options that are none and says which', () => {
    const good = { name: 'x', init: () => ({ state: 'a', data: 0 }) }
    const cases = [
      [{ ...good, name: '', states: {} }, 'name must be a non-empty string'],
      [{ ...good, version: 1.5, states: {} }, 'version must be a whole number, got 1.5'],
      [{ ...good, postponedMax: -1, states: {} }, 'postponedMax must be a whole number >= 0, got -1'],
      [good, 'give either states'],
      [{ ...good, states: {}, handle: () => 0 }, 'give either states'],
      [{ name: 'x', states: {} }, 'init must be a function, got undefined'],
      [{ ...good, states: { a: { enter: 5 } } }, '"x": a: enter must be a function, got number'],
      [{ ...good, states: { a: { cast: { go: null } } } }, '"x": a.cast: go must be a function, got null'],
      [{ ...good, states: { a: 5 } }, '"x": a must be an object of handlers, got 5'],
      [undefined, 'the options must be an object'],
    ] as const
    for (const [given, sentence] of cases) expect(() => defineStateMachine(given as never)).toThrow(sentence)
  })
})

function fail(): never {
  throw new Error('The machine did not start.')
}
