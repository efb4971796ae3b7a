/**
 * Story 8: a state machine. The same message means different things in different states; what comes too early is postponed,
 * and a state does not last for ever.
 *
 *     node dist/examples/08-state-machine/main.js
 */
import assert from 'node:assert/strict'
import { defineStateMachine, keep, next, postpone, reply, stateTimeout } from 'bough/runtime'
import { createSimulation } from 'bough/testing'

const OPEN_MS = 5_000

const Door = defineStateMachine({
  name: 'door',
  version: 1,
  init: (code: string) => ({ state: 'locked', data: { code, through: [] as string[] } }),
  states: {
    locked: {
      call: {
        unlock: (data, code: string) => (code === data.code ? next('open', reply(true)) : false),
      },
      cast: { walkThrough: () => keep(postpone()) },
    },
    open: {
      enter: () => keep(stateTimeout(OPEN_MS)),
      stateTimeout: () => next('locked'),
      call: { unlock: () => true },
      cast: {
        walkThrough: (data, who: string) => {
          data.through.push(who)
        },
      },
    },
  },
  anyState: { call: { through: (data) => [...data.through] } },
})

// In virtual time: the five seconds that the door stays open take none.
const sim = createSimulation({ seed: 1 })
const door = await sim.start(Door, '1234')

door.cast('walkThrough', 'Ada')
assert.equal(await sim.run(door.call('unlock', '0000')), false)
assert.deepEqual(await sim.run(door.call('through')), [])
console.log('Ada waits before the locked door; a wrong code opens nothing')

assert.equal(await sim.run(door.call('unlock', '1234')), true)
assert.deepEqual(await sim.run(door.call('through')), ['Ada'])
console.log('the right code opens it, and Ada, who was postponed, walks through')

await sim.advance(OPEN_MS)
door.cast('walkThrough', 'Bob')
assert.deepEqual(await sim.run(door.call('through')), ['Ada'])
console.log(`after ${OPEN_MS} ms it is locked again: Bob waits`)
