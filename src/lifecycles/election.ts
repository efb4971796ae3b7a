/**
 * An election: of all processes that share a lease, one leads.
 *
 *     const Election = defineElection({ name: 'election', lease, ttlMs: 15_000, subscribers: [via(registry, 'writer')] })
 *     const election = await system.start(Election)
 *     election.cast('subscribe', writer)           // { type: 'leader', token, until }, { type: 'follower' }
 *
 * What is promised, as long as clocks run at one speed within the margin: two never lead at once, each leader has a larger
 * token than all before it, and when the lease answers again there is a leader within its time-to-live and a few retries.
 * What is not: that a leader *notices* in time. A program that was halted goes on where it was; so check `leadershipOf` right
 * before you act, and send the token along. A snapshot of an election is not for `resume`: its times are of its system.
 */
import { fromPromise } from 'xstate'
import type { ExitReason, Target } from '#runtime'
import { type ElectionInput, type ElectionNews, type ElectionTimes, electionMachine } from './election-machine.ts'
import type { Lease } from './lease.ts'
import { fromMachine, type MachineDefinition } from './machine.ts'
import type { MachineSnapshot } from './machine-snapshot.ts'

export interface ElectionOptions extends Partial<ElectionTimes> {
  /** Identity for hot swap, logs and the tree. */
  readonly name: string
  /** Default 1. */
  readonly version?: number
  readonly lease: Lease
  /** Who gets the news from the start, beside those that subscribe; a `via` outlives its process. */
  readonly subscribers?: readonly Target[]
}

/** Who leads, as far as one candidate knows. */
export interface Leadership {
  readonly token: number
  /** When it stops to be true unless it is renewed, on the system's clock. */
  readonly until: number
}

export interface ElectionStart {
  /** The name under which the lease is held; default the pid. Two live candidates may share one and still never both lead. */
  readonly holder?: string
}

/** Defines the candidates of an election. Throws a `TypeError` for times that cannot work. */
export function defineElection(options: ElectionOptions): ElectionDefinition {
  const { lease, name, version, subscribers } = options
  const times = timesOf(options)
  const giveBack = async (holder: string, token: number | undefined): Promise<void> => {
    // Later than the step that gives it back: subscribers know first.
    await Promise.resolve()
    try {
      if (token !== undefined) await lease.release(holder, token)
    } catch {
      // It runs out by itself.
    }
  }
  const machine = electionMachine.provide({
    actors: {
      acquire: fromPromise(async ({ input: { holder, ttlMs }, signal }) => {
        const grant = await lease.acquire(holder, ttlMs)
        // Nobody waits for it any more: without this, nobody would lead until it runs out.
        if (signal.aborted) await giveBack(holder, grant?.token)
        return grant
      }),
      renew: fromPromise(({ input: { holder, token, ttlMs } }) => lease.renew(holder, token, ttlMs)),
    },
    actions: { giveBack: ({ context: { holder, token } }) => void giveBack(holder, token) },
  })
  const definition = fromMachine(machine, {
    name,
    ...(version === undefined ? {} : { version }),
    ...(subscribers === undefined ? {} : { subscribers }),
    input: (start: ElectionStart | undefined): ElectionInput => ({ ...times, holder: start?.holder }),
    terminate: ({ value, context }: ElectionSnapshot, _reason: ExitReason, _self, tell) => {
      if (!isLeading(value)) return
      const news: ElectionNews = { type: 'follower' }
      tell(news)
      void giveBack(context.holder, context.token)
    },
  })
  // The start argument is the holder's name; `input` makes the machine's input of it.
  return definition as unknown as ElectionDefinition
}

export type ElectionSnapshot = MachineSnapshot<typeof electionMachine>

type Types = NonNullable<MachineDefinition<typeof electionMachine>['types']>

/** An election as a kind of process; its start argument is optional. */
export interface ElectionDefinition extends Omit<MachineDefinition<typeof electionMachine>, 'types'> {
  readonly types?: Omit<Types, 'arg'> & { readonly arg: ElectionStart | undefined }
}

/** The leadership in `snapshot` at `nowMs` of its system's clock; undefined when it does not lead or its time is over. */
export function leadershipOf(snapshot: ElectionSnapshot, nowMs: number): Leadership | undefined {
  const { token, validUntil } = snapshot.context
  if (!isLeading(snapshot.value) || token === undefined || nowMs >= validUntil) return undefined
  return { token, until: validUntil }
}

function isLeading(value: unknown): boolean {
  return typeof value === 'object' && value !== null && 'leader' in value
}

function timesOf(options: ElectionOptions): ElectionTimes {
  const { ttlMs = 15_000 } = options
  const { marginMs = ttlMs / 5, renewMs = ttlMs / 3, answerMs = ttlMs / 5, retryMs = ttlMs / 5 } = options
  const times = { ttlMs, marginMs, renewMs, answerMs, retryMs }
  for (const [key, value] of Object.entries(times)) {
    if (typeof value !== 'number' || !(value > 0) || value === Number.POSITIVE_INFINITY)
      throw new TypeError(`defineElection "${options.name}": ${key} must be a positive number, got ${String(value)}.`)
  }
  if (renewMs + marginMs >= ttlMs) {
    throw new TypeError(
      `defineElection "${options.name}": renewMs + marginMs must be less than ttlMs, or every leader is out of time before it ` +
        `renews; got ${renewMs} + ${marginMs} and ${ttlMs}.`,
    )
  }
  return times
}
