import type { Socket } from 'node:net'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { ServerOptions } from 'ws'
import { type Link, LinkError, type LinkFailure, type RequestAuthorizer } from '#transports/client-port'
import { type WsClientOptions, wsClientTransport } from '#transports/client-ws'
import { TransportError } from '#transports/port'
import { type WsPeer, wsServer } from './client-fakes.ts'
import { Remembering, request, result } from './client-harness.ts'
import { eventually, handClock } from './http-harness.ts'

interface Linked {
  readonly link: Link
  readonly receiver: Remembering
  readonly peer: WsPeer
}

async function linked(options: Partial<WsClientOptions> = {}, served: ServerOptions = {}): Promise<Linked> {
  const server = await wsServer(served)
  const receiver = new Remembering()
  const link = await wsClientTransport({ url: server.url, ...options }).open(receiver)
  onTestFinished(() => link.close())
  await eventually(() => server.peers.length > 0)
  return { link, receiver, peer: server.peers[0]! }
}

async function failureOf(options: WsClientOptions): Promise<LinkFailure> {
  const error = await wsClientTransport(options)
    .open(new Remembering())
    .catch((reason: unknown) => reason)
  expect(error).toBeInstanceOf(LinkError)
  return (error as LinkError).failure
}

/** Answers a request for an upgrade with something else. */
function refusing(
  status: string,
  headers: readonly string[] = [],
  body = '',
): (request: unknown, socket: Socket) => true {
  return (_request, socket) => {
    const lines = [`HTTP/1.1 ${status}`, `Content-Length: ${body.length}`, 'Connection: close', ...headers]
    socket.end(`${lines.join('\r\n')}\r\n\r\n${body}`)
    return true
  }
}

describe('the upgrade to a WebSocket', () => {
  it('asks for the subprotocol mcp, with the headers that were given', async () => {
    const server = await wsServer()
    const transport = wsClientTransport({ url: `${server.url}?tenant=7`, headers: { 'X-Tenant': 'seven' } })
    const link = await transport.open(new Remembering())
    expect(server.requests[0]?.headers).toMatchObject({ 'sec-websocket-protocol': 'mcp', 'x-tenant': 'seven' })
    expect(server.requests[0]?.url).toBe('/mcp?tenant=7')
    expect(server.requests[0]?.headers['sec-websocket-extensions']).toBeUndefined()
    // A query may hold a token, and this is for people.
    expect(transport.target).toBe(server.url)
    await link.close()
  })

  it('fails for good with a server that does not speak the subprotocol', async () => {
    const { url } = await wsServer({ handleProtocols: () => false })
    expect(await failureOf({ url })).toMatchObject({
      kind: 'invalid',
      mayHaveRun: false,
      message: `${url}: the upgrade to WebSocket with the subprotocol mcp failed: Server sent no subprotocol.`,
    })
  })

  it.each([
    ['404 Not Found', [], 'no such path', { kind: 'status', status: 404, body: 'no such path' }],
    ['200 OK', [], 'a page', { kind: 'status', status: 200 }],
    ['301 Moved', ['Location: ws://127.0.0.1:1/'], '', { kind: 'status', status: 301 }],
    ['503 Service Unavailable', ['Retry-After: 7'], '', { kind: 'status', status: 503, retryAfterMs: 7_000 }],
    ['403 Forbidden', [], '', { kind: 'unauthorized', status: 403 }],
  ] as const)('fails with the status %s', async (status, headers, body, expected) => {
    const { url } = await wsServer({}, refusing(status, headers, body))
    const failure = await failureOf({ url })
    expect(failure).toMatchObject({ ...expected, mayHaveRun: false })
    expect(failure.message).toContain(`${url}: the server answered ${status.slice(0, 3)}`)
  })

  it('fails with what is no HTTP', async () => {
    const { url } = await wsServer({}, (_request, socket) => {
      socket.end('220 mail.example.com\r\n')
      return true
    })
    expect(await failureOf({ url })).toMatchObject({ kind: 'refused', mayHaveRun: false })
  })
})

describe('authorization of a WebSocket', () => {
  /** A server that lets nobody in but with this token. */
  const guarded = (token: string) =>
    wsServer({}, (incoming, socket) => {
      if (incoming.headers.authorization === `Bearer ${token}`) return false
      return refusing('401 Unauthorized', ['WWW-Authenticate: Bearer realm="x"'])(incoming, socket)
    })

  /** Gives one token after the other; the next one when it is challenged. */
  function tokens(...all: readonly string[]) {
    const asked: object[] = []
    const challenges: object[] = []
    const authorizer: RequestAuthorizer = {
      headers: async (what) => {
        asked.push(what)
        return { Authorization: `Bearer ${all[challenges.length]}` }
      },
      challenged: async ({ status, url, headers, sent }) => {
        challenges.push({ status, url, how: headers.get('www-authenticate'), sent })
        return challenges.length < all.length
      },
    }
    return { authorizer, asked, challenges }
  }

  it('puts a refusal to the authorizer, and tries again with what it gives', async () => {
    const { url, requests } = await guarded('new')
    const address = url.replace('ws:', 'http:')
    const { authorizer, asked, challenges } = tokens('old', 'new')
    const link = await wsClientTransport({ url, headers: { authorization: 'never' }, authorizer }).open(
      new Remembering(),
    )
    expect(asked).toEqual([
      { method: 'GET', url: address },
      { method: 'GET', url: address },
    ])
    const sent = { Authorization: 'Bearer old' }
    expect(challenges).toEqual([{ status: 401, url: address, how: 'Bearer realm="x"', sent }])
    expect(requests.map(({ headers }) => headers.authorization)).toEqual(['Bearer old', 'Bearer new'])
    await link.close()
  })

  it('gives up when the authorizer has nothing better, and after three refusals anyway', async () => {
    const { url, requests } = await guarded('right')
    expect(await failureOf({ url, authorizer: tokens('wrong').authorizer })).toMatchObject({
      kind: 'unauthorized',
      status: 401,
    })
    expect(requests).toHaveLength(1)
    await failureOf({ url, authorizer: tokens('1', '2', '3', '4', '5', '6').authorizer })
    expect(requests).toHaveLength(1 + 4)
  })

  it('sends nothing when no authorization could be had', async () => {
    const { url, requests } = await guarded('right')
    const cause = new Error('nobody signed in')
    const authorizer: RequestAuthorizer = { headers: () => Promise.reject(cause), challenged: async () => false }
    const failure = await failureOf({ url, authorizer })
    expect(failure).toMatchObject({ kind: 'unauthorized', mayHaveRun: false, cause })
    expect(failure.message).toContain('nobody signed in')
    expect(requests).toEqual([])
  })

  it('never repeats what would be sent', async () => {
    const { url } = await guarded('right')
    const failure = await failureOf({ url: `${url}?key=secret`, headers: { authorization: 'Bearer secret' } })
    expect(JSON.stringify(failure)).not.toContain('secret')
  })
})

describe('an open WebSocket', () => {
  it('refuses a binary frame, and says so to both sides', async () => {
    const { peer, receiver } = await linked()
    peer.webSocket.send(Buffer.from(result(1)), { binary: true })
    peer.webSocket.send(result(2))
    expect(await receiver.end()).toMatchObject({
      kind: 'invalid',
      message: expect.stringContaining('a binary frame came; MCP is text.'),
    })
    expect(receiver.messages).toEqual([])
    await eventually(() => peer.isGone)
    expect(peer.code).toBe(1003)
  })

  it('tells the server that a message was too long', async () => {
    const { peer, receiver } = await linked({ maxMessageBytes: 100 })
    peer.send('x'.repeat(101))
    await receiver.end()
    await eventually(() => peer.isGone)
    expect(peer.code).toBe(1009)
  })

  it.each([
    ['a frame of a reserved kind', Buffer.from([0x83, 0x00]), 1002],
    ['text that is no UTF-8', Buffer.from([0x81, 0x01, 0xff]), 1007],
  ])('ends with %s', async (_what, bytes, code) => {
    const { peer, receiver } = await linked()
    peer.socket.write(bytes)
    expect(await receiver.end()).toMatchObject({ kind: 'invalid', mayHaveRun: true })
    expect(receiver.ends[0]?.message).toContain('a frame came that is none of WebSocket')
    await eventually(() => peer.isGone)
    expect(peer.code).toBe(code)
  })

  it('takes a message in fragments, with a ping between them', async () => {
    const { peer, receiver } = await linked()
    const text = result(1)
    peer.webSocket.send(text.slice(0, 5), { fin: false })
    peer.webSocket.ping()
    for (const letter of text.slice(5, -1)) peer.webSocket.send(letter, { fin: false })
    peer.webSocket.send(text.slice(-1), { fin: true })
    await receiver.messageCount(1)
    expect(receiver.messages).toEqual([text])
  })

  it.each([
    [1000, 'the server closed the connection (1000: bye).'],
    [1001, 'the server is going away (1001: bye).'],
    [1008, 'the server closed the connection for breaking its rules (1008: bye).'],
    [1009, 'a message was too long for the server (1009: bye).'],
    [1011, 'the server failed (1011: bye).'],
    [1012, 'the server restarts (1012: bye).'],
    [4000, 'the server closed the connection (4000: bye).'],
  ])('says in words what the code %i means', async (code, words) => {
    const { peer, receiver } = await linked()
    peer.webSocket.close(code, 'bye')
    const failure = await receiver.end()
    expect(failure).toMatchObject({ kind: 'broken', mayHaveRun: true })
    expect(failure.message).toMatch(/^ws:\/\/127\.0\.0\.1:\d+\/mcp: /)
    expect(failure.message.endsWith(words), failure.message).toBe(true)
    expect(failure.retryAfterMs).toBeUndefined()
  })

  it('leaves an overloaded server alone for a moment', async () => {
    const { peer, receiver } = await linked()
    peer.webSocket.close(1013)
    expect(await receiver.end()).toMatchObject({ kind: 'broken', retryAfterMs: 1_000 })
  })

  it('says goodbye with the code 1000', async () => {
    const { link, peer } = await linked()
    await link.close()
    expect(peer.code).toBe(1000)
  })

  it('packs long messages where both sides wish it', async () => {
    const { link, peer, receiver } = await linked({ compression: true }, { perMessageDeflate: { threshold: 1 } })
    expect(peer.webSocket.extensions).toBe('permessage-deflate')
    const text = 'x'.repeat(1_000_000)
    const before = peer.socket.bytesRead
    link.send({ ...request(1), text })
    await eventually(() => peer.received.length === 1)
    expect(peer.received[0]).toBe(text)
    expect(peer.socket.bytesRead - before).toBeLessThan(50_000)
    peer.send(text)
    await receiver.messageCount(1)
  })

  it('counts a packed message by what it unpacks to', async () => {
    const { peer, receiver } = await linked({ compression: true, maxMessageBytes: 10_000 }, { perMessageDeflate: true })
    peer.send('x'.repeat(1_000_000))
    expect(await receiver.end()).toMatchObject({ kind: 'invalid' })
    expect(receiver.messages).toEqual([])
  })

  it('sends what was sent in one turn in one write', async () => {
    const { link, peer } = await linked()
    let chunks = 0
    peer.socket.on('data', () => chunks++)
    for (let id = 0; id < 100; id++) link.send(request(id))
    await eventually(() => peer.received.length === 100)
    expect(chunks).toBeLessThan(10)
  })
})

describe('the heartbeat of a WebSocket', () => {
  it('asks again and again, and goes on while there is an answer', async () => {
    const clock = handClock()
    const { peer, receiver } = await linked({ clock, heartbeatMs: 1_000 })
    let pings = 0
    peer.webSocket.on('ping', () => pings++)
    for (let beat = 1; beat <= 10; beat++) {
      const before = receiver.messages.length
      clock.advance(1_000)
      await eventually(() => pings === beat)
      // Behind the pong.
      peer.send(result(beat))
      await receiver.messageCount(before + 1)
    }
    expect(receiver.ends).toEqual([])
  })

  it('takes a server that is silent for two beats for dead, and does not wait for its goodbye', async () => {
    const clock = handClock()
    const { link, peer, receiver } = await linked({ clock, heartbeatMs: 1_000 }, { autoPong: false })
    let pings = 0
    peer.webSocket.on('ping', () => pings++)
    clock.advance(1_000)
    await eventually(() => pings === 1)
    clock.advance(1_000)
    await eventually(() => pings === 2)
    expect(link.send(request(1))).toBe(true)
    clock.advance(1_000)
    const failure = await receiver.end()
    expect(failure).toMatchObject({ kind: 'broken', mayHaveRun: true })
    expect(failure.message).toContain('the server gave no sign of life for 2000 ms.')
    expect(link.send(request(2))).toBe(false)
    expect(clock.timerCount()).toBe(0)
  })

  it('takes bytes of a long message for a sign of life', async () => {
    const clock = handClock()
    const { link, peer, receiver } = await linked({ clock, heartbeatMs: 1_000 }, { autoPong: false })
    // A frame of 100 bytes whose bytes come one at a time.
    peer.socket.write(Buffer.from([0x81, 100]))
    for (let byte = 0; byte < 100; byte++) {
      peer.socket.write('x')
      await new Promise((resolve) => peer.socket.write('', resolve))
      await new Promise((resolve) => setImmediate(resolve))
      await new Promise((resolve) => setImmediate(resolve))
      if (byte % 20 === 0) clock.advance(1_000)
    }
    await receiver.messageCount(1)
    expect(receiver.ends).toEqual([])
    await link.close()
  })
})

describe('the options of a WebSocket client', () => {
  it.each([
    [{ url: 'nonsense' }, 'url must be absolute'],
    [{ url: 'http://127.0.0.1/' }, 'url must begin with ws: or wss:, got "http:"'],
    [{ url: 'ws://ann:secret@127.0.0.1/' }, 'must not hold a user name or password'],
    [{ url: 'ws://h/', heartbeatMs: 0 }, 'heartbeatMs must be a positive integer, got 0'],
    [{ url: 'ws://h/', maxMessageBytes: 1.5 }, 'maxMessageBytes must be a positive integer, got 1.5'],
    [{ url: 'ws://h/', compression: { minBytes: -1 } }, 'compression.minBytes must be a number of bytes, got -1'],
    [{ url: 'ws://h/', headers: { Upgrade: 'x' } }, 'the header "Upgrade" is set by the transport itself'],
    [{ url: 'ws://h/', headers: { 'Sec-WebSocket-Key': 'x' } }, 'the header "Sec-WebSocket-Key" is set by'],
    [{ url: 'ws://h/', tls: {} }, 'tls needs a url that begins with wss:'],
  ])('are checked at the door: %j', (options, words) => {
    const made = () => wsClientTransport(options)
    expect(made).toThrow(TransportError)
    expect(made).toThrow(words)
    expect(made).not.toThrow('secret')
  })
})
