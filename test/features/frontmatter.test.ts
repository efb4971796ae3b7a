import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { FRONTMATTER_DEPTH_MAX, FRONTMATTER_LENGTH_MAX, readFrontmatter, writeFrontmatter } from '#features/frontmatter'

const seed = Number(process.env['BOUGH_SEED'] ?? 42)
const fieldsOf = (yaml: string): unknown => readFrontmatter(`---\n${yaml}\n---\nbody`).fields

describe('readFrontmatter', () => {
  it.each<[string, string, unknown]>([
    [
      'plain texts and comments',
      'name: a\n# no\ndescription: b c # x\nurl: https://example.org/a#b\nt: a:b',
      { name: 'a', description: 'b c', url: 'https://example.org/a#b', t: 'a:b' },
    ],
    [
      'the core schema',
      'a: 1\nb: 1.5\nc: true\nd: null\ne:\nf: ~\ng: yes\nh: 2024-01-01\ni: 0x1f\nj: -3\nk: .5\nl: 1e3\nm: 0o17',
      {
        a: 1,
        b: 1.5,
        c: true,
        d: null,
        e: null,
        f: null,
        g: 'yes',
        h: '2024-01-01',
        i: 31,
        j: -3,
        k: 0.5,
        l: 1000,
        m: 15,
      },
    ],
    ['quotes', "a: \"x: y # z\\n\"\nb: 'it''s'\n\"q k\": 2\n's': 3", { a: 'x: y # z\n', b: "it's", 'q k': 2, s: 3 }],
    [
      'brackets',
      'tags: [a, b c, 3]\nm: {"a": 1, "b": [true]}\ne: []',
      { tags: ['a', 'b c', 3], m: { a: 1, b: [true] }, e: [] },
    ],
    [
      'maps in maps',
      'metadata:\n  version: "1.0"\n  deep:\n    x: 1\nz: 2',
      { metadata: { version: '1.0', deep: { x: 1 } }, z: 2 },
    ],
    ['lists', 'l:\n  - a\n  - b: 1\n    c: 2\nm:\n- p\n- q', { l: ['a', { b: 1, c: 2 }], m: ['p', 'q'] }],
    [
      'a folded block',
      'd: >\n  folded text\n  goes on\n\n  para\n    indented\n  back\nx: 1',
      { d: 'folded text goes on\npara\n  indented\nback\n', x: 1 },
    ],
    ['a literal block', 'd: |\n  lit\n   eral\n\n\nx: 1', { d: 'lit\n eral\n', x: 1 }],
    ['blocks that are chomped', 'd: >-\n  strip\n  me\nx: |+\n  keep\n\ny: 1', { d: 'strip me', x: 'keep\n\n', y: 1 }],
    ['a plain text of several lines', 'd: one\n  two\n  three\nx: 1', { d: 'one two three', x: 1 }],
    ['a tool list', 'allowed-tools: Bash(git:*) Read', { 'allowed-tools': 'Bash(git:*) Read' }],
    ['nothing', '', {}],
    [
      'a key of Object.prototype',
      '__proto__: 1\ntoString: 2',
      Object.fromEntries([
        ['__proto__', 1],
        ['toString', 2],
      ]),
    ],
  ])('reads %s', (_name, yaml, fields) => {
    expect(JSON.stringify(fieldsOf(yaml))).toBe(JSON.stringify(fields))
  })

  it.each<[string, string, string]>([
    ['an anchor', 'a: &x 1', 'line 2 has a value that begins with "&"'],
    ['an alias', 'a: 1\nb: *x', 'line 3 has a value that begins with "*"'],
    ['a tag', 'a: !t 1', 'begins with "!"'],
    ['a key twice', 'a: 1\na: 2', 'line 3 names "a" a second time'],
    ['a tab', 'a:\n\tb: 1', 'line 3 is indented with a tab'],
    ['two values', 'a: b: c', 'a second ": " in its value'],
    ['no map', '- a', 'is no "key: value"'],
    ['an open quote', 'a: "x', 'a text in double quotes that is not one of JSON'],
    ['an open bracket', 'a: [b', 'neither JSON nor a list of plain texts'],
    ['what JSON lacks', 'a: .nan', 'which JSON lacks'],
    [
      'a map too deep',
      Array.from({ length: FRONTMATTER_DEPTH_MAX + 1 }, (_, n) => `${'  '.repeat(n)}a:`)
        .join('\n')
        .concat(' 1'),
      'nests deeper than',
    ],
  ])('refuses %s rather than read it otherwise than others do', (_name, yaml, sentence) => {
    expect(() => fieldsOf(yaml)).toThrow(
      expect.objectContaining({ name: 'FrontmatterError', message: expect.stringContaining(sentence) }),
    )
  })

  it('needs two lines of dashes at the start, and gives what follows', () => {
    expect(readFrontmatter('---\r\na: 1\r\n---\r\n# Title\r\n---\r\n')).toEqual({
      fields: { a: 1 },
      body: '# Title\r\n---\r\n',
    })
    expect(readFrontmatter('\uFEFF---\na: 1\n---').body).toBe('')
    for (const bad of ['', 'a: 1', '---\na: 1', '\n---\na: 1\n---\n'])
      expect(() => readFrontmatter(bad)).toThrow('must begin with a frontmatter')
    expect(() => readFrontmatter(`---\na: ${'x'.repeat(FRONTMATTER_LENGTH_MAX)}\n---\n`)).toThrow('characters long')
  })
})

describe('writeFrontmatter', () => {
  it('reads back as the same, whatever the fields', () => {
    const fields = fc.dictionary(
      fc.oneof(fc.string({ maxLength: 8 }), fc.constantFrom('name', 'true', 'null', 'a-b', '1', '- x', '#')),
      fc.jsonValue({ maxDepth: 3 }),
      { maxKeys: 5 },
    )
    fc.assert(
      fc.property(fields, (given) => {
        const same = JSON.parse(JSON.stringify(given)) as typeof given
        expect(readFrontmatter(writeFrontmatter(same)).fields).toEqual(same)
      }),
      { seed, numRuns: 1_000 },
    )
  })
})
