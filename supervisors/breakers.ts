/**
 * One process for each tool that has a circuit breaker; they know nothing of each other. The circuits are a table of the
 * server: whoever is started again here goes on with what stands there, and so does this supervisor.
 */
import type { Services } from '#actors/services'
import { toolBreakerChild } from '#actors/tool-breakers'
import { type ChildSpec, child, defineSupervisor, via } from '#runtime'

const Breakers = defineSupervisor('breakers', ({ circuits }: Services) => ({
  strategy: 'one_for_one',
  intensity: 5,
  period: 10_000,
  children: [...circuits.values()].map(toolBreakerChild),
}))

export const breakersChild = (services: Services): ChildSpec =>
  child(Breakers, services, { id: 'breakers', name: via(services.names, 'breakers') })
