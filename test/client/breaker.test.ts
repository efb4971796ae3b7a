/** The circuit breaker alone, in virtual time: its transitions, what it counts, and what outlives its process. */
import { describe, expect, it } from 'vitest'
import {
  admit,
  type Circuit,
  CircuitBreaker,
  circuitBreakerChild,
  createCircuit,
  tellAlive,
  tellBreaker,
} from '#actors/circuit-breaker'
import { nextCircuitPhase } from '#lifecycles/circuit'
import { defineSupervisor } from '#runtime'
import type { Simulation } from '#testing'
import { simulation } from './support.ts'

const settings = { failures: 3, resetMs: 1_000, trials: 1 }

async function started(): Promise<{
  sim: Simulation
  circuit: Circuit
  phases: string[]
  fail: (times?: number) => Promise<void>
}> {
  const sim = simulation()
  const phases: string[] = []
  const circuit = createCircuit(settings, (phase) => phases.push(phase))
  await sim.start(defineSupervisor({ intensity: 5, children: [circuitBreakerChild(circuit)] }))
  const fail = async (times = settings.failures): Promise<void> => {
    for (let count = 0; count < times; count++) tellBreaker(circuit, 'failed')
    await sim.settle()
  }
  return { sim, circuit, phases, fail }
}

describe('a circuit', () => {
  it.each([
    ['closed', 'trip', 'open'],
    ['closed', 'succeed', undefined],
    ['open', 'trip', undefined],
    ['open', 'cool', 'half_open'],
    ['open', 'succeed', undefined],
    ['half_open', 'succeed', 'closed'],
    ['half_open', 'fail', 'open'],
    ['half_open', 'trip', undefined],
  ] as const)('that is %s and is told to %s becomes %s', (phase, event, next) => {
    expect(nextCircuitPhase(phase, event)).toBe(next)
  })
})

describe('a circuit breaker', () => {
  it('opens with so many failures in a row, and says when to come again', async () => {
    const { sim, circuit, fail } = await started()
    await fail(2)
    expect(admit(circuit, sim.system.clock.now())).toBe('yes')
    await fail(1)
    expect(circuit.phase).toBe('open')
    await sim.advance(400)
    expect(admit(circuit, sim.system.clock.now())).toEqual({ retryAfterMs: 600 })
  })

  it('begins to count anew with a success', async () => {
    const { sim, circuit, fail } = await started()
    await fail(2)
    tellBreaker(circuit, 'succeeded')
    await sim.settle()
    await fail(2)
    expect(circuit.phase).toBe('closed')
  })

  it('lets one trial through when its time is over, and closes when that succeeds', async () => {
    const { sim, circuit, phases, fail } = await started()
    await fail()
    await sim.advance(1_000)
    expect(circuit.phase).toBe('half_open')
    expect(admit(circuit, sim.system.clock.now())).toBe('trial')
    expect(admit(circuit, sim.system.clock.now())).toHaveProperty('retryAfterMs')
    tellBreaker(circuit, 'succeeded', true)
    await sim.settle()
    expect(admit(circuit, sim.system.clock.now())).toBe('yes')
    expect(phases).toEqual(['open', 'half_open', 'closed'])
  })

  it('opens again for the whole time when the trial fails', async () => {
    const { sim, circuit, phases, fail } = await started()
    await fail()
    await sim.advance(1_000)
    admit(circuit, sim.system.clock.now())
    tellBreaker(circuit, 'failed', true)
    await sim.settle()
    expect(admit(circuit, sim.system.clock.now())).toEqual({ retryAfterMs: 1_000 })
    expect(phases).toEqual(['open', 'half_open', 'open'])
  })

  it('gives the place of a trial that said nothing to the next one', async () => {
    const { sim, circuit, fail } = await started()
    await fail()
    await sim.advance(1_000)
    admit(circuit, sim.system.clock.now())
    tellBreaker(circuit, 'neutral', true)
    await sim.settle()
    expect(admit(circuit, sim.system.clock.now())).toBe('trial')
  })

  it('is not closed by a call from before it opened', async () => {
    const { sim, circuit, fail } = await started()
    await fail()
    tellBreaker(circuit, 'succeeded')
    await sim.settle()
    expect(circuit.phase).toBe('open')
  })

  it('lets a trial through early after a sign of life', async () => {
    const { sim, circuit, fail } = await started()
    await fail()
    tellAlive(circuit)
    await sim.settle()
    expect(admit(circuit, sim.system.clock.now())).toBe('trial')
  })

  it('stays open over a crash of its process, no longer than it would have', async () => {
    const { sim, circuit, fail } = await started()
    await fail()
    await sim.advance(400)
    const ref = circuit.names.whereis('circuit-breaker')?.ref
    ref?.exit(new Error('crash'))
    await sim.settle()
    expect(circuit.names.whereis('circuit-breaker')?.ref).not.toBe(ref)
    expect(circuit.phase).toBe('open')
    await sim.advance(599)
    expect(circuit.phase).toBe('open')
    await sim.advance(1)
    expect(circuit.phase).toBe('half_open')
  })

  it('is not told of successes while all is well', async () => {
    const { sim, circuit } = await started()
    const before = sim.system.messagesHandled
    for (let count = 0; count < 100; count++) tellBreaker(circuit, 'succeeded')
    await sim.settle()
    expect(sim.system.messagesHandled).toBe(before)
    expect(CircuitBreaker.name).toBe('circuit-breaker')
  })
})
