/** The official clients in the legacy era, each over each transport: what one of them takes amiss, others will. */
import { describe, expect, it, onTestFinished } from 'vitest'
import { spawnChild } from '../server/child.ts'
import { type Connected, connectV1, connectV2, type Where } from './clients.ts'

/** Longer than two of the times after which the server asks clients to come back. */
const LONGER_THAN_RETRY_MS = 2_500

/** Programs of their own may be slow to begin on a machine that is busy. */
const patience = { timeout: 10_000 }

const clients: Record<string, (where: Where) => Promise<Connected>> = {
  v1: connectV1,
  'v2, legacy': (where) => connectV2(where, 'legacy'),
  // It tries the newest revision first, and falls back.
  'v2, auto, of a server of one era': (where) => connectV2(where, 'auto'),
}

const LEGACY = ['2024-11-05', '2025-03-26', '2025-06-18', '2025-11-25']

const transports: Record<string, (options: object) => Promise<Where>> = {
  http: async (options) => ({ url: await spawnChild('http', options).line(0) }),
  sse: async (options) => ({ url: await spawnChild('sse', options).line(0) }),
  ws: async (options) => ({ url: await spawnChild('ws', options).line(0) }),
  stdio: async (options) => ({ stdio: options }),
}

const cases = Object.keys(clients).flatMap((client) =>
  Object.keys(transports)
    // The second generation has no WebSocket.
    .filter((transport) => transport !== 'ws' || client === 'v1')
    .map((transport) => [client, transport] as const),
)

describe.each(cases)('the official client %s over %s', (which, transport) => {
  async function open(options: object = {}): Promise<Connected> {
    const revisions = which.endsWith('of one era') && { revisions: LEGACY }
    const where = await transports[transport]?.({ ...options, ...revisions })
    const connected = where && (await clients[which]?.(where))
    if (connected === undefined) throw new Error(`no client ${which} over ${transport}`)
    onTestFinished(() => connected.client.close())
    return connected
  }

  const textOf = (result: unknown) => (result as { content: { text: string }[] }).content[0]?.text

  it('lists, calls, reads, prompts and completes', async () => {
    const { client, heard } = await open()
    expect(client.getServerVersion()).toMatchObject({ name: 'child' })
    await client.ping()
    expect((await client.listTools()).tools.map(({ name }) => name)).toContain('echo')
    expect(textOf(await client.callTool({ name: 'echo', arguments: { n: 7 } }))).toBe('7')
    expect((await client.callTool({ name: 'echo', arguments: { n: 'x' } })).isError).toBe(true)
    expect((await client.callTool({ name: 'throws' })).isError).toBe(true)
    expect(textOf(await client.callTool({ name: 'client' }))).toBe('interop 2025-11-25')
    // It has seen the tool's output schema by now, and holds the result against it.
    const { structuredContent } = await client.callTool({ name: 'sum', arguments: { a: 2, b: 3 } })
    expect(structuredContent).toEqual({ sum: 5 })
    await expect(client.callTool({ name: 'nope' })).rejects.toMatchObject({ code: -32602 })
    expect((await client.listResources()).resources).toHaveLength(1)
    expect((await client.readResource({ uri: 'users://7' })).contents[0]).toMatchObject({ text: 'user 7' })
    // The second generation gives -32002 a code of its own era.
    const missing = { code: which === 'v1' ? -32002 : -32602, message: expect.stringContaining('nope://x') }
    await expect(client.readResource({ uri: 'nope://x' })).rejects.toMatchObject(missing)
    expect((await client.listPrompts()).prompts).toHaveLength(1)
    const { messages } = await client.getPrompt({ name: 'greet', arguments: { name: 'Ann' } })
    expect(messages[0]?.content).toMatchObject({ text: 'Greet Ann' })
    const { completion } = await client.complete({
      ref: { type: 'ref/prompt', name: 'greet' },
      argument: { name: 'name', value: 'a' },
    })
    expect(completion.values).toEqual(['ann'])
    expect(heard.errors).toEqual([])
  })

  it('pages through a list', async () => {
    const { client } = await open({ pageSize: 4 })
    const names = new Set<string>()
    if (which === 'v1') {
      let cursor: string | undefined
      do {
        const page = await client.listTools(cursor === undefined ? {} : { cursor })
        for (const { name } of page.tools) names.add(name)
        cursor = page.nextCursor
      } while (cursor !== undefined)
    } else {
      // This generation gathers the pages itself.
      for (const { name } of (await client.listTools()).tools) names.add(name)
    }
    expect(names.size).toBe(21)
  })

  it('hears progress, logs at its level, updates and changed lists', async () => {
    const { client, heard } = await open()
    const progress: number[] = []
    const onprogress = (news: { progress: number }): void => void progress.push(news.progress)
    // These clients forget whoever waits for progress as soon as they have read the answer, also what they read before it.
    const call = client.callTool({ name: 'held' }, ...options(which, { onprogress }))
    await expect.poll(() => progress, patience).toEqual([1, 2, 3])
    await client.callTool({ name: 'release' })
    expect(textOf(await call)).toBe('done')
    await client.setLoggingLevel('error')
    await client.callTool({ name: 'logs' })
    await expect.poll(() => heard.logs, patience).toEqual([{ high: true }])
    await client.subscribeResource({ uri: 'config://app' })
    await client.callTool({ name: 'change' })
    await expect.poll(() => [heard.updated, heard.toolsChanged], patience).toEqual([['config://app'], 1])
    await client.unsubscribeResource({ uri: 'config://app' })
    await client.callTool({ name: 'change' })
    await expect.poll(() => heard.toolsChanged, patience).toBe(2)
    expect(heard.updated).toHaveLength(1)
    expect((await client.listTools()).tools.map(({ name }) => name)).toContain('changed')
    expect(heard.errors).toEqual([])
  })

  it('answers sampling, elicitation and roots', async () => {
    const { client, heard } = await open()
    expect(textOf(await client.callTool({ name: 'sample' }))).toBe('sampled from the model')
    expect(textOf(await client.callTool({ name: 'elicit' }))).toBe('accept Ann')
    expect(textOf(await client.callTool({ name: 'roots' }))).toBe('file:///root')
    expect(textOf(await client.callTool({ name: 'rounds', arguments: { tag: 'x' } }))).toBe('Ann,Ann,1')
    expect(heard.errors).toEqual([])
  })

  it('cancels a call, which is aborted at the server, and goes on', async () => {
    const { client, heard } = await open()
    const abort = new AbortController()
    const call = client.callTool({ name: 'waits' }, ...options(which, { signal: abort.signal }))
    const outcome = expect(call).rejects.toThrow()
    await expect.poll(() => heard.logs, patience).toEqual(['waiting'])
    abort.abort('enough')
    await outcome
    await expect.poll(async () => textOf(await client.callTool({ name: 'aborted' })), patience).toBe('1')
    if (transport === 'http') {
      // The call's stream ended without an answer, so a client may come back for it: once, since 204 tells it to stop.
      const gets = heard.exchanges.filter((exchange) => exchange.startsWith('GET')).length
      await new Promise((done) => setTimeout(done, LONGER_THAN_RETRY_MS))
      const later = heard.exchanges.filter((exchange) => exchange.startsWith('GET')).slice(gets)
      expect(later.length).toBeLessThanOrEqual(1)
      for (const exchange of later) expect(exchange).toBe('GET 204')
    }
    expect(heard.errors).toEqual([])
  })
})

describe.each(Object.keys(transports))('the official client v1 over %s', (transport) => {
  it('runs a tool as a task, hears how it stands, and gets its result', async () => {
    const where = await transports[transport]?.({})
    if (where === undefined) throw new Error(`no transport ${transport}`)
    const { v1, heard } = await connectV1(where)
    onTestFinished(() => v1.close())
    const told: string[] = []
    const stream = v1.experimental.tasks.callToolStream({ name: 'job' }, undefined, { task: { ttl: 60_000 } })
    for await (const message of stream) {
      told.push(message.type === 'taskStatus' ? message.task.status : message.type)
      if (message.type === 'result') expect(message.result.content).toEqual([{ type: 'text', text: 'job done' }])
    }
    expect([told[0], told.at(-2), told.at(-1)]).toEqual(['taskCreated', 'completed', 'result'])
    expect((await v1.experimental.tasks.listTasks()).tasks).toHaveLength(1)
    expect(heard.errors).toEqual([])
  })
})

type Options = { onprogress?: (news: { progress: number }) => void; signal?: AbortSignal }

/** The first generation takes a result schema before the options. */
function options(which: string, given: Options): [Options] {
  return (which === 'v1' ? [undefined, given] : [given]) as unknown as [Options]
}
