/** Opaque tokens, asked about at a real issuer; the memory of answers, and answers that are not to be believed. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { AuthError, type Fetch, type TokenIntrospectionOptions, tokenIntrospection } from '#auth/index'
import { realClock } from '#runtime/clock'
import { bearer, CLIENT, ENDPOINT, nowS, request, TestIssuer, told } from './issuer.ts'

const OPAQUE = 'http://127.0.0.1:3000/opaque'
const PATH = '/token/introspection'

let issuer: TestIssuer
beforeAll(async () => {
  issuer = await TestIssuer.start()
})
afterAll(() => issuer.stop())

const opaque = (token: string) => request({ authorization: `Bearer ${token}` }, { url: OPAQUE })

describe('introspection', () => {
  it.each(['client_secret_basic', 'client_secret_post'] as const)(
    'admits an opaque token of the issuer, by %s',
    async (clientAuth) => {
      const auth = tokenIntrospection({ issuer: issuer.url, ...CLIENT, clientAuth })
      const token = await issuer.token({ resource: OPAQUE })
      expect(token).not.toContain('.')
      const outcome = await auth.authenticate(opaque(token))
      expect(told(outcome)).toBe('ok client:machine')
      expect(JSON.stringify(outcome)).not.toContain(token)
    },
  )

  it('refuses what the issuer does not know, and what it made for another resource', async () => {
    const auth = tokenIntrospection({ issuer: issuer.url, ...CLIENT })
    expect(told(await auth.authenticate(opaque('invented')))).toBe('401 invalid_token')
    const token = await issuer.token({ resource: OPAQUE })
    expect(told(await auth.authenticate(bearer(token)))).toBe('401 invalid_token')
  })

  it('remembers answers for a while, so that one token is asked about once however many requests bring it', async () => {
    const clock = { ...realClock, shiftMs: 0, wallNow: () => realClock.wallNow() + clock.shiftMs }
    const auth = tokenIntrospection({ issuer: issuer.url, ...CLIENT, clock })
    const token = await issuer.token({ resource: OPAQUE })
    const before = issuer.askedFor(PATH)
    const told = await Promise.all(Array.from({ length: 10 }, () => auth.authenticate(opaque(token))))
    expect(told.filter(({ ok }) => ok)).toHaveLength(10)
    expect(auth.authenticate(opaque(token))).toMatchObject({ ok: true })
    expect(issuer.askedFor(PATH) - before).toBe(1)
    clock.shiftMs = 31_000
    await auth.authenticate(opaque(token))
    expect(issuer.askedFor(PATH) - before).toBe(2)
  })
})

describe('an answer', () => {
  const endpoint = 'https://auth.example.com/introspect'
  const asked: string[] = []
  const answering = (body: object | number, options: Partial<TokenIntrospectionOptions> = {}) => {
    const fetch: Fetch = async (url) => {
      asked.push(url)
      return typeof body === 'number' ? new Response('', { status: body }) : Response.json(body)
    }
    return tokenIntrospection({ issuer: 'https://auth.example.com', endpoint, ...CLIENT, fetch, ...options })
  }
  const good = { active: true, sub: 'ann', aud: ENDPOINT, exp: nowS() + 60, iss: 'https://auth.example.com' }

  it.each([
    ['that is good', good, 'ok ann'],
    ['that is not active', { ...good, active: false }, '401 invalid_token'],
    ['that is active as a text', { ...good, active: 'true' }, '401 invalid_token'],
    ['that says nothing', {}, '401 invalid_token'],
    ['that has expired', { ...good, exp: nowS() - 10 }, '401 invalid_token'],
    ['that is not valid yet', { ...good, nbf: nowS() + 60 }, '401 invalid_token'],
    ['for another resource', { ...good, aud: 'https://x.example/mcp' }, '401 invalid_token'],
    ['for no resource', { ...good, aud: undefined }, '401 invalid_token'],
    ['of another issuer', { ...good, iss: 'https://x.example' }, '401 invalid_token'],
    ['without a subject', { ...good, sub: undefined }, '401 invalid_token'],
    ['for a bound token', { ...good, cnf: { jkt: 'x' } }, '401 invalid_token'],
    ['500', 500, '401 temporarily_unavailable'],
    ['401, to us', 401, '401 temporarily_unavailable'],
  ] as const)('%s', async (_, body, expected) => {
    expect(told(await answering(body).authenticate(bearer('token')))).toBe(expected)
  })

  it('without an audience is believed where the operator trusts the issuer with that', async () => {
    const auth = answering({ ...good, aud: undefined }, { audience: false })
    expect(told(await auth.authenticate(bearer('token')))).toBe('ok ann')
  })

  it.each([
    [{ clientId: '' }, /clientId must not be empty/],
    [{ endpoint: 'http://auth.example.com' }, /endpoint must be an https URL/],
    [{ issuer: 'ftp://x' }, /issuer must be an https URL/],
    [{ cacheMs: -1 }, /cacheMs must not be negative, got -1/],
  ])('needs options that can be used: %j', (options, sentence) => {
    expect(() => answering(good, options)).toThrow(sentence)
    expect(() => answering(good, options)).toThrow(AuthError)
  })

  it('is remembered no longer than its token lives', async () => {
    const clock = { ...realClock, shiftMs: 0, wallNow: () => realClock.wallNow() + clock.shiftMs }
    const auth = answering({ ...good, exp: nowS() + 10 }, { clock })
    expect(told(await auth.authenticate(bearer('token')))).toBe('ok ann')
    clock.shiftMs = 16_000
    expect(told(await auth.authenticate(bearer('token')))).toBe('401 invalid_token')
  })

  it('that refuses is remembered for seconds only', async () => {
    const clock = { ...realClock, shiftMs: 0, wallNow: () => realClock.wallNow() + clock.shiftMs }
    const auth = answering({ active: false }, { clock })
    asked.length = 0
    for (const shiftMs of [0, 4_000, 6_000]) {
      clock.shiftMs = shiftMs
      expect(told(await auth.authenticate(bearer('token')))).toBe('401 invalid_token')
    }
    expect(asked).toHaveLength(2)
  })

  it('that never comes holds a bounded number of questions; more callers are told to come again', async () => {
    const pending: ((response: Response) => void)[] = []
    const auth = answering(good, { fetch: () => new Promise((resolve) => pending.push(resolve)) })
    const outcomes = Array.from({ length: 300 }, (_, index) => auth.authenticate(bearer(`token-${index}`)))
    const refused = await Promise.all(outcomes.slice(256))
    expect(new Set(refused.map(told))).toEqual(new Set(['401 temporarily_unavailable']))
    expect(pending).toHaveLength(256)
    for (const answer of pending) answer(Response.json(good))
    expect(new Set((await Promise.all(outcomes.slice(0, 256))).map(told))).toEqual(new Set(['ok ann']))
  })
})
