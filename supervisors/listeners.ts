/**
 * Transports fail alone. When the last one that can end for good has ended (a closed standard input), so does this tree, and
 * the application with it.
 */
import { listenerChild } from '#actors/listener'
import type { Services } from '#actors/services'
import { type ChildSpec, child, defineSupervisor } from '#runtime'
import type { Transport } from '#transports/port'

const Listeners = defineSupervisor(
  'listeners',
  ({ services, transports }: { services: Services; transports: readonly Transport[] }) => ({
    strategy: 'one_for_one',
    intensity: 5,
    period: 10_000,
    autoShutdown: 'all_significant',
    children: transports.map((transport) => listenerChild(services, transport, { isSole: transports.length === 1 })),
  }),
)

export const listenersChild = (services: Services, transports: readonly Transport[]): ChildSpec =>
  child(Listeners, { services, transports }, { id: 'listeners', restart: 'transient', significant: true })
