// The server of the crowd: `<idleMs>`. Every network transport and standard input; tells its addresses and what it holds over
// the IPC channel.
import { readdirSync } from 'node:fs'
import { createServer, serve } from 'bough'

const [idleMs] = process.argv.slice(2)
const server = createServer({ name: 'crowd', version: '1.0.0' })
server.tool('echo', {
  input: { type: 'object', properties: { text: { type: 'string' } }, required: ['text'] },
  run: ({ text }) => String(text),
})
const app = await serve(server, {
  http: { port: 0, webSocket: true, sse: true },
  tcp: { port: 0 },
  stdio: true,
  logger: false,
  sessions: { max: 25_000, idleMs: Number(idleMs) },
  drainMs: 1_000,
})

function descriptors(): number {
  try {
    return readdirSync('/proc/self/fd').length
  } catch {
    return 0
  }
}

process.on('message', (message) => {
  if ((message as { type?: unknown }).type !== 'crowd:stats') return
  const { sessions, processes } = app.metrics()
  process.send?.({ sessions, processes, descriptors: descriptors() })
})
const find = (scheme: string, end = ''): string | undefined =>
  app.urls.find((url) => url.startsWith(`${scheme}:`) && url.endsWith(end))
process.send?.({
  addresses: { tcp: find('tcp'), ws: find('ws'), stream: find('http', '/mcp'), sse: find('http', '/sse') },
})
process.once('SIGTERM', () => void app.stop().then(() => process.exit(0)))
