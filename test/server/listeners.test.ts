import { PassThrough } from 'node:stream'
import { createServer, serve } from 'bough'
import { describe, expect, it } from 'vitest'

async function untilRestarted(app: Awaited<ReturnType<typeof serve>>, name: string): Promise<void> {
  const tree = await app.tree()
  const listener = (await app.tree()).children
    .find(({ id }) => id === 'listeners')
    ?.children.find(({ id }) => id === name)
  const ref = app.system.processes().find(({ pid }) => pid === listener?.pid)
  const before = listener?.pid
  ref?.exit('kill')
  for (let look = 0; look < 200; look++) {
    await new Promise((resolve) => setImmediate(resolve))
    const now = (await app.tree()).children.find(({ id }) => id === 'listeners')?.children.find(({ id }) => id === name)
    if (now !== undefined && now.pid !== before) return
  }
  throw new Error(`The listener ${name} of ${JSON.stringify(tree)} was not restarted.`)
}

describe('a listener that is killed', () => {
  it('comes back on the port it had, also when any free one was asked for', async () => {
    const app = await serve(createServer({ name: 'a', version: '1' }), {
      http: { port: 0 },
      logger: false,
      signals: false,
      guard: false,
    })
    await untilRestarted(app, 'http')
    const { status } = await fetch(app.url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', accept: 'application/json, text/event-stream' },
      body: '{',
    })
    expect(status).toBe(400)
    await app.stop()
  })

  it('reads its standard input again', async () => {
    const input = new PassThrough()
    const output = new PassThrough()
    const app = await serve(createServer({ name: 'a', version: '1' }), {
      stdio: { input, output },
      logger: false,
      signals: false,
      guard: false,
    })
    await untilRestarted(app, 'stdio')
    const answer = new Promise((resolve) => output.once('data', (line) => resolve(JSON.parse(String(line)))))
    input.write('{"jsonrpc":"2.0","id":1,"method":"ping"}\n')
    expect(await answer).toEqual({ jsonrpc: '2.0', id: 1, result: {} })
    await app.stop()
  })
})
