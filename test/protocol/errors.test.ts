import { describe, expect, it } from 'vitest'
import {
  capabilitiesOf,
  headerMismatch,
  httpStatusOf,
  internalError,
  invalidParams,
  isAtLeast,
  isLogLevel,
  logLevels,
  methodNotFound,
  missingClientCapability,
  ProtocolError,
  resourceNotFound,
  toErrorObject,
  unsupportedProtocolVersion,
} from '#protocol'

describe('toErrorObject', () => {
  it.each([
    ['a protocol error', invalidParams('no'), { code: -32602, message: 'no' }],
    ['an unknown method', methodNotFound('x/y'), { code: -32601, message: 'Method not found: x/y' }],
    [
      'an unknown resource',
      resourceNotFound('a://b'),
      { code: -32002, message: 'Resource not found: a://b', data: { uri: 'a://b' } },
    ],
    [
      'data',
      new ProtocolError(-32042, 'first', { elicitations: [] }),
      { code: -32042, message: 'first', data: { elicitations: [] } },
    ],
    ['any other error', new Error('boom'), { code: -32603, message: 'Internal error: boom' }],
    ['a thrown string', 'boom', { code: -32603, message: 'Internal error: boom' }],
  ])('says %s', (_name, thrown, expected) => {
    expect(toErrorObject(thrown)).toEqual(expected)
  })

  it('keeps a cause to itself', () => {
    const error = internalError('broken', new Error('secret'))
    expect(error.cause).toBeInstanceOf(Error)
    expect(JSON.stringify(toErrorObject(error))).not.toContain('secret')
  })
})

describe('log levels', () => {
  it('are eight, and rise', () => {
    expect(logLevels).toHaveLength(8)
    for (const [index, level] of logLevels.entries()) {
      for (const [other, minimum] of logLevels.entries()) expect(isAtLeast(level, minimum)).toBe(index >= other)
    }
  })

  it.each(['Debug', 'warn', '', 7, null, undefined, 'toString', ['info']])('%j is none', (value) => {
    expect(isLogLevel(value)).toBe(false)
  })
})

describe('errors of the modern era', () => {
  it('have the data that the specification asks for', () => {
    expect(toErrorObject(headerMismatch('Header mismatch: x'))).toEqual({ code: -32020, message: 'Header mismatch: x' })
    expect(toErrorObject(missingClientCapability(capabilitiesOf(['sampling'])))).toEqual({
      code: -32021,
      message: 'The request needs client capabilities that it does not declare: {"sampling":{}}',
      data: { requiredCapabilities: { sampling: {} } },
    })
    expect(toErrorObject(unsupportedProtocolVersion('v999.0.0', ['2026-07-28', '2025-11-25']))).toEqual({
      code: -32022,
      message: 'Unsupported protocol version: v999.0.0. Served are 2026-07-28, 2025-11-25.',
      data: { supported: ['2026-07-28', '2025-11-25'], requested: 'v999.0.0' },
    })
  })

  it('repeat no endless version in the message', () => {
    expect(unsupportedProtocolVersion('x'.repeat(10_000), ['2026-07-28']).message.length).toBeLessThan(100)
  })

  it.each([
    [-32700, false, 400],
    [-32600, false, 400],
    [-32601, false, 404],
    [-32602, false, 200],
    [-32602, true, 400],
    [-32603, false, 200],
    [-32603, true, 200],
    [-32020, false, 400],
    [-32021, false, 400],
    [-32022, false, 400],
    [7, false, 200],
  ])('%d, refused before its method ran: %s, has status %d', (code, isRefusal, status) => {
    expect(httpStatusOf({ code, message: '' }, isRefusal)).toBe(status)
  })
})
