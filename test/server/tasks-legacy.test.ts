/** Tasks as a client of revision 2025-11-25 meets them, message by message; each is checked against the published schema. */
import { createServer, type Server } from 'bough'
import { describe, expect, it } from 'vitest'
import { type Client, type Wire, type World, world } from './support.ts'

const RELATED = 'io.modelcontextprotocol/related-task'
const form = { message: 'Sure?', requestedSchema: { type: 'object', properties: { ok: { type: 'boolean' } } } } as const

function tasking(): Server {
  const server = createServer({ name: 'tasks', version: '1' })
  const task = { task: 'optional' } as const
  server.tool('quick', { ...task, run: () => 'done' })
  server.tool('failing', { ...task, run: () => ({ content: [{ type: 'text', text: 'no luck' }], isError: true }) })
  server.tool('required', { task: 'required', run: () => 'done' })
  server.tool('plain', { run: () => 'plain' })
  server.tool('slow', {
    ...task,
    run: async (_args, ctx) => {
      for (let step = 1; step <= 4; step++) {
        await pause(ctx, 250)
        ctx.progress(step, 4)
        ctx.log('info', `step ${step}`)
      }
      return 'slow done'
    },
  })
  server.tool('asking', {
    ...task,
    run: async (_args, ctx) => {
      const { action, content } = await ctx.elicit(form)
      return `${action} ok=${content?.['ok']}`
    },
  })
  server.tool('sampling', {
    ...task,
    run: async (_args, ctx) => {
      const request = { messages: [{ role: 'user', content: { type: 'text', text: 'Hi' } }], maxTokens: 10 } as const
      const { content } = await ctx.sample(request)
      return JSON.stringify(content)
    },
  })
  return server
}

function pause(ctx: { readonly signal: AbortSignal; readonly system: unknown }, ms: number): Promise<void> {
  const { timers } = ctx.system as { timers: { start(ms: number, then: () => void): unknown } }
  return new Promise((resolve, reject) => {
    timers.start(ms, () => resolve())
    ctx.signal.addEventListener('abort', () => reject(ctx.signal.reason))
  })
}

const capabilities = { elicitation: { form: {} }, sampling: {} }

async function opened(options: Parameters<typeof world>[1] = {}): Promise<{ w: World; client: Client }> {
  const w = await world(tasking(), options)
  return { w, client: await w.open({ capabilities }) }
}

async function create(client: Client, name: string, task: object = {}, meta?: object): Promise<Wire['result']> {
  const answer = await client.request('tools/call', { name, arguments: {}, task, ...(meta && { _meta: meta }) })
  expect(answer.error).toBeUndefined()
  return answer.result.task
}

describe('tasks in revision 2025-11-25', () => {
  it('are announced, with list and cancel', async () => {
    const w = await world(tasking())
    const answer = await w.connect().initialize()
    expect(answer.result.capabilities.tasks).toEqual({ list: {}, cancel: {}, requests: { tools: { call: {} } } })
  })

  it('are announced by no server without such a tool, nor to older revisions', async () => {
    const bare = createServer({ name: 'bare', version: '1' })
    bare.tool('plain', { run: () => 'plain' })
    expect((await (await world(bare)).connect().initialize()).result.capabilities.tasks).toBeUndefined()
    const older = await (await world(tasking())).connect().initialize({ version: '2025-06-18' })
    expect(older.result.capabilities.tasks).toBeUndefined()
  })

  it('answer a call with a task, tasks/get with its status, tasks/result with what the call would have returned', async () => {
    const { w, client } = await opened()
    const task = await create(client, 'slow', { ttl: 60_000 })
    expect(task).toMatchObject({ status: 'working', ttl: 60_000, pollInterval: 500 })
    expect(task.createdAt).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
    const { taskId } = task
    expect((await client.request('tasks/get', { taskId })).result).toMatchObject({ taskId, status: 'working' })
    const waiting = client.begin('tasks/result', { taskId })
    await w.sim.advance(500)
    expect((await client.request('tasks/get', { taskId })).result.status).toBe('working')
    const { result } = await client.answerTo(waiting)
    expect(result).toEqual({ content: [{ type: 'text', text: 'slow done' }], _meta: { [RELATED]: { taskId } } })
    expect((await client.request('tasks/get', { taskId })).result.status).toBe('completed')
    expect((await client.request('tasks/result', { taskId })).result).toEqual(result)
  })

  it('come with words for the model, where the tool has some', async () => {
    const server = tasking()
    server.tool('told', { task: 'required', taskMessage: 'It is on its way.', run: () => 'done' })
    const client = await (await world(server)).open()
    const { result } = await client.request('tools/call', { name: 'told', task: {} })
    expect(result._meta).toEqual({ 'io.modelcontextprotocol/model-immediate-response': 'It is on its way.' })
  })

  it('wait in tasks/result for longer than other requests may', async () => {
    const { client } = await opened({ requestTimeoutMs: 100 })
    const { taskId } = await create(client, 'slow')
    expect((await client.request('tasks/result', { taskId })).result.content[0].text).toBe('slow done')
  })

  it('are failed when the tool says so, and give its result all the same', async () => {
    const { client } = await opened()
    const { taskId } = await create(client, 'failing')
    const { result } = await client.request('tasks/result', { taskId })
    expect(result).toMatchObject({ isError: true, _meta: { [RELATED]: { taskId } } })
    expect((await client.request('tasks/get', { taskId })).result).toMatchObject({
      status: 'failed',
      statusMessage: 'no luck',
    })
  })

  it('ask the client through tasks/result, and name the task', async () => {
    const { client } = await opened()
    const { taskId } = await create(client, 'asking')
    await client.settle()
    expect(client.of('elicitation/create')).toEqual([])
    expect((await client.request('tasks/get', { taskId })).result.status).toBe('input_required')
    client.answers['elicitation/create'] = (params) => {
      expect(params._meta[RELATED]).toEqual({ taskId })
      return { result: { action: 'accept', content: { ok: true } } }
    }
    expect((await client.request('tasks/result', { taskId })).result.content[0].text).toBe('accept ok=true')
    expect(client.of('elicitation/create')).toHaveLength(1)
  })

  it('ask again through the next tasks/result when the first one was given up, and only one of two', async () => {
    const { client } = await opened()
    const { taskId } = await create(client, 'asking')
    const first = client.begin('tasks/result', { taskId })
    await client.settle()
    const second = client.begin('tasks/result', { taskId })
    await client.settle()
    expect(client.of('elicitation/create')).toHaveLength(1)
    client.notify('notifications/cancelled', { requestId: first })
    await client.settle()
    const [, asked] = client.of('elicitation/create')
    client.send({ id: asked!.id!, result: { action: 'decline' } } as Wire)
    expect((await client.answerTo(second)).result.content[0].text).toBe('decline ok=undefined')
  })

  it('give the tool the refusal of the user', async () => {
    const { client } = await opened()
    const { taskId } = await create(client, 'sampling')
    client.answers['sampling/createMessage'] = () => ({ error: { code: -1, message: 'User rejected' } })
    const { result } = await client.request('tasks/result', { taskId })
    expect(result).toMatchObject({ isError: true, content: [{ text: expect.stringContaining('User rejected') }] })
  })

  it('are cancelled once: tasks/result says so, and a second time is -32602', async () => {
    const { client } = await opened()
    const { taskId } = await create(client, 'asking')
    const waiting = client.begin('tasks/result', { taskId })
    await client.settle()
    const { result } = await client.request('tasks/cancel', { taskId })
    expect(result).toMatchObject({ taskId, status: 'cancelled' })
    expect((await client.answerTo(waiting)).error).toMatchObject({ message: 'The task was cancelled by request.' })
    // The question that was open is taken back.
    expect(client.of('notifications/cancelled')).toHaveLength(1)
    expect((await client.request('tasks/cancel', { taskId })).error?.code).toBe(-32_602)
    expect((await client.request('tasks/result', { taskId })).error?.message).toBe('The task was cancelled by request.')
  })

  it('report progress under the token of the call until they end, and log messages, each naming the task', async () => {
    const { client } = await opened()
    const { taskId } = await create(client, 'slow', {}, { progressToken: 'p' })
    await client.request('tasks/result', { taskId })
    const progress = client.of('notifications/progress')
    expect(progress.map(({ params }) => [params.progressToken, params.progress])).toEqual(
      [1, 2, 3, 4].map((n) => ['p', n]),
    )
    for (const { params } of [...progress, ...client.of('notifications/message')])
      expect(params._meta[RELATED]).toEqual({ taskId })
    expect(client.of('notifications/message')).toHaveLength(4)
  })

  it('report progress to a client that does not wait, and no log message below its level', async () => {
    const { w, client } = await opened()
    await client.request('logging/setLevel', { level: 'error' })
    const { taskId } = await create(client, 'slow', {}, { progressToken: 7 })
    await w.sim.advance(2_000)
    expect((await client.request('tasks/get', { taskId })).result.status).toBe('completed')
    expect(client.of('notifications/progress')).toHaveLength(4)
    expect(client.of('notifications/message')).toEqual([])
    await client.request('logging/setLevel', { level: 'info' })
    await create(client, 'slow')
    await w.sim.advance(2_000)
    expect(client.of('notifications/message').map(({ params }) => params.data)).toEqual(
      [1, 2, 3, 4].map((n) => `step ${n}`),
    )
  })

  it('tell each change of status in a notification that names the task by itself', async () => {
    const { client } = await opened()
    const { taskId } = await create(client, 'asking')
    client.answers['elicitation/create'] = () => ({ result: { action: 'decline' } })
    await client.request('tasks/result', { taskId })
    await client.settle()
    const told = client.of('notifications/tasks/status')
    expect(told.map(({ params }) => params.status)).toEqual(['input_required', 'working', 'completed'])
    for (const { params } of told) expect(params).toMatchObject({ taskId, ttl: expect.any(Number) })
  })

  it('are listed for their own session alone, and unknown to others', async () => {
    const { w, client } = await opened({ pageSize: 2 })
    const ids: string[] = []
    for (let n = 0; n < 3; n++) ids.push((await create(client, 'quick')).taskId)
    const first = (await client.request('tasks/list')).result
    const rest = (await client.request('tasks/list', { cursor: first.nextCursor })).result
    expect([...first.tasks, ...rest.tasks].map(({ taskId }: { taskId: string }) => taskId)).toEqual(ids)
    expect(rest.nextCursor).toBeUndefined()
    const other = await w.open({ capabilities })
    expect((await other.request('tasks/list')).result.tasks).toEqual([])
    for (const method of ['tasks/get', 'tasks/result', 'tasks/cancel'])
      expect((await other.request(method, { taskId: ids[0] })).error?.code).toBe(-32_602)
    expect((await client.request('tasks/list', { cursor: 'nonsense' })).error?.code).toBe(-32_602)
  })

  it('are refused by tools that do not run as one, and required by those that only do: -32601', async () => {
    const { client } = await opened()
    const asTask = (name: string): Promise<Wire> => client.request('tools/call', { name, task: {} })
    expect((await asTask('plain')).error?.code).toBe(-32_601)
    expect((await client.call('required')).error?.code).toBe(-32_601)
    expect((await asTask('unknown')).error?.code).toBe(-32_602)
    expect((await asTask('required')).result.task.status).toBe('working')
  })

  it('do not exist for older revisions: the wish is ignored, the methods are unknown', async () => {
    const w = await world(tasking())
    const client = await w.open({ version: '2025-06-18' })
    expect((await client.request('tools/call', { name: 'quick', task: {} })).result.content[0].text).toBe('done')
    expect((await client.request('tasks/list')).error?.code).toBe(-32_601)
  })

  it('are gone when their time is up, and tasks/result says so', async () => {
    const { w, client } = await opened()
    const { taskId } = await create(client, 'asking', { ttl: 300 })
    const waiting = client.begin('tasks/result', { taskId })
    await w.sim.advance(300)
    expect((await client.answerTo(waiting)).error).toMatchObject({
      code: -32_602,
      message: expect.stringContaining('expired'),
    })
    expect((await client.request('tasks/get', { taskId })).error?.code).toBe(-32_602)
  })

  it('keep the limits that the server was given, and wrong ones are refused by name', async () => {
    const { client } = await opened({ tasks: { ttlDefaultMs: 1_000, pollIntervalMs: 50, runningPerOwnerMax: 1 } })
    expect(await create(client, 'asking')).toMatchObject({ ttl: 61_000, pollInterval: 50 })
    const refused = await client.request('tools/call', { name: 'asking', task: {} })
    expect(refused.error).toMatchObject({ code: -32_603, message: expect.stringContaining('1 tasks that run') })
    await expect(world(tasking(), { tasks: { ttlMaxMs: 0 } })).rejects.toThrow('tasks.ttlMaxMs must be a whole number')
    await expect(world(tasking(), { tasks: { nonsense: 1 } as never })).rejects.toThrow('no option tasks.nonsense')
  })

  it('outlive a crash of their session', async () => {
    const { w, client } = await opened()
    const { taskId } = await create(client, 'slow')
    const session = await w.process('session')
    session.exit('kill')
    await w.sim.advance(2_000)
    expect((await client.request('tasks/get', { taskId })).result.status).toBe('completed')
  })
})
