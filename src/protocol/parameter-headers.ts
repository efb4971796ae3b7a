/**
 * The headers `Mcp-Param-*`, in which a client repeats those arguments of a tool whose schema asks for it with
 * `x-mcp-header`. The annotations are read once, when the tool is defined; a call's headers are held against its arguments.
 *
 *     const mirrored = parameterHeaders({ type: 'object', properties: { region: { type: 'string', 'x-mcp-header': 'Region' } } })
 *     parameterHeaderFault({ 'mcp-param-region': 'eu' }, mirrored, { region: 'eu' })     // undefined
 *
 * Spec: MCP 2026-07-28, basic/transports/streamable-http, custom headers from tool parameters; server/tools, x-mcp-header.
 */
import { describeValue } from './describe.ts'
import type { ErrorObject } from './errors.ts'
import {
  decodeHeaderValue,
  encodeHeaderValue,
  headerOf,
  malformed,
  mismatch,
  missing,
  type RequestHeaders,
} from './http-headers.ts'
import { isObject, type JsonObject } from './json-rpc.ts'

/** One argument that a header repeats. */
export interface ParameterHeader {
  /** The names of properties that lead to the argument, outermost first. */
  readonly path: readonly string[]
  /** The whole name: 'Mcp-Param-Region'. */
  readonly header: string
  readonly type: 'string' | 'integer' | 'boolean'
}

/** An annotation in a tool's schema that the specification forbids. */
export class ParameterHeaderError extends Error {
  override readonly name = 'ParameterHeaderError'
}

/** Deepest nesting of a schema that is looked through. */
const DEPTH_MAX = 256
const ANNOTATION = 'x-mcp-header'
const PREFIX = 'Mcp-Param-'
/** RFC 9110, section 5.6.2. */
const token = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/

/**
 * The arguments that a tool's input schema wants repeated, in the schema's order. Throws a ParameterHeaderError where an
 * annotation is no token, stands twice, at no plain value, or where no chain of `properties` leads: clients drop such a tool.
 */
export function parameterHeaders(inputSchema: JsonObject): readonly ParameterHeader[] {
  const found: ParameterHeader[] = []
  visit(inputSchema, [], true, 0, found)
  const names = new Map<string, string>()
  for (const { header, path } of found) {
    const other = names.get(header.toLowerCase())
    if (other !== undefined) refuse(path, `is "${header.slice(PREFIX.length)}", which ${other} has already`)
    names.set(header.toLowerCase(), path.join('.'))
  }
  return found
}

/**
 * The -32020 for the first header that is missing, malformed or says otherwise than the arguments, if there is one. An
 * argument that is absent or null has no header.
 */
export function parameterHeaderFault(
  headers: RequestHeaders,
  mirrored: readonly ParameterHeader[],
  args: unknown,
): ErrorObject | undefined {
  for (const { path, header } of mirrored) {
    const text = headerOf(headers, header)
    const value = valueAt(args, path)
    const isPlain = typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean'
    if (text === undefined) {
      if (isPlain) return missing(header, value)
      continue // No value, or one that no header can carry: the input schema will refuse it.
    }
    const decoded = decodeHeaderValue(text)
    if (decoded === undefined) return malformed(header, text)
    if (!isPlain || !isSame(decoded, value)) return mismatch(header, decoded, value)
  }
  return undefined
}

/** The headers that a client adds to a call of the tool. Spec: as above, client behavior. */
export function parameterHeadersOf(mirrored: readonly ParameterHeader[], args: unknown): Record<string, string> {
  const headers: Record<string, string> = {}
  for (const { path, header, type } of mirrored) {
    const value = valueAt(args, path)
    if (type === 'integer' ? Number.isSafeInteger(value) : typeof value === type) {
      headers[header] = encodeHeaderValue(value as string | number | boolean)
    }
  }
  return headers
}

/** Numbers are compared as numbers: '42.0' is 42. */
function isSame(decoded: string, value: string | number | boolean): boolean {
  if (typeof value !== 'number') return decoded === String(value)
  return /^-?\d+(?:\.\d+)?$/.test(decoded) && Number(decoded) === value && Number.isSafeInteger(value)
}

function valueAt(args: unknown, path: readonly string[]): unknown {
  let value = args
  for (const name of path) {
    if (!isObject(value) || !Object.hasOwn(value, name)) return undefined
    value = value[name]
  }
  return value
}

/** Where a schema holds one schema or a list of them. */
const inner = [
  'items',
  'prefixItems',
  'additionalItems',
  'unevaluatedItems',
  'contains',
  'additionalProperties',
  'unevaluatedProperties',
  'propertyNames',
  'allOf',
  'anyOf',
  'oneOf',
  'not',
  'if',
  'then',
  'else',
  'contentSchema',
]
/** Where a schema holds schemas by name. */
const innerByName = ['patternProperties', 'dependentSchemas', 'dependencies', '$defs', 'definitions']

function visit(
  schema: unknown,
  path: readonly string[],
  isReachable: boolean,
  depth: number,
  found: ParameterHeader[],
): void {
  if (!isObject(schema)) return
  if (depth > DEPTH_MAX) refuse(path, `cannot be looked for: the schema is nested deeper than ${DEPTH_MAX} levels`)
  if (Object.hasOwn(schema, ANNOTATION)) found.push(read(schema, path, isReachable))
  const { properties } = schema
  if (isObject(properties)) {
    for (const [name, held] of Object.entries(properties)) visit(held, [...path, name], isReachable, depth + 1, found)
  }
  for (const keyword of inner) {
    const held = schema[keyword]
    if (held === undefined) continue
    for (const one of Array.isArray(held) ? held : [held]) visit(one, [...path, keyword], false, depth + 1, found)
  }
  for (const keyword of innerByName) {
    const held = schema[keyword]
    if (!isObject(held)) continue
    for (const [name, one] of Object.entries(held)) visit(one, [...path, keyword, name], false, depth + 1, found)
  }
}

function read(schema: JsonObject, path: readonly string[], isReachable: boolean): ParameterHeader {
  const { [ANNOTATION]: name, type } = schema
  if (!isReachable || path.length === 0) {
    refuse(
      path,
      'stands where no chain of properties leads. Only a property of the arguments, or of an object in them, may',
    )
  }
  if (typeof name !== 'string' || !token.test(name)) {
    refuse(path, `must be a header name of letters, digits and -._~!#$%&'*+^\`|, got ${describeValue(name)}`)
  }
  if (type !== 'string' && type !== 'integer' && type !== 'boolean') {
    refuse(path, `needs a property of type string, integer or boolean, got ${describeValue(type)}`)
  }
  return { path, header: `${PREFIX}${name}`, type }
}

function refuse(path: readonly string[], why: string): never {
  throw new ParameterHeaderError(`The ${ANNOTATION} of "${path.join('.')}" ${why}.`)
}
