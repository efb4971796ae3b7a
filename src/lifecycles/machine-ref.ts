/**
 * What a machine knows as `self`, `parent` or a child: an xstate address whose mailbox is a process. A root machine gets one
 * made here; for children xstate makes the object while it computes a transition, and `adopt` turns it to the process.
 */
import type { AnyActorLogic, AnyActorRef, EventObject, Snapshot } from 'xstate'
import type { Self } from '#runtime'
import { ActorWorld, type StandIn } from './actor-world.ts'
import type { LogicActor } from './logic-actor.ts'

/** Makes the address of a root machine in `world`. `adopt` must follow. */
export function createRootRef(id: string, logic: AnyActorLogic, world: ActorWorld): AnyActorRef {
  const ref = {
    id,
    sessionId: world._bookId(),
    src: logic,
    system: world,
    _parent: undefined,
    send: (event: EventObject) => world._relay(undefined, address, event),
    select: (selector: (snapshot: unknown) => unknown) => ({
      get: () => selector(address.getSnapshot()),
      subscribe: (next: (value: unknown) => void) => address.subscribe((snapshot) => next(selector(snapshot))),
    }),
    toJSON: () => ({ xstate$$type: 1, id }),
  }
  // xstate's interface has a world of its own behind it; `adopt` adds what is missing here.
  const address = Object.assign(ref, { ref }) as unknown as AnyActorRef
  return address
}

/** Makes `ref` the address of the process behind `actor`: what is asked of it is asked of the process. */
export function adopt(ref: AnyActorRef | StandIn, actor: LogicActor): void {
  Object.assign(ref, {
    start: () => ref,
    stop: () => actor.process.stop('shutdown'),
    getSnapshot: (): Snapshot<unknown> => actor.snapshot,
    getPersistedSnapshot: (): Snapshot<unknown> => actor.keep(),
    subscribe: actor.followers.subscribe,
    on: actor.followers.on,
  })
}

/**
 * The process that lives the machine behind `ref`: what actions, delays and invoked actors get as `self`. Through it they
 * reach the system's clock and chance, links and monitors. Throws a `TypeError` for an actor that no process lives.
 */
export function processOf(ref: unknown): Self {
  const { system } = (ref ?? {}) as { readonly system?: unknown }
  const actor = system instanceof ActorWorld ? system.actorOf(ref) : undefined
  if (actor === undefined) {
    throw new TypeError('processOf: the actor has no process. It must be the `self` of a machine run by fromMachine.')
  }
  // `Process` is the class behind every Self.
  return actor.process as unknown as Self
}
