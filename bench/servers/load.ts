// The server of the load benchmarks: `--http <port> [--processes <n>]`. Tools that echo, hang, loop in a thread, and change a resource.
import { createServer, serve } from 'bough'

const HANG_MS = 600_000

const server = createServer({ name: 'load', version: '1.0.0' })
server.tool('echo', {
  input: { type: 'object', properties: { text: { type: 'string' } }, required: ['text'] },
  run: ({ text }) => String(text),
})
server.tool('hang', { timeout: HANG_MS, run: () => new Promise<string>(() => {}) })
server.tool('loop', {
  isolate: 'thread',
  timeout: HANG_MS,
  run: () => {
    for (;;);
  },
})
server.resource('bench://news', { read: () => 'none' })
server.tool('touch', { run: () => app.resourceUpdated('bench://news').then(() => 'touched') })

const [, port, , processes = '1'] = process.argv.slice(2)
const app = await serve(server, {
  http: { port: Number(port) },
  logger: false,
  sessions: { max: 25_000 },
  drainMs: 100,
  processes: Number(processes),
})
process.once('SIGTERM', () => void app.stop().then(() => process.exit(0)))
