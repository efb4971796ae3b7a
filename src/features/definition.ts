/**
 * What all definitions share: the error for one that cannot be used, and the checks of names, texts and icons. Definitions are
 * checked once, where they are written, so that a request never meets a bad one.
 */
import { annotationsFault, describeValue, iconsFault, metaFault } from '#protocol'

/** A definition is wrong (`MCP_DEFINITION`), or its handler returned what has no meaning (`MCP_RESULT`). */
export class FeatureError extends Error {
  override readonly name = 'FeatureError'
  readonly code: 'MCP_DEFINITION' | 'MCP_RESULT'
  constructor(code: FeatureError['code'], message: string, options?: { cause?: unknown }) {
    super(message, options)
    this.code = code
  }
}

/** Throws the FeatureError for a definition: what it is, what is wrong, what came. */
export function refuse(what: string, sentence: string): never {
  throw new FeatureError('MCP_DEFINITION', `${what}: ${sentence}`)
}

const NAME_LENGTH_MAX = 128
const namePattern = /^[A-Za-z0-9_.-]+$/

/** Spec: MCP 2025-11-25, server/tools, tool names. */
export function checkName(kind: string, name: unknown): asserts name is string {
  const rule = `1 to ${NAME_LENGTH_MAX} characters from A-Z a-z 0-9 _ . -`
  if (typeof name !== 'string' || name.length > NAME_LENGTH_MAX || !namePattern.test(name)) {
    throw new FeatureError('MCP_DEFINITION', `${kind} name must be ${rule}, got ${describeValue(name)}`)
  }
}

/** The options must be an object that holds a function named `handler`. */
export function checkOptions(what: string, options: unknown, handler: string): void {
  if (typeof options !== 'object' || options === null)
    refuse(what, `options must be an object, got ${describeValue(options)}`)
  const found: unknown = Reflect.get(options, handler)
  if (typeof found !== 'function') refuse(what, `${handler} must be a function, got ${describeValue(found)}`)
}

/** Texts that people or models read: title, description, mimeType. `at` says where the options stand, as 'arguments[0].'. */
export function checkTexts(what: string, options: object, names: readonly string[], at = ''): void {
  for (const name of names) {
    const value: unknown = Reflect.get(options, name)
    if (value !== undefined && typeof value !== 'string')
      refuse(what, `${at}${name} must be a string, got ${describeValue(value)}`)
  }
}

/**
 * What all listed things may carry: icons, annotations, `_meta`. Spec: MCP 2026-07-28, basic, icons and `_meta`;
 * server/resources, annotations.
 */
export function checkShown(
  what: string,
  options: { readonly icons?: unknown; readonly annotations?: unknown; readonly _meta?: unknown },
  annotationsOf: 'content' | 'own' = 'content',
): void {
  const { icons, annotations, _meta } = options
  const fault =
    (icons === undefined ? undefined : iconsFault(icons)) ??
    clause('annotations', annotationsOf === 'own' ? undefined : annotations, annotationsFault) ??
    clause('_meta', _meta, metaFault)
  if (fault !== undefined) refuse(what, fault)
}

function clause(name: string, value: unknown, faultOf: (value: unknown) => string | undefined): string | undefined {
  const fault = value === undefined ? undefined : faultOf(value)
  if (fault === undefined) return undefined
  return fault.startsWith('must') || fault.startsWith('key') ? `${name} ${fault}` : `${name}.${fault}`
}

/** A copy of the named members that are defined, in that order. */
export function pick<T extends object>(from: T, names: readonly (keyof T)[]): Partial<T> {
  const picked: Partial<T> = {}
  for (const name of names) {
    if (from[name] !== undefined) picked[name] = from[name]
  }
  return picked
}

/** Whether `value` is an object that is neither an array nor null. */
export function isRecord(value: unknown): value is { readonly [key: string]: unknown } {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
