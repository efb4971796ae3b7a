/** The authorization that each `auth/...` scenario of the conformance suite wants of a client. */
import { type Authorization, type AuthorizationOptions, createAuthorization } from 'bough/auth'

/** Where this client's metadata document would be; the suite's authorization servers know it. */
const METADATA_URL = 'https://conformance-test.local/client-metadata.json'
/** Many clients run at once there, on a machine that may be busy. */
const FETCH_TIMEOUT_MS = 60_000
const REDIRECT_URI = 'http://127.0.0.1:9876/callback'

export type Context = Readonly<Record<string, unknown>>

/** What authorizes the requests of `scenario`; undefined for the scenarios without authorization. */
export function authorizationOf(scenario: string, url: string, context: Context): Authorization | undefined {
  if (!scenario.startsWith('auth/')) return undefined
  return createAuthorization({
    resource: url,
    fetchTimeoutMs: FETCH_TIMEOUT_MS,
    redirect: { uri: REDIRECT_URI, authorize },
    ...optionsOf(scenario, context),
  })
}

/** The suite's authorization servers agree at once: the answer is where they send the browser. */
async function authorize(page: URL): Promise<string> {
  const answer = await fetch(page, { redirect: 'manual' })
  await answer.body?.cancel()
  return answer.headers.get('location') ?? ''
}

function optionsOf(scenario: string, context: Context): Partial<AuthorizationOptions> {
  const text = (name: string): string => String(context[name] ?? '')
  const clientId = text('client_id')
  const clientSecret = text('client_secret')
  switch (scenario) {
    case 'auth/pre-registration':
      return { client: { clientId, clientSecret } }
    case 'auth/client-credentials-basic':
      return { client: { clientId, clientSecret }, grant: { type: 'client_credentials' } }
    case 'auth/client-credentials-jwt': {
      const privateKey = { key: text('private_key_pem'), algorithm: text('signing_algorithm') || 'ES256' }
      return { client: { clientId, privateKey }, grant: { type: 'client_credentials' } }
    }
    case 'auth/wif-jwt-bearer':
      return { client: { clientId }, grant: { type: 'jwt-bearer', assertion: text('valid_jwt') } }
    // Runners before 0.2 know it by its first name.
    case 'auth/cross-app-access-complete-flow':
    case 'auth/enterprise-managed-authorization': {
      const identityProvider = {
        issuer: text('idp_issuer'),
        tokenEndpoint: text('idp_token_endpoint'),
        clientId: text('idp_client_id'),
        identity: text('idp_id_token'),
      }
      return { client: { clientId, clientSecret }, grant: { type: 'enterprise-managed', identityProvider } }
    }
    default:
      return { client: { metadataUrl: METADATA_URL } }
  }
}
