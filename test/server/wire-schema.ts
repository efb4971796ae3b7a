/** Whether what a server sends is what the published schema of a revision says. */
import { faultOf } from '../protocol/revisions/schemas.ts'

/** One decoded message, from either side. */
export interface Wire {
  readonly jsonrpc?: string
  readonly id?: string | number | null
  readonly method?: string
  // biome-ignore lint/suspicious/noExplicitAny: the params of any method
  readonly params?: any
  // biome-ignore lint/suspicious/noExplicitAny: the result of any method
  readonly result?: any
  // biome-ignore lint/suspicious/noExplicitAny: `data` is anything
  readonly error?: { readonly code: number; readonly message: string; readonly data?: any }
}

const results: Readonly<Record<string, string>> = {
  initialize: 'InitializeResult',
  ping: 'EmptyResult',
  'tools/list': 'ListToolsResult',
  'tools/call': 'CallToolResult',
  'resources/list': 'ListResourcesResult',
  'resources/templates/list': 'ListResourceTemplatesResult',
  'resources/read': 'ReadResourceResult',
  'resources/subscribe': 'EmptyResult',
  'resources/unsubscribe': 'EmptyResult',
  'prompts/list': 'ListPromptsResult',
  'prompts/get': 'GetPromptResult',
  'completion/complete': 'CompleteResult',
  'logging/setLevel': 'EmptyResult',
}

/** What is wrong with a message that a server sent, if anything. `asked` names the method that an answer is for. */
export function wireFault(version: string, message: Wire, asked: string | undefined): string | undefined {
  const isNewest = version === '2025-11-25'
  if (message.method !== undefined) {
    const union = message.id === undefined ? 'ServerNotification' : 'ServerRequest'
    const { jsonrpc, id, ...body } = message
    const generic = faultOf(version, id === undefined ? 'JSONRPCNotification' : 'JSONRPCRequest', message)
    return generic ?? faultOf(version, union, isNewest ? message : body)
  }
  if (message.error !== undefined) {
    // JSON-RPC asks for a null id where none could be read; the schemas do not know it.
    const sent = message.id === null ? { ...message, id: 0 } : message
    return faultOf(version, isNewest ? 'JSONRPCErrorResponse' : 'JSONRPCError', sent)
  }
  const generic = faultOf(version, isNewest ? 'JSONRPCResultResponse' : 'JSONRPCResponse', message)
  if (generic !== undefined) return generic
  const definition = asked === undefined ? undefined : results[asked]
  if (definition === undefined) return `an answer that nobody waits for: ${JSON.stringify(message)}`
  return faultOf(version, definition, message.result)
}
