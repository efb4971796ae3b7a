/**
 * A machine's answers as a table: it is asked once for every state and event, and reading the table then costs no machine.
 * For machines whose states are plain names and whose transitions ask nothing but state and event.
 */
import { type AnyStateMachine, transition } from 'xstate'

export type Table<S extends string, E extends string> = ReadonlyMap<S, ReadonlyMap<E, S>>

/** Asks `machine` for each pair of state and event. What it does not allow is absent. */
export function compileTable<S extends string, E extends string>(
  machine: AnyStateMachine,
  states: readonly S[],
  events: readonly E[],
): Table<S, E> {
  const table = new Map<S, Map<E, S>>()
  for (const state of states) {
    const snapshot = machine.resolveState({ value: state, context: {} })
    const row = new Map<E, S>()
    for (const type of events) {
      // A final state allows nothing, and a value is a plain name: see above.
      const isAllowed = snapshot.status === 'active' && snapshot.can({ type })
      if (isAllowed) row.set(type, transition(machine, snapshot, { type })[0].value as S)
    }
    table.set(state, row)
  }
  return table
}
