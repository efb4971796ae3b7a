// Question: what does a call cost the client that makes it: beside the official SDK, and beside the least that there can be?
// Goal: calls per second and CPU per call of the clients beside each other, against the same server, in one run; and what is
// gained by sending calls together.
// Non-goal: absolute numbers. The server, which is bough's own, shares the machine with the client that is measured.
//
// `node dist/bench/client.js [--small]`. Each client runs in a program of its own (`--run`), one after another, round after round.
import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { freePort, startChild, untilListening } from './child.ts'
import { type Caller, clients, type Transport } from './clients.ts'
import { textOf } from './echo.ts'
import { built } from './paths.ts'
import { median } from './statistics.ts'
import { formatNumber, formatRatio, formatTable } from './table.ts'

const isSmall = process.argv.includes('--small')
const rounds = isSmall ? 1 : 3
const runMs = isSmall ? 30 : 1_000
const warmUpMs = isSmall ? 10 : 500

interface Load {
  readonly name: string
  readonly inFlight: number
  /** Calls that go out together, again and again; otherwise each by itself. */
  readonly isBatch?: boolean
}

const loads: readonly Load[] = [
  { name: 'one at a time', inFlight: 1 },
  { name: '16 in flight', inFlight: 16 },
  { name: '100 in flight', inFlight: 100 },
  { name: 'batches of 100', inFlight: 100, isBatch: true },
]

interface Sample {
  readonly callsPerSecond: number
  readonly cpuMicrosPerCall: number
  readonly checksum: number
}

/** Calls until the time is over. Throws when an answer is not the one to its call. */
async function load(caller: Caller, { inFlight, isBatch }: Load, ms: number): Promise<Sample> {
  let calls = 0
  let checksum = 0
  const check = (id: number, text: unknown): void => {
    if (text !== textOf(id)) throw new Error(`Call ${id} was answered with ${JSON.stringify(text)}.`)
    checksum = (checksum + id) % 0xffffffff
    calls++
  }
  const cpu = process.cpuUsage()
  const from = performance.now()
  const isOver = (): boolean => performance.now() - from >= ms
  let last = 0
  if (isBatch === true) {
    while (!isOver()) {
      const ids = Array.from({ length: inFlight }, () => ++last)
      const texts = (await caller.batch?.(ids)) ?? []
      for (const [index, id] of ids.entries()) check(id, texts[index])
    }
  } else {
    const lane = async (): Promise<void> => {
      while (!isOver()) {
        const id = ++last
        check(id, await caller.call(id))
      }
    }
    await Promise.all(Array.from({ length: inFlight }, lane))
  }
  const elapsedMs = performance.now() - from
  const used = process.cpuUsage(cpu)
  return { callsPerSecond: (calls * 1_000) / elapsedMs, cpuMicrosPerCall: (used.user + used.system) / calls, checksum }
}

/** One client in a program of its own: prints its samples, one for each load. */
async function run(name: string, transport: Transport, where: string): Promise<void> {
  const contender = clients.find((one) => one.name === name)
  if (contender === undefined) throw new Error(`There is no client ${name}.`)
  const caller = await contender.open(transport, where)
  const samples: (Sample | null)[] = []
  for (const one of loads) {
    if (one.isBatch === true && caller.batch === undefined) samples.push(null)
    else {
      await load(caller, one, warmUpMs)
      samples.push(await load(caller, one, runMs))
    }
  }
  await caller.close()
  process.stdout.write(JSON.stringify(samples))
}

function measured(name: string, transport: Transport, where: string): (Sample | null)[] {
  const args = [built('client.js'), '--run', name, transport, where, ...(isSmall ? ['--small'] : [])]
  const { status, stdout, stderr } = spawnSync(process.execPath, args, {
    encoding: 'utf8',
    timeout: 120_000,
    env: { ...process.env, NODE_ENV: 'production' },
  })
  if (status !== 0) throw new Error(`${name} over ${transport} ended with status ${status}:\n${stderr}`)
  return JSON.parse(stdout)
}

async function compare(transport: Transport, where: string): Promise<void> {
  const chosen = clients.filter(({ transports }) => transports.includes(transport))
  const samples = new Map(chosen.map(({ name }) => [name, loads.map(() => [] as Sample[])]))
  for (let round = 0; round < rounds; round++) {
    for (const { name } of chosen) {
      const taken = measured(name, transport, where)
      taken.forEach((sample, index) => {
        if (sample !== null) samples.get(name)?.[index]?.push(sample)
      })
    }
  }
  const cells: string[][] = []
  loads.forEach(({ name: loadName }, index) => {
    const of = (name: string, what: 'callsPerSecond' | 'cpuMicrosPerCall'): number =>
      median((samples.get(name)?.[index] ?? []).map((sample) => sample[what]))
    for (const { name } of chosen) {
      const [first] = samples.get(name)?.[index] ?? []
      if (first === undefined) continue
      const speed = of(name, 'callsPerSecond')
      const cpu = of(name, 'cpuMicrosPerCall')
      const bare = chosen[0]?.name ?? ''
      cells.push([
        name,
        loadName,
        formatNumber(speed),
        formatNumber(cpu),
        formatRatio(speed / of('SDK v2 client', 'callsPerSecond')),
        formatRatio(cpu / of('SDK v2 client', 'cpuMicrosPerCall')),
        formatRatio(cpu / of(bare, 'cpuMicrosPerCall')),
        first.checksum.toString(16),
      ])
    }
  })
  const head = ['client', 'load', 'calls/s', 'CPU us/call', 'speed/SDK', 'CPU/SDK', 'CPU/bare', 'checksum']
  console.log(`echo over ${transport}, by client\n${formatTable(head, cells)}\n`)
}

const at = process.argv.indexOf('--run')
if (at >= 0) {
  const [name = '', transport = '', where = ''] = process.argv.slice(at + 1)
  await run(name, transport as Transport, where)
  process.exit(0)
} else {
  const program = built('servers/bough.js')
  const port = await freePort()
  const server = startChild(program, ['--http', String(port)])
  server.process.stdout?.resume()
  try {
    await untilListening(server, port)
    await compare('http', `http://127.0.0.1:${port}/mcp`)
  } finally {
    const gone = once(server.process, 'exit')
    await server.stop()
    await gone
  }
  await compare('stdio', program)
}
