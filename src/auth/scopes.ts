/** Scopes: how tokens list them, how wide ones imply narrow ones, and which are missing. Spec: RFC 6749, 3.3. */
import type { JsonObject } from '#protocol/json-rpc'
import { invalidOption } from './errors.ts'

/** Scopes of one token that are looked at; more are dropped. */
export const SCOPES_MAX = 1_000

const SCOPE = /^[\x21\x23-\x5b\x5d-\x7e]+$/
/** Asks for a refresh token and says nothing of a resource. Spec: MCP 2026-07-28, basic/authorization, refresh tokens. */
const OFFLINE = 'offline_access'

export type ImpliedScopes = Readonly<Record<string, readonly string[]>>

/** The scopes that claims list: `scope` as one text, or `scp` as a text or an array. */
export function scopesOf(claims: JsonObject): string[] {
  const listed = claims['scope'] ?? claims['scp']
  const scopes: readonly unknown[] =
    typeof listed === 'string'
      ? listed.split(' ', SCOPES_MAX)
      : Array.isArray(listed)
        ? listed.slice(0, SCOPES_MAX)
        : []
  return scopes.filter((scope): scope is string => typeof scope === 'string' && SCOPE.test(scope))
}

/** Those of `scopes` that may stand in a challenge. */
export function quotableScopes(scopes: readonly string[]): string[] {
  return scopes.filter((scope) => SCOPE.test(scope) && scope !== OFFLINE)
}

/** `granted` with everything it implies, directly or through other scopes, each once. */
export function expandScopes(granted: readonly string[], implied: ImpliedScopes): readonly string[] {
  const all = new Set(granted)
  // A set that grows while it is walked is walked to its new end; it is bounded by the scopes there are.
  for (const scope of all) {
    for (const narrower of Object.hasOwn(implied, scope) ? (implied[scope] ?? []) : []) all.add(narrower)
  }
  return all.size === granted.length ? granted : [...all]
}

export function missingScopes(needed: readonly string[], granted: readonly string[]): readonly string[] {
  return needed.filter((scope) => !granted.includes(scope))
}

/** `scopes` as they came, without `offline_access`. Throws `AuthError` `invalid_option`. */
export function checkedScopes(name: string, scopes: readonly string[]): readonly string[] {
  for (const scope of scopes) {
    if (!SCOPE.test(scope)) {
      throw invalidOption(
        `${name} must hold scopes: printable ASCII without space, quote and backslash, got ${JSON.stringify(scope)}`,
      )
    }
  }
  return scopes.filter((scope) => scope !== OFFLINE)
}
