/**
 * Writes refusals: the status, the `WWW-Authenticate` header and the JSON-RPC error for the body. The scheme that the
 * client used comes first and carries the error; another that is served too follows, so that a client may choose.
 *
 * When the issuer cannot be asked, the caller is refused with 401, `temporarily_unavailable` and `Retry-After`, not with
 * 503: an unverified caller is unauthenticated, which is all that is known of it; this server works, and a load balancer
 * that counts 5xx must not take it out for the fault of another, least of all when any stranger with an invented token
 * can cause it. A client that reads the code knows that its token may be good and comes back with the same.
 *
 * Spec: RFC 6750, 3; RFC 9449, 7.1 and 9; RFC 9728, 5.1.
 */
import { ErrorCode } from '#protocol/errors'
import type { AuthRefusal } from './authenticator.ts'
import type { Scheme } from './credentials.ts'

export type RefusalCode =
  | 'invalid_request'
  | 'invalid_token'
  | 'insufficient_scope'
  | 'invalid_dpop_proof'
  | 'use_dpop_nonce'
  | 'temporarily_unavailable'

/** Why a caller is refused: a stable code, and a sentence without any text of the caller's. */
export class Fault {
  readonly code: RefusalCode
  readonly description: string
  constructor(code: RefusalCode, description: string) {
    this.code = code
    this.description = description
  }
}

export const fault = (code: RefusalCode, description: string): Fault => new Fault(code, description)
export const invalidToken = (description: string): Fault => fault('invalid_token', description)

/** What a challenge tells beside the fault. */
export interface ChallengeFacts {
  /** The scheme to put first. */
  readonly scheme: Scheme
  readonly schemes: readonly Scheme[]
  readonly scopes: readonly string[]
  readonly metadataUrl: string | undefined
  readonly dpopAlgorithms: readonly string[]
  readonly dpopNonce: string | undefined
}

/** Seconds after which a caller whose token could not be checked may come again. */
const RETRY_AFTER_S = 5

const statuses: Readonly<Record<RefusalCode, AuthRefusal['status']>> = {
  invalid_request: 400,
  invalid_token: 401,
  insufficient_scope: 403,
  invalid_dpop_proof: 401,
  use_dpop_nonce: 401,
  temporarily_unavailable: 401,
}

/** The refusal for `reason`; without one, the request had no credentials and the challenge has no error. RFC 6750, 3.1. */
export function refusal(reason: Fault | undefined, facts: ChallengeFacts): AuthRefusal {
  const headers: Record<string, string> = {
    'WWW-Authenticate': challengeText(reason, facts),
    'Cache-Control': 'no-store',
  }
  if (facts.dpopNonce !== undefined) headers['DPoP-Nonce'] = facts.dpopNonce
  if (reason?.code === 'temporarily_unavailable') headers['Retry-After'] = String(RETRY_AFTER_S)
  const message = reason?.description ?? 'This server needs an access token in the Authorization header'
  const error = { code: ErrorCode.InvalidRequest, message, ...(reason && { data: { error: reason.code } }) }
  return { ok: false, status: reason === undefined ? 401 : statuses[reason.code], headers, error }
}

function challengeText(reason: Fault | undefined, facts: ChallengeFacts): string {
  const first = facts.schemes.includes(facts.scheme) ? facts.scheme : (facts.schemes[0] ?? 'Bearer')
  const texts = [first, ...facts.schemes.filter((scheme) => scheme !== first)].map((scheme) => {
    const parameters: string[] = []
    if (scheme === first && reason !== undefined) {
      parameters.push(`error="${reason.code}"`, `error_description="${quotable(reason.description)}"`)
    }
    if (scheme === first && facts.scopes.length > 0) parameters.push(`scope="${facts.scopes.join(' ')}"`)
    if (facts.metadataUrl !== undefined) parameters.push(`resource_metadata="${facts.metadataUrl}"`)
    if (scheme === 'DPoP') parameters.push(`algs="${facts.dpopAlgorithms.join(' ')}"`)
    return parameters.length === 0 ? scheme : `${scheme} ${parameters.join(', ')}`
  })
  return texts.join(', ')
}

/** What RFC 6750 lets stand in an `error_description`. */
function quotable(text: string): string {
  return text.replace(/[^\x20\x21\x23-\x5b\x5d-\x7e]/g, "'")
}
