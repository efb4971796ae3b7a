/**
 * Requests are independent of each other and short: any number of one kind, never restarted. A session has such a supervisor of
 * its own; one more serves the requests that belong to no session, and another the subscriptions of clients without one.
 */
import { listenTemplate } from '#actors/listen'
import { requestTemplate } from '#actors/request'
import type { Services } from '#actors/services'
import { type ChildSpec, child, defineSupervisor, via } from '#runtime'

export const Requests = defineSupervisor({
  name: 'requests',
  strategy: 'simple_one_for_one',
  children: [requestTemplate()],
})

/** Subscriptions that may be open at once. */
export const LISTENS_MAX = 20_000

const Listens = defineSupervisor({
  name: 'listens',
  strategy: 'simple_one_for_one',
  maxChildren: LISTENS_MAX,
  children: [listenTemplate()],
})

const Stateless = defineSupervisor('stateless', (services: Services) => ({
  strategy: 'one_for_one',
  intensity: 10,
  period: 10_000,
  children: [
    child(Requests, undefined, { id: 'requests', name: via(services.names, 'requests') }),
    child(Listens, undefined, { id: 'listens', name: via(services.names, 'listens') }),
  ],
}))

/** What belongs to no session, apart from everything else: the loss of one kind of it ends neither the other nor a session. */
export const statelessChild = (services: Services): ChildSpec => child(Stateless, services, { id: 'stateless' })
