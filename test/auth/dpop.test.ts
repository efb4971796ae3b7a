/** Tokens that are bound to a key: proofs as RFC 9449 and SEP-1932 want them, against tokens of a real issuer. */
import { generateKeyPair, SignJWT } from 'jose'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Authenticator, type AuthRequest, jwtBearer } from '#auth/index'
import {
  ENDPOINT,
  nowS,
  type ProofParts,
  proof,
  request,
  type SigningPair,
  signingPair,
  TestIssuer,
  told,
} from './issuer.ts'

let issuer: TestIssuer
let auth: Authenticator
let pair: SigningPair
let token: string

beforeAll(async () => {
  issuer = await TestIssuer.start()
  auth = jwtBearer({ issuer: issuer.url })
  pair = await signingPair()
  token = await issuer.token({ pair })
})
afterAll(() => issuer.stop())

const bound = (dpop: string | string[] | undefined, parts: Partial<AuthRequest> = {}): AuthRequest =>
  request({ authorization: `DPoP ${token}`, dpop }, parts)
const send = async (
  dpop: string | string[] | undefined,
  parts: Partial<AuthRequest> = {},
  by = auth,
): Promise<string> => told(await by.authenticate(bound(dpop, parts)))
const good = (parts: ProofParts = {}): Promise<string> => proof(pair, { token, ...parts })

describe('a proof', () => {
  it('that is right admits its bound token, once', async () => {
    const one = await good()
    expect(await send(one)).toBe('ok machine')
    expect(await send(one)).toBe('401 invalid_dpop_proof')
    expect(await send(await good())).toBe('ok machine')
  })

  it('may be used up by the first of two requests only, however close they come', async () => {
    const one = await good()
    const told = await Promise.all(Array.from({ length: 8 }, () => send(one)))
    expect(told.filter((outcome) => outcome === 'ok machine')).toHaveLength(1)
  })

  it.each([
    ['is for another method', 'htm of the DPoP proof is not the method of the request', { htm: 'GET' }],
    ['has the method in lower case', 'htm of the DPoP proof is not the method of the request', { htm: 'post' }],
    ['has no method', 'htm of the DPoP proof is not the method of the request', { htm: undefined }],
    [
      'is for another path',
      'htu of the DPoP proof is not the URL of the request',
      { htu: 'http://127.0.0.1:3000/other' },
    ],
    [
      'is for another host',
      'htu of the DPoP proof is not the URL of the request',
      { htu: 'http://127.0.0.2:3000/mcp' },
    ],
    [
      'is for another scheme',
      'htu of the DPoP proof is not the URL of the request',
      { htu: 'https://127.0.0.1:3000/mcp' },
    ],
    ['has a query in its URL', 'htu of the DPoP proof is not the URL of the request', { htu: `${ENDPOINT}?a=1` }],
    ['has a fragment in its URL', 'htu of the DPoP proof is not the URL of the request', { htu: `${ENDPOINT}#a` }],
    [
      'has a user in its URL',
      'htu of the DPoP proof is not the URL of the request',
      { htu: 'http://u:p@127.0.0.1:3000/mcp' },
    ],
    ['has no URL', 'htu of the DPoP proof is not the URL of the request', { htu: undefined }],
    ['has a number for a URL', 'htu of the DPoP proof is not the URL of the request', { htu: 7 }],
    ['is too old', 'iat of the DPoP proof is not within 300 seconds of the time of this server', { iat: nowS() - 310 }],
    [
      'is from the future',
      'iat of the DPoP proof is not within 300 seconds of the time of this server',
      { iat: nowS() + 310 },
    ],
    ['has no time', 'iat of the DPoP proof is not within 300 seconds of the time of this server', { iat: undefined }],
    [
      'has a text for a time',
      'The DPoP proof is not a JWT signed by the public key in its jwk header',
      { iat: String(nowS()) },
    ],
    ['has no hash of the token', 'ath of the DPoP proof is not the hash of the access token', { ath: undefined }],
    [
      'has the hash of another token',
      'ath of the DPoP proof is not the hash of the access token',
      { ath: 'x'.repeat(43) },
    ],
    ['has no id', 'The DPoP proof has no usable jti', { jti: undefined }],
    ['has an empty id', 'The DPoP proof has no usable jti', { jti: '' }],
    ['has a huge id', 'The DPoP proof has no usable jti', { jti: 'x'.repeat(513) }],
    ['is of type JWT', 'typ of the DPoP proof is not dpop+jwt', { header: { typ: 'JWT' } }],
    ['has no type', 'typ of the DPoP proof is not dpop+jwt', { header: { typ: undefined } }],
    [
      'has no key',
      'The DPoP proof is not a JWT signed by the public key in its jwk header',
      { header: { jwk: undefined } },
    ],
    [
      'has a shared secret for a key',
      'The DPoP proof is not a JWT signed by the public key in its jwk header',
      { header: { jwk: { kty: 'oct', k: 'c2VjcmV0' } } },
    ],
    [
      'has a critical extension',
      'The DPoP proof is not a JWT signed by the public key in its jwk header',
      { header: { crit: ['x'], x: 1 } },
    ],
  ])('that %s is refused: %s', async (_, reason, parts: ProofParts) => {
    const outcome = await auth.authenticate(bound(await good(parts)))
    expect(told(outcome)).toBe('401 invalid_dpop_proof')
    expect(outcome).toMatchObject({ error: { message: reason } })
  })

  it('that shows its private key is refused', async () => {
    const { exportJWK } = await import('jose')
    expect(await send(await good({ header: { jwk: await exportJWK(pair.privateKey) } }))).toBe('401 invalid_dpop_proof')
  })

  it('by another key than the token is bound to is refused', async () => {
    expect(await send(await proof(await signingPair(), { token }))).toBe('401 invalid_dpop_proof')
  })

  it('whose key is not the one that signed it is refused', async () => {
    const thief = await signingPair()
    expect(await send(await proof(thief, { token, header: { jwk: pair.jwk } }))).toBe('401 invalid_dpop_proof')
  })

  it('that is missing, double, cut, unsigned, symmetric or no JWT at all is refused', async () => {
    const [one, two] = [await good(), await good()]
    const unsigned = `${Buffer.from('{"alg":"none","typ":"dpop+jwt"}').toString('base64url')}.${one.split('.')[1]}.`
    const symmetric = await new SignJWT({})
      .setProtectedHeader({ alg: 'HS256', typ: 'dpop+jwt', jwk: pair.jwk })
      .sign(new Uint8Array(32))
    for (const dpop of [
      undefined,
      '',
      'x',
      [one, two],
      `${one}, ${two}`,
      one.slice(0, -8),
      unsigned,
      symmetric,
      'x'.repeat(9_000),
    ]) {
      expect(await send(dpop)).toBe('401 invalid_dpop_proof')
    }
    expect(await send([one])).toBe('ok machine')
  })

  it('may spell the URL in any way that is the same', async () => {
    expect(await send(await good({ htu: 'HTTP://127.0.0.1:3000/./%6Dcp' }))).toBe('ok machine')
    const withQuery = { url: `${ENDPOINT}?session=1` }
    expect(await send(await good(), withQuery)).toBe('ok machine')
  })

  it('may name the public URL of a server behind a proxy', async () => {
    const resource = 'https://mcp.example.com/mcp'
    const behind = jwtBearer({ issuer: issuer.url, audience: ENDPOINT, resource })
    const inside = { url: 'http://10.0.0.7:8080/mcp' }
    expect(await send(await good({ htu: resource }), inside, behind)).toBe('ok machine')
    expect(await send(await good({ htu: 'http://10.0.0.7:8080/mcp' }), inside, behind)).toBe('ok machine')
    expect(await send(await good({ htu: 'https://other.example.com/mcp' }), inside, behind)).toBe(
      '401 invalid_dpop_proof',
    )
  })

  it('is not used up when it is refused for another reason', async () => {
    const one = await good()
    expect(await send(one, { method: 'GET' })).toBe('401 invalid_dpop_proof')
    expect(await send(one)).toBe('ok machine')
  })

  it.each(['ES256', 'ES384', 'RS256', 'PS256', 'EdDSA', 'Ed25519'])('may be signed with %s', async (algorithm) => {
    const { publicKey, privateKey } = await generateKeyPair(algorithm, { extractable: true })
    const { calculateJwkThumbprint, exportJWK } = await import('jose')
    const jwk = await exportJWK(publicKey)
    const own = { privateKey, jwk, thumbprint: await calculateJwkThumbprint(jwk) }
    const held = await issuer.forge({ cnf: { jkt: own.thumbprint } })
    const dpop = await proof(own, { token: held, header: { alg: algorithm } })
    expect(told(await auth.authenticate(request({ authorization: `DPoP ${held}`, dpop })))).toBe('ok ann')
  })
})

describe('schemes', () => {
  it('a bound token as a bearer token is refused, with a challenge for both schemes', async () => {
    const outcome = await auth.authenticate(request({ authorization: `Bearer ${token}`, dpop: await good() }))
    expect(told(outcome)).toBe('401 invalid_token')
    expect(outcome).toMatchObject({
      headers: { 'WWW-Authenticate': expect.stringMatching(/^Bearer error="invalid_token".*, DPoP .*algs="ES256 /) },
    })
  })

  it('a plain token with the scheme DPoP is refused', async () => {
    const plain = await issuer.token()
    const dpop = await proof(pair, { token: plain })
    expect(told(await auth.authenticate(request({ authorization: `DPoP ${plain}`, dpop })))).toBe('401 invalid_token')
  })

  it('a bound token for another resource is refused, whatever its proof', async () => {
    const foreign = await issuer.token({ pair, resource: 'http://127.0.0.1:4000/mcp' })
    const dpop = await proof(pair, { token: foreign })
    expect(told(await auth.authenticate(request({ authorization: `DPoP ${foreign}`, dpop })))).toBe('401 invalid_token')
  })

  it('plain tokens are refused where proofs are required, and the challenge names DPoP alone', async () => {
    const strict = jwtBearer({ issuer: issuer.url, dpop: 'required' })
    const outcome = await strict.authenticate(request({ authorization: `Bearer ${await issuer.token()}` }))
    expect(told(outcome)).toBe('401 invalid_token')
    expect(outcome).toMatchObject({
      headers: { 'WWW-Authenticate': expect.stringMatching(/^DPoP error="invalid_token"/) },
    })
    expect(await send(await good(), {}, strict)).toBe('ok machine')
    expect(strict.metadata(ENDPOINT)?.document).toMatchObject({ dpop_bound_access_tokens_required: true })
  })

  it('bound tokens are refused where proofs are not checked', async () => {
    const lax = jwtBearer({ issuer: issuer.url, dpop: false })
    expect(await send(await good(), {}, lax)).toBe('401 invalid_token')
    expect(told(await lax.authenticate(request({ authorization: `Bearer ${token}` })))).toBe('401 invalid_token')
    expect(told(await lax.authenticate(request({ authorization: `Bearer ${await issuer.token()}` })))).toBe(
      'ok machine',
    )
  })
})

describe('nonces', () => {
  it('are handed out in the challenge, must be in the proof, and are renewed in time', async () => {
    const clock = {
      shiftMs: 0,
      wallNow: () => Date.now() + clock.shiftMs,
      setTimer: setTimeout,
      clearTimer: () => undefined,
    }
    const strict = jwtBearer({ issuer: issuer.url, dpop: { mode: 'required', nonce: true }, clock })
    const first = await strict.authenticate(bound(await good()))
    expect(told(first)).toBe('401 use_dpop_nonce')
    const nonce = first.ok ? '' : (first.headers['DPoP-Nonce'] ?? '')
    expect(nonce).not.toBe('')
    expect(first).toMatchObject({ headers: { 'WWW-Authenticate': expect.stringContaining('error="use_dpop_nonce"') } })
    const iat = (): number => Math.floor(clock.wallNow() / 1_000)
    expect(await strict.authenticate(bound(await good({ nonce })))).toEqual({ ok: true, principal: expect.anything() })
    clock.shiftMs += 120_000
    const later = await strict.authenticate(bound(await good({ nonce, iat: iat() })))
    expect(later).toMatchObject({ ok: true, headers: { 'DPoP-Nonce': expect.any(String) } })
    const next = later.ok ? later.headers?.['DPoP-Nonce'] : undefined
    expect(next).not.toBe(nonce)
    clock.shiftMs += 120_000
    expect(await send(await good({ nonce, iat: iat() }), {}, strict)).toBe('401 use_dpop_nonce')
    expect(await send(await good({ nonce: next, iat: iat() }), {}, strict)).toBe('ok machine')
    expect(await send(await good({ nonce: 'invented', iat: iat() }), {}, strict)).toBe('401 use_dpop_nonce')
  })

  it('of one server are good at another with the same secret, and at no other', async () => {
    const secret = new Uint8Array(32).fill(7)
    const [one, two, other] = [{ secret }, { secret }, true].map((nonce) =>
      jwtBearer({ issuer: issuer.url, dpop: { nonce } }),
    )
    const challenge = await one?.authenticate(request())
    const nonce = challenge?.ok === false ? challenge.headers['DPoP-Nonce'] : undefined
    expect(await send(await good({ nonce }), {}, two)).toBe('ok machine')
    expect(await send(await good({ nonce }), {}, other)).toBe('401 use_dpop_nonce')
  })
})
