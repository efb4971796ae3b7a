// A server of the official SDK, version 2, which serves both eras: `node sdk-v2.mjs stdio`, or `http`, `ws` or `tcp` and a port. In the legacy
// era its HTTP has no sessions, and so nothing that it could ask.
import { createServer } from 'node:http'
import { Readable } from 'node:stream'
import { acceptedContent, createMcpHandler, inputRequired, McpServer } from '@modelcontextprotocol/server'
import { StdioServerTransport, serveStdio } from '@modelcontextprotocol/server/stdio'
import { z } from 'zod'
import { overTcp, overWebSocket } from './bridge.mjs'

let aborted = 0
const text = (value) => ({ content: [{ type: 'text', text: String(value) }] })

function build() {
  const mcp = new McpServer({ name: 'sdk-v2', version: '2.0.0' })
  const readOnly = { readOnlyHint: true }
  mcp.registerTool(
    'add',
    {
      inputSchema: z.object({ a: z.number(), b: z.number() }),
      outputSchema: z.object({ sum: z.number() }),
      annotations: readOnly,
    },
    async ({ a, b }) => ({ ...text(a + b), structuredContent: { sum: a + b } }),
  )
  mcp.registerTool('count', { inputSchema: z.object({ to: z.number() }) }, async ({ to }, ctx) => {
    const { progressToken } = ctx.mcpReq._meta ?? {}
    for (let progress = 1; progress <= to; progress++) {
      await ctx.mcpReq.notify({ method: 'notifications/progress', params: { progressToken, progress, total: to } })
    }
    return text(`counted to ${to}`)
  })
  mcp.registerTool('wait', {}, (ctx) => {
    return new Promise((resolve) => {
      ctx.mcpReq.signal.addEventListener('abort', () => {
        aborted++
        resolve(text('aborted'))
      })
    })
  })
  mcp.registerTool('aborted', { annotations: readOnly }, async () => text(aborted))
  mcp.registerTool('ask', {}, async (ctx) => {
    const requestedSchema = z.object({ name: z.string() })
    const found = acceptedContent(ctx.mcpReq.inputResponses, 'who', requestedSchema)
    if (found !== undefined) return text(`accept ${found.name}`)
    return inputRequired({
      inputRequests: { who: inputRequired.elicit({ message: 'Who are you?', requestedSchema }) },
    })
  })
  mcp.registerTool('think', {}, async (ctx) => {
    const answer = ctx.mcpReq.inputResponses?.thought
    if (answer !== undefined) return text(answer.content.text)
    const messages = [{ role: 'user', content: { type: 'text', text: 'How are you?' } }]
    return inputRequired({ inputRequests: { thought: inputRequired.createMessage({ messages, maxTokens: 9 }) } })
  })
  mcp.registerTool('die', {}, () => process.exit(3))
  mcp.registerResource('note', 'test://note', { mimeType: 'text/plain' }, async (uri) => ({
    contents: [{ uri: uri.href, text: 'a note' }],
  }))
  mcp.registerPrompt('greet', { argsSchema: z.object({ name: z.string() }) }, async ({ name }) => ({
    messages: [{ role: 'user', content: { type: 'text', text: `Hello ${name}` } }],
  }))
  return mcp
}

const [, , kind, port] = process.argv
const begin = (input, output) => serveStdio(build, { transport: new StdioServerTransport(input, output) })
if (kind === 'stdio') serveStdio(build)
else if (kind === 'tcp') overTcp(Number(port), begin)
else if (kind === 'ws') overWebSocket(Number(port), begin)
else {
  const handler = createMcpHandler(build)
  createServer(async (request, response) => {
    const gone = new AbortController()
    response.on('close', () => gone.abort())
    const hasBody = request.method === 'POST'
    const answer = await handler.fetch(
      new Request(`http://127.0.0.1:${port}${request.url}`, {
        method: request.method,
        headers: request.headers,
        signal: gone.signal,
        ...(hasBody && { body: Readable.toWeb(request), duplex: 'half' }),
      }),
    )
    response.writeHead(answer.status, Object.fromEntries(answer.headers))
    if (answer.body === null) return response.end()
    Readable.fromWeb(answer.body)
      .on('error', () => response.destroy())
      .pipe(response)
  }).listen(Number(port), '127.0.0.1')
}
