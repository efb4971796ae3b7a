/**
 * The life of one candidate in an election, as an xstate machine:
 *
 *     follower --a while--> candidate --lease granted--> leader --lost, resigned or in doubt--> follower
 *                              `------- refused, slow, error -------> follower
 *
 * A leader renews its lease long before it runs out. Its own deadline, `validUntil`, counts from the moment *before* it
 * asked, and ends `marginMs` before the lease does: whatever the answer took, the lease ends later. Answers that arrive when
 * the deadline is over are worthless and change nothing but back to follower.
 */
import { assign, cancel, emit, fromPromise, raise, setup } from 'xstate'
import type { Grant } from './lease.ts'
import { processOf } from './machine-ref.ts'

/** Milliseconds throughout. */
export interface ElectionTimes {
  /** How long a lease lasts from its grant or renewal; default 15 000. */
  readonly ttlMs: number
  /** How long before the lease's end the leader stops to lead: for clocks that differ and work in hand; default ttl / 5. */
  readonly marginMs: number
  /** How long after one renewal the next is asked; default ttl / 3. */
  readonly renewMs: number
  /** How long the lease may take to answer; default ttl / 5. */
  readonly answerMs: number
  /** How long a follower waits before it asks, and a leader before it renews again; half to one and a half of it, by chance; default ttl / 5. */
  readonly retryMs: number
}

export interface ElectionContext extends ElectionTimes {
  readonly holder: string
  /** The fencing token of the last grant. */
  readonly token: number | undefined
  /** When the lease was last asked, on the system's clock. */
  readonly askedAt: number
  /** When this one stops to lead, on the system's clock. */
  readonly validUntil: number
  /** When the last answer was handled. */
  readonly answeredAt: number
}

/** What subscribers get. `until` is on the system's clock; a `renewed` moves it. */
export type ElectionNews =
  | { readonly type: 'leader'; readonly token: number; readonly until: number }
  | { readonly type: 'renewed'; readonly token: number; readonly until: number }
  | { readonly type: 'follower' }

export type ElectionInput = ElectionTimes & { readonly holder?: string | undefined }

const isNotProvided = (): Promise<never> => Promise.reject(new Error('The election has no lease: use defineElection.'))

export const electionMachine = setup({
  types: {
    context: {} as ElectionContext,
    events: {} as { readonly type: 'resign' } | { readonly type: 'expire' },
    emitted: {} as ElectionNews,
    input: {} as ElectionInput,
  },
  actors: {
    acquire: fromPromise<Grant | undefined, { readonly holder: string; readonly ttlMs: number }>(isNotProvided),
    renew: fromPromise<boolean, { readonly holder: string; readonly token: number; readonly ttlMs: number }>(
      isNotProvided,
    ),
  },
  actions: {
    giveBack: () => undefined,
    noteAsking: assign({ askedAt: ({ self }) => processOf(self).now() }),
    noteAnswer: assign({
      answeredAt: ({ self }) => processOf(self).now(),
      validUntil: ({ context }) => context.askedAt + context.ttlMs - context.marginMs,
    }),
    tellLeader: emit(({ context }) => ({ type: 'leader', token: context.token ?? 0, until: context.validUntil })),
    tellRenewed: emit(({ context }) => ({ type: 'renewed', token: context.token ?? 0, until: context.validUntil })),
    tellFollower: emit({ type: 'follower' }),
    armDeadline: raise(
      { type: 'expire' },
      { id: 'deadline', delay: ({ context, self }) => Math.max(0, context.validUntil - processOf(self).now()) },
    ),
    disarmDeadline: cancel('deadline'),
  },
  guards: { isInTime: ({ context }) => context.answeredAt < context.validUntil },
  delays: {
    retry: ({ context, self }) => context.retryMs * (0.5 + processOf(self).random()),
    renewal: ({ context }) => context.renewMs,
    answer: ({ context }) => context.answerMs,
  },
}).createMachine({
  id: 'election',
  context: ({ input, self }) => ({
    ...input,
    holder: input.holder ?? processOf(self).pid,
    token: undefined,
    askedAt: 0,
    validUntil: 0,
    answeredAt: 0,
  }),
  initial: 'follower',
  states: {
    follower: { after: { retry: 'candidate' } },
    candidate: {
      entry: 'noteAsking',
      invoke: {
        src: 'acquire',
        id: 'acquire',
        input: ({ context: { holder, ttlMs } }) => ({ holder, ttlMs }),
        onDone: [
          {
            guard: function refused({ event }) {
              return event.output === undefined
            },
            target: 'follower',
          },
          { target: 'granted', actions: ['noteAnswer', assign({ token: ({ event }) => event.output?.token })] },
        ],
        onError: 'follower',
      },
      after: { answer: 'follower' },
    },
    granted: {
      always: [
        { guard: 'isInTime', target: 'leader' },
        { target: 'follower', actions: 'giveBack' },
      ],
    },
    leader: {
      entry: ['tellLeader', 'armDeadline'],
      exit: ['disarmDeadline', 'tellFollower'],
      initial: 'holding',
      on: { expire: 'follower', resign: { target: 'follower', actions: 'giveBack' } },
      states: {
        holding: { after: { renewal: 'renewing' } },
        renewing: {
          entry: 'noteAsking',
          invoke: {
            src: 'renew',
            id: 'renew',
            input: ({ context: { holder, token, ttlMs } }) => ({ holder, token: token ?? 0, ttlMs }),
            onDone: [
              {
                guard: function renewed({ event }) {
                  return event.output
                },
                target: 'renewed',
                actions: 'noteAnswer',
              },
              { target: '#election.follower' },
            ],
            onError: 'doubting',
          },
          after: { answer: 'doubting' },
        },
        renewed: {
          always: [
            { guard: 'isInTime', target: 'holding', actions: ['disarmDeadline', 'tellRenewed', 'armDeadline'] },
            { target: '#election.follower' },
          ],
        },
        doubting: { after: { retry: 'renewing' } },
      },
    },
  },
})
