/**
 * Whether what a server sends is what the published schema of a revision says, and where that leaves things open, what the
 * specification's pages say: which results a method may have, and which error codes belong to an era.
 */
import { faultOf, isDraft2020 } from '../protocol/revisions/schemas.ts'

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

const MODERN = '2026-07-28'

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
  'server/discover': 'DiscoverResult',
  'subscriptions/listen': 'SubscriptionsListenResult',
  'skills/list': 'ListSkillsResult',
  'skills/get': 'GetSkillResult',
  'resources/directory/read': 'ReadDirectoryResult',
}

/** Tasks as revision 2025-11-25 has them: tasks/result answers as the call would have, here always a tools/call. */
const legacyTasks: Readonly<Record<string, string>> = {
  'tasks/get': 'GetTaskResult',
  'tasks/cancel': 'CancelTaskResult',
  'tasks/list': 'ListTasksResult',
  'tasks/result': 'CallToolResult',
}

/** Tasks as the extension of the modern era has them. */
const modernTasks: Readonly<Record<string, string>> = {
  'tasks/get': 'GetTaskResult',
  'tasks/update': 'TaskAcknowledgement',
  'tasks/cancel': 'TaskAcknowledgement',
}

/** Errors whose data the schema knows. */
const errors: Readonly<Record<string, Readonly<Record<number, string>>>> = {
  [MODERN]: {
    [-32020]: 'HeaderMismatchError',
    [-32021]: 'MissingRequiredClientCapabilityError',
    [-32022]: 'UnsupportedProtocolVersionError',
  },
}

/** The methods that may answer with questions. Spec: MCP 2026-07-28, basic/patterns/mrtr. */
const mayAskInput: ReadonlySet<string> = new Set(['tools/call', 'prompts/get', 'resources/read'])

/** What is wrong with a message that a server sent, if anything. `asked` names the method that an answer is for. */
export function wireFault(version: string, message: Wire, asked: string | undefined): string | undefined {
  if (message.method !== undefined) return callFault(version, message)
  return message.error === undefined ? resultFault(version, message, asked) : errorFault(version, message)
}

function callFault(version: string, message: Wire): string | undefined {
  const { jsonrpc, id, ...body } = message
  const isNotification = id === undefined
  const generic = faultOf(version, isNotification ? 'JSONRPCNotification' : 'JSONRPCRequest', message)
  if (generic !== undefined) return generic
  if (!isNotification && version >= MODERN) return `a request of its own to a client of ${version}: ${message.method}`
  if (message.method === 'notifications/tasks') return faultOf(version, 'TaskNotification', message)
  const union = isNotification ? 'ServerNotification' : 'ServerRequest'
  const taskIds = message.params?.notifications?.taskIds
  const fault = taskIds === undefined ? undefined : faultOf(version, 'TaskIds', taskIds)
  return fault ?? faultOf(version, union, isDraft2020(version) ? withoutTaskIds(message) : body)
}

/** The filter of a subscription without what the tasks extension adds to it. Spec: SEP-2663, task status notifications. */
function withoutTaskIds(message: Wire): Wire {
  const filter = message.params?.notifications
  if (filter?.taskIds === undefined) return message
  const { taskIds: _extension, ...notifications } = filter
  return { ...message, params: { ...message.params, notifications } }
}

/** URLElicitationRequiredError, whose parts forbid each other's members when each is taken to be closed. */
function pagesFault(version: string, message: Wire): string | undefined {
  const pages: unknown = (message.error as { data?: { elicitations?: unknown } }).data?.elicitations
  if (!Array.isArray(pages)) return `a URLElicitationRequiredError without elicitations: ${JSON.stringify(message)}`
  return pages.map((page) => faultOf(version, 'ElicitRequestURLParams', page)).find((fault) => fault !== undefined)
}

function errorFault(version: string, message: Wire): string | undefined {
  // JSON-RPC asks for a null id where none could be read; the schemas do not know it.
  const sent = message.id === null ? { ...message, id: 0 } : message
  const fault = faultOf(version, isDraft2020(version) ? 'JSONRPCErrorResponse' : 'JSONRPCError', sent)
  if (fault !== undefined) return fault
  const { code } = message.error as NonNullable<Wire['error']>
  if (version === '2025-11-25' && code === -32042) return pagesFault(version, message)
  const definition = errors[version]?.[code]
  if (definition !== undefined) return faultOf(version, definition, sent)
  if (version >= MODERN && (code === -32002 || (code <= -32020 && code >= -32099)))
    return `the error code ${code}, which ${version} does not have: ${JSON.stringify(message)}`
  return undefined
}

function resultFault(version: string, message: Wire, asked: string | undefined): string | undefined {
  const { result } = message
  const generic = faultOf(version, isDraft2020(version) ? 'JSONRPCResultResponse' : 'JSONRPCResponse', message)
  if (generic !== undefined) return generic
  const definition = asked === undefined ? undefined : definitionOf(version, asked, result)
  if (definition === undefined) return `an answer that nobody waits for: ${JSON.stringify(message)}`
  const fault = faultOf(version, definition, result)
  if (fault !== undefined) return fault
  const settings = result.capabilities?.extensions?.['io.modelcontextprotocol/skills']
  if (settings !== undefined) return faultOf(version, 'SkillsSettings', settings)
  if (asked === 'tasks/result' && result._meta?.['io.modelcontextprotocol/related-task']?.taskId === undefined)
    return `a result of a task that does not name it: ${JSON.stringify(message)}`
  if (definition === 'InputRequiredResult') {
    if (!mayAskInput.has(asked ?? '')) return `questions in the answer to ${asked}`
    if (result.inputRequests === undefined && result.requestState === undefined)
      return `a question without content: ${JSON.stringify(message)}`
  } else if (version >= MODERN && definition !== 'CreateTaskResult' && result.resultType !== 'complete')
    return `a result of the unknown type ${JSON.stringify(result.resultType)}`
  return undefined
}

function definitionOf(version: string, asked: string, result: Wire['result']): string | undefined {
  if (version >= MODERN) {
    if (result.resultType === 'input_required') return 'InputRequiredResult'
    if (result.resultType === 'task' && asked === 'tools/call') return 'CreateTaskResult'
    return modernTasks[asked] ?? results[asked]
  }
  if (asked === 'tools/call' && result.task !== undefined) return 'CreateTaskResult'
  return legacyTasks[asked] ?? results[asked]
}

/** One side's view of what goes to a server and what comes back, of any revision, for those who have no client of their own. */
export class Conversation {
  private version: string
  private readonly asked = new Map<string | number, { readonly method: string; readonly version: string | undefined }>()

  constructor(version = '2025-11-25') {
    this.version = version
  }

  /** Notes what is sent to the server; text that is no message is none. */
  sent(message: Wire | readonly Wire[]): void {
    for (const { id, method, params } of [message].flat() as Wire[]) {
      if (id == null || method === undefined) continue
      const claimed = params?._meta?.['io.modelcontextprotocol/protocolVersion']
      this.asked.set(id, { method, version: typeof claimed === 'string' ? MODERN : undefined })
    }
  }

  /** What is wrong with what came, if anything. */
  faultOf(message: Wire): string | undefined {
    const asked = message.method === undefined && message.id != null ? this.asked.get(message.id) : undefined
    if (asked?.method === 'initialize' && message.result !== undefined) this.version = message.result.protocolVersion
    if (asked?.method === 'server/discover' && message.result !== undefined) this.version = MODERN
    const subscription = message.params?._meta?.['io.modelcontextprotocol/subscriptionId']
    const version = asked?.version ?? (subscription === undefined ? this.version : MODERN)
    return wireFault(version, message, asked?.method)
  }
}
