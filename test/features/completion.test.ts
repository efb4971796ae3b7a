import { describe, expect, it } from 'vitest'
import { COMPLETION_CANDIDATES_MAX, COMPLETION_VALUES_MAX, checkCompleter, complete } from '#features/completion'
import { ranked } from '#features/ranking'

const words = Array.from({ length: 150 }, (_, index) => `word-${String(index).padStart(3, '0')}`)

describe('ranked', () => {
  it.each<[string, string[], string, string[]]>([
    [
      'prefixes come first, then words, then letters in order',
      ['rap a', 'ripe at', 'xpa', 'las palmas', 'paris'],
      'pa',
      ['paris', 'las palmas', 'rap a', 'ripe at', 'xpa'],
    ],
    ['within each kind the order stays', ['b-x', 'x2', 'a-x', 'x1'], 'x', ['x2', 'x1', 'b-x', 'a-x']],
    ['case does not matter', ['Paris', 'PALMA', 'oslo'], 'pA', ['Paris', 'PALMA']],
    ['a hump begins a word', ['getUserName', 'username', 'abuse'], 'user', ['username', 'getUserName']],
    ['digits belong to a word', ['a1b', 'x-1b'], '1b', ['x-1b', 'a1b']],
    ['letters in the wrong order do not match', ['abc'], 'ca', []],
    ['letters outside ASCII work', ['Zürich', 'Genève'], 'zü', ['Zürich']],
    ['an empty value matches all', ['b', 'a'], '', ['b', 'a']],
  ])('%s', (_name, candidates, value, expected) => {
    expect(ranked(candidates, value, 'fuzzy')).toEqual(expected)
  })

  it('keeps to prefixes where there are any, unless it is told otherwise', () => {
    expect(ranked(['las palmas', 'paris'], 'pa', 'best')).toEqual(['paris'])
    expect(ranked(['las palmas', 'lisboa'], 'pa', 'best')).toEqual(['las palmas'])
    expect(ranked(['las palmas', 'lisboa'], 'pa', 'prefix')).toEqual([])
    expect(ranked(['las palmas', 'paris'], 'x', 'none')).toEqual(['las palmas', 'paris'])
  })

  it('sees that a list changed', () => {
    const list = ['oslo']
    expect(ranked(list, 'b', 'best')).toEqual([])
    list.push('bergen')
    expect(ranked(list, 'b', 'best')).toEqual(['bergen'])
    list[0] = 'bodø'
    expect(ranked(list, 'b', 'best')).toEqual(['bodø', 'bergen'])
  })
})

describe('complete', () => {
  it.each<[string, number]>([
    ['word-1', 50],
    ['word-00', 10],
    ['word-149', 1],
    ['WORD-1', 50],
    ['word', 150],
    ['', 150],
    ['zebra', 0],
  ])('completes 150 words by the prefix %j: %i in all', async (value, total) => {
    const expected = words.filter((word) => word.startsWith(value.toLowerCase()))
    expect(await complete(words, value)).toEqual({
      values: expected.slice(0, COMPLETION_VALUES_MAX),
      total,
      hasMore: total > COMPLETION_VALUES_MAX,
    })
  })

  it('ranks what a function gives, and leaves it where nothing matches or it says so', async () => {
    expect((await complete(() => ['bergen', 'oslo'], 'o')).values).toEqual(['oslo'])
    expect((await complete(async () => ['bergen', 'oslo'], 'x')).values).toEqual(['bergen', 'oslo'])
    expect((await complete({ values: () => ['bergen', 'oslo'], match: 'none' }, 'o')).values).toEqual([
      'bergen',
      'oslo',
    ])
    expect((await complete({ values: () => ['bergen', 'oslo'], match: 'prefix' }, 'x')).values).toEqual([])
    expect((await complete({ values: ['a-b', 'b'], match: 'fuzzy' }, 'b')).values).toEqual(['b', 'a-b'])
  })

  it('looks at a bounded number of candidates', async () => {
    const many = Array<string>(COMPLETION_CANDIDATES_MAX + 5).fill('x')
    expect((await complete(() => many, '')).total).toBe(COMPLETION_CANDIDATES_MAX)
  })

  it('answers 95 of 100 within 50 ms of work over 10 000 candidates', async () => {
    const candidates = Array.from(
      { length: 10_000 },
      (_, index) => `some/path-${index * 7919}/File${index % 97}Name.ts`,
    )
    const times: number[] = []
    for (let turn = 0; turn < 100; turn++) {
      const value = ['some', 'file', 'fn', 'zz', `path-${turn}`][turn % 5] as string
      const started = process.cpuUsage()
      await complete({ values: turn % 2 === 0 ? candidates : () => [...candidates], match: 'fuzzy' }, value)
      const { user, system } = process.cpuUsage(started)
      times.push((user + system) / 1_000)
    }
    times.sort((one, other) => one - other)
    expect(times[94]).toBeLessThan(50)
  })
})

describe('checkCompleter', () => {
  it.each<[unknown]>([[[]], [['a']], [() => []], [{ values: ['a'] }], [{ values: () => [], match: 'none' }]])(
    'takes %j',
    (completer) => {
      expect(() => checkCompleter('Prompt "p"', 'complete', completer)).not.toThrow()
    },
  )
  it.each<[unknown, string]>([
    ['a', 'Prompt "p": complete must be an array of strings or a function, got string "a"'],
    [[1], 'complete must be an array of strings or a function, got array of 1'],
    [{}, 'complete must be an array of strings or a function, got object'],
    [{ values: 7 }, 'complete must be an array of strings or a function, got number 7'],
    [{ values: [], match: 'best' }, 'complete.match must be "prefix", "fuzzy" or "none", got string "best"'],
  ])('refuses %j', (completer, sentence) => {
    expect(() => checkCompleter('Prompt "p"', 'complete', completer)).toThrow(sentence)
  })
})
