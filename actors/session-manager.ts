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
    for (const tree of services.open.keys()) self.monitor(tree)
    return { services, starting: 0 }
  },
  call: {
    open: (state, opening: Opening, self: Self<State>) => {
      const { services } = state
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
      }
      const { from, ref } = self
      state.starting++
      via(services.names, 'sessions')
        .call('startChild', arg, { timeout: Number.POSITIVE_INFINITY })
        .then(
          (tree) => ref.send({ type: 'opened', id, tree: tree as Ref, opening, from }),
          () => ref.send({ type: 'failed', from }),
        )
      return self.noreply
    },
  },
  info: (state, message, self) => {
    const { services } = state
    const note = message as Note
    switch (note.type) {
      case 'opened':
        state.starting--
        services.open.set(note.tree, { id: note.id, connection: note.opening.connection })
        services.counters.add('sessions_opened')
        services.counters.add('sessions_open')
        self.monitor(note.tree)
        note.from.reply({ id: note.id, tree: note.tree } satisfies Opened)
        return
      case 'failed':
        state.starting--
        note.from.reply({ refused: 'failed' } satisfies Opened)
        return
      case 'DOWN': {
        const closed = services.open.get(note.ref)
        if (closed === undefined) return
        services.open.delete(note.ref)
        services.records.delete(closed.id)
        services.events.delete(closed.id)
        closed.connection?.end()
        services.counters.add('sessions_open', -1)
        services.counters.add('sessions_closed')
        services.report({ type: 'session_closed', session: closed.id, why: describeReason(note.reason) })
      }
    }
  },
})

type Note =
  | { readonly type: 'opened'; readonly id: string; readonly tree: Ref; readonly opening: Opening; readonly from: From }
  | { readonly type: 'failed'; readonly from: From }
  | { readonly type: 'DOWN'; readonly ref: Ref; readonly reason: ExitReason }

/** Opens a session. */
export async function openSession(services: Services, opening: Opening): Promise<Opened> {
  try {
    return (await via<typeof SessionManager>(services.names, 'session-manager').call('open', opening)) as Opened
  } catch {
    // The manager is being restarted, or too busy to answer: the client may try again.
    return { refused: 'failed' }
  }
}

export function sessionManagerChild(services: Services): ChildSpec {
  return child(SessionManager, services, { id: 'session-manager', name: via(services.names, 'session-manager') })
}
