/**
 * Our client against servers of the official SDK: version 1 over each of its transports, version 2 in both eras. Each is a
 * program of its own, and dies once in the middle.
 */
import type { Client, ConnectOptions, Target } from 'bough/client'
import { describe, expect, it } from 'vitest'
import { connected, run, serversFolder, textOf } from './real-servers.ts'

interface Setting {
  readonly sdk: 'v1' | 'v2'
  readonly transport: 'stdio' | 'http' | 'sse' | 'ws' | 'tcp'
  readonly era: 'legacy' | 'modern'
  /** Whether the server can ask its client. */
  readonly asks: boolean
  /** Whether a cancelled call is heard of by the tool. */
  readonly hearsCancel: boolean
}

const settings: readonly Setting[] = [
  { sdk: 'v1', transport: 'stdio', era: 'legacy', asks: true, hearsCancel: true },
  { sdk: 'v1', transport: 'http', era: 'legacy', asks: true, hearsCancel: true },
  { sdk: 'v1', transport: 'sse', era: 'legacy', asks: true, hearsCancel: true },
  { sdk: 'v1', transport: 'ws', era: 'legacy', asks: true, hearsCancel: true },
  { sdk: 'v1', transport: 'tcp', era: 'legacy', asks: true, hearsCancel: true },
  { sdk: 'v2', transport: 'ws', era: 'modern', asks: true, hearsCancel: true },
  { sdk: 'v2', transport: 'ws', era: 'legacy', asks: true, hearsCancel: true },
  { sdk: 'v2', transport: 'tcp', era: 'modern', asks: true, hearsCancel: true },
  { sdk: 'v2', transport: 'tcp', era: 'legacy', asks: true, hearsCancel: true },
  { sdk: 'v2', transport: 'stdio', era: 'modern', asks: true, hearsCancel: true },
  { sdk: 'v2', transport: 'stdio', era: 'legacy', asks: true, hearsCancel: true },
  { sdk: 'v2', transport: 'http', era: 'modern', asks: true, hearsCancel: true },
  // Without sessions, each request meets a server of its own: nobody is there to be asked, or told.
  { sdk: 'v2', transport: 'http', era: 'legacy', asks: false, hearsCancel: false },
]

describe.each(settings)('the official SDK $sdk over $transport, in the $era era', (setting) => {
  const { sdk, transport, era, asks, hearsCancel } = setting
  const file = `${serversFolder}/sdk-${sdk}.mjs`
  // What a server can do both ways is done as the client itself would; the other era is asked for.
  const options: ConnectOptions = sdk === 'v2' && era === 'legacy' ? { era } : {}

  const start = async (): Promise<{ readonly client: Client; readonly restart: () => Promise<void> }> => {
    if (transport === 'stdio') {
      const target: Target = { command: process.execPath, args: [file, 'stdio'] }
      const client = await connected(target, options)
      // The client starts it again itself.
      return { client, restart: async () => void (await client.callTool('die').catch(() => undefined)) }
    }
    const path = { http: '/mcp', sse: '/sse', ws: '/mcp', tcp: '' }[transport]
    const scheme = transport === 'sse' ? 'http' : transport
    const server = await run({ args: (port) => [file, transport, String(port)], scheme, path })
    const restart = async (): Promise<void> => {
      await server.kill()
      await server.start()
    }
    return { client: await connected(server.url, options), restart }
  }

  it('lists, calls, reads, and tells progress', async () => {
    const { client } = await start()
    expect(client.server).toMatchObject({ era, info: { name: `sdk-${sdk}` } })
    const tools = (await client.listTools()).map(({ name }) => name)
    expect(tools.sort()).toEqual(['aborted', 'add', 'ask', 'count', 'die', 'think', 'wait'])
    const sum = await client.callTool('add', { a: 2, b: 3 })
    expect({ text: textOf(sum), structured: sum.structuredContent }).toEqual({ text: '5', structured: { sum: 5 } })
    expect((await client.callTool('add', { a: 'two', b: 3 }).catch(() => ({ isError: true }))).isError).toBe(true)
    expect((await client.listResources()).map(({ uri }) => uri)).toEqual(['test://note'])
    expect((await client.readResource('test://note')).contents).toMatchObject([{ uri: 'test://note', text: 'a note' }])
    await expect(client.readResource('test://none')).rejects.toMatchObject({ name: 'ClientError' })
    expect((await client.listPrompts()).map(({ name }) => name)).toEqual(['greet'])
    expect((await client.getPrompt('greet', { name: 'Ann' })).messages).toMatchObject([
      { content: { text: 'Hello Ann' } },
    ])
    const steps: number[] = []
    const counted = await client.callTool('count', { to: 3 }, { onProgress: ({ progress }) => steps.push(progress) })
    expect({ text: textOf(counted), steps }).toEqual({ text: 'counted to 3', steps: [1, 2, 3] })
    await client.ping()
  })

  it(`cancels a call${hearsCancel ? ', and the server stops it' : ''}`, async () => {
    const { client } = await start()
    const control = new AbortController()
    const call = client.callTool('wait', {}, { signal: control.signal })
    await client.callTool('add', { a: 1, b: 1 })
    control.abort('enough')
    await expect(call).rejects.toMatchObject({ code: 'cancelled' })
    if (hearsCancel)
      await expect.poll(async () => textOf(await client.callTool('aborted')), { timeout: 10_000 }).toBe('1')
    expect(textOf(await client.callTool('add', { a: 1, b: 1 }))).toBe('2')
  })

  it(asks ? 'answers what the server asks' : 'is told that this server cannot ask', async () => {
    const { client } = await start()
    if (asks) {
      expect(textOf(await client.callTool('ask'))).toBe('accept Ann')
      expect(textOf(await client.callTool('think'))).toBe('Well, thank you.')
    } else {
      const answer = await client.callTool('ask').catch((error: unknown) => ({ isError: true, error }))
      expect(answer).toMatchObject({ isError: true })
    }
  })

  it('goes on after the server died and came back', async () => {
    const { client, restart } = await start()
    await client.listTools()
    await restart()
    await expect
      .poll(async () => textOf(await client.callTool('add', { a: 20, b: 22 }).catch(() => ({ content: [] }))), {
        timeout: 15_000,
      })
      .toBe('42')
    expect((await client.readResource('test://note', { isFresh: true })).contents).toHaveLength(1)
  })
})
