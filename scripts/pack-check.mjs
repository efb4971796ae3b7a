// Checks the package as others get it: packs it, looks at what is inside, installs the tarball in a folder of its own, imports
// every subpath there, and compiles a small program against its declarations. Wants a build; prints one line for each step.
//
//   node scripts/pack-check.mjs
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
const folder = mkdtempSync(join(tmpdir(), 'bough-pack-'))

/** What the tarball may hold; everything else is there by mistake. */
const allowed = [
  /^package\.json$/,
  /^(README|CHANGELOG)\.md$/,
  /^LICENSE$/,
  /^docs\/[\w-]+\.md$/,
  /^dist\/(src|actors|supervisors)\/[\w./-]+\.(js|d\.ts)$/,
]
const wanted = ['README.md', 'CHANGELOG.md', 'LICENSE', 'docs/semantics.md', 'dist/src/index.js', 'dist/src/index.d.ts']
const PACKED_BYTES_MAX = 2_000_000

function run(command, args, cwd) {
  const { status, stdout, stderr } = spawnSync(command, args, { cwd, encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 })
  if (status !== 0) throw new Error(`${command} ${args.join(' ')} ended with status ${status}:\n${stdout}${stderr}`)
  return stdout
}

function step(sentence, work) {
  const detail = work()
  console.log(`ok  ${sentence}${detail === undefined ? '' : `: ${detail}`}`)
}

const serverProgram = `
import { createServer, serve } from 'bough'
import { memoryTransport } from 'bough/transports/memory'

const server = createServer({ name: 'guest', version: '1.0.0' })
const run = async () => ((await import('node:worker_threads')).isMainThread ? 'same thread' : 'other thread')
server.tool('here', { run })
server.tool('there', { isolate: 'thread', run })
const memory = memoryTransport()
const app = await serve(server, { transports: [memory.transport], logger: false })
const client = memory.connect()
const ask = (id, method, params) =>
  new Promise((resolve) => {
    client.onMessage((text) => resolve(JSON.parse(text).result))
    client.send(JSON.stringify({ jsonrpc: '2.0', id, method, params }))
  })
const clientInfo = { name: 'guest', version: '1.0.0' }
await ask(1, 'initialize', { protocolVersion: '2025-11-25', capabilities: {}, clientInfo })
const here = await ask(2, 'tools/call', { name: 'here' })
const there = await ask(3, 'tools/call', { name: 'there' })
console.log(here.content[0].text + ', ' + there.content[0].text)
await app.stop()
`

const typedProgram = `
import { createServer } from 'bough'
import { createSystem, defineActor } from 'bough/runtime'

const Counter = defineActor({
  name: 'counter',
  init: (start: number) => ({ count: start }),
  call: { add: (state, by: number) => (state.count += by) },
})
const counter = await createSystem().start(Counter, 0)
const sum = await counter.call('add', 2)
export const isTyped: [typeof sum, 0 extends 1 & typeof sum ? 'any' : 'typed'] = [sum, 'typed']
export const operation: Parameters<typeof counter.call>[0] extends 'add' ? true : false = true
createServer({ name: 'guest', version: '1.0.0' }).tool('t', { run: (_args, ctx) => String(ctx.signal.aborted) })
`

const nameOf = (subpath) => (subpath === '.' ? manifest.name : `${manifest.name}/${subpath.slice(2)}`)
const subpaths = Object.keys(manifest.exports).filter((subpath) => subpath !== './package.json')

try {
  let tarball = ''
  step('the tarball holds what it should and nothing else', () => {
    const [packed] = JSON.parse(run('npm', ['pack', '--json', '--pack-destination', folder], root))
    tarball = join(folder, packed.filename)
    const paths = packed.files.map(({ path }) => path)
    const strangers = paths.filter((path) => !allowed.some((pattern) => pattern.test(path)))
    const missing = wanted.filter((path) => !paths.includes(path))
    const targets = subpaths.flatMap((subpath) => [manifest.exports[subpath].default, manifest.exports[subpath].types])
    missing.push(...targets.map((target) => target.slice(2)).filter((path) => !paths.includes(path)))
    if (strangers.length > 0) throw new Error(`It should not hold ${strangers.join(', ')}.`)
    if (missing.length > 0) throw new Error(`It lacks ${missing.join(', ')}.`)
    if (packed.size > PACKED_BYTES_MAX) throw new Error(`It has ${packed.size} bytes, more than ${PACKED_BYTES_MAX}.`)
    return `${paths.length} files, ${packed.size} bytes`
  })

  step('it installs in an empty folder', () => {
    writeFileSync(join(folder, 'package.json'), JSON.stringify({ name: 'guest', private: true, type: 'module' }))
    run('npm', ['install', '--prefer-offline', '--no-fund', '--no-audit', '--loglevel', 'error', tarball], folder)
  })

  step('every subpath can be imported', () => {
    const program = subpaths
      .map((subpath) => `if (Object.keys(await import('${nameOf(subpath)}')).length === 0) throw '${subpath} is empty'`)
      .join('\n')
    run(process.execPath, ['--input-type=module', '--eval', program], folder)
    return subpaths.map(nameOf).join(' ')
  })

  step('what is not exported cannot be imported', () => {
    const program = `import('${manifest.name}/dist/src/index.js').then(() => process.exit(1), (e) => process.exit(e.code === 'ERR_PACKAGE_PATH_NOT_EXPORTED' ? 0 : 2))`
    run(process.execPath, ['--eval', program], folder)
  })

  step('a server of it runs a tool, in a process and in a thread', () => {
    writeFileSync(join(folder, 'server.mjs'), serverProgram)
    const printed = run(process.execPath, ['server.mjs'], folder).trim()
    if (printed !== 'same thread, other thread') throw new Error(`It printed "${printed}".`)
  })

  step('a strict program compiles against its types', () => {
    const imports = subpaths.map((subpath, at) => `import * as module${at} from '${nameOf(subpath)}'`)
    const uses = subpaths.map((_, at) => `module${at}`)
    writeFileSync(
      join(folder, 'guest.ts'),
      `${imports.join('\n')}\nexport const all = [${uses.join(', ')}]\n${typedProgram}`,
    )
    const compilerOptions = {
      strict: true,
      noEmit: true,
      target: 'es2023',
      module: 'nodenext',
      moduleResolution: 'nodenext',
      types: ['node'],
      typeRoots: [join(root, 'node_modules', '@types')],
    }
    writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['guest.ts'] }))
    run(join(root, 'node_modules', '.bin', 'tsc'), ['-p', folder], folder)
  })
} catch (error) {
  console.error(`FAILED  ${error instanceof Error ? error.message : String(error)}`)
  process.exitCode = 1
} finally {
  rmSync(folder, { recursive: true, force: true })
}
