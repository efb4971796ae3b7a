/** What everybody reads and nobody waits for: each restarts alone, since their tables belong to the application. */
import { metricsChild } from '#actors/metrics'
import type { Services } from '#actors/services'
import { sessionManagerChild } from '#actors/session-manager'
import { type ChildSpec, child, defineSupervisor } from '#runtime'

const Core = defineSupervisor('core', (services: Services) => ({
  strategy: 'one_for_one',
  intensity: 5,
  period: 10_000,
  children: [metricsChild(services), sessionManagerChild(services)],
}))

export const coreChild = (services: Services): ChildSpec => child(Core, services, { id: 'core' })
