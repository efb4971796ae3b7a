import { describe, expect, it, onTestFinished } from 'vitest'
import type { HttpClientOptions } from '#transports/client-http'
import { LinkError } from '#transports/client-port'
import { sseClientTransport } from '#transports/client-sse'
import { type Asked, HandServer, json, notification, Remembering, request, result, stream } from './client-harness.ts'
import { eventually, handClock } from './http-harness.ts'

/** A server of the 2024-11-05 revision: its stream names `endpoint`, its answers go there. */
async function started(
  endpoint: string | undefined = '/messages?session=1',
  answer: (asked: Asked, events: Asked) => void = (asked, events) => {
    asked.response.writeHead(202).end('Accepted')
    if (asked.id !== undefined) events.response.write(`event: message\ndata: ${result(asked.id)}\n\n`)
  },
) {
  let events: Asked | undefined
  const server = await HandServer.start((asked) => {
    if (asked.method === 'GET') {
      events = asked
      stream(asked, endpoint === undefined ? '' : `event: endpoint\ndata: ${endpoint}\n\n`)
    } else answer(asked, events!)
  }, '/sse')
  return { server, events: () => events! }
}

async function linked(url: string, options: Omit<HttpClientOptions, 'url'> = {}) {
  const receiver = new Remembering()
  const link = await sseClientTransport({ url, ...options }).open(receiver)
  onTestFinished(() => link.close())
  return { link, receiver }
}

/** Why a link to `url` cannot be opened. */
async function refusal(url: string, options: Omit<HttpClientOptions, 'url'> = {}) {
  const error = await sseClientTransport({ url, ...options })
    .open(new Remembering())
    .catch((reason: unknown) => reason)
  expect(error).toBeInstanceOf(LinkError)
  return (error as LinkError).failure
}

describe('HTTP with SSE', () => {
  it('posts to the endpoint that the stream names, and hears the answers on the stream', async () => {
    const { server } = await started()
    const { link, receiver } = await linked(server.url, { headers: { 'x-tenant': 'blue' } })
    link.send(request(1, 'initialize'))
    await receiver.messageCount(1)
    link.send(notification())
    link.send(request('b', 'tools/list'))
    await receiver.messageCount(2)
    expect(receiver.answered).toEqual([1, 'b'])
    const [get, post] = server.asked
    expect([get!.method, get!.path, get!.headers.accept]).toEqual(['GET', '/sse', 'text/event-stream'])
    expect([post!.method, post!.path, post!.body]).toEqual([
      'POST',
      '/messages?session=1',
      request(1, 'initialize').text,
    ])
    expect(post!.headers).toMatchObject({ 'content-type': 'application/json', 'x-tenant': 'blue' })
    link.listen()
    link.abandon(1)
    await link.close()
    expect(receiver.failures).toEqual([])
    expect(receiver.ends).toMatchObject([{ kind: 'closed' }])
    expect(link.send(request(2))).toBe(false)
    await server.noSockets()
  })

  it('takes an endpoint with the whole address, when it is of the same origin', async () => {
    const other = await HandServer.start((asked) => {
      if (asked.method === 'GET') stream(asked, `event: endpoint\ndata: ${new URL('/post', other.url).href}\n\n`)
      else asked.response.writeHead(202).end()
    })
    const { link } = await linked(other.url)
    link.send(notification())
    await other.askedCount(2)
    expect(other.asked[1]!.path).toBe('/post')
  })

  it.each(['https://evil.example.com/post', '//evil.example.com/post', 'http://127.0.0.1:1/post', 'http://['])(
    'refuses the endpoint %s, which is not of its origin',
    async (endpoint) => {
      const { server } = await started(endpoint)
      const failure = await refusal(server.url)
      expect(failure).toMatchObject({ kind: 'invalid', mayHaveRun: false })
      expect(failure.message).toContain(JSON.stringify(endpoint))
      expect(server.asked).toHaveLength(1)
      await server.noSockets()
    },
  )

  it('cannot be opened where there is no such stream', async () => {
    const server = await HandServer.start((asked) => {
      if (asked.path === '/page') asked.response.writeHead(200, { 'content-type': 'text/html' }).end('<html></html>')
      else asked.response.writeHead(405).end('no GET here')
    })
    expect(await refusal(server.url)).toMatchObject({ kind: 'status', status: 405, body: 'no GET here' })
    expect(await refusal(new URL('/page', server.url).href)).toMatchObject({ kind: 'invalid', status: 200 })
    await server.stop()
    expect(await refusal(server.url)).toMatchObject({ kind: 'refused', mayHaveRun: false })
  })

  it('cannot be opened when no endpoint is named in time', async () => {
    const clock = handClock()
    const { server } = await started('')
    const failure = refusal(server.url, { clock })
    await server.askedCount(1)
    clock.advance(10_000)
    expect(await failure).toMatchObject({ kind: 'invalid' })
    await server.noSockets()
    expect(clock.timerCount()).toBe(0)
  })

  it('is over when the stream ends', async () => {
    const { server, events } = await started(undefined, () => {})
    const opening = linked(server.url)
    await server.askedCount(1)
    events().response.write('event: endpoint\ndata: /post\n\n')
    const { link, receiver } = await opening
    link.send(request(1))
    await server.askedCount(2)
    events().response.end()
    expect(await receiver.end()).toMatchObject({ kind: 'broken', mayHaveRun: true })
    expect(receiver.ends).toHaveLength(1)
    await link.close()
    await server.noSockets()
  })

  it('is over when the stream is reset', async () => {
    const { server, events } = await started()
    const { receiver } = await linked(server.url)
    events().response.socket?.resetAndDestroy()
    expect(await receiver.end()).toMatchObject({ kind: 'broken', mayHaveRun: true })
    await server.noSockets()
  })

  it('fails the request whose POST is refused, and goes on', async () => {
    const { server } = await started('/post', (asked, events) => {
      if (asked.id === 1) asked.response.writeHead(429, { 'retry-after': '3' }).end('slow down')
      else {
        json(asked, '{}')
        events.response.write(`data: ${result(asked.id)}\n\n`)
      }
    })
    const { link, receiver } = await linked(server.url)
    link.send(request(1))
    expect(await receiver.failure()).toMatchObject({
      ids: [1],
      failure: { kind: 'status', status: 429, body: 'slow down', retryAfterMs: 3_000, mayHaveRun: false },
    })
    link.send(request(2))
    await receiver.messageCount(1)
  })

  it('is over when a message is too long: it may have been any answer', async () => {
    const { server, events } = await started()
    const { receiver } = await linked(server.url, { maxMessageBytes: 100 })
    events().response.write(`data: ${'x'.repeat(200)}`)
    expect(await receiver.end()).toMatchObject({ kind: 'invalid' })
    await server.noSockets()
  })

  it('takes no more than the options allow', async () => {
    const { server } = await started('/post', () => {})
    const { link } = await linked(server.url, { maxInFlight: 1, maxInFlightBytes: 100 })
    expect([1, 2, 3].map((id) => link.send(request(id)))).toEqual([true, true, false])
    await eventually(() => server.asked.length === 3)
  })

  it('asks the authorizer for the stream and for what is posted', async () => {
    let count = 0
    const authorizer = {
      headers: async () => ({ authorization: `Bearer ${++count}` }),
      challenged: async () => false,
    }
    const { server } = await started()
    const { link, receiver } = await linked(server.url, { authorizer })
    link.send(request(1))
    await receiver.messageCount(1)
    expect(server.asked.map(({ headers }) => headers.authorization)).toEqual(['Bearer 1', 'Bearer 2'])
  })
})
