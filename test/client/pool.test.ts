/** Pools: in virtual time, over the memory transport, and over scripted servers that hang, fail and vanish. */
import { createServer } from 'bough'
import { type Client, type ClientError, type Pool, type PoolOptions, pool } from 'bough/client'
import { describe, expect, it } from 'vitest'
import { memoryClientTransport } from '#transports/client-memory'
import type { ClientTransport } from '#transports/client-port'
import { LinkError } from '#transports/client-port'
import {
  checked,
  discovered,
  type ScriptedLink,
  scripted,
  simulation,
  type Wire,
  type World,
  world,
} from './support.ts'

function desk() {
  const server = createServer({ name: 'desk', version: '1' })
  server.tool('double', {
    input: { type: 'object', properties: { n: { type: 'number' } }, required: ['n'] },
    run: ({ n }: { n: number }) => ({ structured: { twice: n * 2 } }),
  })
  server.tool('fail', { run: () => Promise.reject(new Error('it always does')) })
  server.resource('config://app', { read: () => 'on' })
  server.prompt('greet', { get: () => 'hello' })
  return server
}

function pooled(w: World, options: Partial<PoolOptions> = {}): Promise<Pool> {
  const transport = checked(memoryClientTransport(w.memory), w.passed, w.faults)
  return w.sim.run(pool({ target: { transport }, ...options, options: { system: w.sim.system, ...options.options } }))
}

/** A modern server that answers a call when it is told to. */
async function held(options: Partial<PoolOptions> = {}) {
  const sim = simulation()
  const open: { readonly message: Wire; readonly link: ScriptedLink }[] = []
  const world = { isUp: true, answersPing: true, opened: 0 }
  const script = scripted((message, link) => {
    const isProbe = message.method === 'server/discover'
    if (isProbe && world.answersPing) link.result(message, discovered)
    else if (message.method === 'tools/call') open.push({ message, link })
  })
  const transport: ClientTransport = {
    ...script.transport,
    open: (receiver) => {
      world.opened++
      if (world.isUp) return script.transport.open(receiver)
      const failure = { kind: 'refused', message: 'Nobody is there.', mayHaveRun: false } as const
      return Promise.reject(new LinkError(failure))
    },
  }
  const made = await sim.run(
    pool({
      target: { transport },
      ...options,
      options: { system: sim.system, era: 'modern', reconnect: false, ...options.options },
    }),
  )
  /** Over which links calls are, by their place. */
  const lanes = (): number[] => open.map(({ link }) => script.links.indexOf(link))
  const answer = async (index = 0): Promise<void> => {
    const [one] = open.splice(index, 1)
    one?.link.result(one.message, { resultType: 'complete', content: [] })
    await sim.settle()
  }
  const call = (n = 0, more: { signal?: AbortSignal; timeout?: number } = {}) => {
    const promise = made.callTool('wait', { n }, more)
    promise.catch(() => undefined)
    return promise
  }
  return { sim, pool: made, open, links: script.links, lanes, answer, call, world }
}

const reasonOf = (promise: Promise<unknown>): Promise<ClientError> =>
  promise.then(
    () => Promise.reject(new Error('It did not reject.')),
    (error: ClientError) => error,
  )

describe('a pool', () => {
  it('makes every kind of request over one of its connections', async () => {
    const w = await world(desk())
    const p = await pooled(w)
    const run = <T>(promise: Promise<T>): Promise<T> => w.sim.run(promise)
    expect(await run(p.callTool('double', { n: 2 }))).toMatchObject({ structuredContent: { twice: 4 } })
    expect((await run(p.listTools())).map(({ name }) => name)).toEqual(['double', 'fail'])
    expect(await run(p.readResource('config://app'))).toMatchObject({ contents: [{ text: 'on' }] })
    expect((await run(p.listResources())).length).toBe(1)
    expect((await run(p.listPrompts())).length).toBe(1)
    expect(await run(p.getPrompt('greet'))).toHaveProperty('messages')
    await run(p.ping())
    expect(p.server?.info?.name).toBe('desk')
    expect(p.stats()).toEqual({ connections: 2, overflow: 0, busy: 0, queued: 0, circuit: 'closed' })
    await run(p.close())
  })

  it('leaves no process behind when it is closed', async () => {
    const w = await world(desk())
    const before = w.sim.system.processCount
    const p = await pooled(w, { size: 3 })
    await w.sim.run(p.callTool('double', { n: 2 }))
    expect(w.sim.system.processCount).toBeGreaterThan(before + 9)
    await w.sim.run(p.close())
    await w.sim.settle()
    expect(w.sim.system.processCount).toBe(before)
    await expect(p.callTool('double')).rejects.toMatchObject({ code: 'closed', mayHaveRun: false })
  })

  it('rejects when the server cannot be reached at first, and leaves nothing behind', async () => {
    const sim = simulation()
    const failure = { kind: 'refused', message: 'Nobody is there.', mayHaveRun: false } as const
    const transport = { name: 'http', target: 'nowhere', open: () => Promise.reject(new LinkError(failure)) }
    const opening = pool({ target: { transport }, options: { system: sim.system } })
    expect(await sim.run(reasonOf(opening))).toMatchObject({ code: 'refused' })
    await sim.settle()
    expect(sim.system.processCount).toBe(0)
  })

  it.each([
    [{ size: 0 }, 'pool: size must be a whole number from 1 to 10000, got number 0.'],
    [{ strategy: 'first' as 'random' }, 'pool: strategy must be one of least_busy, round_robin, random'],
    [{ breaker: { failures: 0.5 } }, 'pool: breaker.failures must be a whole number of at least 1, got number 0.5.'],
  ])('refuses %o', async (options, message) => {
    await expect(pool({ target: 'http://127.0.0.1:1/mcp', ...options })).rejects.toThrow(message)
  })
})

describe('the strategy', () => {
  it('least_busy gives a call to the connection with the fewest', async () => {
    const { pool: p, sim, lanes, answer, call } = await held({ size: 3 })
    for (let n = 0; n < 3; n++) void call(n)
    await sim.settle()
    expect(lanes().sort()).toEqual([0, 1, 2])
    await answer(1)
    const [...before] = lanes()
    void call(3)
    await sim.settle()
    expect(lanes().length).toBe(3)
    expect([...lanes()].sort()).toEqual([0, 1, 2])
    expect(before.length).toBe(2)
    await sim.run(p.close())
  })

  it('round_robin goes from one to the next', async () => {
    const { pool: p, sim, lanes, answer, call } = await held({ size: 3, strategy: 'round_robin' })
    const order: number[] = []
    for (let n = 0; n < 6; n++) {
      const one = call(n)
      await sim.settle()
      order.push(...lanes())
      await answer()
      await sim.run(one)
    }
    expect(order.slice(3)).toEqual(order.slice(0, 3))
    expect(new Set(order).size).toBe(3)
    await sim.run(p.close())
  })

  it('random uses them all', async () => {
    const { pool: p, sim, lanes, call } = await held({ size: 3, strategy: 'random' })
    for (let n = 0; n < 60; n++) void call(n)
    await sim.settle()
    for (const lane of [0, 1, 2]) expect(lanes().filter((one) => one === lane).length).toBeGreaterThan(8)
    await sim.run(p.close())
  })
})

describe('a busy pool', () => {
  it('has calls wait, and no more in flight than it may', async () => {
    const { pool: p, sim, open, answer, call } = await held({ size: 2, maxInFlight: 1 })
    const order: number[] = []
    const calls = [0, 1, 2, 3, 4].map((n) => call(n).then(() => order.push(n)))
    await sim.settle()
    expect(p.stats()).toMatchObject({ busy: 2, queued: 3 })
    while (open.length > 0) {
      expect(open.length).toBeLessThanOrEqual(2)
      await answer()
    }
    await sim.run(Promise.all(calls))
    // Which of two connections is the faster one is the schedule's choice.
    expect(order.toSorted()).toEqual([0, 1, 2, 3, 4])
    expect(order.slice(0, 2).toSorted()).toEqual([0, 1])
    await sim.run(p.close())
  })

  it('has calls over one connection answered in the order they came', async () => {
    const { pool: p, sim, open, answer, call } = await held({ size: 1, maxInFlight: 1 })
    const order: number[] = []
    const calls = [0, 1, 2, 3, 4].map((n) => call(n).then(() => order.push(n)))
    await sim.settle()
    while (open.length > 0) await answer()
    await sim.run(Promise.all(calls))
    expect(order).toEqual([0, 1, 2, 3, 4])
    await sim.run(p.close())
  })

  it('refuses a call that is one too many, and one that waited too long: neither was sent', async () => {
    const { pool: p, sim, open, call } = await held({ size: 1, maxInFlight: 1, queueMax: 1, checkoutTimeoutMs: 500 })
    void call(0)
    const late = call(1)
    const refused = await sim.run(reasonOf(call(2)))
    expect(refused).toMatchObject({ code: 'overload', mayHaveRun: false })
    expect(refused.message).toContain('1 wait for one')
    await sim.advance(500)
    expect(await reasonOf(late)).toMatchObject({ code: 'timeout', mayHaveRun: false })
    expect(open.length).toBe(1)
    await sim.run(p.close())
  })

  it('forgets who is cancelled while it waits', async () => {
    const { pool: p, sim, open, answer, call } = await held({ size: 1, maxInFlight: 1 })
    void call(0)
    const gone = new AbortController()
    const second = call(1, { signal: gone.signal })
    void call(2)
    await sim.settle()
    gone.abort()
    expect(await reasonOf(second)).toMatchObject({ code: 'cancelled', mayHaveRun: false })
    await answer()
    expect(open[0]?.message.params?.arguments).toEqual({ n: 2 })
    await sim.run(p.close())
  })

  it('opens connections beyond its size, and closes them when they are idle', async () => {
    const {
      pool: p,
      sim,
      links,
      open,
      answer,
      call,
    } = await held({
      size: 1,
      maxOverflow: 2,
      maxInFlight: 1,
      overflowIdleMs: 1_000,
    })
    for (let n = 0; n < 5; n++) void call(n)
    await sim.settle()
    expect(p.stats()).toMatchObject({ connections: 3, overflow: 2, busy: 3, queued: 2 })
    expect(links.length).toBe(3)
    while (open.length > 0) await answer()
    await sim.advance(3_000)
    expect(p.stats()).toMatchObject({ connections: 1, overflow: 0, busy: 0 })
    expect(links.filter(({ isClosed }) => isClosed).length).toBe(2)
    await sim.run(p.close())
  })
})

describe('use', () => {
  it('has a connection alone, while calls go over the others', async () => {
    const { pool: p, sim, links, lanes, open, call } = await held({ size: 2 })
    let done: () => void = () => undefined
    const used: Client[] = []
    const using = p.use((client) => {
      used.push(client)
      return new Promise<void>((resolve) => {
        done = resolve
      })
    })
    for (let n = 0; n < 4; n++) void call(n)
    await sim.settle()
    expect(new Set(lanes()).size).toBe(1)
    expect(open.length).toBe(4)
    done()
    await sim.run(using)
    void call(5)
    await sim.settle()
    expect(new Set(lanes()).size).toBe(2)
    expect(used.length).toBe(1)
    expect(links.length).toBe(2)
    await sim.run(p.close())
  })

  it('gets its turn though calls never cease: one connection is kept free for it', async () => {
    const { pool: p, sim, open, answer, call } = await held({ size: 2 })
    for (let n = 0; n < 6; n++) void call(n)
    await sim.settle()
    let hasRun = false
    const using = p.use(async () => {
      hasRun = true
    })
    for (let n = 0; n < 20 && !hasRun; n++) {
      void call(n)
      await answer()
      await sim.settle()
    }
    expect(hasRun).toBe(true)
    expect(open.length).toBeGreaterThan(0)
    await sim.run(using)
    await sim.run(p.close())
  })

  it('gives the connection back when its work fails', async () => {
    const { pool: p, sim } = await held({ size: 1 })
    await expect(sim.run(p.use(() => Promise.reject(new Error('no'))))).rejects.toThrow('no')
    expect(p.stats().busy).toBe(0)
    await sim.run(p.use(async () => 1))
    await sim.run(p.close())
  })
})

describe('a server that fails', () => {
  const breaker = { failures: 3, resetMs: 1_000 }

  it('and does not answer is not asked any more for a while', async () => {
    const { pool: p, sim, call, open, answer } = await held({ size: 1, breaker, health: false })
    const late = [0, 1, 2].map((n) => call(n, { timeout: 100 }))
    await sim.advance(100)
    for (const one of late) expect(await reasonOf(one)).toMatchObject({ code: 'timeout', mayHaveRun: true })
    expect(p.stats().circuit).toBe('open')
    const refused = await reasonOf(call(3))
    expect(refused).toMatchObject({ name: 'CircuitOpen', code: 'circuit_open', mayHaveRun: false, retryAfterMs: 1_000 })
    await sim.advance(1_000)
    open.splice(0)
    const trial = call(4)
    expect(await reasonOf(call(5))).toMatchObject({ code: 'circuit_open' })
    await sim.settle()
    await answer()
    await sim.run(trial)
    expect(p.stats().circuit).toBe('closed')
    await sim.run(p.close())
  })

  it('by what its tools answer is not one that is down', async () => {
    const w = await world(desk())
    const p = await pooled(w, { breaker })
    for (let n = 0; n < 5; n++) {
      expect(await w.sim.run(p.callTool('fail'))).toMatchObject({ isError: true })
      expect(await w.sim.run(reasonOf(p.callTool('nothing')))).toMatchObject({ code: -32602 })
    }
    expect(p.stats().circuit).toBe('closed')
    await w.sim.run(p.close())
  })

  it('and whose caller gave up is not one that is down', async () => {
    const { pool: p, sim, call } = await held({ size: 1, breaker, health: false })
    for (let n = 0; n < 5; n++) {
      const gone = new AbortController()
      const one = call(n, { signal: gone.signal })
      await sim.settle()
      gone.abort()
      expect(await sim.run(reasonOf(one))).toMatchObject({ code: 'cancelled' })
    }
    expect(p.stats().circuit).toBe('closed')
    await sim.run(p.close())
  })

  it('and vanishes has those who wait for it told at once, and is found again when it is back', async () => {
    const {
      pool: p,
      sim,
      links,
      open,
      call,
      world: at,
      answer,
    } = await held({
      size: 1,
      maxInFlight: 1,
      breaker: { failures: 2, resetMs: 30_000 },
      health: { intervalMs: 1_000, timeoutMs: 200 },
    })
    const [running, waiting] = [call(0), call(1)]
    await sim.settle()
    at.isUp = false
    links[0]?.break()
    await sim.advance(200)
    expect(await reasonOf(running)).toMatchObject({ code: 'lost', mayHaveRun: true })
    expect((await sim.run(reasonOf(waiting))).mayHaveRun).toBe(false)
    await sim.advance(5_000)
    expect(await sim.run(reasonOf(call(2)))).toMatchObject({ code: 'circuit_open' })
    at.isUp = true
    open.splice(0)
    await sim.advance(15_000)
    // A look at its health found it: nobody had to wait for the time to be over.
    const one = call(3)
    await sim.settle()
    await answer()
    await sim.run(one)
    expect(p.stats().circuit).toBe('closed')
    await sim.run(p.close())
  })

  it('and hangs gets another connection', async () => {
    const { pool: p, sim, world: at, links } = await held({ size: 1, health: { intervalMs: 1_000, timeoutMs: 200 } })
    at.answersPing = false
    await sim.advance(2_500)
    at.answersPing = true
    await sim.advance(40_000)
    expect(links.length).toBeGreaterThan(1)
    expect(links[0]?.isClosed).toBe(true)
    expect(p.stats().connections).toBe(1)
    await sim.run(p.close())
  })
})

describe('a connection of a pool', () => {
  it('whose process crashes is opened anew, and the others do not notice', async () => {
    const { pool: p, sim, links, lanes, call } = await held({ size: 2 })
    const calls = [call(0), call(1)]
    await sim.settle()
    const [first] = sim.system.allProcesses().filter(({ definition }) => definition.name === 'pool-connection')
    first?.ref.exit('kill')
    await sim.settle()
    expect(p.stats().connections).toBe(2)
    expect(links.length).toBe(3)
    expect(links.filter(({ isClosed }) => isClosed).length).toBe(1)
    const fates = await sim.run(Promise.allSettled([calls[0], Promise.race([calls[1], sim.advance(10)])]))
    expect(fates.filter(({ status }) => status === 'rejected').length).toBeLessThanOrEqual(1)
    expect(lanes().length).toBe(2)
    await sim.run(p.close())
  })

  it('whose tree is given up is opened anew', async () => {
    const { pool: p, sim, links } = await held({ size: 1 })
    const tree = sim.system.allProcesses().find(({ definition }) => definition.name === 'client')
    tree?.ref.exit('kill')
    await sim.advance(1_000)
    expect(p.stats().connections).toBe(1)
    expect(links.length).toBe(2)
    await sim.run(p.close())
    expect(sim.system.processCount).toBe(0)
  })
})

describe('changes', () => {
  it('are heard over a connection that is lost: another one takes over', async () => {
    const w = await world(desk())
    const p = await pooled(w, { size: 2 })
    const updates: boolean[] = []
    const lists: string[] = []
    const stop = await w.sim.run(p.subscribe('config://app', ({ isCatchUp }) => updates.push(isCatchUp)))
    const unlisten = p.onListChanged((kind) => lists.push(kind))
    await w.sim.settle()
    await w.sim.run(w.server.resourceUpdated('config://app'))
    w.server.removeTool('fail')
    await w.sim.advance(100)
    expect(updates).toEqual([false])
    expect(lists).toEqual(['tools'])
    for (const { ref, definition } of w.sim.system.allProcesses())
      if (definition.name === 'pool-connection') ref.exit('kill')
    await w.sim.advance(1_000)
    expect(updates).toContain(true)
    await w.sim.run(w.server.resourceUpdated('config://app'))
    await w.sim.advance(100)
    expect(updates.at(-1)).toBe(false)
    unlisten()
    await w.sim.run(stop())
    const count = updates.length
    await w.sim.run(w.server.resourceUpdated('config://app'))
    await w.sim.advance(100)
    expect(updates.length).toBe(count)
    await w.sim.run(p.close())
  })
})
