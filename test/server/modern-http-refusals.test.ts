/** What a request of the modern era must say over HTTP, in its headers and in its body: statuses and codes, row by row. */
import { describe, expect, it } from 'vitest'
import { metaOf, VERSION } from './modern-client.ts'
import { base64, type Headers, headersOf } from './modern-http-client.ts'
import { start } from './modern-http-support.ts'

describe('a header of a modern request', () => {
  const call = { name: 'echo', arguments: { n: 1 } }
  const fine: Headers = {}
  const absent = (name: string): Headers => ({ [name]: undefined })
  const rows: readonly (readonly [string, string, object, Headers, number, number | undefined])[] = [
    ['all as they should be', 'tools/call', call, fine, 200, undefined],
    ['MCP-Protocol-Version missing', 'tools/call', call, absent('mcp-protocol-version'), 400, -32020],
    [
      'MCP-Protocol-Version of another revision',
      'tools/call',
      call,
      { 'mcp-protocol-version': '2025-11-25' },
      400,
      -32020,
    ],
    ['MCP-Protocol-Version of no revision', 'tools/call', call, { 'mcp-protocol-version': '2999-01-01' }, 400, -32020],
    ['MCP-Protocol-Version empty', 'tools/call', call, { 'mcp-protocol-version': '' }, 400, -32020],
    ['Mcp-Method missing', 'tools/call', call, absent('mcp-method'), 400, -32020],
    ['Mcp-Method of another method', 'tools/call', call, { 'mcp-method': 'tools/list' }, 400, -32020],
    ['Mcp-Method in other letters', 'tools/call', call, { 'mcp-method': 'Tools/Call' }, 400, -32020],
    ['Mcp-Method missing on a list', 'tools/list', {}, absent('mcp-method'), 400, -32020],
    [
      'Mcp-Method missing on a listen',
      'subscriptions/listen',
      { notifications: {} },
      absent('mcp-method'),
      400,
      -32020,
    ],
    ['Mcp-Name missing on a call', 'tools/call', call, absent('mcp-name'), 400, -32020],
    ['Mcp-Name of another tool', 'tools/call', call, { 'mcp-name': 'gated' }, 400, -32020],
    ['Mcp-Name in other letters', 'tools/call', call, { 'mcp-name': 'ECHO' }, 400, -32020],
    ['Mcp-Name in base64', 'tools/call', call, { 'mcp-name': base64('echo') }, 200, undefined],
    ['Mcp-Name in base64 of another tool', 'tools/call', call, { 'mcp-name': base64('gated') }, 400, -32020],
    ['Mcp-Name in broken base64', 'tools/call', call, { 'mcp-name': '=?base64?ZWNobw?=' }, 400, -32020],
    [
      'Mcp-Name in base64 that is no UTF-8',
      'tools/call',
      call,
      { 'mcp-name': base64(new Uint8Array([0xff])) },
      400,
      -32020,
    ],
    ['Mcp-Name with white space around it', 'tools/call', call, { 'mcp-name': '  echo ' }, 200, undefined],
    ['Mcp-Name missing on a prompt', 'prompts/get', { name: 'review' }, absent('mcp-name'), 400, -32020],
    ['Mcp-Name missing on a read', 'resources/read', { uri: 'config://app' }, absent('mcp-name'), 400, -32020],
    [
      'Mcp-Name of another resource',
      'resources/read',
      { uri: 'config://app' },
      { 'mcp-name': 'config://other' },
      400,
      -32020,
    ],
    [
      'Mcp-Name in base64 of a name beyond ASCII',
      'prompts/get',
      { name: 'grüße' },
      { 'mcp-name': base64('grüße') },
      200,
      undefined,
    ],
    ['Mcp-Name beyond ASCII as it is', 'prompts/get', { name: 'grüße' }, { 'mcp-name': 'grüße' }, 400, -32020],
    ['Mcp-Name on a method that has none', 'tools/list', {}, { 'mcp-name': 'whatever' }, 200, undefined],
    ['a session id that means nothing here', 'tools/call', call, { 'mcp-session-id': 'nobody' }, 200, undefined],
    ['an event id that means nothing here', 'tools/call', call, { 'last-event-id': '0_1' }, 200, undefined],
  ]

  it.each(rows)('%s', async (_what, method, params, headers, status, code) => {
    const { client } = await start()
    const { status: got, reply } = await client().ask(method, params, { headers })
    expect([got, reply.error?.code]).toEqual([status, code])
  })

  const args = { region: 'eu west', count: 42, dry: false, where: { zone: 'é' } }
  const right = {
    'mcp-param-region': 'eu west',
    'mcp-param-count': '42',
    'mcp-param-dry': 'false',
    'mcp-param-zone': base64('é'),
  }
  const parameterRows: readonly (readonly [string, object, Headers, number])[] = [
    ['Mcp-Param as it should be', args, right, 200],
    ['Mcp-Param in base64 though it need not', args, { ...right, 'mcp-param-region': base64('eu west') }, 200],
    ['Mcp-Param of a number, written otherwise', args, { ...right, 'mcp-param-count': '42.0' }, 200],
    ['Mcp-Param missing', args, { ...right, 'mcp-param-region': undefined }, 400],
    ['Mcp-Param of an inner argument missing', args, { ...right, 'mcp-param-zone': undefined }, 400],
    ['Mcp-Param of another text', args, { ...right, 'mcp-param-region': 'us' }, 400],
    ['Mcp-Param of another number', args, { ...right, 'mcp-param-count': '43' }, 400],
    ['Mcp-Param of a number that is none', args, { ...right, 'mcp-param-count': '0x2a' }, 400],
    ['Mcp-Param of another truth', args, { ...right, 'mcp-param-dry': 'true' }, 400],
    ['Mcp-Param in broken base64', args, { ...right, 'mcp-param-zone': '=?base64?w6k?=' }, 400],
    ['Mcp-Param with a character beyond ASCII', args, { ...right, 'mcp-param-zone': 'é' }, 400],
    ['Mcp-Param for an argument that is absent', { ...args, region: undefined }, right, 400],
    ['Mcp-Param for an argument that is null', { ...args, region: null }, right, 400],
    ['no Mcp-Param for arguments that are absent', {}, {}, 200],
    ['an Mcp-Param that the tool does not have', {}, { 'mcp-param-other': 'x' }, 200],
  ]

  it.each(parameterRows)('%s', async (_what, given, headers, status) => {
    const { client } = await start()
    const { status: got, reply } = await client().ask('tools/call', { name: 'mirrored', arguments: given }, { headers })
    expect([got, reply.error?.code]).toEqual([status, status === 200 ? undefined : -32020])
  })
})

describe('a modern request over HTTP that cannot be served', () => {
  it.each([
    ['a method that nobody has', 'nothing/such', {}, 404, -32601],
    ['a method of the legacy era', 'ping', {}, 404, -32601],
    ['logging/setLevel', 'logging/setLevel', { level: 'info' }, 404, -32601],
    ['tasks/list', 'tasks/list', {}, 404, -32601],
    ['a request that only servers make', 'sampling/createMessage', { messages: [], maxTokens: 1 }, 404, -32601],
    ['a tool that is not there', 'tools/call', { name: 'nope' }, 200, -32602],
    ['a resource that is not there', 'resources/read', { uri: 'no://where' }, 200, -32602],
    ['params of the wrong type', 'tools/call', { name: 7 }, 400, -32602],
    ['a cursor that is none', 'tools/list', { cursor: 'x' }, 200, -32602],
    ['a filter that is none', 'subscriptions/listen', { notifications: 7 }, 400, -32602],
    ['a question to a client that has no elicitation', 'tools/call', { name: 'greet' }, 400, -32021],
    ['a task for a client that has no tasks', 'tools/call', { name: 'job' }, 400, -32021],
    ['tasks/get of a client that has no tasks', 'tasks/get', { taskId: 'x' }, 400, -32021],
    ['a state that is none', 'tools/call', { name: 'greet', requestState: 'x' }, 200, -32602],
  ])('%s', async (_what, method, params, status, code) => {
    const { client } = await start()
    const { status: got, reply } = await client().ask(method, params)
    expect([got, reply.error?.code, reply.id]).toEqual([status, code, 1])
  })

  const meta = metaOf() as Record<string, unknown>
  const key = (name: string) => `io.modelcontextprotocol/${name}`
  it.each([
    ['no _meta', undefined, -32602],
    ['no version', { ...meta, [key('protocolVersion')]: undefined }, -32602],
    ['no capabilities', { ...meta, [key('clientCapabilities')]: undefined }, -32602],
    ['capabilities that are none', { ...meta, [key('clientCapabilities')]: 'all' }, -32602],
    ['a client without a name', { ...meta, [key('clientInfo')]: { version: '1' } }, -32602],
    ['a level that is none', { ...meta, [key('logLevel')]: 'loud' }, -32602],
  ])('%s', async (_what, _meta, code) => {
    const { client } = await start()
    const message = { jsonrpc: '2.0', id: 1, method: 'tools/list', params: { _meta } }
    const stream = await client().post(message, headersOf(message))
    await stream.over
    expect([stream.status, stream.messages[0]?.error?.code]).toEqual([400, code])
  })

  it('a version that is not served, with those that are', async () => {
    const { client } = await start({ revisions: ['2025-11-25', VERSION] })
    for (const version of ['2999-01-01', 'new']) {
      const asking = { meta: { 'io.modelcontextprotocol/protocolVersion': version } }
      const { status, reply } = await client().ask(
        'tools/list',
        {},
        { asking, headers: { 'mcp-protocol-version': version } },
      )
      expect([status, reply.error]).toEqual([
        400,
        { code: -32022, message: expect.any(String), data: { supported: [VERSION, '2025-11-25'], requested: version } },
      ])
    }
  })

  it('anything of the modern era, where only the legacy one is served', async () => {
    const { client } = await start({ revisions: ['2025-11-25'] })
    const { status, reply } = await client().ask('server/discover')
    expect([status, reply.error?.code, reply.error?.data]).toEqual([
      400,
      -32022,
      { supported: ['2025-11-25'], requested: VERSION },
    ])
  })

  it('text that is no JSON, and a batch', async () => {
    const { client } = await start()
    const message = { jsonrpc: '2.0', id: 1, method: 'tools/list', params: { _meta: metaOf() } }
    for (const [text, code] of [
      ['{nope', -32700],
      [JSON.stringify([message]), -32600],
    ] as const) {
      const stream = await client().post(text, headersOf(message))
      await stream.over
      expect([stream.status, stream.messages[0]?.error?.code]).toEqual([400, code])
    }
  })

  it('a handler that asks for what this era does not have is the fault of the tool, not of the method', async () => {
    const { client } = await start()
    const { status, reply } = await client().ask('tools/call', { name: 'pings' })
    expect([status, reply.error?.code, reply.result?.isError]).toEqual([200, undefined, true])
  })

  it('a notification is taken with 202 and has no answer', async () => {
    const { client } = await start()
    const message = { jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 1, _meta: metaOf() } }
    const stream = await client().post(message, headersOf(message))
    await stream.over
    expect([stream.status, stream.messages]).toEqual([202, []])
  })
})
