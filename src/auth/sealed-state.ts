/**
 * Seals the `requestState` of multi-round-trip requests: text that a client keeps and returns, can neither read nor
 * change, and can use only for the request and the principal that it was made for.
 *
 *     text = base64url(version | length of key id | key id | nonce | binding | ciphertext | tag)
 *
 * Everything before the ciphertext is associated data of AES-256-GCM; `binding` is a keyed digest of principal and
 * request, so it tells a stranger nothing. Payload and expiry are inside the ciphertext. The first key seals, all keys
 * open: to rotate, put a new key in front and drop the old one when the longest `ttlMs` has passed.
 *
 *     const sealer = createSealer({ keys: [{ id: '2026-08', secret }], random, now: clock.wallNow })
 *     const text = sealer.seal({ step: 1 }, { principal: 'ann', request: digestOf(params) }, 600_000)
 *     sealer.open(text, { principal: 'bob', request: digestOf(params) })   // { refused: 'foreign' }
 *
 * Spec: MCP 2026-07-28, basic/patterns/mrtr, request state.
 */
import { createCipheriv, createDecipheriv, createHmac, hkdfSync, timingSafeEqual } from 'node:crypto'
import { isObject, type JsonObject } from '#protocol/json-rpc'
import type { Random } from '#runtime/random'
import { AuthError, invalidOption } from './errors.ts'

/** The longest sealed text made or read, in characters. */
export const STATE_LENGTH_MAX = 65_536
/** Keys of one sealer. */
export const KEYS_MAX = 16

const VERSION = 1
const KEY_ID = /^[A-Za-z0-9._-]{1,64}$/
const SECRET_BYTES_MIN = 32
const NONCE_BYTES = 12
const BINDING_BYTES = 16
const TAG_BYTES = 16

export interface SealingKey {
  /** 1 to 64 of `A-Z a-z 0-9 . _ -`; it stands readable in the text. */
  readonly id: string
  /** At least 32 bytes of chance. */
  readonly secret: Uint8Array
}

/** What a sealed text is good for. */
export interface Binding {
  /** The id of the principal; any fixed text where there is no authorization. */
  readonly principal: string
  /** What stands for the request: its method, its name and its arguments. See `digestOf`. */
  readonly request: string
}

export interface OpenedState {
  readonly payload: JsonObject
  /** Unique for each sealing; what a single use is remembered by. */
  readonly nonce: string
  /** Milliseconds since 1970. */
  readonly expiresAt: number
}

export interface RefusedState {
  /** Changed, cut, sealed by nobody we know; past its time; made for another principal or request. */
  readonly refused: 'tampered' | 'expired' | 'foreign'
}

export interface Sealer {
  /** Throws `AuthError` `state_too_long` when the text would be longer than `STATE_LENGTH_MAX`. */
  seal(payload: JsonObject, binding: Binding, ttlMs: number): string
  /** Never throws; costs one decryption, and nothing for text that is too long or not of this form. */
  open(text: string, binding: Binding): OpenedState | RefusedState
}

export interface SealerOptions {
  /** The first seals, all open. 1 to `KEYS_MAX`. */
  readonly keys: readonly SealingKey[]
  /** Where nonces come from: the system's chance. A nonce must never repeat under one key. */
  readonly random: Pick<Random, 'token'>
  /** Milliseconds since 1970, as `Clock.wallNow`. */
  readonly now: () => number
}

interface DerivedKey {
  readonly encryption: Uint8Array
  readonly binding: Uint8Array
  /** Version and key id, as every text of this key begins. */
  readonly opening: Buffer
}

/** Makes a sealer. Throws `AuthError` `invalid_option`. */
export function createSealer(options: SealerOptions): Sealer {
  const keys = derivedKeys(options.keys)
  const [sealing] = keys.values()
  if (sealing === undefined) throw invalidOption('keys must hold at least one key, got none')
  const { random, now } = options
  return {
    seal(payload, binding, ttlMs) {
      if (!Number.isFinite(ttlMs) || ttlMs <= 0) throw invalidOption(`ttlMs must be positive, got ${ttlMs}`)
      const nonce = Buffer.from(random.token(NONCE_BYTES), 'base64url')
      const head = Buffer.concat([sealing.opening, nonce, bindingOf(sealing, nonce, binding)])
      const cipher = createCipheriv('aes-256-gcm', sealing.encryption, nonce, { authTagLength: TAG_BYTES })
      cipher.setAAD(head)
      const plain = JSON.stringify({ expiresAt: now() + ttlMs, payload })
      const parts = [head, cipher.update(plain, 'utf8'), cipher.final(), cipher.getAuthTag()]
      const text = Buffer.concat(parts).toString('base64url')
      if (text.length <= STATE_LENGTH_MAX) return text
      throw new AuthError(
        'state_too_long',
        `A request state of ${text.length} characters is longer than ${STATE_LENGTH_MAX}. Keep less in it, or keep it in a store and seal its key.`,
      )
    },
    open(text, binding) {
      if (text.length > STATE_LENGTH_MAX) return { refused: 'tampered' }
      const bytes = Buffer.from(text, 'base64url')
      // Node skips characters that are not base64url and spare bits; only the one spelling that `seal` makes is taken.
      if (bytes.toString('base64url') !== text) return { refused: 'tampered' }
      const idEnd = 2 + (bytes[1] ?? 0)
      const headEnd = idEnd + NONCE_BYTES + BINDING_BYTES
      if (bytes[0] !== VERSION || bytes.length < headEnd + TAG_BYTES) return { refused: 'tampered' }
      const key = keys.get(bytes.toString('latin1', 2, idEnd))
      if (key === undefined) return { refused: 'tampered' }
      const nonce = bytes.subarray(idEnd, idEnd + NONCE_BYTES)
      const plain = decrypt(key, nonce, bytes, headEnd)
      if (plain === undefined) return { refused: 'tampered' }
      // The text is ours; from here on the reason for a refusal is known for certain.
      const sealedFor = bytes.subarray(idEnd + NONCE_BYTES, headEnd)
      if (!timingSafeEqual(sealedFor, bindingOf(key, nonce, binding))) return { refused: 'foreign' }
      const { expiresAt, payload } = plain
      if (typeof expiresAt !== 'number' || !isObject(payload)) return { refused: 'tampered' }
      if (now() >= expiresAt) return { refused: 'expired' }
      return { payload, nonce: nonce.toString('base64url'), expiresAt }
    },
  }
}

function decrypt(key: DerivedKey, nonce: Buffer, bytes: Buffer, headEnd: number): JsonObject | undefined {
  try {
    const decipher = createDecipheriv('aes-256-gcm', key.encryption, nonce, { authTagLength: TAG_BYTES })
    decipher.setAAD(bytes.subarray(0, headEnd))
    decipher.setAuthTag(bytes.subarray(bytes.length - TAG_BYTES))
    const plain = decipher.update(bytes.subarray(headEnd, bytes.length - TAG_BYTES))
    // `final` throws when the tag does not fit: the plain text is not looked at before.
    const value: unknown = JSON.parse(Buffer.concat([plain, decipher.final()]).toString('utf8'))
    return isObject(value) ? value : undefined
  } catch {
    return undefined
  }
}

/** A digest that nobody without the key can compute; the nonce makes it another for every sealing. */
function bindingOf(key: DerivedKey, nonce: Buffer, { principal, request }: Binding): Buffer {
  const digest = createHmac('sha256', key.binding)
    .update(nonce)
    .update(JSON.stringify([principal, request]))
    .digest()
  return digest.subarray(0, BINDING_BYTES)
}

function derivedKeys(keys: readonly SealingKey[]): Map<string, DerivedKey> {
  if (keys.length > KEYS_MAX) throw invalidOption(`keys must hold at most ${KEYS_MAX} keys, got ${keys.length}`)
  const derived = new Map<string, DerivedKey>()
  for (const { id, secret } of keys) {
    if (!KEY_ID.test(id)) {
      throw invalidOption(`a key id must be 1 to 64 of A-Z a-z 0-9 . _ -, got ${JSON.stringify(id)}`)
    }
    if (derived.has(id)) throw invalidOption(`key ids must differ, got ${JSON.stringify(id)} twice`)
    if (secret.length < SECRET_BYTES_MIN) {
      throw invalidOption(`key ${JSON.stringify(id)}: secret must have ${SECRET_BYTES_MIN} bytes, got ${secret.length}`)
    }
    const derive = (purpose: string): Uint8Array =>
      new Uint8Array(hkdfSync('sha256', secret, '', `bough requestState v${VERSION} ${purpose} ${id}`, 32))
    const opening = Buffer.from([VERSION, id.length, ...Buffer.from(id, 'latin1')])
    derived.set(id, { encryption: derive('encryption'), binding: derive('binding'), opening })
  }
  return derived
}
