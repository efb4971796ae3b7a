/** Rules of the revisions with sessions that stand in docs/protocol.md and that no other file holds. */
import { createServer, type Server, serve } from 'bough'
import { describe, expect, it, onTestFinished } from 'vitest'
import { world } from './support.ts'

const question = { message: 'Sure?', requestedSchema: { type: 'object', properties: {} } } as const

function asking(): Server {
  return createServer({ name: 'asking', version: '1' })
    .tool('asks', { run: async (_args, ctx) => (await ctx.elicit(question)).action })
    .tool('roots', { run: async (_args, ctx) => (await ctx.roots()).map(({ uri }) => uri).join() })
    .tool('samples', {
      run: async (_args, ctx) => {
        const message = { role: 'user', content: { type: 'text', text: 'hi' } } as const
        return (await ctx.sample({ messages: [message], maxTokens: 1, includeContext: 'thisServer' })).model
      },
    })
    .tool('chatters', {
      run: (_args, ctx) => {
        for (let n = 0; n < 200; n++) ctx.log('info', n)
        return 'said'
      },
    })
}

describe('a question to a client', () => {
  it('is no task, though the client could make one of it', async () => {
    const tasks = { requests: { elicitation: { create: {} }, sampling: { createMessage: {} } } }
    const client = await (await world(asking())).open({ capabilities: { elicitation: {}, tasks } })
    client.answers['elicitation/create'] = () => ({ result: { action: 'cancel' } })
    await client.call('asks')
    expect(client.of('elicitation/create')).toHaveLength(1)
    expect(client.of('elicitation/create')[0]?.params).not.toHaveProperty('task')
    expect(client.received.filter(({ method }) => method?.startsWith('tasks/'))).toEqual([])
  })

  it('has no more time when the client reports progress', async () => {
    const running = await world(asking(), { askTimeoutMs: 1_000 })
    const client = await running.open({ capabilities: { elicitation: {} } })
    const id = client.begin('tools/call', { name: 'asks' })
    await running.sim.advance(900)
    const progressToken = client.of('elicitation/create')[0]?.id
    client.notify('notifications/progress', { progressToken, progress: 1 })
    await running.sim.advance(100)
    expect((await client.answerTo(id)).result.content[0].text).toContain('1000 ms')
  })

  it.each([
    ['2025-11-25', {}, undefined],
    ['2025-11-25', { context: {} }, 'thisServer'],
    ['2025-06-18', {}, 'thisServer'],
  ])('under %s with sampling %j wants the context %s', async (version, sampling, expected) => {
    const client = await (await world(asking())).open({ version, capabilities: { sampling } })
    const result = { role: 'assistant', content: { type: 'text', text: 'hello' }, model: 'm' }
    client.answers['sampling/createMessage'] = () => ({ result })
    await client.call('samples')
    expect(client.of('sampling/createMessage').map(({ params }) => params.includeContext)).toEqual([expected])
  })

  it('for roots is asked anew each time, so that changed ones are seen', async () => {
    const client = await (await world(asking())).open({ capabilities: { roots: { listChanged: true } } })
    const answers: string[] = []
    for (const uri of ['file:///a', 'file:///b']) {
      client.answers['roots/list'] = () => ({ result: { roots: [{ uri }] } })
      client.notify('notifications/roots/list_changed')
      answers.push((await client.call('roots')).result.content[0].text)
    }
    expect(answers).toEqual(['file:///a', 'file:///b'])
  })
})

describe('log messages', () => {
  it('are sent as fast as they are made: their rate has no limit', async () => {
    const client = await (await world(asking())).open()
    await client.call('chatters')
    expect(client.of('notifications/message').map(({ params }) => params.data)).toEqual(
      Array.from({ length: 200 }, (_, n) => n),
    )
  })
})

describe('a server over HTTP', () => {
  it('listens to this machine alone unless it is told otherwise', async () => {
    const app = await serve(asking(), { http: { port: 0 }, signals: false, guard: false, logger: false })
    onTestFinished(() => app.stop())
    expect(new URL(app.url).hostname).toBe('127.0.0.1')
  })
})
