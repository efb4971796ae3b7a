/**
 * Fixed tokens, each with its principal: for development, for one team, for machines in one house. Tokens are kept as keyed
 * digests under a key of this process, so neither the time of a comparison nor a heap dump gives one away.
 *
 *     const auth = staticTokens({ [process.env.TOKEN ?? '']: 'ann' })
 */
import { createHmac, timingSafeEqual } from 'node:crypto'
import type { JsonObject } from '#protocol/json-rpc'
import { realRandom } from '#runtime/random'
import type { Authenticator } from './authenticator.ts'
import { invalidToken } from './challenge.ts'
import { TOKEN, TOKEN_LENGTH_MAX } from './credentials.ts'
import { invalidOption } from './errors.ts'
import { Gate, type Grant, type ProtectionOptions } from './gate.ts'
import { checkedScopes } from './scopes.ts'

export interface StaticPrincipal {
  readonly id: string
  readonly clientId?: string
  /** Default none. */
  readonly scopes?: readonly string[]
  /** What handlers find in `ctx.auth.claims`. Default empty. */
  readonly claims?: JsonObject
}

export type StaticTokenOptions = Omit<ProtectionOptions, 'dpop'>

const KEY_BYTES = 32
const UNKNOWN = invalidToken('The access token is not known here')

/**
 * An authenticator for the tokens that are the keys of `tokens`; a value is the principal's id, or the principal. Answers
 * without a promise, at the cost of one HMAC. Throws `AuthError` `invalid_option`.
 */
export function staticTokens(
  tokens: Readonly<Record<string, string | StaticPrincipal>>,
  options: StaticTokenOptions = {},
): Authenticator {
  const key = Buffer.from((options.random ?? realRandom).token(KEY_BYTES), 'base64url')
  const digestOf = (token: string): Buffer => createHmac('sha256', key).update(token).digest()
  const grants = new Map<string, { digest: Buffer; grant: Grant }>()
  for (const [index, [token, principal]] of Object.entries(tokens).entries()) {
    if (!TOKEN.test(token) || token.length > TOKEN_LENGTH_MAX) {
      // The token itself does not go into the message: it may be a secret with a typing error.
      throw invalidOption(
        `token ${index + 1} must be 1 to ${TOKEN_LENGTH_MAX} of A-Z a-z 0-9 - . _ ~ + /, with = at the end only, got ${token.length} characters`,
      )
    }
    const digest = digestOf(token)
    grants.set(digest.toString('latin1'), { digest, grant: grantOf(principal, index) })
  }
  if (grants.size === 0) throw invalidOption('staticTokens needs at least one token, got none')
  return new Gate(
    { ...options, dpop: false },
    {
      issuers: [],
      verify({ token }) {
        const digest = digestOf(token)
        const known = grants.get(digest.toString('latin1'))
        // The look-up is by a digest that a caller cannot steer; the comparison makes sure in constant time.
        return known !== undefined && timingSafeEqual(known.digest, digest) ? known.grant : UNKNOWN
      },
    },
  )
}

function grantOf(principal: string | StaticPrincipal, index: number): Grant {
  const { id, clientId, scopes = [], claims = {} } = typeof principal === 'string' ? { id: principal } : principal
  if (typeof id !== 'string' || id === '')
    throw invalidOption(`token ${index + 1} must have a principal that is not empty`)
  const checked = checkedScopes(`scopes of principal ${JSON.stringify(id)}`, scopes)
  return { principal: { id, ...(clientId !== undefined && { clientId }), scopes: checked, claims }, claims: {} }
}
