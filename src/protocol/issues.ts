/**
 * Issues: what validation found, said so that a person or a model can repair the call: which field, what was expected, what
 * came. Values are shortened, and not shown at all where the field's name or schema marks a secret.
 *
 *     describeIssues(issues)      // 'city: expected string, got number 7; days: expected integer, got nothing'
 */
import type { ErrorObject as AjvError } from 'ajv'
import { describeValue } from './describe.ts'
import { isObject } from './json-rpc.ts'

export interface Issue {
  /** 'city', 'place.city', 'days[0]', or '(arguments)' for the whole value. */
  readonly path: string
  /** What was expected. */
  readonly message: string
  /** What came, shortened. */
  readonly got: string
}

/** Most issues kept of one value. */
export const ISSUES_MAX = 20
const ISSUES_SHOWN_MAX = 10
const ROOT = '(arguments)'

/** All issues as one sentence, the first ten in words. */
export function describeIssues(issues: readonly Issue[]): string {
  const shown = issues.slice(0, ISSUES_SHOWN_MAX).map(({ path, message, got }) => `${path}: ${message}, got ${got}`)
  const rest = issues.length - shown.length
  return rest > 0 ? `${shown.join('; ')}; and ${rest} more` : shown.join('; ')
}

/** An issue at a path of keys and indexes below `root`, whose value there is looked up. */
export function issueAt(root: unknown, keys: readonly PropertyKey[], message: string): Issue {
  let value = root
  for (const key of keys) {
    value =
      typeof value === 'object' && value !== null && Object.hasOwn(value, key) ? Reflect.get(value, key) : undefined
  }
  return { path: pathOf(keys), message, got: describeValue(value, isSecretName(keys.at(-1))) }
}

/** Issues from ajv's errors, which must be `verbose`. Wrappers such as `if` that only repeat others are left out. */
export function issuesOfAjv(errors: readonly AjvError[]): Issue[] {
  const issues: Issue[] = []
  const seen = new Set<string>()
  for (const error of errors) {
    if (error.keyword === 'if') continue
    const issue = issueOfAjv(error)
    const key = `${issue.path}\n${issue.message}`
    if (seen.has(key)) continue
    seen.add(key)
    issues.push(issue)
    if (issues.length >= ISSUES_MAX) break
  }
  return issues
}

function issueOfAjv(error: AjvError): Issue {
  const keys = keysOfPointer(error.instancePath, error.propertyName)
  // Each keyword has its own params, which ajv types as a record of any; they are read as unknown.
  const params = error.params as { readonly [name: string]: unknown }
  const inner = params['missingProperty'] ?? params['additionalProperty'] ?? params['unevaluatedProperty']
  if (typeof inner === 'string') keys.push(inner)
  const parent: unknown = error.parentSchema
  const value: unknown = typeof inner === 'string' ? ownMember(error.data, inner) : error.data
  const own = typeof inner === 'string' ? ownMember(ownMember(parent, 'properties'), inner) : parent
  const isSecret =
    isSecretName(keys.at(-1)) || (isObject(own) && (own['writeOnly'] === true || own['format'] === 'password'))
  return { path: pathOf(keys), message: messageOf(error, params, own), got: describeValue(value, isSecret) }
}

function messageOf(error: AjvError, params: { readonly [name: string]: unknown }, own: unknown): string {
  switch (error.keyword) {
    case 'required':
    case 'dependentRequired':
      return `expected ${typeOf(own)}`
    case 'type':
      return `expected ${wordsOf(params['type'])}`
    case 'enum':
      return `expected one of ${shorten(JSON.stringify(params['allowedValues']))}`
    case 'const':
      return `expected ${shorten(JSON.stringify(params['allowedValue']))}`
    case 'additionalProperties':
    case 'unevaluatedProperties':
      return 'expected no such field'
    case 'format':
      return `expected format ${String(params['format'])}`
    case 'pattern':
      return `expected a match of ${shorten(String(params['pattern']))}`
    case 'anyOf':
    case 'oneOf':
      return 'expected one of the alternatives'
    default:
      return `expected something that ${error.message ?? 'matches the schema'}`
  }
}

function ownMember(value: unknown, key: PropertyKey): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, key) ? Reflect.get(value, key) : undefined
}

function typeOf(schema: unknown): string {
  return isObject(schema) && schema['type'] !== undefined ? wordsOf(schema['type']) : 'a value'
}

function wordsOf(type: unknown): string {
  return Array.isArray(type) ? type.join(' or ') : String(type)
}

const TEXT_LENGTH_MAX = 120

function shorten(text: string): string {
  return text.length <= TEXT_LENGTH_MAX ? text : `${text.slice(0, TEXT_LENGTH_MAX)}...`
}

function keysOfPointer(pointer: string, propertyName: string | undefined): PropertyKey[] {
  const keys: PropertyKey[] = pointer
    .split('/')
    .slice(1)
    .map((key) => (/^\d+$/.test(key) ? Number(key) : key.replace(/~1/g, '/').replace(/~0/g, '~')))
  if (propertyName !== undefined) keys.push(propertyName)
  return keys
}

function pathOf(keys: readonly PropertyKey[]): string {
  let path = ''
  for (const key of keys) {
    if (typeof key === 'number') path += `[${key}]`
    else path += path === '' ? String(key) : `.${String(key)}`
  }
  return path === '' ? ROOT : shorten(path)
}

const secretName = /passw|passphrase|secret|token|credential|authorization|api_?-?key|private_?-?key/i

function isSecretName(key: PropertyKey | undefined): boolean {
  return typeof key === 'string' && secretName.test(key)
}
