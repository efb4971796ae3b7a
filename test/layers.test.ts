/**
 * The layers of the house as a table: a file imports from layers below its own, never from one above, and third-party code
 * only where the table allows it. A failure names the file and the import.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'

const root = fileURLToPath(new URL('..', import.meta.url))

interface Layer {
  readonly number: number
  /** Folders that may be imported from. `types:` stands for type-only imports. */
  readonly may: readonly string[]
  /** Packages that may be imported from; `node:` modules may be everywhere below but in the pure folders. */
  readonly packages: readonly string[]
  readonly isPure?: boolean
}

const low = ['structures', 'runtime', 'protocol']
const middle = [
  'features',
  'lifecycles',
  'transports',
  'storage',
  'auth',
  'observability',
  'workers',
  'intelligence',
  'cache',
]

const layers: Readonly<Record<string, Layer>> = {
  structures: { number: 0, may: [], packages: [], isPure: true },
  runtime: { number: 1, may: ['structures'], packages: [] },
  protocol: { number: 1, may: [], packages: ['ajv', 'ajv-formats'], isPure: true },
  features: { number: 2, may: low, packages: [], isPure: true },
  lifecycles: { number: 2, may: low, packages: ['xstate'], isPure: true },
  transports: { number: 2, may: low, packages: ['undici', 'ws'] },
  storage: { number: 2, may: low, packages: ['better-sqlite3'] },
  auth: { number: 2, may: low, packages: ['jose', 'oauth4webapi'] },
  observability: { number: 2, may: low, packages: ['pino', '@opentelemetry/api'] },
  workers: { number: 2, may: low, packages: ['piscina'] },
  cache: { number: 2, may: low, packages: ['lmdb'] },
  intelligence: { number: 2, may: low, packages: [] },
  testing: { number: 2, may: low, packages: [] },
  actors: { number: 3, may: [...low, ...middle], packages: [] },
  supervisors: { number: 4, may: ['actors', 'runtime', 'types:transports'], packages: [] },
  server: { number: 5, may: [...low, ...middle, 'actors', 'supervisors'], packages: [] },
  client: { number: 5, may: [...low, ...middle, 'actors', 'supervisors'], packages: ['bough'] },
  cli: { number: 6, may: [], packages: ['bough'] },
  // Made of the other two as their users see them.
  proxy: { number: 5, may: ['runtime', 'protocol', 'features'], packages: ['bough'] },
  // src/index.ts is the facade.
  '': { number: 5, may: [...low, ...middle, 'actors', 'supervisors', 'server'], packages: [] },
}

interface Import {
  readonly file: string
  readonly folder: string
  readonly specifier: string
  readonly isTypeOnly: boolean
}

const files = ['src', 'actors', 'supervisors'].flatMap((top) =>
  readdirSync(`${root}${top}`, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => `${top}/${name.replaceAll('\\', '/')}`),
)

/** The folder of a file in the table: 'runtime' for src/runtime/ref.ts, 'actors' for actors/session.ts. */
function folderOf(file: string): string {
  const [top = '', second = ''] = file.split('/')
  if (top !== 'src') return top
  return second.endsWith('.ts') ? '' : second
}

/** The source without comments, and with every string that is no import emptied: what is left is code. */
function codeOf(text: string): string {
  return text
    .replace(/\/\*[\s\S]*?\*\//g, '')
    .replace(/(^|[^:'"`\\])\/\/[^\n]*/g, '$1')
    .replace(/(from\s+|import\s*\(\s*|import\s+)?('(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*")/g, (all, before) =>
      before === undefined ? "''" : all,
    )
}

const sources = new Map(files.map((file) => [file, codeOf(readFileSync(root + file, 'utf8'))]))

function importsOf(file: string): Import[] {
  const code = sources.get(file) ?? ''
  const found: Import[] = []
  const pattern =
    /(?:\b(import|export)\s+(type\s+)?(\{[^}]*\}|[\w*,\s{}]+?)?\s*(?:from\s*)?|import\s*\(\s*)(['"])([^'"\n]+)\4/g
  for (const [, , type, names, , specifier = ''] of code.matchAll(pattern)) {
    const named = names?.startsWith('{') ? names.slice(1, -1).split(',') : undefined
    const isTypeOnly =
      type !== undefined ||
      (named?.every((name) => name.trim() === '' || name.trim().startsWith('type ')) === true && named.length > 0)
    found.push({ file, folder: folderOf(file), specifier, isTypeOnly })
  }
  return found
}

const imports = files.flatMap(importsOf)

/** Where a specifier leads: a folder of the table, 'package', 'node' or 'inside'. */
function targetOf(specifier: string): string {
  if (specifier.startsWith('#')) return specifier.slice(1).split('/')[0] ?? ''
  if (specifier.startsWith('node:')) return 'node'
  return specifier.startsWith('.') ? 'inside' : 'package'
}

const packageOf = (specifier: string): string =>
  specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/')

const told = (found: readonly Import[]): string[] => found.map(({ file, specifier }) => `${file} imports ${specifier}`)

describe('the layers', () => {
  it('finds every import there is', () => {
    const lines = files.map((file) => (sources.get(file)?.match(/\bfrom\s+['"]/g) ?? []).length)
    expect(imports.length).toBeGreaterThanOrEqual(lines.reduce((sum, count) => sum + count, 0))
    expect(imports.length).toBeGreaterThan(300)
  })

  it('knows every folder', () => {
    expect([...new Set(files.map(folderOf))].filter((folder) => layers[folder] === undefined)).toEqual([])
  })

  it('only goes down: numbers fall from importer to imported', () => {
    for (const layer of Object.values(layers)) {
      for (const name of layer.may.map((one) => one.replace('types:', ''))) {
        // The facade names what its own layer, the server, exports.
        const isFacade = layer === layers[''] && name === 'server'
        expect(layers[name]?.number, name).toBeLessThan(layer.number + (isFacade ? 1 : 0))
      }
    }
  })

  it('lets a file import only from the folders that its own folder may see', () => {
    const climbing = imports.filter(({ folder, specifier, isTypeOnly }) => {
      const target = targetOf(specifier)
      if (!specifier.startsWith('#') || target === folder) return false
      const may = layers[folder]?.may ?? []
      return !may.includes(target) && !(isTypeOnly && may.includes(`types:${target}`))
    })
    expect(told(climbing)).toEqual([])
  })

  it('lets third-party code in only where the table says', () => {
    const foreign = imports.filter(({ folder, specifier }) => {
      return targetOf(specifier) === 'package' && !layers[folder]?.packages.includes(packageOf(specifier))
    })
    expect(told(foreign)).toEqual([])
  })

  it('keeps the pure folders free of node modules', () => {
    const impure = imports.filter(
      ({ folder, specifier }) => layers[folder]?.isPure === true && targetOf(specifier) === 'node',
    )
    expect(told(impure)).toEqual([])
  })

  it('never climbs with "../", and never leaves its folder with "./"', () => {
    const climbing = imports.filter(({ folder, specifier }) => {
      return specifier.includes('../') || (specifier.startsWith('./') && folder !== '' && !specifier.endsWith('.ts'))
    })
    expect(told(climbing)).toEqual([])
  })

  it('imports what lies in other folders by names that package.json has', () => {
    const { imports: names } = JSON.parse(readFileSync(`${root}package.json`, 'utf8')) as { imports: object }
    const patterns = Object.keys(names).map((name) => name.replace('*', ''))
    const unknown = imports.filter(({ specifier }) => {
      return (
        specifier.startsWith('#') &&
        !patterns.some((one) => specifier === one || (one.endsWith('/') && specifier.startsWith(one)))
      )
    })
    expect(told(unknown)).toEqual([])
  })

  it('keeps actors acyclic: at run time none needs another that needs it', () => {
    const needs = new Map<string, string[]>()
    for (const { file, specifier, isTypeOnly } of imports) {
      if (!file.startsWith('actors/') || isTypeOnly || !specifier.startsWith('./')) continue
      needs.set(file, [...(needs.get(file) ?? []), `actors/${specifier.slice(2)}`])
    }
    const cycleFrom = (file: string, path: readonly string[]): readonly string[] | undefined => {
      if (path.includes(file)) return [...path, file]
      for (const next of needs.get(file) ?? []) {
        const cycle = cycleFrom(next, [...path, file])
        if (cycle !== undefined) return cycle
      }
      return undefined
    }
    for (const file of needs.keys()) expect(cycleFrom(file, [])?.join(' -> '), file).toBeUndefined()
  })
})

describe('time and chance', () => {
  const mayUse = /^src\/(runtime\/(clock|scheduler|timers|random)\.ts|cli\/|testing\/)/
  const forbidden = [
    /\bDate\.now\b/,
    /\bnew Date\(\s*\)/,
    /\bperformance\.now\b/,
    /\bset(?:Timeout|Interval|Immediate)\b/,
    /\bMath\.random\b/,
    /\b(?:randomBytes|randomUUID|randomInt|getRandomValues|randomFillSync)\b/,
    /from 'node:timers/,
  ]

  it('come from the system, not from the global object', () => {
    const found = files
      .filter((file) => !mayUse.test(file))
      .flatMap((file) =>
        forbidden.flatMap((pattern) => (sources.get(file)?.match(pattern) ?? []).map((use) => `${file} uses ${use}`)),
      )
    expect(found).toEqual([])
  })

  it('are taken from the global object where they should be', () => {
    const clock = sources.get('src/runtime/clock.ts') ?? ''
    expect(forbidden.filter((pattern) => pattern.test(clock)).length).toBeGreaterThanOrEqual(3)
  })
})
