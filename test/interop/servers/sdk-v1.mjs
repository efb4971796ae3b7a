// A server of the official SDK, version 1: `node sdk-v1.mjs stdio`, or `http` (with sessions), `sse`, `ws` or `tcp` and a port. On
// HTTP its routes are those of the SDK's documentation.
import { randomUUID } from 'node:crypto'
import { createServer } from 'node:http'
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js'
import { SSEServerTransport } from '@modelcontextprotocol/sdk/server/sse.js'
import { StdioServerTransport } from '@modelcontextprotocol/sdk/server/stdio.js'
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js'
import { z } from 'zod'
import { overTcp, overWebSocket } from './bridge.mjs'

let aborted = 0
const text = (value) => ({ content: [{ type: 'text', text: String(value) }] })

function build() {
  const mcp = new McpServer({ name: 'sdk-v1', version: '1.0.0' }, { capabilities: { logging: {} } })
  const readOnly = { readOnlyHint: true }
  mcp.registerTool(
    'add',
    {
      inputSchema: { a: z.number(), b: z.number() },
      outputSchema: { sum: z.number() },
      annotations: readOnly,
    },
    ({ a, b }) => ({ ...text(a + b), structuredContent: { sum: a + b } }),
  )
  mcp.registerTool('count', { inputSchema: { to: z.number() } }, async ({ to }, extra) => {
    const { progressToken } = extra._meta ?? {}
    for (let progress = 1; progress <= to; progress++) {
      await extra.sendNotification({
        method: 'notifications/progress',
        params: { progressToken, progress, total: to },
      })
    }
    return text(`counted to ${to}`)
  })
  mcp.registerTool('wait', {}, (extra) => {
    return new Promise((resolve) => {
      extra.signal.addEventListener('abort', () => {
        aborted++
        resolve(text('aborted'))
      })
    })
  })
  mcp.registerTool('aborted', { annotations: readOnly }, () => text(aborted))
  mcp.registerTool('ask', {}, async (extra) => {
    const requestedSchema = { type: 'object', properties: { name: { type: 'string' } }, required: ['name'] }
    const answer = await mcp.server.elicitInput(
      { message: 'Who are you?', requestedSchema },
      { relatedRequestId: extra.requestId },
    )
    return text(`${answer.action} ${answer.content?.name}`)
  })
  mcp.registerTool('think', {}, async (extra) => {
    const messages = [{ role: 'user', content: { type: 'text', text: 'How are you?' } }]
    const answer = await mcp.server.createMessage({ messages, maxTokens: 9 }, { relatedRequestId: extra.requestId })
    return text(answer.content.text)
  })
  mcp.registerTool('die', {}, () => process.exit(3))
  mcp.registerResource('note', 'test://note', { mimeType: 'text/plain' }, (uri) => ({
    contents: [{ uri: uri.href, text: 'a note' }],
  }))
  mcp.registerPrompt('greet', { argsSchema: { name: z.string() } }, ({ name }) => ({
    messages: [{ role: 'user', content: { type: 'text', text: `Hello ${name}` } }],
  }))
  return mcp
}

const [, , kind, port] = process.argv
const transports = new Map()

async function http(request, response) {
  const known = transports.get(request.headers['mcp-session-id'])
  if (known !== undefined) return known.handleRequest(request, response)
  if (request.headers['mcp-session-id'] !== undefined) return response.writeHead(404).end()
  const transport = new StreamableHTTPServerTransport({
    sessionIdGenerator: randomUUID,
    onsessioninitialized: (id) => transports.set(id, transport),
  })
  transport.onclose = () => transports.delete(transport.sessionId)
  await build().connect(transport)
  await transport.handleRequest(request, response)
}

async function sse(request, response) {
  const { pathname, searchParams } = new URL(request.url, 'http://localhost')
  if (pathname === '/sse' && request.method === 'GET') {
    const transport = new SSEServerTransport('/messages', response)
    transports.set(transport.sessionId, transport)
    response.on('close', () => transports.delete(transport.sessionId))
    return build().connect(transport)
  }
  const transport = transports.get(searchParams.get('sessionId'))
  if (transport === undefined) return response.writeHead(404).end()
  await transport.handlePostMessage(request, response)
}

const begin = (input, output) => build().connect(new StdioServerTransport(input, output))
if (kind === 'stdio') await begin()
else if (kind === 'tcp') overTcp(Number(port), begin)
else if (kind === 'ws') overWebSocket(Number(port), begin)
else createServer(kind === 'sse' ? sse : http).listen(Number(port), '127.0.0.1')
