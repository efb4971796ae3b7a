/** Tasks of the modern era over HTTP, with notifications about them on the stream of whoever listens. */
import { describe, expect, it } from 'vitest'
import { SUBSCRIPTION_ID, textOf } from './modern-client.ts'
import { start, withTasks } from './modern-http-support.ts'

describe('tasks over HTTP', () => {
  const accept = { action: 'accept', content: { name: 'Ann' } }

  it('are begun, asked for, answered and completed, and whoever listens hears every step', async () => {
    const { client } = await start()
    const tasks = client(withTasks)
    const { result: created } = await tasks.call('job')
    expect(created).toMatchObject({ resultType: 'task', status: expect.stringMatching(/working|input_required/) })
    const { taskId } = created
    const listening = await tasks.begin(
      'subscriptions/listen',
      { notifications: { taskIds: [taskId, 'unknown'] } },
      { id: 'l' },
    )
    await listening.untilEvents(1)
    expect(listening.messages[0]).toMatchObject({
      method: 'notifications/subscriptions/acknowledged',
      params: { notifications: { taskIds: [taskId] } },
    })
    await expect.poll(async () => (await tasks.request('tasks/get', { taskId })).result.status).toBe('input_required')
    const { result: waiting } = await tasks.request('tasks/get', { taskId })
    expect(waiting).toMatchObject({ resultType: 'complete', inputRequests: { who: { method: 'elicitation/create' } } })
    const { result: updated } = await tasks.request('tasks/update', { taskId, inputResponses: { who: accept } })
    expect(Object.keys(updated).filter((key) => key !== '_meta')).toEqual(['resultType'])
    const done = await listening.until(({ params }) => params?.status === 'completed')
    expect(done).toMatchObject({
      method: 'notifications/tasks',
      params: { taskId, result: { content: [{ text: 'Hello, Ann' }] }, _meta: { [SUBSCRIPTION_ID]: 'l' } },
    })
    for (const { method } of listening.messages.slice(1)) expect(method).toBe('notifications/tasks')
    expect((await tasks.request('tasks/get', { taskId })).result).toMatchObject({
      status: 'completed',
      result: { content: [{ text: 'Hello, Ann' }] },
    })
    listening.drop()
  })

  it('that are cancelled say so to whoever listens', async () => {
    const { client } = await start()
    const tasks = client(withTasks)
    const { taskId } = (await tasks.call('waits')).result
    const listening = await tasks.begin('subscriptions/listen', { notifications: { taskIds: [taskId] } })
    await listening.untilEvents(1)
    const { result } = await tasks.request('tasks/cancel', { taskId })
    expect(Object.keys(result).filter((key) => key !== '_meta')).toEqual(['resultType'])
    await listening.until(({ params }) => params?.status === 'cancelled')
    listening.drop()
  })

  it('are named by Mcp-Name, which must agree', async () => {
    const { client } = await start()
    const tasks = client(withTasks)
    const { taskId } = (await tasks.call('waits')).result
    for (const [method, more] of [
      ['tasks/get', {}],
      ['tasks/update', { inputResponses: {} }],
      ['tasks/cancel', {}],
    ] as const) {
      for (const name of [undefined, 'another']) {
        const { status, reply } = await tasks.ask(method, { taskId, ...more }, { headers: { 'mcp-name': name } })
        expect([status, reply.error?.code]).toEqual([400, -32020])
      }
    }
    expect((await tasks.request('tasks/get', { taskId })).result.status).toBe('working')
  })

  it('that nobody knows are an error, and listening to any needs the extension', async () => {
    const { client } = await start()
    const tasks = client(withTasks)
    for (const [method, more] of [
      ['tasks/get', {}],
      ['tasks/update', { inputResponses: {} }],
      ['tasks/cancel', {}],
    ] as const)
      expect((await tasks.request(method, { taskId: 'unknown', ...more })).error?.code).toBe(-32602)
    const { status, reply } = await client().ask('subscriptions/listen', { notifications: { taskIds: ['x'] } })
    expect([status, reply.error?.code]).toEqual([400, -32021])
  })

  it('are plain calls for a client without the extension, where the tool leaves the choice', async () => {
    const { client, open } = await start()
    open()
    expect(textOf(await client().call('waits'))).toBe('waited')
  })
})
