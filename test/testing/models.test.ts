import { child, defineActor, defineSupervisor, type Self, type SupervisorFlags } from 'bough/runtime'
import {
  actorCommands,
  createSimulation,
  eventTypes,
  faulty,
  machineEvents,
  modelled,
  simulated,
  supervisorCommands,
} from 'bough/testing'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createMachine } from 'xstate'
import { serveDishes } from './restaurant.ts'

const settings = { seed: Number(process.env['BOUGH_SEED'] ?? 42), numRuns: 60 }

function defineStack(isBroken: boolean) {
  return defineActor({
    name: 'stack',
    init: () => ({ items: [] as number[] }),
    call: {
      // The broken one answers late when it holds three, and forgets what came meanwhile.
      push: async (state, item: number) => {
        if (isBroken && state.items.length === 3) return 3
        await Promise.resolve()
        return state.items.push(item)
      },
      pop: (state) => {
        if (state.items.length === 0) throw new Error('the stack is empty')
        return state.items.pop()
      },
    },
    cast: {
      clear: (state) => {
        state.items = []
      },
    },
  })
}

const stackCommands = (isBroken: boolean) =>
  actorCommands(fc, {
    start: (sim) => sim.start(defineStack(isBroken)),
    init: () => ({ items: [] as number[] }),
    calls: { push: fc.nat(9), pop: fc.constant(undefined) },
    casts: { clear: fc.constant(undefined) },
    pauses: fc.nat(100),
    model: {
      push: (state, item) => state.items.push(item as number),
      pop: (state) => {
        if (state.items.length === 0) throw new Error('the stack is empty')
        return state.items.pop()
      },
      clear: (state) => {
        state.items = []
      },
    },
    check: (_state, ref) => expect(ref.alive).toBe(true),
  })

describe('commands for an actor', () => {
  it('hold when the actor is what its model says, crashes included', async () => {
    await fc.assert(modelled(fc, stackCommands(false)), settings)
  })

  it('find a planted fault and shrink to the four steps that show it, with the schedule to replay', async () => {
    const result = await fc.check(modelled(fc, stackCommands(true)), { ...settings, numRuns: 500 })
    expect(result.failed).toBe(true)
    const message = (result.errorInstance as Error).message
    expect(message).toMatch(/^push\(\d\) was to reply 4 but replied 3\./)
    expect(message).toContain('createSimulation({ replay: "bough1 seed=0" })')
    expect(fc.stringify(result.counterexample).match(/push/g)).toHaveLength(4)
  })

  it('need a model for every operation', () => {
    const options = { start: () => Promise.resolve(), init: () => 0, calls: { push: fc.nat() }, model: {} }
    expect(() => actorCommands(fc, options)).toThrow('model.push is missing')
  })
})

describe('commands for a supervisor', () => {
  const Part = defineActor({ name: 'part', init: () => 0 })
  const children = [
    child(Part, undefined, { id: 'a' }),
    child(Part, undefined, { id: 'b', restart: 'transient' }),
    child(Part, undefined, { id: 'c', restart: 'temporary' }),
    child(Part, undefined, { id: 'd', restart: 'transient' }),
  ]
  const significant = [
    ...children.slice(0, 3),
    child(Part, undefined, { id: 'd', restart: 'transient', significant: true }),
  ]

  it.each([
    ['one_for_one', 'never', children],
    ['rest_for_one', 'any_significant', significant],
    ['one_for_all', 'all_significant', significant],
  ] as const)('hold for %s with automatic shutdown %s', async (strategy, autoShutdown, some) => {
    const flags = { strategy, intensity: 2, period: 1_500, autoShutdown, children: some }
    await fc.assert(modelled(fc, supervisorCommands(fc, flags)), settings)
  })

  it('find a supervisor that is not what its flags say', async () => {
    const steps = supervisorCommands(fc, { strategy: 'one_for_one', intensity: 5, children })
    const Other = defineSupervisor({ strategy: 'one_for_all', intensity: 5, children })
    const wrong = {
      ...steps,
      setup: async (sim: Parameters<typeof steps.setup>[0]) => {
        const both = await steps.setup(sim)
        return { ...both, real: { ...both.real, ref: await sim.start(Other), pids: new Map<string, string>() } }
      },
    }
    const result = await fc.check(modelled(fc, wrong), settings)
    expect(result.failed).toBe(true)
    expect((result.errorInstance as Error).message).toMatch(/was not to be touched|were to be/)
  })

  it('refuse what they do not model', () => {
    const flags: SupervisorFlags = { strategy: 'simple_one_for_one', children: [child(Part)] }
    expect(() => supervisorCommands(fc, flags)).toThrow('not modelled')
  })
})

describe('event sequences for a machine', () => {
  const door = createMachine({
    id: 'door',
    initial: 'closed',
    on: { '*': {}, ring: {} },
    states: {
      closed: {
        initial: 'unlocked',
        on: { open: 'opened' },
        states: { unlocked: { on: { lock: 'locked' } }, locked: { on: { unlock: 'unlocked' } } },
      },
      opened: { on: { close: 'closed', 'xstate.after.1': {} }, after: { 100: 'closed' } },
    },
  })

  it('have the names of its configuration, nested states included, and no others', () => {
    expect(eventTypes(door)).toEqual(['ring', 'open', 'lock', 'unlock', 'close'])
    const payloads = { lock: fc.record({ code: fc.nat(9) }) }
    const samples = fc
      .sample(machineEvents(fc, door, { payloads, strangers: ['quake'] }), { numRuns: 200, seed: settings.seed })
      .flat()
    expect(new Set(samples.map((event) => event.type))).toEqual(
      new Set(['ring', 'open', 'lock', 'unlock', 'close', 'quake']),
    )
    expect(samples.every((event) => 'code' in event === (event.type === 'lock'))).toBe(true)
  })

  it('refuse a machine without events, and payloads of unknown ones', () => {
    expect(() => machineEvents(fc, { config: { states: {} } })).toThrow('answers to no event')
    expect(() => machineEvents(fc, door, { payloads: { melt: fc.record({}) } })).toThrow('no event "melt"')
  })
})

describe('a property over simulations', () => {
  it('names the seed, the schedule and the story of its shortest failure', async () => {
    const result = await fc.check(simulated(fc, fc.integer({ min: 1, max: 9 }), serveDishes), {
      ...settings,
      numRuns: 100,
    })
    expect(result.failed).toBe(true)
    const lines = (result.errorInstance as Error).message.split('\n')
    expect(lines[0]).toMatch(/dishes were not there$/)
    expect(lines[2]).toMatch(/^createSimulation\(\{ replay: "bough1 seed=0 picks=\w+(,\w+)?" \}\)$/)
    expect(lines.slice(4).every((line) => line.includes('goes ahead of one that waited longer'))).toBe(true)
  })

  it('holds for a law that holds, with chaos of its own', async () => {
    const Steady = defineActor({
      name: 'steady',
      init: (_arg: undefined, self: Self<never>) => self.pid,
      call: { pid: (pid) => pid },
    })
    const options = { chaos: { kill: 0.2, targets: ['steady'], max: 3 } }
    const law = simulated(
      fc,
      async (sim) => {
        await sim.start(defineSupervisor({ intensity: 10, children: [child(Steady, undefined, { name: 'steady' })] }))
        for (let n = 0; n < 20; n++) {
          await sim.run(
            sim.system
              .whereis('steady')!
              .call('pid')
              .catch(() => undefined),
          )
          expect(sim.system.whereis('steady')?.alive).toBe(true)
        }
      },
      options,
    )
    await fc.assert(law, settings)
  })
})

describe('a faulty transport', () => {
  /** A server's end and a client's end of one connection, with the faults of a plan. */
  async function connect(faults: readonly string[], reorder = false) {
    const sim = createSimulation({ seed: 1, faults })
    const got: string[] = []
    const sent: string[] = []
    let receiver: { message(text: string): void; closed(): void } | undefined
    let sink: { send(text: string): boolean; end(text?: string): boolean; readonly isOpen: boolean } | undefined
    const inner = {
      name: 'inner',
      listen: async (acceptor: { connection(sink: never, peer: { transport: string }): typeof receiver & object }) => {
        const end = {
          isOpen: true,
          send: (text: string) => sent.push(`${sim.clock.now()} ${text}`) > 0,
          end: () => sent.push(`${sim.clock.now()} end`) > 0,
          onClose: () => undefined,
        }
        receiver = acceptor.connection(end as never, { transport: 'inner' })
      },
    }
    const transport = faulty(inner as never, sim, { reorder }) as typeof inner
    await transport.listen({
      connection: (given: NonNullable<typeof sink>) => {
        sink = given
        return {
          message: (text: string) => got.push(`${sim.clock.now()} ${text}`),
          closed: () => got.push(`${sim.clock.now()} closed`),
        }
      },
    } as never)
    return { sim, transport, got, sent, receiver: receiver!, sink: sink! }
  }

  it('is the transport that it wraps when nothing is planned', async () => {
    const { transport, receiver, sink, got, sent } = await connect([])
    expect(transport.name).toBe('inner')
    receiver.message('a')
    receiver.closed()
    sink.send('b')
    sink.end('c')
    expect([got, sent]).toEqual([
      ['0 a', '0 closed'],
      ['0 b', '0 c', '0 end'],
    ])
  })

  it('loses, doubles and delays messages by number, in order, the end behind them', async () => {
    const { sim, receiver, sink, got, sent } = await connect([
      'drop client1>server@1',
      'duplicate client1>server@2',
      'delay client1>server@3+30ms',
      'delay server>client1@1+50ms',
    ])
    for (const text of ['a', 'b', 'c', 'd']) receiver.message(text)
    receiver.closed()
    sink.send('x')
    sink.end('y')
    expect(sink.isOpen).toBe(false)
    expect(sink.send('z')).toBe(false)
    await sim.advance(100)
    expect(got).toEqual(['0 b', '0 b', '30 c', '30 d', '30 closed'])
    expect(sent).toEqual(['50 x', '50 y', '50 end'])
    expect(sim.schedule).toContain('drop client1>server@1|duplicate client1>server@2|delay client1>server@3+30ms')
  })

  it('lets later messages pass a late one when told to, but never the end', async () => {
    const { sim, receiver, got } = await connect(['delay client1>server@1+30ms'], true)
    receiver.message('a')
    receiver.message('b')
    receiver.closed()
    await sim.advance(100)
    expect(got).toEqual(['0 b', '30 a', '30 closed'])
  })
})
