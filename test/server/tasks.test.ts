import { defineActor } from 'bough/runtime'
import { describe, expect, it } from 'vitest'
import {
  cancelTask,
  createTask,
  getTask,
  listTasks,
  type TaskAnswer,
  updateTask,
  watchTasks,
} from '#actors/task-manager'
import { Catalog } from '#features/catalog'
import { type JsonObject, ProtocolError } from '#protocol'
import {
  legacyCreated,
  legacyTask,
  modernCreated,
  modernTaskDetails,
  type TaskView,
  withRelatedTask,
} from '#protocol/tasks'
import { faultOf } from '../protocol/revisions/schemas.ts'
import { addTool, form, type TaskWorld, taskWorld, wish } from './tasks-support.ts'

const OWNER = 'principal:ann'

function seen(answer: TaskAnswer): TaskView {
  if ('error' in answer) throw new Error(`No task: ${answer.error.message}`)
  return answer.view
}

function refused(answer: TaskAnswer): { readonly code: number; readonly message: string } {
  if ('view' in answer) throw new Error(`There is a task: ${answer.view.status}`)
  return answer.error
}

async function create(world: TaskWorld, name: string, more: Parameters<typeof wish>[1] = {}): Promise<TaskView> {
  return seen(await world.sim.run(createTask(world.services, wish(name, more))))
}

async function get(world: TaskWorld, { id }: TaskView, owner = OWNER): Promise<TaskView> {
  return seen(await world.sim.run(getTask(world.services, id, owner)))
}

async function count(world: TaskWorld): Promise<{ kept: number; running: number; size: number }> {
  const manager = world.services.names.whereis('task-manager')!.ref as unknown as { call(op: string): Promise<never> }
  return world.sim.run(manager.call('count'))
}

const sleep = (ms: number, signal: AbortSignal, world: () => TaskWorld): Promise<void> =>
  new Promise((resolve, reject) => {
    const { timers } = world().sim.system
    const timer = timers.start(ms, () => resolve())
    signal.addEventListener('abort', () => {
      timers.cancel(timer)
      reject(signal.reason)
    })
  })

/** Tools that end in each way there is. */
function tools(world: () => TaskWorld): { catalog: Catalog; aborted: string[]; runs: string[] } {
  const catalog = new Catalog()
  const aborted: string[] = []
  const runs: string[] = []
  addTool(catalog, 'quick', { run: () => 'done' })
  addTool(catalog, 'slow', {
    run: async (args, ctx) => {
      runs.push('slow')
      ctx.signal.addEventListener('abort', () => aborted.push(ctx.task?.id ?? ''))
      await sleep((args as { ms?: number }).ms ?? 1_000, ctx.signal, world)
      return 'done'
    },
  })
  addTool(catalog, 'failing', { run: () => ({ content: [{ type: 'text', text: 'no luck' }], isError: true }) })
  addTool(catalog, 'throwing', {
    run: () => {
      throw new Error('oh')
    },
  })
  addTool(catalog, 'protocol', {
    run: () => {
      throw new ProtocolError(-32_042, 'first go there', { elicitations: [] })
    },
  })
  addTool(catalog, 'asking', {
    run: async (_args, ctx) => {
      const { action, content } = await ctx.elicit(form)
      return `${action} ok=${content?.['ok']}`
    },
  })
  addTool(catalog, 'asking_two', {
    run: async (_args, ctx) => {
      const [a, b] = await Promise.all([ctx.elicit(form, { key: 'a' }), ctx.elicit(form, { key: 'b' })])
      return `${a.action} ${b.action}`
    },
  })
  addTool(catalog, 'steps', {
    resumable: true,
    run: async (_args, ctx) => {
      const from = (ctx.restored as { step: number } | undefined)?.step ?? 0
      runs.push(`steps from ${from}${ctx.task?.isResumed ? ' resumed' : ''}`)
      for (let step = from; step < 3; step++) {
        await sleep(1_000, ctx.signal, world)
        await ctx.checkpoint({ step: step + 1 })
      }
      const { action } = await ctx.elicit(form)
      await sleep(1_000, ctx.signal, world)
      return `3 steps, ${action}`
    },
  })
  return { catalog, aborted, runs }
}

async function open(
  options: Parameters<typeof taskWorld>[0] = {},
): Promise<TaskWorld & { aborted: string[]; runs: string[] }> {
  let world: TaskWorld | undefined
  const made = tools(() => world!)
  world = await taskWorld({ ...options, catalog: made.catalog })
  return { ...world, aborted: made.aborted, runs: made.runs }
}

describe('the life of a task', () => {
  it('begins working and is completed with its result', async () => {
    const world = await open()
    const task = await create(world, 'slow')
    expect(task).toMatchObject({ status: 'working', ttlMs: 360_000, questions: {} })
    expect(await get(world, task)).toMatchObject({ status: 'working' })
    await world.sim.advance(1_000)
    expect(await get(world, task)).toMatchObject({ status: 'completed', result: { content: [{ text: 'done' }] } })
  })

  it.each([
    ['quick', 'legacy', 'completed'],
    ['quick', 'modern', 'completed'],
    ['failing', 'legacy', 'failed'],
    ['failing', 'modern', 'completed'],
    ['throwing', 'legacy', 'failed'],
    ['throwing', 'modern', 'completed'],
    ['protocol', 'legacy', 'failed'],
    ['protocol', 'modern', 'failed'],
  ] as const)('a tool that is %s, %s form: %s', async (name, formOf, status) => {
    const world = await open()
    const task = await create(world, name, { form: formOf })
    await world.sim.settle()
    const ended = await get(world, task)
    expect(ended.status).toBe(status)
    expect((formOf === 'legacy' ? legacyTask : modernTaskDetails)(ended)).toMatchObject({ status })
    if (name === 'protocol')
      expect(ended.error).toEqual({ code: -32_042, message: 'first go there', data: { elicitations: [] } })
    else expect(ended.result).toBeDefined()
    expect(ended.statusMessage).toBe(
      { quick: undefined, failing: 'no luck', throwing: 'Tool "throwing" failed: oh', protocol: 'first go there' }[
        name
      ],
    )
  })

  it('is seen by each era in its own words, whoever created it', async () => {
    const world = await open()
    const legacy = await create(world, 'failing', { form: 'legacy' })
    const modern = await create(world, 'failing', { form: 'modern' })
    await world.sim.settle()
    for (const task of [legacy, modern]) {
      const view = await get(world, task)
      expect(legacyTask(view)).toMatchObject({ status: 'failed' })
      expect(modernTaskDetails(view)).toMatchObject({ status: 'completed', result: { isError: true } })
    }
  })

  it('is cancelled: the tool is aborted, and nothing changes it any more', async () => {
    const world = await open()
    const task = await create(world, 'slow')
    await world.sim.advance(10)
    const answer = seen(await world.sim.run(cancelTask(world.services, task.id, OWNER)))
    expect(answer).toMatchObject({ status: 'cancelled', statusMessage: 'The task was cancelled by request.' })
    await world.sim.advance(5_000)
    expect(world.aborted).toEqual([task.id])
    expect((await get(world, task)).status).toBe('cancelled')
    expect(await count(world)).toMatchObject({ running: 0 })
  })

  it('refuses to cancel what has ended only where that is the rule', async () => {
    const world = await open()
    const task = await create(world, 'quick')
    await world.sim.settle()
    expect(refused(await world.sim.run(cancelTask(world.services, task.id, OWNER, true)))).toMatchObject({
      code: -32_602,
    })
    expect(seen(await world.sim.run(cancelTask(world.services, task.id, OWNER)))).toMatchObject({ status: 'completed' })
  })

  it('waits for input, takes part of it, and goes on with all', async () => {
    const world = await open()
    const task = await create(world, 'asking_two')
    await world.sim.settle()
    const waiting = await get(world, task)
    expect(waiting).toMatchObject({ status: 'input_required', statusMessage: 'Waiting for the client to answer a, b.' })
    expect(Object.keys(waiting.questions)).toEqual(['a', 'b'])
    expect(waiting.questions['a']).toEqual({ method: 'elicitation/create', params: form })
    const update = (responses: object) => world.sim.run(updateTask(world.services, task.id, OWNER, responses as never))
    seen(await update({ a: { action: 'accept', content: { ok: true } }, nonsense: 7 }))
    expect(Object.keys((await get(world, task)).questions)).toEqual(['b'])
    seen(await update({ a: { action: 'decline' }, b: { action: 'cancel' } }))
    await world.sim.settle()
    expect(await get(world, task)).toMatchObject({
      status: 'completed',
      result: { content: [{ text: 'accept cancel' }] },
    })
  })

  it('refuses an answer that breaks the protocol and goes on waiting', async () => {
    const world = await open()
    const task = await create(world, 'asking')
    await world.sim.settle()
    const answer = await world.sim.run(
      updateTask(world.services, task.id, OWNER, { 'elicit-1': { action: 'perhaps' } }),
    )
    expect(refused(answer)).toMatchObject({ code: -32_602, message: expect.stringContaining('elicit-1') })
    expect((await get(world, task)).status).toBe('input_required')
  })

  it('does not ask what the client cannot answer', async () => {
    const world = await open()
    const bare = { protocolVersion: '2026-07-28', clientInfo: { name: 'bare', version: '1' }, clientCapabilities: {} }
    const task = await create(world, 'asking', { client: bare })
    await world.sim.settle()
    const ended = await get(world, task)
    expect(ended.status).toBe('completed')
    expect(JSON.stringify(ended.result)).toContain('announced no elicitation.form')
  })

  it('ends with an error result when the tool takes longer than it may; the time of the client does not count', async () => {
    const world = await open()
    addTool(world.catalog, 'brief', {
      timeout: 100,
      run: async (_args, ctx) => {
        await ctx.elicit(form)
        await sleep(1_000, ctx.signal, () => world)
        return 'never'
      },
    })
    const task = await create(world, 'brief')
    await world.sim.advance(10_000)
    expect((await get(world, task)).status).toBe('input_required')
    await world.sim.run(updateTask(world.services, task.id, OWNER, { 'elicit-1': { action: 'accept', content: {} } }))
    await world.sim.advance(100)
    expect(await get(world, task)).toMatchObject({ status: 'completed', result: { isError: true } })
  })

  it('keeps the result as it was, whatever its author does to it later', async () => {
    const world = await open()
    const result = { structured: { n: 1 } }
    addTool(world.catalog, 'shared', { run: () => result })
    const task = await create(world, 'shared')
    await world.sim.settle()
    result.structured.n = 2
    expect(await get(world, task)).toMatchObject({ result: { structuredContent: { n: 1 } } })
  })

  it('fails when the result is no JSON', async () => {
    const world = await open()
    addTool(world.catalog, 'big', { run: () => ({ structured: { n: 1n }, content: [] }) })
    const task = await create(world, 'big')
    await world.sim.settle()
    expect(await get(world, task)).toMatchObject({ status: 'failed', error: { code: -32_603 } })
  })

  it('fails when there is no such tool any more', async () => {
    const world = await open()
    const task = await create(world, 'gone')
    await world.sim.settle()
    expect(await get(world, task)).toMatchObject({ status: 'failed', error: { code: -32_602 } })
  })
})

describe('the shapes of a task', () => {
  const base: TaskView = {
    id: 'a',
    form: 'modern',
    status: 'working',
    statusMessage: undefined,
    createdAtMs: 0,
    updatedAtMs: 1,
    ttlMs: 60_000,
    pollIntervalMs: 500,
    questions: {},
    result: undefined,
    error: undefined,
  }
  const times = { createdAt: '1970-01-01T00:00:00.000Z', lastUpdatedAt: '1970-01-01T00:00:00.001Z' }
  const result = { content: [{ type: 'text', text: 'hi' }] }
  const failed = { ...result, isError: true }
  const error = { code: -32_603, message: 'no' }
  const question = { method: 'roots/list' }
  const views: readonly [TaskView, string, object][] = [
    [base, 'working', {}],
    [
      { ...base, status: 'input_required', questions: { q: question } },
      'input_required',
      { inputRequests: { q: question } },
    ],
    [{ ...base, status: 'completed', result }, 'completed', { result }],
    [{ ...base, status: 'completed', result: failed }, 'failed', { status: 'completed', result: failed }],
    [{ ...base, status: 'failed', result: failed }, 'failed', { status: 'completed', result: failed }],
    [{ ...base, status: 'failed', error, statusMessage: 'no' }, 'failed', { error }],
    [{ ...base, status: 'cancelled', error, statusMessage: 'no' }, 'cancelled', {}],
  ]

  it.each(views)('%o is %s in revision 2025-11-25, as its schema has it', (task, status) => {
    const said = task.statusMessage === undefined ? {} : { statusMessage: task.statusMessage }
    const legacy = legacyTask(task)
    expect(legacy).toEqual({ taskId: 'a', status, ...said, ...times, ttl: 60_000, pollInterval: 500 })
    for (const definition of ['Task', 'GetTaskResult', 'CancelTaskResult'])
      expect(faultOf('2025-11-25', definition, legacy)).toBeUndefined()
    expect(faultOf('2025-11-25', 'ListTasksResult', { tasks: [legacy] })).toBeUndefined()
    expect(faultOf('2025-11-25', 'CreateTaskResult', legacyCreated(task, 'Wait.'))).toBeUndefined()
  })

  it.each(views)(
    '%o, under the extension, has what belongs to its status and nothing else',
    (task, status, details) => {
      const said = task.statusMessage === undefined ? {} : { statusMessage: task.statusMessage }
      const common = { taskId: 'a', status, ...said, ...times, ttlMs: 60_000, pollIntervalMs: 500 }
      expect(modernTaskDetails(task)).toEqual({ ...common, ...details })
      const {
        result: _result,
        error: _error,
        inputRequests: _requests,
        ...bare
      } = { ...common, ...details } as JsonObject
      expect(modernCreated(task)).toEqual({ resultType: 'task', ...bare })
    },
  )

  it('ties a message to its task and keeps what its _meta held', () => {
    const tied = withRelatedTask({ a: 1, _meta: { b: 2 } }, 'id')
    expect(tied).toEqual({ a: 1, _meta: { b: 2, 'io.modelcontextprotocol/related-task': { taskId: 'id' } } })
  })
})

describe('the time of a task', () => {
  it.each([
    [undefined, 360_000],
    [100, 100],
    [60_000, 60_000],
    [1, 100],
    [1e12, 86_400_000],
    [1_500.4, 1_500],
  ])('a wish for %s ms is kept %s ms', async (ttlMs, kept) => {
    const world = await open()
    const task = await create(world, 'quick', { ttlMs })
    expect(task.ttlMs).toBe(kept)
    await world.sim.advance(kept - 1)
    expect((await get(world, task)).status).toBe('completed')
    await world.sim.advance(1)
    expect(refused(await world.sim.run(getTask(world.services, task.id, OWNER)))).toMatchObject({ code: -32_602 })
    expect(await count(world)).toEqual({ kept: 0, running: 0, size: 0 })
    expect(world.store.size).toBe(0)
  })

  it('ends a task that still runs', async () => {
    const world = await open()
    const task = await create(world, 'slow', { ttlMs: 500, args: { ms: 60_000 } })
    await world.sim.advance(500)
    expect(world.aborted).toEqual([task.id])
    expect(await count(world)).toEqual({ kept: 0, running: 0, size: 0 })
  })
})

describe('the owner of a task', () => {
  it('alone may see, answer and cancel it: to others it is unknown', async () => {
    const world = await open()
    const task = await create(world, 'asking')
    await world.sim.settle()
    const { services, sim } = world
    const other = 'principal:bob'
    const unknown = refused(await sim.run(getTask(services, 'x'.repeat(22), other))).message
    for (const call of [
      getTask(services, task.id, other),
      cancelTask(services, task.id, other),
      updateTask(services, task.id, other, {}),
    ]) {
      const error = refused(await sim.run(call))
      expect(error).toMatchObject({ code: -32_602 })
      expect(error.message.replace(task.id, 'x'.repeat(22))).toBe(unknown)
    }
    expect((await get(world, task)).status).toBe('input_required')
    const page = await sim.run(listTasks(services, other, undefined, 50))
    expect(page).toEqual({ views: [], nextCursor: undefined })
  })

  it('has ids that nobody can guess: 128 bits, all different', async () => {
    const world = await open()
    const ids = new Set<string>()
    for (let n = 0; n < 50; n++) ids.add((await create(world, 'quick')).id)
    expect(ids.size).toBe(50)
    for (const id of ids) expect(id.length).toBeGreaterThanOrEqual(22)
  })

  it('gets a list page by page, oldest first, without losing one that stays', async () => {
    const world = await open()
    const made: TaskView[] = []
    for (let n = 0; n < 7; n++) made.push(await create(world, 'quick', n === 0 ? { ttlMs: 200 } : {}))
    const first = await world.sim.run(listTasks(world.services, OWNER, undefined, 3))
    if ('error' in first) throw new Error(first.error.message)
    expect(first.views.map(({ id }) => id)).toEqual(made.slice(0, 3).map(({ id }) => id))
    // The first one goes meanwhile.
    await world.sim.advance(300)
    const rest = await world.sim.run(listTasks(world.services, OWNER, first.nextCursor, 10))
    expect(rest).toMatchObject({ views: made.slice(3).map(({ id }) => ({ id })), nextCursor: undefined })
  })

  it.each(['nonsense', 7, '', 'YjE6dG9vbHM6MQ'])('refuses the cursor %j', async (cursor) => {
    const world = await open()
    expect(await world.sim.run(listTasks(world.services, OWNER, cursor, 3))).toMatchObject({ error: { code: -32_602 } })
  })
})

describe('the limits of tasks', () => {
  it.each([
    [{ runningPerOwnerMax: 2 }, 'This client has 2 tasks that run'],
    [{ keptPerOwnerMax: 2 }, 'This client has 2 tasks that have not expired'],
    [{ runningMax: 2 }, 'The server has 2 tasks that run'],
    [{ keptMax: 2 }, 'The server keeps 2 tasks'],
  ])('%o: refuses one more, and none of another client where it is a limit per client', async (limits, why) => {
    const world = await open({ limits })
    await create(world, 'slow')
    await create(world, 'slow')
    const answer = refused(await world.sim.run(createTask(world.services, wish('slow'))))
    expect(answer).toMatchObject({ code: -32_603, message: expect.stringContaining(why) })
    const other = await world.sim.run(createTask(world.services, wish('slow', { owner: 'principal:bob' })))
    expect('view' in other).toBe(why.startsWith('This client'))
  })

  it('bounds what one task takes: arguments, result, checkpoint, answers', async () => {
    const world = await open({ limits: { sizeMax: 1_000 } })
    const long = 'x'.repeat(1_000)
    expect(refused(await world.sim.run(createTask(world.services, wish('quick', { args: { long } }))))).toMatchObject({
      code: -32_603,
    })
    addTool(world.catalog, 'long', { run: () => long })
    const task = await create(world, 'long')
    await world.sim.settle()
    expect(await get(world, task)).toMatchObject({
      status: 'failed',
      statusMessage: expect.stringContaining('Return less'),
    })
    addTool(world.catalog, 'saving', { run: (_args, ctx) => ctx.checkpoint(long).then(() => 'saved') })
    const saving = await create(world, 'saving')
    await world.sim.settle()
    expect(JSON.stringify((await get(world, saving)).result)).toContain('ctx.checkpoint')
    const asking = await create(world, 'asking')
    await world.sim.settle()
    seen(
      await world.sim.run(
        updateTask(world.services, asking.id, OWNER, {
          'elicit-1': { action: 'accept', content: { ok: true }, _meta: { long } },
        }),
      ),
    )
    await world.sim.settle()
    expect(JSON.stringify((await get(world, asking)).result)).toContain('more than the task has left')
  })

  it('bounds the questions of one task', async () => {
    const world = await open({ limits: { questionsMax: 2 } })
    addTool(world.catalog, 'curious', {
      run: async (_args, ctx) => {
        for (;;) await ctx.elicit(form)
      },
    })
    const task = await create(world, 'curious')
    for (const key of ['elicit-1', 'elicit-2']) {
      await world.sim.settle()
      seen(await world.sim.run(updateTask(world.services, task.id, OWNER, { [key]: { action: 'accept' } })))
    }
    await world.sim.settle()
    expect(JSON.stringify((await get(world, task)).result)).toContain('may ask no more')
  })

  it('counts what all tasks take, and gives it back', async () => {
    const world = await open({ limits: { sizeTotalMax: 500 } })
    await create(world, 'slow', { args: { long: 'x'.repeat(600) }, ttlMs: 2_000 })
    expect(refused(await world.sim.run(createTask(world.services, wish('quick')))).message).toContain('characters')
    await world.sim.advance(1_000)
    expect((await count(world)).size).toBeLessThan(100)
    await create(world, 'quick')
  })
})

describe('whoever watches a task', () => {
  const Watcher = defineActor({
    name: 'watcher',
    init: () => [] as TaskView[],
    call: { seen: (views) => views },
    info: (views, message) => void views.push((message as { view: TaskView }).view),
  })

  it('is told each change of status of what it may see, and nothing once it is gone', async () => {
    const world = await open()
    const task = await create(world, 'asking')
    const watcher = await world.sim.start(Watcher)
    const views = await world.sim.run(watchTasks(world.services, [task.id, task.id, 'unknown'], OWNER, watcher))
    expect(views).toHaveLength(1)
    expect(await world.sim.run(watchTasks(world.services, [task.id], 'principal:bob', watcher))).toEqual([])
    await world.sim.settle()
    await world.sim.run(updateTask(world.services, task.id, OWNER, { 'elicit-1': { action: 'decline' } }))
    await world.sim.settle()
    const told = await world.sim.run(watcher.call('seen'))
    expect(told.map(({ status }) => status).slice(-2)).toEqual(['working', 'completed'])
    await world.sim.run(watcher.stop())
    await world.sim.settle()
  })
})

describe('whoever watched a task when the manager ended', () => {
  const Listener = defineActor({
    name: 'listener',
    init: () => ({ rewatches: 0 }),
    call: { rewatches: (state) => state.rewatches },
    cast: { rewatch: (state) => void state.rewatches++ },
  })

  it('is asked to say again what it watches', async () => {
    const world = await open()
    const listener = await world.sim.start(Listener)
    world.services.listens.add(listener as never)
    world.services.names.whereis('task-manager')!.ref.exit('kill')
    await world.sim.settle()
    expect(await world.sim.run(listener.call('rewatches'))).toBe(1)
  })
})

describe('what fails around a task', () => {
  it('a killed process of a task fails that task, with the reason, and no other', async () => {
    const world = await open()
    const [one, other] = [await create(world, 'slow'), await create(world, 'slow')]
    await world.sim.settle()
    const processes = world.sim.system.processes().filter((ref) => ref.info()?.definition === 'task')
    expect(processes).toHaveLength(2)
    processes[0]!.exit('kill')
    await world.sim.settle()
    expect(await get(world, one)).toMatchObject({ status: 'failed', statusMessage: expect.stringContaining('killed') })
    await world.sim.advance(1_000)
    expect((await get(world, other)).status).toBe('completed')
  })

  it('a crash of the manager fails what cannot resume, keeps what has ended, and resumes the rest', async () => {
    const world = await open()
    const ended = await create(world, 'quick')
    const running = await create(world, 'slow')
    const resumable = await create(world, 'steps')
    await world.sim.advance(1_500)
    const again = await create(world, 'slow')
    world.services.names.whereis('task-manager')!.ref.exit('kill')
    await world.sim.settle()
    expect((await get(world, ended)).status).toBe('completed')
    expect((await get(world, running)).status).toBe('completed')
    expect(await get(world, again)).toMatchObject({
      status: 'failed',
      error: {
        code: -32_603,
        message: 'The server was restarted while the task ran, and the tool "slow" cannot resume.',
      },
    })
    expect((await get(world, resumable)).status).toBe('working')
    await world.sim.advance(100)
    expect(world.runs).toContain('steps from 1 resumed')
  })

  it("a crash of the processes' supervisor fails its tasks, and new ones run", async () => {
    const world = await open()
    const task = await create(world, 'slow')
    await world.sim.settle()
    world.services.names.whereis('task-runs')!.ref.exit('kill')
    await world.sim.settle()
    expect((await get(world, task)).status).toBe('failed')
    const next = await create(world, 'slow')
    await world.sim.advance(2_000)
    expect((await get(world, next)).status).toBe('completed')
  })

  it('a supervisor of processes that is stopped in order fails no task silently', async () => {
    const world = await open()
    const task = await create(world, 'slow')
    await world.sim.settle()
    await world.sim.run(world.services.names.whereis('task-runs')!.ref.stop('shutdown')).catch(() => undefined)
    await world.sim.advance(2_000)
    expect((await get(world, task)).status).toBe('failed')
  })
})

describe('a store that cannot keep up', () => {
  it('costs those who wait an error, and the tasks nothing', async () => {
    const world = await open()
    const task = await create(world, 'steps')
    world.store.isOverloaded = true
    const watched = await world.sim.run(watchTasks(world.services, [task.id], OWNER, world.tree))
    expect(watched).toEqual([])
    for (const call of [
      getTask(world.services, task.id, OWNER),
      listTasks(world.services, OWNER, undefined, 9),
      createTask(world.services, wish('quick')),
    ])
      expect(await world.sim.run(call as Promise<object>)).toMatchObject({
        error: { message: expect.stringContaining('too slow') },
      })
    world.store.isOverloaded = false
    expect((await count(world)).kept).toBe(1)
    await world.sim.advance(4_000)
    expect((await get(world, task)).status).toBe('input_required')
  })
})

describe('tasks over a restart', () => {
  it('tells nothing that is not durable', async () => {
    const world = await open()
    const { store, services, sim } = world
    store.isPrompt = false
    let created: TaskAnswer | undefined
    void createTask(services, wish('quick')).then((answer) => {
      created = answer
    })
    await sim.settle()
    expect(created).toBeUndefined()
    expect(store.pending).toBeGreaterThan(0)
    store.commit()
    await sim.settle()
    const task = seen(created!)
    let told: TaskAnswer | undefined
    void cancelTask(services, task.id, OWNER).then((answer) => {
      told = answer
    })
    await sim.settle()
    store.commit()
    await sim.settle()
    expect(told).toBeDefined()
  })

  it('serves what had ended, keeps what was cancelled, and fails what cannot resume', async () => {
    const world = await open()
    const done = await create(world, 'quick')
    const cancelled = await create(world, 'slow')
    const running = await create(world, 'slow', { args: { ms: 60_000 } })
    const asking = await create(world, 'asking')
    await world.sim.run(cancelTask(world.services, cancelled.id, OWNER))
    await world.sim.settle()
    const before = await get(world, done)
    const after = await world.restart()
    expect(await get(after, done)).toEqual(before)
    expect((await get(after, cancelled)).status).toBe('cancelled')
    for (const task of [running, asking])
      expect(await get(after, task)).toMatchObject({
        status: 'failed',
        statusMessage: expect.stringContaining('cannot resume'),
      })
  })

  it('goes on from the last durable checkpoint, with the answers it has', async () => {
    let world: TaskWorld = await open()
    const { runs } = world as Awaited<ReturnType<typeof open>>
    const task = await create(world, 'steps')
    await world.sim.advance(2_500)
    world = await world.restart()
    expect((await get(world, task)).status).toBe('working')
    await world.sim.advance(1_100)
    expect(runs).toEqual(['steps from 0', 'steps from 2 resumed'])
    expect((await get(world, task)).status).toBe('input_required')
    world = await world.restart()
    // The question still stands, and its answer is taken before the tool asks again.
    seen(await world.sim.run(updateTask(world.services, task.id, OWNER, { 'elicit-1': { action: 'accept' } })))
    await world.sim.advance(500)
    world = await world.restart()
    await world.sim.advance(1_100)
    expect(await get(world, task)).toMatchObject({
      status: 'completed',
      result: { content: [{ text: '3 steps, accept' }] },
    })
  })

  it('loses a write that was not durable, and never half of it', async () => {
    const world = await open()
    const task = await create(world, 'slow')
    world.store.isPrompt = false
    await world.sim.advance(1_000)
    const after = await world.restart()
    expect((await get(after, task)).status).toBe('failed')
  })

  it('forgets what expired while the server was down', async () => {
    const world = await open()
    const task = await create(world, 'quick', { ttlMs: 1_000 })
    const left = world.store.reopened()
    await world.sim.advance(2_000)
    const after = await taskWorld({ store: left, catalog: world.catalog, sim: world.sim })
    expect('error' in (await after.sim.run(getTask(after.services, task.id, OWNER)))).toBe(true)
    expect(left.size).toBe(0)
  })

  it('gives a task up that was begun too often', async () => {
    let world: TaskWorld = await open({ limits: { runsMax: 2 } })
    const task = await create(world, 'steps')
    world = await world.restart()
    expect((await get(world, task)).status).toBe('working')
    world = await world.restart()
    expect(await get(world, task)).toMatchObject({
      status: 'failed',
      statusMessage: expect.stringContaining('2 times'),
    })
  })

  it('begins with answers that were given before there was a task', async () => {
    const world = await open()
    const { digestOf } = await import('#auth/canonical-json')
    const digest = digestOf(['elicitation/create', form])
    const answers = { 'elicit-1': { digest, result: { action: 'accept', content: { ok: true } } } }
    const task = await create(world, 'asking', { answers })
    await world.sim.settle()
    expect(await get(world, task)).toMatchObject({
      status: 'completed',
      result: { content: [{ text: 'accept ok=true' }] },
    })
  })
})

describe('the cost of tasks', () => {
  it('leaves no process, timer or record behind', async () => {
    const world = await open()
    await world.sim.settle()
    const processes = world.sim.system.processCount
    const timers = world.sim.system.timers.size
    for (let n = 0; n < 200; n++) await create(world, n % 2 === 0 ? 'quick' : 'slow', { ttlMs: 5_000 })
    await world.sim.advance(6_000)
    expect(world.sim.system.processCount).toBe(processes)
    expect(world.sim.system.timers.size).toBe(timers)
    expect(await count(world)).toEqual({ kept: 0, running: 0, size: 0 })
    expect(world.store.size).toBe(0)
  })
})
