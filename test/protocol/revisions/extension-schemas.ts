/**
 * What the extensions add to the wire, as schemas: they have no published ones of their own. They lean on the schema of the
 * revision they are spoken in, which is added to the same validator as `mcp`.
 *
 * Spec: SEP-2663, tasks extension; SEP-2640, skills extension.
 */

type Json = { readonly [key: string]: unknown }

const text = { type: 'string' }
const milliseconds = { type: 'integer', minimum: 0 }
const core = (name: string): Json => ({ $ref: `mcp#/$defs/${name}` })
const own = (name: string): Json => ({ $ref: `#/$defs/${name}` })

/** An object of these members and no others; those whose name ends in `?` may be missing. */
function closed(members: Json): Json {
  const all = Object.entries(members).map(([name, schema]) => [name.replace(/\?$/, ''), schema] as const)
  const required = Object.keys(members).filter((name) => !name.endsWith('?'))
  return { type: 'object', properties: Object.fromEntries(all), required, additionalProperties: false }
}

const taskMembers = {
  taskId: text,
  'statusMessage?': text,
  createdAt: { type: 'string', format: 'date-time' },
  lastUpdatedAt: { type: 'string', format: 'date-time' },
  ttlMs: { anyOf: [milliseconds, { type: 'null' }] },
  'pollIntervalMs?': milliseconds,
}
const statuses = ['working', 'input_required', 'completed', 'cancelled', 'failed']

/** A task with what its status brings along, and the members of whatever carries it. */
function detailedTask(carrier: Json): Json {
  const of = (status: string, more: Json = {}): Json =>
    closed({ ...carrier, ...taskMembers, status: { const: status }, ...more })
  return {
    anyOf: [
      of('working'),
      of('input_required', { inputRequests: core('InputRequests') }),
      of('completed', { result: core('CallToolResult') }),
      of('cancelled'),
      of('failed', { error: core('Error') }),
    ],
  }
}

/** Tasks are an extension of the modern era alone. */
const tasks: Json = {
  CreateTaskResult: closed({
    resultType: { const: 'task' },
    '_meta?': core('ResultMetaObject'),
    ...taskMembers,
    status: { enum: statuses },
  }),
  GetTaskResult: detailedTask({ resultType: { const: 'complete' }, '_meta?': core('ResultMetaObject') }),
  TaskAcknowledgement: closed({ resultType: { const: 'complete' }, '_meta?': core('ResultMetaObject') }),
  TaskNotification: closed({
    jsonrpc: { const: '2.0' },
    method: { const: 'notifications/tasks' },
    params: detailedTask({
      _meta: { type: 'object', required: ['io.modelcontextprotocol/subscriptionId'] },
    }),
  }),
  TaskIds: { type: 'array', items: text, uniqueItems: true },
}

const skillName = '^(?!.*--)[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?$'

/** Skills may be spoken of in older revisions too, whose results have neither a type nor hints for caches. */
function skills(isModern: boolean): Json {
  const result = isModern
    ? {
        resultType: { const: 'complete' },
        '_meta?': core('ResultMetaObject'),
        ttlMs: { type: 'number', minimum: 0 },
        cacheScope: { enum: ['public', 'private'] },
      }
    : { '_meta?': { type: 'object' } }
  return {
    SkillEntry: closed({
      uri: { type: 'string', pattern: '^[a-z][a-z0-9+.-]*://.+/SKILL\\.md$' },
      frontmatter: {
        type: 'object',
        properties: {
          name: { type: 'string', pattern: skillName },
          description: { type: 'string', minLength: 1, maxLength: 1024 },
        },
        required: ['name', 'description'],
      },
      resources: {
        anyOf: [
          { const: 'dynamic' },
          {
            type: 'array',
            minItems: 1,
            maxItems: 512,
            items: closed({
              uri: text,
              digest: { type: 'string', pattern: '^sha256:[0-9a-f]{64}$' },
              size: { type: 'integer', minimum: 0, maximum: 16_777_216 },
            }),
          },
        ],
      },
    }),
    ListSkillsResult: closed({ ...result, skills: { type: 'array', items: own('SkillEntry') }, 'nextCursor?': text }),
    GetSkillResult: closed({ ...result, skill: own('SkillEntry') }),
    ReadDirectoryResult: closed({
      ...result,
      resources: { type: 'array', items: core('Resource') },
      'nextCursor?': text,
    }),
    SkillsSettings: closed({ 'directoryRead?': { type: 'boolean' } }),
  }
}

/** The definitions that extensions add to a revision. */
export function extensionSchema(version: string): Json {
  const isModern = version >= '2026-07-28'
  return { $id: 'extensions', $defs: { ...skills(isModern), ...(isModern && tasks) } }
}
