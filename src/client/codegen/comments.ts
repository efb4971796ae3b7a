/**
 * Doc comments of generated code: a description in the server's words, and what a type cannot say of a value. Whatever a server
 * writes, it stays inside the comment.
 */
import { hidden } from './names.ts'

/** Characters of one comment. */
const COMMENT_LENGTH_MAX = 2_000
/** Characters of a value in a comment. */
const VALUE_LENGTH_MAX = 200

/** What a type does not say, in the order in which it is told. */
const constraints = [
  'format',
  'pattern',
  'minLength',
  'maxLength',
  'minimum',
  'exclusiveMinimum',
  'maximum',
  'exclusiveMaximum',
  'multipleOf',
  'minItems',
  'maxItems',
  'uniqueItems',
  'minProperties',
  'maxProperties',
  'contentEncoding',
  'contentMediaType',
  'default',
] as const

/** Lines of a comment for a schema; none when it says nothing. */
export function schemaLines(schema: { readonly [keyword: string]: unknown }): string[] {
  const { title, description, deprecated } = schema
  const lines: string[] = []
  for (const text of [title, description])
    if (typeof text === 'string' && text.trim() !== '') lines.push(...textLines(text))
  const integer = schema['type'] === 'integer' ? ['integer'] : []
  const told = constraints.flatMap((name) => {
    const value = schema[name]
    if (value === undefined || value === false || (typeof value === 'object' && name !== 'default')) return []
    return [value === true && name !== 'default' ? name : `${name} ${shortened(value)}`]
  })
  if (integer.length + told.length > 0) lines.push(`Value: ${[...integer, ...told].join(', ')}.`)
  if (deprecated === true) lines.push('@deprecated')
  return lines
}

/** A text as lines, without blank ones at its ends. */
export function textLines(text: string): string[] {
  const cut = text.length > COMMENT_LENGTH_MAX ? `${text.slice(0, COMMENT_LENGTH_MAX)}…` : text
  return cut.trim().split(/\r\n|[\n\r\u2028\u2029]/)
}

/** The lines as a doc comment in front of what is indented by `indent`; empty for no lines. */
export function comment(lines: readonly string[], indent = ''): string {
  const safe = lines.map((line) => clean(line).trimEnd())
  if (safe.length === 0) return ''
  if (safe.length === 1) return `${indent}/** ${safe[0]} */\n`
  const inner = safe.map((line) => `${indent} *${line === '' ? '' : ` ${line}`}\n`)
  return `${indent}/**\n${inner.join('')}${indent} */\n`
}

function clean(line: string): string {
  return line
    .replace(hidden, '')
    .replaceAll('\t', '  ')
    .replace(/\p{Cc}/gu, '')
    .replaceAll('*/', '*\\/')
}

function shortened(value: unknown): string {
  const text = JSON.stringify(value)
  return text.length > VALUE_LENGTH_MAX ? `${text.slice(0, VALUE_LENGTH_MAX)}…` : text
}
