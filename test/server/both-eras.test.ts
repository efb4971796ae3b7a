/**
 * Both eras at once on one endpoint under load, with the official clients of both generations: every answer, progress
 * notification and question belongs to its caller, and nothing is left when they have gone.
 */
import { createServer, serve } from 'bough'
import { describe, expect, it, onTestFinished } from 'vitest'
import { type AnyClient, connectV1, connectV2, type Elicit, type Heard } from '../interop/clients.ts'

const VERSION = '2026-07-28'
const CALLS = Number(process.env['BOUGH_CALLS'] ?? 200)
/** Every such call asks its user something. */
const ASKING = 4

interface One {
  readonly name: string
  readonly client: AnyClient
  readonly heard: Heard
  readonly isModern: boolean
  readonly asked: string[]
  listen(): Promise<void>
  leave(): Promise<void>
}

async function start() {
  const server = createServer({ name: 'both', version: '1' })
    .tool('talk', {
      input: {
        type: 'object',
        properties: { who: { type: 'string' }, n: { type: 'integer' }, asks: { type: 'boolean' } },
        required: ['who', 'n', 'asks'],
      },
      run: async ({ who, n, asks }, ctx) => {
        ctx.progress(1, 2, `${who}/${n}`)
        await new Promise((done) => setImmediate(done))
        const answer = asks
          ? await ctx.elicit({
              message: `${who}/${n}`,
              requestedSchema: { type: 'object', properties: { said: { type: 'string' } } },
            })
          : undefined
        ctx.progress(2, 2, `${who}/${n}`)
        return JSON.stringify([who, n, answer?.content?.['said'] ?? null, ctx.client.clientInfo.name])
      },
    })
    .resourceTemplate('notes://{who}/{n}', { read: ({ who, n }) => `${who}/${n}` })
    .resource('config://app', { read: () => 'x' })
    .prompt('greet', { arguments: [{ name: 'who' }], get: ({ who }) => `Greet ${who}` })
  const crashes: unknown[] = []
  const app = await serve(server, {
    http: { port: 0 },
    signals: false,
    guard: false,
    logger: false,
    events: (event) => {
      if (event.type === 'crash') crashes.push(event.definition, event.reason)
    },
  })
  onTestFinished(() => {
    expect(crashes).toEqual([])
    return app.stop()
  })
  return { app, server }
}

/** A client whose user answers with his own name, so that an answer to another's question would show. */
async function connect(url: string, name: string): Promise<One> {
  const asked: string[] = []
  const elicit: Elicit = ({ message }) => {
    asked.push(message)
    return { action: 'accept', content: { said: `${name} on ${message}` } }
  }
  const where = { url }
  if (name.startsWith('v1')) {
    const { client, v1, heard } = await connectV1(where, elicit)
    const { transport } = v1 as unknown as { transport: { terminateSession(): Promise<void> } }
    return {
      name,
      client,
      heard,
      asked,
      isModern: false,
      listen: async () => undefined,
      leave: () => end(transport, v1),
    }
  }
  const isModern = !name.includes('legacy')
  const mode = !isModern ? 'legacy' : name.includes('auto') ? 'auto' : { pin: VERSION }
  const { client, heard } = await connectV2(where, mode, elicit)
  expect(client.getProtocolEra()).toBe(isModern ? 'modern' : 'legacy')
  const { transport } = client as unknown as { transport: { terminateSession(): Promise<void> } }
  const closing: (() => Promise<void>)[] = []
  return {
    name,
    client,
    heard,
    asked,
    isModern,
    listen: async () => {
      if (!isModern) return
      const listening = await client.listen({ toolsListChanged: true, resourceSubscriptions: ['config://app'] })
      closing.push(() => listening.close())
    },
    leave: async () => {
      for (const close of closing) await close()
      await (isModern ? client.close() : end(transport, client))
    },
  }
}

async function end(
  transport: { terminateSession(): Promise<void> },
  client: { close(): Promise<void> },
): Promise<void> {
  await transport.terminateSession()
  await client.close()
}

/** What a client did, and what of it belonged to somebody else. */
interface Tally {
  calls: number
  progress: number
  reads: number
  strange: string[]
}

async function load(one: One): Promise<Tally> {
  const { name, client } = one
  const tally: Tally = { calls: 0, progress: 0, reads: 0, strange: [] }
  const call = async (n: number): Promise<void> => {
    const asks = n % ASKING === 0
    const onprogress = ({ message }: { message?: string }): void => {
      // The second generation tells itself of its rounds in this way.
      if (message?.startsWith('Fulfilling input required')) return
      tally.progress++
      if (message !== `${name}/${n}`) tally.strange.push(`progress of ${message} at ${name}/${n}`)
    }
    const params = { name: 'talk', arguments: { who: name, n, asks } }
    const given = (name.startsWith('v1') ? [undefined, { onprogress }] : [{ onprogress }]) as unknown as [object]
    const { content } = (await client.callTool(params, ...given)) as { content: { text: string }[] }
    tally.calls++
    const expected = JSON.stringify([name, n, asks ? `${name} on ${name}/${n}` : null, 'interop'])
    if (content[0]?.text !== expected) tally.strange.push(`${content[0]?.text} instead of ${expected}`)
  }
  const read = async (n: number): Promise<void> => {
    const { contents } = await client.readResource({ uri: `notes://${encodeURIComponent(name)}/${n}` })
    tally.reads++
    const { text } = contents[0] as { text: string }
    if (text !== `${name}/${n}`) tally.strange.push(`note ${text} instead of ${name}/${n}`)
  }
  await Promise.all(
    Array.from({ length: CALLS }, (_one, n) => (n % 10 === 9 ? Promise.all([call(n), read(n)]) : call(n))),
  )
  return tally
}

describe('both eras on one endpoint', () => {
  it('serve official clients of both generations at once, each its own, and keep nothing of them', {
    timeout: 120_000,
  }, async () => {
    const { app, server } = await start()
    const base = app.system.processCount
    const names = ['v1', 'v1', 'v2 legacy', 'v2 legacy', 'v2 auto', 'v2 auto', 'v2 pinned', 'v2 pinned']
    const ones = await Promise.all(names.map((name, n) => connect(app.url, `${name} ${n}`)))
    await Promise.all(ones.map((one) => one.listen()))
    for (const { client, isModern } of ones) if (!isModern) await client.subscribeResource({ uri: 'config://app' })
    expect(app.metrics()['sessions']).toBe(4)
    const began = performance.now()
    const tallies = await Promise.all([
      ...ones.map(load),
      // Lists change meanwhile, and everybody hears of it on a stream of his own.
      (async () => {
        for (let n = 0; n < 20; n++) {
          server.tool('extra', { run: () => `${n}` })
          await app.resourceUpdated('config://app')
        }
      })(),
    ])
    const ms = performance.now() - began
    const total: Tally = { calls: 0, progress: 0, reads: 0, strange: [] }
    for (const tally of tallies) {
      if (tally === undefined) continue
      total.calls += tally.calls
      total.progress += tally.progress
      total.reads += tally.reads
      total.strange.push(...tally.strange)
    }
    const questions = ones.reduce((sum, { asked }) => sum + asked.length, 0)
    console.log(
      `${ones.length} clients: ${total.calls} calls, ${total.reads} reads, ${questions} questions, ` +
        `${total.progress} progress notifications, ${total.strange.length} strange, in ${Math.round(ms)} ms`,
    )
    expect(total.strange).toEqual([])
    expect([total.calls, total.reads]).toEqual([ones.length * CALLS, (ones.length * CALLS) / 10])
    expect(questions).toBe(ones.length * Math.ceil(CALLS / ASKING))
    for (const { name, asked, heard, isModern } of ones) {
      expect(asked.filter((message) => !message.startsWith(`${name}/`))).toEqual([])
      expect(heard.errors).toEqual([])
      await expect.poll(() => heard.updated.length, { timeout: 5_000 }).toBeGreaterThan(0)
      await expect.poll(() => heard.toolsChanged, { timeout: 5_000 }).toBeGreaterThan(0)
      // Over HTTP no client of the modern era has done anything but POST.
      if (isModern) expect(heard.exchanges.filter((exchange) => !exchange.startsWith('POST'))).toEqual([])
    }
    // A round of the modern era runs the handler again, which reports its first step again.
    const again = ones.filter(({ isModern }) => isModern).length * Math.ceil(CALLS / ASKING)
    expect(total.progress).toBe(2 * total.calls + again)
    await Promise.all(ones.map((one) => one.leave()))
    await expect.poll(() => app.system.processCount, { timeout: 5_000 }).toBe(base)
    expect(app.metrics()['sessions']).toBe(0)
    const left = app.system.processes().map((ref) => ref.info()?.definition)
    expect(left.filter((name) => name === 'request' || name === 'listen' || name === 'session')).toEqual([])
    expect(app.metrics()['tool_failures'] ?? {}).toEqual({})
  })

  it('tell one JSON-RPC id, one progress token and one name apart by who sent them', async () => {
    const { app } = await start()
    // Each client counts its ids and tokens from 0: those of the eight are the same all the time.
    const ones = await Promise.all(
      ['v1', 'v2 legacy', 'v2 auto', 'v2 pinned'].flatMap((name) => [0, 1].map(() => connect(app.url, name))),
    )
    const prompts = await Promise.all(
      ones.map(({ client }, n) => client.getPrompt({ name: 'greet', arguments: { who: `${n}` } })),
    )
    expect(prompts.map(({ messages }) => messages[0]?.content)).toEqual(
      ones.map((_one, n) => ({ type: 'text', text: `Greet ${n}` })),
    )
    await Promise.all(ones.map((one) => one.leave()))
  })
})
