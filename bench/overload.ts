// Question: what is left of a server that is asked for five times what it can do?
// Goal: useful answers under that load against the peak, how long a ping takes meanwhile, how refusals look, and how soon after it
// all is normal. Non-goal: absolute numbers; the generators share the machine with the server, so 5x is what they offer, and the
// column `made` is what of it they could send.
//
// `node dist/bench/overload.js [--small]`. Every run: the peak is found with closed loops of rising width, then open loops in
// processes of their own offer five times that for some seconds, while a third one pings; then single calls show the recovery.
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { freePort, startChild, untilListening } from './child.ts'
import { recordFigures } from './figures.ts'
import type { Order, Told } from './overload-client.ts'
import { built } from './paths.ts'
import type { Usage } from './probe.ts'
import { formatNumber, formatTable } from './table.ts'

const isSmall = process.argv.includes('--small')
const FACTOR = 5
const OVERLOAD_MS = isSmall ? 700 : 8_000
const PEAK_MS = isSmall ? 300 : 3_000
const WIDTHS = isSmall ? [16] : [8, 32, 128]
const CONNECTIONS = isSmall ? 100 : 1_000
const GENERATORS = 2
const PING_MS = 50
/** A call that takes less than this many times the median of a quiet server is normal again. */
const NORMAL_FACTOR = 5
const RECOVERY_LOOKS = 3

class Generator {
  private readonly child: ChildProcess = fork(built('overload-client.js'))

  /** Opens the connections of an order. Resolves to what begins it. */
  async prepare(order: Order): Promise<() => Promise<Told>> {
    this.child.send(order)
    await this.next()
    return () => {
      this.child.send('go')
      return this.next() as Promise<Told>
    }
  }

  async run(order: Order): Promise<Told> {
    return (await this.prepare(order))()
  }

  private async next(): Promise<unknown> {
    const [told] = (await once(this.child, 'message')) as [Told | 'ready' | { readonly error: string }]
    if (typeof told === 'object' && 'error' in told) throw new Error(told.error)
    return told
  }

  stop(): void {
    this.child.kill()
  }
}

const quantile = (values: readonly number[], part: number): number => {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? Number.NaN
}

interface Finding {
  readonly tool: string
  readonly peak: number
  readonly useful: number
  readonly made: number
  readonly refused: Readonly<Record<string, number>>
  readonly malformed: number
  readonly pings: Told
  readonly p50Ms: number
  readonly p99Ms: number
  readonly recoveryMs: number
  /** Useful answers for a second of the server's processor, against those at the peak: what counts on a busy machine. */
  readonly efficiency: number
  /** Processor that the server got under the load, in cores: below 1 on a busy machine, whatever it would have used. */
  readonly cores: number
}

function perCpu(count: number, from: Usage, to: Usage): number {
  return (count * 1_000_000) / (to.cpuMicros - from.cpuMicros)
}

async function measure(tool: string, args: object): Promise<Finding> {
  const port = await freePort()
  const server = startChild(built('servers/overload.js'), ['--http', `${port}`])
  const generators = Array.from({ length: GENERATORS }, () => new Generator())
  const pinger = new Generator()
  const prober = new Generator()
  try {
    server.process.stdout?.resume()
    server.process.on('message', (event: { readonly type?: string }) => {
      if (event.type === 'pressure' && !isSmall) console.error(JSON.stringify(event))
    })
    await untilListening(server, port)
    const base = { port, tool, args, sessions: 4 }
    await Promise.all(generators.map((one) => one.run({ ...base, connections: 8, rate: 0, ms: PEAK_MS })))
    const quiet = await prober.run({ ...base, connections: 1, sessions: 1, rate: 0, ms: PEAK_MS / 3 })
    const normalMs = quantile(quiet.latenciesMs, 0.5)
    let peak = 0
    let peakPerCpu = 0
    for (const width of WIDTHS) {
      const from = await server.usage()
      const orders = generators.map((one) =>
        one.run({ ...base, connections: Math.ceil(width / GENERATORS), rate: 0, ms: PEAK_MS }),
      )
      const found = await Promise.all(orders)
      const to = await server.usage()
      const answered = found.reduce((sum, one) => sum + one.useful, 0)
      peak = Math.max(
        peak,
        found.reduce((sum, one) => sum + (one.useful * 1_000) / one.elapsedMs, 0),
      )
      peakPerCpu = Math.max(peakPerCpu, perCpu(answered, from, to))
    }
    const rate = Math.ceil((peak * FACTOR) / GENERATORS)
    const pings: Order = {
      port,
      tool: 'ping',
      args: {},
      sessions: 1,
      connections: 40,
      rate: 1_000 / PING_MS,
      ms: OVERLOAD_MS,
    }
    const probe: Order = { ...base, connections: 1, sessions: 1, rate: 0, ms: 50 }
    const begins = await Promise.all([
      pinger.prepare(pings),
      ...generators.map((one) =>
        one.prepare({ ...base, connections: CONNECTIONS / GENERATORS, rate, ms: OVERLOAD_MS }),
      ),
    ])
    const before = await server.usage()
    const load = begins.map((begin) => begin())
    await new Promise((resolve) => setTimeout(resolve, OVERLOAD_MS))
    const endedAt = performance.now()
    const after = await server.usage()
    const recoveryMs = await recovered(prober, probe, normalMs, endedAt)
    const [pinged, ...told] = await Promise.all(load)
    const refused: Record<string, number> = {}
    for (const one of told)
      for (const [what, count] of Object.entries(one.refused)) refused[what] = (refused[what] ?? 0) + count
    const useful = told.reduce((sum, one) => sum + (one.useful * 1_000) / one.elapsedMs, 0)
    const answers = told.reduce((sum, one) => sum + one.useful, 0) + Object.values(refused).reduce((a, b) => a + b, 0)
    const latencies = told.flatMap((one) => one.latenciesMs)
    return {
      tool: `${tool} ${JSON.stringify(args)}`,
      peak,
      useful,
      made: answers / (OVERLOAD_MS / 1_000) / peak,
      refused,
      malformed: told.reduce((sum, one) => sum + one.malformed, 0),
      pings: pinged!,
      p50Ms: quantile(latencies, 0.5),
      p99Ms: quantile(latencies, 0.99),
      recoveryMs,
      efficiency:
        perCpu(
          told.reduce((sum, one) => sum + one.useful, 0),
          before,
          after,
        ) / peakPerCpu,
      cores: (after.cpuMicros - before.cpuMicros) / 1_000 / OVERLOAD_MS,
    }
  } finally {
    for (const one of [...generators, pinger, prober]) one.stop()
    await server.stop()
  }
}

/** Milliseconds from `endedAt` until calls take as long as before the load. */
async function recovered(prober: Generator, order: Order, normalMs: number, endedAt: number): Promise<number> {
  let normalSince = 0
  let looks = 0
  while (performance.now() - endedAt < 30_000) {
    const at = performance.now()
    // A session that is refused is not normal either.
    const told = await prober.run(order).catch(() => undefined)
    if (told === undefined) await new Promise((resolve) => setTimeout(resolve, PING_MS))
    const isNormal =
      told !== undefined && told.useful > 0 && quantile(told.latenciesMs, 0.5) < Math.max(NORMAL_FACTOR * normalMs, 20)
    if (!isNormal) looks = 0
    else {
      if (looks++ === 0) normalSince = at
      if (looks >= RECOVERY_LOOKS) return Math.max(0, normalSince - endedAt)
    }
  }
  return Number.POSITIVE_INFINITY
}

const findings: Finding[] = []
const only = process.argv.slice(2).find((word) => !word.startsWith('--'))
const cases: readonly (readonly [string, object])[] = [
  ['echo', { text: 'x'.repeat(64) }],
  ['work', { ms: 1 }],
  ['work', { ms: 5 }],
]
for (const [tool, args] of isSmall ? cases.slice(1, 2) : cases) {
  if (only === undefined || tool === only) findings.push(await measure(tool, args))
}
const head = [
  'tool',
  'peak/s',
  'useful/s',
  'of peak',
  'per CPU s',
  'made',
  'p50 ms',
  'p99 ms',
  'ping p50',
  'ping max',
  'recovery ms',
  'cores',
  'refused',
  'malformed',
]
console.log(
  formatTable(
    head,
    findings.map((one) => [
      one.tool.length > 24 ? `${one.tool.slice(0, 24)}…` : one.tool,
      formatNumber(one.peak, 0),
      formatNumber(one.useful, 0),
      formatNumber(one.useful / one.peak, 2),
      formatNumber(one.efficiency, 2),
      `${formatNumber(one.made, 1)}x`,
      formatNumber(one.p50Ms, 1),
      formatNumber(one.p99Ms, 1),
      formatNumber(quantile(one.pings.latenciesMs, 0.5), 1),
      formatNumber(Math.max(...one.pings.latenciesMs), 1),
      formatNumber(one.recoveryMs, 0),
      formatNumber(one.cores, 2),
      Object.entries(one.refused)
        .map(([what, count]) => `${what}:${count}`)
        .join(' ') || 'none',
      String(one.malformed + Object.values(one.pings.refused).reduce((a, b) => a + b, 0)),
    ]),
  ),
)

for (const { tool, peak, useful, pings, recoveryMs } of findings) {
  const group = `overload at ${FACTOR}x, ${tool.slice(0, 24)}`
  recordFigures(
    { group, name: 'useful of peak', value: useful / peak, unit: 'x', better: 'more', target: { atLeast: 0.8 } },
    {
      group,
      name: 'slowest ping',
      value: Math.max(...pings.latenciesMs),
      unit: 'ms',
      better: 'less',
      target: { atMost: 1_000 },
    },
    { group, name: 'recovery', value: recoveryMs, unit: 'ms', better: 'less', target: { atMost: 5_000 } },
  )
}
