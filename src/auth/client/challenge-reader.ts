/**
 * Reads what a server asks for in `WWW-Authenticate`: several challenges may stand in one header, each a scheme and its
 * parameters, quoted or not. What cannot be read is passed over: a challenge gives advice, and the well-known places remain.
 *
 * Spec: RFC 9110, 11.6.1; RFC 6750, 3; RFC 9449, 7.1; RFC 9728, 5.1.
 */
import { quotableScopes, scopesOf } from '#auth/scopes'

/** Longest header that is read, in characters. */
const CHALLENGE_LENGTH_MAX = 16_384

/** What a refusal asks for. */
export interface Challenge {
  /** Where the server's metadata is, as it says. */
  readonly metadataUrl?: string
  /** Scopes that this request needs; undefined where the challenge names none. */
  readonly scopes?: readonly string[]
  /** 'invalid_token', 'insufficient_scope', 'use_dpop_nonce', ... */
  readonly error?: string
  /** True where the scheme DPoP is offered. */
  readonly offersDpop: boolean
  /** Signature algorithms for DPoP proofs, where they are listed. */
  readonly dpopAlgorithms?: readonly string[]
}

type Parameters = Map<string, string>

const SEPARATORS = /[\s,]*/y
// A name alone is a scheme, or the credentials of one (which may end in '='); one with a value is a parameter. Unquoted URLs
// are no tokens, but they occur.
const PART = /([\w!#$%&'*+.^`|~/-]+)(?:[ \t]*=[ \t]*(?:"((?:[^"\\]|\\.)*)"|([^\s",=][^\s",]*)))?=*/y

export function readChallenge(headers: Headers): Challenge {
  const text = headers.get('www-authenticate') ?? ''
  const schemes = text.length > CHALLENGE_LENGTH_MAX ? [] : schemesOf(text)
  const ours = schemes.filter(([scheme]) => scheme === 'bearer' || scheme === 'dpop').map(([, found]) => found)
  const first = (name: string): string | undefined => ours.map((found) => found.get(name)).find((one) => !!one)
  const metadataUrl = first('resource_metadata')
  const scope = first('scope')
  const error = first('error')
  const algorithms = first('algs')
  return {
    ...(metadataUrl !== undefined && { metadataUrl }),
    ...(scope !== undefined && { scopes: quotableScopes(scopesOf({ scope })) }),
    ...(error !== undefined && { error }),
    offersDpop: schemes.some(([scheme]) => scheme === 'dpop'),
    ...(algorithms !== undefined && { dpopAlgorithms: algorithms.split(' ') }),
  }
}

function schemesOf(text: string): [string, Parameters][] {
  const found: [string, Parameters][] = []
  for (let at = 0; at < text.length; ) {
    SEPARATORS.lastIndex = at
    SEPARATORS.test(text)
    PART.lastIndex = SEPARATORS.lastIndex
    const part = PART.exec(text)
    if (part === null) break
    const [, name = '', quoted, plain] = part
    const value = quoted?.replace(/\\(.)/g, '$1') ?? plain
    if (value === undefined) found.push([name.toLowerCase(), new Map()])
    else found.at(-1)?.[1].set(name.toLowerCase(), value)
    at = PART.lastIndex
  }
  return found
}
