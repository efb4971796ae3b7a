/**
 * The method table: one row for each request and notification of MCP, with who sends it, which announced capability it
 * needs, from which revision to which it exists, and a check of its params. A check returns undefined, or the sentence for a
 * -32602 that names the field and what came. Members that nobody defined are let through, as the specification asks.
 *
 *     const row = methodRow('tools/call')
 *     row?.check({ name: 7 })          // 'params.name must be a string, got number 7'
 *
 * Spec: MCP 2025-11-25, schema; the older revisions' schemas for `since`.
 */
import { describeValue } from './describe.ts'
import { isObject, isRequestId, type JsonObject } from './json-rpc.ts'
import { isLogLevel } from './log-level.ts'

export type Check = (params: JsonObject | undefined) => string | undefined

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
  readonly check: Check
}

/** The row of a method or notification, whatever its revision; undefined for unknown names. */
export function methodRow(name: string): MethodRow | undefined {
  return table.get(name)
}

/** Whether a revision has the row's method. Versions are dates, so they compare as text. */
export function isInRevision(row: MethodRow, version: string): boolean {
  return version >= row.since && (row.until === undefined || version <= row.until)
}

type FieldCheck = (params: JsonObject) => string | undefined

function fault(field: string, expected: string, value: unknown): string {
  return `params.${field} must be ${expected}, got ${describeValue(value)}`
}

const isString = (value: unknown): boolean => typeof value === 'string'
const isNumber = (value: unknown): boolean => typeof value === 'number' && Number.isFinite(value)

function required(name: string, expected: string, accepts: (value: unknown) => boolean): FieldCheck {
  return (params) => (accepts(params[name]) ? undefined : fault(name, expected, params[name]))
}

function optional(name: string, expected: string, accepts: (value: unknown) => boolean): FieldCheck {
  return (params) => {
    const value = params[name]
    return value === undefined || accepts(value) ? undefined : fault(name, expected, value)
  }
}

const string = (name: string): FieldCheck => required(name, 'a string', isString)
const optionalString = (name: string): FieldCheck => optional(name, 'a string', isString)
const object = (name: string): FieldCheck => required(name, 'an object', isObject)
const optionalObject = (name: string): FieldCheck => optional(name, 'an object', isObject)
const number = (name: string): FieldCheck => required(name, 'a finite number', isNumber)
const optionalNumber = (name: string): FieldCheck => optional(name, 'a finite number', isNumber)

function checkMeta(params: JsonObject): string | undefined {
  const meta = params['_meta']
  if (meta === undefined) return undefined
  if (!isObject(meta)) return fault('_meta', 'an object', meta)
  const token = meta['progressToken']
  return token === undefined || isRequestId(token)
    ? undefined
    : fault('_meta.progressToken', 'a string or an integer', token)
}

const nothingSent: JsonObject = Object.freeze({})

function fields(...checks: readonly FieldCheck[]): Check {
  return (params = nothingSent) => {
    const metaFault = checkMeta(params)
    if (metaFault !== undefined) return metaFault
    for (const check of checks) {
      const found = check(params)
      if (found !== undefined) return found
    }
    return undefined
  }
}

function checkTask(params: JsonObject): string | undefined {
  const task = params['task']
  if (task === undefined) return undefined
  if (!isObject(task)) return fault('task', 'an object', task)
  const ttl = task['ttl']
  return ttl === undefined || (isNumber(ttl) && (ttl as number) >= 0)
    ? undefined
    : fault('task.ttl', 'a number of milliseconds, 0 or more', ttl)
}

function checkImplementation(name: string): FieldCheck {
  return (params) => {
    const info = params[name]
    if (!isObject(info)) return fault(name, 'an object', info)
    if (!isString(info['name'])) return fault(`${name}.name`, 'a string', info['name'])
    return isString(info['version']) ? undefined : fault(`${name}.version`, 'a string', info['version'])
  }
}

function checkRef(params: JsonObject): string | undefined {
  const ref = params['ref']
  if (!isObject(ref)) return fault('ref', 'an object', ref)
  if (ref['type'] === 'ref/prompt')
    return isString(ref['name']) ? undefined : fault('ref.name', 'a string', ref['name'])
  if (ref['type'] === 'ref/resource') return isString(ref['uri']) ? undefined : fault('ref.uri', 'a string', ref['uri'])
  return fault('ref.type', '"ref/prompt" or "ref/resource"', ref['type'])
}

function checkCompletionArgument(params: JsonObject): string | undefined {
  const argument = params['argument']
  if (!isObject(argument)) return fault('argument', 'an object', argument)
  if (!isString(argument['name'])) return fault('argument.name', 'a string', argument['name'])
  return isString(argument['value']) ? undefined : fault('argument.value', 'a string', argument['value'])
}

function checkStringMap(name: string, value: unknown): string | undefined {
  if (value === undefined) return undefined
  if (!isObject(value)) return fault(name, 'an object of strings', value)
  for (const key of Object.keys(value)) {
    if (!isString(value[key])) return fault(`${name}.${key}`, 'a string', value[key])
  }
  return undefined
}

function checkCompletionContext(params: JsonObject): string | undefined {
  const context = params['context']
  if (context === undefined) return undefined
  return isObject(context)
    ? checkStringMap('context.arguments', context['arguments'])
    : fault('context', 'an object', context)
}

function checkSamplingMessages(params: JsonObject): string | undefined {
  const messages = params['messages']
  if (!Array.isArray(messages)) return fault('messages', 'an array', messages)
  for (const [index, message] of messages.entries()) {
    if (!isObject(message)) return fault(`messages[${index}]`, 'an object', message)
    const { role, content } = message
    if (role !== 'user' && role !== 'assistant') return fault(`messages[${index}].role`, '"user" or "assistant"', role)
    if (!isObject(content) && !Array.isArray(content)) {
      return fault(`messages[${index}].content`, 'a content block or an array of them', content)
    }
  }
  return undefined
}

function checkElicitation(params: JsonObject): string | undefined {
  const mode = params['mode']
  if (mode === undefined || mode === 'form') return object('requestedSchema')(params)
  if (mode === 'url') return string('url')(params) ?? string('elicitationId')(params)
  return fault('mode', '"form" or "url"', mode)
}

const bare = fields()
const page = fields(optionalString('cursor'))
const uri = fields(string('uri'))
const taskId = fields(string('taskId'))

type Row = Omit<MethodRow, 'name' | 'kind'>

const V1 = '2024-11-05'
const V3 = '2025-06-18'
const V4 = '2025-11-25'

const fromClient = (serverGate: string, check: Check): Row => ({
  sender: 'client',
  serverGate,
  isEarly: false,
  since: V1,
  check,
})
const listChanged = (serverGate: string): Row => ({
  sender: 'server',
  serverGate,
  isEarly: false,
  since: V1,
  check: bare,
})
const taskMethod = (gate: string, check: Check): Row => ({
  sender: 'both',
  serverGate: gate,
  clientGate: gate,
  isEarly: false,
  since: V4,
  check,
})

const requests: Readonly<Record<string, Row>> = {
  initialize: {
    sender: 'client',
    isEarly: true,
    since: V1,
    check: fields(string('protocolVersion'), object('capabilities'), checkImplementation('clientInfo')),
  },
  ping: { sender: 'both', isEarly: true, since: V1, check: bare },
  'tools/list': fromClient('tools', page),
  'tools/call': fromClient('tools', fields(string('name'), optionalObject('arguments'), checkTask)),
  'resources/list': fromClient('resources', page),
  'resources/templates/list': fromClient('resources', page),
  'resources/read': fromClient('resources', uri),
  'resources/subscribe': fromClient('resources.subscribe', uri),
  'resources/unsubscribe': fromClient('resources.subscribe', uri),
  'prompts/list': fromClient('prompts', page),
  'prompts/get': fromClient(
    'prompts',
    fields(string('name'), (params) => checkStringMap('arguments', params['arguments'])),
  ),
  'completion/complete': fromClient('completions', fields(checkRef, checkCompletionArgument, checkCompletionContext)),
  'logging/setLevel': fromClient(
    'logging',
    fields(required('level', 'a log level from debug to emergency', isLogLevel)),
  ),
  'sampling/createMessage': {
    sender: 'server',
    clientGate: 'sampling',
    isEarly: false,
    since: V1,
    check: fields(checkSamplingMessages, required('maxTokens', 'an integer', Number.isInteger), checkTask),
  },
  'elicitation/create': {
    sender: 'server',
    clientGate: 'elicitation',
    isEarly: false,
    since: V3,
    check: fields(string('message'), checkElicitation, checkTask),
  },
  'roots/list': { sender: 'server', clientGate: 'roots', isEarly: false, since: V1, check: bare },
  'tasks/get': taskMethod('tasks', taskId),
  'tasks/result': taskMethod('tasks', taskId),
  'tasks/cancel': taskMethod('tasks.cancel', taskId),
  'tasks/list': taskMethod('tasks.list', page),
}

const notifications: Readonly<Record<string, Row>> = {
  'notifications/initialized': { sender: 'client', isEarly: true, since: V1, check: bare },
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
      required('level', 'a log level from debug to emergency', isLogLevel),
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
    check: bare,
  },
  'notifications/tasks/status': {
    sender: 'both',
    isEarly: false,
    since: V4,
    check: fields(string('taskId'), string('status')),
  },
  'notifications/elicitation/complete': {
    sender: 'server',
    clientGate: 'elicitation.url',
    isEarly: false,
    since: V4,
    check: fields(string('elicitationId')),
  },
}

function rows(kind: MethodRow['kind'], named: Readonly<Record<string, Row>>): MethodRow[] {
  return Object.entries(named).map(([name, row]) => ({ name, kind, ...row }))
}

/** Every row, requests first. */
export const methodRows: readonly MethodRow[] = [...rows('request', requests), ...rows('notification', notifications)]

const table: ReadonlyMap<string, MethodRow> = new Map(methodRows.map((row) => [row.name, row]))
