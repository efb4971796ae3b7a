// Compares two commits: `npm run bench:compare -- <commit or result.json> [<commit or result.json>] [part ...] [--passes n] [--small]`.
// Two results are only read. A commit is checked out into a folder of its own, with the modules of this one, and built; both are
// then run in turn, pass after pass, so that a slow minute of the machine falls on both. Without a second one it is the tree as it
// stands. Prints the ratio of the medians of every figure that both have, with the spread of the passes; a difference within the
// spread is called none.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import type { Figure } from './figures.ts'
import { positiveInteger } from './options.ts'
import { root } from './paths.ts'
import { median } from './statistics.ts'
import { formatNumber, formatRatio, formatTable } from './table.ts'

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: { passes: { type: 'string' }, small: { type: 'boolean', default: false } },
})

/** One side of the comparison: its name, and a way to get its figures once more. */
interface Side {
  readonly name: string
  readonly passesMax: number
  measure(parts: readonly string[], into: string): readonly Figure[]
}

function run(command: string, args: readonly string[], folder: string): string {
  const { status, stdout, stderr } = spawnSync(command, args, { cwd: folder, encoding: 'utf8' })
  if (status !== 0) throw new Error(`${command} ${args.join(' ')} ended with status ${status}:\n${stdout}${stderr}`)
  return stdout
}

const read = (file: string): readonly Figure[] =>
  (JSON.parse(readFileSync(file, 'utf8')) as { figures: Figure[] }).figures

const isCommit = (word: string): boolean =>
  spawnSync('git', ['rev-parse', '--verify', '--quiet', `${word}^{commit}`], { cwd: root }).status === 0

function measureIn(folder: string, parts: readonly string[], into: string): readonly Figure[] {
  const size = options.small ? ['--small'] : []
  run(process.execPath, [join(folder, 'dist', 'bench', 'run.js'), ...parts, ...size, '--out', into], folder)
  return read(into)
}

/** The tree of a commit below `scratch`, built, with the modules of this checkout. */
function checkOut(commit: string, scratch: string): string {
  const folder = join(scratch, commit.replace(/\W/g, '_'))
  run('git', ['worktree', 'add', '--detach', folder, commit], root)
  for (const modules of ['node_modules', join('bench', 'peers', 'node_modules')])
    if (existsSync(join(root, modules))) symlinkSync(join(root, modules), join(folder, modules))
  run(process.execPath, [join(folder, 'scripts', 'build.mjs')], folder)
  return folder
}

function sideOf(word: string | undefined, scratch: string): Side {
  if (word === undefined) {
    run(process.execPath, [join(root, 'scripts', 'build.mjs'), '--if-stale'], root)
    return { name: 'the tree', passesMax: 1_000, measure: (parts, into) => measureIn(root, parts, into) }
  }
  if (word.endsWith('.json')) return { name: word, passesMax: 1, measure: () => read(word) }
  const folder = checkOut(word, scratch)
  return { name: word, passesMax: 1_000, measure: (parts, into) => measureIn(folder, parts, into) }
}

const keyOf = ({ group, name }: Figure): string => `${group}: ${name}`

function main(): void {
  const isSide = (word: string | undefined): boolean => word !== undefined && (word.endsWith('.json') || isCommit(word))
  const [first, second] = positionals
  if (first === undefined || !isSide(first))
    throw new Error(`Say which commit or result (*.json) to compare with, got: ${first ?? 'nothing'}.`)
  const hasSecond = isSide(second)
  const parts = positionals.slice(hasSecond ? 2 : 1)
  const scratch = mkdtempSync(join(tmpdir(), 'bough-compare-'))
  try {
    const sides = [sideOf(first, scratch), sideOf(hasSecond ? second : undefined, scratch)]
    const wanted = positiveInteger('passes', options.passes) ?? 5
    const passes = Math.min(wanted, ...sides.map(({ passesMax }) => passesMax))
    const found = sides.map(() => new Map<string, number[]>())
    const figures = new Map<string, Figure>()
    for (let pass = 0; pass < passes; pass += 1) {
      for (const [index, side] of sides.entries()) {
        for (const figure of side.measure(parts, join(scratch, `${index}-${pass}.json`))) {
          const key = keyOf(figure)
          figures.set(key, figure)
          found[index]?.set(key, [...(found[index]?.get(key) ?? []), figure.value])
        }
      }
    }
    const [before, after] = found as [Map<string, number[]>, Map<string, number[]>]
    const rows: string[][] = []
    for (const [key, figure] of figures) {
      const a = before.get(key)
      const b = after.get(key)
      if (a === undefined || b === undefined) continue
      const isApart = Math.min(...a) > Math.max(...b) || Math.min(...b) > Math.max(...a)
      const isMore = median(b) > median(a)
      const verdict = !isApart ? 'none' : isMore === (figure.better === 'more') ? 'better' : 'WORSE'
      rows.push([
        key,
        figure.unit,
        formatNumber(median(a), 2),
        formatNumber(median(b), 2),
        formatRatio(median(b) / median(a)),
        passes > 1 ? verdict : '-',
      ])
    }
    const [one, two] = sides.map(({ name }) => name)
    console.log(`${passes} pass(es) in turn; "none" is a difference within the spread of the passes`)
    console.log(formatTable(['figure', 'unit', one ?? '', two ?? '', 'second/first', 'difference'], rows))
  } finally {
    rmSync(scratch, { recursive: true, force: true })
    run('git', ['worktree', 'prune'], root)
  }
}

try {
  main()
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exitCode = 1
}
