import { describe, expect, it } from 'vitest'
import {
  BATCH_LENGTH_MAX,
  DEPTH_MAX,
  decode,
  encodeBatch,
  encodeError,
  encodeNotification,
  encodeRequest,
  encodeResult,
  type Message,
} from '#protocol'

function one(text: string): Message {
  const message = decode(text)
  if (Array.isArray(message)) throw new Error('a batch came back')
  return message
}

describe('decode', () => {
  it.each([
    ['a request', '{"jsonrpc":"2.0","id":1,"method":"ping"}', { kind: 'request', id: 1, method: 'ping' }],
    ['a request with a string id', '{"jsonrpc":"2.0","id":"a","method":"ping"}', { kind: 'request', id: 'a' }],
    ['a request with an empty id', '{"jsonrpc":"2.0","id":"","method":"ping"}', { kind: 'request', id: '' }],
    ['a request with id 0', '{"jsonrpc":"2.0","id":0,"method":"ping","params":{"a":1}}', { id: 0, params: { a: 1 } }],
    ['a notification', '{"jsonrpc":"2.0","method":"x","params":{}}', { kind: 'notification', method: 'x', params: {} }],
    ['a response', '{"jsonrpc":"2.0","id":1,"result":{}}', { kind: 'response', id: 1, result: {} }],
    ['an error', '{"jsonrpc":"2.0","id":1,"error":{"code":-1,"message":"no"}}', { kind: 'error', error: { code: -1 } }],
    ['an error without an id', '{"jsonrpc":"2.0","error":{"code":-1,"message":"no"}}', { kind: 'error', id: null }],
    [
      'an error with id null',
      '{"jsonrpc":"2.0","id":null,"error":{"code":-1,"message":"no"}}',
      { kind: 'error', id: null },
    ],
  ])('reads %s', (_name, text, expected) => {
    expect(decode(text)).toMatchObject(expected)
  })

  it.each([
    ['no text', '', null, -32700],
    ['half a message', '{"jsonrpc":"2.0"', null, -32700],
    ['a number', '7', null, -32600],
    ['null', 'null', null, -32600],
    ['a string', '"x"', null, -32600],
    ['an empty batch', '[]', null, -32600],
    ['no jsonrpc', '{"id":1,"method":"ping"}', 1, -32600],
    ['jsonrpc 1.0', '{"jsonrpc":"1.0","id":"a","method":"ping"}', 'a', -32600],
    ['jsonrpc as a number', '{"jsonrpc":2.0,"id":1,"method":"ping"}', 1, -32600],
    ['a null id', '{"jsonrpc":"2.0","id":null,"method":"ping"}', null, -32600],
    ['a fractional id', '{"jsonrpc":"2.0","id":1.5,"method":"ping"}', null, -32600],
    ['an id that would be rounded', '{"jsonrpc":"2.0","id":9007199254740993,"method":"ping"}', null, -32600],
    ['an object id', '{"jsonrpc":"2.0","id":{},"method":"ping"}', null, -32600],
    ['a method that is no string', '{"jsonrpc":"2.0","id":1,"method":7}', 1, -32600],
    ['params that are an array', '{"jsonrpc":"2.0","id":1,"method":"ping","params":[1]}', 1, -32600],
    ['params that are null', '{"jsonrpc":"2.0","id":1,"method":"ping","params":null}', 1, -32600],
    ['params that are a string', '{"jsonrpc":"2.0","id":1,"method":"ping","params":"x"}', 1, -32600],
    ['a method and a result', '{"jsonrpc":"2.0","id":1,"method":"ping","result":{}}', 1, -32600],
    ['result and error', '{"jsonrpc":"2.0","id":1,"result":{},"error":{"code":1,"message":""}}', 1, -32600],
    ['a result without an id', '{"jsonrpc":"2.0","result":{}}', null, -32600],
    ['a result that is no object', '{"jsonrpc":"2.0","id":1,"result":[]}', 1, -32600],
    ['a fractional error code', '{"jsonrpc":"2.0","id":1,"error":{"code":1.5,"message":"x"}}', 1, -32600],
    ['an error without a message', '{"jsonrpc":"2.0","id":1,"error":{"code":1}}', 1, -32600],
    ['neither method nor result', '{"jsonrpc":"2.0","id":1}', 1, -32600],
  ])('answers %s with its error', (_name, text, id, code) => {
    expect(decode(text)).toMatchObject({ kind: 'invalid', id, error: { code } })
  })

  it('gives an array for a batch, in its order, with bad entries in place', () => {
    const messages = decode('[{"jsonrpc":"2.0","id":1,"method":"ping"},7,{"jsonrpc":"2.0","method":"x"}]')
    expect(messages).toMatchObject([{ kind: 'request' }, { kind: 'invalid' }, { kind: 'notification' }])
  })

  it('gives an array for a batch of one, and refuses a batch that is too long as a whole', () => {
    expect(decode('[{"jsonrpc":"2.0","id":1,"method":"ping"}]')).toHaveLength(1)
    expect(
      decode(
        `[${Array(BATCH_LENGTH_MAX + 1)
          .fill('1')
          .join(',')}]`,
      ),
    ).toMatchObject({ kind: 'invalid' })
  })

  it('names what came, and leaks no more of a broken text than a position', () => {
    expect(one('{"jsonrpc":"2.0","id":1,"method":7}')).toMatchObject({
      error: { message: 'Invalid request: method must be a string, got number 7' },
    })
    const broken = one('{"password":"hunter2",}')
    expect(broken.kind === 'invalid' && broken.error.message).not.toContain('hunter2')
  })

  it('lets text nest as deep as the bound and no deeper, brackets in strings apart', () => {
    const nested = (depth: number): string =>
      `{"jsonrpc":"2.0","id":1,"method":"x","params":{"a":${'['.repeat(depth - 2)}${']'.repeat(depth - 2)}}}`
    expect(one(nested(DEPTH_MAX)).kind).toBe('request')
    expect(one(nested(DEPTH_MAX + 1))).toMatchObject({ kind: 'invalid', error: { code: -32600 } })
    expect(one(nested(200_000)).kind).toBe('invalid')
    const quoted = `{"jsonrpc":"2.0","id":1,"method":"x","params":{"a":"${'[{\\"'.repeat(2_000)}"}}`
    expect(one(quoted).kind).toBe('request')
    const wide = `{"jsonrpc":"2.0","id":1,"method":"x","params":{"a":[${Array(2_000).fill('[]').join(',')}]}}`
    expect(one(wide).kind).toBe('request')
  })

  it.each(['__proto__', '\\u005f_proto__', '_\\u005F\\u0070roto__'])('drops keys spelled %s', (key) => {
    const message = one(
      `{"jsonrpc":"2.0","id":1,"method":"x","params":{"a":{"${key}":{"isAdmin":true},"b":"__proto__"}}}`,
    )
    if (message.kind !== 'request') throw new Error(message.kind)
    const copy = Object.assign({}, message.params?.['a'])
    expect(copy).toEqual({ b: '__proto__' })
    expect(Reflect.get(copy, 'isAdmin')).toBeUndefined()
  })
})

describe('encode', () => {
  it('writes each kind of message as one line', () => {
    expect(encodeRequest(1, 'ping')).toBe('{"jsonrpc":"2.0","id":1,"method":"ping"}')
    expect(encodeRequest('a"b', 'x', { a: '\n' })).toBe(
      '{"jsonrpc":"2.0","id":"a\\"b","method":"x","params":{"a":"\\n"}}',
    )
    expect(encodeNotification('x', {})).toBe('{"jsonrpc":"2.0","method":"x","params":{}}')
    expect(encodeResult(1)).toBe('{"jsonrpc":"2.0","id":1,"result":{}}')
    expect(encodeError(null, { code: -32700, message: 'x' })).toBe(
      '{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"x"}}',
    )
    expect(encodeError(1, { code: 1, message: 'x', data: { a: 1 } })).toContain('"data":{"a":1}')
    expect(encodeBatch([encodeResult(1), encodeResult(2)])).toBe(`[${encodeResult(1)},${encodeResult(2)}]`)
  })

  it('throws for what JSON cannot carry, so that the fault stays with who made it', () => {
    expect(() => encodeResult(1, { n: 1n })).toThrow(TypeError)
  })
})
