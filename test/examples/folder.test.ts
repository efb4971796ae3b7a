/** The guard of the demonstration server: what may be read, and every way out that must be closed. */
import { spawnSync } from 'node:child_process'
import { link, mkdir, mkdtemp, realpath, rename, rm, symlink, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, posix } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { changesBetween, FILE_BYTES_MAX, readServedFile, takeSnapshot } from '../../examples/demo/files.ts'
import { checkPath, locate, PATH_LENGTH_MAX, PathError } from '../../examples/demo/folder.ts'
import { asText, mimeTypeOf } from '../../examples/demo/mime-types.ts'

const seed = Number(process.env['BOUGH_SEED'] ?? 1)

/** The code of the PathError that `run` throws or rejects with; undefined when it does neither. */
async function codeOf(run: () => unknown): Promise<string | undefined> {
  try {
    await run()
    return undefined
  } catch (error) {
    if (error instanceof PathError) return error.code
    throw error
  }
}

describe('checkPath', () => {
  it.each([
    ['README.md', 'README.md'],
    ['docs/guide.md', 'docs/guide.md'],
    ['docs//./guide.md', 'docs/guide.md'],
    ['docs/', 'docs'],
    ['./docs', 'docs'],
    ['', ''],
    ['.', ''],
    ['a b/ü 100%.txt', 'a b/ü 100%.txt'],
    ['..a/b..c', undefined],
    ['a..b/c...d', 'a..b/c...d'],
  ])('reads %j as %j', async (asked, path) => {
    if (path === undefined) expect(await codeOf(() => checkPath(asked))).toBe('hidden')
    else expect(checkPath(asked)).toBe(path)
  })

  it.each([
    ['..', 'outside'],
    ['../secret.txt', 'outside'],
    ['docs/../../secret.txt', 'outside'],
    ['docs/../guide.md', 'outside'],
    ['docs/..', 'outside'],
    ['/etc/passwd', 'outside'],
    ['//host/share', 'outside'],
    ['..\\secret.txt', 'malformed'],
    ['docs\\..\\..\\secret.txt', 'malformed'],
    ['C:/Windows/win.ini', 'malformed'],
    ['file:///etc/passwd', 'malformed'],
    ['README.md\u0000.png', 'malformed'],
    ['a\nb', 'malformed'],
    ['%2e%2e%2fsecret.txt', 'malformed'],
    ['%2E%2E/secret.txt', 'malformed'],
    ['..%2fsecret.txt', 'malformed'],
    ['%252e%252e%252fsecret.txt', 'malformed'],
    ['..%5csecret.txt', 'malformed'],
    ['README.md%00.png', 'malformed'],
    ['x'.repeat(PATH_LENGTH_MAX + 1), 'malformed'],
    ['.env', 'hidden'],
    ['.git/config', 'hidden'],
    ['docs/.secret/a.txt', 'hidden'],
    ['node_modules/zod/package.json', 'hidden'],
    ['dist/index.js', 'hidden'],
  ])('refuses %j as %s', async (asked, code) => {
    expect(await codeOf(() => checkPath(asked))).toBe(code)
  })

  it('says what came and what is wrong with it', () => {
    expect(() => checkPath('../secret.txt')).toThrow(
      'The path "../secret.txt" holds ".."; only what is inside the served folder can be had',
    )
    expect(() => checkPath('/etc/passwd')).toThrow(
      'The path "/etc/passwd" is absolute; give it relative to the served folder',
    )
  })

  it('never lets a path through that leads out of the folder, however it is put together', () => {
    const piece = fc.oneof(
      fc.constantFrom(
        '..',
        '.',
        '/',
        '\\',
        '%2e',
        '%2f',
        '%5c',
        '%00',
        '%',
        '2e',
        '\u0000',
        'a',
        'C:',
        '~',
        ' ',
        '.git',
      ),
      fc.string({ maxLength: 5 }),
    )
    const law = fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
      const asked = pieces.join('')
      let path: string
      try {
        path = checkPath(asked)
      } catch (error) {
        expect(error).toBeInstanceOf(PathError)
        return
      }
      // However often it is decoded later, it stays inside.
      for (let round = 0; round < 3; round++) {
        const inside = posix.relative('/root', posix.join('/root', path.replaceAll('\\', '/')))
        expect(inside === '..' || inside.startsWith('../')).toBe(false)
        expect(path.split('/')).not.toContain('..')
        expect(path.includes('\u0000')).toBe(false)
        try {
          path = decodeURIComponent(path)
        } catch {
          return
        }
      }
    })
    fc.assert(law, { seed, numRuns: 2_000 })
  })

  it('gives the same path again for the path it gave', () => {
    const part = fc.string({ minLength: 1, maxLength: 8 })
    const law = fc.property(fc.array(part, { maxLength: 5 }), (parts) => {
      let once: string
      try {
        once = checkPath(parts.join('/'))
      } catch {
        return
      }
      expect(checkPath(once)).toBe(once)
    })
    fc.assert(law, { seed })
  })
})

describe('a served folder', () => {
  let top: string
  let root: string

  beforeAll(async () => {
    top = await realpath(await mkdtemp(join(tmpdir(), 'bough-folder-')))
    root = join(top, 'root')
    await mkdir(join(root, 'docs', 'deep'), { recursive: true })
    await mkdir(join(root, '.git'))
    await mkdir(join(root, 'node_modules'))
    await mkdir(join(top, 'root-beside'))
    await writeFile(join(top, 'secret.txt'), 'secret')
    await writeFile(join(top, 'root-beside', 'secret.txt'), 'secret')
    await writeFile(join(root, '.git', 'config'), 'secret')
    await writeFile(join(root, 'node_modules', 'x.js'), 'x')
    await writeFile(join(root, 'README.md'), '# Hello')
    await writeFile(join(root, 'docs', 'deep', 'a b.txt'), 'text')
    await writeFile(join(root, 'docs', 'pixel.png'), Buffer.from([0x89, 0x50, 0, 1]))
    await symlink(join(top, 'secret.txt'), join(root, 'docs', 'link-out.txt'))
    await symlink('../../secret.txt', join(root, 'docs', 'relative-link-out.txt'))
    await symlink(top, join(root, 'docs', 'up'))
    await symlink(join(top, 'root-beside'), join(root, 'docs', 'beside'))
    await symlink(join(root, '.git'), join(root, 'docs', 'to-hidden'))
    await symlink(join(root, 'README.md'), join(root, 'docs', 'link-inside.md'))
    await symlink('nowhere', join(root, 'docs', 'dangling'))
  })

  afterAll(() => rm(top, { recursive: true }))

  it('gives the bytes of a file inside, also through a link that stays inside', async () => {
    expect((await readServedFile(root, 'docs/deep/a b.txt')).bytes.toString()).toBe('text')
    expect((await readServedFile(root, 'docs/link-inside.md')).bytes.toString()).toBe('# Hello')
  })

  it.each([
    ['docs/link-out.txt', 'outside'],
    ['docs/relative-link-out.txt', 'outside'],
    ['docs/up/secret.txt', 'outside'],
    ['docs/up/root/README.md', undefined],
    ['docs/beside/secret.txt', 'outside'],
    ['docs/to-hidden/config', 'hidden'],
    ['docs/dangling', 'missing'],
    ['docs/none.txt', 'missing'],
    ['docs', 'unreadable'],
    ['', 'unreadable'],
    ['README.md/x', 'missing'],
    ['../secret.txt', 'outside'],
    ['.git/config', 'hidden'],
  ])('answers %j with %s', async (asked, code) => {
    expect(await codeOf(() => readServedFile(root, asked))).toBe(code)
  })

  it('refuses a file that is too long, before it reads it', async () => {
    const path = join(root, 'long.bin')
    await writeFile(path, '')
    await truncate(path, FILE_BYTES_MAX + 1)
    await expect(readServedFile(root, 'long.bin')).rejects.toThrow(`at most ${FILE_BYTES_MAX} are read`)
    await rm(path)
  })

  it.runIf(process.platform !== 'win32')('refuses a pipe instead of waiting for its writer', async () => {
    spawnSync('mkfifo', [join(root, 'pipe')])
    expect(await codeOf(() => readServedFile(root, 'pipe'))).toBe('unreadable')
    await rm(join(root, 'pipe'))
  })

  it('locates the folder itself as the empty path', async () => {
    const { path, realPath, stats } = await locate(root, '')
    expect([path, realPath, stats.isDirectory()]).toEqual(['', root, true])
  })

  it('lists every file that can be read, and none that cannot', async () => {
    const { files, folders, isCut } = await takeSnapshot(root)
    expect([...files.keys()]).toEqual(['README.md', 'docs/pixel.png', 'docs/deep/a b.txt'])
    expect([...folders.keys()]).toEqual(['', 'docs', 'docs/deep'])
    expect(isCut).toBe(false)
    for (const path of files.keys()) expect(await codeOf(() => readServedFile(root, path))).toBeUndefined()
  })

  it('tells what was added, changed and removed between two looks', async () => {
    const before = await takeSnapshot(root)
    await writeFile(join(root, 'docs', 'new.txt'), 'new')
    await writeFile(join(root, 'README.md'), '# Hello again')
    await rename(join(root, 'docs', 'pixel.png'), join(root, 'docs', 'dot.png'))
    await link(join(root, 'docs', 'deep', 'a b.txt'), join(root, 'docs', 'deep', 'same.txt'))
    const after = await takeSnapshot(root)
    expect(changesBetween(before.files, after.files)).toEqual({
      added: ['docs/dot.png', 'docs/new.txt', 'docs/deep/same.txt'],
      changed: ['README.md'],
      removed: ['docs/pixel.png'],
    })
  })
})

describe('media types', () => {
  it.each([
    ['a/b.PNG', 'image/png'],
    ['src/index.ts', 'text/x-typescript'],
    ['LICENSE', undefined],
    ['a.constructor', undefined],
    ['folder.md/LICENSE', undefined],
  ])('takes %s for %s', (path, type) => {
    expect(mimeTypeOf(path)).toBe(type)
  })

  it('tells text from bytes by what they hold', () => {
    expect(asText(Buffer.from('schön'))).toBe('schön')
    expect(asText(Uint8Array.of(0xff, 0xfe, 0x20))).toBeUndefined()
    expect(asText(Buffer.from('a\u0000b'))).toBeUndefined()
  })
})
