/** The demonstration server as a client meets it: what it serves, what it refuses, what it survives. */
import { mkdir, mkdtemp, realpath, rm, symlink, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { build, type Message, Program, Session, textOf } from './support.ts'

describe('the demonstration server', () => {
  let top: string
  let folder: string
  let program: Program
  let url: string
  let session: Session

  beforeAll(async () => {
    build()
    top = await realpath(await mkdtemp(join(tmpdir(), 'bough-demo-')))
    folder = join(top, 'served')
    await mkdir(join(folder, 'docs'), { recursive: true })
    await writeFile(join(top, 'secret.txt'), 'secret')
    await writeFile(join(folder, 'README.md'), '# Hello\nneedle one\n')
    await writeFile(join(folder, 'docs', 'a b.txt'), 'two words\nthe Needle two\n')
    await writeFile(join(folder, 'docs', 'pixel.png'), Buffer.from([0x89, 0x50, 0, 1]))
    await symlink(join(top, 'secret.txt'), join(folder, 'docs', 'link.txt'))
    program = new Program('demo', [folder, '--port', '0'])
    const match = await program.until(/at (http:\S+\/mcp)\n/)
    url = match[1] ?? ''
    session = await Session.open(url)
  }, 120_000)

  afterAll(async () => {
    expect((await program.stop()).status).toBe(0)
    await rm(top, { recursive: true })
  })

  const read = (uri: string): Promise<Message> => session.request('resources/read', { uri })

  it('says where it serves what, and what a host needs to find it', async () => {
    await program.until(/listeners\n.*`- http/)
    expect(program.stdout).toContain(`Serving ${folder} (3 files)`)
    expect(program.stdout).toContain(`"url": "${url}"`)
    expect(program.stdout).toContain(`mcp add --transport http folder ${url}`)
  })

  it('lists the files with their sizes and media types', async () => {
    const { result } = await session.request('resources/list')
    expect(result?.['resources']).toMatchObject([
      { uri: 'folder:///README.md', name: 'README.md', mimeType: 'text/markdown', size: 19 },
      { uri: 'folder:///docs/a%20b.txt', name: 'docs/a b.txt', mimeType: 'text/plain' },
      { uri: 'folder:///docs/pixel.png', name: 'docs/pixel.png', mimeType: 'image/png', size: 4 },
    ])
  })

  it.each(['folder:///docs/a%20b.txt', 'folder:///docs/a b.txt', 'folder:///docs//a%20b.txt'])(
    'reads %s as text',
    async (uri) => {
      const { result } = await read(uri)
      const text = 'two words\nthe Needle two\n'
      expect(result).toEqual({ contents: [{ uri: uri.replaceAll(' ', '%20'), mimeType: 'text/plain', text }] })
    },
  )

  it('reads bytes as base64', async () => {
    const uri = 'folder:///docs/pixel.png'
    const blob = Buffer.from([0x89, 0x50, 0, 1]).toString('base64')
    expect((await read(uri)).result).toEqual({ contents: [{ uri, mimeType: 'image/png', blob }] })
  })

  it.each([
    'folder:///../secret.txt',
    'folder:///docs/../../secret.txt',
    'folder:///%2e%2e/secret.txt',
    'folder:///%2e%2e%2fsecret.txt',
    'folder:///%252e%252e%252fsecret.txt',
    'folder:///..%5csecret.txt',
    'folder:///..\\secret.txt',
    'folder:////etc/passwd',
    'folder:///%2fetc%2fpasswd',
    'folder:///README.md%00.png',
    'folder:///docs/link.txt',
    'folder:///.git/config',
  ])('refuses %s, with a reason', async (uri) => {
    const { error, result } = await read(uri)
    expect(result).toBeUndefined()
    expect(error?.code).toBe(-32602)
    expect(error?.message).toMatch(/^The path ".*" (holds|is|leads) /)
    expect(JSON.stringify(error)).not.toContain(top)
  })

  it.each(['folder:///none.txt', 'file:///etc/passwd', 'folder://README.md'])('does not know %s', async (uri) => {
    expect((await read(uri)).error).toMatchObject({ code: -32002, data: { uri } })
  })

  it('searches, as it is written or without regard to case', async () => {
    expect(textOf(await session.call('search', { text: 'needle' }))).toBe('README.md:2: needle one')
    const both = textOf(await session.call('search', { text: 'NEEDLE', ignoreCase: true }))
    expect(both).toBe('README.md:2: needle one\ndocs/a b.txt:2: the Needle two')
    expect(textOf(await session.call('search', { text: 'needle', folder: 'docs' }))).toBe('No line holds "needle".')
  })

  it('counts files, lines, words and bytes', async () => {
    expect((await session.call('count')).result?.['structuredContent']).toEqual({
      files: 3,
      lines: 4,
      words: 9,
      bytes: 48,
    })
    expect((await session.call('count', { folder: 'docs/' })).result?.['structuredContent']).toMatchObject({ files: 2 })
  })

  it.each([
    ['search', { text: 'secret', folder: '../' }],
    ['count', { folder: '/etc' }],
  ])('%s refuses a folder outside', async (tool, args) => {
    const { result } = await session.call(tool, args)
    expect(result).toMatchObject({ isError: true })
  })

  it('completes paths, of the template and of the prompt', async () => {
    const complete = async (ref: object, name: string, value: string) =>
      (await session.request('completion/complete', { ref, argument: { name, value } })).result?.['completion']
    const template = { type: 'ref/resource', uri: 'folder:///{+path}' }
    expect(await complete(template, 'path', 'docs/p')).toMatchObject({ values: ['docs/pixel.png'] })
    const prompt = { type: 'ref/prompt', name: 'explain_file' }
    expect(await complete(prompt, 'file', 'pix')).toMatchObject({ values: ['docs/pixel.png'] })
  })

  it('gives a prompt that brings the file along, and refuses one from outside', async () => {
    const get = (file: string) => session.request('prompts/get', { name: 'explain_file', arguments: { file } })
    expect((await get('a b.txt')).result?.['messages']).toMatchObject([
      { role: 'user', content: { type: 'resource', resource: { uri: 'folder:///docs/a%20b.txt' } } },
      { role: 'user', content: { type: 'text' } },
    ])
    expect((await get('../secret.txt')).error?.code).toBe(-32602)
    expect((await get('docs/pixel.png')).error?.message).toContain('is not text')
  })

  it('survives a crash of each kind', async () => {
    expect((await session.call('crash')).result).toMatchObject({ isError: true })
    expect((await session.call('crash', { how: 'reject' })).result).toMatchObject({ isError: true })
    await session.call('crash', { how: 'leak' })
    await program.until(/error .*thrown where nobody could catch it/)
    expect((await session.request('ping')).result).toEqual({})
  })

  it('answers others while a tool spins, and reports the progress of a slow one', async () => {
    const spin = session.call('spin', { ms: 400 })
    const slow = await session.call('slow', { ms: 200 }, 7)
    expect(slow.before.map((message) => message.params?.['progress'])).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10])
    expect(textOf(await spin)).toMatch(/^Turned round \d+ times/)
  })

  it('tells subscribers of a changed file, and everyone of a new and a removed one', async () => {
    const heard: Message[] = []
    const waiting = new Set<() => void>()
    const listening = session.listen((message) => {
      heard.push(message)
      for (const look of waiting) look()
    })
    await listening.isOpen
    const hears = (method: string, uri?: string) =>
      new Promise<void>((resolve) => {
        const look = () => {
          if (!heard.some((one) => one.method === method && (uri === undefined || one.params?.['uri'] === uri))) return
          waiting.delete(look)
          resolve()
        }
        waiting.add(look)
        look()
      })

    const uri = 'folder:///README.md'
    await session.request('resources/subscribe', { uri })
    await writeFile(join(folder, 'README.md'), '# Changed\n')
    await hears('notifications/resources/updated', uri)
    expect((await read(uri)).result).toMatchObject({ contents: [{ text: '# Changed\n' }] })

    heard.length = 0
    await mkdir(join(folder, 'more'))
    await writeFile(join(folder, 'more', 'new.md'), 'new')
    await hears('notifications/resources/list_changed')
    await expect.poll(async () => (await read('folder:///more/new.md')).result).toBeDefined()

    heard.length = 0
    await rm(join(folder, 'more'), { recursive: true })
    await hears('notifications/resources/list_changed')
    await expect
      .poll(async () => JSON.stringify((await session.request('resources/list')).result))
      .not.toContain('more/new.md')
    listening.stop()
  })
})

describe('the demonstration server that cannot start', () => {
  beforeAll(build, 120_000)

  it('ends with status 1 and one sentence that names a way out when the port is taken', async () => {
    const other = createServer().listen(0, '127.0.0.1')
    await new Promise((resolve) => other.once('listening', resolve))
    const address = other.address()
    const port = typeof address === 'object' ? (address?.port ?? 0) : 0
    const { status, stdout, stderr } = await new Program('demo', ['--port', String(port)]).ended
    other.close()
    expect({ status, stdout }).toEqual({ status: 1, stdout: '' })
    expect(stderr).toMatch(/^Port \d+ of 127\.0\.0\.1 is taken by another program\. .*--port \d+\n$/)
  })

  it.each([
    [['--prot', '1'], 2, /^Unknown option '--prot'\. See --help\.\n$/],
    [['--port', 'x'], 2, /^--port must be a number/],
    [['a', 'b'], 2, /^One folder can be served, got 2\./],
    [['no-such-folder'], 1, /is not a folder\. Name one that exists/],
  ])('%j ends with status %i', async (args, status, sentence) => {
    const ended = await new Program('demo', args).ended
    expect(ended).toEqual({ status, stdout: '', stderr: expect.stringMatching(sentence) })
  })
})
