/**
 * Simulations for fast-check: an arbitrary whose values are simulations, each with a seed of its own, and whose shrinking makes
 * the *schedule* of a failing one shorter. What fast-check reports is then a line to paste.
 *
 *     await fc.assert(
 *       fc.asyncProperty(simulations(fc), fc.array(fc.nat()), async (sim, values) => { ... }),
 *     )
 *     // Counterexample: [createSimulation({ replay: 'bough1 seed=0 picks=3' }), [7]]
 */
import { type Arbitrary, asArbitrary, type FastCheck, type Given, type Value } from './fast-check.ts'
import { smallerSchedules } from './shrink.ts'
import { createSimulation, type Simulation, type SimulationOptions } from './simulation.ts'

const SEED_MAX = 2_147_483_647

/** Simulations with seeds from fast-check's own; `options` are those of each. */
export function simulations(
  fc: FastCheck,
  options: Omit<SimulationOptions, 'seed' | 'replay'> = {},
): Arbitrary<Simulation> {
  /** What each was made from, to make it again. */
  const origins = new WeakMap<object, SimulationOptions>()

  const make = (origin: SimulationOptions): Simulation => {
    const sim = createSimulation({ ...options, ...origin })
    origins.set(sim, origin)
    return Object.defineProperties(sim, {
      [fc.toStringMethod]: { value: () => `createSimulation({ replay: ${JSON.stringify(sim.schedule)} })` },
      // A simulation that has run is used up: who needs the same once more gets a new one.
      [fc.cloneMethod]: { value: () => make(origin) },
    })
  }

  class Simulations extends fc.Arbitrary implements Given<Simulation> {
    generate(random: { nextInt(min: number, max: number): number }): Value<Simulation> {
      return new fc.Value(make({ seed: random.nextInt(0, SEED_MAX) }), undefined)
    }

    canShrinkWithoutContext(value: unknown): value is Simulation {
      return typeof value === 'object' && value !== null && origins.has(value)
    }

    shrink(sim: Simulation, size: unknown): object {
      return fc.stream(shrunk(sim.schedule, typeof size === 'number' ? size : undefined))
    }
  }
  function* shrunk(schedule: string, size: number | undefined): Generator<Value<Simulation>> {
    for (const candidate of smallerSchedules(schedule, size)) {
      yield new fc.Value(make({ replay: candidate.schedule }), candidate.size)
    }
  }
  return asArbitrary(new Simulations())
}
