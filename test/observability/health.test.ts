/** Health as a probe sees it: on the port of HTTP and on one of its own, while the server starts, works, drains and ends. */
import { request as httpRequest } from 'node:http'
import { type App, createServer, memoryStore, type ServeOptions, serve } from 'bough'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { Readiness } from '#observability/outside'
import type { Transport } from '#transports/port'
import { parsePrometheus } from './prometheus-parser.ts'

const server = createServer({ name: 'health', version: '1' })
server.tool('echo', { run: () => 'hi' })

async function start(options: Partial<ServeOptions> = {}): Promise<App> {
  const app = await serve(server, { http: { port: 0 }, logger: false, signals: false, guard: false, ...options })
  onTestFinished(() => app.stop())
  return app
}

const baseOf = (app: App): string => app.url.replace('/mcp', '')

/** The status of a request whose Host header says something else. */
function statusAs(url: string, host: string): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    httpRequest(url, { headers: { host } }, (response) => {
      response.resume()
      resolve(response.statusCode)
    })
      .on('error', reject)
      .end()
  })
}

describe('on the port of HTTP', () => {
  it('tells that the server lives and is ready, and keeps its metrics to itself', async () => {
    const base = baseOf(await start())
    const health = await fetch(`${base}/healthz`)
    expect([health.status, health.headers.get('content-type'), await health.json()]).toEqual([
      200,
      'application/json',
      { status: 'ok' },
    ])
    const ready = await fetch(`${base}/readyz`)
    expect(ready.status).toBe(200)
    expect(ready.headers.get('cache-control')).toBe('no-store')
    expect(await ready.json()).toMatchObject({ status: 'ready', checks: { store: { ok: true }, drain: { ok: true } } })
    expect((await fetch(`${base}/metrics`)).status).toBe(404)
  })

  it('shows metrics where they are asked for', async () => {
    const answer = await fetch(`${baseOf(await start({ observe: { metrics: true } }))}/metrics`)
    expect(answer.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8')
    expect(parsePrometheus(await answer.text()).get('bough_uptime_seconds')?.samples[0]?.value).toBeGreaterThan(0)
  })

  it('shows nothing with health: false', async () => {
    expect((await fetch(`${baseOf(await start({ observe: { health: false } }))}/readyz`)).status).toBe(404)
  })

  it('leaves paths to the author who has them', async () => {
    const app = await start({
      http: {
        port: 0,
        otherPaths: (request, response) => {
          if (request.url !== '/healthz') return false
          response.end('mine')
          return true
        },
      },
    })
    expect(await (await fetch(`${baseOf(app)}/healthz`)).text()).toBe('mine')
    expect((await fetch(`${baseOf(app)}/readyz`)).status).toBe(200)
  })

  it.each(['POST', 'PUT', 'DELETE'])('takes no %s', async (method) => {
    const answer = await fetch(`${baseOf(await start())}/readyz`, { method, body: method === 'DELETE' ? null : 'x' })
    expect([answer.status, answer.headers.get('allow')]).toEqual([405, 'GET, HEAD'])
  })

  it('answers HEAD without a body', async () => {
    const answer = await fetch(`${baseOf(await start())}/healthz`, { method: 'HEAD' })
    expect([answer.status, await answer.text()]).toEqual([200, ''])
  })
})

describe('on a port of their own', () => {
  it('all three are shown, and nothing else', async () => {
    const { observeUrl } = await start({ observe: { port: 0 } })
    const statuses = await Promise.all(
      ['/healthz', '/readyz?verbose', '/metrics', '/mcp'].map(async (path) => (await fetch(observeUrl + path)).status),
    )
    expect(statuses).toEqual([200, 200, 200, 404])
  })

  it('answer only who names this machine, on a loopback address', async () => {
    const { observeUrl = '' } = await start({ observe: { port: 0 } })
    const { port } = new URL(observeUrl)
    expect(await statusAs(`${observeUrl}/metrics`, `localhost:${port}`)).toBe(200)
    expect(await statusAs(`${observeUrl}/metrics`, `evil.example:${port}`)).toBe(403)
  })

  it('come back on the same port when their process dies', async () => {
    const { system, observeUrl } = await start({ observe: { port: 0 } })
    const listener = system.allProcesses().find(({ definition }) => definition.name === 'outside')
    listener?.ref.exit('kill')
    await expect
      .poll(
        () =>
          fetch(`${observeUrl}/healthz`).then(
            ({ status }) => status,
            () => 0,
          ),
        { timeout: 20_000 },
      )
      .toBe(200)
  })

  it('say why the server is not ready while it starts, and while it drains', async () => {
    let listen = (): void => undefined
    const slow: Transport = {
      name: 'slow',
      listen: () =>
        new Promise((resolve) => {
          const close = (): Promise<void> => Promise.resolve()
          listen = () => resolve({ url: 'slow', stopAccepting: () => undefined, close })
        }),
    }
    const free = await serve(createServer({ name: 'x', version: '1' }), {
      http: { port: 0 },
      observe: { port: 0 },
      logger: false,
      signals: false,
    })
    const observeUrl = free.observeUrl ?? ''
    await free.stop()
    const port = Number(new URL(observeUrl).port)
    const runs = deferred()
    const answers = deferred()
    const own = createServer({ name: 'x', version: '1' })
    own.tool('waits', {
      run: async () => {
        runs.resolve()
        await answers.promise
        return 'done'
      },
    })
    const starting = serve(own, {
      http: { port: 0 },
      transports: [slow],
      observe: { port },
      logger: false,
      signals: false,
    })
    const why = async (check: string): Promise<unknown> => {
      try {
        const answer = await fetch(`${observeUrl}/readyz`)
        const { checks } = (await answer.json()) as Readiness
        return [answer.status, checks[check]?.why]
      } catch {
        return 'nobody there'
      }
    }
    await expect.poll(() => why('listeners'), { timeout: 20_000 }).toEqual([503, expect.stringContaining('slow')])
    listen()
    const app = await starting
    onTestFinished(() => app.stop())
    expect(await why('listeners')).toEqual([200, undefined])
    const call = fetch(app.url, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
        'mcp-protocol-version': '2026-07-28',
        'mcp-method': 'tools/call',
        'mcp-name': 'waits',
      },
      body: JSON.stringify({
        jsonrpc: '2.0',
        id: 1,
        method: 'tools/call',
        params: {
          name: 'waits',
          _meta: {
            'io.modelcontextprotocol/protocolVersion': '2026-07-28',
            'io.modelcontextprotocol/clientInfo': { name: 'c', version: '1' },
            'io.modelcontextprotocol/clientCapabilities': {},
          },
        },
      }),
    })
    await runs.promise
    const stopped = app.stop()
    await expect.poll(() => why('drain'), { timeout: 20_000 }).toEqual([503, expect.stringContaining('shutting down')])
    answers.resolve()
    expect((await call).status).toBe(200)
    await stopped
    expect(await why('drain')).toBe('nobody there')
  })

  it.each([
    [{ port: -1 }, 'observe.port must be a whole number from 0 to 65535, got number -1'],
    [{ port: 1.5 }, 'observe.port'],
    [{ port: 0, host: '' }, 'observe.host must be an address'],
    [{ checkTimeoutMs: 0 }, 'observe.checkTimeoutMs must be a whole number of at least 1, got number 0'],
  ])('are refused with wrong options: %j', async (observe, sentence) => {
    await expect(serve(server, { http: { port: 0 }, observe, logger: false })).rejects.toThrow(sentence)
  })

  it('say which port is taken', async () => {
    const { observeUrl = '' } = await start({ observe: { port: 0 } })
    const port = Number(new URL(observeUrl).port)
    await expect(
      serve(server, { http: { port: 0 }, observe: { port }, logger: false, signals: false }),
    ).rejects.toThrow(`observe: cannot listen on 127.0.0.1 port ${port}: another program listens there`)
  })
})

describe('readiness', () => {
  it('waits for the disk, for so long', async () => {
    const memory = memoryStore()
    const store = Object.assign(Object.create(memory) as typeof memory, { whenDurable: () => undefined })
    const app = await start({ store, observe: { checkTimeoutMs: 20 } })
    const { isReady, checks } = await app.ready()
    expect([isReady, checks['store']]).toEqual([false, { ok: false, why: 'The check "store" took longer than 20 ms.' }])
    expect(app.metrics()['health_failures']).toEqual({ store: 1 })
  })

  it('is told once when it changes, not at every look', async () => {
    const events: unknown[] = []
    let isStuck = true
    const memory = memoryStore()
    const store = Object.assign(Object.create(memory) as typeof memory, {
      whenDurable: (done: () => void) => (isStuck ? undefined : done()),
    })
    const app = await start({
      store,
      observe: { checkTimeoutMs: 20 },
      events: (event) => event.type === 'readiness' && events.push(event.isReady),
    })
    await Promise.all([app.ready(), app.ready()])
    await app.ready()
    isStuck = false
    await app.ready()
    await app.ready()
    expect(events).toEqual([false, true])
  })

  it('is none when the server has ended', async () => {
    const app = await start()
    await app.stop()
    expect(await app.ready()).toMatchObject({ isReady: false })
  })
})

function deferred(): { readonly promise: Promise<void>; resolve: () => void } {
  let resolve = (): void => undefined
  const promise = new Promise<void>((done) => {
    resolve = done
  })
  return { promise, resolve }
}
