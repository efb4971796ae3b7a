import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { MATCHED_URI_LENGTH_MAX, parseTemplate, TEMPLATE_LENGTH_MAX } from '#protocol'

/** The variables of RFC 6570, section 3.2. */
const variables = {
  count: ['one', 'two', 'three'],
  dom: ['example', 'com'],
  dub: 'me/too',
  hello: 'Hello World!',
  half: '50%',
  var: 'value',
  who: 'fred',
  base: 'http://example.com/home/',
  path: '/foo/bar',
  list: ['red', 'green', 'blue'],
  keys: { semi: ';', dot: '.', comma: ',' },
  v: 6,
  x: 1024,
  y: 768,
  empty: '',
  empty_keys: {},
  undef: undefined,
}

describe('expand', () => {
  it.each([
    ['{count}', 'one,two,three'],
    ['{count*}', 'one,two,three'],
    ['{/count}', '/one,two,three'],
    ['{/count*}', '/one/two/three'],
    ['{;count}', ';count=one,two,three'],
    ['{;count*}', ';count=one;count=two;count=three'],
    ['{?count}', '?count=one,two,three'],
    ['{?count*}', '?count=one&count=two&count=three'],
    ['{&count*}', '&count=one&count=two&count=three'],
    ['{var}', 'value'],
    ['{hello}', 'Hello%20World%21'],
    ['{half}', '50%25'],
    ['O{empty}X', 'OX'],
    ['O{undef}X', 'OX'],
    ['{x,y}', '1024,768'],
    ['{x,hello,y}', '1024,Hello%20World%21,768'],
    ['?{x,empty}', '?1024,'],
    ['?{x,undef}', '?1024'],
    ['?{undef,y}', '?768'],
    ['{var:3}', 'val'],
    ['{var:30}', 'value'],
    ['{list}', 'red,green,blue'],
    ['{list*}', 'red,green,blue'],
    ['{keys}', 'semi,%3B,dot,.,comma,%2C'],
    ['{keys*}', 'semi=%3B,dot=.,comma=%2C'],
    ['{+var}', 'value'],
    ['{+hello}', 'Hello%20World!'],
    ['{+half}', '50%25'],
    ['{base}index', 'http%3A%2F%2Fexample.com%2Fhome%2Findex'],
    ['{+base}index', 'http://example.com/home/index'],
    ['O{+empty}X', 'OX'],
    ['{+path}/here', '/foo/bar/here'],
    ['here?ref={+path}', 'here?ref=/foo/bar'],
    ['{+x,hello,y}', '1024,Hello%20World!,768'],
    ['{+path:6}/here', '/foo/b/here'],
    ['{+list*}', 'red,green,blue'],
    ['{+keys}', 'semi,;,dot,.,comma,,'],
    ['{+keys*}', 'semi=;,dot=.,comma=,'],
    ['{#var}', '#value'],
    ['{#hello}', '#Hello%20World!'],
    ['foo{#empty}', 'foo#'],
    ['foo{#undef}', 'foo'],
    ['{#path:6}/here', '#/foo/b/here'],
    ['{#keys*}', '#semi=;,dot=.,comma=,'],
    ['{.who}', '.fred'],
    ['{.who,who}', '.fred.fred'],
    ['{.half,who}', '.50%25.fred'],
    ['www{.dom*}', 'www.example.com'],
    ['X{.empty}', 'X.'],
    ['X{.undef}', 'X'],
    ['X{.list*}', 'X.red.green.blue'],
    ['X{.keys}', 'X.semi,%3B,dot,.,comma,%2C'],
    ['X{.keys*}', 'X.semi=%3B.dot=..comma=%2C'],
    ['X{.empty_keys}', 'X'],
    ['{/who}', '/fred'],
    ['{/half,who}', '/50%25/fred'],
    ['{/who,dub}', '/fred/me%2Ftoo'],
    ['{/var,empty}', '/value/'],
    ['{/var,undef}', '/value'],
    ['{/var:1,var}', '/v/value'],
    ['{/list*,path:4}', '/red/green/blue/%2Ffoo'],
    ['{/keys*}', '/semi=%3B/dot=./comma=%2C'],
    ['{;who}', ';who=fred'],
    ['{;half}', ';half=50%25'],
    ['{;empty}', ';empty'],
    ['{;v,empty,who}', ';v=6;empty;who=fred'],
    ['{;hello:5}', ';hello=Hello'],
    ['{;keys}', ';keys=semi,%3B,dot,.,comma,%2C'],
    ['{;keys*}', ';semi=%3B;dot=.;comma=%2C'],
    ['{?who}', '?who=fred'],
    ['{?x,y,empty}', '?x=1024&y=768&empty='],
    ['{?x,y,undef}', '?x=1024&y=768'],
    ['{?var:3}', '?var=val'],
    ['{?keys*}', '?semi=%3B&dot=.&comma=%2C'],
    ['{&who}', '&who=fred'],
    ['{&x,y,empty}', '&x=1024&y=768&empty='],
    ['{&keys}', '&keys=semi,%3B,dot,.,comma,%2C'],
    ['a é{var}', 'a%20%C3%A9value'],
    ['O{+undef}X', 'OX'],
    ['up{+path}{var}/here', 'up/foo/barvalue/here'],
    ['{+path,x}/here', '/foo/bar,1024/here'],
    ['{+list}', 'red,green,blue'],
    ['{#half}', '#50%25'],
    ['{#x,hello,y}', '#1024,Hello%20World!,768'],
    ['{#path,x}/here', '#/foo/bar,1024/here'],
    ['{#list}', '#red,green,blue'],
    ['{#list*}', '#red,green,blue'],
    ['{#keys}', '#semi,;,dot,.,comma,,'],
    ['X{.var}', 'X.value'],
    ['X{.var:3}', 'X.val'],
    ['X{.list}', 'X.red,green,blue'],
    ['X{.empty_keys*}', 'X'],
    ['{/who,who}', '/fred/fred'],
    ['{/var}', '/value'],
    ['{/var,x}/here', '/value/1024/here'],
    ['{/list}', '/red,green,blue'],
    ['{/list*}', '/red/green/blue'],
    ['{/keys}', '/semi,%3B,dot,.,comma,%2C'],
    ['{;v,bar,who}', ';v=6;who=fred'],
    ['{;x,y}', ';x=1024;y=768'],
    ['{;x,y,empty}', ';x=1024;y=768;empty'],
    ['{;x,y,undef}', ';x=1024;y=768'],
    ['{;list}', ';list=red,green,blue'],
    ['{;list*}', ';list=red;list=green;list=blue'],
    ['{?half}', '?half=50%25'],
    ['{?x,y}', '?x=1024&y=768'],
    ['{?list}', '?list=red,green,blue'],
    ['{?list*}', '?list=red&list=green&list=blue'],
    ['{?keys}', '?keys=semi,%3B,dot,.,comma,%2C'],
    ['{&half}', '&half=50%25'],
    ['?fixed=yes{&x}', '?fixed=yes&x=1024'],
    ['{&x,y,undef}', '&x=1024&y=768'],
    ['{&var:3}', '&var=val'],
    ['{&list}', '&list=red,green,blue'],
    ['{&list*}', '&list=red&list=green&list=blue'],
    ['{&keys*}', '&semi=%3B&dot=.&comma=%2C'],
    ['{toString}', ''],
  ])('writes %s as %s, as RFC 6570 shows', (template, uri) => {
    expect(parseTemplate(template).expand(variables)).toBe(uri)
  })

  it('replaces a lone surrogate instead of throwing', () => {
    expect(parseTemplate('{a}').expand({ a: '\uD800' })).toBe('%EF%BF%BD')
    expect(parseTemplate('{+a}').expand({ a: '\uD800' })).toBe('%EF%BF%BD')
  })
})

describe('match', () => {
  it.each([
    ['users://{id}/profile', 'users://7/profile', { id: '7' }],
    ['users://{id}/profile', 'users://a%20b/profile', { id: 'a b' }],
    ['users://{id}/profile', 'users://é/profile', { id: 'é' }],
    ['users://{id}/profile', 'users://a%2Fb/profile', { id: 'a/b' }],
    ['users://{id}/profile', 'users://a/b/profile', undefined],
    ['users://{id}/profile', 'users:///profile', undefined],
    ['users://{id}/profile', 'users://7/profile/', undefined],
    ['users://{id}/profile', 'users://7/profil', undefined],
    ['users://{id}/profile', 'users://%zz/profile', { id: '%zz' }],
    ['users://{id}/profile', 'users://%ff/profile', undefined],
    ['users://{id}', 'users://7?x=1', undefined],
    ['static://x', 'static://x', {}],
    ['static://x', 'static://y', undefined],
    ['f://{name}.json', 'f://a.json.json', { name: 'a.json' }],
    ['f://{a}-{b}', 'f://x-y-z', { a: 'x-y', b: 'z' }],
    ['f://{a}{b}', 'f://xyz', { a: 'xy', b: 'z' }],
    ['f://{a,b}', 'f://x,y', { a: 'x', b: 'y' }],
    ['f://{a,b}', 'f://x', { a: 'x' }],
    ['f://{a,b}', 'f://x,y,z', undefined],
    ['file://{+path}', 'file:///a/b?c#d', { path: '/a/b?c#d' }],
    ['f://h{#part}', 'f://h#x/y', { part: 'x/y' }],
    ['f://h{#part}', 'f://h', {}],
    ['f://h{.ext}', 'f://h.tar.gz', { ext: 'tar.gz' }],
    ['f://h{/a}', 'f://h/x', { a: 'x' }],
    ['f://h{/a}', 'f://h', {}],
    ['f://h{/a}', 'f://h/x/y', undefined],
    ['f://h{/a,b}', 'f://h/x/y', { a: 'x', b: 'y' }],
    ['f://h{/path*}', 'f://h/x/y/z', { path: 'x/y/z' }],
    ['s://q{?a,b}', 's://q?a=1&b=2', { a: '1', b: '2' }],
    ['s://q{?a,b}', 's://q?b=2&a=1', { a: '1', b: '2' }],
    ['s://q{?a,b}', 's://q?b=2', { b: '2' }],
    ['s://q{?a,b}', 's://q', {}],
    ['s://q{?a,b}', 's://q?c=1', undefined],
    ['s://q{?a,b}', 's://q?a=1&a=2', undefined],
    ['s://q?x=1{&a}', 's://q?x=1&a=b%26c', { a: 'b&c' }],
    ['s://{id}{?v}', 's://7?v=2', { id: '7', v: '2' }],
    ['s://{a}/{a}', 's://x/x', { a: 'x' }],
    ['s://{a}/{a}', 's://x/y', undefined],
    ['s://{toString}', 's://x', { toString: 'x' }],
  ])('%s reads %s as %j', (template, uri, expected) => {
    expect(parseTemplate(template).match(uri)).toEqual(expected)
  })

  it('keeps a variable named __proto__ a plain member', () => {
    const found = parseTemplate('s://{__proto__}').match('s://x') as object
    expect(Object.getPrototypeOf(found)).toBe(Object.prototype)
    expect(Object.entries(found)).toEqual([['__proto__', 'x']])
  })

  it('takes no longer than template times URI for the worst of both', () => {
    const template = parseTemplate(`${'{a}-{b}'.repeat(16)}!`)
    const uri = '-a'.repeat(MATCHED_URI_LENGTH_MAX / 2)
    const started = process.cpuUsage().user
    expect(template.match(uri)).toBeUndefined()
    expect(process.cpuUsage().user - started).toBeLessThan(1_000_000)
  })

  it('does not look at a URI past the bound', () => {
    expect(parseTemplate('{+a}').match('x'.repeat(MATCHED_URI_LENGTH_MAX + 1))).toBeUndefined()
  })
})

describe('a URI that a template wrote', () => {
  const operator = fc.constantFrom('', '.', '/', ';', '?', '&')
  const names = fc.uniqueArray(fc.constantFrom('a', 'b', 'c'), { minLength: 1, maxLength: 3 })
  const value = fc.oneof(
    fc.string({ minLength: 1, maxLength: 6 }),
    fc.string({ unit: 'grapheme', minLength: 1, maxLength: 4 }),
  )

  it('is matched by it, and the variables found write the same URI', () => {
    fc.assert(
      fc.property(operator, names, fc.tuple(value, value, value), (sign, list, [a, b, c]) => {
        const template = parseTemplate(`x://y/{${sign}${list.join(',')}}`)
        const uri = template.expand({ a, b, c })
        const found = template.match(uri)
        expect(found).toBeDefined()
        expect(template.expand(found ?? {})).toBe(uri)
      }),
      { seed: Number(process.env['BOUGH_SEED'] ?? 42), numRuns: 1_000 },
    )
  })
})

describe('parseTemplate', () => {
  it('names the variables in order, each once', () => {
    expect(parseTemplate('a://{b}/{c}{?b,d*,e:3}').variables).toEqual(['b', 'c', 'd', 'e'])
  })

  it.each([
    ['an open brace', 'a://{b', 'has a "{" without a "}"'],
    ['a stray closing brace', 'a://b}', 'has a "}" without a "{"'],
    ['an empty expression', 'a://{}', 'is not a variable'],
    ['a bad name', 'a://{b c}', '"b c" is not a variable'],
    ['a reserved operator', 'a://{=b}', 'the operator "="'],
    ['a prefix of zero', 'a://{b:0}', 'is not a variable'],
    ['too long a text', 'a'.repeat(TEMPLATE_LENGTH_MAX + 1), 'may be 2048 characters long, got 2049'],
    ['too many expressions', '{a}'.repeat(33), 'may hold 32 expressions, got 33'],
  ])('refuses %s, saying so', (_name, text, sentence) => {
    expect(() => parseTemplate(text)).toThrow(
      expect.objectContaining({ code: 'MCP_URI_TEMPLATE', message: expect.stringContaining(sentence) }),
    )
  })
})
