/** What the legacy HTTP+SSE transport has and no other: an endpoint event, ids of streams, posts that are not the stream's. */
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { SSEClientTransport } from '@modelcontextprotocol/sdk/client/sse.js'
import { createServer, type ServeOptions, serve } from 'bough'
import { staticTokens } from 'bough/auth'
import { describe, expect, it, onTestFinished } from 'vitest'
import { type SseTransportOptions, sseTransport } from '#transports/sse'
import { handClock } from './http-harness.ts'
import { SsePeer } from './matrix-peers.ts'

async function started(options: Partial<ServeOptions> = { sse: { port: 0 } }) {
  const server = createServer({ name: 'legacy', version: '1' })
    .tool('echo', { input: { type: 'object' }, run: (args) => JSON.stringify(args) })
    .tool('ask', { run: async (_args, ctx) => JSON.stringify(await ctx.roots()) })
  const app = await serve(server, { signals: false, guard: false, logger: false, ...options })
  onTestFinished(() => app.stop())
  const url = app.urls.find((one) => one.endsWith('/sse')) ?? ''
  const connect = async (token?: string): Promise<SsePeer> => {
    const peer = await SsePeer.connect({ url, ...(token && { headers: { authorization: `Bearer ${token}` } }) })
    onTestFinished(() => peer.vanish())
    return peer
  }
  return { app, url, connect }
}

const json = { 'content-type': 'application/json' }
const ping = '{"jsonrpc":"2.0","id":1,"method":"ping"}'

describe.each([
  ['a port of its own', { sse: { port: 0 } }],
  ['the port of HTTP', { http: { port: 0, sse: true } }],
])('HTTP+SSE on %s', (_where, options) => {
  it('serves the official client, which is asked things on its stream', async () => {
    const { url } = await started(options)
    const client = new Client({ name: 'official', version: '1' }, { capabilities: { roots: {} } })
    const { ListRootsRequestSchema } = await import('@modelcontextprotocol/sdk/types.js')
    client.setRequestHandler(ListRootsRequestSchema, () => ({ roots: [{ uri: 'file:///home' }] }))
    await client.connect(new SSEClientTransport(new URL(url)))
    expect((await client.listTools()).tools.map(({ name }) => name)).toEqual(['echo', 'ask'])
    const asked = await client.callTool({ name: 'ask', arguments: {} })
    expect(JSON.stringify(asked)).toContain('file:///home')
    await client.close()
  })

  it('begins with an endpoint event that nobody can guess, and takes posts with 202', async () => {
    const { url, connect } = await started(options)
    const [one, other] = [await connect(), await connect()]
    expect(one.endpoint).toMatch(/^\/messages\?sessionId=[\w-]{22}$/)
    expect(other.endpoint).not.toBe(one.endpoint)
    const response = await fetch(new URL(one.endpoint, url), { method: 'POST', headers: json, body: ping })
    expect([response.status, await response.text()]).toEqual([202, 'Accepted'])
    await one.answer(1)
    expect(other.messages).toEqual([])
  })

  it.each([
    ['an unknown stream', 'POST', '/messages?sessionId=AAAAAAAAAAAAAAAAAAAAAA', json, 404],
    ['no stream', 'POST', '/messages', json, 404],
    ['another content type', 'POST', '/messages?sessionId=x', { 'content-type': 'text/plain' }, 415],
    ['a GET of the place to post to', 'GET', '/messages', {}, 405],
    ['a POST to the place to listen at', 'POST', '/sse', json, 405],
    ['a GET that takes no events', 'GET', '/sse', { accept: 'application/json' }, 406],
    ['a foreign Origin', 'GET', '/sse', { origin: 'https://evil.example.com' }, 403],
  ])('refuses %s', async (_what, method, path, headers, status) => {
    const { url } = await started(options)
    const response = await fetch(new URL(path, url), { method, headers, ...(method === 'POST' && { body: ping }) })
    expect(response.status).toBe(status)
    expect(await response.json()).toMatchObject({ id: null, error: { code: -32600 } })
  })

  it('forgets a stream that has ended', async () => {
    const { url, connect } = await started(options)
    const peer = await connect()
    peer.vanish()
    const post = async (): Promise<number> =>
      (await fetch(new URL(peer.endpoint, url), { method: 'POST', headers: json, body: ping })).status
    while ((await post()) !== 404);
    expect(await post()).toBe(404)
  })

  it('is unknown to everybody but its owner', async () => {
    const { url, connect } = await started({ ...options, auth: staticTokens({ a: 'ann', b: 'bob', a2: 'ann' }) })
    const ann = await connect('a')
    const post = async (token?: string): Promise<number> => {
      const headers = { ...json, ...(token && { authorization: `Bearer ${token}` }) }
      return (await fetch(new URL(ann.endpoint, url), { method: 'POST', headers, body: ping })).status
    }
    expect([await post('b'), await post(), await post('nonsense')]).toEqual([404, 401, 401])
    expect(ann.messages).toEqual([])
    expect([await post('a'), await post('a2')]).toEqual([202, 202])
    await ann.answer(1)
  })
})

describe('the stream', () => {
  it('gets comments while it is quiet', async () => {
    const clock = handClock()
    const options: SseTransportOptions = { port: 0, clock, keepAliveMs: 1_000, closeGraceMs: 50 }
    const listening = await sseTransport(options).listen({
      connection: () => ({ message: () => {}, closed: () => {} }),
      exchange: () => expect.unreachable(),
    })
    onTestFinished(async () => {
      const closing = listening.close()
      clock.advance(1_000)
      await closing
    })
    const peer = await SsePeer.connect({ url: listening.url })
    onTestFinished(() => peer.vanish())
    let text = ''
    peer.socket.on('data', (chunk: Buffer) => {
      text += chunk.toString()
    })
    while (!text.includes(':\n\n')) {
      clock.advance(1_000)
      await new Promise((resolve) => setImmediate(resolve))
    }
    expect(listening.counts().streams).toBe(1)
  })

  it.each([
    [{ path: '/x', messagesPath: '/x' }, 'sse: path and messagesPath must differ, got "/x" for both.'],
    [{ keepAliveMs: 0 }, 'sse: keepAliveMs must be a positive integer, got 0.'],
    [{ port: 70_000 }, 'sse: port must be an integer from 0 to 65535, got 70000.'],
  ])('cannot be had with the options %j', (options, sentence) => {
    expect(() => sseTransport(options)).toThrow(sentence)
  })
})
