/** Threads for code that does not give way; nothing depends on their staying the same. */
import type { Services } from '#actors/services'
import { threadPoolChild } from '#actors/thread-pool'
import { type ChildSpec, child, defineSupervisor } from '#runtime'

const Workers = defineSupervisor('workers', (services: Services) => ({
  strategy: 'one_for_one',
  intensity: 5,
  period: 10_000,
  children: [threadPoolChild(services)],
}))

export const workersChild = (services: Services): ChildSpec => child(Workers, services, { id: 'workers' })
