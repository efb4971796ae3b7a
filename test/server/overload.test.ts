/**
 * Limits, as clients meet them: each scope over each transport in each era; what is never refused; and that a refusal says what it
 * is, how it is counted, and when to come again.
 */
import { type App, createServer, type ServeOptions, serve } from 'bough'
import { staticTokens } from 'bough/auth'
import { describe, expect, it, onTestFinished } from 'vitest'
import { HttpClient } from './http-client.ts'
import { ModernClient } from './modern-client.ts'
import { ModernHttp } from './modern-http-client.ts'
import { deferred, world } from './support.ts'
import type { Wire } from './wire-schema.ts'

const SEED = Number(process.env['BOUGH_SEED'] ?? 42)
const slow = { perSecond: 0.001, burst: 3 }
const token = { authorization: 'Bearer good' }

function makeServer() {
  const gate = deferred()
  const server = createServer({ name: 'limits', version: '1' })
    .tool('echo', { run: () => 'hi' })
    .tool('gated', { run: () => gate.promise.then(() => 'through') })
    .resource('config://app', { read: () => 'x' })
    .prompt('hello', { arguments: [{ name: 'who', complete: () => ['you'] }], get: () => [] })
  return { server, open: () => gate.resolve() }
}

async function http(options: Partial<ServeOptions> = {}) {
  const { server, open } = makeServer()
  const app = await serve(server, {
    http: { port: 0 },
    signals: false,
    guard: false,
    logger: false,
    drainMs: 200,
    ...options,
  })
  onTestFinished(() => app.stop())
  return { app, open }
}

/** One request in any way: its status where there is one, and its answer. */
interface Way {
  readonly app: App
  ask(method: string, params?: object): Promise<{ status: number | undefined; retryAfter: string | null; reply: Wire }>
}

const ways: Record<string, (options: Partial<ServeOptions>) => Promise<Way>> = {
  'memory, 2025-11-25': async (options) => {
    const w = await world(makeServer().server, options, SEED)
    const client = await w.open()
    return {
      app: w.app,
      ask: async (method, params) => ({
        status: undefined,
        retryAfter: null,
        reply: await client.request(method, params),
      }),
    }
  },
  'memory, 2026-07-28': async (options) => {
    const w = await world(makeServer().server, options, SEED)
    const client = new ModernClient(w)
    return {
      app: w.app,
      ask: async (method, params) => ({
        status: undefined,
        retryAfter: null,
        reply: await client.request(method, params),
      }),
    }
  },
  'http, 2025-11-25': async (options) => {
    const { app } = await http(options)
    const client = await HttpClient.open(app.url, '2025-11-25', {}, token)
    return {
      app,
      ask: async (method, params = {}) => {
        const stream = await client.begin(method, params)
        await stream.over
        return {
          status: stream.status,
          retryAfter: stream.headers.get('retry-after'),
          reply: stream.messages.at(-1) ?? {},
        }
      },
    }
  },
  'http, 2026-07-28': async (options) => {
    const { app } = await http(options)
    const client = new ModernHttp(app.url, {}, token)
    return {
      app,
      ask: async (method, params = {}) => {
        const stream = await client.begin(method, params)
        await stream.over
        return {
          status: stream.status,
          retryAfter: stream.headers.get('retry-after'),
          reply: stream.messages.at(-1) ?? {},
        }
      },
    }
  },
}

/** Which scopes there are where: a memory connection has no address and no principal, a request of its own no session. */
const scopesOf: Record<string, readonly ('server' | 'session' | 'principal' | 'address')[]> = {
  'memory, 2025-11-25': ['server', 'session'],
  'memory, 2026-07-28': ['server', 'session'],
  'http, 2025-11-25': ['server', 'session', 'principal', 'address'],
  'http, 2026-07-28': ['server', 'principal', 'address'],
}

const matrix = Object.entries(scopesOf).flatMap(([way, scopes]) => scopes.map((scope) => [scope, way] as const))
const auth = () => staticTokens({ good: 'ann' })

describe('a rate', () => {
  it.each(matrix)('of a %s, over %s, refuses what is over it and says when to come again', async (scope, way) => {
    const isHttp = way.startsWith('http')
    const { app, ask } = await ways[way]!({ limits: { [scope]: slow }, ...(isHttp && { auth: auth() }) })
    const list = { name: 'echo', arguments: {} }
    let refused: Awaited<ReturnType<Way['ask']>> | undefined
    for (let n = 0; n < 4 && refused === undefined; n++) {
      const one = await ask('tools/call', list)
      if (one.reply.error !== undefined) refused = one
    }
    expect(refused?.status).toBe(isHttp ? 429 : undefined)
    expect(refused?.reply.error).toMatchObject({ code: -32603, data: { reason: `rate_${scope}` } })
    expect(refused?.reply.id).toBeDefined()
    const retryAfterMs = Number(refused?.reply.error?.data?.retryAfterMs)
    expect(retryAfterMs).toBeGreaterThan(100_000)
    if (isHttp) expect(Number(refused?.retryAfter)).toBe(Math.ceil(retryAfterMs / 1_000))
    expect(app.metrics()['requests_refused']).toMatchObject({ [`rate_${scope}`]: 1 })
    if (!way.includes('2026')) expect((await ask('ping')).reply.result).toEqual({})
  })

  it('is kept for each session by itself', async () => {
    const w = await world(makeServer().server, { limits: { session: { perSecond: 0.001, burst: 2 } } })
    const first = await w.open()
    const second = await w.open()
    const codes = []
    for (const client of [first, first, second, second])
      codes.push((await client.call('echo')).error?.data?.reason ?? 'ok')
    // Initialize has taken one.
    expect(codes).toEqual(['ok', 'rate_session', 'ok', 'rate_session'])
  })

  it('lets requests through again as time passes', async () => {
    const w = await world(makeServer().server, { limits: { server: { perSecond: 1, burst: 1 } } })
    const client = w.connect()
    expect((await client.initialize()).result).toBeDefined()
    expect((await client.request('tools/list')).error?.data).toMatchObject({ reason: 'rate_server' })
    await w.sim.advance(1_000)
    expect((await client.request('tools/list')).result).toBeDefined()
  })

  it('refuses the requests of a batch and takes its notifications, answers and pings', async () => {
    const { app, open } = await http({ limits: { session: { perSecond: 0.001, burst: 1 } } })
    const client = await HttpClient.open(app.url, '2025-03-26')
    const call = await client.begin('tools/call', { name: 'gated', arguments: {} })
    const cancelled = { method: 'notifications/cancelled', params: { requestId: 2 } }
    const stream = await client.send([
      { id: 'a', method: 'tools/list' },
      { id: 'b', method: 'ping' },
      cancelled,
    ] as Wire[])
    await stream.over
    expect(stream.status).toBe(429)
    expect(stream.messages).toMatchObject([
      { id: 'a', error: { data: { reason: 'rate_session' } } },
      { id: 'b', result: {} },
    ])
    open()
    await call.over
    expect(app.metrics()['requests_cancelled']).toBe(1)
  })

  it('gives the tokens back that a request took from one bucket before another refused it', async () => {
    const limits = { session: { perSecond: 0.001, burst: 3 }, server: { perSecond: 1, burst: 2 } }
    const w = await world(makeServer().server, { limits })
    const client = await w.open()
    expect((await client.request('tools/list')).result).toBeDefined()
    for (let n = 0; n < 5; n++)
      expect((await client.request('tools/list')).error?.data).toMatchObject({ reason: 'rate_server' })
    await w.sim.advance(2_000)
    expect((await client.request('tools/list')).result).toBeDefined()
    expect((await client.request('tools/list')).error?.data).toMatchObject({ reason: 'rate_session' })
  })
})

describe('calls in flight', () => {
  it.each(Object.keys(ways))('over %s are refused above their number, and no ping is', async (way) => {
    const { app, ask } = await ways[way]!({ limits: { maxInFlight: 1 } })
    // It ends with the server.
    void ask('tools/call', { name: 'gated', arguments: {} }).catch(() => undefined)
    await expect
      .poll(async () => (await ask('tools/call', { name: 'echo', arguments: {} })).reply.error?.data)
      .toMatchObject({
        reason: 'in_flight',
      })
    const refused = await ask('tools/call', { name: 'echo', arguments: {} })
    expect(refused.status).toBe(way.startsWith('http') ? 503 : undefined)
    if (way.startsWith('http')) expect(Number(refused.retryAfter)).toBeGreaterThanOrEqual(1)
    expect((await ask('tools/list')).reply.result).toBeDefined()
    if (!way.includes('2026')) expect((await ask('ping')).reply.result).toEqual({})
    expect(app.metrics()['requests_refused']).toMatchObject({ in_flight: expect.any(Number) })
  })

  it('give their place back when they answer, are cancelled, or lose their session', async () => {
    const { server, open } = makeServer()
    const w = await world(server, { limits: { maxInFlight: 1 } })
    const client = await w.open()
    const other = await w.open()
    const first = client.begin('tools/call', { name: 'gated' })
    await w.sim.settle()
    expect((await other.call('echo')).error?.data).toMatchObject({ reason: 'in_flight' })
    client.notify('notifications/cancelled', { requestId: first })
    await w.sim.settle()
    expect((await other.call('echo')).result).toBeDefined()
    client.begin('tools/call', { name: 'gated' })
    await w.sim.settle()
    const [session] = (await w.processes('session')).slice(0, 1)
    session?.exit('kill')
    await w.sim.settle()
    client.close()
    await w.sim.advance(2_000)
    expect((await other.call('echo')).result).toBeDefined()
    open()
  })

  it('wait in order while others begin, and a cancel takes one out of the queue', async () => {
    const began: number[] = []
    const server = createServer({ name: 'order', version: '1' }).tool('step', {
      input: { type: 'object', properties: { n: { type: 'number' } } },
      run: ({ n }) => {
        began.push(n as number)
        return 'done'
      },
    })
    const w = await world(server, { limits: { maxStarting: 1 } })
    const client = await w.open()
    const ids = [1, 2, 3, 4].map((n) => client.begin('tools/call', { name: 'step', arguments: { n } }))
    client.notify('notifications/cancelled', { requestId: ids[2] })
    expect((await client.answerTo(ids[3]!)).result).toBeDefined()
    await w.sim.settle()
    expect(began.filter((n) => n !== 3)).toEqual([1, 2, 4])
    expect((await client.call('step', { n: 5 })).result).toBeDefined()
  })
})

/** A machine that stands as the test says. */
function machine() {
  const sample = { loopDelayMs: 0, heapRatio: 0.1, rssBytes: 1, rssRatio: 0 }
  return { sample, probe: () => ({ ...sample }) }
}

describe('pressure', () => {
  it('sheds what can wait, then every call, and is over by itself; each change is told once', async () => {
    const { sample, probe } = machine()
    const w = await world(makeServer().server, { pressure: { probe } })
    const client = await w.open()
    const level = (): string[] => w.events.flatMap((event) => (event.type === 'pressure' ? [event.level] : []))
    const completion = { ref: { type: 'ref/prompt', name: 'hello' }, argument: { name: 'who', value: '' } }

    sample.heapRatio = 0.9
    await w.sim.advance(3_000)
    expect(level()).toEqual(['elevated'])
    expect((await client.request('completion/complete', completion)).error?.data).toMatchObject({ reason: 'pressure' })
    expect((await w.connect().initialize()).error?.data).toMatchObject({ reason: 'pressure' })
    expect((await client.call('echo')).result).toBeDefined()

    sample.heapRatio = 0.97
    await w.sim.advance(1_000)
    expect(level()).toEqual(['elevated', 'critical'])
    expect((await client.call('echo')).error?.data).toMatchObject({ reason: 'pressure' })
    expect((await client.request('tools/list')).error?.data).toMatchObject({ reason: 'pressure' })
    expect((await client.request('ping')).result).toEqual({})

    sample.heapRatio = 0.2
    await w.sim.advance(5_000)
    expect(level()).toEqual(['elevated', 'critical', 'elevated', 'normal'])
    expect((await client.call('echo')).result).toBeDefined()
    expect((await w.connect().initialize()).result).toBeDefined()
  })

  it('does not rise for one look alone, nor fall while it is near its bound', async () => {
    const { sample, probe } = machine()
    const w = await world(makeServer().server, { pressure: { probe } })
    sample.loopDelayMs = 3_000
    await w.sim.advance(1_000)
    sample.loopDelayMs = 0
    await w.sim.advance(3_000)
    expect(w.events.some(({ type }) => type === 'pressure')).toBe(false)
    sample.loopDelayMs = 3_000
    await w.sim.advance(3_000)
    sample.loopDelayMs = 1_800
    await w.sim.advance(10_000)
    expect(w.events.filter(({ type }) => type === 'pressure')).toHaveLength(1)
  })

  it('is answered over HTTP with 503, while a session can still be ended', async () => {
    const { sample, probe } = machine()
    const { app } = await http({ pressure: { probe, sampleMs: 10 } })
    const client = await HttpClient.open(app.url)
    sample.heapRatio = 0.99
    await expect.poll(async () => (await client.begin('tools/list')).status, { timeout: 20_000 }).toBe(503)
    expect((await new HttpClient(app.url).initialize()).status).toBe(503)
    expect((await client.begin('ping')).status).toBe(200)
    expect((await client.end()).status).toBe(200)
  })

  it('is not looked for when it is turned off', async () => {
    const { sample, probe } = machine()
    sample.heapRatio = 1
    const w = await world(makeServer().server, { pressure: false })
    await w.sim.advance(10_000)
    expect(probe().heapRatio).toBe(1)
    expect((await (await w.open()).call('echo')).result).toBeDefined()
  })
})

describe('the options', () => {
  it.each([
    [{ limits: { server: { perSecond: 0 } } }, 'limits.server.perSecond must be a number above 0, got number 0'],
    [{ limits: { session: 5 } }, 'limits.session must be { perSecond, burst? }'],
    [{ limits: { address: { perSecond: 1, burst: 0 } } }, 'limits.address.burst must be a whole number of at least 1'],
    [{ limits: { maxQueued: 0.5 } }, 'limits.maxQueued must be a whole number of at least 1'],
    [{ limits: { perClient: {} } }, 'limits has no "perClient"'],
    [{ pressure: { sampleMs: 0 } }, 'pressure.sampleMs must be a whole number of at least 1'],
    [{ pressure: { critical: { heapRatio: 0.1 } } }, 'pressure.critical.heapRatio must be at least'],
    [{ pressure: { elevated: { cpu: 1 } } }, 'pressure.elevated has no "cpu"'],
  ])('%j are refused with a sentence', async (options, sentence) => {
    const started = serve(makeServer().server, {
      http: { port: 0 },
      logger: false,
      signals: false,
      ...(options as Partial<ServeOptions>),
    })
    await expect(started).rejects.toThrow(sentence)
  })
})
