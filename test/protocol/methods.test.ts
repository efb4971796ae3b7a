import { describe, expect, it } from 'vitest'
import { allRevisions, isInRevision, type JsonObject, methodRow, methodRows } from '#protocol'

const info = { name: 'a', version: '1' }
const ref = { type: 'ref/prompt', name: 'p' }
const argument = { name: 'a', value: '' }

describe('params checks', () => {
  it.each<[string, JsonObject | undefined]>([
    ['ping', undefined],
    ['ping', {}],
    ['ping', { _meta: { progressToken: 'x', 'a/b': 1 } }],
    ['initialize', { protocolVersion: 'x', capabilities: {}, clientInfo: info }],
    ['tools/list', undefined],
    ['tools/list', { cursor: 'x' }],
    ['tools/call', { name: 'x' }],
    ['tools/call', { name: 'x', arguments: {}, _meta: { progressToken: 0 } }],
    ['tools/call', { name: 'x', task: { ttl: 100 }, unheard: 1 }],
    ['resources/read', { uri: 'a://b' }],
    ['prompts/get', { name: 'x', arguments: { a: 'b' } }],
    ['completion/complete', { ref, argument }],
    ['completion/complete', { ref: { type: 'ref/resource', uri: 'x' }, argument, context: { arguments: { a: 'b' } } }],
    ['logging/setLevel', { level: 'emergency' }],
    ['sampling/createMessage', { messages: [{ role: 'user', content: {} }], maxTokens: 1 }],
    ['elicitation/create', { message: 'x', requestedSchema: {} }],
    ['elicitation/create', { mode: 'url', message: 'x', url: 'https://a.b', elicitationId: '1' }],
    ['notifications/cancelled', { requestId: 1 }],
    ['notifications/progress', { progressToken: 'x', progress: 1 }],
    ['notifications/message', { level: 'info', data: null }],
  ])('%s takes %j', (method, params) => {
    expect(methodRow(method)?.check(params)).toBeUndefined()
  })

  it.each<[string, JsonObject | undefined, string]>([
    ['tools/call', undefined, 'params.name must be a string, got nothing'],
    ['tools/call', { name: 7 }, 'params.name must be a string, got number 7'],
    ['tools/call', { name: 'x', arguments: [] }, 'params.arguments must be an object, got array of 0'],
    ['tools/call', { name: 'x', arguments: null }, 'params.arguments must be an object, got null'],
    ['tools/call', { name: 'x', task: 1 }, 'params.task must be an object, got number 1'],
    [
      'tools/call',
      { name: 'x', task: { ttl: 'x' } },
      'params.task.ttl must be a number of milliseconds, 0 or more, got string "x"',
    ],
    ['tools/call', { name: 'x', _meta: 1 }, 'params._meta must be an object, got number 1'],
    [
      'tools/call',
      { name: 'x', _meta: { progressToken: 1.5 } },
      'params._meta.progressToken must be a string or an integer, got number 1.5',
    ],
    ['tools/list', { cursor: 1 }, 'params.cursor must be a string, got number 1'],
    ['initialize', {}, 'params.protocolVersion must be a string, got nothing'],
    ['initialize', { protocolVersion: 'x' }, 'params.capabilities must be an object, got nothing'],
    [
      'initialize',
      { protocolVersion: 'x', capabilities: {}, clientInfo: 'x' },
      'params.clientInfo must be an object, got string "x"',
    ],
    [
      'initialize',
      { protocolVersion: 'x', capabilities: {}, clientInfo: { name: 'a' } },
      'params.clientInfo.version must be a string, got nothing',
    ],
    ['resources/read', { uri: {} }, 'params.uri must be a string, got object'],
    ['resources/subscribe', {}, 'params.uri must be a string, got nothing'],
    ['prompts/get', { name: 'x', arguments: { a: 7 } }, 'params.arguments.a must be a string, got number 7'],
    ['prompts/get', { name: 'x', arguments: 'a' }, 'params.arguments must be an object of strings, got string "a"'],
    ['completion/complete', { argument }, 'params.ref must be an object, got nothing'],
    [
      'completion/complete',
      { ref: { type: 'x' }, argument },
      'params.ref.type must be "ref/prompt" or "ref/resource", got string "x"',
    ],
    ['completion/complete', { ref: { type: 'ref/prompt' }, argument }, 'params.ref.name must be a string, got nothing'],
    [
      'completion/complete',
      { ref: { type: 'ref/resource' }, argument },
      'params.ref.uri must be a string, got nothing',
    ],
    ['completion/complete', { ref, argument: { name: 'a' } }, 'params.argument.value must be a string, got nothing'],
    ['completion/complete', { ref, argument: { value: 'a' } }, 'params.argument.name must be a string, got nothing'],
    ['completion/complete', { ref, argument, context: 1 }, 'params.context must be an object, got number 1'],
    [
      'logging/setLevel',
      { level: 'loud' },
      'params.level must be a log level from debug to emergency, got string "loud"',
    ],
    [
      'logging/setLevel',
      { level: 'toString' },
      'params.level must be a log level from debug to emergency, got string "toString"',
    ],
    ['sampling/createMessage', { messages: {}, maxTokens: 1 }, 'params.messages must be an array, got object'],
    ['sampling/createMessage', { messages: [7], maxTokens: 1 }, 'params.messages[0] must be an object, got number 7'],
    ['sampling/createMessage', { messages: [], maxTokens: 1.5 }, 'params.maxTokens must be an integer, got number 1.5'],
    [
      'elicitation/create',
      { message: 'x', mode: 'telepathy' },
      'params.mode must be "form" or "url", got string "telepathy"',
    ],
    ['elicitation/create', { message: 'x', mode: 'url' }, 'params.url must be a string, got nothing'],
    ['notifications/cancelled', { requestId: {} }, 'params.requestId must be a string or an integer, got object'],
    [
      'notifications/progress',
      { progressToken: 1, progress: 'x' },
      'params.progress must be a finite number, got string "x"',
    ],
    ['notifications/message', { level: 'info' }, 'params.data must be a value, got nothing'],
  ])('%s refuses %j, naming the field', (method, params, sentence) => {
    expect(methodRow(method)?.check(params)).toBe(sentence)
  })

  it('never throws, whatever a field holds', () => {
    const values = [undefined, null, 7, '', 'x', true, [], [null], {}, { a: null }]
    const names = [
      'name',
      'arguments',
      'uri',
      'ref',
      'argument',
      'context',
      'level',
      'messages',
      'task',
      '_meta',
      'clientInfo',
    ]
    for (const row of methodRows) {
      for (const name of names) for (const value of values) expect(() => row.check({ [name]: value })).not.toThrow()
      expect(() => row.check(undefined)).not.toThrow()
    }
  })
})

describe('the method table', () => {
  it('has no row for names of Object.prototype', () => {
    for (const name of ['__proto__', 'constructor', 'toString', '']) expect(methodRow(name)).toBeUndefined()
  })

  it('lets only the opening, pings and notices come early', () => {
    expect(methodRows.filter((row) => row.isEarly && row.kind === 'request').map((row) => row.name)).toEqual([
      'initialize',
      'ping',
    ])
  })

  it.each([
    ['elicitation/create', '2025-03-26', false],
    ['elicitation/create', '2025-06-18', true],
    ['tasks/get', '2025-06-18', false],
    ['tasks/get', '2025-11-25', true],
    ['tools/call', '2024-11-05', true],
  ])('%s in %s: %s', (method, version, expected) => {
    const row = methodRow(method)
    expect(row !== undefined && isInRevision(row, version)).toBe(expected)
  })

  it('names a gate for every request but the opening, pings, discovery and subscriptions', () => {
    const ungated = methodRows.filter((row) => row.kind === 'request' && !row.serverGate && !row.clientGate)
    expect(ungated.map((row) => row.name)).toEqual(['initialize', 'ping', 'server/discover', 'subscriptions/listen'])
  })
})

describe('the rows of 2026-07-28', () => {
  const modern = '2026-07-28'
  const listen = 'subscriptions/listen'

  it.each<[string, JsonObject]>([
    ['server/discover', {}],
    ['tools/call', { name: 'x', task: 'ignored' }],
    ['tools/call', { name: 'x', inputResponses: {}, requestState: '' }],
    ['tools/call', { name: 'x', inputResponses: { a: { action: 'accept' }, unasked: {} } }],
    ['prompts/get', { name: 'x', inputResponses: { a: {} }, requestState: 'x' }],
    ['resources/read', { uri: 'a://b', inputResponses: { a: {} } }],
    [listen, { notifications: {} }],
    [listen, { notifications: { toolsListChanged: true, promptsListChanged: false, resourcesListChanged: true } }],
    [listen, { notifications: { resourceSubscriptions: ['a://b'], taskIds: [], unheard: 1 } }],
    ['tasks/get', { taskId: 'x' }],
    ['tasks/update', { taskId: 'x', inputResponses: { a: {} } }],
    ['elicitation/create', { mode: 'url', message: 'x', url: 'https://a.b' }],
    ['skills/list', {}],
    ['skills/get', { uri: 'skill://a/SKILL.md' }],
    ['resources/directory/read', { uri: 'skill://a', cursor: 'x' }],
    ['notifications/subscriptions/acknowledged', { notifications: { toolsListChanged: true } }],
    ['notifications/tasks', { taskId: 'x', status: 'working' }],
  ])('%s takes %j', (method, params) => {
    expect(methodRow(method, modern)?.check(params)).toBeUndefined()
  })

  it.each<[string, JsonObject, string]>([
    ['tools/call', { name: 'x', requestState: 7 }, 'params.requestState must be a string, got number 7'],
    ['tools/call', { name: 'x', inputResponses: null }, 'params.inputResponses must be an object, got null'],
    ['prompts/get', { name: 'x', inputResponses: [] }, 'params.inputResponses must be an object, got array of 0'],
    [
      'resources/read',
      { uri: 'a://b', inputResponses: { a: 12345 } },
      'params.inputResponses.a must be an object, got number 12345',
    ],
    [listen, {}, 'params.notifications must be an object, got nothing'],
    [
      listen,
      { notifications: { toolsListChanged: 'yes' } },
      'params.notifications.toolsListChanged must be a boolean, got string "yes"',
    ],
    [
      listen,
      { notifications: { resourceSubscriptions: 'a://b' } },
      'params.notifications.resourceSubscriptions must be an array of strings, got string "a://b"',
    ],
    [
      listen,
      { notifications: { taskIds: ['x', 7] } },
      'params.notifications.taskIds[1] must be a string, got number 7',
    ],
    ['tasks/update', { taskId: 'x' }, 'params.inputResponses must be an object, got nothing'],
    ['tasks/get', {}, 'params.taskId must be a string, got nothing'],
    ['skills/get', {}, 'params.uri must be a string, got nothing'],
  ])('%s refuses %j, naming the field', (method, params, sentence) => {
    expect(methodRow(method, modern)?.check(params)).toBe(sentence)
  })

  it.each([
    'initialize',
    'ping',
    'logging/setLevel',
    'resources/subscribe',
    'resources/unsubscribe',
    'tasks/result',
    'tasks/list',
    'notifications/initialized',
    'notifications/roots/list_changed',
    'notifications/elicitation/complete',
    'notifications/tasks/status',
  ])('have no %s any more', (method) => {
    expect(methodRow(method, modern)).toBeUndefined()
    expect(methodRow(method, '2025-11-25')).toBeDefined()
  })

  it.each(['server/discover', listen, 'tasks/update', 'notifications/tasks'])(
    'have %s, which was not before',
    (method) => {
      expect(methodRow(method, modern)).toBeDefined()
      expect(methodRow(method, '2025-11-25')).toBeUndefined()
    },
  )

  it('ask the client inside results only', () => {
    const embedded = methodRows.filter((row) => row.isEmbedded).map((row) => row.name)
    expect(embedded).toEqual(['sampling/createMessage', 'elicitation/create', 'roots/list'])
    for (const name of embedded) expect(methodRow(name, '2025-11-25')?.isEmbedded).toBeUndefined()
  })

  it('may ask for input in three methods', () => {
    expect(methodRows.filter((row) => row.mayAskInput).map((row) => row.name)).toEqual([
      'tools/call',
      'resources/read',
      'prompts/get',
    ])
  })

  it('need tasks of both sides, and skills of the server', () => {
    const tasks = 'extensions.io.modelcontextprotocol/tasks'
    for (const method of ['tasks/get', 'tasks/update', 'tasks/cancel', 'notifications/tasks']) {
      expect(methodRow(method, modern)).toMatchObject({ serverGate: tasks, clientGate: tasks })
    }
    expect(methodRow('tasks/get', '2025-11-25')).toMatchObject({ serverGate: 'tasks' })
    expect(methodRow('skills/list', modern)).toMatchObject({ serverGate: 'extensions.io.modelcontextprotocol/skills' })
    expect(methodRow('resources/directory/read', modern)).toMatchObject({
      serverGate: 'extensions.io.modelcontextprotocol/skills#directoryRead',
    })
  })

  it('are one at most for each name in each revision, and a name that left does not come back', () => {
    for (const name of new Set(methodRows.map((row) => row.name))) {
      const found = allRevisions.map(
        ({ version }) => methodRows.filter((row) => row.name === name && isInRevision(row, version)).length,
      )
      expect(found.join('')).toMatch(/^0*1+0*$/)
    }
  })
})
