/**
 * Roots: whether a path lies inside the directories that a client named. All of it is text: dots are resolved, percent-encoding
 * is decoded, nothing is looked up. A symbolic link can therefore lead out; whoever opens files must resolve links first (as
 * `fs.realpath` does) and ask again with what came of it.
 *
 *     isWithinRoots([{ uri: 'file:///home/ann/project' }], 'file:///home/ann/project/../secret')   // false
 *     pathOfFileUri('file:///home/ann/a%20b')                                                      // '/home/ann/a b'
 *     confine('/srv/docs', '../etc/passwd')                                                        // undefined
 *
 * Spec: MCP 2025-11-25, client/roots, security considerations; server/resources, security considerations; RFC 8089.
 */
import { describeValue, invalidParams, type Root } from '#protocol'

/** Longest URI or path that is looked at, in characters. */
export const PATH_LENGTH_MAX = 8_192

/**
 * The absolute path of a file: URI with dots resolved and `/` between names, without one at the end; undefined for what is no
 * file: URI of this machine, or holds an encoded slash, backslash or NUL. A Windows path comes as 'C:/dir', on any system.
 */
export function pathOfFileUri(uri: string): string | undefined {
  if (uri.length > PATH_LENGTH_MAX) return undefined
  const found = /^file:\/\/([^/?#]*)(\/[^?#]*)$/i.exec(uri)
  if (found === null) return undefined
  const [, host = '', encoded = ''] = found
  if (host !== '' && host.toLowerCase() !== 'localhost') return undefined
  // What would become a separator by decoding was none in the URI, so the two would disagree on where a name ends.
  if (/%(?:2f|5c|00)/i.test(encoded) || encoded.includes('\\')) return undefined
  try {
    return normalized(decodeURIComponent(encoded))
  } catch {
    return undefined
  }
}

/** The same for a file: URI or an absolute path; undefined for a relative one. */
export function absolutePath(uriOrPath: string): string | undefined {
  if (/^[A-Za-z][A-Za-z0-9+.-]+:/.test(uriOrPath)) return pathOfFileUri(uriOrPath)
  return uriOrPath.length > PATH_LENGTH_MAX ? undefined : normalized(uriOrPath)
}

/** Whether a file: URI or an absolute path is one of the roots or lies below one. Names are compared exactly. */
export function isWithinRoots(roots: readonly Pick<Root, 'uri'>[], uriOrPath: string): boolean {
  const path = absolutePath(uriOrPath)
  return (
    path !== undefined &&
    roots.some(({ uri }) => {
      const root = pathOfFileUri(uri)
      return root !== undefined && contains(root, path)
    })
  )
}

/** The path, when it is within the roots. Throws a ProtocolError -32602 otherwise. */
export function pathWithinRoots(roots: readonly Pick<Root, 'uri'>[], uriOrPath: string): string {
  const path = absolutePath(uriOrPath)
  if (path !== undefined && isWithinRoots(roots, uriOrPath)) return path
  const why = path === undefined ? 'is no file: URI and no absolute path' : 'is outside the roots that the client named'
  throw invalidParams(`${describeValue(uriOrPath)} ${why}`)
}

/**
 * The absolute path of `relative` below the directory `base`; undefined when it would lead out of it or is not relative. For
 * templates such as `docs://{+path}`, whose variable is decoded and may hold anything.
 */
export function confine(base: string, relative: string): string | undefined {
  const root = normalized(base)
  if (root === undefined) throw new TypeError(`confine: base must be an absolute path, got ${describeValue(base)}`)
  if (relative.length > PATH_LENGTH_MAX || /^[\\/]|^[A-Za-z]:/.test(relative)) return undefined
  if (/[\\\0]/.test(relative) || relative.split('/').includes('..')) return undefined
  const path = normalized(root.endsWith('/') ? root + relative : `${root}/${relative}`)
  return path !== undefined && contains(root, path) ? path : undefined
}

/** An absolute path without dots, doubled slashes and a slash at its end; undefined for a relative one or one with a NUL. */
function normalized(path: string): string | undefined {
  if (path.includes('\0')) return undefined
  const drive = /^\/?([A-Za-z]):(?=[\\/]|$)/.exec(path)
  // Backslashes separate names on Windows only; elsewhere they are part of a name.
  const inner = drive === null ? path : path.slice(drive[0].length).replaceAll('\\', '/')
  if (drive === null && !inner.startsWith('/')) return undefined
  if (drive === null && /^\/\/[^/]/.test(inner)) return undefined // A host: not a path of this machine.
  const kept: string[] = []
  for (const name of inner.split('/')) {
    if (name === '..') kept.pop()
    else if (name !== '' && name !== '.') kept.push(name)
  }
  const head = drive === null ? '' : `${(drive[1] as string).toUpperCase()}:`
  return `${head}/${kept.join('/')}`
}

function contains(root: string, path: string): boolean {
  return path === root || path.startsWith(root.endsWith('/') ? root : `${root}/`)
}
