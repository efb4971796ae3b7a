/**
 * How it works: 1. a sequence of wishes, returns, losses and time is generated; 2. it runs against the checkouts of a pool, in
 * virtual time; 3. after each step the bounds are looked at, and at the end that everybody was served or told, once.
 */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Held, Slot } from '#actors/client-pool'
import { Checkouts, type Strategy } from '#client/checkouts'
import { clientError } from '#client/errors'
import { SEED, simulation } from './support.ts'

const held: Held = { ping: () => Promise.resolve(), close: () => Promise.resolve() }
const IN_FLIGHT = 3
const QUEUE = 5

const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('take' as const), isAlone: fc.boolean() }) },
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('give' as const), which: fc.nat(20) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('flip' as const), which: fc.nat(2) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('wait' as const), ms: fc.nat(150) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('abort' as const), which: fc.nat(20) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('refuse' as const) }) },
)

describe('checkouts', () => {
  it('serve or refuse everybody once, and never give more than there is', async () => {
    const strategies = fc.constantFrom<Strategy>('least_busy', 'round_robin', 'random')
    const sim = simulation()
    await fc.assert(
      fc.asyncProperty(strategies, fc.array(step, { maxLength: 60 }), async (strategy, steps) => {
        const slots = new Set<Slot>(
          [1, 2, 3].map((id) => ({ id, isOverflow: false, held, busy: 0, idleSinceMs: 0, isTaken: false })),
        )
        const settings = { strategy, maxInFlight: IN_FLIGHT, queueMax: QUEUE, checkoutTimeoutMs: 100 }
        const checkouts = new Checkouts(
          sim.system,
          settings,
          slots,
          () => true,
          () => undefined,
        )
        const given: { slot: Slot; isAlone: boolean }[] = []
        const aborts: AbortController[] = []
        let asked = 0
        let settled = 0
        for (const one of steps) {
          if (one.kind === 'take') {
            asked++
            const abort = new AbortController()
            aborts.push(abort)
            const { isAlone } = one
            Promise.resolve(checkouts.take('a call', isAlone, abort.signal)).then(
              (slot) => {
                settled++
                given.push({ slot, isAlone })
              },
              () => void settled++,
            )
          } else if (one.kind === 'give' && given.length > 0) {
            const [back] = given.splice(one.which % given.length, 1)
            if (back !== undefined) checkouts.giveBack(back.slot)
          } else if (one.kind === 'flip') {
            const slot = [...slots][one.which]
            if (slot === undefined) continue
            const isLost = slot.held !== undefined
            slot.held = isLost ? undefined : held
            if (isLost) checkouts.lost(slot)
            else checkouts.serve()
          } else if (one.kind === 'wait') await sim.advance(one.ms)
          else if (one.kind === 'abort') aborts[one.which % Math.max(aborts.length, 1)]?.abort()
          else if (one.kind === 'refuse') checkouts.refuseAll(() => clientError('closed', 'It is over.'))
          await sim.settle()
          expect(checkouts.queued).toBeLessThanOrEqual(QUEUE)
          expect(asked - settled).toBe(checkouts.queued)
          for (const slot of slots) {
            const users = given.filter((user) => user.slot === slot)
            expect(slot.busy).toBe(users.length)
            expect(slot.busy).toBeLessThanOrEqual(IN_FLIGHT)
            if (users.some(({ isAlone }) => isAlone)) expect(users.length).toBe(1)
          }
        }
        for (const slot of slots) slot.held = held
        while (checkouts.queued > 0 || given.length > 0) {
          const back = given.shift()
          if (back === undefined) checkouts.serve()
          else checkouts.giveBack(back.slot)
          await sim.settle()
        }
        expect(settled).toBe(asked)
        expect([...slots].every(({ busy, isTaken }) => busy === 0 && !isTaken)).toBe(true)
      }),
      { seed: SEED, numRuns: 300 },
    )
  }, 60_000)
})
