import { createServer, serve } from 'bough'
import type { Ref, SupervisorRef } from 'bough/runtime'
import { describe, expect, it, onTestFinished } from 'vitest'
import { HttpClient } from '../server/http-client.ts'

const server = createServer({ name: 'threads', version: '1' })
  .tool('spin', {
    isolate: 'thread',
    timeout: 500,
    run: () => {
      for (;;);
    },
  })
  .tool('add', {
    isolate: 'thread',
    input: { type: 'object', properties: { a: { type: 'number' } }, required: ['a'] },
    run: ({ a }, ctx) => {
      ctx.log('info', { a })
      return `${Number(a) + 1}`
    },
  })
  .tool('echo', { run: () => 'hi' })

async function start() {
  const app = await serve(server, { http: { port: 0 }, signals: false, guard: false, logger: false })
  onTestFinished(() => app.stop())
  return { app, client: await HttpClient.open(app.url) }
}

async function threadPool(tree: SupervisorRef): Promise<Ref | undefined> {
  const workers = (await tree.whichChildren()).find(({ id }) => id === 'workers')?.ref
  if (typeof workers !== 'object') return undefined
  const [pool] = await (workers as SupervisorRef).whichChildren()
  return typeof pool?.ref === 'object' ? pool.ref : undefined
}

describe('tools in threads', () => {
  it('that never give way are ended by their timeout, and disturb nobody', async () => {
    const { client } = await start()
    const spinning = client.call('spin')
    for (let n = 0; n < 20; n++) expect((await client.call('echo')).result.content[0].text).toBe('hi')
    const { result } = await spinning
    expect(result.isError).toBe(true)
    expect(result.content[0].text).toContain('500 ms')
    expect((await client.call('add', { a: 1 })).result.content[0].text).toBe('2')
  })

  it('fail with their pool when it is killed; the next call has a new one', async () => {
    const { app, client } = await start()
    const stream = await client.begin('tools/call', { name: 'add', arguments: { a: 1 } })
    await stream.over
    const pool = await threadPool(app.ref)
    const spinning = client.call('spin')
    await expect.poll(() => pool?.info()?.messagesHandled).toBe(2)
    pool?.exit('kill')
    const { result } = await spinning
    expect(result.isError).toBe(true)
    expect(result.content[0].text).not.toContain('500 ms')
    expect((await client.call('add', { a: 2 })).result.content[0].text).toBe('3')
    expect((await threadPool(app.ref))?.pid).not.toBe(pool?.pid)
  })
})
