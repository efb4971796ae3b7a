/**
 * What the package offers, as it was built: every subpath leads somewhere and exports names, and loading one brings in only
 * the third-party code that it needs. Each subpath is imported in a program of its own whose every module is noted down.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { beforeAll, describe, expect, it } from 'vitest'

const root = fileURLToPath(new URL('..', import.meta.url))
const manifest = JSON.parse(readFileSync(`${root}package.json`, 'utf8')) as {
  readonly exports: Readonly<Record<string, string | { readonly types: string; readonly default: string }>>
  readonly dependencies: Readonly<Record<string, string>>
}
const subpaths = Object.keys(manifest.exports).filter((subpath) => subpath !== './package.json')

/** The packages that each subpath loads directly; those that they load themselves are theirs. */
const needs: Readonly<Record<string, readonly string[]>> = {
  './workers': ['piscina'],
  './client': ['@opentelemetry/api', 'ajv', 'ajv-formats', 'undici', 'xstate'],
  './client/testing': ['@opentelemetry/api', 'ajv', 'ajv-formats', 'pino', 'piscina', 'undici', 'xstate'],
  './proxy': ['@opentelemetry/api', 'ajv', 'ajv-formats', 'pino', 'piscina', 'undici', 'xstate'],
  './transports/ws': ['ws'],
  './auth': ['jose', 'oauth4webapi'],
  '.': ['@opentelemetry/api', 'ajv', 'ajv-formats', 'pino', 'piscina', 'xstate'],
  './server': ['@opentelemetry/api', 'ajv', 'ajv-formats', 'pino', 'piscina', 'xstate'],
  './protocol': ['ajv', 'ajv-formats'],
  './lifecycles': ['xstate'],
  './observability': ['@opentelemetry/api', 'pino'],
}

interface Loaded {
  readonly names: readonly string[]
  /** Packages that modules of ours import. */
  readonly packages: readonly string[]
}

/** Notes every import: who asks, for what, and where it leads. */
const hook = `
import { appendFileSync } from 'node:fs'
export async function resolve(specifier, context, next) {
  const found = await next(specifier, context)
  appendFileSync(1, JSON.stringify({ parent: context.parentURL ?? '', url: found.url }) + '\\n')
  return found
}`

function load(subpath: string): Loaded {
  const name = subpath === '.' ? 'bough' : `bough/${subpath.slice(2)}`
  const url = `data:text/javascript,${encodeURIComponent(hook)}`
  const program = `
    import { register } from 'node:module'
    register(${JSON.stringify(url)})
    const loaded = await import(${JSON.stringify(name)})
    console.log(JSON.stringify({ names: Object.keys(loaded) }))`
  const { status, stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '--eval', program], {
    cwd: root,
    encoding: 'utf8',
    timeout: 30_000,
  })
  if (status !== 0) throw new Error(`import '${name}' ended with status ${status}:\n${stderr}`)
  const rows = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { parent?: string; url?: string; names?: string[] })
  const packages = rows
    .filter(({ parent, url }) => url?.includes('/node_modules/') && !parent?.includes('/node_modules/'))
    .map(({ url = '' }) => /\/node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(url)?.[1] ?? url)
  return { names: rows.find((row) => row.names !== undefined)?.names ?? [], packages: [...new Set(packages)].sort() }
}

beforeAll(() => {
  const { status, stderr } = spawnSync(process.execPath, ['scripts/build.mjs', '--if-stale'], {
    cwd: root,
    encoding: 'utf8',
  })
  if (status !== 0) throw new Error(`The build failed:\n${stderr}`)
}, 60_000)

describe('the subpaths', () => {
  it.each(subpaths)('%s leads to built code and its types', (subpath) => {
    const target = manifest.exports[subpath]
    if (typeof target !== 'object') throw new Error(`${subpath} names one file, not code and types`)
    expect(existsSync(root + target.default), target.default).toBe(true)
    expect(existsSync(root + target.types), target.types).toBe(true)
  })

  it.each(subpaths)(
    '%s exports names, none of them default, and loads only the packages it needs',
    (subpath) => {
      const { names, packages } = load(subpath)
      expect(names.length).toBeGreaterThan(0)
      expect(names).not.toContain('default')
      expect(packages).toEqual(needs[subpath] ?? [])
    },
    40_000,
  )

  it('notices a package that is loaded: the table is not empty by accident', () => {
    expect(load('./lifecycles').packages).toEqual(['xstate'])
  }, 40_000)

  it('need every dependency of the package somewhere', () => {
    expect([...new Set(Object.values(needs).flat())].sort()).toEqual(Object.keys(manifest.dependencies).sort())
  })
})

describe('index files', () => {
  const indexes = readdirSync(`${root}src`, { recursive: true, encoding: 'utf8' })
    .filter((name) => /(^|[\\/])index\.ts$/.test(name))
    .map((name) => `src/${name.replaceAll('\\', '/')}`)

  it.each(indexes)('%s lists names and holds no code', (file) => {
    const rest = readFileSync(root + file, 'utf8')
      .replace(/\/\*[\s\S]*?\*\/|\/\/[^\n]*/g, '')
      .replace(/export\s+(type\s+)?\{[^}]*\}\s+from\s+'[^']+'/g, '')
    expect(rest.trim()).toBe('')
  })
})
