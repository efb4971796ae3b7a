/** Compiles TypeScript as strictly as it can be asked to, in a folder where `bough` is found as others find it. */
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { onTestFinished } from 'vitest'

const root = fileURLToPath(new URL('../../..', import.meta.url))
const strict = [
  '--strict',
  '--exactOptionalPropertyTypes',
  '--noUncheckedIndexedAccess',
  '--noUnusedLocals',
  '--noUnusedParameters',
  '--noImplicitOverride',
  '--verbatimModuleSyntax',
  '--isolatedModules',
  '--erasableSyntaxOnly',
]
const plain = ['--target', 'es2023', '--module', 'nodenext', '--types', 'node', '--skipLibCheck', '--pretty', 'false']

export interface Compiled {
  /** What the compiler complains of; '' for nothing. */
  readonly errors: string
  /** Where the JavaScript is. */
  readonly folder: string
}

/** Compiles `files` by name; the folder is gone when the test is over. */
export function compile(files: Readonly<Record<string, string>>): Compiled {
  const folder = mkdtempSync(join(tmpdir(), 'bough-compiled-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  writeFileSync(`${folder}/package.json`, '{ "type": "module" }')
  mkdirSync(`${folder}/node_modules`)
  symlinkSync(root, `${folder}/node_modules/bough`, 'dir')
  for (const [name, text] of Object.entries(files)) writeFileSync(`${folder}/${name}`, text)
  const names = Object.keys(files).map((name) => `${folder}/${name}`)
  const places = [
    '--typeRoots',
    `${root}node_modules/@types`,
    '--rootDir',
    folder,
    '--outDir',
    folder,
    '--ignoreConfig',
  ]
  const { stdout, stderr, status } = spawnSync(
    process.execPath,
    [`${root}node_modules/typescript/bin/tsc`, ...names, ...plain, ...strict, ...places],
    { cwd: folder, encoding: 'utf8' },
  )
  return { errors: status === 0 ? '' : `${stdout}${stderr}`.replaceAll(`${folder}/`, ''), folder }
}
