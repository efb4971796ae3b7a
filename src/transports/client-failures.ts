/** What became of an HTTP request, as `LinkFailure` and in sentences for people. */
import type { LinkFailure } from './client-port.ts'

/** Characters of a body that a failure keeps. */
const BODY_LENGTH_MAX = 65_536
/** The longest wait that is read out of a Retry-After field: one day. */
const RETRY_AFTER_MS_MAX = 86_400_000

/** The authorizer itself failed, with `cause`; the request was not sent. */
export class AuthorizationError extends Error {
  override readonly name = 'AuthorizationError'
}

/** No answer, or half of one. Nothing has run on the server if the request never left. */
export function connectionFailure(what: string, error: unknown, wasStarted: boolean): LinkFailure {
  if (error instanceof AuthorizationError) {
    const message = `${what}: ${error.message}: ${reasonOf(error.cause)}`
    return { kind: 'unauthorized', message, mayHaveRun: false, cause: error.cause }
  }
  const reason = reasonOf(error)
  return wasStarted
    ? {
        kind: 'broken',
        message: `${what}: the connection ended before the answer (${reason}).`,
        mayHaveRun: true,
        cause: error,
      }
    : {
        kind: 'refused',
        message: `${what}: there is no connection to the server (${reason}).`,
        mayHaveRun: false,
        cause: error,
      }
}

/** An HTTP status without the answer that was asked for. */
export function statusFailure(
  what: string,
  status: number,
  body: string,
  retryAfterMs: number | undefined,
  hint = '',
): LinkFailure {
  const isUnauthorized = status === 401 || status === 403
  return {
    kind: isUnauthorized ? 'unauthorized' : 'status',
    message: `${what}: the server answered ${status}${excerpt(body)}.${hint}`,
    mayHaveRun: mayHaveRun(status),
    status,
    body: body.slice(0, BODY_LENGTH_MAX),
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  }
}

/**
 * Whether a server that refused a request of an open session says that it does not know the session. The status for that is 404,
 * but servers that follow the examples of the official SDK answer 400 with the code -32000 and a sentence about the session, or
 * that they are not initialized. Spec: MCP 2025-11-25, basic/transports, session management.
 */
export function isSessionLost(status: number, body: string): boolean {
  if (status === 404) return true
  if (status !== 400 || !/\bsession\b|\bnot initialized\b/i.test(body)) return false
  try {
    const { error } = JSON.parse(body) as { readonly error?: { readonly code?: unknown } }
    return error?.code === -32_000 || error?.code === -32_001
  } catch {
    return false
  }
}

/** The server does not know a session that was open. */
export function sessionLostFailure(what: string, mayHaveRun: boolean, status = 404): LinkFailure {
  const message = `${what}: the server does not know the session any more (${status}). Initialize a new one.`
  return { kind: 'session_lost', message, mayHaveRun, status }
}

/** What came is not what MCP has there. */
export function invalidFailure(what: string, why: string, wasRun = true): LinkFailure {
  return { kind: 'invalid', message: `${what}: ${why}`, mayHaveRun: wasRun }
}

/** A 4xx says that the request was not taken; 501, 503 and 505 do too. Any other answer comes from a server that may have begun. */
function mayHaveRun(status: number): boolean {
  return !(status >= 300 && status < 500) && status !== 501 && status !== 503 && status !== 505
}

/** The Retry-After field in milliseconds: seconds, or a date that is compared with `nowMs`. Source: RFC 9110, 10.2.3. */
export function retryAfterOf(field: string | string[] | undefined, nowMs: number): number | undefined {
  const value = (Array.isArray(field) ? field[0] : field)?.trim()
  if (value === undefined || value === '') return undefined
  const waitMs = /^\d+$/.test(value) ? Number(value) * 1_000 : Date.parse(value) - nowMs
  return Number.isNaN(waitMs) ? undefined : Math.min(Math.max(waitMs, 0), RETRY_AFTER_MS_MAX)
}

/** The innermost reason of an error of the network, in a few words. */
export function reasonOf(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return reasonOf(error.errors[0])
  if (error instanceof Error) return error.message === '' ? error.name : error.message
  return String(error)
}

function excerpt(body: string): string {
  const line = body.replace(/\s+/g, ' ').trim()
  if (line === '') return ''
  return line.length > 200 ? `: ${line.slice(0, 200)}…` : `: ${line}`
}
