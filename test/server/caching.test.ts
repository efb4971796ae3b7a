/** Answers that a server keeps: who is given them, for how long, and what makes them worthless. In virtual time. */

import { createServer, type Server, type ToolContext } from 'bough'
import { describe, expect, it } from 'vitest'
import { type JsonSchema, schemaCompiles } from '#protocol'
import { ModernClient } from './modern-client.ts'
import { deferred, type World, world } from './support.ts'
import type { Wire } from './wire-schema.ts'

const server = (): Server => createServer({ name: 'kept', version: '1.0.0' })
const readOnly = { readOnlyHint: true } as const
const textOf = ({ result, error }: Wire): string =>
  result?.contents?.[0]?.text ?? result?.content?.[0]?.text ?? error?.message
const wait = (of: World, ms: number): Promise<void> => of.sim.advance(ms)

describe('a resource that may be kept', () => {
  const counted = (scope: 'public' | 'private'): { server: Server; reads: () => number } => {
    let reads = 0
    const made = server().resource('count://1', { cache: { ttlMs: 1_000, scope }, read: () => `read ${++reads}` })
    return { server: made, reads: () => reads }
  }

  it('is read once in its time, by however many sessions, and again after it', async () => {
    const { server: made, reads } = counted('public')
    const w = await world(made)
    const [a, b] = [await w.open(), await w.open()]
    for (const client of [a, b, a, b])
      expect(textOf(await client.request('resources/read', { uri: 'count://1' }))).toBe('read 1')
    await wait(w, 1_000)
    expect(textOf(await b.request('resources/read', { uri: 'count://1' }))).toBe('read 2')
    expect(reads()).toBe(2)
    expect(w.app.metrics()).toMatchObject({
      cache_hits: { session: 2, shared: 1 },
      cache_misses: { absent: 1, expired: 1 },
    })
  })

  it('is answered without a process when it is kept', async () => {
    const w = await world(counted('public').server)
    const client = await w.open()
    await client.request('resources/read', { uri: 'count://1' })
    const id = client.begin('resources/read', { uri: 'count://1' })
    await client.settle()
    expect(client.received.find((message) => message.id === id)?.result?.contents).toHaveLength(1)
    expect(await w.processes('request')).toEqual([])
  })

  it('is read anew as soon as it is said to have changed', async () => {
    const { server: made } = counted('public')
    const w = await world(made)
    const client = await w.open()
    await client.request('resources/read', { uri: 'count://1' })
    void made.resourceUpdated('count://1')
    expect(textOf(await client.request('resources/read', { uri: 'count://1' }))).toBe('read 2')
    void w.app.resourceUpdated('count://2')
    expect(textOf(await client.request('resources/read', { uri: 'count://1' }))).toBe('read 2')
  })

  it('is each session’s own when it is private and nobody is authorized', async () => {
    const { server: made } = counted('private')
    const w = await world(made)
    const [a, b] = [await w.open(), await w.open()]
    const texts: string[] = []
    for (const client of [a, b, a, b]) texts.push(textOf(await client.request('resources/read', { uri: 'count://1' })))
    expect(texts).toEqual(['read 1', 'read 2', 'read 1', 'read 2'])
  })

  it('is not kept when it is private and there is neither session nor principal', async () => {
    const w = await world(counted('private').server)
    const client = new ModernClient(w)
    for (const text of ['read 1', 'read 2'])
      expect(textOf(await client.request('resources/read', { uri: 'count://1' }))).toBe(text)
  })

  it('tells clients of 2026-07-28 how long what they get may still be kept', async () => {
    const w = await world(counted('public').server)
    const client = new ModernClient(w)
    const [first, , later] = [
      await client.request('resources/read', { uri: 'count://1' }),
      await wait(w, 400),
      await client.request('resources/read', { uri: 'count://1' }),
    ]
    expect(first.result).toMatchObject({ ttlMs: 1_000, cacheScope: 'public', resultType: 'complete' })
    expect(later.result).toMatchObject({ ttlMs: 600, cacheScope: 'public', contents: [{ text: 'read 1' }] })
  })

  it.each(['2024-11-05', '2025-03-26', '2025-06-18', '2025-11-25'])(
    'is kept as revision %s writes it',
    async (version) => {
      const w = await world(counted('public').server)
      await new ModernClient(w).request('resources/read', { uri: 'count://1' })
      const client = await w.open({ version })
      const answers = [
        await client.request('resources/read', { uri: 'count://1' }),
        await client.request('resources/read', { uri: 'count://1' }),
      ]
      expect(answers[0]?.result).toEqual({ contents: [{ uri: 'count://1', text: 'read 2' }] })
      expect(answers[1]?.result).toEqual(answers[0]?.result)
    },
  )

  it('is not kept where it fails, and not when what was read says so', async () => {
    let reads = 0
    const made = server()
      .resource('bad://1', {
        cache: { ttlMs: 1_000, scope: 'public' },
        read: () => {
          throw new Error(`no ${++reads}`)
        },
      })
      .resource('own://1', {
        cache: { ttlMs: 1_000, scope: 'public' },
        read: () => ({ contents: [{ uri: 'own://1', text: `${++reads}` }], cache: { ttlMs: 0, scope: 'public' } }),
      })
      .resource('other://1', {
        cache: { ttlMs: 1_000, scope: 'public' },
        read: () => ({ contents: [{ uri: 'own://1', text: `${++reads}` }], cache: { ttlMs: 1_000, scope: 'private' } }),
      })
    const w = await world(made)
    const client = await w.open()
    for (const uri of ['bad://1', 'bad://1', 'own://1', 'own://1', 'other://1', 'other://1'])
      await client.request('resources/read', { uri })
    expect(reads).toBe(6)
  })

  it('is kept by the variables of its template, which may be invalidated by themselves', async () => {
    let reads = 0
    const made = server().resourceTemplate('user://{id}', {
      cache: { ttlMs: 1_000, scope: 'public' },
      read: ({ id }) => `${id} ${++reads}`,
    })
    const client = await (await world(made)).open()
    const read = async (id: string): Promise<string> =>
      textOf(await client.request('resources/read', { uri: `user://${id}` }))
    expect([await read('a'), await read('b'), await read('a')]).toEqual(['a 1', 'b 2', 'a 1'])
    void made.resourceUpdated('user://a')
    expect([await read('a'), await read('b')]).toEqual(['a 3', 'b 2'])
  })

  it('is read every time with caching: false', async () => {
    const { server: made, reads } = counted('public')
    const client = await (await world(made, { caching: false })).open()
    for (let round = 0; round < 3; round++) await client.request('resources/read', { uri: 'count://1' })
    expect(reads()).toBe(3)
  })
})

describe('a tool that may be kept', () => {
  it('runs once for equal arguments, in whatever order they come', async () => {
    let runs = 0
    const made = server().tool('sum', {
      annotations: readOnly,
      cache: { ttlMs: 1_000, scope: 'public' },
      run: (args: Record<string, unknown>) => `${JSON.stringify(args)} ${++runs}`,
    })
    const client = await (await world(made)).open()
    const answers = [
      await client.call('sum', { a: 1, b: { c: 2, d: 3 } }),
      await client.call('sum', { b: { d: 3, c: 2 }, a: 1 }),
      await client.call('sum', { a: 1 }),
      await client.call('sum'),
      await client.call('sum', {}),
    ]
    expect(answers.map((answer) => textOf(answer).slice(-1))).toEqual(['1', '1', '2', '3', '3'])
  })

  it('is run anew when its tag is invalidated, and when it is replaced or removed', async () => {
    let runs = 0
    const define = (made: Server, word: string): Server =>
      made.tool('orders', {
        annotations: readOnly,
        cache: { ttlMs: 60_000, scope: 'public', tags: ['orders', 'db://orders'] },
        run: () => `${word} ${++runs}`,
      })
    const made = define(server(), 'old')
    const client = await (await world(made)).open()
    const call = async (): Promise<string> => textOf(await client.call('orders'))
    expect([await call(), await call()]).toEqual(['old 1', 'old 1'])
    made.invalidate('orders')
    expect([await call(), await call()]).toEqual(['old 2', 'old 2'])
    void made.resourceUpdated('db://orders')
    expect(await call()).toBe('old 3')
    define(made, 'new')
    await client.settle()
    expect([await call(), await call()]).toEqual(['new 4', 'new 4'])
    made.removeTool('orders')
    await client.settle()
    expect((await client.call('orders')).error?.code).toBe(-32602)
  })

  it('is not kept where its result is an error', async () => {
    let runs = 0
    const made = server().tool('bad', {
      annotations: readOnly,
      cache: { ttlMs: 1_000, scope: 'public' },
      input: { type: 'object', properties: { n: { type: 'number' } } },
      run: () => ({ content: [], isError: ++runs > 0 }),
    })
    const client = await (await world(made)).open()
    for (let round = 0; round < 2; round++) expect((await client.call('bad')).result?.isError).toBe(true)
    expect(runs).toBe(2)
  })

  it.each([
    [{}, /tools that only read/],
    [{ annotations: { idempotentHint: true } }, /tools that only read/],
    [{ annotations: readOnly, task: 'optional' as const }, /run as a task/],
  ])('is refused with %j', (options, message) => {
    const define = (): unknown =>
      server().tool('t', { ...options, cache: { ttlMs: 1, scope: 'public' }, run: () => 'x' })
    expect(define).toThrow(message)
  })
})

describe('what several ask for at once', () => {
  const slow = (): { made: Server; release: (text: string) => void; runs: () => number; signals: AbortSignal[] } => {
    let runs = 0
    const signals: AbortSignal[] = []
    const waiting: ((text: string) => void)[] = []
    const made = server().resource('slow://1', {
      cache: { ttlMs: 1_000, scope: 'public' },
      read: (_variables, ctx: ToolContext) => {
        runs++
        signals.push(ctx.signal)
        const { promise, resolve } = deferred<string>()
        waiting.push(resolve)
        return promise
      },
    })
    const release = (text: string): void => {
      for (const resolve of waiting.splice(0)) resolve(text)
    }
    return { made, release, runs: () => runs, signals }
  }
  const uri = 'slow://1'

  it('is made once for all of them', async () => {
    const { made, release, runs } = slow()
    const w = await world(made)
    const clients = [await w.open(), await w.open(), await w.open()]
    const ids = clients.map((client) => client.begin('resources/read', { uri }))
    await w.sim.settle()
    release('one')
    for (const [index, client] of clients.entries()) expect(textOf(await client.answerTo(ids[index] ?? 0))).toBe('one')
    expect(runs()).toBe(1)
    expect(w.app.metrics()['cache_joined']).toBe(2)
  })

  it('is made anew for the others when the one at work is cancelled', async () => {
    const { made, release, runs } = slow()
    const w = await world(made)
    const [a, b, c] = [await w.open(), await w.open(), await w.open()]
    const first = a.begin('resources/read', { uri })
    await w.sim.settle()
    const others = [b, c].map((client) => ({ client, id: client.begin('resources/read', { uri }) }))
    await w.sim.settle()
    a.notify('notifications/cancelled', { requestId: first })
    await w.sim.settle()
    expect(runs()).toBe(2)
    release('again')
    for (const { client, id } of others) expect(textOf(await client.answerTo(id))).toBe('again')
    expect(runs()).toBe(2)
  })

  it('is not shared with those who ask after a change', async () => {
    const { made, release, runs } = slow()
    const w = await world(made)
    const [a, b] = [await w.open(), await w.open()]
    const early = a.begin('resources/read', { uri })
    await w.sim.settle()
    void made.resourceUpdated(uri)
    const late = b.begin('resources/read', { uri })
    await w.sim.settle()
    expect(runs()).toBe(2)
    release('now')
    await a.answerTo(early)
    await b.answerTo(late)
    const again = a.begin('resources/read', { uri })
    expect(textOf(await a.answerTo(again))).toBe('now')
    expect(runs()).toBe(2)
  })
})

describe('an adaptive time', () => {
  it('lengthens while what is read stays the same and is asked for, and shortens when it changes', async () => {
    let reads = 0
    let value = 'same'
    const made = server().resource('slow://1', {
      cache: { ttlMs: 1_000, scope: 'public', adaptive: true },
      read: () => {
        reads++
        return value
      },
    })
    const w = await world(made)
    const client = await w.open()
    const read = (): Promise<Wire> => client.request('resources/read', { uri: 'slow://1' })
    await read()
    await read()
    await wait(w, 1_000)
    await read()
    await wait(w, 1_999)
    await read()
    expect(reads).toBe(2)
    value = 'other'
    await wait(w, 1)
    expect(textOf(await read())).toBe('other')
    await wait(w, 999)
    await read()
    expect(reads).toBe(3)
    await wait(w, 1)
    await read()
    expect(reads).toBe(4)
  })
})

describe('a list', () => {
  it('is told in each revision’s words, page by page, and anew once it changed', async () => {
    const made = server()
    for (const name of ['a', 'b', 'c']) made.tool(name, { title: name.toUpperCase(), run: () => name })
    const w = await world(made, { pageSize: 2, cache: { ttlMs: 7, cacheScope: 'public' } })
    const [old, current, modern] = [await w.open({ version: '2024-11-05' }), await w.open(), new ModernClient(w)]
    const names = ({ result }: Wire): string[] => result?.tools.map((tool: { name: string }) => tool.name)
    for (let round = 0; round < 2; round++) {
      expect((await old.request('tools/list')).result?.tools[0]).not.toHaveProperty('title')
      const first = await current.request('tools/list')
      expect(first.result?.tools[0]).toHaveProperty('title', 'A')
      expect(names(await current.request('tools/list', { cursor: first.result?.nextCursor }))).toEqual(['c'])
      expect((await modern.request('tools/list')).result).toMatchObject({ ttlMs: 7, cacheScope: 'public' })
      expect((await current.request('tools/list', { cursor: '' })).error?.code).toBe(-32602)
    }
    made.removeTool('a')
    await current.settle()
    expect(names(await current.request('tools/list'))).toEqual(['b', 'c'])
    expect(names(await modern.request('tools/list'))).toEqual(['b', 'c'])
  })
})

describe('a schema', () => {
  it('is compiled once, however many tools have it, and not again when a tool is replaced live', async () => {
    const input = (): JsonSchema => ({ type: 'object', properties: { once: { type: 'string', minLength: 3 } } })
    const before = schemaCompiles()
    const made = server()
    for (let index = 0; index < 1_000; index++) made.tool(`t${index}`, { input: input(), run: () => 'x' })
    expect(schemaCompiles() - before).toBe(1)
    const client = await (await world(made)).open()
    made.tool('t0', { input: input(), run: () => 'new' })
    await client.settle()
    expect(textOf(await client.call('t0', { once: 'abc' }))).toBe('new')
    expect((await client.call('t1', { once: 'a' })).result?.isError).toBe(true)
    expect(schemaCompiles() - before).toBe(1)
  })
})

describe('the cache process', () => {
  it('stands in the tree, tells how full it is, and loses nothing when it is restarted', async () => {
    let reads = 0
    const made = server().resource('a://1', { cache: { ttlMs: 60_000, scope: 'public' }, read: () => `${++reads}` })
    const w = await world(made)
    const client = await w.open()
    await client.request('resources/read', { uri: 'a://1' })
    const cache = await w.process('cache')
    expect(await w.sim.run(cache.call('stats'))).toMatchObject({ entries: 1, entriesMax: 16_384, sessions: 1 })
    const other = await w.open()
    await other.request('resources/read', { uri: 'a://1' })
    expect(await w.sim.run(cache.call('stats'))).toMatchObject({ sessions: 2 })
    other.close()
    await w.sim.advance(1_000)
    expect(await w.sim.run(cache.call('stats'))).toMatchObject({ sessions: 1 })
    cache.exit('kill')
    await w.sim.advance(1)
    expect(textOf(await client.request('resources/read', { uri: 'a://1' }))).toBe('1')
    await w.sim.advance(70_000)
    expect(await w.sim.run((await w.process('cache')).call('stats'))).toMatchObject({ entries: 0 })
    expect(w.app.metrics()['cache_swept']).toBe(1)
  })

  it.each([
    [{ shared: 'redis' }, /caching.shared must be 'memory', 'lmdb:<folder>' or a SharedCache, got "redis"/],
    [{ entries: 1 }, /caching.entries must be a whole number from 16/],
    [{ bytes: 1 }, /caching.bytes must be a whole number from 65536/],
    [{ sessionEntries: -1 }, /caching.sessionEntries must be a whole number of at least 0, got number -1/],
  ])('refuses %j', async (caching, message) => {
    await expect(world(server(), { caching: caching as object })).rejects.toThrow(message)
  })
})
