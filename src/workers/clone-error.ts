/**
 * What cannot cross to another thread, and where it sits. Messages between threads are copied by structured clone: functions,
 * symbols, promises and the like have no copy. The platform's error names neither the place nor the way out; this one does.
 */
import { types } from 'node:util'

/** A value was not sent to another thread, or not back. Nothing else of its batch is lost. `path` is where the culprit sits. */
export class CloneError extends Error {
  override readonly name = 'CloneError'
  readonly code = 'uncloneable'
  readonly path: string
  constructor(message: string, path: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.path = path
  }
}

/** True when structured clone takes the value. Costs a copy. */
export function isCloneable(value: unknown): boolean {
  try {
    structuredClone(value)
    return true
  } catch {
    return false
  }
}

/**
 * The error for a `value` that did not clone; `what` names it in the sentence ('The argument of the call "resize"'), `root` in
 * the path ('arg'). Finds the culprit by trying its parts: slow, for failures alone.
 */
export function cloneError(what: string, root: string, value: unknown, cause?: unknown): CloneError {
  const found = findCulprit(value, root)
  return new CloneError(
    `${what} cannot cross to another thread: ${found.path} is ${found.kind}. Send plain data (objects, arrays, Map, Set, ` +
      'Date, Error, typed arrays, a Ref); instead of a function or an open resource send what the other side needs to make its own.',
    found.path,
    cause,
  )
}

function findCulprit(value: unknown, root: string): { readonly path: string; readonly kind: string } {
  const seen = new Set<unknown>()
  let path = root
  let culprit = value
  // Each round goes one level down, and `seen` never lets it go round in a circle.
  for (;;) {
    seen.add(culprit)
    const next = partsOf(culprit).find(([, part]) => !seen.has(part) && !isCloneable(part))
    if (next === undefined) return { path, kind: kindOf(culprit) }
    path += next[0]
    culprit = next[1]
  }
}

/** The parts of a value that are cloned with it, each with its step of the path. */
function partsOf(value: unknown): (readonly [step: string, part: unknown])[] {
  if (typeof value !== 'object' || value === null || types.isProxy(value)) return []
  if (value instanceof Map)
    return [...value].flatMap(([key, part]) => [
      ['.keys()', key],
      [`.get(${text(key)})`, part],
    ])
  if (value instanceof Set) return [...value].map((part, index) => [`.values()[${index}]`, part])
  try {
    if (Array.isArray(value)) return value.map((part, index) => [`[${index}]`, part])
    return Object.entries(value).map(([key, part]) => [
      /^[A-Za-z_$][\w$]*$/.test(key) ? `.${key}` : `[${text(key)}]`,
      part,
    ])
  } catch {
    // A getter that throws: the object itself is the culprit.
    return []
  }
}

function text(key: unknown): string {
  return typeof key === 'string' ? JSON.stringify(key) : String(typeof key === 'object' ? kindOf(key) : key)
}

function kindOf(value: unknown): string {
  if (typeof value === 'function') return `a function (${value.name === '' ? 'without a name' : value.name})`
  if (typeof value === 'symbol') return `a symbol (${String(value)})`
  if (types.isProxy(value)) return 'a Proxy'
  if (types.isPromise(value)) return 'a promise (await it first)'
  return `an object that has no copy (${Object.prototype.toString.call(value).slice(8, -1)})`
}
