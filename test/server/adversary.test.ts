/** What those try who are somebody else: other people's states, sessions and tasks. Everything through the server, over HTTP. */
import { staticTokens } from 'bough/auth'
import { memoryTransport } from 'bough/transports/memory'
import { describe, expect, it } from 'vitest'
import { bearer, form, inputResponses, start, tokens } from './adversary-support.ts'
import { HttpClient } from './http-client.ts'
import { textOf } from './modern-client.ts'
import type { ModernHttp } from './modern-http-client.ts'

describe('a requestState', () => {
  const first = async (client: ModernHttp, name = 'greet', args: object = { to: 'x' }): Promise<string> =>
    (await client.call(name, args)).result.requestState

  const flipped = (state: string, at: number): string => {
    const found = state[at] === 'A' ? 'B' : 'A'
    return state.slice(0, at) + found + state.slice(at + 1)
  }

  it.each<[string, (state: string) => string]>([
    ['empty', () => ''],
    ['made up', () => Buffer.from('{"answers":{}}').toString('base64url')],
    ['cut', (state) => state.slice(0, -1)],
    ['lengthened', (state) => `${state}A`],
    ['twice itself', (state) => state + state],
    ['with its first character changed', (state) => flipped(state, 0)],
    ['with a character in the middle changed', (state) => flipped(state, state.length >> 1)],
    ['with its last character changed', (state) => flipped(state, state.length - 1)],
    ['very long', () => 'A'.repeat(1_000_000)],
  ])('that is %s is refused, and the handler does not run', async (_how, change) => {
    const { modern, runs } = await start()
    const ann = modern('token-of-ann')
    const requestState = change(await first(ann))
    const ran = runs.greet
    const { error } = await ann.call('greet', { to: 'x' }, { requestState, inputResponses })
    expect(error).toMatchObject({ code: -32602, message: expect.stringContaining('requestState') })
    expect(runs.greet).toBe(ran)
  })

  it('that was changed in any one character is refused', async () => {
    const { modern } = await start()
    const ann = modern('token-of-ann')
    const state = await first(ann)
    const codes = new Set<number | undefined>()
    for (let at = 0; at < state.length; at++)
      codes.add(
        (await ann.call('greet', { to: 'x' }, { requestState: flipped(state, at), inputResponses })).error?.code,
      )
    expect([...codes]).toEqual([-32602])
    expect(textOf(await ann.call('greet', { to: 'x' }, { requestState: state, inputResponses }))).toBe('x: Ann')
  })

  it('of one principal is refused to another, and goes on being good for its own', async () => {
    const { modern } = await start()
    const [ann, bob] = [modern('token-of-ann'), modern('token-of-bob')]
    const requestState = await first(ann)
    const stolen = await bob.call('greet', { to: 'x' }, { requestState, inputResponses })
    expect(stolen.error).toMatchObject({
      code: -32602,
      message: expect.stringContaining('another request or principal'),
    })
    expect(textOf(await ann.call('greet', { to: 'x' }, { requestState, inputResponses }))).toBe('x: Ann')
    // The principal counts, not the token.
    const same = modern('token-of-ann-that-reads')
    expect(textOf(await same.call('greet', { to: 'x' }, { requestState, inputResponses }))).toBe('x: Ann')
  })

  it('of one request is refused by every other', async () => {
    const { modern } = await start()
    const ann = modern('token-of-ann')
    const requestState = await first(ann)
    const others = [
      ann.call('greet', { to: 'y' }, { requestState, inputResponses }),
      ann.call('greet', {}, { requestState, inputResponses }),
      ann.call('other', { to: 'x' }, { requestState, inputResponses }),
      ann.request('prompts/get', { name: 'greet', requestState, inputResponses }),
    ]
    for (const other of others) expect((await other).error?.code).toBe(-32602)
  })

  it('of another server, or of a server that is gone, is refused', async () => {
    const [one, other] = [await start(), await start()]
    const requestState = await first(one.modern('token-of-ann'))
    const { error } = await other.modern('token-of-ann').call('greet', { to: 'x' }, { requestState, inputResponses })
    expect(error?.message).toContain('not one of this server')
  })

  it('that has expired is refused', async () => {
    const { modern, clock } = await start(undefined, { auth: staticTokens(tokens), askTimeoutMs: 60_000 })
    const ann = modern('token-of-ann')
    const requestState = await first(ann)
    clock.aheadMs = 60_001
    const { error } = await ann.call('greet', { to: 'x' }, { requestState, inputResponses })
    expect(error).toMatchObject({ code: -32602, message: expect.stringContaining('expired') })
  })

  it('brings an answer that may be used once: the second of many at the same time is refused', async () => {
    const { modern, runs } = await start()
    const ann = modern('token-of-ann')
    const requestState = await first(ann, 'redeem', {})
    const replies = await Promise.all(
      Array.from({ length: 20 }, () => ann.call('redeem', {}, { requestState, inputResponses })),
    )
    expect(runs.redeemed).toBe(1)
    expect(replies.filter(({ result }) => result !== undefined)).toHaveLength(1)
    for (const { error } of replies)
      if (error !== undefined)
        expect(error).toMatchObject({ code: -32602, message: expect.stringContaining('used before') })
    // Without a state there is nothing that the answer could be to.
    expect((await ann.call('redeem', {}, { inputResponses })).result.resultType).toBe('input_required')
  })

  it('of an earlier round cannot be used to take a later round again', async () => {
    const { modern, runs } = await start()
    const ann = modern('token-of-ann')
    const one = await first(ann, 'twice', {})
    const two = (await ann.call('twice', {}, { requestState: one, inputResponses })).result.requestState
    const r = { r: { action: 'accept', content: {} } }
    expect(textOf(await ann.call('twice', {}, { requestState: two, inputResponses: r }))).toBe('redeemed')
    for (const [requestState, answers] of [
      [one, inputResponses],
      [two, r],
      [one, { ...inputResponses, ...r }],
    ] as const)
      expect((await ann.call('twice', {}, { requestState, inputResponses: answers })).error?.code).toBe(-32602)
    expect(runs.redeemed).toBe(1)
  })
})

describe('a handler that never stops asking', () => {
  it('is stopped after as many rounds as a request may take', async () => {
    const { server, modern } = await start()
    let asked = 0
    server.tool('nags', {
      run: async (_args, ctx) => {
        for (;;) {
          asked++
          await ctx.elicit(form)
        }
      },
    })
    const answers = { 'elicitation/create': () => ({ action: 'accept', content: {} }) }
    const reply = await modern('token-of-ann').rounds('tools/call', { name: 'nags' }, answers, 1_000)
    expect(reply.error).toMatchObject({ code: -32603, message: expect.stringContaining('64 rounds') })
    expect(asked).toBe((65 * 66) / 2)
  })
})

describe('a session of somebody else', () => {
  it('is unknown too when it belongs to a connection that is no HTTP', async () => {
    const memory = memoryTransport()
    const { app } = await start(undefined, { auth: undefined as never, transports: [memory.transport] })
    const client = memory.connect()
    const answers: string[] = []
    client.onMessage((text) => answers.push(text))
    const params = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'a', version: '1' } }
    client.send(JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'initialize', params }))
    client.send(JSON.stringify({ jsonrpc: '2.0', method: 'notifications/initialized' }))
    client.send(JSON.stringify({ jsonrpc: '2.0', id: 2, method: 'tools/call', params: { name: 'session' } }))
    await expect.poll(() => answers.length).toBe(2)
    const thief = new HttpClient(app.url)
    thief.sessionId = JSON.parse(answers[1] ?? '').result.content[0].text
    expect(thief.sessionId).toMatch(/^[\x21-\x7e]{16,}$/)
    expect((await thief.begin('tools/call', { name: 'whoami' })).status).toBe(404)
    expect((await thief.listen()).status).toBe(404)
    expect((await thief.end()).status).toBe(404)
    expect(client.isOpen).toBe(true)
    expect(answers).toHaveLength(2)
  })

  it('is as unknown as one that nobody has: on POST, GET and DELETE', async () => {
    const { app, legacy } = await start()
    const ann = await legacy('token-of-ann')
    const bob = new HttpClient(app.url)
    bob.headers = bearer('token-of-bob')
    bob.sessionId = ann.sessionId
    const nobody = new HttpClient(app.url)
    nobody.headers = bearer('token-of-bob')
    nobody.sessionId = 'nobody'
    const attempts: ((client: HttpClient) => ReturnType<HttpClient['end']>)[] = [
      (client) => client.begin('ping'),
      (client) => client.begin('tools/call', { name: 'whoami' }),
      (client) => client.send({ method: 'notifications/initialized' }),
      (client) => client.initialize(),
      (client) => client.listen(),
      (client) => client.listen('g_1'),
      (client) => client.end(),
    ]
    for (const attempt of attempts) {
      bob.sessionId = ann.sessionId
      nobody.sessionId = 'nobody'
      const [stolen, unknown] = [await attempt(bob), await attempt(nobody)]
      await Promise.all([stolen.over, unknown.over])
      expect(stolen.status).toBe(404)
      // Nothing tells the two apart.
      expect([stolen.status, stolen.messages]).toEqual([unknown.status, unknown.messages])
    }
    expect((await ann.call('whoami')).result.content[0].text).toBe('ann')
  })

  it('does not take the answer to a question that was put to its owner', async () => {
    const { app, legacy } = await start()
    const ann = await legacy('token-of-ann', { elicitation: {} })
    const stream = await ann.begin('tools/call', { name: 'asks' })
    const { id = null } = await stream.until(({ method }) => method === 'elicitation/create')
    const bob = new HttpClient(app.url)
    bob.headers = bearer('token-of-bob')
    bob.sessionId = ann.sessionId
    expect((await bob.send({ id, result: { action: 'accept', content: {} } })).status).toBe(404)
    expect((await ann.send({ id, result: { action: 'decline' } })).status).toBe(202)
    expect((await stream.until(({ result }) => result !== undefined)).result.content[0].text).toBe('decline')
  })

  it('does not give its stream to somebody who knows an event of it', async () => {
    const { app, legacy } = await start()
    const ann = await legacy('token-of-ann', { elicitation: {} })
    const stream = await ann.begin('tools/call', { name: 'asks' })
    await stream.untilEvents(2)
    const bob = new HttpClient(app.url)
    bob.headers = bearer('token-of-bob')
    bob.sessionId = ann.sessionId
    expect((await bob.listen(stream.events[0]?.id)).status).toBe(404)
    // Nor in a session of his own.
    const own = await legacy('token-of-bob')
    expect((await own.listen(stream.events[0]?.id)).status).toBe(400)
    stream.drop()
  })

  it('serves all tokens of its principal, each request with the scopes of its own', async () => {
    const { app, legacy } = await start()
    const ann = await legacy('token-of-ann')
    expect((await ann.call('erase')).result.content[0].text).toBe('erased by ann')
    ann.headers = bearer('token-of-ann-that-reads')
    expect((await ann.call('whoami')).result.content[0].text).toBe('ann')
    expect((await ann.begin('tools/call', { name: 'erase' })).status).toBe(403)
    expect(app.metrics()['sessions']).toBe(1)
  })
})

describe('a task of somebody else', () => {
  it('is unknown in the modern form', async () => {
    const { modern, open } = await start()
    const [ann, bob] = [modern('token-of-ann'), modern('token-of-bob')]
    const { taskId } = (await ann.call('job')).result
    for (const [method, more] of [
      ['tasks/get', {}],
      ['tasks/update', { inputResponses: {} }],
      ['tasks/cancel', {}],
    ] as const) {
      const [stolen, unknown] = [
        await bob.request(method, { taskId, ...more }),
        await bob.request(method, { taskId: 'A'.repeat(taskId.length), ...more }),
      ]
      expect(stolen.error?.code).toBe(-32602)
      const sentence = (text = ''): string =>
        text.replaceAll(taskId, '<id>').replaceAll('A'.repeat(taskId.length), '<id>')
      expect(sentence(stolen.error?.message)).toBe(sentence(unknown.error?.message))
    }
    const listening = await bob.begin('subscriptions/listen', { notifications: { taskIds: [taskId] } })
    await listening.untilEvents(1)
    expect(listening.messages[0]?.params.notifications).toEqual({ taskIds: [] })
    open()
    await expect.poll(async () => (await ann.request('tasks/get', { taskId })).result.status).toBe('completed')
    expect(listening.messages).toHaveLength(1)
    listening.drop()
  })

  it('is unknown in the legacy form', async () => {
    const { legacy } = await start()
    const [ann, bob] = [await legacy('token-of-ann'), await legacy('token-of-bob')]
    const created = await ann.request('tools/call', { name: 'job', task: { ttl: 60_000 } })
    const { taskId } = created.result.task
    for (const method of ['tasks/get', 'tasks/result', 'tasks/cancel'])
      expect((await bob.request(method, { taskId })).error?.code).toBe(-32602)
    expect((await bob.request('tasks/list')).result.tasks).toEqual([])
    expect((await ann.request('tasks/list')).result.tasks).toHaveLength(1)
    expect((await ann.request('tasks/get', { taskId })).result.status).toBe('working')
  })

  it('is unknown across the eras too', async () => {
    const { modern, legacy } = await start()
    const { taskId } = (await modern('token-of-ann').call('job')).result
    expect((await (await legacy('token-of-bob')).request('tasks/get', { taskId })).error?.code).toBe(-32602)
    const created = await (await legacy('token-of-ann')).request('tools/call', { name: 'job', task: {} })
    const bob = modern('token-of-bob')
    expect((await bob.request('tasks/get', { taskId: created.result.task.taskId })).error?.code).toBe(-32602)
  })

  it('of another session is unknown where nobody says who he is', async () => {
    const { app } = await start(undefined, { auth: undefined as never })
    const [one, other] = [await HttpClient.open(app.url), await HttpClient.open(app.url)]
    const { taskId } = (await one.request('tools/call', { name: 'job', task: {} })).result.task
    expect((await other.request('tasks/get', { taskId })).error?.code).toBe(-32602)
    expect((await other.request('tasks/list')).result.tasks).toEqual([])
    expect((await one.request('tasks/get', { taskId })).result.status).toBe('working')
  })
})
