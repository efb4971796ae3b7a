/**
 * URLs as identifiers: of resources (RFC 8707), of DPoP targets (RFC 9449) and of issuers (RFC 8414). Two spellings of one
 * resource become one text; an issuer stays as it is written, because it is compared as a string.
 */
import { invalidOption } from './errors.ts'

/** Spellings remembered; a full memory starts anew. */
const SPELLINGS_MAX = 64
const URL_LENGTH_MAX = 8_192

const LOOPBACK = /^(localhost|127\.\d{1,3}\.\d{1,3}\.\d{1,3}|\[::1\])$/
const METADATA_PREFIX = '/.well-known/oauth-protected-resource'

const spellings = new Map<string, string | undefined>()

/**
 * The one spelling of an http or https URL without its query and fragment: lower-case scheme and host, no default port, no
 * dot segments, percent-encoding only where needed, no slash alone as the path. Undefined for anything else, user
 * information included. After: RFC 3986, 6.2.2 and 6.2.3.
 */
export function canonicalUrl(text: string): string | undefined {
  if (spellings.has(text)) return spellings.get(text)
  const canonical = canonicalise(text)
  if (spellings.size >= SPELLINGS_MAX) spellings.clear()
  spellings.set(text, canonical)
  return canonical
}

function canonicalise(text: string): string | undefined {
  const url = parse(text)
  if (url === undefined || !/^https?:$/.test(url.protocol) || url.username !== '' || url.password !== '')
    return undefined
  const path = url.pathname.replace(/%[0-9a-f]{2}/gi, (escaped) => {
    const character = String.fromCharCode(Number.parseInt(escaped.slice(1), 16))
    return /[A-Za-z0-9._~-]/.test(character) ? character : escaped.toUpperCase()
  })
  return `${url.protocol}//${url.host}${path === '/' ? '' : path}`
}

/** The same spelling, but undefined too when there is a query or fragment: what an identifier must not have. */
export function canonicalIdentifier(text: string): string | undefined {
  return /[?#]/.test(text) ? undefined : canonicalUrl(text)
}

/** Where the metadata of a canonical resource is found. Spec: RFC 9728, 3.1. */
export function metadataUrlOf(resource: string): string {
  const { origin, pathname } = new URL(resource)
  return `${origin}${metadataPathOf(pathname)}`
}

/** The well-known path with `path` inserted behind it; '/' gives the root form. */
export function metadataPathOf(path: string): string {
  return `${METADATA_PREFIX}${path === '/' ? '' : path}`
}

/** True for https, and for http on this machine. */
export function isSafeUrl(text: string): boolean {
  const url = parse(text)
  return url !== undefined && (url.protocol === 'https:' || (url.protocol === 'http:' && LOOPBACK.test(url.hostname)))
}

export function isLoopbackUrl(text: string): boolean {
  const url = parse(text)
  return url !== undefined && LOOPBACK.test(url.hostname)
}

/** `issuer` as it came. Throws `AuthError` `invalid_option`. Spec: RFC 8414, 2 (https, no query, no fragment). */
export function checkedIssuer(issuer: string): string {
  if (!isSafeUrl(issuer) || /[?#]/.test(issuer)) {
    throw invalidOption(
      `issuer must be an https URL without query and fragment (http only on loopback), got ${JSON.stringify(issuer)}`,
    )
  }
  return issuer
}

/** An endpoint of an issuer as it came. Throws `AuthError` `invalid_option`. */
export function checkedEndpoint(name: string, url: string): string {
  if (!isSafeUrl(url)) {
    throw invalidOption(`${name} must be an https URL (http only on loopback), got ${JSON.stringify(url)}`)
  }
  return url
}

function parse(text: string): URL | undefined {
  if (text.length > URL_LENGTH_MAX || !URL.canParse(text)) return undefined
  return new URL(text)
}
