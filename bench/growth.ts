// Question: does memory grow with the number of calls?
// Goal: the heap after a garbage collection, call count by call count, over a million calls on each transport, and the line
// through it.
// Non-goal: speed.
//
// `node dist/bench/growth.js [--small]`. A long part: some minutes.
import { freePort, startChild, untilListening } from './child.ts'
import { recordFigures } from './figures.ts'
import { fitLine } from './line-fit.ts'
import { closedLoop, type Wire } from './load.ts'
import { httpWire, openSession } from './load-http.ts'
import { stdioWire } from './load-stdio.ts'
import { built } from './paths.ts'
import { formatNumber, formatTable } from './table.ts'

const isSmall = process.argv.includes('--small')
const callsMin = isSmall ? 2_000 : 1_000_000
/** Looks at the heap; the first of them, while the program still warms up, are left out of the line. */
const looks = isSmall ? 4 : 40
const warmLooks = isSmall ? 1 : 8
const inFlight = 64
const sliceMs = isSmall ? 50 : 2_000
/** Slices at most, should the machine be very slow. */
const slicesMax = 2_000

const rows: string[][] = []
for (const transport of ['stdio', 'http'] as const) {
  const port = transport === 'http' ? await freePort() : 0
  const args = transport === 'http' ? ['--http', `${port}`] : ['--stdio']
  const child = startChild(built('servers/bough.js'), args)
  try {
    let wire: Wire
    if (transport === 'stdio') wire = await stdioWire(child)
    else {
      await untilListening(child, port)
      wire = httpWire(port, [await openSession(port)])
    }
    const points: [number, number][] = []
    let calls = 0
    for (let slice = 0; slice < slicesMax && (calls < callsMin || points.length < looks); slice += 1) {
      calls += (await closedLoop(wire, inFlight, sliceMs)).calls
      if (calls >= (points.length * callsMin) / looks) points.push([calls, (await child.usage(true)).heapBytes])
    }
    const { slope, error } = fitLine(points.slice(warmLooks))
    const first = points[warmLooks]?.[1] ?? 0
    const last = points.at(-1)?.[1] ?? 0
    rows.push([
      transport,
      formatNumber(calls, 0),
      formatNumber(first / 1_024, 0),
      formatNumber(last / 1_024, 0),
      formatNumber(slope, 4),
      formatNumber(error, 4),
    ])
    // A byte for a thousand calls is 1 KB over the million; the heap's own wobble is larger.
    recordFigures({
      group: 'growth: bytes of heap per call that a straight line shows',
      name: `bough, ${transport}`,
      value: slope,
      unit: 'bytes',
      better: 'less',
      target: { atMost: 0.05 },
    })
  } finally {
    await child.stop()
  }
}
const head = ['transport', 'calls', 'heap at first KB', 'heap at last KB', 'bytes per call', 'standard error']
console.log(formatTable(head, rows))
