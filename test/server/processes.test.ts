/** One server in several processes: whoever a client is connected to, its session answers. */
import { readdirSync, statSync } from 'node:fs'
import { connect as connectSocket } from 'node:net'
import { createInterface } from 'node:readline'
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  clientOf,
  collect,
  Fleet,
  fleet,
  oneConnection,
  ownConnections,
  RawClient,
  until,
} from './processes-support.ts'

const PATIENCE_MS = 90_000

/** Two processes that no test harms. */
let common: Fleet
let endCommon: () => Promise<void> = () => Promise.resolve()
beforeAll(async () => {
  common = await fleet({ processes: 2 }, (end) => {
    endCommon = end
  })
}, PATIENCE_MS)
afterAll(() => endCommon())

describe('sessions over two processes', { timeout: PATIENCE_MS }, () => {
  it('stay with their owner over any connection, and new ones are spread', async () => {
    const { url } = common
    const clients = await Promise.all(Array.from({ length: 8 }, () => new RawClient(url).initialize()))
    const pids = new Map<number, string>()
    for (const client of clients) pids.set(client.owner, await client.call('pid'))
    expect(new Set(pids.values()).size).toBe(2)
    expect([...pids.keys()].sort()).toEqual([0, 1])
    // One connection carries the requests of all of them: half come to the wrong process first.
    const agent = oneConnection()
    for (let round = 0; round < 3; round++) {
      for (const client of clients) {
        const shared = new RawClient(url, agent)
        shared.sessionId = client.sessionId ?? ''
        expect(await shared.call('pid')).toBe(pids.get(client.owner))
        expect(await client.call('pid')).toBe(pids.get(client.owner))
      }
    }
  })

  it('serve the official client, many at once', async () => {
    const { url } = common
    const seen = await Promise.all(
      Array.from({ length: 6 }, async () => {
        const client = new Client({ name: 'official', version: '1' })
        await client.connect(new StreamableHTTPClientTransport(new URL(url)))
        const texts: string[] = []
        for (let call = 0; call < 5; call++) {
          const { content } = (await client.callTool({ name: 'pid', arguments: {} })) as { content: { text: string }[] }
          texts.push(content[0]?.text ?? '')
        }
        await client.close()
        return new Set(texts)
      }),
    )
    expect(seen.map(({ size }) => size)).toEqual([1, 1, 1, 1, 1, 1])
  })

  it('stream, are cancelled and answer large bodies through the wrong process too', async () => {
    const { url } = common
    const [near, far] = await strangers(url)
    const slow = await far.post(far.callOf('slow', { ms: 90 }, { progressToken: 'p' }))
    expect(slow.messages.map(({ method }) => method)).toEqual([
      'notifications/progress',
      'notifications/progress',
      'notifications/progress',
      undefined,
    ])
    const text = 'ä"\n'.repeat(300_000)
    expect(await far.call('echo', { text })).toBe(text)
    expect(await near.call('echo', { text: 'near' })).toBe('near')
    // The client's notice reaches the owner.
    const waiting = far.send('POST', { id: 77, method: 'tools/call', params: { name: 'waits', arguments: {} } })
    waiting.catch(() => undefined)
    const other = new RawClient(url)
    other.sessionId = far.sessionId ?? ''
    await until(async () => {
      await other.post({ method: 'notifications/cancelled', params: { requestId: 77 } })
      return (await other.call('aborted')) === '1'
    })
  })

  it('hear of updates and changed lists from a session of another process', async () => {
    const { url } = common
    const listener = await clientOf(url, 0, ownConnections())
    const other = await clientOf(url, 1, ownConnections())
    await listener.post({ id: 9, method: 'resources/subscribe', params: { uri: 'config://app' } })
    const stream = await listener.send('GET')
    const heard = collect(stream, ({ messages }) => messages.length >= 2)
    expect(await other.call('touch', { uri: 'config://app' })).toBe('touched')
    expect(await other.call('change')).toBe('changed')
    expect((await heard).messages.map(({ method }) => method)).toEqual([
      'notifications/resources/updated',
      'notifications/tools/list_changed',
    ])
  })

  it('resume a stream over a connection to another process', async () => {
    const { url } = common
    const [, far] = await strangers(url)
    const response = await new RawClientOf(far, ownConnections()).send(
      'POST',
      far.callOf('slow', { ms: 900 }, { progressToken: 'p' }),
    )
    const begun = await collect(response, ({ messages }) => messages.length >= 1)
    response.destroy()
    const lastEventId = begun.ids.at(-1) ?? ''
    const resumed = await collect(await far.send('GET', undefined, { 'last-event-id': lastEventId }), ({ messages }) =>
      messages.some(({ result }) => result !== undefined),
    )
    expect(resumed.messages.at(-1)?.result.content[0].text).toMatch(/^\d+$/)
  })

  it('are asked, and answer, over connections to whichever process', async () => {
    const { url } = common
    const asking = await clientOf(url, 0, ownConnections(), {}, { elicitation: {} })
    const [, carrier] = await strangers(url)
    const wrong = new RawClient(url, carrier.agent)
    wrong.sessionId = asking.sessionId ?? ''
    const response = await asking.send('POST', asking.callOf('elicit'))
    let isAnswered = false
    let failed: (error: unknown) => void = () => {}
    const failure = new Promise<never>((_resolve, reject) => (failed = reject))
    const answer = collect(response, ({ messages }) => {
      const question = messages.find(({ method }) => method === 'elicitation/create')
      if (question !== undefined && !isAnswered) {
        isAnswered = true
        wrong
          .post({ id: question.id, result: { action: 'accept', content: { ok: true } } } as object)
          .then(({ status }) => status === 202 || failed(new Error(`The answer was refused with ${status}.`)), failed)
      }
      return messages.length >= 2
    })
    expect((await Promise.race([answer, failure])).messages.at(-1)?.result.content[0].text).toMatch(/^accept true \d+$/)
  })

  it('are as unknown to anybody but their principal as where there is one process', async () => {
    const { url } = await fleet({ processes: 2, tokens: { one: 'ann', two: 'bob' } })
    const ann = { authorization: 'Bearer one' }
    const owned = await clientOf(url, 0, ownConnections(), ann)
    const elsewhere = await clientOf(url, 1, oneConnection(), ann)
    // This connection is the other process's.
    expect(await elsewhere.call('whoami')).toBe('ann')
    const through = (authorization: string | undefined): RawClient => {
      const client = new RawClient(url, elsewhere.agent, authorization === undefined ? {} : { authorization })
      client.sessionId = owned.sessionId ?? ''
      return client
    }
    expect(await through('Bearer one').call('whoami')).toBe('ann')
    expect((await through('Bearer two').post(owned.callOf('whoami'))).status).toBe(404)
    const unauthorized = await through(undefined).post(owned.callOf('whoami'))
    expect(unauthorized.status).toBe(401)
    expect(unauthorized.headers['www-authenticate']).toContain('Bearer')
    expect((await through('Bearer three').post(owned.callOf('whoami'))).status).toBe(401)
  })

  it('end for good wherever they are deleted, and forged ids are unknown', async () => {
    const { url } = common
    const [, far] = await strangers(url)
    const deleted = await far.send('DELETE')
    deleted.resume()
    expect(deleted.statusCode).toBe(200)
    expect((await far.post(far.callOf('pid'))).status).toBe(404)
    for (const id of ['0.forged', '1.forged', '2.forged', '63.forged', '99.x', 'forged', '0.', '.']) {
      const client = new RawClient(url)
      client.sessionId = id
      expect((await client.post(client.callOf('pid'))).status, id).toBe(404)
    }
  })
})

describe('requests without a session over two processes', { timeout: PATIENCE_MS }, () => {
  it('find their tasks wherever those are', async () => {
    const { url } = common
    const tasks = { extensions: { 'io.modelcontextprotocol/tasks': {} } }
    const ids: string[] = []
    const owners = (): Set<string | undefined> => new Set(ids.map((id) => id.split('.')[0]))
    // Chance says which process creates a task: once in 2^40 it is one for all of them.
    while (ids.length < 4 || (owners().size < 2 && ids.length < 40)) {
      const created = await new RawClient(url).modern('tools/call', { name: 'job', arguments: { ms: 30 } }, tasks)
      ids.push(created.messages.at(-1)?.result.taskId)
    }
    expect(owners().size).toBe(2)
    for (const taskId of ids) {
      // Several connections, so that each process is asked.
      for (let count = 0; count < 3; count++) {
        await until(async () => {
          const { messages } = await new RawClient(url).modern('tasks/get', { taskId }, tasks)
          return messages.at(-1)?.result?.status === 'completed'
        })
      }
    }
    const { messages } = await new RawClient(url).modern('tasks/get', { taskId: '1.unknown' }, tasks)
    expect(messages.at(-1)?.error.code).toBe(-32602)
  })

  it('follow tasks of every process in one subscription', async () => {
    const { url } = common
    const tasks = { extensions: { 'io.modelcontextprotocol/tasks': {} } }
    const ids: string[] = []
    for (let count = 0; count < 4; count++) {
      const created = await new RawClient(url).modern('tools/call', { name: 'job', arguments: { ms: 6_000 } }, tasks)
      ids.push(created.messages.at(-1)?.result.taskId)
    }
    const { messages } = await listen(url, { taskIds: ids }, tasks, (heard) => {
      const ended = heard.filter(({ params }) => params?.status === 'completed')
      return new Set(ended.map(({ params }) => params.taskId)).size === ids.length
    })
    expect(messages[0]?.params.notifications.taskIds.toSorted()).toEqual(ids.toSorted())
  })

  it('take the next round at any process, and an answer for once at one of them', async () => {
    const { url } = common
    const elicitation = { elicitation: {} }
    const pids = new Set<string>()
    for (let count = 0; count < 4; count++) {
      const asked = (
        await new RawClient(url).modern('tools/call', { name: 'redeem', arguments: {} }, elicitation)
      ).messages.at(-1)
      const { requestState, inputRequests } = asked.result
      const inputResponses = { [Object.keys(inputRequests)[0] ?? '']: { action: 'accept', content: { ok: true } } }
      const again = { name: 'redeem', arguments: {}, requestState, inputResponses }
      const answers = await Promise.all(
        [1, 2, 3, 4].map(() => new RawClient(url).modern('tools/call', again, elicitation)),
      )
      const texts = answers.map(
        ({ messages }) => messages.at(-1)?.result?.content[0].text ?? messages.at(-1)?.error.code,
      )
      const redeemed = texts.filter((text) => String(text).startsWith('redeemed true'))
      expect(redeemed).toHaveLength(1)
      expect(texts.filter((text) => text === -32602)).toHaveLength(3)
      pids.add(String(redeemed[0]).split(' ')[2] ?? '')
    }
    expect(pids.size).toBeGreaterThan(0)
  })

  it('hear of updates wherever they listen', async () => {
    const running = common
    const heard = listen(
      running.url,
      { resourceSubscriptions: ['config://app'] },
      {},
      (messages) => messages.length >= 2,
    )
    const again = setInterval(() => void running.do('updated').catch(() => undefined), 200)
    try {
      expect((await heard).messages[1]?.method).toBe('notifications/resources/updated')
    } finally {
      clearInterval(again)
    }
  })
})

describe('the private channel', { timeout: PATIENCE_MS }, () => {
  it('is in a folder of this user alone and answers nobody without the secret', async () => {
    const running = common
    const [folder = ''] = running.privateFolders()
    expect(statSync(folder).mode & 0o777).toBe(0o700)
    expect(readdirSync(folder).sort()).toEqual(['0.sock', '1.sock'])
    const exchange = JSON.stringify([
      'exchange',
      1,
      { method: 'POST', url: '', body: '{}', headers: {}, credentials: {} },
    ])
    for (const opening of [
      `${exchange}\n`,
      `["hello","wrong"]\n${exchange}\n`,
      'x'.repeat(1_000_000),
      '\n',
      '["hello"',
    ]) {
      const socket = connectSocket(`${folder}/0.sock`)
      const bytes: Buffer[] = []
      socket.on('data', (chunk: Buffer) => bytes.push(chunk))
      const closed = new Promise((resolve) => socket.once('close', resolve))
      socket.on('error', () => undefined)
      socket.end(opening)
      await closed
      expect(Buffer.concat(bytes).toString()).toBe('')
    }
    const client = await new RawClient(running.url).initialize()
    expect(await client.call('echo', { text: 'alive' })).toBe('alive')
  })
})

describe('other transports over two processes', { timeout: PATIENCE_MS }, () => {
  it('live where their connection landed', async () => {
    const running = new Fleet({
      processes: 2,
      ws: { port: 0 },
      tcp: { port: 0 },
      sse: { port: 0 },
    })
    const { urls } = (await running.said()) as { urls: string[] }
    const tcp = new URL(urls.find((url) => url.startsWith('tcp:')) ?? '')
    const pids = new Set<string>()
    for (let count = 0; count < 4; count++) {
      const socket = connectSocket(Number(tcp.port), tcp.hostname)
      const lines = linesOf(socket)
      const params = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'tcp', version: '1' } }
      socket.write(`${JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'initialize', params })}\n`)
      await lines.next()
      socket.write(`${JSON.stringify({ jsonrpc: '2.0', method: 'notifications/initialized' })}\n`)
      socket.write(`${JSON.stringify({ jsonrpc: '2.0', id: 2, method: 'tools/call', params: { name: 'pid' } })}\n`)
      pids.add(JSON.parse(String((await lines.next()).value)).result.content[0].text)
      socket.destroy()
    }
    expect(pids.size).toBe(2)
    // Of HTTP+SSE the stream is in one process, and each message may come to any.
    const sse = urls.find((url) => url.endsWith('/sse')) ?? ''
    const stream = await new RawClient(sse).send('GET')
    const events = stream.setEncoding('utf8')[Symbol.asyncIterator]()
    const path = /data: (.*)/.exec(String((await events.next()).value))?.[1] ?? ''
    const poster = new RawClient(new URL(path, sse).href, oneConnection())
    for (let count = 0; count < 4; count++) {
      const apart = new RawClient(poster.url.replace('sessionId=', 'session%49d='), ownConnections())
      const message = { id: count, method: 'ping' }
      const sent = await (count % 2 === 0 ? poster : apart).send('POST', message)
      sent.resume()
      expect(sent.statusCode).toBe(202)
      expect(String((await events.next()).value)).toContain(`"id":${count}`)
    }
    stream.destroy()
  })
})

/** Two clients over one connection each to the same process: the session of the first is its own, that of the second is not. */
async function strangers(url: string): Promise<[near: RawClient, far: RawClient]> {
  const agent = oneConnection()
  const near = await new RawClient(url, agent).initialize()
  const far = await clientOf(url, 1 - near.owner, agent)
  return [near, far]
}

/** The same session over other connections. */
class RawClientOf extends RawClient {
  constructor({ url, sessionId }: RawClient, agent: ConstructorParameters<typeof RawClient>[1]) {
    super(url, agent)
    this.sessionId = sessionId
  }
}

// biome-ignore lint/suspicious/noExplicitAny: messages of any method
async function listen(url: string, notifications: object, capabilities: object, until: (messages: any[]) => boolean) {
  const client = new RawClient(url)
  const _meta = {
    'io.modelcontextprotocol/protocolVersion': '2026-07-28',
    'io.modelcontextprotocol/clientInfo': { name: 'raw', version: '1' },
    'io.modelcontextprotocol/clientCapabilities': capabilities,
  }
  const message = { id: 'l', method: 'subscriptions/listen', params: { notifications, _meta } }
  const headers = { 'mcp-protocol-version': '2026-07-28', 'mcp-method': 'subscriptions/listen' }
  const response = await client.send('POST', message, headers)
  const answer = await collect(response, ({ messages }) => until(messages))
  response.destroy()
  return answer
}

function linesOf(socket: ReturnType<typeof connectSocket>): AsyncIterator<string> {
  return createInterface({ input: socket })[Symbol.asyncIterator]()
}
