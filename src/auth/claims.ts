/** From the claims of a verified token to the one it is for and the one it is of. Spec: RFC 9068, 2.2; RFC 8707, 2. */
import type { JsonObject } from '#protocol/json-rpc'
import { type Fault, invalidToken } from './challenge.ts'
import type { Principal } from './principal.ts'
import { scopesOf } from './scopes.ts'
import { canonicalIdentifier } from './urls.ts'

/** Values of `aud` that are looked at. */
const AUDIENCES_MAX = 100

/** True when `aud` names one of `expected`; URLs are the same when their canonical spellings are. */
export function isForAudience(claims: JsonObject, expected: readonly string[]): boolean {
  const { aud } = claims
  const named: readonly unknown[] = Array.isArray(aud) ? aud.slice(0, AUDIENCES_MAX) : [aud]
  return named.some((audience) => {
    if (typeof audience !== 'string') return false
    if (expected.includes(audience)) return true
    const url = canonicalIdentifier(audience)
    return url !== undefined && expected.some((one) => canonicalIdentifier(one) === url)
  })
}

/** The client that a token was issued to. */
export function clientIdOf(claims: JsonObject): string | undefined {
  const id = claims['client_id'] ?? claims['azp'] ?? claims['cid']
  return typeof id === 'string' && id !== '' ? id : undefined
}

/** How ids of principals are made. */
export interface Naming {
  /** Put before the id, so that subjects of different issuers are different principals. */
  readonly prefix: string
  readonly subjects?: Readonly<Record<string, string>>
  readonly principal?: (claims: JsonObject) => Principal | string | undefined
}

/** The principal of `claims`: as the mapper or the table of subjects says, else the subject, else the client. */
export function principalOf(claims: JsonObject, { prefix, subjects, principal }: Naming): Principal | Fault {
  const { sub } = claims
  const subject = typeof sub === 'string' && sub !== '' ? sub : undefined
  if (subjects !== undefined) {
    if (subject === undefined || !Object.hasOwn(subjects, subject)) return UNKNOWN_SUBJECT
    return named(claims, subjects[subject] ?? subject)
  }
  if (principal !== undefined) {
    const mapped = principal(claims)
    if (mapped === undefined || mapped === '') return UNKNOWN_SUBJECT
    if (typeof mapped === 'string') return named(claims, mapped)
    return mapped.id === '' ? UNKNOWN_SUBJECT : mapped
  }
  if (subject !== undefined) return named(claims, `${prefix}${subject}`)
  const clientId = clientIdOf(claims)
  if (clientId === undefined) return invalidToken('The access token names neither a subject nor a client')
  // Not the bare id: a user might be called as a client is. Spec: RFC 9068, 5.
  return named(claims, `${prefix}client:${clientId}`)
}

const UNKNOWN_SUBJECT = invalidToken('The subject of the access token is not known here')

function named(claims: JsonObject, id: string): Principal {
  const clientId = clientIdOf(claims)
  return { id, ...(clientId !== undefined && { clientId }), scopes: scopesOf(claims), claims }
}
