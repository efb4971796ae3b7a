/**
 * One client, one server, every transport between them, in both eras: what a caller sees is the same whatever carries it. The way
 * in between can be cut and can go dead.
 */

import { type App, createServer, type ServeOptions, type Server, serve } from 'bough'
import { staticTokens } from 'bough/auth'
import { type Client, type ConnectOptions, connect, pool } from 'bough/client'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { Authority } from '../server/certificates.ts'
import { type Cuttable, cuttable } from './cuttable.ts'

/** Programs and sockets may be slow on a machine that is busy. */
const patience = { timeout: 20_000 }

const authority = new Authority('tests')
const { key, cert } = authority.issue('server')
const secured = { port: 0, tls: { key, cert } }
const tls = { ca: authority.cert }

interface Kind {
  readonly serves: Partial<ServeOptions>
  readonly options?: ConnectOptions
  /** Whether it is the connection that notices that the server is gone; else only the time of a call does. */
  readonly noticesDeath?: boolean
  /** How its address begins, where that is not its name. */
  readonly scheme?: string
}

const heartbeatMs = 500
const kinds: Readonly<Record<string, Kind>> = {
  http: { serves: { http: { port: 0 } } },
  sse: { serves: { sse: { port: 0 } }, scheme: 'http' },
  ws: { serves: { ws: { port: 0 } }, options: { ws: { heartbeatMs } }, noticesDeath: true },
  wss: {
    serves: { ws: secured },
    options: { ws: { tls, heartbeatMs, compression: true } },
    noticesDeath: true,
  },
  tcp: { serves: { tcp: { port: 0 } } },
  tls: { serves: { tcp: secured }, options: { tcp: { tls } } },
}

const cases = Object.keys(kinds).flatMap((kind) => {
  const eras = kind === 'sse' ? (['legacy'] as const) : (['legacy', 'modern'] as const)
  return eras.map((era) => [kind, era] as const)
})

function sample(): Server & { aborted: number } {
  const server = Object.assign(createServer({ name: 'test', version: '1' }), { aborted: 0 })
  server.tool('add', {
    annotations: { readOnlyHint: true },
    input: { type: 'object', properties: { a: { type: 'integer' }, b: { type: 'integer' } }, required: ['a', 'b'] },
    run: ({ a, b }, ctx) => {
      ctx.progress(1, 2)
      return `${Number(a) + Number(b)}`
    },
  })
  server.tool('asks', {
    run: async (_args, ctx) => {
      const requestedSchema = { type: 'object', properties: { name: { type: 'string' } }, required: ['name'] }
      const answer = await ctx.elicit({ message: 'Who?', requestedSchema })
      return `Hello ${answer.content?.['name']}`
    },
  })
  server.tool('waits', {
    run: (_args, ctx) =>
      new Promise((_, reject) => {
        ctx.signal.addEventListener('abort', () => {
          server.aborted++
          reject(new Error('aborted'))
        })
      }),
  })
  server.tool('big', { run: ({ length }) => 'x'.repeat(Number(length)) })
  server.resource('test://text', { read: () => 'some text' })
  return server
}

interface Joined {
  readonly server: Server & { aborted: number }
  readonly app: App
  readonly way: Cuttable
  readonly url: string
  readonly options: ConnectOptions
}

async function served(kind: string, era: 'legacy' | 'modern', more: ConnectOptions = {}): Promise<Joined> {
  const { serves, options } = kinds[kind] as Kind
  const server = sample()
  const app = await serve(server, { ...serves, logger: false, signals: false, guard: false })
  onTestFinished(() => app.stop())
  const url = new URL(app.url)
  const way = await cuttable(Number(url.port))
  return {
    server,
    app,
    way,
    url: app.url.replace(`:${url.port}`, `:${way.port}`),
    options: {
      era,
      reconnect: { minMs: 20 },
      handlers: { elicitation: () => ({ action: 'accept', content: { name: 'Ann' } }) },
      ...options,
      ...more,
    },
  }
}

async function joined(
  kind: string,
  era: 'legacy' | 'modern',
  more: ConnectOptions = {},
): Promise<Joined & { client: Client }> {
  const all = await served(kind, era, more)
  const client = await connect(all.url, all.options)
  onTestFinished(() => client.close())
  return { ...all, client }
}

const text = (value: string) => [{ type: 'text', text: value }]

describe.each(cases)('over %s, in the %s era', (kind, era) => {
  it('lists, reads, and calls with progress', async () => {
    const { client, url } = await joined(kind, era)
    expect(url.startsWith(`${kinds[kind]?.scheme ?? kind}:`)).toBe(true)
    expect(client.server.era).toBe(era)
    expect((await client.listTools()).map(({ name }) => name)).toEqual(['add', 'asks', 'waits', 'big'])
    const progress: unknown[] = []
    const result = await client.callTool('add', { a: 1, b: 2 }, { onProgress: (step) => progress.push(step) })
    expect(result.content).toEqual(text('3'))
    expect(progress).toEqual([{ progress: 1, total: 2 }])
    expect((await client.readResource('test://text')).contents).toMatchObject([{ text: 'some text' }])
  })

  it('answers a hundred calls at once, each its own', async () => {
    const { client } = await joined(kind, era)
    const calls = Array.from({ length: 100 }, (_, a) => client.callTool('add', { a, b: a }))
    const results = await Promise.all(calls)
    expect(results.map(({ content }) => content)).toEqual(results.map((_, a) => text(`${2 * a}`)))
  })

  it('answers what the server asks', async () => {
    const { client } = await joined(kind, era)
    expect((await client.callTool('asks')).content).toEqual(text('Hello Ann'))
  })

  it('cancels a call, and the server stops it', async () => {
    const { client, server } = await joined(kind, era)
    const control = new AbortController()
    const call = client.callTool('waits', {}, { signal: control.signal })
    await client.callTool('add', { a: 1, b: 2 })
    control.abort('enough')
    await expect(call).rejects.toMatchObject({ code: 'cancelled', cause: 'enough' })
    await expect.poll(() => server.aborted, patience).toBe(1)
  })

  it('comes back by itself when the connection was cut: a session, subscriptions and calls', async () => {
    const { client, server, way } = await joined(kind, era)
    await client.listTools()
    const updates: boolean[] = []
    const lists: string[] = []
    await client.subscribe('test://text', ({ isCatchUp }) => updates.push(isCatchUp))
    client.onListChanged((changed) => lists.push(changed), ['tools'])
    const lost = client.callTool('waits').catch((error: unknown) => error)
    const before = way.made
    await client.callTool('add', { a: 1, b: 2 })
    way.cut()
    expect(await lost).toMatchObject({ name: 'CallLost', mayHaveRun: true })
    expect((await client.callTool('add', { a: 3, b: 4 })).content).toEqual(text('7'))
    expect(way.made).toBeGreaterThan(before)
    // A session over HTTP outlives its connections, and what was told meanwhile is told again: nothing can have been missed.
    if (kind !== 'http' || era === 'modern') await expect.poll(() => updates, patience).toContain(true)
    updates.length = 0
    lists.length = 0
    await expect
      .poll(() => {
        server.resourceUpdated('test://text')
        return updates
      }, patience)
      .toContain(false)
    server.tool('more', { run: () => '' })
    await expect.poll(() => lists, patience).toContain('tools')
    expect((await client.callTool('asks')).content).toEqual(text('Hello Ann'))
  })

  it('notices a server that has gone dead, or at least does not wait for it for ever', async () => {
    const { client, way } = await joined(kind, era)
    await client.callTool('add', { a: 1, b: 2 })
    way.freeze()
    const { noticesDeath = false } = kinds[kind] as Kind
    const call = client.callTool('waits', {}, { timeout: noticesDeath ? 60_000 : 300 })
    await expect(call).rejects.toMatchObject({ code: noticesDeath ? 'lost' : 'timeout', mayHaveRun: true })
    if (!noticesDeath) return
    expect((await client.callTool('add', { a: 3, b: 4 })).content).toEqual(text('7'))
    expect(way.made).toBe(2)
  })

  it('fails the call whose answer is too long, and goes on', async () => {
    const bound = { maxMessageBytes: 100_000 }
    const { options = {} } = kinds[kind] as Kind
    const { client } = await joined(kind, era, {
      http: { ...options.http, ...bound },
      ws: { ...options.ws, ...bound },
      tcp: { ...options.tcp, ...bound },
    })
    expect((await client.callTool('big', { length: 50_000 })).content).toHaveLength(1)
    await expect(client.callTool('big', { length: 200_000 })).rejects.toMatchObject({
      code: 'invalid',
      mayHaveRun: true,
      message: expect.stringContaining('Raise maxMessageBytes to take it'),
    })
    expect((await client.callTool('add', { a: 3, b: 4 })).content).toEqual(text('7'))
  })

  it('closes in order, and the server keeps nothing', async () => {
    const { client, app } = await joined(kind, era)
    await client.callTool('add', { a: 1, b: 2 })
    await client.close()
    await expect(client.listTools()).rejects.toMatchObject({ code: 'closed' })
    await expect.poll(() => app.metrics()['sessions_open'] ?? 0, patience).toBe(0)
  })

  it('tells when the server has stopped for good, and connects anew when somebody asks', async () => {
    const { client, app, server } = await joined(kind, era, { reconnect: { attempts: 2, minMs: 1 } })
    const { port } = new URL(app.url)
    await app.stop()
    await expect(client.listTools()).rejects.toMatchObject({ name: 'CallLost' })
    const { serves } = kinds[kind] as Kind
    const there = Object.entries(serves).map(([name, own]) => [name, { ...(own as object), port: Number(port) }])
    const again = await serve(server, { ...Object.fromEntries(there), logger: false, signals: false, guard: false })
    onTestFinished(() => again.stop())
    expect((await client.callTool('add', { a: 3, b: 4 })).content).toEqual(text('7'))
  })
})

describe.each(['ws', 'tls'])('a pool over %s', (kind) => {
  it('takes the same target', async () => {
    const { url, options, way } = await served(kind, 'modern')
    const calls = await pool({ target: url, options, size: 2 })
    onTestFinished(() => calls.close())
    const results = await Promise.all([1, 2, 3, 4].map((a) => calls.callTool('add', { a, b: a })))
    expect(results.map(({ content }) => content)).toEqual([2, 4, 6, 8].map((sum) => text(`${sum}`)))
    expect(way.made).toBeGreaterThanOrEqual(2)
  })
})

describe("the target 'auto'", () => {
  it.each([
    ['http', 'MCP_HTTP_URL', (url: string) => url],
    ['ws', 'MCP_WS_URL', (url: string) => url],
    ['tcp', 'MCP_TCP_PORT', (url: string) => new URL(url).port],
    ['tcp', 'MCP_TCP_PORT', (url: string) => new URL(url).host],
  ])('connects over %s to what %s names', async (kind, name, told) => {
    const { url, options } = await served(kind, 'modern')
    vi.stubEnv(name, told(url))
    onTestFinished(() => void vi.unstubAllEnvs())
    const client = await connect('auto', options)
    onTestFinished(() => client.close())
    expect((await client.callTool('add', { a: 1, b: 2 })).content).toEqual(text('3'))
  })
})

describe('a server that wants a token', () => {
  async function guarded(kind: string, options: ConnectOptions): Promise<Client> {
    const server = createServer({ name: 'test', version: '1' })
    server.tool('who', { run: (_args, ctx) => ctx.auth?.id ?? 'nobody' })
    const auth = staticTokens({ right: 'ann' })
    const own = { auth, logger: false, signals: false, guard: false } as const
    const app = await serve(server, { ...kinds[kind]?.serves, ...own })
    onTestFinished(() => app.stop())
    const client = await connect(app.url, { ...kinds[kind]?.options, reconnect: false, ...options })
    onTestFinished(() => client.close())
    return client
  }

  it.each(['http', 'ws', 'tcp', 'tls'])('gets the header Authorization over %s', async (kind) => {
    const client = await guarded(kind, { headers: { Authorization: 'Bearer right' } })
    expect((await client.callTool('who')).content).toEqual(text('ann'))
  })

  it.each(['http', 'ws', 'tcp', 'tls'])('gets what the authorizer gives over %s', async (kind) => {
    const auth = { headers: async () => ({ authorization: 'Bearer right' }), challenged: async () => false }
    const client = await guarded(kind, { auth })
    expect((await client.callTool('who')).content).toEqual(text('ann'))
  })

  it.each([
    ['http', { code: 'unauthorized' }],
    ['ws', { code: 'unauthorized' }],
    ['tcp', { code: expect.any(Number) }],
    ['tls', { code: expect.any(Number) }],
  ])('lets nobody in over %s who has none', async (kind, error) => {
    await expect(guarded(kind, {})).rejects.toMatchObject({ ...error, mayHaveRun: false })
  })

  it('is sent no other header over TCP, and a warning says so', async () => {
    const warnings: string[] = []
    const headers = { authorization: 'Bearer right', 'X-Tenant': '7' }
    await guarded('tcp', { headers, onWarning: (warning) => warnings.push(warning) })
    expect(warnings).toEqual([expect.stringMatching(/gets no header but Authorization, so not x-tenant\.$/)])
  })
})
