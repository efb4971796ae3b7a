/**
 * The way of a connection (stdio, memory) to its session: one session per connection, opened when the connection is. What
 * arrives before the session is there waits, up to a bound.
 */
import { decode, ErrorCode, encodeError, type Message } from '#protocol'
import { type Ref, via } from '#runtime'
import type { Peer, Receiver, Sink } from '#transports/port'
import type { OpenSession, Services } from './services.ts'
import { receive, type Session } from './session.ts'
import { openSession } from './session-manager.ts'

/** Messages that may wait for their session; more closes the connection. */
const WAITING_MAX = 10_000

/** Opens a session for a connection. `ended` is called when the connection and its session are over. */
export function openConnection(services: Services, sink: Sink, peer: Peer, ended: () => void): Receiver {
  let waiting: (Message | Message[])[] | null = []
  let session: Ref<typeof Session> | null = null
  let debts: OpenSession['debts'] | undefined
  let isClosed = false

  const over = (): void => {
    waiting = null
    sink.end()
    ended()
  }

  /** The client has left. A session between two incarnations is told by what it starts with. */
  const leave = (): void => {
    if (debts !== undefined) debts.hasLeft = true
    session?.cast('closed')
  }

  const hand = (ref: Ref<typeof Session>, message: Message | Message[]): void => {
    if (receive(ref, message, sink)) return
    // Between two incarnations: what cannot be handed over is answered, so that nobody waits for it.
    for (const one of Array.isArray(message) ? message : [message]) {
      if (one.kind !== 'request') continue
      const error = { code: ErrorCode.InternalError, message: 'The session is being restarted. Send it again.' }
      sink.send(encodeError(one.id, error))
    }
  }

  void openSession(services, { transport: peer.transport, connection: sink }).then((opened) => {
    if ('refused' in opened) {
      sink.send(
        encodeError(null, {
          code: ErrorCode.InternalError,
          message: `The server opens no session now (${opened.refused}).`,
        }),
      )
      return over()
    }
    session = via<typeof Session>(services.sessions, opened.id)
    debts = services.open.get(opened.tree)?.debts
    void opened.tree.down.then(over)
    for (const message of waiting ?? []) hand(session, message)
    waiting = null
    if (isClosed) leave()
  })

  return {
    message(text) {
      const message = decode(text)
      if (session !== null) hand(session, message)
      else if (waiting !== null && waiting.length < WAITING_MAX) waiting.push(message)
      else sink.end()
    },
    closed() {
      isClosed = true
      leave()
    },
  }
}
