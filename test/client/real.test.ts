/** A client and our server over real sockets and pipes, in both eras: once is enough, the rest is proved in virtual time. */
import { createServer, type Server, serve } from 'bough'
import { type ConnectOptions, connect } from 'bough/client'
import { describe, expect, it, onTestFinished } from 'vitest'
import { childPath, childrenOf } from '../server/child.ts'
import { type Asked, HandServer, result, stream, withSession } from '../transports/client-harness.ts'

const eras = ['legacy', 'modern'] as const

function sample(): Server {
  const server = createServer({ name: 'test', version: '1' })
  server.tool('add', {
    input: {
      type: 'object',
      properties: { a: { type: 'integer', 'x-mcp-header': 'First' }, b: { type: 'integer' } },
      required: ['a', 'b'],
    },
    run: ({ a, b }, ctx) => {
      ctx.progress(1, 2)
      return `${Number(a) + Number(b)}`
    },
  })
  server.tool('asks', {
    run: async (_args, ctx) => {
      const requestedSchema = { type: 'object', properties: { name: { type: 'string' } }, required: ['name'] }
      const answer = await ctx.elicit({ message: 'Who?', requestedSchema })
      return `Hello ${answer.content?.['name']}`
    },
  })
  server.tool('waits', {
    run: (_args, ctx) =>
      new Promise((_, reject) =>
        ctx.signal.addEventListener('abort', () => {
          aborted++
          reject(new Error('aborted'))
        }),
      ),
  })
  server.resource('test://text', { read: () => 'some text' })
  return server
}

let aborted = 0
const handlers = { elicitation: () => ({ action: 'accept', content: { name: 'Ann' } }) as const }

async function http(options: ConnectOptions) {
  const server = sample()
  const app = await serve(server, { http: { port: 0 }, logger: false, signals: false, guard: false })
  onTestFinished(() => app.stop())
  const url = app.url
  if (url === undefined) throw new Error('no url')
  const client = await connect(url, { handlers, ...options })
  onTestFinished(() => client.close())
  return { server, app, client, url }
}

describe.each(eras)('over HTTP, in the %s era', (era) => {
  it('calls a tool whose argument goes into a header, without having listed the tools', async () => {
    const { client } = await http({ era })
    expect(client.server.era).toBe(era)
    const progress: unknown[] = []
    const result = await client.callTool('add', { a: 1, b: 2 }, { onProgress: (step) => progress.push(step) })
    expect(result.content).toEqual([{ type: 'text', text: '3' }])
    expect(progress).toEqual([{ progress: 1, total: 2 }])
  })

  it('answers what the server asks', async () => {
    const { client } = await http({ era })
    expect((await client.callTool('asks')).content).toEqual([{ type: 'text', text: 'Hello Ann' }])
  })

  it('cancels a call, and the server stops it', async () => {
    const { client } = await http({ era })
    const before = aborted
    const control = new AbortController()
    const call = client.callTool('waits', {}, { signal: control.signal })
    await client.callTool('add', { a: 1, b: 2 })
    control.abort('enough')
    await expect(call).rejects.toMatchObject({ code: 'cancelled', cause: 'enough' })
    await expect.poll(() => aborted).toBe(before + 1)
  })

  it('hears of changes', async () => {
    const { client, server } = await http({ era })
    const updates: string[] = []
    const lists: string[] = []
    const stop = await client.subscribe('test://text', ({ uri }) => updates.push(uri))
    client.onListChanged((kind) => lists.push(kind))
    await expect
      .poll(() => {
        server.tool('more', { run: () => '' })
        return lists.length
      })
      .toBeGreaterThan(0)
    server.resourceUpdated('test://text')
    await expect.poll(() => updates.length).toBe(1)
    await stop()
  })

  it('goes on with a server that was started anew', async () => {
    const { app, client, server, url } = await http({ era, reconnect: { minMs: 20 } })
    const updates: string[] = []
    await client.subscribe('test://text', ({ uri }) => updates.push(uri))
    await client.listTools()
    await app.stop()
    const late = client.listTools()
    const again = await serve(server, {
      http: { port: Number(new URL(url).port) },
      logger: false,
      signals: false,
      guard: false,
    })
    onTestFinished(() => again.stop())
    expect(await late).toHaveLength(3)
    expect((await client.callTool('add', { a: 1, b: 2 })).content).toEqual([{ type: 'text', text: '3' }])
    await expect
      .poll(
        () => {
          server.resourceUpdated('test://text')
          return updates.length
        },
        { timeout: 10_000 },
      )
      .toBeGreaterThan(1)
  })

  it('closes in order', async () => {
    const { client, app } = await http({ era })
    const started = performance.now()
    await client.close()
    await expect(client.listTools()).rejects.toMatchObject({ code: 'closed' })
    expect(performance.now() - started).toBeLessThan(2_000)
    // The legacy session was deleted, not left to its idle time.
    await expect.poll(() => app.metrics()['sessions_open'] ?? 0).toBe(0)
  })
})

describe('a server over HTTP that numbers its questions as the client numbers its requests', () => {
  it('gets the answer, and the call with that number goes on', async () => {
    let waiting: Asked | undefined
    const hand = await HandServer.start(
      withSession(
        (asked) => {
          if (asked.method === 'GET') asked.response.writeHead(405).end()
          else if (asked.body.includes('"tools/call"')) {
            waiting = asked
            const params = { message: 'Who?', requestedSchema: { type: 'object', properties: {} } }
            const question = { jsonrpc: '2.0', id: asked.id, method: 'elicitation/create', params }
            stream(asked, `data: ${JSON.stringify(question)}\n\n`)
          } else {
            asked.response.writeHead(202).end()
            // The client has read that its answer was taken.
            setTimeout(() => {
              const { id, response } = waiting as Asked
              response.end(`data: ${result(id, { content: [] })}\n\n`)
            }, 100)
          }
        },
        undefined,
        { protocolVersion: '2025-11-25', capabilities: { tools: {} }, serverInfo: { name: 'x', version: '1' } },
      ),
    )
    const client = await connect(hand.url, { era: 'legacy', handlers })
    onTestFinished(() => client.close())
    expect((await client.callTool('asks')).content).toEqual([])
  })
})

/** The programs that this one started since and that still run. */
function started(before: ReadonlySet<string>): string[] {
  return childrenOf(process.pid).filter((pid) => {
    try {
      // `ps` lists itself, and has ended by now.
      return !before.has(pid) && process.kill(Number(pid), 0)
    } catch {
      return false
    }
  })
}

describe.each(eras)('over stdio, in the %s era', (era) => {
  const target = { command: process.execPath, args: [childPath, 'stdio'], stderr: 'ignore' } as const

  it('calls, and ends the program with itself', async () => {
    const before = new Set(childrenOf(process.pid))
    const client = await connect(target, { era })
    onTestFinished(() => client.close())
    expect((await client.callTool('echo', { n: 7 })).content).toEqual([{ type: 'text', text: '7' }])
    await client.close()
    expect(started(before)).toEqual([])
  })

  it('starts a program that died anew, and goes on', async () => {
    const before = new Set(childrenOf(process.pid))
    const client = await connect(target, { era })
    onTestFinished(() => client.close())
    const [pid] = started(before)
    const call = client.callTool('slow', { ms: 60_000 }).catch((error: unknown) => error)
    await client.callTool('echo', { n: 1 })
    process.kill(Number(pid), 'SIGKILL')
    expect(await call).toMatchObject({ name: 'CallLost', mayHaveRun: true })
    expect((await client.callTool('echo', { n: 7 })).content).toEqual([{ type: 'text', text: '7' }])
  })
})

describe('a client that finds nobody', () => {
  it('says so for an address', async () => {
    await expect(connect('http://127.0.0.1:9/mcp')).rejects.toMatchObject({
      name: 'CallLost',
      code: 'refused',
      mayHaveRun: false,
    })
  })

  it('says so for a command', async () => {
    await expect(connect({ command: 'no-such-program' })).rejects.toMatchObject({ code: 'refused' })
  })
})
