/** The fuzzer checked: faults that were planted are found and shrunk, and a clean target is clean. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { CASE_MS_MAX, fuzz } from './runner.ts'
import { type Bench, must, type Target } from './target.ts'
import { codec } from './targets/messages.ts'

function planted(run: Bench['run']): Target {
  return { name: 'planted', law: 'none', weight: 1, seeds: fc.string(), open: () => ({ run }) }
}

describe('the fuzzer', { timeout: 60_000 }, () => {
  it('finds a reader that throws, and shrinks the input to what it throws at', async () => {
    const target = planted((input) => {
      must(!input.includes('{"a":{"a":'), 'nested')
      return undefined
    })
    const { faults } = await fuzz(target, { cases: 5_000, seed: 1 })
    expect(faults[0]?.kind).toBe('broken')
    expect(faults[0]?.input?.toString()).toBe('{"a":{"a":')
  })

  it('finds a reader that drops a byte that flows in by mutation alone', async () => {
    const target = planted((input) => {
      const read = input.toString('utf8')
      must(Buffer.from(read).equals(input), 'lossy')
      return undefined
    })
    const { faults } = await fuzz(target, { cases: 1_000, seed: 1 })
    expect(faults[0]?.input).toHaveLength(1)
  })

  it('finds a case that takes too long', async () => {
    const target = planted((input) => (input.includes('\\') ? late() : undefined))
    const { faults } = await fuzz(target, { cases: 200, seed: 1 })
    expect(faults[0]?.kind).toBe('slow')
    expect(faults[0]?.input?.toString()).toContain('\\')
  })

  it('finds what is left behind', async () => {
    const leaked: object[] = []
    const target = planted(() => {
      for (let round = 0; round < 40; round++) leaked.push({ text: `leaked ${leaked.length}` })
      return undefined
    })
    const { faults } = await fuzz(target, { cases: 6_000, seed: 1 })
    expect(faults.map(({ kind }) => kind)).toEqual(['leak'])
    expect(leaked.length).toBeGreaterThan(0)
  })

  it('does the same for the same seed', async () => {
    const inputs = async (seed: number): Promise<string[]> => {
      const seen: string[] = []
      await fuzz(codec, { cases: 300, seed, beginning: (input) => seen.push(input.toString('latin1')) })
      return seen
    }
    expect(await inputs(3)).toEqual(await inputs(3))
    expect(await inputs(3)).not.toEqual(await inputs(4))
  })
})

/** Longer than a case may take. */
function late(): Promise<string> {
  return new Promise((resolve) => setTimeout(resolve, CASE_MS_MAX * 1.5, 'late'))
}
