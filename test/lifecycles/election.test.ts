import { defineElection, type Lease, leadershipOf, memoryLease } from 'bough/lifecycles'
import { sys } from 'bough/runtime'
import { describe, expect, it } from 'vitest'
import { createWorld, Witness, type World } from './support.ts'

const TIMES = { ttlMs: 1_000, marginMs: 200, renewMs: 300, answerMs: 150, retryMs: 100 }

/** A lease whose answers the test may hold back, refuse or break. */
function moody(sim: World): {
  readonly lease: Lease
  mood: 'good' | 'broken' | 'silent'
  answerMs: number
  released: number[]
} {
  const real = memoryLease(sim.clock)
  const later = <T>(ms: number, value: T): Promise<T> =>
    new Promise((resolve) => sim.system.timers.start(ms, () => resolve(value)))
  const ask = async <T>(run: () => Promise<T>): Promise<T> => {
    if (state.mood === 'broken') throw new Error('lease store is down')
    if (state.mood === 'silent') return new Promise(() => undefined)
    const value = await run()
    return state.answerMs === 0 ? value : later(state.answerMs, value)
  }
  const state = {
    mood: 'good' as 'good' | 'broken' | 'silent',
    answerMs: 0,
    released: [] as number[],
    lease: {
      acquire: (holder, ttlMs) => ask(() => real.acquire(holder, ttlMs)),
      renew: (holder, token, ttlMs) => ask(() => real.renew(holder, token, ttlMs)),
      release: (holder, token) =>
        ask(() => {
          state.released.push(token)
          return real.release(holder, token)
        }),
    } satisfies Lease,
  }
  return state
}

describe('an election', () => {
  it('has one leader, which tells its subscribers its token and until when, and renews', async () => {
    const sim = createWorld()
    const witness = await sim.start(Witness)
    const Election = defineElection({ name: 'e', lease: memoryLease(sim.clock), subscribers: [witness], ...TIMES })
    const candidates = [await sim.start(Election), await sim.start(Election), await sim.start(Election)]
    await sim.advance(5_000)
    const leading = []
    for (const one of candidates) leading.push(leadershipOf(await sim.run(one.call('snapshot')), sim.clock.now()))
    expect(leading.filter((one) => one !== undefined)).toHaveLength(1)
    const seen = (await sim.run(witness.call('seen'))) as { type: string; token?: number; until?: number }[]
    expect(seen[0]).toMatchObject({ type: 'leader', token: 1 })
    expect(new Set(seen.slice(1).map(({ type }) => type))).toEqual(new Set(['renewed']))
    expect(seen.slice(1).every(({ until = 0 }, index) => until > (seen[index]?.until ?? 0))).toBe(true)
  })

  it('passes on at once, with a larger token, when the leader resigns or is stopped', async () => {
    const sim = createWorld()
    const witness = await sim.start(Witness)
    const Election = defineElection({ name: 'e', lease: memoryLease(sim.clock), ...TIMES })
    const a = await sim.start(Election, { holder: 'a' })
    a.cast('subscribe', witness)
    await sim.advance(200)
    const b = await sim.start(Election, { holder: 'b' })
    b.cast('subscribe', witness)
    await sim.advance(100)
    await sim.run(a.stop())
    await sim.advance(200)
    expect(leadershipOf(await sim.run(b.call('snapshot')), sim.clock.now())).toMatchObject({ token: 2 })
    b.cast('event', { type: 'resign' })
    await sim.advance(200)
    const types = ((await sim.run(witness.call('seen'))) as { type: string; token?: number }[])
      .filter(({ type }) => type !== 'renewed')
      .map(({ type, token }) => `${type} ${token ?? ''}`.trim())
    expect(types).toEqual(['leader 1', 'follower', 'leader 2', 'follower', 'leader 3'])
  })

  it("waits for the lease of a leader that was killed to run out, even under the same holder's name", async () => {
    const sim = createWorld()
    const Election = defineElection({ name: 'e', lease: memoryLease(sim.clock), ...TIMES })
    const a = await sim.start(Election, { holder: 'same' })
    await sim.advance(150)
    expect(leadershipOf(await sim.run(a.call('snapshot')), sim.clock.now())?.token).toBe(1)
    const killedAt = sim.clock.now()
    a.exit('kill')
    const b = await sim.start(Election, { holder: 'same' })
    const granted = (await sim.run(b.call('snapshot'))).context
    expect(granted.token).toBeUndefined()
    await sim.advance(800)
    expect(leadershipOf(await sim.run(b.call('snapshot')), sim.clock.now())).toBeUndefined()
    await sim.advance(TIMES.ttlMs + 2 * TIMES.retryMs - (sim.clock.now() - killedAt))
    expect(leadershipOf(await sim.run(b.call('snapshot')), sim.clock.now())?.token).toBe(2)
  })

  it.each(['broken', 'silent'] as const)(
    'steps down before the lease runs out when it is %s, and not before',
    async (mood) => {
      const sim = createWorld()
      const moods = moody(sim)
      const witness = await sim.start(Witness)
      const Election = defineElection({ name: 'e', lease: moods.lease, subscribers: [witness], ...TIMES })
      const a = await sim.start(Election)
      await sim.advance(160)
      const leadership = leadershipOf(await sim.run(a.call('snapshot')), sim.clock.now())
      moods.mood = mood
      await sim.advance((leadership?.until ?? 0) - sim.clock.now() - 1)
      expect(await sim.run(witness.call('seen'))).toMatchObject([{ type: 'leader' }])
      await sim.advance(1)
      expect(await sim.run(witness.call('seen'))).toMatchObject([{ type: 'leader' }, { type: 'follower' }])
      moods.mood = 'good'
      await sim.advance(TIMES.ttlMs)
      expect(leadershipOf(await sim.run(a.call('snapshot')), sim.clock.now())?.token).toBe(2)
      expect(sim.events).toEqual([])
    },
  )

  it('counts its time from before it asked: a slow answer gives less, one later than it waits for gives nothing', async () => {
    const sim = createWorld()
    const moods = moody(sim)
    moods.answerMs = 100
    const Election = defineElection({ name: 'e', lease: moods.lease, ...TIMES })
    const a = await sim.start(Election)
    await sim.advance(260)
    const { context } = await sim.run(a.call('snapshot'))
    expect(context.validUntil).toBe(context.askedAt + TIMES.ttlMs - TIMES.marginMs)
    expect(context.answeredAt).toBe(context.askedAt + 100)
    await sim.run(a.stop())
    moods.answerMs = 200
    const b = await sim.start(Election)
    await sim.advance(2_000)
    expect(leadershipOf(await sim.run(b.call('snapshot')), sim.clock.now())).toBeUndefined()
    // Each grant that came too late was given back.
    expect(moods.released.length).toBeGreaterThan(2)
  })

  it('does not believe to lead when it slept past its time, and steps down when it wakes', async () => {
    const sim = createWorld()
    const Election = defineElection({ name: 'e', lease: memoryLease(sim.clock), ...TIMES })
    const a = await sim.start(Election, { holder: 'a' })
    await sim.advance(160)
    await sim.run(sys.suspend(a))
    const b = await sim.start(Election, { holder: 'b' })
    await sim.advance(1_200)
    expect(leadershipOf(await sim.run(b.call('snapshot')), sim.clock.now())?.token).toBe(2)
    await sim.run(sys.resume(a))
    await sim.settle()
    expect((await sim.run(a.call('snapshot'))).value).toBe('follower')
    expect(leadershipOf(await sim.run(b.call('snapshot')), sim.clock.now())?.token).toBe(2)
  })

  it('refuses times that cannot work', () => {
    const lease = memoryLease({ now: () => 0 })
    expect(() => defineElection({ name: 'e', lease, ttlMs: 0 })).toThrow(/ttlMs must be a positive number, got 0/)
    expect(() => defineElection({ name: 'e', lease, ttlMs: 10, renewMs: 9, marginMs: 1 })).toThrow(/less than ttlMs/)
  })
})

describe('a lease in memory', () => {
  it('is held by one, with rising tokens, until it runs out or is given back', async () => {
    const clock = { time: 0, now: () => clock.time }
    const lease = memoryLease(clock)
    expect(await lease.acquire('a', 100)).toEqual({ token: 1, expiresAt: 100 })
    expect(await lease.acquire('b', 100)).toBeUndefined()
    expect(await lease.acquire('a', 100)).toBeUndefined()
    clock.time = 99
    expect(await lease.renew('a', 1, 100)).toBe(true)
    clock.time = 199
    expect(await lease.renew('a', 1, 100)).toBe(false)
    expect(await lease.acquire('b', 100)).toEqual({ token: 2, expiresAt: 299 })
    expect(await lease.renew('b', 1, 100)).toBe(false)
    await lease.release('a', 1)
    await lease.release('b', 1)
    expect(await lease.acquire('a', 100)).toBeUndefined()
    await lease.release('b', 2)
    expect(await lease.acquire('a', 100)).toEqual({ token: 3, expiresAt: 299 })
  })
})
