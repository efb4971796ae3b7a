/**
 * A lease is the right to lead for a while, given out by something that all candidates can ask: a table row, a key-value
 * store, a file. It goes to one holder at a time, and each grant has a *fencing token*: a number larger than all before it.
 * What the leader writes to carries the token, and refuses what comes with a smaller one: that, and not the clock, is what
 * stops a leader that was asleep and does not know yet that it no longer leads.
 */
import type { Clock } from '#runtime'

/** The grant of a lease. */
export interface Grant {
  /** Larger than every token granted before. */
  readonly token: number
  /** When it runs out, in milliseconds of the lease's own clock: for people; holders measure by their own clock. */
  readonly expiresAt: number
}

/** What an election needs of a lease. Each function may reject or be slow: a candidate then takes it for no answer. */
export interface Lease {
  /** The lease for `ttlMs` from when it is granted, or undefined while it is held, be it by the same holder. */
  acquire(holder: string, ttlMs: number): Promise<Grant | undefined>
  /** Makes the grant last for `ttlMs` from now; false when it is no longer the holder's. */
  renew(holder: string, token: number, ttlMs: number): Promise<boolean>
  /** Gives the lease back; nothing happens when the grant is no longer the holder's. */
  release(holder: string, token: number): Promise<void>
}

/** A lease in memory, for processes that share it, and for tests. */
export function memoryLease(clock: Pick<Clock, 'now'>): Lease {
  let held: { readonly holder: string; readonly token: number; readonly expiresAt: number } | undefined
  let lastToken = 0
  const isHeldBy = (holder: string, token: number): boolean =>
    held !== undefined && held.holder === holder && held.token === token && clock.now() < held.expiresAt
  return {
    async acquire(holder, ttlMs) {
      if (held !== undefined && clock.now() < held.expiresAt) return undefined
      held = { holder, token: ++lastToken, expiresAt: clock.now() + ttlMs }
      return { token: held.token, expiresAt: held.expiresAt }
    },
    async renew(holder, token, ttlMs) {
      if (!isHeldBy(holder, token)) return false
      held = { holder, token, expiresAt: clock.now() + ttlMs }
      return true
    },
    async release(holder, token) {
      if (isHeldBy(holder, token)) held = undefined
    },
  }
}
