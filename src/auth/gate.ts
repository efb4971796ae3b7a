/**
 * The way of every request through authorization, the same for all kinds of tokens. A maker brings the one thing that
 * differs, `verify`; the gate reads the credentials, checks bindings and scopes, and writes refusals.
 *
 *     credentials -> verify -> bound to a certificate? -> bound to a key? -> scopes -> principal
 *
 * Where `verify` answers at once and nothing is bound to a key, the outcome is no promise.
 */
import type { JsonObject } from '#protocol/json-rpc'
import { type Clock, realClock } from '#runtime/clock'
import { type Random, realRandom } from '#runtime/random'
import type {
  AuthAcceptance,
  Authenticator,
  AuthOutcome,
  AuthRefusal,
  AuthRequest,
  MetadataAnswer,
  NeededScopes,
} from './authenticator.ts'
import { Fault, fault, invalidToken, refusal } from './challenge.ts'
import { certificateFault, confirmationOf } from './confirmation.ts'
import { readCredentials, type Scheme, schemeOfRequest } from './credentials.ts'
import { type DpopOptions, ProofChecker } from './dpop.ts'
import { AuthError, invalidOption } from './errors.ts'
import type { Principal } from './principal.ts'
import { checkedScopes, expandScopes, type ImpliedScopes, missingScopes, quotableScopes } from './scopes.ts'
import { canonicalIdentifier, canonicalUrl, checkedIssuer, metadataPathOf, metadataUrlOf } from './urls.ts'

/** Options that every maker takes. */
export interface ProtectionOptions {
  /**
   * The public URL of the endpoint, as clients know it: what metadata tells and tokens must be for. Default: the URL that
   * the request was sent to. Set it behind a proxy.
   */
  readonly resource?: string
  /** Scopes that every request needs; challenges list them. Default none. */
  readonly requiredScopes?: readonly string[]
  /** Scopes that the metadata lists: the least that is useful. Default `requiredScopes`. */
  readonly scopesSupported?: readonly string[]
  /** Wide scopes and the narrower ones that each includes: `{ 'files:write': ['files:read'] }`. Default none. */
  readonly impliedScopes?: ImpliedScopes
  /** Issuers that the metadata names. Default: those that the maker knows, else the origin of the resource. */
  readonly authorizationServers?: readonly string[]
  /** A name and a page for people, in the metadata. */
  readonly resourceName?: string
  readonly resourceDocumentation?: string
  /**
   * 'allowed': tokens that are bound to a key need a proof, others do not. 'required': all do. false: bound tokens are
   * refused. Default 'allowed'.
   */
  readonly dpop?: false | 'allowed' | 'required' | DpopOptions
  readonly clock?: Pick<Clock, 'wallNow' | 'setTimer' | 'clearTimer'>
  readonly random?: Pick<Random, 'token'>
  /** Hears why tokens could not be checked (an issuer is down, a verifier threw); for the log. Errors hold no tokens. */
  readonly onError?: (error: AuthError) => void
}

/** A token that was found to be good. */
export interface Grant {
  readonly principal: Principal
  /** What the token says, for its bindings; `principal.claims` may be less. */
  readonly claims: JsonObject
}

export interface Verification {
  readonly token: string
  readonly request: AuthRequest
  /** The canonical URL of the endpoint. */
  readonly resource: string
}

export type Verdict = Grant | Fault
/** Says whose token it is. A rejection means that it could not be found out. */
export type Verify = (verification: Verification) => Verdict | Promise<Verdict>

export interface GateParts {
  readonly verify: Verify
  readonly issuers: readonly string[]
  readonly close?: () => void
}

export class Gate implements Authenticator {
  readonly #options: ProtectionOptions
  readonly #parts: GateParts
  readonly #resource: string | undefined
  readonly #requiredScopes: readonly string[]
  readonly #scopesSupported: readonly string[]
  readonly #implied: ImpliedScopes
  readonly #servers: readonly string[]
  readonly #proofs: ProofChecker | undefined
  readonly #schemes: readonly Scheme[]

  /** Throws `AuthError` `invalid_option`. */
  constructor(options: ProtectionOptions, parts: GateParts) {
    this.#options = options
    this.#parts = parts
    this.#resource = options.resource === undefined ? undefined : canonicalIdentifier(options.resource)
    if (options.resource !== undefined && this.#resource === undefined) {
      throw invalidOption(
        `resource must be an absolute http or https URL without query and fragment, got ${JSON.stringify(options.resource)}`,
      )
    }
    this.#requiredScopes = checkedScopes('requiredScopes', options.requiredScopes ?? [])
    this.#scopesSupported = checkedScopes('scopesSupported', options.scopesSupported ?? this.#requiredScopes)
    this.#implied = options.impliedScopes ?? {}
    this.#servers = (options.authorizationServers ?? parts.issuers).map(checkedIssuer)
    const { dpop = 'allowed' } = options
    if (dpop !== false) {
      const settings = typeof dpop === 'string' ? { mode: dpop } : dpop
      this.#proofs = new ProofChecker(settings, options.clock ?? realClock, options.random ?? realRandom)
    }
    this.#schemes =
      this.#proofs === undefined ? ['Bearer'] : this.#proofs.mode === 'required' ? ['DPoP'] : ['Bearer', 'DPoP']
  }

  authenticate(request: AuthRequest): AuthOutcome | Promise<AuthOutcome> {
    const credentials = readCredentials(request)
    if (credentials.kind === 'none') return this.#refuse(undefined, request)
    if (credentials.kind === 'malformed')
      return this.#refuse(fault('invalid_request', credentials.description), request)
    const { scheme, token } = credentials
    if (!this.#schemes.includes(scheme)) {
      return this.#refuse(
        invalidToken(`Access tokens are accepted with the scheme ${this.#schemes.join(' or ')} only`),
        request,
      )
    }
    const resource = this.#resource ?? canonicalUrl(request.url) ?? bareAddressIn(request.url)
    if (resource === undefined)
      return this.#refuse(fault('invalid_request', 'The URL of the request cannot be read'), request)
    const verification = { token, request, resource }
    try {
      const verdict = this.#parts.verify(verification)
      if (!(verdict instanceof Promise)) return this.#judge(verdict, scheme, verification)
      return verdict
        .then((late) => this.#judge(late, scheme, verification))
        .catch((error) => this.#fail(error, request))
    } catch (error) {
      return this.#fail(error, request)
    }
  }

  challenge({ scopes, granted = [], request }: NeededScopes): AuthRefusal {
    const needed = [...new Set([...quotableScopes(granted), ...checkedScopes('scopes', scopes)])]
    return this.#refuse(
      fault('insufficient_scope', 'The operation needs more scopes than the access token has'),
      request,
      needed,
    )
  }

  metadata(resourceUrl: string): MetadataAnswer | undefined {
    const local = canonicalUrl(resourceUrl)
    if (local === undefined) return undefined
    const resource = this.#resource ?? local
    const { resourceName, resourceDocumentation } = this.#options
    const document = {
      resource,
      authorization_servers: this.#servers.length > 0 ? this.#servers : [new URL(resource).origin],
      ...(this.#scopesSupported.length > 0 && { scopes_supported: this.#scopesSupported }),
      bearer_methods_supported: ['header'],
      ...(resourceName !== undefined && { resource_name: resourceName }),
      ...(resourceDocumentation !== undefined && { resource_documentation: resourceDocumentation }),
      ...(this.#proofs !== undefined && { dpop_signing_alg_values_supported: this.#proofs.algorithms }),
      ...(this.#proofs?.mode === 'required' && { dpop_bound_access_tokens_required: true }),
    }
    const paths = [resource, local].map((url) => metadataPathOf(new URL(url).pathname))
    return { paths: [...new Set([...paths, metadataPathOf('/')])], document }
  }

  close(): void {
    this.#parts.close?.()
  }

  #judge(verdict: Verdict, scheme: Scheme, verification: Verification): AuthOutcome | Promise<AuthOutcome> {
    const { request } = verification
    if (verdict instanceof Fault) return this.#refuse(verdict, request)
    const confirmation = confirmationOf(verdict.claims)
    if (confirmation instanceof Fault) return this.#refuse(confirmation, request)
    const { jkt, x5t } = confirmation
    const wrongCertificate = x5t === undefined ? undefined : certificateFault(x5t, request)
    if (wrongCertificate !== undefined) return this.#refuse(wrongCertificate, request)
    if (scheme === 'Bearer') {
      if (jkt === undefined) return this.#admit(verdict.principal, request)
      return this.#refuse(
        invalidToken('The access token is bound to a key; send it with the scheme DPoP and a proof'),
        request,
      )
    }
    if (jkt === undefined) {
      return this.#refuse(
        invalidToken('The access token is not bound to a key; the scheme DPoP cannot take it'),
        request,
      )
    }
    return this.#prove(verdict.principal, jkt, verification)
  }

  async #prove(principal: Principal, thumbprint: string, { token, request }: Verification): Promise<AuthOutcome> {
    const proof = await this.#proofs?.check({ token, request, resource: this.#resource, thumbprint })
    if (proof === undefined || proof instanceof Fault) return this.#refuse(proof, request)
    const outcome = this.#admit(principal, request)
    const nonce = this.#proofs?.nonce
    return outcome.ok && proof.isStale && nonce !== undefined
      ? { ...outcome, headers: { 'DPoP-Nonce': nonce } }
      : outcome
  }

  #admit(principal: Principal, request: AuthRequest): AuthAcceptance | AuthRefusal {
    const scopes = expandScopes(principal.scopes, this.#implied)
    if (missingScopes(this.#requiredScopes, scopes).length > 0) {
      return this.challenge({ scopes: this.#requiredScopes, granted: principal.scopes, request })
    }
    return { ok: true, principal: scopes === principal.scopes ? principal : { ...principal, scopes } }
  }

  #fail(error: unknown, request: AuthRequest): AuthRefusal {
    this.#options.onError?.(
      error instanceof AuthError
        ? error
        : new AuthError('verifier_failed', 'A verifier threw; the caller was refused.', { cause: error }),
    )
    return this.#refuse(fault('temporarily_unavailable', 'The access token cannot be checked at the moment'), request)
  }

  #refuse(reason: Fault | undefined, request: AuthRequest | undefined, scopes = this.#requiredScopes): AuthRefusal {
    const resource = this.#resource ?? (request === undefined ? undefined : canonicalUrl(request.url))
    return refusal(reason, {
      scheme: schemeOfRequest(request) ?? 'Bearer',
      schemes: this.#schemes,
      scopes,
      metadataUrl: resource === undefined ? undefined : metadataUrlOf(resource),
      dpopAlgorithms: this.#proofs?.algorithms ?? [],
      dpopNonce: this.#proofs?.nonce,
    })
  }
}

/** The address of a TCP server, which is all that its clients name. */
function bareAddressIn(url: string): string | undefined {
  return /^(?:tcp|tls):/.test(url) ? url : undefined
}
