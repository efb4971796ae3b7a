/**
 * A whole server. Each child needs those before it and none after it, so a subtree that gives up takes along what was built
 * on it; and shutdown is the reverse, so listeners drain and close first.
 *
 *     application        rest_for_one
 *     |- core            one_for_one          store, metrics, session-manager, questions
 *     |- workers         one_for_one          thread-pool
 *     |- catalog         one_for_all          subscriptions, tool-, resource-, prompt-registry
 *     |- sessions        simple_one_for_one   one session-tree per client: requests, session
 *     |- stateless       one_for_one          requests, listens: what belongs to no session
 *     |- tasks           rest_for_one         task-manager, task-runs
 *     `- listeners       one_for_one          one per transport
 */
import type { Services } from '#actors/services'
import { defineSupervisor, type SupervisorDefinition } from '#runtime'
import type { Transport } from '#transports/port'
import { catalogChild } from './catalog.ts'
import { coreChild } from './core.ts'
import { listenersChild } from './listeners.ts'
import { statelessChild } from './requests.ts'
import { sessionsChild } from './sessions.ts'
import { tasksChild } from './tasks.ts'
import { workersChild } from './workers.ts'

/** The tree of a server; `make` is called at each start, for a fresh set of tables. */
export function applicationTree(
  make: () => { services: Services; transports: readonly Transport[] },
): SupervisorDefinition<undefined> {
  return defineSupervisor<undefined>('application', () => {
    const { services, transports } = make()
    return {
      strategy: 'rest_for_one',
      intensity: 3,
      period: 10_000,
      autoShutdown: 'any_significant',
      children: [
        coreChild(services),
        workersChild(services),
        catalogChild(services),
        sessionsChild(services),
        statelessChild(services),
        tasksChild(services),
        listenersChild(services, transports),
      ],
    }
  })
}
