/** The signature algorithms that are accepted: asymmetric ones only, whatever a token, a key or an option says. */
import { invalidOption } from './errors.ts'

/** Spec: RFC 7518, 3.1; RFC 8037; RFC 9864. `none` and the HMACs (HS256 ...) are missing on purpose. */
export const SIGNING_ALGORITHMS = [
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
  'Ed25519',
  'PS256',
  'PS384',
  'PS512',
  'RS256',
  'RS384',
  'RS512',
] as const

/** `algorithms` as they came. Throws `AuthError` `invalid_option` for one that is not in `SIGNING_ALGORITHMS`. */
export function checkedAlgorithms(name: string, algorithms: readonly string[]): readonly string[] {
  const known: readonly string[] = SIGNING_ALGORITHMS
  const unknown = algorithms.find((algorithm) => !known.includes(algorithm))
  if (unknown === undefined && algorithms.length > 0) return algorithms
  throw invalidOption(
    `${name} must hold at least one of ${known.join(', ')}, got ${JSON.stringify(unknown ?? [])}. ` +
      'Unsigned tokens and shared secrets are never accepted',
  )
}
