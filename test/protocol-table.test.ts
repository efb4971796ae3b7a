/**
 * docs/protocol.md lists the rules of the protocol, each with the file that keeps it and the test that holds it: here the list is
 * checked against the tests, the files, the method table and the error codes.
 */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { ErrorCode, isInRevision } from '#protocol'
import { methodRows } from '#protocol/methods'

const docs = join(import.meta.dirname, '../docs')
/** What stands where a rule of the client side has no test of its own yet. */
const NOT_YET = 'see the client'

interface Row {
  readonly part: string
  readonly number: string
  readonly rule: string
  readonly who: string
  readonly files: readonly string[]
  readonly tests: readonly { readonly path: string; readonly group: string | undefined; readonly title: string }[]
}

/** The rows `| 1.2 | rule | who | [file](path)<br>… | [test](path) › describe › title<br>… |`, each with the part it stands in. */
function readRows(): Row[] {
  const rows: Row[] = []
  let part = ''
  for (const line of readFileSync(join(docs, 'protocol.md'), 'utf8').split('\n')) {
    part = /^## (.+)$/.exec(line)?.[1] ?? part
    if (!/^\| \d/.test(line)) continue
    const [, number = '', rule = '', who = '', kept = '', held = '', ...rest] = line.split(' | ').flatMap(cells)
    expect(rest, `${number} has more cells than the table`).toEqual([])
    const files = Array.from(kept.matchAll(/\]\(([^)]+)\)/g), ([, path = '']) => join(docs, path))
    const tests = held.split('<br>').map((one) => {
      const [, path = '', named = one] = /^\[[^\]]+\]\(([^)]+)\) › (.+)$/.exec(one) ?? []
      const [title = '', group] = named.split(' › ').reverse()
      return { path: join(docs, path), group, title }
    })
    rows.push({ part, number, rule, who, files, tests })
  }
  return rows
}

/** The first and the last cell of a line still have the bars of its ends. */
function cells(text: string, index: number): string[] {
  const plain = text.replace(/ \|$/, '')
  return index === 0 ? ['', plain.replace(/^\| /, '')] : [plain]
}

const rows = readRows()
const inPart = (word: string): Row[] => rows.filter(({ part }) => part.includes(word))

const quoted = '\'(?:[^\'\\\\\\n]|\\\\.)*\'|"(?:[^"\\\\\\n]|\\\\.)*"|`(?:[^`\\\\]|\\\\.)*`'
const pattern = new RegExp(`\\b(it|describe)\\b(?:\\.each\\b(?:<[\\s\\S]*?>)?\\([\\s\\S]*?\\))?\\(\\s*(${quoted})`, 'g')
const known = new Map<string, ReadonlySet<string>>()

/** The titles of a test file, and `group › title` for each below its `describe`; those of `each` with their placeholders. */
function titlesOf(path: string): ReadonlySet<string> {
  const found = known.get(path)
  if (found !== undefined) return found
  const titles = new Set<string>()
  let group = ''
  for (const [, word, text = ''] of readFileSync(path, 'utf8').matchAll(pattern)) {
    const title = text.slice(1, -1).replaceAll("\\'", "'")
    if (word === 'describe') group = title
    else titles.add(title).add(`${group} › ${title}`)
  }
  known.set(path, titles)
  return titles
}

describe('docs/protocol.md', () => {
  it('numbers its rules section by section without a gap', () => {
    const numbers = rows.map(({ number }) => number.split('.').map(Number))
    numbers.forEach(([section, place], index) => {
      const [sectionBefore = 0, placeBefore = 0] = numbers[index - 1] ?? []
      const next = [
        [sectionBefore, placeBefore + 1],
        [sectionBefore + 1, 1],
      ]
      expect(next).toContainEqual([section, place])
    })
    const waiting = rows.filter(({ tests }) => tests.some(({ title }) => title === NOT_YET))
    const unkept = rows.filter(({ rule }) => /\*\*not (?:kept|used)/i.test(rule))
    console.info(
      `${rows.length} rules of the protocol: ${inPart('legacy era').length} legacy, ${inPart('modern era').length} modern, ` +
        `${inPart('client').length} of the client, ${waiting.length} of these without a test yet; ${unkept.length} say what is not done`,
    )
    expect(rows.length).toBeGreaterThan(250)
  })

  it('says of each rule whom it binds, which page it comes from and which file keeps it', () => {
    const vague = rows.filter(({ who, rule }) => !/^(?:server|client|both)$/.test(who) || !/ \*[^*]+\*$/.test(rule))
    expect(vague).toEqual([])
    const missing = rows.filter(({ files }) => files.length === 0 || !files.every(existsSync))
    expect(missing.map(({ number, files }) => [number, files])).toEqual([])
  })

  it('names only tests that exist, and at least one for each rule', () => {
    const missing = rows.flatMap(({ number, part, tests }) =>
      tests
        .filter(({ path, group, title }) => {
          if (title === NOT_YET) return part !== 'The client' || tests.length > 1
          return (
            !path.endsWith('.test.ts') ||
            !existsSync(path) ||
            !titlesOf(path).has(group === undefined ? title : `${group} › ${title}`)
          )
        })
        .map(({ title }) => `${number}: ${title}`),
    )
    expect(missing).toEqual([])
  })

  it('has no rule twice', () => {
    const said = rows.map(({ part, rule }) => `${part}: ${rule}`)
    expect(said.filter((one, index) => said.indexOf(one) !== index)).toEqual([])
  })

  it.each([
    ['legacy era', ['2024-11-05', '2025-03-26', '2025-06-18', '2025-11-25']],
    ['modern era', ['2026-07-28']],
  ])('has a row for every method and notification of the %s', (part, versions) => {
    const named = inPart(part)
      .map(({ rule }) => rule.replace(/\*[^*]+\*$/, ''))
      .join('\n')
    const lacking = methodRows.filter((row) => versions.some((version) => isInRevision(row, version)))
    expect(lacking.map(({ name }) => name).filter((name) => !named.includes(`\`${name}\``))).toEqual([])
  })

  it('has a row for every error code', () => {
    const named = rows.map(({ rule }) => rule).join('\n')
    expect(Object.values(ErrorCode).filter((code) => !named.includes(`\`${code}\``))).toEqual([])
  })
})
