/** A real authorization server (oidc-provider) on loopback, whose keys can be rotated and which can be taken down. */
import { createHash, randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type CryptoKey, calculateJwkThumbprint, exportJWK, generateKeyPair, importJWK, type JWK } from 'jose'
import Provider from 'oidc-provider'
import type { AuthOutcome, AuthRequest } from '#auth/authenticator'

export const ENDPOINT = 'http://127.0.0.1:3000/mcp'
export const ELSEWHERE = 'http://127.0.0.1:4000/mcp'
const SECRET = 'a-secret-of-the-tests-which-is-long-enough'

export interface SigningPair {
  readonly privateKey: CryptoKey
  readonly jwk: JWK
  readonly thumbprint: string
}

export async function signingPair(algorithm = 'ES256'): Promise<SigningPair> {
  const { publicKey, privateKey } = await generateKeyPair(algorithm, { extractable: true })
  const jwk = await exportJWK(publicKey)
  return { privateKey, jwk, thumbprint: await calculateJwkThumbprint(jwk) }
}

/** A private JWK that an issuer signs with. */
export async function issuerKey(kid: string, algorithm = 'ES256'): Promise<JWK> {
  const { privateKey } = await generateKeyPair(algorithm, { extractable: true })
  return { ...(await exportJWK(privateKey)), kid, alg: algorithm, use: 'sig' }
}

export class TestIssuer {
  readonly url: string
  /** Requests by path. */
  readonly asked = new Map<string, number>()
  isDown = false
  /** When set, answers instead of the provider. */
  intercept: ((path: string) => { status: number; body: string; location?: string } | undefined) | undefined
  readonly #server: Server
  #provider: Provider
  #keys: readonly JWK[]

  private constructor(url: string, server: Server, keys: readonly JWK[]) {
    this.url = url
    this.#server = server
    this.#keys = keys
    this.#provider = providerAt(url, keys)
    server.on('request', (request, response) => {
      const path = (request.url ?? '').split('?', 1)[0] ?? ''
      this.asked.set(path, this.askedFor(path) + 1)
      if (this.isDown) return void request.socket.destroy()
      const instead = this.intercept?.(path)
      if (instead !== undefined) {
        const { status, body, location } = instead
        const headers = { 'content-type': 'application/json', ...(location !== undefined && { location }) }
        response.writeHead(status, headers).end(body)
        return
      }
      this.#provider.callback()(request, response)
    })
  }

  static async start(keys?: readonly JWK[]): Promise<TestIssuer> {
    const server = createServer()
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    return new TestIssuer(url, server, keys ?? [await issuerKey('first')])
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections()
    this.#server.close()
    await once(this.#server, 'close')
  }

  askedFor(path: string): number {
    return this.asked.get(path) ?? 0
  }

  /** The key that signs, for tokens that no real issuer would make. */
  get signingKey(): JWK {
    return this.#keys[0] ?? {}
  }

  /** From now on signs with `keys[0]` and publishes `keys` only. */
  rotate(keys: readonly JWK[]): void {
    this.#keys = keys
    this.#provider = providerAt(this.url, keys)
  }

  /** A token of the client_credentials grant for `resource` (RFC 8707), bound to a key when a pair is given. */
  async token(options: { resource?: string; scope?: string; pair?: SigningPair } = {}): Promise<string> {
    const { resource = ENDPOINT, scope = 'files:read', pair } = options
    const headers: Record<string, string> = { 'content-type': 'application/x-www-form-urlencoded' }
    if (pair !== undefined) headers['dpop'] = await proof(pair, { htm: 'POST', htu: `${this.url}/token` })
    headers['authorization'] = `Basic ${Buffer.from(`machine:${SECRET}`).toString('base64')}`
    const body = new URLSearchParams({ grant_type: 'client_credentials', resource, scope }).toString()
    const response = await fetch(`${this.url}/token`, { method: 'POST', headers, body })
    const answer = (await response.json()) as { access_token?: string }
    if (answer.access_token === undefined) throw new Error(`No token: ${JSON.stringify(answer)}`)
    return answer.access_token
  }

  /** A token with any claims, signed by the issuer's own key. */
  async forge(
    claims: Record<string, unknown>,
    header: Record<string, unknown> = {},
    key?: SigningPair,
  ): Promise<string> {
    const { signingKey } = this
    const payload = { iss: this.url, aud: ENDPOINT, sub: 'ann', exp: nowS() + 600, iat: nowS(), ...claims }
    const own = key?.privateKey ?? ((await importJWK(signingKey, 'ES256')) as CryptoKey)
    return await signed({ alg: 'ES256', kid: signingKey.kid, typ: 'at+jwt', ...header }, payload, own)
  }
}

export const CLIENT = { clientId: 'machine', clientSecret: SECRET }

function providerAt(url: string, keys: readonly JWK[]): Provider {
  // The provider warns on the console about settings that are for development.
  const { warn, info } = console
  Object.assign(console, { warn: () => undefined, info: () => undefined })
  try {
    return new Provider(url, {
      jwks: { keys },
      clients: [
        {
          client_id: CLIENT.clientId,
          client_secret: CLIENT.clientSecret,
          grant_types: ['client_credentials'],
          redirect_uris: [],
          response_types: [],
          id_token_signed_response_alg: 'ES256',
        },
      ],
      cookies: { keys: ['tests'] },
      ttl: { ClientCredentials: 600 },
      scopes: ['files:read', 'files:write'],
      features: {
        devInteractions: { enabled: false },
        clientCredentials: { enabled: true },
        introspection: { enabled: true, allowedPolicy: () => true },
        dPoP: { enabled: true },
        resourceIndicators: {
          enabled: true,
          getResourceServerInfo: (_context: unknown, resource: string) => ({
            scope: 'files:read files:write',
            audience: resource,
            accessTokenTTL: 600,
            accessTokenFormat: resource.endsWith('/opaque') ? 'opaque' : 'jwt',
            jwt: { sign: { alg: 'ES256' } },
          }),
        },
      },
    })
  } finally {
    Object.assign(console, { warn, info })
  }
}

/** A JWT with any header and claims, however wrong: nothing is checked, only signed. ES256 unless the header says otherwise. */
async function signed(
  header: Record<string, unknown>,
  claims: Record<string, unknown>,
  key: CryptoKey,
): Promise<string> {
  const encoded = [header, claims].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.')
  const algorithms: Record<string, object> = {
    ES384: { name: 'ECDSA', hash: 'SHA-384' },
    RS256: { name: 'RSASSA-PKCS1-v1_5' },
    PS256: { name: 'RSA-PSS', saltLength: 32 },
    EdDSA: { name: 'Ed25519' },
    Ed25519: { name: 'Ed25519' },
  }
  const algorithm = algorithms[String(header['alg'])] ?? { name: 'ECDSA', hash: 'SHA-256' }
  const signature = await crypto.subtle.sign(algorithm as { name: string }, key, Buffer.from(encoded))
  return `${encoded}.${Buffer.from(signature).toString('base64url')}`
}

export const nowS = (): number => Math.floor(Date.now() / 1_000)

export interface ProofParts {
  readonly htm?: unknown
  readonly htu?: unknown
  readonly iat?: unknown
  readonly jti?: unknown
  readonly ath?: unknown
  readonly nonce?: unknown
  readonly token?: string
  readonly header?: Record<string, unknown>
}

/** A proof for a POST to the endpoint; parts that are undefined are left out, parts that are missing are right. */
export async function proof(pair: SigningPair, parts: ProofParts = {}): Promise<string> {
  const { token, header, ...claims } = parts
  const ath = token === undefined ? undefined : createHash('sha256').update(token).digest('base64url')
  const payload = { htm: 'POST', htu: ENDPOINT, iat: nowS(), jti: randomUUID(), ath, ...claims }
  return await signed({ typ: 'dpop+jwt', alg: 'ES256', jwk: pair.jwk, ...header }, payload, pair.privateKey)
}

export function request(headers: AuthRequest['headers'] = {}, parts: Partial<AuthRequest> = {}): AuthRequest {
  return { method: 'POST', url: ENDPOINT, headers, ...parts }
}

export const bearer = (token: string): AuthRequest => request({ authorization: `Bearer ${token}` })

/** What the tests say of an outcome in one line: the principal, or the status and the OAuth error. */
export function told(outcome: AuthOutcome): string {
  if (outcome.ok) return `ok ${outcome.principal.id}`
  const { data } = outcome.error as { data?: { error?: string } }
  return `${outcome.status} ${data?.error ?? 'no credentials'}`
}
