import { describe, expect, it } from 'vitest'
import {
  decodeHeaderValue,
  encodeHeaderValue,
  headerFault,
  headerOf,
  type JsonObject,
  type Message,
  protocolVersionKey,
  type RequestHeaders,
  standardHeaders,
} from '#protocol'

const _meta = { [protocolVersionKey]: '2026-07-28' }
const request = (method: string, params: JsonObject = {}): Message => ({
  kind: 'request',
  id: 1,
  method,
  params: { _meta, ...params },
})
const version = { 'mcp-protocol-version': '2026-07-28' }

describe('headerFault', () => {
  it.each<[string, JsonObject, RequestHeaders]>([
    ['tools/list', {}, { 'mcp-method': 'tools/list' }],
    ['tools/call', { name: 'add' }, { 'mcp-method': 'tools/call', 'mcp-name': 'add' }],
    ['tools/call', { name: 'add' }, { 'mcp-method': ' tools/call\t', 'mcp-name': '  add  ' }],
    ['tools/call', { name: 'größer' }, { 'mcp-method': 'tools/call', 'mcp-name': '=?base64?Z3LDtsOfZXI=?=' }],
    ['prompts/get', { name: 'p' }, { 'mcp-method': 'prompts/get', 'mcp-name': 'p' }],
    ['resources/read', { uri: 'a://b' }, { 'mcp-method': 'resources/read', 'mcp-name': 'a://b' }],
    ['tasks/get', { taskId: 't' }, { 'mcp-method': 'tasks/get', 'mcp-name': 't' }],
    ['tasks/update', { taskId: 't' }, { 'mcp-method': 'tasks/update', 'mcp-name': 't' }],
    ['tasks/cancel', { taskId: 't' }, { 'mcp-method': 'tasks/cancel', 'mcp-name': 't' }],
    // What the body lacks is for the checks of the body.
    ['tools/call', {}, { 'mcp-method': 'tools/call' }],
    ['tools/call', { name: 7 }, { 'mcp-method': 'tools/call', 'mcp-name': 'x' }],
    ['unknown/method', { name: 'x' }, { 'mcp-method': 'unknown/method' }],
    ['tools/list', { name: 'x' }, { 'mcp-method': 'tools/list', 'mcp-name': 'y' }],
    ['skills/get', { uri: 'x' }, { 'mcp-method': 'skills/get' }],
    ['initialize', {}, { 'mcp-method': 'initialize' }],
  ])('finds none for %s %j with %j', (method, params, headers) => {
    expect(headerFault({ ...version, ...headers }, request(method, params))).toBeUndefined()
  })

  it.each<[string, JsonObject, RequestHeaders, string]>([
    [
      'tools/list',
      {},
      { 'mcp-method': 'prompts/list' },
      'Mcp-Method says string "prompts/list", the body says string "tools/list"',
    ],
    ['tools/list', {}, {}, 'the header Mcp-Method is missing, the body says string "tools/list"'],
    [
      'tools/list',
      {},
      { 'mcp-method': 'TOOLS/LIST' },
      'Mcp-Method says string "TOOLS/LIST", the body says string "tools/list"',
    ],
    [
      'tools/list',
      {},
      { 'mcp-method': '=?base64?dG9vbHMvbGlzdA==?=' },
      'Mcp-Method says string "=?base64?dG9vbHMvbGlzdA==?=", the body says string "tools/list"',
    ],
    [
      'tools/list',
      {},
      { 'mcp-method': ['tools/list', 'tools/list'] },
      'Mcp-Method says string "tools/list, tools/list", the body says string "tools/list"',
    ],
    [
      'tools/call',
      { name: 'add' },
      { 'mcp-method': 'tools/call', 'mcp-name': 'wrong' },
      'Mcp-Name says string "wrong", the body says string "add"',
    ],
    [
      'tools/call',
      { name: 'add' },
      { 'mcp-method': 'tools/call' },
      'the header Mcp-Name is missing, the body says string "add"',
    ],
    [
      'tasks/get',
      { taskId: 't' },
      { 'mcp-method': 'tasks/get', 'mcp-name': 'u' },
      'Mcp-Name says string "u", the body says string "t"',
    ],
    [
      'tools/call',
      { name: 'add' },
      { 'mcp-method': 'tools/call', 'mcp-name': '=?base64?YWRk!?=' },
      'Mcp-Name holds string "=?base64?YWRk!?=", which is neither plain ASCII nor valid =?base64?...?=',
    ],
    [
      'tools/call',
      { name: 'größer' },
      { 'mcp-method': 'tools/call', 'mcp-name': 'gr\u00c3\u00b6\u00c3\u009fer' },
      'Mcp-Name holds string "grÃ¶Ã\u009fer", which is neither plain ASCII nor valid =?base64?...?=',
    ],
  ])('finds one for %s %j with %j', (method, params, headers, reason) => {
    expect(headerFault({ ...version, ...headers }, request(method, params))).toEqual({
      code: -32020,
      message: `Header mismatch: ${reason}`,
    })
  })

  it('wants the version first of all, the same as in the body', () => {
    expect(headerFault({}, request('tools/list'))?.message).toContain('MCP-Protocol-Version is missing')
    expect(headerFault({ 'mcp-protocol-version': 'v9' }, request('tools/list'))?.message).toContain(
      'MCP-Protocol-Version says string "v9", the body says string "2026-07-28"',
    )
  })

  it('wants none of a notification', () => {
    expect(headerFault({}, { kind: 'notification', method: 'notifications/cancelled', params: {} })).toBeUndefined()
  })

  it('finds none with the headers that a client makes', () => {
    for (const name of ['add', 'größer', ' x ', '=?base64?x?=', '']) {
      const headers = standardHeaders('2026-07-28', 'tools/call', { name })
      expect(headerFault(lowered(headers), request('tools/call', { name }))).toBeUndefined()
    }
    expect(standardHeaders('2026-07-28', 'tools/list', undefined)).toEqual({
      'MCP-Protocol-Version': '2026-07-28',
      'Mcp-Method': 'tools/list',
    })
  })
})

describe('values of headers', () => {
  it.each([
    ['us-west1', 'us-west1'],
    ['a b', 'a b'],
    ['', ''],
    [42, '42'],
    [-7, '-7'],
    [true, 'true'],
    [false, 'false'],
    ['Hello, 世界', '=?base64?SGVsbG8sIOS4lueVjA==?='],
    [' padded ', '=?base64?IHBhZGRlZCA=?='],
    ['line1\nline2', '=?base64?bGluZTEKbGluZTI=?='],
    ['=?base64?literal?=', '=?base64?PT9iYXNlNjQ/bGl0ZXJhbD89?='],
    ['\tx', '=?base64?CXg=?='],
  ])('%j is carried as %s', (value, carried) => {
    expect(encodeHeaderValue(value)).toBe(carried)
    expect(decodeHeaderValue(carried)).toBe(String(value))
  })

  it.each([
    ['SGVsbG8=', 'SGVsbG8='],
    ['=?base64?SGVsbG8=', '=?base64?SGVsbG8='],
    ['SGVsbG8=?=', 'SGVsbG8=?='],
    ['=?BASE64?SGVsbG8=?=', '=?BASE64?SGVsbG8=?='],
    ['=?base64?=', '=?base64?='],
    ['=?base64??=', ''],
    ['a\tb', 'a\tb'],
    ['=?base64?77u/eA==?=', '\ufeffx'],
  ])('%j is read as %j', (carried, value) => {
    expect(decodeHeaderValue(carried)).toBe(value)
  })

  it.each([
    ['=?base64?SGVsbG8?=', 'padding that is missing'],
    ['=?base64?SGVs!!!bG8=?=', 'characters of no base64'],
    ['=?base64?SGVsbG8-_w==?=', 'the alphabet of URLs'],
    ['=?base64?SGVsbG9=?=', 'bits that are left over'],
    ['=?base64?/w==?=', 'bytes that are no UTF-8'],
    ['gr\u00fcn', 'characters beyond ASCII'],
    ['a\u0000b', 'control characters'],
    ['a\r\nb: c', 'line breaks'],
  ])('%j is refused for %s', (carried) => {
    expect(decodeHeaderValue(carried)).toBeUndefined()
  })

  it('are found by any spelling of the name, without the white space around them', () => {
    expect(headerOf({ 'mcp-name': ' \tx y \t' }, 'Mcp-Name')).toBe('x y')
    expect(headerOf({ 'mcp-name': undefined }, 'MCP-NAME')).toBeUndefined()
    expect(headerOf({}, 'Mcp-Name')).toBeUndefined()
  })
})

function lowered(headers: Record<string, string>): RequestHeaders {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]))
}
