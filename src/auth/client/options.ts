/** What an OAuth client is told by its user, and the checks of it. */
import { invalidOption } from '#auth/errors'
import type { Fetch } from '#auth/fetch-json'
import { checkedScopes } from '#auth/scopes'
import { canonicalUrl, checkedIssuer, isSafeUrl } from '#auth/urls'
import type { Clock } from '#runtime/clock'
import type { Random } from '#runtime/random'
import type { AuthStore } from './auth-store.ts'
import type { ClientAuthMethod, PrivateKeyOptions } from './client-authentication.ts'

/**
 * Who the client is. Of what is given, the first that can be used is: `clientId`; `metadataUrl`, where the authorization server
 * supports such; registration, where it offers that. Spec: MCP 2026-07-28, basic/authorization/client-registration.
 */
export interface ClientOptions {
  /** An id that the authorization server has given to this client beforehand. */
  readonly clientId?: string
  readonly clientSecret?: string
  readonly privateKey?: PrivateKeyOptions
  /** Default: what fits the secret or key and what the authorization server lists. */
  readonly authMethod?: ClientAuthMethod
  /**
   * The authorization server that `clientId` is for. Credentials go to no other. Default: the one that the server names when
   * it is first asked; a change after that is an error.
   */
  readonly issuer?: string
  /** https URL of this client's metadata document, which is its id. */
  readonly metadataUrl?: string
  /** What to register with, or false to never register. Default: as 'bough', a native application. */
  readonly register?: RegistrationOptions | false
}

export interface RegistrationOptions {
  /** Shown to users who are asked. Default 'bough'. */
  readonly clientName?: string
  readonly clientUri?: string
  /** Default 'native' where the redirect URI is on this machine, else 'web'. */
  readonly applicationType?: 'native' | 'web'
  /** Sent as they stand, and win: `contacts`, `logo_uri`, `software_id`, ... */
  readonly metadata?: Readonly<Record<string, unknown>>
}

/** How a user is asked, and how the answer comes back. */
export interface Redirect {
  /** Where the browser is sent back to: https, or on this machine. A function may make it ready first. */
  readonly uri: string | (() => string | Promise<string>)
  /** Shows the page at `url` to the user. Resolves to the URL that the browser was sent back to, as it came. */
  authorize(url: URL, signal: AbortSignal): Promise<URL | string>
  /** The authorization is over, `authorize` called or not. */
  close?(): void
}

/** What a workload or an identity provider is asked for an assertion with. */
export interface AssertionSubject {
  /** The authorization server: what the assertion's audience must be. */
  readonly issuer: string
  readonly tokenEndpoint: string
  readonly resource: string
}

/** The way to a token. */
export type GrantOptions =
  /** A user is asked. */
  | { readonly type: 'authorization_code' }
  /** The client is trusted for itself. */
  | { readonly type: 'client_credentials' }
  /** A workload shows the token of its platform. Spec: RFC 7523, 2.1; SEP-1933. */
  | {
      readonly type: 'jwt-bearer'
      readonly assertion: string | ((subject: AssertionSubject) => string | Promise<string>)
    }
  /** The identity provider of an organisation decides. Spec: MCP extension enterprise-managed-authorization (SEP-990). */
  | { readonly type: 'enterprise-managed'; readonly identityProvider: IdentityProviderOptions }

export interface IdentityProviderOptions {
  readonly issuer: string
  /** Default: as the metadata of `issuer` says. */
  readonly tokenEndpoint?: string
  /** This client, as the identity provider knows it. */
  readonly clientId: string
  readonly clientSecret?: string
  readonly authMethod?: ClientAuthMethod
  /** The assertion of the user's sign-in. Asked for whenever a token is needed. */
  readonly identity: string | (() => string | Promise<string>)
  /** Default 'id_token'. */
  readonly identityType?: 'id_token' | 'saml2'
}

export interface AuthorizationOptions {
  /** URL of the MCP endpoint. Tokens go to its origin and nowhere else. */
  readonly resource: string | URL
  readonly client?: ClientOptions
  /** Needed where a user has to be asked. */
  readonly redirect?: Redirect
  /** Default `{ type: 'authorization_code' }`. */
  readonly grant?: GrantOptions
  /** Default: a `memoryAuthStore`. */
  readonly store?: AuthStore
  /** Always asked for, and the only ones where the challenge names none. Default: what challenge or metadata name. */
  readonly scopes?: readonly string[]
  /** Whether to ask for `offline_access` where the authorization server lists it, for a refresh token. Default true. */
  readonly offlineAccess?: boolean
  /** Tokens bound to a key: never, always, or where both server and authorization server offer it. Default 'auto'. */
  readonly dpop?: boolean | 'auto'
  /** Default: the global `fetch`. */
  readonly fetch?: Fetch
  /** For one answer, in milliseconds. Default `ANSWER_TIMEOUT_MS`. */
  readonly fetchTimeoutMs?: number
  /** For a user to come back, in milliseconds. Default `USER_TIMEOUT_MS`. */
  readonly userTimeoutMs?: number
  readonly clock?: Pick<Clock, 'wallNow' | 'setTimer' | 'clearTimer'>
  readonly random?: Pick<Random, 'token'>
}

/** The endpoint's URL without its fragment. Throws `AuthError` `invalid_option` for options that cannot work. */
export function checkedEndpointUrl({ resource, client = {}, grant, scopes }: AuthorizationOptions): string {
  const url = String(resource)
  if (!isSafeUrl(url) || canonicalUrl(url) === undefined) {
    throw invalidOption(
      `resource must be an https URL (http only on loopback) without a user, got ${JSON.stringify(url)}`,
    )
  }
  const { clientId, metadataUrl, issuer, authMethod, clientSecret, privateKey } = client
  if (issuer !== undefined) checkedIssuer(issuer)
  if (metadataUrl !== undefined && !isMetadataUrl(metadataUrl)) {
    throw invalidOption(`client.metadataUrl must be an https URL with a path, got ${JSON.stringify(metadataUrl)}`)
  }
  if (scopes !== undefined) checkedScopes('scopes', scopes)
  if (
    clientId === undefined &&
    (clientSecret !== undefined || (privateKey !== undefined && metadataUrl === undefined))
  ) {
    throw invalidOption('client.clientSecret and client.privateKey need client.clientId')
  }
  const isShort =
    ((authMethod === 'client_secret_basic' || authMethod === 'client_secret_post') && clientSecret === undefined) ||
    (authMethod === 'private_key_jwt' && privateKey === undefined)
  if (isShort) throw invalidOption(`client.authMethod ${authMethod} needs client.clientSecret or client.privateKey`)
  if (grant?.type === 'client_credentials' && clientSecret === undefined && privateKey === undefined) {
    throw invalidOption(
      'the grant client_credentials needs client.clientId with client.clientSecret or client.privateKey',
    )
  }
  if (grant?.type === 'enterprise-managed') {
    checkedIssuer(grant.identityProvider.issuer)
    if (clientId === undefined) throw invalidOption('the grant enterprise-managed needs client.clientId')
  }
  return url.split('#', 1)[0] ?? url
}

function isMetadataUrl(text: string): boolean {
  if (!URL.canParse(text)) return false
  const { protocol, pathname, hash, username } = new URL(text)
  return protocol === 'https:' && pathname !== '/' && hash === '' && username === ''
}
