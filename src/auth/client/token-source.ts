/**
 * Gets tokens for one server: finds out whom to ask, who the client is there, and what to ask for; then asks, by the grant that
 * was configured. It holds no token itself: sessions go in and come out.
 *
 * Spec: MCP 2026-07-28, basic/authorization.
 */
import type { AuthorizationServer } from 'oauth4webapi'
import { AuthError } from '#auth/errors'
import { canonicalUrl, isSafeUrl } from '#auth/urls'
import type { Clock } from '#runtime/clock'
import type { Random } from '#runtime/random'
import type { AuthStore } from './auth-store.ts'
import { askUser, USER_TIMEOUT_MS } from './authorization-code.ts'
import { chooseIssuer, findAuthorizationServer } from './authorization-server.ts'
import type { Challenge } from './challenge-reader.ts'
import type { ClientCredentials } from './client-authentication.ts'
import { ClientIdentity } from './client-identity.ts'
import { DpopKey, PROOF_ALGORITHMS } from './dpop-key.ts'
import { TokenRefusal } from './errors.ts'
import { anonymous, askUnattended, type UnattendedGrant } from './grants.ts'
import { bare, type Http } from './http.ts'
import type { AuthorizationOptions, GrantOptions, Redirect } from './options.ts'
import { findResourceMetadata, type ResourceMetadata } from './resource-metadata.ts'
import type { Session } from './session.ts'
import { type TokenAnswer, TokenEndpoint } from './token-endpoint.ts'
import { wantedScopes, withOffline } from './wanted-scopes.ts'

/** Times that a user is asked for one token: again only where the authorization server has forgotten the client meanwhile. */
const ASKED_MAX = 2
/** How long a grant that was refused is not tried again, in milliseconds: the same assertion will not fare better. */
export const REFUSAL_MEMORY_MS = 30_000

/** What a token is to be asked for. */
interface Plan {
  readonly server: AuthorizationServer
  readonly resource: string
  readonly scopes: readonly string[]
  readonly dpop: DpopKey | undefined
  readonly boundTo: string | undefined
}

export interface SourceParts {
  readonly endpoint: string
  readonly options: AuthorizationOptions
  readonly http: Http
  readonly store: AuthStore
  readonly clock: Pick<Clock, 'wallNow' | 'setTimer' | 'clearTimer'>
  readonly random: Pick<Random, 'token'>
  readonly signal: AbortSignal
}

export class TokenSource {
  readonly #parts: SourceParts
  readonly #grant: GrantOptions
  readonly #identity: ClientIdentity
  readonly #tokens: TokenEndpoint
  #refusal: { readonly error: TokenRefusal; readonly atMs: number } | undefined

  constructor(parts: SourceParts) {
    const { options, http, store, clock, random } = parts
    this.#parts = parts
    this.#grant = options.grant ?? { type: 'authorization_code' }
    this.#identity = new ClientIdentity(options.client ?? {}, http, store, clock)
    this.#tokens = new TokenEndpoint(http, clock, random)
  }

  canRenew({ refreshToken }: Session): boolean {
    return this.#grant.type !== 'authorization_code' || refreshToken !== undefined
  }

  /** Resolves to a session as `challenge` asks for. `last` is the one that was refused; `mayRefresh` that a refresh will do. */
  async obtain(challenge: Challenge, last: Session | undefined, mayRefresh: boolean): Promise<Session> {
    const { endpoint, options, http } = this.#parts
    const metadata = await findResourceMetadata(http, endpoint, challenge.metadataUrl)
    const wanted = [options.client?.issuer, last?.server.issuer].filter((issuer) => issuer !== undefined)
    const server = await findAuthorizationServer(http, chooseIssuer(endpoint, metadata, wanted))
    // What another authorization server has given out is worth nothing at this one, and must not be shown to it.
    const before = last?.server.issuer === server.issuer ? last : undefined
    if (mayRefresh && before !== undefined && challenge.scopes?.every((one) => before.scopes.includes(one)) !== false) {
      const refreshed = await this.refresh({ ...before, server })
      if (refreshed !== undefined) return refreshed
    }
    const scopes = wantedScopes({
      configured: options.scopes,
      challenged: challenge.scopes,
      supported: metadata?.scopes,
      before: before?.scopes ?? [],
    })
    const resource = metadata?.resource ?? canonicalUrl(endpoint) ?? endpoint
    const dpop = await this.#keyFor(server, challenge, metadata, before)
    const plan = { server, resource, scopes, dpop, boundTo: last?.server.issuer }
    return this.#grant.type === 'authorization_code'
      ? await this.#byUser(plan)
      : await this.#unattended(this.#grant, plan)
  }

  /** Resolves to `session` with a new token, by its refresh token or by its grant; to undefined where that does not go. */
  async renew(session: Session): Promise<Session | undefined> {
    if (this.#grant.type === 'authorization_code') return await this.refresh(session)
    const { server, resource, scopes } = session
    const dpop = await this.#restored(session)
    return await this.#unattended(this.#grant, { server, resource, scopes, dpop, boundTo: server.issuer })
  }

  /** Resolves to undefined where there is no refresh token, or it is refused. */
  async refresh(session: Session): Promise<Session | undefined> {
    const { server, refreshToken, resource, scopes, clientId } = session
    if (refreshToken === undefined) return undefined
    const credentials = await this.#identity.known(server, server.issuer)
    if (credentials?.clientId !== clientId) return undefined
    const dpop = await this.#restored(session)
    try {
      const parameters = { refresh_token: refreshToken, resource }
      const answer = await this.#tokens.ask({ server, credentials, grantType: 'refresh_token', parameters, dpop })
      // Without a new one the old one goes on. Spec: RFC 6749, 6.
      return this.#accept({ refreshToken, ...answer }, credentials, { server, resource, scopes, dpop })
    } catch (error) {
      if (!(error instanceof TokenRefusal)) throw error
      if (error.error === 'invalid_client') await this.#identity.forget(server.issuer)
      return undefined
    }
  }

  async #byUser(plan: Plan): Promise<Session> {
    const { redirect } = this.#parts.options
    if (redirect === undefined) {
      throw new AuthError(
        'no_redirect',
        `${bare(this.#parts.endpoint)} wants a token that ${plan.server.issuer} makes when its user agrees, and there is no way ` +
          'to ask: configure redirect (for a program on a desk: loopbackRedirect()), or a grant that asks nobody.',
      )
    }
    try {
      for (let asked = 1; ; asked++) {
        try {
          return await this.#askedUser(plan, redirect)
        } catch (error) {
          const isForgotten = error instanceof TokenRefusal && error.error === 'invalid_client' && asked < ASKED_MAX
          if (!isForgotten || !(await this.#identity.forget(plan.server.issuer))) throw error
        }
      }
    } finally {
      redirect.close?.()
    }
  }

  async #askedUser(plan: Plan, redirect: Redirect): Promise<Session> {
    const { options, clock, random, signal } = this.#parts
    const { server, resource, dpop, boundTo } = plan
    const redirectUri = await redirectUriOf(redirect)
    const credentials = await this.#identity.obtain(server, boundTo, redirectUri, options.dpop === true)
    const scopes = options.offlineAccess === false ? plan.scopes : withOffline(plan.scopes, server.scopes_supported)
    const parameters = await askUser(
      { server, clientId: credentials.clientId, redirectUri, resource, scopes, dpop },
      { redirect, timeoutMs: options.userTimeoutMs ?? USER_TIMEOUT_MS, clock, random, signal },
    )
    const answer = await this.#tokens.ask({ server, credentials, grantType: 'authorization_code', parameters, dpop })
    return this.#accept(answer, credentials, plan)
  }

  async #unattended(grant: UnattendedGrant, plan: Plan): Promise<Session> {
    const { clock, http } = this.#parts
    const refused = this.#refusal
    if (refused !== undefined && clock.wallNow() - refused.atMs < REFUSAL_MEMORY_MS) throw refused.error
    const known = await this.#identity.known(plan.server, plan.boundTo)
    try {
      const credentials = known ?? anonymous
      const answer = await askUnattended(grant, { ...plan, credentials }, this.#tokens, http)
      return this.#accept(answer, credentials, plan)
    } catch (error) {
      if (error instanceof TokenRefusal) this.#refusal = { error, atMs: clock.wallNow() }
      throw error
    }
  }

  #accept(answer: TokenAnswer, { clientId }: ClientCredentials, plan: Omit<Plan, 'boundTo'>): Session {
    const { server, resource, dpop } = plan
    const isBound = answer.type === 'dpop'
    if (isBound && dpop === undefined) {
      throw new AuthError('token_unusable', `${server.issuer} bound the token to a key that this client did not show.`)
    }
    if (!isBound && this.#parts.options.dpop === true) {
      throw new AuthError(
        'dpop_unsupported',
        `${server.issuer} was shown a key and made a token that is not bound to it. Set dpop to 'auto' to take such.`,
      )
    }
    const nowMs = this.#parts.clock.wallNow()
    return {
      resource,
      server,
      clientId,
      accessToken: answer.token,
      scopes: [...new Set([...plan.scopes, ...(answer.scopes ?? [])])],
      obtainedAtMs: nowMs,
      ...(answer.expiresInS !== undefined && { expiresAtMs: nowMs + answer.expiresInS * 1_000 }),
      ...(answer.refreshToken !== undefined && { refreshToken: answer.refreshToken }),
      ...(isBound && dpop !== undefined && { dpop: dpop.stored }),
    }
  }

  /** The key to bind a token to; undefined for a bearer token. */
  async #keyFor(
    server: AuthorizationServer,
    challenge: Challenge,
    metadata: ResourceMetadata | undefined,
    before: Session | undefined,
  ): Promise<DpopKey | undefined> {
    const { options, clock, random } = this.#parts
    const { dpop: wish = 'auto' } = options
    if (wish === false) return undefined
    const listed = server.dpop_signing_alg_values_supported
    const isOffered = challenge.offersDpop || metadata?.needsDpop || metadata?.dpopAlgorithms !== undefined
    if (wish === 'auto' && !(isOffered && listed !== undefined)) return undefined
    const lists = [listed, challenge.dpopAlgorithms, metadata?.dpopAlgorithms].filter((one) => one !== undefined)
    const algorithm = PROOF_ALGORITHMS.find((one) => lists.every((list) => list.includes(one)))
    if (algorithm !== undefined) {
      // A refresh token may be bound to the old key, and the new one serves no purpose.
      if (before?.dpop?.algorithm === algorithm) return await this.#restored(before)
      return await DpopKey.generate(algorithm, clock, random)
    }
    if (wish === 'auto') return undefined
    throw new AuthError(
      'dpop_unsupported',
      `${server.issuer} and ${bare(this.#parts.endpoint)} share no algorithm for DPoP proofs with this client, which has ` +
        `${PROOF_ALGORITHMS.join(', ')}.`,
    )
  }

  async #restored({ dpop }: Session): Promise<DpopKey | undefined> {
    const { clock, random } = this.#parts
    return dpop === undefined ? undefined : await DpopKey.restore(dpop, clock, random)
  }
}

async function redirectUriOf({ uri }: Redirect): Promise<string> {
  const text = typeof uri === 'string' ? uri : await uri()
  if (isSafeUrl(text) && !text.includes('#')) return text
  throw new AuthError(
    'invalid_option',
    `auth: redirect.uri must be an https URL, or one on this machine, without fragment, got ${JSON.stringify(text)}.`,
  )
}
