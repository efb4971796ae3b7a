/** The skills extension as clients of both eras see it. Every result is held against its schema as it comes. */
import { createServer, type Server } from 'bough'
import { describe, expect, it } from 'vitest'
import { ModernClient } from './modern-client.ts'
import { world } from './support.ts'

const EXTENSION = 'io.modelcontextprotocol/skills'

function skilled(): Server {
  return createServer({ name: 'skilled', version: '1' })
    .skill('acme/refunds', {
      description: 'Process refunds',
      body: '# Refunds',
      files: { 'mail/de.md': 'Hallo', 'a.md': 'x' },
    })
    .skill('returns', { description: 'Take goods back', body: () => '# Returns' })
    .skill('secret', { description: 'For those who know', isListed: false })
}

describe('skills', () => {
  it('are announced with their settings, beside the resources that they are made of', async () => {
    const running = await world(skilled())
    const expected = { resources: {}, extensions: { [EXTENSION]: { directoryRead: true } } }
    const modern = await new ModernClient(running).request('server/discover')
    expect(modern.result.capabilities).toMatchObject(expected)
    expect((await running.connect().initialize()).result.capabilities).toMatchObject(expected)
    const none = await world(createServer({ name: 'plain', version: '1' }))
    expect((await new ModernClient(none).request('server/discover')).result.capabilities).not.toHaveProperty(
      'extensions',
    )
  })

  it('are listed page by page with hints for caches, each whole, and by their URI', async () => {
    const client = new ModernClient(await world(skilled(), { pageSize: 1 }))
    const first = (await client.request('skills/list')).result
    expect(first).toMatchObject({ ttlMs: 0, cacheScope: 'private' })
    const second = (await client.request('skills/list', { cursor: first.nextCursor })).result
    expect(second.nextCursor).toBeUndefined()
    expect([...first.skills, ...second.skills]).toMatchObject([
      { uri: 'skill://acme/refunds/SKILL.md', frontmatter: { name: 'refunds' }, resources: [{}, {}, {}] },
      { uri: 'skill://returns/SKILL.md', resources: 'dynamic' },
    ])
    const { result } = await client.request('skills/get', { uri: 'skill://acme/refunds/SKILL.md' })
    expect(result.skill).toEqual(first.skills[0])
    expect(result).not.toHaveProperty('nextCursor')
  })

  it('can be got and read though they are not listed', async () => {
    const client = new ModernClient(await world(skilled()))
    const uri = 'skill://secret/SKILL.md'
    expect((await client.request('skills/get', { uri })).result.skill).toMatchObject({ uri })
    expect((await client.request('resources/read', { uri })).result.contents[0].text).toContain('For those who know')
  })

  it('have directories, whose children are given directly', async () => {
    const client = new ModernClient(await world(skilled()))
    const { result } = await client.request('resources/directory/read', { uri: 'skill://acme/refunds' })
    expect(result.resources.map(({ uri, mimeType }: { uri: string; mimeType: string }) => [uri, mimeType])).toEqual([
      ['skill://acme/refunds/SKILL.md', 'text/markdown'],
      ['skill://acme/refunds/a.md', 'text/markdown'],
      ['skill://acme/refunds/mail', 'inode/directory'],
    ])
  })

  it.each([
    ['skills/get', { uri: 'skill://nobody/SKILL.md' }],
    ['skills/list', { cursor: 'nonsense' }],
    ['resources/directory/read', { uri: 'skill://acme/refunds/a.md' }],
    ['resources/directory/read', { uri: 'skill://acme/nobody' }],
  ])('answer %s of %j with -32602', async (method, params) => {
    const client = new ModernClient(await world(skilled()))
    expect((await client.request(method, params)).error?.code).toBe(-32602)
  })

  it('may be asked for in a session too, where results have neither a type nor hints', async () => {
    const client = await (await world(skilled())).open()
    const { result } = await client.request('skills/list')
    expect(result.skills).toHaveLength(2)
    expect(result).not.toHaveProperty('ttlMs')
    const { uri } = result.skills[0]
    expect((await client.request('skills/get', { uri })).result.skill.uri).toBe(uri)
    const directory = await client.request('resources/directory/read', { uri: 'skill://returns' })
    expect(directory.result.resources).toHaveLength(1)
  })

  it('are methods that a server without any does not have', async () => {
    const running = await world(createServer({ name: 'plain', version: '1' }))
    const client = new ModernClient(running)
    for (const method of ['skills/list', 'skills/get', 'resources/directory/read'])
      expect((await client.request(method, { uri: 'skill://a/SKILL.md' })).error?.code).toBe(-32601)
  })
})
