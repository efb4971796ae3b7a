/**
 * A session and its requests share one fate: a session that restarts cannot answer for requests it does not know, and without
 * its requests' supervisor it can start none. Three crashes within a minute and the session is given up, alone.
 */
import { type SessionArg, sessionChild } from '#actors/session'
import { child, defineSupervisor, via } from '#runtime'
import { Requests } from './requests.ts'

export const SessionTree = defineSupervisor('session-tree', (arg: SessionArg) => ({
  strategy: 'one_for_all',
  intensity: 2,
  period: 60_000,
  autoShutdown: 'any_significant',
  children: [child(Requests, undefined, { id: 'requests', name: via(arg.names, 'requests') }), sessionChild(arg)],
}))
