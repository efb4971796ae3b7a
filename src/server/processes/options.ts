/** The option `processes` of `serve`: its defaults, and its check at the door. */
import { availableParallelism } from 'node:os'
import { isMainThread } from 'node:worker_threads'
import type { FleetTimes } from '#actors/fleet'
import { MEMBERS_MAX } from '#actors/members'
import { describeValue } from '#protocol'

export interface ProcessesOptions {
  /** How many, 1 to 64; 'auto' for as many as the machine runs at once. */
  readonly count: number | 'auto'
  /** Milliseconds that a copy of the program may take from its start until it serves; default 30 000. */
  readonly startMs?: number
  /** Milliseconds between two questions whether a copy is alive; default 1 000. */
  readonly beatMs?: number
  /** Milliseconds without an answer after which a copy is killed and replaced; default 30 000. */
  readonly silentMs?: number
}

export interface ProcessesSettings extends FleetTimes {
  readonly count: number
}

/** Milliseconds beyond the drain that a copy may take to end. */
const CLOSE_MS = 10_000

/** The option with its defaults; undefined for one process, which is this one. Throws a `TypeError` that names what is wrong. */
export function processesOf(
  option: number | 'auto' | ProcessesOptions | undefined,
  drainMs: number,
): ProcessesSettings | undefined {
  if (option === undefined) return undefined
  const options = typeof option === 'object' && option !== null ? option : { count: option }
  const { startMs = 30_000, beatMs = 1_000, silentMs = 30_000 } = options
  for (const [name, value] of Object.entries({ startMs, beatMs, silentMs })) {
    if (!Number.isInteger(value) || value < 1)
      throw new TypeError(
        `serve: processes.${name} must be a whole number of milliseconds, got ${describeValue(value)}.`,
      )
  }
  if (silentMs <= beatMs)
    throw new TypeError(`serve: processes.silentMs must be more than processes.beatMs, got ${silentMs} and ${beatMs}.`)
  const count = options.count === 'auto' ? Math.min(availableParallelism(), MEMBERS_MAX) : options.count
  if (!Number.isInteger(count) || count < 1 || count > MEMBERS_MAX)
    throw new TypeError(
      `serve: processes must be a whole number from 1 to ${MEMBERS_MAX}, or 'auto', got ${describeValue(count)}.`,
    )
  return count === 1 ? undefined : { count, startMs, beatMs, silentMs, stopMs: drainMs + CLOSE_MS }
}

/** Throws a `TypeError` for what cannot be shared among processes. */
export function checkShareable(options: { readonly stdio?: unknown; readonly system?: unknown }): void {
  if (options.stdio !== undefined && options.stdio !== false)
    throw new TypeError(
      'serve: stdio cannot be served by several processes: there is one standard input. Leave out processes, or stdio.',
    )
  if (options.system !== undefined)
    throw new TypeError('serve: with several processes each has a system of its own. Leave out processes, or system.')
  if (!isMainThread) throw new TypeError('serve: several processes are started from the main thread alone.')
}
