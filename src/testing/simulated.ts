/**
 * Properties over simulations: a law that must hold in every interleaving, checked by fast-check. A failure names the seed, the
 * shortest schedule that breaks the law and the same in words; the schedule repeats it.
 *
 *     await fc.assert(simulated(fc, async (sim) => { ... }))
 *     await fc.assert(simulated(fc, fc.array(fc.nat()), async (sim, values) => { ... }))
 *     await fc.assert(modelled(fc, actorCommands(fc, { ... })))
 */
import type { Arbitrary, Command, FastCheckProperties, Given } from './fast-check.ts'
import type { Simulation, SimulationOptions } from './simulation.ts'
import { simulations } from './simulations.ts'

export type SimulatedOptions = Omit<SimulationOptions, 'seed' | 'replay'>

/** A property of a world, or of a world and a value. `P` is fast-check's type of properties. */
export function simulated<P>(
  fc: FastCheckProperties<P>,
  law: (sim: Simulation) => Promise<void>,
  options?: SimulatedOptions,
): P
export function simulated<P, T>(
  fc: FastCheckProperties<P>,
  arbitrary: Given<T>,
  law: (sim: Simulation, value: T) => Promise<void>,
  options?: SimulatedOptions,
): P
export function simulated<P, T>(
  fc: FastCheckProperties<P>,
  first: Given<T> | ((sim: Simulation) => Promise<void>),
  second?: ((sim: Simulation, value: T) => Promise<void>) | SimulatedOptions,
  third?: SimulatedOptions,
): P {
  const isAlone = typeof first === 'function'
  const law = (isAlone ? first : second) as (sim: Simulation, value: T) => Promise<void>
  const options = isAlone ? (second as SimulatedOptions | undefined) : third
  const arbitrary: Given<unknown> = isAlone ? fc.constantFrom(undefined) : first
  const predicate = async (sim: Simulation, value: T): Promise<void> => {
    try {
      await law(sim, value)
    } catch (error) {
      throw explained(error, sim)
    }
  }
  // fast-check takes what it made itself; only it can name the types.
  return fc.asyncProperty(simulations(fc, options) as never, arbitrary as never, predicate as never)
}

/** The same failure, with the schedule that repeats it in its message. */
function explained(error: unknown, sim: Simulation): Error {
  const message = error instanceof Error ? error.message : String(error)
  const lines = [message, '', `createSimulation({ replay: ${JSON.stringify(sim.schedule)} })`, ...sim.explain()]
  return new Error(lines.join('\n'), { cause: error })
}

/** Steps for a model-based test, and what they are run on. */
export interface Modelled<M extends object, R> {
  readonly commands: Arbitrary<Command<M, R>>[]
  /** Starts the real thing in a simulation, beside its model. */
  readonly setup: (sim: Simulation) => Promise<{ model: M; real: R }>
  /** Looks, when all steps are done, at what is still open. */
  readonly finish: (model: M, real: R) => Promise<void>
}

/** The property that the real thing and its model never differ, whatever the steps and their interleaving. */
export function modelled<P, M extends object, R>(
  fc: FastCheckProperties<P>,
  { commands, setup, finish }: Modelled<M, R>,
  options: SimulatedOptions & { readonly maxCommands?: number } = {},
): P {
  const { maxCommands = 100, ...rest } = options
  // What these commands generate are these commands; only fast-check can name the types.
  const steps = fc.commands(commands as never, { maxCommands }) as Given<Iterable<Command<M, R>>>
  const law = async (sim: Simulation, chosen: Iterable<Command<M, R>>): Promise<void> => {
    const both = await setup(sim)
    await fc.asyncModelRun((async () => both) as never, chosen as never)
    await finish(both.model, both.real)
  }
  return simulated(fc, steps, law, rest)
}
