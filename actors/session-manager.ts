/**
 * The session manager opens sessions and closes their books. It gives each an unguessable id, keeps their number under its
 * cap, starts the subtree of each under the `sessions` supervisor, and forgets what was kept of one when its subtree ends.
 * Finding a session is not its business: that is a look-up in a table of names.
 *
 *     const opened = await openSession(services, { transport: 'http', connection: null })
 */
import {
  type ChildSpec,
  child,
  createNames,
  defineActor,
  describeReason,
  type ExitReason,
  type From,
  type Ref,
  type Self,
  via,
} from '#runtime'
import type { Sink } from '#transports/port'
import type { Services } from './services.ts'
import type { SessionArg } from './session.ts'

/** Random bytes in a session id: 128 bits. Spec: MCP 2025-11-25, basic/transports, session management. */
const SESSION_ID_BYTES = 16

interface State {
  readonly services: Services
  /** Subtrees that are being started. */
  starting: number
}

export interface Opening {
  readonly transport: string
  readonly connection: Sink | null
}

/** An open session and the supervisor of its subtree, or why there is none. */
export type Opened =
  | { readonly id: string; readonly tree: Ref }
  | { readonly refused: 'max_sessions' | 'draining' | 'failed' }

export const SessionManager = defineActor({
  name: 'session-manager',
  init: (services: Services, self: Self<never>): State => {
    for (const [tree, open] of services.open) {
      self.monitor(tree)
      // Whoever asked an earlier incarnation for it heard of its crash instead.
      if (!open.isClaimed) discard(tree)
    }
    return { services, starting: 0 }
  },
  call: {
    open: (state, opening: Opening, self: Self<State>) => {
      const { services } = state
      // Those that are starting may stand in the table already; a cap that is early by a few does no harm.
      const refused = services.status.isDraining
        ? 'draining'
        : services.open.size + state.starting >= services.limits.sessionsMax
          ? 'max_sessions'
          : undefined
      if (refused !== undefined) {
        services.counters.add('sessions_refused', 1, refused)
        services.report({ type: 'session_refused', why: refused })
        return { refused } as Opened
      }
      const id = self.system.random.token(SESSION_ID_BYTES)
      const arg: SessionArg = {
        services,
        id,
        transport: opening.transport,
        connection: opening.connection,
        names: createNames(),
        debts: { settle: undefined, hasLeft: false },
      }
      const { from, ref } = self
      state.starting++
      via(services.names, 'sessions')
        .call('startChild', arg, { timeout: Number.POSITIVE_INFINITY })
        .then(
          (started) => {
            const tree = started as Ref
            if (!ref.alive) return discard(tree)
            services.open.set(tree, { id, connection: opening.connection, debts: arg.debts, isClaimed: false })
            ref.send({ type: 'opened', tree, from })
          },
          () => ref.send({ type: 'failed', from }),
        )
      return self.noreply
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
        services.counters.add('sessions_opened')
        services.counters.add('sessions_open')
        self.monitor(note.tree)
        note.from.reply({ id: opened.id, tree: note.tree } satisfies Opened)
        return
      }
      case 'failed':
        state.starting--
        note.from.reply({ refused: 'failed' } satisfies Opened)
        return
      case 'DOWN': {
        const closed = services.open.get(note.ref)
        if (closed === undefined) return
        services.open.delete(note.ref)
        closed.debts.settle?.('The session ended.')
        closed.debts.settle = undefined
        services.records.delete(closed.id)
        services.events.delete(closed.id)
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
  | { readonly type: 'opened'; readonly tree: Ref; readonly from: From }
  | { readonly type: 'failed'; readonly from: From }
  | { readonly type: 'DOWN'; readonly ref: Ref; readonly reason: ExitReason }

/** Ends a subtree that nobody will use. */
function discard(tree: Ref): void {
  tree.stop('shutdown').catch(() => undefined)
}

/** Opens a session. */
export async function openSession(services: Services, opening: Opening): Promise<Opened> {
  try {
    // It always answers, or ends: a caller that gave up waiting would leave a session that nobody knows.
    const patience = { timeout: Number.POSITIVE_INFINITY }
    return (await via<typeof SessionManager>(services.names, 'session-manager').call(
      'open',
      opening,
      patience,
    )) as Opened
  } catch {
    // The manager is being restarted: the client may try again.
    return { refused: 'failed' }
  }
}

export function sessionManagerChild(services: Services): ChildSpec {
  return child(SessionManager, services, { id: 'session-manager', name: via(services.names, 'session-manager') })
}
