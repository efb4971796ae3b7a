// Question: does anything grow while sessions come and go for millions of calls on every transport?
// Goal: heap, resident memory, processes and descriptors after each round of load, once everything is reclaimed, and the line
// through them.
// Non-goal: speed.
//
// `node dist/bench/soak.js [--small] [--calls n]`. A long part: a quarter of an hour. Every third session is torn instead of ended.
import { parseArgs } from 'node:util'
import type { Tally } from './crowd.ts'
import { allLatencies, latencyCells, startCrowd } from './crowd-control.ts'
import { type PeerKind, peerKinds } from './crowd-peers.ts'
import { recordFigures } from './figures.ts'
import { fitLine } from './line-fit.ts'
import { closedLoop } from './load.ts'
import { type Stats, startLoadServer } from './load-server.ts'
import { stdioWire } from './load-stdio.ts'
import { positiveInteger } from './options.ts'
import { formatNumber, formatTable } from './table.ts'

const { values: options } = parseArgs({
  options: { small: { type: 'boolean', default: false }, calls: { type: 'string' } },
})
const callsMin = positiveInteger('calls', options.calls) ?? (options.small ? 2_000 : 5_000_000)
const rounds = options.small ? 4 : 25
/** Rounds while the program still warms up; they are left out of the lines. */
const warmRounds = options.small ? 1 : 5
const programs = 2
/** How the calls are shared among the transports, standard input aside. */
const shares: Record<PeerKind, number> = { tcp: 0.45, ws: 0.35, stream: 0.12, sse: 0.08 }
const lanes: Record<PeerKind, number> = options.small
  ? { tcp: 2, ws: 2, stream: 2, sse: 2 }
  : { tcp: 24, ws: 24, stream: 12, sse: 12 }
const perSession = options.small ? 20 : 200
const stdioShare = 0.3
const stdioInFlight = 32
const stdioSliceMs = options.small ? 20 : 500
const idleMs = 3_000
const reclaimedWithinMs = 60_000

const server = await startLoadServer({ idleMs })
const crowd = startCrowd(programs)
const wire = await stdioWire(server.child)
const rows: string[][] = []
const looks: { readonly calls: number; readonly stats: Stats }[] = []
let calls = 0
let errorCount = 0
const sums: Partial<Record<PeerKind | 'stdio', number>> = {}

async function overStdio(count: number): Promise<number> {
  let done = 0
  while (done < count) done += (await closedLoop(wire, stdioInFlight, stdioSliceMs)).calls
  return done
}

function account(tally: Tally): void {
  errorCount += tally.errorCount
  for (const error of tally.errors) console.error(error)
  for (const kind of peerKinds) {
    sums[kind] = (sums[kind] ?? 0) + (tally.calls[kind] ?? 0)
    calls += tally.calls[kind] ?? 0
  }
}

try {
  // The session of standard input is there from the start to the end.
  const own = 1
  for (let round = 0; round < rounds; round += 1) {
    const wanted = callsMin / rounds
    const perProgram = (wanted * (1 - stdioShare)) / programs
    const counts = Object.fromEntries(peerKinds.map((kind) => [kind, Math.ceil(perProgram * shares[kind])]))
    const [tally, ownCalls] = await Promise.all([
      crowd.order(() => ({ type: 'churn', addresses: server.addresses, calls: counts, lanes, perSession })),
      overStdio(wanted * stdioShare),
    ])
    account(tally)
    calls += ownCalls
    sums.stdio = (sums.stdio ?? 0) + ownCalls
    const stats = await server.settled(own, reclaimedWithinMs)
    looks.push({ calls, stats })
    rows.push([
      String(round + 1),
      formatNumber(calls, 0),
      formatNumber(stats.heapBytes / 1_024, 0),
      formatNumber(stats.rssBytes / 2 ** 20, 0),
      String(stats.sessions),
      String(stats.processes),
      String(stats.descriptors),
      latencyCells(allLatencies(tally))[3] ?? '',
    ])
  }
  const warm = looks.slice(warmRounds)
  const lineOf = (some: typeof looks) => fitLine(some.map(({ calls: at, stats }) => [at, stats.heapBytes]))
  const { slope, error } = lineOf(warm)
  // What only fills up to a bound shows in the first half and not in the second.
  const late = lineOf(looks.slice(looks.length >> 1))
  const grown = (pick: (stats: Stats) => number): number =>
    pick((warm.at(-1) as (typeof warm)[number]).stats) - pick((warm[0] as (typeof warm)[number]).stats)
  recordFigures(
    {
      group: 'soak: bytes of heap per call that a straight line shows',
      name: 'bough',
      value: slope,
      unit: 'bytes',
      better: 'less',
      target: { atMost: 0.05 },
    },
    {
      group: 'soak: bytes of heap per call that a straight line shows in the second half',
      name: 'bough',
      value: late.slope,
      unit: 'bytes',
      better: 'less',
    },
    { group: 'soak: errors', name: 'bough', value: errorCount, unit: 'errors', better: 'less', target: { atMost: 0 } },
    {
      group: 'soak: processes more than at first',
      name: 'bough',
      value: grown(({ processes }) => processes),
      unit: 'processes',
      better: 'less',
      target: { atMost: 0 },
    },
    {
      group: 'soak: descriptors more than at first',
      name: 'bough',
      value: grown(({ descriptors }) => descriptors),
      unit: 'descriptors',
      better: 'less',
      target: { atMost: 0 },
    },
  )
  const shared = Object.entries(sums).map(([kind, count]) => `${kind} ${formatNumber(count, 0)}`)
  console.log(`${formatNumber(calls, 0)} calls (${shared.join(', ')}), ${errorCount} errors`)
  console.log(`heap: ${formatNumber(slope, 4)} bytes per call, standard error ${formatNumber(error, 4)}`)
  console.log(`in the second half: ${formatNumber(late.slope, 4)}, standard error ${formatNumber(late.error, 4)}`)
  const head = ['round', 'calls', 'heap KB', 'RSS MB', 'sessions', 'processes', 'descriptors', 'p99 ms']
  console.log(formatTable(head, rows))
  if (errorCount > 0) process.exitCode = 1
} finally {
  await crowd.stop()
  await server.stop()
}
