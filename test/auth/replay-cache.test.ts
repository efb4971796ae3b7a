/** No proof is taken twice, whoever floods the memory of proofs, and the memory stays bounded. */
import { array, assert, integer, property, record } from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ReplayCache } from '#auth/replay-cache'

const seed = Number(process.env['BOUGH_SEED'] ?? 1)

describe('a replay cache', () => {
  it('takes a proof of a key once, and the same id of another key', () => {
    const cache = new ReplayCache(100)
    expect(cache.use('ann', 'a', 10, 0)).toBe(true)
    expect(cache.use('ann', 'a', 10, 0)).toBe(false)
    expect(cache.use('ann', 'b', 10, 0)).toBe(true)
    expect(cache.use('bob', 'a', 10, 0)).toBe(true)
  })

  it('forgets what has expired', () => {
    const cache = new ReplayCache(100)
    for (let jti = 0; jti < 5; jti++) cache.use('ann', String(jti), jti, 0)
    expect(cache.size).toBe(5)
    cache.use('ann', 'late', 100, 50)
    expect(cache.size).toBe(1)
  })

  it('lets a flood by one key harm that key alone', () => {
    const cache = new ReplayCache(80)
    cache.use('ann', 'precious', 10, 0)
    for (let jti = 0; jti < 1_000; jti++) cache.use('mallory', String(jti), 10 + jti / 1_000, 0)
    expect(cache.size).toBeLessThanOrEqual(80)
    expect(cache.use('ann', 'precious', 10, 0)).toBe(false)
    expect(cache.use('ann', 'next', 10, 0)).toBe(true)
    expect(cache.use('mallory', '0', 10, 0)).toBe(false)
  })

  it('never takes a proof twice and never grows beyond its bound, however proofs come', () => {
    // 1. generate proofs of few keys in any order and a tiny memory; 2. use all of them twice over; 3. count.
    const proofs = array(
      record({
        key: integer({ min: 0, max: 6 }),
        jti: integer({ min: 0, max: 20 }),
        iat: integer({ min: 0, max: 40 }),
      }),
      { minLength: 1, maxLength: 200 },
    )
    assert(
      property(proofs, integer({ min: 1, max: 40 }), (sent, proofsMax) => {
        const cache = new ReplayCache(proofsMax)
        const used = new Map<string, number>()
        for (const { key, jti, iat } of [...sent, ...sent]) {
          // As for a real proof: the time is signed, so it belongs to the id.
          const name = `${key}/${jti}/${iat}`
          if (cache.use(String(key), `${jti}/${iat}`, iat, -1)) used.set(name, (used.get(name) ?? 0) + 1)
          expect(cache.size).toBeLessThanOrEqual(proofsMax)
        }
        expect([...used.values()].filter((times) => times > 1)).toEqual([])
      }),
      { seed, numRuns: 500 },
    )
  })
})
