/**
 * How things are shown: icons and annotations, checked where an author writes them. An icon is an image that a client may load
 * without asking more: from https: or from inside the URI, of a type that clients know.
 *
 *     iconFault({ src: 'https://example.org/i.png', sizes: ['48x48'] })   // undefined
 *     annotationsFault({ priority: 2 })                                   // 'priority must be 0 to 1, got number 2'
 *
 * Spec: MCP 2026-07-28, basic, icons; server/resources, annotations.
 */
import { describeValue } from './describe.ts'
import { isObject } from './json-rpc.ts'

/** Longest `src` in characters: a picture inside a listing is sent with each listing. */
export const ICON_SRC_LENGTH_MAX = 262_144
/** Most icons of one thing, and most sizes of one icon. */
export const ICONS_MAX = 32

const imageTypes = ['image/png', 'image/jpeg', 'image/jpg', 'image/svg+xml', 'image/webp'] as const
const knownImage: ReadonlySet<unknown> = new Set(imageTypes)
const size = /^(?:any|[1-9]\d{0,4}x[1-9]\d{0,4})$/

/** What is wrong with a list of icons, as a clause that begins with `path`, or undefined. */
export function iconsFault(icons: unknown, path = 'icons'): string | undefined {
  if (!Array.isArray(icons)) return `${path} must be an array, got ${describeValue(icons)}`
  if (icons.length > ICONS_MAX) return `${path} may hold ${ICONS_MAX} icons, got ${icons.length}`
  for (const [index, icon] of icons.entries()) {
    const fault = iconFault(icon)
    if (fault !== undefined) return `${path}[${index}]${fault.startsWith('must') ? ' ' : '.'}${fault}`
  }
  return undefined
}

/** What is wrong with one icon, beginning with the member, or undefined. */
export function iconFault(icon: unknown): string | undefined {
  if (!isObject(icon)) return `must be an object with a src, got ${describeValue(icon)}`
  const { src, mimeType, sizes, theme } = icon
  const sourceFault = srcFault(src)
  if (sourceFault !== undefined) return sourceFault
  if (mimeType !== undefined && !knownImage.has(mimeType)) {
    return `mimeType must be one of ${imageTypes.join(', ')}, got ${describeValue(mimeType)}`
  }
  if (sizes !== undefined) {
    if (!Array.isArray(sizes) || sizes.length > ICONS_MAX) {
      return `sizes must be an array of at most ${ICONS_MAX}, got ${describeValue(sizes)}`
    }
    const bad: unknown = sizes.find((one) => typeof one !== 'string' || !size.test(one))
    if (bad !== undefined || sizes.includes(undefined)) {
      return `sizes must hold "any" or width and height such as "48x48", got ${describeValue(bad)}`
    }
  }
  if (theme === undefined || theme === 'light' || theme === 'dark') return undefined
  return `theme must be "light" or "dark", got ${describeValue(theme)}`
}

function srcFault(src: unknown): string | undefined {
  if (typeof src === 'string' && src.length > ICON_SRC_LENGTH_MAX) {
    return `src may be ${ICON_SRC_LENGTH_MAX} characters long, got ${src.length}. Serve the picture over https:`
  }
  const scheme = typeof src === 'string' ? /^(https|data):/i.exec(src)?.[1]?.toLowerCase() : undefined
  if (typeof src !== 'string' || scheme === undefined || !URL.canParse(src)) {
    return `src must be an https: or data: URI, got ${describeValue(src)}`
  }
  if (scheme === 'https') return undefined
  const type = /^data:([^;,]*)/i.exec(src)?.[1]?.toLowerCase()
  if (!knownImage.has(type)) {
    return `src must hold an image of type ${imageTypes.join(', ')}, got ${JSON.stringify(type)}`
  }
  if (/^data:[^,]*;base64,[A-Za-z0-9+/_=-]*$/i.test(src)) return undefined
  return 'src must hold its image as base64, as in "data:image/png;base64,..."'
}

/** A date, or a date and time, with or without a zone: what ISO 8601 and the specification's examples share. */
const isoDate = /^\d{4}-\d{2}-\d{2}(?:T\d{2}:\d{2}(?::\d{2}(?:[.,]\d{1,9})?)?(?:Z|[+-]\d{2}:?\d{2})?)?$/

/** What is wrong with annotations, beginning with the member, or undefined. */
export function annotationsFault(annotations: unknown): string | undefined {
  if (!isObject(annotations)) return `must be an object, got ${describeValue(annotations)}`
  const { audience, priority, lastModified } = annotations
  if (audience !== undefined) {
    if (!Array.isArray(audience)) return `audience must be an array of roles, got ${describeValue(audience)}`
    const index = audience.findIndex((role) => role !== 'user' && role !== 'assistant')
    if (index !== -1) return `audience[${index}] must be "user" or "assistant", got ${describeValue(audience[index])}`
  }
  if (priority !== undefined && !(typeof priority === 'number' && priority >= 0 && priority <= 1)) {
    return `priority must be 0 to 1, got ${describeValue(priority)}`
  }
  if (lastModified === undefined) return undefined
  const isDate =
    typeof lastModified === 'string' &&
    isoDate.test(lastModified) &&
    !Number.isNaN(Date.parse(lastModified.replace(',', '.')))
  return isDate ? undefined : `lastModified must be an ISO 8601 date, got ${describeValue(lastModified)}`
}
