/** What the tests of lifecycles share: a world in virtual time and a process that notes what it is sent. */
import { defineActor, type SystemEvent } from 'bough/runtime'
import { createSimulation, type Simulation } from 'bough/testing'

export interface World extends Simulation {
  readonly events: SystemEvent[]
}

export function createWorld(seed = Number(process.env['BOUGH_SEED'] ?? 1)): World {
  const events: SystemEvent[] = []
  return { ...createSimulation({ seed, events: (event) => events.push(event) }), events }
}

/** Keeps everything that arrives, with the virtual time. */
export const Witness = defineActor({
  name: 'witness',
  init: () => ({ seen: [] as unknown[] }),
  call: { seen: (state) => state.seen },
  info: (state, message) => {
    state.seen.push(message)
  },
})

/** A promise that the test settles. */
export function deferred<T>(): {
  readonly promise: Promise<T>
  readonly resolve: (value: T) => void
  readonly reject: (error: unknown) => void
} {
  let resolve: (value: T) => void = () => undefined
  let reject: (error: unknown) => void = () => undefined
  const promise = new Promise<T>((yes, no) => {
    resolve = yes
    reject = no
  })
  return { promise, resolve, reject }
}
