/**
 * How a client proves to a token endpoint who it is: not at all (public clients), with a secret, or with a JWT that it signs.
 *
 * Spec: RFC 6749, 2.3.1; RFC 7523, 2.2; MCP extension oauth-client-credentials (SEP-1046).
 */
import { type CryptoKey, importJWK, importPKCS8, type JWK, SignJWT } from 'jose'
import type { ClientAuth } from 'oauth4webapi'
import { checkedAlgorithms } from '#auth/algorithms'
import { invalidOption } from '#auth/errors'
import type { Clock } from '#runtime/clock'
import type { Random } from '#runtime/random'

export type ClientAuthMethod = 'none' | 'client_secret_basic' | 'client_secret_post' | 'private_key_jwt'

/** How long an assertion of the client is good, in seconds. */
const ASSERTION_LIFETIME_S = 60
const JTI_BYTES = 16
const ASSERTION_TYPE = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'
/** The client id of a client that has none, and needs none: its assertion says who it is. Spec: RFC 7523, 3.1. */
export const ANONYMOUS = ''
const SECRET_METHODS = ['client_secret_basic', 'client_secret_post'] as const

export interface PrivateKeyOptions {
  /** PKCS #8 as PEM text, a private JWK, or a key of Web Crypto. */
  readonly key: string | JWK | CryptoKey
  /** Default: `alg` of the JWK, else ES256. */
  readonly algorithm?: string
  /** Told to the authorization server as `kid`, where it has several keys of this client. */
  readonly keyId?: string
}

/** A client as one authorization server knows it. */
export interface ClientCredentials {
  readonly clientId: string
  readonly clientSecret?: string
  readonly privateKey?: PrivateKeyOptions
  readonly method: ClientAuthMethod
}

/**
 * The method to use: `wanted`, else the first that fits what the client has and the server lists. Without a list, a client
 * with a secret uses basic. Spec: RFC 8414, 2.
 */
export function chooseMethod(
  { clientSecret, privateKey }: Pick<ClientCredentials, 'clientSecret' | 'privateKey'>,
  wanted: ClientAuthMethod | undefined,
  supported: readonly string[] | undefined,
): ClientAuthMethod {
  if (wanted !== undefined) return wanted
  if (privateKey !== undefined) return 'private_key_jwt'
  if (clientSecret === undefined) return 'none'
  if (supported === undefined) return 'client_secret_basic'
  return SECRET_METHODS.find((method) => supported.includes(method)) ?? 'none'
}

export function clientAuthOf(
  { clientId, clientSecret = '', privateKey, method }: ClientCredentials,
  clock: Pick<Clock, 'wallNow'>,
  random: Pick<Random, 'token'>,
): ClientAuth {
  return async ({ issuer }, _client, body, headers) => {
    if (method === 'client_secret_basic') {
      const pair = `${formEncoded(clientId)}:${formEncoded(clientSecret)}`
      headers.set('authorization', `Basic ${Buffer.from(pair).toString('base64')}`)
      return
    }
    if (clientId !== ANONYMOUS) body.set('client_id', clientId)
    if (method === 'client_secret_post') body.set('client_secret', clientSecret)
    if (method === 'private_key_jwt' && privateKey !== undefined) {
      const { key, algorithm } = await importedKey(privateKey)
      const nowS = Math.floor(clock.wallNow() / 1_000)
      const assertion = await new SignJWT({
        iss: clientId,
        sub: clientId,
        aud: issuer,
        jti: random.token(JTI_BYTES),
        iat: nowS,
        exp: nowS + ASSERTION_LIFETIME_S,
      })
        .setProtectedHeader({ alg: algorithm, ...(privateKey.keyId !== undefined && { kid: privateKey.keyId }) })
        .sign(key)
      body.set('client_assertion_type', ASSERTION_TYPE)
      body.set('client_assertion', assertion)
    }
  }
}

/** One value as RFC 6749 has it in basic credentials. Letters, digits and `-._*` stay, which most servers expect. */
function formEncoded(value: string): string {
  return new URLSearchParams([['', value]]).toString().slice(1)
}

async function importedKey({
  key,
  algorithm,
}: PrivateKeyOptions): Promise<{ readonly key: CryptoKey | Uint8Array; readonly algorithm: string }> {
  const alg = algorithm ?? (isJwk(key) ? key.alg : undefined) ?? 'ES256'
  checkedAlgorithms('client.privateKey.algorithm', [alg])
  if (isJwk(key)) return { key: await importJWK(key, alg), algorithm: alg }
  if (typeof key !== 'string') return { key, algorithm: alg }
  try {
    return { key: await importPKCS8(key, alg), algorithm: alg }
  } catch {
    // Not the cause: it might quote the key.
    throw invalidOption(`client.privateKey.key must be a private key for ${alg} as PKCS #8 PEM, a JWK or a CryptoKey`)
  }
}

const isJwk = (key: string | JWK | CryptoKey): key is JWK => typeof key === 'object' && 'kty' in key
