/**
 * Finds out what a server is as a protected resource, and which authorization servers it trusts: from where its challenge
 * points, else from the well-known places, path inserted before root. Metadata of another resource is never used: it would
 * have a token made for somebody else.
 *
 * Spec: MCP 2026-07-28, basic/authorization/authorization-server-discovery; RFC 9728, 3.
 */
import { AuthError } from '#auth/errors'
import { quotableScopes } from '#auth/scopes'
import { isLoopbackUrl, isSafeUrl, metadataPathOf, metadataUrlOf } from '#auth/urls'
import type { JsonObject } from '#protocol/json-rpc'
import { bare, type Http } from './http.ts'

/** Authorization servers of one resource that are looked at. */
const AUTHORIZATION_SERVERS_MAX = 16

export interface ResourceMetadata {
  /** The resource as it names itself; what tokens are asked for. */
  readonly resource: string
  readonly authorizationServers: readonly string[]
  readonly scopes?: readonly string[]
  /** True where only key-bound tokens are taken. */
  readonly needsDpop: boolean
  readonly dpopAlgorithms?: readonly string[]
}

/**
 * Resolves to the metadata of the server at `endpoint`; to undefined where it has none, as servers of revision 2025-03-26.
 * Rejects with `AuthError` `resource_unusable`, `resource_mismatch` or `issuer_unavailable`.
 */
export async function findResourceMetadata(
  http: Http,
  endpoint: string,
  challenged: string | undefined,
): Promise<ResourceMetadata | undefined> {
  for (const url of challenged === undefined ? wellKnownUrls(endpoint) : [challenged]) {
    if (!mayBeAsked(endpoint, url)) {
      throw new AuthError(
        'resource_unusable',
        `${bare(endpoint)} says that its metadata is at ${JSON.stringify(url)}, which must be an https URL ` +
          '(http and this machine only for servers on this machine). Tell its operator.',
      )
    }
    const document = await http.document(url)
    if (document !== undefined) return checked(endpoint, url, document)
  }
  if (challenged === undefined) return undefined
  throw new AuthError(
    'resource_unusable',
    `${bare(endpoint)} says that its metadata is at ${JSON.stringify(challenged)}, but there is no JSON object.`,
  )
}

function wellKnownUrls(endpoint: string): string[] {
  return [...new Set([metadataUrlOf(endpoint), new URL(metadataPathOf('/'), endpoint).href])]
}

/** A server on the network must not send this client into the network of this machine. */
export function mayBeAsked(endpoint: string, url: string): boolean {
  return isSafeUrl(url) && (isLoopbackUrl(endpoint) || !isLoopbackUrl(url))
}

function checked(endpoint: string, url: string, document: JsonObject): ResourceMetadata {
  const { resource } = document
  if (typeof resource !== 'string' || !covers(resource, endpoint)) {
    throw new AuthError(
      'resource_mismatch',
      `The metadata at ${url} is of the resource ${JSON.stringify(resource)}, not of ${bare(endpoint)}. ` +
        'A token for it could be used against you elsewhere, so none was asked for.',
    )
  }
  const scopes = textsOf(document['scopes_supported'])
  const algorithms = textsOf(document['dpop_signing_alg_values_supported'])
  return {
    resource,
    authorizationServers: (textsOf(document['authorization_servers']) ?? []).slice(0, AUTHORIZATION_SERVERS_MAX),
    ...(scopes !== undefined && { scopes: quotableScopes(scopes) }),
    needsDpop: document['dpop_bound_access_tokens_required'] === true,
    ...(algorithms !== undefined && { dpopAlgorithms: algorithms }),
  }
}

/** True when `resource` is `endpoint`, or a path above it on the same origin: one resource may have several endpoints. */
function covers(resource: string, endpoint: string): boolean {
  if (!URL.canParse(resource) || resource.includes('#')) return false
  const whole = new URL(resource)
  const part = new URL(endpoint)
  const [above, below] = [whole, part].map(({ pathname }) => (pathname.endsWith('/') ? pathname : `${pathname}/`))
  return (
    whole.origin === part.origin &&
    whole.username === '' &&
    (whole.search === '' || whole.search === part.search) &&
    (below ?? '').startsWith(above ?? '/')
  )
}

/** The texts of an array, or undefined when it is none. */
export function textsOf(value: unknown): string[] | undefined {
  return Array.isArray(value) ? value.filter((one): one is string => typeof one === 'string') : undefined
}
