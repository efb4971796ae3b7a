/**
 * Remembers which DPoP proofs were used, in bounded memory, and never takes one twice. Proofs are kept by their key. A key
 * that fills its share forgets its oldest proofs and from then on takes only younger ones than these; when all is full,
 * the key that was quiet longest is forgotten, and unknown keys must be younger than what it had. So a flood costs its
 * sender, or at worst asks strangers for a fresh proof; it never opens the way to a replay.
 *
 * Spec: RFC 9449, 11.1.
 */
import { hash } from 'node:crypto'

/** The part of all proofs that one key may have remembered: one in `KEY_SHARE`. */
const KEY_SHARE = 8

interface KeyHistory {
  /** Digest of the `jti` to the proof's `iat`, in the order they came. */
  readonly proofs: Map<string, number>
  /** Proofs of this key from before or at this time are refused, known or not. Seconds. */
  floorS: number
}

export class ReplayCache {
  readonly #keys = new Map<string, KeyHistory>()
  readonly #proofsMax: number
  readonly #keyProofsMax: number
  #size = 0
  #floorS = Number.NEGATIVE_INFINITY

  /** At most `proofsMax` proofs are remembered, about 100 bytes each. */
  constructor(proofsMax: number) {
    this.#proofsMax = proofsMax
    this.#keyProofsMax = Math.max(1, Math.floor(proofsMax / KEY_SHARE))
  }

  /** Proofs remembered now. */
  get size(): number {
    return this.#size
  }

  /**
   * True when the proof `jti` of the key with `thumbprint` is used for the first time; it is used from then on. Proofs
   * from before `expiredS` are refused by their age elsewhere and need not be remembered. All times in seconds.
   */
  use(thumbprint: string, jti: string, issuedAtS: number, expiredS: number): boolean {
    const history = this.#keys.get(thumbprint) ?? { proofs: new Map(), floorS: this.#floorS }
    const digest = hash('sha256', jti, 'base64url').slice(0, 22)
    if (issuedAtS <= history.floorS || history.proofs.has(digest)) return false
    for (const [oldest, atS] of history.proofs) {
      if (atS >= expiredS && history.proofs.size < this.#keyProofsMax) break
      if (atS >= expiredS) history.floorS = Math.max(history.floorS, atS)
      history.proofs.delete(oldest)
      this.#size -= 1
    }
    history.proofs.set(digest, issuedAtS)
    this.#size += 1
    this.#keep(thumbprint, history)
    return true
  }

  #keep(thumbprint: string, history: KeyHistory): void {
    // Back to the end: the first key of the Map is the one that was quiet longest.
    this.#keys.delete(thumbprint)
    this.#keys.set(thumbprint, history)
    for (const [quietest, { proofs, floorS }] of this.#keys) {
      // A key without proofs counts as one, for its floor.
      if (this.#size <= this.#proofsMax && this.#keys.size <= this.#proofsMax) break
      if (quietest === thumbprint) break
      this.#keys.delete(quietest)
      this.#size -= proofs.size
      this.#floorS = [...proofs.values()].reduce((high, atS) => Math.max(high, atS), Math.max(this.#floorS, floorS))
    }
  }
}
