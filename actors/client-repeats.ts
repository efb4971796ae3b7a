/**
 * Whether a request whose answer was missed may be sent again by itself, and when: one that the server cannot have run may,
 * and one that it may have run only if running it twice does no harm. Both a bounded number of times.
 */
import type { LinkFailure } from '#transports/client-port'
import type { Call } from './client-calls.ts'
import { failureOf } from './client-handshake.ts'
import type { Failure, ReconnectSettings } from './client-services.ts'

/** How often an answer may be lost before a request that may be repeated is not repeated any more. */
const LOSSES_MAX = 3

/** Counts the failure, and says whether the request may be sent once more. */
export function mayRepeat(call: Call, failure: LinkFailure, { attempts }: ReconnectSettings): boolean {
  const { kind, mayHaveRun, status = 0 } = failure
  const isPassing = kind === 'refused' || kind === 'broken' || kind === 'closed' || kind === 'session_lost'
  const isBusy = kind === 'status' && (status === 429 || (status >= 502 && status <= 504))
  if (!isPassing && !isBusy) return false
  if (!mayHaveRun) return ++call.refusals <= attempts
  return ++call.losses <= LOSSES_MAX && call.job.isSafe
}

/** What the caller of a request that is not repeated is told. */
export function lossOf(call: Call, failure: LinkFailure): Failure {
  const made = failureOf(failure)
  const mayHaveRun = made.mayHaveRun || call.losses > 0
  const fate = mayHaveRun ? 'The server may have run it' : 'It did not run'
  return { ...made, message: `${call.job.method}: ${made.message} ${fate}.`, mayHaveRun }
}

/** A server that was modern refuses without a word of the modern era: it may have been replaced by an older one. */
export function isOfLegacyServer({ kind, status }: LinkFailure): boolean {
  return kind === 'status' && (status === 400 || status === 404 || status === 405)
}

/** Milliseconds before the `attempt`-th try, from 1; half of it is left to chance, so that many clients do not come at once. */
export function backoffMs({ minMs, maxMs }: ReconnectSettings, attempt: number, random: () => number): number {
  return Math.min(minMs * 2 ** Math.max(attempt - 1, 0), maxMs) * (0.5 + random() / 2)
}
