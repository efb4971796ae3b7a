/**
 * Finds the metadata of an issuer from its URL alone, in the order that MCP gives: RFC 8414 first, then OpenID Connect with
 * the path inserted, then with it appended. A document that names another issuer is not used.
 *
 * Spec: MCP 2026-07-28, basic/authorization/authorization-server-discovery; RFC 8414, 3.1 and 3.3.
 */
import type { JsonObject } from '#protocol/json-rpc'
import { AuthError } from './errors.ts'
import type { Asker } from './fetch-json.ts'
import { isLoopbackUrl, isSafeUrl } from './urls.ts'

/** Where the metadata of `issuer` may be, best first. */
export function discoveryUrls(issuer: string): string[] {
  const { origin, pathname } = new URL(issuer)
  const path = pathname.replace(/\/$/, '')
  const inserted = [
    `${origin}/.well-known/oauth-authorization-server${path}`,
    `${origin}/.well-known/openid-configuration${path}`,
  ]
  return path === '' ? inserted : [...inserted, `${origin}${path}/.well-known/openid-configuration`]
}

/** Resolves to the metadata of `issuer`. Rejects with `AuthError`; an issuer that does not answer is asked once only. */
export async function discover(issuer: string, asker: Asker): Promise<JsonObject> {
  const findings: string[] = []
  for (const url of discoveryUrls(issuer)) {
    try {
      const document = await asker.ask(url)
      if (document['issuer'] === issuer) return document
      findings.push(`${url} is the metadata of ${JSON.stringify(document['issuer'])}`)
    } catch (error) {
      if (!(error instanceof AuthError) || error.code === 'issuer_unavailable') throw error
      findings.push(error.message.replace(/\.$/, ''))
    }
  }
  throw new AuthError(
    'issuer_unusable',
    `Issuer ${JSON.stringify(issuer)} has no metadata that can be used: ${findings.join('; ')}. ` +
      'Configure the issuer exactly as its metadata and tokens spell it.',
  )
}

/**
 * The endpoint `name` of an issuer's metadata. Throws `AuthError` when it is missing, or not https; one on this machine is
 * taken only from an issuer on this machine, so that metadata cannot point into a private network's loopback.
 */
export function endpointOf(issuer: string, document: JsonObject, name: string): string {
  const url = document[name]
  if (typeof url === 'string' && isSafeUrl(url) && (isLoopbackUrl(issuer) || !isLoopbackUrl(url))) return url
  throw new AuthError(
    'issuer_unusable',
    `The metadata of issuer ${JSON.stringify(issuer)} has no usable ${name}: it must be an https URL, got ${JSON.stringify(url)}.`,
  )
}
