import { describe, expect, it } from 'vitest'
import { partyOf } from '#structures/address'
import { BucketTable } from '#structures/bucket-table'
import { fullBucket, isFull, returnToken, takeToken } from '#structures/token-bucket'

const rate = { perSecond: 10, burst: 3 }

describe('a token bucket', () => {
  it('gives its burst at once, then says when the next token comes', () => {
    const bucket = fullBucket(rate, 0)
    expect([1, 2, 3].map(() => takeToken(bucket, rate, 0))).toEqual([0, 0, 0])
    expect(takeToken(bucket, rate, 0)).toBeCloseTo(100)
    expect(takeToken(bucket, rate, 60)).toBeCloseTo(40)
    expect(takeToken(bucket, rate, 100)).toBe(0)
  })

  it('never holds more than its burst, however long nobody asks', () => {
    const bucket = fullBucket(rate, 0)
    takeToken(bucket, rate, 0, 3)
    expect(isFull(bucket, rate, 299)).toBe(false)
    expect(isFull(bucket, rate, 1_000_000)).toBe(true)
    expect([1, 2, 3, 4].map(() => takeToken(bucket, rate, 1_000_000) === 0)).toEqual([true, true, true, false])
  })

  it('takes nothing when it refuses, and takes more than the burst as the burst', () => {
    const bucket = fullBucket(rate, 0)
    takeToken(bucket, rate, 0, 2)
    expect(takeToken(bucket, rate, 0, 2)).toBeCloseTo(100)
    expect(takeToken(bucket, rate, 0)).toBe(0)
    expect(takeToken(bucket, rate, 1_000, 99)).toBe(0)
  })

  it('takes tokens back up to its burst, and is not moved by a clock that was set back', () => {
    const bucket = fullBucket(rate, 1_000)
    takeToken(bucket, rate, 1_000)
    returnToken(bucket, rate, 50)
    expect(bucket.tokens).toBe(3)
    takeToken(bucket, rate, 1_000, 3)
    expect(takeToken(bucket, rate, 500)).toBeCloseTo(100)
  })
})

describe('a table of buckets', () => {
  it('keeps keys apart', () => {
    const table = new BucketTable({ perSecond: 1, burst: 1 }, 10)
    expect([table.take('a', 0), table.take('b', 0)]).toEqual([0, 0])
    expect([table.take('a', 0), table.take('b', 0)].every((wait) => wait > 0)).toBe(true)
    table.giveBack('a')
    expect(table.take('a', 0)).toBe(0)
  })

  it('forgets the key that was used least recently when one more comes', () => {
    const table = new BucketTable({ perSecond: 1, burst: 1 }, 2)
    table.take('a', 0)
    table.take('b', 0)
    table.take('a', 0)
    table.take('c', 0)
    expect(table.size).toBe(2)
    expect(table.take('a', 0)).toBeGreaterThan(0)
    expect(table.take('b', 0)).toBe(0)
  })

  it('forgets buckets that are full again when it is swept, looking at no more than it may', () => {
    const table = new BucketTable({ perSecond: 1, burst: 1 }, 100)
    for (const key of ['a', 'b', 'c']) table.take(key, 0)
    expect(table.sweep(500)).toBe(0)
    expect(table.sweep(1_000, 2)).toBe(2)
    expect(table.sweep(1_000)).toBe(1)
    expect(table.size).toBe(0)
  })
})

describe('the party of an address', () => {
  it.each([
    ['192.0.2.7', '192.0.2.7'],
    ['::ffff:192.0.2.7', '192.0.2.7'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:0DB8:1:2::9', '2001:db8:1:2::/64'],
    ['2001:db8::1', '2001:db8:0:0::/64'],
    ['fe80::1%eth0', 'fe80:0:0:0::/64'],
    ['::1', '0:0:0:0::/64'],
    ['', ''],
  ])('of %s is %s', (address, party) => {
    expect(partyOf(address)).toBe(party)
  })
})
