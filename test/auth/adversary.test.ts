/**
 * What a caller without a good token tries, row by row: each is refused with the right status and code, no refusal holds a
 * piece of a token, and none is answered as a failure of the server.
 */
import { createHmac } from 'node:crypto'
import { exportSPKI, importJWK, importSPKI, SignJWT } from 'jose'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Authenticator, type AuthOutcome, type AuthRequest, jwtBearer } from '#auth/index'
import {
  ELSEWHERE,
  ENDPOINT,
  issuerKey,
  nowS,
  request,
  type SigningPair,
  signingPair,
  TestIssuer,
  told,
} from './issuer.ts'

let issuer: TestIssuer
let stranger: TestIssuer
let pair: SigningPair
let auth: Authenticator
let good: string

beforeAll(async () => {
  issuer = await TestIssuer.start()
  stranger = await TestIssuer.start([await issuerKey('first')])
  pair = await signingPair()
  auth = jwtBearer({ issuer: issuer.url, requiredScopes: ['files:read'] })
  good = await issuer.token()
})
afterAll(() => Promise.all([issuer.stop(), stranger.stop()]))

type Attempt = () => AuthRequest | Promise<AuthRequest>
const bearer = (token: string): AuthRequest => request({ authorization: `Bearer ${token}` })
const sealed = (part: unknown): string => Buffer.from(JSON.stringify(part)).toString('base64url')
const forged = (claims: object | (() => object), header?: Record<string, unknown>): Attempt => {
  // Late, because the issuer has its URL only then.
  return async () =>
    bearer(await issuer.forge({ scope: 'files:read', ...(typeof claims === 'function' ? claims() : claims) }, header))
}
/** The good token with other claims or another header, and its signature as it was. */
const patched = (claims: object, header: object = {}): Attempt => {
  return () => {
    const [head = '', payload = '', signature = ''] = good.split('.')
    const read = (part: string): object => JSON.parse(Buffer.from(part, 'base64url').toString())
    return bearer(`${sealed({ ...read(head), ...header })}.${sealed({ ...read(payload), ...claims })}.${signature}`)
  }
}

const none = '401 no credentials'
const invalid = '401 invalid_token'
const malformed = '400 invalid_request'

const rows: readonly (readonly [string, string, string, Attempt])[] = [
  // Where the token stands.
  ['no Authorization header', none, 'This server needs an access token in the Authorization header', () => request()],
  [
    'an empty Authorization header',
    none,
    'This server needs an access token in the Authorization header',
    () => request({ authorization: '' }),
  ],
  [
    'another scheme',
    none,
    'This server needs an access token in the Authorization header',
    () => request({ authorization: 'Basic YTpi' }),
  ],
  [
    'a token without a scheme',
    none,
    'This server needs an access token in the Authorization header',
    () => request({ authorization: good }),
  ],
  [
    'a scheme without a token',
    malformed,
    'The Authorization header has the scheme Bearer and no token',
    () => request({ authorization: 'Bearer' }),
  ],
  [
    'a scheme and spaces',
    malformed,
    'The Authorization header has the scheme Bearer and no token',
    () => request({ authorization: 'Bearer   ' }),
  ],
  [
    'two tokens in one header',
    malformed,
    'The Authorization header must hold one scheme, one space and one token',
    () => request({ authorization: `Bearer ${good} ${good}` }),
  ],
  [
    'two headers joined by a comma',
    malformed,
    'The Authorization header must hold one scheme, one space and one token',
    () => request({ authorization: `Bearer ${good}, Bearer ${good}` }),
  ],
  [
    'two headers',
    malformed,
    'The request has more than one Authorization header; send one',
    () => request({ authorization: [`Bearer ${good}`, `Bearer ${good}`] }),
  ],
  [
    'a good header after a bad one',
    malformed,
    'The request has more than one Authorization header; send one',
    () => request({ authorization: ['Basic x', `Bearer ${good}`] }),
  ],
  [
    'the token in the query',
    malformed,
    'A token in the URL is not accepted; send it in the Authorization header',
    () => request({}, { url: `${ENDPOINT}?access_token=${good}` }),
  ],
  [
    'the token in the query, and a good header',
    malformed,
    'A token in the URL is not accepted; send it in the Authorization header',
    () => request({ authorization: `Bearer ${good}` }, { url: `${ENDPOINT}?a=1&access_token=${good}` }),
  ],
  [
    'the token in the query, escaped',
    malformed,
    'A token in the URL is not accepted; send it in the Authorization header',
    () => request({}, { url: `${ENDPOINT}?access%5Ftoken=${good}` }),
  ],
  [
    'a token of 20 000 characters',
    malformed,
    'The token is longer than 16384 characters',
    () => bearer('x'.repeat(20_000)),
  ],
  [
    'control characters',
    malformed,
    'The Authorization header must hold one scheme, one space and one token',
    () => bearer('a\u0000b'),
  ],
  [
    'characters beyond ASCII',
    malformed,
    'The Authorization header must hold one scheme, one space and one token',
    () => bearer('é'),
  ],
  [
    'a line break',
    malformed,
    'The Authorization header must hold one scheme, one space and one token',
    () => bearer('a\r\nX: b'),
  ],
  [
    'a URL that is none',
    malformed,
    'The URL of the request cannot be read',
    () => request({ authorization: `Bearer ${good}` }, { url: '//' }),
  ],
  // What the token is.
  ['a word', invalid, 'The access token is not a JWT that names its issuer', () => bearer('hello')],
  ['three dots', invalid, 'The access token is not a JWT that names its issuer', () => bearer('...')],
  [
    'a JWT of two parts',
    invalid,
    'The access token is not a JWT that names its issuer',
    () => bearer(good.split('.').slice(0, 2).join('.')),
  ],
  ['a JWE of five parts', invalid, 'The access token is not a JWT that names its issuer', () => bearer(`${good}.a.b`)],
  [
    'a JWT with a JSON array inside',
    invalid,
    'The access token is not a JWT that names its issuer',
    () => bearer(`${sealed({ alg: 'ES256' })}.${sealed([])}.x`),
  ],
  [
    'a JWT with __proto__ inside',
    invalid,
    'The access token is not a JWT that names its issuer',
    () => bearer(`e30.${Buffer.from('{"__proto__":{"iss":"x"}}').toString('base64url')}.x`),
  ],
  // How it is signed.
  ['the signature cut', invalid, 'The signature of the access token does not verify', () => bearer(good.slice(0, -4))],
  [
    'the signature empty',
    invalid,
    'The signature of the access token does not verify',
    () => bearer(`${good.split('.').slice(0, 2).join('.')}.`),
  ],
  [
    'alg none',
    invalid,
    'The access token is signed with an algorithm that is not accepted',
    patched({}, { alg: 'none' }),
  ],
  [
    'alg None',
    invalid,
    'The access token is signed with an algorithm that is not accepted',
    patched({}, { alg: 'None' }),
  ],
  [
    'other claims under the old signature',
    invalid,
    'The signature of the access token does not verify',
    patched({ sub: 'root' }),
  ],
  [
    'a later expiry under the old signature',
    invalid,
    'The signature of the access token does not verify',
    patched({ exp: nowS() + 1e6 }),
  ],
  [
    'its own key in the header',
    invalid,
    'The access token is signed by a key that its issuer does not publish',
    async () => bearer(await issuer.forge({}, { jwk: pair.jwk, kid: undefined }, pair)),
  ],
  [
    'a key URL in the header',
    invalid,
    'The signature of the access token does not verify',
    async () => bearer(await issuer.forge({}, { jku: `${stranger.url}/jwks` }, pair)),
  ],
  [
    'the known key id and another key',
    invalid,
    'The signature of the access token does not verify',
    async () => bearer(await issuer.forge({}, {}, pair)),
  ],
  [
    'a key id that nobody has',
    invalid,
    'The access token is signed by a key that its issuer does not publish',
    forged({}, { kid: 'x' }),
  ],
  [
    'a key id that is a path',
    invalid,
    'The access token is signed by a key that its issuer does not publish',
    forged({}, { kid: '../../dev/null' }),
  ],
  [
    'HS256 with the public key as the secret',
    invalid,
    'The access token is signed with an algorithm that is not accepted',
    async () => {
      const { kty, crv, x, y } = issuer.signingKey
      const pem = await exportSPKI(
        (await importJWK({ kty, crv, x, y } as never, 'ES256')) as Parameters<typeof exportSPKI>[0],
      )
      await importSPKI(pem, 'ES256')
      const claims = { iss: issuer.url, aud: ENDPOINT, sub: 'root', exp: nowS() + 600, scope: 'files:read' }
      const body = `${sealed({ alg: 'HS256', kid: issuer.signingKey.kid })}.${sealed(claims)}`
      return bearer(`${body}.${createHmac('sha256', pem).update(body).digest('base64url')}`)
    },
  ],
  [
    'a critical extension that is not known',
    invalid,
    'The access token is malformed',
    forged({}, { crit: ['x'], x: true }),
  ],
  [
    'an unencoded payload',
    invalid,
    'The access token is malformed',
    () => bearer(`${sealed({ alg: 'ES256', b64: false, crit: ['b64'] })}.${sealed({ iss: issuer.url })}.x`),
  ],
  // What it says.
  [
    'another issuer of its own',
    invalid,
    'The access token is of an issuer that is not accepted here',
    async () => bearer(await stranger.token()),
  ],
  [
    'our issuer, signed by another',
    invalid,
    'The signature of the access token does not verify',
    async () => bearer(await stranger.forge({ iss: issuer.url })),
  ],
  [
    'our issuer with a slash more',
    invalid,
    'The access token is of an issuer that is not accepted here',
    forged(() => ({ iss: `${issuer.url}/` })),
  ],
  ['no issuer', invalid, 'The access token is not a JWT that names its issuer', forged({ iss: undefined })],
  [
    'an issuer that is a list',
    invalid,
    'The access token is not a JWT that names its issuer',
    async () => bearer(await issuer.forge({ iss: [issuer.url] })),
  ],
  [
    'another resource',
    invalid,
    'The access token is meant for another resource',
    async () => bearer(await issuer.token({ resource: ELSEWHERE })),
  ],
  [
    'the origin of the resource',
    invalid,
    'The access token is meant for another resource',
    forged({ aud: new URL(ENDPOINT).origin }),
  ],
  ['a longer path', invalid, 'The access token is meant for another resource', forged({ aud: `${ENDPOINT}/admin` })],
  [
    'a host that begins like ours',
    invalid,
    'The access token is meant for another resource',
    forged({ aud: 'http://127.0.0.1:3000.evil.example/mcp' }),
  ],
  ['no audience', invalid, 'The access token is meant for another resource', forged({ aud: undefined })],
  ['expired', invalid, 'The access token has expired', forged({ exp: nowS() - 10 })],
  ['no expiry', invalid, 'The access token has no time of expiry', forged({ exp: undefined })],
  [
    'an expiry that is a text',
    invalid,
    'The access token has no time of expiry',
    forged({ exp: '9999999999' as never }),
  ],
  [
    'an expiry that is no finite number',
    invalid,
    'The access token has no time of expiry',
    forged({ exp: 'Infinity' as never }),
  ],
  ['not valid yet', invalid, 'The access token is not valid yet', forged({ nbf: nowS() + 60 })],
  ['no subject', invalid, 'The access token names neither a subject nor a client', forged({ sub: undefined })],
  [
    'an ID token of our issuer',
    invalid,
    'The access token is meant for another resource',
    forged({ aud: 'machine' }, { typ: 'JWT' }),
  ],
  ['a logout token', invalid, 'The JWT is not of a type for access tokens', forged({}, { typ: 'logout+jwt' })],
  ['a DPoP proof for a token', invalid, 'The JWT is not of a type for access tokens', forged({}, { typ: 'dpop+jwt' })],
  [
    'a binding to a certificate',
    invalid,
    'The access token is bound to a certificate; the request shows none',
    forged({ cnf: { 'x5t#S256': 'x' } }),
  ],
  [
    'a binding to a key',
    invalid,
    'The access token is bound to a key; send it with the scheme DPoP and a proof',
    forged(() => ({ cnf: { jkt: pair.thumbprint } })),
  ],
  [
    'a binding that is not known',
    invalid,
    'The access token is bound in a way that this server cannot check',
    forged({ cnf: { jku: 'https://x.example' } }),
  ],
  [
    'a binding that is a text',
    invalid,
    'The access token is bound in a way that this server cannot check',
    forged({ cnf: 'x' }),
  ],
  [
    'a binding that is null',
    invalid,
    'The access token is bound in a way that this server cannot check',
    forged({ cnf: null }),
  ],
  [
    'too few scopes',
    '403 insufficient_scope',
    'The operation needs more scopes than the access token has',
    forged({ scope: 'other' }),
  ],
  [
    'a scope that begins like ours',
    '403 insufficient_scope',
    'The operation needs more scopes than the access token has',
    forged({ scope: 'files:reader' }),
  ],
  [
    'scopes that are no text',
    '403 insufficient_scope',
    'The operation needs more scopes than the access token has',
    forged({ scope: { 'files:read': true } }),
  ],
  [
    'scopes with characters for headers',
    '403 insufficient_scope',
    'The operation needs more scopes than the access token has',
    forged({ scope: 'a"b \u00e9 \r\nX:' }),
  ],
]

/** No part of any token, wherever the text came from. */
function expectNoToken(outcome: AuthOutcome, sent: AuthRequest): void {
  const said = JSON.stringify(outcome)
  const { authorization } = sent.headers
  for (const header of typeof authorization === 'string' ? [authorization] : (authorization ?? [])) {
    for (const part of header.split(/[ .,]/)) if (part.length > 8) expect(said).not.toContain(part)
  }
}

describe('an adversary', () => {
  it.each(rows)('with %s gets %s', async (_, expected, reason, attempt) => {
    const sent = await attempt()
    const outcome = await auth.authenticate(sent)
    expect(told(outcome)).toBe(expected)
    expectNoToken(outcome, sent)
    if (outcome.ok) return
    expect(outcome.error).toMatchObject({ code: -32600, message: reason })
    for (const value of Object.values(outcome.headers)) expect(value).toMatch(/^[\x20-\x7e]+$/)
    if (sent.url === ENDPOINT) {
      expect(outcome.headers['WWW-Authenticate']).toContain(
        'resource_metadata="http://127.0.0.1:3000/.well-known/oauth-protected-resource/mcp"',
      )
    }
    expect(outcome.headers['WWW-Authenticate']).toContain('scope="')
  })

  it('meets the same answer when it tries twice: refusals are not remembered as anything else', async () => {
    for (const [, expected, , attempt] of rows) {
      const sent = await attempt()
      await auth.authenticate(sent)
      expect(told(await auth.authenticate(sent))).toBe(expected)
    }
  })

  it('is not the one with a good token', async () => {
    const sign = await new SignJWT({
      iss: issuer.url,
      aud: ENDPOINT,
      sub: 'ann',
      exp: nowS() + 60,
      scope: 'files:read',
    })
      .setProtectedHeader({ alg: 'ES256', kid: 'first', typ: 'at+jwt' })
      .sign(await importJWK(issuer.signingKey, 'ES256'))
    expect(told(await auth.authenticate(bearer(sign)))).toBe('ok ann')
    expect(told(await auth.authenticate(request({ authorization: [`bearer   ${sign}`] })))).toBe('ok ann')
  })
})
