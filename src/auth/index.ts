/** Authorization, the resource server's side and the client's: names only. */
export { SIGNING_ALGORITHMS } from './algorithms.ts'
export type {
  AuthAcceptance,
  Authenticator,
  AuthOutcome,
  AuthRefusal,
  AuthRequest,
  MetadataAnswer,
  NeededScopes,
} from './authenticator.ts'
export { canonicalJson, digestOf } from './canonical-json.ts'
export { type AuthStore, memoryAuthStore } from './client/auth-store.ts'
export {
  type Authorization,
  type AuthorizationHeaders,
  createAuthorization,
  type RefusedRequest,
} from './client/authorization.ts'
export type { ClientAuthMethod, PrivateKeyOptions } from './client/client-authentication.ts'
export { type ClientAuthErrorCode, TokenRefusal } from './client/errors.ts'
export { fileAuthStore } from './client/file-auth-store.ts'
export { type LoopbackOptions, loopbackRedirect } from './client/loopback-redirect.ts'
export type {
  AssertionSubject,
  AuthorizationOptions,
  ClientOptions,
  GrantOptions,
  IdentityProviderOptions,
  Redirect,
  RegistrationOptions,
} from './client/options.ts'
export { customVerifier, type TokenVerifier } from './custom-verifier.ts'
export { type DpopOptions, PROOF_WINDOW_S, PROOFS_MAX } from './dpop.ts'
export { AuthError, type AuthErrorCode } from './errors.ts'
export type { Fetch } from './fetch-json.ts'
export type { ProtectionOptions } from './gate.ts'
export { type JwtBearerOptions, jwtBearer } from './jwt-bearer.ts'
export type { JwtIssuerOptions, PrincipalMapper } from './jwt-issuer.ts'
export type { Principal } from './principal.ts'
export {
  type Binding,
  createSealer,
  type OpenedState,
  type RefusedState,
  type Sealer,
  type SealerOptions,
  type SealingKey,
  STATE_LENGTH_MAX,
} from './sealed-state.ts'
export { type StaticPrincipal, type StaticTokenOptions, staticTokens } from './static-tokens.ts'
export { type TokenIntrospectionOptions, tokenIntrospection } from './token-introspection.ts'
