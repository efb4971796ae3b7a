// A server for tests that need a program of its own: signals, standard input, stray faults, memory. Runs on the build:
//     node --expose-gc test/server/child-server.mjs http|ws|tcp|sse [options as JSON]
//     node --expose-gc test/server/child-server.mjs stdio [options as JSON]
import { setTimeout as sleep } from 'node:timers/promises'
import { createServer, serve } from 'bough'

const [transport = 'http', json = '{}'] = process.argv.slice(2)
const options = JSON.parse(json)

const server = createServer({ name: 'child', version: '1' })
  .tool('echo', { input: { type: 'object', properties: { n: { type: 'integer' } } }, run: ({ n }) => `${n}` })
  .tool('throws', {
    run: () => {
      throw new Error('thrown')
    },
  })
  .tool('hangs', { timeout: 20, run: () => new Promise(() => undefined) })
  .tool('leaks', {
    run: () => {
      void Promise.reject(new Error('nobody waits for this'))
      setTimeout(() => {
        throw new Error('thrown from a timer')
      }, 0)
      console.error('leaking')
      return 'leaked'
    },
  })
  .tool('slow', {
    input: { type: 'object', properties: { ms: { type: 'integer' } }, required: ['ms'] },
    run: async ({ ms }, ctx) => {
      await sleep(ms, undefined, { signal: ctx.signal })
      return 'done'
    },
  })
  .tool('steps', {
    run: async (_args, ctx) => {
      for (let step = 1; step <= 3; step++) {
        ctx.progress(step, 3, `step ${step}`)
        await sleep(10)
      }
      return 'done'
    },
  })
  .tool('held', {
    run: async (_args, ctx) => {
      for (let step = 1; step <= 3; step++) ctx.progress(step, 3, `step ${step}`)
      await new Promise((resolve) => held.push(resolve))
      return 'done'
    },
  })
  .tool('release', {
    run: () => {
      for (const resolve of held.splice(0)) resolve()
      return 'released'
    },
  })
  .tool('logs', {
    run: (_args, ctx) => {
      ctx.log('debug', 'low')
      ctx.log('error', { high: true }, 'child')
      return 'logged'
    },
  })
  .tool('sample', {
    run: async (_args, ctx) => {
      const { content } = await ctx.sample({
        messages: [{ role: 'user', content: { type: 'text', text: 'hi' } }],
        maxTokens: 9,
      })
      return `sampled ${[content].flat()[0].text}`
    },
  })
  .tool('elicit', {
    run: async (_args, ctx) => {
      const properties = { name: { type: 'string' } }
      const { action, content } = await ctx.elicit({
        message: 'Name?',
        requestedSchema: { type: 'object', properties },
      })
      return `${action} ${content?.name}`
    },
  })
  .tool('sum', {
    input: { type: 'object', properties: { a: { type: 'integer' }, b: { type: 'integer' } }, required: ['a', 'b'] },
    output: { type: 'object', properties: { sum: { type: 'integer' } }, required: ['sum'] },
    run: ({ a, b }) => ({ structured: { sum: a + b } }),
  })
  .tool('rounds', {
    input: { type: 'object', properties: { tag: { type: 'string' } } },
    run: async ({ tag }, ctx) => {
      const properties = { name: { type: 'string' } }
      const ask = (what) => ctx.elicit({ message: `${what} ${tag}`, requestedSchema: { type: 'object', properties } })
      const first = await ask('first')
      ctx.progress(1)
      const [second, roots] = await Promise.all([ask('second'), ctx.roots()])
      return [first.content?.name, second.content?.name, roots.length].join()
    },
  })
  .tool('job', {
    task: 'optional',
    run: async (_args, ctx) => {
      await sleep(20, undefined, { signal: ctx.signal })
      return 'job done'
    },
  })
  .tool('client', { run: (_args, ctx) => `${ctx.client.clientInfo.name} ${ctx.client.protocolVersion}` })
  .tool('roots', { run: async (_args, ctx) => (await ctx.roots()).map(({ uri }) => uri).join() })
  .tool('change', {
    run: () => {
      server.tool('changed', { run: () => 'x' })
      app.resourceUpdated('config://app')
      return 'changed'
    },
  })
  .tool('stops', {
    run: () => {
      setTimeout(() => process.kill(process.pid, 'SIGTERM'), 10)
      return 'stopping'
    },
  })
  .tool('aborted', { run: () => `${aborted}` })
  .tool('waits', {
    run: (_args, ctx) => {
      ctx.log('alert', 'waiting')
      ctx.signal.addEventListener('abort', () => aborted++)
      return new Promise(() => undefined)
    },
  })
  .tool('stats', {
    run: async () => {
      // What is on its way to be ended gets the time to end.
      await sleep(50)
      for (let round = 0; round < 3; round++) {
        globalThis.gc?.()
        await sleep(10)
      }
      const { heapUsed, rss } = process.memoryUsage()
      return JSON.stringify({ heapUsed, rss, ...app.metrics() })
    },
  })
  .resource('config://app', { read: () => 'config' })
  .resourceTemplate('users://{id}', { read: ({ id }) => `user ${id}`, complete: { id: () => ['ann', 'bob'] } })
  .prompt('greet', {
    arguments: [
      { name: 'name', required: true, complete: (prefix) => ['ann', 'bob'].filter((name) => name.startsWith(prefix)) },
    ],
    get: ({ name }) => `Greet ${name}`,
  })

let aborted = 0
const held = []
const app = await serve(server, {
  ...(transport === 'stdio' ? { stdio: true } : { [transport]: { port: 0 } }),
  logger: false,
  ...options,
})
if (transport !== 'stdio') process.stdout.write(`${app.url}\n`)
