/**
 * What is kept from run to run: recorded exchanges (`corpus/*.json`), from which mutations start, and inputs that once broke
 * something (`corpus/regressions/<target>/*`), which every run tries first.
 */
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Recording } from './target.ts'

/** One piece of an exchange, in latin1 so that every byte has a place. */
export interface Recorded {
  readonly kind: Recording
  readonly bytes: string
}

/** The folder in the sources, whether this runs from them or from the build. */
const folder = ((): string => {
  let root = dirname(fileURLToPath(import.meta.url))
  while (!existsSync(join(root, 'package.json'))) root = dirname(root)
  return join(root, 'property', 'fuzz', 'corpus')
})()

/** All recorded pieces of these kinds. */
export function recordings(kinds: readonly Recording[]): Buffer[] {
  return readdirSync(folder)
    .filter((name) => name.endsWith('.json'))
    .sort()
    .flatMap((name) => JSON.parse(readFileSync(join(folder, name), 'utf8')) as Recorded[])
    .filter(({ kind }) => kinds.includes(kind))
    .map(({ bytes }) => Buffer.from(bytes, 'latin1'))
}

export function writeRecordings(name: string, recorded: readonly Recorded[]): string {
  const file = join(folder, `${name}.json`)
  const lines = recorded.map((one) => JSON.stringify(one))
  writeFileSync(file, `[\n${lines.join(',\n')}\n]\n`)
  return file
}

/** Inputs that once broke something. */
export function regressions(target: string): Buffer[] {
  const own = join(folder, 'regressions', target)
  if (!existsSync(own)) return []
  return readdirSync(own)
    .sort()
    .map((name) => readFileSync(join(own, name)))
}

/** Keeps an input for all later runs; returns its file. */
export function keepRegression(target: string, input: Buffer): string {
  const own = join(folder, 'regressions', target)
  mkdirSync(own, { recursive: true })
  const file = join(own, createHash('sha256').update(input).digest('hex').slice(0, 12))
  writeFileSync(file, input)
  return file
}
