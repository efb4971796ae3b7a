/**
 * A listener owns one transport: it opens it when it starts, hands what arrives to the doors, and closes it when it ends. On a
 * shutdown it drains first: no new sessions, and what is in flight is finished or answered with an error in time.
 */
import type { Principal } from '#features/context'
import { ErrorCode, encodeError } from '#protocol'
import {
  type ChildSpec,
  type Clock,
  child,
  defineActor,
  isOrderly,
  isShutdown,
  type Self,
  type System,
  type Timer,
  via,
} from '#runtime'
import { Gathering } from '#structures/gathering'
import type { Listening, Peer, Receiver, Sink, Transport } from '#transports/port'
import { callerOf, findCaller } from './caller.ts'
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
/** Messages of connections that are worked on together, however few of those that wait this is. */
const TOGETHER_MIN = 8
/** Milliseconds that sessions are given to answer what was left after the drain. */
const ABANDON_MS = 1_000

export const Listener = defineActor({
  name: 'listener',
  trapExits: true,
  init: async ({ services, transport }: ListenerArg, self: Self<never>): Promise<State> => {
    services.status.isDraining = false
    services.listening.set(transport.name, undefined)
    // What is read in one pass of the event loop is worked on together.
    const run = (take: () => void): void => take()
    const later = (flush: () => void): void => self.system.afterInput(flush)
    const exchanges = new Gathering<() => void>(run, later)
    const messages = new Gathering<() => void>(run, later, half)
    const open = (sink: Sink, peer: Peer, auth?: Principal, expiry?: Timer): Receiver => {
      services.counters.add('connections', 1, peer.transport)
      const ended = (): void => {
        if (expiry !== undefined) self.system.timers.cancel(expiry)
        self.ref.cast('connectionEnded')
      }
      const receiver = openConnection(services, self.system, sink, peer, ended, auth)
      return {
        message: (text) => messages.add(() => receiver.message(text)),
        finished: () => messages.add(() => receiver.finished?.()),
        closed: () => messages.add(() => receiver.closed()),
      }
    }
    const listening = await transport.listen({
      // Of several processes one listens for all; see src/transports/doorway.ts.
      doorway: services.members?.doorway,
      connection: (sink, peer) => open(sink, peer),
      applicant: (applicant) => {
        try {
          findCaller(services, callerOf(applicant), applicant, (auth) =>
            applicant.admit(auth?.id, (sink) => {
              const expiry = applicant.isLasting ? endWithToken(self.system, sink, auth) : undefined
              return open(sink, applicant.peer, auth, expiry)
            }),
          )
        } catch (error) {
          services.report({ type: 'stray_fault', how: 'uncaught_exception', error })
          applicant.refuse(500, encodeError(null, { code: ErrorCode.InternalError, message: 'Internal error.' }))
        }
      },
      exchange: (exchange) => {
        const handle = (): void => {
          try {
            routeExchange(services, self.system, exchange)
          } catch (error) {
            services.report({ type: 'stray_fault', how: 'uncaught_exception', error })
            exchange.reply(500, encodeError(null, { code: ErrorCode.InternalError, message: 'Internal error.' }))
          }
        }
        // What instruments node:http has a span around each request, and around no other.
        exchanges.add(services.telemetry.isTracing ? services.telemetry.tracing.bound(handle) : handle)
      },
    })
    // Killed, it has no last words, but its port must be free for the next incarnation.
    self.signal.addEventListener('abort', () => void listening.close(), { once: true })
    services.listening.set(transport.name, listening)
    services.report({ type: 'listening', transport: transport.name, url: listening.url })
    return { services, transport, listening }
  },
  call: {
    /** Where it listens: the transport's own URL first. */
    urls: (state): readonly string[] => [state.listening.url, ...(state.listening.otherUrls ?? [])],
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
    // An end in order is no failure: nobody expects it to listen any more.
    if (isOrderly(reason)) state.services.listening.delete(state.transport.name)
  },
})

/**
 * How many of the messages that wait are worked on at once. Half of them: their answers leave while the others are worked on, so
 * that whoever sent many on one connection has something to do meanwhile.
 */
function half(waiting: number): number {
  return Math.max(TOGETHER_MIN, Math.ceil(waiting / 2))
}

/**
 * Ends a connection when the token that opened it expires: nobody would ask for another. What it has in flight ends with it.
 * Spec: RFC 7519, 4.1.4.
 */
function endWithToken({ clock, timers }: System, sink: Sink, auth: Principal | undefined): Timer | undefined {
  const expiresAt = auth?.claims['exp']
  return typeof expiresAt === 'number'
    ? timers.start(expiresAt * 1_000 - clock.wallNow(), () => void sink.end())
    : undefined
}

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
    services.members?.drained(drainMs),
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
  for (const call of calls.values()) call.abandon('The server is shutting down.')
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
