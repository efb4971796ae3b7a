/**
 * The fan-out: who is told of which change. It keeps a reverse index from resource URI to the sessions that subscribed, and
 * monitors them, so a session that ends leaves nothing behind; a session that is restarted subscribes anew from its record.
 */
import { type ChildSpec, child, defineActor, type Ref, type Self, via } from '#runtime'
import type { Services } from './services.ts'
import type { Session } from './session.ts'

interface Subscriber {
  readonly ref: Ref<typeof Session>
  readonly monitor: number
  readonly uris: Set<string>
}

interface State {
  readonly services: Services
  readonly byUri: Map<string, Set<Ref<typeof Session>>>
  readonly bySession: Map<Ref<typeof Session>, Subscriber>
}

function drop(state: State, subscriber: Subscriber, uri: string): void {
  subscriber.uris.delete(uri)
  const subscribers = state.byUri.get(uri)
  subscribers?.delete(subscriber.ref)
  if (subscribers?.size === 0) state.byUri.delete(uri)
}

export const Subscriptions = defineActor({
  name: 'subscriptions',
  init: (services: Services, self: Self<never>): State => {
    // After a restart the sessions are asked again: they know what they subscribed to.
    for (const id of services.sessions.keys()) via<typeof Session>(services.sessions, id).cast('resubscribe')
    void self
    return { services, byUri: new Map(), bySession: new Map() }
  },
  call: {
    count: (state) => ({ uris: state.byUri.size, sessions: state.bySession.size }),
  },
  cast: {
    subscribe: (state, { ref, uri }: { ref: Ref<typeof Session>; uri: string }, self: Self<State>) => {
      let subscriber = state.bySession.get(ref)
      if (subscriber === undefined) {
        subscriber = { ref, monitor: self.monitor(ref), uris: new Set() }
        state.bySession.set(ref, subscriber)
      }
      subscriber.uris.add(uri)
      const subscribers = state.byUri.get(uri) ?? new Set()
      state.byUri.set(uri, subscribers.add(ref))
    },
    unsubscribe: (state, { ref, uri }: { ref: Ref<typeof Session>; uri: string }, self: Self<State>) => {
      const subscriber = state.bySession.get(ref)
      if (subscriber === undefined) return
      drop(state, subscriber, uri)
      if (subscriber.uris.size > 0) return
      self.demonitor(subscriber.monitor)
      state.bySession.delete(ref)
    },
    updated: (state, uri: string) => {
      for (const ref of state.byUri.get(uri) ?? [])
        ref.cast('announce', { method: 'notifications/resources/updated', params: { uri } })
    },
    listChanged: (state, list: string) => {
      const method = `notifications/${list}/list_changed`
      for (const id of state.services.sessions.keys())
        via<typeof Session>(state.services.sessions, id).cast('announce', { method })
    },
  },
  info: (state, message) => {
    const { ref } = message as { ref: Ref<typeof Session> }
    const subscriber = state.bySession.get(ref)
    if (subscriber === undefined) return
    for (const uri of [...subscriber.uris]) drop(state, subscriber, uri)
    state.bySession.delete(ref)
  },
})

const client = (services: Services): Ref<typeof Subscriptions> =>
  via<typeof Subscriptions>(services.names, 'subscriptions')

/** Tells a session of every update of `uri` from now on. */
export function subscribe(services: Services, ref: Ref<typeof Session>, uri: string): void {
  client(services).cast('subscribe', { ref, uri })
}

export function unsubscribe(services: Services, ref: Ref<typeof Session>, uri: string): void {
  client(services).cast('unsubscribe', { ref, uri })
}

/** Tells all subscribers of `uri` that it changed. */
export function resourceUpdated(services: Services, uri: string): void {
  client(services).cast('updated', uri)
}

/** Tells all sessions that a list changed. */
export function listChanged(services: Services, list: string): void {
  client(services).cast('listChanged', list)
}

export function subscriptionsChild(services: Services): ChildSpec {
  return child(Subscriptions, services, { id: 'subscriptions', name: via(services.names, 'subscriptions') })
}
