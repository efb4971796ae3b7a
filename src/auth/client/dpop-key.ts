/**
 * A key that tokens are bound to, and the proofs made with it: one for each request, for its method, its URL and its token.
 *
 * Spec: RFC 9449, 4.2, 5 and 7; SEP-1932.
 */
import { hash } from 'node:crypto'
import { type CryptoKey, calculateJwkThumbprint, exportJWK, generateKeyPair, importJWK, type JWK, SignJWT } from 'jose'
import type { Clock } from '#runtime/clock'
import type { Random } from '#runtime/random'

const JTI_BYTES = 16
/** Longest nonce of a server that is repeated to it. */
const NONCE_LENGTH_MAX = 1_024
const NONCE = /^[\x21\x23-\x5b\x5d-\x7e]+$/
const PUBLIC_MEMBERS = ['kty', 'crv', 'x', 'y', 'n', 'e'] as const

/** Algorithms that keys are made for, best first. */
export const PROOF_ALGORITHMS = ['ES256', 'Ed25519', 'EdDSA', 'ES384', 'ES512', 'PS256', 'RS256'] as const

/** A key as it is stored: private. */
export interface StoredKey {
  readonly algorithm: string
  readonly jwk: JWK
}

export interface ProofParts {
  readonly method: string
  readonly url: string
  /** The token that the proof goes with; none at a token endpoint. */
  readonly token?: string | undefined
  readonly nonce?: string | undefined
}

export class DpopKey {
  readonly stored: StoredKey
  readonly #key: CryptoKey | Uint8Array
  readonly #public: JWK
  readonly #clock: Pick<Clock, 'wallNow'>
  readonly #random: Pick<Random, 'token'>

  private constructor(
    stored: StoredKey,
    key: CryptoKey | Uint8Array,
    clock: Pick<Clock, 'wallNow'>,
    random: Pick<Random, 'token'>,
  ) {
    this.stored = stored
    this.#key = key
    this.#public = Object.fromEntries(
      PUBLIC_MEMBERS.flatMap((name) => (stored.jwk[name] === undefined ? [] : [[name, stored.jwk[name]]])),
    )
    this.#clock = clock
    this.#random = random
  }

  static async generate(
    algorithm: string,
    clock: Pick<Clock, 'wallNow'>,
    random: Pick<Random, 'token'>,
  ): Promise<DpopKey> {
    const { privateKey } = await generateKeyPair(algorithm, { extractable: true })
    return new DpopKey({ algorithm, jwk: await exportJWK(privateKey) }, privateKey, clock, random)
  }

  static async restore(
    stored: StoredKey,
    clock: Pick<Clock, 'wallNow'>,
    random: Pick<Random, 'token'>,
  ): Promise<DpopKey> {
    return new DpopKey(stored, await importJWK(stored.jwk, stored.algorithm), clock, random)
  }

  thumbprint(): Promise<string> {
    return calculateJwkThumbprint(this.#public, 'sha256')
  }

  /** Resolves to a proof that has not been used before. */
  proof({ method, url, token, nonce }: ProofParts): Promise<string> {
    const { origin, pathname } = new URL(url)
    const claims = {
      htm: method,
      htu: `${origin}${pathname}`,
      jti: this.#random.token(JTI_BYTES),
      iat: Math.floor(this.#clock.wallNow() / 1_000),
      ...(token !== undefined && { ath: hash('sha256', token, 'base64url') }),
      ...(nonce !== undefined && { nonce }),
    }
    return new SignJWT(claims)
      .setProtectedHeader({ typ: 'dpop+jwt', alg: this.stored.algorithm, jwk: this.#public })
      .sign(this.#key)
  }
}

/** The nonce that a server hands out with an answer, if it can be used. */
export function nonceOf(headers: Headers): string | undefined {
  const nonce = headers.get('dpop-nonce')
  return nonce !== null && nonce.length <= NONCE_LENGTH_MAX && NONCE.test(nonce) ? nonce : undefined
}
