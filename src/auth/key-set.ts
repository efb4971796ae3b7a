/**
 * The public keys of one issuer, fetched when they are first needed and again when they are old or a token names a key that
 * is not among them: so keys rotate without anyone telling us.
 *
 * However many tokens come, an issuer is asked by one request at a time, and for unknown keys at most once in
 * `refetchCooldownMs`. When it does not answer, the keys we have are used for `KEYS_STALE_MS` more, not for ever: a key
 * that was revoked must end some time.
 *
 * Spec: RFC 7517, 5; OpenID Connect Core 1.0, 10.1.1 (rotation).
 */
import { createLocalJWKSet, type JSONWebKeySet, type JWK } from 'jose'
import { isObject, type JsonObject } from '#protocol/json-rpc'
import { type Clock, realClock } from '#runtime/clock'
import { discover, endpointOf } from './discovery.ts'
import { AuthError } from './errors.ts'
import type { Asker } from './fetch-json.ts'

/** Keys of one issuer that are kept; a larger set is refused. */
export const KEYS_MAX = 100
export const KEYS_MAX_AGE_MS = 600_000
export const REFETCH_COOLDOWN_MS = 30_000
/** How long old keys are used when the issuer does not answer. */
export const KEYS_STALE_MS = 3_600_000
/** After a failure the issuer is left alone for this long. */
export const FAILURE_COOLDOWN_MS = 5_000

export type KeyFinder = ReturnType<typeof createLocalJWKSet>

export interface KeySetOptions {
  readonly issuer: string
  /** Default: the `jwks_uri` of the issuer's metadata. */
  readonly jwksUri?: string
  /** Fixed keys, never fetched. */
  readonly jwks?: JSONWebKeySet
  readonly keysMaxAgeMs?: number
  readonly refetchCooldownMs?: number
  readonly clock?: Pick<Clock, 'wallNow'>
}

export class KeySet {
  /** Counts the sets that were fetched: what was verified under an older one must be verified again. */
  version = 0
  readonly #options: KeySetOptions
  readonly #asker: Asker
  readonly #clock: Pick<Clock, 'wallNow'>
  readonly #isFixed: boolean
  #finder: KeyFinder | undefined
  #fetchedAtMs = Number.NEGATIVE_INFINITY
  #failedAtMs = Number.NEGATIVE_INFINITY
  #failure: unknown
  #discoveredUri: string | undefined
  #fetching: Promise<KeyFinder> | undefined

  constructor(options: KeySetOptions, asker: Asker) {
    this.#options = options
    this.#asker = asker
    this.#clock = options.clock ?? realClock
    this.#isFixed = options.jwks !== undefined
    if (options.jwks !== undefined) this.#finder = finderOf(options.issuer, { ...options.jwks })
  }

  /** True while the keys need not be fetched anew. */
  get isFresh(): boolean {
    return this.#isFixed || this.#ageMs() < (this.#options.keysMaxAgeMs ?? KEYS_MAX_AGE_MS)
  }

  /** Resolves to the keys, fetched where needed. Rejects with `AuthError` when there are none to use. */
  async current(): Promise<KeyFinder> {
    if (this.#finder !== undefined && this.isFresh) return this.#finder
    try {
      return await this.#fetchOnce()
    } catch (error) {
      const usableMs = (this.#options.keysMaxAgeMs ?? KEYS_MAX_AGE_MS) + KEYS_STALE_MS
      if (this.#finder !== undefined && this.#ageMs() < usableMs) return this.#finder
      throw error
    }
  }

  /**
   * Resolves to newer keys than `known`; to undefined when they were fetched so recently that the issuer is not asked
   * again. Rejects with `AuthError` when it should have been asked and did not answer.
   */
  async newerThan(known: KeyFinder): Promise<KeyFinder | undefined> {
    if (this.#finder !== undefined && this.#finder !== known) return this.#finder
    if (this.#isFixed || this.#ageMs() < (this.#options.refetchCooldownMs ?? REFETCH_COOLDOWN_MS)) return undefined
    return await this.#fetchOnce()
  }

  #ageMs(): number {
    return this.#clock.wallNow() - this.#fetchedAtMs
  }

  #fetchOnce(): Promise<KeyFinder> {
    if (this.#fetching === undefined && this.#clock.wallNow() - this.#failedAtMs < FAILURE_COOLDOWN_MS) {
      return Promise.reject(this.#failure)
    }
    this.#fetching ??= this.#fetch().finally(() => {
      this.#fetching = undefined
    })
    return this.#fetching
  }

  async #fetch(): Promise<KeyFinder> {
    const { issuer, jwksUri } = this.#options
    try {
      this.#discoveredUri ??= jwksUri ?? endpointOf(issuer, await discover(issuer, this.#asker), 'jwks_uri')
      const finder = finderOf(issuer, await this.#asker.ask(this.#discoveredUri))
      this.#finder = finder
      this.#fetchedAtMs = this.#clock.wallNow()
      this.version += 1
      return finder
    } catch (error) {
      // The keys may have moved: the next attempt discovers anew.
      this.#discoveredUri = undefined
      this.#failedAtMs = this.#clock.wallNow()
      this.#failure = error
      throw error
    }
  }
}

/** Only keys for signatures, and no secrets: a set that publishes one must not turn it into a password of everybody. */
function finderOf(issuer: string, document: JsonObject): KeyFinder {
  const listed = document['keys']
  if (!Array.isArray(listed) || listed.length > KEYS_MAX) {
    const got = Array.isArray(listed) ? `${listed.length} keys` : typeof listed
    throw new AuthError(
      'issuer_unusable',
      `The key set of issuer ${JSON.stringify(issuer)} must have "keys" with at most ${KEYS_MAX} of them, got ${got}.`,
    )
  }
  const keys = listed.filter((key): key is JWK => isObject(key) && key['kty'] !== 'oct' && key['use'] !== 'enc')
  return createLocalJWKSet({ keys })
}
