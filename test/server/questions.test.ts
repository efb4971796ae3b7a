/** Questions to the client as processes: how many, who ends them, what they check, and pages that are visited elsewhere. */
import { createServer, ProtocolError, type ToolContext } from 'bough'
import { describe, expect, it } from 'vitest'
import { type Client, type World, world } from './support.ts'

const said = { role: 'assistant', content: { type: 'text', text: 'hello' }, model: 'm' }
const message = { role: 'user', content: { type: 'text', text: 'hi' } } as const
const page = { mode: 'url', message: 'Sign in', url: 'https://example.com/x', elicitationId: 'e-1' } as const
const form = {
  message: 'Name?',
  requestedSchema: {
    type: 'object',
    properties: { name: { type: 'string' }, size: { type: 'integer', default: 3 } },
    required: ['name'],
  },
} as const

function asking() {
  const server = createServer({ name: 'asking', version: '1' })
  const asks: Record<string, (ctx: ToolContext) => Promise<unknown>> = {
    sample: (ctx) => ctx.sample({ messages: [message], maxTokens: 5 }),
    quick: (ctx) => ctx.sample({ messages: [message], maxTokens: 5 }, { expiresInMs: 500 }),
    form: (ctx) => ctx.elicit(form),
    page: (ctx) => ctx.elicit(page),
    many: (ctx) => Promise.allSettled(Array.from({ length: 300 }, () => ctx.ping())),
  }
  for (const [name, ask] of Object.entries(asks))
    server.tool(name, { timeout: 1_000, run: async (_args, ctx) => JSON.stringify(await ask(ctx)) })
  const elicitations = [page]
  server.tool('refuses', {
    run: () => {
      throw new ProtocolError(-32042, 'Sign in first', { elicitations })
    },
  })
  return server
}

const capabilities = { sampling: {}, elicitation: { form: {}, url: {} } }

/** The answers to questions so far unanswered. */
function answerAll(client: Client, method: string, result: object): void {
  for (const { id } of client.of(method)) if (id !== undefined) client.send({ id, result })
}

const textOf = (answer: { result?: { content?: { text: string }[] } }): string =>
  answer.result?.content?.[0]?.text ?? ''

async function questions(w: World): Promise<number> {
  return (await w.processes('question')).length
}

describe('questions', () => {
  it('of a hundred calls at once are open together, and all are answered', async () => {
    const w = await world(asking())
    const clients = [await w.open({ capabilities }), await w.open({ capabilities })]
    const ids = clients.flatMap((client) =>
      Array.from({ length: 60 }, () => [client, client.begin('tools/call', { name: 'sample' })] as const),
    )
    await w.sim.settle()
    expect(await questions(w)).toBe(120)
    for (const client of clients) answerAll(client, 'sampling/createMessage', said)
    for (const [client, id] of ids) expect(JSON.parse(textOf(await client.answerTo(id)))).toEqual(said)
    await w.sim.settle()
    expect(await questions(w)).toBe(0)
  })

  it('of one session have a limit, beyond which asking fails and nothing else', async () => {
    const w = await world(asking())
    const client = await w.open({ capabilities })
    client.answers['ping'] = () => ({ result: {} })
    const outcomes = JSON.parse(textOf(await client.call('many'))) as { status: string; reason?: unknown }[]
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(256)
    expect(client.of('ping')).toHaveLength(256)
    expect((await client.request('ping')).result).toEqual({})
  })

  it('have the time that the author gives them', async () => {
    const w = await world(asking(), { askTimeoutMs: 60_000 })
    const client = await w.open({ capabilities })
    const id = client.begin('tools/call', { name: 'quick' })
    await w.sim.advance(499)
    expect(client.received.some((one) => one.id === id && one.method === undefined)).toBe(false)
    await w.sim.advance(1)
    expect(textOf(await client.answerTo(id))).toContain('500 ms')
    expect(client.of('notifications/cancelled')).toHaveLength(1)
  })

  it.each(['question', 'questions'])('fail alone when the process "%s" is killed', async (name) => {
    const w = await world(asking())
    const client = await w.open({ capabilities })
    const id = client.begin('tools/call', { name: 'sample' })
    await w.sim.settle()
    ;(await w.process(name)).exit('kill')
    const answer = await client.answerTo(id)
    expect(answer.result).toMatchObject({ isError: true })
    expect(textOf(answer)).toContain('lost')
    expect(client.of('notifications/cancelled')).toHaveLength(1)
    client.answers['sampling/createMessage'] = () => ({ result: said })
    expect(JSON.parse(textOf(await client.call('sample')))).toEqual(said)
  })

  it('go with their session, whatever ends it', async () => {
    const w = await world(asking())
    for (const end of [
      async (_client: Client) => (await w.process('session')).exit('kill'),
      async (client: Client) => client.close(),
    ]) {
      const client = await w.open({ capabilities })
      client.begin('tools/call', { name: 'sample' })
      await w.sim.settle()
      expect(await questions(w)).toBe(1)
      await end(client)
      await w.sim.advance(1_000)
      expect(await questions(w)).toBe(0)
      client.close()
      await w.sim.advance(1_000)
    }
    expect(w.app.system.timers.size).toBe(0)
  })

  it('give what an accepted form lacks its defaults, and pass on no form that does not fit', async () => {
    const client = await (await world(asking())).open({ capabilities })
    client.answers['elicitation/create'] = () => ({ result: { action: 'accept', content: { name: 'Ann' } } })
    expect(JSON.parse(textOf(await client.call('form')))).toEqual({
      action: 'accept',
      content: { name: 'Ann', size: 3 },
    })
    client.answers['elicitation/create'] = () => ({ result: { action: 'accept', content: { size: 'big' } } })
    expect((await client.call('form')).result).toMatchObject({ isError: true })
    client.answers['elicitation/create'] = () => ({ result: { action: 'decline', content: { name: 'Ann' } } })
    expect(JSON.parse(textOf(await client.call('form')))).toEqual({ action: 'decline' })
  })
})

describe('a page that the user visits', () => {
  it.each(['page', 'refuses'])(
    'is announced as completed to the client that was sent there by "%s", once',
    async (tool) => {
      const server = asking()
      const w = await world(server)
      const [client, other] = [await w.open({ capabilities }), await w.open({ capabilities })]
      client.answers['elicitation/create'] = () => ({ result: { action: 'accept' } })
      await client.call(tool)
      server.elicitationComplete('unknown')
      server.elicitationComplete('e-1')
      server.elicitationComplete('e-1')
      await w.sim.settle()
      expect(client.of('notifications/elicitation/complete').map(({ params }) => params)).toEqual([
        { elicitationId: 'e-1' },
      ])
      expect(other.of('notifications/elicitation/complete')).toEqual([])
      expect(await w.sim.run((await w.process('subscriptions')).call('count'))).toEqual({ uris: 0, sessions: 0 })
    },
  )

  it('is announced to a session that was restarted meanwhile', async () => {
    const server = asking()
    const w = await world(server)
    const client = await w.open({ capabilities })
    await client.call('refuses')
    ;(await w.process('session')).exit('kill')
    await w.sim.settle()
    server.elicitationComplete('e-1')
    await w.sim.settle()
    expect(client.of('notifications/elicitation/complete')).toHaveLength(1)
  })
})
