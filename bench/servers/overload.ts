// Tools of three kinds, for the overload benchmark: `echo` costs next to nothing, `work` computes for a millisecond, `wait` waits.
// `--http <port>`.
import { setTimeout as sleep } from 'node:timers/promises'
import { createServer, serve } from 'bough'

/** Steps that take about a millisecond. */
const STEPS_PER_MS = 500_000

const server = createServer({ name: 'overload', version: '1.0.0' })
const millis = { type: 'object', properties: { ms: { type: 'number' } }, required: ['ms'] } as const
server.tool('echo', {
  description: 'Returns the text it got',
  input: { type: 'object', properties: { text: { type: 'string' } }, required: ['text'] },
  run: (args) => (args as { text: string }).text,
})
server.tool('work', {
  description: 'Computes for so many milliseconds',
  input: millis,
  run: (args) => {
    // A number of steps, not a time: on a busy machine it costs as much of the processor as on a quiet one.
    let word = 1
    for (let left = (args as { ms: number }).ms * STEPS_PER_MS; left > 0; left--) {
      word ^= word << 13
      word ^= word >>> 17
      word ^= word << 5
    }
    return `done ${word}`
  },
})
server.tool('wait', {
  description: 'Waits for so many milliseconds',
  input: millis,
  run: async (args) => {
    await sleep((args as { ms: number }).ms)
    return 'done'
  },
})

const [, port] = process.argv.slice(2)
const events = (event: { readonly type: string }) => {
  if (event.type === 'pressure') process.send?.(event)
}
const app = await serve(server, { http: { port: Number(port) }, logger: false, events })
process.once('SIGTERM', () => void app.stop().then(() => process.exit(0)))
