/** A token from the first refusal to its renewal: who asks, what is asked, what is believed, and how often. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createAuthorization, TokenRefusal } from '#auth/index'
import { Authority, ENDPOINT, ISSUER, json, REDIRECT_URI, World } from './world.ts'

const HOUR_MS = 3_600_000
const seed = Number(process.env['BOUGH_SEED'] ?? 20_261_121)
const failureOf = async (work: Promise<unknown>): Promise<Error> => {
  try {
    await work
  } catch (error) {
    if (error instanceof Error) return error
  }
  throw new Error('It did not fail')
}
/** Promise.withResolvers, which Node 20 lacks. */
function resolvers<T>(): { readonly promise: Promise<T>; readonly resolve: (value: T) => void } {
  let resolve: (value: T) => void = () => undefined
  const promise = new Promise<T>((done) => {
    resolve = done
  })
  return { promise, resolve }
}
const never = (also: () => void): Promise<never> => {
  also()
  return new Promise(() => undefined)
}
const scopesAsked = (world: World): (string | null)[] => world.authority.questions.map((asked) => asked.get('scope'))

describe('a user who is asked', () => {
  it('is asked once, for this server, with PKCE, and the token works from then on', async () => {
    const world = new World()
    const authorization = world.authorization()
    expect(await authorization.headers({ method: 'POST', url: ENDPOINT })).toEqual({})
    expect(await world.call(authorization)).toBe(200)
    expect(await world.call(authorization)).toBe(200)
    const [question] = world.authority.questions
    expect(world.authority.questions).toHaveLength(1)
    expect(Object.fromEntries(question ?? [])).toEqual({
      response_type: 'code',
      client_id: `client-1-of-${ISSUER}`,
      redirect_uri: REDIRECT_URI,
      state: expect.stringMatching(/^[\w-]{43}/),
      code_challenge: expect.stringMatching(/^[\w-]{43}$/),
      code_challenge_method: 'S256',
      resource: ENDPOINT,
    })
    const { form } = world.authority.tokenRequests[0] ?? { form: new URLSearchParams() }
    expect(form.get('resource')).toBe(ENDPOINT)
    expect(form.get('redirect_uri')).toBe(REDIRECT_URI)
    expect(form.get('client_id')).toBe(`client-1-of-${ISSUER}`)
  })

  it.each([
    ['another state', { state: 'other' }],
    ['no state', { state: undefined }],
    ['another issuer', { iss: 'https://evil.example.com' }],
    ['the issuer with a slash', { iss: `${ISSUER}/` }],
    ['the issuer in capitals', { iss: 'https://AUTH.example.com' }],
    ['no issuer though one is promised', { iss: undefined }],
    ['an empty issuer', { iss: '' }],
    ['no code', { code: undefined }],
    ['an error of another issuer', { iss: 'https://evil.example.com', error: 'boom', error_description: 'click here' }],
  ])('whose browser comes back with %s gets no token, and the code goes nowhere', async (_, answer) => {
    const world = new World()
    world.authority.answer = answer
    const error = await failureOf(world.call(world.authorization()))
    expect(error).toMatchObject({ code: 'authorization_invalid' })
    expect(error.message).not.toMatch(/boom|click here|code-1/)
    expect(world.authority.tokenRequests).toEqual([])
  })

  it.each([
    ['no issuer comes', { iss: undefined }, 200],
    ['the right issuer comes', {}, 200],
  ])('of an authorization server that promises no issuer is let through when %s', async (_, answer, status) => {
    const world = new World()
    world.authority.metadata = {
      ...world.authority.metadata,
      authorization_response_iss_parameter_supported: undefined,
    }
    world.authority.answer = answer
    expect(await world.call(world.authorization())).toBe(status)
    world.authority.answer = { iss: 'https://evil.example.com' }
    const other = world.authorization({ store: new World().store })
    await expect(world.call(other)).rejects.toMatchObject({ code: 'authorization_invalid' })
  })

  it('and says no is told so, with the reason', async () => {
    const world = new World()
    world.authority.answer = { code: undefined, error: 'access_denied', error_description: 'not\u0007 today' }
    await expect(world.call(world.authorization())).rejects.toMatchObject({
      code: 'authorization_denied',
      message: `The authorization server ${ISSUER} said no: access_denied (not  today).`,
    })
  })

  it('and does not come back is waited for five minutes', async () => {
    const world = new World()
    const asked = resolvers<AbortSignal>()
    const authorization = world.authorization({
      redirect: { uri: REDIRECT_URI, authorize: (_, signal) => never(() => asked.resolve(signal)) },
    })
    const call = failureOf(world.call(authorization))
    const signal = await asked.promise
    world.pass(300_000)
    expect(await call).toMatchObject({ code: 'authorization_ended' })
    expect(signal.aborted).toBe(true)
  })

  it('is no longer waited for when the authorization is closed', async () => {
    const world = new World()
    const asked = resolvers<void>()
    const authorization = world.authorization({
      redirect: { uri: REDIRECT_URI, authorize: () => never(() => asked.resolve(undefined)) },
    })
    const call = failureOf(world.call(authorization))
    await asked.promise
    authorization.close()
    expect(await call).toMatchObject({ code: 'authorization_ended' })
  })

  it('is needed: without a way to ask, the error says what to configure', async () => {
    const world = new World()
    const unable = createAuthorization({ resource: ENDPOINT, fetch: world.fetch, clock: world.clock })
    await expect(world.call(unable)).rejects.toMatchObject({ code: 'no_redirect' })
  })

  it('is never sent back over plain http to another machine', async () => {
    const world = new World()
    const redirect = { uri: 'http://app.example.com/callback', authorize: async () => '' }
    await expect(world.call(world.authorization({ redirect }))).rejects.toThrow(/redirect\.uri must be an https URL/)
  })

  it('is asked once for many requests, however they interleave', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 12 }), fc.scheduler(), async (calls, scheduler) => {
        const world = new World()
        const send = world.fetch
        const slow = { fetch: (url: string, init: RequestInit) => scheduler.schedule(send(url, init)) }
        const authorization = world.authorization(slow)
        const all = Promise.all(Array.from({ length: calls }, () => world.call(authorization)))
        await scheduler.waitFor(all)
        expect(await all).toEqual(Array.from({ length: calls }, () => 200))
        expect(world.authority.questions).toHaveLength(1)
        expect(world.authority.tokenRequests).toHaveLength(1)
      }),
      { seed, numRuns: 40 },
    )
  })

  it('who fails one request fails those that wait with it, and is not asked once for each', async () => {
    const world = new World()
    world.authority.answer = { code: undefined, error: 'access_denied' }
    const authorization = world.authorization()
    const outcomes = await Promise.allSettled([1, 2, 3].map(() => world.call(authorization)))
    expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected'])
    expect(world.authority.questions).toHaveLength(1)
  })
})

describe('the client', () => {
  const cimd = 'https://app.example.com/client.json'
  const idsAsked = (world: World): (string | null)[] => world.authority.questions.map((asked) => asked.get('client_id'))

  it('uses the id it has before any other, then its metadata URL where that is supported, then registers', async () => {
    const id = { clientId: 'known', metadataUrl: cimd }
    const ids: (string | null)[] = []
    for (const [client, isSupported] of [
      [id, true],
      [{ metadataUrl: cimd }, true],
      [{ metadataUrl: cimd }, false],
    ] as const) {
      const world = new World()
      world.authority.metadata = { ...world.authority.metadata, client_id_metadata_document_supported: isSupported }
      expect(await world.call(world.authorization({ client }))).toBe(200)
      ids.push(...idsAsked(world))
    }
    expect(ids).toEqual(['known', cimd, `client-1-of-${ISSUER}`])
  })

  it('registers as what it is', async () => {
    const world = new World()
    await world.call(
      world.authorization({ client: { register: { clientName: 'desk', metadata: { contacts: ['a@b.c'] } } } }),
    )
    expect(world.authority.registered).toEqual([
      {
        client_name: 'desk',
        application_type: 'native',
        redirect_uris: [REDIRECT_URI],
        grant_types: ['authorization_code', 'refresh_token'],
        response_types: ['code'],
        token_endpoint_auth_method: 'none',
        contacts: ['a@b.c'],
      },
    ])
  })

  it('registers as a web application when the browser goes back to one', async () => {
    const world = new World()
    const redirect = { uri: 'https://app.example.com/back', authorize: async (url: URL) => world.authority.agree(url) }
    await world.call(world.authorization({ redirect }))
    expect(world.authority.registered[0]).toMatchObject({ application_type: 'web' })
  })

  it('asks for no refresh tokens where there are none', async () => {
    const world = new World()
    world.authority.metadata = { ...world.authority.metadata, grant_types_supported: ['authorization_code'] }
    await world.call(world.authorization())
    expect(world.authority.registered[0]).toMatchObject({ grant_types: ['authorization_code'] })
  })

  it('that is refused registration says why, and what to do', async () => {
    const world = new World()
    world.authority.instead.set('/register', () =>
      json({ error: 'invalid_redirect_uri', error_description: 'no loopback for web clients' }, 400),
    )
    await expect(world.call(world.authorization())).rejects.toMatchObject({
      code: 'registration_failed',
      message: expect.stringMatching(/invalid_redirect_uri \(no loopback for web clients\).*client\.clientId/),
    })
  })

  it('that cannot be known at all says so', async () => {
    const world = new World()
    world.authority.metadata = { ...world.authority.metadata, registration_endpoint: undefined }
    await expect(world.call(world.authorization())).rejects.toMatchObject({ code: 'no_client' })
    const never = world.authorization({ client: { register: false } })
    await expect(world.call(never)).rejects.toMatchObject({ code: 'no_client' })
  })

  it('registers once, and again when its redirect URI or the life of its secret ends', async () => {
    const world = new World()
    const nowS = world.clock.wallNow() / 1_000
    world.authority.instead.set('/register', ({ body }) => {
      world.authority.registered.push(JSON.parse(body) as Record<string, unknown>)
      const client_id = `client-${world.authority.registered.length}`
      return json({ client_id, client_secret: 's', client_secret_expires_at: nowS + 7_200 }, 201)
    })
    const again = async (uri: string): Promise<number> => {
      const authorization = world.authorization({
        redirect: { uri, authorize: async (url) => world.authority.agree(url) },
      })
      await authorization.signOut()
      expect(await world.call(authorization)).toBe(200)
      return world.authority.registered.length
    }
    expect(await again(REDIRECT_URI)).toBe(1)
    expect(await again(REDIRECT_URI)).toBe(1)
    expect(await again('http://127.0.0.1:1/other')).toBe(2)
    expect(await again('http://127.0.0.1:1/other')).toBe(2)
    world.pass(7_200_000)
    expect(await again('http://127.0.0.1:1/other')).toBe(3)
  })

  it('registers again when the authorization server has forgotten it', async () => {
    const world = new World()
    const authorization = world.authorization()
    await world.call(authorization)
    await authorization.signOut()
    world.authority.instead.set('/token', ({ form }) =>
      form.get('client_id')?.startsWith('client-1') ? json({ error: 'invalid_client' }, 401) : undefined,
    )
    expect(await world.call(authorization)).toBe(200)
    expect(world.authority.registered).toHaveLength(2)
  })

  it.each([
    ['client_secret_basic', ['client_secret_basic', 'client_secret_post'], 'Basic a25vd246YSUzQWIlMkJj', null],
    ['client_secret_post', ['client_secret_post'], null, 'a:b+c'],
  ])('with a secret shows it by %s when the list is %j', async (_, listed, basic, secret) => {
    const world = new World()
    world.authority.metadata = { ...world.authority.metadata, token_endpoint_auth_methods_supported: listed }
    await world.call(world.authorization({ client: { clientId: 'known', clientSecret: 'a:b+c' } }))
    const [request] = world.authority.tokenRequests
    expect(request?.headers.get('authorization')).toBe(basic)
    expect(request?.form.get('client_secret')).toBe(secret)
    expect(request?.form.get('client_id')).toBe(basic === null ? 'known' : null)
  })

  it('goes by the method that its registration came with', async () => {
    const world = new World()
    world.authority.instead.set('/register', () =>
      json({ client_id: 'c', client_secret: 's', token_endpoint_auth_method: 'client_secret_post' }, 201),
    )
    await world.call(world.authorization())
    expect(world.authority.tokenRequests[0]?.form.get('client_secret')).toBe('s')
  })

  it.each([
    [{ resource: 'http://mcp.example.com/mcp' }, /resource must be an https URL/],
    [{ resource: 'https://me:pw@mcp.example.com/mcp' }, /resource must be an https URL/],
    [{ client: { metadataUrl: 'https://app.example.com' } }, /client\.metadataUrl must be an https URL with a path/],
    [{ client: { clientSecret: 's' } }, /need client\.clientId/],
    [{ client: { clientId: 'c', authMethod: 'client_secret_post' } }, /needs client\.clientSecret/],
    [{ client: { clientId: 'c' }, grant: { type: 'client_credentials' } }, /needs client\.clientId with/],
    [{ scopes: ['a b'] }, /scopes must hold scopes/],
  ] as const)('cannot be made from %j', (options, message) => {
    expect(() => new World().authorization(options)).toThrow(message)
  })
})

describe('a change of the authorization server', () => {
  const elsewhere = 'https://second.example.com'
  const moved = async (client = {}): Promise<[World, Authority, Promise<number>]> => {
    const world = new World(new Authority(), new Authority(elsewhere))
    const [, second = world.authority] = world.authorities
    const authorization = world.authorization({ client })
    expect(await world.call(authorization)).toBe(200)
    world.metadata = { resource: ENDPOINT, authorization_servers: [elsewhere] }
    world.seen.length = 0
    return [world, second, world.call(authorization)]
  }

  it('makes the client register there, and shows nothing of the first to the second', async () => {
    const [world, second, call] = await moved()
    expect(await call).toBe(200)
    expect(second.registered).toHaveLength(1)
    const sent = world.seen.filter(({ url }) => url.startsWith(elsewhere)).map((one) => one.body)
    expect(sent.join()).not.toMatch(/refresh-|access-|client-1-of-https%3A%2F%2Fauth/)
    expect(second.questions[0]?.get('client_id')).toBe(`client-1-of-${elsewhere}`)
    expect(world.seen.some(({ url }) => url.startsWith(ISSUER))).toBe(false)
  })

  it('is an error for an id that was given out beforehand, each time', async () => {
    const [world, second, call] = await moved({ clientId: 'known', clientSecret: 'secret' })
    const error = await failureOf(call)
    expect(error).toMatchObject({ code: 'issuer_changed' })
    await expect(
      world.call(world.authorization({ client: { clientId: 'known', clientSecret: 'secret' } })),
    ).rejects.toThrow(error.message)
    expect(second.questions).toEqual([])
  })

  it('does not trouble an id that names its issuer: that one is chosen from several', async () => {
    const world = new World(new Authority(), new Authority(elsewhere))
    world.metadata = { resource: ENDPOINT, authorization_servers: [elsewhere, ISSUER] }
    const authorization = world.authorization({ client: { clientId: 'known', issuer: ISSUER } })
    expect(await authorization.challenged({ status: 401, url: ENDPOINT, headers: new Headers() })).toBe(true)
    expect(world.authority.questions).toHaveLength(1)
  })

  it('does not change an id that is a metadata URL', async () => {
    const world = new World(new Authority(), new Authority(elsewhere))
    for (const one of world.authorities) one.metadata = { ...one.metadata, client_id_metadata_document_supported: true }
    const authorization = world.authorization({ client: { metadataUrl: 'https://app.example.com/c.json' } })
    await world.call(authorization)
    world.metadata = { resource: ENDPOINT, authorization_servers: [elsewhere] }
    expect(await world.call(authorization)).toBe(200)
    expect(world.authorities[1]?.questions[0]?.get('client_id')).toBe('https://app.example.com/c.json')
  })
})

describe('scopes', () => {
  it('are those of the challenge, else those of the metadata, else none', async () => {
    for (const [challenged, supported, asked] of [
      ['a b', ['c'], 'a b'],
      [undefined, ['c', 'd'], 'c d'],
      [undefined, undefined, null],
    ] as const) {
      const world = new World()
      world.metadata = { ...world.metadata, scopes_supported: supported }
      world.challenge = challenged === undefined ? {} : { scope: challenged }
      await world.call(world.authorization())
      expect(scopesAsked(world)).toEqual([asked])
    }
  })

  it('that are configured are always asked for, and stand in for those of the metadata', async () => {
    const world = new World()
    world.metadata = { ...world.metadata, scopes_supported: ['c'] }
    await world.call(world.authorization({ scopes: ['mine'] }))
    world.challenge = { scope: 'a' }
    await world.call(world.authorization({ scopes: ['mine'], store: new World().store }))
    expect(scopesAsked(world)).toEqual(['mine', 'mine a'])
  })

  it.each([
    [['a', 'offline_access'], {}, 'a offline_access', 'consent'],
    [['a'], {}, 'a', null],
    [undefined, {}, 'a', null],
    [['a', 'offline_access'], { offlineAccess: false }, 'a', null],
  ])(
    'hold offline_access only where the authorization server lists it and it is wanted: %j %j',
    async (listed, options, scope, prompt) => {
      const world = new World()
      world.challenge = { scope: 'a offline_access' }
      world.authority.metadata = { ...world.authority.metadata, scopes_supported: listed }
      await world.call(world.authorization(options))
      expect(world.authority.questions[0]?.get('scope')).toBe(scope)
      expect(world.authority.questions[0]?.get('prompt')).toBe(prompt)
    },
  )

  it('that are missing are asked for together with those that were asked for before', async () => {
    const world = new World()
    world.challenge = { scope: 'a' }
    const authorization = world.authorization()
    await world.call(authorization)
    world.needed = ['b', 'c']
    expect(await world.call(authorization)).toBe(200)
    expect(scopesAsked(world)).toEqual(['a', 'a b c'])
    expect(world.authority.tokenRequests.map(({ form }) => form.get('grant_type'))).not.toContain('refresh_token')
  })

  it('that are never granted are asked for three times at most, and again after ten minutes', async () => {
    const world = new World()
    world.challenge = { scope: 'a' }
    world.needed = ['admin']
    world.authority.instead.set('/token', ({ form }) => {
      world.authority.tokens.set('same', [])
      return form.get('grant_type') === 'refresh_token'
        ? undefined
        : json({ access_token: 'same', token_type: 'bearer' })
    })
    const authorization = world.authorization()
    expect(await failureOf(world.call(authorization, 10))).toMatchObject({ code: 'too_many_tries' })
    expect(world.authority.questions).toHaveLength(3)
    await expect(world.call(authorization, 10)).rejects.toMatchObject({ code: 'too_many_tries' })
    expect(world.authority.questions).toHaveLength(3)
    world.pass(600_000)
    await expect(world.call(authorization, 10)).rejects.toMatchObject({ code: 'too_many_tries' })
    expect(world.authority.questions).toHaveLength(5)
  })

  it('are no matter of a 403 that does not say so', async () => {
    const world = new World()
    const authorization = world.authorization()
    await world.call(authorization)
    const refusal = {
      status: 403,
      url: ENDPOINT,
      headers: new Headers({ 'www-authenticate': 'Bearer error="invalid_token"' }),
    }
    expect(await authorization.challenged(refusal)).toBe(false)
    expect(await authorization.challenged({ ...refusal, headers: new Headers() })).toBe(false)
  })
})

describe('a token', () => {
  it('is renewed before it ends, once for all who ask, and the refresh token is used once only', async () => {
    const world = new World()
    const authorization = world.authorization()
    await world.call(authorization)
    world.pass(HOUR_MS - 31_000)
    await world.call(authorization)
    expect(world.authority.tokenRequests).toHaveLength(1)
    world.pass(2_000)
    expect(await Promise.all([1, 2, 3].map(() => world.call(authorization)))).toEqual([200, 200, 200])
    world.pass(HOUR_MS)
    expect(await world.call(authorization)).toBe(200)
    const refreshes = world.authority.tokenRequests.slice(1).map(({ form }) => form.get('refresh_token'))
    expect(refreshes).toEqual(['refresh-2', 'refresh-3'])
    expect(world.authority.tokenRequests.every(({ form }) => form.get('resource') === ENDPOINT)).toBe(true)
    expect(world.authority.questions).toHaveLength(1)
  })

  it('keeps its refresh token when it is renewed without a new one', async () => {
    const world = new World()
    const authorization = world.authorization()
    await world.call(authorization)
    world.authority.givesRefresh = false
    world.authority.instead.set('/token', ({ form }) => {
      world.authority.refreshable.set(form.get('refresh_token') ?? '', [])
      return undefined
    })
    for (let renewed = 0; renewed < 3; renewed++) {
      world.pass(HOUR_MS)
      expect(await world.call(authorization)).toBe(200)
    }
    expect(world.authority.questions).toHaveLength(1)
  })

  it('that was revoked is refreshed before the user is asked', async () => {
    const world = new World()
    const authorization = world.authorization()
    await world.call(authorization)
    world.pass(60_000)
    world.authority.tokens.clear()
    expect(await world.call(authorization)).toBe(200)
    expect(world.authority.questions).toHaveLength(1)
    world.pass(60_000)
    world.authority.tokens.clear()
    world.authority.refreshable.clear()
    expect(await world.call(authorization)).toBe(200)
    expect(world.authority.questions).toHaveLength(2)
  })

  it('that ended and cannot be refreshed makes the user be asked again', async () => {
    const world = new World()
    world.authority.givesRefresh = false
    const authorization = world.authorization()
    await world.call(authorization)
    world.pass(HOUR_MS)
    expect(await world.call(authorization)).toBe(200)
    expect(world.authority.questions).toHaveLength(2)
  })

  it('serves to its end while the authorization server is down, and then the error says so', async () => {
    const world = new World()
    const authorization = world.authorization()
    await world.call(authorization)
    world.authority.instead.set('/token', () => new Response('', { status: 503 }))
    world.pass(HOUR_MS - 20_000)
    expect(await world.call(authorization)).toBe(200)
    expect(await world.call(authorization)).toBe(200)
    expect(world.asked('/token')).toHaveLength(2)
    world.pass(20_000)
    await expect(world.call(authorization)).rejects.toMatchObject({ code: 'issuer_unavailable' })
    world.authority.instead.clear()
    expect(await world.call(authorization)).toBe(200)
    expect(world.authority.questions).toHaveLength(1)
  })

  it('that is refused as soon as it is made is not made for ever', async () => {
    const world = new World()
    world.instead.set('/mcp', () => world.refuse(401, { error: 'invalid_token' }))
    const authorization = world.authorization()
    expect(await failureOf(world.call(authorization, 10))).toMatchObject({ code: 'too_many_tries' })
    expect(world.authority.questions).toHaveLength(3)
  })

  it('that came after the refused one was sent is tried, not replaced', async () => {
    const world = new World()
    const authorization = world.authorization()
    await world.call(authorization)
    const sent = await authorization.headers({ method: 'POST', url: ENDPOINT })
    world.authority.tokens.clear()
    world.pass(60_000)
    expect(await world.call(authorization)).toBe(200)
    const late = { status: 401, url: ENDPOINT, headers: new Headers({ 'www-authenticate': 'Bearer' }), sent }
    const before = world.authority.tokenRequests.length
    expect(await authorization.challenged(late)).toBe(true)
    expect(world.authority.tokenRequests).toHaveLength(before)
  })

  it('that could not be checked just now is kept', async () => {
    const world = new World()
    const authorization = world.authorization()
    await world.call(authorization)
    const headers = new Headers({ 'www-authenticate': 'Bearer error="temporarily_unavailable"' })
    expect(await authorization.challenged({ status: 401, url: ENDPOINT, headers })).toBe(false)
    expect(await world.call(authorization)).toBe(200)
    expect(world.authority.tokenRequests).toHaveLength(1)
  })

  it.each([
    'https://evil.example.com/mcp',
    'http://mcp.example.com/mcp',
    'https://mcp.example.com:444/mcp',
    'https://mcp.example.com.evil.example/mcp',
    'https://mcp.example.com@evil.example/mcp',
    'mcp',
  ])('does not go to %s, whose refusals are none of ours', async (url) => {
    const world = new World()
    const authorization = world.authorization()
    await world.call(authorization)
    expect(await authorization.headers({ method: 'POST', url })).toEqual({})
    expect(await authorization.challenged({ status: 401, url, headers: new Headers() })).toBe(false)
    expect(world.authority.questions).toHaveLength(1)
  })

  it('goes to other paths of its origin, where legacy servers have theirs', async () => {
    const world = new World()
    const authorization = world.authorization()
    await world.call(authorization)
    const headers = await authorization.headers({ method: 'POST', url: 'https://mcp.example.com/messages?session=1' })
    expect(headers).toEqual({ Authorization: 'Bearer access-2' })
  })

  it('is forgotten by signing out, here and in the store', async () => {
    const world = new World()
    const authorization = world.authorization()
    await world.call(authorization)
    await authorization.signOut()
    expect(await authorization.headers({ method: 'POST', url: ENDPOINT })).toEqual({})
    expect(await world.authorization().headers({ method: 'POST', url: ENDPOINT })).toEqual({})
  })

  it.each([
    ['a line break', { access_token: 'a\r\nX-Evil: 1', token_type: 'Bearer' }],
    ['too long a text', { access_token: 'a'.repeat(20_000), token_type: 'Bearer' }],
    ['nothing', { token_type: 'Bearer' }],
    ['another type', { access_token: 'a', token_type: 'mac' }],
    ['a key that was not shown', { access_token: 'a', token_type: 'DPoP' }],
  ])('that is %s is not taken', async (_, answer) => {
    const world = new World()
    world.authority.instead.set('/token', () => json(answer))
    await expect(world.call(world.authorization())).rejects.toMatchObject({ code: 'token_unusable' })
  })

  it('is asked for without regard for an ID token that nobody reads', async () => {
    const world = new World()
    world.authority.tokens.set('good', [])
    world.authority.instead.set('/token', () =>
      json({ access_token: 'good', token_type: 'Bearer', id_token: 'nonsense' }),
    )
    expect(await world.call(world.authorization())).toBe(200)
  })
})

describe('what is told', () => {
  it('of a refusal is its code and its words, without what was secret', async () => {
    const world = new World()
    world.authority.instead.set('/token', ({ form }) =>
      json(
        { error: 'invalid_grant', error_description: `${form.get('code')} and ${form.get('code_verifier')} are bad` },
        400,
      ),
    )
    const error = await failureOf(world.call(world.authorization()))
    expect(error).toBeInstanceOf(TokenRefusal)
    expect(error).toMatchObject({ code: 'token_refused', error: 'invalid_grant' })
    expect(error.message).toBe(`${ISSUER}/token refused: invalid_grant (*** and *** are bad).`)
  })

  it('never holds a token, a code, a verifier or a secret, whatever goes wrong', async () => {
    const makers = [
      (): Response => new Response('refresh-2 access-2 sesame', { status: 500 }),
      (): Response => new Response('{"access_token":"access-2"', { status: 200 }),
      (): Response => json({ access_token: 'access-2', token_type: 'access-2', refresh_token: 'refresh-2' }),
      (): Response => json({ error: 'sesame', error_description: 'sesame' }, 400),
      (): Response => new Response('sesame', { status: 302, headers: { location: 'https://evil.example/?sesame' } }),
      (): Response => {
        throw new Error('sesame')
      },
    ]
    for (const make of makers) {
      const world = new World()
      world.authority.instead.set('/token', make)
      const client = { clientId: 'known', clientSecret: 'sesame', authMethod: 'client_secret_post' } as const
      const error = await failureOf(world.call(world.authorization({ client })))
      const whole = `${error.stack} ${JSON.stringify(error)} ${String(error.cause)}`
      expect(whole).not.toMatch(/sesame|access-2|refresh-2|code-1\b/)
    }
  })
})
