/**
 * URI templates: expansion of all four levels of RFC 6570, and matching, the way back from a URI to the variables.
 *
 *     const template = parseTemplate('users://{id}/posts{?page}')
 *     template.expand({ id: 'ann lee', page: 2 })       // 'users://ann%20lee/posts?page=2'
 *     template.match('users://ann%20lee/posts?page=2')  // { id: 'ann lee', page: '2' }
 *
 * A value never takes in a '/' of the URI except with `{+x}`, `{#x}`, the lists of `{/x*}`, and in a query. A percent-encoded
 * slash is decoded into the value, so a handler that reads files must still check its paths, with `confine` of
 * features/roots. Matching takes time proportional to the length of the template times that of the URI, whatever they hold.
 *
 * Spec: RFC 6570; MCP 2025-11-25, server/resources, resource templates.
 */
import { decodeExpression, expandExpression, wellFormed } from './uri-expression.ts'

export type TemplateValue =
  | string
  | number
  | boolean
  | null
  | undefined
  | readonly (string | number | boolean)[]
  | { readonly [key: string]: string | number | boolean }

export interface UriTemplate {
  readonly text: string
  /** Names, in order of first use. */
  readonly variables: readonly string[]
  /** The URI for these variables; undefined, null and empty lists are left out. */
  expand(variables: { readonly [name: string]: TemplateValue }): string
  /** The percent-decoded variables when `uri` matches as a whole, otherwise undefined. Left-out variables are absent. */
  match(uri: string): Record<string, string> | undefined
}

/** A template that cannot be used. `code` is stable. */
export class UriTemplateError extends Error {
  override readonly name = 'UriTemplateError'
  readonly code = 'MCP_URI_TEMPLATE'
}

export type Operator = '' | '+' | '#' | '.' | '/' | ';' | '?' | '&'

export interface VariableSpec {
  readonly name: string
  readonly explode: boolean
  /** Longest prefix in characters, or undefined. */
  readonly prefix: number | undefined
}

/** One `{...}` of a template. */
export interface Expression {
  readonly operator: Operator
  readonly variables: readonly VariableSpec[]
}

/** Longest template, in characters. */
export const TEMPLATE_LENGTH_MAX = 2_048
/** Most expressions in a template. */
export const TEMPLATE_EXPRESSIONS_MAX = 32
/** Longest URI that is matched; a longer one does not match. */
export const MATCHED_URI_LENGTH_MAX = 8_192

/** Reads a template once. Throws a UriTemplateError for a malformed or too long one. */
export function parseTemplate(text: string): UriTemplate {
  const parts = parseParts(text)
  const variables = [...new Set(parts.flatMap((part) => (typeof part === 'string' ? [] : part.variables.map(nameOf))))]
  return {
    text,
    variables,
    expand: (values) =>
      parts.map((part) => (typeof part === 'string' ? part : expandExpression(part, values))).join(''),
    match: (uri) => matchParts(parts, uri),
  }
}

type Part = string | Expression

const nameOf = (variable: VariableSpec): string => variable.name

function refuse(text: string, why: string): never {
  const shown = text.length > 80 ? `${text.slice(0, 80)}...` : text
  throw new UriTemplateError(`URI template ${JSON.stringify(shown)}: ${why}`)
}

function parseParts(text: string): Part[] {
  if (text.length > TEMPLATE_LENGTH_MAX) {
    refuse(text, `may be ${TEMPLATE_LENGTH_MAX} characters long, got ${text.length}`)
  }
  const parts: Part[] = []
  let at = 0
  while (at < text.length) {
    const open = text.indexOf('{', at)
    const literal = text.slice(at, open === -1 ? text.length : open)
    if (literal.includes('}')) refuse(text, 'has a "}" without a "{" before it')
    if (literal !== '') parts.push(encodeLiteral(literal))
    if (open === -1) break
    const close = text.indexOf('}', open)
    if (close === -1) refuse(text, 'has a "{" without a "}" after it')
    parts.push(parseExpression(text, text.slice(open + 1, close)))
    at = close + 1
  }
  const expressions = parts.filter((part) => typeof part !== 'string').length
  if (expressions > TEMPLATE_EXPRESSIONS_MAX) {
    refuse(text, `may hold ${TEMPLATE_EXPRESSIONS_MAX} expressions, got ${expressions}`)
  }
  return parts
}

const variablePattern = /^((?:\w|%[0-9A-Fa-f]{2})+(?:\.(?:\w|%[0-9A-Fa-f]{2})+)*)(?:(\*)|:([1-9]\d{0,3}))?$/

function parseExpression(text: string, body: string): Expression {
  const first = body[0] ?? ''
  if ('=,!@|'.includes(first) && first !== '')
    refuse(text, `uses the operator "${first}", which RFC 6570 keeps for later`)
  const operator = (first !== '' && '+#./;?&'.includes(first) ? first : '') as Operator
  const variables = body
    .slice(operator.length)
    .split(',')
    .map((spec): VariableSpec => {
      const parsed = variablePattern.exec(spec)
      if (parsed === null)
        return refuse(text, `"{${body}}" is not an expression: ${JSON.stringify(spec)} is not a variable`)
      const [, name = '', star, prefix] = parsed
      return { name, explode: star !== undefined, prefix: prefix === undefined ? undefined : Number(prefix) }
    })
  return { operator, variables }
}

/** Percent-encodes what may not stand in a URI; leaves reserved characters and percent triplets. */
export function encodeLiteral(text: string): string {
  return text.replace(/%(?![0-9A-Fa-f]{2})|[^\w\-.~:/?#[\]@!$&'()*+,;=%]+/gu, (run) =>
    encodeURIComponent(wellFormed(run)),
  )
}

/**
 * Finds where each expression begins and ends, by dynamic programming from the end of the URI: `reach[p * 2 + 1]` says whether
 * parts `p` onward can match from an index on, `reach[p * 2]` the same once inside expression `p`. Then walks forward, each
 * expression as long as it can be.
 */
function matchParts(parts: readonly Part[], rawUri: string): Record<string, string> | undefined {
  if (rawUri.length > MATCHED_URI_LENGTH_MAX) return undefined
  const uri = encodeLiteral(rawUri)
  const reach = reachability(parts, uri)
  const found: Record<string, string> = Object.create(null)
  let at = 0
  if (reach[1]?.[0] !== 1) return undefined
  for (const [index, part] of parts.entries()) {
    if (typeof part === 'string') {
      at += part.length
      continue
    }
    const shape = shapeOf(part)
    const next = reach[index * 2 + 3] as Uint8Array // one row per part, and one past the end
    const inside = reach[index * 2] as Uint8Array
    const start = entered(shape, uri, at)
    if (start === -1 || inside[start] !== 1) continue
    let end = start
    let lastEnd = next[start] === 1 ? start : -1
    while (end < uri.length && shape.accepts(uri.charCodeAt(end))) {
      end++
      if (next[end] === 1) lastEnd = end
    }
    if (lastEnd === -1 || !decodeExpression(part, uri.slice(start, lastEnd), found)) return undefined
    at = lastEnd
  }
  return { ...found }
}

function reachability(parts: readonly Part[], uri: string): Uint8Array[] {
  const length = uri.length
  const reach: Uint8Array[] = []
  let next = new Uint8Array(length + 1)
  next[length] = 1
  reach[parts.length * 2 + 1] = next
  for (let index = parts.length - 1; index >= 0; index--) {
    const part = parts[index] as Part // within bounds
    const here = new Uint8Array(length + 1)
    if (typeof part === 'string') {
      for (let at = 0; at + part.length <= length; at++) {
        if (next[at + part.length] === 1 && uri.startsWith(part, at)) here[at] = 1
      }
    } else {
      const shape = shapeOf(part)
      const inside = new Uint8Array(length + 1)
      for (let at = length; at >= 0; at--) {
        const canGoOn = at < length && inside[at + 1] === 1 && shape.accepts(uri.charCodeAt(at))
        inside[at] = next[at] === 1 || canGoOn ? 1 : 0
      }
      for (let at = 0; at <= length; at++) {
        const start = entered(shape, uri, at)
        const isEntered = start !== -1 && inside[start] === 1
        here[at] = isEntered || (shape.prefix !== '' && next[at] === 1) ? 1 : 0
      }
      reach[index * 2] = inside
    }
    reach[index * 2 + 1] = here
    next = here
  }
  return reach
}

interface Shape {
  /** The character that opens the expansion; with one, the expression may be left out. */
  readonly prefix: string
  accepts(code: number): boolean
}

const SLASH = 0x2f
const QUERY = 0x3f
const HASH = 0x23
const AMPERSAND = 0x26

const segment = (code: number): boolean => code !== SLASH && code !== QUERY && code !== HASH
const segments = (code: number): boolean => code !== QUERY && code !== HASH
const query = (code: number): boolean => code !== HASH
const anything = (): boolean => true

/** Where the value of an expression would start at `at`, or -1 when it cannot. */
function entered(shape: Shape, uri: string, at: number): number {
  if (shape.prefix !== '') return uri.startsWith(shape.prefix, at) ? at + 1 : -1
  return at < uri.length && shape.accepts(uri.charCodeAt(at)) ? at : -1
}

function shapeOf(expression: Expression): Shape {
  const { operator, variables } = expression
  const isList = variables.length > 1 || variables[0]?.explode === true
  switch (operator) {
    case '':
      return { prefix: '', accepts: segment }
    case '+':
      return { prefix: '', accepts: anything }
    case '#':
      return { prefix: '#', accepts: anything }
    case '/':
      return { prefix: '/', accepts: isList ? segments : segment }
    case '?':
    case '&':
      return { prefix: operator, accepts: isList ? query : (code) => code !== HASH && code !== AMPERSAND }
    default:
      return { prefix: operator, accepts: segment }
  }
}
