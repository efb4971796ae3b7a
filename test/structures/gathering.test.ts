import { describe, expect, it } from 'vitest'
import { Gathering } from '#structures/gathering'

describe('a gathering', () => {
  const laters: (() => void)[] = []
  const pass = (): void => laters.shift()?.()

  /** A gathering that hands its items to `take`, and the list of what it has handed on. */
  const gather = (
    take: (item: number, gathering: Gathering<number>) => void,
    portion?: (waiting: number) => number,
  ) => {
    const taken: number[] = []
    const gathering: Gathering<number> = new Gathering(
      (item) => {
        taken.push(item)
        take(item, gathering)
      },
      (flush) => laters.push(flush),
      portion,
    )
    return { gathering, taken }
  }

  it('hands on together what came before its time, in order, and what comes meanwhile the next time', () => {
    const { gathering, taken } = gather((item, own) => {
      if (item === 1) own.add(10)
    })
    for (const item of [1, 2, 3]) gathering.add(item)
    expect([taken, laters.length]).toEqual([[], 1])
    pass()
    expect([taken, laters.length]).toEqual([[1, 2, 3], 1])
    pass()
    expect([taken, laters.length]).toEqual([[1, 2, 3, 10], 0])
  })

  it('loses nothing and no order to an item that throws', () => {
    const { gathering, taken } = gather((item, own) => {
      if (item !== 2) return
      own.add(5)
      throw new Error('two')
    })
    for (const item of [1, 2, 3, 4]) gathering.add(item)
    expect(pass).toThrow('two')
    pass()
    pass()
    expect([taken, laters.length]).toEqual([[1, 2, 3, 4, 5], 0])
  })

  it('hands on portions where it is told to, and loses nothing there either', () => {
    const { gathering, taken } = gather(
      (item) => {
        if (item === 2) throw new Error('two')
      },
      (waiting) => Math.ceil(waiting / 2),
    )
    for (const item of [1, 2, 3, 4, 5, 6, 7]) gathering.add(item)
    expect(pass).toThrow('two')
    expect([taken, laters.length]).toEqual([[1, 2], 1])
    pass()
    expect(taken).toEqual([1, 2, 3, 4, 5])
    gathering.add(8)
    for (let left = 3; left > 0; left--) pass()
    expect([taken, laters.length]).toEqual([[1, 2, 3, 4, 5, 6, 7, 8], 0])
  })
})
