/**
 * Where skills and their files are: `skill://<path>/<file>`. The last part of the path is the skill's name.
 *
 * Spec: SEP-2640, resource mapping; Agent Skills specification, name field; RFC 3986.
 */
import { describeValue } from '#protocol'
import { refuse } from './definition.ts'

/** Most parts of a skill's path, and of a file's below it. */
export const SKILL_PATH_PARTS_MAX = 16

const namePattern = /^(?!.*--)[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?$/
const authority = /^(?:[A-Za-z0-9\-._~!$&'()*+,;=]|%[0-9A-Fa-f]{2})+$/
const segment = /^(?:[A-Za-z0-9\-._~!$&'()*+,;=:@]|%[0-9A-Fa-f]{2})+$/

/** The URI of a skill's directory and the skill's name. `path` is 'acme/refunds', or a URI of another scheme. */
export function skillRoot(path: string): { readonly root: string; readonly name: string } {
  if (typeof path !== 'string') refuse('Skill', `the path must be a string, got ${describeValue(path)}`)
  const [, scheme = 'skill', inner = ''] = /^(?:([A-Za-z][A-Za-z0-9+.-]*):\/\/)?(.*)$/s.exec(path) ?? []
  const parts = inner.split('/')
  const name = parts.at(-1) ?? ''
  const what = `Skill "${path}"`
  if (parts.length > SKILL_PATH_PARTS_MAX)
    refuse(what, `the path may have ${SKILL_PATH_PARTS_MAX} parts, got ${parts.length}`)
  if (!namePattern.test(name)) {
    refuse(what, `the last part of the path is its name: 1 to 64 of a-z, 0-9 and single hyphens inside, got "${name}"`)
  }
  const bad = parts.find((part, index) => isDots(part) || !(index === 0 ? authority : segment).test(part))
  if (bad !== undefined) refuse(what, `"${bad}" is no part of a URI. Percent-encode it, or leave it out`)
  return { root: `${scheme}://${inner}`, name }
}

/** The URI of a file, whose names are percent-encoded here. */
export function fileUri(what: string, root: string, path: string): string {
  const parts = path.split('/')
  const isGood = parts.every((part) => part !== '' && !isDots(part) && !/[\\\p{Cc}\p{Surrogate}]/u.test(part))
  if (!isGood || parts.length > SKILL_PATH_PARTS_MAX) {
    const rule = `names with "/" between, at most ${SKILL_PATH_PARTS_MAX}, none of them empty, "." or ".."`
    refuse(what, `file ${JSON.stringify(path)} must be ${rule}`)
  }
  return `${root}/${parts.map((part) => encodeURIComponent(part)).join('/')}`
}

const types: ReadonlyMap<string, string> = new Map([
  ['md', 'text/markdown'],
  ['txt', 'text/plain'],
  ['html', 'text/html'],
  ['css', 'text/css'],
  ['csv', 'text/csv'],
  ['json', 'application/json'],
  ['yaml', 'application/yaml'],
  ['yml', 'application/yaml'],
  ['xml', 'application/xml'],
  ['js', 'text/javascript'],
  ['mjs', 'text/javascript'],
  ['ts', 'text/x-typescript'],
  ['py', 'text/x-python'],
  ['sh', 'application/x-sh'],
  ['svg', 'image/svg+xml'],
  ['png', 'image/png'],
  ['jpg', 'image/jpeg'],
  ['jpeg', 'image/jpeg'],
  ['webp', 'image/webp'],
  ['pdf', 'application/pdf'],
  ['zip', 'application/zip'],
])

/** The type of a file by the end of its name. */
export function mimeTypeOf(name: string, isBinary: boolean): string {
  const end = /\.([A-Za-z0-9]+)$/.exec(name)?.[1]?.toLowerCase()
  return types.get(end ?? '') ?? (isBinary ? 'application/octet-stream' : 'text/plain')
}

function isDots(part: string): boolean {
  return part === '.' || part === '..'
}
