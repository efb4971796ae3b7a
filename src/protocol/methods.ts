/**
 * The method table: a row for each request and notification of MCP, with who sends it, which announced capability it
 * needs, from which revision to which it exists, and a check of its params. A method that changed has two rows, one until
 * the change and one since. A check returns undefined, or the sentence for a -32602 that names the field and what came.
 *
 *     const row = methodRow('tools/call', '2026-07-28')
 *     row?.check({ name: 7 })          // 'params.name must be a string, got number 7'
 *
 * Spec: MCP 2025-11-25 and 2026-07-28, schema; the older revisions' schemas for `since`; SEP-2663 (tasks), SEP-2640 (skills).
 */
import { SKILLS_EXTENSION, TASKS_EXTENSION } from './capability-path.ts'
import { isRequestId } from './json-rpc.ts'
import { isLogLevel } from './log-level.ts'
import {
  type Check,
  checkCompletionArgument,
  checkCompletionContext,
  checkElicitation,
  checkImplementation,
  checkInput,
  checkInputResponses,
  checkRef,
  checkSamplingMessages,
  checkStringArguments,
  checkSubscriptionFilter,
  checkTask,
  fields,
  number,
  object,
  optional,
  optionalNumber,
  optionalObject,
  optionalString,
  required,
  string,
} from './params-checks.ts'

export type { Check } from './params-checks.ts'

export interface MethodRow {
  readonly name: string
  readonly kind: 'request' | 'notification'
  readonly sender: 'client' | 'server' | 'both'
  /** What the server must have announced, as a path for `has`; for `both`, only when the server receives it. */
  readonly serverGate?: string
  /** What the client must have announced; for `both`, only when the client receives it. */
  readonly clientGate?: string
  /** Whether it may come before the session is initialized. */
  readonly isEarly: boolean
  /** First revision that has it. */
  readonly since: string
  /** Last revision that has it; absent while it lives. */
  readonly until?: string
  /** Which param the header `Mcp-Name` repeats. */
  readonly headerParam?: 'name' | 'uri' | 'taskId'
  /** Whether the answer may ask for input, and a retry may bring `inputResponses` and `requestState`. */
  readonly mayAskInput?: true
  /** Whether a complete result says how long it may be kept. */
  readonly isCacheable?: true
  /** A request that is never sent by itself, only inside `inputRequests`. */
  readonly isEmbedded?: true
  readonly check: Check
}

/**
 * The row of a method or notification: in the revision of that version, undefined where it has none of the name; without a
 * version the oldest row, undefined for names that no revision knows.
 */
export function methodRow(name: string, version?: string): MethodRow | undefined {
  const found = table.get(name)
  if (found === undefined || version === undefined) return found?.[0]
  for (const row of found) if (isInRevision(row, version)) return row
  return undefined
}

/** Whether a revision has the row's method. Versions are dates, so they compare as text. */
export function isInRevision(row: MethodRow, version: string): boolean {
  return version >= row.since && (row.until === undefined || version <= row.until)
}

const V1 = '2024-11-05'
const V3 = '2025-06-18'
const V4 = '2025-11-25'
const V5 = '2026-07-28'

const bare = fields()
const page = fields(optionalString('cursor'))
const uri = fields(string('uri'))
const taskId = fields(string('taskId'))

type Row = Omit<MethodRow, 'name' | 'kind'>
type Rows = Readonly<Record<string, Row | readonly Row[]>>

/** Sent by the client; `more` adds to the row or replaces what it says. */
const fromClient = (serverGate: string, check: Check, more?: Partial<Row>): Row => ({
  sender: 'client',
  serverGate,
  isEarly: false,
  since: V1,
  check,
  ...more,
})
const listing = (serverGate: string): Row => fromClient(serverGate, page, { isCacheable: true })
const listChanged = (serverGate: string): Row => ({
  sender: 'server',
  serverGate,
  isEarly: false,
  since: V1,
  check: bare,
})
const tasksExtension = `extensions.${TASKS_EXTENSION}`
/** A method of tasks as 2025-11-25 had them, followed by the one of the extension if it kept the name. */
const taskMethod = (gate: string, check: Check, later?: Row): readonly Row[] => [
  { sender: 'both', serverGate: gate, clientGate: gate, isEarly: false, since: V4, until: V4, check },
  ...(later === undefined ? [] : [later]),
]
const taskExtensionMethod = (check: Check): Row =>
  fromClient(tasksExtension, check, { clientGate: tasksExtension, since: V5, headerParam: 'taskId' })
/** What the server asks the client: a request of its own until 2025-11-25, inside a result since. */
const asked = (clientGate: string, since: string, check: Check, later: Check): readonly Row[] => [
  { sender: 'server', clientGate, isEarly: false, since, until: V4, check },
  { sender: 'server', clientGate, isEarly: false, since: V5, isEmbedded: true, check: later },
]
const skills = `extensions.${SKILLS_EXTENSION}`
const skillMethod = (check: Check, gate = skills): Row => fromClient(gate, check, { since: V4, isCacheable: true })

const maxTokens = required('maxTokens', 'an integer', Number.isInteger)
const level = required('level', 'a log level from debug to emergency', isLogLevel)
const promptChecks = [string('name'), checkStringArguments] as const

const requests: Rows = {
  initialize: {
    sender: 'client',
    isEarly: true,
    since: V1,
    until: V4,
    check: fields(string('protocolVersion'), object('capabilities'), checkImplementation('clientInfo')),
  },
  ping: { sender: 'both', isEarly: true, since: V1, until: V4, check: bare },
  'server/discover': { sender: 'client', isEarly: false, since: V5, isCacheable: true, check: bare },
  'tools/list': listing('tools'),
  'tools/call': [
    fromClient('tools', fields(string('name'), optionalObject('arguments'), checkTask), { until: V4 }),
    fromClient('tools', fields(string('name'), optionalObject('arguments'), checkInput), {
      since: V5,
      headerParam: 'name',
      mayAskInput: true,
    }),
  ],
  'resources/list': listing('resources'),
  'resources/templates/list': listing('resources'),
  'resources/read': [
    fromClient('resources', uri, { until: V4 }),
    fromClient('resources', fields(string('uri'), checkInput), {
      since: V5,
      headerParam: 'uri',
      mayAskInput: true,
      isCacheable: true,
    }),
  ],
  'resources/directory/read': skillMethod(fields(string('uri'), optionalString('cursor')), `${skills}#directoryRead`),
  'resources/subscribe': fromClient('resources.subscribe', uri, { until: V4 }),
  'resources/unsubscribe': fromClient('resources.subscribe', uri, { until: V4 }),
  'prompts/list': listing('prompts'),
  'prompts/get': [
    fromClient('prompts', fields(...promptChecks), { until: V4 }),
    fromClient('prompts', fields(...promptChecks, checkInput), { since: V5, headerParam: 'name', mayAskInput: true }),
  ],
  'completion/complete': fromClient('completions', fields(checkRef, checkCompletionArgument, checkCompletionContext)),
  'logging/setLevel': fromClient('logging', fields(level), { until: V4 }),
  'subscriptions/listen': { sender: 'client', isEarly: false, since: V5, check: fields(checkSubscriptionFilter) },
  'sampling/createMessage': asked(
    'sampling',
    V1,
    fields(checkSamplingMessages, maxTokens, checkTask),
    fields(checkSamplingMessages, maxTokens),
  ),
  'elicitation/create': asked(
    'elicitation',
    V3,
    fields(string('message'), checkElicitation(true), checkTask),
    fields(string('message'), checkElicitation(false)),
  ),
  'roots/list': asked('roots', V1, bare, bare),
  'tasks/get': taskMethod('tasks', taskId, taskExtensionMethod(taskId)),
  'tasks/result': taskMethod('tasks', taskId),
  'tasks/cancel': taskMethod('tasks.cancel', taskId, taskExtensionMethod(taskId)),
  'tasks/list': taskMethod('tasks.list', page),
  'tasks/update': taskExtensionMethod(fields(string('taskId'), checkInputResponses)),
  'skills/list': skillMethod(page),
  'skills/get': skillMethod(uri),
}

const notifications: Rows = {
  'notifications/initialized': { sender: 'client', isEarly: true, since: V1, until: V4, check: bare },
  'notifications/cancelled': {
    sender: 'both',
    isEarly: true,
    since: V1,
    check: fields(optional('requestId', 'a string or an integer', isRequestId), optionalString('reason')),
  },
  'notifications/progress': {
    sender: 'both',
    isEarly: true,
    since: V1,
    check: fields(
      required('progressToken', 'a string or an integer', isRequestId),
      number('progress'),
      optionalNumber('total'),
      optionalString('message'),
    ),
  },
  'notifications/message': {
    sender: 'server',
    serverGate: 'logging',
    isEarly: true,
    since: V1,
    check: fields(
      level,
      optionalString('logger'),
      required('data', 'a value', (value) => value !== undefined),
    ),
  },
  'notifications/tools/list_changed': listChanged('tools.listChanged'),
  'notifications/prompts/list_changed': listChanged('prompts.listChanged'),
  'notifications/resources/list_changed': listChanged('resources.listChanged'),
  'notifications/resources/updated': {
    sender: 'server',
    serverGate: 'resources.subscribe',
    isEarly: false,
    since: V1,
    check: uri,
  },
  'notifications/roots/list_changed': {
    sender: 'client',
    clientGate: 'roots.listChanged',
    isEarly: false,
    since: V1,
    until: V4,
    check: bare,
  },
  'notifications/tasks/status': {
    sender: 'both',
    isEarly: false,
    since: V4,
    until: V4,
    check: fields(string('taskId'), string('status')),
  },
  'notifications/tasks': {
    sender: 'server',
    serverGate: tasksExtension,
    clientGate: tasksExtension,
    isEarly: false,
    since: V5,
    check: fields(string('taskId'), string('status')),
  },
  'notifications/elicitation/complete': {
    sender: 'server',
    clientGate: 'elicitation.url',
    isEarly: false,
    since: V4,
    until: V4,
    check: fields(string('elicitationId')),
  },
  'notifications/subscriptions/acknowledged': {
    sender: 'server',
    isEarly: false,
    since: V5,
    check: fields(checkSubscriptionFilter),
  },
}

function rows(kind: MethodRow['kind'], named: Rows): MethodRow[] {
  return Object.entries(named).flatMap(([name, held]) => [held].flat().map((row) => ({ name, kind, ...row })))
}

/** Every row, requests first; the rows of one name from old to new. */
export const methodRows: readonly MethodRow[] = [...rows('request', requests), ...rows('notification', notifications)]

const table = new Map<string, MethodRow[]>()
for (const row of methodRows) {
  const known = table.get(row.name)
  if (known === undefined) table.set(row.name, [row])
  else known.push(row)
}
