/** The two levels of answers, by themselves: bounds, a cache farther away, and a shared level that fails. */

import { VirtualClock } from 'bough/testing'
import { describe, expect, it } from 'vitest'
import { type SharedCache, sharedCache } from '#cache'
import { type Answers, Answers as AnswersClass, type Query, WAITERS_MAX, type Work } from '#cache/answers'
import { canonicalJson } from '#cache/key'
import { Counters } from '#structures/counters'

const query = (more: Partial<Query> = {}): Query => ({
  key: 'k',
  tags: ['t'],
  ttlMs: 1_000,
  isAdaptive: false,
  session: undefined,
  isOwn: false,
  ...more,
})

const work = (compute: () => string | Promise<string>): Work<string> => ({
  compute,
  encode: (text) => ({ text, ttlMs: undefined }),
  signal: new AbortController().signal,
})

function start(change: (shared: SharedCache) => SharedCache = (shared) => shared, more: object = {}) {
  const clock = new VirtualClock()
  const counters = new Counters()
  const shared = change(sharedCache('memory', { clock }))
  const answers: Answers = new AnswersClass({ shared, clock, counters, ...more })
  return { clock, counters, shared, answers }
}

const textOf = (found: { readonly entry: { readonly text: string } } | { readonly result: string }): string =>
  'entry' in found ? found.entry.text : found.result

describe('the level of a session', () => {
  it('keeps what the session used last, within its bounds, and nothing once the session is over', () => {
    const { answers } = start(undefined, { sessionEntries: 2, sessionBytes: 1_000 })
    for (const key of ['a', 'b', 'c', 'd'])
      void answers.run(
        query({ key, session: 's', isOwn: true }),
        work(() => (key === 'd' ? 'd'.repeat(600) : key)),
      )
    const kept = ['a', 'b', 'c', 'd'].map((key) => answers.lookup(query({ key, session: 's', isOwn: true }))?.text)
    expect(kept).toEqual([undefined, 'b', 'c', undefined])
    expect(answers.lookup(query({ key: 'b', session: 'other', isOwn: true }))).toBeUndefined()
    answers.forget('s')
    expect(answers.stats()).toMatchObject({ sessions: 0, sessionBytes: 0, entries: 0 })
  })

  it('heeds what was invalidated elsewhere', async () => {
    const { answers, shared } = start()
    await answers.run(
      query({ session: 's' }),
      work(() => '1'),
    )
    expect(answers.lookup(query({ session: 's' }))?.text).toBe('1')
    shared.invalidate('t')
    expect(answers.lookup(query({ session: 's' }))).toBeUndefined()
  })
})

describe('a cache that is farther away', () => {
  it('is asked by the request that would do the work, and fails to nobody’s harm', async () => {
    let far: string | Error = 'far'
    const { answers, clock, counters } = start((shared) =>
      Object.assign(Object.create(shared) as SharedCache, {
        get: shared.get.bind(shared),
        fetch: async (key: string) => {
          if (far instanceof Error) throw far
          return key === 'k' ? { text: far, storedAt: clock.wallNow(), ttlMs: 10, stamps: [] } : undefined
        },
      }),
    )
    let runs = 0
    const run = async (key: string): Promise<string> =>
      textOf(
        await answers.run(
          query({ key }),
          work(() => `${++runs}`),
        ),
      )
    expect([await run('k'), await run('other'), await run('other')]).toEqual(['far', '1', '1'])
    far = new Error('The line is down.')
    expect(await run('third')).toBe('2')
    expect(counters.snapshot()).toMatchObject({ cache_hits: { far: 1, shared: 1 }, cache_faults: 1 })
  })
})

describe('a shared level that fails', () => {
  it('costs its answers and no request, and serves nothing until it has taken the invalidations that it is owed', async () => {
    let isBroken = false
    const { answers, counters } = start((shared) => {
      const guard =
        <A extends unknown[], R>(run: (...args: A) => R) =>
        (...args: A): R => {
          if (isBroken) throw new Error('The disk is full.')
          return run(...args)
        }
      return Object.assign(Object.create(shared) as SharedCache, {
        get: guard(shared.get.bind(shared)),
        set: guard(shared.set.bind(shared)),
        stamps: guard(shared.stamps.bind(shared)),
        isCurrent: guard(shared.isCurrent.bind(shared)),
        invalidate: guard(shared.invalidate.bind(shared)),
      })
    })
    let runs = 0
    const run = async (): Promise<string> =>
      textOf(
        await answers.run(
          query(),
          work(() => `${++runs}`),
        ),
      )
    expect([await run(), await run()]).toEqual(['1', '1'])
    isBroken = true
    expect([await run(), await run()]).toEqual(['2', '3'])
    answers.invalidate('t')
    isBroken = false
    expect([await run(), await run()]).toEqual(['4', '4'])
    expect(counters.get('cache_faults')).toBeGreaterThan(0)
  })
})

describe('work whose promise is not one of the platform', () => {
  it('is waited for all the same', async () => {
    const { answers } = start()
    const thenable = Object.fromEntries([['then', (done: (text: string) => void) => done('late')]])
    expect(
      textOf(
        await answers.run(
          query(),
          work(() => thenable as unknown as Promise<string>),
        ),
      ),
    ).toBe('late')
    expect(answers.lookup(query())?.text).toBe('late')
  })
})

describe('those who wait for one answer', () => {
  it('are not followed by others once something changed: what was begun before is not served after', async () => {
    const { answers } = start()
    let release: (text: string) => void = () => undefined
    const slow = work(() => new Promise<string>((resolve) => (release = resolve)))
    const early = answers.run(query({ session: 's' }), slow)
    answers.invalidate('t')
    release('old')
    expect(textOf(await early)).toBe('old')
    expect(answers.lookup(query({ session: 's' }))).toBeUndefined()
    expect(answers.lookup(query())).toBeUndefined()
  })

  it('are bounded: one more works for itself', async () => {
    const { answers } = start()
    let runs = 0
    const releases: (() => void)[] = []
    const slow = work(() => {
      const own = ++runs
      return new Promise<string>((resolve) => releases.push(() => resolve(`${own}`)))
    })
    const all = Array.from({ length: WAITERS_MAX + 2 }, () => answers.run(query(), slow))
    expect(runs).toBe(2)
    for (const release of releases) release()
    const texts = await Promise.all(all.map(async (one) => textOf(await one)))
    expect(new Set(texts)).toEqual(new Set(['1', '2']))
  })

  it('run by themselves when it fails, since errors are nobody else’s', async () => {
    const { answers } = start()
    let runs = 0
    const failing = work(async () => {
      throw new Error(`no ${++runs}`)
    })
    const settled = await Promise.allSettled([1, 2, 3].map(async () => answers.run(query(), failing)))
    const reasons = settled.map((one) => (one.status === 'rejected' ? (one.reason as Error).message : 'none'))
    expect(reasons.sort()).toEqual(['no 1', 'no 2', 'no 3'])
  })
})

describe('the canonical form of arguments', () => {
  it.each([
    [{ b: 1, a: { d: [1, { z: 0, y: null }], c: '"' } }, '{"a":{"c":"\\"","d":[1,{"y":null,"z":0}]},"b":1}'],
    [[2, 1], '[2,1]'],
    ['x', '"x"'],
    [null, 'null'],
  ])('of %j is %s', (value, text) => {
    expect(canonicalJson(value)).toBe(text)
  })
})
