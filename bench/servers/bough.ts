// The echo tool on bough, as a user would write it: `--stdio`, or `--http <port>`. With `--unobserved` at the end nothing is
// measured of it, so that measuring can be measured.
import { createServer, serve } from 'bough'

const server = createServer({ name: 'echo', version: '1.0.0' })
server.tool('echo', {
  description: 'Returns the text it got',
  input: { type: 'object', properties: { text: { type: 'string' } }, required: ['text'] },
  run: (args) => (args as { text: string }).text,
})

const [mode, port] = process.argv.slice(2)
const observed = process.argv.includes('--unobserved') ? ({ observe: false } as const) : {}
const app = await serve(server, {
  ...(mode === '--http' ? { http: { port: Number(port) } } : { stdio: true }),
  ...observed,
})
process.once('SIGTERM', () => void app.stop().then(() => process.exit(0)))
