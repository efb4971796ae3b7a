/**
 * Asks a token endpoint for a token: one way for every grant. A DPoP nonce that the server wants is sent in a second try; every
 * other refusal is final, and told with its code.
 *
 * Spec: RFC 6749, 5; RFC 8707, 2.2; RFC 9449, 5 and 8.
 */
import {
  type AuthorizationServer,
  allowInsecureRequests,
  customFetch,
  genericTokenEndpointRequest,
  processGenericTokenEndpointResponse,
  ResponseBodyError,
} from 'oauth4webapi'
import { AuthError } from '#auth/errors'
import { scopesOf } from '#auth/scopes'
import type { Clock } from '#runtime/clock'
import type { Random } from '#runtime/random'
import { type ClientCredentials, clientAuthOf } from './client-authentication.ts'
import { type DpopKey, nonceOf } from './dpop-key.ts'
import { oauthErrorOf, TokenRefusal, tellRefusal } from './errors.ts'
import { bare, type Http, objectOf } from './http.ts'

/** Longest token that is taken, in characters. */
export const TOKEN_LENGTH_MAX = 16_384
/** Requests for one token: the first, and one with the nonce that the server wants. */
const REQUESTS_MAX = 2
/** Authorization servers whose nonces are remembered. */
const NONCES_MAX = 16
/** What may stand in a header. Spec: RFC 6750, 2.1, and a little more. */
const TOKEN = /^[\x21-\x7e]+$/
/** Parameters that no error may repeat. */
const SECRET_PARAMETERS = [
  'assertion',
  'client_assertion',
  'client_secret',
  'code',
  'code_verifier',
  'refresh_token',
  'subject_token',
]

export interface TokenRequest {
  readonly server: AuthorizationServer
  readonly credentials: ClientCredentials
  readonly grantType: string
  readonly parameters: Readonly<Record<string, string>>
  /** The key to bind the token to. */
  readonly dpop?: DpopKey | undefined
  /** Where a token that is no access token is asked for: its `token_type`, in lower case. */
  readonly otherType?: string
}

export interface TokenAnswer {
  readonly token: string
  /** 'bearer', 'dpop', or the `otherType` that was asked for. */
  readonly type: string
  readonly expiresInS?: number
  readonly scopes?: readonly string[]
  readonly refreshToken?: string
  readonly issuedType?: string
}

export class TokenEndpoint {
  readonly #http: Http
  readonly #clock: Pick<Clock, 'wallNow'>
  readonly #random: Pick<Random, 'token'>
  readonly #nonces = new Map<string, string>()

  constructor(http: Http, clock: Pick<Clock, 'wallNow'>, random: Pick<Random, 'token'>) {
    this.#http = http
    this.#clock = clock
    this.#random = random
  }

  /** Rejects with `AuthError` `token_refused` (a `TokenRefusal`), `token_unusable` or `issuer_unavailable`. */
  async ask(request: TokenRequest): Promise<TokenAnswer> {
    for (let tries = 1; ; tries++) {
      try {
        return await this.#askOnce(request)
      } catch (error) {
        const wantsNonce = error instanceof TokenRefusal && error.error === 'use_dpop_nonce'
        if (!wantsNonce || request.dpop === undefined || tries === REQUESTS_MAX) throw error
      }
    }
  }

  async #askOnce({ server, credentials, grantType, parameters, dpop, otherType }: TokenRequest): Promise<TokenAnswer> {
    const url = server.token_endpoint ?? ''
    // The library wants an id; what is sent is up to `clientAuthOf`.
    const client = { client_id: credentials.clientId || 'anonymous' }
    const secrets = [credentials.clientSecret ?? '']
    const send = async (_: string, { body, headers }: { body: URLSearchParams; headers: Record<string, string> }) => {
      secrets.push(...SECRET_PARAMETERS.map((name) => body.get(name) ?? ''))
      const nonce = this.#nonces.get(url)
      const proof = await dpop?.proof({ method: 'POST', url, nonce })
      const {
        status,
        headers: answered,
        text,
      } = await this.#http.send(url, {
        method: 'POST',
        // As text, so that any `fetch` takes it and a second try can send it again.
        body: body.toString(),
        headers: { ...headers, ...(proof !== undefined && { dpop: proof }) },
      })
      this.#remember(url, nonceOf(answered))
      if (status >= 500 || status === 429) {
        throw new AuthError('issuer_unavailable', `${bare(url)} answered ${status}. Try again later.`)
      }
      // What nobody reads is not checked either: an ID token is for clients that sign users in.
      const { id_token: _unread, ...read } = objectOf(text) ?? {}
      return Response.json(read, { status: status === 201 ? 200 : status })
    }
    try {
      const response = await genericTokenEndpointRequest(
        server,
        client,
        clientAuthOf(credentials, this.#clock, this.#random),
        grantType,
        { ...parameters },
        // Endpoints were checked when they were found: http is for this machine only.
        { [allowInsecureRequests]: true, [customFetch]: send },
      )
      const recognizedTokenTypes = otherType === undefined ? {} : { [otherType]: () => undefined }
      const answer = await processGenericTokenEndpointResponse(server, client, response, { recognizedTokenTypes })
      const { access_token: token, token_type: type, expires_in, scope, refresh_token, issued_token_type } = answer
      return {
        token: usableToken(url, token),
        type,
        ...(expires_in !== undefined && { expiresInS: expires_in }),
        ...(scope !== undefined && { scopes: scopesOf({ scope }) }),
        ...(refresh_token !== undefined && { refreshToken: usableToken(url, refresh_token) }),
        ...(typeof issued_token_type === 'string' && { issuedType: issued_token_type }),
      }
    } catch (error) {
      throw told(url, error, secrets)
    }
  }

  #remember(url: string, nonce: string | undefined): void {
    if (nonce === undefined) return
    if (this.#nonces.size >= NONCES_MAX) this.#nonces.clear()
    this.#nonces.set(url, nonce)
  }
}

/** The error without its causes, which hold requests and answers. */
function told(url: string, error: unknown, secrets: readonly string[]): AuthError {
  if (error instanceof AuthError) return error
  if (error instanceof ResponseBodyError) {
    const told = oauthErrorOf({ error: error.error })
    const code = told === undefined || secrets.includes(told) ? 'unknown_error' : told
    return new TokenRefusal(code, `${bare(url)} refused: ${tellRefusal(code, error.error_description, secrets)}.`)
  }
  const why = error instanceof Error ? error.message : 'it could not be read'
  return new AuthError('token_unusable', `${bare(url)} answered no usable token: ${why}.`)
}

function usableToken(url: string, token: string): string {
  if (token.length <= TOKEN_LENGTH_MAX && TOKEN.test(token)) return token
  throw new AuthError(
    'token_unusable',
    `${bare(url)} answered a token that no header can hold: ${token.length} characters, of which at most ` +
      `${TOKEN_LENGTH_MAX} may come, and only printable ASCII without space.`,
  )
}
