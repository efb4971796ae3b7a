// The benchmark command:
// `npm run bench -- [part ...] [--small] [--only bare,sdk] [--rounds n] [--sessions n] [--out file.json]`.
// Prints one table for each part (parts.ts), then every target with what was found, with the machine, the Node version and the
// command; writes the same as JSON and as an SVG chart below bench/results/. With --small everything runs for a moment, which
// proves that it works and nothing else; the kernel is then measured beside other libraries and Erlang only where --only
// names them. Long parts run only when they are named.
import { spawnSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { cpus, totalmem } from 'node:os'
import { dirname, join, relative, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { drawChart, showValue } from './chart.ts'
import { describeTarget, type Figure, verdictOf } from './figures.ts'
import { positiveInteger, type Wish } from './options.ts'
import { type Part, parts } from './parts.ts'
import { root } from './paths.ts'
import { formatTable } from './table.ts'

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    small: { type: 'boolean', default: false },
    only: { type: 'string' },
    rounds: { type: 'string' },
    sessions: { type: 'string' },
    out: { type: 'string' },
  },
})

function chooseParts(): readonly Part[] {
  const unknown = positionals.find((name) => !parts.some((part) => part.name === name))
  const names = parts.map(({ name }) => name).join(', ')
  if (unknown !== undefined) throw new Error(`There is no benchmark "${unknown}". Choose from: ${names}.`)
  return parts.filter(({ name, isLong }) => (positionals.length === 0 ? isLong !== true : positionals.includes(name)))
}

/** The commit that is measured, with a plus when the tree differs from it; undefined outside of a checkout. */
function commitOf(): string | undefined {
  const git = (...args: string[]) => spawnSync('git', args, { cwd: root, encoding: 'utf8' })
  const head = git('rev-parse', '--short', 'HEAD')
  if (head.status !== 0) return undefined
  return head.stdout.trim() + (git('status', '--porcelain').stdout === '' ? '' : '+')
}

function printTargets(figures: readonly Figure[]): void {
  const rows = figures.flatMap((figure) => {
    const verdict = verdictOf(figure)
    return verdict === undefined
      ? []
      : [[`${figure.group}: ${figure.name}`, showValue(figure), describeTarget(figure), verdict]]
  })
  if (rows.length > 0) console.log(`targets\n${formatTable(['what', 'found', 'target', 'verdict'], rows)}\n`)
}

async function main(): Promise<void> {
  const chosen = chooseParts()
  const words = options.only?.split(',')
  const wish: Wish = {
    isSmall: options.small,
    isWanted: (name) => words === undefined || words.some((word) => name.startsWith(word)),
    isChosen: words !== undefined,
    rounds: positiveInteger('rounds', options.rounds),
    sessions: positiveInteger('sessions', options.sessions),
  }
  const machine = {
    node: process.version,
    platform: `${process.platform} ${process.arch}`,
    cpus: `${cpus().length} x ${cpus()[0]?.model.trim() ?? 'unknown'}`,
    memoryGb: Math.round(totalmem() / 2 ** 30),
    commit: commitOf(),
    command: `npm run bench -- ${process.argv.slice(2).join(' ')}`.trim(),
  }
  const where = `Node ${machine.node}, ${machine.platform}, ${machine.cpus}, ${machine.memoryGb} GB`
  console.log(`${machine.command}\n${where}, commit ${machine.commit ?? 'unknown'}`)
  if (options.small) console.log('--small: too short to mean anything; it shows only that the benchmarks run')
  console.log()

  const results: Record<string, unknown> = {}
  const figures: Figure[] = []
  for (const part of chosen) {
    const found = await part.run(wish)
    results[part.name] = found.rows
    figures.push(...found.figures)
  }
  if (!options.small) printTargets(figures)

  const size = options.small ? 'small' : 'large'
  const names = positionals.length === 0 ? 'all' : chosen.map(({ name }) => name).join('-')
  const stamp = new Date().toISOString().replace(/[:.]/g, '-')
  const file = resolve(root, options.out ?? join('bench', 'results', `${stamp}-${names}-${size}.json`))
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, `${JSON.stringify({ machine, size, figures, results }, undefined, 2)}\n`)
  const chart = `${file.replace(/\.json$/, '')}.svg`
  writeFileSync(chart, drawChart(machine.command, where, figures))
  console.log(`written to ${relative(root, file)} and ${relative(root, chart)}`)
}

/** The sentences of an error and of its causes, outermost first. */
function explain(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  return error.cause === undefined ? error.message : `${error.message}\n${explain(error.cause)}`
}

await main().catch((error: unknown) => {
  console.error(explain(error))
  process.exitCode = 1
})
