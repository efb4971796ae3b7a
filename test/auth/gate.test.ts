/** What all authenticators share: challenges, metadata, scopes, bindings to certificates; static tokens and own verifiers. */
import { describe, expect, it } from 'vitest'
import { AuthError, type AuthOutcome, customVerifier, type Principal, staticTokens } from '#auth/index'
import { bearer, ENDPOINT, request, told } from './issuer.ts'

const METADATA = 'http://127.0.0.1:3000/.well-known/oauth-protected-resource/mcp'
const header = (outcome: AuthOutcome | Promise<AuthOutcome>): string | undefined =>
  outcome instanceof Promise || outcome.ok ? undefined : outcome.headers['WWW-Authenticate']

describe('static tokens', () => {
  const auth = staticTokens({ 'a-token': 'ann', 'b-token': { id: 'bob', clientId: 'app', scopes: ['files:read'] } })

  it('are admitted at once, each as its principal', () => {
    expect(auth.authenticate(bearer('a-token'))).toEqual({ ok: true, principal: { id: 'ann', scopes: [], claims: {} } })
    expect(auth.authenticate(bearer('b-token'))).toEqual({
      ok: true,
      principal: { id: 'bob', clientId: 'app', scopes: ['files:read'], claims: {} },
    })
  })

  it('are refused when one character differs, at the end or the start, or the case', () => {
    for (const token of ['a-toke', 'a-tokenn', 'A-TOKEN', 'x-token', '__proto__', 'toString', 'a-token=']) {
      expect(told(auth.authenticate(bearer(token)) as AuthOutcome), token).toBe('401 invalid_token')
    }
  })

  it('leave nothing of themselves in the authenticator', () => {
    expect(JSON.stringify(auth.metadata(ENDPOINT))).not.toContain('token')
    expect(Object.keys(auth)).toEqual([])
  })

  it('know no proofs: the scheme DPoP is refused', () => {
    expect(told(auth.authenticate(request({ authorization: 'DPoP a-token' })) as AuthOutcome)).toBe('401 invalid_token')
  })

  it.each([
    [{}, /at least one token/],
    [{ 'with space': 'ann' }, /token 1 must be .* got 10 characters/],
    [{ good: 'ann', 'gr\u00fcn': 'bob' }, /token 2 must be/],
    [{ good: '' }, /token 1 must have a principal/],
    [{ good: { id: 'ann', scopes: ['a b'] } }, /scopes of principal "ann"/],
  ])('that no client could send are refused where they are written: %j', (tokens, sentence) => {
    expect(() => staticTokens(tokens)).toThrow(sentence)
    expect(() => staticTokens(tokens)).toThrow(AuthError)
  })
})

describe('a challenge', () => {
  it('without credentials tells where the metadata is and which scopes are needed, and names no error', () => {
    const auth = staticTokens({ t: 'ann' }, { requiredScopes: ['files:read', 'offline_access', 'files:list'] })
    const outcome = auth.authenticate(request()) as AuthOutcome
    expect(outcome).toEqual({
      ok: false,
      status: 401,
      headers: {
        'WWW-Authenticate': `Bearer scope="files:read files:list", resource_metadata="${METADATA}"`,
        'Cache-Control': 'no-store',
      },
      error: { code: -32600, message: 'This server needs an access token in the Authorization header' },
    })
  })

  it('with a bad token names the error and says why', () => {
    expect(header(staticTokens({ t: 'ann' }).authenticate(bearer('x')))).toBe(
      `Bearer error="invalid_token", error_description="The access token is not known here", resource_metadata="${METADATA}"`,
    )
  })

  it('for more scopes lists those that the caller has and those that the operation needs, each once', () => {
    const auth = staticTokens({ t: 'ann' })
    const outcome = auth.challenge({
      scopes: ['files:write', 'files:read'],
      granted: ['files:read', 'a'],
      request: bearer('t'),
    })
    expect(outcome).toMatchObject({ ok: false, status: 403, error: { data: { error: 'insufficient_scope' } } })
    expect(outcome.headers['WWW-Authenticate']).toMatch(
      /^Bearer error="insufficient_scope", error_description="[^"]+", scope="files:read a files:write", resource_metadata="http/,
    )
  })

  it('for more scopes can be made without the request where the resource is known', () => {
    const resource = 'https://mcp.example.com/mcp'
    const { headers } = staticTokens({ t: 'ann' }, { resource }).challenge({ scopes: ['w'] })
    expect(headers['WWW-Authenticate']).toContain(
      'scope="w", resource_metadata="https://mcp.example.com/.well-known/oauth-protected-resource/mcp"',
    )
    expect(staticTokens({ t: 'ann' }).challenge({ scopes: ['w'] }).headers['WWW-Authenticate']).not.toContain(
      'resource_metadata',
    )
  })

  it('cannot be made to carry a header of its own', () => {
    const auth = staticTokens({ t: 'ann' })
    expect(() => auth.challenge({ scopes: ['a"\r\nSet-Cookie: b'] })).toThrow(AuthError)
    const granted = ['ok', 'a"\r\nSet-Cookie:', 'offline_access']
    expect(auth.challenge({ scopes: ['w'], granted }).headers['WWW-Authenticate']).toMatch(/scope="ok w"$/)
    const tricky = auth.authenticate(request({}, { url: 'http://127.0.0.1:3000/a"b' })) as AuthOutcome
    expect(header(tricky)).toBe(
      'Bearer resource_metadata="http://127.0.0.1:3000/.well-known/oauth-protected-resource/a%22b"',
    )
  })
})

describe('metadata', () => {
  it('stands at the path of the endpoint first and at the root, and names the endpoint as its clients do', () => {
    const auth = staticTokens(
      { t: 'ann' },
      { authorizationServers: ['https://auth.example.com'], scopesSupported: ['a', 'offline_access'] },
    )
    expect(auth.metadata(ENDPOINT)).toEqual({
      paths: ['/.well-known/oauth-protected-resource/mcp', '/.well-known/oauth-protected-resource'],
      document: {
        resource: ENDPOINT,
        authorization_servers: ['https://auth.example.com'],
        scopes_supported: ['a'],
        bearer_methods_supported: ['header'],
      },
    })
    expect(auth.metadata('http://127.0.0.1:3000/')?.paths).toEqual(['/.well-known/oauth-protected-resource'])
    expect(auth.metadata('nonsense')).toBeUndefined()
  })

  it('names the public resource behind a proxy, whatever the address inside', () => {
    const auth = staticTokens(
      { t: 'ann' },
      { resource: 'https://MCP.example.com:443/public/mcp', resourceName: 'Files' },
    )
    const answer = auth.metadata('http://10.0.0.7:8080/mcp')
    expect(answer?.document).toMatchObject({ resource: 'https://mcp.example.com/public/mcp', resource_name: 'Files' })
    expect(answer?.paths).toEqual([
      '/.well-known/oauth-protected-resource/public/mcp',
      '/.well-known/oauth-protected-resource/mcp',
      '/.well-known/oauth-protected-resource',
    ])
  })

  it('names at least one authorization server: the origin, where tokens are given out by hand', () => {
    expect(staticTokens({ t: 'ann' }).metadata(ENDPOINT)?.document).toMatchObject({
      authorization_servers: ['http://127.0.0.1:3000'],
    })
  })
})

describe('a verifier of the user', () => {
  const ann: Principal = { id: 'ann', scopes: ['files:write'], claims: {} }

  it('is asked with the token and the request, and its answer needs no promise', () => {
    const asked: unknown[] = []
    const auth = customVerifier((token, { url }) => {
      asked.push([token, url])
      return token === 'key' ? ann : undefined
    })
    expect(auth.authenticate(bearer('key'))).toEqual({ ok: true, principal: ann })
    expect(told(auth.authenticate(bearer('other')) as AuthOutcome)).toBe('401 invalid_token')
    expect(asked).toEqual([
      ['key', ENDPOINT],
      ['other', ENDPOINT],
    ])
  })

  it('may answer late', async () => {
    const auth = customVerifier(async (token) => (token === 'key' ? ann : undefined))
    expect(told(await auth.authenticate(bearer('key')))).toBe('ok ann')
    expect(told(await auth.authenticate(bearer('x')))).toBe('401 invalid_token')
  })

  it.each([
    [
      'throws',
      () => {
        throw new Error('secret-key')
      },
    ],
    ['rejects', () => Promise.reject(new Error('secret-key'))],
    ['returns nonsense', () => ({ id: '' }) as Principal],
  ])('that %s refuses the caller without a word of why, and tells the operator', async (_, verify) => {
    const errors: AuthError[] = []
    const outcome = await customVerifier(verify, { onError: (error) => errors.push(error) }).authenticate(bearer('key'))
    expect(told(outcome)).toBe('401 temporarily_unavailable')
    expect(JSON.stringify(outcome)).not.toContain('secret-key')
    expect(errors.map(({ code }) => code)).toEqual(['verifier_failed'])
  })

  it('is not asked where the scopes that it grants imply too little', () => {
    const impliedScopes = { 'files:write': ['files:read'] }
    const options = { impliedScopes, requiredScopes: ['files:read'] }
    expect(customVerifier(() => ann, options).authenticate(bearer('k'))).toMatchObject({
      principal: { scopes: ['files:write', 'files:read'] },
    })
    const strict = customVerifier(() => ann, { ...options, requiredScopes: ['files:read', 'admin'] })
    expect(told(strict.authenticate(bearer('k')) as AuthOutcome)).toBe('403 insufficient_scope')
    expect(header(strict.authenticate(bearer('k')))).toContain('scope="files:write files:read admin"')
  })
})

describe('a token that is bound to a certificate', () => {
  const bytes = Buffer.from(Array.from({ length: 32 }, (_, index) => index * 8))
  const x5t = bytes.toString('base64url')
  const hex = bytes.toString('hex')
  const auth = customVerifier(() => ({ id: 'ann', scopes: [], claims: { cnf: { 'x5t#S256': x5t } } }))
  const by = (fingerprint256?: string): AuthOutcome => {
    const parts = fingerprint256 === undefined ? {} : { clientCertificate: { fingerprint256 } }
    return auth.authenticate(request({ authorization: 'Bearer k' }, parts)) as AuthOutcome
  }

  it('is admitted with that certificate, however its fingerprint is written', () => {
    const colons = hex.toUpperCase().replace(/(..)(?!$)/g, '$1:')
    for (const fingerprint of [x5t, hex, colons]) expect(told(by(fingerprint)), fingerprint).toBe('ok ann')
  })

  it('is refused with none, with another, and with an empty one', () => {
    for (const fingerprint of [undefined, '', 'x', hex.replace('00', '01'), `${hex}00`]) {
      expect(told(by(fingerprint)), fingerprint).toBe('401 invalid_token')
    }
  })
})
