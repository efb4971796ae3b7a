/**
 * Names in generated code: whatever a server calls its things becomes a valid identifier, and each only once. What follows from
 * the same names in the same order is always the same.
 *
 *     const names = new Names(['Client'])
 *     names.take(typeName('get-user'))     // 'GetUser'
 *     names.take(typeName('get_user'))     // 'GetUser2'
 */

/** 'getUser' for 'get-user', 'get_user' and 'get user'. Never empty. */
export function memberName(name: string): string {
  const [first = '', ...rest] = words(name)
  // A member called then would make a promise of what it belongs to.
  const joined = first.slice(0, 1).toLowerCase() + first.slice(1) + rest.map(capital).join('')
  return identifier(joined === 'then' ? 'then_' : joined)
}

/** 'GetUser' for 'get-user'. Never empty. */
export function typeName(name: string): string {
  return identifier(words(name).map(capital).join(''))
}

/** A property of a type: as it is where it may be, in quotes where not. */
export function propertyName(name: string): string {
  return /^[A-Za-z_$][\w$]*$/.test(name) ? name : quoted(name)
}

/** A text as a literal, without characters that could change how the code looks. */
export function quoted(text: string): string {
  // JSON is TypeScript but for the quotes of the house.
  const inner = JSON.stringify(text).slice(1, -1).replaceAll('\\"', '"').replaceAll("'", "\\'")
  return `'${inner.replace(hidden, (one) => `\\u${one.charCodeAt(0).toString(16).padStart(4, '0')}`)}'`
}

/** Characters that turn the direction of writing, or break lines: they are never left in generated code as they are. */
export const hidden = /[\u007F-\u009F\u200B-\u200F\u2028-\u202E\u2060-\u2069\uFEFF]/g

/** Names that are taken already. */
export class Names {
  private readonly taken: Set<string>

  constructor(taken: Iterable<string> = []) {
    this.taken = new Set(taken)
  }

  /** The name, or the name with the first number that makes it new. */
  take(name: string): string {
    let free = name
    for (let number = 2; this.taken.has(free); number++) free = `${name}${number}`
    this.taken.add(free)
    return free
  }
}

function words(name: string): string[] {
  return name.split(/[^\p{ID_Continue}]+|_+/u).filter((word) => word !== '')
}

function capital(word: string): string {
  return word.slice(0, 1).toUpperCase() + word.slice(1)
}

function identifier(joined: string): string {
  const kept = joined.replace(hidden, '')
  if (kept === '') return 'unnamed'
  return /^\p{ID_Start}/u.test(kept) ? kept : `_${kept}`
}
