/** The client's transports against this project's own server, in both eras and over each transport. */
import { createServer, type ServeOptions, serve } from 'bough'
import { httpTransport } from 'bough/transports/http'
import { memoryTransport } from 'bough/transports/memory'
import { describe, expect, it, onTestFinished } from 'vitest'
import { httpClientTransport } from '#transports/client-http'
import { memoryClientTransport } from '#transports/client-memory'
import type { ClientTransport, Link, Outgoing } from '#transports/client-port'
import { stdioClientTransport } from '#transports/client-stdio'
import { Authority } from '../server/certificates.ts'
import { Remembering } from './client-harness.ts'
import { eventually } from './http-harness.ts'

const LEGACY = '2025-11-25'
const MODERN = '2026-07-28'
const quiet = { signals: false, guard: false, logger: false, drainMs: 200 } as const

/** A server with a quick tool, one that reports progress, and one that never ends. */
async function started(options: Partial<ServeOptions> = {}) {
  let abortedCount = 0
  let runningCount = 0
  const server = createServer({ name: 'own', version: '1' })
    .tool('echo', { input: { type: 'object' }, run: (args) => JSON.stringify(args) })
    .tool('steps', {
      run: async (_args, ctx) => {
        ctx.progress(1)
        await new Promise((resolve) => setImmediate(resolve))
        return 'done'
      },
    })
    .tool('hangs', {
      run: (_args, ctx) => {
        runningCount += 1
        return new Promise((resolve) => {
          ctx.signal.addEventListener('abort', () => {
            abortedCount += 1
            resolve('late')
          })
        })
      },
    })
  const app = await serve(server, { http: { port: 0 }, ...quiet, ...options })
  onTestFinished(() => app.stop())
  return { app, url: app.url ?? '', abortedCount: () => abortedCount, runningCount: () => runningCount }
}

class Peer {
  readonly link: Link
  readonly receiver: Remembering
  readonly isModern: boolean
  #lastId = 0

  private constructor(link: Link, receiver: Remembering, isModern: boolean) {
    this.link = link
    this.receiver = receiver
    this.isModern = isModern
  }

  static async open(transport: ClientTransport, isModern: boolean): Promise<Peer> {
    const receiver = new Remembering()
    const link = await transport.open(receiver)
    onTestFinished(() => link.close())
    const peer = new Peer(link, receiver, isModern)
    if (!isModern) {
      const clientInfo = { name: 'test', version: '1' }
      await peer.ask('initialize', { protocolVersion: LEGACY, capabilities: {}, clientInfo })
      link.send({
        text: '{"jsonrpc":"2.0","method":"notifications/initialized"}',
        kind: 'notification',
        ids: [],
        headers: { 'MCP-Protocol-Version': LEGACY },
      })
    }
    return peer
  }

  send(method: string, params: Record<string, unknown> = {}, version = this.isModern ? MODERN : LEGACY): number {
    const id = ++this.#lastId
    const meta = {
      'io.modelcontextprotocol/protocolVersion': version,
      'io.modelcontextprotocol/clientCapabilities': {},
      ...(method === 'tools/call' && { progressToken: id }),
    }
    const legacyMeta = method === 'tools/call' ? { _meta: { progressToken: id } } : {}
    const body = {
      jsonrpc: '2.0',
      id,
      method,
      params: { ...params, ...(this.isModern ? { _meta: meta } : legacyMeta) },
    }
    const name = params['name']
    const headers: Record<string, string> = method === 'initialize' ? {} : { 'MCP-Protocol-Version': version }
    if (this.isModern) headers['Mcp-Method'] = method
    if (this.isModern && typeof name === 'string') headers['Mcp-Name'] = name
    const message: Outgoing = { text: JSON.stringify(body), kind: 'request', ids: [id], headers }
    expect(this.link.send(message)).toBe(true)
    return id
  }

  /** The answer to a request. */
  async ask(
    method: string,
    params: Record<string, unknown> = {},
    version?: string,
  ): Promise<{ result?: unknown; error?: unknown }> {
    const id = version === undefined ? this.send(method, params) : this.send(method, params, version)
    await eventually(() => this.receiver.answered.includes(id) || this.receiver.failures.length > 0)
    expect(this.receiver.failures).toEqual([])
    return this.receiver.messages.map((text) => JSON.parse(text)).find((message) => message.id === id)
  }
}

describe.each([
  ['legacy', false],
  ['modern', true],
])('the own server over HTTP, %s', (_, isModern) => {
  it('lists and calls its tools, with progress before the answer', async () => {
    const { url } = await started()
    const peer = await Peer.open(httpClientTransport({ url }), isModern)
    expect(await peer.ask('tools/list')).toMatchObject({ result: { tools: [{ name: 'echo' }, { name: 'steps' }, {}] } })
    expect(await peer.ask('tools/call', { name: 'echo', arguments: { a: 1 } })).toMatchObject({
      result: { content: [{ text: '{"a":1}' }] },
    })
    await peer.ask('tools/call', { name: 'steps' })
    const methods = peer.receiver.messages.map((text) => JSON.parse(text).method)
    expect(methods.at(-2)).toBe('notifications/progress')
    await peer.link.close()
    expect(peer.receiver.failures).toEqual([])
  })

  it('gives errors of the protocol as answers', async () => {
    const { url } = await started()
    const peer = await Peer.open(httpClientTransport({ url }), isModern)
    expect(await peer.ask('no/such/method')).toMatchObject({ error: { code: -32_601 } })
    expect(await peer.ask('tools/call', { name: 7 })).toMatchObject({ error: { code: -32_602 } })
  })

  it('answers many requests at once, each once', async () => {
    const { url } = await started()
    const peer = await Peer.open(httpClientTransport({ url }), isModern)
    const ids = Array.from({ length: 100 }, (_, n) => peer.send('tools/call', { name: 'echo', arguments: { n } }))
    await eventually(() => ids.every((id) => peer.receiver.answered.includes(id)))
    expect(peer.receiver.answered.filter((id) => ids.includes(Number(id)))).toHaveLength(100)
    expect(peer.receiver.failures).toEqual([])
  })
})

describe('the own server over HTTP', () => {
  it('tells a modern client that asks for a version it does not know so', async () => {
    const { url } = await started()
    const peer = await Peer.open(httpClientTransport({ url }), true)
    expect(await peer.ask('server/discover', {}, '2099-01-01')).toMatchObject({ error: { code: -32_022 } })
  })

  it('cancels the call whose answer a modern client gives up', async () => {
    const { url, abortedCount, runningCount } = await started()
    const peer = await Peer.open(httpClientTransport({ url }), true)
    const id = peer.send('tools/call', { name: 'hangs' })
    await eventually(() => runningCount() === 1)
    peer.link.abandon(id)
    await eventually(() => abortedCount() === 1)
    expect(peer.receiver.failures).toEqual([])
  })

  it('that was started anew does not know the session of a legacy client', async () => {
    const first = await started()
    const port = Number(new URL(first.url).port)
    const peer = await Peer.open(httpClientTransport({ url: first.url }), false)
    await peer.ask('tools/list')
    await first.app.stop()
    const second = await started({ http: { port } })
    expect(second.url).toBe(first.url)
    peer.send('tools/list')
    expect(await peer.receiver.end()).toMatchObject({ kind: 'session_lost' })
    expect(peer.receiver.failures).toMatchObject([{ failure: { kind: 'session_lost', mayHaveRun: false } }])
  })

  it('sends on the stream that is listened to, and ends the session when the link closes', async () => {
    const { app, url } = await started()
    const peer = await Peer.open(httpClientTransport({ url }), false)
    peer.link.listen()
    await peer.ask('tools/list')
    await peer.link.close()
    await app.stop()
    expect(peer.receiver.ends).toMatchObject([{ kind: 'closed' }])
  })
})

describe('the own server over TLS', () => {
  const authority = new Authority('Test authority')
  const own = authority.issue('server')
  const ann = authority.issue('ann')

  it('is believed with its authority, and not without', async () => {
    const { url } = await started({ http: { port: 0, tls: { key: own.key, cert: own.cert } } })
    expect(url).toMatch(/^https:/)
    const peer = await Peer.open(httpClientTransport({ url, tls: { ca: authority.cert } }), true)
    expect(await peer.ask('tools/list')).toHaveProperty('result')
    const stranger = await Peer.open(httpClientTransport({ url }), true)
    stranger.send('tools/list')
    const { failure } = await stranger.receiver.failure()
    expect(failure).toMatchObject({ kind: 'refused', mayHaveRun: false })
    expect(failure.message).toMatch(/certificate/)
  })

  it('is shown a certificate where it asks for one', async () => {
    const tls = { key: own.key, cert: own.cert, ca: authority.cert, requestCert: true }
    const { url } = await started({ http: { port: 0, tls } })
    const shown = { ca: authority.cert, cert: ann.cert, key: ann.key }
    const peer = await Peer.open(httpClientTransport({ url, tls: shown }), true)
    expect(await peer.ask('tools/list')).toHaveProperty('result')
    const without = await Peer.open(httpClientTransport({ url, tls: { ca: authority.cert } }), true)
    without.send('tools/list')
    await without.receiver.failure()
  })
})

describe.each([
  ['legacy', false],
  ['modern', true],
])('the own server in memory and over stdio, %s', (_, isModern) => {
  it('answers in memory', async () => {
    const memory = memoryTransport()
    await started({ http: false, transports: [memory.transport] })
    const peer = await Peer.open(memoryClientTransport(memory), isModern)
    expect(await peer.ask('tools/call', { name: 'echo', arguments: { a: 1 } })).toHaveProperty('result')
    await peer.link.close()
  })

  it('answers over stdio, and ends with its input', async () => {
    const args = [new URL('../server/child-server.mjs', import.meta.url).pathname, 'stdio']
    const transport = stdioClientTransport({
      command: process.execPath,
      args: ['--expose-gc', ...args],
      stderr: 'ignore',
    })
    const peer = await Peer.open(transport, isModern)
    expect(await peer.ask('tools/call', { name: 'echo', arguments: { n: 5 } })).toMatchObject({
      result: { content: [{ text: '5' }] },
    })
    await peer.link.close()
    expect(peer.receiver.ends).toMatchObject([{ kind: 'closed' }])
  })
})

describe('a listener of the own HTTP transport', () => {
  it('that cuts its connections is found broken, and what ran may have run', async () => {
    let takenCount = 0
    const listening = await httpTransport({ port: 0, closeGraceMs: 10 }).listen({
      connection: () => expect.unreachable(),
      exchange: () => (takenCount += 1),
    })
    onTestFinished(() => listening.close())
    const peer = await Peer.open(httpClientTransport({ url: listening.url }), true)
    peer.send('tools/list')
    await eventually(() => takenCount === 1)
    await listening.close()
    expect(await peer.receiver.failure()).toMatchObject({ failure: { kind: 'broken', mayHaveRun: true } })
  })
})
