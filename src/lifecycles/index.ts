/** `bough/lifecycles`: lives as xstate machines. */
export { type CircuitEvent, type CircuitPhase, circuitMachine, firstCircuitPhase, nextCircuitPhase } from './circuit.ts'
export {
  type ConnectionEvent,
  type ConnectionPhase,
  connectionMachine,
  firstConnectionPhase,
  nextConnectionPhase,
} from './connection.ts'
export {
  defineElection,
  type ElectionDefinition,
  type ElectionOptions,
  type ElectionSnapshot,
  type ElectionStart,
  type Leadership,
  leadershipOf,
} from './election.ts'
export { type ElectionContext, type ElectionNews, type ElectionTimes, electionMachine } from './election-machine.ts'
export { firstPhase, initializeMachine, type LifecycleEvent, nextPhase, type Phase } from './initialize.ts'
export { type Grant, type Lease, memoryLease } from './lease.ts'
export { fromMachine, type MachineDefinition, type MachineOptions } from './machine.ts'
export { processOf } from './machine-ref.ts'
export { type MachineSnapshot, type Resumed, resume } from './machine-snapshot.ts'
export { toMermaid } from './mermaid.ts'
export { compileTable, type Table } from './table.ts'
export {
  firstTaskStatus,
  isTerminal,
  nextTaskStatus,
  type TaskEvent,
  type TaskEventType,
  type TaskStatus,
  taskMachine,
} from './task.ts'
