/**
 * Regular expressions of JavaScript, read into a tree: as much of their grammar as says what may repeat and what may branch.
 * Single characters, classes and escapes stay text, since the engine itself is the best judge of what they match.
 *
 *     parsePattern('(?:a|b)+$', true)
 *     // sequence [repeat 1.. (choice [a, b]), assertion $]
 *
 * Source: ECMA-262, 22.2.1, patterns.
 */

export type PatternNode =
  /** One character; `text` is its source. */
  | { readonly kind: 'character'; readonly text: string }
  | { readonly kind: 'sequence'; readonly nodes: readonly PatternNode[] }
  | { readonly kind: 'choice'; readonly nodes: readonly PatternNode[] }
  | { readonly kind: 'repeat'; readonly node: PatternNode; readonly least: number; readonly most: number }
  | { readonly kind: 'assertion'; readonly text: '^' | '$' | '\\b' | '\\B' }
  | { readonly kind: 'ahead'; readonly node: PatternNode; readonly isNegative: boolean }
  /** A look behind or a reference back: what only backtracking can match. */
  | { readonly kind: 'other'; readonly node: PatternNode | undefined }

/** Deepest nesting of groups that is read. */
const GROUPS_DEPTH_MAX = 200

/** The tree of a pattern that the engine compiled already, or undefined for one that this reader does not understand. */
export function parsePattern(source: string, isUnicode: boolean): PatternNode | undefined {
  const parser = new Parser(source, isUnicode)
  const node = parser.choice(0)
  return parser.isSound && parser.isAtEnd ? node : undefined
}

const nothing: PatternNode = { kind: 'sequence', nodes: [] }

class Parser {
  isSound = true
  private readonly source: string
  private readonly isUnicode: boolean
  private at = 0

  constructor(source: string, isUnicode: boolean) {
    this.source = source
    this.isUnicode = isUnicode
  }

  get isAtEnd(): boolean {
    return this.at >= this.source.length
  }

  choice(depth: number): PatternNode {
    if (depth > GROUPS_DEPTH_MAX) return this.giveUp()
    const nodes = [this.sequence(depth)]
    while (this.source[this.at] === '|') {
      this.at++
      nodes.push(this.sequence(depth))
    }
    return nodes.length === 1 ? (nodes[0] as PatternNode) : { kind: 'choice', nodes }
  }

  private sequence(depth: number): PatternNode {
    const nodes: PatternNode[] = []
    while (this.isSound && !this.isAtEnd && this.source[this.at] !== '|' && this.source[this.at] !== ')') {
      nodes.push(this.repeated(this.term(depth)))
    }
    return nodes.length === 1 ? (nodes[0] as PatternNode) : { kind: 'sequence', nodes }
  }

  private repeated(node: PatternNode): PatternNode {
    const found = this.take(/(?:([*+?])|\{(\d+)(?:(,)(\d*))?\})\??/y)
    if (found === undefined) return node
    const [, sign, low, comma, high] = found
    if (sign !== undefined) {
      return { kind: 'repeat', node, least: sign === '+' ? 1 : 0, most: sign === '?' ? 1 : Number.POSITIVE_INFINITY }
    }
    const least = Number(low)
    const most = comma === undefined ? least : high === '' ? Number.POSITIVE_INFINITY : Number(high)
    return { kind: 'repeat', node, least, most }
  }

  private term(depth: number): PatternNode {
    const assertion = this.take(/\^|\$|\\b|\\B/y)
    if (assertion !== undefined) return { kind: 'assertion', text: assertion[0] as '^' | '$' | '\\b' | '\\B' }
    if (this.source[this.at] === '(') return this.group(depth)
    if (this.take(/\\(?:[1-9]\d*|k<[^>]*>)/y) !== undefined) return { kind: 'other', node: undefined }
    const character =
      this.take(/\\(?:u\{[0-9A-Fa-f]+\}|u[0-9A-Fa-f]{4}|x[0-9A-Fa-f]{2}|c[A-Za-z]|[pP]\{[^}]*\})/y) ??
      this.take(/\\./suy) ??
      this.take(/\[(?:\\.|[^\]\\])*\]/suy) ??
      this.take(this.isUnicode ? /[^()|*+?\\[]/suy : /[^()|*+?\\[]/sy)
    if (character === undefined) return this.giveUp()
    const [text] = character
    // A pair of escaped surrogates is one character under the u flag.
    const low =
      this.isUnicode && /^\\u[dD][89abAB]/.test(text) ? this.take(/\\u[dD][c-fC-F][0-9A-Fa-f]{2}/y) : undefined
    return { kind: 'character', text: low === undefined ? text : text + low[0] }
  }

  private group(depth: number): PatternNode {
    const [open = ''] = this.take(/\((?:\?(?:[:=!]|<[=!]|<[^>]*>))?/y) ?? []
    const node = this.choice(depth + 1)
    if (this.source[this.at] !== ')') return this.giveUp()
    this.at++
    if (open === '(?=' || open === '(?!') return { kind: 'ahead', node, isNegative: open === '(?!' }
    if (open === '(?<=' || open === '(?<!') return { kind: 'other', node }
    return node
  }

  private take(sticky: RegExp): RegExpExecArray | undefined {
    sticky.lastIndex = this.at
    const found = sticky.exec(this.source)
    if (found === null) return undefined
    this.at += found[0].length
    return found
  }

  private giveUp(): PatternNode {
    this.isSound = false
    return nothing
  }
}
