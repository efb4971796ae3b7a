/** JWT access tokens against a real authorization server: discovery, audience, rotation of keys, outages, issuers. */
import { SignJWT } from 'jose'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { AuthError, type Authenticator, type AuthOutcome, jwtBearer } from '#auth/index'
import { realClock } from '#runtime/clock'
import {
  bearer,
  CLIENT,
  ELSEWHERE,
  ENDPOINT,
  issuerKey,
  nowS,
  proof,
  request,
  signingPair,
  TestIssuer,
  told,
} from './issuer.ts'

/** The real clock, shifted. */
function shiftedClock(): typeof realClock & { shiftMs: number } {
  const clock = { ...realClock, shiftMs: 0, wallNow: () => realClock.wallNow() + clock.shiftMs }
  return clock
}

let issuer: TestIssuer
let auth: Authenticator
const ask = async (token: string, by = auth): Promise<string> => told(await by.authenticate(bearer(token)))

beforeAll(async () => {
  issuer = await TestIssuer.start()
  auth = jwtBearer({ issuer: issuer.url })
})
afterAll(() => issuer.stop())

describe('a JWT authenticator that knows only its issuer', () => {
  it('admits a token that the issuer made for the endpoint', async () => {
    const outcome = await auth.authenticate(bearer(await issuer.token()))
    expect(outcome).toMatchObject({
      ok: true,
      principal: { id: CLIENT.clientId, clientId: CLIENT.clientId, scopes: ['files:read'], claims: { aud: ENDPOINT } },
    })
  })

  it('admits the same token again without a promise', async () => {
    const token = await issuer.token()
    await auth.authenticate(bearer(token))
    expect(auth.authenticate(bearer(token))).toMatchObject({ ok: true })
  })

  it('refuses a token that the issuer made for another resource, fresh or remembered', async () => {
    const token = await issuer.token({ resource: ELSEWHERE })
    expect(await ask(token)).toBe('401 invalid_token')
    expect(await ask(token)).toBe('401 invalid_token')
    const there = request({ authorization: `Bearer ${token}` }, { url: `${ELSEWHERE}?x=1` })
    expect(told(await auth.authenticate(there))).toBe('ok machine')
  })

  it('takes the audience in any spelling of the same URL, and only of the same', async () => {
    for (const aud of ['HTTP://127.0.0.1:3000/mcp', ['urn:other', ENDPOINT], 'http://127.0.0.1:3000/x/../%6dcp']) {
      expect(await ask(await issuer.forge({ aud })), String(aud)).toBe('ok ann')
    }
    for (const aud of [
      'http://127.0.0.1:3000',
      `${ENDPOINT}/`,
      `${ENDPOINT}?a=1`,
      `${ENDPOINT}#a`,
      'https://127.0.0.1:3000/mcp',
      [[ENDPOINT]],
      {},
      [],
      undefined,
    ]) {
      expect(await ask(await issuer.forge({ aud })), String(aud)).toBe('401 invalid_token')
    }
  })

  it('refuses a token when it has expired, also one that it remembers', async () => {
    const clock = shiftedClock()
    const own = jwtBearer({ issuer: issuer.url, clock })
    const token = await issuer.token()
    expect(await ask(token, own)).toBe('ok machine')
    clock.shiftMs = 600_000 - 10_000
    expect(await ask(token, own)).toBe('ok machine')
    clock.shiftMs = 606_000
    expect(await ask(token, own)).toBe('401 invalid_token')
    const outcome = await own.authenticate(bearer(token))
    expect(outcome).toMatchObject({ ok: false, error: { message: 'The access token has expired' } })
  })

  it('asks nobody before the first token, and its issuer once for many at a time', async () => {
    const own = await TestIssuer.start()
    const lazy = jwtBearer({ issuer: own.url })
    const tokens = await Promise.all(Array.from({ length: 20 }, () => own.token()))
    expect(own.askedFor('/jwks')).toBe(0)
    expect(new Set(await Promise.all(tokens.map((token) => ask(token, lazy))))).toEqual(new Set(['ok machine']))
    expect(own.askedFor('/jwks')).toBe(1)
    expect(own.askedFor('/.well-known/oauth-authorization-server')).toBe(1)
    await own.stop()
  })
})

describe('the keys of an issuer', () => {
  it('are followed when they rotate, and tokens of a withdrawn key are refused from then on', async () => {
    const own = await TestIssuer.start()
    const clock = shiftedClock()
    const rotating = jwtBearer({ issuer: own.url, clock })
    const old = await own.token()
    expect(await ask(old, rotating)).toBe('ok machine')
    own.rotate([await issuerKey('second')])
    clock.shiftMs += 31_000
    expect(await ask(await own.token(), rotating)).toBe('ok machine')
    expect(own.askedFor('/jwks')).toBe(2)
    expect(await ask(old, rotating)).toBe('401 invalid_token')
    await own.stop()
  })

  it('are fetched for unknown key ids at most once in the cooldown', async () => {
    const own = await TestIssuer.start()
    const clock = shiftedClock()
    const calm = jwtBearer({ issuer: own.url, clock })
    await ask(await own.token(), calm)
    for (let round = 0; round < 5; round++) {
      const token = await own.forge({ jti: String(round) }, { kid: `invented-${round}` })
      expect(await ask(token, calm)).toBe('401 invalid_token')
    }
    expect(own.askedFor('/jwks')).toBe(1)
    clock.shiftMs += 31_000
    await ask(await own.forge({}, { kid: 'invented' }), calm)
    await ask(await own.forge({}, { kid: 'invented' }), calm)
    expect(own.askedFor('/jwks')).toBe(2)
    await own.stop()
  })

  it('are fetched again when a token without a key id fits none of them', async () => {
    const own = await TestIssuer.start([await issuerKey('a'), await issuerKey('b')])
    const clock = shiftedClock()
    const anonymous = jwtBearer({ issuer: own.url, clock })
    expect(await ask(await own.forge({}, { kid: undefined }), anonymous)).toBe('ok ann')
    own.rotate([await issuerKey('c'), await issuerKey('d')])
    clock.shiftMs += 31_000
    expect(await ask(await own.forge({}, { kid: undefined }), anonymous)).toBe('ok ann')
    await own.stop()
  })

  it('that are withdrawn end the tokens that are remembered, when the keys are old', async () => {
    const own = await TestIssuer.start()
    const clock = shiftedClock()
    const aging = jwtBearer({ issuer: own.url, clock })
    const token = await own.forge({ exp: nowS() + 10_000 })
    expect(await ask(token, aging)).toBe('ok ann')
    own.rotate([await issuerKey('second')])
    clock.shiftMs += 599_000
    expect(await ask(token, aging)).toBe('ok ann')
    clock.shiftMs += 2_000
    expect(await ask(token, aging)).toBe('401 invalid_token')
    await own.stop()
  })

  it('are found again when the issuer has moved them', async () => {
    const own = await TestIssuer.start()
    const clock = shiftedClock()
    const token = (): Promise<string> => own.forge({ exp: nowS() + 10_000 })
    const moving = jwtBearer({ issuer: own.url, clock })
    expect(await ask(await token(), moving)).toBe('ok ann')
    const { kty, crv, x, y, kid } = own.signingKey
    own.intercept = (path) => {
      if (path === '/jwks') return { status: 410, body: '{}' }
      if (path === '/moved') return { status: 200, body: JSON.stringify({ keys: [{ kty, crv, x, y, kid }] }) }
      if (path.startsWith('/.well-known')) {
        return { status: 200, body: JSON.stringify({ issuer: own.url, jwks_uri: `${own.url}/moved` }) }
      }
      return undefined
    }
    clock.shiftMs += 601_000
    expect(await ask(await token(), moving)).toBe('ok ann')
    expect(own.askedFor('/moved')).toBe(0)
    clock.shiftMs += 6_000
    expect(await ask(await token(), moving)).toBe('ok ann')
    expect(own.askedFor('/moved')).toBe(1)
    await own.stop()
  })

  it('are used for a while when the issuer does not answer, and not for ever', async () => {
    const own = await TestIssuer.start()
    const clock = shiftedClock()
    const errors: AuthError[] = []
    const patient = jwtBearer({ issuer: own.url, clock, verifiedTokensMax: 0, onError: (error) => errors.push(error) })
    const token = (): Promise<string> => own.forge({ exp: nowS() + 100_000 })
    const [first, second, third] = [await token(), await token(), await token()]
    expect(await ask(first, patient)).toBe('ok ann')
    own.isDown = true
    clock.shiftMs += 700_000
    expect(await ask(second, patient)).toBe('ok ann')
    clock.shiftMs += 3_600_000
    expect(await ask(third, patient)).toBe('401 temporarily_unavailable')
    expect(errors.map(({ code }) => code)).toEqual(['issuer_unavailable'])
    own.isDown = false
    clock.shiftMs += 6_000
    expect(await ask(third, patient)).toBe('ok ann')
    await own.stop()
  })
})

describe('an issuer that is broken', () => {
  const keys = (listed: unknown) => (path: string) =>
    path === '/jwks' ? { status: 200, body: JSON.stringify({ keys: listed }) } : undefined
  const always = (status: number, body: string) => () => ({ status, body })
  const metadata = (jwks_uri: unknown) => (_: string, own: TestIssuer) => ({
    status: 200,
    body: JSON.stringify({ issuer: own.url, jwks_uri }),
  })
  const broken: readonly [
    string,
    string,
    (path: string, own: TestIssuer) => { status: number; body: string; location?: string } | undefined,
  ][] = [
    ['answers 500', 'issuer_unavailable .*answered 500', always(500, '{}')],
    ['is busy', 'issuer_unavailable .*answered 429', always(429, '{}')],
    ['answers 404', 'issuer_unusable .*answered 404', always(404, '{}')],
    ['answers no JSON', 'issuer_unusable .*did not answer with JSON', always(200, '<html>')],
    ['answers no object', 'issuer_unusable .*did not answer with a JSON object', always(200, '[]')],
    [
      'answers too much',
      'issuer_unusable .*with more than 524288 bytes',
      always(200, `{"a":"${'x'.repeat(600_000)}"}`),
    ],
    [
      'has the metadata of another',
      'issuer_unusable .*metadata of "https://x.example"',
      always(200, '{"issuer":"https://x.example"}'),
    ],
    ['sends us to plain http', 'issuer_unusable .*no usable jwks_uri', metadata('http://10.0.0.1/jwks')],
    ['names no keys', 'issuer_unusable .*no usable jwks_uri', metadata(undefined)],
    ['has a number for keys', 'issuer_unusable .*got number', keys(7)],
    ['has too many keys', 'issuer_unusable .*got 101 keys', keys(Array(101).fill({}))],
    [
      'redirects',
      'issuer_unusable .*answered 302',
      (path, own) => (path === '/elsewhere' ? undefined : { status: 302, body: '', location: `${own.url}/elsewhere` }),
    ],
  ]

  const outcomesOf = async (own: TestIssuer, prepare: () => void): Promise<string> => {
    const token = await own.token()
    const errors: AuthError[] = []
    const auth = jwtBearer({ issuer: own.url, onError: (error) => errors.push(error) })
    prepare()
    own.asked.clear()
    const outcomes = await Promise.all(Array.from({ length: 10 }, () => auth.authenticate(bearer(token))))
    for (const outcome of [...outcomes, await auth.authenticate(bearer(token))]) {
      expect(outcome).toMatchObject({ ok: false, status: 401, headers: { 'Retry-After': '5' } })
      expect(told(outcome)).toBe('401 temporarily_unavailable')
    }
    // However many tokens came, each place was asked once, and not again at once.
    expect(Math.max(...own.asked.values())).toBe(1)
    expect(own.askedFor('/elsewhere')).toBe(0)
    expect(errors.map(({ message }) => message).join()).not.toContain(token.slice(0, 40))
    return `${errors[0]?.code} ${errors[0]?.message}`
  }

  it.each(broken)(
    'that %s makes 401 with Retry-After for callers, and tells the operator: %s',
    async (_, why, answer) => {
      const own = await TestIssuer.start()
      expect(
        await outcomesOf(own, () => {
          own.intercept = (path) => answer(path, own)
        }),
      ).toMatch(new RegExp(why))
      await own.stop()
    },
  )

  it('that is down is asked once for many tokens', async () => {
    const own = await TestIssuer.start()
    expect(
      await outcomesOf(own, () => {
        own.isDown = true
      }),
    ).toMatch(/issuer_unavailable .* did not answer: /)
    await own.stop()
  })

  it('that never answers is left after the time-out', async () => {
    const clock = shiftedClock()
    const signals: AbortSignal[] = []
    const errors: AuthError[] = []
    const hanging = jwtBearer({
      issuer: issuer.url,
      fetchTimeoutMs: 1_000,
      clock: { ...clock, setTimer: (callback) => void queueMicrotask(callback), clearTimer: () => undefined },
      onError: (error) => errors.push(error),
      fetch: (_, { signal }) => {
        signals.push(signal as AbortSignal)
        return new Promise(() => undefined)
      },
    })
    expect(await ask(await issuer.token(), hanging)).toBe('401 temporarily_unavailable')
    expect(signals.map(({ aborted }) => aborted)).toEqual([true])
    expect(errors[0]?.message).toContain('not within 1000 ms')
  })

  it('is let go when the authenticator closes', async () => {
    const outcome = await new Promise<AuthOutcome>((resolve) => {
      const hanging = jwtBearer({
        issuer: issuer.url,
        fetch: (_, { signal }) =>
          new Promise((_, reject) => {
            signal?.addEventListener('abort', () => reject(signal.reason))
            hanging.close?.()
          }),
      })
      void issuer
        .token()
        .then((token) => hanging.authenticate(bearer(token)))
        .then(resolve)
    })
    expect(told(outcome)).toBe('401 temporarily_unavailable')
  })
})

describe('several issuers', () => {
  it('have each their own subjects: the same name is another principal', async () => {
    const other = await TestIssuer.start()
    const both = jwtBearer({ issuers: [issuer.url, other.url] })
    expect(await ask(await issuer.forge({ sub: 'ann' }), both)).toBe(`ok ${issuer.url}|ann`)
    expect(await ask(await other.forge({ sub: 'ann' }), both)).toBe(`ok ${other.url}|ann`)
    expect(both.metadata(ENDPOINT)?.document).toMatchObject({ authorization_servers: [issuer.url, other.url] })
    await other.stop()
  })

  it('cannot sign for each other', async () => {
    const other = await TestIssuer.start([await issuerKey('first')])
    const both = jwtBearer({ issuers: [issuer.url, other.url] })
    expect(await ask(await other.forge({ iss: issuer.url }), both)).toBe('401 invalid_token')
    await other.stop()
  })

  it('of workloads are mapped subject by subject, and unknown subjects are refused', async () => {
    const cluster = await TestIssuer.start()
    const workloads = jwtBearer({
      issuers: [
        { issuer: issuer.url, principal: (claims) => (claims['sub'] === 'ann' ? `user:${claims['sub']}` : undefined) },
        {
          issuer: cluster.url,
          subjects: { 'system:serviceaccount:prod:indexer': 'indexer' },
          audience: 'bough-workloads',
        },
      ],
    })
    const aud = 'bough-workloads'
    expect(await ask(await cluster.forge({ aud, sub: 'system:serviceaccount:prod:indexer' }), workloads)).toBe(
      'ok indexer',
    )
    expect(await ask(await cluster.forge({ aud, sub: 'system:serviceaccount:dev:indexer' }), workloads)).toBe(
      '401 invalid_token',
    )
    expect(await ask(await cluster.forge({ aud, sub: 'toString' }), workloads)).toBe('401 invalid_token')
    expect(await ask(await cluster.forge({ sub: 'system:serviceaccount:prod:indexer' }), workloads)).toBe(
      '401 invalid_token',
    )
    expect(await ask(await issuer.forge({ sub: 'ann' }), workloads)).toBe('ok user:ann')
    expect(await ask(await issuer.forge({ sub: 'bob' }), workloads)).toBe('401 invalid_token')
    await cluster.stop()
  })
})

describe('who a token is of', () => {
  it('is its subject, else its client, which is never taken for a user of that name', async () => {
    expect(await ask(await issuer.forge({ sub: 'ann', client_id: 'app' }))).toBe('ok ann')
    expect(await ask(await issuer.forge({ sub: undefined, client_id: 'ann' }))).toBe('ok client:ann')
    expect(await ask(await issuer.forge({ sub: undefined }))).toBe('401 invalid_token')
    expect(await ask(await issuer.forge({ sub: 7 }))).toBe('401 invalid_token')
  })

  it('is out of reach, and the caller told to come again, when the mapper throws', async () => {
    const thrown: AuthError[] = []
    const faulty = jwtBearer({
      issuer: issuer.url,
      principal: () => {
        throw new Error('no database')
      },
      onError: (error) => thrown.push(error),
    })
    const token = await issuer.token()
    expect(await ask(token, faulty)).toBe('401 temporarily_unavailable')
    expect(await ask(token, faulty)).toBe('401 temporarily_unavailable')
    expect(thrown.map(({ code }) => code)).toEqual(['verifier_failed', 'verifier_failed'])
  })

  it('has the scopes of scope or scp, and those that they imply', async () => {
    const impliedScopes = { admin: ['files:write'], 'files:write': ['files:read'] }
    const scoped = jwtBearer({ issuer: issuer.url, impliedScopes, requiredScopes: ['files:read'] })
    const scopesOf = async (claims: Record<string, unknown>): Promise<unknown> => {
      const outcome = await scoped.authenticate(bearer(await issuer.forge(claims)))
      return outcome.ok ? outcome.principal.scopes : told(outcome)
    }
    expect(await scopesOf({ scope: 'files:read other' })).toEqual(['files:read', 'other'])
    expect(await scopesOf({ scp: ['files:write'] })).toEqual(['files:write', 'files:read'])
    expect(await scopesOf({ scp: 'admin' })).toEqual(['admin', 'files:write', 'files:read'])
    expect(await scopesOf({ scope: 'other' })).toBe('403 insufficient_scope')
    expect(await scopesOf({ scope: 7, scp: 'files:read' })).toBe('403 insufficient_scope')
  })
})

describe('a token that is bound to a certificate', () => {
  it('is admitted with that certificate only, fresh or remembered', async () => {
    const fingerprint256 = 'AB:'.repeat(31).concat('AB')
    const x5t = Buffer.from('ab'.repeat(32), 'hex').toString('base64url')
    const token = await issuer.forge({ cnf: { 'x5t#S256': x5t } })
    const by = async (fingerprint?: string): Promise<string> => {
      const certificate = fingerprint === undefined ? {} : { clientCertificate: { fingerprint256: fingerprint } }
      return told(await auth.authenticate(request({ authorization: `Bearer ${token}` }, certificate)))
    }
    for (let round = 0; round < 2; round++) {
      expect(await by(fingerprint256)).toBe('ok ann')
      expect(await by()).toBe('401 invalid_token')
      expect(await by('CD:'.repeat(31).concat('CD'))).toBe('401 invalid_token')
    }
  })

  it('and to a key needs both', async () => {
    const pair = await signingPair()
    const cnf = { 'x5t#S256': Buffer.from('ab'.repeat(32), 'hex').toString('base64url'), jkt: pair.thumbprint }
    const token = await issuer.forge({ cnf })
    const by = async (withProof: boolean, withCertificate: boolean): Promise<string> => {
      const dpop = withProof ? await proof(pair, { token }) : undefined
      const certificate = withCertificate ? { clientCertificate: { fingerprint256: 'ab'.repeat(32) } } : {}
      return told(await auth.authenticate(request({ authorization: `DPoP ${token}`, dpop }, certificate)))
    }
    expect(await by(true, true)).toBe('ok ann')
    expect(await by(true, false)).toBe('401 invalid_token')
    expect(await by(false, true)).toBe('401 invalid_dpop_proof')
  })
})

describe('options that cannot be used', () => {
  it.each([
    [{}, /needs issuer/],
    [{ issuer: 'http://auth.example.com' }, /must be an https URL.*got "http:\/\/auth.example.com"/],
    [{ issuer: 'https://auth.example.com?x=1' }, /without query/],
    [{ issuer: 'auth' }, /must be an https URL/],
    [{ issuer: 'https://a.example', issuers: ['https://b.example'] }, /not both/],
    [{ issuers: [] }, /1 to 100/],
    [{ issuers: ['https://a.example', 'https://a.example'] }, /must differ/],
    [{ issuer: 'https://a.example', jwksUri: 'http://a.example/jwks' }, /jwksUri must be an https URL/],
    [{ issuers: ['https://a.example'], jwksUri: 'https://a.example/jwks' }, /into the entries of issuers/],
    [{ issuer: 'https://a.example', algorithms: ['none'] }, /never accepted/],
    [{ issuer: 'https://a.example', algorithms: ['HS256'] }, /never accepted/],
    [{ issuer: 'https://a.example', algorithms: [] }, /at least one/],
    [{ issuer: 'https://a.example', clockToleranceS: -1 }, /must not be negative, got -1/],
    [{ issuer: 'https://a.example', dpop: { windowS: 301 } }, /more than 0 and at most 300, got 301/],
    [{ issuer: 'https://a.example', resource: '/mcp' }, /resource must be an absolute/],
    [{ issuer: 'https://a.example', requiredScopes: ['a b'] }, /requiredScopes must hold scopes.*got "a b"/],
    [{ issuer: 'https://a.example', dpop: { nonce: { secret: new Uint8Array(8) } } }, /at least 32 bytes, got 8/],
  ])('%j are refused where they are written', (options, sentence) => {
    expect(() => jwtBearer(options)).toThrow(sentence)
    expect(() => jwtBearer(options)).toThrow(AuthError)
  })
})

it('keys that are given are never fetched', async () => {
  const pair = await signingPair()
  const fixed = jwtBearer({
    issuer: 'https://auth.example.com',
    jwks: { keys: [{ ...pair.jwk, kid: 'k' }] },
    fetch: () => Promise.reject(new Error('must not be called')),
  })
  const claims = { iss: 'https://auth.example.com', aud: ENDPOINT, sub: 'ann', exp: nowS() + 60 }
  const sign = (kid: string): Promise<string> =>
    new SignJWT(claims).setProtectedHeader({ alg: 'ES256', kid }).sign(pair.privateKey)
  expect(await ask(await sign('k'), fixed)).toBe('ok ann')
  expect(await ask(await sign('other'), fixed)).toBe('401 invalid_token')
})
