/**
 * Finds the authorization server of a resource and reads its metadata, in the order that MCP gives. A document that names
 * another issuer is not used. A server of revision 2025-03-26, which has no resource metadata, is its own authorization
 * server; where it has no metadata either, its endpoints are /authorize, /token and /register.
 *
 * Spec: MCP 2026-07-28, basic/authorization/authorization-server-discovery; RFC 8414, 3; MCP 2025-03-26, authorization, 2.3.
 */
import type { AuthorizationServer } from 'oauth4webapi'
import { discoveryUrls, endpointOf } from '#auth/discovery'
import { AuthError } from '#auth/errors'
import type { JsonObject } from '#protocol/json-rpc'
import { bare, type Http } from './http.ts'
import { mayBeAsked, type ResourceMetadata, textsOf } from './resource-metadata.ts'

const LISTS = [
  'code_challenge_methods_supported',
  'dpop_signing_alg_values_supported',
  'grant_types_supported',
  'scopes_supported',
  'token_endpoint_auth_methods_supported',
] as const

/** Which issuer to turn to, and whether that is a guess of the kind that revision 2025-03-26 prescribes. */
export interface ChosenIssuer {
  readonly issuer: string
  readonly isGuess: boolean
}

/**
 * The issuer to use for `endpoint`: `wanted` where the metadata lists it (or lists none), else the first that is listed, else
 * the origin of the endpoint. Throws `AuthError` `resource_unusable` when it must not be turned to.
 */
export function chooseIssuer(
  endpoint: string,
  metadata: ResourceMetadata | undefined,
  wanted: readonly string[],
): ChosenIssuer {
  const listed = metadata?.authorizationServers ?? []
  const issuer = listed.length === 0 ? wanted[0] : (wanted.find((one) => listed.includes(one)) ?? listed[0])
  if (issuer === undefined) return { issuer: new URL(endpoint).origin, isGuess: true }
  if (mayBeAsked(endpoint, issuer) && !/[?#]/.test(issuer)) return { issuer, isGuess: false }
  throw new AuthError(
    'resource_unusable',
    `${bare(endpoint)} names the authorization server ${JSON.stringify(issuer)}, which must be an https URL without query ` +
      '(http and this machine only for servers on this machine). Tell its operator.',
  )
}

/** Resolves to what is used of the metadata. Rejects with `AuthError` `issuer_unusable` or `issuer_unavailable`. */
export async function findAuthorizationServer(
  http: Http,
  { issuer, isGuess }: ChosenIssuer,
): Promise<AuthorizationServer> {
  const findings: string[] = []
  let isAnyFound = false
  for (const url of discoveryUrls(issuer)) {
    const document = await http.document(url)
    if (document?.['issuer'] === issuer) return serverOf(issuer, document)
    isAnyFound ||= document !== undefined
    findings.push(
      document === undefined
        ? `${url} is no metadata`
        : `${url} is the metadata of ${JSON.stringify(document['issuer'])}`,
    )
  }
  if (isGuess && !isAnyFound) return defaultServer(issuer)
  throw new AuthError(
    'issuer_unusable',
    `The authorization server ${JSON.stringify(issuer)} has no metadata that can be used: ${findings.join('; ')}. ` +
      'Its metadata must name exactly the issuer that the resource names.',
  )
}

/** The members that are used, checked; a stored one is read by the same function. Throws `AuthError` `issuer_unusable`. */
export function serverOf(issuer: string, document: JsonObject): AuthorizationServer {
  const endpoint = (name: string): string | undefined =>
    document[name] === undefined ? undefined : endpointOf(issuer, document, name)
  const authorization_endpoint = endpoint('authorization_endpoint')
  const registration_endpoint = endpoint('registration_endpoint')
  const lists = LISTS.flatMap((name) => {
    const texts = textsOf(document[name])
    return texts === undefined ? [] : [[name, texts]]
  })
  return {
    ...(Object.fromEntries(lists) as Partial<Record<(typeof LISTS)[number], string[]>>),
    issuer,
    token_endpoint: endpointOf(issuer, document, 'token_endpoint'),
    ...(authorization_endpoint !== undefined && { authorization_endpoint }),
    ...(registration_endpoint !== undefined && { registration_endpoint }),
    authorization_response_iss_parameter_supported: document['authorization_response_iss_parameter_supported'] === true,
    client_id_metadata_document_supported: document['client_id_metadata_document_supported'] === true,
  }
}

/** What revision 2025-03-26 assumes of a server without metadata; PKCE was required of every one. */
function defaultServer(issuer: string): AuthorizationServer {
  return {
    issuer,
    authorization_endpoint: `${issuer}/authorize`,
    token_endpoint: `${issuer}/token`,
    registration_endpoint: `${issuer}/register`,
    code_challenge_methods_supported: ['S256'],
  }
}
