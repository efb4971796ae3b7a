/**
 * Exit reasons, by phase x fault: what the process ends with, whether `terminate` ran, and what a caller, a linked trapping
 * process and a monitor learn of it.
 */
import { defineActor, describeReason, type ExitReason, isOrderly, isShutdown, type Self } from 'bough/runtime'
import { describe, expect, it } from 'vitest'
import { createWorld, Worker } from './support.ts'

const boom = new Error('boom')

type Phase = 'call' | 'call, async' | 'cast' | 'cast, async' | 'info' | 'continue' | 'terminate' | 'terminate, async'
type Fault = 'throws an error' | 'throws a value' | 'stops with normal' | 'stops with a reason' | 'is killed'

function makeVictim(log: ExitReason[]): ReturnType<typeof define> {
  return define(log)
}

function define(log: ExitReason[]) {
  const act = (self: Self<{ fault: Fault }>, fault: Fault): void => {
    if (fault === 'throws an error') throw boom
    if (fault === 'throws a value') throw 'value'
    if (fault === 'stops with normal') self.stop()
    if (fault === 'stops with a reason') self.stop({ because: 1 })
    if (fault === 'is killed') self.ref.exit('kill')
  }
  return defineActor({
    name: 'victim',
    init: (_arg: undefined, _self: Self<never>): { fault: Fault; phase: Phase | '' } => ({
      fault: 'throws an error',
      phase: '',
    }),
    call: {
      act: (_state, fault: Fault, self) => {
        act(self, fault)
        return 'reply'
      },
      actLater: async (_state, fault: Fault, self) => {
        await Promise.resolve()
        act(self, fault)
        return 'reply'
      },
      prepare: (state, phase: Phase) => {
        state.phase = phase
      },
      prepareFault: (state, fault: Fault) => {
        state.fault = fault
      },
    },
    cast: {
      act: (_state, fault: Fault, self) => act(self, fault),
      actLater: async (_state, fault: Fault, self) => {
        await Promise.resolve()
        act(self, fault)
      },
      proceed: (_state, fault: Fault, self) => self.continueWith('act', fault),
    },
    continue: { act: (_state, fault: Fault, self) => act(self, fault) },
    info: (_state, fault, self) => act(self, fault as Fault),
    terminate: (state, reason, self) => {
      log.push(reason)
      if (state.phase === 'terminate') act(self, state.fault)
      if (state.phase === 'terminate, async') return Promise.resolve().then(() => act(self, state.fault))
      return undefined
    },
  })
}

const expected: Record<Fault, ExitReason> = {
  'throws an error': boom,
  'throws a value': 'value',
  'stops with normal': 'normal',
  'stops with a reason': { because: 1 },
  'is killed': 'killed',
}

const phases: Phase[] = [
  'call',
  'call, async',
  'cast',
  'cast, async',
  'info',
  'continue',
  'terminate',
  'terminate, async',
]
const faults = Object.keys(expected) as Fault[]

describe.each(phases)('a process that fails in %s', (phase) => {
  it.each(faults)('and %s', async (fault) => {
    const sim = createWorld()
    const log: ExitReason[] = []
    const victim = await sim.start(makeVictim(log))
    const watcher = (await sim.start(Worker, { trap: true }))!
    watcher.cast('link', victim)
    watcher.cast('monitor', victim)
    await sim.settle()
    const down = victim.down
    let reply: unknown = 'none asked'
    const call = (op: 'act' | 'actLater'): void => {
      victim.call(op, fault).then(
        (value) => {
          reply = value
        },
        (error: unknown) => {
          reply = error
        },
      )
    }
    const isInTerminate = phase === 'terminate' || phase === 'terminate, async'
    if (phase === 'call') call('act')
    else if (phase === 'call, async') call('actLater')
    else if (phase === 'cast') victim.cast('act', fault)
    else if (phase === 'cast, async') victim.cast('actLater', fault)
    else if (phase === 'info') victim.send(fault)
    else if (phase === 'continue') victim.cast('proceed', fault)
    else {
      await sim.run(victim.call('prepare', phase))
      await sim.run(victim.call('prepareFault', fault))
      reply = await sim.run(victim.stop('shutdown').catch((error: unknown) => error))
    }
    // In terminate a stop comes too late; a throw there replaces the reason.
    const isStop = fault.startsWith('stops')
    const reason = isInTerminate && isStop ? 'shutdown' : expected[fault]
    expect(await sim.run(down)).toEqual(reason)
    await sim.settle()
    expect(await sim.run(watcher.call('received'))).toEqual([
      expect.objectContaining({ type: 'DOWN', ref: victim, reason }),
      { type: 'EXIT', ref: victim, reason },
    ])
    if (isInTerminate) expect(log).toEqual(['shutdown'])
    else expect(log).toEqual(fault === 'is killed' ? [] : [reason])
    if (phase.startsWith('call')) {
      if (isStop) expect(reply).toBe('reply')
      else expect(reply).toMatchObject({ code: 'exit', reason })
    }
    if (isInTerminate) {
      if (isStop) expect(reply).toBeUndefined()
      else expect(reply).toMatchObject({ code: 'exit', reason })
    }
    const crashes = sim.events.filter((event) => event.type === 'crash')
    expect(crashes.length).toBe(
      fault.startsWith('throws') || (fault === 'stops with a reason' && !isInTerminate) ? 1 : 0,
    )
    expect(sim.system.processCount).toBe(1)
  })
})

describe('a crash report', () => {
  it.each(['call act', 'cast act', 'info', 'continue'] as const)(
    'names the message that was handled: %s',
    async (message) => {
      const sim = createWorld()
      const victim = await sim.start(makeVictim([]))
      if (message === 'call act') void victim.call('act', 'throws an error').catch(() => undefined)
      if (message === 'cast act') victim.cast('act', 'throws an error')
      if (message === 'info') victim.send('throws an error')
      if (message === 'continue') victim.cast('proceed', 'throws an error')
      await sim.settle()
      expect(sim.events).toMatchObject([
        { type: 'crash', pid: 'sim.1', definition: 'victim', id: undefined, reason: boom, message },
      ])
    },
  )
})

describe('ref.stop', () => {
  it('comes after what was sent before, and resolves when the process has ended', async () => {
    const sim = createWorld()
    const log: string[] = []
    const worker = (await sim.start(Worker, { id: 'w', log, terminateMs: 30 }))!
    let received: unknown
    void worker.call('received').then((value) => {
      received = value
    })
    worker.cast('note', 1)
    await sim.run(worker.stop())
    expect(received).toEqual([1])
    expect(log).toEqual(['start w', 'end w normal'])
    expect(sim.clock.now()).toBe(30)
  })

  it('rejects with timeout when the process takes longer, and lets it go on', async () => {
    const sim = createWorld()
    const worker = (await sim.start(Worker, { terminateMs: 100 }))!
    await expect(sim.run(worker.stop('normal', { timeout: 10 }))).rejects.toMatchObject({ code: 'timeout' })
    expect(worker.alive).toBe(true)
    await sim.advance(100)
    expect(worker.alive).toBe(false)
    expect(sim.system.timers.size).toBe(0)
  })

  it('rejects with exit when the process ends for another reason', async () => {
    const sim = createWorld()
    const worker = (await sim.start(Worker, {}))!
    worker.cast('throw', 'other')
    await expect(sim.run(worker.stop())).rejects.toMatchObject({ code: 'exit', reason: 'other' })
  })

  it('asked for twice resolves for both', async () => {
    const sim = createWorld()
    const worker = (await sim.start(Worker, {}))!
    await sim.run(Promise.all([worker.stop(), worker.stop()]))
    expect(worker.alive).toBe(false)
  })

  it('works on a suspended process, whether it was asked before or after', async () => {
    const { sys } = await import('bough/runtime')
    const sim = createWorld()
    const before = (await sim.start(Worker, {}))!
    const after = (await sim.start(Worker, {}))!
    const suspended = sys.suspend(before)
    const stopped = before.stop()
    await sim.run(suspended)
    await sim.run(stopped)
    await sim.run(sys.suspend(after))
    await sim.run(after.stop())
    expect(sim.system.processCount).toBe(0)
  })
})

describe('reasons', () => {
  it('that are orderly are normal, shutdown and { shutdown }, nothing else', () => {
    expect(['normal', 'shutdown', { shutdown: 1 }].every(isOrderly)).toBe(true)
    expect(
      ['killed', 'noproc', boom, undefined, null, 0, {}, Object.assign(new Error('x'), { shutdown: 1 })].some(
        isOrderly,
      ),
    ).toBe(false)
    expect(isShutdown('normal')).toBe(false)
  })

  it('are described in one line of bounded length, whatever they are', () => {
    const circular: Record<string, unknown> = {}
    circular['self'] = circular
    expect(describeReason(boom)).toBe('Error: boom')
    expect(describeReason(undefined)).toBe('undefined')
    expect(describeReason(circular)).toBe('[object Object]')
    expect(describeReason('a\n  b')).toBe('a b')
    expect(describeReason('x'.repeat(1_000))).toHaveLength(200)
  })
})
