/**
 * A session and its requests share one fate: a session that restarts cannot answer for requests it does not know, and without
 * its requests' supervisor it can start none. That supervisor is started with the first request, since most sessions that are
 * open at a time wait. Three crashes within a minute and the session is given up, alone.
 */
import { type SessionArg, sessionChild } from '#actors/session'
import { child, defineSupervisor } from '#runtime'
import { Requests } from './requests.ts'

const requestsChild = child(Requests, undefined, { id: 'requests' })

export const SessionTree = defineSupervisor('session-tree', (arg: SessionArg) => ({
  strategy: 'one_for_all',
  intensity: 2,
  period: 60_000,
  autoShutdown: 'any_significant',
  children: [sessionChild(arg, requestsChild)],
}))
