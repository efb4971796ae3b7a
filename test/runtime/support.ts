/** What the kernel's tests share: a world in virtual time and a worker that does as it is told. */

import { CallError, defineActor, type ExitReason, ignore, type Self, StartError, type SystemEvent } from 'bough/runtime'
import { createSimulation, type Simulation } from 'bough/testing'

export interface World extends Simulation {
  readonly events: SystemEvent[]
}

export function createWorld(seed = Number(process.env['BOUGH_SEED'] ?? 1)): World {
  const events: SystemEvent[] = []
  return { ...createSimulation({ seed, events: (event) => events.push(event) }), events }
}

/** Orders for a worker. `log` gets `start <id>` and `end <id> <reason>`; the test reads it. */
export interface Orders {
  readonly id?: string
  readonly log?: string[]
  /** Asked at each start; a string is thrown, `true` is `ignore`. */
  readonly onStart?: () => unknown
  readonly trap?: boolean
  /** Milliseconds that `terminate` takes. */
  readonly terminateMs?: number
}

export const Worker = defineActor({
  name: 'worker',
  init: (orders: Orders, self: Self<never>) => {
    const said = orders.onStart?.()
    if (said === true) return ignore
    if (said !== undefined) throw said
    orders.log?.push(`start ${orders.id ?? '?'}`)
    if (orders.trap === true) self.trapExits(true)
    return { ...orders, received: [] as unknown[] }
  },
  call: {
    id: (state) => state.id,
    received: (state) => state.received,
    throw: (_state, reason: unknown) => {
      throw reason
    },
    stop: (_state, reason: ExitReason, self) => {
      self.stop(reason)
      return 'last words'
    },
    never: (_state, _arg: undefined, self) => self.noreply,
    hang: () => new Promise<never>(() => undefined),
  },
  cast: {
    throw: (_state, reason: unknown) => {
      throw reason
    },
    stop: (_state, reason: ExitReason, self) => self.stop(reason),
    note: (state, what: unknown) => {
      state.received.push(what)
    },
    link: (_state, other: Parameters<Self['link']>[0], self) => self.link(other),
    unlink: (_state, other: Parameters<Self['link']>[0], self) => self.unlink(other),
    monitor: (_state, other: Parameters<Self['link']>[0], self) => {
      self.monitor(other)
    },
  },
  info: (state, message) => {
    state.received.push(message)
  },
  terminate: (state, reason, self) => {
    const said = reason instanceof Error ? reason.message : typeof reason === 'string' ? reason : JSON.stringify(reason)
    state.log?.push(`end ${state.id ?? '?'} ${said}`)
    const { terminateMs } = state
    if (terminateMs === undefined) return undefined
    return new Promise<void>((resolve) => {
      self.system.timers.start(terminateMs, resolve)
    })
  },
})

export const Counter = defineActor({
  name: 'counter',
  version: 1,
  init: (start: number) => ({ count: start }),
  call: {
    get: (state) => state.count,
    add: (state, by: number) => (state.count += by),
    addLater: async (state, by: number) => {
      await Promise.resolve()
      return (state.count += by)
    },
  },
  cast: {
    reset: (state) => {
      state.count = 0
    },
  },
})

/** How a promise ends, in words: the class and code of its error. */
export async function codeOf(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    (value) => `resolved ${String(value)}`,
    (error: unknown) =>
      error instanceof CallError || error instanceof StartError
        ? `${error.name} ${error.code}`
        : `threw ${String(error)}`,
  )
}
