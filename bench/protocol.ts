// Question: what do tasks, completions, questions to clients and the two eras cost over HTTP, seen by a client?
// Goal: latencies of one run on one machine beside their targets, and the eras beside each other.
// Non-goal: the limits of the server: client and load generator are this program, on the same two cores.
//
// `node dist/bench/protocol.js [--small]`.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Agent, request as send } from 'undici'
import { built } from './paths.ts'
import { quantile } from './statistics.ts'
import { formatNumber, formatTable } from './table.ts'

const VERSION = '2026-07-28'
const isSmall = process.argv.includes('--small')
const calls = isSmall ? 20 : 2_000
const samplings = isSmall ? 5 : 100
const dispatcher = new Agent({ connections: 256, pipelining: 1 })

interface Answer {
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  // biome-ignore lint/suspicious/noExplicitAny: the result of any method
  readonly result: any
}

async function post(url: string, headers: Record<string, string>, message: object): Promise<Answer> {
  const response = await send(url, {
    method: 'POST',
    dispatcher,
    headers: { 'content-type': 'application/json', accept: 'application/json, text/event-stream', ...headers },
    body: JSON.stringify({ jsonrpc: '2.0', ...message }),
  })
  const text = await response.body.text()
  if (text === '') return { headers: response.headers, result: undefined }
  const { result, error } = JSON.parse(text)
  if (error !== undefined) throw new Error(`${JSON.stringify(message)} was refused: ${JSON.stringify(error)}`)
  return { headers: response.headers, result }
}

/** A request of the modern era. */
function modern(url: string, method: string, params: Record<string, unknown>, capabilities = {}): Promise<Answer> {
  const _meta = {
    'io.modelcontextprotocol/protocolVersion': VERSION,
    'io.modelcontextprotocol/clientInfo': { name: 'bench', version: '1' },
    'io.modelcontextprotocol/clientCapabilities': capabilities,
  }
  const headers: Record<string, string> = { 'mcp-protocol-version': VERSION, 'mcp-method': method }
  if (typeof params['name'] === 'string') headers['mcp-name'] = params['name']
  return post(url, headers, { id: 1, method, params: { ...params, _meta } })
}

class Session {
  readonly url: string
  readonly headers: Record<string, string>
  private lastId = 1

  constructor(url: string, id: string) {
    this.url = url
    this.headers = { 'mcp-session-id': id, 'mcp-protocol-version': '2025-11-25' }
  }

  static async open(url: string, capabilities: object = {}): Promise<Session> {
    const params = { protocolVersion: '2025-11-25', capabilities, clientInfo: { name: 'bench', version: '1' } }
    const { headers } = await post(url, {}, { id: 1, method: 'initialize', params })
    const session = new Session(url, String(headers['mcp-session-id']))
    await post(url, session.headers, { method: 'notifications/initialized' })
    return session
  }

  request(method: string, params: object): Promise<Answer> {
    return post(this.url, this.headers, { id: ++this.lastId, method, params })
  }

  /** Calls the tool that asks the client's model, and answers. Resolves when the call is answered. */
  async sample(): Promise<void> {
    const response = await send(this.url, {
      method: 'POST',
      dispatcher,
      headers: {
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
        ...this.headers,
      },
      body: JSON.stringify({ jsonrpc: '2.0', id: ++this.lastId, method: 'tools/call', params: { name: 'ask' } }),
    })
    let text = ''
    for await (const chunk of response.body) {
      text += String(chunk)
      for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
        const data = /^data: (.+)$/m.exec(text.slice(0, end))?.[1]
        text = text.slice(end + 2)
        if (data === undefined) continue
        const message = JSON.parse(data)
        if (message.method !== 'sampling/createMessage') continue
        const result = { role: 'assistant', content: { type: 'text', text: 'Well.' }, model: 'none' }
        await post(this.url, this.headers, { id: message.id, result })
      }
    }
  }
}

/** Runs `work` `times` times with so many at once; the latencies in ms, sorted, and the whole in ms. */
async function timed(times: number, inFlight: number, work: (index: number) => Promise<unknown>) {
  const latencies = new Float64Array(times)
  let next = 0
  const startedAt = performance.now()
  const lane = async (): Promise<void> => {
    while (next < times) {
      const index = next++
      const from = performance.now()
      await work(index)
      latencies[index] = performance.now() - from
    }
  }
  await Promise.all(Array.from({ length: inFlight }, lane))
  return { latencies: latencies.sort(), wholeMs: performance.now() - startedAt }
}

async function start(store: string): Promise<{ url: string; child: ChildProcess }> {
  const args = [built('servers/protocol.js'), '--http', '0', '--store', store]
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  const [line] = (await once(child.stdout as NonNullable<typeof child.stdout>, 'data')) as [Buffer]
  return { url: String(line).trim(), child }
}

async function stop({ child }: { child: ChildProcess }): Promise<void> {
  const gone = once(child, 'exit')
  child.kill('SIGTERM')
  await gone
}

const folder = mkdtempSync(join(tmpdir(), 'bough-bench-'))
const tasks = { extensions: { 'io.modelcontextprotocol/tasks': {} } }
const rows: string[][] = []
function report(what: string, { latencies, wholeMs }: Awaited<ReturnType<typeof timed>>, target = ''): void {
  const perSecond = (latencies.length / wholeMs) * 1_000
  const [p50, p95, p99] = [0.5, 0.95, 0.99].map((fraction) => formatNumber(quantile(latencies, fraction), 2))
  rows.push([what, String(latencies.length), formatNumber(perSecond, 0), p50 ?? '', p95 ?? '', p99 ?? '', target])
}

try {
  for (const store of ['memory', `sqlite:${join(folder, 'store.db')}`]) {
    const server = await start(store)
    const { url } = server
    const kind = store.split(':')[0]
    const create = () => modern(url, 'tools/call', { name: 'job', arguments: {} }, tasks)
    await timed(Math.min(calls, 200), 4, create)
    report(
      `task create, ${kind}, one at a time`,
      await timed(calls / 4, 1, create),
      kind === 'sqlite' ? 'P95 10 ms' : '',
    )
    report(`task create, ${kind}, 16 in flight`, await timed(calls, 16, create))
    const session = await Session.open(url)
    const echo = { name: 'echo', arguments: { text: 'x'.repeat(64) } }
    await timed(Math.min(calls, 1_000), 16, () => session.request('tools/call', echo))
    report(
      `echo, ${kind}, a session, 16 in flight`,
      await timed(calls * 2, 16, () => session.request('tools/call', echo)),
    )
    await timed(Math.min(calls, 1_000), 16, () => modern(url, 'tools/call', echo))
    report(`echo, ${kind}, ${VERSION}, 16 in flight`, await timed(calls * 2, 16, () => modern(url, 'tools/call', echo)))
    if (kind === 'memory') {
      const complete = (index: number) =>
        modern(url, 'completion/complete', {
          ref: { type: 'ref/prompt', name: 'pick' },
          argument: { name: 'word', value: ['candidate-1', 'cand', '77', 'candidate-9-', 'zzz', 'c9'][index % 6] },
        })
      await timed(12, 1, complete)
      report('completion over 10 000 candidates', await timed(isSmall ? 12 : 300, 1, complete), 'P95 50 ms')
    }
    const sessions = await Promise.all(Array.from({ length: samplings }, () => Session.open(url, { sampling: {} })))
    const sampling = await timed(samplings, samplings, (index) => (sessions[index] as Session).sample())
    report(`sampling, ${kind}, ${samplings} at once`, sampling, `${samplings} at once`)
    await stop(server)
  }
} finally {
  rmSync(folder, { recursive: true, force: true })
  await dispatcher.close()
}
const head = ['over HTTP', 'operations', 'per second', 'p50 ms', 'p95 ms', 'p99 ms', 'target']
console.log(formatTable(head, rows))
