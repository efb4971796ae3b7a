/**
 * The everything server on a SQLite store, killed with SIGKILL again and again while tasks run and streams are open: what a
 * client was told before is there afterwards, once. BOUGH_KILL_ROUNDS says how often (default 6; the acceptance runs 100).
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { expect, it, onTestFinished } from 'vitest'
import { hasSqlite, openDatabase } from '../sqlite.ts'
import { HttpClient } from './http-client.ts'
import type { Wire } from './wire-schema.ts'

const ROUNDS = Number(process.env['BOUGH_KILL_ROUNDS'] ?? 6)
const SEED = Number(process.env['BOUGH_SEED'] ?? 42)
/** Resources of one round. */
const TOUCHES = 12
const TASKS = 4
/** Milliseconds that a start may take on a busy machine; what it took is printed. */
const RESTART_MS = 15_000

const root = fileURLToPath(new URL('../..', import.meta.url))

class Server {
  readonly port: number
  readonly file: string
  /** Milliseconds from spawn to the first answer, per start. */
  readonly startMs: number[] = []
  private child: ChildProcess | undefined

  constructor(port: number, file: string) {
    this.port = port
    this.file = file
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}/mcp`
  }

  async start(): Promise<void> {
    const args = [
      'dist/examples/everything/main.js',
      '--http',
      `127.0.0.1:${this.port}`,
      '--store',
      `sqlite:${this.file}`,
    ]
    const startedAt = performance.now()
    this.child = spawn(process.execPath, args, { cwd: root, stdio: ['ignore', 'ignore', 'pipe'] })
    const said: string[] = []
    this.child.stderr?.setEncoding('utf8').on('data', (text: string) => said.push(text))
    while (!said.join('').includes('http://')) {
      if (this.child.exitCode !== null) throw new Error(`The server ended: ${said.join('')}`)
      if (performance.now() - startedAt > RESTART_MS)
        throw new Error(`No server after ${RESTART_MS} ms: ${said.join('')}`)
      await sleep(5)
    }
    this.startMs.push(performance.now() - startedAt)
  }

  async end(signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    const { child } = this
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
    const gone = once(child, 'exit')
    child.kill(signal)
    await gone
  }
}

/** Small and seeded: the moments of the kills can be had again. */
function generator(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1')
  await once(probe, 'listening')
  const { port } = probe.address() as { port: number }
  probe.close()
  return port
}

/** What the subscriber got on its GET stream over all connections: message by event id. */
class Received {
  readonly byId = new Map<string, Wire>()
  readonly doubled: string[] = []
  lastId: string | undefined

  take(events: readonly { readonly id: string | undefined; readonly data: string }[]): void {
    for (const { id, data } of events) {
      if (id === undefined) continue
      this.lastId = id
      if (data === '') continue
      if (this.byId.has(id)) this.doubled.push(id)
      this.byId.set(id, JSON.parse(data) as Wire)
    }
  }

  get uris(): string[] {
    return [...this.byId.values()].flatMap(({ method, params }) =>
      method === 'notifications/resources/updated' ? [params.uri as string] : [],
    )
  }
}

const terminal = new Set(['completed', 'failed', 'cancelled'])

it.skipIf(!hasSqlite)(
  'keeps what it told anybody over every kill',
  async () => {
    const random = generator(SEED)
    const folder = mkdtempSync(join(tmpdir(), 'bough-kill-'))
    const server = new Server(await freePort(), join(folder, 'store.db'))
    onTestFinished(async () => {
      await server.end('SIGKILL')
      rmSync(folder, { recursive: true, force: true })
    })
    await server.start()
    const subscriber = await HttpClient.open(server.url)
    const toucher = await HttpClient.open(server.url)
    const received = new Received()
    const acknowledged = new Set<string>()
    const tasks = new Map<string, string | undefined>()
    const outcomes: Record<string, number> = {}

    for (let round = 0; round < ROUNDS; round++) {
      const uris = Array.from({ length: TOUCHES }, (_, index) => `test://template/${round}-${index}/data`)
      for (const uri of uris) expect((await subscriber.request('resources/subscribe', { uri })).result).toEqual({})
      const stream = await subscriber.listen(received.lastId)
      expect(stream.status).toBe(200)
      const touching = (async () => {
        for (const uri of uris) {
          const { result } = await toucher.call('touch', { uri })
          if (result?.content?.[0]?.text === 'touched') acknowledged.add(uri)
        }
      })().catch(() => undefined)
      const creating = (async () => {
        for (let index = 0; index < TASKS; index++) {
          const ms = Math.floor(random() * 200)
          const { result } = await toucher.request('tools/call', {
            name: 'taskable',
            arguments: { ms },
            task: { ttl: 60_000 },
          })
          if (result?.task !== undefined) tasks.set(result.task.taskId, undefined)
        }
        for (const id of tasks.keys()) {
          const { result } = await toucher.request('tasks/get', { taskId: id })
          if (terminal.has(result?.status)) tasks.set(id, result.status)
        }
      })().catch(() => undefined)
      await sleep(random() * 250)
      await server.end('SIGKILL')
      await Promise.allSettled([touching, creating])
      await stream.over.catch(() => undefined)
      received.take(stream.events)
      await server.start()

      // The same sessions go on; what was missed comes, once.
      const resumed = await subscriber.listen(received.lastId)
      expect(resumed.status).toBe(200)
      const missing = () => {
        const seen = new Set([...received.uris, ...resumed.messages.map(({ params }) => params?.uri as string)])
        return [...acknowledged].filter((uri) => !seen.has(uri))
      }
      for (let waited = 0; missing().length > 0 && waited < 5_000; waited += 20) await sleep(20)
      received.take(resumed.events)
      resumed.drop()
      expect(missing(), `round ${round}: updates that were answered for`).toEqual([])
      expect(received.doubled, `round ${round}: events that came twice`).toEqual([])

      for (const [id, before] of tasks) {
        let status: string | undefined
        for (let waited = 0; !terminal.has(status ?? '') && waited < 6_000; waited += 50) {
          const reply = await toucher.request('tasks/get', { taskId: id })
          expect(reply.error, `round ${round}: the task ${id}, seen as ${before}`).toBeUndefined()
          status = reply.result.status
          if (!terminal.has(status ?? '')) await sleep(50)
        }
        expect(terminal.has(status ?? ''), `round ${round}: the task ${id} is ${status}`).toBe(true)
        if (before !== undefined) expect(status).toBe(before)
        const outcome = await toucher.request('tasks/result', { taskId: id })
        if (status === 'completed') expect(outcome.result.content[0].text).toBe('done')
        else expect(JSON.stringify(outcome)).toContain('restarted')
        outcomes[status ?? ''] = (outcomes[status ?? ''] ?? 0) + 1
      }
      tasks.clear()
      for (const uri of uris) await subscriber.request('resources/unsubscribe', { uri })
    }

    await server.end('SIGTERM')
    const database = openDatabase(server.file, { readonly: true })
    expect(database.pragma('integrity_check', { simple: true })).toBe('ok')
    database.close()
    const starts = server.startMs.toSorted((one, other) => one - other)
    const [median, worst] = [starts[Math.floor(starts.length / 2)] ?? 0, starts.at(-1) ?? 0]
    console.log(
      `${ROUNDS} kills (seed ${SEED}): ${acknowledged.size} updates and ${received.byId.size} events, tasks ${JSON.stringify(outcomes)}; ` +
        `start to first answer ${median.toFixed(0)} ms in the median, ${worst.toFixed(0)} ms at worst`,
    )
    expect(acknowledged.size).toBeGreaterThan(0)
  },
  ROUNDS * 30_000,
)
