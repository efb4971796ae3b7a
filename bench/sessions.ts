// Question: what does an idle session hold, and what do a tool that hangs and one that loops do to the calls of others?
// Goal: bytes of heap per session at a size where it counts; latencies at one rate with and without the bad neighbours.
// Non-goal: how many sessions fit; the machine's memory says that.
//
// `node dist/bench/sessions.js [--small]`.
import { freePort, startChild, untilListening } from './child.ts'
import { recordFigures } from './figures.ts'
import { paced } from './load.ts'
import { httpWire, openSession, postTo } from './load-http.ts'
import { built } from './paths.ts'
import { median } from './statistics.ts'
import { formatNumber, formatTable } from './table.ts'

const isSmall = process.argv.includes('--small')
const sessions = isSmall ? 200 : 10_000
/** Opened and left idle before the first look, so that what is made once is not laid at the door of the sessions. */
const warmSessions = isSmall ? 20 : 500
/** Sessions opened at once. */
const lanes = 16
const rounds = isSmall ? 1 : 5
const perSecond = isSmall ? 100 : 500
const roundMs = isSmall ? 200 : 4_000
const inFlightMax = 64

const port = await freePort()
const child = startChild(built('servers/load.js'), ['--http', `${port}`])

async function open(count: number): Promise<string[]> {
  const ids: string[] = []
  let left = count
  const lane = async (): Promise<void> => {
    while (left-- > 0) ids.push(await openSession(port))
  }
  await Promise.all(Array.from({ length: lanes }, lane))
  return ids
}

/** Calls at a fixed rate; the p99 of each round, and the median of them. */
async function p99(session: string): Promise<number> {
  const found: number[] = []
  for (let round = 0; round < rounds; round += 1)
    found.push((await paced(httpWire(port, [session]), perSecond, roundMs, inFlightMax)).p99Ms)
  return median(found)
}

try {
  await untilListening(child, port)
  await open(warmSessions)
  const before = await child.usage(true)
  await open(sessions)
  const after = await child.usage(true)
  const heap = (after.heapBytes - before.heapBytes) / sessions
  const rss = (after.rssBytes - before.rssBytes) / sessions
  const rows = [
    [`heap per idle session, ${sessions} of them, bytes`, formatNumber(heap, 0)],
    [`resident memory per idle session, bytes`, formatNumber(rss, 0)],
  ]
  recordFigures({
    group: `sessions: heap per idle session, ${sessions} of them`,
    name: 'bough',
    value: heap,
    unit: 'bytes',
    better: 'less',
    target: { atMost: 4_096 },
  })

  const [calm = '', hanging = '', looping = ''] = await open(3)
  await p99(calm)
  const alone = await p99(calm)
  await postTo(port, hanging, { jsonrpc: '2.0', id: 'hang', method: 'tools/call', params: { name: 'hang' } })
  const besideHanging = await p99(calm)
  await postTo(port, looping, { jsonrpc: '2.0', id: 'loop', method: 'tools/call', params: { name: 'loop' } })
  const besideLooping = await p99(calm)
  const group = `neighbours: p99 of echo at ${perSecond} calls/s`
  for (const [name, value] of [
    ['bough, alone', alone],
    ['bough, beside a tool that hangs', besideHanging],
    ['bough, beside one that loops in its thread too', besideLooping],
  ] as const) {
    rows.push([`${group}: ${name}, ms`, formatNumber(value, 2)])
    recordFigures({ group, name, value, unit: 'ms', better: 'less' })
  }
  console.log(formatTable(['what', 'found'], rows))
} finally {
  await child.stop()
}
