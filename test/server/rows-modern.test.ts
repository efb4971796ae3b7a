/** Rules of the modern era that stand in docs/protocol.md and that no other file holds. */
import { createServer, type Server, type ToolContext } from 'bough'
import { describe, expect, it } from 'vitest'
import { ModernClient, metaOf, textOf } from './modern-client.ts'
import { world } from './support.ts'
import { wireFault } from './wire-schema.ts'

const question = { message: 'Sure?', requestedSchema: { type: 'object', properties: {} } } as const

function everything(): Server {
  const server = createServer({ name: 'modern', version: '1' })
    .tool('hangs', { timeout: 500, run: () => new Promise(() => undefined) })
    .tool('asks', { run: async (_args, ctx: ToolContext) => (await ctx.elicit(question)).action })
    .tool('anything', { run: () => ({ content: [], structuredContent: [1, null, 'x'] }) })
    .resource('a://b', { read: () => 'x' })
    .prompt('greet', {
      arguments: [{ name: 'who', required: true, complete: ['Ann'] }],
      get: ({ who }) => `Greet ${who}`,
    })
  for (const name of ['z', 'm', 'b', 'a']) server.tool(name, { run: () => name })
  return server
}

describe('the check of what goes over the wire', () => {
  const task = { taskId: 't', createdAt: '2026-01-01T00:00:00Z', lastUpdatedAt: '2026-01-01T00:00:00Z', ttlMs: null }
  const entry = { uri: 'skill://a/SKILL.md', frontmatter: { name: 'a', description: 'A' } }
  const hints = { ttlMs: 0, cacheScope: 'private' }
  it.each<[string, string, object, string]>([
    ['a task as a complete result', 'tools/call', { resultType: 'complete', ...task, status: 'working' }, 'content'],
    ['a task that says complete', 'tasks/get', { resultType: 'task', ...task, status: 'working' }, 'resultType'],
    ['a task without its result', 'tasks/get', { resultType: 'complete', ...task, status: 'completed' }, 'result'],
    [
      'a task with the legacy ttl',
      'tasks/get',
      { resultType: 'complete', ...task, status: 'working', ttl: 1 },
      'additional',
    ],
    [
      'more than an acknowledgement',
      'tasks/cancel',
      { resultType: 'complete', ...task, status: 'cancelled' },
      'additional',
    ],
    ['a task of prompts/get', 'prompts/get', { resultType: 'task', ...task, status: 'working' }, 'messages'],
    ['a skill without resources', 'skills/get', { resultType: 'complete', ...hints, skill: entry }, 'resources'],
    ['a list without hints', 'skills/list', { resultType: 'complete', skills: [] }, 'ttlMs'],
    ['questions in a list', 'tools/list', { resultType: 'input_required', requestState: 'x' }, 'questions'],
    ['questions without content', 'tools/call', { resultType: 'input_required' }, 'without content'],
    ['a type that nobody knows', 'tools/call', { resultType: 'perhaps', content: [] }, 'unknown type'],
  ])('finds %s', (_what, asked, result, fault) => {
    expect(wireFault('2026-07-28', { jsonrpc: '2.0', id: 1, result }, asked)).toContain(fault)
  })

  it.each<[string, object, string]>([
    ['a request of the server', { id: 1, method: 'elicitation/create', params: {} }, 'a request of its own'],
    [
      'a task without the id of its subscription',
      { method: 'notifications/tasks', params: { ...task, status: 'working' } },
      '_meta',
    ],
    ['a code of the legacy era', { id: 1, error: { code: -32002, message: 'x' } }, 'error code -32002'],
    ['a version error without its data', { id: 1, error: { code: -32022, message: 'x' } }, 'data'],
  ])('finds %s', (_what, message, fault) => {
    expect(wireFault('2026-07-28', { jsonrpc: '2.0', ...message }, 'tools/list')).toContain(fault)
  })
})

describe('lists', () => {
  it('are in the same order for everybody, connection after connection, session or none', async () => {
    const running = await world(everything())
    const named = ({ result }: { result?: { tools: { name: string }[] } }) => result?.tools.map(({ name }) => name)
    const orders = [
      named(await new ModernClient(running).request('tools/list')),
      named(await new ModernClient(running, { capabilities: { elicitation: {} } }).request('tools/list')),
      named(await (await running.open()).request('tools/list')),
    ]
    expect(orders).toEqual([orders[0], orders[0], orders[0]])
    expect(orders[0]).toEqual(['hangs', 'asks', 'anything', 'z', 'm', 'b', 'a'])
  })
})

describe('a server of the modern era', () => {
  it.each(['elicitation/create', 'sampling/createMessage', 'roots/list'])(
    'takes no %s: it stands inside results only',
    async (method) => {
      const client = new ModernClient(await world(everything()))
      const params = { ...question, messages: [], maxTokens: 1 }
      expect((await client.request(method, params)).error?.code).toBe(-32601)
    },
  )

  it('sends neither requests nor cancellations, whatever its calls come to', async () => {
    const running = await world(everything())
    const client = new ModernClient(running, { capabilities: { elicitation: {} } })
    await client.call('asks')
    const hanging = client.begin('tools/call', { name: 'hangs' })
    await running.sim.advance(500)
    expect((await client.connection.answerTo(hanging)).result.isError).toBe(true)
    const left = client.begin('tools/call', { name: 'hangs' })
    await running.sim.settle()
    client.connection.notify('notifications/cancelled', { requestId: left })
    await running.sim.settle()
    expect(client.connection.received.filter(({ method }) => method !== undefined)).toEqual([])
  })

  it.each([
    ['resources/read', { uri: 'no://where' }],
    ['prompts/get', { name: 'nobody' }],
    ['prompts/get', { name: 'greet' }],
    ['tools/call', { name: 'nobody' }],
    ['completion/complete', { ref: { type: 'ref/prompt', name: 'nobody' }, argument: { name: 'a', value: '' } }],
    ['resources/list', { cursor: 'nonsense' }],
  ])('answers %s of %j with -32602', async (method, params) => {
    const client = new ModernClient(await world(everything()))
    expect((await client.request(method, params)).error?.code).toBe(-32602)
  })

  it('takes any JSON value for a structured result', async () => {
    const client = new ModernClient(await world(everything()))
    const { result } = await client.call('anything')
    expect(result.structuredContent).toEqual([1, null, 'x'])
  })

  it('lets the id of an answered request be used again', async () => {
    const client = new ModernClient(await world(everything()))
    const { connection } = client
    const send = (name: string) => connection.send({ id: 7, method: 'tools/call', params: { name, _meta: metaOf() } })
    send('a')
    await connection.answerTo(7)
    send('b')
    await connection.settle()
    expect(connection.received.map((reply) => textOf(reply))).toEqual(['a', 'b'])
  })
})

describe('a question of a task', () => {
  const tasks = { elicitation: {}, extensions: { 'io.modelcontextprotocol/tasks': {} } }
  const asking = (properties: object): Server =>
    createServer({ name: 'tasks', version: '1' }).tool('asks', {
      task: 'required',
      run: async (_args, ctx) => {
        const requestedSchema = { type: 'object', properties, required: ['n'] } as never
        const first = await ctx.elicit({ message: 'First?', requestedSchema })
        const second = await ctx.elicit({ message: 'Second?', requestedSchema })
        return JSON.stringify([first.content, second.content])
      },
    })
  const begin = async (server: Server) => {
    const running = await world(server)
    const client = new ModernClient(running, { capabilities: tasks })
    const { taskId } = (await client.call('asks')).result
    await running.sim.settle()
    return { running, client, taskId, get: () => client.request('tasks/get', { taskId }) }
  }

  it('is not put when it is none that a client may be asked', async () => {
    const { get } = await begin(asking({ n: { type: 'object' } }))
    const { result } = await get()
    expect(result).toMatchObject({ status: 'completed', result: { isError: true } })
    expect(result.result.content[0].text).toContain('requestedSchema')
  })

  it('is answered with what its form asks for, defaults included, and has a key of its own', async () => {
    const { client, taskId, get, running } = await begin(
      asking({ n: { type: 'integer' }, more: { type: 'string', default: 'none' } }),
    )
    const keys: string[] = []
    for (const n of [1, 2]) {
      const [key = ''] = Object.keys((await get()).result.inputRequests)
      keys.push(key)
      const update = (content: object) =>
        client.request('tasks/update', { taskId, inputResponses: { [key]: { action: 'accept', content } } })
      expect((await update({ n: 'x' })).error?.code).toBe(-32602)
      expect((await update({ n })).result).toMatchObject({ resultType: 'complete' })
      // Answered before, or never asked: ignored.
      expect((await update({ n: 9 })).error).toBeUndefined()
      await running.sim.settle()
    }
    expect(new Set(keys).size).toBe(2)
    expect(JSON.parse((await get()).result.result.content[0].text)).toEqual([
      { n: 1, more: 'none' },
      { n: 2, more: 'none' },
    ])
  })
})
