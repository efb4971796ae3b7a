/** Skills of a server through a client: listed, read when they are needed, and refused when they are not what they should be. */
import { createServer, type Server, serve } from 'bough'
import {
  type Client,
  connect,
  listSkills,
  readSkill,
  readSkillFile,
  type SkillEntry,
  type SkillFileEntry,
} from 'bough/client'
import { describe, expect, it, onTestFinished } from 'vitest'

const eras = ['legacy', 'modern'] as const
const STYLE = 'skill://writing/references/STYLE.md'

function sample(): Server {
  const server = createServer({ name: 'test', version: '1' })
  server.skill('writing', {
    description: 'Writes: short, and to the point',
    frontmatter: { license: 'MIT', metadata: { author: 'Ann', tags: ['a', 'b'] } },
    body: '# Writing\n\nBe brief.\n',
    files: { 'references/STYLE.md': 'Present tense. Ünïcode.\n' },
  })
  for (let index = 0; index < 5; index++) server.skill(`more-${index}`, { description: 'More', body: 'More.\n' })
  return server
}

async function client(era: (typeof eras)[number]): Promise<Client> {
  const app = await serve(sample(), { http: { port: 0 }, logger: false, signals: false, guard: false, pageSize: 2 })
  onTestFinished(() => app.stop())
  const extensions = { 'io.modelcontextprotocol/skills': {} }
  const connected = await connect(app.url, { era, capabilities: { extensions } })
  onTestFinished(() => connected.close())
  return connected
}

async function writing(from: Client): Promise<SkillEntry> {
  const entry = (await listSkills(from)).find(({ uri }) => uri === 'skill://writing/SKILL.md')
  if (entry === undefined) throw new Error('the skill is not listed')
  return entry
}

describe.each(eras)('skills in the %s era', (era) => {
  it('are listed page by page, and read with their files', async () => {
    const from = await client(era)
    expect(await listSkills(from)).toHaveLength(6)
    const entry = await writing(from)
    const { body, frontmatter } = await readSkill(from, entry)
    expect(body).toContain('Be brief.')
    expect(frontmatter).toMatchObject({ name: 'writing', metadata: { author: 'Ann', tags: ['a', 'b'] } })
    const style = await readSkillFile(from, entry, STYLE)
    expect(new TextDecoder().decode(style)).toBe('Present tense. Ünïcode.\n')
  })

  it.each([
    ['its length is another', (file: SkillFileEntry) => ({ ...file, size: 1 }), 'bytes and its entry says 1'],
    [
      'its digest is another',
      (file: SkillFileEntry) => ({ ...file, digest: `sha256:${'0'.repeat(64)}` }),
      'its digest is sha256:',
    ],
  ])('are not read when %s', async (_, change, sentence) => {
    const from = await client(era)
    const entry = await writing(from)
    const files = entry.resources === 'dynamic' ? [] : entry.resources
    const changed = { ...entry, resources: files.map((file) => change(file)) }
    const failure = { code: 'invalid', message: expect.stringContaining(sentence) }
    await expect(readSkill(from, changed)).rejects.toMatchObject(failure)
    await expect(readSkillFile(from, changed, STYLE)).rejects.toMatchObject(failure)
  })

  it('are not read when the frontmatter is not that of the entry, or the entry does not name the file', async () => {
    const from = await client(era)
    const entry = await writing(from)
    for (const frontmatter of [{ ...entry.frontmatter, license: 'other' }, { ...entry.frontmatter, extra: 1 }, {}]) {
      await expect(readSkill(from, { ...entry, frontmatter })).rejects.toMatchObject({
        code: 'invalid',
        message: expect.stringContaining('its frontmatter and its entry differ in'),
      })
    }
    await expect(readSkillFile(from, entry, 'skill://more-0/SKILL.md')).rejects.toMatchObject({
      message: expect.stringContaining('does not name it'),
    })
    const free = { ...entry, resources: 'dynamic' as const }
    expect((await readSkillFile(from, free, 'skill://more-0/SKILL.md')).byteLength).toBeGreaterThan(0)
  })
})
