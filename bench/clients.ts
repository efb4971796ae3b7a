// The clients that are measured, behind one small interface: bough, the official SDK, and the least that there can be.
import { type ChildProcess, spawn } from 'node:child_process'
import { Client as SdkClient, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio'
import { connect } from 'bough/client'
import { Agent } from 'undici'
import { callBody, echoOf, textOf } from './echo.ts'

export type Transport = 'http' | 'stdio'

/** A client that calls `echo`. */
export interface Caller {
  /** Resolves to the text that came back. */
  call(id: number): Promise<unknown>
  /** Calls that go out together; where a client has that. */
  batch?(ids: readonly number[]): Promise<readonly unknown[]>
  close(): Promise<void>
}

export interface Contender {
  readonly name: string
  readonly transports: readonly Transport[]
  /** `where`: the URL, or the program of the server. */
  open(transport: Transport, where: string): Promise<Caller>
}

const clientInfo = { name: 'bench', version: '1' }
const REVISION = '2025-11-25'

const textIn = (result: object): unknown => (result as { content?: { text?: unknown }[] }).content?.[0]?.text

function bough(name: string, era: 'legacy' | 'modern', revision?: string): Contender {
  return {
    name,
    transports: ['http', 'stdio'],
    open: async (transport, where) => {
      const target = transport === 'http' ? where : { command: process.execPath, args: [where, '--stdio'] }
      const client = await connect(target, {
        ...clientInfo,
        era,
        ...(revision !== undefined && { revisions: [revision] }),
      })
      return {
        call: async (id) => textIn(await client.callTool('echo', { text: textOf(id) })),
        batch: async (ids) => {
          const batch = client.batch()
          for (const id of ids) void batch.callTool('echo', { text: textOf(id) })
          return (await batch.send()).map((entry) => (entry.ok ? textIn(entry.result as object) : entry.error))
        },
        close: () => client.close(),
      }
    },
  }
}

const sdk: Contender = {
  name: 'SDK v2 client',
  transports: ['http', 'stdio'],
  open: async (transport, where) => {
    const client = new SdkClient(clientInfo)
    await client.connect(
      transport === 'http'
        ? new StreamableHTTPClientTransport(new URL(where))
        : new StdioClientTransport({ command: process.execPath, args: [where, '--stdio'] }),
    )
    return {
      call: async (id) => textIn(await client.callTool({ name: 'echo', arguments: { text: textOf(id) } })),
      close: () => client.close(),
    }
  },
}

const undici: Contender = {
  name: 'bare undici',
  transports: ['http'],
  open: async (_transport, where) => {
    const url = new URL(where)
    const agent = new Agent({ connections: 256, pipelining: 1 })
    let session: Record<string, string> = {}
    const post = async (body: string) => {
      const response = await agent.request({
        origin: url.origin,
        path: url.pathname,
        method: 'POST',
        headers: { 'content-type': 'application/json', accept: 'application/json, text/event-stream', ...session },
        body,
      })
      return { headers: response.headers, text: await response.body.text() }
    }
    const params = { protocolVersion: REVISION, capabilities: {}, clientInfo }
    const { headers } = await post(JSON.stringify({ jsonrpc: '2.0', id: 0, method: 'initialize', params }))
    session = { 'mcp-session-id': String(headers['mcp-session-id']), 'mcp-protocol-version': REVISION }
    await post('{"jsonrpc":"2.0","method":"notifications/initialized"}')
    return {
      call: async (id) => {
        const { text } = await post(callBody(id))
        return echoOf(JSON.parse(text.startsWith('{') ? text : text.slice(text.lastIndexOf('data: {') + 6))).text
      },
      close: () => agent.close(),
    }
  },
}

const lines: Contender = {
  name: 'bare lines',
  transports: ['stdio'],
  open: async (_transport, where) => {
    const child: ChildProcess = spawn(process.execPath, [where, '--stdio'], { stdio: ['pipe', 'pipe', 'inherit'] })
    const waiting = new Map<number, (text: unknown) => void>()
    let rest = ''
    child.stdout?.setEncoding('utf8').on('data', (chunk: string) => {
      const parts = (rest + chunk).split('\n')
      rest = parts.pop() ?? ''
      for (const part of parts) {
        const message = JSON.parse(part)
        const resolve = waiting.get(message.id)
        waiting.delete(message.id)
        resolve?.(message.id === 0 ? '' : echoOf(message).text)
      }
    })
    const send = (id: number, body: string): Promise<unknown> =>
      new Promise((resolve) => {
        waiting.set(id, resolve)
        child.stdin?.write(`${body}\n`)
      })
    const params = { protocolVersion: REVISION, capabilities: {}, clientInfo }
    await send(0, JSON.stringify({ jsonrpc: '2.0', id: 0, method: 'initialize', params }))
    child.stdin?.write('{"jsonrpc":"2.0","method":"notifications/initialized"}\n')
    return {
      call: (id) => send(id, callBody(id)),
      close: async () => void child.stdin?.end(),
    }
  },
}

/** Under one name each. */
export const clients: readonly Contender[] = [
  undici,
  lines,
  sdk,
  bough('bough, 2025-11-25', 'legacy'),
  bough('bough, 2026-07-28', 'modern'),
  bough('bough, 2025-03-26', 'legacy', '2025-03-26'),
]
