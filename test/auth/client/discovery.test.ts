/** From a refusal to an authorization server: where metadata is looked for, and what of it is believed. */
import { describe, expect, it } from 'vitest'
import { Authority, ENDPOINT, ISSUER, json, World } from './world.ts'

const notFound = (): Response => new Response('', { status: 404 })
const paths = (world: World): string[] =>
  world.seen
    .map(({ url }) => new URL(url))
    .filter(({ pathname }) => /well-known|custom/.test(pathname))
    .map(({ href }) => href)

describe('the metadata of the server', () => {
  it('is read from where the challenge says, and nowhere else', async () => {
    const world = new World()
    world.instead.set('/custom/place.json', () => json(world.metadata))
    world.challenge = { resource_metadata: 'https://mcp.example.com/custom/place.json' }
    world.refuse = (status) =>
      new Response('', {
        status,
        headers: { 'www-authenticate': 'Bearer resource_metadata=https://mcp.example.com/custom/place.json' },
      })
    expect(await world.call(world.authorization())).toBe(200)
    expect(paths(world)).toEqual([
      'https://mcp.example.com/custom/place.json',
      `${ISSUER}/.well-known/oauth-authorization-server`,
    ])
  })

  it('is looked for at the path, then at the root, when the challenge does not say', async () => {
    const world = new World()
    world.refuse = (status) => new Response('', { status, headers: { 'www-authenticate': 'Bearer' } })
    world.instead.set('/.well-known/oauth-protected-resource/mcp', () => new Response('<html>', { status: 200 }))
    world.instead.set('/.well-known/oauth-protected-resource', () =>
      json({ resource: 'https://mcp.example.com', authorization_servers: [ISSUER] }),
    )
    expect(await world.call(world.authorization())).toBe(200)
    expect(paths(world).slice(0, 2)).toEqual([
      'https://mcp.example.com/.well-known/oauth-protected-resource/mcp',
      'https://mcp.example.com/.well-known/oauth-protected-resource',
    ])
    expect(world.authority.questions[0]?.get('resource')).toBe('https://mcp.example.com')
  })

  it.each([
    ['another host', 'https://evil.example.com/mcp'],
    ['another port', 'https://mcp.example.com:8443/mcp'],
    ['another scheme', 'http://mcp.example.com/mcp'],
    ['a path beside it', 'https://mcp.example.com/mc'],
    ['a path below it', 'https://mcp.example.com/mcp/more'],
    ['a query that was not asked', 'https://mcp.example.com/mcp?tenant=2'],
    ['a user', 'https://me@mcp.example.com/mcp'],
    ['a fragment', 'https://mcp.example.com/mcp#a'],
    ['no URL', 7],
  ])('is not used when it is of %s', async (_, resource) => {
    const world = new World()
    world.metadata = { resource, authorization_servers: [ISSUER] }
    await expect(world.call(world.authorization())).rejects.toMatchObject({ code: 'resource_mismatch' })
    expect(world.seen.every(({ url }) => url.startsWith('https://mcp.example.com/'))).toBe(true)
  })

  it.each([
    ['plain http', 'http://meta.example.com/a.json'],
    ['this machine', 'http://127.0.0.1:8080/a.json'],
    ['a file', 'file:///etc/passwd'],
    ['a word', 'metadata'],
  ])('is not asked for at %s', async (_, place) => {
    const world = new World()
    world.refuse = (status) =>
      new Response('', { status, headers: { 'www-authenticate': `Bearer resource_metadata="${place}"` } })
    await expect(world.call(world.authorization())).rejects.toMatchObject({ code: 'resource_unusable' })
    expect(world.seen).toHaveLength(1)
  })

  it('that cannot be had just now is no reason to look elsewhere', async () => {
    const world = new World()
    world.instead.set('/.well-known/oauth-protected-resource/mcp', () => new Response('', { status: 503 }))
    await expect(world.call(world.authorization())).rejects.toThrow(/answered 503\. Try again later/)
    world.instead.clear()
    expect(await world.call(world.authorization())).toBe(200)
  })

  it('does not send the client on: redirects are not followed', async () => {
    const world = new World()
    world.instead.set('/.well-known/oauth-protected-resource/mcp', () =>
      Response.redirect('https://evil.example.com/', 302),
    )
    await expect(world.call(world.authorization())).rejects.toMatchObject({ code: 'resource_unusable' })
    expect(world.seen.some(({ url }) => url.includes('evil'))).toBe(false)
  })

  it('is not read beyond its bound, nor waited for', async () => {
    const world = new World()
    world.instead.set('/.well-known/oauth-protected-resource/mcp', () => new Response('x'.repeat(600_000)))
    await expect(world.call(world.authorization())).rejects.toThrow(/more than 524288 bytes/)
    const waiting = world.authorization({
      fetch: (url, init) => (url.includes('well-known') ? new Promise(() => undefined) : world.fetch(url, init)),
    })
    const call = world.call(waiting)
    while (world.clock.nextDeadline === Number.POSITIVE_INFINITY) await new Promise((resolve) => setImmediate(resolve))
    world.pass(10_000)
    await expect(call).rejects.toThrow(/did not answer: not within 10000 ms/)
  })
})

describe('the metadata of the authorization server', () => {
  it('is looked for in the three places of an issuer with a path, in order', async () => {
    const authority = new Authority(`${ISSUER}/tenant1`)
    const world = new World(authority)
    authority.instead.set('/tenant1/.well-known/openid-configuration', () => json(authority.metadata))
    authority.instead.set('/.well-known/oauth-authorization-server', notFound)
    expect(await world.call(world.authorization())).toBe(200)
    expect(paths(world).slice(1)).toEqual([
      `${ISSUER}/.well-known/oauth-authorization-server/tenant1`,
      `${ISSUER}/.well-known/openid-configuration/tenant1`,
      `${ISSUER}/tenant1/.well-known/openid-configuration`,
    ])
  })

  it.each(['https://honest.example', `${ISSUER}/`, ISSUER.toUpperCase(), undefined])(
    'is not used when it names the issuer %s',
    async (issuer) => {
      const world = new World()
      world.authority.metadata = { ...world.authority.metadata, issuer }
      await expect(world.call(world.authorization())).rejects.toMatchObject({ code: 'issuer_unusable' })
      expect(world.authority.questions).toEqual([])
      expect(world.authority.registered).toEqual([])
    },
  )

  it.each([
    ['http://auth.example.com'],
    ['http://127.0.0.1:4000'],
    ['https://127.0.0.1:4000'],
    ['https://auth.example.com?a=1'],
    ['javascript:alert(1)'],
  ])('is not asked for at the issuer %s', async (issuer) => {
    const world = new World()
    world.metadata = { resource: ENDPOINT, authorization_servers: [issuer] }
    await expect(world.call(world.authorization())).rejects.toMatchObject({ code: 'resource_unusable' })
  })

  it.each([
    ['authorization_endpoint', 'javascript:alert(1)'],
    ['authorization_endpoint', 'http://auth.example.com/authorize'],
    ['token_endpoint', 'http://169.254.169.254/token'],
    ['token_endpoint', undefined],
    ['registration_endpoint', 'file:///etc/passwd'],
  ])('is not used when its %s is %s', async (name, url) => {
    const world = new World()
    world.authority.metadata = { ...world.authority.metadata, [name]: url }
    await expect(world.call(world.authorization())).rejects.toThrow(`has no usable ${name}`)
  })

  it.each([[undefined], [['plain']], ['S256']])('must promise PKCE with S256: %j is refused', async (methods) => {
    const world = new World()
    world.authority.metadata = { ...world.authority.metadata, code_challenge_methods_supported: methods }
    await expect(world.call(world.authorization())).rejects.toMatchObject({ code: 'pkce_unsupported' })
    expect(world.authority.questions).toEqual([])
  })
})

describe('a server of revision 2025-03-26', () => {
  it('is its own authorization server, by its metadata at the root', async () => {
    const world = new World(new Authority('https://mcp.example.com'))
    world.metadata = undefined
    world.challenge = {}
    const serve = world.instead
    serve.set('/mcp', ({ headers }) =>
      world.authority.tokens.has((headers.get('authorization') ?? '').slice(7)) ? json({}) : world.refuse(401, {}),
    )
    expect(await world.call(world.authorization())).toBe(200)
    expect(world.authority.questions[0]?.get('resource')).toBe(ENDPOINT)
  })

  it('has /authorize, /token and /register when it has no metadata at all', async () => {
    const world = new World(new Authority('https://mcp.example.com'))
    world.metadata = undefined
    world.authority.answer = { iss: undefined }
    world.authority.instead.set('/.well-known/oauth-authorization-server', notFound)
    world.instead.set('/mcp', ({ headers }) =>
      world.authority.tokens.has((headers.get('authorization') ?? '').slice(7)) ? json({}) : world.refuse(401, {}),
    )
    expect(await world.call(world.authorization())).toBe(200)
    expect(world.authority.registered).toHaveLength(1)
    expect(world.asked('/token')[0]?.url).toBe('https://mcp.example.com/token')
  })

  it('whose metadata is of somebody else gets no such benefit', async () => {
    const world = new World(new Authority('https://mcp.example.com'))
    world.metadata = undefined
    world.authority.metadata = { ...world.authority.metadata, issuer: 'https://other.example' }
    await expect(world.call(world.authorization())).rejects.toMatchObject({ code: 'issuer_unusable' })
  })
})
