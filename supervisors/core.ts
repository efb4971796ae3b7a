/** What everybody reads and nobody waits for: each restarts alone, since their tables belong to the application. The store is first. */
import { cacheChild } from '#actors/cache'
import { healthChild } from '#actors/health'
import { metricsChild } from '#actors/metrics'
import { outsideChild } from '#actors/outside'
import { pressureChild } from '#actors/pressure'
import { rateLimiterChild } from '#actors/rate-limiter'
import type { Services } from '#actors/services'
import { sessionManagerChild } from '#actors/session-manager'
import { storeChild } from '#actors/store'
import { type ChildSpec, child, defineSupervisor } from '#runtime'
import { breakersChild } from './breakers.ts'
import { questionsChild } from './questions.ts'

const Core = defineSupervisor('core', (services: Services) => ({
  strategy: 'one_for_one',
  intensity: 5,
  period: 10_000,
  children: [
    ...(services.outside === undefined ? [] : [outsideChild(services)]),
    storeChild(services.names, services.store),
    cacheChild(services),
    metricsChild(services),
    healthChild(services),
    rateLimiterChild(services),
    pressureChild(services),
    breakersChild(services),
    sessionManagerChild(services),
    questionsChild(services),
  ],
}))

export const coreChild = (services: Services): ChildSpec => child(Core, services, { id: 'core' })
