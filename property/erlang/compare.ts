/** Puts what the oracle and bough saw side by side. */
import { print, type Term } from './node.ts'

/** Throws an Error that shows the scenario up to the first difference, unless both saw the same. */
export function expectSame(
  title: string,
  commands: readonly Term[],
  oracle: readonly string[],
  bough: readonly string[],
): void {
  const at = Array.from({ length: Math.max(oracle.length, bough.length) }).findIndex((_, i) => oracle[i] !== bough[i])
  if (at === -1) return
  const steps = [title, ...commands.map(print)].slice(0, at + 1)
  const before = steps.slice(0, -1).map((step, index) => `  ${step}\n      both:   ${oracle[index]}`)
  const lines = [...before, `  ${steps.at(-1)}`, `      erlang: ${oracle[at]}`, `      bough:  ${bough[at]}`]
  throw new Error(`bough differs from Erlang at step ${at}:\n${lines.join('\n')}`)
}

/** Children of simple_one_for_one end at the same time: the order of ends in a row means nothing. */
export function withoutOrderOfEnds(line: string): string {
  const [answer, log = '', ...rest] = line.split(' | ')
  const sorted: string[] = []
  let ends: string[] = []
  for (const note of log.split(' ')) {
    if (note.startsWith('-')) ends.push(note)
    else {
      sorted.push(...ends.sort(), note)
      ends = []
    }
  }
  return [answer, [...sorted, ...ends.sort()].join(' '), ...rest].join(' | ')
}

/**
 * DOWN and EXIT of several processes that end together come in any order; and when the end of one is a signal to another, that
 * one may end before or after it is told of the rest.
 */
export function withoutOrderOfNews(line: string): string {
  return line.replace(/\(([^)]*)\)\[([^\]]*)\]/g, (_, state: string, notes: string) => {
    const sorted: string[] = []
    let news: string[] = []
    for (const note of notes.split(', ')) {
      if (note.startsWith('EXIT') || note.startsWith('DOWN')) news.push(note)
      else {
        sorted.push(...news.sort(), note)
        news = []
      }
    }
    sorted.push(...news.sort())
    const kept = state.startsWith('dead') ? sorted.filter((note) => !/^(EXIT|DOWN)/.test(note)) : sorted
    return `(${state})[${kept.join(', ')}]`
  })
}
