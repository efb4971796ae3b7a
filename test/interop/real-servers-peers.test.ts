/**
 * Our client against servers that others wrote: the reference servers "everything" and "filesystem", and one of fastmcp. They lie
 * in a package of their own, test/peers; where that is not installed (npm ci --prefix test/peers) this says so and does nothing.
 */
import { existsSync } from 'node:fs'
import { mkdtemp, readFile, realpath, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { Client, ConnectOptions, Target } from 'bough/client'
import { describe, expect, it, onTestFinished } from 'vitest'
import { connected, handlers, type Program, peersFolder, run, textOf } from './real-servers.ts'

const modules = `${peersFolder}/node_modules`
const isInstalled = existsSync(modules)
if (!isInstalled) {
  process.stderr.write('\nSKIPPED: the servers of test/peers are not installed. Run: npm ci --prefix test/peers\n\n')
}

const everything = `${modules}/@modelcontextprotocol/server-everything/dist/index.js`
const filesystem = `${modules}/@modelcontextprotocol/server-filesystem/dist/index.js`
const fastmcp = `${peersFolder}/fastmcp-server.mjs`

interface Started {
  readonly client: Client
  /** Kills the server and starts it again; none for a program that only its client could kill. */
  readonly restart?: () => Promise<void>
}

/** A client of a program on standard input and output, or of one on a port. */
async function start(over: Target | Program, options: ConnectOptions = {}): Promise<Started> {
  if (typeof over !== 'object' || !('path' in over)) return { client: await connected(over as Target, options) }
  const server = await run(over)
  const restart = async (): Promise<void> => {
    await server.kill()
    await server.start()
  }
  return { client: await connected(server.url, options), restart }
}

const onPort = (kind: string, path: string): Program => ({
  args: () => [everything, kind],
  env: (port) => ({ PORT: String(port) }),
  path,
})

const everythings: readonly (readonly [string, Target | Program])[] = [
  ['stdio', { command: process.execPath, args: [everything, 'stdio'] }],
  ['SSE', onPort('sse', '/sse')],
  ['streamable HTTP', onPort('streamableHttp', '/mcp')],
]

describe.runIf(isInstalled).each(everythings)('the reference server "everything" over %s', (_, over) => {
  it('lists, calls, reads, prompts and completes', async () => {
    const { client } = await start(over)
    expect(client.server.era).toBe('legacy')
    const tools = await client.listTools()
    expect(tools.map(({ name }) => name)).toEqual(expect.arrayContaining(['echo', 'get-sum', 'get-structured-content']))
    expect(textOf(await client.callTool('echo', { message: 'ho' }))).toBe('Echo: ho')
    expect(textOf(await client.callTool('get-sum', { a: 2, b: 3 }))).toContain('5')
    const weather = await client.callTool('get-structured-content', { location: 'New York' })
    expect(weather.structuredContent).toMatchObject({ temperature: expect.any(Number) })
    expect((await client.callTool('get-tiny-image')).content).toContainEqual(expect.objectContaining({ type: 'image' }))
    const resources = await client.listResources()
    expect(resources.length).toBeGreaterThan(0)
    expect((await client.readResource(resources[0]?.uri ?? '')).contents).toHaveLength(1)
    const [template] = await client.listResourceTemplates()
    expect(template?.uriTemplate).toContain('{resourceId}')
    const prompts = (await client.listPrompts()).map(({ name }) => name)
    expect(prompts).toContain('simple-prompt')
    expect((await client.getPrompt('simple-prompt')).messages).toHaveLength(1)
    expect((await client.getPrompt('args-prompt', { city: 'Oslo' })).messages[0]?.content).toMatchObject({
      text: expect.stringContaining('Oslo'),
    })
    const { values } = await client.complete({
      ref: { type: 'ref/prompt', name: 'completable-prompt' },
      argument: { name: 'department', value: 'E' },
    })
    expect(values).toEqual(['Engineering'])
  })

  it('tells progress, and is left in the middle', async () => {
    const { client } = await start(over)
    const steps: unknown[] = []
    const onProgress = (step: unknown): void => void steps.push(step)
    const args = { duration: 0.2, steps: 2 }
    await client.callTool('trigger-long-running-operation', args, { onProgress })
    expect(steps).toEqual([1, 2].map((progress) => ({ progress, total: 2 })))
    const control = new AbortController()
    const long = { duration: 60, steps: 60_000 }
    const options = { signal: control.signal, onProgress: () => control.abort('enough') }
    await expect(client.callTool('trigger-long-running-operation', long, options)).rejects.toMatchObject({
      code: 'cancelled',
    })
    expect(textOf(await client.callTool('echo', { message: 'still' }))).toBe('Echo: still')
  })

  it('is answered when it asks for a form, a thought or the roots', async () => {
    const { client } = await start(over)
    // The tools that ask are there once it knows what the client can.
    const names = async (): Promise<string[]> => (await client.listTools({ isFresh: true })).map(({ name }) => name)
    await expect.poll(names).toEqual(expect.arrayContaining(['trigger-elicitation-request', 'get-roots-list']))
    expect(JSON.stringify((await client.callTool('trigger-elicitation-request')).content)).toContain('Ann')
    const thought = await client.callTool('trigger-sampling-request', { prompt: 'How are you?' })
    expect(textOf(thought)).toContain('Well, thank you.')
    expect(textOf(await client.callTool('get-roots-list'))).toContain('file:///home/ann')
  })

  it('tells of updates of what is subscribed to', async () => {
    const { client } = await start(over)
    const [resource] = await client.listResources()
    const heard: string[] = []
    const stop = await client.subscribe(resource?.uri ?? '', ({ uri }) => heard.push(uri))
    await client.callTool('toggle-subscriber-updates')
    await expect.poll(() => heard, { timeout: 15_000 }).toContain(resource?.uri)
    await client.callTool('toggle-subscriber-updates')
    await stop()
  })

  it('is found again after it died', async () => {
    const { client, restart } = await start(over)
    await client.listTools()
    await restart?.()
    await expect
      .poll(async () => textOf(await client.callTool('echo', { message: 'back' }).catch(() => ({ content: [] }))), {
        timeout: 15_000,
      })
      .toBe('Echo: back')
  })
})

describe.runIf(isInstalled)('the reference server "filesystem"', () => {
  it('works in the folder that the roots name, and in no other', async () => {
    const folder = await realpath(await mkdtemp(join(tmpdir(), 'bough-files-')))
    onTestFinished(() => rm(folder, { recursive: true, force: true }))
    await writeFile(join(folder, 'note.txt'), 'hello')
    const { client } = await start(
      { command: process.execPath, args: [filesystem] },
      { handlers: { ...handlers, roots: () => ({ roots: [{ uri: pathToFileURL(folder).href }] }) } },
    )
    const allowed = async (): Promise<string> => textOf(await client.callTool('list_allowed_directories'))
    await expect.poll(allowed, { timeout: 10_000 }).toContain(folder)
    await client.listTools()
    expect(textOf(await client.callTool('read_text_file', { path: join(folder, 'note.txt') }))).toBe('hello')
    const written = await client.callTool('write_file', { path: join(folder, 'new.txt'), content: 'new' })
    expect(written.isError).not.toBe(true)
    expect(await readFile(join(folder, 'new.txt'), 'utf8')).toBe('new')
    const listed = await client.callTool('list_directory', { path: folder })
    expect(textOf(listed)).toContain('note.txt')
    expect((await client.callTool('read_text_file', { path: '/etc/hosts' })).isError).toBe(true)
  })
})

const fasts: readonly (readonly [string, Target | Program])[] = [
  ['stdio', { command: process.execPath, args: [fastmcp, 'stdio'] }],
  ['streamable HTTP', { args: (port) => [fastmcp, 'http', String(port)], path: '/mcp' }],
  ['SSE', { args: (port) => [fastmcp, 'http', String(port)], path: '/sse' }],
]

describe.runIf(isInstalled).each(fasts)('a server of fastmcp over %s', (_, over) => {
  it('lists, calls, reads, prompts and tells progress', async () => {
    const { client } = await start(over)
    expect((await client.listTools()).map(({ name }) => name).sort()).toEqual(['add', 'count', 'die'])
    expect(textOf(await client.callTool('add', { a: 2, b: 3 }))).toBe('5')
    expect((await client.readResource('test://note')).contents).toMatchObject([{ text: 'a note' }])
    expect((await client.getPrompt('greet', { name: 'Ann' })).messages[0]?.content).toMatchObject({ text: 'Hello Ann' })
    const steps: number[] = []
    await client.callTool('count', { to: 3 }, { onProgress: ({ progress }) => steps.push(progress) })
    expect(steps).toEqual([1, 2, 3])
  })

  it('is found again after it died', async () => {
    const { client, restart } = await start(over)
    await client.listTools()
    if (restart === undefined) await client.callTool('die').catch(() => undefined)
    else await restart()
    await expect
      .poll(async () => textOf(await client.callTool('add', { a: 20, b: 22 }).catch(() => ({ content: [] }))), {
        timeout: 15_000,
      })
      .toBe('42')
  })
})
