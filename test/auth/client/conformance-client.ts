/**
 * The smallest MCP client there is, over an authorization: what the scenarios `auth/...` of the conformance suite run. The URL
 * is its last argument, the scenario and its context come in the environment.
 */
import { type AuthorizationOptions, createAuthorization } from 'bough/auth'

const TRIES_MAX = 4
const { MCP_CONFORMANCE_SCENARIO: scenario = '', MCP_CONFORMANCE_CONTEXT: contextText = '{}' } = process.env
const revision = process.env['MCP_CONFORMANCE_PROTOCOL_VERSION'] ?? '2025-11-25'
const url = process.argv.at(-1) ?? ''
const context = JSON.parse(contextText) as Readonly<Record<string, string>>
const isModern = revision >= '2026-07-28'

/** The suite's authorization servers agree at once: the answer is where they send the browser. */
async function authorize(page: URL): Promise<string> {
  const answer = await fetch(page, { redirect: 'manual' })
  return answer.headers.get('location') ?? ''
}

function optionsOf(): Partial<AuthorizationOptions> {
  const { client_id: clientId = '', client_secret: clientSecret = '' } = context
  switch (scenario) {
    case 'auth/pre-registration':
      return { client: { clientId, clientSecret } }
    case 'auth/client-credentials-basic':
      return { client: { clientId, clientSecret }, grant: { type: 'client_credentials' } }
    case 'auth/client-credentials-jwt': {
      const { private_key_pem: key = '', signing_algorithm: algorithm = 'ES256' } = context
      return { client: { clientId, privateKey: { key, algorithm } }, grant: { type: 'client_credentials' } }
    }
    case 'auth/wif-jwt-bearer':
      return { client: { clientId }, grant: { type: 'jwt-bearer', assertion: context['valid_jwt'] ?? '' } }
    case 'auth/enterprise-managed-authorization': {
      const {
        idp_issuer: issuer = '',
        idp_token_endpoint: tokenEndpoint = '',
        idp_client_id = '',
        idp_id_token = '',
      } = context
      const identityProvider = { issuer, tokenEndpoint, clientId: idp_client_id, identity: idp_id_token }
      return { client: { clientId, clientSecret }, grant: { type: 'enterprise-managed', identityProvider } }
    }
    default:
      return { client: { metadataUrl: 'https://conformance-test.local/client-metadata.json' } }
  }
}

const authorization = createAuthorization({
  resource: url,
  redirect: { uri: 'http://127.0.0.1:9876/callback', authorize },
  ...optionsOf(),
})
let ids = 0

async function request(method: string, params: Record<string, unknown>, isNotification = false): Promise<void> {
  const _meta = {
    'io.modelcontextprotocol/protocolVersion': revision,
    'io.modelcontextprotocol/clientInfo': { name: 'auth-check', version: '1.0.0' },
    'io.modelcontextprotocol/clientCapabilities': {},
  }
  const message = {
    jsonrpc: '2.0',
    ...(!isNotification && { id: ++ids }),
    method,
    params: isModern ? { ...params, _meta } : params,
  }
  for (let tries = 1; ; tries++) {
    const sent = await authorization.headers({ method: 'POST', url })
    const answer = await fetch(url, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
        ...(method !== 'initialize' && { 'mcp-protocol-version': revision }),
        ...(isModern && { 'mcp-method': method }),
        ...(isModern && typeof params['name'] === 'string' && { 'mcp-name': params['name'] }),
        ...sent,
      },
      body: JSON.stringify(message),
    })
    const text = await answer.text()
    if (answer.ok) {
      if (/"error":\s*\{/.test(text)) throw new Error(`${method}: ${text.slice(0, 200)}`)
      return
    }
    const { status, headers } = answer
    const isRefusal = (status === 401 || status === 403) && tries < TRIES_MAX
    if (isRefusal && (await authorization.challenged({ status, url, headers, sent }))) continue
    throw new Error(`${method} answered ${status}: ${text.slice(0, 200)}`)
  }
}

if (!isModern) {
  const clientInfo = { name: 'auth-check', version: '1.0.0' }
  await request('initialize', { protocolVersion: revision, capabilities: {}, clientInfo })
  await request('notifications/initialized', {}, true)
}
await request('tools/list', {})
await request('tools/call', { name: 'test-tool', arguments: {} })
