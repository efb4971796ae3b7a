// A server of several processes, for tests. Runs on the build; options as JSON:
//     node test/server/processes-server.mjs '{"processes": 2}'
// It prints one line of JSON when the primary serves, and answers lines of JSON on standard input: { "do": "tree" }, ...
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { createServer, serve } from 'bough'
import { staticTokens } from 'bough/auth'

const { tokens, ...options } = JSON.parse(process.argv[2] ?? '{}')

const okSchema = { type: 'object', properties: { ok: { type: 'boolean' } }, required: ['ok'] }
let app
const server = createServer({ name: 'processes', version: '1' })
  .tool('pid', { run: () => `${process.pid}` })
  .tool('member', { run: () => `${app.member}` })
  .tool('echo', { input: { type: 'object', properties: { text: { type: 'string' } } }, run: ({ text }) => `${text}` })
  .tool('slow', {
    input: { type: 'object', properties: { ms: { type: 'integer' } }, required: ['ms'] },
    run: async ({ ms }, ctx) => {
      for (let step = 1; step <= 3; step++) {
        ctx.progress(step, 3)
        await sleep(ms / 3, undefined, { signal: ctx.signal })
      }
      return `${process.pid}`
    },
  })
  .tool('aborted', { run: () => `${aborted}` })
  .tool('waits', {
    run: (_args, ctx) => {
      ctx.signal.addEventListener('abort', () => aborted++)
      return new Promise(() => undefined)
    },
  })
  .tool('blocks', {
    run: () => {
      for (;;);
    },
  })
  .tool('whoami', { run: (_args, ctx) => ctx.auth?.id ?? 'anonymous' })
  .tool('elicit', {
    run: async (_args, ctx) => {
      const { action, content } = await ctx.elicit({ message: 'ok?', requestedSchema: okSchema })
      return `${action} ${content?.ok} ${process.pid}`
    },
  })
  .tool('redeem', {
    run: async (_args, ctx) => {
      const { content } = await ctx.elicit({ message: 'ok?', requestedSchema: okSchema }, { once: true })
      return `redeemed ${content?.ok} ${process.pid}`
    },
  })
  .tool('job', {
    task: 'optional',
    input: { type: 'object', properties: { ms: { type: 'integer' } } },
    run: async ({ ms = 20 }, ctx) => {
      await sleep(ms, undefined, { signal: ctx.signal })
      return `job ${process.pid}`
    },
  })
  .tool('touch', {
    input: { type: 'object', properties: { uri: { type: 'string' } }, required: ['uri'] },
    run: async ({ uri }) => {
      await app.resourceUpdated(uri)
      return 'touched'
    },
  })
  .tool('change', {
    run: () => {
      server.tool('changed', { run: () => 'x' })
      return 'changed'
    },
  })
  .resource('config://app', { read: () => `config ${process.pid}` })

let aborted = 0
app = await serve(server, {
  http: { port: 0 },
  logger: false,
  drainMs: 5_000,
  ...(tokens !== undefined && { auth: staticTokens(tokens) }),
  ...options,
})
if (app.isPrimary) {
  const say = (what) => process.stdout.write(`${JSON.stringify(what)}\n`)
  const doing = {
    tree: () => app.tree(),
    metrics: () => app.metrics(),
    text: () => app.metricsText(),
    ready: () => app.ready(),
    replace: () => app.replaceMembers(),
    stop: () => app.stop(),
    updated: () => app.resourceUpdated('config://app'),
  }
  createInterface({ input: process.stdin }).on('line', async (line) => say((await doing[line]?.()) ?? null))
  say({ url: app.url, urls: app.urls, observeUrl: app.observeUrl })
}
