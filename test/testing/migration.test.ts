import { defineActor } from 'bough/runtime'
import { checkMigration, MigrationError } from 'bough/testing'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'

interface Old {
  count: number
}

const V1 = defineActor({
  name: 'counter',
  version: 1,
  init: (count: number) => ({ count }),
  codeChange: (state: { total: number }) => ({ count: state.total }),
})
const to = (codeChange: (state: Old) => { total: number }) =>
  defineActor({
    name: 'counter',
    version: 2,
    init: (total: number) => ({ total }),
    stateSchema: z.object({ total: z.number() }),
    codeChange,
  })

describe('checkMigration', () => {
  it('passes a migration that keeps its promises, also there and back, on states that a property draws', async () => {
    const V2 = to((state) => ({ total: state.count }))
    await fc.assert(
      fc.asyncProperty(fc.array(fc.record({ count: fc.integer() }), { maxLength: 5 }), async (states) => {
        const check = (after: unknown, before: unknown): void =>
          expect((after as { total: number }).total).toBe((before as Old).count)
        expect(await checkMigration({ from: V1, to: V2, states, check, roundTrip: true })).toBe(states.length)
      }),
      { numRuns: 20, seed: 1 },
    )
  })

  it.each([
    [
      'throws',
      (): never => {
        throw new Error('no way')
      },
      /cannot go from version 1 to 2: no way/,
    ],
    [
      'makes what the schema refuses',
      () => ({ total: 'many' }) as unknown as { total: number },
      /does not match its schema at total/,
    ],
    [
      'changes the old state in place',
      (state: Old) => {
        state.count = -1
        return { total: 1 }
      },
      /changes the old state in place/,
    ],
    ['keeps code in the state', () => ({ total: 1, next: () => 2 }), /is not plain data/],
    ['loses something on the way back', () => ({ total: 0 }), /gives another state/],
  ])('finds one that %s, and names the state', async (_what, codeChange, message) => {
    const failed = checkMigration({ from: V1, to: to(codeChange), states: [{ count: 7 }], roundTrip: true })
    await expect(failed).rejects.toBeInstanceOf(MigrationError)
    await expect(failed).rejects.toThrow(message)
    await expect(failed).rejects.toMatchObject({ state: { count: 7 } })
  })
})
