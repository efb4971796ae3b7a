/**
 * One issuer of JWT access tokens: whose keys sign, which algorithms, and who its subjects are here. Verifies a token's
 * signature, type, time and issuer; audience and principal are decided with each request.
 *
 * Spec: RFC 9068, 4; RFC 8725 (JWT best current practices).
 */
import { errors, type JSONWebKeySet, type JWTVerifyOptions, type JWTVerifyResult, jwtVerify } from 'jose'
import type { JsonObject } from '#protocol/json-rpc'
import type { Clock } from '#runtime/clock'
import { checkedAlgorithms, SIGNING_ALGORITHMS } from './algorithms.ts'
import { type Fault, invalidToken } from './challenge.ts'
import type { Asker } from './fetch-json.ts'
import { KeySet } from './key-set.ts'
import type { Principal } from './principal.ts'
import { checkedEndpoint, checkedIssuer } from './urls.ts'

/** Who a token's bearer is here: the id, or all of the principal; undefined refuses. Must not throw for a good token. */
export type PrincipalMapper = (claims: JsonObject) => Principal | string | undefined

export interface JwtIssuerOptions {
  /** Exactly as the issuer's metadata and the `iss` of its tokens spell it. https, or http on loopback. */
  readonly issuer: string
  /** Where its keys are. Default: found through its metadata. */
  readonly jwksUri?: string
  /** Its keys themselves; then nothing is fetched. */
  readonly jwks?: JSONWebKeySet
  /** What `aud` of its tokens must hold. Default: `audience` of all issuers. */
  readonly audience?: string | readonly string[]
  /** Default: all asymmetric ones that are known. */
  readonly algorithms?: readonly string[]
  /** Subjects that are let in and their principal ids here; others are refused. Default: all subjects. */
  readonly subjects?: Readonly<Record<string, string>>
  readonly principal?: PrincipalMapper
}

export interface JwtIssuerSettings {
  readonly asker: Asker
  readonly clock: Pick<Clock, 'wallNow'>
  readonly clockToleranceS: number
  readonly keysMaxAgeMs: number | undefined
  readonly refetchCooldownMs: number | undefined
}

export interface Verified {
  readonly claims: JsonObject
}

/** Spec: RFC 9068, 2.1; other types (of ID tokens' kin: logout+jwt, dpop+jwt ...) are no access tokens. */
const ACCESS_TOKEN_TYPES = new Set(['at+jwt', 'application/at+jwt', 'jwt', 'application/jwt'])

export class JwtIssuer {
  readonly options: JwtIssuerOptions
  readonly keys: KeySet
  readonly #settings: JwtIssuerSettings
  readonly #algorithms: readonly string[]

  /** Throws `AuthError` `invalid_option`. */
  constructor(options: JwtIssuerOptions, settings: JwtIssuerSettings) {
    this.options = options
    this.#settings = settings
    const { issuer, jwksUri, jwks } = options
    this.#algorithms = checkedAlgorithms('algorithms', options.algorithms ?? SIGNING_ALGORITHMS)
    this.keys = new KeySet(
      {
        issuer: checkedIssuer(issuer),
        clock: settings.clock,
        ...(jwksUri !== undefined && { jwksUri: checkedEndpoint('jwksUri', jwksUri) }),
        ...(jwks !== undefined && { jwks }),
        ...(settings.keysMaxAgeMs !== undefined && { keysMaxAgeMs: settings.keysMaxAgeMs }),
        ...(settings.refetchCooldownMs !== undefined && { refetchCooldownMs: settings.refetchCooldownMs }),
      },
      settings.asker,
    )
  }

  /** Resolves to the claims of a good token. Rejects with `AuthError` when the issuer's keys cannot be had. */
  async verify(token: string): Promise<Verified | Fault> {
    const known = await this.keys.current()
    try {
      return claimsOf(await this.#verifyWith(token, known))
    } catch (error) {
      if (!mayBeRotation(error, token)) return faultOf(error)
    }
    const newer = await this.keys.newerThan(known)
    if (newer === undefined) return NO_KEY
    try {
      return claimsOf(await this.#verifyWith(token, newer))
    } catch (error) {
      return faultOf(error)
    }
  }

  async #verifyWith(token: string, keys: Awaited<ReturnType<KeySet['current']>>): Promise<JWTVerifyResult> {
    const options: JWTVerifyOptions = {
      issuer: this.options.issuer,
      algorithms: [...this.#algorithms],
      requiredClaims: ['exp'],
      clockTolerance: this.#settings.clockToleranceS,
      currentDate: new Date(this.#settings.clock.wallNow()),
    }
    try {
      return await jwtVerify(token, keys, options)
    } catch (error) {
      if (!(error instanceof errors.JWKSMultipleMatchingKeys)) throw error
      // A token without a key id: any of the keys of its kind may have signed it. There are at most KEYS_MAX.
      for await (const key of error) {
        try {
          return await jwtVerify(token, key, options)
        } catch (failure) {
          if (!(failure instanceof errors.JWSSignatureVerificationFailed)) throw failure
        }
      }
      throw new errors.JWSSignatureVerificationFailed()
    }
  }
}

const NO_KEY = invalidToken('The access token is signed by a key that its issuer does not publish')

function claimsOf({ payload, protectedHeader }: JWTVerifyResult): Verified | Fault {
  const type = protectedHeader.typ?.toLowerCase()
  if (type !== undefined && !ACCESS_TOKEN_TYPES.has(type))
    return invalidToken('The JWT is not of a type for access tokens')
  return { claims: payload }
}

/** An unknown key id; or no key id, and a signature of none of the keys we have. */
function mayBeRotation(error: unknown, token: string): boolean {
  if (error instanceof errors.JWKSNoMatchingKey) return true
  if (!(error instanceof errors.JWSSignatureVerificationFailed)) return false
  return !Buffer.from(token.slice(0, token.indexOf('.')), 'base64url')
    .toString('utf8')
    .includes('"kid"')
}

/** Sentences of our own: those of a library might repeat what it read. */
function faultOf(error: unknown): Fault {
  if (error instanceof errors.JWTExpired) return invalidToken('The access token has expired')
  if (error instanceof errors.JWKSNoMatchingKey) return NO_KEY
  if (error instanceof errors.JWSSignatureVerificationFailed) {
    return invalidToken('The signature of the access token does not verify')
  }
  if (error instanceof errors.JOSEAlgNotAllowed) {
    return invalidToken('The access token is signed with an algorithm that is not accepted')
  }
  if (error instanceof errors.JWTClaimValidationFailed) {
    if (error.claim === 'nbf') return invalidToken('The access token is not valid yet')
    if (error.claim === 'exp') return invalidToken('The access token has no time of expiry')
    if (error.claim === 'iss') return invalidToken('The access token is of another issuer')
  }
  return invalidToken('The access token is malformed')
}
