/** What everybody reads and nobody waits for: each restarts alone, since their tables belong to the application. The store is first. */
import { metricsChild } from '#actors/metrics'
import type { Services } from '#actors/services'
import { sessionManagerChild } from '#actors/session-manager'
import { storeChild } from '#actors/store'
import { type ChildSpec, child, defineSupervisor } from '#runtime'
import { questionsChild } from './questions.ts'

const Core = defineSupervisor('core', (services: Services) => ({
  strategy: 'one_for_one',
  intensity: 5,
  period: 10_000,
  children: [
    storeChild(services.names, services.store),
    metricsChild(services),
    sessionManagerChild(services),
    questionsChild(services),
  ],
}))

export const coreChild = (services: Services): ChildSpec => child(Core, services, { id: 'core' })
