// Where the benchmark finds its own files, whether it runs from the sources or from dist/.
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

function findRoot(): string {
  for (let folder = dirname(fileURLToPath(import.meta.url)); folder !== dirname(folder); folder = dirname(folder)) {
    const manifest = join(folder, 'package.json')
    if (existsSync(manifest) && JSON.parse(readFileSync(manifest, 'utf8')).name === 'bough') return folder
  }
  throw new Error('The benchmark found no package.json named "bough" above itself. Run it from a checkout.')
}

/** The project's root folder. */
export const root = findRoot()

/** A program of the peers' package. */
export const peer = (file: string): string => join(root, 'bench', 'peers', file)

const here = fileURLToPath(import.meta.url)

/** A compiled benchmark program, beside this file once it is compiled itself; plain node cannot load the sources. */
export const built = (file: string): string =>
  here.endsWith('.js') ? join(dirname(here), file) : join(root, 'dist', 'bench', file)
