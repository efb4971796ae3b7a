/**
 * Reads the token of a request, from the one place where it may stand: the `Authorization` header, once, with the scheme
 * `Bearer` or `DPoP`. Nothing here keeps or repeats the token's text.
 *
 * Spec: RFC 6750, 2.1 and 3.1; RFC 9449, 7.1; MCP 2026-07-28, basic/authorization, token requirements.
 */
import type { AuthRequest } from './authenticator.ts'

/** The longest token read, in characters; Node's own limit for all headers together is 16 KiB. */
export const TOKEN_LENGTH_MAX = 16_384

export type Scheme = 'Bearer' | 'DPoP'

export type Credentials =
  | { readonly kind: 'token'; readonly scheme: Scheme; readonly token: string }
  /** No credentials, or of a scheme that is not served here. */
  | { readonly kind: 'none' }
  | { readonly kind: 'malformed'; readonly description: string }

/** What RFC 6750 calls a b64token. */
export const TOKEN = /^[A-Za-z0-9._~+/-]+=*$/
const SCHEME = /^(\S+)(?: +|$)/
const QUERY_TOKEN = /[?&;]access_token(?:=|&|;|#|$)/i

export function readCredentials(request: AuthRequest): Credentials {
  if (QUERY_TOKEN.test(request.url) || hasEncodedQueryToken(request.url)) {
    return malformed('A token in the URL is not accepted; send it in the Authorization header')
  }
  const header = request.headers['authorization']
  if (header === undefined) return { kind: 'none' }
  if (typeof header !== 'string' && header.length > 1) {
    return malformed('The request has more than one Authorization header; send one')
  }
  const text = (typeof header === 'string' ? header : (header[0] ?? '')).trim()
  const [opening = '', name = ''] = SCHEME.exec(text) ?? []
  const scheme = schemeOf(name)
  if (scheme === undefined) return { kind: 'none' }
  const token = text.slice(opening.length)
  if (token === '') return malformed(`The Authorization header has the scheme ${scheme} and no token`)
  if (token.length > TOKEN_LENGTH_MAX) return malformed(`The token is longer than ${TOKEN_LENGTH_MAX} characters`)
  if (!TOKEN.test(token)) return malformed('The Authorization header must hold one scheme, one space and one token')
  return { kind: 'token', scheme, token }
}

/** The scheme of a request's first Authorization header, if it is one of ours. */
export function schemeOfRequest(request: AuthRequest | undefined): Scheme | undefined {
  const header = request?.headers['authorization']
  const text = typeof header === 'string' ? header : header?.[0]
  return schemeOf(SCHEME.exec(text?.trim() ?? '')?.[1] ?? '')
}

function schemeOf(name: string): Scheme | undefined {
  const lower = name.toLowerCase()
  return lower === 'bearer' ? 'Bearer' : lower === 'dpop' ? 'DPoP' : undefined
}

/** The parameter's name may be written with percent signs. */
function hasEncodedQueryToken(url: string): boolean {
  const start = url.indexOf('?')
  if (start === -1 || !url.includes('%', start)) return false
  return [...new URLSearchParams(url.slice(start + 1)).keys()].some((key) => key.toLowerCase() === 'access_token')
}

function malformed(description: string): Credentials {
  return { kind: 'malformed', description }
}
