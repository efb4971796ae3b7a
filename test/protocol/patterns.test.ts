/**
 * The law: wherever the matcher that never goes back gives an answer, it is the engine's. 1. generate a pattern from pieces
 * that may repeat, branch and look ahead, and texts over its alphabet, 2. ask both, 3. compare.
 */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { compileSchema } from '#protocol'
import { compileMatcher } from '#protocol/pattern-matcher'
import { parsePattern } from '#protocol/pattern-parser'
import { BACKTRACKED_LENGTH_MIN, compilePattern, PATTERN_LENGTH_MAX } from '#protocol/patterns'

const seed = Number(process.env['BOUGH_SEED'] ?? 42)
const budget = () => ({ left: 1_000_000, exhausted: () => new Error('exhausted') })

const patterns = fc.letrec<{ node: string; atom: string }>((tie) => ({
  atom: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.constantFrom(
      'a',
      'b',
      '.',
      '[ab]',
      '[^a]',
      '\\d',
      '\\w',
      '\\s',
      '^',
      '$',
      '\\b',
      '\\B',
      '\\.',
      '\\u{61}',
      '\\x62',
      'é',
      '😀',
      '[\\]a-]',
    ),
    tie('node').map((node) => `(?:${node})`),
    tie('node').map((node) => `(${node})`),
    tie('node')
      .map((node) => `(?<n>${node})`)
      .map((one) => one.replaceAll('(?<n>', '(')),
    tie('node').map((node) => `(?=${node})`),
    tie('node').map((node) => `(?!${node})`),
  ),
  node: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    tie('atom'),
    fc.tuple(tie('atom'), tie('atom')).map(([one, other]) => one + other),
    fc.tuple(tie('node'), tie('node')).map(([one, other]) => `${one}|${other}`),
    fc
      .tuple(
        fc.constantFrom('a', 'b', '[ab]', '.', '\\w', '(?:a|b)', '(?:a|ab)', '(?:a*b?)', '(?:)'),
        fc.constantFrom('*', '+', '?', '{2}', '{1,}', '{0,2}', '*?', '+?', '{1,3}?'),
      )
      .map((pair) => pair.join('')),
    fc.tuple(tie('node'), fc.constantFrom('*', '+', '{0,2}')).map(([node, sign]) => `(?:${node})${sign}`),
  ),
})).node

describe('the matcher that never goes back', () => {
  it('agrees with the engine on every pattern and text, with the u flag and without', () => {
    fc.assert(
      fc.property(
        patterns,
        fc.array(fc.constantFrom('a', 'b', 'é', '1', ' ', '.', '😀', '-', ']'), { maxLength: 8 }),
        fc.boolean(),
        (source, characters, isUnicode) => {
          fc.pre(isUnicode || !source.includes('\\u{'))
          const engine = new RegExp(source, isUnicode ? 'u' : '')
          const tree = parsePattern(source, isUnicode)
          expect(tree).toBeDefined()
          const matcher = tree && compileMatcher(tree, isUnicode)
          expect(matcher).toBeDefined()
          const text = characters.join('')
          expect(matcher?.test(text, budget())).toBe(engine.test(text))
        },
      ),
      { seed, numRuns: 3_000 },
    )
  })

  it.each(['\\1', '(a)\\1', '(?<=a)b', '(?<!a)b', '(?<n>a)\\k<n>'])('leaves %s to the engine', (source) => {
    const tree = parsePattern(source, false)
    expect(tree && compileMatcher(tree, false)).toBeUndefined()
  })
})

describe('a pattern', () => {
  it.each([
    ['^(a+)+$', 'a'],
    ['^(a|a)*$', 'a'],
    ['^(a|aa)+$', 'a'],
    ['(x+x+)+y', 'x'],
    ['^(?:a?){30}a{30}$', 'a'],
    [
      '^([a-zA-Z0-9])(([-.]|[_]+)?([a-zA-Z0-9]+))*(@){1}[a-z0-9]+[.]{1}(([a-z]{2,3})|([a-z]{2,3}[.]{1}[a-z]{2,3}))$',
      'a',
    ],
    ["^(?!\\.)(?!.*\\.\\.)([A-Za-z0-9_'+\\-\\.]*)[A-Za-z0-9_+-]@([A-Za-z0-9][A-Za-z0-9\\-]*\\.)+[A-Za-z]{2,}$", 'a'],
    ['\\s*\\s*\\s*\\s*$', ' '],
  ])('%s takes no longer for what it would take for ever', (source, character) => {
    const pattern = compilePattern(source, 'u')
    const started = process.cpuUsage().user
    expect(pattern.test(`${character.repeat(5_000)}!`)).toBe(source.startsWith('\\s'))
    expect(pattern.test('')).toBe(new RegExp(source, 'u').test(''))
    expect(process.cpuUsage().user - started).toBeLessThan(2_000_000)
  })

  it('that the engine takes for ever to make ready is not tried with it, not even for the empty text', () => {
    // Not one of Unicode, so that it is read without the u flag; the engine's code for so many choices never gets done.
    const pattern = compilePattern(`a?(?:a+)+[^x]*?${'\\*?'.repeat(600)}\\\\u{1F600}?${'\\*?'.repeat(60)}\\u{z}`, 'u')
    expect(pattern.test('')).toBe(false)
  })

  it('is the engine itself for short and simple cases, and for long simple ones', () => {
    expect(compilePattern('^\\d{4}-\\d{2}$', 'u').test('2025-01')).toBe(true)
    expect(compilePattern('^x', 'u').test('x'.repeat(500_000))).toBe(true)
    expect(compilePattern('[\\w-.]+', 'u').test('a-.')).toBe(true)
  })

  it('that needs backtracking is taken for texts up to a bound', () => {
    const pattern = compilePattern('(?<=a)b+c', '')
    expect(pattern.test(`a${'b'.repeat(20)}c`)).toBe(true)
    expect(() => pattern.test('b'.repeat(100_000))).toThrow(/expected at most \d+ characters for its pattern/)
    const issues = compileSchema({ type: 'object', properties: { a: { pattern: '(?<=a)b+c' } } }).check({
      a: 'b'.repeat(100_000),
    })
    expect(issues?.[0]?.message).toMatch(/expected at most/)
  })

  it.each([
    ['^(\\w+)+\\1$', 'could take for ever'],
    ['^((?<=x)a*)*$', 'could take for ever'],
    ['a'.repeat(PATTERN_LENGTH_MAX + 1), `may be ${PATTERN_LENGTH_MAX} characters long`],
    ['(', 'Invalid regular expression'],
  ])('%s is refused when it is defined', (source, sentence) => {
    expect(() => compilePattern(source, '')).toThrow(sentence)
    expect(() => compileSchema({ type: 'object', properties: { a: { pattern: source } } })).toThrow(
      expect.objectContaining({ code: 'MCP_SCHEMA_INVALID' }),
    )
    expect(BACKTRACKED_LENGTH_MIN).toBe(64)
  })
})
