/**
 * How it works: 1. generate flags, children and commands; 2. play them with OTP's supervisor on a real Erlang node and with
 * bough in a simulation; 3. after the start and after each command the answer, the starts and ends in their order, the tree
 * with its counts and the processes alive must be the same.
 *
 * BOUGH_DIFFERENTIAL_RUNS sets how many scenarios are played in all (default 500), BOUGH_SEED which ones.
 */
import type { SupervisorFlags } from 'bough/runtime'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { expectSame, withoutOrderOfEnds } from './erlang/compare.ts'
import { type ErlangNode, erlangIsMissing, print, startErlang } from './erlang/node.ts'
import { shareOfRuns } from './erlang/runs.ts'
import { anyDynamicScenario, anyStaticScenario } from './erlang/supervisor-commands.ts'
import { type Fault, playWithBough, type SupervisorScenario } from './erlang/supervisor-scenario.ts'
import { seed } from './settings.ts'

let node: ErlangNode

async function compare(scenario: SupervisorScenario, fault?: Fault): Promise<void> {
  const { flags, specs, plans, commands } = scenario
  const [oracle, bough] = await Promise.all([
    node.play(['supervisor', flags, specs, plans, commands]),
    playWithBough(scenario, fault),
  ])
  const isDynamic = flags[0] === 'simple_one_for_one'
  expectSame(
    `start ${print(flags)} ${print(specs)} ${print(plans)} (seed ${scenario.seed})`,
    commands,
    isDynamic ? oracle.map(withoutOrderOfEnds) : oracle,
    isDynamic ? bough.map(withoutOrderOfEnds) : bough,
  )
}

if (erlangIsMissing !== undefined) {
  console.warn(`NOT COMPARED WITH ERLANG: ${erlangIsMissing}`)
  it(`is NOT compared with OTP's supervisor: ${erlangIsMissing}`, () => undefined)
} else {
  describe('a supervisor of bough and one of a real Erlang node', () => {
    beforeAll(() => {
      node = startErlang()
    })
    afterAll(() => node.stop())

    it('do the same under one_for_one, rest_for_one and one_for_all, whatever is asked and whatever ends', async () => {
      await fc.assert(
        fc.asyncProperty(anyStaticScenario, (scenario) => compare(scenario)),
        { seed, numRuns: shareOfRuns(0.4) },
      )
    }, 600_000)

    it('do the same under simple_one_for_one', async () => {
      await fc.assert(
        fc.asyncProperty(anyDynamicScenario, (scenario) => compare(scenario)),
        { seed, numRuns: shareOfRuns(0.15) },
      )
    }, 600_000)

    it.each<[string, Fault]>([
      ['one restart too many is allowed', (flags) => ({ ...flags, intensity: flags.intensity! + 1 })],
      ['rest_for_one restarts only the child that ended', oneForOneInstead],
    ])(
      'a planted fault is found and shrunk to at most 8 commands: %s',
      async (_, fault) => {
        const result = await fc.check(
          fc.asyncProperty(anyStaticScenario, (scenario) => compare(scenario, fault)),
          { seed, numRuns: 2_000 },
        )
        expect(result.failed).toBe(true)
        expect(result.counterexample![0].commands.length).toBeLessThanOrEqual(8)
        expect(String(result.errorInstance)).toContain('bough differs from Erlang')
      },
      120_000,
    )
  })
}

function oneForOneInstead(flags: SupervisorFlags): SupervisorFlags {
  return flags.strategy === 'rest_for_one' ? { ...flags, strategy: 'one_for_one' } : flags
}
