import {
  createSimulation,
  formatSchedule,
  parseSchedule,
  scheduleLength,
  shrinkSchedule,
  simulations,
} from 'bough/testing'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { serveDishes } from './restaurant.ts'

async function outcome(run: Promise<unknown>): Promise<string> {
  return run.then(
    () => 'passed',
    (error: Error) => error.message,
  )
}

describe('a schedule', () => {
  it('repeats its run, byte for byte and choice for choice', async () => {
    for (let seed = 0; seed < 20; seed++) {
      const first = createSimulation({ seed })
      const ended = await outcome(serveDishes(first, 8))
      const second = createSimulation({ replay: first.schedule })
      expect(await outcome(serveDishes(second, 8))).toBe(ended)
      expect(second.trace.join('\n')).toBe(first.trace.join('\n'))
      expect(second.schedule).toBe(first.schedule)
    }
  })

  it('of a seed alone is the run that is first come, first served', async () => {
    const sim = createSimulation({ replay: 'bough1 seed=7' })
    await serveDishes(sim, 8)
    expect(sim.seed).toBe(7)
    expect(sim.schedule).toBe('bough1 seed=7')
    expect(sim.explain()).toEqual(['seed 7: first come, first served, and no fault'])
  })

  it('is read back as it was written, whatever the names in it', () => {
    const anyChoices = fc
      .uniqueArray(fc.nat(10_000), { maxLength: 30 })
      .chain((places) =>
        fc.tuple(
          ...places
            .sort((a, b) => a - b)
            .map((at) => fc.record({ at: fc.constant(at), value: fc.integer({ min: 1, max: 99 }) })),
        ),
      )
    const anyFault = fc.record({
      kind: fc.constantFrom('crash', 'kill', 'drop', 'duplicate', 'fail' as const),
      target: fc.string({ minLength: 1 }).filter((name) => !/[\n\r\u2028\u2029]/.test(name)),
      at: fc.nat(),
      unit: fc.constant('message' as const),
      delayMs: fc.constant(0),
    })
    fc.assert(
      fc.property(
        fc.integer(),
        anyChoices,
        anyChoices,
        fc.array(anyFault, { maxLength: 5 }),
        (seed, picks, turns, faults) => {
          const schedule = { seed, picks, turns, faults }
          expect(parseSchedule(formatSchedule(schedule))).toEqual(schedule)
        },
      ),
    )
  })

  it('that cannot be read is refused, with the text that came', () => {
    expect(() => createSimulation({ replay: 'picks=3' })).toThrow('got "picks=3"')
    expect(() => createSimulation({ replay: 'bough1 seed=1 picks=3.x!' })).toThrow('got "3.x!"')
    expect(() => createSimulation({ replay: 'bough1 seed=1 faults=burn sim.1@2' })).toThrow('got "burn sim.1@2"')
  })

  it('says so when there were more choices than it keeps', async () => {
    const sim = createSimulation({ seed: 3, choicesMax: 1 })
    await outcome(serveDishes(sim, 8))
    expect(() => sim.schedule).toThrow('made more than 1 choices')
  })
})

describe('shrinking', () => {
  it('finds the few choices that break the law, and tells them in words', async () => {
    const lengths: number[] = []
    for (let seed = 0; lengths.length < 10; seed++) {
      if ((await outcome(serveDishes(createSimulation({ seed }), 8))) === 'passed') continue
      const shrunk = await shrinkSchedule((sim) => serveDishes(sim, 8), `bough1 seed=${seed}`)
      const length = scheduleLength(shrunk.schedule)
      // None of them can be left out; a run of eight orders has some hundred choices.
      expect(length).toBeLessThanOrEqual(2)
      expect(shrunk.explanation).toHaveLength(1 + length)
      expect(shrunk.explanation[1]).toMatch(/^1\. "0 sim\.\d cast \w+" goes ahead of one that waited longer$/)
      const again = createSimulation({ replay: shrunk.schedule })
      await expect(serveDishes(again, 8)).rejects.toThrow((shrunk.error as Error).message)
      lengths.push(length)
    }
    expect(Math.min(...lengths)).toBe(1)
  })

  it('leaves out the faults that have no part in it', async () => {
    const run = async (sim: ReturnType<typeof createSimulation>): Promise<void> => {
      await serveDishes(sim).catch(() => undefined)
      if (sim.system.processCount < 3) throw new Error('one is missing')
    }
    const faults = ['crash cook@2', 'kill waiter@1', 'crash counter@9']
    const sim = createSimulation({ seed: 1, faults })
    await expect(run(sim)).rejects.toThrow()
    const { schedule } = await shrinkSchedule(run, sim.schedule)
    expect(schedule).toMatch(/^bough1 seed=0 faults=(crash cook@2|kill waiter@1)$/)
  })

  it('refuses a schedule under which nothing fails', async () => {
    await expect(shrinkSchedule(() => undefined, 'bough1 seed=1')).rejects.toThrow('does not fail under bough1 seed=1')
  })
})

describe('simulations as an arbitrary', () => {
  it('shrink to the shortest schedule and the smaller value, which fast-check prints as a line to paste', async () => {
    const property = fc.asyncProperty(simulations(fc), fc.integer({ min: 1, max: 20 }), (sim, orders) =>
      serveDishes(sim, orders),
    )
    const result = await fc.check(property, { seed: 5, numRuns: 100 })
    expect(result.failed).toBe(true)
    const [sim, orders] = result.counterexample!
    expect(orders).toBeLessThanOrEqual(2)
    expect(fc.stringify(result.counterexample)).toMatch(
      /^\[createSimulation\(\{ replay: "bough1 seed=0 picks=\w(,\w)?" \}\),\d\]$/,
    )
    expect(scheduleLength(sim.schedule)).toBeLessThanOrEqual(2)
  })
})
