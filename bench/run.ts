// The benchmark command:
// `npm run bench -- [kernel|stdio|http|threads|protocol|client ...] [--small] [--only bare,sdk] [--rounds n] [--sessions n]`.
// Prints one table for each part, with the machine, the Node version and the command, and writes the same as JSON below
// bench/results/. With --small everything runs for a moment, which proves that it works and nothing else; the kernel is
// then measured beside other libraries and Erlang only where --only names them.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { cpus, totalmem } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { compare, contenders, measureTransport, type Row, sizes, type TransportName } from './harness.ts'
import { haveErlang, type KernelRow, kernelLibraries, kernelSizes, measureKernel } from './kernel.ts'
import { built, root } from './paths.ts'
import { formatNumber, formatRatio, formatTable } from './table.ts'

const parts = ['kernel', 'stdio', 'http', 'threads', 'protocol', 'client'] as const
type Part = (typeof parts)[number]

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    small: { type: 'boolean', default: false },
    only: { type: 'string' },
    rounds: { type: 'string' },
    sessions: { type: 'string' },
  },
})

const sizeName = options.small ? 'small' : 'large'
const wanted = options.only?.split(',')
const isWanted = (name: string): boolean => wanted === undefined || wanted.some((word) => name.startsWith(word))

function positiveInteger(name: 'rounds' | 'sessions', fallback: number): number {
  const text = options[name]
  if (text === undefined) return fallback
  const value = Number(text)
  if (Number.isInteger(value) && value > 0) return value
  throw new Error(`--${name} must be a positive integer, got: ${text}`)
}

function chooseParts(): readonly Part[] {
  const unknown = positionals.find((name) => !parts.some((part) => part === name))
  if (unknown !== undefined) throw new Error(`There is no benchmark "${unknown}". Choose from: ${parts.join(', ')}.`)
  return positionals.length === 0 ? parts : parts.filter((part) => positionals.includes(part))
}

/** True when the peers can be measured. The large size installs them; the small one takes them only if they are there. */
function havePeers(): boolean {
  const folder = join(root, 'bench', 'peers')
  const needed = ['@modelcontextprotocol/server', 'xstate', 'effect', 'nact']
  if (needed.every((name) => existsSync(join(folder, 'node_modules', name)))) return true
  if (options.small) {
    console.log(
      'The peers are not installed, so --small leaves them out (npm ci --prefix bench/peers installs them).\n',
    )
    return false
  }
  console.log('Installing the peers: npm ci --prefix bench/peers')
  const npm = spawnSync('npm', ['ci', '--prefix', folder, '--no-fund', '--no-audit', '--loglevel', 'error'], {
    stdio: 'inherit',
    shell: process.platform === 'win32',
  })
  if (npm.status !== 0)
    throw new Error(`npm ci --prefix bench/peers ended with status ${npm.status}. Is the network there?`)
  return true
}

async function runTransport(transport: TransportName): Promise<Row[]> {
  const size = { ...sizes[sizeName] }
  const rounds = positiveInteger('rounds', size.rounds)
  const sessions = positiveInteger('sessions', size.sessions)
  const named = contenders[transport].filter(({ name }) => isWanted(name))
  const chosen =
    named.some(({ role }) => role === 'peer') && !havePeers() ? named.filter((c) => c.role !== 'peer') : named
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
      row.paced === undefined ? `${row.inFlight} in flight` : `${row.paced}/s paced`,
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
  return rows
}

/** The libraries to measure the kernel beside; says aloud which are left out, and why. */
function chooseLibraries(): ReadonlySet<string> {
  const named = kernelLibraries.filter(({ name, needs }) =>
    options.small && wanted === undefined ? needs === 'nothing' : isWanted(name),
  )
  const lacks = {
    nothing: false,
    peers: named.some(({ needs }) => needs === 'peers') && !havePeers(),
    erlang: named.some(({ needs }) => needs === 'erlang') && !haveErlang(),
  }
  if (lacks.erlang)
    console.log('NOT MEASURED: Erlang. There is no escript on the PATH; install Erlang/OTP 25 or later.\n')
  return new Set(named.filter(({ needs }) => !lacks[needs]).map(({ name }) => name))
}

async function runKernel(): Promise<KernelRow[]> {
  const libraries = chooseLibraries()
  const size = kernelSizes[sizeName]
  const passes = positiveInteger('rounds', size.passes)
  const rows = await measureKernel({ ...size, passes }, ({ name }) => libraries.has(name))
  console.log(
    'kernel: CPU ns per operation, least and median of the runs (where the scenario says so: bytes, or wall ms)',
  )
  const head = ['scenario', 'library', 'least', 'median', 'of the bare kernel', 'of Erlang', 'operations', 'checksum']
  const cells = rows.map((row) => {
    const ratioTo = (library: string): string => {
      const other = rows.find((one) => one.scenario === row.scenario && one.library === library)
      return formatRatio(other && (row.unit === 'ms' ? row.median / other.median : row.least / other.least))
    }
    const digits = row.unit === 'ms' ? 3 : 0
    return [
      row.scenario,
      row.library,
      formatNumber(row.least, digits),
      formatNumber(row.median, digits),
      ratioTo('bare kernel'),
      ratioTo('erlang'),
      formatNumber(row.operations, 0),
      row.checksum.toString(16),
    ]
  })
  console.log(`${formatTable(head, cells)}\n`)
  return rows
}

/** Runs a program that measures by itself; resolves to what it printed. */
function runProgram(name: 'threads' | 'protocol' | 'client', title: string): readonly string[] {
  const args = [built(`${name}.js`), ...(options.small ? ['--small'] : [])]
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { cwd: root, encoding: 'utf8' })
  if (status !== 0) throw new Error(`${name} ended with status ${status}:\n${stderr}`)
  console.log(`${name}: ${title}\n${stdout}`)
  return stdout.trimEnd().split('\n')
}

async function runPart(part: Part): Promise<unknown> {
  if (part === 'kernel') return await runKernel()
  if (part === 'threads') return runProgram(part, 'calls to an actor in a thread')
  if (part === 'protocol') return runProgram(part, 'tasks, completions, questions and both eras, latencies of a client')
  if (part === 'client') return runProgram(part, 'what a call costs its client, beside others')
  return await runTransport(part)
}

async function main(): Promise<void> {
  const chosen = chooseParts()
  const machine = {
    node: process.version,
    platform: `${process.platform} ${process.arch}`,
    cpus: `${cpus().length} x ${cpus()[0]?.model.trim() ?? 'unknown'}`,
    memoryGb: Math.round(totalmem() / 2 ** 30),
    command: `npm run bench -- ${process.argv.slice(2).join(' ')}`.trim(),
  }
  console.log(`${machine.command}\nNode ${machine.node}, ${machine.platform}, ${machine.cpus}, ${machine.memoryGb} GB`)
  if (options.small) console.log('--small: too short to mean anything; it shows only that the benchmarks run')
  console.log()

  const results: Partial<Record<Part, unknown>> = {}
  for (const part of chosen) results[part] = await runPart(part)

  const folder = join(root, 'bench', 'results')
  mkdirSync(folder, { recursive: true })
  const file = join(folder, `${new Date().toISOString().replace(/[:.]/g, '-')}-${chosen.join('-')}-${sizeName}.json`)
  writeFileSync(file, `${JSON.stringify({ machine, size: sizeName, results }, undefined, 2)}\n`)
  console.log(`written to ${file}`)
}

/** The sentences of an error and of its causes, outermost first. */
function explain(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  return error.cause === undefined ? error.message : `${error.message}\n${explain(error.cause)}`
}

await main().catch((error: unknown) => {
  console.error(explain(error))
  process.exitCode = 1
})
