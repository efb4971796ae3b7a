/** Targets: small languages that strangers write in. */
import fc from 'fast-check'
import { FrontmatterError, readFrontmatter, writeFrontmatter } from '#features/frontmatter'
import { decodeCursor, encodeCursor, ProtocolError, paginate, parseTemplate, UriTemplateError } from '#protocol'
import { compilePattern, PatternLimit } from '#protocol/patterns'
import { memoryStore } from '#storage/memory'
import { joined, oddText } from '../seeds.ts'
import { anyText, must, partsOf, type Target } from '../target.ts'

const expression = fc
  .tuple(
    fc.constantFrom('', '+', '#', '.', '/', ';', '?', '&'),
    fc.array(fc.tuple(fc.constantFrom('a', 'b', 'c_1', 'x.y', '%41'), fc.constantFrom('', '*', ':3')), {
      minLength: 1,
      maxLength: 3,
    }),
  )
  .map(([operator, names]) => `{${operator}${names.map(([name, modifier]) => name + modifier).join()}}`)
const template = fc
  .array(fc.oneof(expression, fc.constantFrom('x://', '/', 'users', ':', '?', '#', '.'), oddText), { maxLength: 6 })
  .map((parts) => parts.join(''))
const uri = fc.oneof(
  fc.webUrl(),
  fc.constantFrom('x://users/1', 'users://ann%20lee/posts?a=2&b=', 'x://%ff/%'),
  oddText,
)

export const templates: Target = {
  name: 'templates',
  law: 'a template is refused with its own error or expands and matches without a throw; what it expands to, it matches',
  weight: 6,
  bytesMax: 12_288,
  seeds: joined(template, uri, oddText),
  open: () => ({
    run: (input) => {
      const [text = '', uri = '', value = ''] = partsOf(input, 3).map(anyText)
      let parsed: ReturnType<typeof parseTemplate>
      try {
        parsed = parseTemplate(text)
      } catch (error) {
        if (error instanceof UriTemplateError) return error.message.replace(/"[\s\S]*"/, '').slice(0, 40)
        throw error
      }
      const found = parsed.match(uri)
      if (found !== undefined) {
        for (const name of Object.keys(found))
          must(parsed.variables.includes(name), 'a variable from nowhere', text, name)
      }
      const held = Object.fromEntries(
        parsed.variables.map((name, index) => [name, index % 2 === 0 ? value : [value, uri]]),
      )
      const expanded = parsed.expand(held)
      must(!/[\ud800-\udfff]/.test(expanded), 'an expansion is no URI', expanded)
      parsed.match(expanded)
      return `${parsed.variables.length} ${found !== undefined} ${expanded === text}`
    },
  }),
}

const atom = fc.constantFrom(
  'a',
  '.',
  '\\d',
  '[a-z]',
  '(a|b)',
  '(?:a+)',
  '(a+)+',
  '^',
  '$',
  '\\b',
  '(?=a)',
  '\\1',
  '[^x]',
  'é',
  '\\u{1F600}',
)
const pattern = fc
  .array(fc.tuple(atom, fc.constantFrom('', '*', '+', '?', '{2,3}', '{0,50}', '*?')), { maxLength: 6 })
  .map((parts) => parts.map(([one, quantifier]) => one + quantifier).join(''))

export const patterns: Target = {
  name: 'patterns',
  law: 'a pattern is refused, or answers in bounded time whatever the text, and as the engine does where that is quick',
  weight: 1,
  bytesMax: 2_048,
  seeds: joined(pattern, fc.oneof(fc.string({ unit: fc.constantFrom('a', 'b', '1', ' ') }), oddText)),
  open: () => ({
    run: (input) => {
      const [source = '', text = ''] = partsOf(input, 2).map(anyText)
      let ready: ReturnType<typeof compilePattern>
      try {
        ready = compilePattern(source, 'u')
      } catch (error) {
        must(error instanceof Error, 'a pattern throws something else', error)
        return `refused ${error.name}`
      }
      try {
        const whole = ready.test(text)
        // A long run of one character is what makes backtracking explode.
        ready.test(`${text}${'a'.repeat(2_000)}!`)
        return String(whole)
      } catch (error) {
        if (error instanceof PatternLimit) return 'limit'
        throw error
      }
    },
  }),
}

export const cursors: Target = {
  name: 'cursors',
  law: 'only a cursor of this list, letter by letter as we write it, is one; every other is -32602',
  weight: 30,
  bytesMax: 4_096,
  seeds: fc.oneof(
    fc.tuple(fc.constantFrom('tools', 'prompts'), fc.integer({ min: -5, max: 2_000_000 })).map(([list, offset]) => {
      return encodeCursor({ list, offset })
    }),
    fc.base64String(),
    oddText,
  ),
  open: () => {
    const items = Array.from({ length: 100 }, (_, index) => index)
    return {
      run: (input) => {
        const text = anyText(input)
        const offset = decodeCursor(text, 'tools')
        if (offset !== undefined)
          must(encodeCursor({ list: 'tools', offset }) === text, 'two texts for one place', text)
        must(offset === undefined || decodeCursor(text, 'prompts') === undefined, 'a cursor of two lists', text)
        try {
          const { page } = paginate('tools', items, text, 10)
          must(offset !== undefined && page.length === Math.max(0, Math.min(10, 100 - offset)), 'another page', text)
          return `page ${page.length > 0}`
        } catch (error) {
          must(
            error instanceof ProtocolError && error.code === -32602 && offset === undefined,
            'another error',
            String(error),
          )
          return 'refused'
        }
      },
    }
  },
}

const yaml = fc
  .array(
    fc.tuple(
      fc.constantFrom('', '  ', '    ', '\t'),
      fc.constantFrom(
        'name:',
        'a:',
        '-',
        '"b":',
        'c: |',
        'd: >-',
        '#',
        '? x',
        '&x',
        'e: [a, b]',
        "f: 'x''y'",
        'g: {"h": 1}',
      ),
      fc.oneof(fc.constantFrom('', ' 1', ' true', ' ~', ' 0x1F', ' .inf', ' # c'), oddText),
    ),
    { maxLength: 8 },
  )
  .map((lines) => `---\n${lines.map((line) => line.join('')).join('\n')}\n---\nbody`)

export const frontmatter: Target = {
  name: 'frontmatter',
  law: 'a frontmatter is refused with its own error, or read to JSON that is read back from what we write',
  weight: 6,
  seeds: yaml,
  open: () => ({
    run: (input) => {
      try {
        const { fields } = readFrontmatter(anyText(input))
        const again = readFrontmatter(writeFrontmatter(fields)).fields
        must(JSON.stringify(again) === JSON.stringify(fields), 'fields read back differ', fields, again)
        return `read ${Object.keys(fields).length}`
      } catch (error) {
        if (error instanceof FrontmatterError) return error.message.replace(/line \d+|: ".*|\d+/gs, '')
        throw error
      }
    },
  }),
}

export const eventIds: Target = {
  name: 'event-ids',
  law: 'a Last-Event-ID is one that was given, or is answered with nothing or a gap; never with what is another session’s',
  weight: 24,
  bytesMax: 2_048,
  seeds: fc.oneof(
    fc
      .tuple(fc.constantFrom('g', 'r1', 's_2', ''), fc.integer({ min: -2, max: 60 }))
      .map(([stream, number]) => `${stream}_${number}`),
    oddText,
  ),
  open: () => {
    const store = memoryStore({ maxEvents: 20 })
    const log = store.events.open('one')
    const other = store.events.open('other')
    const given = new Set<string>()
    for (let index = 0; index < 50; index++) {
      given.add(log.append(['g', 'r1', 's_2'][index % 3] as string, `{"n":${index}}`))
      other.append('g', '{"secret":true}')
    }
    return {
      run: (input) => {
        const id = anyText(input)
        const replay = log.replay(id)
        if (replay === undefined) return 'unknown'
        must(
          given.has(id) || replay.events.length === 0 || /^(g|r1|s_2)_\d+$/.test(id),
          'an id that was never given',
          id,
        )
        for (const { message } of replay.events) must(!message.includes('secret'), 'an event of another session', id)
        return `${replay.streamId} ${replay.events.length} ${replay.gap === true}`
      },
    }
  },
}
