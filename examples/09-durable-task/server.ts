/** A server whose tasks are on disk. It prints where it listens, then the number of every page that its task has read. */
import { setTimeout as sleep } from 'node:timers/promises'
import { createServer, serve } from 'bough'
import { z } from 'zod'

/** Milliseconds that a page takes. */
const PAGE_MS = 40

const server = createServer({ name: 'library', version: '1.0.0' })
server.tool('greet', { task: 'optional', input: z.object({ name: z.string() }), run: ({ name }) => `Hello, ${name}!` })
server.tool('read', {
  description: 'Reads so many pages, one after the other',
  input: z.object({ pages: z.number().int() }),
  task: 'required',
  resumable: true,
  run: async ({ pages }, ctx) => {
    const from = Number(ctx.restored ?? 0)
    for (let page = from + 1; page <= pages; page++) {
      await sleep(PAGE_MS, undefined, { signal: ctx.signal })
      await ctx.checkpoint(page)
      console.log(page)
    }
    return { structured: { from, to: pages } }
  },
})
const store = `sqlite:${process.argv[2]}` as const
const app = await serve(server, { http: { port: 0 }, store, tasks: { pollIntervalMs: 50 }, logger: false })
console.log(app.url)
