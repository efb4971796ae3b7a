import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { absolutePath, confine, isWithinRoots, PATH_LENGTH_MAX, pathOfFileUri, pathWithinRoots } from '#features/roots'

const seed = Number(process.env['BOUGH_SEED'] ?? 42)
const roots = [{ uri: 'file:///home/ann/project' }, { uri: 'file:///srv/data%20sets/' }, { uri: 'file:///C:/docs' }]

describe('pathOfFileUri', () => {
  it.each<[string, string | undefined]>([
    ['file:///a/b', '/a/b'],
    ['file://localhost/a', '/a'],
    ['FILE:///a', '/a'],
    ['file:///a%20b/%C3%A9', '/a b/é'],
    ['file:///a/../b/./c//d/', '/b/c/d'],
    ['file:///../../a', '/a'],
    ['file:///a/%2e%2e/b', '/b'],
    ['file:///', '/'],
    ['file:///C:/dir/x', 'C:/dir/x'],
    ['file:///c:/dir/../x', 'C:/x'],
    ['file:///C:', 'C:/'],
    ['file:///a%2Fb', undefined],
    ['file:///a%5cb', undefined],
    ['file:///a\\b', undefined],
    ['file:///a%00', undefined],
    ['file:///a?q', undefined],
    ['file:///a#f', undefined],
    ['file:///a%zz', undefined],
    ['file:///a%ff', undefined],
    ['file://host/a', undefined],
    ['file:////host/share', undefined],
    ['file:a', undefined],
    ['https://a/b', undefined],
    ['/a/b', undefined],
    [`file:///${'a'.repeat(PATH_LENGTH_MAX)}`, undefined],
  ])('reads %s as %s', (uri, path) => expect(pathOfFileUri(uri)).toBe(path))
})

describe('isWithinRoots', () => {
  it.each<[string, boolean]>([
    ['file:///home/ann/project', true],
    ['file:///home/ann/project/', true],
    ['file:///home/ann/project/a/b.ts', true],
    ['/home/ann/project/a', true],
    ['/home/ann/project/../project/a', true],
    ['file:///srv/data%20sets/x', true],
    ['/srv/data sets/x', true],
    ['C:\\docs\\x', true],
    ['file:///c:/docs/x', true],
    ['file:///home/ann/project-2', false],
    ['file:///home/ann', false],
    ['file:///home/ann/project/../secret', false],
    ['file:///home/ann/project/%2e%2e/secret', false],
    ['file:///home/ann/project/..%2fsecret', false],
    ['/home/ann/project/../../bob', false],
    ['/HOME/ann/project', false],
    ['home/ann/project', false],
    ['project', false],
    ['', false],
    ['C:\\docs\\..\\x', false],
    ['D:\\docs', false],
    ['\\\\host\\docs', false],
    ['//host/home/ann/project', false],
    ['/home/ann/project\0/x', false],
    ['https://home/ann/project', false],
  ])('%j: %j', (path, isWithin) => expect(isWithinRoots(roots, path)).toBe(isWithin))

  it('is false without roots, and ignores roots that are no file: URI', () => {
    expect(isWithinRoots([], '/a')).toBe(false)
    expect(isWithinRoots([{ uri: 'https://a' }, { uri: 'x' }], '/a')).toBe(false)
    expect(isWithinRoots([{ uri: 'file:///' }], '/a')).toBe(true)
  })

  it('pathWithinRoots gives the path, or throws -32602 saying why', () => {
    expect(pathWithinRoots(roots, 'file:///home/ann/project/./a')).toBe('/home/ann/project/a')
    expect(() => pathWithinRoots(roots, '/etc/passwd')).toThrow(
      expect.objectContaining({
        code: -32602,
        message: 'string "/etc/passwd" is outside the roots that the client named',
      }),
    )
    expect(() => pathWithinRoots(roots, 'x')).toThrow('is no file: URI and no absolute path')
  })
})

describe('confine', () => {
  it.each<[string, string, string | undefined]>([
    ['/srv', 'a/b', '/srv/a/b'],
    ['/srv/', './a', '/srv/a'],
    ['/srv', '', '/srv'],
    ['/', 'a', '/a'],
    ['/srv', 'a..b', '/srv/a..b'],
    ['/srv', '../a', undefined],
    ['/srv', 'a/../../b', undefined],
    ['/srv', 'a/../b', undefined],
    ['/srv', '/etc/passwd', undefined],
    ['/srv', '\\etc', undefined],
    ['/srv', 'a\\..\\..\\b', undefined],
    ['/srv', 'C:/x', undefined],
    ['/srv', 'a\0b', undefined],
    ['C:/srv', 'a', 'C:/srv/a'],
  ])('of %s, %j gives %s', (base, relative, path) => expect(confine(base, relative)).toBe(path))

  it('needs an absolute base', () =>
    expect(() => confine('srv', 'a')).toThrow('base must be an absolute path, got string "srv"'))

  it('never leaves its base, whatever it is given', () => {
    const piece = fc.constantFrom('..', '.', 'a', '', '/', '\\', '%2e%2e', '%2f', '\0', 'C:', '~', '...', ' ')
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 8 }), fc.constantFrom('', '/'), (pieces, between) => {
        const path = confine('/srv/docs', pieces.join(between))
        if (path === undefined) return
        expect(path === '/srv/docs' || path.startsWith('/srv/docs/')).toBe(true)
        expect(path.split('/')).not.toContain('..')
        expect(absolutePath(path)).toBe(path)
      }),
      { seed, numRuns: 2_000 },
    )
  })
})
