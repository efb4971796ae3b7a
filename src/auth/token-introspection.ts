/**
 * Opaque tokens, or JWTs whose issuer wants to be asked: each token is shown to the issuer's introspection endpoint, and
 * the answer is remembered for a short while.
 *
 * Answers are kept by the token's hash, in bounded number: good ones for `cacheMs` or until the token expires, refusals
 * more briefly. Requests with the same token wait for one question; how many questions may be under way is bounded too.
 *
 * Spec: RFC 7662; MCP 2026-07-28, basic/authorization, token handling.
 */
import { hash } from 'node:crypto'
import type { JsonObject } from '#protocol/json-rpc'
import { type Clock, realClock } from '#runtime/clock'
import type { Authenticator } from './authenticator.ts'
import { Fault, invalidToken } from './challenge.ts'
import { isForAudience, principalOf } from './claims.ts'
import { discover, endpointOf } from './discovery.ts'
import { AuthError, invalidOption } from './errors.ts'
import { ExpiringCache } from './expiring-cache.ts'
import { Asker, type AskerOptions } from './fetch-json.ts'
import { Gate, type ProtectionOptions, type Verdict, type Verification } from './gate.ts'
import type { PrincipalMapper } from './jwt-issuer.ts'
import { canonicalIdentifier, checkedEndpoint, checkedIssuer } from './urls.ts'

/** Answers remembered by default. */
export const INTROSPECTION_CACHE_MAX = 10_000
/** How long a good answer is used by default, in milliseconds: as long, a revoked token is still taken. */
export const INTROSPECTION_CACHE_MS = 30_000
/** Questions under way at once. */
export const INTROSPECTIONS_MAX = 256

/** How long a refusal is remembered, in milliseconds. */
const REFUSAL_MS = 5_000
const CLOCK_TOLERANCE_MS = 5_000

export interface TokenIntrospectionOptions extends ProtectionOptions, AskerOptions {
  readonly issuer: string
  /** Default: the `introspection_endpoint` of the issuer's metadata. */
  readonly endpoint?: string
  readonly clientId: string
  readonly clientSecret: string
  /** How this server shows who it is. Default 'client_secret_basic'. */
  readonly clientAuth?: 'client_secret_basic' | 'client_secret_post'
  /**
   * What `aud` of the answer must hold. Default `resource`, and without it the URL that the request was sent to. false
   * trusts the issuer to call tokens for other resources inactive.
   */
  readonly audience?: string | readonly string[] | false
  readonly principal?: PrincipalMapper
  /** Default `INTROSPECTION_CACHE_MS`; 0 asks for every request. */
  readonly cacheMs?: number
  /** Default `INTROSPECTION_CACHE_MAX`. */
  readonly cacheMax?: number
}

const INACTIVE = invalidToken('The access token is not active')
const WRONG_AUDIENCE = invalidToken('The access token is meant for another resource')

type Answer = Fault | { readonly claims: JsonObject }

/** An authenticator that asks the issuer about tokens. Throws `AuthError` `invalid_option`. */
export function tokenIntrospection(options: TokenIntrospectionOptions): Authenticator {
  const introspector = new Introspector(options)
  const audiences = audiencesOf(options.audience)
  const resource = options.resource ?? audiences?.find((one) => canonicalIdentifier(one) !== undefined)
  return new Gate(
    { ...options, ...(resource !== undefined && { resource }) },
    {
      issuers: [options.issuer],
      verify: (verification) => introspector.verify(verification),
      close: () => introspector.close(),
    },
  )
}

class Introspector {
  readonly #options: TokenIntrospectionOptions
  readonly #clock: Pick<Clock, 'wallNow'>
  readonly #asker: Asker
  readonly #answers: ExpiringCache<Answer>
  /** Questions under way, by the token's hash. */
  readonly #asking = new Map<string, Promise<Answer>>()
  #endpoint: string | undefined

  constructor(options: TokenIntrospectionOptions) {
    this.#options = options
    checkedIssuer(options.issuer)
    this.#endpoint = options.endpoint === undefined ? undefined : checkedEndpoint('endpoint', options.endpoint)
    for (const name of ['clientId', 'clientSecret'] as const) {
      if (typeof options[name] !== 'string' || options[name] === '') throw invalidOption(`${name} must not be empty`)
    }
    const cacheMs = options.cacheMs ?? INTROSPECTION_CACHE_MS
    if (!(cacheMs >= 0)) throw invalidOption(`cacheMs must not be negative, got ${cacheMs}`)
    this.#clock = options.clock ?? realClock
    this.#asker = new Asker(options)
    this.#answers = new ExpiringCache(options.cacheMax ?? INTROSPECTION_CACHE_MAX)
  }

  verify(verification: Verification): Verdict | Promise<Verdict> {
    const digest = hash('sha256', verification.token, 'base64url')
    const known = this.#answers.get(digest, this.#clock.wallNow())
    if (known !== undefined) return this.#decide(known, verification)
    return this.#askOnce(digest, verification.token).then((answer) => this.#decide(answer, verification))
  }

  close(): void {
    this.#asker.close()
    this.#answers.clear()
  }

  #askOnce(digest: string, token: string): Promise<Answer> {
    const underWay = this.#asking.get(digest)
    if (underWay !== undefined) return underWay
    if (this.#asking.size >= INTROSPECTIONS_MAX) {
      const message = `${INTROSPECTIONS_MAX} introspections are under way; a caller was told to come again.`
      return Promise.reject(new AuthError('issuer_unavailable', message))
    }
    const asking = this.#ask(token)
      .then((answer) => this.#remember(digest, answer))
      .finally(() => this.#asking.delete(digest))
    this.#asking.set(digest, asking)
    return asking
  }

  async #ask(token: string): Promise<Answer> {
    const { issuer, clientId, clientSecret, clientAuth = 'client_secret_basic' } = this.#options
    this.#endpoint ??= endpointOf(issuer, await discover(issuer, this.#asker), 'introspection_endpoint')
    const body = new URLSearchParams({ token, token_type_hint: 'access_token' })
    const headers: Record<string, string> = { 'content-type': 'application/x-www-form-urlencoded' }
    if (clientAuth === 'client_secret_basic') {
      const pair = `${formEncoded(clientId)}:${formEncoded(clientSecret)}`
      headers['authorization'] = `Basic ${Buffer.from(pair).toString('base64')}`
    } else {
      body.set('client_id', clientId)
      body.set('client_secret', clientSecret)
    }
    const claims = await this.#asker.ask(this.#endpoint, { method: 'POST', headers, body: body.toString() })
    return this.#timeFault(claims) ?? { claims }
  }

  /** An issuer that says "active" of a token that cannot be is not believed. */
  #timeFault(claims: JsonObject): Fault | undefined {
    const { active, exp, nbf, iss } = claims
    const nowMs = this.#clock.wallNow()
    if (active !== true) return INACTIVE
    if (typeof exp === 'number' && exp * 1_000 + CLOCK_TOLERANCE_MS <= nowMs) return INACTIVE
    if (typeof nbf === 'number' && nbf * 1_000 - CLOCK_TOLERANCE_MS > nowMs) return INACTIVE
    if (iss !== undefined && iss !== this.#options.issuer) return invalidToken('The access token is of another issuer')
    return undefined
  }

  #remember(digest: string, answer: Answer): Answer {
    const nowMs = this.#clock.wallNow()
    const { cacheMs = INTROSPECTION_CACHE_MS } = this.#options
    const exp = answer instanceof Fault ? undefined : answer.claims['exp']
    const keptMs = answer instanceof Fault ? Math.min(REFUSAL_MS, cacheMs) : cacheMs
    const endMs = typeof exp === 'number' ? exp * 1_000 + CLOCK_TOLERANCE_MS : Number.POSITIVE_INFINITY
    if (keptMs > 0) this.#answers.set(digest, answer, Math.min(nowMs + keptMs, endMs))
    return answer
  }

  #decide(answer: Answer, { resource }: Verification): Verdict {
    if (answer instanceof Fault) return answer
    const { claims } = answer
    const { audience, principal: mapper } = this.#options
    if (audience !== false && !isForAudience(claims, audiencesOf(audience) ?? [resource])) return WRONG_AUDIENCE
    const principal = principalOf(claims, { prefix: '', ...(mapper !== undefined && { principal: mapper }) })
    return principal instanceof Fault ? principal : { principal, claims }
  }
}

function audiencesOf(audience: string | readonly string[] | false | undefined): readonly string[] | undefined {
  if (audience === undefined || audience === false) return undefined
  return typeof audience === 'string' ? [audience] : audience
}

/** Spec: RFC 6749, 2.3.1: both parts of the pair are form-encoded first. */
function formEncoded(text: string): string {
  return new URLSearchParams([['', text]]).toString().slice(1)
}
