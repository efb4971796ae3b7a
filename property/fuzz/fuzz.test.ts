/**
 * How it works: 1. take what the corpus holds, fresh inputs of the right structure, and mutations of both; 2. hand them to each
 * reader, and to servers that run; 3. every law of the target holds, no case takes long, nothing is left behind.
 * `npm run fuzz` does the same by the million.
 */
import { describe, expect, it } from 'vitest'
import { seed } from '../settings.ts'
import { fuzz } from './runner.ts'
import { liveTargets, pureTargets } from './targets/index.ts'

const CASES = 1_500
const LIVE_CASES = 250

/** Without what is slow: here the machine may be busy, and time is for the command to judge. */
async function brokenLaws(target: (typeof pureTargets)[number], cases: number): Promise<readonly string[]> {
  const { faults } = await fuzz(target, { cases, seed })
  return faults
    .filter(({ kind }) => kind === 'broken')
    .map(({ message, input }) => `${message}: ${JSON.stringify(input?.toString('latin1'))}`)
}

describe('a reader of what strangers send', () => {
  it.each(pureTargets.map((target) => [target.name, target] as const))(
    '%s keeps its laws for damaged input',
    async (_name, target) => {
      expect(await brokenLaws(target, CASES)).toEqual([])
    },
    30_000,
  )
})

describe('a server that runs', () => {
  it.each(liveTargets.map((target) => [target.name, target] as const))(
    '%s answers damaged input with messages of the protocol, and nothing crashes or stays behind',
    async (_name, target) => {
      expect(await brokenLaws(target, LIVE_CASES)).toEqual([])
    },
    60_000,
  )
})
