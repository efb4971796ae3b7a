/**
 * The life of a legacy session, as an xstate machine:
 *
 *     awaiting_initialize --initialize--> awaiting_initialized --initialized--> operating
 *                                                  `--- request -------------> operating
 *     any --close--> closed
 *
 * A client that sends requests without ever sending notifications/initialized is tolerated, as the specification only says
 * what it SHOULD do. The machine is asked once, when this module loads, for every phase and event; sessions then read the
 * table, so that a message costs no machine and an idle session holds one word.
 *
 * Spec: MCP 2025-11-25, basic/lifecycle.
 */
import { createMachine } from 'xstate'
import { compileTable } from './table.ts'

const phases = ['awaiting_initialize', 'awaiting_initialized', 'operating', 'closed'] as const
const events = ['initialize', 'initialized', 'request', 'close'] as const

export type Phase = (typeof phases)[number]
export type LifecycleEvent = (typeof events)[number]

export const initializeMachine = createMachine({
  id: 'session',
  initial: 'awaiting_initialize',
  states: {
    awaiting_initialize: { on: { initialize: 'awaiting_initialized', close: 'closed' } },
    awaiting_initialized: { on: { initialized: 'operating', request: 'operating', close: 'closed' } },
    operating: { on: { request: 'operating', initialized: 'operating', close: 'closed' } },
    closed: { type: 'final' },
  },
})

const table = compileTable(initializeMachine, phases, events)

/** The phase that a session begins in. */
export const firstPhase: Phase = 'awaiting_initialize'

/** The phase after `event`, or undefined when the machine does not allow it in `phase`. */
export function nextPhase(phase: Phase, event: LifecycleEvent): Phase | undefined {
  return table.get(phase)?.get(event)
}
