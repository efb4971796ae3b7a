/**
 * The session manager opens sessions and closes their books. It gives each an unguessable id, keeps their number under its
 * cap, starts the subtree of each under the `sessions` supervisor, and forgets what was kept of one when its subtree ends.
 * Finding a session is not its business: that is a look-up in a table of names. A session that an earlier run of the server
 * left in the store is dormant: it costs its record and no process until its client comes back, or for as long as it may idle.
 *
 *     const opened = await openSession(services, { transport: 'http', connection: null })
 */
import {
  type ChildSpec,
  child,
  defineActor,
  describeReason,
  type ExitReason,
  type From,
  isOrderly,
  type Ref,
  type Self,
  via,
} from '#runtime'
import type { Sink } from '#transports/port'
import { onceDurable } from './durable.ts'
import type { OpenSession, Services } from './services.ts'
import type { Session } from './session.ts'
import { Debts, type SessionArg } from './session-state.ts'
import { forgetSubscriber } from './subscriptions.ts'

/** Random bytes in a session id: 128 bits. Spec: MCP 2025-11-25, basic/transports, session management. */
const SESSION_ID_BYTES = 16

/** Milliseconds that a session which an earlier run of the server left has at least to come back. */
const RETURN_MS = 60_000
/** Dormant sessions are looked through this often, as a share of the idle time. */
const SWEEP_SHARE = 1 / 4

interface State {
  readonly services: Services
  /** Subtrees that are being started. */
  starting: number
  /** Sessions that have a record and no subtree: an earlier run of the server left them, or something above them died. */
  readonly dormant: Set<string>
  /** Dormant sessions that are being woken, and who waits for them. */
  readonly waking: Map<string, From[]>
  readonly startedAt: number
  isSweeping: boolean
}

export interface Opening {
  readonly transport: string
  readonly connection: Sink | null
  /** Whom the session is bound to; undefined without authorization. */
  readonly principal?: string | undefined
}

/** An open session and the supervisor of its subtree, or why there is none. */
export type Opened =
  | { readonly id: string; readonly tree: Ref }
  | { readonly refused: 'max_sessions' | 'draining' | 'failed' }

/** Whether a session has a process now: 'restarting' is for a moment, 'unknown' for good. */
export type Woken = 'awake' | 'restarting' | 'draining' | 'unknown'

export const SessionManager = defineActor({
  name: 'session-manager',
  init: (services: Services, self: Self<never>): State => {
    const awake = new Set<string>()
    for (const [tree, open] of services.open) {
      awake.add(open.id)
      self.monitor(tree)
      // Whoever asked an earlier incarnation for it heard of its crash instead.
      if (!open.isClaimed) discard(tree)
    }
    const dormant = new Set<string>()
    for (const { id } of services.records.list()) if (!awake.has(id)) dormant.add(id)
    const startedAt = self.system.clock.wallNow()
    const state: State = { services, starting: 0, dormant, waking: new Map(), startedAt, isSweeping: false }
    sweepLater(state, self as Self)
    return state
  },
  call: {
    open: (state, opening: Opening, self: Self<State>) => {
      const { services, dormant } = state
      // Those that are starting may stand in the table already; a cap that is early by a few does no harm.
      const refused = services.status.isDraining
        ? 'draining'
        : services.open.size + state.starting + dormant.size >= services.limits.sessionsMax
          ? 'max_sessions'
          : undefined
      if (refused !== undefined) {
        services.counters.add('sessions_refused', 1, refused)
        services.report({ type: 'session_refused', why: refused })
        return { refused } as Opened
      }
      const id = (services.members?.mark ?? '') + self.system.random.token(SESSION_ID_BYTES)
      start(state, { ...opening, id }, self.from, self)
      return self.noreply
    },
    /** Gives a dormant session its subtree. */
    wake: (state, id: string, self: Self<State>) => {
      const { services, dormant, waking } = state
      const waiting = waking.get(id)
      if (waiting !== undefined) {
        waiting.push(self.from)
        return self.noreply
      }
      const record = services.records.get(id)
      if (record === undefined) return 'unknown' satisfies Woken
      if (!dormant.has(id))
        return (services.sessions.whereis(id) === undefined ? 'restarting' : 'awake') satisfies Woken
      if (services.status.isDraining) return 'draining' satisfies Woken
      waking.set(id, [self.from])
      start(state, { id, transport: 'http', connection: null, principal: record.principal }, undefined, self)
      return self.noreply
    },
    /** Ends a session that had no process. 'awake' when it has one by now, and can be told itself. */
    end: (state, id: string, self: Self<State>) => {
      const { services, dormant, waking } = state
      const waiting = waking.get(id)
      if (waiting !== undefined) {
        waiting.push(self.from)
        return self.noreply
      }
      if (services.sessions.whereis(id) !== undefined) return 'awake' satisfies Woken
      if (dormant.has(id)) forget(state, id)
      else endSubtree(services, id)
      return 'unknown' satisfies Woken
    },
  },
  info: (state, message, self) => {
    const { services } = state
    const note = message as Note
    switch (note.type) {
      case 'opened': {
        state.starting--
        const opened = services.open.get(note.tree)
        if (opened === undefined) return
        opened.isClaimed = true
        services.counters.add(note.from === undefined ? 'sessions_restored' : 'sessions_opened')
        services.counters.add('sessions_open')
        self.monitor(note.tree)
        state.dormant.delete(opened.id)
        note.from?.reply({ id: opened.id, tree: note.tree } satisfies Opened)
        woken(state, opened.id, 'awake')
        return
      }
      case 'failed':
        state.starting--
        note.from?.reply({ refused: 'failed' } satisfies Opened)
        woken(state, note.id, 'restarting')
        return
      case 'sweep':
        state.isSweeping = false
        expire(state, self)
        sweepLater(state, self as Self)
        return
      case 'DOWN': {
        const closed = services.open.get(note.ref)
        if (closed === undefined) return
        services.open.delete(note.ref)
        closed.debts.settle?.('The session ended.')
        if (isToReturn(services, closed, note.reason)) {
          state.dormant.add(closed.id)
          sweepLater(state, self as Self)
        } else forget(state, closed.id)
        closed.connection?.end()
        if (!closed.isClaimed) return
        services.counters.add('sessions_open', -1)
        services.counters.add('sessions_closed')
        services.report({ type: 'session_closed', session: closed.id, why: describeReason(note.reason) })
      }
    }
  },
})

type Note =
  | { readonly type: 'opened'; readonly tree: Ref; readonly from: From | undefined }
  | { readonly type: 'failed'; readonly id: string; readonly from: From | undefined }
  | { readonly type: 'sweep' }
  | { readonly type: 'DOWN'; readonly ref: Ref; readonly reason: ExitReason }

/** Starts the subtree of a session; the outcome is a note to the manager. */
function start(
  state: State,
  opening: Opening & { readonly id: string },
  from: From | undefined,
  self: Self<State>,
): void {
  const { services } = state
  const { id, transport, connection, principal } = opening
  const debts = new Debts()
  const arg: SessionArg = { services, system: self.system, id, transport, connection, principal, debts }
  const { ref } = self
  state.starting++
  via(services.names, 'sessions')
    .call('startChild', arg, { timeout: Number.POSITIVE_INFINITY })
    .then(
      (started) => {
        const tree = started as Ref
        if (!ref.alive) return discard(tree)
        debts.tree = tree
        services.open.set(tree, { id, connection, debts, isClaimed: false })
        ref.send({ type: 'opened', tree, from } satisfies Note)
      },
      () => ref.send({ type: 'failed', id, from } satisfies Note),
    )
}

function woken(state: State, id: string, how: Woken): void {
  for (const from of state.waking.get(id) ?? []) from.reply(how)
  state.waking.delete(id)
}

/**
 * Whether a session whose subtree has ended may be woken again. One that ended by itself has no record any more, and one that
 * crashed too often ended in order; else something above it went, or the whole server goes, and its client may come back.
 */
function isToReturn(services: Services, { id, connection }: OpenSession, reason: ExitReason): boolean {
  if (connection !== null || services.records.get(id) === undefined) return false
  return services.status.isDraining || !isOrderly(reason)
}

/** Between two incarnations: what its subtree starts next must not find the record. */
function endSubtree(services: Services, id: string): void {
  for (const [tree, open] of services.open) {
    if (open.id !== id) continue
    services.records.delete(id)
    discard(tree)
  }
}

function forget({ services, dormant }: State, id: string): void {
  dormant.delete(id)
  services.records.delete(id)
  services.events.delete(id)
  forgetSubscriber(services, id)
}

function sweepLater(state: State, self: Self): void {
  if (state.isSweeping || state.dormant.size === 0) return
  state.isSweeping = true
  self.sendAfter(state.services.limits.sessionIdleMs * SWEEP_SHARE, { type: 'sweep' })
}

/** Forgets the dormant sessions whose clients were away for too long. What is written of their activity is coarse. */
function expire(state: State, self: Self<State>): void {
  const { services, dormant, waking } = state
  const now = self.system.clock.wallNow()
  const keptMs = services.limits.sessionIdleMs * (1 + SWEEP_SHARE)
  if (now < state.startedAt + Math.min(RETURN_MS, keptMs)) return
  for (const id of [...dormant]) {
    const record = services.records.get(id)
    if (waking.has(id) || (record !== undefined && now < record.lastActiveAt + keptMs)) continue
    if (record !== undefined) services.counters.add('sessions_expired')
    forget(state, id)
  }
}

/** Ends a subtree that nobody will use. */
function discard(tree: Ref): void {
  tree.stop('shutdown').catch(() => undefined)
}

const client = (services: Services): Ref<typeof SessionManager> =>
  via<typeof SessionManager>(services.names, 'session-manager')

// It always answers, or ends: a caller that gave up waiting would leave a session that nobody knows.
const patiently = { timeout: Number.POSITIVE_INFINITY }

/** Opens a session. */
export async function openSession(services: Services, opening: Opening): Promise<Opened> {
  try {
    return (await client(services).call('open', opening, patiently)) as Opened
  } catch {
    // The manager is being restarted: the client may try again.
    return { refused: 'failed' }
  }
}

/** Sees to it that a session which has a record has a process too. Where it has one already, this need not be called. */
export async function wakeSession(services: Services, id: string): Promise<Woken> {
  try {
    return (await client(services).call('wake', id, patiently)) as Woken
  } catch {
    return 'restarting'
  }
}

/** Whether a session may be used by this principal. One that is unknown is nobody's, and is found to be unknown later. */
export function isBoundTo(services: Services, id: string, principal: string | undefined): boolean {
  const record = services.records.get(id)
  return record === undefined || record.principal === principal
}

/**
 * Ends a session for its client, awake or not. `ended` is called with true when it cannot come back, not even after a restart;
 * with false when it has ended and the disk is too far behind to promise that.
 */
export function endSession(services: Services, id: string, ended: (isCertain: boolean) => void): void {
  const session = via<typeof Session>(services.sessions, id)
  const tell = (): boolean => session.cast('end', ended) !== false
  if (tell()) return
  client(services)
    .call('end', id, patiently)
    .then(
      (found) => found === 'awake' && tell(),
      // The manager is being restarted, and goes by the records.
      () => tell(),
    )
    .then((isTold) => {
      if (isTold) return
      services.records.delete(id)
      onceDurable(
        services.records,
        () => ended(true),
        () => ended(false),
      )
    })
}

export function sessionManagerChild(services: Services): ChildSpec {
  return child(SessionManager, services, { id: 'session-manager', name: via(services.names, 'session-manager') })
}
