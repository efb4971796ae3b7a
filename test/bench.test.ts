/** The benchmarks run, so that none rots: the status and the shape of their tables, never a time. The peers are left out. */
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { beforeAll, describe, expect, it } from 'vitest'

const root = fileURLToPath(new URL('..', import.meta.url))

/** Runs a program of the project and returns what it printed. Throws when it fails. */
function run(...args: string[]): string {
  const { status, stdout, stderr } = spawnSync(process.execPath, args, {
    cwd: root,
    encoding: 'utf8',
    timeout: 100_000,
  })
  if (status !== 0) throw new Error(`${args.join(' ')} ended with status ${status}:\n${stdout}${stderr}`)
  return stdout
}

/** The rows of the table under the line that begins with `title`, as cells. */
function tableUnder(title: string, printed: string): string[][] {
  const part = printed.slice(printed.indexOf(`\n${title}`) + 1).split('\n\n')[0] ?? ''
  const [, head = '', rule = '', ...rows] = part.split('\n')
  expect(rule, `the line under "${head}"`).toMatch(/^-+( +-+)+$/)
  return [head, ...rows].map((row) => row.trim().split(/ {2,}/))
}

beforeAll(() => {
  run('scripts/build.mjs', '--if-stale')
}, 120_000)

describe('the benchmarks, at their small size', () => {
  it('measure the kernel beside the bare one, scenario by scenario, with the same checksums', () => {
    const [head = [], ...rows] = tableUnder('kernel', run('dist/bench/run.js', 'kernel', '--small'))
    expect(head.slice(0, 4)).toEqual(['scenario', 'library', 'least', 'median'])
    const checksums = new Map<string, Set<string>>()
    for (const row of rows) {
      expect(row).toHaveLength(head.length)
      const [scenario = '', library = ''] = row
      expect(library).toMatch(/^(bare loop|bare kernel|bough)$/)
      if (library !== 'bare loop') checksums.set(scenario, (checksums.get(scenario) ?? new Set()).add(row.at(-1) ?? ''))
    }
    expect(checksums.size).toBeGreaterThanOrEqual(7)
    for (const [scenario, found] of checksums) expect([...found], scenario).toHaveLength(1)
    expect(rows.filter(([, library]) => library === 'bough').length).toBe(checksums.size)
  }, 120_000)

  it.each(['stdio', 'http'])(
    'measure echo over %s beside the bare limit',
    (transport) => {
      const printed = run('dist/bench/run.js', transport, '--small', '--only', 'bare,bough')
      const [head = [], ...rows] = tableUnder(`echo over ${transport}`, printed)
      expect(head.slice(0, 3)).toEqual(['server', 'load', 'calls/s'])
      for (const row of rows) expect(row).toHaveLength(head.length)
      expect(rows.some(([server]) => server?.startsWith('bare'))).toBe(true)
      expect(rows.some(([server]) => server === 'bough')).toBe(true)
    },
    120_000,
  )

  it('measure reads of kept answers in every place and by every reader, and whole requests', () => {
    const printed = run('dist/bench/run.js', 'cache', '--small')
    const [, ...reads] = tableUnder('Node', printed.slice(printed.indexOf('\ncache:')))
    expect(new Set(reads.map(([where]) => where))).toEqual(new Set(['shared memory', 'lmdb']))
    expect(new Set(reads.map(([, , reader]) => reader))).toEqual(
      new Set(['same thread', 'another thread', 'another process', 'invalidation']),
    )
    const [, ...requests] = tableUnder('whole requests', printed)
    expect(requests).toHaveLength(12)
  }, 120_000)

  it('measure the client beside the official one and the bare limit, over both transports', () => {
    const printed = run('dist/bench/run.js', 'client', '--small')
    for (const [transport, bare] of [
      ['http', 'bare undici'],
      ['stdio', 'bare lines'],
    ] as const) {
      const [head = [], ...rows] = tableUnder(`echo over ${transport}, by client`, printed)
      expect(head.slice(0, 4)).toEqual(['client', 'load', 'calls/s', 'CPU us/call'])
      for (const row of rows) expect(row).toHaveLength(head.length)
      const names = new Set(rows.map(([name]) => name))
      for (const name of [bare, 'SDK v2 client', 'bough, 2025-11-25']) expect(names).toContain(name)
      expect(rows.some(([, load]) => load === 'batches of 100')).toBe(true)
    }
  }, 120_000)

  it('measure what is left under five times the load, with no connection cut and no refusal out of shape', () => {
    const printed = run('dist/bench/run.js', 'overload', '--small')
    const [head = [], ...rows] = tableUnder('overload', printed)
    expect(head.slice(0, 3)).toEqual(['tool', 'peak/s', 'useful/s'])
    expect(rows).toHaveLength(1)
    expect(rows[0]?.at(-1)).toBe('0')
    expect(rows[0]?.at(-2)).not.toContain('cut')
  }, 120_000)
})
