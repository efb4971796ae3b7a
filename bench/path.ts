// Question: where does the time of one echo call go on its way through the server?
// Goal: shares of the server's CPU by the part of the path, so that a change shows where it acts.
// Non-goal: absolute numbers. The sampling itself takes a part, and what a system call takes depends on who else runs.
//
// A server is started with Node's profiler, kept under load, and ended; each sample is counted for the part of the path that
// its innermost function belongs to. What a function of V8 or libuv takes is in the JavaScript function that called it.
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { freePort, startChild, untilListening } from './child.ts'
import { contenders, type TransportName } from './harness.ts'
import { closedLoop } from './load.ts'
import { httpWire, openSession } from './load-http.ts'
import { stdioWire } from './load-stdio.ts'
import { formatNumber, formatTable } from './table.ts'

/** What the profiler writes, as far as it is read here. Times in microseconds. */
interface Profile {
  readonly nodes: readonly {
    readonly id: number
    readonly callFrame: { readonly functionName: string; readonly url: string }
  }[]
  readonly samples: readonly number[]
  readonly timeDeltas: readonly number[]
}

interface PathRow {
  readonly part: string
  /** Of the samples in which the program ran at all. */
  readonly share: number
  readonly microsPerCall: number
}

/** The parts of the path: the first whose pattern fits a function's file, or its name where it has none. */
const parts: readonly (readonly [part: string, pattern: RegExp])[] = [
  ['write to the socket or pipe', /^native (?:writev|write\w*String|writeBuffer)$/],
  ['transport: framing, HTTP rules, answer', /\/dist\/src\/transports\//],
  ['protocol: decode, checks, encode', /\/dist\/src\/protocol\//],
  ['doors: routing, limits', /\/dist\/actors\/(?:http-door|connection-door|listener|caller|overload|modern-door)/],
  ['session', /\/dist\/(?:actors\/session|src\/lifecycles)/],
  ['request, catalog, the tool itself', /\/dist\/(?:actors\/|src\/features|bench)/],
  ['kernel: processes, mailboxes, timers', /\/dist\/src\/(?:runtime|structures)\//],
  ['counts, times, attribution', /\/dist\/src\/observability\/|^node:(?:internal\/)?async_hooks/],
  ['node: HTTP', /^node:(?:_http|internal\/http)/],
  ['node: sockets, streams, events', /^node:(?:net|events|buffer|_stream|internal\/(?:streams|stream_base|js_stream))/],
  ['node: ticks, timers, the rest', /^node:|^native /],
  ['garbage collection', /\(garbage collector\)/],
]
const REST = 'V8 and libuv without a JavaScript function'

function partOf(functionName: string, url: string): string {
  const subject = url !== '' ? url : functionName.startsWith('(') ? functionName : `native ${functionName}`
  return parts.find(([, pattern]) => pattern.test(subject))?.[0] ?? REST
}

/** Runs one server under load with `inFlight` calls and resolves to where its time went, the largest part first. */
async function measurePath(transport: TransportName, inFlight: number, durationMs: number): Promise<PathRow[]> {
  const bough = contenders[transport].find(({ role }) => role === 'ours')
  if (bough === undefined) throw new Error(`There is no server of ours over ${transport}.`)
  const folder = mkdtempSync(join(tmpdir(), 'bough-path-'))
  try {
    const port = transport === 'http' ? await freePort() : 0
    const flags = ['--cpu-prof', `--cpu-prof-dir=${folder}`, '--cpu-prof-interval=200']
    const child = startChild(bough.program, bough.args(port), flags)
    let microsPerCall = 0
    try {
      if (transport === 'http') {
        child.process.stdout?.resume()
        await untilListening(child, port)
      }
      const wire = transport === 'http' ? httpWire(port, [await openSession(port)]) : await stdioWire(child)
      const before = await child.usage()
      const { calls } = await closedLoop(wire, inFlight, durationMs)
      microsPerCall = ((await child.usage()).cpuMicros - before.cpuMicros) / calls
    } finally {
      await child.stop()
    }
    const [file] = readdirSync(folder)
    if (file === undefined) throw new Error(`The server wrote no profile into ${folder}.`)
    const profile = JSON.parse(readFileSync(join(folder, file), 'utf8')) as Profile
    return shares(profile, durationMs, microsPerCall)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

function shares({ nodes, samples, timeDeltas }: Profile, durationMs: number, microsPerCall: number): PathRow[] {
  const byId = new Map(nodes.map(({ id, callFrame }) => [id, callFrame]))
  const spent = new Map<string, number>()
  let total = 0
  // What came before the load is the program's start.
  let untilEndMicros = timeDeltas.reduce((sum, micros) => sum + micros, 0)
  for (const [at, id] of samples.entries()) {
    const { functionName = '(root)', url = '' } = byId.get(id) ?? {}
    const micros = timeDeltas[at] ?? 0
    untilEndMicros -= micros
    if (functionName === '(idle)' || untilEndMicros > durationMs * 1_000) continue
    const part = partOf(functionName, url)
    spent.set(part, (spent.get(part) ?? 0) + micros)
    total += micros
  }
  return [...spent]
    .sort(([, one], [, other]) => other - one)
    .map(([part, micros]) => ({ part, share: micros / total, microsPerCall: (micros / total) * microsPerCall }))
}

const { values: options } = parseArgs({ options: { small: { type: 'boolean', default: false } } })
const IN_FLIGHT = 16
for (const transport of ['stdio', 'http'] as const) {
  const rows = await measurePath(transport, IN_FLIGHT, options.small ? 300 : 8_000)
  const cells = rows.map(({ part, share, microsPerCall }) => [
    part,
    `${formatNumber(share * 100, 1)} %`,
    formatNumber(microsPerCall, 1),
  ])
  console.log(`${transport}, ${IN_FLIGHT} in flight\n${formatTable(['part', 'share', 'us per call'], cells)}\n`)
}
