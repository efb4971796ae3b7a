/**
 * One thing that goes wrong in a simulation, as a line that people write and schedules keep:
 *
 *     crash counter@3            counter throws before it handles its third message; @0 is its init
 *     kill session@2             session is killed before its second message
 *     kill session@1000ms        whichever session is oldest at virtual time 1 000 is killed
 *     drop client1>server@4      the fourth message on that way is lost
 *     duplicate client1>server@4
 *     delay store.put@2+50ms     the second write takes 50 ms longer
 *     fail store.put@2           the second write fails
 *
 * A process is named by its pid, a name it is registered under, its child id or its definition; whoever is the first of that
 * name to come so far is hit, once. What lies after `@` counts from 1, for a process its messages and continuations.
 */

export type FaultKind = 'crash' | 'kill' | 'drop' | 'duplicate' | 'delay' | 'fail'

export interface FaultSpec {
  readonly kind: FaultKind
  /** A process, or a fault point such as a direction of a transport. */
  readonly target: string
  /** The number of the message or operation, or the virtual time in milliseconds. */
  readonly at: number
  readonly unit: 'message' | 'ms'
  /** Milliseconds of a delay; 0 for the other kinds. */
  readonly delayMs: number
}

const grammar = /^(crash|kill|drop|duplicate|delay|fail) (.+)@(\d+)(ms)?(?:\+(\d+(?:\.\d+)?)ms)?$/

/** Reads a line. Throws a `TypeError` that says what a line looks like. */
export function parseFault(text: string): FaultSpec {
  const [, kind, target = '', at = '', time, delay] = grammar.exec(text) ?? []
  const isForProcess = kind === 'crash' || kind === 'kill'
  if (kind === undefined || (kind === 'delay') !== (delay !== undefined) || (time !== undefined && !isForProcess)) {
    throw new TypeError(
      `A fault is written as "crash counter@3", "kill session@1000ms", "drop client1>server@2", "delay store.put@1+50ms" or ` +
        `"fail store.put@1", got ${JSON.stringify(text)}.`,
    )
  }
  const unit = time === undefined ? 'message' : 'ms'
  return { kind: kind as FaultKind, target, at: Number(at), unit, delayMs: Number(delay ?? 0) }
}

/** Writes a line. `parseFault` reads it back. */
export function formatFault({ kind, target, at, unit, delayMs }: FaultSpec): string {
  return `${kind} ${target}@${at}${unit === 'ms' ? 'ms' : ''}${kind === 'delay' ? `+${delayMs}ms` : ''}`
}
