/**
 * How it works: 1. generate events that say what the machine does about them in which state: next state, postponing, inserted
 * events, time-outs, replies; 2. play them with OTP's gen_statem on a real Erlang node and with bough in a simulation; 3. after
 * each command the answers, all that was handled, in order, and the state must be the same.
 *
 * BOUGH_DIFFERENTIAL_RUNS sets how many scenarios are played in all (default 500), BOUGH_SEED which ones.
 */
import fc from 'fast-check'
import { afterAll, beforeAll, describe, it } from 'vitest'
import { expectSame } from './erlang/compare.ts'
import { type ErlangNode, erlangIsMissing, print, startErlang } from './erlang/node.ts'
import { shareOfRuns } from './erlang/runs.ts'
import { anyStatemScenario } from './erlang/statem-commands.ts'
import { playWithBough, type StatemScenario } from './erlang/statem-scenario.ts'
import { seed } from './settings.ts'

let node: ErlangNode

async function compare(scenario: StatemScenario): Promise<void> {
  const { actions, enters, commands } = scenario
  const [oracle, bough] = await Promise.all([node.play(['statem', actions, enters, commands]), playWithBough(scenario)])
  expectSame(`start ${print(actions)} ${print(enters)} (seed ${scenario.seed})`, commands, oracle, bough)
}

if (erlangIsMissing !== undefined) {
  console.warn(`NOT COMPARED WITH ERLANG: ${erlangIsMissing}`)
  it(`is NOT compared with OTP's gen_statem: ${erlangIsMissing}`, () => undefined)
} else {
  describe('a state machine of bough and a gen_statem of a real Erlang node', () => {
    beforeAll(() => {
      node = startErlang()
    })
    afterAll(() => node.stop())

    it('handle the same events in the same order: postponed, inserted, of time-outs, of state enters', async () => {
      await fc.assert(fc.asyncProperty(anyStatemScenario, compare), { seed, numRuns: shareOfRuns(0.2) })
    }, 600_000)
  })
}
