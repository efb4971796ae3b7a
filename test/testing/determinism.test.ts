import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { defineActor, type Self } from 'bough/runtime'
import { createSimulation } from 'bough/testing'
import { describe, expect, it } from 'vitest'
import { fingerprint, play } from './fixtures/world.mjs'

const RUNS = 100
const program = fileURLToPath(new URL('./fixtures/world.mjs', import.meta.url))

describe('the same seed', () => {
  it('gives a byte-identical trace in a hundred runs of a whole server under chaos', async () => {
    const first = await play(42)
    expect(first.trace.length).toBeGreaterThan(300)
    expect(first.trace.filter((line) => / fault (crash|kill) /.test(line)).length).toBeGreaterThan(3)
    for (let run = 1; run < RUNS; run++) expect((await play(42)).trace.join('\n')).toBe(first.trace.join('\n'))
    expect(fingerprint(await play(43))).not.toBe(fingerprint(first))
  })

  it('gives a byte-identical trace in another process, from the built package', async () => {
    for (const seed of [42, 7]) {
      const there = execFileSync(process.execPath, [program, String(seed)], { encoding: 'utf8' }).trim()
      expect(there).toBe(fingerprint(await play(seed)))
    }
  })
})

describe('virtual time', () => {
  it('takes a thousand processes with timers through an hour in seconds', async () => {
    const PROCESSES = 1_000
    const HOUR_MS = 3_600_000
    const Beating = defineActor({
      name: 'beating',
      init: (_arg: undefined, self: Self<never>) => {
        self.sendAfter(60_000 * self.random(), 'beat')
        return { beats: 0 }
      },
      call: { beats: (state) => state.beats },
      info: (state, _message, self) => {
        state.beats++
        self.sendAfter(30_000 + 60_000 * self.random(), 'beat')
      },
    })
    const sim = createSimulation({ seed: 1 })
    const refs = await Promise.all(Array.from({ length: PROCESSES }, () => sim.start(Beating)))
    const startedAt = performance.now()
    await sim.advance(HOUR_MS)
    const seconds = (performance.now() - startedAt) / 1_000
    let beats = 0
    for (const ref of refs) beats += await sim.run(ref.call('beats'))
    expect(sim.clock.now()).toBe(HOUR_MS)
    expect(beats).toBeGreaterThan(PROCESSES * 50)
    expect(seconds).toBeLessThan(20)
    console.log(`an hour of ${PROCESSES} processes, ${beats} timers: ${seconds.toFixed(2)} s`)
  })
})
