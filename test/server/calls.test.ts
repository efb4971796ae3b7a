import { createServer, ProtocolError, type ToolContext } from 'bough'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { deferred, world } from './support.ts'
import { wireFault } from './wire-schema.ts'

/** Waits until the call is ended from outside. */
const forever = (_args: unknown, ctx: ToolContext) =>
  new Promise<string>((_done, fail) => ctx.signal.addEventListener('abort', () => fail(new Error('aborted'))))

function tools() {
  const output = { type: 'object', properties: { doubled: { type: 'integer' } }, required: ['doubled'] } as const
  return createServer({ name: 'tools', version: '1' })
    .tool('forecast', {
      input: z.object({ city: z.string(), days: z.number().int().max(7).optional() }),
      run: ({ city, days = 1 }) => `${city} ${days}`,
    })
    .tool('plain', {
      input: { type: 'object', properties: { n: { type: 'integer' } }, required: ['n'] },
      run: ({ n }) => `${n}`,
    })
    .tool('throws', {
      run: () => {
        throw new Error('boom')
      },
    })
    .tool('rejects', { run: () => Promise.reject(new Error('bang')) })
    .tool('throws_nothing', {
      run: () => {
        throw undefined
      },
    })
    .tool('protocol', {
      run: () => {
        throw new ProtocolError(-32042, 'visit', { elicitations: [] })
      },
    })
    .tool('bad_data', {
      run: () => {
        throw new ProtocolError(-32000.5, 'odd', { big: 1n })
      },
    })
    .tool('bad_result', { run: () => ({ structured: { big: 1n } }) as never })
    .tool('nonsense', { run: () => 7 as never })
    .tool('structured', { output, run: () => ({ structured: { doubled: 4 } }) })
    .tool('structured_bad', { output, run: () => ({ structured: { doubled: 'four' } }) })
    .tool('slow', { timeout: 500, run: forever })
    .tool('endless', { timeout: Number.POSITIVE_INFINITY, run: () => 'there' })
    .tool('progress', {
      run: (_args, ctx) => {
        for (const done of [1, 1, 0.5, 2, Number.NaN, Number.POSITIVE_INFINITY, 3])
          ctx.progress(done, done === 2 ? Number.NaN : 3, 'on')
        return 'done'
      },
    })
    .tool('logs', {
      run: (_args, ctx) => {
        for (const level of ['debug', 'info', 'notice', 'warning', 'error', 'critical', 'alert', 'emergency'] as const)
          ctx.log(level, level)
        return 'logged'
      },
    })
    .tool('logs_oddly', {
      run: (_args, ctx) => {
        const cycle: { self?: unknown } = {}
        cycle.self = cycle
        const list = [1]
        for (const data of [1n, cycle, undefined, () => 1, list]) ctx.log('error', data, 'odd')
        list.push(2)
        return 'logged'
      },
    })
    .tool('logs_at_no_level', {
      run: (_args, ctx) => {
        ctx.log('loud' as never, 1)
        return 'logged'
      },
    })
}

const textOf = (answer: { result?: { content: { text: string }[] } }) => answer.result?.content[0]?.text

describe('the check of these tests', () => {
  it('finds what breaks a schema', () => {
    const progress = { jsonrpc: '2.0', method: 'notifications/progress', params: { progressToken: 1, progress: 'one' } }
    for (const version of ['2024-11-05', '2025-03-26', '2025-06-18', '2025-11-25']) {
      expect(wireFault(version, progress, undefined)).toBeDefined()
      expect(wireFault(version, { jsonrpc: '2.0', id: 1, result: { tools: [{}] } }, 'tools/list')).toBeDefined()
      expect(wireFault(version, { jsonrpc: '2.0', id: 1, result: {} }, undefined)).toContain('nobody waits')
    }
  })
})

describe('tools/call', () => {
  it('says which argument is wrong, what came and what was expected, and lets the model try again', async () => {
    const client = await (await world(tools())).open()
    const missing = await client.call('forecast', {})
    expect(missing.result.isError).toBe(true)
    expect(textOf(missing)).toMatch(/forecast.*city/s)
    const wrong = await client.call('forecast', { city: 7 })
    expect(textOf(wrong)).toMatch(/city.*string.*(number|7)/s)
    const plain = await client.call('plain', { n: 'seven' })
    expect(plain.result.isError).toBe(true)
    expect(textOf(plain)).toMatch(/n.*integer.*seven|n.*seven.*integer/s)
    expect(textOf(await client.call('forecast', { city: 'Oslo', days: 3 }))).toBe('Oslo 3')
  })

  it('refuses unknown tools and malformed params with -32602', async () => {
    const client = await (await world(tools())).open()
    expect((await client.call('nope')).error).toMatchObject({ code: -32602 })
    expect((await client.call('__proto__')).error).toMatchObject({ code: -32602 })
    for (const params of [undefined, {}, { name: 7 }, { name: 'plain', arguments: [1] }, { name: 'plain', _meta: 1 }]) {
      expect((await client.request('tools/call', params)).error?.code).toBe(-32602)
    }
  })

  it.each([
    ['throws', 'boom'],
    ['rejects', 'bang'],
    ['throws_nothing', 'nothing'],
    ['nonsense', '7'],
  ])('answers the tool "%s" with isError, and reports it', async (name, why) => {
    const w = await world(tools())
    const client = await w.open()
    const answer = await client.call(name)
    expect(answer.result.isError).toBe(true)
    expect(textOf(answer)).toContain(why)
    expect(textOf(answer)).not.toContain('.ts:')
    expect(w.events).toContainEqual(expect.objectContaining({ type: 'feature_failed', kind: 'tool', name }))
  })

  it('passes on the protocol errors of an author, and survives those that are no JSON', async () => {
    const w = await world(tools())
    const client = await w.open()
    expect((await client.call('protocol')).error).toEqual({
      code: -32042,
      message: 'visit',
      data: { elicitations: [] },
    })
    expect((await client.call('bad_data')).error).toEqual({ code: -32603, message: 'odd' })
    const bad = await client.call('bad_result')
    expect(bad.error?.code ?? bad.result?.isError).toBeTruthy()
    expect(w.events.filter((event) => event.type === 'crash')).toEqual([])
  })

  it.each(['2024-11-05', '2025-03-26', '2025-06-18', '2025-11-25'])(
    'gives structured results as %s knows them',
    async (version) => {
      const client = await (await world(tools())).open({ version })
      const good = await client.call('structured')
      expect(JSON.parse(textOf(good) ?? '')).toEqual({ doubled: 4 })
      if (version >= '2025-06-18') expect(good.result.structuredContent).toEqual({ doubled: 4 })
      else expect(good.result).not.toHaveProperty('structuredContent')
      const bad = await client.call('structured_bad')
      expect(bad.result.isError).toBe(true)
      expect(textOf(bad)).toContain('doubled')
      await client.request('tools/list')
    },
  )

  it('ends what takes longer than its timeout, to the millisecond, and aborts its signal', async () => {
    let aborted = 0
    const server = tools().tool('hangs', {
      timeout: 750,
      run: (_args, ctx) => new Promise<string>(() => ctx.signal.addEventListener('abort', () => aborted++)),
    })
    const w = await world(server)
    const client = await w.open()
    const id = client.begin('tools/call', { name: 'hangs' })
    await w.sim.advance(749)
    expect(aborted).toBe(0)
    await w.sim.advance(1)
    const answer = await client.answerTo(id)
    expect(answer.result.isError).toBe(true)
    expect(textOf(answer)).toContain('750 ms')
    expect(aborted).toBe(1)
    expect(w.app.metrics()['requests_timed_out']).toEqual({ hangs: 1 })
    expect(textOf(await client.call('endless'))).toBe('there')
    expect((await w.processes('request')).length).toBe(0)
  })
})

describe('progress', () => {
  it('rises strictly, carries the token of the request, and comes before the answer', async () => {
    const client = await (await world(tools())).open()
    for (const progressToken of ['t', 0]) {
      const at = client.received.length
      expect(textOf(await client.call('progress', {}, { progressToken }))).toBe('done')
      const news = client.received.slice(at, -1).map(({ params }) => params)
      expect(news.map(({ progress }) => progress)).toEqual([1, 2, 3])
      expect(news.every((params) => params.progressToken === progressToken)).toBe(true)
    }
  })

  it('is not sent to a client that did not ask for it', async () => {
    const client = await (await world(tools())).open({ version: '2024-11-05' })
    await client.call('progress')
    expect(client.of('notifications/progress')).toEqual([])
  })
})

describe('logging', () => {
  it('sends what is at or above the level that the client set', async () => {
    const client = await (await world(tools())).open()
    for (const [level, count] of [
      ['debug', 8],
      ['error', 4],
      ['emergency', 1],
    ] as const) {
      expect((await client.request('logging/setLevel', { level })).result).toEqual({})
      const at = client.of('notifications/message').length
      await client.call('logs')
      expect(client.of('notifications/message').length - at).toBe(count)
    }
    expect((await client.request('logging/setLevel', { level: 'loud' })).error?.code).toBe(-32602)
  })

  it('survives data that is no JSON, and says what it was when it was said', async () => {
    const w = await world(tools())
    const client = await w.open()
    expect(textOf(await client.call('logs_oddly'))).toBe('logged')
    const data = client.of('notifications/message').map(({ params }) => params.data)
    expect(data).toEqual([expect.stringContaining('BigInt'), expect.stringContaining('circular'), null, null, [1]])
    expect((await client.call('logs_at_no_level')).result.isError).toBe(true)
    expect(w.events.filter((event) => event.type === 'crash')).toEqual([])
  })
})

describe('cancelling', () => {
  it('aborts the call, sends no answer, and leaves nothing', async () => {
    let why: unknown
    const server = tools().tool('waits', {
      run: (_args, ctx) =>
        new Promise<string>((done) =>
          ctx.signal.addEventListener('abort', () => {
            why = ctx.signal.reason
            done('late')
          }),
        ),
    })
    const w = await world(server)
    const client = await w.open()
    const id = client.begin('tools/call', { name: 'waits' })
    await client.settle()
    expect(await w.processes('request')).toHaveLength(1)
    client.notify('notifications/cancelled', { requestId: id, reason: 'enough' })
    await w.sim.advance(120_000)
    expect(why).toEqual({ shutdown: 'cancelled' })
    expect(client.received.filter((message) => message.id === id)).toEqual([])
    expect(await w.processes('request')).toHaveLength(0)
  })

  it('works before the request has begun', async () => {
    const w = await world(tools())
    const client = await w.open()
    const id = client.begin('tools/call', { name: 'slow' })
    client.notify('notifications/cancelled', { requestId: id })
    await w.sim.advance(120_000)
    expect(client.received.filter((message) => message.id === id)).toEqual([])
    expect(await w.processes('request')).toHaveLength(0)
  })

  it('of unknown, finished or foreign requests is ignored', async () => {
    const client = await (await world(tools())).open()
    await client.call('structured')
    for (const requestId of [1, 2, 999, 'x', null, undefined, {}])
      client.notify('notifications/cancelled', { requestId })
    client.notify('notifications/cancelled')
    expect(textOf(await client.call('endless'))).toBe('there')
  })

  it('leaves the rest of a batch to be answered', async () => {
    const w = await world(tools())
    const client = await w.open({ version: '2025-03-26' })
    client.raw(
      JSON.stringify([
        { jsonrpc: '2.0', id: 'gone', method: 'tools/call', params: { name: 'slow' } },
        { jsonrpc: '2.0', id: 'kept', method: 'ping' },
      ]),
    )
    await client.settle()
    expect(client.received.some(({ id }) => id === 'kept')).toBe(false)
    client.notify('notifications/cancelled', { requestId: 'gone' })
    await client.settle()
    expect(client.received.at(-1)).toMatchObject({ id: 'kept', result: {} })
  })
})

describe('limits of a session', () => {
  it('refuses one request too many in flight, and answers pings all the same', async () => {
    const gate = deferred()
    const server = tools().tool('gated', {
      run: async () => {
        await gate.promise
        return 'through'
      },
    })
    const w = await world(server, { sessions: { maxRequests: 3 } })
    const client = await w.open()
    const ids = [1, 2, 3].map(() => client.begin('tools/call', { name: 'gated' }))
    await client.settle()
    const { error } = await client.call('gated')
    expect(error?.code).toBe(-32603)
    expect(error?.message).toContain('3 requests in flight')
    expect((await client.request('ping')).result).toEqual({})
    gate.resolve()
    for (const id of ids) expect(textOf(await client.answerTo(id))).toBe('through')
    expect(textOf(await client.call('gated'))).toBe('through')
  })

  it('refuses sessions beyond their limit without closing the connection, which gets one when another has left', async () => {
    const w = await world(tools(), { sessions: { max: 2 } })
    const first = await w.open()
    await w.open()
    const third = w.connect()
    third.begin('ping')
    await third.settle()
    expect(third.received[0]?.error?.message).toContain('max_sessions')
    expect(third.isClosed).toBe(false)
    first.close()
    await w.sim.advance(2_000)
    expect((await third.initialize()).result).toBeDefined()
    expect((await third.request('ping')).result).toEqual({})
    expect(w.app.metrics()['sessions']).toBe(2)
  })

  it('ends the session of a connection that closed, with its calls', async () => {
    let isAborted = false
    const server = tools().tool('waits', {
      run: (_args, ctx) =>
        new Promise<string>(() =>
          ctx.signal.addEventListener('abort', () => {
            isAborted = true
          }),
        ),
    })
    const w = await world(server)
    const before = w.app.system.processCount
    const client = await w.open()
    client.begin('tools/call', { name: 'waits' })
    await client.settle()
    client.close()
    await w.sim.advance(1_000)
    expect(isAborted).toBe(true)
    expect(w.app.system.processCount).toBe(before)
    expect(w.app.metrics()['sessions']).toBe(0)
  })
})
