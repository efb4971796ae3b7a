// The chaos command: `npm run chaos -- [--scenario name,name] [--seconds n] [--seed s] [--verbose]`.
// Each scenario starts a server with a store on disk and clients that load it, hurts it for a while, and looks at what is left.
// Prints a table; ends with 1 when a law was broken: the server never ends by itself, nothing acknowledged is lost, everybody is
// served again within 5 s, and whoever was not meant to be hurt never sees an error.
import { parseArgs } from 'node:util'
import { formatTable } from '../table.ts'
import { type Outcome, runScenario } from './run.ts'
import { scenarios } from './scenarios.ts'

const { values } = parseArgs({
  options: {
    scenario: { type: 'string' },
    seconds: { type: 'string', default: '5' },
    seed: { type: 'string', default: '1' },
    verbose: { type: 'boolean', default: false },
  },
})

function positive(name: 'seconds' | 'seed'): number {
  const value = Number(values[name])
  if (Number.isFinite(value) && value > 0) return value
  throw new Error(`--${name} must be a positive number, got: ${values[name]}`)
}

async function main(): Promise<number> {
  const wanted = values.scenario?.split(',')
  const unknown = wanted?.find((name) => !scenarios.some((one) => one.name === name))
  if (unknown !== undefined) {
    throw new Error(`There is no scenario "${unknown}". Choose from: ${scenarios.map(({ name }) => name).join(', ')}.`)
  }
  const [seconds, seed] = [positive('seconds'), positive('seed')]
  console.log(`seed ${seed}, ${seconds} s each, Node ${process.version}`)
  const outcomes: Outcome[] = []
  for (const scenario of scenarios) {
    if (wanted?.includes(scenario.name) === false) continue
    const outcome = await runScenario(scenario, seconds, seed)
    outcomes.push(outcome)
    console.log(
      `${outcome.scenario}: ${outcome.injected}: ${outcome.broken.length === 0 ? 'holds' : outcome.broken.join('; ')}`,
    )
    const isTold = outcome.broken.length > 0 || values.verbose
    if (isTold) for (const line of [...outcome.lost.slice(0, 5), ...outcome.notes.slice(0, 8)]) console.log(`  ${line}`)
  }
  const head = [
    'scenario',
    'ok',
    'failed hurt',
    'failed others',
    'promised',
    'lost',
    'crashes',
    'recovery ms',
    'verdict',
  ]
  const rows = outcomes.map((one) => [
    one.scenario,
    String(one.ok),
    String(one.failedHurt),
    String(one.failedOthers),
    String(one.promises),
    String(one.lost.length),
    String(one.crashes),
    String(Math.round(one.recoveryMs)),
    one.broken.length === 0 ? 'holds' : 'BROKEN',
  ])
  console.log(`\n${formatTable(head, rows)}`)
  return outcomes.every(({ broken }) => broken.length === 0) ? 0 : 1
}

process.exitCode = await main().catch((error: unknown) => {
  console.error(error instanceof Error ? (error.stack ?? error.message) : error)
  return 1
})
