/** The modern era over real HTTP: streams, subscriptions, limits, and what becomes of a request when its client leaves. */
import { describe, expect, it } from 'vitest'
import { HttpClient, type Stream } from './http-client.ts'
import { metaOf, SUBSCRIPTION_ID, textOf, VERSION } from './modern-client.ts'
import { headersOf } from './modern-http-client.ts'
import { start, withTasks } from './modern-http-support.ts'
import { halfSent, isListening, keepAlive } from './modern-sockets.ts'

describe('the methods of a session', () => {
  it.each(['GET', 'DELETE'])('%s without a session is refused, and opens none', async (method) => {
    const { app } = await start()
    const plain = new HttpClient(app.url)
    for (const headers of [{}, { 'mcp-protocol-version': VERSION }] as const)
      expect((await plain.fetch(method, headers)).status).toBe(400)
    expect(app.metrics()['sessions']).toBe(0)
  })

  it.each(['GET', 'DELETE'])('%s is not a method of a server of the modern era alone', async (method) => {
    const { app } = await start({ revisions: [VERSION] })
    const plain = new HttpClient(app.url)
    expect((await plain.fetch(method)).status).toBe(405)
    plain.sessionId = 'nobody'
    expect((await plain.fetch(method)).status).toBe(405)
  })

  it('initialize is refused by a server of the modern era alone, which names what it serves', async () => {
    const { app, client } = await start({ revisions: [VERSION] })
    const params = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'a', version: '1' } }
    const stream = await client().post({ jsonrpc: '2.0', id: 1, method: 'initialize', params })
    await stream.over
    expect([stream.status, stream.messages[0]?.error]).toMatchObject([
      400,
      { code: -32022, data: { supported: [VERSION] } },
    ])
    expect(stream.headers.has('mcp-session-id')).toBe(false)
    expect(app.metrics()['sessions']).toBe(0)
  })

  it('a modern request never gets a session id, and a session is none of its business', async () => {
    const { app, client } = await start()
    const old = await HttpClient.open(app.url)
    const stream = await client().begin('tools/list', {}, { headers: { 'mcp-session-id': old.sessionId } })
    await stream.over
    expect([stream.status, stream.headers.has('mcp-session-id')]).toEqual([200, false])
    expect(stream.messages[0]?.result.resultType).toBe('complete')
    expect((await old.request('tools/list')).result).not.toHaveProperty('resultType')
    expect(app.metrics()['sessions']).toBe(1)
  })
})

describe('a client that closes its connection', () => {
  it('cancels a request whose answer would have been JSON', async () => {
    const { app, client, seen } = await start()
    const processes = app.system.processCount
    const abort = new AbortController()
    const message = { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'gated', _meta: metaOf() } }
    const left = fetch(app.url, {
      method: 'POST',
      signal: abort.signal,
      headers: {
        ...headersOf(message),
        accept: 'application/json, text/event-stream',
        'content-type': 'application/json',
      },
      body: JSON.stringify(message),
    })
    await expect.poll(() => seen.entered).toBe(1)
    abort.abort()
    await expect(left).rejects.toThrow()
    await expect.poll(() => [seen.aborted, app.metrics()['requests_cancelled']]).toEqual([1, 1])
    await expect.poll(() => app.system.processCount).toBe(processes)
    expect((await client().call('echo', { n: 1 })).result.isError).not.toBe(true)
  })

  it('cancels a request whose stream is open', async () => {
    const { app, client, seen } = await start()
    const processes = app.system.processCount
    const stream = await client().begin('tools/call', { name: 'steps' }, { asking: { meta: { progressToken: 1 } } })
    await stream.untilEvents(3)
    expect(seen.aborted).toBe(0)
    stream.drop()
    await expect.poll(() => [seen.aborted, app.metrics()['requests_cancelled']]).toEqual([1, 1])
    await expect.poll(() => app.system.processCount).toBe(processes)
  })

  it('cancels a request whose stream was opened because the answer was long in coming', async () => {
    const { client, seen } = await start({ http: { port: 0, keepAliveMs: 100 } })
    const stream = await client().begin('tools/call', { name: 'gated' })
    expect([stream.status, stream.isEvents, stream.headers.get('x-accel-buffering')]).toEqual([200, true, 'no'])
    await stream.untilComments(2)
    expect(stream.events).toEqual([])
    stream.drop()
    await expect.poll(() => seen.aborted).toBe(1)
  })

  it('does not cancel by a notification: over HTTP that means nothing', async () => {
    const { client, seen, open } = await start()
    const stream = client().begin('tools/call', { name: 'gated' })
    await expect.poll(() => seen.entered).toBe(1)
    const message = { jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 1, _meta: metaOf() } }
    expect((await client().post(message, headersOf(message))).status).toBe(202)
    await client().request('tools/list')
    expect(seen.aborted).toBe(0)
    open()
    const answer = await stream
    expect(textOf(await answer.until(() => true))).toBe('through')
  })

  it('does not cancel a task that it began', async () => {
    const { client, open } = await start()
    const tasks = client(withTasks)
    const { result } = await tasks.call('waits')
    open()
    await expect
      .poll(async () => (await tasks.request('tasks/get', { taskId: result.taskId })).result.status)
      .toBe('completed')
  })
})

describe('the stream of a request', () => {
  it('carries progress, the logs that were asked for, and then the answer, without event ids', async () => {
    const { client, open } = await start()
    open()
    const asking = { logLevel: 'warning', meta: { progressToken: 'p' } }
    const stream = await client().begin('tools/call', { name: 'steps' }, { asking })
    await stream.over
    expect(stream.headers.get('x-accel-buffering')).toBe('no')
    expect(stream.messages.map(({ params, result }) => params?.progress ?? params?.data ?? textOf({ result }))).toEqual(
      [1, 2, 3, 'loud', 'done'],
    )
    expect(stream.events.every(({ id, retry }) => id === undefined && retry === undefined)).toBe(true)
  })

  it('is not opened for a client that asked for neither progress nor logs', async () => {
    const { client, open } = await start()
    open()
    const stream = await client().begin('tools/call', { name: 'steps' })
    await stream.over
    expect([stream.isEvents, textOf(stream.messages[0] ?? {})]).toEqual([false, 'done'])
  })

  it('may end with a question, or with an error that no status can tell any more', async () => {
    const { client } = await start()
    const meta = { progressToken: 1 }
    const asked = await client().begin(
      'tools/call',
      { name: 'late' },
      { asking: { meta, capabilities: { elicitation: {} } } },
    )
    await asked.over
    expect(asked.messages.at(-1)?.result.resultType).toBe('input_required')
    const refused = await client().begin('tools/call', { name: 'late' }, { asking: { meta } })
    await refused.over
    expect([refused.status, refused.messages.at(-1)?.error?.code]).toEqual([200, -32021])
  })

  it('takes part in as many rounds as the server has questions', async () => {
    const { client } = await start()
    const answers = { 'elicitation/create': () => ({ action: 'accept', content: { name: 'Ann' } }) }
    const reply = await client({ capabilities: { elicitation: {} } }).rounds('tools/call', { name: 'greet' }, answers)
    expect(textOf(reply)).toBe('Hello, Ann')
  })
})

describe('subscriptions/listen over HTTP', () => {
  const all = { toolsListChanged: true, promptsListChanged: true, resourcesListChanged: true }
  const untilMethod = (stream: Stream, method: string) => stream.until((message) => message.method === method)

  it('acknowledges first, marks everything with its id, and has no event ids', async () => {
    const { app, server, client } = await start()
    const notifications = { ...all, resourceSubscriptions: ['config://app', 'config://nowhere'] }
    const stream = await client().begin('subscriptions/listen', { notifications }, { id: 'sub' })
    expect([stream.status, stream.isEvents, stream.headers.get('x-accel-buffering')]).toEqual([200, true, 'no'])
    await stream.untilEvents(1)
    expect(stream.messages[0]).toMatchObject({
      method: 'notifications/subscriptions/acknowledged',
      params: { notifications: { ...all, resourceSubscriptions: ['config://app'] } },
    })
    server
      .tool('new', { run: () => '' })
      .prompt('new', { get: () => '' })
      .resource('new:x', { read: () => '' })
    await app.resourceUpdated('config://app')
    await app.resourceUpdated('config://other')
    await stream.untilEvents(5)
    expect(
      stream.messages
        .slice(1)
        .map(({ method }) => method)
        .sort(),
    ).toEqual([
      'notifications/prompts/list_changed',
      'notifications/resources/list_changed',
      'notifications/resources/updated',
      'notifications/tools/list_changed',
    ])
    for (const { params } of stream.messages) expect(params._meta[SUBSCRIPTION_ID]).toBe('sub')
    expect(stream.events.every(({ id, retry }) => id === undefined && retry === undefined)).toBe(true)
    stream.drop()
  })

  it('is kept alive by comments', async () => {
    const { client } = await start({ http: { port: 0, keepAliveMs: 50 } })
    const stream = await client().begin('subscriptions/listen', { notifications: all })
    await stream.untilComments(3)
    expect(stream.events).toHaveLength(1)
    stream.drop()
  })

  it('ends its process when its client leaves', async () => {
    const { app, client, server } = await start()
    const processes = app.system.processCount
    const streams = await Promise.all(
      Array.from({ length: 20 }, () => client().begin('subscriptions/listen', { notifications: all })),
    )
    await Promise.all(streams.map((stream) => stream.untilEvents(1)))
    expect(app.system.processCount).toBe(processes + 20)
    for (const stream of streams) stream.drop()
    await expect.poll(() => app.system.processCount).toBe(processes)
    server.tool('new', { run: () => '' })
  })

  it('ends with a result when the server stops', async () => {
    const { app, client } = await start()
    const stream = await client().begin('subscriptions/listen', { notifications: all }, { id: 7 })
    await stream.untilEvents(1)
    await app.stop()
    await stream.over
    expect(stream.messages.at(-1)).toMatchObject({
      id: 7,
      result: { resultType: 'complete', _meta: { [SUBSCRIPTION_ID]: 7 } },
    })
  })

  it('ends without a result when its process is killed, so that the client comes back', async () => {
    const { app, client } = await start()
    const stream = await client().begin('subscriptions/listen', { notifications: all })
    await stream.untilEvents(1)
    const listens = app.system.processes().filter((ref) => ref.info()?.definition === 'listen')
    expect(listens).toHaveLength(1)
    for (const ref of listens) ref.exit('kill')
    await stream.over
    expect(stream.messages).toHaveLength(1)
  })

  it('may be open several times, each for its own, also with one id', async () => {
    const { app, server, client } = await start()
    const [tools, first, second] = await Promise.all([
      client().begin('subscriptions/listen', { notifications: { toolsListChanged: true } }, { id: 1 }),
      client().begin('subscriptions/listen', { notifications: { resourceSubscriptions: ['config://app'] } }, { id: 1 }),
      client().begin('subscriptions/listen', { notifications: { resourceSubscriptions: ['config://app'] } }, { id: 2 }),
    ])
    for (const stream of [tools, first, second]) await stream.untilEvents(1)
    server.removeTool('echo')
    await app.resourceUpdated('config://app')
    await untilMethod(tools, 'notifications/tools/list_changed')
    await untilMethod(first, 'notifications/resources/updated')
    await untilMethod(second, 'notifications/resources/updated')
    expect([tools, first, second].map(({ messages }) => messages.length)).toEqual([2, 2, 2])
    expect([first, second].map(({ messages }) => messages[1]?.params._meta[SUBSCRIPTION_ID])).toEqual([1, 2])
    for (const stream of [tools, first, second]) stream.drop()
  })

  it('with an empty filter is acknowledged as such, and hears nothing', async () => {
    const { server, client } = await start()
    const stream = await client().begin('subscriptions/listen', { notifications: {} })
    await stream.untilEvents(1)
    expect(stream.messages[0]?.params.notifications).toEqual({})
    const other = await client().begin('subscriptions/listen', { notifications: { toolsListChanged: true } })
    await other.untilEvents(1)
    server.removeTool('echo')
    await untilMethod(other, 'notifications/tools/list_changed')
    expect(stream.messages).toHaveLength(1)
    for (const one of [stream, other]) one.drop()
  })
})

describe('a server that has no room', () => {
  it('refuses with 503 and Retry-After what comes while it drains', async () => {
    const { app, client, seen, open } = await start({ drainMs: 2_000 })
    const running = client().begin('tools/call', { name: 'gated' })
    await expect.poll(() => seen.entered).toBe(1)
    // A request that is half sent: its connection is not idle, so it is not closed.
    const half = await halfSent(app.url, 'tools/list')
    const stopped = app.stop()
    await expect.poll(() => isListening(app.url)).toBe(false)
    const text = await half.finish()
    expect(text).toMatch(/^HTTP\/1\.1 503 /)
    expect(text).toMatch(/^retry-after: [1-9]/im)
    expect(text).toMatch(/^connection: close/im)
    expect(text).toContain('shutting down')
    open()
    expect(textOf(await (await running).until(() => true))).toBe('through')
    await stopped
  })

  it('refuses with 503 and Retry-After the call that is one too many, and no other request', async () => {
    const { client, seen, open } = await start({ maxCalls: 2 })
    const calls = [client().call('gated'), client().call('gated')]
    await expect.poll(() => seen.entered).toBe(2)
    const refused = await client().begin('tools/call', { name: 'echo' })
    await refused.over
    expect([refused.status, refused.messages[0]?.error?.code]).toEqual([503, -32603])
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0)
    expect((await client().ask('tools/list')).status).toBe(200)
    expect((await client().ask('server/discover')).status).toBe(200)
    open()
    for (const call of calls) expect(textOf(await call)).toBe('through')
    expect(textOf(await client().call('echo', { n: 3 }))).toBe('3')
  })
})

describe('how long an answer may be kept', () => {
  it.each([undefined, { ttlMs: 60_000, cacheScope: 'public' as const }])(
    'is said of lists by the option %o',
    async (cache) => {
      const { client } = await start(cache === undefined ? {} : { cache })
      const hints = cache ?? { ttlMs: 0, cacheScope: 'private' }
      for (const method of [
        'tools/list',
        'prompts/list',
        'resources/list',
        'resources/templates/list',
        'server/discover',
      ])
        expect((await client().request(method)).result).toMatchObject(hints)
      expect((await client().request('resources/read', { uri: 'config://app' })).result).toMatchObject({
        ttlMs: 5_000,
        cacheScope: 'public',
      })
      // What a resource does not say itself is not kept, whatever holds for lists.
      expect((await client().request('resources/read', { uri: 'config://other' })).result).toMatchObject({
        ttlMs: 0,
        cacheScope: 'private',
      })
      expect((await client().call('echo', { n: 1 })).result).not.toHaveProperty('ttlMs')
    },
  )

  it('is not said to a client of the legacy era', async () => {
    const { app } = await start({ cache: { ttlMs: 60_000, cacheScope: 'public' } })
    const old = await HttpClient.open(app.url)
    expect((await old.request('tools/list')).result).not.toHaveProperty('ttlMs')
    expect((await old.request('resources/read', { uri: 'config://app' })).result).not.toHaveProperty('cacheScope')
  })
})

describe('many requests at once', () => {
  it('with one JSON-RPC id from 100 connections are told apart', async () => {
    const { app, client } = await start()
    const processes = app.system.processCount
    const connections = Array.from({ length: 100 }, () => keepAlive(app.url))
    const answers = await Promise.all(
      connections.map((one, n) => one.ask('tools/call', { name: 'echo', arguments: { n } })),
    )
    expect(answers.map(({ body }) => [body.id, textOf(body)])).toEqual(answers.map((_one, n) => [1, `${n}`]))
    for (const one of connections) one.end()
    await expect.poll(() => app.system.processCount).toBe(processes)
    // The same over whatever connections fetch makes, with streams between them.
    const mixed = await Promise.all(
      Array.from({ length: 100 }, (_one, n) =>
        client().call('echo', { n }, {}, { id: 1, asking: { meta: { progressToken: n } } }),
      ),
    )
    expect(mixed.map(textOf)).toEqual(mixed.map((_one, n) => `${n}`))
  })
})
