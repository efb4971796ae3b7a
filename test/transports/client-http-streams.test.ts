import { describe, expect, it, onTestFinished } from 'vitest'
import { type HttpClientOptions, httpClientTransport } from '#transports/client-http'
import type { Link } from '#transports/client-port'
import {
  type Asked,
  HandServer,
  notification,
  Remembering,
  request,
  result,
  stream,
  withSession,
} from './client-harness.ts'
import { eventually, handClock } from './http-harness.ts'

/** A link with a session, and a clock that is moved by hand. */
async function linked(answer: (asked: Asked) => void, options: Omit<HttpClientOptions, 'url'> = {}) {
  const clock = handClock()
  const random = { next: () => 0, token: () => '' }
  const server = await HandServer.start(withSession(answer))
  const receiver = new Remembering()
  const link = await httpClientTransport({ url: server.url, clock, random, ...options }).open(receiver)
  onTestFinished(() => closed(link, clock))
  link.send(request(0, 'initialize'))
  await receiver.messageCount(1)
  receiver.messages.length = 0
  return { server, link, receiver, clock }
}

async function closed(link: Link, clock: ReturnType<typeof handClock>): Promise<void> {
  let isClosed = false
  void link.close().then(() => (isClosed = true))
  await eventually(() => {
    clock.advance(10)
    return isClosed
  })
}

const notified = (n: number) => `{"jsonrpc":"2.0","method":"notifications/message","params":{"n":${n}}}`
const event = (id: string, data: string) => `id: ${id}\ndata: ${data}\n\n`

describe('an answer whose stream broke', () => {
  it('is taken up behind the last event, after the wait that the server asked for', async () => {
    const { server, link, receiver, clock } = await linked((asked) => {
      if (asked.method === 'POST') stream(asked, `id: e1\nretry: 500\ndata: \n\n${event('e2', notified(1))}`).end()
      else stream(asked, event('e3', result(1))).end()
    })
    link.send(request(1, 'tools/call', { 'MCP-Protocol-Version': '2025-11-25' }))
    await eventually(() => receiver.messages.length === 1 && clock.timerCount() === 1)
    clock.advance(499)
    await new Promise((resolve) => setImmediate(resolve))
    expect(server.asked).toHaveLength(2)
    clock.advance(1)
    await receiver.messageCount(2)
    expect(receiver.messages).toEqual([notified(1), result(1)])
    const { method, headers } = server.asked[2]!
    expect(method).toBe('GET')
    expect(headers).toMatchObject({
      accept: 'text/event-stream',
      'last-event-id': 'e2',
      'mcp-session-id': 'session-1',
      'mcp-protocol-version': '2025-11-25',
    })
    expect(receiver.failures).toEqual([])
  })

  it('is taken up as often as it ends, and what comes twice is told once', async () => {
    const answers = [
      event('e1', notified(1)),
      event('e1', notified(1)) + event('e2', notified(2)),
      event('e1', notified(1)) + event('e2', notified(2)) + event('e3', result(1)),
    ]
    const { link, receiver, clock } = await linked((asked) => stream(asked, answers.shift()).end())
    link.send(request(1))
    await eventually(() => {
      clock.advance(100)
      return receiver.messages.length === 3
    })
    expect(receiver.messages).toEqual([notified(1), notified(2), result(1)])
    expect(receiver.failures).toEqual([])
  })

  it('is taken up after a connection that was reset, not only after one that ended', async () => {
    const { link, receiver, clock } = await linked((asked) => {
      const response = stream(asked, asked.method === 'POST' ? event('e1', notified(1)) : event('e2', result(1)))
      if (asked.method === 'POST') setImmediate(() => response.socket?.resetAndDestroy())
    })
    link.send(request(1))
    await eventually(() => {
      clock.advance(100)
      return receiver.messages.length === 2
    })
    expect(receiver.failures).toEqual([])
  })

  it('that comes on another stream after all needs no further one', async () => {
    let listening: Asked | undefined
    const { link, receiver, clock, server } = await linked((asked) => {
      if (asked.method === 'POST') stream(asked, 'id: e1\nretry: 1000\ndata:\n\n').end()
      else if (asked.headers['last-event-id'] === undefined) {
        listening = asked
        stream(asked)
      }
    })
    link.listen()
    await eventually(() => listening !== undefined)
    link.send(request(1))
    await eventually(() => clock.timerCount() === 1)
    listening!.response.write(event('x', result(1)))
    await receiver.messageCount(1)
    clock.advance(10_000)
    clock.advance(10_000)
    expect(server.asked.filter(({ headers }) => headers['last-event-id'] !== undefined).length).toBeLessThanOrEqual(1)
    expect(clock.timerCount()).toBe(0)
  })

  it('fails when the events had no ids', async () => {
    const { server, link, receiver } = await linked((asked) => stream(asked, `data: ${notified(1)}\n\n`).end())
    link.send(request(1))
    expect(await receiver.failure()).toMatchObject({ ids: [1], failure: { kind: 'broken', mayHaveRun: true } })
    expect(server.asked).toHaveLength(2)
  })

  it('fails when there is no session, as in the modern era', async () => {
    const server = await HandServer.start((asked) => stream(asked, event('e1', notified(1))).end())
    const receiver = new Remembering()
    const link = await httpClientTransport({ url: server.url }).open(receiver)
    link.send(request(1))
    expect(await receiver.failure()).toMatchObject({ ids: [1], failure: { kind: 'broken', mayHaveRun: true } })
    await link.close()
    expect(server.asked).toHaveLength(1)
  })

  it.each([400, 405])('fails when the server answers the attempt with %i', async (status) => {
    const { link, receiver, clock } = await linked((asked) => {
      if (asked.method === 'POST') stream(asked, event('e1', notified(1))).end()
      else asked.response.writeHead(status).end()
    })
    link.send(request(1))
    await eventually(() => {
      clock.advance(100)
      return receiver.failures.length > 0
    })
    expect(receiver.failures).toMatchObject([{ ids: [1], failure: { kind: 'status', status, mayHaveRun: true } }])
  })

  it('fails after as many failures as the options allow, further and further apart', async () => {
    const attempts: number[] = []
    const { link, receiver, clock } = await linked(
      (asked) => {
        if (asked.method === 'POST') stream(asked, event('e1', notified(1))).end()
        else {
          attempts.push(clock.now())
          asked.response.writeHead(503).end()
        }
      },
      { maxReconnects: 3 },
    )
    link.send(request(1))
    await eventually(() => {
      clock.advance(50)
      return receiver.failures.length > 0
    })
    expect(attempts).toHaveLength(4)
    expect(receiver.failures).toMatchObject([{ ids: [1], failure: { kind: 'status', status: 503, mayHaveRun: true } }])
    const waits = attempts.slice(1).map((at, index) => at - attempts[index]!)
    expect(waits[2]!).toBeGreaterThan(waits[0]!)
  })

  it('finds the session lost when the server answers 404', async () => {
    const { link, receiver, clock } = await linked((asked) => {
      if (asked.method === 'POST') stream(asked, event('e1', notified(1))).end()
      else asked.response.writeHead(404).end()
    })
    link.send(request(1))
    await eventually(() => {
      clock.advance(100)
      return receiver.ends.length > 0
    })
    expect(receiver.failures).toMatchObject([{ ids: [1], failure: { kind: 'session_lost', mayHaveRun: true } }])
  })

  it('is not taken up when it was given up', async () => {
    const { server, link, clock } = await linked((asked) => stream(asked, event('e1', notified(1))).end())
    link.send(request(1))
    await eventually(() => clock.timerCount() === 1)
    link.abandon(1)
    expect(clock.timerCount()).toBe(0)
    expect(server.asked).toHaveLength(2)
  })
})

describe('the stream of the server', () => {
  it('is opened once it is asked for, and brings messages', async () => {
    const { server, link, receiver } = await linked((asked) => stream(asked, `data: ${notified(1)}\n\n`))
    link.listen()
    link.listen()
    await receiver.messageCount(1)
    expect(server.asked.filter(({ method }) => method === 'GET')).toHaveLength(1)
    expect(server.asked[1]!.headers).toMatchObject({ 'mcp-session-id': 'session-1' })
  })

  it('that the server does not have, 405, is not asked for again and no failure', async () => {
    const { server, link, receiver, clock } = await linked((asked) => asked.response.writeHead(405).end())
    link.listen()
    await server.askedCount(2)
    link.send(notification())
    await server.askedCount(3)
    clock.advance(100_000)
    expect(receiver.failures).toEqual([])
    expect(server.asked).toHaveLength(3)
  })

  it('is opened again when it ends, behind the last event', async () => {
    const { server, link, receiver, clock } = await linked((asked) =>
      stream(
        asked,
        asked.headers['last-event-id'] === 'e1' ? event('e2', notified(2)) : event('e1', notified(1)),
      ).end(),
    )
    link.listen()
    await eventually(() => {
      clock.advance(100)
      return receiver.messages.length >= 2
    })
    expect(receiver.messages.slice(0, 2)).toEqual([notified(1), notified(2)])
    expect(server.asked[2]!.headers['last-event-id']).toBe('e1')
  })

  it('that always ends at once is opened less and less often', async () => {
    const attempts: number[] = []
    const { link, clock } = await linked((asked) => {
      attempts.push(clock.now())
      asked.response.writeHead(200, { 'content-type': 'text/event-stream' }).end()
    })
    link.listen()
    await eventually(() => {
      if (clock.timerCount() > 0) clock.advance(500)
      return attempts.length >= 6
    })
    const waits = attempts.slice(1).map((at, index) => at - attempts[index]!)
    expect(waits[0]!).toBeGreaterThanOrEqual(1_000)
    expect(waits[4]!).toBeGreaterThanOrEqual(5_000)
  })

  it('is asked for as long as the link is open, and one failure in a row of them is told', async () => {
    let count = 0
    const { link, receiver, clock } = await linked(
      (asked) => {
        count += 1
        asked.response.writeHead(503, { 'retry-after': '1' }).end()
      },
      { maxReconnects: 2, maxReconnectDelayMs: 2_000 },
    )
    link.listen()
    await eventually(() => {
      if (clock.timerCount() > 0) clock.advance(500)
      return count >= 6
    })
    expect(receiver.failures).toMatchObject([{ ids: [], failure: { kind: 'broken' } }])
    expect(receiver.ends).toEqual([])
  })

  it('that answers 404 tells that the session is lost', async () => {
    const { link, receiver } = await linked((asked) => asked.response.writeHead(404).end())
    link.listen()
    expect(await receiver.end()).toMatchObject({ kind: 'session_lost' })
  })

  it('drops a message that is too long and goes on', async () => {
    const { link, receiver } = await linked(
      (asked) => stream(asked, `data: ${'x'.repeat(500)}\n\ndata: ${notified(2)}\n\n`),
      { maxMessageBytes: 200 },
    )
    link.listen()
    await receiver.messageCount(1)
    expect(receiver.messages).toEqual([notified(2)])
    expect(receiver.failures).toMatchObject([{ ids: [], failure: { kind: 'invalid' } }])
  })

  it('is gone, with its timer, when the link is closed', async () => {
    const { server, link, receiver, clock } = await linked((asked) => stream(asked, `data: ${notified(1)}\n\n`))
    link.listen()
    await receiver.messageCount(1)
    await link.close()
    await server.noSockets()
    expect(clock.timerCount()).toBe(0)
  })

  it('is gone when the link is closed between two connections', async () => {
    const { link, clock, server } = await linked((asked) => stream(asked).end())
    link.listen()
    await eventually(() => clock.timerCount() === 1)
    await link.close()
    expect(clock.timerCount()).toBe(0)
    await server.noSockets()
  })
})
