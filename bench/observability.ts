// Question: what does a server pay for being observed, when no exporter and no tracer is there?
// Goal: the CPU of a call with everything on, beside the same server with nothing on (`observe: false`): at most 2 % more.
// Non-goal: the cost of an SDK, which is the SDK's.
//
// Both servers are children that run through the whole measurement and are loaded in turn, in short rounds; a third, which is the
// second once more, shows how much two equal servers differ here: what lies within that is no finding.
import { parseArgs } from 'node:util'
import { recordFigures } from './figures.ts'
import { type Contender, measureTransport, type Row, type Size } from './harness.ts'
import { built } from './paths.ts'
import { formatNumber, formatTable } from './table.ts'

const { values } = parseArgs({ options: { small: { type: 'boolean', default: false } } })

const size: Size = values.small
  ? { rounds: 2, roundMs: 100, warmUpMs: 100, inFlight: [16], sessions: 1, pacedMs: 0 }
  : { rounds: 40, roundMs: 500, warmUpMs: 3_000, inFlight: [16], sessions: 1, pacedMs: 0 }

const program = built('servers/bough.js')
const transports = {
  http: (port: number) => ['--http', `${port}`],
  stdio: () => ['--stdio'],
}

for (const transport of ['http', 'stdio'] as const) {
  const args = transports[transport]
  const contender = (name: string, ...more: string[]): Contender => ({
    name,
    role: 'ours',
    program,
    args: (port) => [...args(port), ...more],
  })
  const rows = await measureTransport(transport, size, [
    contender('observed'),
    contender('unobserved', '--unobserved'),
    contender('unobserved, again', '--unobserved'),
  ])
  const [observed, plain, again] = rows as [Row, Row, Row]
  const base = (plain.cpuMicrosPerCall + again.cpuMicrosPerCall) / 2
  const percent = (row: Row): number => (row.cpuMicrosPerCall / base - 1) * 100
  console.log(`echo over ${transport}: ${size.rounds} rounds of ${size.roundMs} ms in turn`)
  const cells = rows.map((row) => [
    row.server,
    formatNumber(row.callsPerSecond),
    formatNumber(row.cpuMicrosPerCall, 2),
    `${formatNumber(percent(row), 2)} %`,
    row.checksum.toString(16),
  ])
  console.log(`${formatTable(['server', 'calls/s', 'CPU us/call', 'beside unobserved', 'checksum'], cells)}\n`)
  recordFigures({
    group: `${transport}: CPU of being observed`,
    name: 'bough',
    value: Math.max(0, percent(observed)),
    unit: '%',
    better: 'less',
    target: { atMost: 2 },
  })
}
