/**
 * The guard between a path that a client sent and a file of the served folder. `checkPath` looks at the text alone;
 * `locate` then asks the file system where the path really leads, so that a symbolic link cannot lead out.
 *
 *     checkPath('docs/./guide.md')                        // 'docs/guide.md'
 *     checkPath('../../etc/passwd')                       // throws: PathError 'outside'
 *     await locate('/srv/notes', 'docs/guide.md')         // { path, realPath, stats }
 *
 * What begins with a dot, `node_modules` and `dist` are never served: they hold secrets, or what nobody wants to read.
 * A file whose name itself looks like an attack (it holds a backslash, a colon, or "%2f") is not served either.
 */
import type { Stats } from 'node:fs'
import { realpath, stat } from 'node:fs/promises'
import { isAbsolute, join, relative, sep } from 'node:path'

/** Longest path, in characters. */
export const PATH_LENGTH_MAX = 1_024

/** Why a path was refused; the message is for the person who sent it. */
export type PathErrorCode = 'malformed' | 'outside' | 'hidden' | 'missing' | 'unreadable'

export class PathError extends Error {
  override readonly name = 'PathError'
  readonly code: PathErrorCode
  constructor(code: PathErrorCode, message: string) {
    super(message)
    this.code = code
  }
}

export interface Located {
  /** Relative to the folder, with "/" between its parts; '' is the folder itself. */
  readonly path: string
  /** Absolute, without any symbolic link in it. */
  readonly realPath: string
  readonly stats: Stats
}

const controlCharacter = /\p{Cc}/u
const encodedTrick = /%(?:2e|2f|5c|25|00)/i
const skippedNames = new Set(['node_modules', 'dist'])

/** Whether an entry of that name, and what is below it, is served. */
export function isServedName(name: string): boolean {
  return !name.startsWith('.') && !skippedNames.has(name) && textFault(name) === undefined
}

/**
 * The path in its one form: parts with "/" between them, neither '.' nor empty ones among them; '' is the folder itself.
 * Throws a PathError `malformed`, `outside` or `hidden`.
 */
export function checkPath(asked: string): string {
  const fault = textFault(asked)
  if (fault !== undefined) throw new PathError('malformed', `The path ${shown(asked)} ${fault}`)
  if (asked.startsWith('/')) {
    throw new PathError('outside', `The path ${shown(asked)} is absolute; give it relative to the served folder`)
  }
  const parts = asked.split('/').filter((part) => part !== '' && part !== '.')
  if (parts.includes('..')) {
    throw new PathError(
      'outside',
      `The path ${shown(asked)} holds ".."; only what is inside the served folder can be had`,
    )
  }
  const hidden = parts.find((part) => !isServedName(part))
  if (hidden !== undefined) {
    throw new PathError('hidden', `The path ${shown(asked)} leads into ${shown(hidden)}, which is not served`)
  }
  return parts.join('/')
}

/**
 * Finds what a checked path leads to. `realRoot` is the folder's own real path. Throws a PathError: those of `checkPath`,
 * `missing` when there is nothing, `outside` or `hidden` when a symbolic link leads out or to what is not served.
 */
export async function locate(realRoot: string, asked: string): Promise<Located> {
  const path = checkPath(asked)
  const realPath = await realpath(join(realRoot, path)).catch(() => missing(path))
  const inside = relative(realRoot, realPath)
  if (inside === '..' || inside.startsWith(`..${sep}`) || isAbsolute(inside)) {
    throw new PathError('outside', `The path ${shown(path)} is a link that leads out of the served folder`)
  }
  checkPath(inside.split(sep).join('/'))
  return { path, realPath, stats: await stat(realPath).catch(() => missing(path)) }
}

/** What is wrong with the text of a path, as the end of a sentence. */
function textFault(path: string): string | undefined {
  if (path.length > PATH_LENGTH_MAX) return `is ${path.length} characters long; ${PATH_LENGTH_MAX} are taken`
  if (controlCharacter.test(path)) return 'holds a control character'
  if (path.includes('\\')) return 'holds a backslash; write "/" between its parts'
  if (path.includes(':')) return 'holds a colon; give a path, not a drive or a URI'
  if (encodedTrick.test(path)) return 'is encoded twice'
  return undefined
}

function missing(path: string): never {
  throw new PathError('missing', `There is no file ${shown(path)} in the served folder`)
}

function shown(path: string): string {
  return JSON.stringify(path.length > 80 ? `${path.slice(0, 80)}...` : path)
}
