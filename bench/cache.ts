// Question: what does a read of a kept answer cost, by where it is kept and who reads it?
// Goal: P95 <= 0.05 ms for every read, in process and from another thread; and the figures by which the default was chosen.
// Non-goal: what making an answer costs, which is its author's; and throughput.
//
// `node dist/bench/cache.js [--small]`. Every read is timed by itself, the clock's own cost (about 0.05 us) within it. A reader
// in another thread or process opens the same cache and reads while the owner goes on writing; no message passes. The last
// table is a whole request: from its text to the answer's, through a session, over the memory transport.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { isMainThread, Worker, workerData } from 'node:worker_threads'
import { createServer, serve } from 'bough'
import { type CacheHandle, type CacheReader, openCache, type SharedCache, sharedCache } from 'bough/cache'
import { memoryTransport } from 'bough/transports/memory'
import { recordFigures } from './figures.ts'
import { quantile } from './statistics.ts'
import { formatNumber, formatTable } from './table.ts'

const isSmall = process.argv.includes('--small')
const reads = isSmall ? 200 : 50_000
const requests = isSmall ? 50 : 20_000
const KEYS = 256
const sizes = [100, 2_000, 64_000] as const
/** The SONA path, in ms. */
const BUDGET_MS = 0.05

interface Latency {
  readonly p50: number
  readonly p95: number
  readonly p99: number
  readonly checksum: number
}

interface Told {
  readonly handle: CacheHandle
  readonly size: number
}

const keyOf = (size: number, index: number): string => `answer 2025-11-25 0  config://app/${size}/${index % KEYS}`
const textOf = (size: number): string => JSON.stringify({ contents: [{ uri: 'config://app', text: 'x'.repeat(size) }] })

function summary(times: Float64Array, checksum: number): Latency {
  times.sort()
  return { p50: quantile(times, 0.5), p95: quantile(times, 0.95), p99: quantile(times, 0.99), checksum }
}

/** Times `reads` reads in ms, a tenth more to warm up. */
function timed(cache: CacheReader, size: number): Latency {
  const times = new Float64Array(reads)
  let checksum = 0
  for (let index = -Math.ceil(reads / 10); index < reads; index++) {
    const key = keyOf(size, index + reads)
    const startedAt = performance.now()
    const found = cache.get(key)
    const took = performance.now() - startedAt
    if (typeof found === 'string') throw new Error(`A read of ${size} bytes found nothing: ${found}.`)
    checksum += found.text.length
    if (index >= 0) times[index] = took
  }
  return summary(times, checksum)
}

function fill(cache: SharedCache, size: number): void {
  const stamps = cache.stamps(['bench', 'config://app'])
  const text = textOf(size)
  for (let index = 0; index < KEYS; index++) cache.set(keyOf(size, index), text, { ttlMs: 3_600_000, stamps })
}

/** Goes on writing other keys until the reader has answered. */
async function whileWriting(cache: SharedCache, reading: Promise<Latency>): Promise<Latency> {
  let isOver = false
  const over = reading.finally(() => (isOver = true))
  const stamps = cache.stamps(['other'])
  for (let index = 0; !isOver; index++) {
    // Small ones, which do not push out what is read.
    cache.set(`other ${index % KEYS}`, `{"n":${index}}`, { ttlMs: 1_000, stamps })
    await new Promise((resolve) => setTimeout(resolve, 1))
  }
  return await over
}

async function inThread(told: Told): Promise<Latency> {
  const worker = new Worker(new URL(import.meta.url), { workerData: told, argv: process.argv.slice(2) })
  const [latency] = (await once(worker, 'message')) as [Latency]
  await worker.terminate()
  return latency
}

async function inProcess(told: Told): Promise<Latency> {
  const child = spawn(
    process.execPath,
    [fileURLToPath(import.meta.url), ...process.argv.slice(2), '--reader', JSON.stringify(told)],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  )
  let text = ''
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => (text += chunk))
  const [status] = (await once(child, 'close')) as [number]
  if (status !== 0) throw new Error(`The reading process ended with status ${status}.`)
  return JSON.parse(text) as Latency
}

async function read(told: Told): Promise<Latency> {
  return timed(await openCache(told.handle), told.size)
}

const micros = (ms: number): string => formatNumber(ms * 1_000, 2)
const rowOf = (cells: readonly string[], { p50, p95, p99, checksum }: Latency): string[] => [
  ...cells,
  micros(p50),
  micros(p95),
  micros(p99),
  checksum.toString(16),
]

function record(group: string, name: string, { p95 }: Latency): void {
  recordFigures({ group, name, value: p95, unit: 'ms', better: 'less', target: { atMost: BUDGET_MS } })
}

async function measureStores(): Promise<string[][]> {
  const rows: string[][] = []
  const folder = mkdtempSync(join(tmpdir(), 'bough-cache-'))
  try {
    for (const where of ['memory', `lmdb:${folder}`] as const) {
      const cache = sharedCache(where, { bytes: 2 ** 27 })
      await cache.open()
      const name = where === 'memory' ? 'shared memory' : 'lmdb'
      for (const size of sizes) {
        fill(cache, size)
        const { handle } = cache
        if (handle === undefined) throw new Error('This cache cannot be opened elsewhere.')
        const readers: [string, () => Promise<Latency>][] = [
          ['same thread', async () => timed(cache, size)],
          ['another thread', () => whileWriting(cache, inThread({ handle, size }))],
        ]
        if (where !== 'memory')
          readers.push(['another process', () => whileWriting(cache, inProcess({ handle, size }))])
        for (const [reader, run] of readers) {
          const latency = await run()
          rows.push(rowOf([name, `${size} B`, reader], latency))
          record(`cache: read of ${size} B, P95`, `${name}, ${reader}`, latency)
        }
      }
      const times = new Float64Array(Math.ceil(reads / 10))
      for (let index = 0; index < times.length; index++) {
        const startedAt = performance.now()
        cache.invalidate(`tag ${index % 100}`)
        times[index] = performance.now() - startedAt
      }
      rows.push(rowOf([name, '-', 'invalidation'], summary(times, 0)))
      await cache.close()
    }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
  return rows
}

/** Whole requests, one after the other, over a connection in memory. */
async function measureRequests(): Promise<string[][]> {
  const rows: string[][] = []
  for (const isKept of [false, true]) {
    const server = createServer({ name: 'bench', version: '1' })
    const cache = { ttlMs: 3_600_000, scope: 'public' } as const
    for (const size of sizes) {
      const text = 'x'.repeat(size)
      server.resource(`text://${size}`, { cache, read: () => text })
      server.tool(`text-${size}`, { annotations: { readOnlyHint: true }, cache, run: () => text })
    }
    const memory = memoryTransport()
    const options = isKept ? {} : ({ caching: false } as const)
    const app = await serve(server, { transports: [memory.transport], logger: false, signals: false, ...options })
    const client = memory.connect()
    let answered: (text: string) => void = () => undefined
    client.onMessage((text) => answered(text))
    const ask = (id: number, method: string, params: object): Promise<string> =>
      new Promise((resolve) => {
        answered = resolve
        client.send(JSON.stringify({ jsonrpc: '2.0', id, method, params }))
      })
    const clientInfo = { name: 'bench', version: '1' }
    await ask(0, 'initialize', { protocolVersion: '2025-11-25', capabilities: {}, clientInfo })
    client.send('{"jsonrpc":"2.0","method":"notifications/initialized"}')
    for (const size of sizes) {
      for (const [what, method, params] of [
        ['resource', 'resources/read', { uri: `text://${size}` }],
        ['tool', 'tools/call', { name: `text-${size}`, arguments: { city: 'Bern', days: 3 } }],
      ] as const) {
        const times = new Float64Array(requests)
        let checksum = 0
        for (let index = -Math.ceil(requests / 10); index < requests; index++) {
          const startedAt = performance.now()
          const answer = await ask(index + requests * 2, method, params)
          if (index >= 0) times[index] = performance.now() - startedAt
          checksum += answer.length
        }
        const latency = summary(times, checksum)
        rows.push(rowOf([what, `${size} B`, isKept ? 'kept' : 'made anew'], latency))
        if (isKept) record(`cache: whole request of ${size} B, P95`, what, latency)
      }
    }
    client.close()
    await app.stop()
  }
  return rows
}

if (!isMainThread) {
  const { parentPort } = await import('node:worker_threads')
  parentPort?.postMessage(await read(workerData as Told))
} else if (process.argv.includes('--reader')) {
  process.stdout.write(JSON.stringify(await read(JSON.parse(process.argv.at(-1) ?? '') as Told)))
} else {
  console.log(`Node ${process.version}, ${reads} reads each${isSmall ? ', --small: too short to mean anything' : ''}`)
  const head = ['P50 us', 'P95 us', 'P99 us', 'checksum']
  console.log(formatTable(['kept in', 'text', 'read by', ...head], await measureStores()))
  console.log(`\nwhole requests over the memory transport, ${requests} each`)
  console.log(formatTable(['answer of', 'text', 'answer', ...head], await measureRequests()))
}
