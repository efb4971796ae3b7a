import { Agent } from 'undici'
import { describe, expect, it, onTestFinished } from 'vitest'
import { type HttpClientOptions, httpClientTransport } from '#transports/client-http'
import {
  type Asked,
  HandServer,
  json,
  notification,
  Remembering,
  rawServer,
  request,
  result,
  stream,
  withSession,
} from './client-harness.ts'
import { eventually, handClock } from './http-harness.ts'

/** A link to `url`, closed when the test ends. */
async function linked(url: string, options: Omit<HttpClientOptions, 'url'> = {}) {
  const receiver = new Remembering()
  const link = await httpClientTransport({ url, ...options }).open(receiver)
  onTestFinished(() => link.close())
  return { link, receiver }
}

const echo = (asked: Asked) => json(asked, result(asked.id))

describe('a message over HTTP', () => {
  it('is posted with both content types accepted and the headers it came with', async () => {
    const server = await HandServer.start(echo)
    const { link, receiver } = await linked(server.url, { headers: { 'X-Tenant': 'blue' } })
    link.send(request(1, 'tools/list', { 'MCP-Protocol-Version': '2026-07-28', 'Mcp-Method': 'tools/list' }))
    await receiver.messageCount(1)
    expect(receiver.messages).toEqual([result(1)])
    const { method, path, headers, body } = server.asked[0]!
    expect([method, path, body]).toEqual(['POST', '/mcp', request(1).text])
    expect(headers).toMatchObject({
      accept: 'application/json, text/event-stream',
      'content-type': 'application/json',
      'mcp-protocol-version': '2026-07-28',
      'mcp-method': 'tools/list',
      'x-tenant': 'blue',
    })
    expect(headers).not.toHaveProperty('mcp-session-id')
  })

  it('is answered by a stream of events, notifications first', async () => {
    const progress = '{"jsonrpc":"2.0","method":"notifications/progress","params":{}}'
    const server = await HandServer.start((asked) =>
      stream(asked, `data: ${progress}\n\n: still there\n\nevent: message\ndata: ${result(asked.id)}\n\n`).end(),
    )
    const { link, receiver } = await linked(server.url)
    link.send(request('a'))
    await receiver.messageCount(2)
    expect(receiver.messages).toEqual([progress, result('a')])
  })

  it('leaves its connection to the next one', async () => {
    const server = await HandServer.start((asked) =>
      Number(asked.id) % 2 === 0 ? echo(asked) : stream(asked, `data: ${result(asked.id)}\n\n`).end(),
    )
    let connectionCount = 0
    server.server.on('connection', () => (connectionCount += 1))
    const { link, receiver } = await linked(server.url)
    for (let id = 1; id <= 10; id += 1) {
      link.send(request(id))
      await receiver.messageCount(id)
    }
    // The end of a stream may come a packet later than the answer on it, and the next request then goes beside it.
    expect(connectionCount).toBeLessThanOrEqual(2)
  })

  it('that is a notification is done with 202 and tells nothing', async () => {
    const server = await HandServer.start(withSession(echo))
    const { link, receiver } = await linked(server.url)
    expect(link.send(notification())).toBe(true)
    link.send(request(1))
    await receiver.messageCount(1)
    expect(receiver.failures).toEqual([])
  })

  it('that is the first notification arrives before what is sent after it', async () => {
    const waiting: Asked[] = []
    const server = await HandServer.start((asked) => (asked.id === undefined ? waiting.push(asked) : echo(asked)))
    const { link, receiver } = await linked(server.url)
    link.send(notification())
    link.send(request(1))
    link.listen()
    await eventually(() => waiting.length === 1)
    expect(server.asked).toHaveLength(1)
    waiting[0]!.response.writeHead(202).end()
    await receiver.messageCount(1)
    await server.askedCount(3)
    // Later ones hold nothing back.
    link.send(notification('notifications/roots/list_changed'))
    link.send(request(2))
    await receiver.messageCount(2)
  })

  it('goes out behind a first notification that is never answered, after 5 s', async () => {
    const clock = handClock()
    const server = await HandServer.start((asked) => asked.id !== undefined && echo(asked))
    const { link, receiver } = await linked(server.url, { clock })
    link.send(notification())
    link.send(request(1))
    await server.askedCount(1)
    clock.advance(5_000)
    await receiver.messageCount(1)
    const closing = link.close()
    clock.advance(2_000)
    await closing
  })

  it('that is a batch is answered when all its requests are', async () => {
    const server = await HandServer.start((asked) => json(asked, `[${result(1)},${result(2)}]`))
    const { link, receiver } = await linked(server.url)
    link.send({ text: `[${request(1).text},${request(2).text}]`, kind: 'batch', ids: [1, 2], headers: {} })
    await receiver.messageCount(1)
    expect(receiver.failures).toEqual([])
  })

  it('of a batch that is answered in part fails for the rest', async () => {
    const server = await HandServer.start((asked) => json(asked, `[${result(1)}]`))
    const { link, receiver } = await linked(server.url)
    link.send({ text: `[${request(1).text},${request(2).text}]`, kind: 'batch', ids: [1, 2], headers: {} })
    expect(await receiver.failure()).toMatchObject({ ids: [2], failure: { kind: 'invalid', mayHaveRun: true } })
    expect(receiver.messages).toHaveLength(1)
  })

  it('is not taken when too many wait, and notifications have room of their own', async () => {
    const server = await HandServer.start(() => {})
    const { link } = await linked(server.url, { maxInFlight: 2 })
    expect([1, 2, 3].map((id) => link.send(request(id)))).toEqual([true, true, false])
    expect([1, 2, 3].map(() => link.send(notification()))).toEqual([true, true, false])
    link.abandon(1)
    expect(link.send(request(4))).toBe(true)
  })

  it('is not taken when too much text waits, but one always is', async () => {
    const server = await HandServer.start(() => {})
    const { link } = await linked(server.url, { maxInFlightBytes: 10 })
    expect([link.send(request(1)), link.send(request(2))]).toEqual([true, false])
  })
})

describe('the session', () => {
  it('is kept from the answer to initialize, repeated with the version, and deleted at the end', async () => {
    const server = await HandServer.start(withSession(echo))
    const { link, receiver } = await linked(server.url)
    link.send(request(1, 'initialize'))
    await receiver.messageCount(1)
    link.send(request(2, 'tools/list', { 'MCP-Protocol-Version': '2025-11-25' }))
    await receiver.messageCount(2)
    await link.close()
    const [, list, end] = server.asked
    expect(list!.headers['mcp-session-id']).toBe('session-1')
    expect(end!.method).toBe('DELETE')
    expect(end!.headers).toMatchObject({ 'mcp-session-id': 'session-1', 'mcp-protocol-version': '2025-11-25' })
    expect(receiver.ends).toMatchObject([{ kind: 'closed' }])
    await server.noSockets()
  })

  it('is not taken from other answers, nor when it is no visible ASCII', async () => {
    const server = await HandServer.start((asked) => json(asked, result(asked.id), 200, { 'mcp-session-id': 'a b' }))
    const { link, receiver } = await linked(server.url)
    link.send(request(1, 'initialize'))
    await receiver.messageCount(1)
    link.send(request(2, 'server/discover'))
    await receiver.messageCount(2)
    await link.close()
    expect(server.asked.map(({ headers }) => headers['mcp-session-id'])).toEqual([undefined, undefined])
  })

  it('that the server forgot ends the link: the refused request has not run, the others may have', async () => {
    const server = await HandServer.start(
      withSession((asked) => {
        if (asked.id === 3) json(asked, '{"jsonrpc":"2.0","id":3,"error":{"code":-32001,"message":"gone"}}', 404)
      }),
    )
    const { link, receiver } = await linked(server.url)
    link.send(request(1, 'initialize'))
    await receiver.messageCount(1)
    link.send(request(2))
    await server.askedCount(2)
    link.send(request(3))
    expect(await receiver.end()).toMatchObject({ kind: 'session_lost', status: 404 })
    expect(receiver.failures).toMatchObject([
      { ids: [3], failure: { kind: 'session_lost', mayHaveRun: false } },
      { ids: [2], failure: { kind: 'session_lost', mayHaveRun: true } },
    ])
    expect(receiver.messages).toHaveLength(1)
    expect(link.send(request(4))).toBe(false)
    await link.close()
    expect(server.asked.some(({ method }) => method === 'DELETE')).toBe(false)
    expect(receiver.ends).toHaveLength(1)
    await server.noSockets()
  })

  it.each([
    [
      'a sentence about the session',
      '{"jsonrpc":"2.0","id":2,"error":{"code":-32000,"message":"No valid session ID"}}',
      true,
    ],
    [
      'that it is not initialized',
      '{"jsonrpc":"2.0","error":{"code":-32000,"message":"Server not initialized"}}',
      true,
    ],
    ['another error', '{"jsonrpc":"2.0","id":2,"error":{"code":-32602,"message":"No session name given"}}', false],
    ['what is no JSON', 'no session', false],
  ])('is over too when the server answers 400 and %s: %#', async (_, text, isLost) => {
    const server = await HandServer.start(
      withSession((asked) => {
        if (asked.id === 2) json(asked, text, 400)
      }),
    )
    const { link, receiver } = await linked(server.url)
    link.send(request(1, 'initialize'))
    await receiver.messageCount(1)
    link.send(request(2))
    if (isLost) {
      expect(await receiver.end()).toMatchObject({ kind: 'session_lost' })
      expect(receiver.failures).toMatchObject([{ ids: [2], failure: { kind: 'session_lost', mayHaveRun: false } }])
    } else {
      await expect.poll(() => receiver.messages.length + receiver.failures.length).toBe(2)
      expect(receiver.ends).toHaveLength(0)
    }
    await link.close()
  })

  it('that cannot be deleted does not hold up the end, nor does a server that says 405', async () => {
    const clock = handClock()
    const server = await HandServer.start((asked) => {
      if (asked.method !== 'DELETE') withSession(echo)(asked)
    })
    const { link, receiver } = await linked(server.url, { clock })
    link.send(request(1, 'initialize'))
    await receiver.messageCount(1)
    const closing = link.close()
    await server.askedCount(2)
    clock.advance(2_000)
    await closing
    await server.noSockets()
    expect(clock.timerCount()).toBe(0)
  })
})

describe('closing the link', () => {
  it('fails what waits, lets notifications get there, and leaves no connection', async () => {
    const server = await HandServer.start((asked) => {
      if (asked.id === undefined) asked.response.writeHead(202).end()
    })
    const { link, receiver } = await linked(server.url)
    link.send(request(1))
    await server.askedCount(1)
    link.send(notification('notifications/cancelled'))
    await link.close()
    expect(receiver.failures).toMatchObject([{ ids: [1], failure: { kind: 'closed', mayHaveRun: true } }])
    expect(receiver.ends).toMatchObject([{ kind: 'closed' }])
    expect(server.asked).toHaveLength(2)
    expect(link.send(request(2))).toBe(false)
    await server.noSockets()
  })

  it('twice is one close', async () => {
    const server = await HandServer.start(echo)
    const { link, receiver } = await linked(server.url)
    await Promise.all([link.close(), link.close()])
    expect(receiver.ends).toHaveLength(1)
  })

  it('leaves no socket in this process, however many links there were', async () => {
    const server = await HandServer.start(
      withSession((asked) => (asked.method === 'GET' ? stream(asked) : echo(asked))),
    )
    for (let round = 0; round < 20; round += 1) {
      const { link, receiver } = await linked(server.url)
      link.send(request(0, 'initialize'))
      await receiver.messageCount(1)
      link.listen()
      for (let id = 1; id <= 5; id += 1) link.send(request(id))
      await receiver.messageCount(6)
      await link.close()
    }
    await server.noSockets()
    await eventually(() => !process.getActiveResourcesInfo().includes('TCPSocketWrap'))
  })

  it('fails a request that never left as one that has not run', async () => {
    const server = await HandServer.start(() => {})
    const { link, receiver } = await linked(server.url)
    link.send(request(1))
    await link.close()
    expect(receiver.failures).toMatchObject([{ failure: { kind: 'closed', mayHaveRun: false } }])
  })
})

describe('giving up an answer', () => {
  it('closes its connection, which is the cancellation of the modern era, and no other', async () => {
    const server = await HandServer.start((asked) => {
      if (asked.id === 1) stream(asked)
      else setTimeout(() => echo(asked), 20)
    })
    const { link, receiver } = await linked(server.url)
    link.send(request(1))
    await server.askedCount(1)
    const gone = new Promise((resolve) => server.asked[0]!.response.on('close', resolve))
    link.send(request(2))
    link.abandon(1)
    await gone
    await receiver.messageCount(1)
    expect(receiver.answered).toEqual([2])
    expect(receiver.failures).toEqual([])
  })

  it('works before the answer has begun and before the request has left', async () => {
    const server = await HandServer.start(() => {})
    const { link, receiver } = await linked(server.url)
    link.send(request(1))
    link.abandon(1)
    link.send(request(2))
    await eventually(() => server.asked.some(({ id }) => id === 2))
    const gone = new Promise((resolve) => server.asked.at(-1)!.response.on('close', resolve))
    link.abandon(2)
    await gone
    expect(server.asked.some(({ id }) => id === 1)).toBe(false)
    expect(receiver.failures).toEqual([])
    link.abandon(99)
    await link.close()
    await server.noSockets()
  })
})

describe('a connection', () => {
  it('that is refused fails the request as one that has not run', async () => {
    const server = await HandServer.start(echo)
    await server.stop()
    const { link, receiver } = await linked(server.url)
    link.send(request(1))
    const { ids, failure } = await receiver.failure()
    expect(ids).toEqual([1])
    expect(failure).toMatchObject({ kind: 'refused', mayHaveRun: false })
    expect(failure.message).toContain('ECONNREFUSED')
    expect(failure.message).toContain(server.url)
  })

  it('that breaks before the answer fails the request as one that may have run', async () => {
    const url = await rawServer((socket) => socket.destroy())
    const { link, receiver } = await linked(url)
    link.send(request(1))
    expect(await receiver.failure()).toMatchObject({ ids: [1], failure: { kind: 'broken', mayHaveRun: true } })
  })

  it('that breaks in the middle of a JSON answer fails the request', async () => {
    const head = 'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{"jsonrpc"'
    const url = await rawServer((socket) => socket.end(head))
    const { link, receiver } = await linked(url)
    link.send(request(1))
    expect(await receiver.failure()).toMatchObject({ ids: [1], failure: { kind: 'broken', mayHaveRun: true } })
    expect(receiver.messages).toEqual([])
  })

  it('that breaks in the middle of an event fails the request', async () => {
    const head = `HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\nid: 1\ndata: ${result(1)}`
    const url = await rawServer((socket) => socket.end(head))
    const { link, receiver } = await linked(url)
    link.send(request(1))
    expect(await receiver.failure()).toMatchObject({ ids: [1], failure: { kind: 'broken', mayHaveRun: true } })
    expect(receiver.messages).toEqual([])
  })

  it('that speaks no HTTP fails the request', async () => {
    const url = await rawServer((socket) => socket.end('220 smtp.example.com ready\r\n'))
    const { link, receiver } = await linked(url)
    link.send(request(1))
    expect(await receiver.failure()).toMatchObject({ ids: [1], failure: { kind: 'broken', mayHaveRun: true } })
  })

  it('that brings the answer byte by byte brings it whole', async () => {
    const text = result(1, { text: 'grüße' })
    const bytes = Buffer.from(
      `HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\ndata: ${text}\r\n\r\n`,
    )
    const url = await rawServer(async (socket) => {
      for (const byte of bytes) {
        socket.write(Buffer.from([byte]))
        await new Promise((resolve) => setImmediate(resolve))
      }
      socket.end()
    })
    const { link, receiver } = await linked(url)
    link.send(request(1))
    await receiver.messageCount(1)
    expect(receiver.messages).toEqual([text])
  })

  it('that goes on behind the last answer is closed after a while', async () => {
    const clock = handClock()
    const server = await HandServer.start((asked) => stream(asked, `data: ${result(asked.id)}\n\n`))
    const { link, receiver } = await linked(server.url, { clock })
    link.send(request(1))
    await receiver.messageCount(1)
    const { response } = server.asked[0]!
    expect(response.destroyed).toBe(false)
    clock.advance(4_000)
    await eventually(() => response.destroyed)
    expect(clock.timerCount()).toBe(0)
    expect(receiver.failures).toEqual([])
    await link.close()
    await server.noSockets()
  })
})

describe('the options of the HTTP client', () => {
  const message = (options: HttpClientOptions) => {
    try {
      httpClientTransport(options)
    } catch (error) {
      return String(error)
    }
    return undefined
  }

  it('must make sense', () => {
    expect(message({ url: '/mcp' })).toContain('url must be absolute')
    expect(message({ url: 'ftp://example.com' })).toContain('must begin with http: or https:')
    expect(message({ url: 'https://a:secret@example.com' })).toContain('must not hold a user name')
    expect(message({ url: 'https://a:secret@example.com' })).not.toContain('secret')
    expect(message({ url: 'https://example.com', headers: { 'Mcp-Session-Id': 'x' } })).toContain(
      'set by the transport',
    )
    expect(message({ url: 'https://example.com', tls: {}, dispatcher: new Agent() })).toContain('exclude each other')
    expect(message({ url: 'https://example.com', maxInFlight: 0 })).toContain('maxInFlight must be a positive integer')
  })

  it('may name a dispatcher, which the link uses and leaves open', async () => {
    const server = await HandServer.start(echo)
    const dispatcher = new Agent()
    onTestFinished(() => dispatcher.destroy())
    for (let round = 0; round < 2; round += 1) {
      const { link, receiver } = await linked(server.url, { dispatcher })
      link.send(request(1))
      await receiver.messageCount(1)
      link.send(request(2, 'hangs'))
      await link.close()
    }
    expect(server.asked.length).toBeGreaterThanOrEqual(2)
  })

  it('take a query along and leave a fragment out', async () => {
    const server = await HandServer.start(echo, '/mcp?team=a#top')
    const transport = httpClientTransport({ url: server.url })
    expect(transport.target).not.toContain('#')
    const receiver = new Remembering()
    const link = await transport.open(receiver)
    link.send(request(1))
    await receiver.messageCount(1)
    expect(server.asked[0]!.path).toBe('/mcp?team=a')
    await link.close()
  })
})
