import { describe, expect, it } from 'vitest'
import { annotationsFault, ICON_SRC_LENGTH_MAX, ICONS_MAX, iconFault, iconsFault, isBase64 } from '#protocol'

const png = 'data:image/png;base64,aGk='
const src = 'https://example.org/i.png'

describe('icons', () => {
  it.each<[object]>([
    [{ src }],
    [{ src: 'HTTPS://example.org/i' }],
    [{ src: png }],
    [{ src: 'data:image/svg+xml;charset=utf-8;base64,aGk=' }],
    ...['image/png', 'image/jpeg', 'image/jpg', 'image/svg+xml', 'image/webp'].map((mimeType): [object] => [
      { src, mimeType },
    ]),
    [{ src, sizes: ['48x48', '96x96', 'any'] }],
    [{ src, sizes: [] }],
    [{ src, theme: 'light' }],
    [{ src, theme: 'dark' }],
  ])('%j is one', (icon) => expect(iconFault(icon)).toBeUndefined())

  it.each<[string, unknown, string]>([
    ['no object', 'x', 'must be an object with a src, got string "x"'],
    ['no src', {}, 'src must be an https: or data: URI, got nothing'],
    ...[
      'http://a/b.png',
      'javascript:alert(1)',
      'file:///a.png',
      'ftp://a/b',
      'ws://a',
      'app://a',
      '/i.png',
      'https://',
    ].map((bad): [string, unknown, string] => [`a src of ${bad}`, { src: bad }, 'src must be an https: or data: URI']),
    ['a page as data', { src: 'data:text/html;base64,aGk=' }, 'src must hold an image of type image/png'],
    ['a gif as data', { src: 'data:image/gif;base64,aGk=' }, 'got "image/gif"'],
    ['data without a type', { src: 'data:,x' }, 'src must hold an image of type'],
    ['data that is no base64', { src: 'data:image/svg+xml,<svg/>' }, 'as base64'],
    [
      'a very long src',
      { src: `data:image/png;base64,${'a'.repeat(ICON_SRC_LENGTH_MAX)}` },
      'Serve the picture over https:',
    ],
    ['an unknown type', { src, mimeType: 'image/gif' }, 'mimeType must be one of image/png'],
    ['sizes as text', { src, sizes: '48x48' }, 'sizes must be an array'],
    ...['48', '48X48', '048x48', '48x', 'big', '48x48 '].map((size): [string, unknown, string] => [
      `a size of ${size}`,
      { src, sizes: [size] },
      `sizes must hold "any" or width and height such as "48x48", got string "${size}"`,
    ]),
    ['an unknown theme', { src, theme: 'blue' }, 'theme must be "light" or "dark", got string "blue"'],
  ])('%s is none', (_name, icon, sentence) => expect(iconFault(icon)).toContain(sentence))

  it('are an array of bounded length, and a fault says which icon it is', () => {
    expect(iconsFault([{ src }])).toBeUndefined()
    expect(iconsFault({ src })).toBe('icons must be an array, got object')
    expect(iconsFault([{ src }, { src: 'x' }])).toBe('icons[1].src must be an https: or data: URI, got string "x"')
    expect(iconsFault([7])).toBe('icons[0] must be an object with a src, got number 7')
    expect(iconsFault(Array(ICONS_MAX + 1).fill({ src }))).toBe(
      `icons may hold ${ICONS_MAX} icons, got ${ICONS_MAX + 1}`,
    )
  })
})

describe('annotations', () => {
  it.each<[object]>([
    [{}],
    [{ audience: ['user', 'assistant'], priority: 0.5, lastModified: '2025-01-12T15:00:58Z' }],
    [{ audience: [] }],
    [{ priority: 0 }],
    [{ priority: 1 }],
    [{ lastModified: '2025-01-12' }],
    [{ lastModified: '2025-01-12T15:00' }],
    [{ lastModified: '2025-01-12T15:00:58.123+02:00' }],
  ])('%j are good', (annotations) => expect(annotationsFault(annotations)).toBeUndefined())

  it.each<[unknown, string]>([
    ['x', 'must be an object, got string "x"'],
    [{ audience: 'user' }, 'audience must be an array of roles, got string "user"'],
    [{ audience: ['user', 'system'] }, 'audience[1] must be "user" or "assistant", got string "system"'],
    [{ priority: 1.01 }, 'priority must be 0 to 1, got number 1.01'],
    [{ priority: -0.1 }, 'priority must be 0 to 1, got number -0.1'],
    [{ priority: Number.NaN }, 'priority must be 0 to 1, got number NaN'],
    [{ priority: '1' }, 'priority must be 0 to 1, got string "1"'],
    [{ lastModified: 'yesterday' }, 'lastModified must be an ISO 8601 date, got string "yesterday"'],
    [{ lastModified: '12/01/2025' }, 'lastModified must be an ISO 8601 date'],
    [{ lastModified: '2025-13-40' }, 'lastModified must be an ISO 8601 date'],
    [{ lastModified: 1736694058 }, 'lastModified must be an ISO 8601 date'],
  ])('%j are refused, saying why', (annotations, sentence) => {
    expect(annotationsFault(annotations)).toContain(sentence)
  })
})

describe('base64', () => {
  it.each(['', 'aGk=', 'aA==', 'aGkh', 'aGk', 'a+/9'])('%j is', (data) => expect(isBase64(data)).toBe(true))
  it.each(['a', 'aGk=a', 'aG=', 'a_-9', 'a b=', 'aGkhI', '===='])('%j is not', (data) =>
    expect(isBase64(data)).toBe(false),
  )
  it('is told for many megabytes', () => expect(isBase64('abcd'.repeat(8_000_000))).toBe(true))
})
