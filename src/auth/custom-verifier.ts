/** Tokens that a function of the user knows: an API key table, a session service, another format. */
import type { Authenticator, AuthRequest } from './authenticator.ts'
import { invalidToken } from './challenge.ts'
import { AuthError } from './errors.ts'
import { Gate, type ProtectionOptions, type Verdict } from './gate.ts'
import type { Principal } from './principal.ts'

/**
 * Says whose `token` it is; undefined for a token that is not good. A throw or rejection means that it could not be found
 * out, and the caller is asked to come again. A `cnf` in the principal's claims is checked as a token's would be.
 */
export type TokenVerifier = (
  token: string,
  request: AuthRequest,
) => Principal | undefined | Promise<Principal | undefined>

/** An authenticator that asks `verify`; no promise where `verify` returns none. Throws `AuthError` `invalid_option`. */
export function customVerifier(verify: TokenVerifier, options: ProtectionOptions = {}): Authenticator {
  return new Gate(options, {
    issuers: [],
    verify({ token, request }) {
      const found = verify(token, request)
      // Any thenable is a promise here: what users return may come from another library.
      return found !== undefined && 'then' in found ? Promise.resolve(found).then(verdictOf) : verdictOf(found)
    },
  })
}

function verdictOf(principal: Principal | undefined): Verdict {
  if (principal === undefined) return invalidToken('The access token is not accepted')
  if (typeof principal.id !== 'string' || principal.id === '') {
    throw new AuthError('verifier_failed', `A verifier must return a principal with an id, got ${typeof principal.id}.`)
  }
  return { principal, claims: principal.claims }
}
