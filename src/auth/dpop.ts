/**
 * Checks DPoP proofs: that whoever sends a token has the private key that the token is bound to, now and for this request.
 *
 * A proof is a JWT of type `dpop+jwt`, signed by the key in its own header, whose claims name the method (`htm`), the URL
 * (`htu`), the time (`iat`), the token (`ath`), itself (`jti`) and, where asked for, a nonce of this server.
 *
 * Spec: RFC 9449, 4.3, 7 and 9; RFC 7638; SEP-1932 (asymmetric algorithms only, `iat` within five minutes).
 */
import { hash } from 'node:crypto'
import { calculateJwkThumbprint, EmbeddedJWK, errors, jwtVerify } from 'jose'
import { type Clock, realClock } from '#runtime/clock'
import { type Random, realRandom } from '#runtime/random'
import { checkedAlgorithms, SIGNING_ALGORITHMS } from './algorithms.ts'
import type { AuthRequest } from './authenticator.ts'
import { type Fault, fault } from './challenge.ts'
import { NonceSource } from './dpop-nonce.ts'
import { invalidOption } from './errors.ts'
import { ReplayCache } from './replay-cache.ts'
import { canonicalIdentifier, canonicalUrl } from './urls.ts'

/** How far the time in a proof may be from ours, in seconds. Spec: SEP-1932. */
export const PROOF_WINDOW_S = 300
/** Used proofs remembered by default. */
export const PROOFS_MAX = 100_000

const PROOF_LENGTH_MAX = 8_192
const JTI_LENGTH_MAX = 512
const SECRET_BYTES = 32

export interface DpopOptions {
  /** 'allowed' takes plain bearer tokens too, 'required' takes only bound ones. Default 'allowed'. */
  readonly mode?: 'allowed' | 'required'
  /**
   * Whether proofs must carry a nonce of this server: a round trip more for each client every few minutes, and proofs
   * made ahead are worthless. A secret of 32 bytes or more lets several servers take each other's. Default false.
   */
  readonly nonce?: boolean | { readonly secret: Uint8Array }
  /** How far `iat` may be from now, in seconds. Default and most: `PROOF_WINDOW_S`. */
  readonly windowS?: number
  /** Default: all asymmetric ones that are known. */
  readonly algorithms?: readonly string[]
  /** Used proofs remembered. Default `PROOFS_MAX`. */
  readonly proofsMax?: number
}

/** What a proof must fit. */
export interface ProofSubject {
  readonly token: string
  readonly request: AuthRequest
  /** The public URL of the endpoint, where it is configured; `htu` may name it or the URL of the request. */
  readonly resource: string | undefined
  /** Thumbprint of the key that the token is bound to. */
  readonly thumbprint: string
}

export class ProofChecker {
  readonly mode: 'allowed' | 'required'
  readonly algorithms: readonly string[]
  readonly #clock: Pick<Clock, 'wallNow'>
  readonly #nonces: NonceSource | undefined
  readonly #used: ReplayCache
  readonly #windowS: number

  /** Throws `AuthError` `invalid_option`. */
  constructor(
    options: DpopOptions,
    clock: Pick<Clock, 'wallNow'> = realClock,
    random: Pick<Random, 'token'> = realRandom,
  ) {
    this.mode = options.mode ?? 'allowed'
    this.algorithms = checkedAlgorithms('dpop.algorithms', options.algorithms ?? SIGNING_ALGORITHMS)
    this.#clock = clock
    this.#windowS = options.windowS ?? PROOF_WINDOW_S
    if (!(this.#windowS > 0 && this.#windowS <= PROOF_WINDOW_S)) {
      throw invalidOption(`dpop.windowS must be more than 0 and at most ${PROOF_WINDOW_S}, got ${this.#windowS}`)
    }
    const proofsMax = options.proofsMax ?? PROOFS_MAX
    if (!Number.isInteger(proofsMax) || proofsMax < 1) {
      throw invalidOption(`dpop.proofsMax must be a positive integer, got ${proofsMax}`)
    }
    this.#used = new ReplayCache(proofsMax)
    const { nonce = false } = options
    if (nonce === false) return
    const secret = nonce === true ? Buffer.from(random.token(SECRET_BYTES), 'base64url') : nonce.secret
    if (secret.length < SECRET_BYTES) {
      throw invalidOption(`dpop.nonce.secret must have at least ${SECRET_BYTES} bytes, got ${secret.length}`)
    }
    this.#nonces = new NonceSource(secret, clock)
  }

  /** The nonce that clients should use next; undefined where none is asked for. */
  get nonce(): string | undefined {
    return this.#nonces?.current()
  }

  /** Used proofs remembered now. */
  get proofCount(): number {
    return this.#used.size
  }

  /** Resolves to what is wrong with the request's proof; to `isStale` when its nonce is the one before the current. */
  async check(subject: ProofSubject): Promise<Fault | { readonly isStale: boolean }> {
    const header = subject.request.headers['dpop']
    const proof = typeof header === 'string' || header === undefined ? header : header.length === 1 ? header[0] : ','
    if (proof === undefined) return bad('The request has no DPoP header')
    // Node joins headers that came twice with a comma, which no JWT contains.
    if (proof.includes(',')) return bad('The request has more than one DPoP header')
    if (proof.length > PROOF_LENGTH_MAX) return bad(`The DPoP proof is longer than ${PROOF_LENGTH_MAX} characters`)
    const nowS = this.#clock.wallNow() / 1_000
    let verified: Awaited<ReturnType<typeof verifyProof>>
    try {
      verified = await verifyProof(proof, this.algorithms, nowS)
    } catch (error) {
      return bad(signatureFault(error))
    }
    const { claims, thumbprint } = verified
    const wrong = this.#claimsFault(claims, subject, nowS)
    if (wrong !== undefined) return bad(wrong)
    if (thumbprint !== subject.thumbprint)
      return bad('The DPoP proof is signed by another key than the token is bound to')
    if (this.#nonces !== undefined && !this.#nonces.isFresh(claims['nonce'])) {
      return fault('use_dpop_nonce', 'The DPoP proof must carry the nonce of the DPoP-Nonce header')
    }
    // Last, so that a proof which is refused for another reason is not used up.
    if (!this.#used.use(thumbprint, claims.jti ?? '', claims.iat ?? 0, nowS - this.#windowS)) {
      return bad('The DPoP proof was used before; make a new one for each request')
    }
    return { isStale: this.#nonces !== undefined && claims['nonce'] !== this.#nonces.current() }
  }

  #claimsFault(claims: ProofClaims, { token, request, resource }: ProofSubject, nowS: number): string | undefined {
    const { jti, iat, htm, htu, ath } = claims
    if (typeof jti !== 'string' || jti === '' || jti.length > JTI_LENGTH_MAX) return 'The DPoP proof has no usable jti'
    if (htm !== request.method) return 'htm of the DPoP proof is not the method of the request'
    const target = typeof htu === 'string' ? canonicalIdentifier(htu) : undefined
    if (target === undefined || (target !== canonicalUrl(request.url) && target !== resource)) {
      return 'htu of the DPoP proof is not the URL of the request'
    }
    if (typeof iat !== 'number' || !(Math.abs(nowS - iat) <= this.#windowS)) {
      return `iat of the DPoP proof is not within ${this.#windowS} seconds of the time of this server`
    }
    if (ath !== hash('sha256', token, 'base64url')) return 'ath of the DPoP proof is not the hash of the access token'
    return undefined
  }
}

interface ProofClaims {
  readonly jti?: string
  readonly iat?: number
  readonly [claim: string]: unknown
}

async function verifyProof(
  proof: string,
  algorithms: readonly string[],
  nowS: number,
): Promise<{ claims: ProofClaims; thumbprint: string }> {
  const { payload, protectedHeader } = await jwtVerify(proof, EmbeddedJWK, {
    typ: 'dpop+jwt',
    algorithms: [...algorithms],
    currentDate: new Date(nowS * 1_000),
  })
  // EmbeddedJWK has just imported it as a public key.
  const thumbprint = await calculateJwkThumbprint(protectedHeader.jwk ?? {}, 'sha256')
  return { claims: payload, thumbprint }
}

function signatureFault(error: unknown): string {
  if (error instanceof errors.JOSEAlgNotAllowed)
    return 'The DPoP proof is signed with an algorithm that is not accepted'
  if (error instanceof errors.JWTClaimValidationFailed && error.claim === 'typ') {
    return 'typ of the DPoP proof is not dpop+jwt'
  }
  if (error instanceof errors.JWSSignatureVerificationFailed) return 'The signature of the DPoP proof does not verify'
  return 'The DPoP proof is not a JWT signed by the public key in its jwk header'
}

function bad(description: string): Fault {
  return fault('invalid_dpop_proof', description)
}
