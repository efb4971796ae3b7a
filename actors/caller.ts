/**
 * Who calls: what a request or a connection over a network says of itself is shown to the authenticator, whose answer either
 * names a principal or is the refusal. And what that principal may not do for want of a scope.
 */
import type { AuthRequest } from '#auth/authenticator'
import type { Principal } from '#features/context'
import { ErrorCode, encodeBatch, encodeError, type Message } from '#protocol'
import type { Applicant, Exchange } from '#transports/port'
import type { Services } from './services.ts'

/** Seconds after which a client that met a full or stopping server may try again. */
export const RETRY_AFTER_S = '5'

/** The way to turn a caller away. */
export interface Door {
  setHeader(name: string, value: string): void
  refuse(status: number, json: string): void
}

/** What the authenticator is shown of an exchange or of an applicant. */
export function callerOf({ method, url, credentials, clientCertificate }: Exchange | Applicant): AuthRequest {
  return { method, url, headers: credentials, ...(clientCertificate && { clientCertificate }) }
}

/** Calls `proceed` with whoever calls, at once where that needs no waiting; anybody may where there is no authenticator. */
export function findCaller(
  services: Services,
  request: AuthRequest,
  door: Door,
  proceed: (auth: Principal | undefined) => void,
): void {
  const { auth } = services
  if (auth === undefined) return proceed(undefined)
  const decide = (found: Awaited<ReturnType<typeof auth.authenticate>>): void => {
    for (const [name, value] of Object.entries(found.headers ?? {})) door.setHeader(name, value)
    if (found.ok) return proceed(found.principal)
    services.counters.add('requests_unauthorized', 1, String(found.status))
    services.report({ type: 'unauthorized', status: found.status })
    door.refuse(found.status, encodeError(null, found.error))
  }
  const outcome = auth.authenticate(request)
  if (!(outcome instanceof Promise)) return decide(outcome)
  outcome.then(decide).catch((error: unknown) => {
    services.report({ type: 'stray_fault', how: 'unhandled_rejection', error })
    door.setHeader('Retry-After', RETRY_AFTER_S)
    const message = 'It cannot be found out now who calls. Try again later.'
    door.refuse(503, encodeError(null, { code: ErrorCode.InvalidRequest, message }))
  })
}

/** The scopes that a call's tools ask for, when the caller lacks any of them. */
export function lackingScopes(
  { catalog }: Services,
  message: Message | Message[],
  auth: Principal,
): readonly string[] | undefined {
  for (const one of Array.isArray(message) ? message : [message]) {
    if (one.kind !== 'request' || one.method !== 'tools/call') continue
    const scopes = catalog.tools.get(String(one.params?.['name']))?.scopes ?? []
    if (scopes.some((scope) => !auth.scopes.includes(scope))) return scopes
  }
  return undefined
}

/** On a connection, which has no statuses: the error for a message whose caller lacks scopes. */
export function scopeRefusal(services: Services, message: Message | Message[], auth: Principal): string | undefined {
  const scopes = lackingScopes(services, message, auth)
  if (scopes === undefined) return undefined
  const challenge = services.auth?.challenge({ scopes, granted: auth.scopes })
  const error = challenge?.error ?? { code: ErrorCode.InvalidRequest, message: `Scopes needed: ${scopes.join(' ')}.` }
  if (!Array.isArray(message)) return encodeError(message.kind === 'request' ? message.id : null, error)
  return encodeBatch(message.flatMap((one) => (one.kind === 'request' ? [encodeError(one.id, error)] : [])))
}
