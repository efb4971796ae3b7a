/**
 * Pieces of generated types, as text that knows whether it must be put into parentheses, and how unions and intersections of
 * them are written. `unknown` and `never` are taken out where they change nothing.
 */

export interface TypeText {
  readonly text: string
  /** 'atom' needs no parentheses anywhere. */
  readonly form: 'atom' | 'union' | 'intersection' | 'array'
}

/** Members of one union that are written out; a larger one is what all of them have in common, if that is one word. */
const MEMBERS_MAX = 1_000

export const atom = (text: string): TypeText => ({ text, form: 'atom' })
export const unknownType = atom('unknown')
export const neverType = atom('never')

export function union(types: readonly TypeText[]): TypeText {
  const members = distinct(types.filter((type) => type !== neverType))
  if (members.some(({ text }) => text === 'unknown')) return unknownType
  const [first = neverType, ...rest] = members
  if (rest.length === 0) return first
  if (members.length > MEMBERS_MAX) return unknownType
  const text = members.map((type) => (type.form === 'union' ? type.text : grouped(type, type.form === 'intersection')))
  return { text: text.join(' | '), form: 'union' }
}

export function intersection(types: readonly TypeText[]): TypeText {
  const parts = distinct(types.filter(({ text }) => text !== 'unknown'))
  if (parts.some(({ text }) => text === 'never')) return neverType
  const [first = unknownType, ...rest] = parts
  if (rest.length === 0) return first
  return { text: parts.map((type) => grouped(type, type.form === 'union')).join(' & '), form: 'intersection' }
}

export function arrayOf(items: TypeText): TypeText {
  return { text: `readonly ${grouped(items, items.form !== 'atom')}[]`, form: 'array' }
}

/** A tuple: the first `required` items must be there; `rest` may follow when it is given. */
export function tupleOf(items: readonly TypeText[], required: number, rest: TypeText | undefined): TypeText {
  const parts = items.map((item, index) => (index < required ? item.text : `${grouped(item, item.form !== 'atom')}?`))
  if (rest !== undefined) parts.push(`...${grouped(rest, rest.form !== 'atom')}[]`)
  return { text: `readonly [${parts.join(', ')}]`, form: 'array' }
}

function grouped({ text }: TypeText, needsParentheses: boolean): string {
  return needsParentheses ? `(${text})` : text
}

function distinct(types: readonly TypeText[]): TypeText[] {
  return [...new Map(types.map((type) => [type.text, type])).values()]
}
