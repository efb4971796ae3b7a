import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { child, createSystem, defineActor, defineSupervisor, realClock } from 'bough/runtime'
import { type ChaosProxyOptions, chaosProxy, createChaos, faultyPort, jumpingClock, VirtualClock } from 'bough/testing'
import { describe, expect, it, onTestFinished } from 'vitest'

const Worker = defineActor({ name: 'worker', init: () => ({}) })
const Bystander = defineActor({ name: 'bystander', init: () => ({}) })

async function tree() {
  const system = createSystem()
  onTestFinished(() => system.stop())
  const ids = ['one', 'two', 'three', 'four']
  const children = ids.map((id) => child(Worker, undefined, { id, restart: 'temporary' }))
  const Tree = defineSupervisor({ children: [child(Bystander, undefined, { id: 'by' }), ...children] })
  await system.start(Tree)
  return system
}

describe('chaos in a system that runs', () => {
  it('kills only what is named, and nothing that is spared', async () => {
    const system = await tree()
    const chaos = createChaos(system, { targets: ['worker'], spared: ['three'] })
    expect(chaos.targets.map(({ definition }) => definition)).toEqual(['worker', 'worker', 'worker'])
    expect(chaos.kill(10)).toHaveLength(3)
    expect(chaos.kill()).toEqual([])
    const left = system.processes().map((ref) => ref.info()?.definition)
    expect(left.filter((name) => name === 'worker')).toHaveLength(1)
    expect(left).toContain('bystander')
  })

  it('chooses the same victims for the same seed', async () => {
    const victims = async (seed: number): Promise<number[]> => {
      const system = await tree()
      const before = system.processes().map(({ pid }) => pid)
      const killed = createChaos(system, { seed, targets: ['worker'] }).kill(2)
      return killed.map(({ pid }) => before.indexOf(pid))
    }
    expect(await victims(7)).toEqual(await victims(7))
    const all = await Promise.all(Array.from({ length: 10 }, (_, seed) => victims(seed)))
    expect(new Set(all.map(String)).size).toBeGreaterThan(1)
  })

  it('holds descriptors up to a bound, and lets go of them', async () => {
    const held = await createChaos(createSystem()).descriptors(5)
    expect(held).toMatchObject({ count: 5, areExhausted: false })
    await held.release()
    await held.release()
  })

  it('holds up the event loop', async () => {
    let hasRun = false
    setImmediate(() => {
      hasRun = true
    })
    const startedAt = performance.now()
    createChaos(createSystem()).block(20)
    expect(performance.now() - startedAt).toBeGreaterThanOrEqual(20)
    expect(hasRun).toBe(false)
  })

  it('makes ports fail that are wrapped for it', () => {
    const port = { put: () => true, get: () => 'x' }
    const faulty = faultyPort('store', port, createChaos(createSystem()), { put: { fail: 1 } })
    expect(() => faulty.put()).toThrow('store.put failed')
    expect(faulty.get()).toBe('x')
  })
})

describe('a clock that jumps', () => {
  it('moves the time of day either way and monotonic time forward alone, and leaves timers as they are', () => {
    const base = new VirtualClock()
    const clock = jumpingClock(base)
    let fired = 0
    clock.setTimer(() => fired++, 100)
    const wall = clock.wallNow()
    clock.jump(-5_000, 1_000)
    expect([clock.wallNow() - wall, clock.now(), fired]).toEqual([-5_000, 1_000, 0])
    base.fireNext()
    expect(fired).toBe(1)
    expect(() => clock.jump(0, -1)).toThrow(RangeError)
    expect(jumpingClock(realClock).holdTimer).toBeDefined()
  })
})

describe('a proxy that hurts', () => {
  it('passes everything on, both ways, and half-closes, when it is told of no faults', async () => {
    const { proxy, dial } = await echo()
    const socket = dial()
    const text = 'x'.repeat(300_000)
    socket.end(text)
    expect(await all(socket)).toBe(text)
    expect(proxy.counts).toMatchObject({ connections: 1, cut: 0, corrupted: 0, delayed: 0 })
  })

  it('flips one bit of each piece', async () => {
    const { proxy, dial } = await echo({ faults: { corrupt: 1 } })
    const socket = dial()
    socket.end('a')
    expect(Buffer.byteLength(await all(socket))).toBeGreaterThan(0)
    expect(proxy.counts.corrupted).toBe(2)
  })

  it('holds pieces back without losing their order', async () => {
    const { proxy, dial } = await echo({ faults: { delay: 0.5, delayMs: 3, bytesPerSecond: 1_000_000 } })
    const socket = dial()
    const sent = Array.from({ length: 20 }, (_, index) => `${index};`)
    for (const piece of sent) {
      socket.write(piece)
      await new Promise((resolve) => setImmediate(resolve))
    }
    socket.end()
    expect(await all(socket)).toBe(sent.join(''))
    expect(proxy.counts.throttled).toBeGreaterThan(0)
  })

  it('cuts connections, one by one or all at once', async () => {
    const { proxy, dial } = await echo()
    const sockets = [dial(), dial()]
    for (const socket of sockets) {
      socket.write('x')
      await once(socket, 'data')
    }
    const ends = sockets.map(closed)
    expect(proxy.cutAll()).toBe(2)
    await Promise.all(ends)
    proxy.faults = { cut: 1 }
    const last = dial()
    last.write('x')
    await closed(last)
    expect(proxy.counts.cut).toBe(3)
  })

  it('takes no more connections than its bound', async () => {
    const { proxy, dial } = await echo({ connectionsMax: 1 })
    const first = dial()
    first.write('x')
    await once(first, 'data')
    await closed(dial())
    expect(proxy.counts.refused).toBe(1)
    expect(proxy.size).toBe(1)
  })
})

/** A server that says what it is told, behind a proxy. */
async function echo(options: Omit<ChaosProxyOptions, 'port'> = {}) {
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('error', () => undefined)
    socket.pipe(socket)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const proxy = await chaosProxy({ port: (server.address() as { port: number }).port, ...options })
  onTestFinished(async () => {
    await proxy.close()
    server.close()
  })
  const dial = (): Socket => connect(proxy.port, '127.0.0.1').on('error', () => undefined)
  return { proxy, dial }
}

/** Resolves when the connection has ended, in order or by force. */
function closed(socket: Socket): Promise<void> {
  return new Promise((resolve) => void socket.on('close', () => resolve()))
}

async function all(socket: Socket): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of socket) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks).toString('latin1')
}
