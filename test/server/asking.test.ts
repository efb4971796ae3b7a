import { ClientError, createServer, type ToolContext } from 'bough'
import { describe, expect, it } from 'vitest'
import { world } from './support.ts'

const said = { role: 'assistant', content: { type: 'text', text: 'hello' }, model: 'm', stopReason: 'endTurn' }
const message = { role: 'user', content: { type: 'text', text: 'hi' } } as const
const form = {
  message: 'Name?',
  requestedSchema: { type: 'object', properties: { name: { type: 'string' } } },
} as const

const asks: Record<string, (ctx: ToolContext) => Promise<unknown>> = {
  sample: (ctx) => ctx.sample({ messages: [message], maxTokens: 5 }),
  sample_tools: (ctx) =>
    ctx.sample({ messages: [message], maxTokens: 5, tools: [{ name: 't', inputSchema: { type: 'object' } }] }),
  elicit: (ctx) => ctx.elicit(form),
  elicit_url: (ctx) => ctx.elicit({ mode: 'url', message: 'Go', url: 'https://example.com/x', elicitationId: 'e1' }),
  roots: (ctx) => ctx.roots(),
  ping: (ctx) => ctx.ping(),
  two: (ctx) => Promise.all([ctx.roots(), ctx.elicit(form)]),
  sample_badly: (ctx) => ctx.sample({ messages: 'none' } as never),
  sample_bigint: (ctx) => ctx.sample({ messages: [message], maxTokens: 5n } as never),
}

function asking() {
  const server = createServer({ name: 'asking', version: '1' })
  for (const [name, ask] of Object.entries(asks)) {
    server.tool(name, {
      timeout: 1_000,
      run: async (_args, ctx) => {
        try {
          return JSON.stringify((await ask(ctx)) ?? 'nothing')
        } catch (error) {
          if (error instanceof ClientError) throw new Error(`client ${error.code}: ${error.message}`)
          throw error
        }
      },
    })
  }
  return server
}

const all = { sampling: { tools: {} }, elicitation: { form: {}, url: {} }, roots: {} }
const asked = ['sampling/createMessage', 'elicitation/create', 'roots/list', 'ping']

describe('asking the client', () => {
  it.each([
    ['sample', 'sampling/createMessage', said],
    ['sample_tools', 'sampling/createMessage', said],
    ['elicit', 'elicitation/create', { action: 'accept', content: { name: 'Ann' } }],
    ['elicit_url', 'elicitation/create', { action: 'decline' }],
    ['roots', 'roots/list', { roots: [{ uri: 'file:///a' }] }],
    ['ping', 'ping', {}],
  ])('passes "%s" on and its answer back', async (tool, method, result) => {
    const client = await (await world(asking())).open({ capabilities: all })
    client.answers[method] = () => ({ result })
    const answer = await client.call(tool)
    expect(answer.result.isError).toBeUndefined()
    const back = tool === 'roots' ? (result as { roots: unknown }).roots : tool === 'ping' ? 'nothing' : result
    expect(JSON.parse(answer.result.content[0].text)).toEqual(back)
    expect(client.of(method)).toHaveLength(1)
  })

  it.each(['2024-11-05', '2025-03-26', '2025-06-18'])('keeps to the words of %s', async (version) => {
    const client = await (await world(asking())).open({ version, capabilities: all })
    for (const method of asked)
      client.answers[method] = () => ({
        result:
          method === 'roots/list'
            ? { roots: [] }
            : method === 'ping'
              ? {}
              : method === 'elicitation/create'
                ? { action: 'cancel' }
                : said,
      })
    for (const tool of Object.keys(asks)) await client.call(tool)
    expect(client.of('elicitation/create').length > 0).toBe(version >= '2025-06-18')
    expect(client.of('sampling/createMessage')).toHaveLength(1)
    for (const { params } of client.of('elicitation/create')) expect(params).not.toHaveProperty('mode')
  })

  it.each(['sample', 'sample_tools', 'elicit', 'elicit_url', 'roots'])(
    'sends nothing for "%s" to a client that announced nothing of it',
    async (tool) => {
      const capabilities = tool === 'sample_tools' ? { sampling: {} } : tool === 'elicit_url' ? { elicitation: {} } : {}
      const client = await (await world(asking())).open({ capabilities })
      const answer = await client.call(tool)
      expect(answer.result.isError).toBe(true)
      expect(answer.result.content[0].text).toContain('announced no')
      for (const method of asked) expect(client.of(method)).toEqual([])
    },
  )

  it.each(['sample_badly', 'sample_bigint'])('sends nothing for "%s", which is no valid request', async (tool) => {
    const client = await (await world(asking())).open({ capabilities: all })
    expect((await client.call(tool)).result.isError).toBe(true)
    expect(client.of('sampling/createMessage')).toEqual([])
  })

  it('gives the error of a client to the function that asked', async () => {
    const client = await (await world(asking())).open({ capabilities: all })
    client.answers['sampling/createMessage'] = () => ({ error: { code: -1, message: 'User rejected' } })
    const answer = await client.call('sample')
    expect(answer.result).toMatchObject({ isError: true })
    expect(answer.result.content[0].text).toContain('client -1: User rejected')
  })

  it.each([
    ['sample', 'sampling/createMessage', { role: 'nobody' }],
    ['elicit', 'elicitation/create', { action: 'maybe' }],
    ['roots', 'roots/list', { roots: [7] }],
    ['roots', 'roots/list', {}],
  ])('does not pass on an answer to "%s" that breaks the protocol', async (tool, method, result) => {
    const client = await (await world(asking())).open({ capabilities: all })
    client.answers[method] = () => ({ result })
    const answer = await client.call(tool)
    expect(answer.result.isError).toBe(true)
    expect(answer.result.content[0].text).toContain('result.')
  })

  it('stops the clock of the call while the client thinks, and starts it anew with the last answer', async () => {
    const w = await world(asking(), { askTimeoutMs: 60_000 })
    const client = await w.open({ capabilities: all })
    const id = client.begin('tools/call', { name: 'two' })
    await w.sim.advance(5_000)
    const [roots] = client.of('roots/list')
    const [elicit] = client.of('elicitation/create')
    client.send({ id: roots?.id ?? null, result: { roots: [] } })
    await w.sim.advance(5_000)
    expect(client.received.some((one) => one.id === id && one.method === undefined)).toBe(false)
    client.send({ id: elicit?.id ?? null, result: { action: 'cancel' } })
    expect((await client.answerTo(id)).result.content[0].text).toContain('cancel')
  })

  it('gives up on a client that does not answer in time, and takes the question back', async () => {
    const w = await world(asking(), { askTimeoutMs: 3_000 })
    const client = await w.open({ capabilities: all })
    const id = client.begin('tools/call', { name: 'elicit' })
    await w.sim.advance(3_000)
    const answer = await client.answerTo(id)
    expect(answer.result.content[0].text).toContain('3000 ms')
    const [question] = client.of('elicitation/create')
    expect(client.of('notifications/cancelled').map(({ params }) => params.requestId)).toEqual([question?.id])
    client.send({ id: question?.id ?? null, result: { action: 'accept' } })
    expect((await client.request('ping')).result).toEqual({})
  })

  it('takes its questions back when the call is cancelled', async () => {
    const w = await world(asking())
    const client = await w.open({ capabilities: all })
    const id = client.begin('tools/call', { name: 'two' })
    await client.settle()
    client.notify('notifications/cancelled', { requestId: id })
    await client.settle()
    const questions = [...client.of('roots/list'), ...client.of('elicitation/create')].map((one) => one.id)
    expect(
      client
        .of('notifications/cancelled')
        .map(({ params }) => params.requestId)
        .sort(),
    ).toEqual(questions.sort())
    const session = await w.process('session')
    expect(session.info()).toMatchObject({ timers: 0, monitors: 0 })
  })
})
