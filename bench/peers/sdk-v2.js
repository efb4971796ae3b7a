// The official TypeScript SDK v2 with one tool, written as its documentation shows: a server per stdio connection, and
// for HTTP a server and a transport per session on plain node:http, which is its fastest documented set-up.
import { randomUUID } from 'node:crypto'
import { createServer } from 'node:http'
import { NodeStreamableHTTPServerTransport } from '@modelcontextprotocol/node'
import { McpServer } from '@modelcontextprotocol/server'
import { StdioServerTransport } from '@modelcontextprotocol/server/stdio'
import { z } from 'zod'

function buildServer() {
  const server = new McpServer({ name: 'echo', version: '1.0.0' })
  server.registerTool(
    'echo',
    { description: 'Returns the text it got', inputSchema: z.object({ text: z.string() }) },
    async ({ text }) => ({ content: [{ type: 'text', text }] }),
  )
  return server
}

function serveHttp(port, enableJsonResponse) {
  const transports = new Map()
  const http = createServer(async (request, response) => {
    const known = transports.get(request.headers['mcp-session-id'])
    if (known) return known.handleRequest(request, response)
    const transport = new NodeStreamableHTTPServerTransport({
      sessionIdGenerator: randomUUID,
      enableJsonResponse,
      onsessioninitialized: (id) => {
        transports.set(id, transport)
      },
    })
    transport.onclose = () => transports.delete(transport.sessionId)
    await buildServer().connect(transport)
    await transport.handleRequest(request, response)
  })
  http.listen(port, '127.0.0.1')
}

if (process.argv[2] === '--http') serveHttp(Number(process.argv[3]), process.argv.includes('--json'))
else await buildServer().connect(new StdioServerTransport())
