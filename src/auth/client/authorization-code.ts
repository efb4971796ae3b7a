/**
 * Asks a user: sends the browser to the authorization server, takes what it comes back with, and checks that it is the
 * answer of that authorization server to that question, before the code goes anywhere.
 *
 * Spec: MCP 2026-07-28, basic/authorization, authorization response validation; OAuth 2.1, 4.1; RFC 7636; RFC 8707; RFC 9207.
 */
import {
  AuthorizationResponseError,
  type AuthorizationServer,
  calculatePKCECodeChallenge,
  validateAuthResponse,
} from 'oauth4webapi'
import { AuthError } from '#auth/errors'
import type { Clock } from '#runtime/clock'
import type { Random } from '#runtime/random'
import type { DpopKey } from './dpop-key.ts'
import { oauthErrorOf, tellRefusal } from './errors.ts'
import type { Redirect } from './options.ts'
import { isOffline } from './wanted-scopes.ts'

/** How long a user may take by default, in milliseconds. */
export const USER_TIMEOUT_MS = 300_000
/** Longest URL that is taken back from a browser, in characters. */
const RESULT_LENGTH_MAX = 16_384
const SECRET_BYTES = 32

export interface Question {
  readonly server: AuthorizationServer
  readonly clientId: string
  readonly redirectUri: string
  readonly resource: string
  readonly scopes: readonly string[]
  readonly dpop: DpopKey | undefined
}

export interface Asking {
  readonly redirect: Redirect
  readonly timeoutMs: number
  readonly clock: Pick<Clock, 'setTimer' | 'clearTimer'>
  readonly random: Pick<Random, 'token'>
  readonly signal: AbortSignal
}

/**
 * Resolves to the parameters that redeem the code. Rejects with `AuthError` `pkce_unsupported`, `authorization_denied`,
 * `authorization_invalid` or `authorization_ended`.
 */
export async function askUser(question: Question, asking: Asking): Promise<Record<string, string>> {
  const { server, clientId, redirectUri, resource, scopes, dpop } = question
  if (!server.code_challenge_methods_supported?.includes('S256')) {
    throw new AuthError(
      'pkce_unsupported',
      `The authorization server ${server.issuer} does not say that it supports PKCE with S256 ` +
        `(code_challenge_methods_supported is ${JSON.stringify(server.code_challenge_methods_supported)}), ` +
        'without which a stolen code could be used.',
    )
  }
  if (server.authorization_endpoint === undefined) {
    throw new AuthError('issuer_unusable', `The metadata of ${server.issuer} names no authorization_endpoint.`)
  }
  // Both, with the issuer of `server`, live in this call alone: no other answer can be taken for this one.
  const verifier = asking.random.token(SECRET_BYTES)
  const state = asking.random.token(SECRET_BYTES)
  const url = new URL(server.authorization_endpoint)
  const parameters = {
    response_type: 'code',
    client_id: clientId,
    redirect_uri: redirectUri,
    state,
    code_challenge: await calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
    resource,
    ...(scopes.length > 0 && { scope: scopes.join(' ') }),
    // Spec: OpenID Connect Core, 11: without it a request for offline access is ignored.
    ...(isOffline(scopes) && { prompt: 'consent' }),
    ...(dpop !== undefined && { dpop_jkt: await dpop.thumbprint() }),
  }
  for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value)
  const answer = checkedAnswer(await answerOf(url, asking), server, clientId, state)
  return { code: answer, redirect_uri: redirectUri, code_verifier: verifier, resource }
}

async function answerOf(url: URL, { redirect, timeoutMs, clock, signal: ending }: Asking): Promise<URL> {
  const controller = new AbortController()
  const end = (): void => controller.abort()
  const ended = new Promise<never>((_, reject) => {
    controller.signal.addEventListener('abort', () => {
      const why = ending.aborted ? 'it was closed' : `nobody came back within ${timeoutMs} ms`
      reject(new AuthError('authorization_ended', `The authorization at ${url.origin} ended: ${why}.`))
    })
  })
  ending.addEventListener('abort', end)
  const timer = clock.setTimer(end, timeoutMs)
  let result: unknown
  try {
    result = await Promise.race([redirect.authorize(url, controller.signal), ended])
  } catch (error) {
    if (error instanceof AuthError) throw error
    throw new AuthError('authorization_ended', 'The option redirect.authorize threw; its error is the cause.', {
      cause: error,
    })
  } finally {
    clock.clearTimer(timer)
    ending.removeEventListener('abort', end)
  }
  const text = String(result)
  if (text.length <= RESULT_LENGTH_MAX && URL.canParse(text)) return new URL(text)
  throw new AuthError(
    'authorization_invalid',
    `redirect.authorize must resolve to the URL that the browser was sent back to, at most ${RESULT_LENGTH_MAX} ` +
      `characters long; it was none, ${text.length} characters long.`,
  )
}

/** The code. The issuer is compared first: an error of somebody else is neither acted upon nor told. */
function checkedAnswer(answer: URL, server: AuthorizationServer, clientId: string, state: string): string {
  const { searchParams } = answer
  try {
    // An empty `iss` is present, and no issuer.
    if (searchParams.has('iss') && searchParams.get('iss') !== server.issuer) throw new Error('another "iss" came back')
    const code = validateAuthResponse(server, { client_id: clientId }, searchParams, state).get('code')
    if (code !== null && code !== '') return code
    throw new Error('it holds no code')
  } catch (error) {
    if (error instanceof AuthorizationResponseError) {
      const code = oauthErrorOf({ error: error.error }) ?? 'unknown_error'
      throw new AuthError(
        'authorization_denied',
        `The authorization server ${server.issuer} said no: ${tellRefusal(code, error.error_description, [state])}.`,
      )
    }
    const why = error instanceof Error ? error.message : 'it could not be read'
    throw new AuthError(
      'authorization_invalid',
      `What the browser came back with is not the answer of ${server.issuer} to this authorization: ${why}. ` +
        'It was thrown away; begin again, and if it happens again suspect an attack.',
    )
  }
}
