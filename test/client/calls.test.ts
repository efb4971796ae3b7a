/** One request and what may become of it: its time, its progress, its cancellation, the loss of its link. */
import { type Client, type ConnectOptions, connect } from 'bough/client'
import { describe, expect, it } from 'vitest'
import { discovered, initialized, type Script, scripted, simulation, type Wire } from './support.ts'

const tools = [
  { name: 'reads', inputSchema: { type: 'object' }, annotations: { readOnlyHint: true } },
  { name: 'writes', inputSchema: { type: 'object' } },
]

/** A modern or legacy server over any transport; `script` does the rest. */
async function met(
  script: Script,
  {
    name = 'stdio',
    era = 'modern' as 'modern' | 'legacy',
    ...options
  }: ConnectOptions & { name?: string; era?: 'modern' | 'legacy' } = {},
) {
  const sim = simulation()
  const whole: Script = (message, link, outgoing) => {
    if (message.method === 'server/discover') return link.result(message, discovered)
    if (message.method === 'initialize') return link.result(message, initialized)
    if (message.method === 'tools/list')
      return link.result(message, { resultType: 'complete', tools, ttlMs: 0, cacheScope: 'private' })
    script(message, link, outgoing)
  }
  const { transport, links } = scripted(whole, name)
  const client = await sim.run(connect({ transport }, { system: sim.system, era, ...options }))
  const settled = <T>(promise: Promise<T>): Promise<{ value?: T; error?: unknown; at: number }> =>
    promise.then(
      (value) => ({ value, at: sim.clock.now() }),
      (error: unknown) => ({ error, at: sim.clock.now() }),
    )
  return { sim, client, links, settled }
}

const done = { resultType: 'complete', content: [{ type: 'text', text: 'done' }] }
const isCall = (message: Wire): boolean => message.method === 'tools/call'

describe('the time of a request', () => {
  it('is over after `timeout`, and the server is told', async () => {
    const { sim, client, links, settled } = await met(() => undefined)
    const call = settled(client.callTool('writes', {}, { timeout: 5_000 }))
    expect(await sim.run(call)).toMatchObject({ at: 5_000, error: { code: 'timeout', mayHaveRun: true } })
    const [, , asked, cancelled] = [undefined, ...(links[0]?.sent ?? [])]
    expect(cancelled).toMatchObject({ method: 'notifications/cancelled', params: { requestId: asked?.id } })
  })

  it('is sixty seconds unless told otherwise', async () => {
    const { sim, client, settled } = await met(() => undefined)
    expect(await sim.run(settled(client.listPrompts()))).toMatchObject({ at: 60_000, error: { code: 'timeout' } })
  })

  it('begins anew with each progress that rises, up to the maximum', async () => {
    const heard: number[] = []
    const { sim, client, settled } = await met((message, link) => {
      if (!isCall(message)) return
      const { progressToken } = message.params._meta
      for (let n = 1; n < 100; n++) {
        sim.system.timers.start(n * 800, () =>
          link.put({ method: 'notifications/progress', params: { progressToken, progress: n } }),
        )
      }
    })
    const options = {
      timeout: 1_000,
      maxTimeout: 10_000,
      onProgress: ({ progress }: { progress: number }) => heard.push(progress),
    }
    expect(await sim.run(settled(client.callTool('writes', {}, options)))).toMatchObject({
      at: 10_000,
      error: { code: 'timeout' },
    })
    expect(heard).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12])
  })

  it('is not prolonged by progress that does not rise', async () => {
    const { sim, client, settled } = await met((message, link) => {
      if (!isCall(message)) return
      const { progressToken } = message.params._meta
      for (let n = 1; n < 5; n++) {
        sim.system.timers.start(n * 800, () =>
          link.put({ method: 'notifications/progress', params: { progressToken, progress: 1 } }),
        )
      }
    })
    expect(await sim.run(settled(client.callTool('writes', {}, { timeout: 1_000 })))).toMatchObject({ at: 1_800 })
  })

  it('survives a listener that throws', async () => {
    const { sim, client } = await met((message, link) => {
      if (!isCall(message)) return
      link.put({
        method: 'notifications/progress',
        params: { progressToken: message.params._meta.progressToken, progress: 1 },
      })
      link.result(message, done)
    })
    const onProgress = (): void => {
      throw new Error('mine')
    }
    expect(await sim.run(client.callTool('writes', {}, { onProgress }))).toMatchObject({ content: done.content })
  })
})

describe('a request that is cancelled', () => {
  it.each([
    ['stdio', 'modern', true],
    ['stdio', 'legacy', true],
    ['http', 'legacy', true],
    ['http', 'modern', false],
  ] as const)('over %s in the %s era: a notification is sent: %s', async (name, era, isNotified) => {
    const { sim, client, links, settled } = await met(() => undefined, { name, era })
    const control = new AbortController()
    const call = settled(client.callTool('writes', {}, { signal: control.signal }))
    await sim.settle()
    const id = links[0]?.sent.find(isCall)?.id
    control.abort('enough')
    expect(await sim.run(call)).toMatchObject({ error: { code: 'cancelled', cause: 'enough', mayHaveRun: true } })
    expect(links[0]?.sent.some(({ method }) => method === 'notifications/cancelled')).toBe(isNotified)
    expect(links[0]?.abandoned).toEqual([id])
    // An answer that comes all the same finds nobody.
    links[0]?.put({ id, result: done })
    await sim.settle()
  })

  it('before it was made is never sent', async () => {
    const { sim, client, links, settled } = await met(() => undefined)
    const call = settled(client.callTool('writes', {}, { signal: AbortSignal.abort() }))
    expect(await sim.run(call)).toMatchObject({ error: { code: 'cancelled', mayHaveRun: false } })
    expect(links[0]?.sent.some(isCall)).toBe(false)
  })
})

describe('a link that breaks', () => {
  const open = async (client: Client, sim: { run<T>(promise: Promise<T>): Promise<T> }) => sim.run(client.listTools())

  it('loses a call that may have run, and says so', async () => {
    const { sim, client, links, settled } = await met((message, link) => {
      if (isCall(message)) link.break()
    })
    await open(client, sim)
    const outcome = await sim.run(settled(client.callTool('writes')))
    expect(outcome).toMatchObject({
      error: { name: 'CallLost', code: 'lost', mayHaveRun: true, message: /may have run/ },
    })
    expect(links.flatMap(({ sent }) => sent).filter(isCall)).toHaveLength(1)
  })

  it('is replaced, and a call that may be repeated is', async () => {
    let calls = 0
    const { sim, client, links } = await met((message, link) => {
      if (!isCall(message)) return
      if (++calls === 1) link.break()
      else link.result(message, done)
    })
    await open(client, sim)
    expect(await sim.run(client.callTool('reads'))).toMatchObject({ content: done.content })
    expect(links).toHaveLength(2)
    const ids = links.flatMap(({ sent }) => sent).map(({ id }) => id)
    expect(new Set(ids).size).toBe(ids.length)
  })

  it('repeats a call whose caller says that it may be', async () => {
    let calls = 0
    const { sim, client } = await met((message, link) => {
      if (!isCall(message)) return
      if (++calls === 1) link.break()
      else link.result(message, done)
    })
    expect(await sim.run(client.callTool('writes', {}, { isIdempotent: true }))).toMatchObject({
      content: done.content,
    })
  })

  it('never repeats a call that keeps losing its link for ever', async () => {
    let calls = 0
    const { sim, client, settled } = await met((message, link) => {
      if (!isCall(message)) return
      calls++
      link.break()
    })
    await open(client, sim)
    expect(await sim.run(settled(client.callTool('reads')))).toMatchObject({
      error: { name: 'CallLost', mayHaveRun: true },
    })
    expect(calls).toBe(4)
  })

  it('repeats any call that cannot have run', async () => {
    let calls = 0
    const { sim, client } = await met(
      (message, link) => {
        if (!isCall(message)) return
        if (++calls < 4) link.fail(message, { kind: 'refused', mayHaveRun: false })
        else link.result(message, done)
      },
      { name: 'http' },
    )
    expect(await sim.run(client.callTool('writes'))).toMatchObject({ content: done.content })
    expect(calls).toBe(4)
  })

  it('waits as long as a busy server asks for', async () => {
    let calls = 0
    const { sim, client, settled } = await met(
      (message, link) => {
        if (!isCall(message)) return
        if (++calls === 1) link.fail(message, { kind: 'status', status: 429, mayHaveRun: false, retryAfterMs: 7_000 })
        else link.result(message, done)
      },
      { name: 'http' },
    )
    expect(await sim.run(settled(client.callTool('writes')))).toMatchObject({
      at: 7_000,
      value: { content: done.content },
    })
  })

  it('is opened again later and later, and after so many tries not before somebody asks', async () => {
    const sim = simulation()
    let isUp = true
    const times: number[] = []
    const { transport, links } = scripted((message, link) => {
      if (message.method === 'server/discover') link.result(message, discovered)
      else link.result(message, { resultType: 'complete', tools, ttlMs: 0, cacheScope: 'private' })
    })
    const flaky = {
      ...transport,
      open: (receiver: Parameters<typeof transport.open>[0]) => {
        times.push(sim.clock.now())
        return isUp ? transport.open(receiver) : Promise.reject(new Error('nobody there'))
      },
    }
    const client = await sim.run(
      connect({ transport: flaky }, { system: sim.system, reconnect: { attempts: 5, minMs: 100, maxMs: 400 } }),
    )
    isUp = false
    links[0]?.break()
    await sim.advance(60_000)
    expect(client.phase).toBe('failed')
    expect(times).toHaveLength(6)
    const waits = times.slice(2).map((time, index) => time - (times[index + 1] ?? 0))
    for (const [index, wait] of waits.entries()) {
      const full = Math.min(100 * 2 ** index, 400)
      expect(wait).toBeGreaterThanOrEqual(full / 2)
      expect(wait).toBeLessThanOrEqual(full)
    }
    const outcome = await sim.run(client.listTools().catch((error: unknown) => error))
    expect(outcome).toMatchObject({ name: 'CallLost', code: 'refused', mayHaveRun: false })
    isUp = true
    expect(await sim.run(client.listTools())).toHaveLength(2)
    expect(client.phase).toBe('operating')
  })

  it('makes a client of a lost session initialize anew, and the refused call is made in the new one', async () => {
    let calls = 0
    const { sim, client, links } = await met(
      (message, link) => {
        if (!isCall(message)) return
        if (++calls === 1) {
          link.fail(message, { kind: 'session_lost', status: 404, mayHaveRun: false })
          link.break({ kind: 'session_lost' })
        } else link.result(message, done)
      },
      { name: 'http', era: 'legacy' },
    )
    expect(await sim.run(client.callTool('writes'))).toMatchObject({ content: done.content })
    expect(links.map(({ sent }) => sent[0]?.method)).toEqual(['initialize', 'initialize'])
  })

  it('asks a server for its era again that does not know the modern one any more', async () => {
    let isModern = true
    const sim = simulation()
    const { transport } = scripted((message, link) => {
      if (message.method === 'server/discover' && isModern) return link.result(message, discovered)
      if (message.method === 'initialize') return link.result(message, initialized)
      if (message.id == null) return
      if (message.params?._meta !== undefined && !isModern)
        return link.fail(message, { kind: 'status', status: 400, mayHaveRun: false })
      link.result(message, { tools })
    })
    const client = await sim.run(connect({ transport }, { system: sim.system }))
    isModern = false
    expect(await sim.run(client.listTools())).toHaveLength(2)
    expect(client.server.era).toBe('legacy')
  })
})

describe('a client that is closed', () => {
  it('settles everything, opens nothing, and can be closed twice', async () => {
    const { sim, client, links, settled } = await met(() => undefined)
    const calls = [settled(client.callTool('writes')), settled(client.readResource('test://x'))]
    await sim.settle()
    await sim.run(Promise.all([client.close(), client.close()]))
    for (const call of calls) expect(await call).toMatchObject({ error: { code: 'closed', mayHaveRun: true } })
    expect(links[0]?.isClosed).toBe(true)
    expect(sim.system.processCount).toBe(0)
    expect(await sim.run(settled(client.listTools()))).toMatchObject({ error: { code: 'closed', mayHaveRun: false } })
    expect(client.phase).toBe('closed')
  })

  it('refuses more requests than it may hold', async () => {
    const { sim, client, settled } = await met(() => undefined, { maxRequests: 2 })
    const calls = [1, 2, 3].map(() => settled(client.callTool('writes', {}, { timeout: 100 })))
    expect((await sim.run(Promise.all(calls))).map(({ error }) => (error as { code: string }).code)).toEqual([
      'timeout',
      'timeout',
      'overload',
    ])
  })
})

describe('what a server asks that makes no sense', () => {
  it('is answered with an error, or not at all, and hurts nobody', async () => {
    const { sim, client, links } = await met(
      (message, link) => {
        if (isCall(message)) link.result(message, done)
      },
      {
        era: 'legacy',
        handlers: {
          elicitation: () => {
            throw new Error('no user')
          },
          sampling: () => ({}) as never,
        },
      },
    )
    const [link] = links
    link?.put({ id: 'a', method: 'roots/list' })
    link?.put({
      id: 'b',
      method: 'elicitation/create',
      params: { message: 'x', mode: 'url', url: 'https://x', elicitationId: '1' },
    })
    link?.put({
      id: 'c',
      method: 'elicitation/create',
      params: { message: 'x', requestedSchema: { type: 'object', properties: {} } },
    })
    link?.put({
      id: 'd',
      method: 'sampling/createMessage',
      params: { messages: [{ role: 'user', content: { type: 'text', text: 'x' } }], maxTokens: 1 },
    })
    link?.put({ id: 'e', method: 'elicitation/create', params: { message: 7 } })
    link?.put({ id: 'f', method: 'ping' })
    link?.put({ id: 'g', method: 'something/else' })
    link?.put({ id: 99, result: {} })
    link?.put({ id: null, error: { code: -32700, message: 'what?' } })
    link?.put({ foo: 1 })
    link?.put({ method: 'notifications/unheard/of' })
    link?.put({ method: 'notifications/progress', params: { progressToken: 12, progress: 1 } })
    await sim.settle()
    const answers = Object.fromEntries(
      (link?.sent ?? [])
        .filter(({ method }) => method === undefined)
        .map((one) => [one.id, one.error?.code ?? one.result]),
    )
    expect(answers).toEqual({ a: -32601, b: -32602, c: -32603, d: -32603, e: -32602, f: {}, g: -32601 })
    expect(await sim.run(client.callTool('writes'))).toMatchObject({ content: done.content })
  })

  it('is given up when the handler takes too long, or the server takes it back', async () => {
    const signals: AbortSignal[] = []
    const { sim, links } = await met(() => undefined, {
      era: 'legacy',
      handlerTimeout: 1_000,
      handlers: {
        elicitation: (_params, { signal }) => {
          signals.push(signal)
          return new Promise(() => undefined)
        },
      },
    })
    const params = { message: 'x', requestedSchema: { type: 'object', properties: {} } }
    links[0]?.put({ id: 'late', method: 'elicitation/create', params })
    links[0]?.put({ id: 'withdrawn', method: 'elicitation/create', params })
    await sim.settle()
    links[0]?.put({ method: 'notifications/cancelled', params: { requestId: 'withdrawn' } })
    await sim.advance(2_000)
    const answers = (links[0]?.sent ?? []).filter(({ method }) => method === undefined)
    expect(answers).toMatchObject([{ id: 'late', error: { code: -32603, message: /within 1000 ms/ } }])
    expect(signals.map(({ aborted }) => aborted)).toEqual([true, true])
  })
})
