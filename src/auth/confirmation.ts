/**
 * What a token is bound to beside its text: a key (DPoP) or a certificate (mutual TLS). A token with a binding that is
 * not understood here is refused rather than taken as a plain bearer token.
 *
 * Spec: RFC 7800, 3.1 (`cnf`); RFC 9449, 6.1 (`jkt`); RFC 8705, 3.1 (`x5t#S256`).
 */
import { isObject, type JsonObject } from '#protocol/json-rpc'
import type { AuthRequest } from './authenticator.ts'
import { type Fault, invalidToken } from './challenge.ts'

export interface Confirmation {
  /** Thumbprint of the DPoP key. */
  readonly jkt: string | undefined
  /** SHA-256 of the client's certificate, base64url. */
  readonly x5t: string | undefined
}

const FREE: Confirmation = { jkt: undefined, x5t: undefined }

/** The binding in `claims`; a fault when there is one that cannot be checked. */
export function confirmationOf(claims: JsonObject): Confirmation | Fault {
  const cnf = claims['cnf']
  if (cnf === undefined) return FREE
  const jkt = isObject(cnf) ? cnf['jkt'] : undefined
  const x5t = isObject(cnf) ? cnf['x5t#S256'] : undefined
  const isText = (value: unknown): value is string | undefined => value === undefined || typeof value === 'string'
  if (!isText(jkt) || !isText(x5t) || (jkt === undefined && x5t === undefined)) {
    return invalidToken('The access token is bound in a way that this server cannot check')
  }
  return { jkt, x5t }
}

/** What keeps a token that is bound to the certificate `x5t` from being used by this request. */
export function certificateFault(x5t: string, request: AuthRequest): Fault | undefined {
  const fingerprint = request.clientCertificate?.fingerprint256
  if (fingerprint === undefined)
    return invalidToken('The access token is bound to a certificate; the request shows none')
  return base64urlOf(fingerprint) === x5t
    ? undefined
    : invalidToken('The access token is bound to another certificate than the request shows')
}

/** Hexadecimal as Node and OpenSSL write it becomes base64url; other text stays. */
function base64urlOf(fingerprint: string): string {
  const digits = fingerprint.replaceAll(':', '')
  return /^[0-9a-f]{64}$/i.test(digits) ? Buffer.from(digits, 'hex').toString('base64url') : fingerprint
}
