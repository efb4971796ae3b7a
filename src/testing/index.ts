/** `bough/testing`: a system in virtual time, for tests that repeat exactly; faults; and the glue to fast-check. */
export { type ActorCommandsOptions, actorCommands } from './actor-commands.ts'
export {
  type ChaosOptions,
  createChaos,
  type HeldDescriptors,
  type JumpingClock,
  jumpingClock,
  type LiveChaos,
  type Victim,
} from './chaos.ts'
export {
  type ChaosProxy,
  type ChaosProxyOptions,
  chaosProxy,
  type ProxyCounts,
  type ProxyFaults,
} from './chaos-proxy.ts'
export type { Arbitrary, Command, FastCheck } from './fast-check.ts'
export { type FaultSpec, formatFault, parseFault } from './fault-spec.ts'
export { type Chances, type Chaos, type PointFault, SimulatedFault } from './faults.ts'
export { type FaultyPortOptions, faultyPort } from './faulty-port.ts'
export { faulty, type TransportFaults } from './faulty-transport.ts'
export { eventTypes, type MachineEventsOptions, machineEvents } from './machine-events.ts'
export { checkMigration, type MigrationCheck, MigrationError } from './migration.ts'
export { formatSchedule, parseSchedule, type Schedule } from './schedule.ts'
export { createRandom } from './seeded-random.ts'
export { type ShrinkOptions, type ShrunkSchedule, scheduleLength, shrinkSchedule } from './shrink.ts'
export { type Modelled, modelled, type SimulatedOptions, simulated } from './simulated.ts'
export { createSimulation, type Simulation, type SimulationOptions } from './simulation.ts'
export { simulations } from './simulations.ts'
export { supervisorCommands } from './supervisor-commands.ts'
export { SupervisorModel } from './supervisor-model.ts'
export { VirtualClock } from './virtual-clock.ts'
