/**
 * Sessions over HTTP in a durable store: nothing is told before it is on the disk, and after a kill everything goes on. The
 * store is one whose commits the test makes, the clients one whose every event is looked at.
 */
import { createServer, type ServeOptions, type Server, serve, type ToolContext } from 'bough'
import { createSimulation, type Simulation } from 'bough/testing'
import { describe, expect, it } from 'vitest'
import type { Ref } from '#runtime'
import { type FakeAnswer, FakeHttp } from './exchanges.ts'
import { FakeDisk, SlowStore } from './slow-store.ts'
import { deferred, SEED, type Wire } from './support.ts'

/** A life of a server over a disk. */
class Life {
  readonly sim: Simulation
  readonly http: FakeHttp
  readonly store: SlowStore
  readonly app: Awaited<ReturnType<typeof serve>>

  constructor(sim: Simulation, http: FakeHttp, store: SlowStore, app: Awaited<ReturnType<typeof serve>>) {
    this.sim = sim
    this.http = http
    this.store = store
    this.app = app
  }

  static async start(disk: FakeDisk, server: Server, options: Partial<ServeOptions> = {}, seed = SEED): Promise<Life> {
    const sim = createSimulation({ seed })
    const http = new FakeHttp()
    const store = new SlowStore(disk)
    const given = {
      system: sim.system,
      transports: [http.transport],
      signals: false,
      guard: false,
      logger: false,
    } as const
    const app = await sim.run(serve(server, { ...given, store, ...options }))
    return new Life(sim, http, store, app)
  }

  /** Lets everything happen and become durable. */
  async settle(): Promise<void> {
    do {
      this.store.commit()
      await this.sim.settle()
    } while (this.store.isBehind)
  }

  /** The program is killed: connections break, and what was not durable is lost. */
  kill(isWritten = false): void {
    this.http.dropAll()
    this.store.kill(isWritten)
  }

  /** Opens a session and returns its id. */
  async open(capabilities: object = {}, version = '2025-11-25'): Promise<string> {
    const answer = this.http.post(initialize(capabilities, version))
    await this.settle()
    const id = answer.headers['mcp-session-id'] ?? ''
    this.http.post({ method: 'notifications/initialized' }, { sessionId: id })
    await this.settle()
    return id
  }

  async post(message: Wire, sessionId: string): Promise<FakeAnswer> {
    const answer = this.http.post(message, { sessionId })
    await this.settle()
    return answer
  }

  async get(sessionId: string, lastEventId?: string): Promise<FakeAnswer> {
    const answer = this.http.get(sessionId, lastEventId)
    await this.settle()
    return answer
  }
}

const initialize = (capabilities: object = {}, protocolVersion = '2025-11-25'): Wire => ({
  id: 0,
  method: 'initialize',
  params: { protocolVersion, capabilities, clientInfo: { name: 'test', version: '1' } },
})

const methodsOf = (answer: FakeAnswer): (string | undefined)[] => answer.messages.map(({ method }) => method)

function steps() {
  const gate = deferred()
  const server = createServer({ name: 'durable', version: '1' })
    .tool('echo', { run: () => 'hi' })
    .tool('steps', {
      run: async (_args, ctx: ToolContext) => {
        ctx.progress(1)
        ctx.progress(2)
        await gate.promise
        ctx.progress(3)
        return 'done'
      },
    })
    .tool('whose', { run: (_args, ctx) => JSON.stringify(ctx.session) })
    .resource('config://app', { read: () => 'x' })
    .resource('config://other', { read: () => 'x' })
  return { server, gate }
}

const call = (id: number, name: string): Wire => ({
  id,
  method: 'tools/call',
  params: { name, arguments: {}, _meta: { progressToken: `t${id}` } },
})

describe('what is told', () => {
  it('is durable before it is told: the session id, a subscription, an event', async () => {
    const { server, gate } = steps()
    const life = await Life.start(new FakeDisk(), server)
    const opening = life.http.post(initialize())
    await life.sim.settle()
    expect(opening.isOver).toBe(false)
    life.store.commit()
    expect(opening.json).toMatchObject({ id: 0, result: { protocolVersion: '2025-11-25' } })
    const sessionId = opening.headers['mcp-session-id'] as string
    await life.post({ method: 'notifications/initialized' }, sessionId)
    const subscribing = life.http.post(
      { id: 1, method: 'resources/subscribe', params: { uri: 'config://app' } },
      { sessionId },
    )
    await life.sim.settle()
    expect(subscribing.isOver).toBe(false)
    life.store.commit()
    expect(subscribing.json).toMatchObject({ id: 1, result: {} })
    const calling = life.http.post(call(2, 'steps'), { sessionId })
    await life.sim.settle()
    expect(calling.events).toEqual([])
    life.store.commit()
    expect(methodsOf(calling)).toEqual(['notifications/progress', 'notifications/progress'])
    gate.resolve()
    await life.sim.settle()
    expect(calling.isOver).toBe(false)
    life.store.commit()
    expect(calling.messages.at(-1)).toMatchObject({ id: 2, result: { content: [{ text: 'done' }] } })
    expect(calling.isOver).toBe(true)
  })

  it('waits for nothing where nothing is promised: an answer as plain JSON', async () => {
    const { server } = steps()
    const life = await Life.start(new FakeDisk(), server)
    const sessionId = await life.open()
    const answers = [call(1, 'echo'), { id: 2, method: 'tools/list' }].map((one) => life.http.post(one, { sessionId }))
    await life.sim.settle()
    expect(answers.map(({ isOver }) => isOver)).toEqual([true, true])
  })

  it('waits for nothing without a durable store', async () => {
    const { server } = steps()
    const life = await Life.start(new FakeDisk(), server, { store: 'memory' })
    const opening = life.http.post(initialize())
    await life.sim.settle()
    expect(opening.isOver).toBe(true)
  })

  it('that a session has ended is durable too', async () => {
    const { server } = steps()
    const disk = new FakeDisk()
    const life = await Life.start(disk, server)
    const [first, second] = [await life.open(), await life.open()]
    const ending = [life.http.delete(first), life.http.delete(second)]
    await life.sim.settle()
    expect(ending.map(({ status }) => status)).toEqual([undefined, undefined])
    life.store.commit()
    expect(ending.map(({ status }) => status)).toEqual([200, 200])
    life.kill()
    const next = await Life.start(disk, server)
    expect((await next.post({ id: 1, method: 'ping' }, first)).status).toBe(404)
    expect((await next.get(second)).status).toBe(404)
  })
})

describe('after a kill', () => {
  it('a client goes on with its session: revision, capabilities, level, subscriptions', async () => {
    const { server } = steps()
    const disk = new FakeDisk()
    const life = await Life.start(disk, server)
    const sessionId = await life.open({ roots: {} }, '2025-06-18')
    await life.post({ id: 1, method: 'resources/subscribe', params: { uri: 'config://app' } }, sessionId)
    await life.post({ id: 2, method: 'logging/setLevel', params: { level: 'error' } }, sessionId)
    life.kill()
    const next = await Life.start(disk, server)
    expect(next.app.metrics()['sessions']).toBe(0)
    const answer = await next.post(call(3, 'whose'), sessionId)
    expect(JSON.parse((answer.json as Wire).result.content[0].text)).toMatchObject({
      id: sessionId,
      protocolVersion: '2025-06-18',
      clientInfo: { name: 'test' },
      clientCapabilities: { roots: {} },
    })
    expect(next.app.metrics()['sessions']).toBe(1)
    const listening = await next.get(sessionId)
    await next.sim.run(Promise.all([next.app.resourceUpdated('config://app'), next.settle()]))
    expect(methodsOf(listening)).toEqual(['notifications/resources/updated'])
  })

  it('an id that was never told may be unknown, and one that was is known', async () => {
    const { server } = steps()
    const disk = new FakeDisk()
    const life = await Life.start(disk, server)
    const opening = life.http.post(initialize())
    await life.sim.settle()
    const { 'mcp-session-id': sessionId = '' } = opening.headers
    life.kill()
    const next = await Life.start(disk, server)
    expect((await next.post({ id: 1, method: 'ping' }, sessionId)).status).toBe(404)
  })

  it('a stream that was open is resumed, and its request is answered with an error, once', async () => {
    const { server } = steps()
    const disk = new FakeDisk()
    const life = await Life.start(disk, server)
    const sessionId = await life.open()
    const calling = await life.post(call(7, 'steps'), sessionId)
    const [primed, first] = calling.events
    expect(calling.events).toHaveLength(3)
    life.kill()
    for (let run = 0; run < 2; run++) {
      const next = await Life.start(disk, server)
      const again = await next.get(sessionId, first?.id)
      expect(again.messages).toMatchObject([
        { method: 'notifications/progress', params: { progress: 2 } },
        { id: 7, error: { code: -32603, message: expect.stringContaining('restarted') } },
      ])
      expect(again.isOver).toBe(true)
      expect((await next.get(sessionId, primed?.id)).messages).toHaveLength(3)
      next.kill()
    }
  })

  it('a batch that was under way is answered as one', async () => {
    const { server } = steps()
    const disk = new FakeDisk()
    const life = await Life.start(disk, server)
    const sessionId = await life.open({}, '2025-03-26')
    const calling = life.http.post([call(1, 'steps'), call(2, 'steps')], { sessionId })
    await life.settle()
    life.kill()
    const next = await Life.start(disk, server)
    const again = await next.get(sessionId, calling.lastEventId)
    expect(again.messages).toMatchObject([1, 2].map((id) => ({ id, error: { code: -32603 } })))
  })

  it('a stream that ended is resumed with its answer, and with nothing else', async () => {
    const { server, gate } = steps()
    const disk = new FakeDisk()
    const life = await Life.start(disk, server)
    const sessionId = await life.open()
    const calling = await life.post(call(7, 'steps'), sessionId)
    gate.resolve()
    await life.settle()
    life.kill()
    const next = await Life.start(disk, server)
    const again = await next.get(sessionId, calling.events[2]?.id)
    expect(again.messages).toMatchObject([{ params: { progress: 3 } }, { id: 7, result: {} }])
    expect((await next.get(sessionId, calling.lastEventId)).messages).toEqual([])
  })

  it('an answer whose commit was under way is there or is an error, never both', async () => {
    for (const isWritten of [true, false]) {
      const { server, gate } = steps()
      const disk = new FakeDisk()
      const life = await Life.start(disk, server)
      const sessionId = await life.open()
      const calling = await life.post(call(7, 'steps'), sessionId)
      gate.resolve()
      await life.sim.settle()
      life.store.begin()
      life.kill(isWritten)
      const next = await Life.start(disk, server)
      const again = await next.get(sessionId, calling.lastEventId)
      const answers = again.messages.filter(({ id }) => id === 7)
      expect(answers).toHaveLength(1)
      expect(answers[0]?.result !== undefined).toBe(isWritten)
    }
  })

  it('the standalone stream is resumed where it was, and updates of a dormant session wait in its log', async () => {
    const { server } = steps()
    const disk = new FakeDisk()
    const life = await Life.start(disk, server)
    const sessionId = await life.open()
    await life.post({ id: 1, method: 'resources/subscribe', params: { uri: 'config://app' } }, sessionId)
    const listening = await life.get(sessionId)
    await life.sim.run(Promise.all([life.app.resourceUpdated('config://app'), life.settle()]))
    expect(methodsOf(listening)).toEqual(['notifications/resources/updated'])
    await life.sim.advance(100)
    // Logged, but not seen: the connection had broken.
    listening.drop()
    life.app.resourceUpdated('config://app')
    await life.settle()
    life.kill()
    const next = await Life.start(disk, server)
    next.app.resourceUpdated('config://other')
    next.app.resourceUpdated('config://app')
    await next.settle()
    expect(next.app.metrics()['sessions']).toBe(0)
    const resumed = await next.get(sessionId, listening.lastEventId)
    expect(methodsOf(resumed)).toEqual(Array(2).fill('notifications/resources/updated'))
    await next.sim.advance(100)
    next.app.resourceUpdated('config://app')
    await next.settle()
    expect(methodsOf(resumed)).toHaveLength(3)
    expect(new Set(resumed.events.map(({ id }) => id)).size).toBe(resumed.events.length)
  })

  it('what waited for a first connection is given to it', async () => {
    const { server } = steps()
    const disk = new FakeDisk()
    const life = await Life.start(disk, server)
    const sessionId = await life.open()
    await life.post({ id: 1, method: 'resources/subscribe', params: { uri: 'config://app' } }, sessionId)
    life.app.resourceUpdated('config://app')
    await life.settle()
    life.kill()
    const next = await Life.start(disk, server)
    expect(methodsOf(await next.get(sessionId))).toEqual(['notifications/resources/updated'])
  })

  it('an update that was answered for is not lost', async () => {
    const { server } = steps()
    const disk = new FakeDisk()
    const life = await Life.start(disk, server)
    const sessionId = await life.open()
    await life.post({ id: 1, method: 'resources/subscribe', params: { uri: 'config://app' } }, sessionId)
    let isTold = false
    const telling = Promise.resolve(life.app.resourceUpdated('config://app')).then(() => {
      isTold = true
    })
    await life.sim.settle()
    expect(isTold).toBe(false)
    await life.sim.run(Promise.all([telling, life.settle()]))
    life.kill()
    const next = await Life.start(disk, server)
    expect(methodsOf(await next.get(sessionId))).toEqual(['notifications/resources/updated'])
  })

  it('sessions that do not come back cost no process and go when their time is over', async () => {
    const { server } = steps()
    const disk = new FakeDisk()
    const life = await Life.start(disk, server)
    const ids: string[] = []
    for (let n = 0; n < 50; n++) ids.push(await life.open())
    life.kill()
    const idleMs = 600_000
    const next = await Life.start(disk, server, { sessions: { idleMs } })
    const count = next.app.system.processCount
    expect(count).toBeLessThan(40)
    expect((await next.post({ id: 1, method: 'ping' }, ids[0] ?? '')).json).toMatchObject({ result: {} })
    expect(next.app.system.processCount).toBe(count + 2)
    next.store.isFast = true
    await next.sim.advance(2 * idleMs)
    for (const id of ids) expect((await next.post({ id: 1, method: 'ping' }, id)).status).toBe(404)
    expect(next.app.system.timers.size).toBe(0)
  })

  it('many messages for a session that sleeps wake it once', async () => {
    const { server } = steps()
    const disk = new FakeDisk()
    const life = await Life.start(disk, server)
    const sessionId = await life.open()
    life.kill()
    const next = await Life.start(disk, server)
    const answers = [1, 2, 3, 4].map((id) => next.http.post(call(id, 'echo'), { sessionId }))
    await next.settle()
    expect(answers.map(({ json }) => (json as Wire).id)).toEqual([1, 2, 3, 4])
    expect(next.app.metrics()['sessions']).toBe(1)
  })

  it('a session that sleeps is ended without being woken', async () => {
    const { server } = steps()
    const disk = new FakeDisk()
    const life = await Life.start(disk, server)
    const sessionId = await life.open()
    life.kill()
    const next = await Life.start(disk, server)
    const ending = next.http.delete(sessionId)
    await next.settle()
    expect(ending.status).toBe(200)
    expect((await next.get(sessionId)).status).toBe(404)
    next.kill()
    const last = await Life.start(disk, server)
    expect((await last.get(sessionId)).status).toBe(404)
  })
})

describe('after a stop in order', () => {
  it('sessions over HTTP are there at the next start', async () => {
    const { server } = steps()
    const disk = new FakeDisk()
    const life = await Life.start(disk, server)
    const sessionId = await life.open()
    life.store.isFast = true
    await life.sim.run(life.app.stop())
    const next = await Life.start(disk, server)
    expect((await next.post(call(1, 'echo'), sessionId)).status).toBe(200)
  })
})

describe('a session whose subtree dies under it', () => {
  it('is woken by its next message, in memory as well', async () => {
    const { server } = steps()
    const life = await Life.start(new FakeDisk(), server, { store: 'memory' })
    const sessionId = await life.open()
    const sessions = life.sim.system.processes().filter((ref: Ref) => ref.info()?.definition === 'session-tree')
    for (const ref of sessions) ref.exit('kill')
    await life.settle()
    expect((await life.post(call(1, 'echo'), sessionId)).status).toBe(200)
  })
})

describe('a session that is bound to somebody', () => {
  it('is unknown to everybody else', async () => {
    const { server } = steps()
    const disk = new FakeDisk()
    const auth = {
      authenticate: ({ headers }: { headers: Readonly<Record<string, unknown>> }) => ({
        ok: true as const,
        principal: { id: String(headers['x-who']), scopes: [], claims: {} },
      }),
      challenge: () => ({ ok: false as const, status: 403 as const, headers: {}, error: { code: -1, message: 'no' } }),
      metadata: () => undefined,
    }
    const life = await Life.start(disk, server, { auth })
    const ann = { headers: { 'x-who': 'ann' } }
    const opening = life.http.post(initialize(), ann)
    await life.settle()
    const sessionId = opening.headers['mcp-session-id']
    const ask = async (on: Life, who: string): Promise<number | undefined> => {
      const answer = on.http.post(call(1, 'echo'), { sessionId, headers: { 'x-who': who } })
      await on.settle()
      return answer.status
    }
    expect([await ask(life, 'ann'), await ask(life, 'bob')]).toEqual([200, 404])
    life.kill()
    const next = await Life.start(disk, server, { auth })
    expect([await ask(next, 'bob'), await ask(next, 'ann')]).toEqual([404, 200])
  })
})
