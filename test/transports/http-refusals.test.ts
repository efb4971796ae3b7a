import { describe, expect, it } from 'vitest'
import { ask, eventually, RawClient, requestText, started } from './http-harness.ts'

const PING = '{"jsonrpc":"2.0","id":1,"method":"ping"}'

describe('an HTTP request that breaks a rule', () => {
  it.each([
    ['another path', 'POST', {}, '/other', 404],
    ['a longer path', 'POST', {}, '/mcp/x', 404],
    ['PUT', 'PUT', {}, '/mcp', 405],
    ['PATCH', 'PATCH', {}, '/mcp', 405],
    ['HEAD', 'HEAD', {}, '/mcp', 405],
    ['TRACE', 'TRACE', {}, '/mcp', 405],
    ['a foreign host', 'POST', { host: 'evil.example' }, '/mcp', 403],
    ['a foreign host that begins like ours', 'POST', { host: '127.0.0.1.evil.example:3000' }, '/mcp', 403],
    ['a host with a user part', 'POST', { host: 'localhost@evil.example' }, '/mcp', 403],
    ['an empty host', 'POST', { host: '' }, '/mcp', 403],
    ['no host', 'POST', { host: undefined }, '/mcp', 400],
    ['a foreign host on GET', 'GET', { host: 'evil.example' }, '/mcp', 403],
    ['a foreign host on another path', 'GET', { host: 'evil.example' }, '/other', 403],
    ['a foreign origin', 'POST', { origin: 'https://evil.example' }, '/mcp', 403],
    ['the null origin', 'POST', { origin: 'null' }, '/mcp', 403],
    ['an empty origin', 'POST', { origin: '' }, '/mcp', 403],
    ['an origin that begins like ours', 'POST', { origin: 'http://localhost.evil.example' }, '/mcp', 403],
    ['a foreign origin on OPTIONS', 'OPTIONS', { origin: 'https://evil.example' }, '/mcp', 403],
    ['a wrong content type', 'POST', { 'content-type': 'text/plain' }, '/mcp', 415],
    ['no content type', 'POST', { 'content-type': undefined }, '/mcp', 415],
    ['a charset that is not UTF-8', 'POST', { 'content-type': 'application/json; charset=latin1' }, '/mcp', 415],
    ['a POST that takes JSON only', 'POST', { accept: 'application/json' }, '/mcp', 406],
    ['a POST that takes events only', 'POST', { accept: 'text/event-stream' }, '/mcp', 406],
    ['a POST that takes events with weight 0', 'POST', { accept: '*/*;q=0' }, '/mcp', 406],
    ['a GET that takes JSON only', 'GET', { accept: 'application/json' }, '/mcp', 406],
  ])('%s: %s %j %s is answered %i', async (_name, method, headers, path, status) => {
    const { port, exchanges } = await started()
    const answer = await ask(port, method, headers, method === 'POST' ? PING : '', path)
    expect(answer.status).toBe(status)
    expect(exchanges).toHaveLength(0)
    if (status === 405) expect(answer.headers['allow']).toBe('GET, POST, DELETE, OPTIONS')
    if (status === 400 || method === 'HEAD') return
    expect(JSON.parse(answer.body)).toMatchObject({ jsonrpc: '2.0', id: null, error: { code: -32600 } })
  })

  it.each([
    ['localhost', { host: 'localhost:9' }],
    ['upper case', { host: 'LOCALHOST' }],
    ['IPv6 loopback', { host: '[::1]:80' }],
    ['a listed host', { host: 'mcp.example:1' }],
    ['a listed host with its port', { host: 'exact.example:8443' }],
    ['a loopback origin', { origin: 'http://localhost:5173' }],
    ['a listed origin', { origin: 'https://app.example' }],
    ["the server's own origin", { host: 'mcp.example:1', origin: 'https://mcp.example:1' }],
    ['any type', { accept: '*/*' }],
    ['no Accept', { accept: undefined }],
    ['types with parameters', { accept: 'text/event-stream;q=0.5,application/json ; x=1' }],
    ['a content type with UTF-8', { 'content-type': 'Application/JSON; charset="UTF-8"' }],
  ])('lets through %s', async (_name, headers) => {
    const { port } = await started({
      allowedHosts: ['mcp.example', 'exact.example:8443'],
      allowedOrigins: ['https://app.example'],
    })
    expect((await ask(port, 'POST', headers, PING)).status).toBe(200)
  })

  it('takes a host listed with a port at that port only', async () => {
    const { port } = await started({ allowedHosts: ['exact.example:8443'] })
    expect((await ask(port, 'POST', { host: 'exact.example:80' }, PING)).status).toBe(403)
  })

  it('fails closed on a wildcard bind: loopback names and listed hosts only, no loopback origins', async () => {
    const { port } = await started({ host: '0.0.0.0', allowedHosts: ['mcp.example'] })
    const status = async (headers: Record<string, string>) => (await ask(port, 'POST', headers, PING)).status
    expect(await status({ host: 'localhost' })).toBe(200)
    expect(await status({ host: 'mcp.example' })).toBe(200)
    expect(await status({ host: '192.168.0.10' })).toBe(403)
    expect(await status({ host: 'mcp.example', origin: 'http://localhost:5173' })).toBe(403)
  })

  it('answers other paths through the hook, after the host check', async () => {
    const { port } = await started({
      otherPaths: (request, response) => {
        if (request.url !== '/health') return false
        response.writeHead(200, ['content-length', '2']).end('ok')
        return true
      },
    })
    expect(await ask(port, 'GET', {}, '', '/health')).toMatchObject({ status: 200, body: 'ok' })
    expect((await ask(port, 'GET', {}, '', '/else')).status).toBe(404)
    expect((await ask(port, 'GET', { host: 'evil.example' }, '', '/health')).status).toBe(403)
  })
})

describe('an HTTP body', () => {
  it.each(['content-length', 'chunked'])('over the bound (%s) is 413, and the connection goes on', async (kind) => {
    const { port, exchanges, counts } = await started({ maxMessageBytes: 100_000 })
    const client = await RawClient.open(port)
    const body = 'x'.repeat(300_000)
    if (kind === 'content-length') client.write(requestText('POST', {}, body))
    else {
      client.write(requestText('POST', { 'content-length': undefined, 'transfer-encoding': 'chunked' }))
      for (let at = 0; at < body.length; at += 10_000) client.write(`2710\r\n${body.slice(at, at + 10_000)}\r\n`)
      client.write('0\r\n\r\n')
    }
    const refused = await client.answer()
    expect(refused.status).toBe(413)
    expect(JSON.parse(refused.body)).toMatchObject({ id: null, error: { code: -32600 } })
    client.write(requestText('POST', {}, PING))
    expect(await client.answer()).toMatchObject({ status: 200, body: PING })
    expect(exchanges).toHaveLength(1)
    expect(counts().bufferedBodyBytes).toBe(0)
  })

  it('of exactly the bound is taken', async () => {
    const { port } = await started({ maxMessageBytes: 100_000 })
    expect((await ask(port, 'POST', {}, 'x'.repeat(100_000))).status).toBe(200)
    expect((await ask(port, 'POST', {}, 'x'.repeat(100_001))).status).toBe(413)
  })

  it('that goes on for ever after its refusal gets its connection cut', async () => {
    const { port } = await started({ maxMessageBytes: 10_000 })
    const client = await RawClient.open(port)
    client.write(requestText('POST', { 'content-length': '1000000000', 'content-type': 'text/plain' }))
    expect((await client.answer()).status).toBe(415)
    client.write('x'.repeat(100_000))
    await client.closed()
  })

  it('that is not UTF-8 is 400 with -32700', async () => {
    const { port, exchanges } = await started()
    const client = await RawClient.open(port)
    client.write(requestText('POST', { 'content-length': '3' }))
    client.write(Buffer.from([0x22, 0xff, 0x22]))
    const refused = await client.answer()
    expect(refused.status).toBe(400)
    expect(JSON.parse(refused.body)).toMatchObject({ id: null, error: { code: -32700 } })
    client.write(requestText('POST', {}, '"\ufffd"'))
    expect((await client.answer()).status).toBe(200)
    expect(exchanges).toHaveLength(1)
  })

  it('that is given up half way harms nobody and is forgotten', async () => {
    const { port, exchanges, counts } = await started()
    for (let n = 0; n < 20; n += 1) {
      const client = await RawClient.open(port)
      client.write(requestText('POST', { 'content-length': '1000000' }))
      client.write('x'.repeat(n * 1_000))
      await new Promise((resolve) => setImmediate(resolve))
      client.write('x'.repeat(n * 1_000))
      await new Promise((resolve) => setImmediate(resolve))
      client.socket.destroy()
    }
    await eventually(() => counts().connections === 0)
    expect(counts().bufferedBodyBytes).toBe(0)
    expect(exchanges).toHaveLength(0)
    expect((await ask(port, 'POST', {}, PING)).status).toBe(200)
  })

  it('is refused with 503 while unfinished bodies hold too much together', async () => {
    const { port, counts } = await started({ maxBufferedBodyBytes: 150_000 })
    const slow = await RawClient.open(port)
    slow.write(requestText('POST', { 'content-length': '200000' }))
    slow.write('x'.repeat(100_000))
    await eventually(() => counts().bufferedBodyBytes === 100_000)
    const refused = await RawClient.open(port)
    refused.write(requestText('POST', {}, 'x'.repeat(140_000)))
    expect((await refused.answer()).status).toBe(503)
    slow.socket.destroy()
    await eventually(() => counts().bufferedBodyBytes === 0)
    refused.write(requestText('POST', {}, 'x'.repeat(140_000)))
    expect((await refused.answer()).status).toBe(200)
  })
})

describe('CORS', () => {
  it('answers a preflight of an allowed origin with what it may send', async () => {
    const { port } = await started()
    const answer = await ask(port, 'OPTIONS', {
      origin: 'http://localhost:5173',
      'access-control-request-method': 'POST',
      'access-control-request-headers': 'content-type,mcp-param-city',
    })
    expect(answer.status).toBe(204)
    expect(answer.headers).toMatchObject({
      'access-control-allow-origin': 'http://localhost:5173',
      'access-control-allow-headers': 'content-type,mcp-param-city',
      'access-control-allow-methods': 'GET, POST, DELETE, OPTIONS',
    })
  })

  it('lets a page read the answer and the session id, and adds nothing without an origin', async () => {
    const { port } = await started()
    const answer = await ask(port, 'POST', { origin: 'http://localhost:5173' }, PING)
    expect(answer.headers).toMatchObject({ 'access-control-allow-origin': 'http://localhost:5173', vary: 'Origin' })
    expect(answer.headers['access-control-expose-headers']).toContain('Mcp-Session-Id')
    const plain = await ask(port, 'POST', {}, PING)
    expect(plain.headers['access-control-allow-origin']).toBeUndefined()
  })

  it('does not repeat header names that are none', async () => {
    const { port } = await started()
    const headers = { origin: 'http://localhost', 'access-control-request-headers': 'a b; c' }
    expect((await ask(port, 'OPTIONS', headers)).headers['access-control-allow-headers']).toContain('Mcp-Session-Id')
  })
})
