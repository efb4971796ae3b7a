/**
 * A listener owns one transport: it opens it when it starts, hands what arrives to the doors, and closes it when it ends. On a
 * shutdown it drains first: no new sessions, and what is in flight is finished or answered with an error in time.
 */
import { ErrorCode, encodeError } from '#protocol'
import { type ChildSpec, type Clock, child, defineActor, isShutdown, type Self, via } from '#runtime'
import type { Listening, Transport } from '#transports/port'
import { openConnection } from './connection-door.ts'
import { routeExchange } from './http-door.ts'
import type { Services } from './services.ts'
import type { Session } from './session.ts'

export interface ListenerArg {
  readonly services: Services
  readonly transport: Transport
}

interface State extends ListenerArg {
  readonly listening: Listening
}

/** Milliseconds beyond the drain that a listener may take to close. */
const CLOSE_MS = 5_000
/** Milliseconds between two looks at what is still in flight. */
const DRAIN_LOOK_MS = 20
/** Milliseconds that sessions are given to answer what was left after the drain. */
const ABANDON_MS = 1_000

export const Listener = defineActor({
  name: 'listener',
  trapExits: true,
  init: async ({ services, transport }: ListenerArg, self: Self<never>): Promise<State> => {
    services.status.isDraining = false
    const listening = await transport.listen({
      connection: (sink, peer) => {
        services.counters.add('connections', 1, peer.transport)
        return openConnection(services, self.system, sink, peer, () => self.ref.cast('connectionEnded'))
      },
      exchange: (exchange) => {
        try {
          routeExchange(services, self.system, exchange)
        } catch (error) {
          services.report({ type: 'stray_fault', how: 'uncaught_exception', error })
          exchange.reply(500, encodeError(null, { code: ErrorCode.InternalError, message: 'Internal error.' }))
        }
      },
    })
    // Killed, it has no last words, but its port must be free for the next incarnation.
    self.signal.addEventListener('abort', () => void listening.close(), { once: true })
    services.report({ type: 'listening', transport: transport.name, url: listening.url })
    return { services, transport, listening }
  },
  call: {
    url: (state) => state.listening.url,
  },
  cast: {
    /** Standard input has ended, and with it the one connection that this transport will ever have. */
    connectionEnded: (state, _arg: undefined, self: Self<State>) => {
      if (state.transport.name === 'stdio') self.stop()
    },
  },
  terminate: async (state, reason, self) => {
    state.listening.stopAccepting()
    if (isShutdown(reason)) await drain(state, self.system.clock)
    await state.listening.close()
  },
})

/** Lets every session, and every request outside one, finish what it has in flight, within the drain time. */
async function drain({ services, transport }: State, clock: Clock): Promise<void> {
  services.status.isDraining = true
  const { drainMs } = services.limits
  const ids = [...services.sessions.keys()]
  for (const listen of services.listens) listen.cast('end')
  services.report({
    type: 'draining',
    transport: transport.name,
    sessions: ids.length,
  })
  await Promise.all([
    drainCalls(services, clock),
    ...ids.map(async (id) => {
      const session = via<typeof Session>(services.sessions, id)
      try {
        await session.call('quiesce', undefined, { timeout: drainMs })
      } catch {
        // Out of time, or it ended meanwhile: what is left of it is answered with an error.
        await session.call('abandon', undefined, { timeout: ABANDON_MS }).catch(() => undefined)
      }
    }),
  ])
}

/** Waits until no request of the modern era is in flight; those that take longer than the drain are answered with an error. */
async function drainCalls({ calls, listens, limits }: Services, clock: Clock): Promise<void> {
  const until = clock.now() + limits.drainMs
  while (calls.size + listens.size > 0 && clock.now() < until)
    await new Promise<void>((resolve) => clock.setTimer(resolve, DRAIN_LOOK_MS))
  for (const call of [...calls]) call.abandon('The server is shutting down.')
}

export function listenerChild(
  services: Services,
  transport: Transport,
  options: { readonly isSole: boolean },
): ChildSpec {
  // Alone, a standard input that has ended means that nobody is left to serve.
  const ends = transport.name === 'stdio' && options.isSole
  return child(
    Listener,
    { services, transport },
    {
      id: transport.name,
      restart: transport.name === 'stdio' ? 'transient' : 'permanent',
      significant: ends,
      shutdown: services.limits.drainMs + CLOSE_MS,
      name: via(services.names, `listener:${transport.name}`),
    },
  )
}
