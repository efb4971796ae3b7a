/** What those try who have no token, a wrong one, or one in the wrong place; and that no token is ever told. */
import { inspect } from 'node:util'
import { jwtBearer } from 'bough/auth'
import { describe, expect, it, onTestFinished } from 'vitest'
import { issuerKey, nowS, proof, signingPair, TestIssuer } from '../auth/issuer.ts'
import { bearer, start } from './adversary-support.ts'
import { HttpClient } from './http-client.ts'
import { metaOf, textOf } from './modern-client.ts'
import { headersOf, ModernHttp } from './modern-http-client.ts'

describe('a request without a good token', () => {
  const list = { jsonrpc: '2.0', id: 1, method: 'tools/list', params: { _meta: metaOf() } }
  const initialize = {
    jsonrpc: '2.0',
    id: 1,
    method: 'initialize',
    params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'a', version: '1' } },
  }
  const common = { accept: 'application/json, text/event-stream', 'content-type': 'application/json' }
  const bodies: Record<string, { method: string; headers: Record<string, string>; body?: string }> = {
    'a modern request': { method: 'POST', headers: { ...common, ...headersOf(list) }, body: JSON.stringify(list) },
    'an initialize': { method: 'POST', headers: common, body: JSON.stringify(initialize) },
    'text that is no JSON': { method: 'POST', headers: common, body: '{nope' },
    'a GET': { method: 'GET', headers: { accept: 'text/event-stream' } },
    'a DELETE': { method: 'DELETE', headers: {} },
  }
  const faults: Record<string, { query?: string; headers: Record<string, string>; status: number }> = {
    'no token': { headers: {}, status: 401 },
    'a wrong token': { headers: bearer('wrong-token-of-mallory'), status: 401 },
    'a good token of another scheme': { headers: { authorization: 'Basic token-of-ann' }, status: 401 },
    'a good token and a bit more': { headers: bearer('token-of-annX'), status: 401 },
    'a good token in other letters': { headers: bearer('Token-Of-Ann'), status: 401 },
    // Spec: RFC 6750, 3.1: a request that uses a method that is not accepted is an invalid request.
    'a good token in the query': { query: '?access_token=token-of-ann', headers: {}, status: 400 },
    'good tokens in both places': { query: '?access_token=token-of-ann', headers: bearer('token-of-ann'), status: 400 },
  }
  const cases = Object.keys(bodies).flatMap((body) => Object.keys(faults).map((fault) => [body, fault] as const))

  it.each(cases)('%s with %s is refused with a challenge', async (what, fault) => {
    const { app, told } = await start()
    const { query = '', headers, status } = faults[fault] ?? { headers: {}, status: 0 }
    const { method, headers: own, body } = bodies[what] ?? { method: '', headers: {} }
    const response = await fetch(app.url + query, { method, headers: { ...own, ...headers }, ...(body && { body }) })
    const text = await response.text()
    const challenge = response.headers.get('www-authenticate') ?? ''
    expect(response.status).toBe(status)
    expect(challenge).toMatch(/^Bearer /)
    const { origin } = new URL(app.url)
    expect(challenge).toContain(`resource_metadata="${origin}/.well-known/oauth-protected-resource/mcp"`)
    expect(JSON.parse(text).error.message).toEqual(expect.any(String))
    expect(text + challenge).not.toMatch(/token-of|mallory/i)
    expect(inspect(told, { depth: 12 })).not.toMatch(/token-of|mallory/i)
    expect(app.metrics()['sessions']).toBe(0)
  })

  it('finds the metadata where the challenge says, at the root too, and without a token', async () => {
    const { app } = await start()
    const response = await fetch(app.url, { method: 'DELETE' })
    const { url } =
      /resource_metadata="(?<url>[^"]+)"/.exec(response.headers.get('www-authenticate') ?? '')?.groups ?? {}
    for (const where of [url ?? '', new URL('/.well-known/oauth-protected-resource', app.url).href]) {
      const metadata = await fetch(where)
      expect([metadata.status, metadata.headers.get('content-type')]).toEqual([200, 'application/json'])
      expect(await metadata.json()).toMatchObject({ resource: app.url, bearer_methods_supported: ['header'] })
      expect((await fetch(where, { method: 'POST' })).status).toBe(405)
    }
    expect((await fetch(new URL('/.well-known/other', app.url))).status).toBe(404)
  })

  it('learns nothing of the metadata of a server that lets anybody in', async () => {
    const { app } = await start(undefined, { auth: undefined as never })
    expect((await fetch(new URL('/.well-known/oauth-protected-resource/mcp', app.url))).status).toBe(404)
  })
})

describe('a tool that needs scopes', () => {
  it('challenges a caller who lacks them, in both eras, and does not run', async () => {
    const { modern, legacy, told } = await start()
    const old = await legacy('token-of-ann-that-reads')
    for (const stream of [
      await modern('token-of-ann-that-reads').begin('tools/call', { name: 'erase' }),
      await old.begin('tools/call', { name: 'erase' }),
    ]) {
      await stream.over
      const challenge = stream.headers.get('www-authenticate') ?? ''
      expect(stream.status).toBe(403)
      expect(challenge).toMatch(/^Bearer .*error="insufficient_scope"/)
      expect(challenge).toMatch(/scope="[^"]*write[^"]*"/)
      expect(challenge).toContain('resource_metadata="')
      expect(stream.messages[0]?.error?.data).toMatchObject({ error: 'insufficient_scope' })
    }
    expect(inspect(told, { depth: 12 })).not.toContain('erased by')
    expect(textOf(await modern('token-of-ann').call('erase'))).toBe('erased by ann')
  })

  it('cannot be reached through a batch or a task either', async () => {
    const { app, modern } = await start()
    const old = await HttpClient.open(app.url, '2025-03-26', {}, bearer('token-of-ann-that-reads'))
    const batch = await old.send([
      { id: 50, method: 'ping' },
      { id: 51, method: 'tools/call', params: { name: 'erase' } },
    ])
    expect(batch.status).toBe(403)
    expect((await modern('token-of-ann-that-reads').begin('tools/call', { name: 'erase', task: {} })).status).toBe(403)
  })

  it('means nothing where anybody may call', async () => {
    const { app } = await start(undefined, { auth: undefined as never })
    expect(textOf(await new ModernHttp(app.url).call('erase'))).toBe('erased by undefined')
  })
})

describe('a token that is bound to a key', () => {
  async function bound() {
    const issuer = await TestIssuer.start([await issuerKey('k')])
    onTestFinished(() => issuer.stop())
    const running = await start(jwtBearer({ issuer: issuer.url, dpop: 'allowed' }))
    const { url } = running.app
    const pair = await signingPair()
    const token = await issuer.forge({ aud: url, cnf: { jkt: pair.thumbprint }, exp: nowS() + 600 })
    const plain = await issuer.forge({ aud: url, exp: nowS() + 600 })
    const ask = async (headers: Record<string, string>) => {
      const stream = await new ModernHttp(url, {}, headers).begin('tools/call', { name: 'whoami' })
      await stream.over
      return { status: stream.status, text: textOf(stream.messages[0] ?? {}), headers: stream.headers }
    }
    return { ...running, issuer, pair, token, plain, ask, url }
  }

  it('is good with a proof for this request, once', async () => {
    const { ask, pair, token, url, app } = await bound()
    const dpop = await proof(pair, { htu: url, token })
    const headers = { authorization: `DPoP ${token}`, dpop }
    expect(await ask(headers)).toMatchObject({ status: 200, text: 'ann' })
    const replays = await Promise.all(Array.from({ length: 10 }, () => ask(headers)))
    expect(replays.map(({ status }) => status)).toEqual(replays.map(() => 401))
    expect(replays[0]?.headers.get('www-authenticate')).toMatch(/^DPoP .*error="invalid_dpop_proof"/)
    // Of many at the same time one gets through.
    const fresh = { ...headers, dpop: await proof(pair, { htu: url, token }) }
    const race = await Promise.all(Array.from({ length: 20 }, () => ask(fresh)))
    expect(race.filter(({ status }) => status === 200)).toHaveLength(1)
    expect(app.metrics()['requests_unauthorized']).toMatchObject({ 401: 29 })
  })

  it('is not good without a proof, or with one for something else', async () => {
    const { ask, pair, token, plain, url } = await bound()
    const other = await signingPair()
    const attempts: Record<string, Record<string, string>> = {
      'as a bearer token': bearer(token),
      'without a proof': { authorization: `DPoP ${token}` },
      'with the proof of another key': {
        authorization: `DPoP ${token}`,
        dpop: await proof(other, { htu: url, token }),
      },
      'with a proof for another URL': {
        authorization: `DPoP ${token}`,
        dpop: await proof(pair, { htu: `${url}/x`, token }),
      },
      'with a proof for another method': {
        authorization: `DPoP ${token}`,
        dpop: await proof(pair, { htm: 'GET', htu: url, token }),
      },
      'with a proof for another token': {
        authorization: `DPoP ${token}`,
        dpop: await proof(pair, { htu: url, token: plain }),
      },
      'with an old proof': {
        authorization: `DPoP ${token}`,
        dpop: await proof(pair, { htu: url, token, iat: nowS() - 3_600 }),
      },
    }
    const statuses: Record<string, number> = {}
    for (const [what, headers] of Object.entries(attempts)) statuses[what] = (await ask(headers)).status
    expect(statuses).toEqual(Object.fromEntries(Object.keys(attempts).map((what) => [what, 401])))
    expect(await ask(bearer(plain))).toMatchObject({ status: 200, text: 'ann' })
  })
})

describe('a token', () => {
  it('appears in no log line, event or answer, whatever goes wrong', async () => {
    const { app, told, modern, legacy } = await start()
    const answers: string[] = []
    const ann = modern('token-of-ann')
    const old = await legacy('token-of-ann')
    for (const name of ['whoami', 'throws', 'dies', 'reveals', 'nope', 'erase', 'greet']) {
      answers.push(JSON.stringify(await ann.call(name)), JSON.stringify(await old.call(name)))
    }
    await (await ann.begin('tools/call', { name: 'job' })).over
    const listening = await ann.begin('subscriptions/listen', { notifications: { toolsListChanged: true } })
    await listening.untilEvents(1)
    const get = await old.listen()
    // Everything dies that may hold a request.
    for (const ref of app.system.processes()) {
      const { definition } = ref.info() ?? {}
      if (definition === 'listen') ref.exit(new Error('broken'))
      else if (definition === 'session' || definition === 'task-manager') ref.exit('kill')
    }
    await Promise.all([listening.over, get.over])
    answers.push(JSON.stringify(listening.messages), JSON.stringify(await ann.call('whoami')))
    await app.stop()
    expect(answers.join()).not.toContain('token-of')
    expect(told.length).toBeGreaterThan(10)
    expect(inspect(told, { depth: 20, maxArrayLength: null, maxStringLength: null, showHidden: true })).not.toContain(
      'token-of',
    )
  })
})
