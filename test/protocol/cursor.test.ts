import { describe, expect, it } from 'vitest'
import { decodeCursor, ErrorCode, encodeCursor, paginate } from '#protocol'

const items = Array.from({ length: 7 }, (_, index) => index)

describe('paginate', () => {
  it('gives pages in order, and no cursor on the last', () => {
    const first = paginate('tools', items, undefined, 3)
    expect(first.page).toEqual([0, 1, 2])
    const second = paginate('tools', items, first.nextCursor, 3)
    expect(second.page).toEqual([3, 4, 5])
    const third = paginate('tools', items, second.nextCursor, 3)
    expect(third).toEqual({ page: [6] })
  })

  it('gives no cursor when the last page is full', () => {
    expect(paginate('tools', items, undefined, 7)).toEqual({ page: items })
    expect(paginate('tools', [], undefined, 7)).toEqual({ page: [] })
  })

  it('gives an empty page past the end of a list that shrank', () => {
    expect(paginate('tools', items, encodeCursor({ list: 'tools', offset: 50 }), 3)).toEqual({ page: [] })
  })

  it.each([
    ['no text', ''],
    ['arbitrary text', 'nonsense'],
    ['a number', 7],
    ['null', null],
    ['a cursor of another list', encodeCursor({ list: 'prompts', offset: 3 })],
    ['a negative offset', encodeCursor({ list: 'tools', offset: -1 })],
    ['a fractional offset', encodeCursor({ list: 'tools', offset: 1.5 })],
    ['padding', `${encodeCursor({ list: 'tools', offset: 3 })}=`],
    ['a very long text', 'a'.repeat(100_000)],
  ])('answers %s with -32602', (_name, cursor) => {
    expect(() => paginate('tools', items, cursor, 3)).toThrow(
      expect.objectContaining({ code: ErrorCode.InvalidParams }),
    )
    expect(decodeCursor(cursor, 'tools')).toBeUndefined()
  })
})
