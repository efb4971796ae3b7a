/** A schedule in words: who went ahead of whom, which turns were cut short, what went wrong; in the order of the run. */
import type { NotedChoice } from './choices.ts'
import { type FaultSpec, formatFault } from './fault-spec.ts'

export interface Explained {
  readonly seed: number
  readonly picks: readonly NotedChoice[]
  readonly turns: readonly NotedChoice[]
  readonly faults: readonly { readonly spec: FaultSpec; readonly line: number }[]
  readonly trace: readonly string[]
}

/** One line for each thing that differs from first come, first served without faults; then the end of the trace's story. */
export function explain({ seed, picks, turns, faults, trace }: Explained): string[] {
  const what = (line: number): string =>
    trace[line] === undefined ? 'something the trace does not show' : `"${trace[line]}"`
  const told: { readonly line: number; readonly text: string }[] = []
  for (const { line, value } of picks) {
    told.push({ line, text: `${what(line)} goes ahead of ${value === 1 ? 'one' : value} that waited longer` })
  }
  for (const { line } of turns) told.push({ line, text: `promises that are due go ahead of ${what(line)}` })
  for (const { line, spec } of faults) {
    const [time = '', where = ''] = trace[line]?.split(' ') ?? []
    told.push({ line, text: `"${formatFault(spec)}" happens${time === '' ? '' : ` at ${time} ms, in ${where}`}` })
  }
  told.sort((left, right) => left.line - right.line)
  const { length } = told
  const head =
    length === 0 ? 'first come, first served, and no fault' : `${length} that differ${length === 1 ? 's' : ''}`
  return [`seed ${seed}: ${head}`, ...told.map(({ text }, index) => `${index + 1}. ${text}`)]
}
