/**
 * How it works: 1. generate processes and commands; 2. play them with OTP's gen_server on a real Erlang node and with bough
 * in a simulation; 3. after each command the answers, the links and monitors, the reasons of ends and what each process was
 * given, in order, must be the same.
 *
 * BOUGH_DIFFERENTIAL_RUNS sets how many scenarios are played in all (default 500), BOUGH_SEED which ones.
 */
import fc from 'fast-check'
import { afterAll, beforeAll, describe, it } from 'vitest'
import { expectSame, withoutOrderOfNews } from './erlang/compare.ts'
import { type ErlangNode, erlangIsMissing, print, startErlang } from './erlang/node.ts'
import { shareOfRuns } from './erlang/runs.ts'
import { anyServerScenario } from './erlang/server-commands.ts'
import { playWithBough, type ServerScenario } from './erlang/server-scenario.ts'
import { seed } from './settings.ts'

let node: ErlangNode

async function compare(scenario: ServerScenario): Promise<void> {
  const { processes, commands } = scenario
  const [oracle, bough] = await Promise.all([node.play(['server', processes, commands]), playWithBough(scenario)])
  const title = `start ${print(processes)} (seed ${scenario.seed})`
  expectSame(title, commands, oracle.map(withoutOrderOfNews), bough.map(withoutOrderOfNews))
}

if (erlangIsMissing !== undefined) {
  console.warn(`NOT COMPARED WITH ERLANG: ${erlangIsMissing}`)
  it(`is NOT compared with OTP's gen_server: ${erlangIsMissing}`, () => undefined)
} else {
  describe('actors of bough and gen_servers of a real Erlang node', () => {
    beforeAll(() => {
      node = startErlang()
    })
    afterAll(() => node.stop())

    it('do the same with calls, casts, infos, continuations, stops, crashes, links, monitors and exit signals', async () => {
      await fc.assert(fc.asyncProperty(anyServerScenario, compare), { seed, numRuns: shareOfRuns(0.25) })
    }, 600_000)
  })
}
