/** The files of the served folder: which there are, what changed between two looks, and what one holds. */
import { constants } from 'node:fs'
import { lstat, open, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { isServedName, type Located, locate, PATH_LENGTH_MAX, PathError } from './folder.ts'

/** Most files that are listed; more can be read through the template. */
export const FILES_MAX = 2_000
/** Most folders that are looked into and watched. */
export const FOLDERS_MAX = 500
/** Longest file that is read, in bytes. */
export const FILE_BYTES_MAX = 4 * 1024 * 1024

export interface FileFacts {
  readonly bytes: number
  readonly modifiedMs: number
}

/** One look at the folder. Paths are relative, with "/" between their parts. */
export interface Snapshot {
  readonly files: ReadonlyMap<string, FileFacts>
  /** The folders, '' for the folder itself, with their inodes: one that was made anew is another. */
  readonly folders: ReadonlyMap<string, number>
  /** Whether there was more than the bounds allow. */
  readonly isCut: boolean
}

export interface Changes {
  readonly added: readonly string[]
  readonly changed: readonly string[]
  readonly removed: readonly string[]
}

/** Looks at all files, folder by folder, in the order of their names. Symbolic links are left out. */
export async function takeSnapshot(realRoot: string): Promise<Snapshot> {
  const files = new Map<string, FileFacts>()
  const folders = new Map<string, number>()
  const waiting = ['']
  for (let folder = waiting.shift(); folder !== undefined; folder = waiting.shift()) {
    if (folders.size === FOLDERS_MAX) return { files, folders, isCut: true }
    // What goes away between two steps is simply not there.
    const own = await lstat(join(realRoot, folder)).catch(() => undefined)
    const entries = await readdir(join(realRoot, folder), { withFileTypes: true }).catch(() => undefined)
    if (own === undefined || entries === undefined) continue
    folders.set(folder, own.ino)
    for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
      const path = folder === '' ? entry.name : `${folder}/${entry.name}`
      if (!isServedName(entry.name) || path.length > PATH_LENGTH_MAX) continue
      if (entry.isDirectory()) waiting.push(path)
      if (!entry.isFile()) continue
      const stats = await lstat(join(realRoot, path)).catch(() => undefined)
      if (stats === undefined) continue
      if (files.size === FILES_MAX) return { files, folders, isCut: true }
      files.set(path, { bytes: stats.size, modifiedMs: stats.mtimeMs })
    }
  }
  return { files, folders, isCut: false }
}

/** What is new, different or gone in `after`. */
export function changesBetween(before: Snapshot['files'], after: Snapshot['files']): Changes {
  const added: string[] = []
  const changed: string[] = []
  for (const [path, facts] of after) {
    const known = before.get(path)
    if (known === undefined) added.push(path)
    else if (known.bytes !== facts.bytes || known.modifiedMs !== facts.modifiedMs) changed.push(path)
  }
  return { added, changed, removed: [...before.keys()].filter((path) => !after.has(path)) }
}

/** The bytes of a file. Throws a PathError for what `locate` refuses, for what is no file, and for what is too long. */
export async function readServedFile(realRoot: string, asked: string): Promise<{ path: string; bytes: Buffer }> {
  const located = await locate(realRoot, asked)
  const { path } = located
  if (!located.stats.isFile()) throw new PathError('unreadable', `"${path}" is a folder, not a file`)
  const file = await openLocated(located)
  try {
    // The facts of the open file count: the name may have been given to another one since it was located.
    const stats = await file.stat()
    if (!stats.isFile()) throw new PathError('unreadable', `"${path}" is not a file`)
    if (stats.size > FILE_BYTES_MAX) {
      throw new PathError('unreadable', `"${path}" has ${stats.size} bytes; at most ${FILE_BYTES_MAX} are read`)
    }
    return { path, bytes: await file.readFile() }
  } finally {
    await file.close()
  }
}

/** Opens without following a link that took the file's place, and without waiting for the other end of a pipe. */
async function openLocated({ path, realPath }: Located) {
  try {
    return await open(realPath, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
  } catch (error) {
    const reason = error instanceof Error && 'code' in error ? String(error.code) : String(error)
    throw new PathError('unreadable', `"${path}" cannot be opened (${reason})`)
  }
}
