/** The HTTPS listener: certificates of the server and of clients, and tokens that are bound to the latter. */
import { request as httpsRequest } from 'node:https'
import { connect } from 'node:net'
import { createServer, type ServeOptions, serve } from 'bough'
import { type Authenticator, jwtBearer } from 'bough/auth'
import { describe, expect, it, onTestFinished } from 'vitest'
import { TestIssuer } from '../auth/issuer.ts'
import { Authority, type Certificate } from './certificates.ts'
import { metaOf, textOf } from './modern-client.ts'
import { headersOf } from './modern-http-client.ts'
import type { Wire } from './wire-schema.ts'

const authority = new Authority('Test authority')
const stranger = new Authority('Another authority')
const own = authority.issue('server')
const [ann, bob] = [authority.issue('ann'), authority.issue('bob')]

async function start(tls: object = {}, auth?: Authenticator, options: Partial<ServeOptions> = {}) {
  const server = createServer({ name: 'tls', version: '1' })
    .tool('whoami', { run: (_args, ctx) => ctx.auth?.id ?? 'nobody' })
    .tool('steps', {
      run: (_args, ctx) => {
        ctx.progress(1)
        return 'done'
      },
    })
  const app = await serve(server, {
    http: { port: 0, tls: { key: own.key, cert: own.cert, ...tls } },
    signals: false,
    guard: false,
    logger: false,
    drainMs: 200,
    ...(auth && { auth }),
    ...options,
  })
  onTestFinished(() => app.stop())
  return app
}

interface Answer {
  readonly status: number | undefined
  readonly headers: Record<string, string | string[] | undefined>
  readonly text: string
  readonly messages: Wire[]
}

interface Sending {
  readonly method?: string
  readonly headers?: Record<string, string>
  readonly body?: string
  readonly certificate?: Certificate | undefined
}

/** One request over a connection of its own, which trusts the authority of the tests. */
function ask(url: string, { method = 'POST', headers, body, certificate }: Sending): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const shown = certificate && { key: certificate.key, cert: certificate.cert }
    const request = httpsRequest(url, { method, agent: false, ca: authority.cert, headers, ...shown }, (response) => {
      let text = ''
      response.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk
      })
      response.on('end', () => {
        const texts = text.startsWith('{')
          ? [text]
          : Array.from(text.matchAll(/^data: (.+)$/gm), ([, data = '']) => data)
        const messages = texts.map((one) => JSON.parse(one) as Wire)
        resolve({ status: response.statusCode, headers: response.headers, text, messages })
      })
    })
    request.on('error', reject)
    request.end(body)
  })
}

const common = { accept: 'application/json, text/event-stream', 'content-type': 'application/json' }

function call(
  url: string,
  name: string,
  { token, certificate, meta = {} }: { token?: string; certificate?: Certificate | undefined; meta?: object } = {},
): Promise<Answer> {
  const message = { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name, _meta: metaOf({ meta }) } }
  const headers = { ...common, ...headersOf(message), ...(token && { authorization: `Bearer ${token}` }) }
  return ask(url, { headers, body: JSON.stringify(message), certificate })
}

describe('a server with a certificate', () => {
  it('is reached over HTTPS, in both eras, with JSON and with streams', async () => {
    const { url } = await start()
    expect(url).toMatch(/^https:\/\/127\.0\.0\.1:\d+\/mcp$/)
    expect(textOf((await call(url, 'whoami')).messages[0] ?? {})).toBe('nobody')
    const streamed = await call(url, 'steps', { meta: { progressToken: 1 } })
    expect(streamed.headers['content-type']).toBe('text/event-stream')
    expect(streamed.messages.map(({ method }) => method)).toEqual(['notifications/progress', undefined])
    const params = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'a', version: '1' } }
    const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'initialize', params })
    const opened = await ask(url, { headers: common, body })
    expect([opened.status, typeof opened.headers['mcp-session-id']]).toEqual([200, 'string'])
  })

  it('is not reached in plain text, and goes on', async () => {
    const { url } = await start()
    await expect(fetch(url.replace('https:', 'http:'), { method: 'POST' })).rejects.toThrow()
    expect((await call(url, 'whoami')).status).toBe(200)
  })

  it('stops in time, though somebody has connected and says nothing', async () => {
    const app = await start()
    const { hostname, port } = new URL(app.url)
    const silent = connect(Number(port), hostname)
    const closed = new Promise((resolve) => silent.on('close', resolve))
    silent.on('error', () => undefined)
    await new Promise((resolve) => silent.on('connect', resolve))
    expect((await call(app.url, 'whoami')).status).toBe(200)
    const began = performance.now()
    await app.stop()
    expect(performance.now() - began).toBeLessThan(5_000)
    await closed
  })

  it.each([
    ['neither key nor certificate', {}],
    ['a key alone', { key: own.key }],
  ])('cannot be made of %s', async (_what, tls) => {
    const server = createServer({ name: 'tls', version: '1' })
    await expect(serve(server, { http: { port: 0, tls }, signals: false, logger: false })).rejects.toMatchObject({
      code: 'invalid_option',
      message: expect.stringContaining('key and cert'),
    })
  })
})

describe('a server that asks clients for certificates', () => {
  const required = { ca: authority.cert, requestCert: true, rejectUnauthorized: true }
  const optional = { ...required, rejectUnauthorized: false }

  it('takes those of its authority, and no others, and none without', async () => {
    const { url } = await start(required)
    expect((await call(url, 'whoami', { certificate: ann })).status).toBe(200)
    await expect(call(url, 'whoami')).rejects.toThrow()
    await expect(call(url, 'whoami', { certificate: stranger.issue('ann') })).rejects.toThrow()
    expect((await call(url, 'whoami', { certificate: bob })).status).toBe(200)
  })

  async function bound(tls: object) {
    const issuer = await TestIssuer.start()
    onTestFinished(() => issuer.stop())
    const told: unknown[] = []
    const app = await start(tls, jwtBearer({ issuer: issuer.url }), { events: (event) => told.push(event) })
    const { url } = app
    const token = await issuer.forge({ aud: url, sub: 'ann', cnf: { 'x5t#S256': ann.x5t } })
    return { app, url, token, plain: await issuer.forge({ aud: url, sub: 'ann' }), issuer }
  }

  it('takes a token that is bound to a certificate with that one only', async () => {
    const { url, token, plain } = await bound(required)
    const right = await call(url, 'whoami', { token, certificate: ann })
    expect([right.status, textOf(right.messages[0] ?? {})]).toEqual([200, 'ann'])
    const wrong = await call(url, 'whoami', { token, certificate: bob })
    expect(wrong.status).toBe(401)
    expect(wrong.headers['www-authenticate']).toMatch(/^Bearer .*error="invalid_token"/)
    expect(wrong.headers['www-authenticate']).toContain(
      `resource_metadata="${new URL(url).origin}/.well-known/oauth-protected-resource/mcp"`,
    )
    expect(wrong.text).not.toContain(token)
    // What is bound to nothing is good with any certificate.
    expect((await call(url, 'whoami', { token: plain, certificate: bob })).status).toBe(200)
  })

  it('looks at the certificate of each request, though the token is known already', async () => {
    const { url, token } = await bound(required)
    for (let round = 0; round < 3; round++) {
      const answers = await Promise.all([ann, bob].map((certificate) => call(url, 'whoami', { token, certificate })))
      expect(answers.map(({ status }) => status)).toEqual([200, 401])
    }
  })

  it('takes plain tokens without a certificate where none is required, and bound ones not', async () => {
    const { url, token, plain } = await bound(optional)
    const statuses = await Promise.all(
      [
        { token: plain },
        { token },
        { token, certificate: ann },
        { token, certificate: bob },
        // Not of the authority, so nothing is known of who shows it.
        { token, certificate: stranger.issue('ann') },
        { token: plain, certificate: stranger.issue('ann') },
      ].map(async (given) => (await call(url, 'whoami', given)).status),
    )
    expect(statuses).toEqual([200, 401, 200, 401, 401, 200])
  })

  it('refuses a token that is bound to a certificate where there is no TLS', async () => {
    const issuer = await TestIssuer.start()
    onTestFinished(() => issuer.stop())
    const server = createServer({ name: 'plain', version: '1' }).tool('whoami', { run: () => '' })
    const auth = jwtBearer({ issuer: issuer.url })
    const app = await serve(server, { http: { port: 0 }, auth, signals: false, guard: false, logger: false })
    onTestFinished(() => app.stop())
    const token = await issuer.forge({ aud: app.url, cnf: { 'x5t#S256': ann.x5t } })
    const message = { jsonrpc: '2.0', id: 1, method: 'tools/list', params: { _meta: metaOf() } }
    const headers = { ...common, ...headersOf(message), authorization: `Bearer ${token}` }
    // A header that a proxy might set is nothing that a client could claim.
    const claimed = { ...headers, 'x-client-cert': ann.cert.replaceAll('\n', ''), 'x-forwarded-client-cert': ann.x5t }
    expect((await fetch(app.url, { method: 'POST', headers: claimed, body: JSON.stringify(message) })).status).toBe(401)
  })
})
