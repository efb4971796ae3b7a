/**
 * Elections under faults. How it works: 1. draw a seed, some candidates, and a list of faults, each at a moment: a candidate
 * is killed, crashes, is stopped or put to sleep, or its way to the lease becomes slow, lossy or cut; 2. play them in virtual
 * time while a recorder per candidate writes down what it is told; 3. turn the record into spans of belief (from `leader`
 * until `follower`, its end, or the moment up to which it was valid) and hold the laws against them; 4. heal everything and
 * wait for a leader. Planted faults in the lease must be found.
 */
import { defineElection, type ElectionNews, type Lease, leadershipOf, memoryLease } from 'bough/lifecycles'
import { type Clock, defineActor, type Ref, sys } from 'bough/runtime'
import { createSimulation, type Simulation } from 'bough/testing'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { runs } from './settings.ts'

/** A small margin, long patience and eager followers: what is wrong by a little shows. */
const TIMES = { ttlMs: 1_000, marginMs: 20, renewMs: 300, answerMs: 800, retryMs: 60 }
/** Longest that a slow way takes; there and back is longer than a candidate waits. */
const DELAY_MS_MAX = 600
/** From the end of all faults: a request still on its way, the lease it gets, and a few attempts. */
const LEADER_WITHIN_MS = 2 * DELAY_MS_MAX + TIMES.ttlMs + TIMES.answerMs + 3 * TIMES.retryMs

const kinds = ['kill', 'crash', 'stop', 'sleep', 'cut', 'lossy', 'slow', 'fine'] as const

interface Fault {
  readonly afterMs: number
  readonly kind: (typeof kinds)[number]
  readonly who: number
  /** How long a candidate stays away or asleep. */
  readonly forMs: number
}

interface Told {
  readonly at: number
  readonly who: number
  readonly news: ElectionNews | { readonly type: 'ended' | 'asleep' | 'awake' }
}

interface Span {
  readonly who: number
  readonly token: number
  readonly from: number
  readonly to: number
}

type MakeLease = (clock: Pick<Clock, 'now'>) => Lease

const Recorder = defineActor({
  name: 'recorder',
  init: (record: { readonly who: number; readonly told: Told[] }) => record,
  info: ({ who, told }, news, self) => {
    // Nobody else knows this process.
    told.push({ at: self.now(), who, news: news as ElectionNews })
  },
})

/** The road to the lease: what gets lost on it, and how long it takes. */
function faultyRoad(sim: Simulation, lease: Lease): { readonly lease: Lease; lossRate: number; delayMsMax: number } {
  const road = { lossRate: 0, delayMsMax: 0 }
  const pass = async (): Promise<void> => {
    const delayMs = Math.floor(sim.random.next() * (road.delayMsMax + 1))
    if (sim.random.next() < road.lossRate) {
      if (sim.random.next() < 0.5) throw new Error('connection reset')
      await new Promise(() => undefined)
    }
    if (delayMs > 0) await new Promise<void>((resolve) => sim.system.timers.start(delayMs, () => resolve()))
  }
  const through = async <T>(run: () => Promise<T>): Promise<T> => {
    await pass()
    const value = await run()
    await pass()
    return value
  }
  return Object.assign(road, {
    lease: {
      acquire: (holder, ttlMs) => through(() => lease.acquire(holder, ttlMs)),
      renew: (holder, token, ttlMs) => through(() => lease.renew(holder, token, ttlMs)),
      release: (holder, token) => through(() => lease.release(holder, token)),
    } satisfies Lease,
  })
}

/**
 * When who believed to lead, from what they were told. `now` ends what is still open. Throws when one is told to lead until a
 * moment that has passed, or, unless it was asleep, does not hear in time that it leads no more.
 */
function spansOf(told: readonly Told[], now: number): Span[] {
  const open = new Map<number, { token: number; from: number; until: number }>()
  const naps: { readonly who: number; readonly from: number; to: number }[] = []
  const spans: Span[] = []
  const close = (who: number, at: number): void => {
    const one = open.get(who)
    open.delete(who)
    if (one === undefined) return
    const isExcused = naps.some((nap) => nap.who === who && nap.from <= one.until && at <= nap.to)
    if (at > one.until && !isExcused)
      throw new Error(`${who} led until ${one.until} but heard of the end at ${at} only.`)
    if (one.from < Math.min(at, one.until)) spans.push({ ...one, who, to: Math.min(at, one.until) })
  }
  for (const { at, who, news } of told) {
    const one = open.get(who)
    if ('until' in news && news.until <= at) throw new Error(`${who} was told at ${at} to lead until ${news.until}.`)
    if (news.type === 'asleep') naps.push({ who, from: at, to: Number.POSITIVE_INFINITY })
    else if (news.type === 'awake') for (const nap of naps) nap.to = nap.who === who ? Math.min(nap.to, at) : nap.to
    else if (news.type === 'renewed' && one !== undefined && at < one.until) one.until = news.until
    else close(who, at)
    if (news.type === 'leader') open.set(who, { token: news.token, from: at, until: news.until })
  }
  for (const who of [...open.keys()]) close(who, now)
  return spans.sort((left, right) => left.from - right.from)
}

/** The laws that what was told must keep. */
function checkLaws(told: readonly Told[], now: number): void {
  const tokens = told.flatMap(({ news }) => (news.type === 'leader' ? [news.token] : []))
  const rise = tokens.slice(1).every((token, index) => token > (tokens[index] ?? 0))
  expect(rise, `tokens rise: ${tokens.join()}`).toBe(true)
  const spans = spansOf(told, now)
  for (const [index, span] of spans.entries()) {
    const next = spans[index + 1]
    if (next !== undefined && next.from < span.to)
      throw new Error(`Two believed to lead at once: ${JSON.stringify(span)} and ${JSON.stringify(next)}.`)
  }
}

interface Outcome {
  readonly told: readonly Told[]
  readonly now: number
  readonly leaders: readonly number[]
  readonly trace: readonly string[]
}

async function play(
  seed: number,
  count: number,
  faults: readonly Fault[],
  makeLease: MakeLease,
  traceLinesMax = 0,
): Promise<Outcome> {
  const sim = createSimulation({ seed, traceLinesMax })
  const lease = makeLease(sim.clock)
  const roads = Array.from({ length: count }, () => faultyRoad(sim, lease))
  const elections = roads.map((road, place) =>
    defineElection({ name: `election ${place}`, lease: road.lease, ...TIMES }),
  )
  const told: Told[] = []
  const candidates: (Ref<ReturnType<typeof defineElection>> | undefined)[] = []
  const due: { readonly at: number; readonly run: () => Promise<void> }[] = []
  const numbers: number[] = []
  let lastWho = 0

  const join = async (place: number): Promise<void> => {
    if (candidates[place] !== undefined) return
    const who = ++lastWho
    const recorder = await sim.start(Recorder, { who, told })
    // Some share a holder's name, which is nobody's to promise against.
    const candidate = await sim.start(elections[place]!, { holder: `holder ${place % 2}` })
    candidate.cast('subscribe', recorder)
    candidates[place] = candidate
    numbers[place] = who
    void candidate.down.then(() => {
      told.push({ at: sim.clock.now(), who, news: { type: 'ended' } })
      if (candidates[place] === candidate) candidates[place] = undefined
    })
  }
  const advanceTo = async (at: number): Promise<void> => {
    for (;;) {
      due.sort((left, right) => left.at - right.at)
      if ((due[0]?.at ?? Number.POSITIVE_INFINITY) > at) break
      const next = due.shift()
      await sim.advance(Math.max(0, (next?.at ?? 0) - sim.clock.now()))
      await next?.run()
      await sim.settle()
    }
    await sim.advance(at - sim.clock.now())
  }

  for (let place = 0; place < count; place++) await join(place)
  for (const { afterMs, kind, who: chosen, forMs } of faults) {
    await advanceTo(sim.clock.now() + afterMs)
    const place = chosen % count
    const candidate = candidates[place]
    const until = sim.clock.now() + forMs
    const road = roads[place]!
    const news = (type: 'asleep' | 'awake'): unknown => told.push({ at: sim.clock.now(), who, news: { type } })
    const who = numbers[place] ?? 0
    if (kind === 'lossy') road.lossRate = 0.3
    else if (kind === 'cut') road.lossRate = 1
    else if (kind === 'slow') road.delayMsMax = DELAY_MS_MAX
    else if (kind === 'fine') Object.assign(road, { lossRate: 0, delayMsMax: 0 })
    else if (candidate === undefined || candidate.info()?.status === 'suspended') continue
    else if (kind === 'sleep') {
      await sim.run(sys.suspend(candidate))
      news('asleep')
      const wake = async (): Promise<void> => {
        if (!candidate.alive) return
        news('awake')
        await sim.run(sys.resume(candidate))
      }
      due.push({ at: until, run: wake })
    } else {
      if (kind === 'kill') candidate.exit('kill')
      else if (kind === 'crash') candidate.exit(new Error('cosmic ray'))
      else void candidate.stop().catch(() => undefined)
      due.push({ at: until, run: () => join(place) })
    }
    await sim.settle()
  }
  await advanceTo(Math.max(sim.clock.now(), ...due.map(({ at }) => at)))
  for (const road of roads) Object.assign(road, { lossRate: 0, delayMsMax: 0 })
  for (let place = 0; place < count; place++) await join(place)
  await sim.advance(LEADER_WITHIN_MS)
  const leaders: number[] = []
  for (const candidate of candidates) {
    if (candidate === undefined) continue
    const leadership = leadershipOf(await sim.run(candidate.call('snapshot')), sim.clock.now())
    if (leadership !== undefined) leaders.push(leadership.token)
  }
  return { told, now: sim.clock.now(), leaders, trace: sim.trace }
}

const fault = fc.record({
  afterMs: fc.integer({ min: 0, max: 900 }),
  kind: fc.constantFrom(...kinds),
  who: fc.nat(3),
  forMs: fc.integer({ min: 0, max: 2_500 }),
})
const world = [fc.nat(), fc.integer({ min: 2, max: 3 }), fc.array(fault, { maxLength: 16 })] as const

/** A lease that hands each token out twice: the planted fault. */
const repeatingLease: MakeLease = (clock) => {
  const real = memoryLease(clock)
  const held = new Map<string, number>()
  return {
    acquire: async (holder, ttlMs) => {
      const grant = await real.acquire(holder, ttlMs)
      if (grant === undefined) return undefined
      held.set(holder, grant.token)
      return { ...grant, token: Math.ceil(grant.token / 2) }
    },
    renew: (holder, _token, ttlMs) => real.renew(holder, held.get(holder) ?? 0, ttlMs),
    release: (holder) => real.release(holder, held.get(holder) ?? 0),
  }
}

/** A lease that runs out earlier than it says: the planted fault. */
const hastyLease: MakeLease = (clock) => {
  const real = memoryLease(clock)
  return {
    ...real,
    acquire: (holder, ttlMs) => real.acquire(holder, ttlMs / 2),
    renew: (h, t, ms) => real.renew(h, t, ms / 2),
  }
}

describe('an election under faults', () => {
  it('never has two that believe to lead at once, its tokens rise, and it has one leader soon after the faults end', async () => {
    let led = 0
    await fc.assert(
      fc.asyncProperty(...world, async (seed, count, faults) => {
        const { told, now, leaders } = await play(seed, count, faults, memoryLease)
        checkLaws(told, now)
        expect(leaders).toHaveLength(1)
        led += told.filter(({ news }) => news.type === 'leader').length
      }),
      runs(100),
    )
    // Leadership changed hands often enough to say something.
    expect(led).toBeGreaterThan(100)
  }, 120_000)

  it('plays the same for the same seed, line for line', async () => {
    const faults = fc.sample(fc.array(fault, { minLength: 20, maxLength: 20 }), { seed: 1, numRuns: 1 })[0] ?? []
    const [one, two] = [await play(5, 3, faults, memoryLease, 1e5), await play(5, 3, faults, memoryLease, 1e5)]
    expect(one.trace).toEqual(two.trace)
    expect((await play(6, 3, faults, memoryLease, 1e5)).trace).not.toEqual(one.trace)
  })

  it.each([
    ['hands out a token twice', repeatingLease, /tokens rise/],
    ['runs out earlier than it says', hastyLease, /Two believed to lead at once/],
  ] as const)(
    'finds a lease that %s',
    async (_fault, makeLease, sentence) => {
      const result = await fc.check(
        fc.asyncProperty(...world, async (seed, count, faults) => {
          const { told, now } = await play(seed, count, faults, makeLease)
          checkLaws(told, now)
        }),
        { ...runs(100), endOnFailure: true },
      )
      expect(result.failed).toBe(true)
      expect(String((result.errorInstance as Error).message)).toMatch(sentence)
    },
    120_000,
  )
})
