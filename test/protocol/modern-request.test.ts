import { describe, expect, it } from 'vitest'
import {
  clientCapabilitiesKey,
  clientInfoKey,
  type ErrorObject,
  isModern,
  type JsonObject,
  logLevelKey,
  type Message,
  protocolVersionKey,
  type RequestHeaders,
  readRequestMeta,
} from '#protocol'

const base = { [protocolVersionKey]: '2026-07-28', [clientCapabilitiesKey]: {} }

describe('readRequestMeta', () => {
  it('reads what a request says of itself', () => {
    const clientInfo = { name: 'c', version: '1', title: 'C' }
    const _meta = {
      ...base,
      [clientCapabilitiesKey]: { sampling: {}, extensions: { 'a.b/c': {} } },
      [clientInfoKey]: clientInfo,
      [logLevelKey]: 'warning',
      progressToken: 7,
      traceparent: '00-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-01',
      tracestate: 'a=b',
      baggage: 'c=d',
      'example.org/x': 1,
    }
    expect(readRequestMeta({ _meta })).toEqual({
      protocolVersion: '2026-07-28',
      clientCapabilities: { sampling: { context: false, tools: false }, extensions: { 'a.b/c': {} } },
      clientInfo,
      logLevel: 'warning',
      progressToken: 7,
      traceparent: _meta.traceparent,
      tracestate: 'a=b',
      baggage: 'c=d',
    })
  })

  it('needs no more than a version and capabilities', () => {
    expect(readRequestMeta({ _meta: base })).toMatchObject({
      protocolVersion: '2026-07-28',
      clientCapabilities: {},
      clientInfo: undefined,
      logLevel: undefined,
      progressToken: undefined,
    })
  })

  it('leaves trace context that is no text', () => {
    expect(readRequestMeta({ _meta: { ...base, traceparent: 7, baggage: {} } })).toMatchObject({
      traceparent: undefined,
      baggage: undefined,
    })
  })

  it('takes a version that nobody serves: that is another error', () => {
    expect(readRequestMeta({ _meta: { ...base, [protocolVersionKey]: 'v999' } })).toMatchObject({
      protocolVersion: 'v999',
    })
  })

  const { [protocolVersionKey]: _version, ...withoutVersion } = base
  const { [clientCapabilitiesKey]: _capabilities, ...withoutCapabilities } = base
  it.each<[string, JsonObject | undefined, string]>([
    ['no params', undefined, 'params._meta must be an object with'],
    ['no _meta', {}, 'params._meta must be an object with'],
    ['a _meta of another type', { _meta: 'x' }, 'params._meta must be an object with'],
    ['no version', { _meta: withoutVersion }, `params._meta["${protocolVersionKey}"] must be a string, got nothing`],
    [
      'a version of another type',
      { _meta: { ...base, [protocolVersionKey]: 7 } },
      `params._meta["${protocolVersionKey}"] must be a string, got number 7`,
    ],
    [
      'no capabilities',
      { _meta: withoutCapabilities },
      `params._meta["${clientCapabilitiesKey}"] must be an object, got nothing`,
    ],
    [
      'capabilities of another type',
      { _meta: { ...base, [clientCapabilitiesKey]: [] } },
      `params._meta["${clientCapabilitiesKey}"] must be an object, got array of 0`,
    ],
    [
      'a client without a version',
      { _meta: { ...base, [clientInfoKey]: { name: 'c' } } },
      `params._meta["${clientInfoKey}"] must be an object with a name and a version, got object`,
    ],
    [
      'an unknown log level',
      { _meta: { ...base, [logLevelKey]: 'loud' } },
      `params._meta["${logLevelKey}"] must be a log level from debug to emergency, got string "loud"`,
    ],
    [
      'a progress token of another type',
      { _meta: { ...base, progressToken: {} } },
      'params._meta["progressToken"] must be a string or an integer, got object',
    ],
  ])('refuses %s as invalid params', (_name, params, sentence) => {
    const { code, message } = readRequestMeta(params) as ErrorObject
    expect(code).toBe(-32602)
    expect(message).toContain(sentence)
  })
})

describe('isModern', () => {
  const request = (method: string, _meta?: JsonObject): Message => ({
    kind: 'request',
    id: 1,
    method,
    params: _meta === undefined ? undefined : { _meta },
  })
  const versions = {
    modern: '2026-07-28',
    unknown: 'v999.0.0',
    older: '2025-11-25',
    oldest: '2024-11-05',
    none: undefined,
  } as const
  type Version = keyof typeof versions

  // Body, header, and the era of tools/list, initialize and server/discover.
  it.each<[body: Version, header: Version, list: boolean, initialize: boolean, discover: boolean]>([
    ['modern', 'modern', true, true, true],
    ['modern', 'none', true, true, true],
    ['modern', 'older', true, true, true],
    ['modern', 'unknown', true, true, true],
    ['unknown', 'modern', true, true, true],
    ['unknown', 'unknown', true, true, true],
    ['unknown', 'none', true, true, true],
    ['older', 'modern', true, false, true],
    ['older', 'unknown', true, false, true],
    ['older', 'older', false, false, true],
    ['older', 'none', false, false, true],
    ['oldest', 'none', false, false, true],
    ['none', 'modern', true, false, true],
    ['none', 'unknown', true, false, true],
    ['none', 'older', false, false, false],
    ['none', 'oldest', false, false, false],
    ['none', 'none', false, false, true],
  ])('body %s, header %s: tools/list %s, initialize %s, server/discover %s', (body, header, ...expected) => {
    const _meta = versions[body] === undefined ? undefined : { [protocolVersionKey]: versions[body] }
    const headers: RequestHeaders = { 'mcp-protocol-version': versions[header] }
    const found = ['tools/list', 'initialize', 'server/discover'].map((method) =>
      isModern(request(method, _meta), headers),
    )
    expect(found).toEqual(expected)
  })

  it('reads the body where there are no headers', () => {
    expect(isModern(request('tools/list', base))).toBe(true)
    expect(isModern(request('server/discover'))).toBe(true)
    expect(isModern(request('tools/list'))).toBe(false)
    expect(isModern(request('tools/list', { progressToken: 1 }))).toBe(false)
  })

  it('takes a version of another type, and capabilities without a version, for modern ones that are malformed', () => {
    expect(isModern(request('tools/list', { [protocolVersionKey]: 7 }))).toBe(true)
    expect(isModern(request('tools/list', { [clientCapabilitiesKey]: {} }))).toBe(true)
    expect(
      isModern(request('tools/list', { [clientCapabilitiesKey]: {} }), { 'mcp-protocol-version': '2025-11-25' }),
    ).toBe(false)
  })

  it('leaves an unknown version of a session to the session', () => {
    const headers = { 'mcp-protocol-version': '1999-01-01', 'mcp-session-id': 's' }
    expect(isModern(request('tools/list'), headers)).toBe(false)
    expect(isModern(request('tools/list', base), headers)).toBe(true)
    expect(isModern(request('tools/list'), { ...headers, 'mcp-protocol-version': '2026-07-28' })).toBe(true)
  })

  it('tells notifications by the same marks, and takes answers for legacy ones', () => {
    const notification: Message = { kind: 'notification', method: 'notifications/cancelled', params: { _meta: base } }
    expect(isModern(notification)).toBe(true)
    expect(isModern({ ...notification, params: {} })).toBe(false)
    expect(isModern({ ...notification, params: {} }, { 'mcp-protocol-version': '2026-07-28' })).toBe(true)
    const headers = { 'mcp-protocol-version': '2026-07-28' }
    expect(isModern({ kind: 'response', id: 1, result: {} }, headers)).toBe(false)
    expect(isModern({ kind: 'error', id: 1, error: { code: 1, message: '' } }, headers)).toBe(false)
  })
})
