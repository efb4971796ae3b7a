/**
 * How it works: 1. a schedule of steps is drawn: what two clients do, when commits of the disk begin and end, when the server is
 * killed and started again; 2. it is played in a simulation, with a store that loses what was not committed; 3. each client
 * checks all that it gets: no event twice, none missing, every call answered once, no session lost, none that comes back.
 *
 * A failure is shrunk to the shortest schedule; `BOUGH_SEED` and `BOUGH_RUNS` are as everywhere.
 */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { DurableWorld, type Step, stepKinds } from './durable-world.ts'
import { runs, seed } from './settings.ts'

const step = fc.record<Step>({
  kind: fc.oneof(
    { weight: 3, arbitrary: fc.constantFrom(...stepKinds) },
    // What most schedules need much of.
    { weight: 4, arbitrary: fc.constantFrom('settle', 'calm', 'begin', 'finish', 'call', 'touch', 'listen', 'resume') },
  ),
  who: fc.nat(1),
  what: fc.nat(9),
})
/** Sessions that are open and listen, in a server that works: most of what matters comes after. */
const opening: Step[] = [0, 1].flatMap((who): Step[] => [
  { kind: 'open', who, what: 0 },
  { kind: 'settle', who, what: 0 },
  { kind: 'begin', who, what: 0 },
  { kind: 'finish', who, what: 0 },
  { kind: 'subscribe', who, what: who },
  { kind: 'listen', who, what: 0 },
  { kind: 'settle', who, what: 0 },
  { kind: 'begin', who, what: 0 },
  { kind: 'finish', who, what: 0 },
])
const schedule = fc
  .tuple(fc.boolean(), fc.array(step, { minLength: 5, maxLength: 60 }))
  .map(([isOpen, steps]) => (isOpen ? [...opening, ...steps] : steps))

const seen = new Set<string>()

describe('sessions in a durable store', () => {
  it('lose nothing that was told and repeat nothing, whenever the server is killed', async () => {
    const law = fc.asyncProperty(schedule, async (steps) => {
      const world = await DurableWorld.run(steps, seed)
      for (const one of world.seen) seen.add(one)
      expect(world.broken).toEqual([])
    })
    await fc.assert(law, { ...runs(300), endOnFailure: false })
  }, 300_000)

  it('were looked at in every way that matters', () => {
    const expected = [
      'a result',
      'an error',
      'an update',
      'a touch was answered',
      'resumed a call',
      'status 404',
      'killed with something not written',
      'killed with all written',
      'killed session',
      'killed session-tree',
      'killed subscriptions',
    ]
    expect(expected.filter((one) => !seen.has(one))).toEqual([])
  })
})
