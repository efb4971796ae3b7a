/**
 * The grants that ask no user: a client trusted for itself, a workload that shows the token of its platform, and a user whose
 * organisation decides. None of them falls back to another.
 *
 * Spec: RFC 6749, 4.4; RFC 7523, 2.1; RFC 8693; MCP extensions oauth-client-credentials and enterprise-managed-authorization;
 * SEP-1933.
 */
import type { AuthorizationServer } from 'oauth4webapi'
import { AuthError } from '#auth/errors'
import { checkedEndpoint } from '#auth/urls'
import { findAuthorizationServer } from './authorization-server.ts'
import { ANONYMOUS, type ClientCredentials, chooseMethod } from './client-authentication.ts'
import type { DpopKey } from './dpop-key.ts'
import type { Http } from './http.ts'
import type { AssertionSubject, GrantOptions, IdentityProviderOptions } from './options.ts'
import type { TokenAnswer, TokenEndpoint } from './token-endpoint.ts'

const JWT_BEARER = 'urn:ietf:params:oauth:grant-type:jwt-bearer'
const TOKEN_EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange'
const ID_JAG = 'urn:ietf:params:oauth:token-type:id-jag'
const IDENTITY_TYPES = {
  id_token: 'urn:ietf:params:oauth:token-type:id_token',
  saml2: 'urn:ietf:params:oauth:token-type:saml2',
} as const

export type UnattendedGrant = Exclude<GrantOptions, { type: 'authorization_code' }>

export interface TokenNeed {
  readonly server: AuthorizationServer
  readonly credentials: ClientCredentials
  readonly resource: string
  readonly scopes: readonly string[]
  readonly dpop: DpopKey | undefined
}

/** A client that has no id, and shows its assertion only. */
export const anonymous: ClientCredentials = { clientId: ANONYMOUS, method: 'none' }

export async function askUnattended(
  grant: UnattendedGrant,
  need: TokenNeed,
  endpoint: TokenEndpoint,
  http: Http,
): Promise<TokenAnswer> {
  const { server, credentials, resource, scopes, dpop } = need
  const common = { resource, ...(scopes.length > 0 && { scope: scopes.join(' ') }) }
  const ask = (grantType: string, parameters: Record<string, string>): Promise<TokenAnswer> =>
    endpoint.ask({ server, credentials, grantType, parameters: { ...parameters, ...common }, dpop })
  if (grant.type === 'client_credentials') return await ask('client_credentials', {})
  const subject = { issuer: server.issuer, tokenEndpoint: server.token_endpoint ?? '', resource }
  const assertion =
    grant.type === 'jwt-bearer'
      ? await suppliedBy('grant.assertion', grant.assertion, subject)
      : await assertionOf(grant.identityProvider, subject, scopes, endpoint, http)
  return await ask(JWT_BEARER, { assertion })
}

/** Exchanges the user's sign-in for an assertion that is good at the authorization server of `subject`: an ID-JAG. */
async function assertionOf(
  provider: IdentityProviderOptions,
  subject: AssertionSubject,
  scopes: readonly string[],
  endpoint: TokenEndpoint,
  http: Http,
): Promise<string> {
  const { issuer, tokenEndpoint, clientId, clientSecret, authMethod, identity, identityType = 'id_token' } = provider
  const server =
    tokenEndpoint === undefined
      ? await findAuthorizationServer(http, { issuer, isGuess: false })
      : { issuer, token_endpoint: checkedEndpoint('grant.identityProvider.tokenEndpoint', tokenEndpoint) }
  const secret = { ...(clientSecret !== undefined && { clientSecret }) }
  const method = chooseMethod(secret, authMethod, server.token_endpoint_auth_methods_supported)
  const answer = await endpoint.ask({
    server,
    credentials: { clientId, ...secret, method },
    grantType: TOKEN_EXCHANGE,
    parameters: {
      requested_token_type: ID_JAG,
      audience: subject.issuer,
      resource: subject.resource,
      subject_token: await suppliedBy('grant.identityProvider.identity', identity, subject),
      subject_token_type: IDENTITY_TYPES[identityType],
      ...(scopes.length > 0 && { scope: scopes.join(' ') }),
    },
    otherType: 'n_a',
  })
  if (answer.issuedType === ID_JAG) return answer.token
  throw new AuthError(
    'token_unusable',
    `The identity provider ${issuer} issued ${JSON.stringify(answer.issuedType)}, not ${ID_JAG}. ` +
      'Its administrator has to allow this client to act at ' +
      `${subject.issuer}.`,
  )
}

async function suppliedBy(
  name: string,
  source: string | ((subject: AssertionSubject) => string | Promise<string>),
  subject: AssertionSubject,
): Promise<string> {
  let text: unknown
  try {
    text = typeof source === 'string' ? source : await source(subject)
  } catch (error) {
    throw new AuthError('token_unusable', `The function ${name} threw; its error is the cause.`, { cause: error })
  }
  if (typeof text === 'string' && text !== '') return text
  throw new AuthError('token_unusable', `${name} must be a text, or a function that makes one, got ${typeof text}.`)
}
