/**
 * A primary: the doors, and a process for each member. They fail alone: doors that are started anew listen where they were, and
 * a member that ends is replaced while the others go on. A fleet whose members end again and again, each several times a minute,
 * is given up: then it is the program that is wrong.
 */
import { doorsChild } from '#actors/doors'
import type { Fleet } from '#actors/fleet'
import { memberChild } from '#actors/member'
import { outsideChild } from '#actors/outside'
import { child, defineSupervisor, type SupervisorDefinition } from '#runtime'

/** Ends per member and minute that are borne, on average. */
const ENDS_PER_MINUTE = 10

const MemberTrees = defineSupervisor('members', (fleet: Fleet) => ({
  strategy: 'one_for_one',
  intensity: ENDS_PER_MINUTE * fleet.slots.length,
  period: 60_000,
  children: fleet.slots.map(({ index }) => memberChild(fleet, index)),
}))

export function fleetTree(fleet: Fleet): SupervisorDefinition<undefined> {
  return defineSupervisor<undefined>('fleet', () => ({
    strategy: 'one_for_one',
    intensity: 3,
    period: 10_000,
    children: [
      ...(fleet.outside === undefined ? [] : [outsideChild(fleet)]),
      doorsChild(fleet),
      child(MemberTrees, fleet, { id: 'members', restart: 'temporary', significant: true }),
    ],
    autoShutdown: 'any_significant',
  }))
}
