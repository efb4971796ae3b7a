/**
 * JWT access tokens of one issuer or several. The issuer's URL is all that is needed: its keys are found through its
 * metadata, the audience is the endpoint itself.
 *
 *     const auth = jwtBearer({ issuer: 'https://auth.example.com', resource: 'https://mcp.example.com/mcp' })
 *
 * A token that was verified is remembered by its hash until it expires or the keys change, so a client that sends the same
 * token again is admitted without a promise. What depends on the request (audience, proof, certificate) is checked anew.
 *
 * Spec: MCP 2026-07-28, basic/authorization, token handling; RFC 9068, 4; RFC 8707, 2.
 */
import { hash } from 'node:crypto'
import type { JSONWebKeySet } from 'jose'
import { isObject, type JsonObject } from '#protocol/json-rpc'
import { realClock } from '#runtime/clock'
import type { Authenticator } from './authenticator.ts'
import { Fault, invalidToken } from './challenge.ts'
import { isForAudience, principalOf } from './claims.ts'
import { invalidOption } from './errors.ts'
import { ExpiringCache } from './expiring-cache.ts'
import { Asker, type AskerOptions } from './fetch-json.ts'
import { Gate, type ProtectionOptions, type Verdict, type Verification } from './gate.ts'
import { JwtIssuer, type JwtIssuerOptions, type PrincipalMapper } from './jwt-issuer.ts'
import { canonicalIdentifier } from './urls.ts'

/** Verified tokens remembered by default. */
export const VERIFIED_TOKENS_MAX = 10_000
/** How far the issuer's clock may be from ours by default, in seconds. */
export const CLOCK_TOLERANCE_S = 5
/** Issuers of one authenticator. */
export const ISSUERS_MAX = 100

export interface JwtBearerOptions extends ProtectionOptions, AskerOptions {
  /** The one issuer; the principals' ids are the subjects as they are. */
  readonly issuer?: string
  /** Several; ids are `<issuer>|<subject>` where neither `subjects` nor `principal` says otherwise. */
  readonly issuers?: readonly (string | JwtIssuerOptions)[]
  /** What `aud` must hold, one of them. Default `resource`, and without it the URL that the request was sent to. */
  readonly audience?: string | readonly string[]
  readonly jwksUri?: string
  readonly jwks?: JSONWebKeySet
  readonly algorithms?: readonly string[]
  readonly subjects?: Readonly<Record<string, string>>
  readonly principal?: PrincipalMapper
  /** Default `CLOCK_TOLERANCE_S`. */
  readonly clockToleranceS?: number
  /** How long keys are used before they are fetched again. Default 600 000. */
  readonly keysMaxAgeMs?: number
  /** How often at most keys are fetched because a token names an unknown one. Default 30 000. */
  readonly refetchCooldownMs?: number
  /** 0 remembers none. Default `VERIFIED_TOKENS_MAX`. */
  readonly verifiedTokensMax?: number
}

interface VerifiedToken {
  readonly claims: JsonObject
  readonly issuer: JwtIssuer
  /** `version` of the issuer's keys when it was verified. */
  readonly version: number
}

const UNKNOWN_ISSUER = invalidToken('The access token is of an issuer that is not accepted here')
const MALFORMED = invalidToken('The access token is not a JWT that names its issuer')
const WRONG_AUDIENCE = invalidToken('The access token is meant for another resource')
/** The part of a JWT that is decoded before its signature is checked, in characters. */
const PAYLOAD_LENGTH_MAX = 16_384

/** An authenticator for JWT access tokens. Fetches nothing before the first token. Throws `AuthError` `invalid_option`. */
export function jwtBearer(options: JwtBearerOptions): Authenticator {
  const verifier = new JwtVerifier(options)
  const resource = options.resource ?? listOf(options.audience).find((one) => canonicalIdentifier(one) !== undefined)
  return new Gate(
    { ...options, ...(resource !== undefined && { resource }) },
    {
      issuers: verifier.issuers,
      verify: (verification) => verifier.verify(verification),
      close: () => verifier.close(),
    },
  )
}

class JwtVerifier {
  readonly #options: JwtBearerOptions
  readonly #clock: NonNullable<JwtBearerOptions['clock']>
  readonly #asker: Asker
  readonly #issuers = new Map<string, JwtIssuer>()
  readonly #verified: ExpiringCache<VerifiedToken>
  /** Subjects of several issuers need telling apart. */
  readonly #hasSeveral: boolean
  readonly #toleranceMs: number

  constructor(options: JwtBearerOptions) {
    this.#options = options
    this.#clock = options.clock ?? realClock
    this.#asker = new Asker(options)
    const clockToleranceS = options.clockToleranceS ?? CLOCK_TOLERANCE_S
    if (!(clockToleranceS >= 0)) throw invalidOption(`clockToleranceS must not be negative, got ${clockToleranceS}`)
    this.#toleranceMs = clockToleranceS * 1_000
    this.#verified = new ExpiringCache(options.verifiedTokensMax ?? VERIFIED_TOKENS_MAX)
    this.#hasSeveral = options.issuers !== undefined
    for (const issuer of issuersOf(options)) {
      if (this.#issuers.has(issuer.issuer))
        throw invalidOption(`issuers must differ, got ${JSON.stringify(issuer.issuer)} twice`)
      const { keysMaxAgeMs, refetchCooldownMs } = options
      const settings = { asker: this.#asker, clock: this.#clock, clockToleranceS, keysMaxAgeMs, refetchCooldownMs }
      this.#issuers.set(issuer.issuer, new JwtIssuer(issuer, settings))
    }
  }

  get issuers(): string[] {
    return [...this.#issuers.keys()]
  }

  close(): void {
    this.#asker.close()
    this.#verified.clear()
  }

  verify(verification: Verification): Verdict | Promise<Verdict> {
    const digest = hash('sha256', verification.token, 'base64url')
    const known = this.#verified.get(digest, this.#clock.wallNow())
    if (known?.issuer.keys.isFresh && known.version === known.issuer.keys.version) {
      return this.#grant(known.claims, known.issuer, verification)
    }
    const name = claimedIssuer(verification.token)
    if (name === undefined) return MALFORMED
    const issuer = this.#issuers.get(name)
    return issuer === undefined ? UNKNOWN_ISSUER : this.#verifyAnew(issuer, digest, verification)
  }

  async #verifyAnew(issuer: JwtIssuer, digest: string, verification: Verification): Promise<Verdict> {
    const verified = await issuer.verify(verification.token)
    if (verified instanceof Fault) return verified
    const { claims } = verified
    const expiresAtMs = Number(claims['exp']) * 1_000 + this.#toleranceMs
    this.#verified.set(digest, { claims, issuer, version: issuer.keys.version }, expiresAtMs)
    return this.#grant(claims, issuer, verification)
  }

  #grant(claims: JsonObject, { options }: JwtIssuer, { resource }: Verification): Verdict {
    const audience = options.audience ?? this.#options.audience ?? resource
    if (!isForAudience(claims, listOf(audience))) return WRONG_AUDIENCE
    const subjects = options.subjects ?? this.#options.subjects
    const mapper = options.principal ?? this.#options.principal
    const principal = principalOf(claims, {
      prefix: this.#hasSeveral ? `${options.issuer}|` : '',
      ...(subjects !== undefined && { subjects }),
      ...(mapper !== undefined && { principal: mapper }),
    })
    return principal instanceof Fault ? principal : { principal, claims }
  }
}

function issuersOf(options: JwtBearerOptions): JwtIssuerOptions[] {
  const { issuer, issuers, jwksUri, jwks, algorithms } = options
  const shared = algorithms === undefined ? {} : { algorithms }
  if (issuer !== undefined && issuers === undefined) {
    return [{ issuer, ...shared, ...(jwksUri !== undefined && { jwksUri }), ...(jwks !== undefined && { jwks }) }]
  }
  if (issuer !== undefined || issuers === undefined || issuers.length === 0 || issuers.length > ISSUERS_MAX) {
    throw invalidOption(`jwtBearer needs issuer, or issuers with 1 to ${ISSUERS_MAX} of them, and not both`)
  }
  if (jwksUri !== undefined || jwks !== undefined) {
    throw invalidOption('jwksUri and jwks belong into the entries of issuers when there are several')
  }
  return issuers.map((one) => (typeof one === 'string' ? { issuer: one, ...shared } : { ...shared, ...one }))
}

function listOf(values: string | readonly string[] | undefined): readonly string[] {
  return values === undefined ? [] : typeof values === 'string' ? [values] : values
}

/** The `iss` that a JWT claims, not verified: it only says whose keys to try. */
function claimedIssuer(token: string): string | undefined {
  const [, payload = '', signature, rest] = token.split('.', 4)
  if (signature === undefined || rest !== undefined || payload.length > PAYLOAD_LENGTH_MAX) return undefined
  try {
    const claims: unknown = JSON.parse(Buffer.from(payload, 'base64url').toString('utf8'))
    const issuer = isObject(claims) ? claims['iss'] : undefined
    return typeof issuer === 'string' ? issuer : undefined
  } catch {
    return undefined
  }
}
