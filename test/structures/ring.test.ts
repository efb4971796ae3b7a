import { describe, expect, it } from 'vitest'
import { Ring } from '#structures/ring'

describe('a ring', () => {
  it('gives items back in the order they came, through growth and wrap-around', () => {
    const ring = new Ring<number>()
    for (let item = 0; item < 3; item++) ring.push(item)
    expect([ring.shift(), ring.shift()]).toEqual([0, 1])
    for (let item = 3; item < 20; item++) ring.push(item)
    expect(ring.length).toBe(18)
    expect(Array.from({ length: 18 }, () => ring.shift())).toEqual(Array.from({ length: 18 }, (_, index) => index + 2))
    expect(ring.shift()).toBeUndefined()
    expect(ring.length).toBe(0)
  })

  it('looks at any place without removing it', () => {
    const ring = new Ring<string>()
    for (const item of ['a', 'b', 'c']) ring.push(item)
    ring.shift()
    expect([ring.at(0), ring.at(1), ring.at(2)]).toEqual(['b', 'c', undefined])
    expect(ring.length).toBe(2)
  })

  it('removes from the middle and keeps the order of the rest', () => {
    const ring = new Ring<number>()
    for (let item = 0; item < 5; item++) ring.push(item)
    expect(ring.removeAt(2)).toBe(2)
    expect(ring.removeAt(9)).toBeUndefined()
    expect(Array.from({ length: 4 }, () => ring.shift())).toEqual([0, 1, 3, 4])
  })

  it('takes items back before the oldest, through growth and wrap-around', () => {
    const ring = new Ring<number>()
    for (const item of [5, 6, 7]) ring.push(item)
    for (const item of [4, 3, 2, 1]) ring.unshift(item)
    expect(ring.at(0)).toBe(1)
    ring.push(8)
    expect(Array.from({ length: 8 }, () => ring.shift())).toEqual([1, 2, 3, 4, 5, 6, 7, 8])
    expect(ring.shift()).toBeUndefined()
  })

  it('rounds a capacity up to a power of two and takes more all the same', () => {
    const ring = new Ring<number>(5)
    for (let item = 0; item < 100; item++) ring.push(item)
    expect(ring.length).toBe(100)
    expect(ring.shift()).toBe(0)
  })
})
