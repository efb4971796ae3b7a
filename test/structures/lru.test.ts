import { describe, expect, it } from 'vitest'
import { Lru } from '#structures/lru'

describe('an LRU', () => {
  it('forgets what was used longest ago when there are too many entries, or they weigh too much', () => {
    const lru = new Lru<number>({ entriesMax: 3, bytesMax: 10 })
    for (const [key, value] of [
      ['a', 1],
      ['b', 2],
      ['c', 3],
    ] as const)
      lru.set(key, value, 3)
    expect(lru.get('a')).toBe(1)
    lru.set('d', 4, 1)
    expect([lru.get('b'), lru.get('a'), lru.size, lru.bytes]).toEqual([undefined, 1, 3, 7])
    lru.set('e', 5, 9)
    expect([lru.get('e'), lru.size, lru.bytes]).toEqual([5, 1, 9])
  })

  it('takes nothing that is heavier by itself, and forgets what stood under that key', () => {
    const lru = new Lru<number>({ entriesMax: 3, bytesMax: 10 })
    lru.set('a', 1, 1)
    expect(lru.set('a', 2, 11)).toBe(false)
    expect([lru.get('a'), lru.size, lru.bytes]).toEqual([undefined, 0, 0])
  })

  it('counts the weight of what is replaced and removed no more', () => {
    const lru = new Lru<number>({ entriesMax: 3, bytesMax: 10 })
    lru.set('a', 1, 5)
    lru.set('a', 2, 6)
    expect(lru.bytes).toBe(6)
    expect([lru.delete('a'), lru.delete('a'), lru.bytes]).toEqual([true, false, 0])
    lru.set('b', 1, 5)
    lru.clear()
    expect([lru.size, lru.bytes]).toEqual([0, 0])
  })
})
