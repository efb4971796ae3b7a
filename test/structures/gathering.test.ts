import { describe, expect, it } from 'vitest'
import { Gathering } from '#structures/gathering'

describe('a gathering', () => {
  const laters: (() => void)[] = []
  const pass = (): void => laters.shift()?.()

  it('hands on together what came before its time, in order, and what comes meanwhile the next time', () => {
    const taken: number[] = []
    const gathering: Gathering<number> = new Gathering(
      (item: number) => {
        taken.push(item)
        if (item === 1) gathering.add(10)
      },
      (flush) => laters.push(flush),
    )
    for (const item of [1, 2, 3]) gathering.add(item)
    expect([taken, laters.length]).toEqual([[], 1])
    pass()
    expect([taken, laters.length]).toEqual([[1, 2, 3], 1])
    pass()
    expect([taken, laters.length]).toEqual([[1, 2, 3, 10], 0])
  })

  it('loses nothing and no order to an item that throws', () => {
    const taken: number[] = []
    const gathering: Gathering<number> = new Gathering(
      (item: number) => {
        if (item === 2) {
          gathering.add(5)
          throw new Error('two')
        }
        taken.push(item)
      },
      (flush) => laters.push(flush),
    )
    for (const item of [1, 2, 3, 4]) gathering.add(item)
    expect(pass).toThrow('two')
    pass()
    pass()
    expect([taken, laters.length]).toEqual([[1, 3, 4, 5], 0])
  })

  it('hands on portions where it is told to, and loses nothing there either', () => {
    const taken: number[] = []
    const gathering: Gathering<number> = new Gathering(
      (item: number) => {
        taken.push(item)
        if (item === 2) throw new Error('two')
      },
      (flush) => laters.push(flush),
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
