/**
 * One pool of connections to one server. The breaker and the connections need nothing of each other but tables that outlive them,
 * so each is restarted by itself; a connection that crashes waits a moment first. What is lost with an overflow connection is
 * opened again when it is needed. Ten crashes within ten seconds and the pool is given up.
 */
import { circuitBreakerChild } from '#actors/circuit-breaker'
import { overflowTemplate, type PoolServices, poolConnectionChild } from '#actors/client-pool'
import { child, defineSupervisor, type NameTable, type SupervisorDefinition, via } from '#runtime'

const crashes = { intensity: 10, period: 10_000 } as const

const Connections = defineSupervisor('pool-connections', (services: PoolServices) => ({
  strategy: 'one_for_one',
  ...crashes,
  children: Array.from({ length: services.size }, (_, index) => poolConnectionChild(services, index + 1)),
}))

const overflow = (maxChildren: number): SupervisorDefinition<undefined> =>
  defineSupervisor({
    name: 'pool-overflow',
    strategy: 'simple_one_for_one',
    maxChildren,
    children: [overflowTemplate()],
  })

/** The name of the supervisor of overflow connections. */
export const OVERFLOW = 'overflow'

export interface PoolTreeOptions {
  readonly services: PoolServices
  readonly names: NameTable
}

export const PoolTree = defineSupervisor('client-pool', ({ services, names }: PoolTreeOptions) => ({
  strategy: 'one_for_one',
  ...crashes,
  children: [
    ...(services.circuit === undefined ? [] : [circuitBreakerChild(services.circuit)]),
    child(overflow(services.overflowMax), undefined, { id: OVERFLOW, name: via(names, OVERFLOW) }),
    child(Connections, services, { id: 'connections' }),
  ],
}))
