/**
 * The life of a client's connection to its server, as an xstate machine:
 *
 *     probing --modern--> operating
 *     probing --legacy--> initializing --initialized--> operating
 *     probing, initializing, operating --lost--> reconnecting --retry--> probing | initializing
 *     any but closed --give_up--> failed --wake--> probing | initializing
 *     any --close--> closed
 *
 * *Probing* asks which era the server is of; a server that is known to be legacy is *initialized* at once. A failed connection
 * tries nothing by itself, and begins anew with the next request. The machine is asked once, when this module loads; a
 * connection then reads the table.
 *
 * Spec: MCP 2026-07-28, basic/versioning, backward compatibility; MCP 2025-11-25, basic/lifecycle.
 */
import { createMachine } from 'xstate'
import { compileTable } from './table.ts'

const phases = ['probing', 'initializing', 'operating', 'reconnecting', 'failed', 'closed'] as const
const events = ['probe', 'modern', 'legacy', 'initialized', 'lost', 'give_up', 'close'] as const

export type ConnectionPhase = (typeof phases)[number]
export type ConnectionEvent = (typeof events)[number]

const open = { lost: 'reconnecting', give_up: 'failed', close: 'closed' } as const

export const connectionMachine = createMachine({
  id: 'connection',
  initial: 'probing',
  states: {
    probing: { on: { probe: 'probing', modern: 'operating', legacy: 'initializing', ...open } },
    initializing: { on: { initialized: 'operating', modern: 'operating', ...open } },
    operating: { on: open },
    // A retry, and being woken, begin with the era that is known.
    reconnecting: { on: { probe: 'probing', legacy: 'initializing', give_up: 'failed', close: 'closed' } },
    failed: { on: { probe: 'probing', legacy: 'initializing', close: 'closed' } },
    closed: { type: 'final' },
  },
})

const table = compileTable(connectionMachine, phases, events)

/** The phase that a connection begins in. */
export const firstConnectionPhase: ConnectionPhase = 'probing'

/** The phase after `event`, or undefined when the machine does not allow it in `phase`. */
export function nextConnectionPhase(phase: ConnectionPhase, event: ConnectionEvent): ConnectionPhase | undefined {
  return table.get(phase)?.get(event)
}
