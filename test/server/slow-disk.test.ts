/** A disk that is too far behind: what it would have to promise is refused, one answer or one stream at a time, and no session crashes. */
import { createServer, serve } from 'bough'
import { describe, expect, it, onTestFinished } from 'vitest'
import { durableStore } from '#storage/durable-store'
import { FakeDisk } from '../storage/support.ts'
import { HttpClient } from './http-client.ts'
import { deferred } from './support.ts'

async function start() {
  const gate = deferred()
  const disk = new FakeDisk()
  const store = durableStore({ name: 'fake', openDisk: disk.open, waitingMax: 2 })
  const server = createServer({ name: 'slow', version: '1' })
    .tool('logs', {
      run: async (_args, ctx) => {
        ctx.log('error', 'one')
        await gate.promise
        return 'done'
      },
    })
    .resource('config://app', { read: () => 'x' })
  const app = await serve(server, {
    http: { port: 0 },
    store,
    signals: false,
    guard: false,
    logger: false,
    drainMs: 100,
    pressure: false,
  })
  onTestFinished(async () => {
    disk.isFast = true
    disk.releaseAll()
    await app.stop()
  })
  const client = await HttpClient.open(app.url)
  /** Two answers that wait for the disk: as many as may. */
  const fill = async (): Promise<Promise<unknown>[]> => {
    disk.isFast = false
    const waiting = [1, 2].map(() => client.begin('logging/setLevel', { level: 'debug' }))
    await expect.poll(() => store.fullness).toBe(1)
    return waiting
  }
  const release = (): void => {
    disk.isFast = true
    disk.releaseAll()
  }
  return { app, client, gate, fill, release }
}

describe('when too many wait for the disk', () => {
  it('an answer that promises something is refused with 503, and the session goes on', async () => {
    const { app, client, fill, release } = await start()
    const waiting = await fill()
    const refused = await client.begin('logging/setLevel', { level: 'info' })
    await refused.over
    expect(refused.status).toBe(503)
    expect(refused.headers.get('retry-after')).toBe('2')
    expect(refused.messages[0]?.error).toMatchObject({ data: { reason: 'store', retryAfterMs: 2_000 } })
    expect((await client.request('ping')).result).toEqual({})
    expect((await client.request('tools/list')).result).toBeDefined()
    release()
    await Promise.all(waiting)
    expect((await client.begin('logging/setLevel', { level: 'info' })).status).toBe(200)
    expect(app.metrics()['process_crashes']).toBeUndefined()
  })

  it('a stream is cut, and can be resumed when the disk has caught up', async () => {
    const { app, client, gate, fill, release } = await start()
    const first = await client.begin('tools/call', { name: 'logs', arguments: {} })
    await first.untilEvents(2)
    const waiting = await fill()
    gate.resolve()
    await first.over
    expect(first.messages.some(({ result }) => result !== undefined)).toBe(false)
    release()
    await Promise.all(waiting)
    const again = await client.listen(first.events.at(-1)?.id)
    expect((await again.until(({ result }) => result !== undefined)).result).toMatchObject({
      content: [{ text: 'done' }],
    })
    expect(app.metrics()['process_crashes']).toBeUndefined()
  })

  it('a GET stream is cut, and its client gets what it missed', async () => {
    const { app, client, fill, release } = await start()
    const stream = await client.listen()
    await stream.untilEvents(1)
    const waiting = await fill()
    const add = client.begin('resources/subscribe', { uri: 'config://app' })
    expect((await add).status).toBe(503)
    void app.resourceUpdated('config://app')
    await stream.over
    release()
    await Promise.all(waiting)
    const again = await client.listen(stream.events.at(-1)?.id)
    expect(await again.until(({ method }) => method === 'notifications/resources/updated')).toBeDefined()
    expect(app.metrics()['process_crashes']).toBeUndefined()
  })

  it('an end is not promised, though the session is over', async () => {
    const { app, client, fill, release } = await start()
    const waiting = await fill()
    expect((await client.end()).status).toBe(503)
    release()
    await Promise.allSettled(waiting)
    expect((await client.end()).status).toBe(404)
    expect(app.metrics()['process_crashes']).toBeUndefined()
  })
})
