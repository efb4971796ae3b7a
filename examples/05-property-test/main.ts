/**
 * Story 5: a property test. A shop tells its bank and its courier at once, and trusts that the payment comes first. In the usual
 * order of things it does; a simulation tries the others, finds the one that breaks the law, makes it short, and hands over a
 * line that repeats it.
 *
 *     node dist/examples/05-property-test/main.js
 */
import assert from 'node:assert/strict'
import { defineActor, type Ref } from 'bough/runtime'
import { createSimulation, type Simulation, simulated } from 'bough/testing'
import fc from 'fast-check'

/** Hands out parcels. The careful one keeps a courier waiting until the parcel is paid; the hasty one is the planted fault. */
const Warehouse = defineActor({
  name: 'warehouse',
  init: (isCareful: boolean) => ({
    isCareful,
    paid: new Set<number>(),
    waiting: new Set<number>(),
    unpaid: [] as number[],
  }),
  cast: {
    paid: (state, order: number) => {
      state.paid.add(order)
      state.waiting.delete(order)
    },
    collect: (state, order: number) => {
      if (state.paid.has(order)) return
      if (state.isCareful) state.waiting.add(order)
      else state.unpaid.push(order)
    },
  },
  call: { unpaid: (state) => state.unpaid },
})

const Bank = defineActor({
  name: 'bank',
  init: (warehouse: Ref<typeof Warehouse>) => warehouse,
  cast: { charge: (warehouse, order: number) => void warehouse.cast('paid', order) },
})

const Courier = defineActor({
  name: 'courier',
  init: (warehouse: Ref<typeof Warehouse>) => warehouse,
  cast: { fetch: (warehouse, order: number) => void warehouse.cast('collect', order) },
})

/** The law: no parcel leaves before it is paid, whoever is quicker. */
async function sell(sim: Simulation, orders: readonly number[], isCareful: boolean): Promise<void> {
  const warehouse = await sim.start(Warehouse, isCareful)
  const bank = await sim.start(Bank, warehouse)
  const courier = await sim.start(Courier, warehouse)
  for (const order of orders) {
    bank.cast('charge', order)
    courier.cast('fetch', order)
  }
  await sim.settle()
  const unpaid = await sim.run(warehouse.call('unpaid'))
  assert.equal(unpaid.length, 0, `order ${unpaid[0]} left the warehouse before it was paid`)
}

const anyOrders = fc.uniqueArray(fc.nat(99), { minLength: 1, maxLength: 10 })
const settings = { seed: 42, numRuns: 200 }

// First come, first served, all is well: a plain test would pass for ever.
await sell(createSimulation({ replay: 'bough1 seed=0' }), [1, 2, 3], false)
console.log('in the usual order, every parcel is paid before it leaves')

// fast-check draws orders and interleavings, and shrinks both.
const result = await fc.check(
  simulated(fc, anyOrders, (sim, orders) => sell(sim, orders, false)),
  settings,
)
assert.ok(result.failed && result.counterexample !== null)
const [sim, orders] = result.counterexample as [Simulation, number[]]
console.log(
  `\nrun ${result.numRuns} broke the law; shrunk ${result.numShrinks} times, it is this one, with the orders [${orders}]:`,
)
console.log(`  createSimulation({ replay: '${sim.schedule}' })`)
for (const line of sim.explain()) console.log(`  ${line}`)

// The line repeats the run, here and anywhere, step by step: this is the test to keep.
const again = createSimulation({ replay: sim.schedule })
await assert.rejects(sell(again, orders, false), /left the warehouse before it was paid/)
assert.deepEqual(again.trace, sim.trace)
console.log('\nthe same again, from the schedule:')
for (const line of again.trace.slice(3)) console.log(`  ${line}`)

// With the fault mended, the law holds in that interleaving and in all that were tried.
await sell(createSimulation({ replay: sim.schedule }), orders, true)
await fc.assert(
  simulated(fc, anyOrders, (world, some) => sell(world, some, true)),
  settings,
)
console.log(`\nmended: ${settings.numRuns} other interleavings keep the law`)
