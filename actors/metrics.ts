/**
 * The metrics process owns the counters of an application: others add to them without a message, this one reads them out.
 * Being a process it stands in the tree, and what it counted outlives a restart, since the table is the application's.
 */
import { type ChildSpec, child, defineActor, via } from '#runtime'
import type { Counters } from '#structures/counters'
import type { Services } from './services.ts'

export const Metrics = defineActor({
  name: 'metrics',
  init: (services: Services) => services.counters,
  call: {
    snapshot: (counters: Counters) => counters.snapshot(),
  },
})

export function metricsChild(services: Services): ChildSpec {
  return child(Metrics, services, { id: 'metrics', name: via(services.names, 'metrics') })
}
