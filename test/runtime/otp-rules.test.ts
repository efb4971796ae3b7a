/**
 * docs/otp-rules.md lists the rules of OTP, each with the test that holds it: here the list is checked, and held what no other
 * file holds of the rules of flags and specs. Where bough differs from OTP on purpose, the name of the test says so.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  type ChildSpec,
  checkChildren,
  child,
  defineActor,
  defineSupervisor,
  type SupervisorFlags,
} from 'bough/runtime'
import { describe, expect, it } from 'vitest'
import { createWorld, Worker } from './support.ts'
import { startTree, worker } from './trees.ts'

const Counted = defineActor({ name: 'counted', init: (start: number) => start })

describe('flags and specs', () => {
  it('defaults of a child spec: permanent, not significant, 5 000 ms for a worker, infinity for a supervisor', () => {
    const defaults = { restart: 'permanent', significant: false }
    expect(child(Worker, {})).toMatchObject({ ...defaults, shutdown: 5_000, type: 'worker' })
    const Tree = defineSupervisor({ children: [] })
    expect(child(Tree, undefined)).toMatchObject({ ...defaults, shutdown: 'infinity', type: 'supervisor' })
  })

  it('unknown keys of flags and specs are ignored', async () => {
    const { sim, tree } = await startTree({ color: 'green' } as Partial<SupervisorFlags>, (log) => [
      { ...worker('a', log), color: 'red' } as ChildSpec,
    ])
    expect(await sim.run(tree.countChildren())).toMatchObject({ active: 1 })
  })

  it.each<[string, Partial<Record<keyof SupervisorFlags, unknown>>]>([
    ['invalid_strategy', { strategy: 'none' }],
    ['invalid_intensity', { intensity: 0.5 }],
    ['invalid_period', { period: 0 }],
    ['invalid_auto_shutdown', { autoShutdown: 1 }],
    ['invalid_child_spec', { children: 'a' }],
    ['missing_id', { children: [{ ...child(Worker, {}), id: undefined }] }],
    ['duplicate_child_name', { children: [child(Worker, {}), child(Worker, {})] }],
    ['bad_start_spec', { strategy: 'simple_one_for_one', children: [child(Worker, {}), child(Counted, 0)] }],
  ])('wrong flags and specs are a start error with the code: %s', async (code, flags) => {
    const sim = createWorld()
    const Tree = defineSupervisor('tree', (_arg: undefined) => ({ children: [], ...flags }) as SupervisorFlags)
    await expect(sim.start(Tree)).rejects.toMatchObject({ name: 'StartError', reason: { code } })
    expect(sim.system.processCount).toBe(0)
  })

  it('an init of a supervisor that returns neither flags nor ignore is a start error, here invalid_child_spec', async () => {
    const sim = createWorld()
    for (const returned of [undefined, null, 5, 'flags']) {
      const Tree = defineSupervisor('tree', (_arg: undefined) => returned as unknown as SupervisorFlags)
      await expect(sim.start(Tree)).rejects.toMatchObject({ reason: { code: 'invalid_child_spec' } })
    }
  })

  it('checkChildren refuses permanent and significant together, with or without autoShutdown', () => {
    const spec = { ...child(Worker, {}), significant: true }
    for (const autoShutdown of [undefined, 'never', 'any_significant'] as const)
      expect(() => checkChildren([spec], autoShutdown)).toThrow(expect.objectContaining({ code: 'bad_combination' }))
  })

  it('checkChildren refuses what is no list as invalid_child_spec', () => {
    for (const given of [undefined, null, 5])
      expect(() => checkChildren(given as unknown as [])).toThrow(
        expect.objectContaining({ code: 'invalid_child_spec' }),
      )
  })

  it('type and modules of a child come from its definition and cannot be said otherwise', async () => {
    const { sim, tree } = await startTree({}, (log) => [
      child(Worker, { log }, { type: 'supervisor', modules: ['other'] } as object),
    ])
    expect(await sim.run(tree.whichChildren())).toMatchObject([{ type: 'worker', modules: ['worker'] }])
  })
})

describe('docs/otp-rules.md', () => {
  const docs = join(import.meta.dirname, '../../docs')
  const lines = readFileSync(join(docs, 'otp-rules.md'), 'utf8').split('\n')
  /** What the table of rules is made of: `| 1.2 | rule | [file](path): title<br>[file](path): describe › title |`. */
  const rules = lines
    .filter((line) => /^\| \d/.test(line))
    .map((line) => {
      const [, number = '', rule = '', held = ''] = line.split('|').map((cell) => cell.trim())
      const tests = held.split('<br>').map((one) => {
        const [, path = '', title = one] = /^\[[^\]]+\]\(([^)]+)\): (.+)$/.exec(one) ?? []
        return { path: join(docs, path), title }
      })
      return { number, rule, tests }
    })

  /** The titles of every `it` or `describe` of a file, those of `each` with their placeholders. */
  function titlesOf(word: 'it' | 'describe', path: string): Set<string> {
    const quoted = '\'(?:[^\'\\\\\\n]|\\\\.)*\'|"(?:[^"\\\\\\n]|\\\\.)*"'
    const pattern = new RegExp(`\\b${word}(?:\\.each\\b[\\s\\S]*?\\))?\\(\\s*(${quoted})`, 'g')
    return new Set([...readFileSync(path, 'utf8').matchAll(pattern)].map(([, title = '']) => title.slice(1, -1)))
  }

  const isThere = (path: string, named: string): boolean => {
    const [title = '', group] = named.split(' › ').reverse()
    return titlesOf('it', path).has(title) && (group === undefined || titlesOf('describe', path).has(group))
  }

  it('numbers its rules section by section without a gap', () => {
    expect(rules.length).toBeGreaterThan(150)
    const numbers = rules.map(({ number }) => number.split('.').map(Number))
    numbers.forEach(([section, place], index) => {
      const [sectionBefore, placeBefore = 0] = numbers[index - 1] ?? [0]
      expect([
        [sectionBefore, placeBefore + 1],
        [(sectionBefore ?? 0) + 1, 1],
      ]).toContainEqual([section, place])
    })
  })

  it('names only tests that exist, and at least one for each rule', () => {
    const missing = rules.flatMap(({ number, tests }) =>
      tests.filter(({ path, title }) => !isThere(path, title)).map(({ title }) => `${number}: ${title}`),
    )
    expect(missing).toEqual([])
  })

  it('names every test of the files that are there for its rules', () => {
    const named = new Set(rules.flatMap(({ tests }) => tests.map(({ title }) => title)))
    const own = readdirSync(import.meta.dirname).filter((name) => name.startsWith('otp-rules'))
    const titles = own.flatMap((name) => [...titlesOf('it', join(import.meta.dirname, name))])
    expect(titles.filter((title) => !named.has(title))).toEqual([
      'numbers its rules section by section without a gap',
      'names only tests that exist, and at least one for each rule',
      'names every test of the files that are there for its rules',
    ])
  })
})
