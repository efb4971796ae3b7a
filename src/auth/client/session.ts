/**
 * What a client holds for one server: a token, what it is for, and all that is needed to renew it without asking anybody but
 * the authorization server. It is stored as it stands, and read back with suspicion: what is not whole is as good as absent.
 */
import type { AuthorizationServer } from 'oauth4webapi'
import { isObject, type JsonObject } from '#protocol/json-rpc'
import { serverOf } from './authorization-server.ts'
import type { StoredKey } from './dpop-key.ts'
import { textsOf } from './resource-metadata.ts'

/** How long before its end a token is renewed at most, in milliseconds; for short ones it is a tenth of their life. */
export const RENEW_AHEAD_MS = 30_000

export interface Session {
  /** The resource that the token is for. */
  readonly resource: string
  readonly server: AuthorizationServer
  /** Tokens are bound to the client that they were issued to. */
  readonly clientId: string
  readonly accessToken: string
  /** The scopes that were asked for. */
  readonly scopes: readonly string[]
  readonly obtainedAtMs: number
  /** Undefined where the authorization server does not say. */
  readonly expiresAtMs?: number | undefined
  readonly refreshToken?: string | undefined
  /** The key that the token is bound to; a bearer token has none. */
  readonly dpop?: StoredKey | undefined
}

export function isExpired({ expiresAtMs }: Session, nowMs: number): boolean {
  return expiresAtMs !== undefined && nowMs >= expiresAtMs
}

/** True when it ends soon, or has ended. */
export function isDue({ obtainedAtMs, expiresAtMs }: Session, nowMs: number): boolean {
  if (expiresAtMs === undefined) return false
  return nowMs >= expiresAtMs - Math.min(RENEW_AHEAD_MS, (expiresAtMs - obtainedAtMs) / 10)
}

/** A stored session, or undefined when it is not whole. */
export function sessionOf(value: JsonObject | undefined): Session | undefined {
  if (value === undefined) return undefined
  const { resource, clientId, accessToken, obtainedAtMs, expiresAtMs, refreshToken, server, dpop } = value
  const scopes = textsOf(value['scopes'])
  if (typeof resource !== 'string' || typeof clientId !== 'string' || typeof accessToken !== 'string') return undefined
  if (typeof obtainedAtMs !== 'number' || scopes === undefined || !isObject(server)) return undefined
  if (typeof server['issuer'] !== 'string') return undefined
  const key = isObject(dpop) && typeof dpop['algorithm'] === 'string' && isObject(dpop['jwk']) ? dpop : undefined
  // A bound token without its key is worth nothing.
  if (dpop !== undefined && key === undefined) return undefined
  try {
    return {
      resource,
      clientId,
      accessToken,
      scopes,
      obtainedAtMs,
      server: serverOf(server['issuer'], server),
      ...(typeof expiresAtMs === 'number' && { expiresAtMs }),
      ...(typeof refreshToken === 'string' && { refreshToken }),
      ...(key !== undefined && { dpop: key as unknown as StoredKey }),
    }
  } catch {
    return undefined
  }
}
