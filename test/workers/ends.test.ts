/**
 * How workers end: a crash is a reason, a kill is literal, and no thread outlives its process. Threads are seen from inside, by
 * a count in memory that they share and drive up, and from outside, as the operating system counts them.
 */
import {
  CallError,
  child,
  createSystem,
  defineActor,
  defineSupervisor,
  type ExitReason,
  type Ref,
  type System,
  type SystemEvent,
} from 'bough/runtime'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import {
  Counter,
  type CounterActor,
  counterWorker,
  openPorts,
  sharedCount,
  standsStill,
  threadCount,
  until,
} from './support.ts'

type CounterRef = Ref<CounterActor>
const forever = { timeout: Number.POSITIVE_INFINITY }

let system: System
let events: SystemEvent[]
beforeEach(() => {
  events = []
  system = createSystem({ name: 'host', events: (event) => events.push(event) })
})
afterEach(() => system.stop())

const errorOf = (promise: Promise<unknown>): Promise<unknown> => promise.catch((error: unknown) => error)

/** Tells the test of DOWN messages. */
const Watcher = defineActor({
  name: 'watcher',
  init: (tell: (reason: ExitReason) => void) => tell,
  call: { watch: (_tell, ref: Ref, self) => self.monitor(ref), link: (_tell, ref: Ref, self) => self.link(ref) },
  info: (tell, message) => tell((message as { reason: ExitReason }).reason),
})

describe('a crash in a thread', () => {
  it('ends the process with the same reason: callers, monitors, links and events learn it', async () => {
    const ref = await system.start(Counter, 0)
    const reasons: ExitReason[] = []
    const watcher = await system.start(Watcher, (reason) => reasons.push(reason))
    await watcher.call('watch', ref as unknown as Ref)
    const linked = await system.start(Watcher, () => undefined)
    await linked.call('link', ref as unknown as Ref)
    const linkedDown = linked.down
    const waiting = errorOf(ref.call('crash'))
    const behind = errorOf(ref.call('get'))
    const error = (await waiting) as CallError
    expect(error).toBeInstanceOf(CallError)
    expect(error).toMatchObject({ code: 'exit', reason: { name: 'Odd', message: 'a bug', code: 'E_ODD' } })
    expect((error.reason as Error).stack).toContain('counter.mjs')
    expect((error.reason as Error).cause).toMatchObject({ name: 'RangeError', message: 'deeper' })
    expect(await behind).toMatchObject({ code: 'exit', reason: { message: 'a bug' } })
    expect(await linkedDown).toBe(error.reason)
    await until('the monitor tells', () => reasons.length > 0)
    expect(reasons).toEqual([error.reason])
    expect(events.filter(({ type }) => type === 'crash')).toMatchObject([
      { definition: 'counter', pid: ref.pid, reason: { message: 'a bug' } },
      { definition: 'watcher', reason: { message: 'a bug' } },
    ])
    expect(await errorOf(ref.call('get'))).toMatchObject({ code: 'noproc' })
  })

  it('by something that is no Error keeps it as it is', async () => {
    const ref = await system.start(Counter, 0)
    expect(await errorOf(ref.call('throwData'))).toMatchObject({ code: 'exit', reason: { why: 'plain', at: [1, 2] } })
  })

  it('by something that has no copy is a CloneError that says so', async () => {
    const ref = await system.start(Counter, 0)
    const error = await errorOf(ref.call('throwFunction'))
    expect(error).toMatchObject({ code: 'exit', reason: { name: 'CloneError', path: 'reason.why' } })
  })

  it('outside of any handler ends the thread and the process with what nobody caught', async () => {
    const ref = await system.start(Counter, 0)
    const { down } = ref
    expect(await ref.call('throwLater')).toBe('soon')
    expect(await down).toMatchObject({ name: 'Odd', message: 'nobody caught it', code: 'E_ODD' })
  })

  it("by process.exit is 'noconnection'", async () => {
    const ref = await system.start(Counter, 0)
    const error = await errorOf(ref.call('exitProcess'))
    expect(error).toMatchObject({ code: 'exit', reason: 'noconnection' })
  })

  it('by a heap that passes its bound ends nothing but the worker', async () => {
    const small = counterWorker({ resourceLimits: { maxOldGenerationSizeMb: 16, maxYoungGenerationSizeMb: 4 } })
    const ref = await system.start(small, 0)
    const error = await errorOf(ref.call('fill', undefined, forever))
    expect(error).toMatchObject({ code: 'exit', reason: { code: 'ERR_WORKER_OUT_OF_MEMORY' } })
  })
})

describe('a thread in a busy loop', () => {
  it('is ended by kill within 100 ms, and its supervisor starts it anew', async () => {
    const Tree = defineSupervisor({
      intensity: 10,
      children: [child(Counter, 7, { name: 'loops' })],
    })
    await system.start(Tree)
    const freedMs: number[] = []
    // A busy machine may hold up this thread or that one: the best of three counts.
    for (let round = 0; round < 3; round++) {
      const ref = system.whereis('loops') as unknown as CounterRef
      const loop = sharedCount()
      const looping = errorOf(ref.call('loop', loop.buffer, forever))
      await until('it loops', () => loop.value() > 1_000)
      const { down } = ref
      const killedAt = performance.now()
      ref.exit('kill')
      expect(await down).toBe('killed')
      expect(await looping).toMatchObject({ code: 'exit', reason: 'killed' })
      let last = loop.value()
      let movedAt = performance.now()
      while (performance.now() - movedAt < 50) {
        await new Promise((resolve) => setTimeout(resolve, 1))
        if (loop.value() === last) continue
        last = loop.value()
        movedAt = performance.now()
      }
      freedMs.push(movedAt - killedAt)
      await until(
        'there is another',
        () => system.whereis('loops')?.alive === true && system.whereis('loops') !== (ref as unknown),
      )
      const next = system.whereis('loops') as unknown as CounterRef
      expect(await next.call('get')).toBe(7)
    }
    expect(Math.min(...freedMs)).toBeLessThan(100)
    expect(Math.max(...freedMs)).toBeLessThan(2_000)
  })

  it('costs no processor time any more once it is killed', async () => {
    const ref = await system.start(Counter, 0)
    const loop = sharedCount()
    ref.cast('reset')
    const looping = errorOf(ref.call('loop', loop.buffer, forever))
    await until('it loops', () => loop.value() > 1_000)
    const busy = await cpuShare(200)
    ref.exit('kill')
    await looping
    await standsStill(loop.value)
    const idle = Math.min(await cpuShare(200), await cpuShare(200), await cpuShare(200))
    expect(busy).toBeGreaterThan(0.2)
    expect(idle).toBeLessThan(busy / 2)
  })

  it('is killed when it is too slow to shut down', async () => {
    const Tree = defineSupervisor({ children: [child(Counter, 'trap', { name: 'slow', shutdown: 50 })] })
    const sup = await system.start(Tree)
    const loop = sharedCount()
    const ref = system.whereis('slow') as unknown as CounterRef
    const looping = errorOf(ref.call('loop', loop.buffer, forever))
    await until('it loops', () => loop.value() > 1_000)
    await sup.stop('shutdown')
    expect(await looping).toMatchObject({ reason: 'killed' })
    expect(await standsStill(loop.value)).toBe(true)
  })

  it('does not hold up others, here or in other threads', async () => {
    const [ref, other] = await Promise.all([system.start(Counter, 0), system.start(Counter, 0)])
    const loop = sharedCount()
    const looping = errorOf(ref.call('loop', loop.buffer, forever))
    expect(await other.call('add', 1)).toBe(1)
    expect(await errorOf(ref.call('get', undefined, { timeout: 20 }))).toMatchObject({ code: 'timeout' })
    // An exit signal that is not trapped ends it as well.
    ref.exit('enough')
    expect(await looping).toMatchObject({ reason: 'enough' })
  })
})

describe('an orderly stop', () => {
  it('lets what was sent before be handled, runs terminate in the thread, and resolves when the thread is gone', async () => {
    const told = sharedCount()
    const ref = await system.start(Counter, { tell: told.buffer })
    const noted = Array.from({ length: 200 }, (_, index) => ref.call('add', index))
    await ref.stop()
    expect(told.value()).toBe(1)
    expect(await Promise.all(noted)).toHaveLength(200)
    expect(openPorts()).toBe(0)
  })

  it('ends a linked one too, by the usual signals', async () => {
    const ref = await system.start(Counter, 0)
    const linked = await system.start(Watcher, () => undefined)
    await linked.call('link', ref as unknown as Ref)
    const { down } = ref
    linked.exit({ because: 'of a link' })
    expect(await down).toEqual({ because: 'of a link' })
  })
})

describe('under a supervisor', () => {
  it('a crashed worker is restarted in a new thread; the old ref is dead, the name leads to the new one', async () => {
    await system.start(defineSupervisor({ children: [child(Counter, 1, { name: 'w' })] }))
    const first = system.whereis('w') as unknown as CounterRef
    const thread = await first.call('thread')
    await errorOf(first.call('crash'))
    await until(
      'there is another',
      () => system.whereis('w') !== undefined && system.whereis('w') !== (first as unknown),
    )
    const second = system.whereis('w') as unknown as CounterRef
    expect(await second.call('thread')).not.toBe(thread)
    expect(await second.call('add', 1)).toBe(2)
    expect(first.alive).toBe(false)
  })

  it('a worker whose start hangs is given up and started anew', async () => {
    const failed = errorOf(system.start(defineSupervisor({ children: [child(Counter, 'hang', { timeout: 300 })] })))
    expect(await failed).toMatchObject({ code: 'failed_to_start_child' })
    await until('its thread is gone', () => openPorts() === 0)
  })
})

describe('many starts and ends', () => {
  /** Each is a thread, and costs its start; `BOUGH_THREAD_CYCLES=1000` tries longer. */
  const CYCLES = Number(process.env['BOUGH_THREAD_CYCLES'] ?? 100)
  const AT_ONCE = 4

  it(`${CYCLES} of them, by stop, kill, crash and exit, leave no thread, port, process or timer`, async () => {
    const host = await system.start(Watcher, () => undefined)
    const live = async (index: number): Promise<void> => {
      const ref = await system.start(Counter, index)
      // A ref of a process that lives on is handed to each: it must not remember them.
      expect(await ref.call('echo', { host, index })).toEqual({ host, index })
      const { down } = ref
      if (index % 4 === 0) await ref.stop()
      else if (index % 4 === 1) ref.exit('kill')
      else if (index % 4 === 2) await errorOf(ref.call('crash'))
      else await errorOf(ref.call('exitProcess'))
      if (index % 4 !== 0) await down
    }
    await Promise.all(Array.from({ length: AT_ONCE }, (_, index) => live(index)))
    await until('the first threads are gone', () => openPorts() === 0)
    const before = threadCount()
    let next = 0
    const run = async (): Promise<void> => {
      while (next < CYCLES) await live(next++)
    }
    await Promise.all(Array.from({ length: AT_ONCE }, run))
    await until('all ports are closed', () => openPorts() === 0)
    if (before !== undefined) await until('all threads are gone', () => (threadCount() ?? 0) <= before)
    expect(system.processCount).toBe(1)
    expect(system.timers.size).toBe(0)
    expect(host.info()).toMatchObject({ monitoredBy: 0, links: 0 })
    expect(process.listenerCount('exit')).toBeLessThan(20)
  }, 600_000)
})

/** The share of one processor that this program uses for a while. */
async function cpuShare(forMs: number): Promise<number> {
  const startedAt = performance.now()
  const before = process.cpuUsage()
  await new Promise((resolve) => setTimeout(resolve, forMs))
  const { user, system: kernel } = process.cpuUsage(before)
  return (user + kernel) / 1_000 / (performance.now() - startedAt)
}
