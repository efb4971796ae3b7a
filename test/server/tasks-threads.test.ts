/** Tasks whose tools run in threads, over HTTP and in real time. */
import { createServer, serve } from 'bough'
import { describe, expect, it, onTestFinished } from 'vitest'
import { HttpClient } from './http-client.ts'

const server = createServer({ name: 'threads', version: '1' })
  .tool('spin', {
    isolate: 'thread',
    task: 'optional',
    timeout: 300,
    run: () => {
      for (;;);
    },
  })
  .tool('endless', {
    isolate: 'thread',
    task: 'optional',
    run: () => {
      for (;;);
    },
  })
  .tool('add', {
    isolate: 'thread',
    task: 'required',
    input: { type: 'object', properties: { a: { type: 'number' } }, required: ['a'] },
    run: ({ a }, ctx) => {
      ctx.progress(1, 1)
      return `${Number(a) + 1}`
    },
  })

async function start(): Promise<HttpClient> {
  const app = await serve(server, { http: { port: 0 }, signals: false, guard: false, logger: false })
  onTestFinished(() => app.stop())
  return HttpClient.open(app.url)
}

async function create(client: HttpClient, name: string, args: object = {}): Promise<string> {
  const { result } = await client.request('tools/call', { name, arguments: args, task: {} })
  return result.task.taskId as string
}

describe('tasks in threads', () => {
  it('give the result of the thread', async () => {
    const client = await start()
    const taskId = await create(client, 'add', { a: 1 })
    expect((await client.request('tasks/result', { taskId })).result.content[0].text).toBe('2')
  })

  it('that never give way are ended by the time of the tool', async () => {
    const client = await start()
    const taskId = await create(client, 'spin')
    expect((await client.request('tasks/result', { taskId })).result).toMatchObject({
      isError: true,
      content: [{ text: expect.stringContaining('took longer than 300 ms') }],
    })
  })

  it('that never give way are ended when they are cancelled', async () => {
    const client = await start()
    const taskId = await create(client, 'endless')
    expect((await client.request('tasks/cancel', { taskId })).result.status).toBe('cancelled')
    expect((await client.request('tasks/get', { taskId })).result.status).toBe('cancelled')
  })
})
