/**
 * The documents as a test: every TypeScript block of README.md and docs/ is compiled against the built package, as a user
 * would, and run; what a text says that it prints is compared with what it prints. HTML comments above a block say more:
 *
 *     <!-- continues -->   the block goes on where the one before it in this file ended: together they are one program
 *     <!-- prints -->      the text block below is what the program before it prints
 *     <!-- serves -->      the program is a server that runs until it gets a signal; PORT=0 gives it a free port
 *     <!-- calls -->       the text block below lists tool calls to that server and what they answer
 *
 * A block that is no program says why after its language (```ts fragment: why), and there may be few of them. The facts that
 * documents state in tables (files, functions, counters, options, commands) are compared with the sources.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { beforeAll, describe, expect, it } from 'vitest'

const root = fileURLToPath(new URL('..', import.meta.url))
/** Below the project's folder, where 'bough' leads to the project itself. */
const folder = join(root, '.cache', 'docs')
/** Blocks in all documents that need not run. */
const FRAGMENTS_MAX = 3
/** Longest run of one program, in milliseconds. */
const PROGRAM_MS = 20_000

interface Fence {
  readonly document: string
  readonly line: number
  readonly language: string
  /** What follows the language. */
  readonly note: string
  readonly marks: ReadonlySet<string>
  readonly text: string
}

interface Program {
  readonly name: string
  readonly file: string
  readonly source: string
  readonly isServer: boolean
  prints: string | undefined
  calls: string | undefined
}

const documents = ['README.md', ...readdirSync(join(root, 'docs')).map((name) => `docs/${name}`)].filter((name) =>
  name.endsWith('.md'),
)
const texts = new Map(documents.map((document) => [document, readFileSync(join(root, document), 'utf8')]))

function fencesOf(document: string): Fence[] {
  const lines = (texts.get(document) ?? '').split('\n')
  const fences: Fence[] = []
  for (let at = 0; at < lines.length; at++) {
    const opening = /^(`{3,})\s*(\S*)\s*(.*)$/.exec(lines[at] ?? '')
    if (opening === null) continue
    const end = lines.indexOf(opening[1] ?? '', at + 1)
    if (end === -1) throw new Error(`${document}:${at + 1}: this block has no end.`)
    const above = (lines[at - 1] ?? '') === '' ? lines[at - 2] : lines[at - 1]
    const marks = [...(above ?? '').matchAll(/<!-- (\w+) -->/g)].map(([, mark]) => mark ?? '')
    const [language = '', note = ''] = opening.slice(2)
    const text = lines.slice(at + 1, end).join('\n')
    fences.push({ document, line: at + 1, language, note, marks: new Set(marks), text })
    at = end
  }
  return fences
}

const fences = documents.flatMap(fencesOf)
const isCode = ({ language }: Fence): boolean => /^(ts|typescript|js|javascript|mjs|mts)$/.test(language)
const isFragment = ({ note }: Fence): boolean => note.startsWith('fragment')

function programsOf(all: readonly Fence[]): Program[] {
  const programs: Program[] = []
  for (const fence of all) {
    const { document, line, marks, text } = fence
    const last = programs.at(-1)
    if (isCode(fence) && !isFragment(fence)) {
      const isContinued = marks.has('continues') && last?.name.startsWith(`${document}:`) === true
      if (marks.has('continues') && !isContinued) throw new Error(`${document}:${line}: there is nothing to continue.`)
      if (isContinued) programs.pop()
      const name = isContinued && last !== undefined ? last.name : `${document}:${line}`
      const file = name.replace(/[^A-Za-z0-9]+/g, '-')
      const prints = isContinued ? last?.prints : undefined
      const source = isContinued && last !== undefined ? `${last.source}\n${text}` : text
      programs.push({ name, file, source, isServer: marks.has('serves'), prints, calls: undefined })
    } else if (last !== undefined && marks.has('prints')) {
      last.prints = `${last.prints ?? ''}${text}\n`
    } else if (last !== undefined && marks.has('calls')) {
      last.calls = text
    }
  }
  return programs
}

const programs = programsOf(fences)
/** What the compiler says of each program, by its file. */
const faults = new Map<string, string[]>()

beforeAll(() => {
  const built = spawnSync(process.execPath, ['scripts/build.mjs', '--if-stale'], { cwd: root, encoding: 'utf8' })
  if (built.status !== 0) throw new Error(`The build failed:\n${built.stderr}`)
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
  for (const { file, source } of programs) writeFileSync(join(folder, `${file}.ts`), `${source}\nexport {}\n`)
  const compilerOptions = {
    noEmit: false,
    rootDir: '.',
    outDir: './js',
    // No source conditions: the built package and its declarations, as a user has them.
    customConditions: [],
    allowImportingTsExtensions: false,
    typeRoots: ['../../node_modules/@types'],
  }
  const settings = { extends: '../../tsconfig.json', compilerOptions, include: ['*.ts'] }
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(settings))
  const compiled = spawnSync(join(root, 'node_modules', '.bin', 'tsc'), ['-p', folder, '--pretty', 'false'], {
    cwd: folder,
    encoding: 'utf8',
  })
  for (const line of compiled.stdout.split('\n').filter((one) => /error TS\d+/.test(one))) {
    const file = /([\w-]+)\.ts\(/.exec(line)?.[1] ?? ''
    faults.set(file, [...(faults.get(file) ?? []), line])
  }
}, 120_000)

/** Starts a program in a folder of its own, with any free port. */
function start({ file }: Program): { child: ChildProcess; output: { stdout: string; stderr: string } } {
  const child = spawn(process.execPath, [join(folder, 'js', `${file}.js`)], {
    cwd: root,
    env: { ...process.env, PORT: '0' },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const output = { stdout: '', stderr: '' }
  child.stdout?.setEncoding('utf8').on('data', (chunk: string) => (output.stdout += chunk))
  child.stderr?.setEncoding('utf8').on('data', (chunk: string) => (output.stderr += chunk))
  return { child, output }
}

/** Resolves when `holds` does, looking after everything the program prints; rejects when it ends or is too slow. */
async function until(child: ChildProcess, what: string, holds: () => boolean): Promise<void> {
  const signal = AbortSignal.timeout(PROGRAM_MS)
  while (!holds()) {
    if (child.exitCode !== null) throw new Error(`It ended with status ${child.exitCode} ${what}.`)
    await Promise.race([once(child.stdout!, 'data', { signal }), once(child, 'close', { signal })])
  }
}

async function run(program: Program): Promise<void> {
  const { child, output } = start(program)
  const timer = setTimeout(() => child.kill('SIGKILL'), PROGRAM_MS)
  const [status] = (await once(child, 'close')) as [number | null]
  clearTimeout(timer)
  if (status !== 0) throw new Error(`Status ${status}:\n${output.stdout}${output.stderr}`)
  if (program.prints !== undefined) expect(output.stdout).toBe(program.prints)
}

const common = { 'content-type': 'application/json', accept: 'application/json, text/event-stream' }

/** Sends one message; the answer's session id and its one JSON-RPC message, if any. */
async function post(url: string, message: object, headers: Record<string, string>) {
  const response = await fetch(url, {
    method: 'POST',
    headers: { ...common, ...headers },
    body: JSON.stringify({ jsonrpc: '2.0', ...message }),
  })
  const body = await response.text()
  const data = body.startsWith('{') ? body : /^data: ?(\{.*)$/m.exec(body)?.[1]
  const answer = data === undefined ? undefined : JSON.parse(data)
  return { session: response.headers.get('mcp-session-id') ?? '', answer }
}

/** Runs a server, makes the calls that the document lists in one session, and ends the server by SIGTERM. */
async function serveAndCall(program: Program): Promise<void> {
  const { child, output } = start(program)
  const ended = once(child, 'close')
  try {
    const urlPattern = /http:\/\/127\.0\.0\.1:(\d+)\/\S+/
    await until(child, 'before it listened', () => urlPattern.test(output.stdout))
    const [url = '', port = ''] = urlPattern.exec(output.stdout) ?? []
    const clientInfo = { name: 'docs', version: '1.0.0' }
    const params = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo }
    const opened = await post(url, { id: 0, method: 'initialize', params }, {})
    const headers = { 'mcp-session-id': opened.session, 'mcp-protocol-version': '2025-11-25' }
    await post(url, { method: 'notifications/initialized' }, headers)
    const listed: string[] = []
    for (const [id, line] of (program.calls ?? '').split('\n').entries()) {
      const [, call = '', name = '', args = ''] = /^((\w+) *(\{.*?\})?) *-> /.exec(line) ?? []
      const parameters = { name, arguments: JSON.parse(args || '{}') }
      const { answer } = await post(url, { id: id + 1, method: 'tools/call', params: parameters }, headers)
      const text = answer.result.content.map((block: { text: string }) => block.text).join('') || '(nothing)'
      listed.push(`${call.trim()} -> ${answer.result.isError === true ? 'isError: ' : ''}${text}`)
    }
    expect(listed.join('\n')).toBe(program.calls)
    // What comes out after SIGTERM is the last line; everything before it must have been printed by then.
    const linesBefore = (program.prints ?? '').trim().split('\n').length - 1
    await until(child, 'before it printed all', () => output.stdout.trim().split('\n').length >= linesBefore)
    child.kill('SIGTERM')
    const [status] = await ended
    expect(status, output.stderr).toBe(0)
    expect(output.stdout.replaceAll(`:${port}/`, ':3000/')).toBe(program.prints)
  } finally {
    child.kill('SIGKILL')
    await ended
  }
}

describe('the programs in the documents', () => {
  it.each(programs)(
    '$name compiles and runs',
    async (program) => {
      expect(faults.get(program.file) ?? []).toEqual([])
      await (program.isServer ? serveAndCall(program) : run(program))
    },
    60_000,
  )

  it('are there', () => {
    expect(fences.filter(isCode).length).toBeGreaterThan(12)
    expect(programs.filter((program) => program.isServer && program.calls !== undefined)).toHaveLength(1)
  })

  it('are all run: the few fragments say why they are none', () => {
    const fragments = fences.filter((fence) => isCode(fence) && isFragment(fence))
    expect(fragments.filter(({ note }) => !/^fragment: \w.{10,}/.test(note))).toEqual([])
    expect(fragments.length).toBeLessThanOrEqual(FRAGMENTS_MAX)
    const notes = fences.filter((fence) => isCode(fence) && !isFragment(fence)).map(({ note }) => note)
    expect(notes.filter((note) => note !== '')).toEqual([])
  })

  it('have a language: no code hides in a block without one', () => {
    expect(fences.filter(({ language }) => language === '').map(({ document, line }) => `${document}:${line}`)).toEqual(
      [],
    )
  })

  it('the first one in README.md has at most twelve lines', () => {
    expect(programs[0]?.name).toMatch(/^README\.md:/)
    expect(programs[0]?.source.split('\n').length).toBeLessThanOrEqual(12)
  })
})

describe('the facts in the documents', () => {
  const read = (file: string): string => readFileSync(join(root, file), 'utf8')

  it.each(documents)('%s links to files that are there', (document) => {
    const base = new URL(document, `file://${root}`)
    const links = [...(texts.get(document) ?? '').matchAll(/\]\((?!https?:|#|mailto:)([^)#\s]+)(#[^)\s]*)?\)/g)]
    const broken = links.map(([, link = '']) => link).filter((link) => !existsSync(fileURLToPath(new URL(link, base))))
    expect(broken).toEqual([])
  })

  it.each(documents)('%s names source files that are there', (document) => {
    const prose = (texts.get(document) ?? '').replace(/^```[\s\S]*?^```/gm, '')
    const named = [
      ...prose.matchAll(/`((?:src|actors|supervisors|test|property|bench|examples|scripts)\/[\w./-]+\.\w+)`/g),
    ]
    expect(named.map(([, file = '']) => file).filter((file) => !existsSync(join(root, file)))).toEqual([])
  })

  it('docs/one-request.md names functions that its files have', () => {
    const rows = read('docs/one-request.md')
      .split('\n')
      .filter((line) => /^\| \d/.test(line))
    expect(rows.length).toBeGreaterThan(10)
    for (const row of rows) {
      const [, , place = ''] = row.split('|')
      const file = /`([\w./-]+\.ts)`/.exec(place)?.[1] ?? ''
      const source = read(file)
      const names = [...place.replace(`\`${file}\``, '').matchAll(/`([#\w.]+)`/g)].map(([, name = '']) => name)
      expect(names.length, row).toBeGreaterThan(0)
      for (const name of names) expect(source, `${name} in ${file}`).toContain(name.split('.').at(-1))
    }
  })

  it('docs/metrics.md lists every counter that the sources add to', () => {
    const sources = ['src', 'actors', 'supervisors'].flatMap((top) =>
      readdirSync(join(root, top), { recursive: true, encoding: 'utf8' })
        .filter((name) => name.endsWith('.ts'))
        .map((name) => read(join(top, name))),
    )
    const parts: Readonly<Record<string, readonly string[]>> = {
      kind: ['tool', 'resource', 'prompt', 'completion'],
      status: ['completed', 'failed', 'cancelled'],
    }
    const whole = (name: string): string[] => {
      const part = /\$\{(\w+)\}/.exec(name)?.[1]
      return part === undefined ? [name] : (parts[part] ?? []).map((one) => name.replace(`\${${part}}`, one))
    }
    const added = sources
      .flatMap((source) => [...source.matchAll(/counters\s*\.add\(([^,)]*)/g)].map(([, first = '']) => first))
      .flatMap((first) => [...first.matchAll(/['`]([^'`]+)['`]/g)].flatMap(([, name = '']) => whole(name)))
    // What is read rather than added to is in the table that test/observability/metrics.test.ts holds it against.
    const listed = read('docs/metrics.md')
      .split('\n')
      .filter((line) => line.startsWith('| `bough_'))
      .map((line) => /`(\w+)`/.exec(line.split('|')[5] ?? '')?.[1] ?? '')
    expect(added.length).toBeGreaterThan(10)
    expect(added.filter((name) => !listed.includes(name))).toEqual([])
  })

  it('README.md lists every option of serve', () => {
    const names = (file: string, from: RegExp): string[] => {
      const body = read(file).split(from)[1]?.split('\n}')[0] ?? ''
      return [...body.matchAll(/^\s+readonly (\w+)\??:/gm)].map(([, name = '']) => name)
    }
    const options = [
      ...names('src/server/options.ts', /interface ApplicationOptions [^{]*\{/),
      ...names('src/server/caching-options.ts', /interface CachingOptions \{/),
      ...names('src/server/options.ts', /interface ServeOptions extends ApplicationOptions \{/),
      ...names('src/transports/http-options.ts', /interface HttpTransportOptions \{/),
      ...names('src/transports/stdio.ts', /interface StdioTransportOptions \{/),
    ]
    expect(options.length).toBeGreaterThan(30)
    const rows = read('README.md')
      .split('\n')
      .filter((line) => line.startsWith('| `'))
      .join('\n')
    expect(options.filter((name) => !new RegExp(`\`(\\w+\\.)?${name}[.\`]`).test(rows))).toEqual([])
  })

  it('docs/transports.md lists every option of the transports that it has tables for', () => {
    const names = (file: string, type: string): string[] => {
      const body = read(`src/transports/${file}`).split(`interface ${type} `)[1]?.split('\n}')[0] ?? ''
      return [...body.matchAll(/^ {2}readonly (\w+)\??:/gm)].map(([, name = '']) => name)
    }
    const options = [
      ...names('network.ts', 'NetworkOptions'),
      ...names('network.ts', 'HttpServerOptions'),
      ...names('network.ts', 'ConnectionLimits'),
      ...names('ws-options.ts', 'WebSocketEndpointOptions'),
      ...names('tcp.ts', 'TcpTransportOptions'),
      ...names('sse-options.ts', 'SseEndpointOptions'),
      ...names('sse-options.ts', 'SseTransportOptions'),
    ]
    expect(options.length).toBeGreaterThan(25)
    const rows = read('docs/transports.md')
      .split('\n')
      .filter((line) => line.startsWith('| `'))
      .flatMap((line) => [...(line.split('|')[1] ?? '').matchAll(/`(\w+)`/g)].map(([, name = '']) => name))
    expect([...new Set(rows)].sort()).toEqual([...new Set(options)].sort())
  })

  it('docs/client.md lists every option of the client, and every code of its errors', () => {
    const body = (file: string, from: string): string => read(file).split(from)[1]?.split('\n}')[0] ?? ''
    const names = (file: string, type: string, except: readonly string[] = []): string[] =>
      [...body(file, `interface ${type} `).matchAll(/^ {2}readonly (\w+)\??:/gm)]
        .map(([, name = '']) => name)
        .filter((name) => !except.includes(name))
    const tables: Readonly<Record<string, readonly string[]>> = {
      connect: [
        ...names('src/client/options.ts', 'ConnectOptions'),
        ...names('src/client/options.ts', 'ReconnectOptions'),
      ],
      'a call': [
        ...names('src/client/requests.ts', 'RequestOptions'),
        ...names('src/client/client.ts', 'CallToolOptions'),
        ...names('src/client/client.ts', 'TaskOptions'),
        ...names('src/client/pages.ts', 'PageOptions'),
      ],
      http: names('src/transports/client-http-options.ts', 'HttpClientOptions', [
        'url',
        'headers',
        'authorizer',
        'clock',
        'random',
      ]),
      ws: names('src/transports/client-ws.ts', 'WsClientOptions', ['url', 'headers', 'authorizer', 'clock']),
      tcp: names('src/transports/client-tcp.ts', 'TcpClientOptions', [
        'host',
        'port',
        'authorization',
        'authorizer',
        'clock',
      ]),
      'a command': names('src/transports/client-stdio.ts', 'StdioClientOptions', ['clock']),
      pool: [
        ...names('src/client/pool-options.ts', 'PoolOptions', ['health', 'breaker']),
        ...names('src/client/pool-options.ts', 'BreakerOptions'),
        ...names('src/client/pool-options.ts', 'HealthOptions'),
      ],
    }
    const page = read('docs/client.md').replaceAll('`', '')
    for (const [of, options] of Object.entries(tables)) {
      const rows = page.split(`| option of ${of} |`)[1]?.split('\n\n')[0]?.split('\n').slice(2) ?? []
      const listed = rows.flatMap((row) => (row.split('|')[1] ?? '').split(',')).map((name) => name.trim())
      const plain = listed.filter((name) => name !== '').map((name) => name.split('.').at(-1) ?? '')
      expect(options.length, of).toBeGreaterThan(5)
      expect([...new Set(plain)].sort(), `option of ${of}`).toEqual([...new Set(options)].sort())
    }
    const union = read('actors/client-services.ts').split('type FailureCode =')[1]?.split('\n\n')[0] ?? ''
    const codes = [...union.matchAll(/'(\w+)'/g)].map(([, code = '']) => code)
    const rows = page.split('| code | what happened |')[1]?.split('\n\n')[0]?.split('\n').slice(3) ?? []
    expect(rows.map((row) => (row.split('|')[1] ?? '').trim()).sort()).toEqual(codes.sort())
  })

  it('name commands that package.json has', () => {
    const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> }
    const named = [...texts.values()].flatMap((text) =>
      [...text.matchAll(/npm run ([\w:]+)/g)].map(([, name = '']) => name),
    )
    expect(named.filter((name) => scripts[name] === undefined)).toEqual([])
  })

  it('README.md keeps a place for figures of speed, and a command for each', () => {
    const speed =
      read('README.md')
        .split('\n## ')
        .find((part) => part.startsWith('Speed')) ?? ''
    expect(speed).toContain('npm run bench')
  })
})
