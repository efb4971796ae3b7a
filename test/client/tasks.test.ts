/** Tasks as handles, in both forms: made on purpose, made unasked, asked something, cancelled, lost and found again. */
import { createServer, type Server } from 'bough'
import { describe, expect, it } from 'vitest'
import { world } from './support.ts'

const eras = ['legacy', 'modern'] as const

function jobs(): Server {
  const server = createServer({ name: 'test', version: '1' })
  const wait = (
    ms: number,
    ctx: {
      readonly system: { readonly timers: { start(ms: number, run: () => void): unknown } }
      readonly signal: AbortSignal
    },
  ) =>
    new Promise<void>((resolve, reject) => {
      ctx.system.timers.start(ms, () => resolve())
      ctx.signal.addEventListener('abort', () => reject(new Error('aborted')))
    })
  server.tool('job', {
    task: 'optional',
    output: { type: 'object', properties: { n: { type: 'integer' } }, required: ['n'] },
    run: async ({ n }, ctx) => {
      await wait(5_000, ctx)
      return { structured: { n } }
    },
  })
  server.tool('only-as-task', { task: 'required', run: async (_args, ctx) => wait(3_000, ctx).then(() => 'done') })
  server.tool('asks', {
    task: 'optional',
    run: async (_args, ctx) => {
      const requestedSchema = { type: 'object', properties: { name: { type: 'string' } }, required: ['name'] }
      const { content } = await ctx.elicit({ message: 'Who?', requestedSchema })
      return `Hello ${content?.['name']}`
    },
  })
  server.tool('fails', {
    task: 'optional',
    run: () => {
      throw new Error('no luck')
    },
  })
  server.tool('plain', { run: () => 'plain' })
  return server
}

const handlers = { elicitation: () => ({ action: 'accept', content: { name: 'Ann' } }) as const }

describe.each(eras)('a task of the %s era', (era) => {
  const open = async () => {
    const here = await world(jobs())
    const client = await here.connect({ era, handlers })
    await here.sim.run(client.listTools())
    return { here, client, run: here.sim.run.bind(here.sim) as <T>(promise: Promise<T>) => Promise<T> }
  }

  it('is a handle whose result comes when the work is done', async () => {
    const { here, client, run } = await open()
    const task = await run(client.callToolAsTask('job', { n: 7 }, { ttl: 60_000 }))
    expect(await run(task.status())).toMatchObject({ id: task.id, status: 'working' })
    expect(await run(task.result())).toMatchObject({ structuredContent: { n: 7 } })
    expect(here.sim.clock.now()).toBeGreaterThanOrEqual(5_000)
    expect(here.sim.clock.now()).toBeLessThan(10_000)
    expect(await run(task.status())).toMatchObject({ status: 'completed' })
  })

  it('is waited for by callTool where the tool runs only as one', async () => {
    const { client, run } = await open()
    expect((await run(client.callTool('only-as-task'))).content).toEqual([{ type: 'text', text: 'done' }])
  })

  it('is answered what it asks, once', async () => {
    const { here, client, run } = await open()
    const task = await run(client.callToolAsTask('asks'))
    expect((await run(task.result())).content).toEqual([{ type: 'text', text: 'Hello Ann' }])
    expect(here.sent('tasks/update')).toHaveLength(era === 'modern' ? 1 : 0)
  })

  it('tells of each change', async () => {
    const { client, run } = await open()
    const task = await run(client.callToolAsTask('job', { n: 7 }))
    const told: string[] = []
    await run(
      (async () => {
        for await (const { status } of task.updates()) told.push(status)
      })(),
    )
    expect(told[0]).toBe('working')
    expect(told.at(-1)).toBe('completed')
  })

  it('that is cancelled has no result', async () => {
    const { client, run } = await open()
    const task = await run(client.callToolAsTask('job', { n: 7 }))
    const result = task.result().catch((error: unknown) => error)
    await run(task.cancel())
    expect(await run(result)).toMatchObject({ name: 'ClientError' })
    expect(await run(task.status())).toMatchObject({ status: 'cancelled' })
  })

  it('that fails in the tool has a result that says so', async () => {
    const { client, run } = await open()
    const task = await run(client.callToolAsTask('fails'))
    expect(await run(task.result())).toMatchObject({ isError: true })
  })

  it('is found again by its id over a connection that was made anew', async () => {
    const { here, client, run } = await open()
    const { id = '' } = await run(client.callToolAsTask('job', { n: 7 }))
    const again = client.task(id)
    expect(await run(again.status())).toMatchObject({ id, status: 'working' })
    // A legacy task belongs to its session, so the other client can be of the modern era only.
    const other = era === 'modern' ? await here.connect({ era, handlers }) : client
    expect(await run(other.task(id).result())).toMatchObject({ structuredContent: { n: 7 } })
  })

  it('that nobody knows is an error', async () => {
    const { client, run } = await open()
    await expect(run(client.task('unknown').result())).rejects.toMatchObject({ code: -32602 })
  })

  it('is not made of a tool that answers at once', async () => {
    const { client, run } = await open()
    const made = run(client.callToolAsTask('plain'))
    if (era === 'legacy') await expect(made).rejects.toMatchObject({ code: -32601 })
    else {
      expect((await made).id).toBeUndefined()
      expect(await (await made).result()).toMatchObject({ content: [{ text: 'plain' }] })
    }
  })

  it('is not waited for any longer than its caller wants', async () => {
    const { client, run } = await open()
    const control = new AbortController()
    const task = await run(client.callToolAsTask('job', { n: 7 }))
    const result = task.result({ signal: control.signal }).catch((error: unknown) => error)
    control.abort()
    expect(await run(result)).toMatchObject({ code: 'cancelled' })
    expect(await run(task.status())).toMatchObject({ status: 'working' })
  })
})
