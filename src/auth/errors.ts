/**
 * Errors of authorization that stay in this process: an option that cannot be used, an issuer that cannot be asked. They
 * are for the operator. Callers get an `AuthRefusal`, which is a value.
 */
import type { ClientAuthErrorCode } from './client/errors.ts'

export type AuthErrorCode =
  | ClientAuthErrorCode
  /** An option is wrong; thrown where the authenticator or sealer is made. */
  | 'invalid_option'
  /** The issuer did not answer, or not in time, or with a 5xx. */
  | 'issuer_unavailable'
  /** The issuer answered something that cannot be used: a 4xx, no JSON, too much of it, foreign metadata. */
  | 'issuer_unusable'
  /** A verifier of the user threw. */
  | 'verifier_failed'
  /** A request state would be longer than `STATE_LENGTH_MAX`. */
  | 'state_too_long'
  /** A value is nested deeper than `DEPTH_MAX`. */
  | 'too_deep'

export class AuthError extends Error {
  override readonly name = 'AuthError'
  readonly code: AuthErrorCode
  constructor(code: AuthErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options)
    this.code = code
  }
}

export const invalidOption = (message: string): AuthError => new AuthError('invalid_option', `auth: ${message}.`)
