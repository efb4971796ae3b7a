// The server of the protocol benchmarks: `--http <port> --store memory|sqlite:<file>`.
import { createServer, serve } from 'bough'

/** Candidates that a completion ranks. */
const CANDIDATES = 10_000

const server = createServer({ name: 'protocol', version: '1.0.0' })
server.tool('echo', {
  input: { type: 'object', properties: { text: { type: 'string' } }, required: ['text'] },
  run: ({ text }) => String(text),
})
server.tool('job', { task: 'optional', run: () => 'done' })
server.tool('ask', {
  run: async (_args, ctx) => {
    const messages = [{ role: 'user' as const, content: { type: 'text' as const, text: 'Well?' } }]
    const { content } = await ctx.sample({ messages, maxTokens: 10 })
    return 'type' in content && content.type === 'text' ? content.text : 'something else'
  },
})
const words = Array.from(
  { length: CANDIDATES },
  (_, index) => `candidate-${(index * 7_919) % CANDIDATES}-${index % 97}`,
)
server.prompt('pick', { arguments: [{ name: 'word', complete: words }], get: ({ word }) => `The word is ${word}.` })

const [, port, , store] = process.argv.slice(2)
const app = await serve(server, {
  http: { port: Number(port) },
  store: store as 'memory' | `sqlite:${string}`,
  logger: false,
  tasks: { keptMax: 100_000, keptPerOwnerMax: 100_000 },
})
process.stdout.write(`${app.url}\n`)
process.once('SIGTERM', () => void app.stop().then(() => process.exit(0)))
