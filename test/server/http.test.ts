import { type App, createServer, type ServeOptions, serve } from 'bough'
import type { Ref, SupervisorRef } from 'bough/runtime'
import { describe, expect, it, onTestFinished } from 'vitest'
import { HttpClient } from './http-client.ts'
import { deferred } from './support.ts'

async function start(options: Partial<ServeOptions> = {}) {
  let gate = deferred()
  const calls = { aborted: 0, entered: deferred() }
  const server = createServer({ name: 'http', version: '1' })
    .tool('echo', { run: () => 'hi' })
    .tool('gated', {
      run: async (_args, ctx) => {
        ctx.signal.addEventListener('abort', () => calls.aborted++)
        calls.entered.resolve()
        await gate.promise
        return 'through'
      },
    })
    .tool('steps', {
      run: async (_args, ctx) => {
        ctx.log('info', 'one')
        ctx.log('info', 'two')
        await gate.promise
        ctx.log('info', 'three')
        return 'done'
      },
    })
    .tool('asks', { run: async (_args, ctx) => `${(await ctx.roots()).length} roots` })
    .tool('closes', {
      run: async (_args, ctx) => {
        ctx.closeStream(10)
        await gate.promise
        return 'closed'
      },
    })
    .resource('config://app', { read: () => 'x' })
  const app = await serve(server, {
    http: { port: 0 },
    signals: false,
    guard: false,
    logger: false,
    drainMs: 200,
    ...options,
  })
  onTestFinished(() => app.stop())
  return {
    app,
    server,
    calls,
    open: () => gate.resolve(),
    close: () => {
      gate = deferred()
    },
  }
}

async function processes(app: App, name: string): Promise<Ref[]> {
  const found: Ref[] = []
  const visit = async (supervisor: SupervisorRef): Promise<void> => {
    for (const { id, ref, type, modules } of await supervisor.whichChildren()) {
      if (typeof ref !== 'object') continue
      if ((id ?? modules[0]) === name) found.push(ref)
      if (type === 'supervisor') await visit(ref as SupervisorRef)
    }
  }
  await visit(app.ref)
  return found
}

describe('a session over HTTP', () => {
  it('gets an unguessable id of visible ASCII, answers in JSON, and takes notifications with 202', async () => {
    const { app } = await start()
    const ids = new Set<string>()
    for (let n = 0; n < 3; n++) {
      const client = await HttpClient.open(app.url)
      expect(client.sessionId).toMatch(/^[\x21-\x7e]{16,}$/)
      ids.add(client.sessionId ?? '')
      const stream = await client.begin('tools/call', { name: 'echo' })
      expect([stream.status, stream.headers.get('content-type')]).toEqual([200, 'application/json'])
    }
    expect(ids.size).toBe(3)
  })

  it('refuses what names no session, an unknown one, an unknown revision, and a wrong batch, each with its status', async () => {
    const { app } = await start()
    const client = await HttpClient.open(app.url)
    const stranger = new HttpClient(app.url)
    expect((await stranger.begin('ping')).status).toBe(400)
    expect((await stranger.listen()).status).toBe(400)
    expect((await stranger.end()).status).toBe(400)
    stranger.sessionId = 'nobody'
    for (const answer of [stranger.begin('ping'), stranger.listen(), stranger.end(), stranger.initialize()])
      expect((await answer).status).toBe(404)
    expect(
      (await client.fetch('POST', { 'mcp-protocol-version': '1999-01-01' }, '{"jsonrpc":"2.0","id":1,"method":"ping"}'))
        .status,
    ).toBe(400)
    expect((await client.fetch('POST', {}, '{nope')).status).toBe(400)
    expect((await client.fetch('POST', {}, '[]')).status).toBe(400)
    expect((await client.send([{ id: 90, method: 'ping' }])).status).toBe(400)
    for (const method of ['PUT', 'PATCH']) expect((await client.fetch(method)).status).toBe(405)
    expect((await client.request('ping')).result).toEqual({})
  })

  it('takes batches under 2025-03-26, also without the header of the revision', async () => {
    const { app } = await start()
    const client = await HttpClient.open(app.url, '2025-03-26')
    const stream = await client.send([
      { id: 'a', method: 'ping' },
      { id: 'b', method: 'tools/call', params: { name: 'echo' } },
      { method: 'notifications/initialized' },
    ])
    await stream.over
    expect(stream.messages.map(({ id }) => id).sort()).toEqual(['a', 'b'])
    expect((await client.send([{ method: 'notifications/initialized' }])).status).toBe(202)
  })

  it('ends with DELETE: calls are answered and aborted, streams end, the id is unknown at once', async () => {
    const { app, calls } = await start()
    const client = await HttpClient.open(app.url)
    const get = await client.listen()
    const stream = client.begin('tools/call', { name: 'gated' })
    await calls.entered.promise
    expect((await client.end()).status).toBe(200)
    expect((await (await stream).until(() => true)).error?.code).toBe(-32603)
    await get.over
    expect(calls.aborted).toBe(1)
    expect((await client.begin('ping')).status).toBe(404)
    expect((await client.end()).status).toBe(404)
    expect(app.metrics()['sessions']).toBe(0)
    expect(await processes(app, 'session-tree')).toHaveLength(0)
  })

  it('is refused with 503 and Retry-After beyond the limit', async () => {
    const { app } = await start({ sessions: { max: 2 } })
    const [one] = [await HttpClient.open(app.url), await HttpClient.open(app.url)]
    const refused = await new HttpClient(app.url).initialize()
    expect(refused.status).toBe(503)
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0)
    await one?.end()
    await HttpClient.open(app.url)
  })

  it('ends after its idle time, unless a stream is open or a call runs', async () => {
    const { app, calls } = await start({ sessions: { idleMs: 300 } })
    const [idle, listening, busy] = [
      await HttpClient.open(app.url),
      await HttpClient.open(app.url),
      await HttpClient.open(app.url),
    ]
    const get = await listening.listen()
    const call = busy.begin('tools/call', { name: 'gated' })
    await calls.entered.promise
    const [session] = await processes(app, 'session')
    await expect.poll(() => app.metrics()['sessions'], { timeout: 3_000 }).toBe(2)
    expect((await idle.begin('ping')).status).toBe(404)
    expect((await listening.request('ping')).result).toEqual({})
    expect((await busy.request('ping')).result).toEqual({})
    get.drop()
    await busy.end()
    await (await call).over
    await expect.poll(() => app.metrics()['sessions'], { timeout: 3_000 }).toBe(0)
    expect(session?.alive).toBe(false)
  })

  it('whose client left before it got its id is not kept', async () => {
    const { app } = await start()
    const abort = new AbortController()
    const [manager] = await processes(app, 'session-manager')
    const { sys } = await import('bough/runtime')
    if (manager !== undefined) await sys.suspend(manager)
    const body = JSON.stringify({
      jsonrpc: '2.0',
      id: 1,
      method: 'initialize',
      params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'a', version: '1' } },
    })
    const left = fetch(app.url, {
      method: 'POST',
      body,
      signal: abort.signal,
      headers: { 'content-type': 'application/json', accept: 'application/json, text/event-stream' },
    })
    await expect.poll(() => manager?.info()?.queueLength).toBe(1)
    abort.abort()
    await expect(left).rejects.toThrow()
    await new Promise((done) => setTimeout(done, 20))
    if (manager !== undefined) await sys.resume(manager)
    await expect.poll(() => app.metrics()['sessions_opened']).toBe(1)
    await expect.poll(() => app.metrics()['sessions']).toBe(0)
  })
})

describe('streams', () => {
  it('open with a priming event and a retry time, carry what comes before the answer, and end with it', async () => {
    const { app, open } = await start()
    const client = await HttpClient.open(app.url)
    open()
    const stream = await client.begin('tools/call', { name: 'steps' })
    await stream.over
    expect(stream.isEvents).toBe(true)
    expect(stream.events[0]).toMatchObject({
      data: '',
      id: expect.stringMatching(/^[\x21-\x7e]+$/),
      retry: expect.any(Number),
    })
    expect(stream.messages.map(({ params, result }) => params?.data ?? result.content[0].text)).toEqual([
      'one',
      'two',
      'three',
      'done',
    ])
    const ids = stream.events.map(({ id }) => id)
    expect(new Set(ids).size).toBe(ids.length)
  })

  it('can be resumed while the call runs: what was missed comes, then the rest', async () => {
    const { app, open } = await start()
    const client = await HttpClient.open(app.url)
    const lost = await client.begin('tools/call', { name: 'steps' })
    await lost.untilEvents(3)
    lost.drop()
    const resumed = await client.listen(lost.events[1]?.id)
    expect(resumed.status).toBe(200)
    await resumed.until(({ params }) => params?.data === 'two')
    open()
    await resumed.over
    expect(resumed.messages.map(({ params, result }) => params?.data ?? result.content[0].text)).toEqual([
      'two',
      'three',
      'done',
    ])
    expect(resumed.messages.some(({ params }) => params?.data === 'one')).toBe(false)
  })

  it('can be resumed after the final answer, from any event, as often as one likes', async () => {
    const { app, open } = await start()
    const client = await HttpClient.open(app.url)
    const lost = await client.begin('tools/call', { name: 'steps' })
    await lost.untilEvents(1)
    lost.drop()
    open()
    await expect.poll(async () => (await processes(app, 'request')).length).toBe(0)
    for (let n = 0; n < 2; n++) {
      const resumed = await client.listen(lost.events[0]?.id)
      await resumed.over
      expect(resumed.messages.at(-1)?.result.content[0].text).toBe('done')
      expect(resumed.messages).toHaveLength(4)
      const rest = await client.listen(resumed.events.at(-2)?.id)
      await rest.over
      expect(rest.messages).toHaveLength(1)
    }
  })

  it('that a call asked to close early ends at once, and gives the answer on resumption', async () => {
    const { app, open } = await start()
    const client = await HttpClient.open(app.url)
    const stream = await client.begin('tools/call', { name: 'closes' })
    await stream.over
    expect(stream.events).toEqual([{ id: expect.any(String), retry: 10, data: '' }])
    const resumed = await client.listen(stream.events[0]?.id)
    open()
    expect((await resumed.until(({ result }) => result !== undefined)).result.content[0].text).toBe('closed')
    await resumed.over
  })

  it('refuse an event id that the session never gave', async () => {
    const { app } = await start()
    const [client, other] = [await HttpClient.open(app.url), await HttpClient.open(app.url)]
    const stream = await other.listen()
    await stream.untilEvents(1)
    for (const id of ['nope', 'g_999', 'x_1', '0_1']) expect((await client.listen(id)).status).toBe(400)
    stream.drop()
  })

  it('of a cancelled call end, and 204 tells a client not to come back', async () => {
    const { app, calls } = await start()
    const client = await HttpClient.open(app.url)
    const stream = await client.begin('tools/call', { name: 'steps' })
    await stream.untilEvents(2)
    await client.send({ method: 'notifications/cancelled', params: { requestId: 2 } })
    await stream.over
    expect(stream.messages.some(({ result, error }) => result ?? error)).toBe(false)
    expect((await client.listen(stream.events.at(-1)?.id)).status).toBe(204)
    expect(calls.aborted).toBe(0)
  })

  it('of a slow call begin after a while, so that it can be resumed', async () => {
    const { app, open } = await start()
    const client = await HttpClient.open(app.url)
    const stream = await client.begin('tools/call', { name: 'gated' })
    await stream.untilEvents(1)
    stream.drop()
    const resumed = await client.listen(stream.events[0]?.id)
    open()
    expect((await resumed.until(() => true)).result.content[0].text).toBe('through')
  })

  it('carry questions of a call, whose answers are taken with 202', async () => {
    const { app } = await start()
    const client = await HttpClient.open(app.url, '2025-11-25', { roots: {} })
    const stream = await client.begin('tools/call', { name: 'asks' })
    const { id = null } = await stream.until(({ method }) => method === 'roots/list')
    expect((await client.send({ id, result: { roots: [{ uri: 'file:///x' }] } })).status).toBe(202)
    await stream.over
    expect(stream.messages.at(-1)?.result.content[0].text).toBe('1 roots')
  })
})

describe('the standalone stream', () => {
  it('brings changes once, on the newest of several connections, and again where one was lost', async () => {
    const { app, server } = await start()
    const client = await HttpClient.open(app.url)
    await client.request('resources/subscribe', { uri: 'config://app' })
    app.resourceUpdated('config://app')
    const first = await client.listen()
    await first.until(({ method }) => method === 'notifications/resources/updated')
    const second = await client.listen()
    await second.untilEvents(1)
    server.tool('new', { run: () => 'x' })
    await second.until(({ method }) => method === 'notifications/tools/list_changed')
    expect(first.messages).toHaveLength(1)
    expect(second.messages).toHaveLength(1)
    second.drop()
    first.drop()
    const at = second.events.at(-1)?.id
    server.removeTool('new')
    app.resourceUpdated('config://app')
    const third = await client.listen(at)
    // Two processes told of them, so their order is not promised.
    await third.until(({ method }) => method === 'notifications/resources/updated')
    await third.until(({ method }) => method === 'notifications/tools/list_changed')
    expect(third.messages).toHaveLength(2)
    third.drop()
  })

  it('never carries an answer', async () => {
    const { app, open } = await start()
    const client = await HttpClient.open(app.url)
    const get = await client.listen()
    open()
    await Promise.all([1, 2, 3].map(() => client.call('steps')))
    expect(get.messages).toEqual([])
    get.drop()
  })
})

describe('when a session over HTTP ends unasked', () => {
  it.each(['kill', 'crash'])('(%s) its calls are answered with -32603, and it goes on', async (how) => {
    const { app, calls } = await start()
    const client = await HttpClient.open(app.url)
    const [plain, stream] = [
      client.begin('tools/call', { name: 'gated' }),
      await client.begin('tools/call', { name: 'steps' }),
    ]
    await calls.entered.promise
    await stream.untilEvents(2)
    const get = await client.listen()
    const [session] = await processes(app, 'session')
    if (how === 'kill') session?.exit('kill')
    else (session as Ref & { cast(op: string, arg: unknown): boolean }).cast('receive', { message: null, sink: null })
    expect((await (await plain).until(() => true)).error?.code).toBe(-32603)
    expect((await stream.until(({ error }) => error !== undefined)).error?.code).toBe(-32603)
    await Promise.all([get.over, stream.over])
    const again = await client.begin('tools/call', { name: 'echo' })
    expect(again.status).toBe(200)
    expect((await client.listen(stream.events[0]?.id)).status).toBe(200)
    expect(app.metrics()['sessions']).toBe(1)
  })

  it('its listener may die too: the port is served again', async () => {
    const port = 20_000 + Math.floor(process.pid % 20_000)
    const { app } = await start({ http: { port } })
    const client = await HttpClient.open(app.url)
    const [listener] = await processes(app, 'http')
    listener?.exit('kill')
    await expect
      .poll(async () => (await client.request('ping').catch(() => undefined))?.result, { timeout: 5_000 })
      .toEqual({})
    expect((await client.call('echo')).result.content[0].text).toBe('hi')
  })
})
