import { describe, expect, it } from 'vitest'
import { httpTransport } from '#transports/http'
import { ask, eventually, handClock, RawClient, requestText, started } from './http-harness.ts'

const PING = '{"jsonrpc":"2.0","id":1,"method":"ping"}'

describe('an HTTP exchange', () => {
  it('answers a POST whose only message is the last as one JSON document with its length', async () => {
    const { port, exchanges, url } = await started()
    const answer = await ask(port, 'POST', { 'mcp-session-id': 's', 'mcp-protocol-version': '2025-11-25' }, '"ü€😀"')
    expect(answer).toMatchObject({ status: 200, body: '"ü€😀"', headers: { 'content-type': 'application/json' } })
    expect(answer.headers['transfer-encoding']).toBeUndefined()
    expect(exchanges[0]).toMatchObject({ method: 'POST', sessionId: 's', protocolVersion: '2025-11-25' })
    expect(exchanges[0]!.peer).toEqual({ transport: 'http', remoteAddress: '127.0.0.1' })
    expect(exchanges[0]!.headers['content-type']).toBe('application/json')
    expect(url).toBe(`http://127.0.0.1:${port}/mcp`)
  })

  it('hands over a body that comes byte by byte, cut inside characters', async () => {
    const { port, exchanges } = await started()
    const client = await RawClient.open(port)
    client.socket.setNoDelay(true)
    client.write(requestText('POST', { 'content-length': String(Buffer.byteLength('"ü€😀"')) }))
    for (const byte of Buffer.from('"ü€😀"')) {
      client.write(Buffer.from([byte]))
      await new Promise((resolve) => setImmediate(resolve))
    }
    expect((await client.answer()).body).toBe('"ü€😀"')
    expect(exchanges[0]!.body).toBe('"ü€😀"')
  })

  it('becomes an SSE stream when a message is sent before the last one', async () => {
    const { port } = await started({}, ({ sink }) => {
      expect(sink.send('{"n":1}', 's_1')).toBe(true)
      expect(sink.end('{"n":2}', 's_2')).toBe(true)
      expect([sink.isOpen, sink.send('{}'), sink.end()]).toEqual([false, false, false])
    })
    const response = await fetch(`http://127.0.0.1:${port}/mcp`, post(PING))
    expect(response.headers.get('content-type')).toBe('text/event-stream')
    expect(response.headers.get('cache-control')).toContain('no-cache')
    expect(response.headers.get('x-accel-buffering')).toBe('no')
    expect(await response.text()).toBe('id: s_1\ndata: {"n":1}\n\nid: s_2\ndata: {"n":2}\n\n')
  })

  it('opens with a priming event and may end without a message', async () => {
    const { port } = await started({}, ({ sink }) => {
      sink.prime!('s_0', 500)
      sink.end()
    })
    const response = await fetch(`http://127.0.0.1:${port}/mcp`, post(PING))
    expect(await response.text()).toBe('id: s_0\nretry: 500\ndata: \n\n')
  })

  it('answers a GET as a stream, even when the first message is the last', async () => {
    const { port, exchanges } = await started()
    const response = await fetch(`http://127.0.0.1:${port}/mcp?x=1`, {
      headers: { accept: 'text/event-stream', 'last-event-id': 's_7' },
    })
    expect(await response.text()).toBe('data: \n\n')
    expect(exchanges[0]).toMatchObject({ method: 'GET', lastEventId: 's_7', body: '' })
  })

  it('replies with a bare status, or a status and JSON, and adds the headers that were set', async () => {
    const { port } = await started({}, (exchange) => {
      exchange.setHeader('Mcp-Session-Id', 'abc')
      if (exchange.method === 'DELETE') exchange.reply(404, '{"error":1}')
      else exchange.reply(202)
      exchange.reply(500)
      exchange.setHeader('too', 'late')
    })
    expect(await ask(port, 'POST', {}, PING)).toMatchObject({
      status: 202,
      body: '',
      headers: { 'content-length': '0', 'mcp-session-id': 'abc' },
    })
    expect(await ask(port, 'DELETE')).toMatchObject({ status: 404, body: '{"error":1}' })
  })

  it('ends with 202 when a POST got no message at all', async () => {
    const { port } = await started({}, ({ sink }) => sink.end())
    expect((await ask(port, 'POST', {}, PING)).status).toBe(202)
  })

  it('tells onClose once when the client goes away before the answer, and not after the answer', async () => {
    let closes = 0
    const { port, exchanges, counts } = await started({}, ({ sink, method }) => {
      sink.onClose(() => (closes += 1))
      if (method === 'GET') sink.prime!('s_1')
      if (method === 'DELETE') sink.end()
    })
    const waiting = await RawClient.open(port)
    waiting.write(requestText('POST', {}, PING))
    const streaming = await RawClient.open(port)
    streaming.write(requestText('GET'))
    await streaming.until(() => streaming.received.includes('s_1'))
    await ask(port, 'DELETE')
    expect(counts().streams).toBe(1)
    waiting.socket.destroy()
    streaming.socket.destroy()
    await eventually(() => closes === 2)
    expect(counts().streams).toBe(0)
    for (const { sink } of exchanges) {
      expect([sink.isOpen, sink.send('{}'), sink.prime!('s_2'), sink.end('{}')]).toEqual([false, false, false, false])
    }
    await new Promise((resolve) => setImmediate(resolve))
    expect(closes).toBe(2)
  })

  it('turns a throwing acceptor into an internal error and goes on', async () => {
    let count = 0
    const { port } = await started({}, ({ sink, body }) => {
      count += 1
      if (count === 1) throw new Error('secret')
      sink.end(body)
    })
    const failed = await ask(port, 'POST', {}, PING)
    expect(failed.status).toBe(500)
    expect(JSON.parse(failed.body)).toMatchObject({ id: null, error: { code: -32603 } })
    expect(failed.body).not.toContain('secret')
    expect((await ask(port, 'POST', {}, PING)).status).toBe(200)
  })

  it('keeps nothing after a thousand exchanges of every kind', async () => {
    const { port, counts, exchanges } = await started({}, ({ sink, body, method }) => {
      sink.onClose(() => {})
      if (method === 'GET' || body === '"stream"') sink.prime!('s_1')
      sink.end(body)
    })
    const client = await RawClient.open(port)
    for (let n = 0; n < 1_000; n += 1) {
      const isStream = n % 4 === 0
      client.write(requestText('POST', {}, isStream ? '"stream"' : PING))
      if (isStream) {
        await client.until(() => client.received.endsWith('\r\n0\r\n\r\n'))
        client.received = ''
      } else expect((await client.answer()).status).toBe(200)
    }
    expect(exchanges).toHaveLength(1_000)
    expect(counts()).toEqual({ connections: 1, streams: 0, bufferedBodyBytes: 0 })
    client.socket.destroy()
    await eventually(() => counts().connections === 0)
  })
})

describe('an SSE stream', () => {
  it('is cut off when its unread bytes pass the bound; the server keeps at most the bound and one message', async () => {
    let closes = 0
    const { port, exchanges, counts } = await started({ maxStreamBufferBytes: 100_000 }, ({ sink }) => {
      sink.onClose(() => (closes += 1))
      sink.prime!('s_0')
    })
    const client = await RawClient.open(port)
    client.write(requestText('GET'))
    await client.until(() => client.received.includes('s_0'))
    client.socket.pause()
    const message = `"${'x'.repeat(50_000)}"`
    // The system's own socket buffers hold some megabytes first.
    let sent = 0
    while (sent < 1_000 && exchanges[0]!.sink.send(message, `s_${sent + 1}`)) {
      sent += 1
      if (sent % 10 === 0) await new Promise((resolve) => setImmediate(resolve))
    }
    expect(sent).toBeLessThan(1_000)
    await eventually(() => closes === 1)
    expect([exchanges[0]!.sink.isOpen, counts().streams]).toEqual([false, 0])
  })

  it('takes one message that is larger than the bound from a reader that reads', async () => {
    const text = `"${'x'.repeat(5_000_000)}"`
    const { port } = await started({ maxStreamBufferBytes: 1_000 }, ({ sink }) => {
      sink.prime!('s_0')
      sink.end(text, 's_1')
    })
    const response = await fetch(`http://127.0.0.1:${port}/mcp`, post(PING))
    expect((await response.text()).length).toBe('id: s_0\ndata: \n\nid: s_1\ndata: \n\n'.length + text.length)
  })

  it('gets a comment when it was quiet for the keep-alive time, and none when it was not', async () => {
    const clock = handClock()
    const { port, exchanges } = await started({ keepAliveMs: 1_000, clock }, ({ sink }) => sink.prime!('s_0'))
    const client = await RawClient.open(port)
    client.write(requestText('GET'))
    await client.until(() => client.received.includes('s_0'))
    clock.advance(1_000)
    exchanges[0]!.sink.send('{"n":1}')
    clock.advance(1_000)
    exchanges[0]!.sink.send('{"n":2}')
    await client.until(() => client.received.includes('{"n":2}'))
    expect(client.received).not.toContain(':\n\n')
    clock.advance(2_000)
    await client.until(() => client.received.includes(':\n\n'))
    expect(client.received.split(':\n\n')).toHaveLength(2)
  })

  it('needs no timer when there is no stream', async () => {
    const clock = handClock()
    const { port, counts } = await started({ clock, keepAliveMs: 1_000 }, ({ sink }) => sink.prime!('s_0'))
    expect(clock.timerCount()).toBe(0)
    const client = await RawClient.open(port)
    client.write(requestText('GET'))
    await client.until(() => client.received.includes('s_0'))
    expect(clock.timerCount()).toBe(1)
    client.socket.destroy()
    await eventually(() => counts().streams === 0)
    clock.advance(1_000)
    expect(clock.timerCount()).toBe(0)
  })

  it('that waits behind another on a pipelining connection is forgotten with it', async () => {
    let closes = 0
    const { port, counts, exchanges } = await started({}, ({ sink }) => {
      sink.onClose(() => (closes += 1))
      sink.prime!('s_0')
    })
    const client = await RawClient.open(port)
    client.write(requestText('GET') + requestText('GET') + requestText('GET'))
    await eventually(() => counts().streams === 3)
    client.socket.destroy()
    await eventually(() => counts().streams === 0)
    expect(closes).toBe(3)
    expect(exchanges.map(({ sink }) => sink.send('{}'))).toEqual([false, false, false])
  })
})

describe('listening and stopping', () => {
  it('rejects with address_in_use when the port is taken', async () => {
    const { port } = await started()
    const transport = httpTransport({ port })
    await expect(
      transport.listen({ connection: () => expect.unreachable(), exchange: () => {} }),
    ).rejects.toMatchObject({
      name: 'TransportError',
      code: 'address_in_use',
      message: `http: cannot listen on 127.0.0.1 port ${port}. Another program listens there. Stop it or choose another port.`,
    })
  })

  it('rejects with address_unavailable for an address of another machine', async () => {
    const transport = httpTransport({ host: '203.0.113.1', port: 0 })
    await expect(
      transport.listen({ connection: () => expect.unreachable(), exchange: () => {} }),
    ).rejects.toMatchObject({
      code: 'address_unavailable',
    })
  })

  it.each([
    [{ port: 70_000 }, 'http: port must be an integer from 0 to 65535, got 70000.'],
    [{ path: 'mcp' }, 'http: path must start with "/" and hold no "?", "#" or space, got "mcp".'],
    [{ keepAliveMs: 0 }, 'http: keepAliveMs must be a positive integer, got 0.'],
    [
      { allowedOrigins: ['app'] },
      'http: allowedOrigins must hold origins such as "https://app.example.com", got "app".',
    ],
  ])('refuses the options %j', (options, message) => {
    expect(() => httpTransport(options)).toThrow(message)
  })

  it('stopAccepting lets open exchanges end, closes idle connections and refuses new ones', async () => {
    const { port, exchanges, stopAccepting, close, counts } = await started({}, () => {})
    const idle = await RawClient.open(port)
    const busy = await RawClient.open(port)
    busy.write(requestText('POST', {}, PING))
    const streaming = await RawClient.open(port)
    streaming.write(requestText('GET'))
    await eventually(() => exchanges.length === 2)
    const stream = exchanges.find(({ method }) => method === 'GET')!.sink
    stream.prime!('s_0')
    stopAccepting()
    await idle.closed()
    await expect(RawClient.open(port)).rejects.toThrow('ECONNREFUSED')
    exchanges.find(({ method }) => method === 'POST')!.sink.end('{}')
    expect(await busy.answer()).toMatchObject({ status: 200, body: '{}', headers: { connection: 'close' } })
    await busy.closed()
    stream.send('{"n":1}')
    stream.end('{"n":2}')
    await streaming.closed()
    expect(streaming.received).toContain('{"n":2}')
    expect(streaming.received).toMatch(/\r\n0\r\n\r\n$/)
    await close()
    expect(counts()).toEqual({ connections: 0, streams: 0, bufferedBodyBytes: 0 })
  })

  it('stopAccepting lets a body that is still coming be read and answered', async () => {
    const { port, stopAccepting, counts } = await started()
    const client = await RawClient.open(port)
    client.write(requestText('POST', { 'content-length': '100000' }))
    client.write('x'.repeat(50_000))
    await new Promise((resolve) => setImmediate(resolve))
    client.write('x'.repeat(25_000))
    await eventually(() => counts().bufferedBodyBytes > 0)
    stopAccepting()
    client.write('x'.repeat(25_000))
    expect(await client.answer()).toMatchObject({ status: 200, headers: { connection: 'close' } })
    await client.closed()
  })

  it('outlives a connection that cannot be accepted', async () => {
    const { server, port } = await started()
    server.emit('error', Object.assign(new Error('accept EMFILE'), { code: 'EMFILE' }))
    expect((await ask(port, 'POST', {}, PING)).status).toBe(200)
  })

  it('does not cut off a large answer that was given just before stopAccepting and close', async () => {
    const text = `"${'x'.repeat(20_000_000)}"`
    const { port, exchanges, close } = await started({ closeGraceMs: 10_000 }, () => {})
    const client = await RawClient.open(port)
    client.write(requestText('POST', {}, PING))
    await eventually(() => exchanges.length === 1)
    exchanges[0]!.sink.end(text)
    const closed = close()
    expect((await client.answer()).body.length).toBe(text.length)
    await closed
  })

  it('close ends the streams, cuts what still waits and resolves once the server has closed', async () => {
    const { port, exchanges, close, counts } = await started({}, ({ sink, method }) => {
      if (method === 'GET') sink.prime!('s_0')
    })
    const waiting = await RawClient.open(port)
    waiting.write(requestText('POST', {}, PING))
    const streaming = await RawClient.open(port)
    streaming.write(requestText('GET'))
    await eventually(() => exchanges.length === 2)
    await Promise.all([close(), close()])
    await Promise.all([waiting.closed(), streaming.closed()])
    expect(streaming.received).toMatch(/\r\n0\r\n\r\n$/)
    expect(counts()).toEqual({ connections: 0, streams: 0, bufferedBodyBytes: 0 })
  })

  it('close does not wait longer than its grace time for a client that does not read', async () => {
    const { port, exchanges, close } = await started({ closeGraceMs: 20 }, () => {})
    const client = await RawClient.open(port)
    client.write(requestText('POST', {}, PING))
    await eventually(() => exchanges.length === 1)
    client.socket.pause()
    exchanges[0]!.sink.end(`"${'x'.repeat(30_000_000)}"`)
    await close()
  })
})

function post(body: string): RequestInit {
  return {
    method: 'POST',
    body,
    headers: { 'content-type': 'application/json', accept: 'application/json, text/event-stream' },
  }
}
