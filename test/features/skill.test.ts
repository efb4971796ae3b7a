import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { Catalog } from '#features/catalog'
import { readFrontmatter } from '#features/frontmatter'
import { readDefaults, toReadResult } from '#features/resource'
import { defineSkill, SKILL_BYTES_MAX, SKILL_FILES_MAX, type SkillOptions } from '#features/skill'
import { getSkill, listSkills, readDirectory, SKILLS_SETTINGS } from '#features/skill-catalog'
import { cacheHintsOf, type JsonObject, type ResourceContents } from '#protocol'
import { noContext } from './fixtures.ts'

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')
const skill = (path: string, options: SkillOptions) => defineSkill(path, options, sha256)

function catalogOf(skills: Readonly<Record<string, SkillOptions>>): Catalog {
  const catalog = new Catalog()
  for (const [path, options] of Object.entries(skills)) catalog.skills.put(skill(path, options))
  return catalog
}

/** What resources/read gives for a URI. */
async function read(catalog: Catalog, uri: string): Promise<ResourceContents | undefined> {
  const found = catalog.resolve(uri)
  if (found === undefined) return undefined
  return toReadResult(await found.definition.read({}, noContext, uri), uri, readDefaults(found.definition)).contents[0]
}

interface Entry {
  readonly uri: string
  readonly frontmatter: JsonObject
  readonly resources: readonly { readonly uri: string; readonly digest: string; readonly size: number }[]
}

const refunds: SkillOptions = {
  description: 'Process refunds',
  body: '# Refunds\n\nSee templates/.\n',
  frontmatter: { license: 'MIT', metadata: { version: '1.0' } },
  files: {
    'templates/mail.md': '# Mail é',
    'templates/eu/a b.md': 'x',
    'logo.png': new Uint8Array([1, 2, 3]),
    'notes.txt': { content: 'n', mimeType: 'text/x-notes', description: 'Notes' },
  },
}
const root = 'skill://acme/billing/refunds'

describe('a skill', () => {
  it('is an entry that lists each file once, with the digest and size of what is read', async () => {
    const catalog = catalogOf({ 'acme/billing/refunds': refunds })
    const { skill: entry } = getSkill(catalog, { uri: `${root}/SKILL.md` }) as { skill: Entry }
    expect(entry.uri).toBe(`${root}/SKILL.md`)
    expect(entry.frontmatter).toEqual({
      name: 'refunds',
      description: 'Process refunds',
      license: 'MIT',
      metadata: { version: '1.0' },
    })
    expect(entry.resources.map((file) => file.uri.slice(root.length))).toEqual([
      '/SKILL.md',
      '/templates/mail.md',
      '/templates/eu/a%20b.md',
      '/logo.png',
      '/notes.txt',
    ])
    for (const { uri, digest, size } of entry.resources) {
      const held = (await read(catalog, uri)) as { readonly text?: string; readonly blob?: string }
      const bytes = held.text === undefined ? Buffer.from(held.blob ?? '', 'base64') : Buffer.from(held.text)
      expect([digest, size]).toEqual([`sha256:${sha256(bytes)}`, bytes.length])
    }
  })

  it('has a SKILL.md that says the same as its entry, and is listed by name and description', async () => {
    const catalog = catalogOf({ 'acme/billing/refunds': refunds })
    const manifest = (await read(catalog, `${root}/SKILL.md`)) as { readonly text: string; readonly mimeType: string }
    expect(manifest.mimeType).toBe('text/markdown')
    const { fields, body } = readFrontmatter(manifest.text)
    expect(fields).toEqual(skill('acme/billing/refunds', refunds).entity.frontmatter)
    expect(body).toBe('\n# Refunds\n\nSee templates/.\n')
    expect(catalog.listResources(undefined, 10)['resources']).toEqual([
      {
        uri: `${root}/SKILL.md`,
        name: 'refunds',
        description: 'Process refunds',
        mimeType: 'text/markdown',
        size: expect.any(Number),
      },
    ])
  })

  it('may be given as a whole SKILL.md, which is served byte for byte', async () => {
    const text = '---\nname: refunds\ndescription: >-\n  Process\n  refunds\ntags: [a, b]\n---\nText'
    const catalog = catalogOf({ refunds: { text } })
    expect(getSkill(catalog, { uri: 'skill://refunds/SKILL.md' })).toMatchObject({
      skill: { frontmatter: { name: 'refunds', description: 'Process refunds', tags: ['a', 'b'] } },
    })
    expect(await read(catalog, 'skill://refunds/SKILL.md')).toMatchObject({ text })
  })

  it('is dynamic when a file or its body is made when it is read', async () => {
    const catalog = catalogOf({ daily: { description: 'd', body: () => 'made', files: { 'a.txt': () => 'now' } } })
    expect(getSkill(catalog, { uri: 'skill://daily/SKILL.md' })).toMatchObject({ skill: { resources: 'dynamic' } })
    expect(await read(catalog, 'skill://daily/SKILL.md')).toMatchObject({
      text: expect.stringMatching(/^---\nname: "daily"\n[\s\S]*\nmade$/),
    })
    expect(await read(catalog, 'skill://daily/a.txt')).toMatchObject({ text: 'now' })
  })

  it('may lie under another scheme', () => {
    expect(skill('github://owner/repo/refunds', { description: 'd' }).key).toBe('github://owner/repo/refunds/SKILL.md')
  })

  it.each<[string, string, unknown, string]>([
    ['a name in capitals', 'Refunds', { description: 'd' }, 'the last part of the path is its name'],
    ['two hyphens', 'a--b', { description: 'd' }, 'the last part of the path is its name'],
    ['a hyphen at the end', 'a-', { description: 'd' }, 'the last part of the path is its name'],
    ['a long name', 'a'.repeat(65), { description: 'd' }, 'the last part of the path is its name'],
    ['an empty part', 'a//b', { description: 'd' }, '"" is no part of a URI'],
    ['dots', '../b', { description: 'd' }, '".." is no part of a URI'],
    ['a space', 'a b/c', { description: 'd' }, '"a b" is no part of a URI'],
    ['a port', 'a:b/c', { description: 'd' }, '"a:b" is no part of a URI'],
    ['no options', 'a', undefined, 'options must be an object'],
    ['no description', 'a', {}, 'description must be a text of 1 to 1024 characters, got nothing'],
    ['a long description', 'a', { description: 'x'.repeat(1_025) }, 'description must be a text'],
    [
      'another name in the text',
      'a',
      { text: '---\nname: b\ndescription: d\n---\n' },
      'name must be "a", the last part of its path, got string "b"',
    ],
    ['a text without a frontmatter', 'a', { text: '# a' }, 'SKILL.md must begin with a frontmatter'],
    ['a frontmatter that cannot be read', 'a', { text: '---\nname: &a\n---\n' }, 'SKILL.md frontmatter: line 2'],
    ['text and body', 'a', { text: '---\nname: a\ndescription: d\n---\n', body: 'x' }, 'text is the whole SKILL.md'],
    [
      'a reserved key',
      'a',
      { description: 'd', frontmatter: { metadata: { 'io.modelcontextprotocol/x': 1 } } },
      'is one that MCP keeps for itself',
    ],
    ['metadata as text', 'a', { description: 'd', frontmatter: { metadata: 'x' } }, 'metadata must be an object'],
    ['a second SKILL.md', 'a', { description: 'd', files: { 'SKILL.md': 'x' } }, 'files must not hold SKILL.md'],
    ['a file outside', 'a', { description: 'd', files: { '../x': 'x' } }, 'file "../x" must be names'],
    ['an absolute file', 'a', { description: 'd', files: { '/x': 'x' } }, 'file "/x" must be names'],
    ['a backslash', 'a', { description: 'd', files: { 'b\\x': 'x' } }, 'must be names'],
    [
      'a file that is none',
      'a',
      { description: 'd', files: { x: 7 } },
      'file "x" must be text, bytes or a function, got number 7',
    ],
    ['half a surrogate pair', 'a', { description: 'd', files: { x: '\uD800' } }, 'holds half a surrogate pair'],
    [
      'too many files',
      'a',
      { description: 'd', files: Object.fromEntries(Array.from({ length: SKILL_FILES_MAX }, (_, n) => [`f${n}`, ''])) },
      `may have ${SKILL_FILES_MAX} files, got ${SKILL_FILES_MAX + 1}`,
    ],
    [
      'too many bytes',
      'a',
      { description: 'd', files: { x: new Uint8Array(SKILL_BYTES_MAX) } },
      `may have ${SKILL_BYTES_MAX} bytes together`,
    ],
    ['bad cache hints', 'a', { description: 'd', cache: { ttlMs: -1, scope: 'public' } }, 'cache needs ttlMs'],
  ])('is refused: %s', (_name, path, options, sentence) => {
    expect(() => skill(path, options as SkillOptions)).toThrow(
      expect.objectContaining({ code: 'MCP_DEFINITION', message: expect.stringContaining(sentence) }),
    )
  })
})

describe('skills/list', () => {
  it('gives entries page by page, none of them split, and leaves out what is not listed', () => {
    const catalog = catalogOf({
      a: refunds.text === undefined ? { description: 'd' } : {},
      b: { description: 'd', isListed: false },
      c: { description: 'd' },
    })
    const first = listSkills(catalog, {}, 1) as { skills: Entry[]; nextCursor: string }
    expect(first.skills.map((entry) => entry.uri)).toEqual(['skill://a/SKILL.md'])
    const second = listSkills(catalog, { cursor: first.nextCursor }, 1) as { skills: Entry[] }
    expect(second.skills.map((entry) => entry.uri)).toEqual(['skill://c/SKILL.md'])
    expect(second).not.toHaveProperty('nextCursor')
    expect(listSkills(new Catalog(), {}, 10)).toEqual({ skills: [] })
    expect(() => listSkills(catalog, { cursor: 'x' }, 1)).toThrow(expect.objectContaining({ code: -32602 }))
    expect(SKILLS_SETTINGS).toEqual({ directoryRead: true })
  })
})

describe('skills/get', () => {
  it('answers for every skill, listed or not, with the hints of the skill', () => {
    const catalog = catalogOf({ a: { description: 'd', isListed: false, cache: { ttlMs: 5, scope: 'public' } } })
    const result = getSkill(catalog, { uri: 'skill://a/SKILL.md' })
    expect(Object.keys(result)).toEqual(['skill'])
    expect(cacheHintsOf(result)).toEqual({ ttlMs: 5, cacheScope: 'public' })
  })

  it.each(['skill://b/SKILL.md', 'skill://a', 'skill://a/x.md'])('answers %s with -32602', (uri) => {
    const catalog = catalogOf({ a: { description: 'd', files: { 'x.md': '' } } })
    expect(() => getSkill(catalog, { uri })).toThrow(
      expect.objectContaining({ code: -32602, message: expect.stringContaining(`No skill is served at ${uri}`) }),
    )
  })
})

describe('resources/directory/read', () => {
  const catalog = catalogOf({ 'acme/billing/refunds': refunds })
  const names = (uri: string): unknown =>
    (readDirectory(catalog, { uri }, 50) as { resources: { name: string; mimeType: string }[] }).resources.map(
      ({ name, mimeType }) => [name, mimeType],
    )

  it('gives the direct children, directories as such', () => {
    expect(names(root)).toEqual([
      ['refunds', 'text/markdown'],
      ['logo.png', 'image/png'],
      ['notes.txt', 'text/x-notes'],
      ['templates', 'inode/directory'],
    ])
    expect(names(`${root}/templates`)).toEqual([
      ['eu', 'inode/directory'],
      ['mail.md', 'text/markdown'],
    ])
    expect(names(`${root}/templates/eu`)).toEqual([['a b.md', 'text/markdown']])
  })

  it('gives them page by page', () => {
    const first = readDirectory(catalog, { uri: root }, 3) as { resources: unknown[]; nextCursor: string }
    const second = readDirectory(catalog, { uri: root, cursor: first.nextCursor }, 3) as { resources: unknown[] }
    expect([first.resources.length, second.resources.length]).toEqual([3, 1])
  })

  it.each([
    `${root}/SKILL.md`,
    `${root}/templates/mail.md`,
    `${root}/nothing`,
    `${root}/`,
    'skill://acme',
    'skill://other',
    'file:///etc',
  ])('answers %s with -32602', (uri) => {
    expect(() => readDirectory(catalog, { uri }, 50)).toThrow(expect.objectContaining({ code: -32602 }))
  })
})

describe('a skill inside another', () => {
  const inner = catalogOf({
    out: { description: 'o', files: { 'in/extra.md': 'x' } },
    'out/in': { description: 'i', files: { 'a.md': 'y' } },
  })

  it('has an entry of its own, and its files belong to the outer one too', () => {
    const [out, own] = listSkills(inner, {}, 10)['skills'] as readonly Entry[]
    expect(out?.resources.map((file) => file.uri)).toEqual([
      'skill://out/SKILL.md',
      'skill://out/in/extra.md',
      'skill://out/in/SKILL.md',
      'skill://out/in/a.md',
    ])
    expect(own?.resources.map((file) => file.uri)).toEqual(['skill://out/in/SKILL.md', 'skill://out/in/a.md'])
  })

  it('shows in the directories of both', () => {
    const names = (uri: string): unknown =>
      (readDirectory(inner, { uri }, 50)['resources'] as { name: string }[]).map((one) => one.name)
    expect(names('skill://out')).toEqual(['out', 'in'])
    expect(names('skill://out/in')).toEqual(['in', 'a.md', 'extra.md'])
  })

  it('makes the outer one dynamic when it is', () => {
    const catalog = catalogOf({ out: { description: 'o' }, 'out/in': { description: 'i', body: () => '' } })
    expect((listSkills(catalog, {}, 10)['skills'] as readonly Entry[]).map((entry) => entry.resources)).toEqual([
      'dynamic',
      'dynamic',
    ])
  })
})
