/**
 * Sessions come and go on their own, each a subtree with an intensity of its own; none that ends is started again here, since
 * only a client can open one.
 */
import type { Services } from '#actors/services'
import type { SessionArg } from '#actors/session'
import { type ChildSpec, child, defineSupervisor, via } from '#runtime'
import { SessionTree } from './session.ts'

export const Sessions = defineSupervisor({
  name: 'sessions',
  strategy: 'simple_one_for_one',
  // The template's argument is replaced by that of each start.
  children: [child(SessionTree, undefined as unknown as SessionArg, { id: 'session', restart: 'temporary' })],
})

export function sessionsChild(services: Services): ChildSpec {
  return child(Sessions, undefined, { id: 'sessions', name: via(services.names, 'sessions') })
}
