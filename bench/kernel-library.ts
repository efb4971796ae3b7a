// What a kernel scenario is, and what each library brings for it. One operation is one message, one call, one life of
// an actor, or one crash with its recovery.

export interface Scenario {
  readonly name: ScenarioName
  readonly title: string
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
] as const
export type ScenarioName = (typeof scenarioNames)[number]

const sumBelow = (operations: number): number => (operations * (operations - 1)) / 2
const count = (operations: number): number => operations

export const scenarios: readonly Scenario[] = [
  { name: 'tell', title: 'tell, floods of 100 000', checksum: sumBelow },
  { name: 'call', title: 'call, one after another', checksum: sumBelow },
  { name: 'call-1000', title: 'call, 1 000 in flight', checksum: sumBelow },
  { name: 'start-stop', title: 'start + stop', checksum: count },
  { name: 'ping-pong', title: 'ping-pong, per message', checksum: count },
  { name: 'fan-out', title: 'fan-out 1 -> 1 000, per message', checksum: count },
  { name: 'crash', title: 'crash, restart, first reply', checksum: count },
  { name: 'heap', title: 'heap per idle actor, bytes', checksum: count },
]

export const FLOOD = 100_000
export const IN_FLIGHT = 1_000
export const SUBSCRIBERS = 1_000

/** Does `operations` operations (always a multiple of what the scenario repeats) and returns the checksum. */
export type Run = (operations: number) => number | Promise<number>

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

/** Keeps what the heap scenario made reachable until it has been weighed. */
export const held: unknown[] = []
