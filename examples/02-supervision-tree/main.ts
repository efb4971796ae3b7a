/**
 * Story 2: a supervision tree. No code catches what a worker throws: the tree's list says what happens then.
 *
 *     node dist/examples/02-supervision-tree/main.js
 */
import assert from 'node:assert/strict'
import { CallError, child, createSystem, defineActor, defineSupervisor } from 'bough/runtime'

const Worker = defineActor({
  name: 'worker',
  init: () => ({ jobs: 0 }),
  call: {
    work: (state) => ++state.jobs,
    crash: () => {
      throw new Error('a bug')
    },
  },
})

// The reader depends on the store, the clock on nobody: whoever comes later in the list goes down and up with its elders.
const Tree = defineSupervisor({
  name: 'tree',
  strategy: 'rest_for_one',
  intensity: 2,
  period: 5_000,
  children: [
    child(Worker, undefined, { id: 'clock' }),
    child(Worker, undefined, { id: 'store' }),
    child(Worker, undefined, { id: 'reader' }),
  ],
})

const system = createSystem()
const tree = await system.start(Tree)

/** The live child of that id. */
async function find(id: string) {
  const row = (await tree.whichChildren()).find((one) => one.id === id)
  assert.ok(row?.ref !== undefined && row.ref !== 'restarting', `${id} is not running`)
  return row.ref
}

/** Lets a child crash; its caller learns of it, the supervisor sees to the rest. */
async function crash(id: string) {
  const error = await (await find(id)).call('crash').catch((caught: unknown) => caught)
  assert.ok(error instanceof CallError && error.code === 'exit')
}

const before = { clock: await find('clock'), store: await find('store'), reader: await find('reader') }
await before.store.call('work')
console.log('three children run: clock, store, reader')

await crash('store')
assert.equal((await find('clock')).pid, before.clock.pid)
assert.notEqual((await find('store')).pid, before.store.pid)
assert.notEqual((await find('reader')).pid, before.reader.pid)
console.log('the store crashed: it and the reader after it were started anew, the clock went on')

assert.equal(await (await find('store')).call('work'), 1)
console.log('the new store has a clean state: its first job is number 1 again')

// Restarts cure what is transient. What crashes again and again is for the one above to decide.
await crash('store')
assert.equal(tree.alive, true)
await crash('store')
assert.equal(await tree.down, 'shutdown')
console.log('the third crash within 5 s was more than the intensity of 2: the supervisor gave up and told its own')

await system.stop()
