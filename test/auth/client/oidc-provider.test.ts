/** The whole way with a real authorization server and the package's own resource server, over sockets. */
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { exportJWK, generateKeyPair, type JWK } from 'jose'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import {
  type Authorization,
  type AuthorizationOptions,
  createAuthorization,
  fileAuthStore,
  type JwtBearerOptions,
  loopbackRedirect,
} from '#auth/index'
import { realClock } from '#runtime/clock'
import { browse, type Protected, type SignIn, startProtected, startSignIn, stopped } from './sign-in.ts'

const SECRET = 'a-secret-of-the-tests-which-is-long-enough'
let signIn: SignIn
let key: JWK
let folder: string
const servers: Protected[] = []
const pages: string[] = []

beforeAll(async () => {
  const { publicKey, privateKey } = await generateKeyPair('ES256', { extractable: true })
  key = await exportJWK(privateKey)
  folder = await mkdtemp(join(tmpdir(), 'bough-auth-'))
  const machine = { redirect_uris: [], response_types: [], grant_types: ['client_credentials'] }
  signIn = await startSignIn(
    {
      ...(await exportJWK((await generateKeyPair('ES256', { extractable: true })).privateKey)),
      alg: 'ES256',
      use: 'sig',
    },
    {
      clients: [
        { client_id: 'machine', client_secret: SECRET, ...machine },
        {
          client_id: 'signer',
          token_endpoint_auth_method: 'private_key_jwt',
          token_endpoint_auth_signing_alg: 'ES256',
          jwks: { keys: [await exportJWK(publicKey)] },
          ...machine,
        },
      ],
    },
    { dPoP: { enabled: true, nonceSecret: Buffer.alloc(32, 7), requireNonce: () => true } },
  )
})
afterEach(async () => {
  for (const { server, auth } of servers.splice(0)) {
    auth.close?.()
    await stopped(server)
  }
  signIn.grants.length = 0
  pages.length = 0
})
afterAll(async () => {
  await stopped(signIn.server)
  await rm(folder, { recursive: true })
})

async function served(options: Partial<JwtBearerOptions> = {}): Promise<Protected> {
  const server = await startProtected({ issuer: signIn.issuer, requiredScopes: ['files:read'], ...options })
  servers.push(server)
  return server
}

const authorizationFor = (server: Protected, options: Partial<AuthorizationOptions> = {}): Authorization =>
  createAuthorization({
    resource: server.url,
    redirect: loopbackRedirect({
      open: async (url) => {
        const { status, text } = await browse(url)
        pages.push(`${status} ${text}`)
      },
    }),
    ...options,
  })

async function call(authorization: Authorization, url: string): Promise<string> {
  for (let tries = 1; ; tries++) {
    const sent = await authorization.headers({ method: 'POST', url })
    const { status, headers, ok, text } = await fetch(url, { method: 'POST', headers: sent }).then(async (answer) => ({
      status: answer.status,
      headers: answer.headers,
      ok: answer.ok,
      text: await answer.text(),
    }))
    if (ok || tries === 4) return `${status} ${text}`.trim()
    if (!(await authorization.challenged({ status, url, headers, sent }))) return `${status}`
  }
}

describe('with a real authorization server', () => {
  it('a user signs in through the loopback, and the token is good for this server only', async () => {
    const [server, other] = [await served(), await served()]
    const authorization = authorizationFor(server, { dpop: false })
    expect(await call(authorization, server.url)).toBe('200 ann')
    expect(await call(authorization, server.url)).toBe('200 ann')
    expect(server.outcomes).toEqual(['401', 'ann', 'ann'])
    expect(signIn.grants).toEqual(['authorization_code'])
    expect(pages).toEqual([expect.stringMatching(/^200 .*You may close this window/)])
    const sent = await authorization.headers({ method: 'POST', url: server.url })
    expect((await fetch(other.url, { method: 'POST', headers: sent })).status).toBe(401)
  })

  it('more scopes are asked for when a request needs them, and the old ones stay', async () => {
    const server = await served()
    const authorization = authorizationFor(server, { dpop: false })
    expect(await call(authorization, server.url)).toBe('200 ann')
    expect(await call(authorization, `${server.url}?scope=files:write`)).toBe('200 ann')
    expect(await call(authorization, `${server.url}?scope=files:read`)).toBe('200 ann')
    expect(signIn.grants).toEqual(['authorization_code', 'authorization_code'])
  })

  it('tokens outlive the program in a file that only its owner reads, and are refreshed from there', async () => {
    const server = await served()
    const path = join(folder, 'deep', 'tokens.json')
    const options = { dpop: false, scopes: ['files:read'], store: fileAuthStore(path) } as const
    expect(await call(authorizationFor(server, options), server.url)).toBe('200 ann')
    expect((await stat(path)).mode & 0o777).toBe(0o600)
    const later = {
      ...options,
      store: fileAuthStore(path),
      redirect: { uri: 'http://127.0.0.1:1/never', authorize: never },
    }
    expect(await call(authorizationFor(server, later), server.url)).toBe('200 ann')
    expect(signIn.grants).toEqual(['authorization_code'])
    // An hour later: the token ended, and the file has all that it takes to get another.
    const clock = { ...realClock, wallNow: () => realClock.wallNow() + 3_600_000 }
    expect(await call(authorizationFor(server, { ...later, clock }), server.url)).toBe('200 ann')
    expect(signIn.grants).toEqual(['authorization_code', 'refresh_token'])
    expect(await readFile(path, 'utf8')).toContain(`client ${signIn.issuer}`)
  })

  it('tokens are bound to a key where the server offers it, with the nonces of both sides, and stay so after a restart', async () => {
    const server = await served({ dpop: { mode: 'required', nonce: true } })
    const store = fileAuthStore(join(folder, 'bound.json'))
    const authorization = authorizationFor(server, { store })
    expect(await call(authorization, server.url)).toBe('200 ann')
    expect(await call(authorization, server.url)).toBe('200 ann')
    expect(server.outcomes).toEqual(['401', 'ann', 'ann'])
    const sent = await authorization.headers({ method: 'POST', url: server.url })
    expect(sent['Authorization']).toMatch(/^DPoP /)
    const again = authorizationFor(server, { store: fileAuthStore(join(folder, 'bound.json')) })
    expect(await call(again, server.url)).toBe('200 ann')
    expect(server.outcomes.slice(3)).toEqual(['401', 'ann'])
    expect(signIn.grants).toEqual(['authorization_code'])
  })

  it('a bound token is refreshed with its key', async () => {
    const server = await served({ dpop: { mode: 'required' } })
    const authorization = authorizationFor(server, { dpop: true })
    const headers = (): Promise<Readonly<Record<string, string>>> =>
      authorization.headers({ method: 'POST', url: server.url })
    expect(await call(authorization, server.url)).toBe('200 ann')
    const first = (await headers())['Authorization']
    const clock = { ...realClock, wallNow: () => realClock.wallNow() + 120_000 }
    const late = authorizationFor(server, { dpop: true, clock })
    expect(await call(late, server.url)).toBe('200 ann')
    const refused = { status: 401, url: server.url, headers: new Headers({ 'www-authenticate': 'DPoP' }) }
    expect(await late.challenged({ ...refused, sent: await late.headers({ method: 'GET', url: server.url }) })).toBe(
      true,
    )
    expect(first).not.toBe((await late.headers({ method: 'POST', url: server.url }))['Authorization'])
  })

  it('a client is trusted for itself by its secret, or by what it signs', async () => {
    const server = await served()
    const grant = { type: 'client_credentials' } as const
    const secret = authorizationFor(server, { grant, client: { clientId: 'machine', clientSecret: SECRET } })
    expect(await call(secret, server.url)).toBe('200 machine')
    const signer = authorizationFor(server, {
      grant,
      client: { clientId: 'signer', privateKey: { key, algorithm: 'ES256' } },
    })
    expect(await call(signer, server.url)).toBe('200 signer')
    expect(signIn.grants).toEqual(['client_credentials', 'client_credentials'])
    const wrong = authorizationFor(server, { grant, client: { clientId: 'machine', clientSecret: 'another' } })
    await expect(call(wrong, server.url)).rejects.toMatchObject({ code: 'token_refused', error: 'invalid_client' })
  })
})

const never = (): Promise<URL> => Promise.reject(new Error('Nobody should be asked'))
