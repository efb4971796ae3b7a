/**
 * The life of a circuit breaker, as an xstate machine:
 *
 *     closed --trip--> open --cool--> half_open --succeed--> closed
 *                        ^                |
 *                        +------fail------+
 *
 * *Closed* lets every call through, *open* none. *Half open* lets a few through, to see whether the other side is back: one that
 * fails opens the circuit again. The machine is asked once, when this module loads; a breaker then reads the table.
 *
 * After: M. Nygard, Release It!, circuit breaker.
 */
import { createMachine } from 'xstate'
import { compileTable } from './table.ts'

const phases = ['closed', 'open', 'half_open'] as const
const events = ['trip', 'cool', 'succeed', 'fail'] as const

export type CircuitPhase = (typeof phases)[number]
export type CircuitEvent = (typeof events)[number]

export const circuitMachine = createMachine({
  id: 'circuit',
  initial: 'closed',
  states: {
    closed: { on: { trip: 'open' } },
    open: { on: { cool: 'half_open' } },
    half_open: { on: { succeed: 'closed', fail: 'open' } },
  },
})

const table = compileTable(circuitMachine, phases, events)

/** The phase that a circuit begins in. */
export const firstCircuitPhase: CircuitPhase = 'closed'

/** The phase after `event`, or undefined when the machine does not allow it in `phase`. */
export function nextCircuitPhase(phase: CircuitPhase, event: CircuitEvent): CircuitPhase | undefined {
  return table.get(phase)?.get(event)
}
