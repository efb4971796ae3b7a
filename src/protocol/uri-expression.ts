/**
 * One `{...}` of a URI template: writing it out, and reading its value back.
 *
 * Spec: RFC 6570, section 3.2 and the table of appendix A.
 */
import type { Expression, Operator, TemplateValue, VariableSpec } from './uri-template.ts'

interface Rule {
  readonly first: string
  readonly separator: string
  /** Whether names are written: `name=value`. */
  readonly isNamed: boolean
  /** What follows the name of an empty value. */
  readonly ifEmpty: string
  readonly keepsReserved: boolean
}

const rules: Readonly<Record<Operator, Rule>> = {
  '': { first: '', separator: ',', isNamed: false, ifEmpty: '', keepsReserved: false },
  '+': { first: '', separator: ',', isNamed: false, ifEmpty: '', keepsReserved: true },
  '#': { first: '#', separator: ',', isNamed: false, ifEmpty: '', keepsReserved: true },
  '.': { first: '.', separator: '.', isNamed: false, ifEmpty: '', keepsReserved: false },
  '/': { first: '/', separator: '/', isNamed: false, ifEmpty: '', keepsReserved: false },
  ';': { first: ';', separator: ';', isNamed: true, ifEmpty: '', keepsReserved: false },
  '?': { first: '?', separator: '&', isNamed: true, ifEmpty: '=', keepsReserved: false },
  '&': { first: '&', separator: '&', isNamed: true, ifEmpty: '=', keepsReserved: false },
}

/** The text of an expression; '' when none of its variables is defined. */
export function expandExpression(expression: Expression, values: { readonly [name: string]: TemplateValue }): string {
  const rule = rules[expression.operator]
  const written: string[] = []
  for (const variable of expression.variables) {
    const value = Object.hasOwn(values, variable.name) ? values[variable.name] : undefined
    if (value === undefined || value === null) continue
    const text = expandVariable(rule, variable, value)
    if (text !== undefined) written.push(text)
  }
  return written.length === 0 ? '' : rule.first + written.join(rule.separator)
}

/** Reads the variables of a matched expression into `found`. Returns false when the text is not its expansion. */
export function decodeExpression(expression: Expression, text: string, found: Record<string, string>): boolean {
  const rule = rules[expression.operator]
  if (rule.isNamed) return decodeNamed(rule, expression, text, found)
  const { variables } = expression
  const [only] = variables
  if (variables.length === 1 && only !== undefined) return keep(found, only.name, text)
  const pieces = text.split(rule.separator)
  const last = variables.at(-1) as VariableSpec // an expression has a variable
  // A dot is not encoded, so it may be part of a value: what is too much belongs to the last one. Spec: RFC 6570, section 3.2.5.
  if (pieces.length > variables.length && !last.explode && rule.separator !== '.') return false
  return variables.every((variable, index) => {
    if (index >= pieces.length) return true
    const piece = variable === last ? pieces.slice(index).join(rule.separator) : (pieces[index] as string)
    return keep(found, variable.name, piece)
  })
}

function decodeNamed(rule: Rule, expression: Expression, text: string, found: Record<string, string>): boolean {
  const names = new Set(expression.variables.map((variable) => variable.name))
  for (const pair of text.split(rule.separator)) {
    const equals = pair.indexOf('=')
    const name = equals === -1 ? pair : pair.slice(0, equals)
    if (!names.delete(name) || !keep(found, name, equals === -1 ? '' : pair.slice(equals + 1))) return false
  }
  return true
}

/** A variable that occurs twice must have the same value in both places. */
function keep(found: Record<string, string>, name: string, encoded: string): boolean {
  let value: string
  try {
    value = decodeURIComponent(encoded)
  } catch {
    return false
  }
  if (found[name] !== undefined && found[name] !== value) return false
  found[name] = value
  return true
}

function expandVariable(rule: Rule, variable: VariableSpec, value: NonNullable<TemplateValue>): string | undefined {
  const encode = rule.keepsReserved ? encodeReserved : encodeUnreserved
  if (typeof value !== 'object') {
    const text = String(value)
    const kept = variable.prefix === undefined ? text : Array.from(text).slice(0, variable.prefix).join('')
    return named(rule, variable.name, encode(kept))
  }
  const isArray = Array.isArray(value)
  const pairs: (readonly [string, string])[] = isArray
    ? value.map((item) => [variable.name, encode(String(item))])
    : Object.entries(value).map(([key, item]) => [encode(key), encode(String(item))])
  if (pairs.length === 0) return undefined
  if (!variable.explode)
    return named(rule, variable.name, pairs.map((pair) => (isArray ? pair[1] : pair.join(','))).join(','))
  if (isArray) return pairs.map(([name, item]) => named(rule, name, item)).join(rule.separator)
  return pairs.map(([key, item]) => (rule.isNamed ? named(rule, key, item) : `${key}=${item}`)).join(rule.separator)
}

function named(rule: Rule, name: string, encoded: string): string {
  if (!rule.isNamed) return encoded
  return encoded === '' ? name + rule.ifEmpty : `${name}=${encoded}`
}

function encodeUnreserved(text: string): string {
  return encodeURIComponent(wellFormed(text)).replace(/[!'()*]/g, percent)
}

/** Leaves reserved characters and percent triplets as they are. */
function encodeReserved(text: string): string {
  return text
    .split(/(%[0-9A-Fa-f]{2})/)
    .map((piece, index) =>
      index % 2 === 1 ? piece : encodeURI(wellFormed(piece)).replace(/%5B/g, '[').replace(/%5D/g, ']'),
    )
    .join('')
}

function percent(char: string): string {
  return `%${char.charCodeAt(0).toString(16).toUpperCase()}`
}

/** Text that can be percent-encoded: lone surrogates become U+FFFD. */
export function wellFormed(text: string): string {
  return text.replace(/\p{Surrogate}/gu, '\uFFFD')
}
