/**
 * The client's side of authorization for one server: which headers a request needs, and what to do when it was refused. One
 * thing is done at a time, however many requests wait for it, and a token goes to the origin of its server only.
 *
 *     const authorization = createAuthorization({
 *       resource: 'https://mcp.example.com/mcp',
 *       redirect: loopbackRedirect({ open: (url) => console.log(url.href) }),
 *       store: fileAuthStore('tokens.json'),
 *     })
 *     const headers = await authorization.headers({ method: 'POST', url: 'https://mcp.example.com/mcp' })
 *
 * Spec: MCP 2025-11-25 and 2026-07-28, basic/authorization.
 */
import { AuthError } from '#auth/errors'
import { type Clock, realClock } from '#runtime/clock'
import { realRandom } from '#runtime/random'
import { type AuthStore, memoryAuthStore } from './auth-store.ts'
import { type Challenge, readChallenge } from './challenge-reader.ts'
import { DpopKey, nonceOf } from './dpop-key.ts'
import { ANSWER_TIMEOUT_MS, bare, Http } from './http.ts'
import { type AuthorizationOptions, checkedEndpointUrl } from './options.ts'
import { isDue, isExpired, type Session, sessionOf } from './session.ts'
import { TokenSource } from './token-source.ts'
import { Tries } from './tries.ts'

/** Tokens that are asked for because one was refused for its scopes, for one set of scopes within `TRIES_WINDOW_MS`. */
export const STEP_UPS_MAX = 2
/** Tokens that are asked for because one was refused as soon as it was made, within `TRIES_WINDOW_MS`. */
export const FRESH_REFUSALS_MAX = 2
/** How long a token is fresh, in milliseconds: when it is refused so soon, refreshing it will not help. */
const FRESH_MS = 30_000
/** How long to wait after a renewal that failed, while the token still serves, in milliseconds. */
const RENEW_PAUSE_MS = 5_000

export type AuthorizationHeaders = Readonly<Record<string, string>>

export interface RefusedRequest {
  readonly status: number
  readonly url: string
  /** Of the answer. */
  readonly headers: Headers
  /** What `headers` gave for the request. With it, a late refusal of an old token is told from one of the new. */
  readonly sent?: AuthorizationHeaders
}

export interface Authorization {
  /**
   * The headers that authorize one request; none for other origins and before there is a token. Renews the token first when it
   * is about to end. Rejects with `AuthError` when it has ended and cannot be renewed just now.
   */
  headers(request: { readonly method: string; readonly url: string }): Promise<AuthorizationHeaders>
  /**
   * A server refused a request with 401 or 403. Does what it takes, asking the user included; resolves to whether the request
   * should be tried again. Rejects with `AuthError` when authorization failed.
   */
  challenged(refusal: RefusedRequest): Promise<boolean>
  /** Forgets the tokens for this server, here and in the store. Registrations stay. */
  signOut(): Promise<void>
  /** Ends what is under way. What waits for it rejects. */
  close(): void
}

/** Throws `AuthError` `invalid_option`. Nothing is asked of anybody before the first `challenged`. */
export function createAuthorization(options: AuthorizationOptions): Authorization {
  return new Authorizer(options)
}

class Authorizer implements Authorization {
  readonly #endpoint: string
  readonly #origin: string
  readonly #key: string
  readonly #store: AuthStore
  readonly #clock: Pick<Clock, 'wallNow' | 'setTimer' | 'clearTimer'>
  readonly #random
  readonly #source: TokenSource
  readonly #tries: Tries
  readonly #ending = new AbortController()
  #loading: Promise<void> | undefined
  /** The one thing under way. */
  #work: Promise<void> | undefined
  #session: Session | undefined
  #dpop: DpopKey | undefined
  /** Whether the present token was given to a request yet. */
  #isHandedOut = false
  #nonce: string | undefined
  #renewAfterMs = 0

  constructor(options: AuthorizationOptions) {
    this.#endpoint = checkedEndpointUrl(options)
    this.#origin = new URL(this.#endpoint).origin
    this.#key = `session ${options.grant?.type ?? 'authorization_code'} ${this.#endpoint}`
    this.#store = options.store ?? memoryAuthStore()
    this.#clock = options.clock ?? realClock
    this.#random = options.random ?? realRandom
    this.#tries = new Tries(this.#clock)
    const http = new Http({
      fetch: options.fetch ?? ((url, init) => fetch(url, init)),
      timeoutMs: options.fetchTimeoutMs ?? ANSWER_TIMEOUT_MS,
      clock: this.#clock,
      signal: this.#ending.signal,
    })
    this.#source = new TokenSource({
      endpoint: this.#endpoint,
      options,
      http,
      store: this.#store,
      clock: this.#clock,
      random: this.#random,
      signal: this.#ending.signal,
    })
  }

  async headers({ method, url }: { readonly method: string; readonly url: string }): Promise<AuthorizationHeaders> {
    if (!this.#isOurs(url)) return {}
    await this.#load()
    if (!this.#isGood()) await this.#work
    const due = this.#session
    const now = this.#clock.wallNow()
    if (due !== undefined && isDue(due, now) && this.#source.canRenew(due)) {
      if (isExpired(due, now) || now >= this.#renewAfterMs) await this.#once(() => this.#renew(due))
    }
    const session = this.#session
    if (session === undefined || !this.#isGood()) return {}
    this.#isHandedOut = true
    const { accessToken } = session
    if (this.#dpop === undefined) return { Authorization: authorizationOf(session) }
    const proof = await this.#dpop.proof({ method, url, token: accessToken, nonce: this.#nonce })
    return { Authorization: authorizationOf(session), DPoP: proof }
  }

  async challenged({ status, url, headers, sent }: RefusedRequest): Promise<boolean> {
    if (!this.#isOurs(url)) return false
    await this.#load()
    const challenge = readChallenge(headers)
    const nonce = nonceOf(headers)
    this.#nonce = nonce ?? this.#nonce
    if (challenge.error === 'use_dpop_nonce') return nonce !== undefined && this.#dpop !== undefined
    const isStepUp = status === 403 && challenge.error === 'insufficient_scope'
    // Our own servers say that they could not check the token; it may be good.
    if (!isStepUp && (status !== 401 || challenge.error === 'temporarily_unavailable')) return false
    const refused = this.#session
    if (this.#work !== undefined) await this.#work
    if (this.#session !== refused || this.#isOld(sent)) return this.#session !== undefined
    await this.#once(() => this.#mend(challenge, isStepUp))
    return true
  }

  async signOut(): Promise<void> {
    await this.#load()
    await this.#work?.catch(() => undefined)
    this.#session = undefined
    this.#dpop = undefined
    await this.#store.delete(this.#key)
  }

  close(): void {
    this.#ending.abort()
  }

  #isOurs(url: string): boolean {
    return URL.canParse(url) && new URL(url).origin === this.#origin
  }

  #isGood(): boolean {
    return this.#session !== undefined && !isExpired(this.#session, this.#clock.wallNow())
  }

  /** True when another token than the present one was refused: one from before it, or none at all. */
  #isOld(sent: AuthorizationHeaders | undefined): boolean {
    if (this.#session === undefined || !this.#isGood()) return false
    return sent === undefined ? !this.#isHandedOut : sent['Authorization'] !== authorizationOf(this.#session)
  }

  #load(): Promise<void> {
    this.#loading ??= this.#read().catch((error: unknown) => {
      // Tried again by the next request.
      this.#loading = undefined
      throw error
    })
    return this.#loading
  }

  async #read(): Promise<void> {
    const session = sessionOf(await this.#store.get(this.#key))
    // One whose key cannot be read is as good as none.
    if (session !== undefined) await this.#adopt(session).catch(() => undefined)
    // It may have been in use before.
    this.#isHandedOut = true
  }

  /** Does `work`, or waits for what is being done already. */
  #once(work: () => Promise<void>): Promise<void> {
    this.#work ??= work().finally(() => {
      this.#work = undefined
    })
    return this.#work
  }

  async #mend(challenge: Challenge, isStepUp: boolean): Promise<void> {
    const session = this.#session
    const isFresh = session !== undefined && this.#clock.wallNow() - session.obtainedAtMs < FRESH_MS
    const subject = isStepUp ? `scopes ${[...(challenge.scopes ?? [])].sort().join(' ')}` : 'fresh'
    const isTaken = !(isStepUp || isFresh) || this.#tries.take(subject, isStepUp ? STEP_UPS_MAX : FRESH_REFUSALS_MAX)
    if (!isTaken) {
      throw new AuthError(
        'too_many_tries',
        `${bare(this.#endpoint)} goes on refusing tokens that were made as it asked` +
          `${isStepUp ? `, for the scopes ${JSON.stringify(challenge.scopes ?? [])}` : ''}. It may not be meant for you; ` +
          'ask its operator, and try again in ten minutes.',
      )
    }
    await this.#take(await this.#source.obtain(challenge, session, !isStepUp && !isFresh))
  }

  async #renew(session: Session): Promise<void> {
    try {
      const stored = sessionOf(await this.#store.get(this.#key))
      const isNews = stored !== undefined && stored.accessToken !== session.accessToken
      // Another program with the same store was faster; the refresh token that is left here may be used up.
      if (isNews && !isDue(stored, this.#clock.wallNow())) return await this.#adopt(stored)
      const renewed = await this.#source.renew(isNews ? stored : session)
      if (renewed !== undefined) return await this.#take(renewed)
      // Refused for good: what is left serves to its end, and then the user is asked.
      const { refreshToken: _refused, ...rest } = session
      await this.#take(rest)
    } catch (error) {
      if (isExpired(session, this.#clock.wallNow())) throw error
      this.#renewAfterMs = this.#clock.wallNow() + RENEW_PAUSE_MS
    }
  }

  async #take(session: Session): Promise<void> {
    await this.#adopt(session)
    await this.#store.set(this.#key, { ...session })
  }

  async #adopt(session: Session): Promise<void> {
    this.#dpop = session.dpop === undefined ? undefined : await DpopKey.restore(session.dpop, this.#clock, this.#random)
    this.#isHandedOut = this.#session?.accessToken === session.accessToken
    this.#session = session
  }
}

const authorizationOf = ({ accessToken, dpop }: Session): string =>
  `${dpop === undefined ? 'Bearer' : 'DPoP'} ${accessToken}`
