import { createServer, serve } from 'bough'
import { z } from 'zod'

const server = createServer({ name: 'hello', version: '1.0.0' })
const input = z.object({ name: z.string() })
server.tool('hello', { description: 'Greets', input, run: ({ name }) => `Hello, ${name}!` })
server.tool('crash', { description: 'Crashes', run: () => JSON.parse('{') })

export const app = await serve(server, { http: { port: Number(process.env['PORT'] ?? 3000) } })
console.log(app.url)
