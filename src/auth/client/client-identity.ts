/**
 * Who the client is for an authorization server: known beforehand, known by the URL of its metadata, or registered there and
 * then. What one authorization server has given out is kept under its name and shown to no other.
 *
 * Spec: MCP 2026-07-28, basic/authorization/client-registration; RFC 7591; OAuth Client ID Metadata Document, draft 00.
 */
import type { AuthorizationServer } from 'oauth4webapi'
import { AuthError } from '#auth/errors'
import { isLoopbackUrl } from '#auth/urls'
import type { JsonObject } from '#protocol/json-rpc'
import type { Clock } from '#runtime/clock'
import type { AuthStore } from './auth-store.ts'
import { type ClientAuthMethod, type ClientCredentials, chooseMethod } from './client-authentication.ts'
import { oauthErrorOf, tellRefusal } from './errors.ts'
import { bare, type Http, objectOf } from './http.ts'
import type { ClientOptions, RegistrationOptions } from './options.ts'

/** Methods to register with, best first: a program on a user's machine keeps no secret. */
const REGISTERED_METHODS = ['none', 'client_secret_basic', 'client_secret_post'] as const
const ID_LENGTH_MAX = 2_048
const NAME_DEFAULT = 'bough'

export class ClientIdentity {
  readonly #options: ClientOptions
  readonly #http: Http
  readonly #store: AuthStore
  readonly #clock: Pick<Clock, 'wallNow'>

  constructor(options: ClientOptions, http: Http, store: AuthStore, clock: Pick<Clock, 'wallNow'>) {
    this.#options = options
    this.#http = http
    this.#store = store
    this.#clock = clock
  }

  /**
   * Resolves to the credentials that there are for `server`, or to undefined. `boundTo` is the authorization server that
   * credentials without `issuer` were used with before. Rejects with `AuthError` `issuer_changed`.
   */
  async known(
    server: AuthorizationServer,
    boundTo: string | undefined,
    redirectUri?: string,
  ): Promise<ClientCredentials | undefined> {
    const { clientId, clientSecret, privateKey, authMethod, metadataUrl } = this.#options
    const secrets = { ...(clientSecret !== undefined && { clientSecret }), ...(privateKey && { privateKey }) }
    const method = chooseMethod(secrets, authMethod, server.token_endpoint_auth_methods_supported)
    if (clientId !== undefined) {
      const owner = this.#options.issuer ?? boundTo
      if (owner !== undefined && owner !== server.issuer) throw issuerChanged(owner, server.issuer)
      return { clientId, ...secrets, method }
    }
    if (metadataUrl !== undefined && server.client_id_metadata_document_supported === true) {
      return { clientId: metadataUrl, ...secrets, method }
    }
    return await this.#stored(server.issuer, redirectUri)
  }

  /** The same, registering the client where it has to be. Rejects with `AuthError` `no_client` or `registration_failed` too. */
  async obtain(
    server: AuthorizationServer,
    boundTo: string | undefined,
    redirectUri: string,
    needsDpop: boolean,
  ): Promise<ClientCredentials> {
    const known = await this.known(server, boundTo, redirectUri)
    if (known !== undefined) return known
    const { register = {}, metadataUrl } = this.#options
    if (register !== false && server.registration_endpoint !== undefined) {
      return await this.#register(server, redirectUri, needsDpop, register)
    }
    const how = server.registration_endpoint === undefined ? 'registers none' : 'was not to be asked to register it'
    throw new AuthError(
      'no_client',
      `The authorization server ${server.issuer} knows this client by no name: it ${how}` +
        `${metadataUrl === undefined ? '' : ' and supports no metadata URLs'}. ` +
        'Register the client there by hand and configure client.clientId.',
    )
  }

  /** Forgets what `issuer` has given out, because it does not know it any more. False where nothing was. */
  async forget(issuer: string): Promise<boolean> {
    const had = (await this.#store.get(keyOf(issuer))) !== undefined
    if (had) await this.#store.delete(keyOf(issuer))
    return had && this.#options.clientId === undefined
  }

  async #stored(issuer: string, redirectUri: string | undefined): Promise<ClientCredentials | undefined> {
    const record = await this.#store.get(keyOf(issuer))
    if (record === undefined) return undefined
    const { clientId, clientSecret, method, secretExpiresAtMs } = record
    if (typeof clientId !== 'string' || !isMethod(method)) return undefined
    if (typeof secretExpiresAtMs === 'number' && secretExpiresAtMs <= this.#clock.wallNow()) return undefined
    // Registered with another address, it would be refused in front of the user.
    if (redirectUri !== undefined && record['redirectUri'] !== redirectUri) return undefined
    return { clientId, method, ...(typeof clientSecret === 'string' && { clientSecret }) }
  }

  async #register(
    server: AuthorizationServer,
    redirectUri: string,
    needsDpop: boolean,
    options: RegistrationOptions,
  ): Promise<ClientCredentials> {
    const url = server.registration_endpoint ?? ''
    const supported = server.token_endpoint_auth_methods_supported
    const canRefresh = server.grant_types_supported?.includes('refresh_token') ?? true
    const method = REGISTERED_METHODS.find((one) => supported?.includes(one) ?? true) ?? 'none'
    const answer = await this.#http.send(url, {
      method: 'POST',
      headers: { accept: 'application/json', 'content-type': 'application/json' },
      body: JSON.stringify({
        client_name: options.clientName ?? NAME_DEFAULT,
        ...(options.clientUri !== undefined && { client_uri: options.clientUri }),
        application_type: options.applicationType ?? applicationTypeOf(redirectUri),
        redirect_uris: [redirectUri],
        grant_types: ['authorization_code', ...(canRefresh ? ['refresh_token'] : [])],
        response_types: ['code'],
        token_endpoint_auth_method: method,
        ...(needsDpop && { dpop_bound_access_tokens: true }),
        ...options.metadata,
      }),
    })
    const body = objectOf(answer.text)
    const clientId = body?.['client_id']
    const isDone = answer.status === 201 || answer.status === 200
    if (!isDone || typeof clientId !== 'string' || clientId === '' || clientId.length > ID_LENGTH_MAX) {
      const error = oauthErrorOf(body)
      const why = error === undefined ? `it answered ${answer.status}` : tellRefusal(error, body?.['error_description'])
      throw new AuthError(
        'registration_failed',
        `${bare(url)} did not register this client with the redirect URI ${JSON.stringify(redirectUri)}: ${why}. ` +
          'Another redirect URI or client.register.applicationType may help; else register it by hand and configure ' +
          'client.clientId.',
      )
    }
    return await this.#keep(server, clientId, body ?? {}, redirectUri)
  }

  async #keep(
    server: AuthorizationServer,
    clientId: string,
    body: JsonObject,
    redirectUri: string,
  ): Promise<ClientCredentials> {
    const secret = body['client_secret']
    const given = typeof secret === 'string' && secret !== '' ? { clientSecret: secret } : {}
    const told = body['token_endpoint_auth_method']
    const method = isMethod(told) ? told : chooseMethod(given, undefined, server.token_endpoint_auth_methods_supported)
    const expiresAtS = body['client_secret_expires_at']
    const credentials = { clientId, ...given, method }
    await this.#store.set(keyOf(server.issuer), {
      ...credentials,
      redirectUri,
      // 0 stands for never. Spec: RFC 7591, 3.2.1.
      ...(typeof expiresAtS === 'number' && expiresAtS > 0 && { secretExpiresAtMs: expiresAtS * 1_000 }),
    })
    return credentials
  }
}

const keyOf = (issuer: string): string => `client ${issuer}`

const isMethod = (value: unknown): value is Exclude<ClientAuthMethod, 'private_key_jwt'> =>
  REGISTERED_METHODS.some((method) => method === value)

function applicationTypeOf(redirectUri: string): 'native' | 'web' {
  return redirectUri.startsWith('https:') && !isLoopbackUrl(redirectUri) ? 'web' : 'native'
}

function issuerChanged(owner: string, issuer: string): AuthError {
  return new AuthError(
    'issuer_changed',
    `client.clientId is for the authorization server ${owner}, but the server now names ${issuer}. Credentials are never ` +
      'shown to another one: check that the change is meant, and configure the id that the new one gave out.',
  )
}
