/**
 * What can go wrong for an OAuth client, as codes of `AuthError`, and how a refusal of an authorization server is told: with
 * its code and its words, and without anything that the request had to keep secret.
 */
import { AuthError } from '#auth/errors'
import type { JsonObject } from '#protocol/json-rpc'

export type ClientAuthErrorCode =
  /** The server's metadata (RFC 9728) cannot be had, or cannot be used. */
  | 'resource_unusable'
  /** The metadata is that of another resource than the one that was asked. */
  | 'resource_mismatch'
  /** The client's credentials are for another authorization server than the server names now. */
  | 'issuer_changed'
  /** The authorization server does not say that it supports PKCE with S256. */
  | 'pkce_unsupported'
  /** A key-bound token was demanded, and the authorization server makes none. */
  | 'dpop_unsupported'
  /** There is no client id to be had: none was configured, and the authorization server offers no registration. */
  | 'no_client'
  /** The authorization server refused to register the client. */
  | 'registration_failed'
  /** A user would have to be asked, and no `redirect` was configured to do so. */
  | 'no_redirect'
  /** The user, or the authorization server for the user, said no. */
  | 'authorization_denied'
  /** What came back from the browser is not the answer to what was asked: `state` or `iss` is wrong, or there is no code. */
  | 'authorization_invalid'
  /** The user did not come back in time, or it was closed meanwhile. */
  | 'authorization_ended'
  /** The token endpoint refused; `TokenRefusal` has its error code. */
  | 'token_refused'
  /** The token endpoint answered something that is no usable token. */
  | 'token_unusable'
  /** The server goes on refusing tokens that were made as it asked. */
  | 'too_many_tries'
  /** The store threw, or holds what cannot be read. */
  | 'store_failed'

/** Characters of an error description that are told. */
const DESCRIPTION_LENGTH_MAX = 200
const ERROR_CODE = /^[a-z0-9_.-]{1,64}$/i
const UNPRINTABLE = /[^\x20-\x7e\u00a0-\uffff]/g

/** The token endpoint said no, with an error code of RFC 6749, 5.2. */
export class TokenRefusal extends AuthError {
  /** 'invalid_grant', 'invalid_client', 'invalid_scope', ... */
  readonly error: string
  constructor(error: string, message: string) {
    super('token_refused', message)
    this.error = error
  }
}

/** The error code of an OAuth error body, or undefined when it has none that is one. */
export function oauthErrorOf(body: JsonObject | undefined): string | undefined {
  const error = body?.['error']
  return typeof error === 'string' && ERROR_CODE.test(error) ? error : undefined
}

/** `invalid_grant (the code is too old)`: what an OAuth error says, with every one of `secrets` blotted out. */
export function tellRefusal(error: string, description: unknown, secrets: readonly string[] = []): string {
  if (typeof description !== 'string' || description === '') return error
  let text = description
  for (const secret of secrets) if (secret !== '') text = text.replaceAll(secret, '***')
  return `${error} (${text.replace(UNPRINTABLE, ' ').slice(0, DESCRIPTION_LENGTH_MAX)})`
}
