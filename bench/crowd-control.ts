// Starts programs of the crowd, gives all of them the same order, and adds up what came of it.
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { msOf, type Order, type Tally } from './crowd.ts'
import { type PeerKind, peerKinds } from './crowd-peers.ts'
import { built } from './paths.ts'
import { formatNumber } from './table.ts'

export interface Crowd {
  /** Gives each program the order that `orderOf` makes for it; resolves when all are done. */
  order(orderOf: (index: number) => Order): Promise<Tally>
  stop(): Promise<void>
}

export function startCrowd(programs: number): Crowd {
  const children = Array.from({ length: programs }, () => fork(built('crowd.js')))
  return {
    order: async (orderOf) => sum(await Promise.all(children.map((child, index) => ask(child, orderOf(index))))),
    async stop() {
      await Promise.all(
        children.map(async (child) => {
          if (child.exitCode !== null || child.signalCode !== null) return
          const gone = once(child, 'exit')
          child.disconnect()
          await gone
        }),
      )
    },
  }
}

function ask(child: ChildProcess, order: Order): Promise<Tally> {
  return new Promise((resolve, reject) => {
    const onExit = (status: number | null): void => reject(new Error(`A program of the crowd ended with ${status}.`))
    child.once('exit', onExit)
    child.once('message', (tally) => {
      child.off('exit', onExit)
      resolve(tally as Tally)
    })
    child.send(order)
  })
}

function sum(tallies: readonly Tally[]): Tally {
  const calls: Partial<Record<PeerKind, number>> = {}
  const latencies: Partial<Record<PeerKind, Record<number, number>>> = {}
  for (const tally of tallies) {
    for (const kind of peerKinds) {
      const count = tally.calls[kind]
      if (count === undefined) continue
      calls[kind] = (calls[kind] ?? 0) + count
      const into = (latencies[kind] ??= {})
      for (const [bucket, times] of Object.entries(tally.latencies[kind] ?? {}))
        into[Number(bucket)] = (into[Number(bucket)] ?? 0) + times
    }
  }
  return {
    calls,
    latencies,
    errors: tallies.flatMap(({ errors }) => errors),
    errorCount: tallies.reduce((count, tally) => count + tally.errorCount, 0),
    peers: tallies.reduce((count, { peers }) => count + peers, 0),
  }
}

/** The quantile of counted latencies in ms; buckets are 5 % wide. */
export function quantileOf(counts: Readonly<Record<number, number>>, fraction: number): number {
  const buckets = Object.entries(counts)
    .map(([bucket, times]) => [Number(bucket), times] as const)
    .sort((a, b) => a[0] - b[0])
  const total = buckets.reduce((all, [, times]) => all + times, 0)
  let seen = 0
  for (const [bucket, times] of buckets) {
    seen += times
    if (seen >= fraction * total) return msOf(bucket)
  }
  return Number.NaN
}

/** All kinds together. */
export function allLatencies(tally: Tally): Record<number, number> {
  const all: Record<number, number> = {}
  for (const counts of Object.values(tally.latencies))
    for (const [bucket, times] of Object.entries(counts)) all[Number(bucket)] = (all[Number(bucket)] ?? 0) + times
  return all
}

/** Cells for a table: calls, p50, p95, p99, the longest. */
export function latencyCells(counts: Readonly<Record<number, number>>): string[] {
  const total = Object.values(counts).reduce((all, times) => all + times, 0)
  return [
    formatNumber(total, 0),
    ...[0.5, 0.95, 0.99, 1].map((fraction) => formatNumber(quantileOf(counts, fraction), 2)),
  ]
}
