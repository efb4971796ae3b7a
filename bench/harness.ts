// Question: what does one echo call cost a server, over stdio and over Streamable HTTP, beside the official SDK and
// beside the least that Node can do?
// Goal: ratios on one machine in one run: calls/s against the SDK, CPU per call against the bare server.
// Non-goal: absolute numbers. They drift with the machine, and the load generator shares it.
//
// Every server is a child process of its own. All are started first and measured in turn, round after round, so that a
// slow minute of the machine falls on all of them. The generator is one thread and shows its own load. Each reply is checked: the id is one that was asked, the text its own.
import { type Child, freePort, startChild, untilListening } from './child.ts'
import { closedLoop, type Load, paced, type Wire } from './load.ts'
import { httpWire, openSession } from './load-http.ts'
import { stdioWire } from './load-stdio.ts'
import { built, peer } from './paths.ts'
import { median } from './statistics.ts'

export type TransportName = 'http' | 'stdio'

/** A server to measure. `role` says what others are compared with: the limit, the peer that targets are set by, or neither. */
export interface Contender {
  readonly name: string
  readonly role: 'bare' | 'peer' | 'other' | 'ours'
  readonly program: string
  /** The arguments; `port` is given for HTTP. */
  readonly args: (port: number) => readonly string[]
}

export const contenders: Record<TransportName, readonly Contender[]> = {
  http: [
    { name: 'bare node:http', role: 'bare', program: peer('bare-http.js'), args: (port) => [`${port}`] },
    { name: 'sdk v2, SSE', role: 'peer', program: peer('sdk-v2.js'), args: (port) => ['--http', `${port}`] },
    { name: 'sdk v2, JSON', role: 'peer', program: peer('sdk-v2.js'), args: (port) => ['--http', `${port}`, '--json'] },
    { name: 'fastmcp', role: 'other', program: peer('fastmcp.js'), args: (port) => ['--http', `${port}`] },
    { name: 'bough', role: 'ours', program: built('servers/bough.js'), args: (port) => ['--http', `${port}`] },
  ],
  stdio: [
    { name: 'bare loop', role: 'bare', program: peer('bare-stdio.js'), args: () => [] },
    { name: 'sdk v2', role: 'peer', program: peer('sdk-v2.js'), args: () => ['--stdio'] },
    { name: 'fastmcp', role: 'other', program: peer('fastmcp.js'), args: () => ['--stdio'] },
    { name: 'bough', role: 'ours', program: built('servers/bough.js'), args: () => ['--stdio'] },
  ],
}

export interface Size {
  readonly rounds: number
  readonly roundMs: number
  readonly warmUpMs: number
  readonly inFlight: readonly number[]
  /** How many sessions the connections share (HTTP). One is the hardest case for a server whose session is a process. */
  readonly sessions: number
  /** Duration of the paced runs at half of the slowest server's saturation; 0 leaves them out. */
  readonly pacedMs: number
}

export const sizes: Record<'small' | 'large', Size> = {
  small: { rounds: 2, roundMs: 150, warmUpMs: 100, inFlight: [16], sessions: 1, pacedMs: 0 },
  large: { rounds: 7, roundMs: 2_000, warmUpMs: 3_000, inFlight: [16, 64], sessions: 1, pacedMs: 5_000 },
}

/** One server at one number of calls in flight: medians over the rounds; CPU is the server's, over all rounds. */
export interface Row {
  readonly server: string
  readonly role: Contender['role']
  readonly transport: TransportName
  readonly inFlight: number
  /** Calls started per second where the rate was given; absent at saturation. */
  readonly paced?: number
  readonly calls: number
  readonly callsPerSecond: number
  readonly p50Ms: number
  readonly p99Ms: number
  readonly cpuMicrosPerCall: number
  readonly rssMb: number
  /** The generator's own CPU, of one core. Near 1 the server could have done more: calls/s is then a floor. */
  readonly generatorLoad: number
  readonly checksum: number
}

interface Running {
  readonly contender: Contender
  readonly child: Child
  readonly wire: Wire
}

async function start(transport: TransportName, contender: Contender, sessions: number): Promise<Running> {
  const port = transport === 'http' ? await freePort() : 0
  const child = startChild(contender.program, contender.args(port))
  try {
    if (transport === 'stdio') return { contender, child, wire: await stdioWire(child) }
    child.process.stdout?.resume()
    await untilListening(child, port)
    const ids: string[] = []
    for (let index = 0; index < sessions; index += 1) ids.push(await openSession(port))
    return { contender, child, wire: httpWire(port, ids) }
  } catch (error) {
    await child.stop()
    throw new Error(`${contender.name} (${transport}) did not start.`, { cause: error })
  }
}

/** Runs one load and reads the CPU the server used meanwhile. */
async function measure({ contender, child }: Running, load: () => Promise<Load>) {
  try {
    const before = await child.usage()
    const ownBefore = process.cpuUsage()
    const result = await load()
    const own = process.cpuUsage(ownBefore)
    const after = await child.usage()
    return {
      ...result,
      cpuMicros: after.cpuMicros - before.cpuMicros,
      rssMb: after.rssBytes / 2 ** 20,
      generatorLoad: (own.user + own.system) / 1_000 / result.elapsedMs,
    }
  } catch (error) {
    throw new Error(`${contender.name} failed under load.`, { cause: error })
  }
}

type Sample = Awaited<ReturnType<typeof measure>>

function summarise(running: Running, transport: TransportName, inFlight: number, samples: readonly Sample[]): Row {
  const calls = samples.reduce((sum, sample) => sum + sample.calls, 0)
  const cpuMicros = samples.reduce((sum, sample) => sum + sample.cpuMicros, 0)
  return {
    server: running.contender.name,
    role: running.contender.role,
    transport,
    inFlight,
    calls,
    callsPerSecond: median(samples.map((sample) => (sample.calls * 1000) / sample.elapsedMs)),
    p50Ms: median(samples.map((sample) => sample.p50Ms)),
    p99Ms: median(samples.map((sample) => sample.p99Ms)),
    cpuMicrosPerCall: cpuMicros / calls,
    rssMb: samples.at(-1)!.rssMb,
    generatorLoad: median(samples.map((sample) => sample.generatorLoad)),
    checksum: samples.reduce((sum, sample) => (sum + sample.checksum) % 0xffffffff, 0),
  }
}

/** Measures every contender of a transport, round after round in turn; rows in the order of `inFlight`, then contender. */
export async function measureTransport(
  transport: TransportName,
  size: Size,
  chosen: readonly Contender[] = contenders[transport],
): Promise<Row[]> {
  const servers: Running[] = []
  const rows: Row[] = []
  try {
    for (const contender of chosen) servers.push(await start(transport, contender, size.sessions))
    for (const inFlight of size.inFlight) {
      for (const server of servers) await measure(server, () => closedLoop(server.wire, inFlight, size.warmUpMs))
      const samples = new Map(servers.map((server) => [server, [] as Sample[]]))
      for (let round = 0; round < size.rounds; round += 1) {
        for (const server of servers) {
          samples.get(server)?.push(await measure(server, () => closedLoop(server.wire, inFlight, size.roundMs)))
        }
      }
      for (const [server, taken] of samples) rows.push(summarise(server, transport, inFlight, taken))
    }
    if (size.pacedMs > 0) rows.push(...(await measurePaced(transport, servers, rows, size)))
  } finally {
    for (const server of servers) await server.child.stop()
  }
  return rows
}

/** Latency at a rate all can carry: half of what the slowest server reached. */
async function measurePaced(transport: TransportName, servers: readonly Running[], rows: readonly Row[], size: Size) {
  const perSecond = Math.floor(Math.min(...rows.map((row) => row.callsPerSecond)) / 2)
  const inFlightMax = Math.max(...size.inFlight)
  const result: Row[] = []
  for (const server of servers) {
    const sample = await measure(server, () => paced(server.wire, perSecond, size.pacedMs, inFlightMax))
    result.push({ ...summarise(server, transport, inFlightMax, [sample]), paced: perSecond })
  }
  return result
}

/** Calls/s against the fastest peer and CPU per call against the bare server, at the same load of the same run. */
export function compare(row: Row, rows: readonly Row[]): { speed?: number; cpu?: number } {
  const same = rows.filter((other) => other.inFlight === row.inFlight && other.paced === row.paced)
  const peers = same.filter((other) => other.role === 'peer')
  const bare = same.find((other) => other.role === 'bare')
  return {
    ...(peers.length > 0 && { speed: row.callsPerSecond / Math.max(...peers.map((other) => other.callsPerSecond)) }),
    ...(bare && { cpu: row.cpuMicrosPerCall / bare.cpuMicrosPerCall }),
  }
}
