/**
 * Ranking of candidates by how they match what was typed, without regard to case: first those that begin with it, then those
 * with a word that does, then those that hold its letters in order. Within each kind the order is the candidates' own.
 *
 *     ranked(['las palmas', 'paris', 'lisp'], 'pa', 'fuzzy')     // ['paris', 'las palmas']
 *     ranked(['las palmas', 'paris', 'lisp'], 'lp', 'fuzzy')     // ['las palmas', 'lisp']
 *
 * A list's lower-case forms are kept as long as the list itself, and made anew when it changed.
 */

/** 'best' is 'prefix', or 'fuzzy' where nothing begins with the value. */
export type Match = 'prefix' | 'fuzzy' | 'none'

interface Prepared {
  /** What the list held when it was prepared. */
  readonly of: readonly string[]
  readonly lower: readonly string[]
}

/** Kept by the list, so that it goes when the list goes. */
const prepared = new WeakMap<readonly string[], Prepared>()

/** The candidates that match, best first. Takes time proportional to their length; an empty value matches all. */
export function ranked(candidates: readonly string[], value: string, match: Match | 'best'): readonly string[] {
  if (match === 'none' || value === '') return candidates
  const typed = value.toLowerCase()
  const lower = lowerOf(candidates)
  const begin = candidates.filter((_candidate, index) => (lower[index] as string).startsWith(typed))
  if (match === 'prefix' || (match === 'best' && begin.length > 0)) return begin
  const words: string[] = []
  const letters: string[] = []
  for (const [index, candidate] of candidates.entries()) {
    const text = lower[index] as string // as many as candidates
    if (text.startsWith(typed)) continue
    if (hasWord(candidate, text, typed)) words.push(candidate)
    else if (holdsInOrder(text, typed)) letters.push(candidate)
  }
  return [...begin, ...words, ...letters]
}

/** The list's lower-case forms; comparing strings that are the same object costs next to nothing. */
function lowerOf(candidates: readonly string[]): readonly string[] {
  const known = prepared.get(candidates)
  if (known !== undefined && isSame(known.of, candidates)) return known.lower
  const made = { of: [...candidates], lower: candidates.map((candidate) => candidate.toLowerCase()) }
  prepared.set(candidates, made)
  return made.lower
}

function isSame(before: readonly string[], now: readonly string[]): boolean {
  if (before.length !== now.length) return false
  for (let index = 0; index < before.length; index++) if (before[index] !== now[index]) return false
  return true
}

/** Whether `typed` begins a word: after what is no letter or digit, or where an upper-case letter follows another. */
function hasWord(candidate: string, text: string, typed: string): boolean {
  for (let at = text.indexOf(typed, 1); at !== -1; at = text.indexOf(typed, at + 1)) {
    if (!/[\p{L}\p{N}]/u.test(text[at - 1] as string)) return true
    // Lower case may be longer than the original, as for some letters; then humps are not looked for.
    if (text.length === candidate.length && /\p{Ll}\p{Lu}/u.test(candidate.slice(at - 1, at + 1))) return true
  }
  return false
}

function holdsInOrder(text: string, typed: string): boolean {
  let at = 0
  for (const letter of typed) {
    const found = text.indexOf(letter, at)
    if (found === -1) return false
    at = found + letter.length
  }
  return true
}
