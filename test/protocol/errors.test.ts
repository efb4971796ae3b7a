import { describe, expect, it } from 'vitest'
import {
  internalError,
  invalidParams,
  isAtLeast,
  isLogLevel,
  logLevels,
  methodNotFound,
  ProtocolError,
  resourceNotFound,
  toErrorObject,
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
