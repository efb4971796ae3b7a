import { describe, expect, it, onTestFinished } from 'vitest'
import { type HttpClientOptions, httpClientTransport } from '#transports/client-http'
import type { RequestAuthorizer } from '#transports/client-port'
import { type Asked, HandServer, json, notification, Remembering, request, result, stream } from './client-harness.ts'
import { handClock } from './http-harness.ts'

async function linked(answer: (asked: Asked) => void, options: Omit<HttpClientOptions, 'url'> = {}) {
  const server = await HandServer.start(answer)
  const receiver = new Remembering()
  const link = await httpClientTransport({ url: server.url, ...options }).open(receiver)
  onTestFinished(() => link.close())
  return { server, link, receiver }
}

/** What becomes of one request that `answer` answers. */
async function failureOf(answer: (asked: Asked) => void, options: Omit<HttpClientOptions, 'url'> = {}) {
  const { link, receiver, server } = await linked(answer, options)
  link.send(request(1))
  const told = await receiver.failure()
  expect(receiver.messages).toEqual([])
  expect(receiver.failures).toHaveLength(1)
  await link.close()
  await server.noSockets()
  return told
}

const error = (id: unknown, code = -32_601) =>
  JSON.stringify({ jsonrpc: '2.0', id, error: { code, message: 'no', data: { supported: ['2026-07-28'] } } })

const respond =
  (status: number, body = '', headers: Record<string, string> = {}) =>
  (asked: Asked) =>
    void asked.response.writeHead(status, headers).end(body)

describe('a status', () => {
  it.each([400, 404, 405, 422, 500, 503])(
    '%i with the JSON-RPC error of the request is passed on as its answer',
    async (status) => {
      const { link, receiver } = await linked((asked) => json(asked, error(asked.id), status))
      link.send(request(1))
      await receiver.messageCount(1)
      expect(JSON.parse(receiver.messages[0]!)).toMatchObject({ id: 1, error: { code: -32_601 } })
      expect(receiver.failures).toEqual([])
    },
  )

  it.each([
    ['no body', ''],
    ['a page', '<html>Not here</html>'],
    ['an error without id', error(null)],
    ['an error of another request', error(99)],
    ['other JSON', '{"error":"bad_request"}'],
  ])('400 with %s is told with the body', async (_, body) => {
    const { ids, failure } = await failureOf(respond(400, body))
    expect(ids).toEqual([1])
    expect(failure).toMatchObject({ kind: 'status', status: 400, body, mayHaveRun: false })
  })

  it.each([
    [400, false],
    [404, false],
    [408, false],
    [429, false],
    [500, true],
    [501, false],
    [502, true],
    [503, false],
    [504, true],
  ])('%i may have run: %s', async (status, mayHaveRun) => {
    expect((await failureOf(respond(status))).failure).toMatchObject({ kind: 'status', status, mayHaveRun })
  })

  it.each([
    ['2', 2_000],
    ['Thu, 01 Jan 1970 00:01:00 GMT', 60_000],
    ['Thu, 01 Jan 1970 00:00:00 GMT', 0],
    ['soon', undefined],
    ['999999999', 86_400_000],
  ])('503 with Retry-After %s asks for %s ms', async (field, retryAfterMs) => {
    const clock = { ...handClock(), setTimer: () => 0 }
    const { failure } = await failureOf(respond(503, '', { 'retry-after': field }), { clock })
    expect(failure.retryAfterMs).toBe(retryAfterMs)
  })

  it('of a refused notification is told without ids', async () => {
    const { link, receiver } = await linked(respond(400, 'no'))
    link.send(notification())
    expect(await receiver.failure()).toMatchObject({ ids: [], failure: { kind: 'status', status: 400, body: 'no' } })
  })

  it('404 without a session is a status like others', async () => {
    expect((await failureOf(respond(404, 'gone'))).failure).toMatchObject({ kind: 'status', status: 404 })
  })

  it('with an endless body is told with what was read', async () => {
    const { failure } = await failureOf(({ response }) => {
      response.writeHead(500)
      const more = () => {
        while (!response.destroyed && response.write('x'.repeat(65_536)));
      }
      response.on('drain', more)
      more()
    })
    expect(failure).toMatchObject({ kind: 'status', status: 500 })
    expect(failure.body!.length).toBeLessThanOrEqual(65_536)
  })

  it('whose body breaks off is told all the same', async () => {
    const { failure } = await failureOf(({ response }) => {
      response.writeHead(502, { 'content-length': '100' })
      response.write('half', () => response.socket?.destroy())
    })
    expect(failure).toMatchObject({ kind: 'status', status: 502, mayHaveRun: true })
  })
})

describe('an answer that is none', () => {
  it.each([
    ['a page', respond(200, '<html></html>', { 'content-type': 'text/html' }), 'text/html'],
    ['202 without a body', respond(202), '202'],
    ['no content type', respond(200, result(1)), '(absent)'],
    ['compressed JSON', respond(200, 'x', { 'content-type': 'application/json', 'content-encoding': 'gzip' }), 'gzip'],
    ['broken JSON', respond(200, '{"id":', { 'content-type': 'application/json' }), 'expected JSON'],
    ['nothing', respond(200, '', { 'content-type': 'application/json' }), 'expected JSON'],
    ['the answer to another request', (asked: Asked) => json(asked, result(99)), 'none to request 1'],
  ])('%s is invalid', async (_, answer, word) => {
    const { link, receiver } = await linked(answer)
    link.send(request(1))
    const { ids, failure } = await receiver.failure()
    expect(ids).toEqual([1])
    expect(failure).toMatchObject({ kind: 'invalid', mayHaveRun: true })
    expect(failure.message).toContain(word)
  })

  it('a JSON answer that is not UTF-8 is invalid', async () => {
    const { failure } = await failureOf(({ response }) => {
      response.writeHead(200, { 'content-type': 'application/json' }).end(Buffer.from([0x22, 0xff, 0x22]))
    })
    expect(failure.kind).toBe('invalid')
  })

  it('a content type with parameters and capitals is read', async () => {
    const { link, receiver } = await linked((asked) =>
      asked.response.writeHead(200, { 'content-type': 'Application/JSON; charset=utf-8' }).end(result(asked.id)),
    )
    link.send(request(1))
    await receiver.messageCount(1)
  })

  it('a JSON answer that is too long is cut off', async () => {
    const { failure } = await failureOf((asked) => json(asked, result(1, { text: 'x'.repeat(2_000) })), {
      maxMessageBytes: 1_000,
    })
    expect(failure).toMatchObject({ kind: 'invalid', mayHaveRun: true })
    expect(failure.message).toContain('longer than 1000 bytes')
  })

  it('an event that is too long is cut off, also one without an end', async () => {
    const { failure } = await failureOf((asked) => stream(asked, `data: ${'x'.repeat(2_000)}`), {
      maxMessageBytes: 1_000,
    })
    expect(failure).toMatchObject({ kind: 'invalid', mayHaveRun: true })
  })

  it('a stream that ends without the answer is broken', async () => {
    const { failure } = await failureOf((asked) => stream(asked, ': bye\n\n').end())
    expect(failure).toMatchObject({ kind: 'broken', mayHaveRun: true })
  })
})

describe('a redirect', () => {
  it('within the origin is followed with the message, and a permanent one is remembered', async () => {
    const { link, receiver, server } = await linked((asked) => {
      if (asked.path === '/mcp') respond(308, '', { location: '/mcp/' })(asked)
      else json(asked, result(asked.id))
    })
    link.send(request(1))
    await receiver.messageCount(1)
    link.send(request(2))
    await receiver.messageCount(2)
    expect(server.asked.map(({ path }) => path)).toEqual(['/mcp', '/mcp/', '/mcp/'])
    expect(server.asked[1]!.body).toBe(request(1).text)
  })

  it('to another origin is refused, with its address', async () => {
    const other = await HandServer.start((asked) => json(asked, result(asked.id)))
    const { failure } = await failureOf(respond(307, '', { location: other.url }))
    expect(failure).toMatchObject({ kind: 'status', status: 307, mayHaveRun: false })
    expect(failure.message).toContain(other.url)
    expect(other.asked).toEqual([])
  })

  it.each([301, 302, 303])('%i, which would make a GET of the message, is refused', async (status) => {
    expect((await failureOf(respond(status, '', { location: '/other' }))).failure).toMatchObject({
      kind: 'status',
      status,
    })
  })

  it('without end is given up', async () => {
    const { link, receiver, server } = await linked(respond(307, '', { location: '/mcp' }))
    link.send(request(1))
    expect((await receiver.failure()).failure).toMatchObject({ kind: 'status', status: 307 })
    expect(server.asked).toHaveLength(4)
  })
})

describe('authorization', () => {
  /** Hands out one token after the other; `tries` counts the refusals it saw. */
  function tokens(
    ...list: string[]
  ): RequestAuthorizer & { readonly refusals: { status: number; challenge: string | null }[] } {
    const refusals: { status: number; challenge: string | null }[] = []
    return {
      refusals,
      headers: async () => ({ Authorization: `Bearer ${list[Math.min(refusals.length, list.length - 1)]}` }),
      challenged: async ({ status, headers }) => {
        refusals.push({ status, challenge: headers.get('www-authenticate') })
        return refusals.length < list.length
      },
    }
  }

  const guarded =
    (token: string, status = 401) =>
    (asked: Asked) => {
      if (asked.headers.authorization === `Bearer ${token}`) json(asked, result(asked.id))
      else respond(status, 'no', { 'www-authenticate': 'Bearer scope="mcp"' })(asked)
    }

  it('is asked for the headers of each request, in place of those in the options', async () => {
    const { link, receiver, server } = await linked(guarded('good'), {
      authorizer: tokens('good'),
      headers: { authorization: 'Bearer static', 'x-tenant': 'blue' },
    })
    link.send(request(1))
    await receiver.messageCount(1)
    expect(server.asked).toHaveLength(1)
    expect(server.asked[0]!.headers['x-tenant']).toBe('blue')
  })

  it.each([401, 403])('is told of a %i, and the request goes out again', async (status) => {
    const authorizer = tokens('bad', 'good')
    const { link, receiver, server } = await linked(guarded('good', status), { authorizer })
    link.send(request(1))
    await receiver.messageCount(1)
    expect(server.asked).toHaveLength(2)
    expect(authorizer.refusals).toEqual([{ status, challenge: 'Bearer scope="mcp"' }])
  })

  it('that gives up fails the request as one that has not run', async () => {
    const { failure } = await failureOf(guarded('good'), { authorizer: tokens('bad') })
    expect(failure).toMatchObject({ kind: 'unauthorized', status: 401, body: 'no', mayHaveRun: false })
  })

  it('that never gives up is asked three times', async () => {
    const authorizer = tokens('a', 'b', 'c', 'd', 'e', 'f')
    const { failure } = await failureOf(guarded('good'), { authorizer })
    expect(failure.kind).toBe('unauthorized')
    expect(authorizer.refusals).toHaveLength(3)
  })

  it('that fails itself fails the request, which was not sent', async () => {
    const broken = new Error('the login page is down')
    const authorizer: RequestAuthorizer = { headers: () => Promise.reject(broken), challenged: async () => false }
    const { link, receiver, server } = await linked(guarded('good'), { authorizer })
    link.send(request(1))
    expect((await receiver.failure()).failure).toMatchObject({ kind: 'unauthorized', mayHaveRun: false })
    expect(server.asked).toEqual([])
  })

  it('is not waited for when the request is given up', async () => {
    let answer: ((headers: Record<string, string>) => void) | undefined
    const authorizer: RequestAuthorizer = {
      headers: () => new Promise((resolve) => (answer = resolve)),
      challenged: async () => false,
    }
    const { link, receiver, server } = await linked(guarded('good'), { authorizer })
    link.send(request(1))
    link.abandon(1)
    answer?.({ authorization: 'Bearer good' })
    await link.close()
    expect(server.asked).toEqual([])
    expect(receiver.failures).toEqual([])
  })

  it('without an authorizer 401 and 403 are told at once', async () => {
    for (const status of [401, 403]) {
      const { failure } = await failureOf(guarded('good', status))
      expect(failure).toMatchObject({ kind: 'unauthorized', status, mayHaveRun: false })
    }
  })

  it('never shows a token in a failure', async () => {
    const { failure } = await failureOf(guarded('good'), { authorizer: tokens('secret-token') })
    expect(JSON.stringify(failure)).not.toContain('secret-token')
  })
})

describe('a header that cannot be sent', () => {
  it('fails the request, which was not sent', async () => {
    const { link, receiver, server } = await linked((asked) => json(asked, result(asked.id)))
    link.send(request(1, 'tools/list', { 'Mcp-Name': 'a\nb' }))
    expect(receiver.failures).toEqual([])
    expect((await receiver.failure()).failure).toMatchObject({ mayHaveRun: false })
    expect(server.asked).toEqual([])
  })
})
