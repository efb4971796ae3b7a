// The parts 'stdio' and 'http': runs the harness, prints its table, and says what is to be reached.
import type { Figure, Target } from './figures.ts'
import { compare, contenders, measureTransport, type Row, sizes, type TransportName } from './harness.ts'
import { havePeers, type Wish } from './options.ts'
import { formatNumber, formatRatio, formatTable } from './table.ts'

/** Calls per second of the fastest official server that are to be reached, and the CPU of the bare one that may be used. */
const targets = {
  http: { speed: { atLeast: 10, floor: 6 }, cpu: { atMost: 1.5, floor: 2 } },
  stdio: { speed: { atLeast: 5, floor: 3 }, cpu: { atMost: 1.5, floor: 2 } },
} as const

export async function runTransport(transport: TransportName, wish: Wish): Promise<{ rows: Row[]; figures: Figure[] }> {
  const size = { ...sizes[wish.isSmall ? 'small' : 'large'] }
  const rounds = wish.rounds ?? size.rounds
  const sessions = wish.sessions ?? size.sessions
  const named = contenders[transport].filter(({ name }) => wish.isWanted(name))
  const needsPeers = named.some(({ role }) => role === 'peer' || role === 'other')
  const chosen =
    needsPeers && !havePeers(wish.isSmall) ? named.filter(({ role }) => role === 'bare' || role === 'ours') : named
  const rows = await measureTransport(transport, { ...size, rounds, sessions }, chosen)
  console.log(`echo over ${transport}: ${rounds} rounds of ${size.roundMs} ms in turn, ${sessions} session(s)`)
  const head = [
    'server',
    'load',
    'calls/s',
    'p50 ms',
    'p99 ms',
    'CPU us/call',
    'RSS MB',
    'speed/peer',
    'CPU/bare',
    'generator',
    'checksum',
  ]
  const cells = rows.map((row) => {
    const { speed, cpu } = compare(row, rows)
    return [
      row.server,
      loadOf(row),
      formatNumber(row.callsPerSecond),
      formatNumber(row.p50Ms, 2),
      formatNumber(row.p99Ms, 2),
      formatNumber(row.cpuMicrosPerCall),
      formatNumber(row.rssMb, 0),
      formatRatio(speed),
      formatRatio(cpu),
      formatNumber(row.generatorLoad, 2),
      row.checksum.toString(16),
    ]
  })
  console.log(`${formatTable(head, cells)}\n`)
  return { rows, figures: rows.flatMap((row) => figuresOf(row, rows)) }
}

const loadOf = (row: Row): string => (row.paced === undefined ? `${row.inFlight} in flight` : `${row.paced}/s paced`)

function figuresOf(row: Row, rows: readonly Row[]): Figure[] {
  const { server: name, transport } = row
  // The rate differs from run to run, and would make other figures of the same ones.
  const load = `${transport}, ${row.paced === undefined ? loadOf(row) : 'paced at half of the slowest'}`
  const figures: Figure[] = [
    { group: `${load}: p99`, name, value: row.p99Ms, unit: 'ms', better: 'less' },
    { group: `${load}: CPU per call`, name, value: row.cpuMicrosPerCall, unit: 'us', better: 'less' },
  ]
  const { speed, cpu } = compare(row, rows)
  if (row.paced === undefined) {
    figures.unshift({ group: `${load}: calls/s`, name, value: row.callsPerSecond, unit: 'calls/s', better: 'more' })
    if (row.role !== 'ours') return figures
    const target = targets[transport]
    const add = (group: string, value: number | undefined, better: Figure['better'], aim: Target): void => {
      if (value !== undefined) figures.push({ group: `${load}: ${group}`, name, value, unit: 'x', better, target: aim })
    }
    add('calls/s of the fastest SDK v2', speed, 'more', target.speed)
    add('CPU of the bare server', cpu, 'less', target.cpu)
    return figures
  }
  const peers = rows.filter((other) => other.role === 'peer' && other.paced === row.paced)
  if (row.role === 'ours' && peers.length > 0) {
    const atMost = Math.min(...peers.map((other) => other.p50Ms))
    figures.push({
      group: `${load}: p99 beside the p50 of SDK v2`,
      name: 'bough',
      value: row.p99Ms,
      unit: 'ms',
      better: 'less',
      target: { atMost: Number(atMost.toFixed(2)) },
    })
  }
  return figures
}
