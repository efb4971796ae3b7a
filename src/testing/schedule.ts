/**
 * A schedule is all that a run of a simulation left to chance, as one line of text: the seed of its random numbers, where its
 * order differs from first come, first served, and what went wrong.
 *
 *     bough1 seed=42 picks=3,5.2 turns=2.11 faults=crash counter@3|drop client1>server@2
 *
 * `picks` are the moments at which a process went ahead of others, counted among the moments when several could run: each
 * entry is its distance from the one before, in base 36, and after the dot, also in base 36, how many were passed over when
 * more than one. `turns` are the turns that ended before 16 messages, the same way, the number saying how much shorter.
 */
import { type FaultSpec, formatFault, parseFault } from './fault-spec.ts'

/** A choice that differs from the default. */
export interface Choice {
  /** Which of its kind, from 0. */
  readonly at: number
  /** What was chosen; 0 is the default and is not kept. */
  readonly value: number
}

export interface Schedule {
  readonly seed: number
  readonly picks: readonly Choice[]
  readonly turns: readonly Choice[]
  readonly faults: readonly FaultSpec[]
}

const HEADER = 'bough1'

/** Writes a schedule as one line. `parseSchedule` reads it back. */
export function formatSchedule({ seed, picks, turns, faults }: Schedule): string {
  const parts = [HEADER, `seed=${seed}`]
  if (picks.length > 0) parts.push(`picks=${formatChoices(picks)}`)
  if (turns.length > 0) parts.push(`turns=${formatChoices(turns)}`)
  if (faults.length > 0) parts.push(`faults=${faults.map(formatFault).map(protect).join('|')}`)
  return parts.join(' ')
}

/** Reads a schedule. Throws a `TypeError` that names the part it cannot read. */
export function parseSchedule(text: string): Schedule {
  const [, seed, picks = '', turns = '', faults = ''] =
    /^bough1 seed=(\S+)(?: picks=(\S+))?(?: turns=(\S+))?(?: faults=(.+))?$/.exec(text.trim()) ?? []
  if (seed === undefined || !Number.isFinite(Number(seed))) {
    throw new TypeError(
      `A schedule is what sim.schedule gives, "${HEADER} seed=42 picks=3,5.2 faults=crash counter@3", got ${JSON.stringify(text)}.`,
    )
  }
  return {
    seed: Number(seed),
    picks: parseChoices(picks),
    turns: parseChoices(turns),
    faults: faults === '' ? [] : faults.split('|').map((fault) => parseFault(restore(fault))),
  }
}

function formatChoices(choices: readonly Choice[]): string {
  let last = -1
  return choices
    .map(({ at, value }) => {
      const distance = (at - last).toString(36)
      last = at
      return value === 1 ? distance : `${distance}.${value.toString(36)}`
    })
    .join(',')
}

function parseChoices(text: string): Choice[] {
  if (text === '') return []
  let at = -1
  return text.split(',').map((entry) => {
    const [, distance, value] = /^([0-9a-z]+)(?:\.([0-9a-z]+))?$/.exec(entry) ?? []
    if (distance === undefined)
      throw new TypeError(`A schedule's choice is "5" or "5.2", got ${JSON.stringify(entry)}.`)
    at += Number.parseInt(distance, 36)
    return { at, value: value === undefined ? 1 : Number.parseInt(value, 36) }
  })
}

/** Names of processes may hold anything; a schedule is one line and splits at bars. */
function protect(fault: string): string {
  return fault.replace(/[%|\n\r]/g, (sign) => encodeURIComponent(sign))
}

function restore(fault: string): string {
  return fault.replace(/%(25|7C|0A|0D)/g, (code) => decodeURIComponent(code))
}
