/** `bough/testing`: a system in virtual time, for tests that repeat exactly. */
export { createRandom } from './seeded-random.ts'
export { createSimulation, type Simulation, type SimulationOptions } from './simulation.ts'
export { VirtualClock } from './virtual-clock.ts'
