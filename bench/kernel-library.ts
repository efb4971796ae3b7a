// What a kernel scenario is, and what each library brings for it. One operation is one message, one call, one life of
// an actor, or one crash with its recovery; where a request meets a mailbox, `operations` is how many messages wait in it.

import { quantile } from './statistics.ts'

export interface Scenario {
  readonly name: ScenarioName
  readonly title: string
  /** CPU nanoseconds per operation, heap bytes per operation, or milliseconds of wall time that the run tells itself. */
  readonly unit: 'ns' | 'bytes' | 'ms'
  /** What the run must return, so that no work was skipped. */
  readonly checksum: (operations: number) => number
}

export const scenarioNames = [
  'tell',
  'call',
  'call-1000',
  'start-stop',
  'ping-pong',
  'fan-out',
  'crash',
  'heap',
  'delay',
  'kill-empty',
  'kill-full',
  'suspend-empty',
  'suspend-full',
  'reply-empty',
  'reply-full',
  'own-call-empty',
  'own-call-full',
] as const
export type ScenarioName = (typeof scenarioNames)[number]

const sumBelow = (operations: number): number => (operations * (operations - 1)) / 2
const count = (operations: number): number => operations

export const scenarios: readonly Scenario[] = [
  { name: 'tell', title: 'tell, floods of 100 000', unit: 'ns', checksum: sumBelow },
  { name: 'call', title: 'call, one after another', unit: 'ns', checksum: sumBelow },
  { name: 'call-1000', title: 'call, 1 000 in flight', unit: 'ns', checksum: sumBelow },
  { name: 'start-stop', title: 'start + stop', unit: 'ns', checksum: count },
  { name: 'ping-pong', title: 'ping-pong, per message', unit: 'ns', checksum: count },
  { name: 'fan-out', title: 'fan-out 1 -> 1 000, per message', unit: 'ns', checksum: count },
  { name: 'crash', title: 'crash, restart, first reply', unit: 'ns', checksum: count },
  { name: 'heap', title: 'heap per idle actor, bytes', unit: 'bytes', checksum: count },
  { name: 'delay', title: 'event-loop delay p99, 64 pairs flooding, ms', unit: 'ms', checksum: count },
  { name: 'kill-empty', title: 'kill to down, empty mailbox, ms', unit: 'ms', checksum: count },
  { name: 'kill-full', title: 'kill to down, messages waiting, ms', unit: 'ms', checksum: count },
  { name: 'suspend-empty', title: 'suspend, empty mailbox, ms', unit: 'ms', checksum: count },
  { name: 'suspend-full', title: 'suspend, messages waiting, ms', unit: 'ms', checksum: count },
  { name: 'reply-empty', title: "another actor's reply, empty mailbox, ms", unit: 'ms', checksum: count },
  { name: 'reply-full', title: "another actor's reply, messages waiting, ms", unit: 'ms', checksum: count },
  { name: 'own-call-empty', title: 'own call to another, empty mailbox, ms', unit: 'ms', checksum: count },
  { name: 'own-call-full', title: 'own call to another, messages waiting, ms', unit: 'ms', checksum: count },
]

export const FLOOD = 100_000
export const IN_FLIGHT = 1_000
export const SUBSCRIBERS = 1_000
export const PAIRS = 64

/** What a run of a scenario in milliseconds returns. */
export interface Timed {
  readonly checksum: number
  readonly ms: number
}

/** Does `operations` operations (always a multiple of what the scenario repeats); returns the checksum, or it and the time. */
export type Run = (operations: number) => number | Timed | Promise<number | Timed>

/** Prepares a scenario, outside of what is measured; a missing one does not apply to the library. */
export type Library = Readonly<Partial<Record<ScenarioName, () => Run | Promise<Run>>>>

/** A promise and the function that resolves it: how a run learns that its last message was handled. */
export function deferred<T>(): { readonly promise: Promise<T>; readonly resolve: (value: T) => void } {
  let settle: ((value: T) => void) | undefined
  const promise = new Promise<T>((resolve) => {
    settle = resolve
  })
  return { promise, resolve: (value) => settle?.(value) }
}

/** Measures the gaps of a `setImmediate` chain until `stop` is called, which returns the p99 of them in milliseconds. */
export function watchEventLoop(): { readonly stop: () => number } {
  const gaps: number[] = []
  let lastAt = performance.now()
  let isWatching = true
  const look = (): void => {
    if (!isWatching) return
    const now = performance.now()
    gaps.push(now - lastAt)
    lastAt = now
    setImmediate(look)
  }
  setImmediate(look)
  return {
    stop: () => {
      isWatching = false
      gaps.push(performance.now() - lastAt) // the last gap may be the whole flood
      return quantile(Float64Array.from(gaps).sort(), 0.99)
    },
  }
}

/** Keeps what the heap scenario made reachable until it has been weighed. */
export const held: unknown[] = []
