// Question: what does a second process bring a server, and what does a request cost that reaches the wrong one?
// Goal: calls/s and CPU per call of one process, of two with every connection at the owner of its session, and of two with
// connections that landed before they said whose they are, so that half of their requests are forwarded.
// Non-goal: how it scales. On a machine of two cores the generator takes one of them.
//
// `node dist/bench/processes.js [--small]`.
import { readdirSync, readFileSync } from 'node:fs'
import { type Child, freePort, startChild, untilListening } from './child.ts'
import { recordFigures } from './figures.ts'
import { closedLoop, type Load, type Wire } from './load.ts'
import { httpWire, openSession } from './load-http.ts'
import { built } from './paths.ts'
import { median } from './statistics.ts'
import { formatNumber, formatTable } from './table.ts'

const isSmall = process.argv.includes('--small')
const rounds = isSmall ? 1 : 5
const roundMs = isSmall ? 150 : 2_000
const warmUpCalls = isSmall ? 1 : 30_000
const inFlight = 64
const sessions = 16
/** A connection that says nothing for longer than this is handed to any process. */
const SILENT_MS = 1_300
/** Ticks of a process's CPU time in a second; Linux has said 100 for as long as anybody asks. */
const TICKS_PER_SECOND = 100

interface Contender {
  readonly name: string
  readonly processes: number
  /** Whether connections are opened long before their first request. */
  readonly isBlind: boolean
}

const contenders: readonly Contender[] = [
  { name: '1 process', processes: 1, isBlind: false },
  { name: '2 processes, connections at their owner', processes: 2, isBlind: false },
  { name: '2 processes, half of the requests forwarded', processes: 2, isBlind: true },
]

/** Microseconds of CPU that a program and its children have used; undefined where the system does not tell. */
function cpuMicrosOf(pid: number): number | undefined {
  try {
    let ticks = 0
    for (const name of readdirSync('/proc')) {
      if (!/^\d+$/.test(name)) continue
      const fields = statOf(name)
      if (fields === undefined || (Number(name) !== pid && Number(fields[1]) !== pid)) continue
      ticks += Number(fields[11]) + Number(fields[12])
    }
    return (ticks * 1_000_000) / TICKS_PER_SECOND
  } catch {
    return undefined
  }
}

/** The fields behind the name: state, parent, ... Undefined when it has ended meanwhile. */
function statOf(pid: string): string[] | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return text.slice(text.lastIndexOf(')') + 2).split(' ')
  } catch {
    return undefined
  }
}

/** Sessions that every process has some of. */
async function wireTo(child: Child, port: number, { isBlind, processes }: Contender): Promise<Wire> {
  await untilListening(child, port)
  // The first process serves before the last one does; an id begins with the process that gave it.
  const owners = new Set<string | undefined>()
  while (processes > 1 && owners.size < processes) owners.add((await openSession(port)).split('.')[0])
  const ids: string[] = []
  for (let index = 0; index < sessions; index += 1) ids.push(await openSession(port))
  const wire = httpWire(port, ids)
  if (!isBlind) return wire
  const { open } = wire
  wire.open = async (lanes) => {
    await open(lanes)
    await new Promise((resolve) => setTimeout(resolve, SILENT_MS))
  }
  return wire
}

const running: { contender: Contender; child: Child; wire: Wire; loads: Load[]; cpuMicros: number }[] = []
try {
  for (const contender of contenders) {
    const port = await freePort()
    const child = startChild(built('servers/load.js'), ['--http', `${port}`, '--processes', `${contender.processes}`])
    child.process.stdout?.resume()
    const one = { contender, child, wire: undefined as unknown as Wire, loads: [], cpuMicros: 0 }
    running.push(one)
    one.wire = await wireTo(child, port, contender)
    // A process that has served little is slow for that reason alone.
    for (let calls = 0; calls < warmUpCalls; ) calls += (await closedLoop(one.wire, inFlight, roundMs)).calls
  }
  for (let round = 0; round < rounds; round += 1) {
    for (const one of running) {
      const pid = one.child.process.pid ?? 0
      const before = cpuMicrosOf(pid) ?? Number.NaN
      one.loads.push(await closedLoop(one.wire, inFlight, roundMs))
      one.cpuMicros += (cpuMicrosOf(pid) ?? Number.NaN) - before
    }
  }
  const rows = running.map(({ contender: { name }, loads, cpuMicros }) => {
    const callsPerSecond = median(loads.map(({ calls, elapsedMs }) => (calls * 1_000) / elapsedMs))
    const perCall = cpuMicros / loads.reduce((sum, { calls }) => sum + calls, 0)
    const group = `processes, ${inFlight} in flight`
    recordFigures({ group: `${group}: calls/s`, name, value: callsPerSecond, unit: 'calls/s', better: 'more' })
    if (Number.isFinite(perCall))
      recordFigures({ group: `${group}: CPU per call`, name, value: perCall, unit: 'us', better: 'less' })
    const p99 = median(loads.map(({ p99Ms }) => p99Ms))
    return [
      name,
      formatNumber(callsPerSecond, 0),
      formatNumber(median(loads.map(({ p50Ms }) => p50Ms)), 2),
      formatNumber(p99, 2),
      Number.isFinite(perCall) ? formatNumber(perCall, 0) : 'unknown',
    ]
  })
  console.log(formatTable(['server', 'calls/s', 'p50 ms', 'p99 ms', 'CPU us/call'], rows))
} finally {
  for (const { wire, child } of running) {
    wire?.close()
    await child.stop()
  }
}
