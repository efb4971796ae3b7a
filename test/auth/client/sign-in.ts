/**
 * A real authorization server (oidc-provider) whose user agrees to everything, a protected server that checks its tokens with
 * `jwtBearer`, and a browser that follows redirects and keeps cookies. All on loopback.
 */
import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import Provider from 'oidc-provider'
import { type Authenticator, type JwtBearerOptions, jwtBearer } from '#auth/index'

const REDIRECTS_MAX = 20
const LIVED = ['AuthorizationCode', 'Grant', 'Interaction', 'RefreshToken', 'Session']

/** The part of oidc-provider that ends its interactions. */
interface Interactive {
  readonly Grant: new (of: {
    accountId: string
    clientId: string
  }) => {
    addOIDCScope(scope: string): void
    addResourceScope(resource: string, scope: string): void
    save(): Promise<string>
  }
  interactionDetails(
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<{
    prompt: {
      name: string
      details: { missingOIDCScope?: string[]; missingResourceScopes?: Record<string, string[]> }
    }
    params: Record<string, string>
    session?: { accountId: string }
  }>
  interactionFinished(
    request: IncomingMessage,
    response: ServerResponse,
    result: object,
    options?: { mergeWithLastSubmission: boolean },
  ): Promise<void>
}

async function listening(server: Server): Promise<string> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

export async function stopped(server: Server): Promise<void> {
  server.closeAllConnections()
  server.close()
  await once(server, 'close')
}

export interface SignIn {
  readonly issuer: string
  readonly server: Server
  /** Grants that tokens were made for, in order. */
  readonly grants: string[]
}

export async function startSignIn(jwk: object, settings: object = {}, features: object = {}): Promise<SignIn> {
  const server = createServer()
  const issuer = await listening(server)
  const { warn, info } = console
  Object.assign(console, { warn: () => undefined, info: () => undefined })
  const provider = new Provider(issuer, {
    jwks: { keys: [jwk] },
    cookies: { keys: ['tests'] },
    findAccount: (_: unknown, accountId: string) => ({ accountId, claims: () => ({ sub: accountId }) }),
    ttl: { ...Object.fromEntries(LIVED.map((name) => [name, 86_400])), AccessToken: 600, ClientCredentials: 600 },
    scopes: ['openid', 'offline_access', 'files:read', 'files:write'],
    enabledJWA: { idTokenSigningAlgValues: ['ES256'] },
    clientDefaults: { id_token_signed_response_alg: 'ES256' },
    ...settings,
    features: {
      devInteractions: { enabled: false },
      registration: { enabled: true },
      clientCredentials: { enabled: true },
      resourceIndicators: {
        enabled: true,
        useGrantedResource: () => true,
        getResourceServerInfo: (_: unknown, resource: string) => ({
          scope: 'files:read files:write',
          audience: resource,
          accessTokenTTL: 600,
          accessTokenFormat: 'jwt',
          jwt: { sign: { alg: 'ES256' } },
        }),
      },
      ...features,
    },
  })
  Object.assign(console, { warn, info })
  const grants: string[] = []
  provider.on('grant.success', (context) => {
    grants.push((context as { oidc: { params: { grant_type: string } } }).oidc.params.grant_type)
  })
  const interactive = provider as unknown as Interactive
  const handle = provider.callback()
  server.on('request', (request, response) => {
    if (!request.url?.startsWith('/interaction/')) return handle(request, response)
    void agree(interactive, request, response).catch((error: unknown) => response.writeHead(500).end(String(error)))
  })
  return { issuer, server, grants }
}

async function agree(provider: Interactive, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { prompt, params, session } = await provider.interactionDetails(request, response)
  if (prompt.name === 'login') {
    return await provider.interactionFinished(request, response, { login: { accountId: 'ann' } })
  }
  const grant = new provider.Grant({ accountId: session?.accountId ?? '', clientId: params['client_id'] ?? '' })
  const { missingOIDCScope = [], missingResourceScopes = {} } = prompt.details
  grant.addOIDCScope(missingOIDCScope.join(' '))
  for (const [resource, scopes] of Object.entries(missingResourceScopes)) {
    grant.addResourceScope(resource, scopes.join(' '))
  }
  const consent = { grantId: await grant.save() }
  await provider.interactionFinished(request, response, { consent }, { mergeWithLastSubmission: true })
}

/** A browser: goes where it is sent, with its cookies, to the page at the end. Resolves to that page's address and text. */
export async function browse(
  start: URL,
): Promise<{ readonly url: string; readonly status: number; readonly text: string }> {
  const cookies = new Map<string, string>()
  let url = start.href
  for (let hops = 0; hops < REDIRECTS_MAX; hops++) {
    const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join('; ')
    const answer = await fetch(url, { redirect: 'manual', headers: { cookie } })
    for (const line of answer.headers.getSetCookie()) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? []
      cookies.set(name, value)
    }
    const location = answer.headers.get('location')
    const text = await answer.text()
    if (location === null) return { url, status: answer.status, text }
    url = new URL(location, url).href
  }
  throw new Error('The browser was sent around in circles')
}

export interface Protected {
  readonly url: string
  readonly server: Server
  readonly auth: Authenticator
  /** Of each request: the caller, or the refusal. */
  readonly outcomes: string[]
}

/** A server at /mcp that says who calls; a request with `?scope=` needs that scope. */
export async function startProtected(options: JwtBearerOptions): Promise<Protected> {
  const server = createServer()
  const url = `${await listening(server)}/mcp`
  const auth = jwtBearer({ ...options, resource: url })
  const outcomes: string[] = []
  server.on('request', (request, response) => {
    void (async () => {
      const address = new URL(request.url ?? '', url)
      const metadata = auth.metadata(url)
      if (metadata?.paths.includes(address.pathname)) {
        response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(metadata.document))
        return
      }
      const headers = { ...request.headers, dpop: request.headersDistinct['dpop'] }
      const asked = { method: request.method ?? '', url: address.href, headers }
      let outcome = await auth.authenticate(asked)
      const scope = address.searchParams.get('scope')
      if (outcome.ok && scope !== null && !outcome.principal.scopes.includes(scope)) {
        outcome = auth.challenge({ scopes: [scope], request: asked })
      }
      outcomes.push(outcome.ok ? outcome.principal.id : `${outcome.status}`)
      if (outcome.ok) response.writeHead(200).end(outcome.principal.id)
      else response.writeHead(outcome.status, outcome.headers).end()
    })()
  })
  return { url, server, auth, outcomes }
}
