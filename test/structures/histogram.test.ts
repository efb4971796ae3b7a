/** A histogram against the plain list of its values. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Counters, LABELS_MAX } from '#structures/counters'
import { BOUNDS_MAX, Histogram } from '#structures/histogram'

const seed = Number(process.env['BOUGH_SEED'] ?? 42)
const anyBounds = fc
  .uniqueArray(fc.integer({ min: -1_000, max: 1_000 }), { minLength: 1, maxLength: BOUNDS_MAX })
  .map((bounds) => bounds.sort((a, b) => a - b))
const anyValues = fc.array(fc.double({ min: -2_000, max: 2_000, noNaN: true }), { maxLength: 200 })

describe('a histogram', () => {
  it('counts every value in the first bucket whose bound it does not pass', () => {
    fc.assert(
      fc.property(anyBounds, anyValues, (bounds, values) => {
        const histogram = new Histogram(bounds)
        for (const value of values) histogram.record(value)
        const expected = [...bounds, Number.POSITIVE_INFINITY].map(
          (bound) => values.filter((value) => value <= bound).length,
        )
        expect(histogram.cumulative()).toEqual(expected)
        expect(histogram.count).toBe(values.length)
        expect(histogram.sum).toBeCloseTo(
          values.reduce((sum, value) => sum + value, 0),
          5,
        )
      }),
      { seed },
    )
  })

  it('gives the least bound that a share of the values did not pass', () => {
    fc.assert(
      fc.property(anyBounds, anyValues, fc.double({ min: 0, max: 1, noNaN: true }), (bounds, values, share) => {
        const histogram = new Histogram(bounds)
        for (const value of values) histogram.record(value)
        const quantile = histogram.quantile(share)
        const below = values.filter((value) => value <= quantile).length
        expect(below).toBeGreaterThanOrEqual(share * values.length)
        if (values.length === 0) expect(quantile).toBe(0)
      }),
      { seed },
    )
  })

  it('leaves out what is no number', () => {
    const histogram = new Histogram([1])
    histogram.record(Number.NaN)
    expect([histogram.count, histogram.sum, ...histogram.buckets]).toEqual([0, 0, 0, 0])
  })

  it.each([
    [[]],
    [[2, 1]],
    [[1, 1]],
    [[Number.NaN]],
    [[Number.POSITIVE_INFINITY]],
    [Array.from({ length: 65 }, (_, at) => at)],
  ])('refuses bounds that do not rise, or are too many: %s', (bounds) => {
    expect(() => new Histogram(bounds)).toThrow('bounds must be 1 to 64 rising numbers')
  })
})

describe('a cell of a counter', () => {
  it('is the same for the same name and label, and is what the counter says', () => {
    const counters = new Counters()
    const cell = counters.cell('calls', 'a')
    cell.value += 2
    counters.add('calls', 3, 'a')
    expect(counters.cell('calls', 'a')).toBe(cell)
    expect(counters.snapshot()).toEqual({ calls: { a: 5 } })
  })

  it('is not told of while nothing was added to it', () => {
    const counters = new Counters()
    counters.cell('calls', 'a')
    expect(counters.snapshot()).toEqual({})
  })

  it('is that of other, beyond the bound of labels', () => {
    const counters = new Counters()
    for (let at = 0; at < LABELS_MAX; at++) counters.add('calls', 1, `label ${at}`)
    const beyond = counters.cell('calls', 'one more')
    expect(counters.cell('calls', 'yet one more')).toBe(beyond)
    beyond.value++
    expect(counters.get('calls', 'other')).toBe(1)
    expect([...counters.series('calls')]).toHaveLength(LABELS_MAX + 1)
  })
})
