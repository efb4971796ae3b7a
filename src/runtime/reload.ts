/**
 * Reloading a module: its changed source is imported under a new address and the definitions it exports take the place of the
 * old ones. The address carries a hash of the content, so an unchanged file is not loaded twice.
 *
 * What ECMAScript modules cannot do: a version that was loaded is never unloaded (a small module costs some ten kilobytes each
 * time), and only the module itself is loaded anew, not what it imports. Closures and classes of the old version live on in
 * whatever holds them: keep state plain data.
 */
import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { fileURLToPath, pathToFileURL } from 'node:url'
import type { Definition } from './definition.ts'
import { UpgradeError } from './upgrade.ts'

/** Characters of the hash in the address: enough that two versions of one file never share it. */
const HASH_LENGTH = 16

/** The definitions that the module at `location` (a file: URL or a path) exports as it stands on disk now. */
export async function importDefinitions(location: string | URL): Promise<Definition[]> {
  const url = location instanceof URL || /^file:/.test(location) ? new URL(location) : pathToFileURL(location)
  if (url.protocol !== 'file:') throw new UpgradeError('invalid', `reload takes a file, got ${url.href}.`)
  const source = await readFile(fileURLToPath(url))
  url.searchParams.set('v', createHash('sha256').update(source).digest('hex').slice(0, HASH_LENGTH))
  const module = (await import(url.href)) as Readonly<Record<string, unknown>>
  const definitions = new Set(Object.values(module).filter(isDefinition))
  if (definitions.size === 0)
    throw new UpgradeError(
      'invalid',
      `reload: ${url.pathname} exports no definition (defineActor, defineSupervisor, ...).`,
    )
  return [...definitions]
}

function isDefinition(value: unknown): value is Definition {
  const candidate = value as Partial<Definition> | null
  return (
    typeof candidate === 'object' &&
    candidate !== null &&
    typeof candidate.createRef === 'function' &&
    typeof candidate.init === 'function'
  )
}
