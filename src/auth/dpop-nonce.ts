/**
 * Nonces that a server hands to DPoP clients, so that a proof cannot be made long before it is used. A nonce is a slot of
 * time and its keyed digest: nothing is stored, and servers that share the secret take each other's nonces. The slot of
 * now and the one before are good, so a nonce lives for one to two slots. Spec: RFC 9449, 8 and 9.
 */
import { createHmac } from 'node:crypto'
import type { Clock } from '#runtime/clock'

/** Length of a slot, in milliseconds. */
export const NONCE_SLOT_MS = 120_000

const DIGEST_BYTES = 16

export class NonceSource {
  readonly #secret: Uint8Array
  readonly #clock: Pick<Clock, 'wallNow'>
  #slot = Number.NaN
  #current = ''
  #previous = ''

  constructor(secret: Uint8Array, clock: Pick<Clock, 'wallNow'>) {
    this.#secret = secret
    this.#clock = clock
  }

  /** The nonce to hand out now. */
  current(): string {
    this.#turn()
    return this.#current
  }

  isFresh(nonce: unknown): boolean {
    this.#turn()
    // Not compared in constant time: a nonce is no secret, anyone is given one for the asking.
    return nonce === this.#current || nonce === this.#previous
  }

  #turn(): void {
    const slot = Math.floor(this.#clock.wallNow() / NONCE_SLOT_MS)
    if (slot === this.#slot) return
    this.#slot = slot
    this.#current = this.#nonceOf(slot)
    this.#previous = this.#nonceOf(slot - 1)
  }

  #nonceOf(slot: number): string {
    const digest = createHmac('sha256', this.#secret).update(`dpop nonce ${slot}`).digest()
    return `${slot.toString(36)}.${digest.subarray(0, DIGEST_BYTES).toString('base64url')}`
  }
}
