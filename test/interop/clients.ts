/** The official clients of both generations behind one shape, so that one suite proves them all. */
import {
  Client as ClientV2,
  StreamableHTTPClientTransport as HttpV2,
  SSEClientTransport as SseV2,
} from '@modelcontextprotocol/client'
import { StdioClientTransport as StdioV2 } from '@modelcontextprotocol/client/stdio'
import { Client as ClientV1 } from '@modelcontextprotocol/sdk/client/index.js'
import { SSEClientTransport as SseV1 } from '@modelcontextprotocol/sdk/client/sse.js'
import { StdioClientTransport as StdioV1 } from '@modelcontextprotocol/sdk/client/stdio.js'
import { StreamableHTTPClientTransport as HttpV1 } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { WebSocketClientTransport as WebSocketV1 } from '@modelcontextprotocol/sdk/client/websocket.js'
import type { Transport as TransportV1 } from '@modelcontextprotocol/sdk/shared/transport.js'
import {
  CreateMessageRequestSchema,
  ElicitRequestSchema,
  ListRootsRequestSchema,
  LoggingMessageNotificationSchema,
  ResourceUpdatedNotificationSchema,
  ToolListChangedNotificationSchema,
} from '@modelcontextprotocol/sdk/types.js'
import { WebSocket } from 'ws'
import { childPath } from '../server/child.ts'
import { checked } from './checked.ts'

/** What came unasked. */
export interface Heard {
  readonly logs: unknown[]
  readonly updated: string[]
  toolsChanged: number
  readonly errors: Error[]
  /** Method and status of every HTTP request. */
  readonly exchanges: string[]
}

/** The part of the clients' interfaces that both share and the suite uses. */
export type AnyClient = Pick<
  ClientV2,
  | 'callTool'
  | 'readResource'
  | 'subscribeResource'
  | 'unsubscribeResource'
  | 'getPrompt'
  | 'complete'
  | 'setLoggingLevel'
  | 'ping'
  | 'close'
  | 'getServerVersion'
> & {
  listTools(params?: { cursor?: string }): Promise<{ tools: { name: string }[]; nextCursor?: string | undefined }>
  listResources(): Promise<{ resources: { uri: string }[] }>
  listPrompts(): Promise<{ prompts: { name: string }[] }>
}

export interface Connected<C = AnyClient> {
  readonly client: C
  readonly heard: Heard
}

/** How the second generation finds the era: as told, by itself, or none but the newest. */
export type Mode = 'legacy' | 'auto' | { readonly pin: string }

export type Where = { readonly url: string } | { readonly stdio: object }

/** How a client answers what its user is asked. */
export type Elicit = (params: { readonly message: string }) => {
  action: 'accept' | 'decline'
  content?: Record<string, string>
}

const capabilities = { sampling: {}, elicitation: {}, roots: { listChanged: true } }
const info = { name: 'interop', version: '1' }
const sampled = { role: 'assistant', content: { type: 'text', text: 'from the model' }, model: 'test' } as const
const elicited: Elicit = () => ({ action: 'accept', content: { name: 'Ann' } })
const roots = { roots: [{ uri: 'file:///root', name: 'root' }] }

const command = (where: { readonly stdio: object }) => ({
  command: process.execPath,
  args: [childPath, 'stdio', JSON.stringify(where.stdio)],
  stderr: 'ignore' as const,
})

const nothingHeard = (): Heard => ({ logs: [], updated: [], toolsChanged: 0, errors: [], exchanges: [] })

/** `fetch`, noting what was asked and answered. */
const noting =
  (heard: Heard) =>
  async (url: string | URL, init?: RequestInit): Promise<Response> => {
    const response = await fetch(url, init)
    heard.exchanges.push(`${init?.method ?? 'GET'} ${response.status}`)
    return response
  }

function transportV1(where: Where, heard: Heard): HttpV1 | SseV1 | StdioV1 | WebSocketV1 {
  if ('stdio' in where) return new StdioV1(command(where))
  const url = new URL(where.url)
  if (url.protocol !== 'ws:')
    return isSse(url) ? new SseV1(url, { fetch: noting(heard) }) : new HttpV1(url, { fetch: noting(heard) })
  // It takes that of a browser, which Node 20 has not.
  globalThis.WebSocket ??= WebSocket as unknown as typeof globalThis.WebSocket
  return new WebSocketV1(url)
}

const isSse = (url: URL): boolean => url.pathname.endsWith('/sse')

/** The first generation as it is, for what only it has. */
export async function connectV1(where: Where, elicit = elicited): Promise<Connected & { readonly v1: ClientV1 }> {
  const heard = nothingHeard()
  const client = new ClientV1(info, { capabilities })
  client.setRequestHandler(CreateMessageRequestSchema, () => sampled)
  client.setRequestHandler(ElicitRequestSchema, ({ params }) => elicit(params))
  client.setRequestHandler(ListRootsRequestSchema, () => roots)
  client.setNotificationHandler(LoggingMessageNotificationSchema, ({ params }) => void heard.logs.push(params.data))
  client.setNotificationHandler(ResourceUpdatedNotificationSchema, ({ params }) => void heard.updated.push(params.uri))
  client.setNotificationHandler(ToolListChangedNotificationSchema, () => void heard.toolsChanged++)
  client.onerror = (error) => heard.errors.push(error)
  const transport = transportV1(where, heard)
  // The SDK's own types differ under exactOptionalPropertyTypes.
  await client.connect(checked(transport) as TransportV1)
  return { client: client as unknown as AnyClient, v1: client, heard }
}

export async function connectV2(where: Where, mode: Mode, elicit = elicited): Promise<Connected<ClientV2>> {
  const heard = nothingHeard()
  const client = new ClientV2(info, { capabilities, versionNegotiation: { mode } })
  client.setRequestHandler('sampling/createMessage', () => sampled)
  client.setRequestHandler('elicitation/create', ({ params }) => elicit(params))
  client.setRequestHandler('roots/list', () => roots)
  client.setNotificationHandler('notifications/message', ({ params }) => void heard.logs.push(params.data))
  client.setNotificationHandler('notifications/resources/updated', ({ params }) => void heard.updated.push(params.uri))
  client.setNotificationHandler('notifications/tools/list_changed', () => void heard.toolsChanged++)
  client.onerror = (error) => heard.errors.push(error)
  const given = { fetch: noting(heard) }
  const url = 'url' in where ? new URL(where.url) : undefined
  if ('stdio' in where) await client.connect(checked(new StdioV2(command(where))))
  else if (url !== undefined && isSse(url)) await client.connect(checked(new SseV2(url, given)))
  else if (url !== undefined) await client.connect(checked(new HttpV2(url, given)))
  return { client, heard }
}
