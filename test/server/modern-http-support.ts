/** The server that the tests of the modern era over HTTP share. */
import { createServer, type ServeOptions, serve } from 'bough'
import { onTestFinished } from 'vitest'
import { ModernHttp } from './modern-http-client.ts'
import { deferred } from './support.ts'

const TASKS = 'io.modelcontextprotocol/tasks'
export const withTasks = { capabilities: { extensions: { [TASKS]: {} }, elicitation: {} } }

const form = {
  message: 'Name?',
  requestedSchema: { type: 'object', properties: { name: { type: 'string' } }, required: ['name'] },
} as const

/** A server over HTTP with a tool of each kind. */
export async function start(options: Partial<ServeOptions> = {}) {
  const gate = deferred()
  const seen = { entered: 0, aborted: 0 }
  const server = createServer({ name: 'http', version: '1' })
    .tool('echo', {
      input: { type: 'object', properties: { n: { type: 'integer' } } },
      run: async ({ n }) => {
        await new Promise((done) => setImmediate(done))
        return `${n}`
      },
    })
    .tool('mirrored', {
      input: {
        type: 'object',
        properties: {
          region: { type: 'string', 'x-mcp-header': 'Region' },
          count: { type: 'integer', 'x-mcp-header': 'Count' },
          dry: { type: 'boolean', 'x-mcp-header': 'Dry' },
          where: { type: 'object', properties: { zone: { type: 'string', 'x-mcp-header': 'Zone' } } },
        },
      },
      run: (args) => JSON.stringify(args),
    })
    .tool('gated', {
      run: async (_args, ctx) => {
        seen.entered++
        ctx.signal.addEventListener('abort', () => seen.aborted++)
        await gate.promise
        return 'through'
      },
    })
    .tool('steps', {
      run: async (_args, ctx) => {
        seen.entered++
        ctx.signal.addEventListener('abort', () => seen.aborted++)
        for (let step = 1; step <= 3; step++) ctx.progress(step, 3)
        ctx.log('info', 'quiet')
        ctx.log('error', 'loud')
        await gate.promise
        return 'done'
      },
    })
    .tool('greet', { run: async (_args, ctx) => `Hello, ${(await ctx.elicit(form)).content?.['name']}` })
    .tool('late', {
      run: async (_args, ctx) => {
        ctx.progress(1)
        return (await ctx.elicit(form)).action
      },
    })
    .tool('pings', { run: (_args, ctx) => ctx.ping().then(() => 'pong') })
    .tool('job', {
      task: 'required',
      run: async (_args, ctx) => {
        const { content } = await ctx.elicit(form, { key: 'who' })
        return `Hello, ${content?.['name']}`
      },
    })
    .tool('waits', { task: 'optional', run: () => gate.promise.then(() => 'waited') })
    .resource('config://app', { read: () => 'x', cache: { ttlMs: 5_000, scope: 'public' } })
    .resource('config://other', { read: () => 'y' })
    .prompt('review', { get: () => 'Review this.' })
    .prompt('grüße', { get: () => 'Greet.' })
  const app = await serve(server, {
    http: { port: 0 },
    signals: false,
    guard: false,
    logger: false,
    drainMs: 200,
    ...options,
  })
  onTestFinished(() => app.stop())
  const client = (asking = {}) => new ModernHttp(app.url, asking)
  return { app, server, seen, client, open: () => gate.resolve() }
}
