/** The server that live targets speak to: tools of every kind that end soon, small limits, and a note of all that went wrong. */
import { type App, createServer, type ServeOptions, type ServerEvent, serve } from 'bough'
import { must } from './target.ts'

/** Milliseconds that a server gets to end what its clients have left. */
const QUIET_MS = 5_000
const POLL_MS = 5

const text = { type: 'string' }

function fuzzServer() {
  return createServer({ name: 'fuzz', version: '1', instructions: 'Break me.' })
    .tool('echo', {
      input: { type: 'object', properties: { text, n: { type: 'integer' } } },
      run: (args) => JSON.stringify(args),
    })
    .tool('sum', {
      input: { type: 'object', properties: { a: { type: 'number' }, b: { type: 'number' } }, required: ['a', 'b'] },
      output: { type: 'object', properties: { sum: { type: ['number', 'null'] } }, required: ['sum'] },
      run: ({ a, b }) => ({ structured: { sum: Number(a) + Number(b) } }),
    })
    .tool('region', {
      input: { type: 'object', properties: { region: { ...text, 'x-mcp-header': 'Region' } } },
      run: ({ region }) => String(region),
    })
    .tool('throws', { run: () => Promise.reject(new Error('meant to')) })
    .tool('steps', {
      run: async (_args, ctx) => {
        for (let step = 1; step <= 3; step++) ctx.progress(step, 3, 'on')
        ctx.log('info', { step: 3 })
        return 'done'
      },
    })
    .tool('ask', {
      timeout: 1_000,
      run: async (_args, ctx) => {
        const requestedSchema = { type: 'object' as const, properties: { name: { type: 'string' as const } } }
        return (await ctx.elicit({ message: 'Name?', requestedSchema })).action
      },
    })
    .tool('job', { task: 'optional', timeout: 1_000, run: () => 'job done' })
    .resource('config://app', { read: () => 'config' })
    .resourceTemplate('users://{id}/{+path}', {
      read: ({ id, path }) => `${id} ${path}`,
      complete: { id: () => ['ann', 'bob'] },
    })
    .prompt('greet', {
      arguments: [{ name: 'name', required: true, complete: ['ann', 'bob'] }],
      get: ({ name }) => `Greet ${name}`,
    })
}

/** A server under fire. */
export class LiveServer {
  readonly app: App
  private readonly baseline: number
  private readonly wrong: string[]

  private constructor(app: App, wrong: string[]) {
    this.app = app
    this.wrong = wrong
    this.baseline = app.system.processCount
  }

  static async open(options: Partial<ServeOptions>): Promise<LiveServer> {
    const wrong: string[] = []
    const app = await serve(fuzzServer(), {
      logger: false,
      signals: false,
      guard: false,
      pageSize: 3,
      requestTimeoutMs: 1_000,
      askTimeoutMs: 1_000,
      drainMs: 100,
      sessions: { idleMs: 1_000, max: 2_000 },
      tasks: { keptMax: 64, keptPerOwnerMax: 16, ttlDefaultMs: 500, ttlMaxMs: 500 },
      events: (event) => {
        const told = faultIn(event)
        if (told !== undefined && wrong.length < 10) wrong.push(told)
      },
      ...options,
    })
    return new LiveServer(app, wrong)
  }

  /** Throws when a process of the server crashed, or something strayed, since the last look. */
  check(): void {
    const [first] = this.wrong.splice(0)
    must(first === undefined, 'a process of the server crashed', first)
  }

  /** Throws when sessions or processes are left once all clients have gone. */
  async close(): Promise<void> {
    const { app, baseline } = this
    // A server whose standard input ended has ended itself.
    const isQuiet = (): boolean => app.metrics()['sessions'] === 0 && app.system.processCount <= baseline
    for (let waited = 0; !isQuiet() && waited < QUIET_MS; waited += POLL_MS) await sleep(POLL_MS)
    const left = isQuiet()
      ? ''
      : `${app.metrics()['sessions']} sessions, ${app.system.processCount} processes of ${baseline}`
    await app.stop()
    must(left === '', 'something is left of clients that have gone', left)
    must(this.app.system.processCount === 0, 'processes outlive the server', this.app.system.processCount)
  }
}

function faultIn(event: ServerEvent): string | undefined {
  if (event.type === 'crash') return `${event.definition} in ${event.message}: ${String(event.reason)}`
  if (event.type === 'unexpected_message') return `${event.definition} was sent ${event.op}`
  return event.type === 'stray_fault' ? `stray: ${String(event.error)}` : undefined
}

export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
