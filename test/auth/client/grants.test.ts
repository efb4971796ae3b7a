/** Tokens without a user: trusted clients, workloads, and users whose organisation decides; and tokens bound to a key. */
import { calculateJwkThumbprint, decodeJwt, decodeProtectedHeader, generateKeyPair, type JWK } from 'jose'
import { describe, expect, it } from 'vitest'
import type { GrantOptions, IdentityProviderOptions } from '#auth/index'
import { Authority, ENDPOINT, ISSUER, json, type Seen, World } from './world.ts'

const JWT_BEARER = 'urn:ietf:params:oauth:grant-type:jwt-bearer'
const formOf = (seen: Seen | undefined): Record<string, string> => Object.fromEntries(seen?.form ?? [])

describe('a trusted client', () => {
  const grant = { type: 'client_credentials' } as const
  const client = { clientId: 'known', clientSecret: 'sesame' }

  it('asks for itself, for the resource and the scopes of the challenge, and asks nobody else', async () => {
    const world = new World()
    world.challenge = { scope: 'a b' }
    expect(
      await world.call(world.authorization({ grant, client: { ...client, authMethod: 'client_secret_post' } })),
    ).toBe(200)
    expect(formOf(world.authority.tokenRequests[0])).toEqual({
      grant_type: 'client_credentials',
      client_id: 'known',
      client_secret: 'sesame',
      resource: ENDPOINT,
      scope: 'a b',
    })
    expect(world.authority.questions).toEqual([])
  })

  it('renews its token without a challenge', async () => {
    const world = new World()
    const authorization = world.authorization({ grant, client })
    await world.call(authorization)
    world.pass(3_600_000)
    expect(await world.call(authorization)).toBe(200)
    expect(world.authority.tokenRequests.map(({ form }) => form.get('grant_type'))).toEqual([grant.type, grant.type])
    expect(world.asked('/mcp').map(({ headers }) => headers.get('authorization'))).toEqual([
      null,
      'Bearer access-1',
      'Bearer access-2',
    ])
  })

  it('signs an assertion for this authorization server, another each time', async () => {
    const world = new World()
    const { privateKey } = await generateKeyPair('EdDSA')
    const signer = { clientId: 'signer', privateKey: { key: privateKey, algorithm: 'EdDSA', keyId: 'k1' } }
    const authorization = world.authorization({ grant, client: signer })
    await world.call(authorization)
    world.pass(3_600_000)
    await world.call(authorization)
    const [first, second] = world.authority.tokenRequests.map(({ form }) => form.get('client_assertion') ?? '')
    const nowS = Math.floor(world.clock.wallNow() / 1_000)
    expect(decodeJwt(second ?? '')).toEqual({
      iss: 'signer',
      sub: 'signer',
      aud: ISSUER,
      jti: expect.any(String),
      iat: nowS,
      exp: nowS + 60,
    })
    expect(decodeProtectedHeader(second ?? '')).toEqual({ alg: 'EdDSA', kid: 'k1' })
    expect(decodeJwt(first ?? '').jti).not.toBe(decodeJwt(second ?? '').jti)
  })

  it('with a key that cannot be read is told so, without the key', async () => {
    const world = new World()
    const bad = {
      clientId: 'signer',
      privateKey: { key: '-----BEGIN PRIVATE KEY-----\nsesame\n-----END PRIVATE KEY-----' },
    }
    await expect(world.call(world.authorization({ grant, client: bad }))).rejects.toThrow(
      /^auth: client\.privateKey\.key must be a private key for ES256 as PKCS #8 PEM/,
    )
  })
})

describe('a workload', () => {
  const grant = (assertion: Extract<GrantOptions, { type: 'jwt-bearer' }>['assertion']): GrantOptions => ({
    type: 'jwt-bearer',
    assertion,
  })

  it('shows the token of its platform, made for this authorization server', async () => {
    const world = new World()
    const asked: unknown[] = []
    const authorization = world.authorization({
      grant: grant(async (subject) => {
        asked.push(subject)
        return 'platform.token'
      }),
    })
    expect(await world.call(authorization)).toBe(200)
    expect(asked).toEqual([{ issuer: ISSUER, tokenEndpoint: `${ISSUER}/token`, resource: ENDPOINT }])
    expect(formOf(world.authority.tokenRequests[0])).toEqual({
      grant_type: JWT_BEARER,
      assertion: 'platform.token',
      resource: ENDPOINT,
    })
    expect(world.authority.registered).toEqual([])
  })

  it.each(['invalid_grant', 'invalid_scope', 'unauthorized_client'])(
    'that is refused with %s neither tries again nor falls back',
    async (error) => {
      const world = new World()
      world.authority.instead.set('/token', () => json({ error, error_description: 'platform.token is bad' }, 400))
      const authorization = world.authorization({ grant: grant('platform.token') })
      for (let calls = 0; calls < 3; calls++) {
        await expect(world.call(authorization)).rejects.toMatchObject({
          error,
          message: `${ISSUER}/token refused: ${error} (*** is bad).`,
        })
      }
      expect(world.asked('/token')).toHaveLength(1)
      world.pass(30_000)
      await expect(world.call(authorization)).rejects.toMatchObject({ error })
      expect(world.asked('/token')).toHaveLength(2)
    },
  )

  it('whose platform fails it says so', async () => {
    const world = new World()
    const authorization = world.authorization({ grant: grant(() => Promise.reject(new Error('no file'))) })
    await expect(world.call(authorization)).rejects.toMatchObject({
      code: 'token_unusable',
      cause: { message: 'no file' },
    })
    await expect(world.call(world.authorization({ grant: grant(() => '') }))).rejects.toThrow(
      /grant\.assertion must be a text/,
    )
  })
})

describe('a user whose organisation decides', () => {
  const provider = 'https://idp.example.com'
  const told = (world: World, more: Partial<IdentityProviderOptions> = {}): Promise<number> =>
    world.call(
      world.authorization({
        client: { clientId: 'known', clientSecret: 'sesame' },
        grant: {
          type: 'enterprise-managed',
          identityProvider: { issuer: provider, clientId: 'at-idp', identity: () => 'id.token', ...more },
        },
      }),
    )
  const worldWith = (answer: object): World => {
    const idp = new Authority(provider)
    idp.instead.set('/token', (seen) => {
      idp.tokenRequests.push(seen)
      return json(answer)
    })
    return new World(new Authority(), idp)
  }
  const jag = { access_token: 'jag', token_type: 'N_A', issued_token_type: 'urn:ietf:params:oauth:token-type:id-jag' }

  it('is vouched for by the identity provider, and asked nothing', async () => {
    const world = worldWith(jag)
    world.challenge = { scope: 'a' }
    world.authority.metadata = { ...world.authority.metadata, token_endpoint_auth_methods_supported: undefined }
    expect(await told(world)).toBe(200)
    expect(formOf(world.authorities[1]?.tokenRequests[0])).toEqual({
      grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
      requested_token_type: 'urn:ietf:params:oauth:token-type:id-jag',
      audience: ISSUER,
      resource: ENDPOINT,
      subject_token: 'id.token',
      subject_token_type: 'urn:ietf:params:oauth:token-type:id_token',
      scope: 'a',
      client_id: 'at-idp',
    })
    const [request] = world.authority.tokenRequests
    expect(formOf(request)).toEqual({ grant_type: JWT_BEARER, assertion: 'jag', resource: ENDPOINT, scope: 'a' })
    expect(request?.headers.get('authorization')).toBe(`Basic ${btoa('known:sesame')}`)
    expect(world.authority.questions).toEqual([])
  })

  it('gets no token where the provider answers with another kind', async () => {
    const world = worldWith({ ...jag, issued_token_type: 'urn:ietf:params:oauth:token-type:access_token' })
    await expect(told(world)).rejects.toMatchObject({ code: 'token_unusable' })
    expect(world.authority.tokenRequests).toEqual([])
  })

  it('is kept from a provider over plain http', async () => {
    await expect(told(worldWith(jag), { tokenEndpoint: 'http://idp.example.com/token' })).rejects.toThrow(
      /grant\.identityProvider\.tokenEndpoint must be an https URL/,
    )
  })
})

describe('a key-bound token', () => {
  const bound = (algorithms: readonly string[] | undefined, nonce?: string): World => {
    const world = new World()
    world.scheme = 'DPoP'
    world.authority.metadata = { ...world.authority.metadata, dpop_signing_alg_values_supported: algorithms }
    world.authority.instead.set('/token', async ({ headers }) => {
      const proof = headers.get('dpop')
      if (proof === null) return undefined
      if (nonce !== undefined && decodeJwt(proof)['nonce'] !== nonce) {
        return json({ error: 'use_dpop_nonce' }, 400, { 'dpop-nonce': nonce })
      }
      world.authority.tokens.set('bound', [])
      return json({ access_token: 'bound', token_type: 'DPoP' })
    })
    return world
  }
  const proofsTo = (world: World, path: string): string[] =>
    world.asked(path).flatMap(({ headers }) => headers.get('dpop') ?? [])

  it('is asked for and shown with a proof of its own for each request, by the key of the question', async () => {
    const world = bound(['RS256', 'ES256'])
    const authorization = world.authorization()
    expect(await world.call(authorization)).toBe(200)
    const { DPoP: proof = '' } = await authorization.headers({ method: 'GET', url: `${ENDPOINT}?a=1#b` })
    const { DPoP: other = '' } = await authorization.headers({ method: 'GET', url: ENDPOINT })
    const { jwk, ...header } = decodeProtectedHeader(proof) as { jwk: JWK }
    expect(header).toEqual({ typ: 'dpop+jwt', alg: 'ES256' })
    expect(Object.keys(jwk).sort()).toEqual(['crv', 'kty', 'x', 'y'])
    const claims = decodeJwt(proof)
    expect(claims).toMatchObject({
      htm: 'GET',
      htu: ENDPOINT,
      iat: Math.floor(world.clock.wallNow() / 1_000),
      ath: expect.any(String),
    })
    expect(claims.jti).not.toBe(decodeJwt(other).jti)
    expect(world.authority.questions[0]?.get('dpop_jkt')).toBe(await calculateJwkThumbprint(jwk))
    expect(decodeJwt(proofsTo(world, '/token')[0] ?? '')).not.toHaveProperty('ath')
  })

  it('is asked for a second time with the nonce that the authorization server wants, not a third', async () => {
    const world = bound(['ES256'], 'first')
    expect(await world.call(world.authorization())).toBe(200)
    expect(proofsTo(world, '/token').map((proof) => decodeJwt(proof)['nonce'])).toEqual([undefined, 'first'])
    const stubborn = bound(['ES256'])
    stubborn.authority.instead.set('/token', () => json({ error: 'use_dpop_nonce' }, 400, { 'dpop-nonce': 'another' }))
    await expect(stubborn.call(stubborn.authorization())).rejects.toMatchObject({ error: 'use_dpop_nonce' })
    expect(stubborn.asked('/token')).toHaveLength(2)
  })

  it('is shown again with the nonce that the server wants', async () => {
    const world = bound(['ES256'])
    const authorization = world.authorization()
    await world.call(authorization)
    const headers = new Headers({ 'www-authenticate': 'DPoP error="use_dpop_nonce"', 'dpop-nonce': 'fresh' })
    expect(await authorization.challenged({ status: 401, url: ENDPOINT, headers })).toBe(true)
    const { DPoP: proof = '' } = await authorization.headers({ method: 'POST', url: ENDPOINT })
    expect(decodeJwt(proof)['nonce']).toBe('fresh')
    headers.delete('dpop-nonce')
    expect(await authorization.challenged({ status: 401, url: ENDPOINT, headers })).toBe(false)
    expect(world.authority.questions).toHaveLength(1)
  })

  it.each([
    ['the server offers it, and the authorization server does not', undefined, 'DPoP', {}],
    ['no algorithm is shared', ['HS256', 'none'], 'DPoP', {}],
    ['the server does not offer it', ['ES256'], 'Bearer', {}],
    ['it is switched off', ['ES256'], 'DPoP', { dpop: false }],
  ] as const)('is not asked for where %s', async (_, algorithms, scheme, options) => {
    const world = bound(algorithms)
    world.scheme = scheme
    const authorization = world.authorization(options)
    expect(await world.call(authorization)).toBe(200)
    expect(proofsTo(world, '/token')).toEqual([])
    expect(await authorization.headers({ method: 'POST', url: ENDPOINT })).toEqual({ Authorization: 'Bearer access-2' })
  })

  it('is not given up for a bearer token where it is demanded', async () => {
    const world = bound(['ES256'])
    world.authority.instead.clear()
    await expect(world.call(world.authorization({ dpop: true }))).rejects.toMatchObject({ code: 'dpop_unsupported' })
    expect(world.authority.registered[0]).toMatchObject({ dpop_bound_access_tokens: true })
    const none = bound(['HS256'])
    await expect(none.call(none.authorization({ dpop: true }))).rejects.toThrow(/share no algorithm/)
  })
})
