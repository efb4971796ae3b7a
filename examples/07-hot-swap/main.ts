/**
 * Story 7: a hot swap under load. A thousand processes get ten thousand messages a second; meanwhile their code changes from
 * version to version. No message is lost, doubled or handled out of order, and the report says how long each stood still.
 *
 *     node dist/examples/07-hot-swap/main.js [swaps]
 */
import assert from 'node:assert/strict'
import { createSystem, defineActor } from 'bough/runtime'

const PROCESSES = 1_000
const MESSAGES_PER_SECOND = 10_000
const TICK_MS = 10
const swaps = Number(process.argv[2] ?? 20)

/** Each process checks that its numbers come one after the other. */
const meter = (version: number) =>
  defineActor({
    name: 'meter',
    version,
    init: (_: undefined) => ({ next: 0, wrong: 0 }),
    cast: {
      put: (state, n: number) => {
        if (n !== state.next) state.wrong++
        state.next = n + 1
      },
    },
    call: { report: (state) => ({ ...state, version }) },
    codeChange: (old: { next: number; wrong: number }) => ({ ...old }),
  })

const system = createSystem()
const refs = await Promise.all(Array.from({ length: PROCESSES }, () => system.start(meter(1))))
const sent = new Array<number>(PROCESSES).fill(0)
let at = 0
let total = 0
const load = setInterval(() => {
  for (let n = 0; n < (MESSAGES_PER_SECOND / 1_000) * TICK_MS; n++, total++) {
    const index = at++ % PROCESSES
    refs[index]?.cast('put', sent[index] ?? 0)
    sent[index] = (sent[index] ?? 0) + 1
  }
}, TICK_MS)

const pauses: number[] = []
const medians: number[] = []
for (let swap = 1; swap <= swaps; swap++) {
  await new Promise((resolve) => setTimeout(resolve, 3 * TICK_MS))
  const { migrated, pausedMs, medianPausedMs } = await system.upgrade(meter(swap + 1))
  assert.equal(migrated, PROCESSES)
  pauses.push(pausedMs)
  medians.push(medianPausedMs)
}
clearInterval(load)

const reports = await Promise.all(refs.map((ref) => ref.call('report')))
for (const [index, { next, wrong, version }] of reports.entries()) {
  assert.equal(wrong, 0)
  assert.equal(next, sent[index])
  assert.equal(version, swaps + 1)
}
const median = (list: number[]): string => ([...list].sort((a, b) => a - b)[list.length >> 1] ?? 0).toFixed(2)
console.log(`${swaps} swaps of ${PROCESSES} processes under ${MESSAGES_PER_SECOND} messages a second`)
console.log(`${total} messages: none lost, none doubled, none out of order`)
console.log(`one process stood still for ${median(medians)} ms, the whole swap took ${median(pauses)} ms (medians)`)

assert.equal(system.processCount, PROCESSES)
assert.equal(system.timers.size, 0)
await system.stop()
assert.equal(system.processCount, 0)
console.log('no process, timer or watcher is left')
