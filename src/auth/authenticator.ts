/**
 * The port between a transport that serves HTTP and whoever decides about its callers. The transport hands over what a
 * request says of itself and gets either the caller or the refusal to answer with; it never looks at a token.
 *
 * | the transport                                   | the authenticator                                    |
 * | ----------------------------------------------- | ---------------------------------------------------- |
 * | each request, before its body is read           | `authenticate`: the caller, or status and headers    |
 * | a tool wants more scopes than the caller has    | `challenge`: the 403 that tells the client to step up |
 * | GET of a well-known path                        | `metadata`: which paths, and the document            |
 *
 * Spec: MCP 2025-11-25 and 2026-07-28, basic/authorization; RFC 6750; RFC 9728.
 */
import type { ErrorObject } from '#protocol/errors'
import type { Principal } from './principal.ts'

export interface AuthRequest {
  readonly method: string
  /** Absolute, as the client addressed this server, with its query. */
  readonly url: string
  /** Lower-case names. A header that came more than once is an array: only so can doubled credentials be refused. */
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>
  /** The certificate that the client proved in the TLS handshake. */
  readonly clientCertificate?: {
    /** SHA-256 of the certificate: hexadecimal, with or without colons, or base64url as `x5t#S256` has it. */
    readonly fingerprint256: string
    readonly raw?: Uint8Array
  }
}

export interface AuthAcceptance {
  readonly ok: true
  readonly principal: Principal
  /** What the answer should carry, whatever it is: a newer `DPoP-Nonce`. */
  readonly headers?: Readonly<Record<string, string>>
}

export interface AuthRefusal {
  readonly ok: false
  readonly status: 400 | 401 | 403
  /** `WWW-Authenticate`, `Cache-Control`, and where they apply `DPoP-Nonce` and `Retry-After`. */
  readonly headers: Readonly<Record<string, string>>
  /** For the body: a JSON-RPC error with the OAuth error code in `data.error`. */
  readonly error: ErrorObject
}

export type AuthOutcome = AuthAcceptance | AuthRefusal

/** What an operation needs, and whose it is. */
export interface NeededScopes {
  /** All scopes of the operation at once: a client should not have to come back for the next. */
  readonly scopes: readonly string[]
  /** What the caller has; listed too, so that a client that asks for exactly these loses nothing. */
  readonly granted?: readonly string[]
  /** The request that is refused; it tells the scheme and the place of the metadata. */
  readonly request?: AuthRequest
}

export interface MetadataAnswer {
  /** Paths on this host where the document is served: the one with the endpoint's path inserted first, then the root. */
  readonly paths: readonly string[]
  readonly document: object
}

export interface Authenticator {
  /** Says who calls. Returns no promise where none is needed; never rejects. */
  authenticate(request: AuthRequest): AuthOutcome | Promise<AuthOutcome>
  /** 403 `insufficient_scope`. Spec: MCP 2026-07-28, basic/authorization, scope challenge handling. */
  challenge(needed: NeededScopes): AuthRefusal
  /** The protected-resource metadata of the endpoint at `resourceUrl` (absolute). Spec: RFC 9728. */
  metadata(resourceUrl: string): MetadataAnswer | undefined
  /** Ends what is under way, such as requests to an issuer. */
  close?(): void
}
