/** The official client of the second generation in the modern era, found by itself or asked for, over each transport. */
import { describe, expect, it, onTestFinished } from 'vitest'
import { type Child, spawnChild } from '../server/child.ts'
import { connectV2, type Mode, type Where } from './clients.ts'

type ModernConnected = Awaited<ReturnType<typeof connectV2>>

const VERSION = '2026-07-28'
const LOG_LEVEL = 'io.modelcontextprotocol/logLevel'

/** Programs of their own may be slow to begin on a machine that is busy. */
const patience = { timeout: 10_000 }

const modes: Record<string, Mode> = { auto: 'auto', pinned: { pin: VERSION } }

/** The server of a row: one of both eras, or of the modern one alone. */
const servers: Record<string, object> = { 'both eras': {}, 'the modern era alone': { revisions: [VERSION] } }

const cases = Object.keys(modes).flatMap((mode) =>
  ['http', 'stdio'].flatMap((transport) => Object.keys(servers).map((server) => [mode, transport, server] as const)),
)

describe.each(cases)('the official client v2, %s, over %s, with a server of %s', (mode, transport, served) => {
  let child: Child | undefined

  async function open(options: object = {}): Promise<ModernConnected> {
    const all = { ...servers[served], ...options }
    child = transport === 'http' ? spawnChild('http', all) : undefined
    const where: Where = child === undefined ? { stdio: all } : { url: await child.line(0) }
    const connected = await connectV2(where, modes[mode] ?? 'auto')
    onTestFinished(() => connected.client.close())
    expect([connected.client.getProtocolEra(), connected.client.getNegotiatedProtocolVersion()]).toEqual([
      'modern',
      VERSION,
    ])
    return connected
  }

  const textOf = (result: unknown) => (result as { content: { text: string }[] }).content[0]?.text

  it('lists, calls, reads, prompts and completes', async () => {
    const { client, heard } = await open()
    expect(client.getServerVersion()).toMatchObject({ name: 'child' })
    expect((await client.listTools()).tools.map(({ name }) => name)).toContain('echo')
    expect(textOf(await client.callTool({ name: 'echo', arguments: { n: 7 } }))).toBe('7')
    expect((await client.callTool({ name: 'echo', arguments: { n: 'x' } })).isError).toBe(true)
    expect((await client.callTool({ name: 'throws' })).isError).toBe(true)
    expect(textOf(await client.callTool({ name: 'client' }))).toBe(`interop ${VERSION}`)
    expect((await client.callTool({ name: 'sum', arguments: { a: 2, b: 3 } })).structuredContent).toEqual({ sum: 5 })
    await expect(client.callTool({ name: 'nope' })).rejects.toMatchObject({ code: -32602 })
    expect((await client.listResources()).resources).toHaveLength(1)
    expect((await client.listResourceTemplates()).resourceTemplates).toHaveLength(1)
    expect((await client.readResource({ uri: 'users://7' })).contents[0]).toMatchObject({ text: 'user 7' })
    const missing = { code: -32602, message: expect.stringContaining('nope://x') }
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

  it('gathers the pages of a list', async () => {
    const { client } = await open({ pageSize: 4 })
    expect(new Set((await client.listTools()).tools.map(({ name }) => name)).size).toBe(21)
  })

  it('hears progress, and logs at the level that a request asks for', async () => {
    const { client, heard } = await open()
    const progress: number[] = []
    const onprogress = (news: { progress: number }): void => void progress.push(news.progress)
    // These clients forget whoever waits for progress as soon as they have read the answer, also what they read before it.
    const call = client.callTool({ name: 'held' }, { onprogress })
    await expect.poll(() => progress, patience).toEqual([1, 2, 3])
    await client.callTool({ name: 'release' })
    expect(textOf(await call)).toBe('done')
    await client.callTool({ name: 'logs' })
    await client.callTool({ name: 'logs', _meta: { [LOG_LEVEL]: 'error' } })
    expect(heard.logs).toEqual([{ high: true }])
    expect(heard.errors).toEqual([])
  })

  it('answers sampling, elicitation and roots, over several rounds', async () => {
    const { client, heard } = await open()
    expect(textOf(await client.callTool({ name: 'sample' }))).toBe('sampled from the model')
    expect(textOf(await client.callTool({ name: 'elicit' }))).toBe('accept Ann')
    expect(textOf(await client.callTool({ name: 'roots' }))).toBe('file:///root')
    expect(textOf(await client.callTool({ name: 'rounds', arguments: { tag: 'x' } }))).toBe('Ann,Ann,1')
    expect(heard.errors).toEqual([])
  })

  it('listens to lists and resources, and no more when it has closed that', async () => {
    const { client, heard } = await open()
    const filter = { toolsListChanged: true, resourceSubscriptions: ['config://app', 'config://nowhere'] }
    const listening = await client.listen(filter)
    expect(listening.honoredFilter).toEqual({ toolsListChanged: true, resourceSubscriptions: ['config://app'] })
    await client.callTool({ name: 'change' })
    await expect.poll(() => [heard.updated, heard.toolsChanged], patience).toEqual([['config://app'], 1])
    expect((await client.listTools()).tools.map(({ name }) => name)).toContain('changed')
    const lists = await client.listen({ toolsListChanged: true })
    await listening.close()
    expect(await listening.closed).toBe('local')
    await client.callTool({ name: 'change' })
    await expect.poll(() => heard.toolsChanged, patience).toBe(2)
    expect(heard.updated).toHaveLength(1)
    await lists.close()
    expect(heard.errors).toEqual([])
  })

  it('cancels a call, which is aborted at the server, and goes on', async () => {
    const { client, heard } = await open()
    const abort = new AbortController()
    const params = { name: 'waits', _meta: { [LOG_LEVEL]: 'alert' } }
    const outcome = expect(client.callTool(params, { signal: abort.signal })).rejects.toThrow()
    await expect.poll(() => heard.logs, patience).toEqual(['waiting'])
    abort.abort('enough')
    await outcome
    await expect.poll(async () => textOf(await client.callTool({ name: 'aborted' })), patience).toBe('1')
    expect(heard.errors).toEqual([])
  })

  it('is told when the server stops while it listens', async () => {
    const { client } = await open()
    const listening = await client.listen({ toolsListChanged: true })
    if (child === undefined) await client.callTool({ name: 'stops' })
    else child.program.kill('SIGTERM')
    expect(await listening.closed).toBe('graceful')
  })
})

describe('the official client v2, pinned to the modern era', () => {
  it.each(['http', 'stdio'])('refuses a server that has only the legacy one, over %s', async (transport) => {
    const options = { revisions: ['2025-11-25'] }
    const where: Where = transport === 'http' ? { url: await spawnChild('http', options).line(0) } : { stdio: options }
    await expect(connectV2(where, { pin: VERSION })).rejects.toThrow(/2026-07-28/)
  })
})
