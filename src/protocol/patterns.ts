/**
 * Patterns of JSON Schemas, which come from authors and, in a client, from servers; the texts come from anybody. The engine's
 * own matcher tries one way after the other and can take for ever; so it is used only where the ways are few: for what a
 * pattern of this shape can try on a text of this length. Otherwise a matcher that never goes back does the work. Patterns
 * that only backtracking can match (references back, looks behind) are taken for short texts, or refused.
 *
 *     const pattern = compilePattern('^(a+)+$', 'u')
 *     pattern.test('a'.repeat(50) + '!')      // false, at once
 */
import { compileMatcher, type Matcher } from './pattern-matcher.ts'
import { type PatternNode, parsePattern } from './pattern-parser.ts'

/** Longest pattern, in characters. */
export const PATTERN_LENGTH_MAX = 8_192
/** Most ways that the engine's own matcher may have to try. */
export const PATTERN_WAYS_MAX = 1_000_000
/** Most steps of the matcher that never goes back, per text; so many take some fifty milliseconds. */
export const PATTERN_STEPS_MAX = 2_000_000
/** A pattern that needs backtracking must be safe for texts of at least this length, or is refused. */
export const BACKTRACKED_LENGTH_MIN = 64

/** A text is too long for a pattern. The message says so as an issue: what was expected. */
export class PatternLimit extends Error {}

export interface Pattern {
  /** Whether the pattern matches somewhere in `text`. Throws a PatternLimit where that cannot be said in bounded time. */
  test(text: string): boolean
  toString(): string
}

/**
 * The pattern made ready. Without the u flag where only that works, as for `[\w-.]`, which is common in the wild. Throws a
 * SyntaxError for what is no pattern, and an Error for one that could take for ever on short texts.
 */
export function compilePattern(source: string, flags: string): Pattern {
  if (source.length > PATTERN_LENGTH_MAX) {
    throw new Error(`a pattern may be ${PATTERN_LENGTH_MAX} characters long, got ${source.length}`)
  }
  const native = nativeOf(source, flags)
  const tree = parsePattern(source, native.unicode)
  const nativeLengthMax = tree === undefined ? 0 : longestFor(tree)
  let matcher: Matcher | undefined
  let isTried = false
  const linear = (): Matcher | undefined => {
    if (!isTried) matcher = tree === undefined ? undefined : compileMatcher(tree, native.unicode)
    isTried = true
    return matcher
  }
  if (nativeLengthMax < BACKTRACKED_LENGTH_MIN && linear() === undefined) {
    throw new Error(
      `the pattern ${JSON.stringify(source.slice(0, 80))} could take for ever: it repeats what repeats or branches, with ` +
        'references back, looks behind or counts that only backtracking can match. Write it without them',
    )
  }
  return {
    test(text) {
      // Where it may not try a single character it may not try the empty text: making it ready alone can take for ever.
      if (nativeLengthMax > 0 && text.length <= nativeLengthMax) return native.test(text)
      const safe = linear()
      if (safe === undefined) throw new PatternLimit(`expected at most ${nativeLengthMax} characters for its pattern`)
      return safe.test(text, { left: PATTERN_STEPS_MAX, exhausted })
    },
    // ajv keeps compiled patterns by this text.
    toString: () => String(native),
  }
}

function exhausted(): Error {
  return new PatternLimit(`expected a text whose pattern is checked in ${PATTERN_STEPS_MAX} steps`)
}

function nativeOf(source: string, flags: string): RegExp {
  try {
    return new RegExp(source, flags)
  } catch {
    return new RegExp(source)
  }
}

/** The longest text for which the engine has at most `PATTERN_WAYS_MAX` ways to try. */
function longestFor(tree: PatternNode): number {
  const isFewFor = (length: number): boolean => startsOf(tree, length) * waysOf(tree, length) <= PATTERN_WAYS_MAX
  if (!isFewFor(1)) return 0
  let [low, high] = [1, PATTERN_WAYS_MAX]
  while (low < high) {
    const middle = Math.ceil((low + high) / 2)
    if (isFewFor(middle)) low = middle
    else high = middle - 1
  }
  return low
}

/** Where a match may begin: at the start only for a pattern that begins with `^`. */
function startsOf(tree: PatternNode, length: number): number {
  const first = tree.kind === 'sequence' ? tree.nodes[0] : tree
  return first?.kind === 'assertion' && first.text === '^' ? 1 : length
}

/** How many ways a pattern may take through a text of that length, at most. */
function waysOf(node: PatternNode, length: number): number {
  switch (node.kind) {
    case 'sequence':
      return node.nodes.reduce((ways, one) => ways * waysOf(one, length), 1)
    case 'choice':
      return node.nodes.reduce((ways, one) => ways + waysOf(one, length), 0)
    case 'repeat': {
      const inner = waysOf(node.node, length)
      const most = Math.min(node.most, length + node.least)
      const counts = Math.max(1, most - node.least + 1)
      // What has one way only repeats in as many ways as it has counts; else each round multiplies.
      return inner <= 1 ? counts : inner ** most * counts
    }
    case 'ahead':
      return waysOf(node.node, length) + 1
    case 'other':
      return node.node === undefined ? length : (waysOf(node.node, length) + 1) * length
    default:
      return 1
  }
}
