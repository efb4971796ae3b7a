/**
 * Story 6: an actor in a thread. `defineWorker` gives an actor a thread of its own: the same calls through the same kind of Ref,
 * but its handlers may compute as long as they like, and a kill ends even a loop that never gives way.
 *
 *     node dist/examples/06-cpu-actor/main.js
 */
import assert from 'node:assert/strict'
import { child, createSystem, defineSupervisor, type Ref } from 'bough/runtime'
import { defineWorker, runInThread } from 'bough/workers'
import type { Sieve } from './sieve.ts'

// The type is imported, the code is not: the module is loaded where it runs.
const SieveWorker = defineWorker<typeof Sieve>({
  name: 'sieve',
  module: new URL('./sieve.js', import.meta.url),
  export: 'Sieve',
})
const Tree = defineSupervisor({
  name: 'mathematics',
  strategy: 'one_for_one',
  children: [child(SieveWorker, undefined, { id: 'sieve', name: 'sieve' })],
})

const system = createSystem()
await system.start(Tree)
const sieve = current()

// While the thread computes, this one goes on.
let turns = 0
const beat = setInterval(() => turns++, 1)
const primes = await sieve.call('count', 5_000_000)
clearInterval(beat)
assert.equal(primes, 348_513)
assert.ok(turns > 1)
console.log(`${primes} primes below five million; meanwhile this thread went on`)

// It is an actor: it has a state, and calls in flight find their replies.
const counts = await Promise.all([10, 100, 1_000, 10].map((limit) => sieve.call('count', limit)))
assert.deepEqual(counts, [4, 25, 168, 4])
assert.equal(await sieve.call('remembered'), 4)
console.log('it remembers four answers')

// A loop that never gives way: no timer of that thread fires, no message is read. Kill ends the thread.
const loop = new Int32Array(new SharedArrayBuffer(4))
const looping = sieve.call('forever', loop.buffer, { timeout: Number.POSITIVE_INFINITY }).catch((error) => error.reason)
await until(() => Atomics.load(loop, 0) > 0)
sieve.exit('kill')
assert.equal(await looping, 'killed')
let seen = -1
await until(() => seen === (seen = Atomics.load(loop, 0)))
console.log('the loop was killed, and its thread with it')

// Its supervisor has started another, which knows nothing yet.
await until(() => system.whereis('sieve')?.info()?.status === 'running')
assert.notEqual(current(), sieve)
assert.equal(await current().call('remembered'), 0)
console.log('a new thread took its place, with a clean state')

// What has no state needs no actor: a function, run once on the pool.
const digest = await runInThread(async (text: string) => {
  const { createHash } = await import('node:crypto')
  return createHash('sha256').update(text).digest('hex').slice(0, 8)
}, 'bough')
assert.match(digest, /^[0-9a-f]{8}$/)
console.log(`a job on the pool: ${digest}`)

await system.stop()

function current(): Ref<typeof SieveWorker> {
  // A name does not know what kind of process has it.
  return system.whereis('sieve') as unknown as Ref<typeof SieveWorker>
}

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 5))
}
