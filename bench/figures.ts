// The figures of a run: what is kept beside the printed tables, drawn as a chart, compared between two commits, and held against
// the targets. A part that is a program of its own records them into the file that its environment names; run.ts reads it.
import { appendFileSync, existsSync, readFileSync } from 'node:fs'

/** One measured value. `group` and `name` together tell it from every other of a run, and stay the same from run to run. */
export interface Figure {
  /** What is measured, with the load: 'http, 16 in flight: calls/s'. Figures of one group are drawn together. */
  readonly group: string
  /** Who or what it was measured of: 'bough', 'sdk v2, JSON'. */
  readonly name: string
  readonly value: number
  /** 'calls/s', 'us', 'ms', 'bytes', 'x' for a ratio, ... */
  readonly unit: string
  readonly better: 'more' | 'less'
  readonly target?: Target
}

/** What a figure is to reach. */
export interface Target {
  readonly atLeast?: number
  readonly atMost?: number
  /** Beyond this it has failed, not merely missed. */
  readonly floor?: number
}

/** The environment variable that names the file which a program records its figures in. */
export const FIGURES_FILE = 'BOUGH_BENCH_FIGURES'

/** Records figures of a program that run.ts started; does nothing when it was started by hand. */
export function recordFigures(...figures: readonly Figure[]): void {
  const file = process.env[FIGURES_FILE]
  if (file === undefined) return
  for (const figure of figures) appendFileSync(file, `${JSON.stringify(figure)}\n`)
}

/** What a program recorded. */
export function readFigures(file: string): Figure[] {
  if (!existsSync(file)) return []
  const lines = readFileSync(file, 'utf8').split('\n')
  return lines.filter((line) => line !== '').map((line) => JSON.parse(line) as Figure)
}

export type Verdict = 'met' | 'missed' | 'FAILED'

/** Whether a figure reaches its target; 'FAILED' when it is beyond the floor, or beyond the target where there is no floor. */
export function verdictOf({ value, target }: Figure): Verdict | undefined {
  if (target === undefined) return undefined
  const { atLeast, atMost, floor } = target
  if ((atLeast === undefined || value >= atLeast) && (atMost === undefined || value <= atMost)) return 'met'
  if (floor === undefined) return 'FAILED'
  return (atLeast === undefined ? value <= floor : value >= floor) ? 'missed' : 'FAILED'
}

/** '>= 10 x (floor 6)'. */
export function describeTarget({ target, unit }: Figure): string {
  if (target === undefined) return ''
  const { atLeast, atMost, floor } = target
  const bound = atLeast === undefined ? `<= ${atMost}` : `>= ${atLeast}`
  return `${bound}${unit === 'x' ? 'x' : ` ${unit}`}${floor === undefined ? '' : ` (floor ${floor})`}`
}
