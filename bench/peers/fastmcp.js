// fastmcp with one tool, as its documentation shows: stdio, or Streamable HTTP with sessions.
import { FastMCP } from 'fastmcp'
import { z } from 'zod'

const server = new FastMCP({ name: 'echo', version: '1.0.0' })
server.addTool({
  name: 'echo',
  description: 'Returns the text it got',
  parameters: z.object({ text: z.string() }),
  execute: async ({ text }) => text,
})

if (process.argv[2] === '--http') {
  await server.start({ transportType: 'httpStream', httpStream: { port: Number(process.argv[3]), host: '127.0.0.1' } })
} else {
  await server.start({ transportType: 'stdio' })
}
