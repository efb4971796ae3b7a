// A server of fastmcp: `node fastmcp-server.mjs stdio`, or `http` and a port, where it is at /mcp, and at /sse too.
import { FastMCP } from 'fastmcp'
import { z } from 'zod'

const server = new FastMCP({ name: 'fastmcp', version: '1.0.0' })
server.addTool({
  name: 'add',
  description: 'Adds two numbers',
  parameters: z.object({ a: z.number(), b: z.number() }),
  annotations: { readOnlyHint: true },
  execute: async ({ a, b }) => String(a + b),
})
server.addTool({
  name: 'count',
  description: 'Tells its progress',
  parameters: z.object({ to: z.number() }),
  execute: async ({ to }, { reportProgress }) => {
    for (let progress = 1; progress <= to; progress++) await reportProgress({ progress, total: to })
    return `counted to ${to}`
  },
})
server.addTool({ name: 'die', description: 'Ends the program', execute: () => process.exit(3) })
server.addResource({ uri: 'test://note', name: 'note', mimeType: 'text/plain', load: async () => ({ text: 'a note' }) })
server.addPrompt({
  name: 'greet',
  description: 'Greets',
  arguments: [{ name: 'name', description: 'Whom', required: true }],
  load: async ({ name }) => `Hello ${name}`,
})

const [, , kind, port] = process.argv
if (kind === 'stdio') await server.start({ transportType: 'stdio' })
else await server.start({ transportType: 'httpStream', httpStream: { port: Number(port), host: '127.0.0.1' } })
