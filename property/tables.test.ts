/** Tables whose rows come and go, beside the plain ones of the language. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { IdTable } from '#structures/id-table'
import { NumberTable } from '#structures/number-table'
import { runs } from './settings.ts'

interface Row {
  readonly key: number
  readonly label: number
}

/** Few enough that keys meet, some of which fall on the same place of any table, or are below zero. */
const anyKey = fc.oneof(
  fc.nat(12),
  fc.nat(6).map((place) => place * 4_096),
  fc.constantFrom(-1, 2 ** 31, 2 ** 53 - 1),
)

describe('a table by numbers', () => {
  it('is a list of rows with keys, through growth, shrinking and collisions', () => {
    const anyStep = fc.oneof(
      { weight: 5, arbitrary: fc.record({ do: fc.constant('add' as const), key: anyKey }) },
      { weight: 4, arbitrary: fc.record({ do: fc.constantFrom('delete', 'take', 'deleteOther'), key: anyKey }) },
    )
    fc.assert(
      fc.property(fc.array(anyStep, { maxLength: 400 }), (steps) => {
        const table = new NumberTable<Row>()
        let rows: Row[] = []
        const without = (row: Row): Row[] => rows.filter((one) => one !== row)
        for (const [label, { do: act, key }] of steps.entries()) {
          const first = rows.find((row) => row.key === key)
          if (act === 'add') {
            const row = { key, label }
            table.add(key, row)
            rows.push(row)
          } else if (act === 'delete') {
            expect(first !== undefined && table.delete(key, first)).toBe(first !== undefined)
            if (first !== undefined) rows = without(first)
          } else if (act === 'take') {
            const taken = table.take(key)
            expect(taken === undefined).toBe(first === undefined)
            if (taken !== undefined) {
              expect(rows).toContain(taken)
              expect(taken.key).toBe(key)
              rows = without(taken)
            }
          } else expect(table.delete(key, { key, label })).toBe(false)
          expect(table.size).toBe(rows.length)
          expect(table.get(key)?.key).toBe(rows.some((row) => row.key === key) ? key : undefined)
        }
        expect(rows.every((row) => table.has(row.key, row))).toBe(true)
        const order = (left: Row, right: Row): number => left.key - right.key || left.label - right.label
        const found = table.values()
        expect(found.map(({ key }) => key)).toEqual(rows.map(({ key }) => key).sort((left, right) => left - right))
        expect([...found].sort(order)).toEqual([...rows].sort(order))
        expect(table.unordered().sort(order)).toEqual([...rows].sort(order))
      }),
      runs(300),
    )
  })

  it('holds ten thousand rows, and gives their places back', () => {
    const table = new NumberTable<Row>()
    const rows = Array.from({ length: 10_000 }, (_, key) => ({ key, label: 0 }))
    for (const row of rows) table.add(row.key, row)
    expect(table.values()).toEqual(rows)
    for (const row of rows) expect(table.delete(row.key, row)).toBe(true)
    expect(table.values()).toEqual([])
    expect(Object.values(table).find(Array.isArray)?.length).toBeLessThanOrEqual(256)
  })
})

describe('a table by ids', () => {
  it('is a map of strings and numbers', () => {
    const anyId = fc.oneof(anyKey, fc.constantFrom('1', '0', '', 'a', '4096'), fc.constantFrom(1.5, 2 ** 60))
    const anyStep = fc.record({ do: fc.constantFrom('set', 'set', 'delete', 'get'), id: anyId })
    fc.assert(
      fc.property(fc.array(anyStep, { maxLength: 200 }), (steps) => {
        const table = new IdTable<object>()
        const map = new Map<string | number, object>()
        for (const { do: act, id } of steps) {
          if (act === 'set') {
            const row = {}
            table.set(id, row)
            map.set(id, row)
          } else if (act === 'delete') expect(table.delete(id)).toBe(map.delete(id))
          expect(table.get(id)).toBe(map.get(id))
          expect(table.has(id)).toBe(map.has(id))
          expect(table.size).toBe(map.size)
        }
        expect(new Set(table.values())).toEqual(new Set(map.values()))
        table.clear()
        expect([table.size, table.values()]).toEqual([0, []])
      }),
      runs(300),
    )
  })
})
