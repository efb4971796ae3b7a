/**
 * The frontmatter of a SKILL.md: YAML between two lines of `---`, as far as frontmatters use YAML: maps and lists by indentation,
 * quoted and plain texts, folded and literal blocks, JSON in between. What is beyond that (anchors, tags, several documents) is
 * refused with its line, rather than read otherwise than a client would.
 *
 *     readFrontmatter('---\nname: refunds\ntags: [a, b]\n---\nText')   // { fields: { name: 'refunds', tags: ['a', 'b'] }, body: 'Text' }
 *     writeFrontmatter({ name: 'refunds' })                           // '---\nname: "refunds"\n---\n'
 *
 * Spec: Agent Skills specification, frontmatter; YAML 1.2.2, core schema.
 */
import type { JsonObject } from '#protocol'

/** A frontmatter that cannot be read. The message names the line. */
export class FrontmatterError extends Error {
  override readonly name = 'FrontmatterError'
}

/** Longest frontmatter, in characters, and deepest nesting in it. */
export const FRONTMATTER_LENGTH_MAX = 65_536
export const FRONTMATTER_DEPTH_MAX = 16

const shape = /^\uFEFF?---[ \t]*\r?\n([\s\S]*?)(?:\r?\n)?^---[ \t]*(?:\r?\n|$)/m

/** The fields and what follows them. Throws a FrontmatterError. */
export function readFrontmatter(text: string): { readonly fields: JsonObject; readonly body: string } {
  const found = /^\uFEFF?---/.test(text) ? shape.exec(text) : null
  if (found === null || found.index !== 0) {
    throw new FrontmatterError('must begin with a frontmatter between two lines of "---"')
  }
  const [whole, inner = ''] = found
  if (inner.length > FRONTMATTER_LENGTH_MAX) {
    throw new FrontmatterError(`frontmatter may be ${FRONTMATTER_LENGTH_MAX} characters long, got ${inner.length}`)
  }
  return { fields: new Reader(inner.split(/\r?\n/)).document(), body: text.slice(whole.length) }
}

/** The frontmatter with these fields: each value as JSON, which is YAML too. */
export function writeFrontmatter(fields: JsonObject): string {
  const lines = Object.entries(fields).map(([key, value]) => `${writeKey(key)}: ${writeJson(value)}`)
  return `---\n${lines.join('\n')}\n---\n`
}

function writeKey(key: string): string {
  return /^[A-Za-z][A-Za-z0-9_-]*$/.test(key) && typeof resolve(key) === 'string' ? key : writeJson(key)
}

/** JSON without the characters that break lines in YAML. */
function writeJson(value: unknown): string {
  return JSON.stringify(value).replace(
    /[\u007F-\u009F\u2028\u2029\uFEFF]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}

interface Line {
  readonly indent: number
  readonly text: string
  readonly number: number
}

const keyed =
  /^("(?:[^"\\]|\\.)*"|'(?:[^']|'')*'|[^\s#&*!|>'"%@`{}[\],?:-][^:#]*?|[?:-][^\s:#][^:#]*?)\s*:(?:\s+(.*)|)$/

class Reader {
  private readonly lines: readonly string[]
  private at = 0

  constructor(lines: readonly string[]) {
    this.lines = lines
  }

  document(): JsonObject {
    const first = this.peek()
    if (first === undefined) return {}
    if (first.indent !== 0) throw this.error(first, 'must not be indented')
    const fields = this.map(0, 1)
    const left = this.peek()
    if (left !== undefined) throw this.error(left, 'does not belong to the map above it')
    return fields
  }

  private map(indent: number, depth: number): JsonObject {
    const entries: [string, unknown][] = []
    const seen = new Set<string>()
    for (let line = this.peek(); line !== undefined && line.indent === indent; line = this.peek()) {
      const found = keyed.exec(line.text)
      if (found === null) throw this.error(line, 'is no "key: value"')
      const key = this.key(found[1] as string, line)
      if (seen.has(key)) throw this.error(line, `names ${JSON.stringify(key)} a second time`)
      seen.add(key)
      this.at++
      entries.push([key, this.value(found[2] ?? '', line, depth)])
    }
    return Object.fromEntries(entries)
  }

  private list(indent: number, depth: number): readonly unknown[] {
    const items: unknown[] = []
    for (let line = this.peek(); line?.indent === indent && /^-(?:\s|$)/.test(line.text); line = this.peek()) {
      const rest = line.text.slice(1).trimStart()
      if (keyed.test(rest) && !/^["'{[]/.test(rest)) {
        // A map that begins on the line of its dash: read it as if it stood below.
        const inner = indent + (line.text.length - rest.length)
        const lines = this.lines as string[] // our own copy
        lines[this.at] = ' '.repeat(inner) + rest
        items.push(this.map(inner, this.deeper(depth, line)))
        continue
      }
      this.at++
      items.push(this.value(rest, line, depth))
    }
    return items
  }

  /** The value that begins behind a key or a dash of `line`. */
  private value(text: string, line: Line, depth: number): unknown {
    const rest = withoutComment(text)
    if (/^[|>][-+1-9]*$/.test(rest)) return this.block(rest, line)
    if (rest !== '') return this.scalar(rest, line)
    const next = this.peek()
    if (next === undefined) return null
    const isList = /^-(?:\s|$)/.test(next.text)
    if (next.indent > line.indent) {
      const inner = this.deeper(depth, next)
      return isList ? this.list(next.indent, inner) : this.map(next.indent, inner)
    }
    // A list may stand below its key without more indentation.
    if (isList && next.indent === line.indent && !line.text.startsWith('-')) {
      return this.list(next.indent, this.deeper(depth, next))
    }
    return null
  }

  private scalar(text: string, line: Line): unknown {
    if (text.startsWith('"')) return this.quoted(text, line)
    if (text.startsWith("'")) {
      if (!/^'(?:[^']|'')*'$/.test(text)) throw this.error(line, 'has a text that does not end')
      return text.slice(1, -1).replaceAll("''", "'")
    }
    if (text.startsWith('[') || text.startsWith('{')) return this.flow(text, line)
    if (/^[&*!%@`|>]/.test(text) || /^[?:-](?:\s|$)/.test(text)) {
      throw this.error(line, `has a value that begins with "${text[0]}", which is not read here. Put it in quotes`)
    }
    if (/:(?:\s|$)/.test(text)) throw this.error(line, 'has a second ": " in its value. Put the value in quotes')
    return this.plain(this.continued(text, line), line)
  }

  /** A plain text with the lines below that are indented more, which belong to it. */
  private continued(text: string, line: Line): string {
    let whole = text
    let number = line.number
    for (let next = this.peek(); next !== undefined && next.indent > line.indent; next = this.peek()) {
      if (next.number !== ++number || /:(?:\s|$)|\s#/.test(next.text)) {
        throw this.error(
          next,
          'goes on with a plain text that has gaps, ": " or a comment. Use quotes, or a block with ">"',
        )
      }
      whole += ` ${next.text}`
      this.at++
    }
    return whole
  }

  private plain(text: string, line: Line): unknown {
    const value = resolve(text)
    if (typeof value === 'number' && !Number.isFinite(value)) throw this.error(line, `has ${text}, which JSON lacks`)
    return value
  }

  private quoted(text: string, line: Line): string {
    try {
      return JSON.parse(text) as string // it begins with a quote, so it is a text or no JSON
    } catch {
      throw this.error(line, 'has a text in double quotes that is not one of JSON')
    }
  }

  /** JSON, or a list of plain texts on one line. */
  private flow(text: string, line: Line): unknown {
    try {
      return JSON.parse(text) as unknown
    } catch {
      const inner = /^\[([^[\]{}"'#&*!|>%@`]*)\]$/.exec(text)?.[1]
      if (inner === undefined || /:(?:\s|$)/.test(inner)) {
        throw this.error(line, 'has a value in brackets that is neither JSON nor a list of plain texts')
      }
      const items = inner.split(',').map((item) => item.trim())
      if (items.at(-1) === '') items.pop()
      if (items.includes('')) throw this.error(line, 'has an empty item in its list')
      return items.map((item) => this.plain(item, line))
    }
  }

  /** A literal (`|`) or folded (`>`) block. */
  private block(header: string, line: Line): string {
    const [, style, signs = ''] = /^([|>])(.*)$/.exec(header) ?? []
    const chomp = /[-+]/.exec(signs)?.[0] ?? ''
    const given = /[1-9]/.exec(signs)?.[0]
    const taken: string[] = []
    let indent = given === undefined ? undefined : line.indent + Number(given)
    for (; this.at < this.lines.length; this.at++) {
      const text = this.lines[this.at] as string // within bounds
      if (text.trim() === '') {
        taken.push('')
        continue
      }
      const own = text.length - text.trimStart().length
      indent ??= own
      if (own < indent || own <= line.indent) break
      taken.push(text.slice(indent))
    }
    while (taken.at(-1) === '' && chomp !== '+') taken.pop()
    const body = style === '|' ? taken.join('\n') : folded(taken)
    return chomp === '-' || body === '' ? body : `${body}\n`
  }

  private key(text: string, line: Line): string {
    if (text.startsWith('"')) return this.quoted(text, line)
    return text.startsWith("'") ? text.slice(1, -1).replaceAll("''", "'") : text
  }

  /** The next line that says something, without moving on past it. */
  private peek(): Line | undefined {
    for (; this.at < this.lines.length; this.at++) {
      const raw = this.lines[this.at] as string // within bounds
      const text = raw.trim()
      if (text === '' || text.startsWith('#')) continue
      const line = { indent: raw.length - raw.trimStart().length, text, number: this.at + 2 }
      if (/^ *\t/.test(raw)) throw this.error(line, 'is indented with a tab. Use spaces')
      return line
    }
    return undefined
  }

  private deeper(depth: number, line: Line): number {
    if (depth >= FRONTMATTER_DEPTH_MAX) throw this.error(line, `nests deeper than ${FRONTMATTER_DEPTH_MAX} levels`)
    return depth + 1
  }

  private error(line: Line, sentence: string): FrontmatterError {
    return new FrontmatterError(
      `frontmatter: line ${line.number} ${sentence}: ${JSON.stringify(line.text.slice(0, 80))}`,
    )
  }
}

/** What a plain text stands for. Spec: YAML 1.2.2, 10.3.2. */
function resolve(text: string): unknown {
  if (/^(?:null|Null|NULL|~|)$/.test(text)) return null
  if (/^(?:true|True|TRUE)$/.test(text)) return true
  if (/^(?:false|False|FALSE)$/.test(text)) return false
  if (/^[-+]?(?:\.\d+|\d+(?:\.\d*)?)(?:[eE][-+]?\d+)?$/.test(text)) return Number(text)
  if (/^0o[0-7]+$|^0x[0-9A-Fa-f]+$/.test(text)) return Number(text)
  if (/^[-+]?\.(?:inf|Inf|INF)$|^\.(?:nan|NaN|NAN)$/.test(text)) return Number.NaN
  return text
}

/** A value without the comment behind it. */
function withoutComment(text: string): string {
  if (text.startsWith('#')) return ''
  const quoted = /^("(?:[^"\\]|\\.)*"|'(?:[^']|'')*')\s+#.*$/.exec(text)
  if (quoted !== null) return quoted[1] as string // there is one group
  return /^["'[{]/.test(text) ? text.trimEnd() : text.replace(/\s+#.*$/, '').trimEnd()
}

/** Lines of a folded block: single breaks become spaces, but not around lines that are indented more. */
function folded(lines: readonly string[]): string {
  let text = lines[0] ?? ''
  /** The last line that was not empty. */
  let before = text
  for (const [index, line] of lines.entries()) {
    if (index === 0) continue
    if (line === '') text += '\n'
    else if (line.startsWith(' ') || before.startsWith(' ') || before === '') text += `\n${line}`
    else text += lines[index - 1] === '' ? line : ` ${line}`
    if (line !== '') before = line
  }
  return text
}
