/**
 * A protected server and its authorization servers as one function in place of `fetch`, with all that they may do wrong, and a
 * user who agrees. Nothing here opens a socket, and time stands still until it is told to go.
 */
import { createHash } from 'node:crypto'
import { VirtualClock } from 'bough/testing'
import {
  type Authorization,
  type AuthorizationHeaders,
  type AuthorizationOptions,
  createAuthorization,
  memoryAuthStore,
} from '#auth/index'

export const ENDPOINT = 'https://mcp.example.com/mcp'
export const ISSUER = 'https://auth.example.com'
export const REDIRECT_URI = 'http://127.0.0.1:9876/callback'
const PRM = 'https://mcp.example.com/.well-known/oauth-protected-resource/mcp'

/** A request that somebody was sent, its body as parameters or JSON. */
export interface Seen {
  readonly method: string
  readonly url: string
  readonly headers: Headers
  readonly body: string
  readonly form: URLSearchParams
}

type Maker = (seen: Seen) => Response | undefined | Promise<Response | undefined>

export const json = (value: unknown, status = 200, headers: Record<string, string> = {}): Response =>
  Response.json(value, { status, headers })

/** One authorization server. */
export class Authority {
  readonly issuer: string
  metadata: Record<string, unknown>
  /** Answers instead, by path. */
  readonly instead = new Map<string, Maker>()
  /** What the user's browser comes back with, beside `code` and `state`. */
  answer: Record<string, string | undefined> = {}
  readonly registered: Record<string, unknown>[] = []
  readonly questions: URLSearchParams[] = []
  readonly tokenRequests: Seen[] = []
  expiresInS: number | undefined = 3_600
  givesRefresh = true
  /** Scopes of the tokens that are good, by token. */
  readonly tokens = new Map<string, readonly string[]>()
  readonly refreshable = new Map<string, readonly string[]>()
  #count = 0
  #challenge = ''
  #scope = ''

  constructor(issuer = ISSUER) {
    this.issuer = issuer
    const { origin } = new URL(issuer)
    this.metadata = {
      issuer,
      authorization_endpoint: `${origin}/authorize`,
      token_endpoint: `${origin}/token`,
      registration_endpoint: `${origin}/register`,
      code_challenge_methods_supported: ['S256'],
      token_endpoint_auth_methods_supported: ['none'],
      authorization_response_iss_parameter_supported: true,
    }
  }

  async handle(seen: Seen): Promise<Response> {
    const { pathname } = new URL(seen.url)
    const instead = await this.instead.get(pathname)?.(seen)
    if (instead !== undefined) return instead
    if (pathname === '/.well-known/oauth-authorization-server') return json(this.metadata)
    if (pathname === '/register') {
      this.registered.push(JSON.parse(seen.body) as Record<string, unknown>)
      return json({ client_id: `client-${this.registered.length}-of-${this.issuer}` }, 201)
    }
    if (pathname === '/token') return this.#token(seen)
    return new Response('', { status: 404 })
  }

  /** The user agrees. */
  agree(url: URL): string {
    this.questions.push(url.searchParams)
    this.#challenge = url.searchParams.get('code_challenge') ?? ''
    this.#scope = url.searchParams.get('scope') ?? ''
    const back = new URL(url.searchParams.get('redirect_uri') ?? '')
    const told = { code: `code-${++this.#count}`, state: url.searchParams.get('state') ?? '', iss: this.issuer }
    for (const [name, value] of Object.entries({ ...told, ...this.answer })) {
      if (value !== undefined) back.searchParams.set(name, value)
    }
    return back.href
  }

  #token(seen: Seen): Response {
    this.tokenRequests.push(seen)
    const { form } = seen
    const grant = form.get('grant_type')
    let scopes = (form.get('scope') ?? '').split(' ').filter(Boolean)
    if (grant === 'authorization_code') {
      const hashed = createHash('sha256')
        .update(form.get('code_verifier') ?? '')
        .digest('base64url')
      if (hashed !== this.#challenge) return json({ error: 'invalid_grant' }, 400)
      scopes = this.#scope.split(' ').filter(Boolean)
    }
    if (grant === 'refresh_token') {
      const held = this.refreshable.get(form.get('refresh_token') ?? '')
      if (held === undefined) return json({ error: 'invalid_grant' }, 400)
      this.refreshable.delete(form.get('refresh_token') ?? '')
      scopes = [...held]
    }
    const number = ++this.#count
    this.tokens.set(`access-${number}`, scopes)
    if (this.givesRefresh) this.refreshable.set(`refresh-${number}`, scopes)
    return json({
      access_token: `access-${number}`,
      token_type: 'Bearer',
      ...(this.expiresInS !== undefined && { expires_in: this.expiresInS }),
      ...(this.givesRefresh && { refresh_token: `refresh-${number}` }),
      ...(scopes.length > 0 && { scope: scopes.join(' ') }),
    })
  }
}

export class World {
  readonly clock = new VirtualClock()
  readonly seen: Seen[] = []
  readonly authorities: Authority[]
  /** The server's metadata; undefined where it has none. */
  metadata: Record<string, unknown> | undefined
  /** Answers of the server instead, by path. */
  readonly instead = new Map<string, Maker>()
  /** Parameters of the challenge, beside the place of the metadata. */
  challenge: Record<string, string> = {}
  scheme = 'Bearer'
  /** Scopes that a call needs. */
  needed: readonly string[] = []
  store = memoryAuthStore()
  #chance = 0

  constructor(...authorities: Authority[]) {
    this.authorities = authorities.length === 0 ? [new Authority()] : authorities
    this.metadata = { resource: ENDPOINT, authorization_servers: [this.authority.issuer] }
  }

  get authority(): Authority {
    const [first] = this.authorities
    if (first === undefined) throw new Error('There is no authority')
    return first
  }

  readonly fetch = async (url: string, init: RequestInit): Promise<Response> => {
    const body = String(init.body ?? '')
    const seen: Seen = {
      method: init.method ?? 'GET',
      url,
      headers: new Headers(init.headers),
      body,
      form: new URLSearchParams(body),
    }
    this.seen.push(seen)
    const { origin, pathname } = new URL(url)
    const authority = this.authorities.find((one) => new URL(one.issuer).origin === origin)
    if (authority !== undefined && origin !== new URL(ENDPOINT).origin) return await authority.handle(seen)
    const instead = await this.instead.get(pathname)?.(seen)
    if (instead !== undefined) return instead
    if (pathname === new URL(PRM).pathname && this.metadata !== undefined) return json(this.metadata)
    if (pathname === '/mcp') return this.#serve(seen)
    return (await authority?.handle(seen)) ?? new Response('', { status: 404 })
  }

  #serve({ headers }: Seen): Response {
    const token = /^(?:Bearer|DPoP) (.+)$/.exec(headers.get('authorization') ?? '')?.[1]
    const issuer = (this.metadata?.['authorization_servers'] as string[] | undefined)?.[0]
    const held = this.authorities.find((one) => one.issuer === issuer)?.tokens.get(token ?? '')
    if (held === undefined) return this.refuse(401, this.challenge)
    if (this.needed.every((scope) => held.includes(scope))) return json({})
    return this.refuse(403, { error: 'insufficient_scope', scope: this.needed.join(' ') })
  }

  refuse(status: number, parameters: Record<string, string>): Response {
    const told = this.metadata === undefined ? parameters : { ...parameters, resource_metadata: PRM }
    const text = Object.entries(told).map(([name, value]) => `${name}="${value}"`)
    return new Response('', { status, headers: { 'www-authenticate': `${this.scheme} ${text.join(', ')}`.trim() } })
  }

  authorization(options: Partial<AuthorizationOptions> = {}): Authorization {
    return createAuthorization({
      resource: ENDPOINT,
      redirect: {
        uri: REDIRECT_URI,
        authorize: async (url) => {
          const asked = this.authorities.find((one) => new URL(one.issuer).origin === url.origin)
          if (asked === undefined) throw new Error(`Nobody answers at ${url.origin}`)
          return asked.agree(url)
        },
      },
      store: this.store,
      fetch: this.fetch,
      clock: this.clock,
      random: {
        token: (bytes) =>
          createHash('sha512')
            .update(String(++this.#chance))
            .digest('base64url')
            .slice(0, bytes * 1.4),
      },
      ...options,
    })
  }

  /** One request as a transport makes it. Resolves to the status. */
  async call(authorization: Authorization, triesMax = 4): Promise<number> {
    for (let tries = 1; ; tries++) {
      const sent = await authorization.headers({ method: 'POST', url: ENDPOINT })
      const { status, headers } = await this.fetch(ENDPOINT, { method: 'POST', headers: sent })
      if (status < 400 || tries === triesMax) return status
      if (!(await authorization.challenged({ status, url: ENDPOINT, headers, sent }))) return status
    }
  }

  /** Requests to `path` of anybody. */
  asked(path: string): Seen[] {
    return this.seen.filter(({ url }) => new URL(url).pathname === path)
  }

  /** Lets the virtual clock pass `ms`. */
  pass(ms: number): void {
    const end = this.clock.now() + ms
    while (this.clock.nextDeadline <= end) this.clock.fireNext()
    this.clock.goTo(end)
  }
}

export const tokenOf = (headers: AuthorizationHeaders): string | undefined => headers['Authorization']
