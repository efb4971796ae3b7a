/** A server lives for months: whatever strangers send, what authorization remembers stays bounded. */
import { describe, expect, it } from 'vitest'
import { ProofChecker } from '#auth/dpop'
import { ExpiringCache } from '#auth/expiring-cache'
import { tokenIntrospection } from '#auth/index'
import { ReplayCache } from '#auth/replay-cache'
import { bearer, CLIENT, ENDPOINT, nowS, proof, request, signingPair, told } from './issuer.ts'

describe('memory', () => {
  it('of answers holds the last used, at most as many as it may, and none past their time', () => {
    const cache = new ExpiringCache<number>(3)
    for (let entry = 0; entry < 1_000; entry++) {
      cache.set(`entry-${entry}`, entry, 1_000)
      cache.get('entry-0', 0)
      expect(cache.size).toBeLessThanOrEqual(3)
    }
    expect(['entry-0', 'entry-998', 'entry-999', 'entry-1'].map((key) => cache.get(key, 0))).toEqual([
      0,
      998,
      999,
      undefined,
    ])
    expect(cache.get('entry-999', 1_000)).toBeUndefined()
    expect(cache.size).toBe(2)
    const off = new ExpiringCache<number>(0)
    off.set('a', 1, 1_000)
    expect(off.size).toBe(0)
  })

  it('of proofs is bounded however many come from however many keys', () => {
    const cache = new ReplayCache(500)
    for (let index = 0; index < 20_000; index++) {
      cache.use(`key-${index % 3_000}`, `jti-${index}`, 1_000 + index, 0)
      expect(cache.size).toBeLessThanOrEqual(500)
    }
  })

  it('of proofs is bounded where real proofs come', async () => {
    const checker = new ProofChecker({ proofsMax: 16 })
    const pair = await signingPair()
    const check = async (dpop: string, token: string) =>
      await checker.check({ token, request: request({ dpop }), resource: undefined, thumbprint: pair.thumbprint })
    for (let index = 0; index < 40; index++) {
      await check(await proof(pair, { token: 't', iat: nowS() - 40 + index }), 't')
      expect(checker.proofCount).toBeLessThanOrEqual(16)
    }
    const late = await proof(pair, { token: 't', iat: nowS() + 1 })
    expect(await check(late, 't')).toEqual({ isStale: false })
    expect(await check(late, 't')).toMatchObject({ code: 'invalid_dpop_proof' })
  })

  it('of introspected tokens is bounded: one that fell out is asked about again', async () => {
    let questions = 0
    const auth = tokenIntrospection({
      issuer: 'https://auth.example.com',
      endpoint: 'https://auth.example.com/introspect',
      ...CLIENT,
      cacheMax: 10,
      fetch: async () => {
        questions += 1
        return Response.json({ active: true, sub: 'ann', aud: ENDPOINT })
      },
    })
    for (let index = 0; index < 50; index++) await auth.authenticate(bearer(`token-${index}`))
    expect(questions).toBe(50)
    for (let index = 40; index < 50; index++) await auth.authenticate(bearer(`token-${index}`))
    expect(questions).toBe(50)
    expect(told(await auth.authenticate(bearer('token-0')))).toBe('ok ann')
    expect(questions).toBe(51)
  })
})
