// Question: does one server hold ten thousand connections that all call, and is everything reclaimed when half of them, and then
// all, are cut at once?
// Goal: errors (none), latencies by transport at a fixed rate, memory per connection, and what is left afterwards, twice over.
// Non-goal: the highest rate: the crowd shares the machine with the server.
//
// `node dist/bench/connections.js [--small]`. A long part: some minutes.

import type { Tally } from './crowd.ts'
import { allLatencies, latencyCells, quantileOf, startCrowd } from './crowd-control.ts'
import { type PeerKind, peerKinds } from './crowd-peers.ts'
import { recordFigures } from './figures.ts'
import { type Stats, startLoadServer } from './load-server.ts'
import { formatNumber, formatTable } from './table.ts'

const isSmall = process.argv.includes('--small')
const programs = isSmall ? 2 : 4
/** Of each kind, in each program. */
const each: Record<PeerKind, number> = isSmall
  ? { tcp: 5, ws: 5, stream: 5, sse: 5 }
  : { tcp: 900, ws: 900, stream: 500, sse: 200 }
const perSecond = isSmall ? 200 : 2_000
const durationMs = isSmall ? 500 : 20_000
/** Sessions over HTTP outlive their connection for so long. */
const idleMs = isSmall ? 1_000 : 15_000
const reclaimedWithinMs = idleMs + 30_000
const total = programs * peerKinds.reduce((sum, kind) => sum + each[kind], 0)

const server = await startLoadServer({ idleMs })
const crowd = startCrowd(programs)
const calls: string[][] = []
const memory: string[][] = []
let errorCount = 0

function note(what: string, tally: Tally): void {
  errorCount += tally.errorCount
  for (const error of tally.errors) console.error(`${what}: ${error}`)
  for (const [kind, counts] of Object.entries(tally.latencies))
    calls.push([`${what}, ${kind}`, ...latencyCells(counts)])
}

function remember(what: string, stats: Stats, connections: number, base: Stats): void {
  const per = (now: number, then: number): string =>
    connections === 0 ? '-' : formatNumber((now - then) / connections / 1_024, 2)
  memory.push([
    what,
    String(connections),
    String(stats.sessions),
    String(stats.processes),
    String(stats.descriptors),
    formatNumber(stats.heapBytes / 2 ** 20, 1),
    formatNumber(stats.rssBytes / 2 ** 20, 0),
    per(stats.heapBytes, base.heapBytes),
    per(stats.rssBytes, base.rssBytes),
  ])
}

const open = (fraction: number) =>
  crowd.order(() => ({
    type: 'open',
    addresses: server.addresses,
    counts: Object.fromEntries(peerKinds.map((kind) => [kind, Math.round(each[kind] * fraction)])),
  }))
const pace = () => crowd.order(() => ({ type: 'pace', perSecond: perSecond / programs, durationMs }))
const cut = (fraction: number) => crowd.order(() => ({ type: 'cut', fraction }))

try {
  const base = await server.settled(0, reclaimedWithinMs)
  remember('before', base, 0, base)
  for (const round of ['first', 'again']) {
    const opened = await open(round === 'first' ? 1 : 0.5)
    note(`opening, ${round}`, opened)
    remember(`all open, ${round}`, await server.stats(true), opened.peers, base)
    const paced = await pace()
    note(`${round}`, paced)
    const all = allLatencies(paced)
    calls.push([`${round}, all`, ...latencyCells(all)])
    recordFigures({
      group: `connections: p95 over ${total} connections at ${perSecond} calls/s`,
      name: `bough, ${round}`,
      value: quantileOf(all, 0.95),
      unit: 'ms',
      better: 'less',
      target: { atMost: 150 },
    })
    const halved = await cut(0.5)
    remember(`half cut, ${round}`, await server.settled(halved.peers, reclaimedWithinMs), halved.peers, base)
  }
  const { peers } = await cut(1)
  const left = await server.settled(peers, reclaimedWithinMs)
  remember('all cut', left, 0, base)
  recordFigures(
    {
      group: 'connections: errors',
      name: 'bough',
      value: errorCount,
      unit: 'errors',
      better: 'less',
      target: { atMost: 0 },
    },
    {
      group: 'connections: processes left when all are cut',
      name: 'bough',
      value: left.processes - base.processes,
      unit: 'processes',
      better: 'less',
      target: { atMost: 0 },
    },
  )
  console.log(
    `${total} connections from ${programs} programs, ${perSecond} calls/s for ${durationMs / 1_000} s; ${errorCount} errors`,
  )
  console.log(formatTable(['latency', 'calls', 'p50 ms', 'p95 ms', 'p99 ms', 'longest ms'], calls))
  const head = [
    'server',
    'connections',
    'sessions',
    'processes',
    'descriptors',
    'heap MB',
    'RSS MB',
    'heap KB each',
    'RSS KB each',
  ]
  console.log(`\n${formatTable(head, memory)}`)
  if (errorCount > 0) process.exitCode = 1
} finally {
  await crowd.stop()
  await server.stop()
}
