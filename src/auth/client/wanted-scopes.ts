/**
 * Which scopes to ask for. Spec: MCP 2026-07-28, basic/authorization, scope selection strategy, refresh tokens, step-up
 * authorization flow.
 */
import { quotableScopes } from '#auth/scopes'

const OFFLINE = 'offline_access'

export interface ScopeFacts {
  /** What the user of this package wants; takes the place of `supported`. */
  readonly configured: readonly string[] | undefined
  /** What the refused request needs, as the challenge says. */
  readonly challenged: readonly string[] | undefined
  /** `scopes_supported` of the resource. */
  readonly supported: readonly string[] | undefined
  /** What was asked for before, of the same authorization server: kept, or other operations would lose it. */
  readonly before: readonly string[]
}

/**
 * The scopes for a request of a token: what the challenge names, else what is configured, else all that the resource
 * supports; and what was asked for before. Empty means that `scope` is left out.
 */
export function wantedScopes({ configured, challenged, supported, before }: ScopeFacts): string[] {
  const needed = challenged ?? configured ?? supported ?? []
  return [...new Set(quotableScopes([...before, ...(configured ?? []), ...needed]))]
}

/**
 * `scopes` and `offline_access`, which asks for a refresh token, where the authorization server lists it. Alone it is not
 * asked for: a request without `scope` gets the server's own choice, and must keep it.
 */
export function withOffline(scopes: readonly string[], serverSupports: readonly string[] | undefined): string[] {
  return scopes.length > 0 && serverSupports?.includes(OFFLINE) ? [...scopes, OFFLINE] : [...scopes]
}

/** True when `scopes` asks for a refresh token. */
export function isOffline(scopes: readonly string[]): boolean {
  return scopes.includes(OFFLINE)
}
