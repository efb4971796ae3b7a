import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { answeredIds } from '#transports/client-answers'

const SEED = Number(process.env['BOUGH_SEED'] ?? 42)

describe('what a message answers', () => {
  it.each([
    ['{"jsonrpc":"2.0","id":1,"result":{}}', [1]],
    ['{"jsonrpc":"2.0","id":"a b","error":{"code":1,"message":""}}', ['a b']],
    ['{"result":{"id":7},"jsonrpc":"2.0","id":2}', [2]],
    ['{ "id": 3, "jsonrpc": "2.0", "result": {"method": "x"} }', [3]],
    ['{"jsonrpc":"2.0","id":"\\u0061","result":{}}', ['a']],
    [
      '[{"jsonrpc":"2.0","id":1,"result":{}},{"jsonrpc":"2.0","method":"x"},{"jsonrpc":"2.0","id":2,"result":{}}]',
      [1, 2],
    ],
    ['{"jsonrpc":"2.0","id":4,"method":"roots/list"}', []],
    ['{"method":"ping","jsonrpc":"2.0","id":4}', []],
    ['{"jsonrpc":"2.0","method":"x","params":{"id":1,"result":{}}}', []],
    ['{"jsonrpc":"2.0","id":null,"error":{"code":1,"message":""}}', []],
    ['{"jsonrpc":"2.0","id":5}', []],
    ['17', []],
    ['null', []],
  ])('%s', (text, ids) => {
    expect(answeredIds(text)).toEqual(ids)
  })

  it.each(['', 'hello', '{"jsonrpc":"2.0","id":1,"result":{', '{"result":{"jsonrpc":"2.0","id":1'])(
    'is unknown where there is no JSON: %j',
    (text) => {
      expect(answeredIds(text)).toBeUndefined()
    },
  )

  it('is the same whatever the order of the members and the spaces', () => {
    const id = fc.oneof(fc.nat(), fc.string({ maxLength: 120 }))
    const outcome = fc.oneof(
      fc.dictionary(fc.constantFrom('id', 'result', 'jsonrpc', 'a'), fc.jsonValue()).map((result) => ({ result })),
      fc.jsonValue().map((data) => ({ error: { code: 1, message: '', data } })),
    )
    const orders = fc.shuffledSubarray(['jsonrpc', 'id', 'result', 'error'], { minLength: 4 })
    fc.assert(
      fc.property(id, outcome, orders, fc.constantFrom(0, 2), (answered, body, order, spaces) => {
        const all: Record<string, unknown> = { jsonrpc: '2.0', id: answered, ...body }
        const message = Object.fromEntries(order.filter((name) => name in all).map((name) => [name, all[name]]))
        expect(answeredIds(JSON.stringify(message, undefined, spaces))).toEqual([answered])
      }),
      { seed: SEED, numRuns: 1_000 },
    )
  })
})
