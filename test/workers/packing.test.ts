/** Packing: what structured clone loses comes through, and what it keeps is left alone. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { CloneError, cloneError } from '#workers/clone-error'
import { needsPacking, pack, unpack } from '#workers/packing'

const noRefs = {
  tokenOf: (): never => {
    throw new Error('no refs here')
  },
  refOf: () => undefined,
}
/** Over the border and back to life. */
const cross = (value: unknown): unknown => {
  if (!needsPacking(value)) return structuredClone(value)
  return unpack(structuredClone(pack(value, noRefs)), noRefs)
}

const seed = Number(process.env['BOUGH_SEED'] ?? 20_251_125)
const plain = fc.anything({ withBigInt: true, withDate: true, withMap: true, withSet: true, withTypedArray: true })
const anError = fc
  .record({
    message: fc.string(),
    code: fc.string(),
    type: fc.constantFrom(Error, TypeError, RangeError),
    extra: plain,
  })
  .map(({ message, code, type, extra }) => Object.assign(new type(message), { code, extra }))

describe('packing', () => {
  it('leaves plain data alone, and what crosses equals what was sent', () => {
    fc.assert(
      fc.property(plain, (value) => {
        expect(needsPacking(value)).toBe(false)
        expect(cross(value)).toEqual(structuredClone(value))
      }),
      { seed },
    )
  })

  it('brings errors through at any depth, in what surrounds them', () => {
    fc.assert(
      fc.property(anError, plain, (error, beside) => {
        const sent = { list: [beside, new Map<unknown, unknown>([['error', error]])], again: error }
        const came = cross(sent) as typeof sent
        const copy = came.again
        expect(copy).toBeInstanceOf(error.constructor)
        expect(copy).toMatchObject({ message: error.message, code: error.code, stack: error.stack })
        expect(copy.extra).toEqual(structuredClone(error.extra))
        expect((came.list[1] as Map<string, unknown>).get('error')).toBe(copy)
        expect(came.list[0]).toEqual(structuredClone(beside))
      }),
      { seed },
    )
  })

  it('keeps circles of errors, and aggregates', () => {
    const one = new Error('one')
    const two = new Error('two', { cause: one })
    one.cause = two
    const copy = cross(one) as Error
    expect((copy.cause as Error).message).toBe('two')
    expect((copy.cause as Error).cause).toBe(copy)
    const many = cross(new AggregateError([new TypeError('a'), 'b'], 'many')) as AggregateError
    expect(many).toBeInstanceOf(AggregateError)
    expect(many.errors).toMatchObject([{ name: 'TypeError', message: 'a' }, 'b'])
  })

  it('ends a chain of causes that has no end', () => {
    let error = new Error('0')
    for (let depth = 1; depth < 10_000; depth++) error = new Error(String(depth), { cause: error })
    const copy = cross(error) as Error
    let depth = 0
    for (let at: unknown = copy; at instanceof Error; at = at.cause) depth++
    expect(depth).toBeGreaterThan(5)
    expect(depth).toBeLessThan(20)
  })

  it('words for fields of an error that have no copy take their place', () => {
    const error = Object.assign(new Error('it broke'), { socket: { write: () => true }, status: 503 })
    expect(cross(error)).toMatchObject({
      message: 'it broke',
      status: 503,
      socket: expect.stringContaining('cannot cross'),
    })
  })
})

describe('the error for what has no copy', () => {
  it('names the path to the culprit through circles, maps, sets and odd keys', () => {
    const value: Record<string, unknown> = { fine: 1 }
    value['self'] = value
    value['odd key'] = [new Set([1, { 7: new Map([['k', () => 1]]) }])]
    const error = cloneError('The argument', 'arg', value)
    expect(error).toBeInstanceOf(CloneError)
    expect(error.path).toBe('arg["odd key"][0].values()[1]["7"].get("k")')
  })

  it('ends on any value', () => {
    const strange = fc.anything({ values: [fc.constant(() => 1), fc.string(), fc.constant(Symbol('s'))], maxDepth: 4 })
    fc.assert(
      fc.property(strange, (value) => {
        expect(cloneError('It', 'arg', value).path).toMatch(/^arg/)
      }),
      { seed },
    )
  })
})
