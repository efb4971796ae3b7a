/** `bough/lifecycles`: lives as xstate machines. */
export { firstPhase, initializeMachine, type LifecycleEvent, nextPhase, type Phase } from './initialize.ts'
