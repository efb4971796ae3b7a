/** The client's transports against the servers of the official SDK, in process and over real sockets. */
import { randomUUID } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js'
import { SSEServerTransport } from '@modelcontextprotocol/sdk/server/sse.js'
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js'
import type { JSONRPCMessage } from '@modelcontextprotocol/sdk/types.js'
import { describe, expect, it, onTestFinished } from 'vitest'
import { httpClientTransport } from '#transports/client-http'
import type { ClientTransport } from '#transports/client-port'
import { sseClientTransport } from '#transports/client-sse'
import { notification, Remembering } from './client-harness.ts'
import { eventually } from './http-harness.ts'

/** Keeps all events, so that streams can be taken up again. */
class Events {
  readonly all: { readonly id: string; readonly streamId: string; readonly message: JSONRPCMessage }[] = []

  async storeEvent(streamId: string, message: JSONRPCMessage): Promise<string> {
    const id = `${streamId}_${this.all.length}`
    this.all.push({ id, streamId, message })
    return id
  }

  async getStreamIdForEventId(id: string): Promise<string> {
    return id.slice(0, id.lastIndexOf('_'))
  }

  async replayEventsAfter(id: string, { send }: { send(id: string, message: JSONRPCMessage): Promise<void> }) {
    const streamId = await this.getStreamIdForEventId(id)
    const index = this.all.findIndex((event) => event.id === id)
    for (const event of this.all.slice(index + 1)) {
      if (event.streamId === streamId && 'jsonrpc' in event.message) await send(event.id, event.message)
    }
    return streamId
  }
}

function mcpServer(finish: () => Promise<void>): McpServer {
  const server = new McpServer({ name: 'official', version: '1' })
  server.registerTool('echo', { description: 'Answers' }, async () => ({ content: [{ type: 'text', text: 'ok' }] }))
  server.registerTool('breaks', { description: 'Answers on another connection' }, async ({ closeSSEStream }) => {
    closeSSEStream?.()
    await finish()
    return { content: [{ type: 'text', text: 'resumed' }] }
  })
  return server
}

/** Both transports of the SDK at one address. */
async function started() {
  const sessions = new Map<string, StreamableHTTPServerTransport>()
  const streams = new Map<string, SSEServerTransport>()
  const asked: string[] = []
  let finish = () => {}
  const finished = new Promise<void>((resolve) => (finish = resolve))
  const handle = async (incoming: IncomingMessage, response: ServerResponse) => {
    const { pathname, searchParams } = new URL(incoming.url ?? '/', 'http://localhost')
    const lastEventId = incoming.headers['last-event-id']
    asked.push(`${incoming.method} ${pathname}${lastEventId === undefined ? '' : ' again'}`)
    // The server goes on once it was asked to take the stream up again.
    if (lastEventId !== undefined) setImmediate(finish)
    if (pathname === '/mcp') {
      let transport = sessions.get(String(incoming.headers['mcp-session-id']))
      if (transport === undefined) {
        const fresh = new StreamableHTTPServerTransport({
          sessionIdGenerator: randomUUID,
          eventStore: new Events(),
          retryInterval: 20,
          onsessioninitialized: (id) => void sessions.set(id, fresh),
        })
        transport = fresh
        await mcpServer(() => finished).connect(fresh as Parameters<McpServer['connect']>[0])
      }
      await transport.handleRequest(incoming, response)
    } else if (pathname === '/sse') {
      const transport = new SSEServerTransport('/messages', response)
      streams.set(transport.sessionId, transport)
      await mcpServer(async () => {}).connect(transport)
    } else await streams.get(searchParams.get('sessionId') ?? '')?.handlePostMessage(incoming, response)
  }
  const server = createServer((incoming, response) => void handle(incoming, response))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked }
}

/** An initialized link, and how to ask on it. */
async function linked(transport: ClientTransport, version: string) {
  const receiver = new Remembering()
  const link = await transport.open(receiver)
  onTestFinished(() => link.close())
  let lastId = 0
  const ask = async (method: string, params: object = {}) => {
    const id = ++lastId
    const headers: Record<string, string> = id === 1 ? {} : { 'MCP-Protocol-Version': version }
    link.send({ text: JSON.stringify({ jsonrpc: '2.0', id, method, params }), kind: 'request', ids: [id], headers })
    await eventually(() => receiver.answered.includes(id) || receiver.failures.length > 0)
    expect(receiver.failures).toEqual([])
    return receiver.messages.map((text) => JSON.parse(text)).find((message) => message.id === id)
  }
  await ask('initialize', { protocolVersion: version, capabilities: {}, clientInfo: { name: 'test', version: '1' } })
  link.send({ ...notification(), headers: { 'MCP-Protocol-Version': version } })
  return { link, receiver, ask }
}

describe('the servers of the official SDK', () => {
  it('answer over Streamable HTTP, also on a stream that they closed in between', async () => {
    const { url, asked } = await started()
    const { link, receiver, ask } = await linked(httpClientTransport({ url: `${url}/mcp` }), '2025-11-25')
    link.listen()
    expect(await ask('tools/call', { name: 'echo' })).toMatchObject({ result: { content: [{ text: 'ok' }] } })
    expect(await ask('tools/call', { name: 'breaks' })).toMatchObject({ result: { content: [{ text: 'resumed' }] } })
    await link.close()
    expect(asked).toContain('GET /mcp again')
    expect(asked.at(-1)).toBe('DELETE /mcp')
    expect(receiver.ends).toMatchObject([{ kind: 'closed' }])
  })

  it('answer over HTTP with SSE', async () => {
    const { url, asked } = await started()
    const { link, receiver, ask } = await linked(sseClientTransport({ url: `${url}/sse` }), '2024-11-05')
    expect(await ask('tools/call', { name: 'echo' })).toMatchObject({ result: { content: [{ text: 'ok' }] } })
    await link.close()
    expect(asked).toEqual(['GET /sse', ...Array(3).fill('POST /messages')])
    expect(receiver.ends).toMatchObject([{ kind: 'closed' }])
  })
})
