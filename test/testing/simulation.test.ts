import { child, defineActor, defineSupervisor, type Ref, type Self } from 'bough/runtime'
import { createRandom, createSimulation, VirtualClock } from 'bough/testing'
import { describe, expect, it } from 'vitest'

const Chatty = defineActor({
  name: 'chatty',
  init: (_arg: undefined, self: Self<never>) => {
    self.sendAfter(100 * self.random(), 'tick')
    return { peers: [] as Ref[], heard: 0 }
  },
  call: { heard: (state) => state.heard },
  cast: {
    meet: (state, peers: Ref[]) => {
      state.peers = peers
    },
  },
  info: async (state, message, self) => {
    if (message === 'tick') for (const peer of state.peers) peer.send(self.pid)
    else if (++state.heard === 7) throw new Error('enough')
    else await Promise.resolve()
  },
})

/** A small world with timers, chance, promises and restarts. */
async function play(seed: number): Promise<readonly string[]> {
  const sim = createSimulation({ seed })
  const ids = ['a', 'b', 'c', 'd']
  const tree = await sim.start(
    defineSupervisor({
      strategy: 'rest_for_one',
      intensity: 5,
      children: ids.map((id) => child(Chatty, undefined, { id })),
    }),
  )
  for (let round = 0; round < 4; round++) {
    const rows = await sim.run(tree.whichChildren())
    const peers = rows.flatMap((row) => (row.ref === undefined || row.ref === 'restarting' ? [] : row.ref))
    for (const peer of peers) (peer as unknown as Ref<typeof Chatty>).cast('meet', peers)
    for (const peer of peers) peer.send('tick')
    await sim.advance(100)
  }
  await sim.run(sim.system.stop())
  return sim.trace
}

describe('a simulation', () => {
  it('gives the same trace for the same seed, byte for byte', async () => {
    for (const seed of [1, 2, 2 ** 40 + 1]) {
      const [first, second] = [await play(seed), await play(seed)]
      expect(first.length).toBeGreaterThan(50)
      expect(second.join('\n')).toBe(first.join('\n'))
    }
  })

  it('gives other interleavings for other seeds', async () => {
    const traces = await Promise.all([1, 2, 3, 4].map(play))
    expect(new Set(traces.map((trace) => trace.join('\n'))).size).toBe(4)
  })

  it('notes starts, messages, ends and events, with the virtual time', async () => {
    const sim = createSimulation({ seed: 7 })
    const Plain = defineActor({ name: 'plain', init: () => 0, call: { ask: () => 1 }, cast: { tell: () => undefined } })
    const ref = await sim.start(Plain)
    await sim.run(ref.call('ask'))
    await sim.advance(250)
    ref.cast('tell')
    ref.send('hello')
    await sim.settle()
    ref.exit('boom')
    expect(sim.trace).toEqual([
      '0 sim.1 start plain',
      '0 sim.1 call ask',
      '250 sim.1 cast tell',
      '250 sim.1 info',
      '250 sim.1 unexpected_message info',
      '250 sim.1 end boom',
      '250 sim.1 crash in nothing',
    ])
  })

  it('lets virtual time pass at once, firing timers in order and letting the world settle after each', async () => {
    const sim = createSimulation({ seed: 1 })
    const seen: string[] = []
    const Clocked = defineActor({
      name: 'clocked',
      init: (_arg: undefined, self: Self<never>) => {
        self.sendAfter(3_600_000, 'hour')
        self.sendAfter(60_000, 'minute')
        return 0
      },
      info: (_state, message, self) => {
        seen.push(`${String(message)} at ${self.now()}`)
        if (message === 'minute') self.sendAfter(1_000, 'a second later')
      },
    })
    await sim.start(Clocked)
    await sim.advance(3_600_000)
    expect(seen).toEqual(['minute at 60000', 'a second later at 61000', 'hour at 3600000'])
    expect(sim.clock.now()).toBe(3_600_000)
    expect(sim.clock.wallNow()).toBe(Date.UTC(2026, 0, 1, 1))
    await expect(sim.advance(-1)).rejects.toThrow('milliseconds must be a number >= 0, got -1')
  })

  it('run goes to the next timer when the world is at rest before the promise is done', async () => {
    const sim = createSimulation({ seed: 1 })
    const Deaf = defineActor({
      name: 'deaf',
      init: () => 0,
      call: { ask: (_state, _arg: undefined, self) => self.noreply },
    })
    const deaf = await sim.start(Deaf)
    await expect(sim.run(deaf.call('ask'))).rejects.toMatchObject({ code: 'timeout' })
    expect(sim.clock.now()).toBe(5_000)
    await expect(sim.run(deaf.call('ask', undefined, { timeout: Number.POSITIVE_INFINITY }))).rejects.toThrow(
      'It waits for something outside',
    )
    expect(await sim.run(Promise.resolve('at once'))).toBe('at once')
  })

  it('settle is not held by a process that waits for a promise from outside', async () => {
    const sim = createSimulation({ seed: 1 })
    let release: (value: string) => void = () => undefined
    const Patient = defineActor({
      name: 'patient',
      init: () => 0,
      call: { ask: () => new Promise<string>((resolve) => (release = resolve)) },
    })
    const patient = await sim.start(Patient)
    const reply = patient.call('ask')
    await sim.settle()
    release('from outside')
    expect(await sim.run(reply)).toBe('from outside')
  })

  it('says so when the world does not come to rest, instead of running for ever', async () => {
    const sim = createSimulation({ seed: 1, turnsMax: 1_000 })
    const Endless = defineActor({
      name: 'endless',
      init: () => 0,
      info: (_state, message, self) => void self.ref.send(message),
    })
    const endless = await sim.start(Endless)
    endless.send('again')
    await expect(sim.settle()).rejects.toThrow('did not come to rest within 1000 turns')
  })

  it('keeps a bounded trace', async () => {
    const sim = createSimulation({ seed: 1, traceLinesMax: 2 })
    const Plain = defineActor({ name: 'plain', init: () => 0, info: () => undefined })
    const ref = await sim.start(Plain)
    for (let index = 0; index < 5; index++) ref.send(index)
    await sim.settle()
    expect(sim.trace).toEqual(['0 sim.1 start plain', '0 sim.1 info', '... the trace ends at 2 lines'])
  })

  it('goes on noting messages, and letting faults happen, after an upgrade', async () => {
    const sim = createSimulation({ seed: 1, faults: ['crash plain@3'] })
    const version = (n: number) =>
      defineActor({ name: 'plain', version: n, init: () => 0, call: { version: () => n }, codeChange: () => 0 })
    const ref = await sim.start(version(1))
    await sim.run(ref.call('version'))
    await sim.run(sim.system.upgrade(version(2)))
    expect(await sim.run(ref.call('version'))).toBe(2)
    expect(sim.trace.filter((line) => line === '0 sim.1 call version')).toHaveLength(2)
    await expect(sim.run(ref.call('version'))).rejects.toMatchObject({ code: 'exit' })
  })

  it('refuses a seed that is no number', () => {
    expect(() => createSimulation({ seed: Number.NaN })).toThrow('seed must be a finite number, got NaN')
  })
})

describe('seeded chance', () => {
  it('repeats numbers and tokens, differs by seed and stream, and fills [0, 1) evenly', () => {
    const draw = (seed: number, stream?: number): number[] => {
      const random = createRandom(seed, stream)
      return Array.from({ length: 1_000 }, () => random.next())
    }
    expect(draw(1)).toEqual(draw(1))
    expect(draw(1)).not.toEqual(draw(2))
    expect(draw(1)).not.toEqual(draw(1, 1))
    expect(draw(1)).not.toEqual(draw(1 + 2 ** 32))
    const numbers = draw(3)
    expect(Math.min(...numbers)).toBeGreaterThanOrEqual(0)
    expect(Math.max(...numbers)).toBeLessThan(1)
    expect(Math.abs(numbers.reduce((sum, one) => sum + one, 0) / 1_000 - 0.5)).toBeLessThan(0.05)
    expect(createRandom(5).token(16)).toBe(createRandom(5).token(16))
    expect(Buffer.from(createRandom(5).token(16), 'base64url')).toHaveLength(16)
  })
})

describe('a virtual clock', () => {
  it('fires by deadline, then by age, and forgets what is cleared', () => {
    const clock = new VirtualClock()
    const fired: string[] = []
    clock.setTimer(() => fired.push('b'), 10)
    clock.setTimer(() => fired.push('c'), 10)
    clock.setTimer(() => fired.push('a'), 5)
    clock.clearTimer(clock.setTimer(() => fired.push('never'), 7))
    while (clock.nextDeadline !== Number.POSITIVE_INFINITY) clock.fireNext()
    expect(fired).toEqual(['a', 'b', 'c'])
    expect(clock.now()).toBe(10)
  })
})
