/**
 * How it works: 1. many counters get numbered messages from senders that never pause; 2. meanwhile their code is swapped again
 * and again, up and down, sometimes to a version whose migration throws; 3. every counter must have handled every number once
 * and in order, and no process, timer or watcher may be left over.
 */
import { createSystem, defineActor, UpgradeError } from 'bough/runtime'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { runs } from './settings.ts'

interface State {
  readonly seen: number[]
  readonly versions: number[]
}

const counter = (version: number, isBad: boolean) =>
  defineActor({
    name: 'counter',
    version,
    init: (_: undefined): State => ({ seen: [], versions: [version] }),
    cast: { put: (state, n: number) => void state.seen.push(n) },
    call: { state: (state) => state },
    codeChange: (old: State, from: number) => {
      if (isBad) throw new Error('no')
      return { seen: [...old.seen], versions: [...old.versions, from, version] }
    },
  })

describe('hot swap under load', () => {
  it('no message is lost, doubled or handled out of order, whatever swaps happen meanwhile', async () => {
    const anyStep = fc.oneof(
      { weight: 3, arbitrary: fc.record({ do: fc.constant('send' as const), count: fc.integer({ min: 1, max: 60 }) }) },
      {
        weight: 2,
        arbitrary: fc.record({
          do: fc.constant('swap' as const),
          to: fc.integer({ min: 1, max: 9 }),
          isBad: fc.boolean(),
        }),
      },
      { weight: 1, arbitrary: fc.record({ do: fc.constant('rest' as const) }) },
    )
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 8 }), fc.array(anyStep, { maxLength: 30 }), async (count, steps) => {
        const system = createSystem()
        const refs = await Promise.all(Array.from({ length: count }, () => system.start(counter(1, false))))
        const swaps: Promise<unknown>[] = []
        let sent = 0
        for (const step of steps) {
          if (step.do === 'send') {
            for (let n = 0; n < step.count; n++, sent++) for (const ref of refs) ref.cast('put', sent)
          } else if (step.do === 'swap') {
            swaps.push(
              system.upgrade(counter(step.to, step.isBad)).catch((error) => expect(error).toBeInstanceOf(UpgradeError)),
            )
          } else await new Promise((resolve) => setImmediate(resolve))
        }
        await Promise.all(swaps)
        const expected = Array.from({ length: sent }, (_, n) => n)
        for (const ref of refs) {
          const { seen, versions } = await ref.call('state')
          expect(seen).toEqual(expected)
          // Each migration began where the one before ended.
          for (let at = 1; at < versions.length; at += 2) expect(versions[at]).toBe(versions[at - 1])
        }
        expect(system.processCount).toBe(count)
        expect(system.timers.size).toBe(0)
        await system.stop()
      }),
      runs(100),
    )
  }, 60_000)
})
